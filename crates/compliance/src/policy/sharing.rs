//! What resource policies give to others.

use super::condition::{Condition, Narrowing};
use super::principal::{Principal, Principals};
use super::{Document, Statement};

impl Document {
    /// The organisations that the document admits as a whole: everybody in one of their accounts, where
    /// nothing else narrows the statement. Which accounts those are, the document does not say.
    pub fn organisations(&self, trusted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut found: Vec<String> = self
            .allowing()
            .filter(|statement| statement.admits_everybody())
            .filter(|statement| !self.denies_strangers(statement, &trusted))
            .flat_map(Statement::only_organisations)
            .collect();
        found.sort();
        found.dedup();
        found
    }
}

impl Statement {
    fn admits_everybody(&self) -> bool {
        match &self.principals {
            Principals::Unsaid => false,
            Principals::AllBut(_) => true,
            Principals::These(these) => these.contains(&Principal::Everybody),
        }
    }

    /// The organisations that the statement is narrowed to, if by nothing else.
    fn only_organisations(&self) -> Vec<String> {
        let mut found = Vec::new();
        for condition in &self.conditions {
            match (condition.organisations(), condition.narrowing()) {
                ([], Narrowing::None) => {}
                ([], _) => return Vec::new(),
                (organisations, _) => found.extend(organisations.to_vec()),
            }
        }
        found
    }
}

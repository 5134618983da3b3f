//! What a policy document means: who it admits, to what, under which conditions.
//!
//! Controls ask this module questions; they never look at a document's spelling. It answers for the
//! worst case: what a statement *could* allow to somebody, given that only conditions which really
//! narrow count. It is no simulator of single requests.

mod condition;
mod data_actions;
mod everybody;
mod identity;
mod keys;
mod pattern;
mod principal;
mod sharing;
mod statement;
#[cfg(test)]
mod tests;
mod trust;

use engine::Policy;
use serde_json::Value;

use condition::{Condition, Narrowing};
use pattern::{account_of, glob, is_open, is_wild};
use principal::Principals;

pub use data_actions::DATA_ACTIONS;
pub use keys::{Administrators, KEY_ADMINISTRATION};
pub use principal::Principal;
pub use statement::Statement;
pub use trust::{Source, Trust, service_of};

/// Whether a pattern with `*` and `?` matches an ARN.
pub fn matches(pattern: &str, arn: &str) -> bool {
    glob(pattern, arn, false)
}

/// A document, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    statements: Vec<Statement>,
}

impl Document {
    /// Reads a document.
    pub fn of(policy: &Policy) -> Self {
        let statements = match policy.document().get("Statement") {
            Some(Value::Array(items)) => items.iter().map(Statement::of).collect(),
            Some(one @ Value::Object(_)) => vec![Statement::of(one)],
            _ => Vec::new(),
        };
        Self { statements }
    }

    /// Who from outside the document admits: everybody, or an account that is not trusted, where no
    /// condition narrows the statement and no Deny takes it back.
    pub fn outsiders(&self, trusted: impl Fn(&str) -> bool) -> Vec<Principal> {
        let mut found = Vec::new();
        for statement in self.statements.iter().filter(|statement| statement.allow) {
            if self.denies_strangers(statement, &trusted) {
                continue;
            }
            found.extend(statement.admitted(&trusted));
        }
        found.sort();
        found.dedup();
        found
    }

    /// Whether any statement allows the action on anything.
    pub fn allows(&self, action: &str) -> bool {
        self.allowing().any(|statement| statement.actions.matches(action))
    }

    fn allowing(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(|statement| statement.allow)
    }

    /// Whether a Deny takes back what `allowed` gives to those who are not trusted.
    fn denies_strangers(&self, allowed: &Statement, trusted: &impl Fn(&str) -> bool) -> bool {
        self.statements.iter().any(|deny| {
            !deny.allow
                && deny.is_about_everybody_but(trusted)
                && allowed.actions.is_within(&deny.actions)
                && allowed.resources.is_within(&deny.resources)
                && match &deny.conditions[..] {
                    [] => true,
                    [one] => one.is_not_from(trusted),
                    [one, other] => {
                        (one.is_not_from(trusted) && other.excepts_services())
                            || (other.is_not_from(trusted) && one.excepts_services())
                    }
                    _ => false,
                }
        })
    }
}

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
mod service;
mod sharing;
mod statement;
#[cfg(test)]
mod tests;
mod trust;

use engine::Policy;
use serde_json::Value;

use condition::{Condition, Narrowing};
use pattern::{glob, is_open, is_wild};
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

    /// Whether any statement allows the action on anything.
    pub fn allows(&self, action: &str) -> bool {
        self.allowing().any(|statement| statement.actions.matches(action))
    }

    fn allowing(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(|statement| statement.allow)
    }
}

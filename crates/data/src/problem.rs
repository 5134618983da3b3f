//! What is wrong with a specification, found before anything is asked of AWS.

use std::fmt;

/// A value that AWS would refuse, or that breaks a promise of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field of the specification, with dots: `rules.daily.schedule`.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem with a field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

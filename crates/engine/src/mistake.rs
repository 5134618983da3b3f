//! What is wrong with a specification, found before anything is asked of AWS.

use std::fmt;

use serde::Serialize;

/// A value in a specification that AWS would refuse, that would not work, or that breaks a promise of
/// the stack.
///
/// Not a [`plan::Problem`](crate::plan::Problem), which is between the stack and what runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Where in the specification, with dots: `rules.daily.schedule`, `zones[0].public`.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl Mistake {
    /// A mistake in a field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_comes_before_what_is_wrong_with_it() {
        let mistake = Mistake::new("zones[0].public", "10.0.0.0/8 is too large");
        assert_eq!(mistake.to_string(), "zones[0].public: 10.0.0.0/8 is too large");
    }
}

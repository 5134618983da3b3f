//! Checking a specification before anything is asked of AWS.

use engine::Mistake;

/// Collects mistakes under the name of a part: `database`, `cache`.
pub(crate) struct Checks {
    part: &'static str,
    found: Vec<Mistake>,
}

impl Checks {
    pub(crate) fn of(part: &'static str) -> Self {
        Self { part, found: Vec::new() }
    }

    /// Notes a mistake unless `holds`.
    pub(crate) fn unless(&mut self, holds: bool, field: &str, message: impl Into<String>) {
        if !holds {
            self.found.push(Mistake::new(format!("{}.{field}", self.part), message));
        }
    }

    pub(crate) fn found(self) -> Vec<Mistake> {
        self.found
    }
}

/// Whether AWS takes a name for a cluster, an instance or a replication group: letters, digits and
/// single hyphens, a letter first, no hyphen last. AWS turns capitals into small letters, so they are
/// not taken here.
pub(crate) fn is_identifier(name: &str, longest: usize) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= longest
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(known)
        && !name.ends_with('-')
        && !name.contains("--")
}

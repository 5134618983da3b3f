//! What resource policies give to others.

use std::collections::BTreeSet;

use super::pattern::Matcher;
use super::principal::Principal;
use super::{Condition, Document, Statement};

impl Document {
    /// Who from outside the document admits, where no condition narrows the statement and no Deny takes it
    /// back: everybody, accounts that are not trusted, organisations, and services that show what they read
    /// to others. `trusted` is asked about accounts by their twelve digits, and about the
    /// [`places`](Self::places).
    pub fn outsiders(&self, trusted: impl Fn(&str) -> bool) -> Vec<Principal> {
        let mut found = Vec::new();
        for statement in self.allowing() {
            found.extend(statement.admitted(&self.denies_of(statement), &trusted));
        }
        found.sort();
        found.dedup();
        found
    }

    /// Whether a Deny keeps everybody who is not trusted, AWS's own services aside, from an action on a
    /// resource, whatever else allows it to them.
    pub fn shuts_out(&self, action: &str, resource: &str, trusted: impl Fn(&str) -> bool) -> bool {
        self.statements.iter().any(|statement| {
            !statement.allow
                && statement.actions.matches(action)
                && statement.resources.matches(resource)
                && statement.spared(&trusted).is_some_and(|spared| spared.is_empty())
        })
    }

    /// The places on which it may depend who is admitted: ids of VPCs and of their endpoints, ARNs of buckets.
    pub fn places(&self) -> BTreeSet<&str> {
        let conditions = self.statements.iter().flat_map(|statement| &statement.conditions);
        conditions.flat_map(Condition::places).collect()
    }

    /// What is left of the document without the statements that allow this one action and no other.
    #[must_use]
    pub fn beyond(&self, action: &str) -> Self {
        let only = |statement: &&Statement| {
            let Matcher { patterns, negated, .. } = &statement.actions;
            !negated && patterns.iter().all(|pattern| pattern.eq_ignore_ascii_case(action))
        };
        let kept = self.statements.iter().filter(|statement| !(statement.allow && only(statement)));
        Self { statements: kept.cloned().collect() }
    }

    /// The Deny statements that are about all that a statement allows.
    fn denies_of(&self, allowed: &Statement) -> Vec<&Statement> {
        let about = |deny: &&Statement| {
            !deny.allow
                && allowed.actions.is_within(&deny.actions)
                && allowed.resources.is_within(&deny.resources)
        };
        self.statements.iter().filter(about).collect()
    }
}

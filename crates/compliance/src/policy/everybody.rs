//! What is denied to everybody, or allowed to no one in particular.

use super::principal::Principals;
use super::{Document, Statement, condition::Condition};

impl Document {
    /// Whether an action is denied to everybody on all that the pattern `resources` stands for, whatever
    /// the circumstances.
    pub fn denies_everybody(&self, action: &str, resources: &str) -> bool {
        self.statements.iter().any(|statement| {
            !statement.allow
                && statement.is_about_everybody()
                && statement.conditions.is_empty()
                && statement.actions.matches(action)
                && statement.resources.covers(resources)
        })
    }

    /// Whether a service control policy denies the action on everything, to all but some who are named: the
    /// one role that mends what nobody else may touch.
    pub fn denies_to_nearly_all(&self, action: &str) -> bool {
        self.statements.iter().any(|statement| {
            !statement.allow
                && statement.actions.matches(action)
                && statement.resources.covers_all()
                && statement.conditions.iter().all(Condition::exempts_some)
        })
    }

    /// Whether everybody who comes without TLS is denied an action on a resource.
    pub fn denies_plain(&self, action: &str, resource: &str) -> bool {
        self.denials(action, resource).any(Statement::is_for_plain_transport)
    }

    /// Whether everybody who comes without TLS is denied every action of a service, on each of these
    /// resources (patterns: a bucket, and all of its objects).
    pub fn denies_plain_transport_to(&self, service: &str, resources: &[&str]) -> bool {
        let every = format!("{service}:*");
        resources.iter().all(|resource| {
            self.statements.iter().any(|statement| {
                !statement.allow
                    && statement.is_about_everybody()
                    && statement.actions.covers(&every)
                    && statement.resources.covers(resource)
                    && statement.is_for_plain_transport()
            })
        })
    }

    /// Whether somebody without any AWS identity is allowed an action on a resource.
    pub fn admits_nameless(&self, action: &str, resource: &str) -> bool {
        let admitted = self
            .to_everybody(action, resource)
            .any(|statement| !statement.conditions.iter().any(Condition::asks_for_identity));
        let taken_back = self.denials(action, resource).any(|deny| match &deny.conditions[..] {
            [] => true,
            [condition] => condition.is_met_by_nameless(),
            _ => false,
        });
        admitted && !taken_back
    }

    /// Whether an action on a resource is allowed to anyone at all, named or not.
    pub fn admits_anyone(&self, action: &str, resource: &str) -> bool {
        let mut allowed = self.allowing().filter(|statement| {
            statement.actions.matches(action) && statement.resources.matches(resource)
        });
        allowed.next().is_some()
            && !self.denials(action, resource).any(|deny| deny.conditions.is_empty())
    }

    /// The Allow statements about everybody that are about an action on a resource.
    fn to_everybody(&self, action: &str, resource: &str) -> impl Iterator<Item = &Statement> {
        self.allowing().filter(move |statement| {
            (statement.is_about_everybody()
                || matches!(statement.principals, Principals::AllBut(_)))
                && statement.actions.matches(action)
                && statement.resources.matches(resource)
        })
    }

    /// The Deny statements about everybody that are about an action on a resource.
    fn denials(&self, action: &str, resource: &str) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(move |statement| {
            !statement.allow
                && statement.is_about_everybody()
                && statement.actions.matches(action)
                && statement.resources.matches(resource)
        })
    }
}

impl Statement {
    /// Whether the conditions are met by requests in plain, whatever else they are.
    fn is_for_plain_transport(&self) -> bool {
        !self.conditions.is_empty() && self.conditions.iter().all(Condition::is_plain_transport)
    }
}

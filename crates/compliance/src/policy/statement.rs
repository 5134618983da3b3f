//! One statement: effect, principals, actions, resources, conditions.

use serde_json::Value;

use super::condition::{Condition, Narrowing};
use super::pattern::{Matcher, account_of, completed, strings};
use super::principal::{Principal, Principals, principals};

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub(super) allow: bool,
    pub(super) principals: Principals,
    /// The AWS principals as they are spelled: `*`, an account's root, a role.
    pub(super) named: Vec<String>,
    pub(super) actions: Matcher,
    pub(super) resources: Matcher,
    pub(super) conditions: Vec<Condition>,
}

impl Statement {
    pub(super) fn of(value: &Value) -> Self {
        let list = |name: &str| strings(value.get(name));
        let matcher = |plain: &str, negated: &str, caseless: bool| {
            let (patterns, negated) = match value.get(negated) {
                Some(_) => (list(negated), true),
                None => (list(plain), false),
            };
            Matcher { patterns, negated, caseless }
        };
        let principals = match (value.get("Principal"), value.get("NotPrincipal")) {
            (Some(these), _) => Principals::These(principals(these)),
            (None, Some(not)) => Principals::AllBut(principals(not)),
            (None, None) => Principals::Unsaid,
        };
        let mut conditions = Vec::new();
        for (operator, keys) in
            value.get("Condition").and_then(Value::as_object).into_iter().flatten()
        {
            for (key, values) in keys.as_object().into_iter().flatten() {
                conditions.push(Condition {
                    operator: operator.to_lowercase(),
                    key: key.to_lowercase(),
                    values: strings(Some(values)),
                });
            }
        }
        let mut resources = matcher("Resource", "NotResource", false);
        resources.patterns.iter_mut().for_each(|pattern| *pattern = completed(pattern));
        if resources.patterns.is_empty() && !resources.negated {
            // Resource policies may leave it out: the resource that they are on.
            resources.patterns.push("*".into());
        }
        Self {
            allow: value.get("Effect").and_then(Value::as_str) == Some("Allow"),
            principals,
            named: spelled(value.get("Principal")),
            actions: matcher("Action", "NotAction", true),
            resources,
            conditions,
        }
    }

    pub(super) fn is_about_everybody(&self) -> bool {
        matches!(&self.principals, Principals::These(these) if these.contains(&Principal::Everybody))
    }

    pub(super) fn is_about_everybody_but(&self, trusted: &impl Fn(&str) -> bool) -> bool {
        match &self.principals {
            Principals::AllBut(these) => these.iter().all(|principal| match principal {
                Principal::Account(account) => trusted(account),
                Principal::Service(_) => true,
                _ => false,
            }),
            _ => self.is_about_everybody(),
        }
    }

    /// Who, of those whom an Allow names, is an outsider whom none of these Denies keeps out.
    pub(super) fn admitted(
        &self,
        denies: &[&Self],
        trusted: &impl Fn(&str) -> bool,
    ) -> Vec<Principal> {
        let named: Vec<Principal> = match &self.principals {
            Principals::Unsaid => Vec::new(),
            // Allow with NotPrincipal admits everybody else.
            Principals::AllBut(_) => vec![Principal::Everybody],
            Principals::These(these) => these.clone(),
        };
        let (services, named): (Vec<_>, Vec<_>) =
            named.into_iter().partition(|one| matches!(one, Principal::Service(_)));
        let mut found: Vec<Principal> = services
            .into_iter()
            .flat_map(|service| self.admitted_through(service, denies, trusted))
            .collect();
        let spared: Vec<_> = denies.iter().filter_map(|deny| deny.spared(trusted)).collect();
        if spared.iter().any(Vec::is_empty) {
            return found;
        }
        let spared = spared.into_iter().map(Narrowing::Organisations);
        let narrowing = spared.fold(self.narrowing(trusted), Narrowing::and);
        found.extend(named.into_iter().flat_map(|principal| match (&principal, &narrowing) {
            (Principal::Everybody, narrowing) => narrowing.outsiders(trusted),
            (Principal::Account(account), _) if !trusted(account) => vec![principal],
            (Principal::Federated(provider), _) => self.strangers_of(provider, trusted),
            (Principal::Other(_), _) => vec![principal],
            _ => Vec::new(),
        }));
        found
    }

    /// The organisations whose accounts this Deny lets pass, while it keeps out everybody else who is not
    /// trusted, services aside; `None` where it keeps out fewer.
    pub(super) fn spared(&self, trusted: &impl Fn(&str) -> bool) -> Option<Vec<String>> {
        if !self.is_about_everybody_but(trusted) {
            return None;
        }
        let mut spared = Vec::new();
        for condition in &self.conditions {
            match condition.all_but_organisations() {
                Some(organisations) => spared.extend(organisations.to_vec()),
                None if condition.is_not_from(trusted) || condition.excepts_services() => {}
                None => return None,
            }
        }
        Some(spared)
    }

    /// Whom of an identity provider's users the statement admits from outside: a provider of the account
    /// is the account's own; a public one admits everybody who has an account there, unless the statement
    /// names the application.
    fn strangers_of(&self, provider: &str, trusted: &impl Fn(&str) -> bool) -> Vec<Principal> {
        match account_of(provider) {
            Some(account) if trusted(&account) => Vec::new(),
            Some(account) => vec![Principal::Account(account)],
            None if self.conditions.iter().any(Condition::names_application) => Vec::new(),
            None => vec![Principal::Federated(provider.to_owned())],
        }
    }

    /// What the conditions leave. Conditions hold together, so the strictest counts.
    pub(super) fn narrowing(&self, trusted: &impl Fn(&str) -> bool) -> Narrowing {
        let each = self.conditions.iter().map(|condition| condition.narrowing(trusted));
        each.fold(Narrowing::None, Narrowing::and)
    }
}

fn spelled(principal: Option<&Value>) -> Vec<String> {
    match principal {
        Some(Value::Object(kinds)) => strings(kinds.get("AWS")),
        Some(Value::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}

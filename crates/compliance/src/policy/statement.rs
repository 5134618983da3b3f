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

    /// Who, of those whom an Allow names, is an outsider.
    pub(super) fn admitted(&self, trusted: &impl Fn(&str) -> bool) -> Vec<Principal> {
        let named: Vec<Principal> = match &self.principals {
            Principals::Unsaid => Vec::new(),
            // Allow with NotPrincipal admits everybody else.
            Principals::AllBut(_) => vec![Principal::Everybody],
            Principals::These(these) => these.clone(),
        };
        let narrowing = self.narrowing();
        named
            .into_iter()
            .flat_map(|principal| match (&principal, &narrowing) {
                (Principal::Everybody, Narrowing::None) => vec![principal],
                (Principal::Everybody, Narrowing::Tied) => Vec::new(),
                (Principal::Everybody, Narrowing::Accounts(accounts)) => accounts
                    .iter()
                    .filter(|account| !trusted(account))
                    .map(|account| Principal::Account(account.clone()))
                    .collect(),
                (Principal::Account(account), _) if !trusted(account) => vec![principal],
                (Principal::Federated(provider), _) => self.strangers_of(provider, trusted),
                (Principal::Other(_), _) => vec![principal],
                _ => Vec::new(),
            })
            .collect()
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
    pub(super) fn narrowing(&self) -> Narrowing {
        self.conditions.iter().map(Condition::narrowing).fold(Narrowing::None, Narrowing::and)
    }
}

fn spelled(principal: Option<&Value>) -> Vec<String> {
    match principal {
        Some(Value::Object(kinds)) => strings(kinds.get("AWS")),
        Some(Value::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}

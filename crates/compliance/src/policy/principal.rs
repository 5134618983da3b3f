//! Who a statement is about.

use serde_json::Value;

use super::pattern::{account_of, strings};

/// Those whom a statement names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Principals {
    /// It says nothing: an identity policy.
    Unsaid,
    /// These.
    These(Vec<Principal>),
    /// All but these.
    AllBut(Vec<Principal>),
}

/// One principal of a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// Everybody, signed in or not.
    Everybody,
    /// An account, or somebody in it: twelve digits.
    Account(String),
    /// The accounts of an organisation, whichever they are: its id, or the path of a unit of it.
    Organisation(String),
    /// An AWS service, on behalf of whoever asks it: `logs.us-east-1.amazonaws.com`.
    Service(String),
    /// An identity provider.
    Federated(String),
    /// Anything else that a policy may name (a canonical user, a deleted principal's id).
    Other(String),
}

pub(super) fn principals(value: &Value) -> Vec<Principal> {
    match value {
        Value::String(text) if text == "*" => vec![Principal::Everybody],
        Value::String(text) => vec![aws_principal(text)],
        Value::Object(kinds) => kinds
            .iter()
            .flat_map(|(kind, who)| {
                strings(Some(who)).into_iter().map(move |who| match kind.as_str() {
                    "AWS" => aws_principal(&who),
                    "Service" if who == "*" => Principal::Everybody,
                    "Service" => Principal::Service(who),
                    "Federated" => Principal::Federated(who),
                    _ => Principal::Other(who),
                })
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn aws_principal(text: &str) -> Principal {
    // `arn:aws:iam::*:root` is no less than `*`, in whatever partition.
    if text == "*" || text.split(':').nth(4) == Some("*") {
        return Principal::Everybody;
    }
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Principal::Account(text.into());
    }
    account_of(text).map_or_else(|| Principal::Other(text.into()), Principal::Account)
}

impl Principal {
    /// What a name means where it stands alone: of a grant, of an ACL.
    pub fn named(name: &str) -> Self {
        let service = [".amazonaws.com", ".amazonaws.com.cn"].iter().any(|end| name.ends_with(end));
        if service { Self::Service(name.to_owned()) } else { aws_principal(name) }
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everybody => f.write_str("everybody"),
            Self::Account(account) => write!(f, "the account {account}"),
            Self::Organisation(id) => write!(f, "every account of {id}"),
            Self::Service(name) => write!(f, "{name} on behalf of anybody"),
            Self::Federated(name) | Self::Other(name) => f.write_str(name),
        }
    }
}

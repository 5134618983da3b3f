//! Conditions: which of them narrow a statement, and to whom.

use super::pattern::{account_of, is_open, is_wild};

/// One condition: an operator, a key, its values. Operator and key are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) operator: String,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

/// What a statement's conditions leave of "everybody".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Narrowing {
    /// Nothing: still everybody.
    None,
    /// Somebody who is tied to something of ours (an organisation, a VPC, a resource without account).
    Tied,
    /// These accounts.
    Accounts(Vec<String>),
}

impl Narrowing {
    /// What two conditions leave together.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, one) | (one, Self::None) => one,
            // An account that is named is known by more than what it is tied to.
            (Self::Tied, one) | (one, Self::Tied) => one,
            (Self::Accounts(some), Self::Accounts(others)) => {
                let both: Vec<String> =
                    some.iter().filter(|account| others.contains(account)).cloned().collect();
                // Conditions about different things (the caller, the source) may name different accounts:
                // then it may be either.
                let either = || some.into_iter().chain(others).collect();
                Self::Accounts(if both.is_empty() { either() } else { both })
            }
        }
    }
}

impl Condition {
    pub(super) fn is(&self, operator: &str, key: &str, value: &str) -> bool {
        self.operator == operator && self.key == key && self.values == [value]
    }

    /// Whether the condition is met by all but principals that it names.
    pub(super) fn exempts_some(&self) -> bool {
        let negative = ["arnnotlike", "arnnotequals", "stringnotlike", "stringnotequals"];
        let operator = self.operator.strip_suffix("ifexists").unwrap_or(&self.operator);
        negative.contains(&operator)
            && self.key == "aws:principalarn"
            && !self.values.iter().any(|value| is_open(value))
    }

    /// Whether only somebody with an AWS identity can meet it: for others the key is not there.
    pub(super) fn asks_for_identity(&self) -> bool {
        let positive = matches!(
            self.operator.as_str(),
            "stringequals"
                | "stringlike"
                | "stringequalsignorecase"
                | "arnequals"
                | "arnlike"
                | "foranyvalue:stringequals"
                | "foranyvalue:stringlike"
                | "foranyvalue:arnlike"
        );
        let of_identity = self.key.starts_with("aws:principal") || self.key == "aws:userid";
        positive && of_identity && !self.values.iter().any(|value| value == "Anonymous")
    }

    /// Whether everybody without an AWS identity meets it.
    pub(super) fn is_met_by_nameless(&self) -> bool {
        self.is("stringequals", "aws:principaltype", "Anonymous")
            || self.is("stringlike", "aws:principaltype", "Anonymous")
            || (self.key.starts_with("aws:principal") && self.is("null", &self.key, "true"))
    }

    /// Whether the condition is met by all who are not from a trusted account.
    pub(super) fn is_not_from(&self, trusted: &impl Fn(&str) -> bool) -> bool {
        let operator = self.operator.strip_suffix("ifexists").unwrap_or(&self.operator);
        // A request without the key, an anonymous one, meets a negated operator.
        if !matches!(operator, "stringnotequals" | "stringnotlike" | "arnnotequals" | "arnnotlike")
        {
            return false;
        }
        match self.key.as_str() {
            "aws:principalaccount" | "kms:calleraccount" => {
                self.values.iter().all(|value| trusted(value))
            }
            "aws:principalarn" => self
                .values
                .iter()
                .all(|value| account_of(value).is_some_and(|account| trusted(&account))),
            "aws:principalorgid" => self.values.iter().all(|value| !is_wild(value)),
            _ => false,
        }
    }

    /// Whether the condition only excepts AWS's own services: what the usual Deny for strangers adds.
    pub(super) fn excepts_services(&self) -> bool {
        self.is("bool", "aws:principalisawsservice", "false")
            || self.is("boolifexists", "aws:principalisawsservice", "false")
    }

    /// Whether a request in plain meets the condition.
    pub(super) fn is_plain_transport(&self) -> bool {
        self.key == "aws:securetransport"
            && match self.operator.as_str() {
                "bool" | "boolifexists" | "stringequals" => self.values == ["false"],
                "stringnotequals" => self.values == ["true"],
                _ => false,
            }
    }

    /// Whether the condition names the application that a public identity provider's user comes from.
    pub(super) fn names_application(&self) -> bool {
        [":aud", ":app_id", ":client_id", ":azp"].iter().any(|end| self.key.ends_with(end))
            && self.is_positive()
            && self.values.iter().all(|value| !is_wild(value))
    }

    /// The principals that the condition narrows to.
    pub(super) fn principal_arns(&self) -> Option<&[String]> {
        (self.key == "aws:principalarn" && self.is_positive()).then_some(&self.values[..])
    }

    /// The organisations that the condition narrows to.
    pub(super) fn organisations(&self) -> &[String] {
        let by_organisation = matches!(
            self.key.as_str(),
            "aws:principalorgid"
                | "aws:principalorgpaths"
                | "aws:sourceorgid"
                | "aws:sourceorgpaths"
        );
        if by_organisation && self.narrowing() != Narrowing::None { &self.values } else { &[] }
    }

    /// Whether the condition holds only for requests that have one of the values. `…IfExists` holds for
    /// requests without the key, and `ForAllValues` for those with no value.
    fn is_positive(&self) -> bool {
        let positive = matches!(
            self.operator.as_str(),
            "stringequals"
                | "stringlike"
                | "stringequalsignorecase"
                | "arnequals"
                | "arnlike"
                | "foranyvalue:stringequals"
                | "foranyvalue:stringlike"
                | "foranyvalue:stringequalsignorecase"
                | "foranyvalue:arnequals"
                | "foranyvalue:arnlike"
        );
        positive && !self.values.is_empty()
    }

    pub(super) fn narrowing(&self) -> Narrowing {
        if !self.is_positive() {
            return Narrowing::None;
        }
        match self.key.as_str() {
            "aws:principalaccount"
            | "aws:sourceaccount"
            | "kms:calleraccount"
            | "aws:sourceowner"
            | "s3:dataaccesspointaccount" => {
                if self.values.iter().any(|value| is_wild(value)) {
                    Narrowing::None
                } else {
                    Narrowing::Accounts(self.values.clone())
                }
            }
            "aws:sourcearn" | "aws:principalarn" => {
                let mut accounts = Vec::new();
                for value in &self.values {
                    match account_of(value) {
                        Some(account) => accounts.push(account),
                        // A bucket's ARN has no account, but names one bucket.
                        None if value.contains(":s3:::") && !is_wild(value) => {}
                        None => return Narrowing::None,
                    }
                }
                if accounts.is_empty() { Narrowing::Tied } else { Narrowing::Accounts(accounts) }
            }
            "aws:principalorgid"
            | "aws:sourceorgid"
            | "aws:principalorgpaths"
            | "aws:sourceorgpaths"
            | "aws:sourcevpc"
            | "aws:sourcevpce" => {
                let open = |value: &String| value.trim_matches(['*', '?']).is_empty();
                if self.values.iter().any(open) { Narrowing::None } else { Narrowing::Tied }
            }
            // An encryption context is what the caller says it is, and an address is nobody's identity.
            _ => Narrowing::None,
        }
    }
}

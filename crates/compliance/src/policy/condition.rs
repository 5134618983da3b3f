//! Conditions: which of them narrow a statement, and to whom.

use super::pattern::{account_of, is_open, is_wild};
use super::principal::Principal;

/// What the ARN of a bucket has where others have region and account.
const BUCKET: &str = ":s3:::";

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
    /// Somebody who comes from a place that is trusted: a VPC, an endpoint, a bucket.
    Tied,
    /// The accounts of these organisations, whichever they are.
    Organisations(Vec<String>),
    /// These accounts.
    Accounts(Vec<String>),
}

impl Narrowing {
    /// What two conditions leave together.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, one) | (one, Self::None) => one,
            (Self::Accounts(some), Self::Accounts(others)) => {
                Self::Accounts(common_or_all(some, others))
            }
            // An account that is named is known by more than what it is tied to.
            (one @ Self::Accounts(_), _) | (_, one @ Self::Accounts(_)) => one,
            (Self::Tied, _) | (_, Self::Tied) => Self::Tied,
            (Self::Organisations(some), Self::Organisations(others)) => {
                Self::Organisations(common_or_all(some, others))
            }
        }
    }

    /// Who is left and not trusted.
    pub(super) fn outsiders(&self, trusted: &impl Fn(&str) -> bool) -> Vec<Principal> {
        match self {
            Self::None => vec![Principal::Everybody],
            Self::Tied => Vec::new(),
            Self::Organisations(ids) => ids.iter().cloned().map(Principal::Organisation).collect(),
            Self::Accounts(accounts) => accounts
                .iter()
                .filter(|account| !trusted(account))
                .map(|account| Principal::Account(account.clone()))
                .collect(),
        }
    }
}

/// What both name. Conditions about different things (the caller, the source) may name different ones: then it
/// may be any of them.
fn common_or_all(some: Vec<String>, others: Vec<String>) -> Vec<String> {
    let common: Vec<String> = some.iter().filter(|one| others.contains(one)).cloned().collect();
    if common.is_empty() { some.into_iter().chain(others).collect() } else { common }
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

    /// Whether the condition is met by all who are not from a trusted account or place.
    pub(super) fn is_not_from(&self, trusted: &impl Fn(&str) -> bool) -> bool {
        self.is_negative()
            && match self.key.as_str() {
                "aws:principalaccount"
                | "kms:calleraccount"
                | "aws:sourcevpc"
                | "aws:sourcevpce" => self.values.iter().all(|value| trusted(value)),
                "aws:principalarn" => self.is_of_accounts(trusted),
                _ => false,
            }
    }

    /// The organisations but for which everybody meets the condition.
    pub(super) fn all_but_organisations(&self) -> Option<&[String]> {
        let named = self.key == "aws:principalorgid"
            && self.is_negative()
            && !self.values.iter().any(|value| is_wild(value));
        named.then_some(&self.values[..])
    }

    /// Whether the condition is met by every service that acts on behalf of somebody who is not trusted.
    pub(super) fn is_not_on_behalf_of(&self, trusted: &impl Fn(&str) -> bool) -> bool {
        self.is_negative()
            && match self.key.as_str() {
                "aws:sourceaccount" => self.values.iter().all(|account| trusted(account)),
                "aws:sourcearn" => self.is_of_accounts(trusted),
                _ => false,
            }
    }

    /// Whether it holds for requests that have none of the values. One without the key is among them: of
    /// somebody in no organisation, of a service on nobody's behalf.
    fn is_negative(&self) -> bool {
        let operator = self.operator.strip_suffix("ifexists").unwrap_or(&self.operator);
        matches!(operator, "stringnotequals" | "stringnotlike" | "arnnotequals" | "arnnotlike")
    }

    /// Whether its ARNs are all of trusted accounts.
    fn is_of_accounts(&self, trusted: &impl Fn(&str) -> bool) -> bool {
        self.values.iter().all(|arn| account_of(arn).is_some_and(|account| trusted(&account)))
    }

    /// Whether the condition only excepts AWS's own services: what the usual Deny for strangers adds.
    pub(super) fn excepts_services(&self) -> bool {
        self.is("bool", "aws:principalisawsservice", "false")
            || self.is("boolifexists", "aws:principalisawsservice", "false")
    }

    /// Whether every service meets it that calls in its own name.
    pub(super) fn is_met_by_services(&self) -> bool {
        self.is("bool", "aws:principalisawsservice", "true")
            || self.is("boolifexists", "aws:principalisawsservice", "true")
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

    /// Whether the condition says who may use a key, through which service, or for what.
    pub(super) fn limits_use(&self) -> bool {
        if self.key.starts_with("kms:encryptioncontext:") {
            // Any value will do: who has to name a context cannot decrypt what was encrypted without it.
            return self.is_positive();
        }
        let says = matches!(
            self.key.as_str(),
            "kms:viaservice"
                | "aws:calledvia"
                | "aws:calledviafirst"
                | "aws:calledvialast"
                | "aws:principalarn"
                | "aws:sourcearn"
                | "aws:userid"
        ) || self.key.starts_with("aws:principaltag/");
        let anything = |value: &String| is_open(value) || value.starts_with(['*', '?']);
        self.is("bool", "kms:grantisforawsresource", "true")
            || (says && self.is_positive() && !self.values.iter().any(anything))
    }

    /// The principals that the condition narrows to.
    pub(super) fn principal_arns(&self) -> Option<&[String]> {
        (self.key == "aws:principalarn" && self.is_positive()).then_some(&self.values[..])
    }

    /// The places that it names: VPCs, their endpoints, and buckets, whose ARNs have no account. Whether it
    /// narrows depends on whose they are.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        let network = matches!(self.key.as_str(), "aws:sourcevpc" | "aws:sourcevpce");
        let values = self.values.iter().map(String::as_str);
        values.filter(move |value| network || value.contains(BUCKET))
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

    /// What it leaves of everybody, given which places are trusted.
    pub(super) fn narrowing(&self, trusted: &impl Fn(&str) -> bool) -> Narrowing {
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
            "aws:sourcearn" | "aws:principalarn" => self.narrowing_by_arn(trusted),
            "aws:principalorgid"
            | "aws:sourceorgid"
            | "aws:principalorgpaths"
            | "aws:sourceorgpaths" => {
                // A path begins with the organisation.
                let open = |value: &String| value.split('/').next().is_some_and(is_wild);
                if self.values.iter().any(open) {
                    Narrowing::None
                } else {
                    Narrowing::Organisations(self.values.clone())
                }
            }
            "aws:sourcevpc" | "aws:sourcevpce" => {
                let ours = |value: &String| !is_wild(value) && trusted(value);
                if self.values.iter().all(ours) { Narrowing::Tied } else { Narrowing::None }
            }
            // An encryption context is what the caller says it is, and an address is nobody's identity.
            _ => Narrowing::None,
        }
    }

    /// As [`narrowing`](Self::narrowing), of those on whose behalf a service comes: what a service says in the
    /// encryption context is true, and that is often all that says whose log group or trail it is.
    pub(super) fn narrowing_of_service(&self, trusted: &impl Fn(&str) -> bool) -> Narrowing {
        if self.key.starts_with("kms:encryptioncontext:") && self.is_positive() {
            self.narrowing_by_arn(trusted)
        } else {
            self.narrowing(trusted)
        }
    }

    fn narrowing_by_arn(&self, trusted: &impl Fn(&str) -> bool) -> Narrowing {
        let mut accounts = Vec::new();
        for value in &self.values {
            match account_of(value) {
                Some(account) => accounts.push(account),
                None if value.contains(BUCKET) && !is_wild(value) && trusted(value) => {}
                None => return Narrowing::None,
            }
        }
        if accounts.is_empty() { Narrowing::Tied } else { Narrowing::Accounts(accounts) }
    }
}

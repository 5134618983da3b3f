//! What a trust policy says of who may assume a role.

use std::collections::BTreeMap;

use super::{Document, Narrowing, Principal, Principals, Statement, is_wild};

/// Who may assume a role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// The services, without region and suffix (`logs`), each with what narrows it.
    pub services: BTreeMap<String, Source>,
    /// Everybody else who may.
    pub others: Vec<Principal>,
}

/// On whose behalf a service may assume a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// On anybody's, as far as the policy says.
    Anybody,
    /// On that of accounts that are trusted, or of something that belongs to them.
    Trusted,
    /// On that of an account that is not.
    Stranger(String),
}

impl Document {
    /// Who may assume the role that this is the trust policy of. `trusted` are the accounts on whose
    /// behalf services may.
    pub fn trust(&self, trusted: impl Fn(&str) -> bool) -> Trust {
        let mut found = Trust::default();
        for statement in self.allowing().filter(|it| it.actions.matches("sts:assumerole")) {
            let principals = match &statement.principals {
                Principals::These(these) => &these[..],
                // Allow with NotPrincipal admits everybody else.
                Principals::AllBut(_) => &[Principal::Everybody],
                Principals::Unsaid => &[],
            };
            for principal in principals {
                let Principal::Service(name) = principal else {
                    found.others.push(principal.clone());
                    continue;
                };
                let source = match statement.source(&trusted) {
                    Source::Anybody if self.denies_other_sources(name, &trusted) => Source::Trusted,
                    source => source,
                };
                // Each statement admits by itself, so the widest counts.
                let known =
                    found.services.entry(service_of(name).into()).or_insert(Source::Trusted);
                if *known != Source::Anybody && source != Source::Trusted {
                    *known = source;
                }
            }
        }
        found.others.sort();
        found.others.dedup();
        found
    }

    /// Whether everybody may assume the role that this is the trust policy of.
    pub fn trusts_everybody(&self) -> bool {
        self.allowing().filter(|it| it.actions.matches("sts:assumerole")).any(|statement| {
            let everybody = match &statement.principals {
                Principals::These(these) => these.contains(&Principal::Everybody),
                Principals::AllBut(_) => true,
                Principals::Unsaid => false,
            };
            everybody && statement.narrowing(&anywhere) == Narrowing::None
        })
    }

    /// Whether a Deny keeps a service out that acts on behalf of somebody who is not trusted.
    fn denies_other_sources(&self, service: &str, trusted: &impl Fn(&str) -> bool) -> bool {
        self.statements.iter().any(|deny| {
            !deny.allow
                && deny.actions.matches("sts:assumerole")
                && deny.keeps_out_service(service, trusted)
        })
    }
}

/// Roles are assumed from wherever; who may ask for that is the question here.
fn anywhere(_: &str) -> bool {
    true
}

impl Statement {
    /// On whose behalf the services that it names may act.
    fn source(&self, trusted: &impl Fn(&str) -> bool) -> Source {
        let external_id = self.conditions.iter().find(|condition| {
            // Firehose gives the account like this.
            condition.key == "sts:externalid" && condition.wants_a_value()
        });
        let narrowing = match external_id {
            Some(condition) if !condition.values.iter().any(|value| is_wild(value)) => {
                Narrowing::Accounts(condition.values.clone())
            }
            _ => self.narrowing(&anywhere),
        };
        match narrowing {
            Narrowing::None => Source::Anybody,
            Narrowing::Tied | Narrowing::Organisations(_) => Source::Trusted,
            Narrowing::Accounts(accounts) => {
                let stranger = accounts.into_iter().find(|account| !trusted(account));
                stranger.map_or(Source::Trusted, Source::Stranger)
            }
        }
    }
}

/// A service's name without its region and suffix: `logs` of `logs.us-east-1.amazonaws.com`. Lambda at
/// the edge is Lambda, and its roles must trust both.
pub fn service_of(principal: &str) -> &str {
    let name = principal.trim_end_matches(".cn").trim_end_matches(".amazonaws.com");
    let is_region = |label: &str| {
        let parts: Vec<&str> = label.split('-').collect();
        parts.len() >= 3 && parts.last().is_some_and(|it| it.bytes().all(|b| b.is_ascii_digit()))
    };
    let name = match name.rsplit_once('.') {
        Some((name, label)) if is_region(label) => name,
        _ => name,
    };
    if name == "edgelambda" { "lambda" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Policy;
    use serde_json::{Value, json};

    const OURS: &str = "123456789012";

    fn document(statement: Value) -> Document {
        Document::of(&Policy::from(json!({"Version": "2012-10-17", "Statement": statement})))
    }

    #[test]
    fn a_service_is_narrowed_by_its_source() {
        let trust = |condition: Value| {
            let statement = json!({"Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
                                   "Action": "sts:AssumeRole", "Condition": condition});
            document(statement).trust(|account| account == OURS).services["logs"].clone()
        };
        for narrow in [
            json!({"StringEquals": {"aws:SourceAccount": OURS}}),
            json!({"ArnLike": {"aws:SourceArn": format!("arn:aws:logs:us-east-1:{OURS}:*")}}),
            json!({"StringEquals": {"sts:ExternalId": OURS}}),
            json!({"StringEquals": {"aws:SourceOrgID": "o-abc"}}),
        ] {
            assert_eq!(trust(narrow.clone()), Source::Trusted, "{narrow}");
        }
        for wide in [
            json!({}),
            json!({"StringEqualsIfExists": {"aws:SourceAccount": OURS}}),
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:logs:us-east-1:*:*"}}),
            json!({"StringLike": {"sts:ExternalId": "*"}}),
        ] {
            assert_eq!(trust(wide.clone()), Source::Anybody, "{wide}");
        }
        let theirs = json!({"StringEquals": {"aws:SourceAccount": [OURS, "999999999999"]}});
        assert_eq!(trust(theirs), Source::Stranger("999999999999".into()));
    }

    #[test]
    fn trust_is_read_over_all_statements() {
        let allow = |principal: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
        let ours = |account: &str| account == OURS;
        let two = document(allow(
            json!({"Service": ["ec2.amazonaws.com", "edgelambda.amazonaws.com", "lambda.amazonaws.com"], "AWS": OURS}),
        ));
        let two = two.trust(ours);
        assert_eq!(two.services.keys().collect::<Vec<_>>(), ["ec2", "lambda"]);
        assert_eq!(two.others, [Principal::Account(OURS.into())]);

        let denied = document(json!([allow(json!({"Service": "sns.amazonaws.com"})),
            {"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Condition": {"StringNotEquals": {"aws:SourceAccount": OURS}}}]));
        assert_eq!(denied.trust(ours).services["sns"], Source::Trusted);

        assert!(document(allow(json!("*"))).trusts_everybody());
        let organisation = json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole",
                                  "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abc"}}});
        assert!(!document(organisation).trusts_everybody());
    }
}

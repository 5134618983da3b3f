//! Who somebody is that something is shared with.

use std::collections::BTreeSet;

use network::{Vpc, VpcEndpoint};
use security::Bucket;

use crate::facts::Facts;
use crate::finding::Unread;
use crate::keys::account_of;
use crate::policy::{Document, Principal};

/// What [`strangers`] reads, as [`Control::reads`](crate::Control::reads) has it.
pub const READS: &[&str] = &["ec2.vpc.id", "ec2.vpc_endpoint.id", "s3.bucket.name"];

/// Whom the policy of a resource admits besides accounts that are trusted. VPCs, endpoints and buckets that
/// its conditions name are trusted where they are the account's: a stranger can name a place of theirs.
///
/// # Errors
/// When it depends on whose such a place is, and that could not be read.
pub fn strangers(
    facts: &Facts<'_>,
    policy: &Document,
    trusted: impl Fn(&str) -> bool,
) -> Result<Vec<Principal>, Unread> {
    let (mut ours, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    let mut unread = None;
    for place in policy.places() {
        match is_ours(facts, place) {
            Ok(true) => _ = ours.insert(place),
            Ok(false) => {}
            Err(why) => {
                unknown.insert(place);
                unread = Some(why);
            }
        }
    }
    let at_most = policy.outsiders(|who| trusted(who) || ours.contains(who));
    let at_least =
        policy.outsiders(|who| trusted(who) || ours.contains(who) || unknown.contains(who));
    match unread {
        Some(why) if at_least.is_empty() && !at_most.is_empty() => Err(why),
        _ => Ok(at_least),
    }
}

fn is_ours(facts: &Facts<'_>, place: &str) -> Result<bool, Unread> {
    if let Some((_, bucket)) = place.split_once(":s3:::") {
        return Ok(facts.find::<Bucket>(bucket)?.is_some());
    }
    Ok(facts.find::<VpcEndpoint>(place)?.is_some() || facts.find::<Vpc>(place)?.is_some())
}

/// Says who a principal of RAM or Lake Formation is, where records may not be shared with it: another
/// account that is not declared, or an organisation or a unit of one, which is open for accounts to come.
/// `None` for all others: our own account, declared ones, and AWS's services.
pub fn undeclared(facts: &Facts<'_>, principal: &str) -> Option<String> {
    // Lake Formation's words for "whoever IAM admits", in this account and in any.
    let principal = principal.strip_suffix(":IAMPrincipals").unwrap_or(principal);
    if principal == "IAM_ALLOWED_PRINCIPALS" || principal.ends_with(".amazonaws.com") {
        return None;
    }
    let is_account = principal.len() == 12 && principal.bytes().all(|b| b.is_ascii_digit());
    // The account in an organisation's ARN is the one that manages it, not the one that is meant.
    let account = match principal.split(':').nth(2) {
        Some("organizations") => None,
        _ => account_of(principal).or(is_account.then_some(principal)),
    };
    match account {
        Some(account) if facts.is_declared_account(account) => None,
        Some(account) => Some(format!("the account {account}")),
        None => Some(principal.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use engine::{Inventory, Place, Policy, Stack, StackName};
    use security::{KeysSpec, SecuritySpec};

    use super::undeclared;
    use crate::facts::Facts;
    use crate::policy::Document;
    use crate::settings::Settings;
    use crate::testing::NOW;

    #[test]
    fn accounts_are_known_by_number_and_arn_and_organisations_are_open() {
        let inventory = Inventory::empty("123456789012", "us-east-1");
        let settings =
            Settings { declared_accounts: ["111111111111".into()].into(), ..Settings::default() };
        let facts = Facts::new(&inventory, &settings, NOW);
        for fine in [
            "123456789012",
            "111111111111",
            "arn:aws:iam::111111111111:role/registrar",
            "111111111111:IAMPrincipals",
            "IAM_ALLOWED_PRINCIPALS",
            "pca-connector-ad.amazonaws.com",
        ] {
            assert_eq!(undeclared(&facts, fine), None, "{fine}");
        }
        for stranger in [
            "999999999999",
            "999999999999:IAMPrincipals",
            "arn:aws:iam::999999999999:root",
            "arn:aws:organizations::123456789012:organization/o-abc",
            "arn:aws:organizations::111111111111:ou/o-abc/ou-abcd-12345678",
        ] {
            assert!(undeclared(&facts, stranger).is_some(), "{stranger}");
        }
    }

    #[test]
    fn what_the_stack_writes_itself_admits_nobody_else() {
        let place = Place::new("123456789012", "us-east-1");
        let mut stack = Stack::new(StackName::new("student", "dev"), BTreeMap::new());
        security::declare(&mut stack, &SecuritySpec::new(place.clone()));
        let mut with_sessions = Stack::new(StackName::new("student", "dev"), BTreeMap::new());
        let keys = KeysSpec { sessions: true, ..KeysSpec::new(place) };
        security::declare_keys(&mut with_sessions, &keys);
        let mut judged = 0;
        for node in stack.nodes().chain(with_sessions.nodes()) {
            let Some(policy @ serde_json::Value::Object(_)) = node.spec.get("policy") else {
                continue;
            };
            let document = Document::of(&Policy::from(policy.clone()));
            let found = document.outsiders(|account| account == "123456789012");
            assert!(found.is_empty(), "{}: {found:?}", node.id);
            judged += 1;
        }
        assert!(judged > 15, "keys, buckets, secrets and the topic, not {judged}");
    }
}

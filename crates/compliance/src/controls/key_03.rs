//! FERPA-KEY-03: keys admit nobody from outside.

use security::Key;
use serde_json::json;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::parties;
use crate::policy::{Document, Principal};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-KEY-03",
    title: "Keys admit nobody from outside",
    statement: "No key policy and no grant admits everybody, an organisation as a whole or an account that is not declared, neither by themselves nor through a service.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.33(a)", "NIST SP 800-171r2 3.1.1"],
    why: "Whoever may use a key can read whatever it encrypts, once they have a copy.",
    reads: &[&["kms.key.policy", "kms.key.grants"], parties::READS],
    remedy: Remedy {
        stack: "`deploy`: it writes the key policies; revoke grants by hand",
        api: "kms:PutKeyPolicy with a Policy without that principal; kms:RevokeGrant",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Key>(|key| {
        let policy = by_policy(facts, key);
        let grants = by_grants(facts, key);
        // What is known to be open is open, whatever else could not be read.
        match (policy, grants) {
            (Ok(None), Ok(None)) => {
                Ok(Verdict::pass("neither the key's policy nor a grant admits an outsider"))
            }
            (Ok(Some(open)), _) | (_, Ok(Some(open))) => Ok(open),
            (Err(unread), _) | (_, Err(unread)) => Err(unread),
        }
    })
}

fn by_policy(facts: &Facts<'_>, key: &Seen<'_, Key>) -> Result<Option<Verdict>, Unread> {
    let policy = &key.read(&["policy"])?.policy;
    let declared = |account: &str| facts.is_declared_account(account);
    let outsiders = parties::strangers(facts, &Document::of(policy), declared)?;
    let names: Vec<String> = outsiders.iter().map(ToString::to_string).collect();
    Ok((!names.is_empty()).then(|| {
        Verdict::fail(format!("the key's policy admits {}", names.join(", ")))
            .with("kms:GetKeyPolicy", "Policy", policy.document().clone())
    }))
}

fn by_grants(facts: &Facts<'_>, key: &Seen<'_, Key>) -> Result<Option<Verdict>, Unread> {
    let grants = &key.read(&["grants"])?.grants;
    let outside = |name: &str| match Principal::named(name) {
        Principal::Account(account) => !facts.is_declared_account(&account),
        Principal::Service(_) => false,
        _ => true,
    };
    let open = grants.iter().find_map(|grant| {
        let principals = std::iter::once(&grant.grantee).chain(&grant.retiring_principal);
        principals.into_iter().find(|name| outside(name)).map(|name| (grant, name))
    });
    Ok(open.map(|(grant, name)| {
        let operations: Vec<&str> = grant.operations.iter().map(String::as_str).collect();
        Verdict::fail(format!("a grant lends the key to {name} for {}", operations.join(", ")))
            .with("kms:ListGrants", "GrantId", json!(grant.id))
            .with("kms:ListGrants", "GranteePrincipal", json!(grant.grantee))
    }))
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::types::GrantOperation;
    use aws_smithy_mocks::Rule;
    use serde_json::{Value, json};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::settings::Settings;
    use crate::testing::ec2::vpc;
    use crate::testing::kms::{grants, key, key_policy};
    use crate::testing::{denied, judged, judged_with, only};

    const THEIRS: &str = "arn:aws:iam::999999999999:role/partner";

    #[tokio::test]
    async fn the_account_and_services_are_at_home() {
        let service = grants(vec![
            ("rds.us-east-1.amazonaws.com", GrantOperation::Decrypt),
            ("arn:aws:iam::123456789012:role/x", GrantOperation::CreateGrant),
            ("arn:aws:sts::123456789012:assumed-role/aws:ec2/i-1", GrantOperation::Decrypt),
        ]);
        let found = judged(&CONTROL, &key(vec![service])).await;
        assert_eq!(only(&found).0, Status::Pass, "{found:#?}");
    }

    #[tokio::test]
    async fn strangers_are_found_in_the_policy_and_among_the_grants() {
        let open = |principal| {
            key_policy(json!({"Effect": "Allow", "Principal": {"AWS": principal},
                "Action": "kms:Decrypt", "Resource": "*"}))
        };
        let found = judged(&CONTROL, &key(vec![open("*")])).await;
        assert_eq!(only(&found), (Status::Fail, "the key's policy admits everybody"));
        let found = judged(&CONTROL, &key(vec![open(THEIRS)])).await;
        let why = "the key's policy admits the account 999999999999";
        assert_eq!(only(&found), (Status::Fail, why));
        let lent = || key(vec![grants(vec![(THEIRS, GrantOperation::Decrypt)])]);
        let found = judged(&CONTROL, &lent()).await;
        assert!(only(&found).1.starts_with("a grant lends the key to"), "{found:#?}");
        let accounts = ["999999999999".into()].into();
        let declared = Settings { declared_accounts: accounts, ..Settings::default() };
        let found = judged_with(&CONTROL, &lent(), &declared).await;
        assert_eq!(only(&found).0, Status::Pass);
    }

    fn decrypts(principal: Value, condition: Value) -> Vec<Rule> {
        key(vec![key_policy(json!({"Effect": "Allow", "Principal": principal,
            "Action": "kms:Decrypt", "Resource": "*", "Condition": condition}))])
    }

    #[tokio::test]
    async fn an_organisation_is_an_outsider_as_a_whole() {
        let theirs = json!({"StringEquals": {"aws:PrincipalOrgID": "o-foreign"}});
        let found = judged(&CONTROL, &decrypts(json!("*"), theirs)).await;
        let why = "the key's policy admits every account of o-foreign";
        assert_eq!(only(&found), (Status::Fail, why));
        let all_but = json!([
            {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"},
            {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
             "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-foreign"}}},
        ]);
        let found = judged(&CONTROL, &key(vec![key_policy(all_but)])).await;
        assert_eq!(only(&found), (Status::Fail, why));
    }

    #[tokio::test]
    async fn a_service_decrypts_for_the_account_only() {
        let logs = || json!({"Service": "logs.us-east-1.amazonaws.com"});
        let group = |account: &str| json!({"ArnLike": {"kms:EncryptionContext:aws:logs:arn": format!("arn:aws:logs:us-east-1:{account}:log-group:*")}});
        let ours = decrypts(logs(), group("123456789012"));
        assert_eq!(only(&judged(&CONTROL, &ours).await).0, Status::Pass);
        let found = judged(&CONTROL, &decrypts(logs(), group("999999999999"))).await;
        let why = "the key's policy admits the account 999999999999";
        assert_eq!(only(&found), (Status::Fail, why));
        let found = judged(&CONTROL, &decrypts(logs(), json!({}))).await;
        let why = "the key's policy admits logs.us-east-1.amazonaws.com on behalf of anybody";
        assert_eq!(only(&found), (Status::Fail, why));
    }

    #[tokio::test]
    async fn only_a_place_of_the_account_narrows() {
        let from = |place: &str| {
            let mut rules = decrypts(json!("*"), json!({"StringEquals": {"aws:SourceVpc": place}}));
            rules.push(vpc());
            rules
        };
        assert_eq!(only(&judged(&CONTROL, &from("vpc-1")).await).0, Status::Pass);
        let found = judged(&CONTROL, &from("vpc-of-a-stranger")).await;
        assert_eq!(only(&found), (Status::Fail, "the key's policy admits everybody"));
        let denied = denied!(aws_sdk_ec2, describe_vpcs, DescribeVpcsError);
        let unread = [vec![denied], from("vpc-1")].concat();
        assert_eq!(only(&judged(&CONTROL, &unread).await).0, Status::Unknown);
    }

    #[tokio::test]
    async fn grants_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_kms, list_grants, ListGrantsError);
        let found = judged(&CONTROL, &key(vec![denied])).await;
        assert_eq!(only(&found).0, Status::Unknown);
        let denied = denied!(aws_sdk_kms, list_resource_tags, ListResourceTagsError);
        let found = judged(&CONTROL, &key(vec![denied])).await;
        assert_eq!(only(&found).0, Status::Pass, "the tags are nobody's business here");
    }
}

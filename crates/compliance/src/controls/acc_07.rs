//! FERPA-ACC-07: secrets admit no other account.

use engine::Status as Condition;
use security::Secret;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::parties;
use crate::policy::Document;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-07",
    title: "Secrets admit no other account",
    statement: "No secret's resource policy admits everybody, an organisation or another account, declared or not, neither by themselves nor through a service.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.33(a)", "NIST SP 800-171r2 3.1.1"],
    why: "Who has the database's password has the records, without any disclosure being recorded.",
    reads: &[&["secretsmanager.secret.policy", "secretsmanager.secret.status"], parties::READS],
    remedy: Remedy {
        stack: "`deploy`: it writes the secrets' policies",
        api: "secretsmanager:PutResourcePolicy with BlockPublicPolicy and without that principal",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Secret>(|secret| {
        if secret.live().status == Condition::Deleting {
            let why = "the secret is being deleted, and nobody can read it";
            return Ok(Verdict::not_applicable(why));
        }
        let Some(policy) = &secret.read(&["policy"])?.policy else {
            return Ok(Verdict::pass("the secret has no policy, so only the account gets at it"));
        };
        let ours = |account: &str| account == facts.account_id();
        let others = parties::strangers(facts, &Document::of(policy), ours)?;
        let others: Vec<String> = others.iter().map(ToString::to_string).collect();
        let verdict = Verdict::of(
            others.is_empty(),
            "the secret's policy admits no other account",
            format!("the secret's policy admits {}", others.join(", ")),
        );
        let call = "secretsmanager:GetResourcePolicy";
        Ok(verdict.with(call, "ResourcePolicy", policy.document().clone()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::secrets::{secret, secret_policy};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn only_the_account_is_admitted() {
        let with = |principal: Value, condition: Value| {
            let statement = json!({"Effect": "Allow", "Principal": principal, "Resource": "*",
                "Action": "secretsmanager:GetSecretValue", "Condition": condition});
            [vec![secret_policy(Some(statement))], secret(|it| it)].concat()
        };
        let found = judged(&CONTROL, &[vec![secret_policy(None)], secret(|it| it)].concat()).await;
        assert_eq!(only(&found).0, Status::Pass, "{found:#?}");
        let found = judged(&CONTROL, &with(json!({"AWS": "123456789012"}), json!({}))).await;
        assert_eq!(only(&found).0, Status::Pass);
        let found = judged(&CONTROL, &with(json!({"AWS": "999999999999"}), json!({}))).await;
        let why = "the secret's policy admits the account 999999999999";
        assert_eq!(only(&found), (Status::Fail, why));
        let found = judged(&CONTROL, &with(json!("*"), json!({}))).await;
        assert_eq!(only(&found), (Status::Fail, "the secret's policy admits everybody"));
        let organisation = json!({"StringEquals": {"aws:PrincipalOrgID": "o-abc"}});
        let found = judged(&CONTROL, &with(json!("*"), organisation)).await;
        let why = "the secret's policy admits every account of o-abc";
        assert_eq!(only(&found), (Status::Fail, why));
        let dms = || json!({"Service": "dms.us-east-1.amazonaws.com"});
        let of = |account: &str| json!({"StringEquals": {"aws:SourceAccount": account}});
        let found = judged(&CONTROL, &with(dms(), of("123456789012"))).await;
        assert_eq!(only(&found).0, Status::Pass);
        assert_eq!(only(&judged(&CONTROL, &with(dms(), of("999999999999"))).await).0, Status::Fail);
        assert_eq!(only(&judged(&CONTROL, &with(dms(), json!({}))).await).0, Status::Fail);
        let stranger = json!({"StringEquals": {"aws:SourceVpce": "vpce-of-a-stranger"}});
        let found = judged(&CONTROL, &with(json!("*"), stranger)).await;
        assert_eq!(only(&found), (Status::Fail, "the secret's policy admits everybody"));
    }

    #[tokio::test]
    async fn a_policy_that_cannot_be_read_is_unknown_unless_nobody_can_read_the_secret() {
        let denied =
            denied!(aws_sdk_secretsmanager, get_resource_policy, GetResourcePolicyError);
        let found = judged(&CONTROL, &[vec![denied], secret(|it| it)].concat()).await;
        assert_eq!(only(&found).0, Status::Unknown);
        let going = secret(|it| it.deleted_date(aws_smithy_types::DateTime::from_secs(0)));
        assert_eq!(only(&judged(&CONTROL, &going).await).0, Status::NotApplicable);
    }
}

//! FERPA-ACC-16: secrets shut other accounts out.

use engine::Status as Condition;
use security::Secret;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::policy::Document;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-16",
    title: "Secrets shut other accounts out",
    statement: "Every secret has a resource policy that denies its value to all other accounts, whatever else allows it.",
    severity: Severity::Low,
    citations: &["34 CFR 99.33(a)", "NIST SP 800-171r2 3.1.1"],
    why: "One statement too many in a policy hands a password to another account; a Deny holds against it.",
    reads: &[&["secretsmanager.secret.policy", "secretsmanager.secret.status"]],
    remedy: Remedy {
        stack: "`deploy`: it writes the secrets' policies",
        api: "secretsmanager:PutResourcePolicy with a Deny of secretsmanager:* to everybody whose aws:PrincipalAccount is another",
    },
    reach: Reach::Stack,
    judge,
};

const CALL: &str = "secretsmanager:GetResourcePolicy";

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Secret>(|secret| {
        if secret.live().status == Condition::Deleting {
            let why = "the secret is being deleted, and nobody can read it";
            return Ok(Verdict::not_applicable(why));
        }
        let Some(policy) = &secret.read(&["policy"])?.policy else {
            return Ok(Verdict::fail("the secret has no policy that could deny it to others")
                .with(CALL, "ResourcePolicy", None::<String>));
        };
        let arn = secret.live().arn.as_deref().unwrap_or(&secret.live().id);
        let ours = |account: &str| account == facts.account_id();
        let verdict = Verdict::of(
            Document::of(policy).shuts_out("secretsmanager:GetSecretValue", arn, ours),
            "the secret's policy denies its value to every other account",
            "the secret's policy does not deny its value to every other account",
        );
        Ok(verdict.with(CALL, "ResourcePolicy", policy.document().clone()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::secrets::{secret, secret_policy};
    use crate::testing::{denied, judged, only};

    async fn with(statement: Option<Value>) -> Status {
        let rules = [vec![secret_policy(statement)], secret(|it| it)].concat();
        only(&judged(&CONTROL, &rules).await).0
    }

    fn deny(action: &str, resource: &str, condition: Value) -> Option<Value> {
        Some(json!({"Effect": "Deny", "Principal": "*", "Action": action,
            "Resource": resource, "Condition": condition}))
    }

    #[tokio::test]
    async fn a_deny_to_all_but_the_account_is_wanted() {
        let others = || {
            json!({"StringNotEquals": {"aws:PrincipalAccount": "123456789012"},
                "Bool": {"aws:PrincipalIsAWSService": "false"}})
        };
        assert_eq!(with(deny("secretsmanager:*", "*", others())).await, Status::Pass);
        let own = "arn:aws:secretsmanager:us-east-1:123456789012:secret:password-??????";
        assert_eq!(with(deny("secretsmanager:GetSecretValue", own, others())).await, Status::Pass);
        assert_eq!(with(None).await, Status::Fail);
        assert_eq!(with(deny("secretsmanager:DeleteSecret", "*", others())).await, Status::Fail);
        let another = own.replace("password", "token");
        assert_eq!(with(deny("secretsmanager:*", &another, others())).await, Status::Fail);
        for spares in [
            json!({"StringNotEquals": {"aws:PrincipalAccount": ["123456789012", "999999999999"]}}),
            json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-abc"}}),
            json!({"StringNotEquals": {"aws:PrincipalAccount": "123456789012"},
                "NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
        ] {
            assert_eq!(with(deny("secretsmanager:*", "*", spares)).await, Status::Fail);
        }
        let allow = json!({"Effect": "Allow", "Principal": {"AWS": "123456789012"},
            "Action": "secretsmanager:*", "Resource": "*"});
        assert_eq!(with(Some(allow)).await, Status::Fail);
    }

    #[tokio::test]
    async fn a_policy_that_cannot_be_read_is_unknown_unless_nobody_can_read_the_secret() {
        let denied = denied!(aws_sdk_secretsmanager, get_resource_policy, GetResourcePolicyError);
        let found = judged(&CONTROL, &[vec![denied], secret(|it| it)].concat()).await;
        assert_eq!(only(&found).0, Status::Unknown);
        let going = secret(|it| it.deleted_date(aws_smithy_types::DateTime::from_secs(0)));
        assert_eq!(only(&judged(&CONTROL, &going).await).0, Status::NotApplicable);
    }
}

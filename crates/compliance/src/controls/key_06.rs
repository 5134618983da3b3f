//! FERPA-KEY-06: keys say who may use them.

use engine::Status as Condition;
use security::Key;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::policy::Document;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-KEY-06",
    title: "Keys say who may use them",
    statement: "No key policy leaves the use of the key to IAM alone, as AWS's default policy does: it names who may use the key, through which service, or for what.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.1.5"],
    why: "Where IAM alone decides, whoever has `kms:Decrypt` on everything can decrypt every record that they get a copy of.",
    reads: &[&["kms.key.policy", "kms.key.status"]],
    remedy: Remedy {
        stack: "`deploy`: it writes the key policies, each for the services that the key is for",
        api: "kms:PutKeyPolicy with a Policy that gives the account what administers the key, and its use only under kms:ViaService, an encryption context or to roles by name",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Key>(|key| {
        let spec = key.read(&["status"])?;
        if key.live().status == Condition::Deleting {
            return Ok(Verdict::not_applicable("the key is being deleted, and nobody can use it"));
        }
        key.read(&["policy"])?;
        let left = Document::of(&spec.policy).key_uses_left_to_iam();
        let verdict = Verdict::of(
            left.is_empty(),
            "the key's policy says who may use it, through which service or for what",
            format!("the key's policy leaves it to IAM who may use the key: {}", left.join(", ")),
        );
        Ok(verdict.with("kms:GetKeyPolicy", "Policy", spec.policy.document().clone()))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::types::KeyState;
    use serde_json::json;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::kms::{described, key, key_policy};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn the_default_policy_leaves_it_to_iam() {
        // What KMS writes where nobody says anything.
        let found = judged(&CONTROL, &key(vec![])).await;
        assert_eq!(only(&found).0, Status::Fail);
        assert!(only(&found).1.contains("kms:Decrypt"), "{found:#?}");
    }

    #[tokio::test]
    async fn a_policy_that_names_the_service_says_who_uses_the_key() {
        let root = json!({"AWS": "arn:aws:iam::123456789012:root"});
        let policy = key_policy(json!([
            {"Effect": "Allow", "Principal": root, "Resource": "*",
             "Action": ["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:DescribeKey"]},
            {"Effect": "Allow", "Principal": root, "Resource": "*",
             "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"],
             "Condition": {"StringEquals": {"kms:ViaService": "rds.us-east-1.amazonaws.com"}}},
        ]));
        let found = judged(&CONTROL, &key(vec![policy])).await;
        assert_eq!(only(&found).0, Status::Pass, "{found:#?}");
    }

    #[tokio::test]
    async fn a_key_that_goes_is_not_judged_and_one_that_cannot_be_read_is_unknown() {
        let dying = described(|it| it.key_state(KeyState::PendingDeletion));
        assert_eq!(only(&judged(&CONTROL, &key(vec![dying])).await).0, Status::NotApplicable);
        let denied = denied!(aws_sdk_kms, get_key_policy, GetKeyPolicyError);
        assert_eq!(only(&judged(&CONTROL, &key(vec![denied])).await).0, Status::Unknown);
    }
}

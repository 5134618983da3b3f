//! FERPA-KEY-01: customer keys rotate.

use engine::Status as Condition;
use security::Key;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-KEY-01",
    title: "Customer keys rotate",
    statement: "KMS makes new material for every symmetric customer key by itself.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.10"],
    why: "The longer one key encrypts everything, the more records are readable to whoever breaks or copies it.",
    reads: &[&[
        "kms.key.rotation_enabled",
        "kms.key.rotation_period_days",
        "kms.key.key_spec",
        "kms.key.origin",
        "kms.key.status",
    ]],
    remedy: Remedy {
        stack: "`deploy`: every key rotates, by `security.key_rotation_days`",
        api: "kms:EnableKeyRotation with RotationPeriodInDays",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Key>(|key| {
        let spec = key.read(&["key_spec", "origin", "status"])?;
        if key.live().status == Condition::Deleting {
            let why = "the key is being deleted, and KMS rotates no such key";
            return Ok(Verdict::not_applicable(why));
        }
        if let Some(kind) = spec.key_spec.as_deref().filter(|kind| *kind != "SYMMETRIC_DEFAULT") {
            return Ok(Verdict::not_applicable(format!("KMS rotates no keys of the kind {kind}"))
                .with("kms:DescribeKey", "KeySpec", kind));
        }
        if let Some(origin) = spec.origin.as_deref().filter(|origin| *origin != "AWS_KMS") {
            return Ok(Verdict::fail(format!(
                "the key's material comes from {origin}, which KMS cannot rotate by itself"
            ))
            .with("kms:DescribeKey", "Origin", origin));
        }
        let spec = key.read(&["rotation_enabled", "rotation_period_days"])?;
        let days = spec.rotation_period_days;
        let verdict = Verdict::of(
            spec.rotation_enabled,
            format!("the key rotates every {days} days"),
            "the key does not rotate",
        );
        Ok(verdict.with("kms:GetKeyRotationStatus", "KeyRotationEnabled", spec.rotation_enabled))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::types::{KeySpec, KeyState, OriginType};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::kms::{described, key, rotation};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn a_key_rotates_or_does_not() {
        let found = judged(&CONTROL, &key(vec![])).await;
        assert_eq!(only(&found), (Status::Pass, "the key rotates every 365 days"));
        let found = judged(&CONTROL, &key(vec![rotation(false)])).await;
        assert_eq!(only(&found), (Status::Fail, "the key does not rotate"));
        let imported = described(|it| it.origin(OriginType::External));
        let found = judged(&CONTROL, &key(vec![imported])).await;
        assert_eq!(only(&found).0, Status::Fail);
    }

    #[tokio::test]
    async fn keys_that_nobody_can_rotate_are_not_asked_to() {
        let signs = described(|it| it.key_spec(KeySpec::Rsa2048));
        let found = judged(&CONTROL, &key(vec![signs, rotation(false)])).await;
        let why = "KMS rotates no keys of the kind RSA_2048";
        assert_eq!(only(&found), (Status::NotApplicable, why));
        let dying = described(|it| it.key_state(KeyState::PendingDeletion));
        let found = judged(&CONTROL, &key(vec![dying, rotation(false)])).await;
        assert_eq!(only(&found).0, Status::NotApplicable);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown() {
        let denied = denied!(aws_sdk_kms, get_key_rotation_status, GetKeyRotationStatusError);
        let found = judged(&CONTROL, &key(vec![denied])).await;
        assert_eq!(only(&found).0, Status::Unknown);
        assert!(only(&found).1.contains("allow kms:GetKeyRotationStatus"), "{found:#?}");
    }
}

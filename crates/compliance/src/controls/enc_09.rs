//! FERPA-ENC-09: trails are encrypted with a customer key.

use security::Trail;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::keys::{AtRest, account_of};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-09",
    title: "Trails are encrypted with a customer key",
    statement: "Every trail encrypts its log files with a customer-managed KMS key.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.32", "NIST SP 800-171r2 3.3.8"],
    why: "The trail says who touched which resource; with a customer key, who may read it is decided apart from who may read the bucket.",
    reads: &[&["cloudtrail.trail.kms_key", "kms.key.alias"]],
    remedy: Remedy {
        stack: "`deploy`: the trail has the stack's logs key",
        api: "cloudtrail:UpdateTrail with KmsKeyId",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Trail>(|trail| verdict(facts, trail))
}

fn verdict(facts: &Facts<'_>, trail: &Seen<'_, Trail>) -> Result<Verdict, Unread> {
    let key = trail.read(&["kms_key"])?.kms_key.as_ref().map(|key| key.as_str());
    let verdict = match key {
        None => Verdict::fail("the log files are encrypted with keys of S3, not with a customer key"),
        // The key of an organisation's trail, or of one that is at home in another region, is where the
        // trail is. CloudTrail takes no key but a customer's.
        Some(key) if is_elsewhere(facts, key) && is_at_home(trail, key) => {
            Verdict::pass("the log files are encrypted with a customer key")
        }
        Some(key) => AtRest::with(facts, Some(key))?.verdict("the trail"),
    };
    Ok(verdict.with("cloudtrail:DescribeTrails", "KmsKeyId", key))
}

/// Whether a key is in another account or region, where its kind cannot be looked up.
fn is_elsewhere(facts: &Facts<'_>, key: &str) -> bool {
    place(key).is_some_and(|place| place != (facts.region(), facts.account_id()))
}

/// Whether a key is in the account of the trail.
fn is_at_home(trail: &Seen<'_, Trail>, key: &str) -> bool {
    trail.live().arn.as_deref().and_then(account_of) == account_of(key)
}

/// The region and account in an ARN.
fn place(arn: &str) -> Option<(&str, &str)> {
    let region = arn.starts_with("arn:").then(|| arn.split(':').nth(3)).flatten()?;
    Some((region, account_of(arn)?))
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{KEY, customer_key, denied, judged, only, trail};

    #[tokio::test]
    async fn a_customer_key_is_wanted() {
        let mut rules = customer_key();
        rules.extend(trail(|it| it.kms_key_id(KEY)));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn the_key_of_an_organisations_trail_is_the_organisations() {
        const THEIRS: &str = "arn:aws:cloudtrail:us-east-1:210987654321:trail/all";
        const THEIR_KEY: &str = "arn:aws:kms:us-east-1:210987654321:key/1";
        let rules = trail(|it| it.trail_arn(THEIRS).kms_key_id(THEIR_KEY));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn no_key_and_a_strangers_key_fail() {
        let found = judged(&CONTROL, &trail(|it| it)).await;
        let message = "the log files are encrypted with keys of S3, not with a customer key";
        assert_eq!(only(&found), (Status::Fail, message));
        let rules = trail(|it| it.kms_key_id("arn:aws:kms:us-east-1:210987654321:key/1"));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn trails_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_cloudtrail, describe_trails, DescribeTrailsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}

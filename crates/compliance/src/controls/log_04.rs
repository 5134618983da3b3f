//! FERPA-LOG-04: the trail's bucket keeps what it gets.

use security::bucket::LockMode;
use security::Bucket;

use crate::buckets::exposure;
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::trails;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-04",
    title: "The trail's bucket keeps what it gets",
    statement: "The bucket of every trail locks new objects, keeps versions and is closed to the public.",
    severity: Severity::High,
    citations: &["34 CFR 99.32(a)(2)", "NIST SP 800-171r2 3.3.8"],
    why: "An intruder's first step is to remove the record of the intrusion.",
    reads: &[&[
        "cloudtrail.trail.bucket",
        "s3.bucket.object_lock",
        "s3.bucket.retention",
        "s3.bucket.versioning",
        "s3.bucket.public_access_block",
        "s3.bucket.policy",
        "s3.bucket.object_ownership",
        "s3.bucket.acl",
        "s3.account_public_access_block.block",
    ]],
    remedy: Remedy {
        stack: "`security.object_lock`, `security.trail_lock_days`",
        api: "s3:PutBucketObjectLockConfiguration with DefaultRetention, s3:PutBucketPublicAccessBlock",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    trails::each(facts, |trail| {
        let name = &trail.read(&["bucket"])?.bucket;
        let Some(bucket) = facts.find::<Bucket>(name.as_str())? else {
            let what = format!("the bucket {name}, which is not of this account and region,");
            return Err(Unread { what, error: None });
        };
        verdict(facts, &Seen::of(&bucket))
    })
}

fn verdict(facts: &Facts<'_>, bucket: &Seen<'_, Bucket>) -> Result<Verdict, Unread> {
    let call = "s3:GetBucketObjectLockConfiguration";
    let name = format!("the trail's bucket {}", bucket.live().id);
    if let Some(way) = exposure(facts, bucket)? {
        return Ok(Verdict::fail(format!("{name} is open to the public: {way}")));
    }
    let spec = bucket.read(&["object_lock", "retention", "versioning"])?;
    let days = spec.retention.as_ref().map(|retention| retention.days);
    let verdict = match &spec.retention {
        _ if !spec.versioning => Verdict::fail(format!("{name} keeps no versions")),
        _ if !spec.object_lock => Verdict::fail(format!("{name} has no object lock")),
        None => Verdict::fail(format!("{name} locks no new object by default")),
        Some(retention) => {
            let mode = match retention.mode {
                LockMode::Governance => "governance",
                LockMode::Compliance => "compliance",
            };
            Verdict::pass(format!(
                "{name} locks every object for {} days, in {mode} mode",
                retention.days
            ))
        }
    };
    Ok(verdict
        .with(call, "ObjectLockEnabled", spec.object_lock)
        .with(call, "DefaultRetention.Days", days)
        .with("s3:GetBucketVersioning", "Status", spec.versioning))
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsOutput;
    use aws_sdk_s3::operation::get_object_lock_configuration::GetObjectLockConfigurationOutput;
    use aws_sdk_s3::types::BucketVersioningStatus;
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::{Judgement, Status};
    use crate::testing::buckets::{bucket, lock, public_access_block, versioning};
    use crate::testing::logging::trail_that_selects;
    use crate::testing::{denied, judged, only};

    async fn with(changed: Vec<Rule>) -> Vec<Judgement> {
        let trail = trail_that_selects(true, || GetEventSelectorsOutput::builder().build());
        judged(&CONTROL, &[bucket(changed), trail].concat()).await
    }

    #[tokio::test]
    async fn the_bucket_is_locked_versioned_and_closed() {
        let why = "the trail's bucket records locks every object for 365 days, in governance mode";
        assert_eq!(only(&with(vec![]).await), (Status::Pass, why));
        let unlocked = mock!(aws_sdk_s3::Client::get_object_lock_configuration)
            .then_output(|| GetObjectLockConfigurationOutput::builder().build());
        let suspended = versioning(BucketVersioningStatus::Suspended);
        for (changed, why) in [
            (unlocked, "the trail's bucket records has no object lock"),
            (lock(None), "the trail's bucket records locks no new object by default"),
            (suspended, "the trail's bucket records keeps no versions"),
        ] {
            assert_eq!(only(&with(vec![changed]).await), (Status::Fail, why));
        }
        let open = with(vec![public_access_block(false)]).await;
        assert!(only(&open).1.contains("is open to the public"), "{open:#?}");
    }

    #[tokio::test]
    async fn a_bucket_that_cannot_be_read_is_unknown() {
        let denied = denied!(aws_sdk_s3, get_object_lock_configuration, GetObjectLockConfigurationError);
        assert_eq!(only(&with(vec![denied]).await).0, Status::Unknown);
        let elsewhere = trail_that_selects(true, || GetEventSelectorsOutput::builder().build());
        assert_eq!(only(&judged(&CONTROL, &elsewhere).await).0, Status::Unknown);
    }
}

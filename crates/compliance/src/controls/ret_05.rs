//! FERPA-RET-05: buckets have a lifecycle.

use security::Bucket;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-RET-05",
    title: "Buckets have a lifecycle",
    statement: "Every bucket has a rule by which all of its objects expire, former versions included.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.35(b)(2)", "NIST SP 800-171r2 3.8.3"],
    why: "Records that nobody has to delete by hand are the only ones that are gone when they have to be.",
    reads: &[&["s3.bucket.lifecycle", "s3.bucket.versioning"]],
    remedy: Remedy {
        stack: "`security.trail_lock_days`, `security.disclosure_lock_days`, `security.load_balancer_log_days`",
        api: "s3:PutLifecycleConfiguration with Expiration and NoncurrentVersionExpiration",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Bucket>(|bucket| {
        let spec = bucket.read(&["lifecycle", "versioning"])?;
        let rules: Vec<_> = spec.lifecycle.values().filter(|rule| rule.enabled).collect();
        let whole = || rules.iter().filter(|rule| rule.prefix.is_empty() && !rule.narrowed);
        let days = whole().filter_map(|rule| rule.expire_after_days).min();
        let date = whole().filter_map(|rule| rule.expire_on.as_deref()).min();
        let when = days.map(|days| format!("after {days} days"));
        let when = when.or_else(|| date.map(|date| format!("on {date}")));
        let former = whole().filter_map(|rule| rule.remove_former_versions_after_days).min();
        let some_expire =
            || rules.iter().any(|rule| rule.expire_after_days.is_some() || rule.expire_on.is_some());
        let verdict = match (when, former) {
            _ if spec.lifecycle.is_empty() => Verdict::fail("the bucket has no lifecycle"),
            _ if rules.is_empty() => Verdict::fail("every rule of the lifecycle is disabled"),
            (None, _) if some_expire() => {
                Verdict::fail("only some objects expire, by their name, tags or size")
            }
            (None, _) => Verdict::fail("the bucket's lifecycle lets no object expire"),
            (Some(when), None) if spec.versioning => {
                Verdict::fail(format!("objects expire {when}, and their versions never"))
            }
            (Some(when), _) => Verdict::pass(format!("objects expire {when}")),
        };
        let call = "s3:GetLifecycleConfiguration";
        let verdict = verdict.with(call, "Expiration.Days", days);
        let verdict = match date {
            Some(date) => verdict.with(call, "Expiration.Date", date),
            None => verdict,
        };
        Ok(verdict.with(call, "NoncurrentVersionExpiration.NoncurrentDays", former))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationOutput;
    use aws_sdk_s3::types::{
        ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::buckets::{bucket, lifecycle};
    use crate::testing::{denied, judged, only};

    fn bare(status: ExpirationStatus) -> Rule {
        mock!(aws_sdk_s3::Client::get_bucket_lifecycle_configuration).then_output(move || {
            let rule = LifecycleRule::builder()
                .status(status.clone())
                .filter(LifecycleRuleFilter::builder().prefix("").build())
                .expiration(LifecycleExpiration::builder().days(10).build());
            GetBucketLifecycleConfigurationOutput::builder().rules(rule.build().unwrap()).build()
        })
    }

    #[tokio::test]
    async fn every_object_expires() {
        let found = judged(&CONTROL, &bucket(vec![])).await;
        assert_eq!(only(&found), (Status::Pass, "objects expire after 2557 days"));
        let none = mock!(aws_sdk_s3::Client::get_bucket_lifecycle_configuration)
            .then_output(|| GetBucketLifecycleConfigurationOutput::builder().build());
        let all = LifecycleRuleFilter::builder().prefix("").build();
        let some = LifecycleRuleFilter::builder().prefix("tmp/").build();
        let small = LifecycleRuleFilter::builder().object_size_less_than(1).build();
        for (rule, why) in [
            (none, "the bucket has no lifecycle"),
            (lifecycle(all, None), "the bucket's lifecycle lets no object expire"),
            (lifecycle(some, Some(1)), "only some objects expire, by their name, tags or size"),
            (lifecycle(small, Some(1)), "only some objects expire, by their name, tags or size"),
            (bare(ExpirationStatus::Enabled), "objects expire after 10 days, and their versions never"),
            (bare(ExpirationStatus::Disabled), "every rule of the lifecycle is disabled"),
        ] {
            let found = judged(&CONTROL, &bucket(vec![rule])).await;
            assert_eq!(only(&found), (Status::Fail, why));
        }
    }

    #[tokio::test]
    async fn a_lifecycle_that_cannot_be_read_is_unknown() {
        let denied = denied!(aws_sdk_s3, get_bucket_lifecycle_configuration, GetBucketLifecycleConfigurationError);
        assert_eq!(only(&judged(&CONTROL, &bucket(vec![denied])).await).0, Status::Unknown);
    }
}

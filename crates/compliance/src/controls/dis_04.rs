//! FERPA-DIS-04: Macie covers buckets that may hold records.

use account::Macie;
use account::macie::Coverage;
use security::Bucket;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::log_buckets::LogBuckets;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-DIS-04",
    title: "Macie covers buckets that may hold records",
    statement: "Macie looks into every bucket that may hold records, by automated discovery or by a job that runs again and again.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.33", "NIST SP 800-171r2 3.14.6"],
    why: "A copy of records in the wrong place is found only by something that looks into the objects.",
    reads: &[&[
        "s3.bucket.tags",
        "s3.bucket.name",
        "s3.bucket.access_log",
        "cloudtrail.trail.bucket",
        "elbv2.load_balancer.access_logs",
        "elbv2.load_balancer.load_balancer_type",
        "macie.session.state",
        "macie.session.buckets",
    ]],
    remedy: Remedy {
        stack: "nothing: the stack does not enable Macie, which the account pays for by the object",
        api: "macie2:EnableMacie, then macie2:UpdateAutomatedDiscoveryConfiguration with status=ENABLED, and take the bucket out of the excludes with macie2:UpdateClassificationScope",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let logs = facts.derived::<LogBuckets>(LogBuckets::of);
    facts.each::<Bucket>(|bucket| {
        if !logs.may_hold_records(bucket)? {
            let why = "the bucket holds logs, or is classified as one without records";
            return Ok(Verdict::not_applicable(why));
        }
        verdict(facts, &bucket.live().id)
    })
}

fn verdict(facts: &Facts<'_>, bucket: &str) -> Result<Verdict, Unread> {
    let sessions = facts.all::<Macie>()?;
    let call = "macie2:GetMacieSession";
    let Some(session) = sessions.first().map(Seen::of) else {
        return Ok(Verdict::fail("Macie is not enabled").with(call, "status", None::<String>));
    };
    let state = session.read(&["state"])?.state.as_str();
    if state != "ENABLED" {
        return Ok(Verdict::fail(format!("Macie is {state}")).with(call, "status", state));
    }
    let call = "macie2:DescribeBuckets";
    let Some(coverage) = session.read(&["buckets"])?.buckets.get(bucket) else {
        let bad = "Macie does not know the bucket";
        return Ok(Verdict::fail(bad).with(call, "bucketName", None::<String>));
    };
    let Coverage { discovery, job, error } = coverage;
    let verdict = match (error, discovery, job) {
        (Some(error), ..) => Verdict::fail(format!("Macie cannot look into the bucket: {error}")),
        (None, true, _) => Verdict::pass("Macie's automated discovery covers the bucket"),
        (None, _, true) => Verdict::pass("a job of Macie covers the bucket again and again"),
        (None, false, false) => {
            Verdict::fail("neither Macie's automated discovery nor a repeated job covers the bucket")
        }
    };
    let monitored = if *discovery { "MONITORED" } else { "NOT_MONITORED" };
    Ok(verdict
        .with(call, "automatedDiscoveryMonitoringStatus", monitored)
        .with(call, "isMonitoredByJob", *job)
        .with(call, "errorCode", error.as_deref()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_macie2::operation::describe_buckets::DescribeBucketsOutput;
    use aws_sdk_macie2::operation::get_macie_session::GetMacieSessionOutput;
    use aws_sdk_macie2::types::builders::BucketMetadataBuilder;
    use aws_sdk_macie2::types::{
        AutomatedDiscoveryMonitoringStatus as Monitoring, BucketMetadata, BucketMetadataErrorCode,
        IsMonitoredByJob, JobDetails, MacieStatus,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::buckets::{bucket, classified};
    use crate::testing::{classified_bucket, denied, judged, only};

    fn session(status: MacieStatus) -> Rule {
        mock!(aws_sdk_macie2::Client::get_macie_session).then_output(move || {
            GetMacieSessionOutput::builder().status(status.clone()).build()
        })
    }

    async fn found(
        status: MacieStatus,
        name: &'static str,
        covered: fn(BucketMetadataBuilder) -> BucketMetadataBuilder,
    ) -> Status {
        let mut rules = classified_bucket("education-records");
        rules.push(session(status));
        rules.push(mock!(aws_sdk_macie2::Client::describe_buckets).then_output(move || {
            let bucket = covered(BucketMetadata::builder().bucket_name(name)).build();
            DescribeBucketsOutput::builder().buckets(bucket).build()
        }));
        only(&judged(&CONTROL, &rules).await).0
    }

    #[tokio::test]
    async fn discovery_or_a_repeated_job_is_wanted() {
        let on = MacieStatus::Enabled;
        let discovered = |it: BucketMetadataBuilder| {
            it.automated_discovery_monitoring_status(Monitoring::Monitored)
        };
        assert_eq!(found(on.clone(), "records", discovered).await, Status::Pass);
        let by_job = |it: BucketMetadataBuilder| {
            let job = JobDetails::builder().is_monitored_by_job(IsMonitoredByJob::True);
            it.job_details(job.build())
        };
        assert_eq!(found(on.clone(), "records", by_job).await, Status::Pass);

        assert_eq!(found(on.clone(), "records", |it| it).await, Status::Fail);
        assert_eq!(found(on.clone(), "others", discovered).await, Status::Fail);
        let shut = |it: BucketMetadataBuilder| {
            it.automated_discovery_monitoring_status(Monitoring::Monitored)
                .error_code(BucketMetadataErrorCode::AccessDenied)
        };
        assert_eq!(found(on, "records", shut).await, Status::Fail);
        assert_eq!(found(MacieStatus::Paused, "records", discovered).await, Status::Fail);
    }

    #[tokio::test]
    async fn an_account_without_macie_fails_where_there_are_records() {
        let found = judged(&CONTROL, &classified_bucket("education-records")).await;
        assert_eq!(only(&found), (Status::Fail, "Macie is not enabled"));
        let found = judged(&CONTROL, &classified_bucket("audit-log")).await;
        assert_eq!(only(&found).0, Status::NotApplicable);
    }

    #[tokio::test]
    async fn a_bucket_that_does_not_say_what_it_holds_may_hold_records() {
        let found = judged(&CONTROL, &bucket(vec![classified(None)])).await;
        assert_eq!(only(&found), (Status::Fail, "Macie is not enabled"));
        let tags = denied!(aws_sdk_s3, get_bucket_tagging, GetBucketTaggingError);
        let found = judged(&CONTROL, &bucket(vec![tags])).await;
        assert_eq!(only(&found).0, Status::Unknown);
    }

    #[tokio::test]
    async fn what_macie_does_not_tell_is_unknown() {
        let mut rules = classified_bucket("education-records");
        rules.push(denied!(aws_sdk_macie2, get_macie_session, GetMacieSessionError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
        let mut rules = classified_bucket("education-records");
        rules.push(session(MacieStatus::Enabled));
        rules.push(denied!(aws_sdk_macie2, describe_buckets, DescribeBucketsError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}

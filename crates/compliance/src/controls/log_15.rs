//! FERPA-LOG-15: disclosures are recorded where the record cannot be altered.

use api::{HttpApi, Stage};
use compute::{LoadBalancer, LogGroup};
use data::DeliveryStream;
use engine::{Inspected, Place, Status};
use security::Bucket;
use security::bucket::LockMode;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::disclosure;
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::policy::Document;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-15",
    title: "Disclosures are recorded where the record cannot be altered",
    statement: "The whole access log of every API stage flows through a delivery stream of its own into a bucket whose objects are locked for at least the floor of the disclosure record.",
    severity: Severity::High,
    citations: &["34 CFR 99.32(a)(1)", "34 CFR 99.32(a)(2)", "NIST SP 800-171r2 3.3.8"],
    why: "A school has to show who asked for and obtained a student's records, for as long as it keeps them; a log that an administrator can delete shows nothing.",
    reads: &[&[
        "apigateway.stage.access_logs",
        "apigatewayv2.api.stages",
        "logs.log_group.subscription_filters",
        "firehose.delivery_stream.bucket",
        "firehose.delivery_stream.status",
        "s3.bucket.name",
        "s3.bucket.object_lock",
        "s3.bucket.retention",
        "s3.bucket.policy",
        "elbv2.load_balancer",
    ]],
    remedy: Remedy {
        stack: "`deploy`; `security.disclosure_lock_days` and `security.object_lock` say how long and how firmly",
        api: "apigateway:UpdateStage with accessLogSettings (apigatewayv2:UpdateStage for an HTTP API), logs:PutSubscriptionFilter with an empty pattern, s3:PutObjectLockConfiguration with a DefaultRetention in COMPLIANCE mode",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let rest = facts.each::<Stage>(|stage| verdict(facts, stage));
    let stages = [rest, facts.each::<HttpApi>(|api| http(facts, api))].concat();
    if !stages.is_empty() {
        return stages;
    }
    // Records may be served past API Gateway, where nothing identifies who asks.
    let served = facts.all::<LoadBalancer>().map(|all| {
        all.iter().any(|live| facts.is_subject(LoadBalancer::KIND, &live.id)).then(|| {
            Verdict::fail("a load balancer serves requests, and no API records who made them")
        })
    });
    let served = served.transpose().into_iter();
    served.map(|verdict| facts.whole(Stage::KIND, verdict)).collect()
}

fn verdict(facts: &Facts<'_>, stage: &Seen<'_, Stage>) -> Result<Verdict, Unread> {
    let logs = stage.read(&["access_logs"])?.access_logs.as_ref();
    let destination = logs.map(|logs| logs.destination.as_str());
    let verdict = match destination {
        None => Verdict::fail("the stage writes no access log"),
        Some(destination) => kept(facts, destination)?.unwrap_or_else(Verdict::fail),
    };
    Ok(verdict.with("apigateway:GET", "accessLogSettings.destinationArn", destination))
}

/// All stages of an HTTP or WebSocket API.
fn http(facts: &Facts<'_>, api: &Seen<'_, HttpApi>) -> Result<Verdict, Unread> {
    let stages = &api.read(&["stages"])?.stages;
    let (mut good, mut faults, mut unread) = (None, Vec::new(), None);
    for (name, stage) in stages {
        match disclosure::destination(stage).map(|destination| kept(facts, destination)) {
            None => faults.push(format!("the stage {name} writes no access log")),
            Some(Ok(Ok(recorded))) => good = Some(recorded),
            Some(Ok(Err(why))) => faults.push(format!("of the stage {name}, {why}")),
            Some(Err(why)) => unread = Some(why),
        }
    }
    let destinations: Vec<_> = stages.values().filter_map(disclosure::destination).collect();
    let verdict = match (faults.is_empty(), unread, good) {
        (false, ..) => Verdict::fail(faults.join("; ")),
        (true, Some(why), _) => return Err(why),
        (true, None, Some(recorded)) => recorded,
        (true, None, None) => return Ok(Verdict::not_applicable("it has no stage")),
    };
    Ok(verdict.with("apigateway:GET", "AccessLogSettings.DestinationArn", destinations))
}

/// Whether what is logged to a log group or delivery stream ends up in a locked bucket, or why not.
fn kept(facts: &Facts<'_>, destination: &str) -> Result<Result<Verdict, String>, Unread> {
    let mut bad = "the access log goes nowhere from its log group, where it can be deleted".into();
    let mut unread = None;
    for stream in streams(facts, destination)? {
        match recorded(facts, &stream) {
            Ok(Ok(good)) => return Ok(Ok(good)),
            Ok(Err(why)) => bad = why,
            Err(why) => unread = Some(why),
        }
    }
    match unread {
        Some(why) => Err(why),
        None => Ok(Err(bad)),
    }
}

/// What the whole log is sent on to.
fn streams(facts: &Facts<'_>, destination: &str) -> Result<Vec<String>, Unread> {
    let Some(group) = facts.find_read::<LogGroup>(destination)? else {
        // A stage may write to a delivery stream without a log group in between.
        return Ok(vec![destination.to_owned()]);
    };
    let filters = &Seen::of(&group).read(&["subscription_filters"])?.subscription_filters;
    let whole = filters.values().filter(|filter| filter.pattern.trim().is_empty());
    Ok(whole.map(|filter| filter.destination.to_string()).collect())
}

/// Whether a delivery stream writes to a locked bucket, or why not.
fn recorded(facts: &Facts<'_>, name: &str) -> Result<Result<Verdict, String>, Unread> {
    let Some(stream) = facts.find_read::<DeliveryStream>(name)? else {
        return Ok(Err(format!("the access log goes to {name}, which is no delivery stream here")));
    };
    if matches!(stream.status, Status::Failed(_) | Status::Deleting) {
        return Ok(Err(format!("the delivery stream {} does not work", stream.id)));
    }
    let bucket = Seen::of(&stream).read(&["bucket"])?.bucket.as_str();
    let Some(live) = facts.find_read::<Bucket>(bucket)? else {
        let what = format!("{bucket}, which is not a bucket of this account and region,");
        return Err(Unread { what, error: None });
    };
    let spec = Seen::of(&live).read(&["object_lock", "retention"])?;
    let id = &live.id;
    let Some(lock) = spec.retention.as_ref().filter(|_| spec.object_lock) else {
        return Ok(Err(format!("the access log goes to the bucket {id}, whose objects are not locked")));
    };
    let floor = u32::try_from(facts.settings().floors.disclosure_retention_days).unwrap_or(0);
    if lock.days < floor {
        let days = lock.days;
        return Ok(Err(format!("the bucket {id} locks the record for {days} days, and {floor} are wanted")));
    }
    if lock.mode == LockMode::Governance && !nobody_bypasses(facts, &Seen::of(&live))? {
        return Ok(Err(format!(
            "the bucket {id} is locked under governance, and its policy lets administrators go around that"
        )));
    }
    let good = format!("the access log is recorded in the bucket {id}, locked for {} days", lock.days);
    let mode = if lock.mode == LockMode::Compliance { "COMPLIANCE" } else { "GOVERNANCE" };
    let call = "s3:GetBucketObjectLockConfiguration";
    Ok(Ok(Verdict::pass(good)
        .with("firehose:DescribeDeliveryStream", "BucketARN", bucket)
        .with(call, "DefaultRetention.Mode", mode)
        .with(call, "DefaultRetention.Days", lock.days)))
}

/// Whether the bucket's policy denies everybody to remove what is locked under governance.
fn nobody_bypasses(facts: &Facts<'_>, bucket: &Seen<'_, Bucket>) -> Result<bool, Unread> {
    let spec = bucket.read(&["policy"])?;
    let partition = Place::new(facts.account_id(), facts.region()).partition().to_owned();
    let objects = format!("arn:{partition}:s3:::{}/*", spec.name);
    let denied = |policy| {
        Document::of(policy).denies_everybody("s3:BypassGovernanceRetention", &objects)
    };
    Ok(spec.policy.as_ref().is_some_and(denied))
}

#[cfg(test)]
mod tests {
    use aws_sdk_apigatewayv2::types::{AccessLogSettings, ProtocolType};
    use aws_sdk_cloudwatchlogs::operation::describe_subscription_filters::DescribeSubscriptionFiltersOutput;
    use aws_sdk_cloudwatchlogs::types::SubscriptionFilter;
    use aws_sdk_firehose::operation::describe_delivery_stream::DescribeDeliveryStreamOutput;
    use aws_sdk_firehose::operation::list_delivery_streams::ListDeliveryStreamsOutput;
    use aws_sdk_firehose::operation::list_tags_for_delivery_stream::ListTagsForDeliveryStreamOutput;
    use aws_sdk_firehose::types::{
        CompressionFormat, DeliveryStreamDescription, DeliveryStreamStatus, DeliveryStreamType,
        DestinationDescription, EncryptionConfiguration, ExtendedS3DestinationDescription,
    };
    use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyOutput;
    use aws_sdk_s3::operation::get_object_lock_configuration::GetObjectLockConfigurationOutput;
    use aws_sdk_s3::operation::list_buckets::ListBucketsOutput;
    use aws_sdk_s3::types::{
        Bucket, DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled,
        ObjectLockRetentionMode, ObjectLockRule,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::{Judgement, Status};
    use crate::testing::apigateway::http_api;
    use crate::testing::{GROUP, bucket_details, denied, judged, log_group, only, stage};

    const STREAM: &str = "arn:aws:firehose:us-east-1:123456789012:deliverystream/disclosures";

    fn subscription(pattern: &'static str) -> Rule {
        mock!(aws_sdk_cloudwatchlogs::Client::describe_subscription_filters).then_output(
            move || {
                let filter = SubscriptionFilter::builder()
                    .filter_name("disclosures")
                    .filter_pattern(pattern)
                    .destination_arn(STREAM);
                DescribeSubscriptionFiltersOutput::builder()
                    .subscription_filters(filter.build())
                    .build()
            },
        )
    }

    fn stream() -> Vec<Rule> {
        let described = || {
            let s3 = ExtendedS3DestinationDescription::builder()
                .role_arn("arn:role")
                .bucket_arn("arn:aws:s3:::record")
                .buffering_hints(aws_sdk_firehose::types::BufferingHints::builder().build())
                .compression_format(CompressionFormat::Uncompressed)
                .encryption_configuration(EncryptionConfiguration::builder().build())
                .build()
                .unwrap();
            let to = DestinationDescription::builder()
                .destination_id("1")
                .extended_s3_destination_description(s3);
            DeliveryStreamDescription::builder()
                .delivery_stream_name("disclosures")
                .delivery_stream_arn(STREAM)
                .delivery_stream_status(DeliveryStreamStatus::Active)
                .delivery_stream_type(DeliveryStreamType::DirectPut)
                .version_id("1")
                .has_more_destinations(false)
                .destinations(to.build().unwrap())
                .build()
                .unwrap()
        };
        vec![
            mock!(aws_sdk_firehose::Client::list_delivery_streams).then_output(|| {
                ListDeliveryStreamsOutput::builder()
                    .delivery_stream_names("disclosures")
                    .has_more_delivery_streams(false)
                    .build()
                    .unwrap()
            }),
            mock!(aws_sdk_firehose::Client::list_tags_for_delivery_stream).then_output(|| {
                let tags = ListTagsForDeliveryStreamOutput::builder().set_tags(Some(Vec::new()));
                tags.has_more_tags(false).build().unwrap()
            }),
            mock!(aws_sdk_firehose::Client::describe_delivery_stream).then_output(move || {
                let answer = DescribeDeliveryStreamOutput::builder();
                answer.delivery_stream_description(described()).build()
            }),
        ]
    }

    fn bucket(mode: ObjectLockRetentionMode, days: i32, policy: Option<&'static str>) -> Vec<Rule> {
        let lock = move || {
            let retention = DefaultRetention::builder().mode(mode.clone()).days(days).build();
            ObjectLockConfiguration::builder()
                .object_lock_enabled(ObjectLockEnabled::Enabled)
                .rule(ObjectLockRule::builder().default_retention(retention).build())
        };
        let mut rules = vec![
            mock!(aws_sdk_s3::Client::list_buckets).then_output(|| {
                ListBucketsOutput::builder().buckets(Bucket::builder().name("record").build()).build()
            }),
            mock!(aws_sdk_s3::Client::get_object_lock_configuration).then_output(move || {
                GetObjectLockConfigurationOutput::builder()
                    .object_lock_configuration(lock().build())
                    .build()
            }),
        ];
        rules.extend(policy.map(|policy| {
            mock!(aws_sdk_s3::Client::get_bucket_policy)
                .then_output(move || GetBucketPolicyOutput::builder().policy(policy).build())
        }));
        rules.extend(bucket_details());
        rules
    }

    async fn found(pattern: &'static str, bucket: Vec<Rule>) -> Vec<Judgement> {
        let mut rules = stage(|it| it);
        rules.push(subscription(pattern));
        rules.extend(log_group(|it| it));
        rules.extend(stream());
        rules.extend(bucket);
        judged(&CONTROL, &rules).await
    }

    const DENY: &str = r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:Bypass*",
        "Resource": "arn:aws:s3:::record/*"}}"#;
    const DENY_SOME: &str = r#"{"Statement": {"Effect": "Deny", "Principal": {"AWS": "123456789012"},
        "Action": "s3:Bypass*", "Resource": "arn:aws:s3:::record/*"}}"#;

    #[tokio::test]
    async fn a_locked_bucket_at_the_end_is_wanted() {
        let compliance = bucket(ObjectLockRetentionMode::Compliance, 2557, None);
        let recorded = found("", compliance).await;
        let message = "the access log is recorded in the bucket record, locked for 2557 days";
        assert_eq!(only(&recorded), (Status::Pass, message));
        let governance = bucket(ObjectLockRetentionMode::Governance, 2557, Some(DENY));
        assert_eq!(only(&found("", governance).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn a_record_that_can_be_altered_is_too_short_or_is_not_whole_fails() {
        let fails = async |pattern, bucket, part: &str| {
            let found = found(pattern, bucket).await;
            let (status, message) = only(&found);
            assert_eq!(status, Status::Fail);
            assert!(message.contains(part), "{message}");
        };
        let locked = |mode, days, policy| bucket(mode, days, policy);
        use ObjectLockRetentionMode::{Compliance, Governance};
        fails("", locked(Governance, 2557, Some(DENY_SOME)), "go around").await;
        fails("", locked(Governance, 2557, None), "go around").await;
        fails("", locked(Compliance, 365, None), "365 days, and 2557").await;
        fails("{ $.status = 200 }", locked(Compliance, 2557, None), "goes nowhere").await;
    }

    #[tokio::test]
    async fn an_http_api_beside_it_is_recorded_too() {
        let silent = http_api(ProtocolType::Http, |it| it, |it| it, |it| it);
        let mut rules = stage(|it| it);
        rules.push(subscription(""));
        rules.extend(log_group(|it| it));
        rules.extend(stream());
        rules.extend(bucket(ObjectLockRetentionMode::Compliance, 2557, None));
        let found = judged(&CONTROL, &[rules.clone(), silent].concat()).await;
        assert_eq!(found[0].status, Status::Pass, "{found:#?}");
        let why = "the stage $default writes no access log";
        assert_eq!((found[1].status, found[1].message.as_str()), (Status::Fail, why));

        let logging = http_api(ProtocolType::Http, |it| it, |it| it, |it| {
            let group = format!("arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}:*");
            let logs = AccessLogSettings::builder().destination_arn(group).format("{}");
            it.access_log_settings(logs.build())
        });
        let found = judged(&CONTROL, &[rules, logging].concat()).await;
        assert_eq!(found[1].status, Status::Pass, "{found:#?}");
    }

    #[tokio::test]
    async fn a_stage_without_an_access_log_fails() {
        let found = judged(&CONTROL, &stage(|it| it.set_access_log_settings(None))).await;
        assert_eq!(only(&found), (Status::Fail, "the stage writes no access log"));
        assert_eq!(only(&judged(&CONTROL, &[]).await).0, Status::NotApplicable);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown() {
        let mut rules = stage(|it| it);
        rules.push(subscription(""));
        rules.extend(log_group(|it| it));
        rules.push(denied!(aws_sdk_firehose, list_delivery_streams, ListDeliveryStreamsError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}

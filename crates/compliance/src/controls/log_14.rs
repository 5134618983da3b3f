//! FERPA-LOG-14: AWS Config records how things are configured.

use account::{ConfigRecorder, RecordedTypes};
use engine::Inspected;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-14",
    title: "AWS Config records",
    statement: "AWS Config records every type of resource that records depend on, those without a region included, and delivers what it records.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.4.3"],
    why: "When a safeguard was off, and since when, can only be said from a history of configurations.",
    reads: &[&[
        "config.recorder.recording",
        "config.recorder.types",
        "config.recorder.global_types",
        "config.recorder.last_status",
        "config.recorder.bucket",
    ]],
    remedy: Remedy {
        stack: "none: AWS Config is set up once for an account, outside of stacks",
        api: "config:PutConfigurationRecorder with recordingGroup.allSupported and includeGlobalResourceTypes = true, config:PutDeliveryChannel, config:StartConfigurationRecorder",
    },
    reach: Reach::Account,
    judge,
};

/// What records rest on: a recorder that leaves one of these out leaves a gap.
const NEEDED: &[&str] = &[
    "AWS::ApiGateway::",
    "AWS::CloudTrail::",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::Subnet",
    "AWS::EC2::VPC",
    "AWS::ECS::",
    "AWS::EFS::",
    "AWS::ElastiCache::",
    "AWS::ElasticLoadBalancingV2::",
    "AWS::IAM::",
    "AWS::KMS::",
    "AWS::Kinesis::",
    "AWS::RDS::",
    "AWS::S3::",
    "AWS::SecretsManager::",
];

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let recorders = facts.each::<ConfigRecorder>(verdict);
    if !recorders.is_empty() {
        return recorders;
    }
    let none = Verdict::fail("AWS Config has no recorder in this region");
    let call = "config:DescribeConfigurationRecorders";
    let none = none.with(call, "ConfigurationRecorders", Vec::<String>::new());
    vec![facts.whole(ConfigRecorder::KIND, Ok(none))]
}

fn verdict(recorder: &Seen<'_, ConfigRecorder>) -> Result<Verdict, Unread> {
    let spec = recorder.read(&["recording", "types", "global_types", "last_status", "bucket"])?;
    let status = spec.last_status.as_deref();
    let verdict = if !spec.recording {
        Verdict::fail("AWS Config's recorder is stopped")
    } else if let Some(left_out) = left_out(&spec.types) {
        Verdict::fail(format!("AWS Config {left_out}"))
    } else if !spec.global_types {
        Verdict::fail("AWS Config does not record users, roles and policies")
    } else if spec.bucket.is_none() {
        Verdict::fail("AWS Config has no delivery channel")
    } else {
        match status {
            None => {
                let what = format!("last_status of {}", recorder.live().id);
                return Err(Unread { what, error: None });
            }
            Some(word) if word.eq_ignore_ascii_case("failure") => {
                Verdict::fail("AWS Config's last recording failed")
            }
            Some(_) => Verdict::pass("AWS Config records and delivers"),
        }
    };
    let call = "config:DescribeConfigurationRecorderStatus";
    Ok(verdict.with(call, "recording", spec.recording).with(call, "lastStatus", status))
}

/// What is needed and not recorded, in words.
fn left_out(types: &RecordedTypes) -> Option<String> {
    let needed = |name: &&String| NEEDED.iter().any(|needed| name.starts_with(needed));
    match types {
        RecordedTypes::All => None,
        RecordedTypes::AllBut(excluded) => {
            let gaps: Vec<&str> = excluded.iter().filter(needed).map(String::as_str).collect();
            (!gaps.is_empty()).then(|| format!("does not record {}", gaps.join(", ")))
        }
        RecordedTypes::Only(some) => Some(format!("records {} types only", some.len())),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_config::operation::describe_configuration_recorder_status::DescribeConfigurationRecorderStatusOutput;
    use aws_sdk_config::operation::describe_configuration_recorders::DescribeConfigurationRecordersOutput;
    use aws_sdk_config::operation::describe_delivery_channels::DescribeDeliveryChannelsOutput;
    use aws_sdk_config::types::builders::RecordingGroupBuilder;
    use aws_sdk_config::types::{
        ConfigurationRecorder, ConfigurationRecorderStatus, DeliveryChannel,
        ExclusionByResourceTypes, RecorderStatus, RecordingGroup, RecordingStrategy,
        RecordingStrategyType, ResourceType,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only};

    fn listed(group: fn(RecordingGroupBuilder) -> RecordingGroupBuilder) -> Rule {
        mock!(aws_sdk_config::Client::describe_configuration_recorders).then_output(move || {
            let all =
                RecordingGroup::builder().all_supported(true).include_global_resource_types(true);
            let recorder =
                ConfigurationRecorder::builder().name("default").recording_group(group(all).build());
            DescribeConfigurationRecordersOutput::builder()
                .configuration_recorders(recorder.build())
                .build()
        })
    }

    fn status(recording: bool, last: RecorderStatus) -> Rule {
        mock!(aws_sdk_config::Client::describe_configuration_recorder_status).then_output(
            move || {
                let status = ConfigurationRecorderStatus::builder()
                    .name("default")
                    .recording(recording)
                    .last_status(last.clone());
                DescribeConfigurationRecorderStatusOutput::builder()
                    .configuration_recorders_status(status.build())
                    .build()
            },
        )
    }

    fn channel(bucket: Option<&'static str>) -> Rule {
        mock!(aws_sdk_config::Client::describe_delivery_channels).then_output(move || {
            let channel = bucket.map(|name| DeliveryChannel::builder().s3_bucket_name(name).build());
            DescribeDeliveryChannelsOutput::builder()
                .set_delivery_channels(channel.map(|one| vec![one]))
                .build()
        })
    }

    async fn message(rules: &[Rule]) -> (Status, String) {
        let found = judged(&CONTROL, rules).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    #[tokio::test]
    async fn a_recorder_of_everything_is_wanted() {
        let good = || [status(true, RecorderStatus::Success), channel(Some("history"))];
        let [a, b] = good();
        assert_eq!(message(&[listed(|it| it), a, b]).await.0, Status::Pass);

        let [a, b] = good();
        let but = listed(|it| {
            let but = RecordingStrategyType::ExclusionByResourceTypes;
            let noisy = ResourceType::from("AWS::SSM::FileData");
            it.all_supported(false)
                .include_global_resource_types(false)
                .recording_strategy(RecordingStrategy::builder().use_only(but).build())
                .exclusion_by_resource_types(
                    ExclusionByResourceTypes::builder().resource_types(noisy).build(),
                )
        });
        assert_eq!(message(&[but, a, b]).await.0, Status::Pass);
    }

    #[tokio::test]
    async fn a_recorder_of_less_fails() {
        let fails = async |recorder: Rule, status: Rule, channel: Rule, wanted: &str| {
            let found = message(&[recorder, status, channel]).await;
            assert_eq!(found, (Status::Fail, wanted.to_owned()));
        };
        let on = || status(true, RecorderStatus::Success);
        let to = || channel(Some("history"));
        let stopped = status(false, RecorderStatus::Success);
        fails(listed(|it| it), stopped, to(), "AWS Config's recorder is stopped").await;
        let failed = status(true, RecorderStatus::Failure);
        fails(listed(|it| it), failed, to(), "AWS Config's last recording failed").await;
        fails(listed(|it| it), on(), channel(None), "AWS Config has no delivery channel").await;
        let local = listed(|it| it.include_global_resource_types(false));
        let wanted = "AWS Config does not record users, roles and policies";
        fails(local, on(), to(), wanted).await;
        let some = listed(|it| it.all_supported(false).resource_types(ResourceType::Bucket));
        fails(some, on(), to(), "AWS Config records 1 types only").await;
        let but = listed(|it| {
            let but = RecordingStrategyType::ExclusionByResourceTypes;
            it.all_supported(false)
                .recording_strategy(RecordingStrategy::builder().use_only(but).build())
                .exclusion_by_resource_types(
                    ExclusionByResourceTypes::builder().resource_types(ResourceType::Bucket).build(),
                )
        });
        fails(but, on(), to(), "AWS Config does not record AWS::S3::Bucket").await;
    }

    #[tokio::test]
    async fn no_recorder_fails_and_what_cannot_be_read_is_unknown() {
        let none = mock!(aws_sdk_config::Client::describe_configuration_recorders)
            .then_output(|| DescribeConfigurationRecordersOutput::builder().build());
        let off = status(false, RecorderStatus::Pending);
        let found = message(&[none, off, channel(None)]).await;
        let wanted = "AWS Config has no recorder in this region".to_owned();
        assert_eq!(found, (Status::Fail, wanted));

        let denied = denied!(
            aws_sdk_config,
            describe_configuration_recorder_status,
            DescribeConfigurationRecorderStatusError
        );
        let found = message(&[listed(|it| it), denied, channel(Some("history"))]).await;
        assert_eq!(found.0, Status::Unknown);
    }
}

//! `config.recorder`: AWS Config's recorder of this account and region, with where it delivers.

use std::collections::BTreeSet;

use aws_sdk_config::types::{
    ConfigurationRecorder, ConfigurationRecorderStatus, DeliveryChannel, RecordingStrategyType,
};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use serde::{Deserialize, Serialize};

/// A recorder. Its id is its name. An account and region has one of its own at most; AWS services may have
/// others beside it, which record for themselves only and are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRecorder {
    /// Whether it records.
    pub recording: bool,
    /// Which types of resources it records.
    pub types: RecordedTypes,
    /// Whether it also records types that have no region: users, roles, policies.
    pub global_types: bool,
    /// How the last recording ended: `Success`, `Pending`, `Failure` or `NotApplicable`. `None`: AWS does
    /// not say.
    pub last_status: Option<String>,
    /// The bucket that histories and snapshots go to. `None`: the region has no delivery channel.
    pub bucket: Option<String>,
}

/// Which types of resources are recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedTypes {
    /// All that AWS Config knows, and those that it will know.
    All,
    /// All but these.
    AllBut(BTreeSet<String>),
    /// These: `AWS::RDS::DBCluster`.
    Only(BTreeSet<String>),
}

impl Inspected for ConfigRecorder {
    const KIND: &'static str = "config.recorder";
    const READ: &'static [Allow] = &[Allow::to(&[
        "config:DescribeConfigurationRecorders",
        "config:DescribeConfigurationRecorderStatus",
        "config:DescribeDeliveryChannels",
    ])];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<ConfigRecorder>>> {
    let config = client!(aws, aws_sdk_config);
    let (recorders, statuses, channels) = futures::join!(
        aws.call(
            "config:DescribeConfigurationRecorders",
            config.describe_configuration_recorders().send()
        ),
        aws.call(
            "config:DescribeConfigurationRecorderStatus",
            config.describe_configuration_recorder_status().send()
        ),
        aws.call("config:DescribeDeliveryChannels", config.describe_delivery_channels().send()),
    );
    let statuses = statuses.map(|answer| answer.configuration_recorders_status.unwrap_or_default());
    let channels = channels.map(|answer| answer.delivery_channels.unwrap_or_default());
    recorders?
        .configuration_recorders
        .unwrap_or_default()
        .into_iter()
        .filter(|recorder| recorder.service_principal().is_none_or(str::is_empty))
        .map(|recorder| read(recorder, statuses.as_deref(), channels.as_deref()))
        .collect()
}

fn read(
    recorder: ConfigurationRecorder,
    statuses: Result<&[ConfigurationRecorderStatus], &Error>,
    channels: Result<&[DeliveryChannel], &Error>,
) -> Result<Live<ConfigRecorder>> {
    let missing = || Error::incomplete("config:DescribeConfigurationRecorders", "a name");
    let name = recorder.name.clone().ok_or_else(missing)?;
    let spec = ConfigRecorder {
        recording: false,
        types: types(&recorder),
        global_types: recorder.recording_group().is_some_and(|group| {
            group.include_global_resource_types
                // A recorder that excludes types records the global ones, unless they are excluded.
                || strategy(&recorder) == Some(&RecordingStrategyType::ExclusionByResourceTypes)
        }),
        last_status: None,
        bucket: None,
    };
    let mut live = Live::new(name.clone(), spec);
    live.arn = recorder.arn;
    let status = statuses.map_err(Clone::clone).and_then(|all| {
        let own = all.iter().find(|status| status.name() == Some(&name));
        let action = "config:DescribeConfigurationRecorderStatus";
        own.ok_or_else(|| Error::incomplete(action, "the status of a recorder"))
    });
    let recording = status.clone().map(|status| status.recording);
    live.read("recording", recording, |spec, on| spec.recording = on);
    live.read("last_status", status, |spec, status| {
        spec.last_status = status.last_status().map(|word| word.as_str().to_owned());
    });
    // There is one channel for a region, whatever it is called.
    live.read("bucket", channels.map_err(Clone::clone), |spec, channels| {
        let buckets = channels.iter().filter_map(|channel| channel.s3_bucket_name());
        spec.bucket = buckets.map(str::to_owned).next();
    });
    Ok(live)
}

fn strategy(recorder: &ConfigurationRecorder) -> Option<&RecordingStrategyType> {
    recorder.recording_group()?.recording_strategy()?.use_only()
}

fn types(recorder: &ConfigurationRecorder) -> RecordedTypes {
    // A recorder without a group records all types.
    let Some(group) = recorder.recording_group() else { return RecordedTypes::All };
    if group.all_supported {
        return RecordedTypes::All;
    }
    let names = |types: &[aws_sdk_config::types::ResourceType]| {
        types.iter().map(|name| name.as_str().to_owned()).collect()
    };
    match (strategy(recorder), group.exclusion_by_resource_types()) {
        (Some(RecordingStrategyType::ExclusionByResourceTypes), excluded) => {
            RecordedTypes::AllBut(names(excluded.map_or(&[], |excluded| excluded.resource_types())))
        }
        _ => RecordedTypes::Only(names(group.resource_types())),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_config::types::{
        ExclusionByResourceTypes, RecordingGroup, RecordingStrategy, ResourceType,
    };

    use super::*;

    fn recorder(group: RecordingGroup) -> ConfigurationRecorder {
        ConfigurationRecorder::builder().name("default").recording_group(group).build()
    }

    #[test]
    fn what_is_recorded_is_all_or_all_but_or_only() {
        let all = recorder(RecordingGroup::builder().all_supported(true).build());
        assert_eq!(types(&all), RecordedTypes::All);

        let but = RecordingStrategyType::ExclusionByResourceTypes;
        let excluded = ExclusionByResourceTypes::builder().resource_types(ResourceType::Instance);
        let group = RecordingGroup::builder()
            .recording_strategy(RecordingStrategy::builder().use_only(but).build())
            .exclusion_by_resource_types(excluded.build());
        let but = recorder(group.build());
        assert_eq!(types(&but), RecordedTypes::AllBut(["AWS::EC2::Instance".into()].into()));

        let only = recorder(RecordingGroup::builder().resource_types(ResourceType::Bucket).build());
        assert_eq!(types(&only), RecordedTypes::Only(["AWS::S3::Bucket".into()].into()));
    }

    #[test]
    fn a_status_that_was_denied_is_unreadable() {
        let recorder = recorder(RecordingGroup::builder().all_supported(true).build());
        let error = Error::incomplete("config:DescribeConfigurationRecorderStatus", "anything");
        let live = read(recorder, Err(&error), Ok(&[])).unwrap();
        let unreadable: Vec<_> = live.unreadable.keys().map(String::as_str).collect();
        assert_eq!(unreadable, ["last_status", "recording"]);
        assert_eq!(live.spec.bucket, None);
    }
}

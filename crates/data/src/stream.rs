//! The stream of record events.

use std::collections::BTreeSet;

use engine::vocabulary::{ForKinesis, KeyArn, StreamArn, StreamName};
use engine::{Deployed, Handle, Mistake, Ref, Result, Stack, StackName};
use serde::{Deserialize, Serialize};

use crate::checks::Checks;
use crate::classification::Classification;
use crate::kinesis_stream::{KinesisStream, SHARD_METRICS, StreamMode};

/// A stream, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSpec {
    /// The key that encrypts the records.
    pub key: Ref<KeyArn<ForKinesis>>,
    /// What an operator chooses.
    pub settings: StreamSettings,
}

/// What an operator chooses of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamSettings {
    /// Whether AWS decides on the number of shards, by traffic.
    pub on_demand: bool,
    /// The number of shards, where AWS does not decide.
    pub shards: i32,
    /// For how many hours records can be read: 24 to 8760.
    pub retention_hours: i32,
    /// Metrics of each shard, some of [`SHARD_METRICS`].
    pub shard_metrics: BTreeSet<String>,
    /// What the stream says of the records in it.
    pub classification: Classification,
}

impl Default for StreamSettings {
    /// Two shards, a day of retention, all shard metrics.
    fn default() -> Self {
        Self {
            on_demand: false,
            shards: 2,
            retention_hours: 24,
            shard_metrics: SHARD_METRICS.iter().map(|metric| (*metric).to_owned()).collect(),
            classification: Classification { retention_days: 1, ..Classification::default() },
        }
    }
}

/// A declared stream.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Its name, once records can be put into it.
    pub name: Ref<StreamName>,
    /// Its ARN.
    pub arn: Ref<StreamArn>,
    /// The stream, to order others by.
    pub handle: Handle<KinesisStream>,
}

/// A stream that takes records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamOutputs {
    /// Its name.
    pub stream_name: String,
    /// Its ARN.
    pub stream_arn: String,
}

impl Stream {
    /// What the references stand for.
    ///
    /// # Errors
    /// When the stream is not part of what was deployed.
    pub fn resolve(&self, deployed: &Deployed) -> Result<StreamOutputs> {
        Ok(StreamOutputs {
            stream_name: deployed.resolve(&self.name)?,
            stream_arn: deployed.resolve(&self.arn)?,
        })
    }
}

/// Declares the stream, `data/stream`.
pub fn declare(stack: &mut Stack, spec: &StreamSpec) -> Stream {
    let settings = &spec.settings;
    let name = stack.name().of("stream");
    let mut tags = settings.classification.tags();
    tags.insert("Name".into(), name.clone());
    let stream = KinesisStream {
        name,
        mode: if settings.on_demand { StreamMode::OnDemand } else { StreamMode::Provisioned },
        shards: (!settings.on_demand).then_some(settings.shards),
        retention_hours: settings.retention_hours,
        key: Some(spec.key.clone()),
        shard_metrics: settings.shard_metrics.clone(),
    };
    let handle = stack.add_tagged("data/stream", stream, tags);
    Stream { name: handle.ready().id(), arn: handle.arn(), handle }
}

/// What AWS would refuse.
pub fn validate(name: &StackName, spec: &StreamSpec) -> Vec<Mistake> {
    let mut problems = Checks::of("stream");
    let settings = &spec.settings;
    problems.unless(
        is_name(&name.of("stream"), 128),
        "name",
        format!("{} is not a name that Kinesis takes", name.of("stream")),
    );
    let hours = settings.retention_hours;
    let message = format!("{hours} is not between 24 and 8760 hours");
    problems.unless((24..=8760).contains(&hours), "retention_hours", message);
    let enough = settings.on_demand || settings.shards >= 1;
    problems.unless(enough, "shards", "a stream has at least one shard");
    for metric in &settings.shard_metrics {
        let known = SHARD_METRICS.contains(&metric.as_str());
        let message = format!("{metric} is none of {}", SHARD_METRICS.join(", "));
        problems.unless(known, "shard_metrics", message);
    }
    problems.found()
}

/// Letters, digits, `_`, `.` and `-`: the names of streams, delivery streams and backup plans.
pub(crate) fn is_name(name: &str, longest: usize) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (1..=longest).contains(&name.len()) && name.chars().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_limits_are_kept() {
        let name = StackName::new("student", "dev");
        let mut spec = StreamSpec { key: "k".into(), settings: StreamSettings::default() };
        assert_eq!(validate(&name, &spec), []);
        spec.settings.retention_hours = 23;
        spec.settings.shards = 0;
        spec.settings.shard_metrics.insert("ALL".into());
        let fields: Vec<_> =
            validate(&name, &spec).into_iter().map(|mistake| mistake.field).collect();
        assert_eq!(fields, ["stream.retention_hours", "stream.shards", "stream.shard_metrics"]);
    }
}

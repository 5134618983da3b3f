//! `kinesis.stream`: a data stream, with its retention, encryption and shard-level metrics.

use std::collections::BTreeSet;

use aws_sdk_kinesis::types::{
    EncryptionType, MetricsName, ScalingType, StreamDescriptionSummary, StreamMode as SdkMode,
    StreamModeDetails,
};
use engine::stack::{RESOURCE_TAG, STACK_TAG};
use engine::vocabulary::{ForKinesis, KeyArn, StreamArn, StreamName};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll, Readiness, Ref,
    Resource, Result, Scope, Status, Tags, Traits, client, wait,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::exists::told_apart;
use crate::key_arn::key_arn;

/// Marks a stream whose tags were inferred from its name.
const UNFINISHED_TAG: &str = "ferpa-stack:unfinished";

/// The shard-level metrics that Kinesis has.
pub const SHARD_METRICS: &[&str] = &[
    "IncomingBytes",
    "IncomingRecords",
    "IteratorAgeMilliseconds",
    "OutgoingBytes",
    "OutgoingRecords",
    "ReadProvisionedThroughputExceeded",
    "WriteProvisionedThroughputExceeded",
];

/// How long a stream stays busy with one change. Splitting shards takes longest.
const BUSY: Poll = Poll::within(15, 1, 5);

/// A data stream. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KinesisStream {
    /// The name: 1 to 128 letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// Who decides on the number of shards.
    pub mode: StreamMode,
    /// The number of open shards; `None` on demand, where AWS decides.
    pub shards: Option<i32>,
    /// For how many hours records can be read: 24 to 8760.
    pub retention_hours: i32,
    /// The key that encrypts the records; `None` for no encryption.
    pub key: Option<Ref<KeyArn<ForKinesis>>>,
    /// Metrics of each shard, some of [`SHARD_METRICS`].
    pub shard_metrics: BTreeSet<String>,
}

/// Who decides on the number of shards of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StreamMode {
    /// We do.
    Provisioned,
    /// AWS does, by traffic.
    OnDemand,
}

impl Resource for KinesisStream {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name"],
        late: &["retention_hours", "key", "shard_metrics"],
        late_when_ready: true,
        protected: true,
        ready: Poll::MINUTES.expecting(30),
        gone: Poll::MINUTES.expecting(30),
        // A key that was made moments ago.
        not_yet: &[("KMSNotFoundException", "")],
        costly: true,
        permissions: Permissions {
            read: &[
                Allow::to(&["kinesis:ListStreams"]),
                Allow::to(&["kinesis:DescribeStreamSummary", "kinesis:ListTagsForStream"])
                    .on(&["kinesis:{here}:stream/{perhaps}"]),
            ],
            make: &[
                Allow::to(&["kinesis:CreateStream"])
                    .on(&["kinesis:{here}:stream/{name}"])
                    .for_stack(),
                Allow::to(&[
                    "kinesis:AddTagsToStream",
                    "kinesis:IncreaseStreamRetentionPeriod",
                    "kinesis:StartStreamEncryption",
                ])
                .on(&["kinesis:{here}:stream/{name}"]),
                Allow::to(&[
                    "kinesis:RemoveTagsFromStream",
                    "kinesis:DecreaseStreamRetentionPeriod",
                    "kinesis:StopStreamEncryption",
                ])
                .on(&["kinesis:{here}:stream/{name}"])
                .of_stack(),
                Allow::to(&["kinesis:StartStreamEncryption", "kinesis:StopStreamEncryption"])
                    .on(&["kms:{here}:key/*"])
                    .of_stack(),
                Allow::to(&[
                    "kinesis:UpdateShardCount",
                    "kinesis:UpdateStreamMode",
                    "kinesis:EnableEnhancedMonitoring",
                    "kinesis:DisableEnhancedMonitoring",
                ]),
            ],
            remove: &[Allow::to(&["kinesis:DeleteStream"])
                .on(&["kinesis:{here}:stream/{name}"])
                .of_stack()],
        },
        ..Traits::of("kinesis.stream")
    };
    type Id = StreamName;
    type Arn = StreamArn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        let names = match list(aws).await {
            Ok(names) => names,
            Err(error) => return Collected::failed(error),
        };
        let mut found = Collected::default();
        let mut reads = futures::stream::iter(names)
            .map(|name| async move { read(aws, scope, name).await })
            .buffer_unordered(8);
        while let Some(one) = reads.next().await {
            match one {
                Ok(live) => found.live.extend(live),
                Err(error) => found.errors.extend(Collected::<Self>::failed(error).errors),
            }
        }
        found
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let kinesis = client!(aws, aws_sdk_kinesis);
        let call = kinesis
            .create_stream()
            .stream_name(&self.name)
            .set_shard_count(self.shards)
            .stream_mode_details(details(self.mode)?)
            .set_tags(Some(new.tags.clone().into_iter().collect()));
        aws.call("kinesis:CreateStream", call.send()).await.map_err(told_apart)?;
        if aws.may_drop_tags() {
            // AWS takes the tags in the call above. Servers that imitate it may drop them there.
            put_tags(aws, &self.name, &new.tags).await?;
        }
        // What AWS sets on a new stream.
        let spec =
            Self { retention_hours: 24, key: None, shard_metrics: BTreeSet::new(), ..self.clone() };
        let arn = aws.arn("kinesis", &format!("stream/{}", self.name));
        Ok(Live::new(&self.name, spec)
            .with_arn(arn)
            .with_tags(new.tags.clone())
            .with_status(Status::Pending("CREATING".into())))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let summary = summary(aws, &live.id).await?;
        Ok(Readiness::by_status(summary.stream_status().as_str(), &["ACTIVE"], &[]))
    }

    /// Every change makes the stream busy for a while, and a busy stream takes no other: this waits
    /// ahead of each call until the stream is active, and not after the last, which
    /// [`ready`](Resource::ready) does.
    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        // Encryption comes first: it can fail for a while, and then all of this is called again.
        if changes.has("key") {
            self.encrypt(aws, live).await?;
        }
        if changes.has("mode") {
            let arn = live.require_arn("kinesis:DescribeStreamSummary")?;
            until_active(aws, &live.id).await?;
            let call = client!(aws, aws_sdk_kinesis)
                .update_stream_mode()
                .stream_arn(arn)
                .stream_mode_details(details(self.mode)?);
            aws.call("kinesis:UpdateStreamMode", call.send()).await?;
        }
        if changes.any(&["mode", "shards"])
            && let Some(shards) = self.shards
        {
            reshard(aws, &live.id, shards).await?;
        }
        if changes.has("retention_hours") {
            self.retain(aws, live).await?;
        }
        if changes.has("shard_metrics") {
            self.measure(aws, live).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let mut put = put.clone();
        if live.tags.contains_key(UNFINISHED_TAG) {
            // What was inferred is not there yet.
            put.extend(live.tags.clone());
            put.remove(UNFINISHED_TAG);
        }
        if !put.is_empty() {
            put_tags(aws, &live.id, &put).await?;
        }
        if !remove.is_empty() {
            let call = client!(aws, aws_sdk_kinesis)
                .remove_tags_from_stream()
                .stream_name(&live.id)
                .set_tag_keys(Some(remove.to_vec()));
            aws.call("kinesis:RemoveTagsFromStream", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_kinesis)
            .delete_stream()
            .stream_name(&live.id)
            .enforce_consumer_deletion(true);
        aws.call("kinesis:DeleteStream", call.send()).await?;
        Ok(())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        summary(aws, &live.id).await.map(|_| false)
    }
}

impl KinesisStream {
    async fn encrypt(&self, aws: &Aws, live: &Live<Self>) -> Result<()> {
        let kinesis = client!(aws, aws_sdk_kinesis);
        until_active(aws, &live.id).await?;
        if let Some(key) = &self.key {
            let call = kinesis
                .start_stream_encryption()
                .stream_name(&live.id)
                .encryption_type(EncryptionType::Kms)
                .key_id(key.as_str());
            aws.call("kinesis:StartStreamEncryption", call.send()).await?;
        } else if let Some(key) = &live.spec.key {
            let call = kinesis
                .stop_stream_encryption()
                .stream_name(&live.id)
                .encryption_type(EncryptionType::Kms)
                .key_id(key.as_str());
            aws.call("kinesis:StopStreamEncryption", call.send()).await?;
        }
        Ok(())
    }

    async fn retain(&self, aws: &Aws, live: &Live<Self>) -> Result<()> {
        let kinesis = client!(aws, aws_sdk_kinesis);
        until_active(aws, &live.id).await?;
        if self.retention_hours > live.spec.retention_hours {
            let call = kinesis
                .increase_stream_retention_period()
                .stream_name(&live.id)
                .retention_period_hours(self.retention_hours);
            aws.call("kinesis:IncreaseStreamRetentionPeriod", call.send()).await?;
        } else {
            let call = kinesis
                .decrease_stream_retention_period()
                .stream_name(&live.id)
                .retention_period_hours(self.retention_hours);
            aws.call("kinesis:DecreaseStreamRetentionPeriod", call.send()).await?;
        }
        Ok(())
    }

    async fn measure(&self, aws: &Aws, live: &Live<Self>) -> Result<()> {
        let kinesis = client!(aws, aws_sdk_kinesis);
        let less = metrics(live.spec.shard_metrics.difference(&self.shard_metrics));
        let more = metrics(self.shard_metrics.difference(&live.spec.shard_metrics));
        if !less.is_empty() {
            until_active(aws, &live.id).await?;
            let call = kinesis
                .disable_enhanced_monitoring()
                .stream_name(&live.id)
                .set_shard_level_metrics(Some(less));
            aws.call("kinesis:DisableEnhancedMonitoring", call.send()).await?;
        }
        if !more.is_empty() {
            until_active(aws, &live.id).await?;
            let call = kinesis
                .enable_enhanced_monitoring()
                .stream_name(&live.id)
                .set_shard_level_metrics(Some(more));
            aws.call("kinesis:EnableEnhancedMonitoring", call.send()).await?;
        }
        Ok(())
    }
}

fn metrics<'a>(names: impl Iterator<Item = &'a String>) -> Vec<MetricsName> {
    names.map(|name| MetricsName::from(name.as_str())).collect()
}

fn details(mode: StreamMode) -> Result<StreamModeDetails> {
    let mode = match mode {
        StreamMode::Provisioned => SdkMode::Provisioned,
        StreamMode::OnDemand => SdkMode::OnDemand,
    };
    let details = StreamModeDetails::builder().stream_mode(mode).build();
    details.map_err(|why| Error::invalid("the mode of a stream", why))
}

/// Every stream's name.
async fn list(aws: &Aws) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut after: Option<String> = None;
    loop {
        let call = client!(aws, aws_sdk_kinesis)
            .list_streams()
            .limit(100)
            .set_exclusive_start_stream_name(after.take());
        let page = aws.call("kinesis:ListStreams", call.send()).await?;
        after = page.stream_names.last().cloned();
        names.extend(page.stream_names);
        if !page.has_more_streams || after.is_none() {
            return Ok(names);
        }
    }
}

async fn summary(aws: &Aws, name: &str) -> Result<StreamDescriptionSummary> {
    let action = "kinesis:DescribeStreamSummary";
    let call = client!(aws, aws_sdk_kinesis).describe_stream_summary().stream_name(name);
    let answer = aws.call(action, call.send()).await?;
    answer.stream_description_summary.ok_or_else(|| Error::incomplete(action, "the summary"))
}

/// One stream; `None` when it went away meanwhile.
async fn read(aws: &Aws, scope: &Scope, name: String) -> Result<Option<Live<KinesisStream>>> {
    if !scope.may_be_ours(&name) {
        return Ok(Some(stranger(aws, name)));
    }
    // The name decides: where ownership cannot be read, nothing can be said of the stream.
    let (tags, summary) = futures::join!(tags_of(aws, &name), summary(aws, &name));
    let tags = match tags {
        Ok(tags) => tags,
        Err(Error::Api(error)) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let tags = if tags.is_empty() && aws.may_drop_tags() { unfinished(scope, &name) } else { tags };
    match summary {
        Ok(summary) => Ok(Some(described(aws, &summary).with_tags(tags))),
        Err(Error::Api(error)) if error.is_not_found() => Ok(None),
        Err(error) => {
            let mut live = stranger(aws, name).with_tags(tags);
            if let Some(api) = error.api() {
                for field in ["mode", "shards", "retention_hours", "key", "shard_metrics"] {
                    live.unreadable.insert(field.into(), api.clone());
                }
            }
            Ok(Some(live))
        }
    }
}

/// The tags of a stream that is ours by its name and has none at all: the process that made it was killed
/// before it could tag it, on a server that drops the tags of the create call. The extra tag shows as
/// drift, so that the next deploy writes the missing ones.
fn unfinished(scope: &Scope, name: &str) -> Tags {
    match scope {
        Scope::Stack(stack) if stack.of("stream") == name => Tags::from([
            (STACK_TAG.into(), stack.to_string()),
            (RESOURCE_TAG.into(), "data/stream".into()),
            (UNFINISHED_TAG.into(), "true".into()),
        ]),
        _ => Tags::new(),
    }
}

/// A stream of which only the name is known.
fn stranger(aws: &Aws, name: String) -> Live<KinesisStream> {
    let arn = aws.arn("kinesis", &format!("stream/{name}"));
    let spec = KinesisStream {
        name: name.clone(),
        mode: StreamMode::Provisioned,
        shards: None,
        retention_hours: 24,
        key: None,
        shard_metrics: BTreeSet::new(),
    };
    Live::new(name, spec).with_arn(arn)
}

fn described(aws: &Aws, summary: &StreamDescriptionSummary) -> Live<KinesisStream> {
    let mode = match summary.stream_mode_details().map(|details| details.stream_mode()) {
        Some(SdkMode::OnDemand) => StreamMode::OnDemand,
        _ => StreamMode::Provisioned,
    };
    let encrypted = summary.encryption_type() == Some(&EncryptionType::Kms);
    let metrics = summary.enhanced_monitoring().iter().flat_map(|one| one.shard_level_metrics());
    let spec = KinesisStream {
        name: summary.stream_name().to_owned(),
        mode,
        shards: (mode == StreamMode::Provisioned).then_some(summary.open_shard_count()),
        retention_hours: summary.retention_period_hours(),
        key: summary.key_id().filter(|_| encrypted).map(|key| key_arn(aws, key)),
        shard_metrics: metrics.map(|metric| metric.as_str().to_owned()).collect(),
    };
    let word = summary.stream_status().as_str();
    let status = Status::by_word(word, &["ACTIVE"], &[], &["DELETING"]);
    Live::new(summary.stream_name(), spec).with_arn(summary.stream_arn()).with_status(status)
}

async fn tags_of(aws: &Aws, name: &str) -> Result<Tags> {
    let mut tags = Tags::new();
    let mut after: Option<String> = None;
    loop {
        let call = client!(aws, aws_sdk_kinesis)
            .list_tags_for_stream()
            .stream_name(name)
            .set_exclusive_start_tag_key(after.take());
        let page = aws.call("kinesis:ListTagsForStream", call.send()).await?;
        after = page.tags.last().map(|tag| tag.key.clone());
        tags.extend(page.tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())));
        if !page.has_more_tags || after.is_none() {
            return Ok(tags);
        }
    }
}

async fn put_tags(aws: &Aws, name: &str, tags: &Tags) -> Result<()> {
    let call = client!(aws, aws_sdk_kinesis)
        .add_tags_to_stream()
        .stream_name(name)
        .set_tags(Some(tags.clone().into_iter().collect()));
    aws.call("kinesis:AddTagsToStream", call.send()).await?;
    Ok(())
}

/// Waits until the stream takes another change.
async fn until_active(aws: &Aws, name: &str) -> Result<()> {
    let look = || async {
        let status = summary(aws, name).await?.stream_status;
        Ok(Readiness::by_status(status.as_str(), &["ACTIVE"], &[]))
    };
    wait::until(&format!("kinesis.stream {name}"), BUSY, look).await
}

/// One call at most doubles or halves the number of shards.
async fn reshard(aws: &Aws, name: &str, wanted: i32) -> Result<()> {
    loop {
        until_active(aws, name).await?;
        let open = summary(aws, name).await?.open_shard_count;
        if open == wanted {
            return Ok(());
        }
        let call = client!(aws, aws_sdk_kinesis)
            .update_shard_count()
            .stream_name(name)
            .target_shard_count(next_count(open, wanted))
            .scaling_type(ScalingType::UniformScaling);
        aws.call("kinesis:UpdateShardCount", call.send()).await?;
    }
}

/// The count nearest to what is wanted that one call can reach.
fn next_count(open: i32, wanted: i32) -> i32 {
    wanted.clamp((open + 1) / 2, (open * 2).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_kinesis::types::{EnhancedMetrics, StreamStatus};
    use aws_smithy_types::DateTime;
    use engine::Target;

    #[test]
    fn shards_change_by_a_factor_of_two_at_most() {
        assert_eq!(next_count(2, 16), 4);
        assert_eq!(next_count(16, 2), 8);
        assert_eq!(next_count(5, 1), 3, "more than half of an odd number stays");
        assert_eq!(next_count(4, 6), 6);
    }

    fn summary(mode: SdkMode, key: Option<&str>) -> StreamDescriptionSummary {
        let encryption = if key.is_some() { EncryptionType::Kms } else { EncryptionType::None };
        let metrics = EnhancedMetrics::builder().shard_level_metrics(MetricsName::IncomingBytes);
        StreamDescriptionSummary::builder()
            .stream_name("events")
            .stream_arn("arn:aws:kinesis:us-east-1:123456789012:stream/events")
            .stream_status(StreamStatus::Active)
            .stream_mode_details(StreamModeDetails::builder().stream_mode(mode).build().unwrap())
            .retention_period_hours(24)
            .stream_creation_timestamp(DateTime::from_secs(0))
            .enhanced_monitoring(metrics.build())
            .encryption_type(encryption)
            .set_key_id(key.map(str::to_owned))
            .open_shard_count(4)
            .build()
            .unwrap()
    }

    async fn aws() -> Aws {
        let target = Target::Embedded(local::ControlPlane::in_memory().http_client());
        Aws::connect(target, Some("us-east-1")).await.unwrap()
    }

    #[tokio::test]
    async fn a_key_is_an_arn_however_it_is_shown() {
        let aws = aws().await;
        let arn = "arn:aws:kms:us-east-1:123456789012:key/1234";
        for shown in ["1234", "key/1234", arn] {
            let live = described(&aws, &summary(SdkMode::Provisioned, Some(shown)));
            assert_eq!(live.spec.key, Some(arn.into()), "{shown}");
        }
        let live = described(&aws, &summary(SdkMode::Provisioned, None));
        assert_eq!(live.spec.key, None);
        assert_eq!(live.spec.shards, Some(4));
    }

    #[tokio::test]
    async fn on_demand_the_shards_are_not_ours_to_count() {
        let live = described(&aws().await, &summary(SdkMode::OnDemand, None));
        assert_eq!((live.spec.mode, live.spec.shards), (StreamMode::OnDemand, None));
    }
}

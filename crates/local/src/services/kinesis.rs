//! Kinesis: data streams. Records are taken and forgotten.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use winterbaume_core::MockResponse;
use winterbaume_kinesis::{model, wire};

use super::kms;
use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;

/// Open shards of all streams together.
const SHARD_LIMIT: i32 = 20_000;
/// Tags of a stream.
const TAG_LIMIT: usize = 50;
/// The kind whose delay every change of a stream takes.
const KIND: &str = "kinesis.stream";
const CHANGE: &str = "kinesis.stream.change";
const DELETION: &str = "kinesis.stream.deletion";
const METRICS: &[&str] = &[
    "IncomingBytes",
    "IncomingRecords",
    "IteratorAgeMilliseconds",
    "OutgoingBytes",
    "OutgoingRecords",
    "ReadProvisionedThroughputExceeded",
    "WriteProvisionedThroughputExceeded",
];

/// What Kinesis holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub streams: BTreeMap<String, Stream>,
}

/// A stream.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Stream {
    /// Its attributes; the status is what it is until the stream is settled.
    pub summary: model::StreamDescriptionSummary,
    /// Its shards, closed ones included.
    pub shards: Vec<model::Shard>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// How many records it has taken.
    pub records: u64,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    settle(call);
    let body = call.request.body.clone();
    match call.target() {
        "CreateStream" => create(call, wire::deserialize_create_stream_request(&body)?),
        "DeleteStream" => {
            let input = wire::deserialize_delete_stream_request(&body)?;
            let name = name_of(input.stream_name, input.stream_a_r_n)?;
            find(call, &name)?;
            change(call, &name, "DELETING", |_| {});
            settle(call);
            Ok(wire::serialize_delete_stream_response())
        }
        "DescribeStreamSummary" => {
            let input = wire::deserialize_describe_stream_summary_request(&body)?;
            let stream = find(call, &name_of(input.stream_name, input.stream_a_r_n)?)?;
            Ok(wire::serialize_describe_stream_summary_response(
                &model::DescribeStreamSummaryOutput {
                    stream_description_summary: Some(stream.summary.clone()),
                },
            ))
        }
        "DescribeStream" => {
            let input = wire::deserialize_describe_stream_request(&body)?;
            let stream = find(call, &name_of(input.stream_name, input.stream_a_r_n)?)?;
            Ok(wire::serialize_describe_stream_response(&describe(
                stream,
                input.exclusive_start_shard_id.as_deref(),
                input.limit,
            )))
        }
        "ListStreams" => list(call, wire::deserialize_list_streams_request(&body)?),
        "ListShards" => list_shards(call, wire::deserialize_list_shards_request(&body)?),
        "DescribeLimits" => {
            let open = open_shards(call);
            let on_demand = streams(call).filter(|stream| is_on_demand(stream)).count();
            Ok(wire::serialize_describe_limits_response(&model::DescribeLimitsOutput {
                shard_limit: Some(SHARD_LIMIT),
                open_shard_count: Some(open),
                on_demand_stream_count: i32::try_from(on_demand).ok(),
                on_demand_stream_count_limit: Some(50),
            }))
        }
        "IncreaseStreamRetentionPeriod" => {
            let input = wire::deserialize_increase_stream_retention_period_request(&body)?;
            let name = name_of(input.stream_name, input.stream_a_r_n)?;
            retain(call, &name, input.retention_period_hours, true)?;
            Ok(wire::serialize_increase_stream_retention_period_response())
        }
        "DecreaseStreamRetentionPeriod" => {
            let input = wire::deserialize_decrease_stream_retention_period_request(&body)?;
            let name = name_of(input.stream_name, input.stream_a_r_n)?;
            retain(call, &name, input.retention_period_hours, false)?;
            Ok(wire::serialize_decrease_stream_retention_period_response())
        }
        "StartStreamEncryption" => {
            let input = wire::deserialize_start_stream_encryption_request(&body)?;
            let name = name_of(input.stream_name, input.stream_a_r_n)?;
            active(call, &name)?;
            only_kms(&input.encryption_type)?;
            usable(call, &input.key_id)?;
            change(call, &name, "UPDATING", |stream| {
                stream.summary.encryption_type = Some("KMS".into());
                stream.summary.key_id = Some(input.key_id);
            });
            Ok(wire::serialize_start_stream_encryption_response())
        }
        "StopStreamEncryption" => {
            let input = wire::deserialize_stop_stream_encryption_request(&body)?;
            let name = name_of(input.stream_name, input.stream_a_r_n)?;
            active(call, &name)?;
            only_kms(&input.encryption_type)?;
            change(call, &name, "UPDATING", |stream| {
                stream.summary.encryption_type = Some("NONE".into());
                stream.summary.key_id = None;
            });
            Ok(wire::serialize_stop_stream_encryption_response())
        }
        "EnableEnhancedMonitoring" => {
            let input = wire::deserialize_enable_enhanced_monitoring_request(&body)?;
            let name = name_of(input.stream_name, input.stream_a_r_n)?;
            let output = measure(call, &name, &input.shard_level_metrics, true)?;
            Ok(wire::serialize_enable_enhanced_monitoring_response(&output))
        }
        "DisableEnhancedMonitoring" => {
            let input = wire::deserialize_disable_enhanced_monitoring_request(&body)?;
            let name = name_of(input.stream_name, input.stream_a_r_n)?;
            let output = measure(call, &name, &input.shard_level_metrics, false)?;
            Ok(wire::serialize_disable_enhanced_monitoring_response(&output))
        }
        "UpdateShardCount" => {
            update_shard_count(call, wire::deserialize_update_shard_count_request(&body)?)
        }
        "UpdateStreamMode" => {
            let input = wire::deserialize_update_stream_mode_request(&body)?;
            let name = name_of(None, Some(input.stream_a_r_n))?;
            active(call, &name)?;
            let mode = mode(Some(&input.stream_mode_details))?;
            change(call, &name, "UPDATING", |stream| {
                stream.summary.stream_mode_details =
                    Some(model::StreamModeDetails { stream_mode: mode });
            });
            Ok(wire::serialize_update_stream_mode_response())
        }
        "PutRecord" => {
            let input = wire::deserialize_put_record_request(&body)?;
            let name = name_of(input.stream_name, input.stream_a_r_n)?;
            let put = put(call, &name, &input.partition_key)?;
            Ok(wire::serialize_put_record_response(&model::PutRecordOutput {
                encryption_type: find(call, &name)?.summary.encryption_type.clone(),
                sequence_number: Some(put.0),
                shard_id: Some(put.1),
            }))
        }
        "PutRecords" => {
            let input = wire::deserialize_put_records_request(&body)?;
            let name = name_of(input.stream_name, input.stream_a_r_n)?;
            let mut records = Vec::new();
            for record in &input.records {
                let (sequence_number, shard_id) = put(call, &name, &record.partition_key)?;
                records.push(model::PutRecordsResultEntry {
                    sequence_number: Some(sequence_number),
                    shard_id: Some(shard_id),
                    ..Default::default()
                });
            }
            Ok(wire::serialize_put_records_response(&model::PutRecordsOutput {
                encryption_type: find(call, &name)?.summary.encryption_type.clone(),
                failed_record_count: Some(0),
                records: Some(records),
            }))
        }
        other => {
            let other = other.to_owned();
            tags(call, &other, &body)
        }
    }
}

fn tags(call: &mut Call<'_>, operation: &str, body: &[u8]) -> Result<MockResponse, Fault> {
    match operation {
        "AddTagsToStream" => {
            let input = wire::deserialize_add_tags_to_stream_request(body)?;
            let name = name_of(input.stream_name, input.stream_a_r_n)?;
            tag(call, &name, input.tags)?;
            Ok(wire::serialize_add_tags_to_stream_response())
        }
        "TagResource" => {
            let input = wire::deserialize_tag_resource_request(body)?;
            let name = name_of(None, Some(input.resource_a_r_n))?;
            tag(call, &name, input.tags)?;
            Ok(wire::serialize_tag_resource_response())
        }
        "RemoveTagsFromStream" => {
            let input = wire::deserialize_remove_tags_from_stream_request(body)?;
            let name = name_of(input.stream_name, input.stream_a_r_n)?;
            untag(call, &name, &input.tag_keys)?;
            Ok(wire::serialize_remove_tags_from_stream_response())
        }
        "UntagResource" => {
            let input = wire::deserialize_untag_resource_request(body)?;
            let name = name_of(None, Some(input.resource_a_r_n))?;
            untag(call, &name, &input.tag_keys)?;
            Ok(wire::serialize_untag_resource_response())
        }
        "ListTagsForResource" => {
            let input = wire::deserialize_list_tags_for_resource_request(body)?;
            let stream = find(call, &name_of(None, Some(input.resource_a_r_n))?)?;
            Ok(wire::serialize_list_tags_for_resource_response(&model::ListTagsForResourceOutput {
                tags: Some(tag_list(stream, None)),
            }))
        }
        "ListTagsForStream" => {
            let input = wire::deserialize_list_tags_for_stream_request(body)?;
            let stream = find(call, &name_of(input.stream_name, input.stream_a_r_n)?)?;
            let mut tags = tag_list(stream, input.exclusive_start_tag_key.as_deref());
            let limit = input.limit.and_then(|limit| usize::try_from(limit).ok());
            let limit = limit.unwrap_or(TAG_LIMIT);
            let more = tags.len() > limit;
            tags.truncate(limit);
            Ok(wire::serialize_list_tags_for_stream_response(&model::ListTagsForStreamOutput {
                has_more_tags: Some(more),
                tags: Some(tags),
            }))
        }
        other => Err(Fault::unknown_operation("kinesis", other)),
    }
}

fn create(call: &mut Call<'_>, input: model::CreateStreamInput) -> Result<MockResponse, Fault> {
    let name = input.stream_name;
    let known = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.is_empty() || name.len() > 128 || !name.chars().all(known) {
        return Err(validation(format!(
            "1 validation error detected: Value '{name}' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        )));
    }
    let mode = mode(input.stream_mode_details.as_ref())?;
    let shards = match (mode.as_str(), input.shard_count) {
        ("ON_DEMAND", None) => 4,
        ("ON_DEMAND", Some(_)) => {
            return Err(validation("ShardCount can not be set for a stream in ON_DEMAND mode."));
        }
        (_, None) => return Err(validation("ShardCount must be set for a PROVISIONED stream.")),
        (_, Some(count)) if count < 1 => {
            return Err(validation(format!(
                "1 validation error detected: Value '{count}' at 'shardCount' failed to satisfy constraint: Member must have value greater than or equal to 1"
            )));
        }
        (_, Some(count)) => count,
    };
    let account = call.account_id();
    if find(call, &name).is_ok() {
        return Err(in_use(format!("Stream {name} under account {account} already exists.")));
    }
    let tags = input.tags.unwrap_or_default();
    if tags.len() > TAG_LIMIT {
        return Err(invalid("Failed to create the stream. A stream has at most 50 tags."));
    }
    within_limit(call, shards)?;
    let stream = Stream {
        summary: model::StreamDescriptionSummary {
            stream_name: Some(name.clone()),
            stream_a_r_n: Some(call.arn("kinesis", &format!("stream/{name}"))),
            stream_status: Some("CREATING".into()),
            stream_mode_details: Some(model::StreamModeDetails { stream_mode: mode }),
            stream_creation_timestamp: Some(call.epoch()),
            retention_period_hours: Some(24),
            encryption_type: Some("NONE".into()),
            enhanced_monitoring: Some(vec![model::EnhancedMetrics {
                shard_level_metrics: Some(Vec::new()),
            }]),
            open_shard_count: Some(shards),
            consumer_count: Some(0),
            ..Default::default()
        },
        shards: uniform(0, shards),
        tags: tags.into_iter().collect(),
        records: 0,
    };
    call.region().kinesis.streams.insert(name.clone(), stream);
    call.begin(KIND, &name);
    settle(call);
    Ok(wire::serialize_create_stream_response())
}

fn retain(call: &mut Call<'_>, name: &str, hours: i32, up: bool) -> Result<(), Fault> {
    let now = active(call, name)?.summary.retention_period_hours.unwrap_or(24);
    if hours < 24 {
        return Err(invalid(format!(
            "Minimum allowed retention period is 24 hours. Requested retention period ({hours} hours) is too short."
        )));
    }
    if hours > 8760 {
        return Err(invalid(format!(
            "Maximum allowed retention period is 8760 hours. Requested retention period ({hours} hours) is too long."
        )));
    }
    if up && hours < now {
        return Err(invalid(format!(
            "Requested retention period ({hours} hours) for stream {name} can not be shorter than existing retention period ({now} hours). Use DecreaseRetentionPeriod API."
        )));
    }
    if !up && hours > now {
        return Err(invalid(format!(
            "Requested retention period ({hours} hours) for stream {name} can not be longer than existing retention period ({now} hours). Use IncreaseRetentionPeriod API."
        )));
    }
    change(call, name, "UPDATING", |stream| stream.summary.retention_period_hours = Some(hours));
    Ok(())
}

fn measure(
    call: &mut Call<'_>,
    name: &str,
    metrics: &[String],
    on: bool,
) -> Result<model::EnhancedMonitoringOutput, Fault> {
    let stream = active(call, name)?;
    let current = metrics_of(stream);
    let mut asked: BTreeSet<String> = metrics.iter().cloned().collect();
    if asked.remove("ALL") {
        asked = METRICS.iter().map(|metric| (*metric).to_owned()).collect();
    }
    if let Some(unknown) = asked.iter().find(|metric| !METRICS.contains(&metric.as_str())) {
        return Err(validation(format!(
            "1 validation error detected: Value '[{unknown}]' at 'shardLevelMetrics' failed to satisfy constraint"
        )));
    }
    let desired: Vec<String> = if on {
        current.union(&asked).cloned().collect()
    } else {
        current.difference(&asked).cloned().collect()
    };
    let arn = stream.summary.stream_a_r_n.clone();
    let metrics = Some(desired.clone());
    change(call, name, "UPDATING", |stream| {
        stream.summary.enhanced_monitoring =
            Some(vec![model::EnhancedMetrics { shard_level_metrics: metrics }]);
    });
    Ok(model::EnhancedMonitoringOutput {
        stream_name: Some(name.to_owned()),
        stream_a_r_n: arn,
        current_shard_level_metrics: Some(current.into_iter().collect()),
        desired_shard_level_metrics: Some(desired),
    })
}

fn metrics_of(stream: &Stream) -> BTreeSet<String> {
    let lists = stream.summary.enhanced_monitoring.iter().flatten();
    lists.flat_map(|one| one.shard_level_metrics.iter().flatten().cloned()).collect()
}

fn update_shard_count(
    call: &mut Call<'_>,
    input: model::UpdateShardCountInput,
) -> Result<MockResponse, Fault> {
    let name = name_of(input.stream_name, input.stream_a_r_n)?;
    let stream = active(call, &name)?;
    if is_on_demand(stream) {
        return Err(validation(format!(
            "Request is invalid. Stream {name} under account {} is in On-Demand mode.",
            call.account_id()
        )));
    }
    if input.scaling_type != "UNIFORM_SCALING" {
        return Err(validation("ScalingType must be UNIFORM_SCALING."));
    }
    let open = stream.summary.open_shard_count.unwrap_or_default();
    let target = input.target_shard_count;
    if target < 1 || target > open * 2 || target * 2 < open {
        return Err(invalid(format!(
            "UpdateShardCount cannot scale to {target} shards: a stream of {open} shards can be scaled to at most double and at least half of them in one call."
        )));
    }
    let arn = stream.summary.stream_a_r_n.clone();
    within_limit(call, target - open)?;
    change(call, &name, "UPDATING", |stream| {
        for shard in &mut stream.shards {
            if let Some(range) = &mut shard.sequence_number_range {
                range.ending_sequence_number.get_or_insert_with(|| sequence(stream.records));
            }
        }
        let first = stream.shards.len();
        stream.shards.extend(uniform(first, target));
        stream.summary.open_shard_count = Some(target);
    });
    Ok(wire::serialize_update_shard_count_response(&model::UpdateShardCountOutput {
        stream_name: Some(name),
        stream_a_r_n: arn,
        current_shard_count: Some(open),
        target_shard_count: Some(target),
    }))
}

/// Shards that share the hash keys evenly.
fn uniform(first: usize, count: i32) -> Vec<model::Shard> {
    let count = u128::try_from(count.max(1)).unwrap_or(1);
    let step = u128::MAX / count;
    let shard = |at: u128| {
        let end = if at + 1 == count { u128::MAX } else { step * (at + 1) - 1 };
        let number = first + usize::try_from(at).unwrap_or_default();
        model::Shard {
            shard_id: Some(format!("shardId-{number:012}")),
            hash_key_range: Some(model::HashKeyRange {
                starting_hash_key: Some((step * at).to_string()),
                ending_hash_key: Some(end.to_string()),
            }),
            sequence_number_range: Some(model::SequenceNumberRange {
                starting_sequence_number: Some(sequence(0)),
                ending_sequence_number: None,
            }),
            ..Default::default()
        }
    };
    (0..count).map(shard).collect()
}

fn sequence(number: u64) -> String {
    format!("4960000000000000000000000000000000000{number:019}")
}

fn is_open(shard: &model::Shard) -> bool {
    shard.sequence_number_range.as_ref().is_none_or(|range| range.ending_sequence_number.is_none())
}

/// Takes a record: its sequence number and shard.
fn put(call: &mut Call<'_>, name: &str, key: &str) -> Result<(String, String), Fault> {
    if key.is_empty() || key.len() > 256 {
        return Err(validation("A partition key has 1 to 256 characters."));
    }
    let stream = find(call, name)?;
    if !matches!(stream.summary.stream_status.as_deref(), Some("ACTIVE" | "UPDATING")) {
        return Err(not_active(call, stream));
    }
    if let Some(key) = &stream.summary.key_id {
        usable(call, key)?;
    }
    let open: Vec<&model::Shard> = stream.shards.iter().filter(|shard| is_open(shard)).collect();
    let digest = Sha256::digest(key.as_bytes());
    let shard = open.get(usize::from(digest[0]) % open.len().max(1));
    let shard = shard.and_then(|shard| shard.shard_id.clone()).unwrap_or_default();
    let number = stream.records + 1;
    if let Some(stream) = call.region().kinesis.streams.get_mut(name) {
        stream.records = number;
    }
    Ok((sequence(number), shard))
}

fn list(call: &Call<'_>, input: model::ListStreamsInput) -> Result<MockResponse, Fault> {
    let start = input.next_token.or(input.exclusive_start_stream_name).unwrap_or_default();
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100);
    let mut found: Vec<&Stream> = streams(call)
        .filter(|stream| stream.summary.stream_name.as_deref().is_some_and(|name| *name > *start))
        .collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let name = |stream: &&Stream| stream.summary.stream_name.clone();
    let summary = |stream: &&Stream| model::StreamSummary {
        stream_name: stream.summary.stream_name.clone(),
        stream_a_r_n: stream.summary.stream_a_r_n.clone(),
        stream_status: stream.summary.stream_status.clone(),
        stream_mode_details: stream.summary.stream_mode_details.clone(),
        stream_creation_timestamp: stream.summary.stream_creation_timestamp,
    };
    Ok(wire::serialize_list_streams_response(&model::ListStreamsOutput {
        has_more_streams: Some(more),
        next_token: found.last().and_then(name).filter(|_| more),
        stream_names: Some(found.iter().filter_map(name).collect()),
        stream_summaries: Some(found.iter().map(summary).collect()),
    }))
}

fn describe(
    stream: &Stream,
    after: Option<&str>,
    limit: Option<i32>,
) -> model::DescribeStreamOutput {
    let summary = stream.summary.clone();
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100);
    let later =
        |shard: &&model::Shard| after.is_none_or(|after| shard.shard_id.as_deref() > Some(after));
    let mut shards: Vec<model::Shard> = stream.shards.iter().filter(later).cloned().collect();
    let more = shards.len() > limit;
    shards.truncate(limit);
    model::DescribeStreamOutput {
        stream_description: Some(model::StreamDescription {
            stream_name: summary.stream_name,
            stream_a_r_n: summary.stream_a_r_n,
            stream_status: summary.stream_status,
            stream_mode_details: summary.stream_mode_details,
            stream_creation_timestamp: summary.stream_creation_timestamp,
            retention_period_hours: summary.retention_period_hours,
            encryption_type: summary.encryption_type,
            key_id: summary.key_id,
            enhanced_monitoring: summary.enhanced_monitoring,
            has_more_shards: Some(more),
            shards: Some(shards),
        }),
    }
}

fn list_shards(call: &Call<'_>, input: model::ListShardsInput) -> Result<MockResponse, Fault> {
    // A token goes alone: it names the stream.
    let (name, token) = match &input.next_token {
        Some(token) => token
            .split_once('/')
            .map(|(name, token)| (name.to_owned(), Some(token)))
            .ok_or_else(|| Fault::new("ExpiredNextTokenException", "The token is not valid."))?,
        None => (name_of(input.stream_name, input.stream_a_r_n)?, None),
    };
    let stream = find(call, &name)?;
    let limit = input.max_results.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1000);
    let (shards, next) = page(stream.shards.clone(), token, limit)
        .ok_or_else(|| Fault::new("ExpiredNextTokenException", "The token is not valid."))?;
    Ok(wire::serialize_list_shards_response(&model::ListShardsOutput {
        shards: Some(shards),
        next_token: next.map(|next| format!("{name}/{next}")),
    }))
}

fn tag(
    call: &mut Call<'_>,
    name: &str,
    tags: impl IntoIterator<Item = (String, String)>,
) -> Result<(), Fault> {
    let mut all = find(call, name)?.tags.clone();
    all.extend(tags);
    if all.len() > TAG_LIMIT {
        return Err(invalid("Failed to add tags to the stream. A stream has at most 50 tags."));
    }
    if let Some(stream) = call.region().kinesis.streams.get_mut(name) {
        stream.tags = all;
    }
    Ok(())
}

fn untag(call: &mut Call<'_>, name: &str, keys: &[String]) -> Result<(), Fault> {
    find(call, name)?;
    if let Some(stream) = call.region().kinesis.streams.get_mut(name) {
        stream.tags.retain(|key, _| !keys.contains(key));
    }
    Ok(())
}

fn tag_list(stream: &Stream, after: Option<&str>) -> Vec<model::Tag> {
    let later =
        stream.tags.iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
    later
        .map(|(key, value)| model::Tag { key: Some(key.clone()), value: Some(value.clone()) })
        .collect()
}

/// Lets time do its work: busy streams become active, and those that are being deleted go.
fn settle(call: &mut Call<'_>) {
    let busy: Vec<String> = streams(call)
        .filter(|stream| stream.summary.stream_status.as_deref() != Some("ACTIVE"))
        .filter_map(|stream| stream.summary.stream_name.clone())
        .collect();
    for name in &busy {
        let found = find(call, name).ok();
        let timer = match found.and_then(|stream| stream.summary.stream_status.as_deref()) {
            Some("CREATING") => KIND,
            Some("DELETING") => DELETION,
            _ => CHANGE,
        };
        if !call.is_ready(timer, name) {
            continue;
        }
        let streams = &mut call.region().kinesis.streams;
        let Some(stream) = streams.get_mut(name) else { continue };
        if timer == DELETION {
            streams.remove(name);
        } else {
            stream.summary.stream_status = Some("ACTIVE".into());
        }
    }
}

/// Changes a stream, which keeps it busy for a while.
fn change(call: &mut Call<'_>, name: &str, status: &str, how: impl FnOnce(&mut Stream)) {
    if let Some(stream) = call.region().kinesis.streams.get_mut(name) {
        how(stream);
        stream.summary.stream_status = Some(status.into());
    }
    call.begin(if status == "DELETING" { DELETION } else { CHANGE }, name);
}

fn streams<'a>(call: &'a Call<'_>) -> impl Iterator<Item = &'a Stream> {
    let region = call.account.region_if_any(call.region_name);
    region.into_iter().flat_map(|region| region.kinesis.streams.values())
}

fn find<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Stream, Fault> {
    let region = call.account.region_if_any(call.region_name);
    region.and_then(|region| region.kinesis.streams.get(name)).ok_or_else(|| {
        let account = &call.account.id;
        let message = format!("Stream {name} under account {account} not found.");
        Fault::new("ResourceNotFoundException", message)
    })
}

/// A stream that takes changes.
fn active<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Stream, Fault> {
    let stream = find(call, name)?;
    match stream.summary.stream_status.as_deref() {
        Some("ACTIVE") => Ok(stream),
        _ => Err(not_active(call, stream)),
    }
}

fn not_active(call: &Call<'_>, stream: &Stream) -> Fault {
    let name = stream.summary.stream_name.as_deref().unwrap_or_default();
    let status = stream.summary.stream_status.as_deref().unwrap_or_default();
    let account = &call.account.id;
    in_use(format!("Stream {name} under account {account} not ACTIVE, instead in state {status}"))
}

fn is_on_demand(stream: &Stream) -> bool {
    let details = stream.summary.stream_mode_details.as_ref();
    details.is_some_and(|details| details.stream_mode == "ON_DEMAND")
}

fn open_shards(call: &Call<'_>) -> i32 {
    streams(call).filter_map(|stream| stream.summary.open_shard_count).sum()
}

fn within_limit(call: &Call<'_>, more: i32) -> Result<(), Fault> {
    let now = open_shards(call);
    if now.saturating_add(more) <= SHARD_LIMIT {
        return Ok(());
    }
    let (account, region) = (&call.account.id, call.region_name);
    Err(Fault::new(
        "LimitExceededException",
        format!(
            "This request would exceed the shard limit for the account {account} in {region}. Current shard count for the account: {now}. Limit: {SHARD_LIMIT}. Number of additional shards that would have resulted from this request: {more}. Refer to the AWS Service Limits page (https://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to request higher limits."
        ),
    ))
}

fn name_of(name: Option<String>, arn: Option<String>) -> Result<String, Fault> {
    let from_arn =
        arn.as_deref().and_then(|arn| arn.split_once(":stream/")).map(|(_, name)| name.to_owned());
    name.or(from_arn).ok_or_else(|| invalid("Either StreamName or StreamARN has to be given."))
}

fn mode(details: Option<&model::StreamModeDetails>) -> Result<String, Fault> {
    match details.map(|details| details.stream_mode.as_str()) {
        None => Ok("PROVISIONED".into()),
        Some(mode @ ("PROVISIONED" | "ON_DEMAND")) => Ok(mode.into()),
        Some(other) => Err(validation(format!(
            "1 validation error detected: Value '{other}' at 'streamModeDetails.streamMode' failed to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, ON_DEMAND]"
        ))),
    }
}

fn only_kms(kind: &str) -> Result<(), Fault> {
    if kind == "KMS" { Ok(()) } else { Err(invalid("Encryption type must be KMS.")) }
}

/// KMS's errors under the names that Kinesis gives them.
fn usable(call: &Call<'_>, key: &str) -> Result<(), Fault> {
    if key == "alias/aws/kinesis" {
        return Ok(());
    }
    kms::require_usable(call, key).map(|_| ()).map_err(|fault| {
        let code = match fault.code.as_str() {
            "NotFoundException" => "KMSNotFoundException",
            "DisabledException" => "KMSDisabledException",
            "AccessDeniedException" => "KMSAccessDeniedException",
            _ => "KMSInvalidStateException",
        };
        Fault::new(code, fault.message)
    })
}

fn validation(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidArgumentException", message)
}

fn in_use(message: String) -> Fault {
    Fault::new("ResourceInUseException", message)
}

//! Firehose: delivery streams that take records directly and write to a bucket. Records are taken and
//! forgotten.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use winterbaume_core::MockResponse;
use winterbaume_firehose::{model, wire};

use super::{iam, kms, s3};
use crate::call::Call;
use crate::fault::Fault;

/// Tags of a delivery stream.
const TAG_LIMIT: usize = 50;
const KIND: &str = "firehose.delivery_stream";
const CHANGE: &str = "firehose.delivery_stream.change";
const DELETION: &str = "firehose.delivery_stream.deletion";
const KIND_OF_ERROR: &str = "!{firehose:error-output-type}";

/// What Firehose holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub streams: BTreeMap<String, Stream>,
}

/// A delivery stream.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Stream {
    /// Its attributes; the status is what it is until the stream is settled.
    pub description: model::DeliveryStreamDescription,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    settle(call);
    let body = call.request.body.clone();
    match call.target() {
        "CreateDeliveryStream" => {
            create(call, wire::deserialize_create_delivery_stream_request(&body)?)
        }
        "DeleteDeliveryStream" => {
            let name =
                wire::deserialize_delete_delivery_stream_request(&body)?.delivery_stream_name;
            find(call, &name)?;
            if let Some(stream) = call.region().firehose.streams.get_mut(&name) {
                stream.description.delivery_stream_status = Some("DELETING".into());
            }
            call.begin(DELETION, &name);
            settle(call);
            Ok(wire::serialize_delete_delivery_stream_response(&Default::default()))
        }
        "DescribeDeliveryStream" => {
            let input = wire::deserialize_describe_delivery_stream_request(&body)?;
            let stream = find(call, &input.delivery_stream_name)?;
            Ok(wire::serialize_describe_delivery_stream_response(
                &model::DescribeDeliveryStreamOutput {
                    delivery_stream_description: Some(stream.description.clone()),
                },
            ))
        }
        "ListDeliveryStreams" => {
            let input = wire::deserialize_list_delivery_streams_request(&body)?;
            let after = input.exclusive_start_delivery_stream_name.unwrap_or_default();
            let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10);
            let mut names: Vec<String> = held(call)
                .map(|firehose| firehose.streams.keys())
                .into_iter()
                .flatten()
                .filter(|name| **name > after)
                .cloned()
                .collect();
            let more = names.len() > limit;
            names.truncate(limit);
            Ok(wire::serialize_list_delivery_streams_response(&model::ListDeliveryStreamsOutput {
                delivery_stream_names: Some(names),
                has_more_delivery_streams: Some(more),
            }))
        }
        "UpdateDestination" => update(call, wire::deserialize_update_destination_request(&body)?),
        "StartDeliveryStreamEncryption" => {
            let input = wire::deserialize_start_delivery_stream_encryption_request(&body)?;
            let name = input.delivery_stream_name;
            active(call, &name)?;
            let encryption = input.delivery_stream_encryption_configuration_input;
            let encryption = encrypted(call, encryption.as_ref())?;
            set_encryption(call, &name, encryption, "ENABLING");
            Ok(wire::serialize_start_delivery_stream_encryption_response(&Default::default()))
        }
        "StopDeliveryStreamEncryption" => {
            let input = wire::deserialize_stop_delivery_stream_encryption_request(&body)?;
            let name = input.delivery_stream_name;
            let stream = active(call, &name)?;
            let encryption = stream.description.delivery_stream_encryption_configuration.clone();
            set_encryption(call, &name, encryption.unwrap_or_default(), "DISABLING");
            Ok(wire::serialize_stop_delivery_stream_encryption_response(&Default::default()))
        }
        "ListTagsForDeliveryStream" => {
            let input = wire::deserialize_list_tags_for_delivery_stream_request(&body)?;
            let stream = find(call, &input.delivery_stream_name)?;
            let after = input.exclusive_start_tag_key.unwrap_or_default();
            let limit = input.limit.and_then(|limit| usize::try_from(limit).ok());
            let mut tags: Vec<model::Tag> = stream
                .tags
                .iter()
                .filter(|(key, _)| **key > after)
                .map(|(key, value)| model::Tag { key: key.clone(), value: Some(value.clone()) })
                .collect();
            let limit = limit.unwrap_or(TAG_LIMIT);
            let more = tags.len() > limit;
            tags.truncate(limit);
            Ok(wire::serialize_list_tags_for_delivery_stream_response(
                &model::ListTagsForDeliveryStreamOutput {
                    has_more_tags: Some(more),
                    tags: Some(tags),
                },
            ))
        }
        "TagDeliveryStream" => {
            let input = wire::deserialize_tag_delivery_stream_request(&body)?;
            let mut tags = find(call, &input.delivery_stream_name)?.tags.clone();
            tags.extend(tag_map(input.tags));
            few_enough(&tags)?;
            if let Some(stream) =
                call.region().firehose.streams.get_mut(&input.delivery_stream_name)
            {
                stream.tags = tags;
            }
            Ok(wire::serialize_tag_delivery_stream_response(&Default::default()))
        }
        "UntagDeliveryStream" => {
            let input = wire::deserialize_untag_delivery_stream_request(&body)?;
            find(call, &input.delivery_stream_name)?;
            if let Some(stream) =
                call.region().firehose.streams.get_mut(&input.delivery_stream_name)
            {
                stream.tags.retain(|key, _| !input.tag_keys.contains(key));
            }
            Ok(wire::serialize_untag_delivery_stream_response(&Default::default()))
        }
        "PutRecord" => {
            let input = wire::deserialize_put_record_request(&body)?;
            let encrypted = takes_records(call, &input.delivery_stream_name)?;
            Ok(wire::serialize_put_record_response(&model::PutRecordOutput {
                encrypted: Some(encrypted),
                record_id: Some(call.random_alphanumeric(64)),
            }))
        }
        "PutRecordBatch" => {
            let input = wire::deserialize_put_record_batch_request(&body)?;
            let encrypted = takes_records(call, &input.delivery_stream_name)?;
            let taken = input.records.iter().map(|_| model::PutRecordBatchResponseEntry {
                record_id: Some(call.random_alphanumeric(64)),
                ..Default::default()
            });
            Ok(wire::serialize_put_record_batch_response(&model::PutRecordBatchOutput {
                encrypted: Some(encrypted),
                failed_put_count: Some(0),
                request_responses: Some(taken.collect()),
            }))
        }
        other => Err(Fault::unknown_operation("firehose", other)),
    }
}

fn create(
    call: &mut Call<'_>,
    input: model::CreateDeliveryStreamInput,
) -> Result<MockResponse, Fault> {
    let name = input.delivery_stream_name;
    let known = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(known) {
        return Err(validation(format!(
            "1 validation error detected: Value '{name}' at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        )));
    }
    if input.delivery_stream_type.as_deref().unwrap_or("DirectPut") != "DirectPut" {
        return Err(Fault::unknown_operation("firehose", "CreateDeliveryStream with that source"));
    }
    let Some(destination) = input.extended_s3_destination_configuration else {
        return Err(invalid("Exactly one destination configuration is supported for a Firehose"));
    };
    let account = call.account_id();
    if find(call, &name).is_ok() {
        let message = format!("Firehose {name} under accountId {account} already exists");
        return Err(in_use(message));
    }
    let tags = tag_map(input.tags.unwrap_or_default());
    few_enough(&tags)?;
    let s3 = model::ExtendedS3DestinationDescription {
        bucket_a_r_n: Some(destination.bucket_a_r_n),
        role_a_r_n: Some(destination.role_a_r_n),
        prefix: destination.prefix,
        error_output_prefix: destination.error_output_prefix,
        buffering_hints: Some(hints(destination.buffering_hints, None)),
        compression_format: destination.compression_format.or(Some("UNCOMPRESSED".into())),
        encryption_configuration: destination.encryption_configuration.or_else(|| Some(plain())),
        cloud_watch_logging_options: destination.cloud_watch_logging_options.or_else(|| {
            Some(model::CloudWatchLoggingOptions { enabled: Some(false), ..Default::default() })
        }),
        processing_configuration: destination.processing_configuration,
        s3_backup_mode: destination.s3_backup_mode.or(Some("Disabled".into())),
        file_extension: destination.file_extension,
        custom_time_zone: destination.custom_time_zone,
        ..Default::default()
    };
    check(call, &s3)?;
    let encryption = match &input.delivery_stream_encryption_configuration_input {
        Some(input) => {
            let status = Some("ENABLED".into());
            let encryption = encrypted(call, Some(input))?;
            model::DeliveryStreamEncryptionConfiguration { status, ..encryption }
        }
        None => model::DeliveryStreamEncryptionConfiguration {
            status: Some("DISABLED".into()),
            ..Default::default()
        },
    };
    let arn = call.arn("firehose", &format!("deliverystream/{name}"));
    let description = model::DeliveryStreamDescription {
        delivery_stream_name: Some(name.clone()),
        delivery_stream_a_r_n: Some(arn.clone()),
        delivery_stream_status: Some("CREATING".into()),
        delivery_stream_type: Some("DirectPut".into()),
        delivery_stream_encryption_configuration: Some(encryption),
        version_id: Some("1".into()),
        create_timestamp: Some(call.epoch()),
        destinations: Some(vec![described(s3)]),
        has_more_destinations: Some(false),
        ..Default::default()
    };
    call.region().firehose.streams.insert(name.clone(), Stream { description, tags });
    call.begin(KIND, &name);
    settle(call);
    Ok(wire::serialize_create_delivery_stream_response(&model::CreateDeliveryStreamOutput {
        delivery_stream_a_r_n: Some(arn),
    }))
}

fn update(
    call: &mut Call<'_>,
    input: model::UpdateDestinationInput,
) -> Result<MockResponse, Fault> {
    let name = input.delivery_stream_name;
    let stream = active(call, &name)?;
    let version = stream.description.version_id.clone().unwrap_or_default();
    if version != input.current_delivery_stream_version_id {
        let asked = input.current_delivery_stream_version_id;
        return Err(Fault::new(
            "ConcurrentModificationException",
            format!(
                "Cannot update firehose: {name} since the current version id: {version} and specified version id: {asked} do not match"
            ),
        ));
    }
    let destination = stream.description.destinations.iter().flatten().next();
    let old = destination
        .filter(|one| one.destination_id.as_deref() == Some(input.destination_id.as_str()))
        .and_then(|one| one.extended_s3_destination_description.clone())
        .ok_or_else(|| invalid(format!("Destination Id {} not found", input.destination_id)))?;
    let update = input
        .extended_s3_destination_update
        .ok_or_else(|| invalid("Changing the destination type is not supported at this time."))?;
    // What an update does not name stays.
    let s3 = model::ExtendedS3DestinationDescription {
        bucket_a_r_n: update.bucket_a_r_n.or(old.bucket_a_r_n),
        role_a_r_n: update.role_a_r_n.or(old.role_a_r_n),
        prefix: update.prefix.or(old.prefix),
        error_output_prefix: update.error_output_prefix.or(old.error_output_prefix),
        buffering_hints: Some(hints(update.buffering_hints, old.buffering_hints)),
        compression_format: update.compression_format.or(old.compression_format),
        encryption_configuration: update.encryption_configuration.or(old.encryption_configuration),
        cloud_watch_logging_options: update
            .cloud_watch_logging_options
            .or(old.cloud_watch_logging_options),
        processing_configuration: update.processing_configuration.or(old.processing_configuration),
        s3_backup_mode: update.s3_backup_mode.or(old.s3_backup_mode),
        file_extension: update.file_extension.or(old.file_extension),
        custom_time_zone: update.custom_time_zone.or(old.custom_time_zone),
        ..Default::default()
    };
    check(call, &s3)?;
    let now = call.epoch();
    if let Some(stream) = call.region().firehose.streams.get_mut(&name) {
        stream.description.destinations = Some(vec![described(s3)]);
        let next = version.parse::<u64>().unwrap_or_default() + 1;
        stream.description.version_id = Some(next.to_string());
        stream.description.last_update_timestamp = Some(now);
    }
    Ok(wire::serialize_update_destination_response(&Default::default()))
}

/// What Firehose looks at before it takes a destination.
fn check(call: &Call<'_>, s3: &model::ExtendedS3DestinationDescription) -> Result<(), Fault> {
    let role = s3.role_a_r_n.as_deref().unwrap_or_default();
    iam::require_role_trusting(call, role, "firehose.amazonaws.com").map_err(|_| {
        invalid(format!(
            "Firehose is unable to assume role {role}. Please check the role provided."
        ))
    })?;
    let arn = s3.bucket_a_r_n.as_deref().unwrap_or_default();
    let bucket = arn.strip_prefix("arn:aws:s3:::").filter(|name| !name.is_empty());
    let bucket = bucket.ok_or_else(|| {
        validation(format!(
            "1 validation error detected: Value '{arn}' at 'bucketARN' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:.*:s3:::[\\w\\.\\-]{{1,255}}"
        ))
    })?;
    // AWS finds out at the first delivery, which is too late to be of use here.
    s3::require_bucket(call, bucket)
        .map_err(|_| invalid(format!("The bucket {bucket} does not exist.")))?;
    let hints = s3.buffering_hints.as_ref();
    let size = hints.and_then(|hints| hints.size_in_m_bs).unwrap_or(5);
    let seconds = hints.and_then(|hints| hints.interval_in_seconds).unwrap_or(300);
    if !(1..=128).contains(&size) || !(0..=900).contains(&seconds) {
        return Err(validation(
            "BufferingHints: SizeInMBs is 1 to 128, IntervalInSeconds 0 to 900.",
        ));
    }
    const FORMATS: &[&str] = &["UNCOMPRESSED", "GZIP", "ZIP", "Snappy", "HADOOP_SNAPPY"];
    let format = s3.compression_format.as_deref().unwrap_or_default();
    if !FORMATS.contains(&format) {
        return Err(validation(format!(
            "1 validation error detected: Value '{format}' at 'compressionFormat' failed to satisfy constraint: Member must satisfy enum value set: {FORMATS:?}"
        )));
    }
    let (prefix, error_prefix) = (
        s3.prefix.as_deref().unwrap_or_default(),
        s3.error_output_prefix.as_deref().unwrap_or_default(),
    );
    if prefix.contains(KIND_OF_ERROR) {
        return Err(invalid("Prefix cannot contain firehose:error-output-type"));
    }
    if prefix.contains("!{") && error_prefix.is_empty() {
        return Err(invalid(
            "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions",
        ));
    }
    if error_prefix.contains("!{") && !error_prefix.contains(KIND_OF_ERROR) {
        return Err(invalid(
            "ErrorOutputPrefix must contain at least one instance of firehose:error-output-type",
        ));
    }
    if let Some(extension) = s3.file_extension.as_deref().filter(|text| !text.is_empty())
        && !extension.starts_with('.')
    {
        return Err(invalid("FileExtension must start with a period."));
    }
    let options = s3.cloud_watch_logging_options.as_ref();
    if let Some(options) = options.filter(|options| options.enabled == Some(true))
        && (options.log_group_name.is_none() || options.log_stream_name.is_none())
    {
        return Err(invalid("CloudWatch logging needs a log group and a log stream."));
    }
    let encryption = s3.encryption_configuration.as_ref();
    if let Some(kms) = encryption.and_then(|one| one.k_m_s_encryption_config.as_ref()) {
        usable(call, &kms.a_w_s_k_m_s_key_a_r_n)?;
    }
    Ok(())
}

fn hints(
    new: Option<model::BufferingHints>,
    old: Option<model::BufferingHints>,
) -> model::BufferingHints {
    let (new, old) = (new.unwrap_or_default(), old.unwrap_or_default());
    model::BufferingHints {
        size_in_m_bs: new.size_in_m_bs.or(old.size_in_m_bs).or(Some(5)),
        interval_in_seconds: new.interval_in_seconds.or(old.interval_in_seconds).or(Some(300)),
    }
}

fn plain() -> model::EncryptionConfiguration {
    model::EncryptionConfiguration {
        no_encryption_config: Some("NoEncryption".into()),
        ..Default::default()
    }
}

/// A destination, in both forms in which AWS shows it.
fn described(s3: model::ExtendedS3DestinationDescription) -> model::DestinationDescription {
    let short = model::S3DestinationDescription {
        bucket_a_r_n: s3.bucket_a_r_n.clone(),
        role_a_r_n: s3.role_a_r_n.clone(),
        prefix: s3.prefix.clone(),
        error_output_prefix: s3.error_output_prefix.clone(),
        buffering_hints: s3.buffering_hints.clone(),
        compression_format: s3.compression_format.clone(),
        encryption_configuration: s3.encryption_configuration.clone(),
        cloud_watch_logging_options: s3.cloud_watch_logging_options.clone(),
    };
    model::DestinationDescription {
        destination_id: Some("destinationId-000000000001".into()),
        extended_s3_destination_description: Some(s3),
        s3_destination_description: Some(short),
        ..Default::default()
    }
}

fn encrypted(
    call: &Call<'_>,
    input: Option<&model::DeliveryStreamEncryptionConfigurationInput>,
) -> Result<model::DeliveryStreamEncryptionConfiguration, Fault> {
    let kind = input.map_or("AWS_OWNED_CMK", |input| input.key_type.as_str());
    let key = input.and_then(|input| input.key_a_r_n.clone());
    match (kind, &key) {
        ("CUSTOMER_MANAGED_CMK", Some(key)) => usable(call, key)?,
        ("CUSTOMER_MANAGED_CMK", None) => {
            return Err(invalid("KeyARN is required for key type CUSTOMER_MANAGED_CMK"));
        }
        ("AWS_OWNED_CMK", None) => {}
        ("AWS_OWNED_CMK", Some(_)) => {
            return Err(invalid("KeyARN must not be given for key type AWS_OWNED_CMK"));
        }
        (other, _) => {
            return Err(validation(format!(
                "1 validation error detected: Value '{other}' at 'keyType' failed to satisfy constraint"
            )));
        }
    }
    Ok(model::DeliveryStreamEncryptionConfiguration {
        key_type: Some(kind.to_owned()),
        key_a_r_n: key,
        ..Default::default()
    })
}

fn set_encryption(
    call: &mut Call<'_>,
    name: &str,
    encryption: model::DeliveryStreamEncryptionConfiguration,
    status: &str,
) {
    if let Some(stream) = call.region().firehose.streams.get_mut(name) {
        stream.description.delivery_stream_encryption_configuration =
            Some(model::DeliveryStreamEncryptionConfiguration {
                status: Some(status.to_owned()),
                ..encryption
            });
    }
    call.begin(CHANGE, name);
    settle(call);
}

/// Lets time do its work.
fn settle(call: &mut Call<'_>) {
    let is_busy = |stream: &&Stream| {
        stream.description.delivery_stream_status.as_deref() != Some("ACTIVE")
            || encryption_status(stream).is_some_and(|word| word.ends_with("ING"))
    };
    let busy: Vec<String> = held(call)
        .map(|firehose| firehose.streams.values())
        .into_iter()
        .flatten()
        .filter(is_busy)
        .filter_map(|stream| stream.description.delivery_stream_name.clone())
        .collect();
    for name in &busy {
        let streams = held(call).map(|firehose| &firehose.streams);
        let word =
            streams.and_then(|all| all.get(name)?.description.delivery_stream_status.clone());
        let timer = match word.as_deref() {
            Some("DELETING") => DELETION,
            Some("ACTIVE") => CHANGE,
            _ => KIND,
        };
        if !call.is_ready(timer, name) {
            continue;
        }
        let streams = &mut call.region().firehose.streams;
        let Some(stream) = streams.get_mut(name) else { continue };
        if timer == DELETION {
            streams.remove(name);
            continue;
        }
        stream.description.delivery_stream_status = Some("ACTIVE".into());
        if let Some(encryption) = &mut stream.description.delivery_stream_encryption_configuration {
            encryption.status = match encryption.status.as_deref() {
                Some("ENABLING") => Some("ENABLED".into()),
                Some("DISABLING") => Some("DISABLED".into()),
                _ => continue,
            };
        }
    }
}

fn encryption_status(stream: &Stream) -> Option<&str> {
    let encryption = stream.description.delivery_stream_encryption_configuration.as_ref()?;
    encryption.status.as_deref()
}

fn held<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.account.region_if_any(call.region_name).map(|region| &*region.firehose)
}

fn find<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Stream, Fault> {
    held(call).and_then(|firehose| firehose.streams.get(name)).ok_or_else(|| {
        let account = &call.account.id;
        let message = format!("Firehose {name} under account {account} not found.");
        Fault::new("ResourceNotFoundException", message)
    })
}

fn active<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Stream, Fault> {
    let stream = find(call, name)?;
    match stream.description.delivery_stream_status.as_deref() {
        Some("ACTIVE") => Ok(stream),
        _ => Err(in_use(format!(
            "Firehose {name} under accountId {} is not in ACTIVE state",
            call.account.id
        ))),
    }
}

/// Whether records that are taken are encrypted.
fn takes_records(call: &Call<'_>, name: &str) -> Result<bool, Fault> {
    let encryption = &active(call, name)?.description.delivery_stream_encryption_configuration;
    let encryption = encryption.as_ref().filter(|one| one.status.as_deref() == Some("ENABLED"));
    if let Some(key) = encryption.and_then(|one| one.key_a_r_n.as_deref()) {
        usable(call, key)?;
    }
    Ok(encryption.is_some())
}

fn usable(call: &Call<'_>, key: &str) -> Result<(), Fault> {
    kms::require_usable(call, key)
        .map(|_| ())
        .map_err(|fault| Fault::new("InvalidKMSResourceException", fault.message))
}

fn tag_map(tags: Vec<model::Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect()
}

fn few_enough(tags: &BTreeMap<String, String>) -> Result<(), Fault> {
    if tags.len() <= TAG_LIMIT {
        return Ok(());
    }
    Err(Fault::new("LimitExceededException", "A delivery stream has at most 50 tags."))
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

//! `firehose.delivery_stream`: a stream that writes what is put into it to a bucket.

use aws_sdk_firehose::types::{
    BufferingHints, CloudWatchLoggingOptions, CompressionFormat, DeliveryStreamDescription,
    DeliveryStreamEncryptionConfiguration, DeliveryStreamEncryptionConfigurationInput,
    DeliveryStreamEncryptionStatus, DeliveryStreamType, EncryptionConfiguration,
    ExtendedS3DestinationConfiguration, ExtendedS3DestinationDescription,
    ExtendedS3DestinationUpdate, KeyType, KmsEncryptionConfig, NoEncryptionConfig, Tag,
};
use engine::vocabulary::{
    BucketArn, DeliveryStreamArn, DeliveryStreamName, ForLogs, KeyArn, LogGroupName, RoleArn,
};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll, Readiness, Ref,
    Resource, Result, Scope, Status, Tags, Traits, When, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::exists::told_apart;
use crate::key_arn::key_arn;

/// A delivery stream that takes records directly and writes them to a bucket. Its id is its name.
///
/// Output: `source`, the ARN of what it reads from, where records are not put into it directly: then
/// they wait in the source, and it keeps none itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryStream {
    /// The name: 1 to 64 letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// The bucket.
    pub bucket: Ref<BucketArn>,
    /// The role that writes to the bucket. `firehose.amazonaws.com` must be able to assume it.
    pub role: Ref<RoleArn>,
    /// Where in the bucket, with Firehose's expressions: `disclosures/!{timestamp:yyyy/MM/dd}/`.
    pub prefix: String,
    /// Where in the bucket to put what could not be processed.
    pub error_prefix: String,
    /// How much is gathered before it is written, in MiB: 1 to 128.
    pub buffer_mib: i32,
    /// For how long it is gathered before it is written, in seconds: 0 to 900.
    pub buffer_seconds: i32,
    /// How the objects are compressed.
    pub compression: Compression,
    /// What the names of the objects end with: `.json.gz`.
    pub file_extension: Option<String>,
    /// The key that encrypts the records while they are gathered; `None` for no encryption.
    pub key: Option<Ref<KeyArn<ForLogs>>>,
    /// The key that encrypts the objects; `None` leaves it to the bucket.
    pub object_key: Option<Ref<KeyArn<ForLogs>>>,
    /// Where failed deliveries are logged.
    pub error_log: Option<ErrorLog>,
}

/// Where failed deliveries are logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorLog {
    /// The log group.
    pub group: Ref<LogGroupName>,
    /// The log stream in it.
    pub stream: String,
}

/// How objects are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Compression {
    /// As they come. Right for log events, which CloudWatch Logs compresses itself.
    Uncompressed,
    /// gzip.
    Gzip,
    /// zip.
    Zip,
    /// Snappy.
    Snappy,
    /// Snappy as Hadoop reads it.
    HadoopSnappy,
}

/// The fields that are settings of the destination.
const DESTINATION: &[&str] = &[
    "bucket",
    "role",
    "prefix",
    "error_prefix",
    "buffer_mib",
    "buffer_seconds",
    "compression",
    "file_extension",
    "object_key",
    "error_log",
];

impl Resource for DeliveryStream {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name"],
        ready: Poll::MINUTES.expecting(30),
        gone: Poll::MINUTES.expecting(30),
        not_yet: &[
            // A role, a policy or a key that was made moments ago.
            ("InvalidArgumentException", "unable to assume role"),
            ("InvalidArgumentException", "is not authorized to"),
            ("InvalidKMSResourceException", "does not exist"),
            // Its encryption, or itself, is still changing.
            ("ResourceInUseException", "ACTIVE"),
            ("ConcurrentModificationException", ""),
        ],
        costly: true,
        permissions: Permissions {
            read: &[
                Allow::to(&["firehose:ListDeliveryStreams"]),
                Allow::to(&[
                    "firehose:DescribeDeliveryStream",
                    "firehose:ListTagsForDeliveryStream",
                ])
                .on(&["firehose:{here}:deliverystream/{perhaps}"]),
            ],
            make: &[
                Allow::to(&["firehose:CreateDeliveryStream"])
                    .on(&["firehose:{here}:deliverystream/{name}"])
                    .for_stack(),
                Allow::to(&[
                    "firehose:StartDeliveryStreamEncryption",
                    "firehose:TagDeliveryStream",
                ])
                .on(&["firehose:{here}:deliverystream/{name}"]),
                Allow::to(&[
                    "firehose:UpdateDestination",
                    "firehose:StopDeliveryStreamEncryption",
                    "firehose:UntagDeliveryStream",
                ])
                .on(&["firehose:{here}:deliverystream/{name}"])
                .of_stack(),
                Allow::to(&["iam:PassRole"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                    .under(&[When::equals("iam:PassedToService", &["firehose.amazonaws.com"])]),
                // https://docs.aws.amazon.com/firehose/latest/dev/encryption.html
                Allow::to(&["kms:CreateGrant"]).on(&["kms:{here}:key/*"]).of_stack().under(&[
                    When::equals("kms:ViaService", &["firehose.{region}.amazonaws.com"]),
                    When::is_true("kms:GrantIsForAWSResource"),
                ]),
            ],
            remove: &[Allow::to(&["firehose:DeleteDeliveryStream"])
                .on(&["firehose:{here}:deliverystream/{name}"])
                .of_stack()],
        },
        ..Traits::of("firehose.delivery_stream")
    };
    type Id = DeliveryStreamName;
    type Arn = DeliveryStreamArn;

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
        let action = "firehose:CreateDeliveryStream";
        let encryption = self.key.as_ref().map(encrypted_with).transpose()?;
        let call = client!(aws, aws_sdk_firehose)
            .create_delivery_stream()
            .delivery_stream_name(&self.name)
            .delivery_stream_type(DeliveryStreamType::DirectPut)
            .set_delivery_stream_encryption_configuration_input(encryption)
            .extended_s3_destination_configuration(self.destination()?)
            .set_tags(Some(tags(&new.tags)?));
        let made = aws.call(action, call.send()).await.map_err(told_apart)?;
        let arn = made.delivery_stream_arn.ok_or_else(|| Error::incomplete(action, "an ARN"))?;
        Ok(Live::new(&self.name, self.clone())
            .with_arn(arn)
            .with_tags(new.tags.clone())
            .with_status(Status::Pending("CREATING".into())))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let stream = describe(aws, &live.id).await?;
        Ok(match status(&stream) {
            Status::Ready => Readiness::ready(),
            Status::Pending(word) => Readiness::Pending(format!("status {word}")),
            Status::Failed(word) => {
                let why = stream.failure_description.map(|why| why.details).unwrap_or_default();
                Readiness::Failed(format!("its status is {word}: {why}"))
            }
            Status::Deleting => Readiness::Failed("it is being deleted".into()),
        })
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.any(DESTINATION) {
            self.redirect(aws, &live.id).await?;
        }
        if changes.has("key") {
            self.encrypt(aws, &live.id).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let firehose = client!(aws, aws_sdk_firehose);
        if !put.is_empty() {
            let call = firehose
                .tag_delivery_stream()
                .delivery_stream_name(&live.id)
                .set_tags(Some(tags(put)?));
            aws.call("firehose:TagDeliveryStream", call.send()).await?;
        }
        if !remove.is_empty() {
            let call = firehose
                .untag_delivery_stream()
                .delivery_stream_name(&live.id)
                .set_tag_keys(Some(remove.to_vec()));
            aws.call("firehose:UntagDeliveryStream", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        // Without force, a stream whose key is gone could never be deleted.
        let call = client!(aws, aws_sdk_firehose)
            .delete_delivery_stream()
            .delivery_stream_name(&live.id)
            .allow_force_delete(true);
        aws.call("firehose:DeleteDeliveryStream", call.send()).await?;
        Ok(())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        describe(aws, &live.id).await.map(|_| false)
    }
}

impl DeliveryStream {
    fn destination(&self) -> Result<ExtendedS3DestinationConfiguration> {
        ExtendedS3DestinationConfiguration::builder()
            .bucket_arn(self.bucket.as_str())
            .role_arn(self.role.as_str())
            .prefix(&self.prefix)
            .error_output_prefix(&self.error_prefix)
            .buffering_hints(self.buffering())
            .compression_format(self.compression.to_sdk())
            .set_file_extension(self.file_extension.clone())
            .encryption_configuration(self.object_encryption()?)
            .cloud_watch_logging_options(self.logging())
            .build()
            .map_err(|why| Error::invalid("the destination of a delivery stream", why))
    }

    async fn redirect(&self, aws: &Aws, name: &str) -> Result<()> {
        let action = "firehose:DescribeDeliveryStream";
        let current = describe(aws, name).await?;
        let destination = current.destinations.first();
        let destination = destination.ok_or_else(|| Error::incomplete(action, "a destination"))?;
        let update = ExtendedS3DestinationUpdate::builder()
            .bucket_arn(self.bucket.as_str())
            .role_arn(self.role.as_str())
            .prefix(&self.prefix)
            .error_output_prefix(&self.error_prefix)
            .buffering_hints(self.buffering())
            .compression_format(self.compression.to_sdk())
            // An empty text takes an extension away.
            .file_extension(self.file_extension.clone().unwrap_or_default())
            .encryption_configuration(self.object_encryption()?)
            .cloud_watch_logging_options(self.logging())
            .build();
        let call = client!(aws, aws_sdk_firehose)
            .update_destination()
            .delivery_stream_name(name)
            .current_delivery_stream_version_id(&current.version_id)
            .destination_id(destination.destination_id())
            .extended_s3_destination_update(update);
        aws.call("firehose:UpdateDestination", call.send()).await?;
        Ok(())
    }

    async fn encrypt(&self, aws: &Aws, name: &str) -> Result<()> {
        let firehose = client!(aws, aws_sdk_firehose);
        if let Some(key) = &self.key {
            let call = firehose
                .start_delivery_stream_encryption()
                .delivery_stream_name(name)
                .delivery_stream_encryption_configuration_input(encrypted_with(key)?);
            aws.call("firehose:StartDeliveryStreamEncryption", call.send()).await?;
        } else {
            let call = firehose.stop_delivery_stream_encryption().delivery_stream_name(name);
            aws.call("firehose:StopDeliveryStreamEncryption", call.send()).await?;
        }
        Ok(())
    }

    fn buffering(&self) -> BufferingHints {
        BufferingHints::builder()
            .size_in_mbs(self.buffer_mib)
            .interval_in_seconds(self.buffer_seconds)
            .build()
    }

    fn object_encryption(&self) -> Result<EncryptionConfiguration> {
        let encryption = EncryptionConfiguration::builder();
        Ok(match &self.object_key {
            Some(key) => {
                let key = KmsEncryptionConfig::builder().awskms_key_arn(key.as_str()).build();
                let key = key.map_err(|why| Error::invalid("the key of the objects", why))?;
                encryption.kms_encryption_config(key).build()
            }
            None => encryption.no_encryption_config(NoEncryptionConfig::NoEncryption).build(),
        })
    }

    fn logging(&self) -> CloudWatchLoggingOptions {
        let options = CloudWatchLoggingOptions::builder().enabled(self.error_log.is_some());
        match &self.error_log {
            Some(log) => options.log_group_name(log.group.as_str()).log_stream_name(&log.stream),
            None => options,
        }
        .build()
    }
}

impl Compression {
    fn to_sdk(self) -> CompressionFormat {
        match self {
            Self::Uncompressed => CompressionFormat::Uncompressed,
            Self::Gzip => CompressionFormat::Gzip,
            Self::Zip => CompressionFormat::Zip,
            Self::Snappy => CompressionFormat::Snappy,
            Self::HadoopSnappy => CompressionFormat::HadoopSnappy,
        }
    }

    fn of(format: Option<&CompressionFormat>) -> Self {
        match format {
            Some(CompressionFormat::Gzip) => Self::Gzip,
            Some(CompressionFormat::Zip) => Self::Zip,
            Some(CompressionFormat::Snappy) => Self::Snappy,
            Some(CompressionFormat::HadoopSnappy) => Self::HadoopSnappy,
            _ => Self::Uncompressed,
        }
    }
}

fn encrypted_with(
    key: &Ref<KeyArn<ForLogs>>,
) -> Result<DeliveryStreamEncryptionConfigurationInput> {
    DeliveryStreamEncryptionConfigurationInput::builder()
        .key_type(KeyType::CustomerManagedCmk)
        .key_arn(key.as_str())
        .build()
        .map_err(|why| Error::invalid("the key of a delivery stream", why))
}

fn tags(tags: &Tags) -> Result<Vec<Tag>> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter()
        .map(tag)
        .collect::<std::result::Result<_, _>>()
        .map_err(|why| Error::invalid("a tag", why))
}

/// Every delivery stream's name.
async fn list(aws: &Aws) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    loop {
        let call = client!(aws, aws_sdk_firehose)
            .list_delivery_streams()
            .limit(100)
            .set_exclusive_start_delivery_stream_name(names.last().cloned());
        let page = aws.call("firehose:ListDeliveryStreams", call.send()).await?;
        let more = page.has_more_delivery_streams && !page.delivery_stream_names.is_empty();
        names.extend(page.delivery_stream_names);
        if !more {
            return Ok(names);
        }
    }
}

async fn describe(aws: &Aws, name: &str) -> Result<DeliveryStreamDescription> {
    let action = "firehose:DescribeDeliveryStream";
    let call = client!(aws, aws_sdk_firehose).describe_delivery_stream().delivery_stream_name(name);
    let answer = aws.call(action, call.send()).await?;
    answer.delivery_stream_description.ok_or_else(|| Error::incomplete(action, "the description"))
}

/// One delivery stream; `None` when it went away meanwhile.
async fn read(aws: &Aws, scope: &Scope, name: String) -> Result<Option<Live<DeliveryStream>>> {
    if !scope.may_be_ours(&name) {
        return Ok(Some(stranger(aws, name)));
    }
    let (tags, stream) = futures::join!(tags_of(aws, &name), describe(aws, &name));
    let tags = match tags {
        Ok(tags) => tags,
        Err(Error::Api(error)) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    match stream {
        Ok(stream) => Ok(Some(described(aws, &stream).with_tags(tags))),
        Err(Error::Api(error)) if error.is_not_found() => Ok(None),
        Err(error) => {
            let mut live = stranger(aws, name).with_tags(tags);
            if let Some(api) = error.api() {
                for field in DESTINATION.iter().chain(&["key"]) {
                    live.unreadable.insert((*field).into(), api.clone());
                }
            }
            Ok(Some(live))
        }
    }
}

/// A delivery stream of which only the name is known.
fn stranger(aws: &Aws, name: String) -> Live<DeliveryStream> {
    let arn = aws.arn("firehose", &format!("deliverystream/{name}"));
    let spec = DeliveryStream {
        name: name.clone(),
        bucket: Ref::default(),
        role: Ref::default(),
        prefix: String::new(),
        error_prefix: String::new(),
        buffer_mib: 0,
        buffer_seconds: 0,
        compression: Compression::Uncompressed,
        file_extension: None,
        key: None,
        object_key: None,
        error_log: None,
    };
    Live::new(name, spec).with_arn(arn)
}

fn described(aws: &Aws, stream: &DeliveryStreamDescription) -> Live<DeliveryStream> {
    let mut live = stranger(aws, stream.delivery_stream_name.clone());
    live.arn = Some(stream.delivery_stream_arn.clone());
    live.status = status(stream);
    live = live.with_output("source", source(stream));
    let encryption = stream.delivery_stream_encryption_configuration.as_ref();
    live.spec.key = encryption
        .filter(|encryption| is_on(encryption))
        .and_then(|encryption| encryption.key_arn())
        .map(|key| key_arn(aws, key));
    let destination = stream.destinations.first();
    if let Some(s3) = destination.and_then(|one| one.extended_s3_destination_description()) {
        read_destination(aws, s3, &mut live.spec);
    }
    live
}

/// The ARN of what a stream reads from; its type, where AWS shows no ARN. `None` where records are put into
/// it.
fn source(stream: &DeliveryStreamDescription) -> Option<String> {
    let kind = &stream.delivery_stream_type;
    if *kind == DeliveryStreamType::DirectPut {
        return None;
    }
    let source = stream.source.as_ref();
    let kinesis = source.and_then(|source| source.kinesis_stream_source_description());
    let kafka = source.and_then(|source| source.msk_source_description());
    let arn = kinesis
        .and_then(|kinesis| kinesis.kinesis_stream_arn())
        .or_else(|| kafka.and_then(|kafka| kafka.msk_cluster_arn()));
    Some(arn.unwrap_or(kind.as_str()).to_owned())
}

fn read_destination(aws: &Aws, s3: &ExtendedS3DestinationDescription, spec: &mut DeliveryStream) {
    spec.bucket = Ref::known(s3.bucket_arn());
    spec.role = Ref::known(s3.role_arn());
    spec.prefix = s3.prefix().unwrap_or_default().into();
    spec.error_prefix = s3.error_output_prefix().unwrap_or_default().into();
    if let Some(hints) = s3.buffering_hints() {
        spec.buffer_mib = hints.size_in_mbs().unwrap_or_default();
        spec.buffer_seconds = hints.interval_in_seconds().unwrap_or_default();
    }
    spec.compression = Compression::of(Some(s3.compression_format()));
    spec.file_extension = s3.file_extension().filter(|text| !text.is_empty()).map(str::to_owned);
    spec.object_key = s3
        .encryption_configuration()
        .and_then(|encryption| encryption.kms_encryption_config())
        .map(|encryption| key_arn(aws, encryption.awskms_key_arn()));
    spec.error_log = s3
        .cloud_watch_logging_options()
        .filter(|options| options.enabled() == Some(true))
        .map(|options| ErrorLog {
            group: Ref::known(options.log_group_name().unwrap_or_default()),
            stream: options.log_stream_name().unwrap_or_default().into(),
        });
}

/// Whether records are encrypted, or about to be. A key stays on record after encryption was stopped.
fn is_on(encryption: &DeliveryStreamEncryptionConfiguration) -> bool {
    !matches!(
        encryption.status(),
        Some(
            DeliveryStreamEncryptionStatus::Disabled
                | DeliveryStreamEncryptionStatus::Disabling
                | DeliveryStreamEncryptionStatus::EnablingFailed
        )
    )
}

fn status(stream: &DeliveryStreamDescription) -> Status {
    let word = stream.delivery_stream_status.as_str();
    let good = &["ACTIVE", "DELETING_FAILED"];
    let status = Status::by_word(word, good, &["CREATING_FAILED"], &["DELETING"]);
    let encryption = stream.delivery_stream_encryption_configuration.as_ref();
    match encryption.and_then(|encryption| encryption.status()) {
        Some(
            word @ (DeliveryStreamEncryptionStatus::Enabling
            | DeliveryStreamEncryptionStatus::Disabling),
        ) if status == Status::Ready => Status::Pending(format!("encryption {word}")),
        _ => status,
    }
}

async fn tags_of(aws: &Aws, name: &str) -> Result<Tags> {
    let mut tags = Tags::new();
    let mut after: Option<String> = None;
    loop {
        let call = client!(aws, aws_sdk_firehose)
            .list_tags_for_delivery_stream()
            .delivery_stream_name(name)
            .set_exclusive_start_tag_key(after.take());
        let page = aws.call("firehose:ListTagsForDeliveryStream", call.send()).await?;
        after = page.tags.last().map(|tag| tag.key.clone());
        tags.extend(page.tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())));
        if !page.has_more_tags || after.is_none() {
            return Ok(tags);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(status: DeliveryStreamEncryptionStatus) -> DeliveryStreamEncryptionConfiguration {
        DeliveryStreamEncryptionConfiguration::builder().key_arn("k").status(status).build()
    }

    #[test]
    fn a_key_of_stopped_encryption_does_not_count() {
        use DeliveryStreamEncryptionStatus::{Disabled, Enabled, Enabling, EnablingFailed};
        assert!(is_on(&encryption(Enabled)) && is_on(&encryption(Enabling)));
        assert!(!is_on(&encryption(Disabled)) && !is_on(&encryption(EnablingFailed)));
    }

    #[test]
    fn a_stream_that_changes_its_encryption_is_not_ready() {
        let stream = |status| {
            DeliveryStreamDescription::builder()
                .delivery_stream_name("s")
                .delivery_stream_arn("arn")
                .delivery_stream_status("ACTIVE".into())
                .delivery_stream_type(DeliveryStreamType::DirectPut)
                .version_id("1")
                .set_destinations(Some(Vec::new()))
                .has_more_destinations(false)
                .delivery_stream_encryption_configuration(encryption(status))
                .build()
                .unwrap()
        };
        assert_eq!(status(&stream(DeliveryStreamEncryptionStatus::Enabled)), Status::Ready);
        let pending = status(&stream(DeliveryStreamEncryptionStatus::Enabling));
        assert_eq!(pending, Status::Pending("encryption ENABLING".into()));
    }
}

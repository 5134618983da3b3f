//! The record of disclosures that 34 CFR 99.32 asks for: the API's access logs, which say who asked
//! for which record, go through a delivery stream of their own into a bucket whose objects are locked.
//!
//! The bucket, the role and the log group belong to other layers, and so does the subscription filter
//! that sends the access logs here.

use engine::vocabulary::{
    BucketArn, DeliveryStreamArn, DeliveryStreamName, ForLogs, KeyArn, LogGroupName, RoleArn,
};
use engine::{Deployed, Handle, Mistake, Ref, Result, Stack, StackName};
use serde::{Deserialize, Serialize};

use crate::checks::Checks;
use crate::classification::Classification;
use crate::delivery_stream::{Compression, DeliveryStream, ErrorLog};
use crate::stream::is_name;

/// A record of disclosures, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisclosureSpec {
    /// The bucket, with its objects locked for as long as the record is to be kept.
    pub bucket: Ref<BucketArn>,
    /// The role that writes to the bucket and to the error log, and uses the keys.
    /// `firehose.amazonaws.com` must be able to assume it.
    pub role: Ref<RoleArn>,
    /// The key that encrypts what is gathered.
    pub key: Ref<KeyArn<ForLogs>>,
    /// The key of the objects; `None` takes the bucket's.
    pub object_key: Option<Ref<KeyArn<ForLogs>>>,
    /// Where failed deliveries are logged.
    pub error_log: Option<Ref<LogGroupName>>,
    /// What an operator chooses.
    pub settings: DisclosureSettings,
}

/// What an operator chooses of the record of disclosures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DisclosureSettings {
    /// Where in the bucket.
    pub prefix: String,
    /// Where in the bucket to put what could not be processed.
    pub error_prefix: String,
    /// How much is gathered before it is written, in MiB: 1 to 128.
    pub buffer_mib: i32,
    /// For how long it is gathered before it is written, in seconds: 0 to 900.
    pub buffer_seconds: i32,
    /// What it says of the records in it.
    pub classification: Classification,
}

impl Default for DisclosureSettings {
    /// Written every five minutes or 5 MiB, by day.
    fn default() -> Self {
        Self {
            prefix: "disclosures/!{timestamp:yyyy/MM/dd}/".into(),
            error_prefix: "undelivered/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/"
                .into(),
            buffer_mib: 5,
            buffer_seconds: 300,
            classification: Classification {
                data: "disclosure-record".into(),
                ..Classification::default()
            },
        }
    }
}

/// A declared record of disclosures.
#[derive(Debug, Clone)]
pub struct Disclosure {
    /// The delivery stream's name.
    pub name: Ref<DeliveryStreamName>,
    /// The delivery stream's ARN, once it takes records: what a subscription filter is given.
    pub arn: Ref<DeliveryStreamArn>,
    /// The delivery stream, to order others by.
    pub handle: Handle<DeliveryStream>,
}

/// A record of disclosures that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DisclosureOutputs {
    /// The delivery stream's name.
    pub delivery_stream_name: String,
    /// The delivery stream's ARN.
    pub delivery_stream_arn: String,
}

impl Disclosure {
    /// What the references stand for.
    ///
    /// # Errors
    /// When the delivery stream is not part of what was deployed.
    pub fn resolve(&self, deployed: &Deployed) -> Result<DisclosureOutputs> {
        Ok(DisclosureOutputs {
            delivery_stream_name: deployed.resolve(&self.name)?,
            delivery_stream_arn: deployed.resolve(&self.arn)?,
        })
    }
}

/// Declares the delivery stream, `data/disclosures`.
pub fn declare(stack: &mut Stack, spec: &DisclosureSpec) -> Disclosure {
    let settings = &spec.settings;
    let name = stack.name().of("disclosures");
    let mut tags = settings.classification.tags();
    tags.insert("Name".into(), name.clone());
    let stream = DeliveryStream {
        name,
        bucket: spec.bucket.clone(),
        role: spec.role.clone(),
        prefix: settings.prefix.clone(),
        error_prefix: settings.error_prefix.clone(),
        buffer_mib: settings.buffer_mib,
        buffer_seconds: settings.buffer_seconds,
        // CloudWatch Logs sends its events compressed.
        compression: Compression::Uncompressed,
        file_extension: Some(".json.gz".into()),
        key: Some(spec.key.clone()),
        object_key: spec.object_key.clone(),
        error_log: spec
            .error_log
            .clone()
            .map(|group| ErrorLog { group, stream: "disclosures".into() }),
    };
    let handle = stack.add_tagged("data/disclosures", stream, tags);
    Disclosure { name: handle.id(), arn: handle.ready().arn(), handle }
}

/// What AWS would refuse.
pub fn validate(name: &StackName, spec: &DisclosureSpec) -> Vec<Mistake> {
    const KIND_OF_ERROR: &str = "!{firehose:error-output-type}";
    let DisclosureSettings { prefix, error_prefix, buffer_mib, buffer_seconds, .. } =
        &spec.settings;
    let mut problems = Checks::of("disclosure");
    let name = name.of("disclosures");
    let message = format!("{name} is not a name that Firehose takes");
    problems.unless(is_name(&name, 64), "name", message);
    let message = format!("{buffer_mib} is not between 1 and 128 MiB");
    problems.unless((1..=128).contains(buffer_mib), "buffer_mib", message);
    let message = format!("{buffer_seconds} is not between 0 and 900 seconds");
    problems.unless((0..=900).contains(buffer_seconds), "buffer_seconds", message);
    let message = format!("{KIND_OF_ERROR} belongs into the error prefix only");
    problems.unless(!prefix.contains(KIND_OF_ERROR), "prefix", message);
    let has_expression = prefix.contains("!{") || error_prefix.contains("!{");
    let message = format!("where there are expressions, {KIND_OF_ERROR} is among them");
    let good = !has_expression || error_prefix.contains(KIND_OF_ERROR);
    problems.unless(good, "error_prefix", message);
    problems.found()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_buffers_are_checked() {
        let name = StackName::new("student", "dev");
        let mut spec = DisclosureSpec {
            bucket: "b".into(),
            role: "r".into(),
            key: "k".into(),
            object_key: None,
            error_log: None,
            settings: DisclosureSettings::default(),
        };
        assert_eq!(validate(&name, &spec), []);
        spec.settings.error_prefix = "failed/!{timestamp:yyyy}/".into();
        spec.settings.buffer_seconds = 901;
        let fields: Vec<_> =
            validate(&name, &spec).into_iter().map(|mistake| mistake.field).collect();
        assert_eq!(fields, ["disclosure.buffer_seconds", "disclosure.error_prefix"]);
    }
}

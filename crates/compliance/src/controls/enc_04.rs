//! FERPA-ENC-04: streams are encrypted with a customer key.

use data::{DeliveryStream, KinesisStream};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};
use crate::keys::AtRest;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-04",
    title: "Streams are encrypted with a customer key",
    statement: "Every Kinesis data stream, and every Firehose stream that records are put into, encrypts them with a customer-managed KMS key.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.16"],
    why: "Records wait in a stream for hours or days, and without a key of one's own whoever may read the stream needs no leave to decrypt them.",
    reads: &[&[
        "kinesis.stream.key",
        "firehose.delivery_stream.key",
        "firehose.delivery_stream.outputs",
        "kms.key",
    ]],
    remedy: Remedy {
        stack: "`deploy`: both streams are always encrypted with the stack's own keys",
        api: "kinesis:StartStreamEncryption with KeyId; firehose:StartDeliveryStreamEncryption with KeyType CUSTOMER_MANAGED_CMK and KeyARN",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let streams = facts.each::<KinesisStream>(|stream| {
        let key = stream.read(&["key"])?.key.as_ref().map(|key| key.as_str());
        verdict(facts, "kinesis:DescribeStreamSummary", "KeyId", key)
    });
    let deliveries = facts.each::<DeliveryStream>(|stream| {
        let key = stream.read(&["key"])?.key.as_ref().map(|key| key.as_str());
        let call = "firehose:DescribeDeliveryStream";
        match stream.live().output("source") {
            Some(source) => Ok(Verdict::not_applicable(format!(
                "it keeps no records itself: they wait in its source, {source}"
            ))
            .with(call, "Source", source)),
            None => verdict(facts, call, "DeliveryStreamEncryptionConfiguration.KeyARN", key),
        }
    });
    streams.into_iter().chain(deliveries).collect()
}

fn verdict(
    facts: &Facts<'_>,
    call: &str,
    field: &str,
    key: Option<&str>,
) -> Result<Verdict, Unread> {
    let verdict = match key {
        Some(_) => AtRest::with(facts, key)?.verdict("the stream"),
        None => Verdict::fail("the stream is not encrypted with a key in KMS"),
    };
    Ok(verdict.with(call, field, key))
}

#[cfg(test)]
mod tests {
    use aws_sdk_firehose::operation::describe_delivery_stream::DescribeDeliveryStreamOutput;
    use aws_sdk_firehose::operation::list_delivery_streams::ListDeliveryStreamsOutput;
    use aws_sdk_firehose::operation::list_tags_for_delivery_stream::ListTagsForDeliveryStreamOutput;
    use aws_sdk_firehose::types::{
        DeliveryStreamDescription, DeliveryStreamEncryptionConfiguration, DeliveryStreamType,
    };
    use aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryOutput;
    use aws_sdk_kinesis::operation::list_streams::ListStreamsOutput;
    use aws_sdk_kinesis::operation::list_tags_for_stream::ListTagsForStreamOutput;
    use aws_sdk_kinesis::types::{EncryptionType, StreamDescriptionSummary, StreamStatus};
    use aws_smithy_mocks::{Rule, mock};
    use aws_smithy_types::DateTime;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{KEY, customer_key, denied, judged, only};

    fn listed() -> Vec<Rule> {
        vec![
            mock!(aws_sdk_kinesis::Client::list_streams).then_output(|| {
                let names = ListStreamsOutput::builder().stream_names("events");
                names.has_more_streams(false).build().unwrap()
            }),
            mock!(aws_sdk_kinesis::Client::list_tags_for_stream).then_output(|| {
                let none = ListTagsForStreamOutput::builder().set_tags(Some(Vec::new()));
                none.has_more_tags(false).build().unwrap()
            }),
        ]
    }

    fn stream(key: Option<&'static str>) -> Vec<Rule> {
        let described = mock!(aws_sdk_kinesis::Client::describe_stream_summary).then_output(move || {
            let summary = StreamDescriptionSummary::builder()
                .stream_name("events")
                .stream_arn("arn:aws:kinesis:us-east-1:123456789012:stream/events")
                .stream_status(StreamStatus::Active)
                .retention_period_hours(24)
                .stream_creation_timestamp(DateTime::from_secs(0))
                .set_enhanced_monitoring(Some(Vec::new()))
                .set_encryption_type(key.map(|_| EncryptionType::Kms))
                .set_key_id(key.map(str::to_owned))
                .open_shard_count(2)
                .build();
            let answer = DescribeStreamSummaryOutput::builder();
            answer.stream_description_summary(summary.unwrap()).build()
        });
        [listed(), vec![described]].concat()
    }

    fn delivery(kind: DeliveryStreamType, key: Option<&'static str>) -> Vec<Rule> {
        vec![
            mock!(aws_sdk_firehose::Client::list_delivery_streams).then_output(|| {
                let names = ListDeliveryStreamsOutput::builder().delivery_stream_names("d");
                names.has_more_delivery_streams(false).build().unwrap()
            }),
            mock!(aws_sdk_firehose::Client::list_tags_for_delivery_stream).then_output(|| {
                let none = ListTagsForDeliveryStreamOutput::builder();
                none.set_tags(Some(Vec::new())).has_more_tags(false).build().unwrap()
            }),
            mock!(aws_sdk_firehose::Client::describe_delivery_stream).then_output(move || {
                let encryption = DeliveryStreamEncryptionConfiguration::builder();
                let encryption = encryption.set_key_arn(key.map(str::to_owned));
                let described = DeliveryStreamDescription::builder()
                    .delivery_stream_name("d")
                    .delivery_stream_arn("arn:aws:firehose:us-east-1:123456789012:deliverystream/d")
                    .delivery_stream_status("ACTIVE".into())
                    .delivery_stream_type(kind.clone())
                    .delivery_stream_encryption_configuration(encryption.build())
                    .version_id("1")
                    .set_destinations(Some(Vec::new()))
                    .has_more_destinations(false)
                    .build();
                DescribeDeliveryStreamOutput::builder()
                    .delivery_stream_description(described.unwrap())
                    .build()
            }),
        ]
    }

    #[tokio::test]
    async fn a_customer_key_is_wanted() {
        let keyed = [customer_key(), stream(Some(KEY))].concat();
        let found = judged(&CONTROL, &keyed).await;
        assert_eq!(only(&found), (Status::Pass, "the stream is encrypted with a customer key"));
        for bad in [None, Some("alias/aws/kinesis")] {
            let found = judged(&CONTROL, &[customer_key(), stream(bad)].concat()).await;
            assert_eq!(only(&found).0, Status::Fail, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_delivery_stream_answers_for_what_is_put_into_it() {
        use DeliveryStreamType::{DirectPut, KinesisStreamAsSource};
        for (kind, key, status) in [
            (DirectPut, Some(KEY), Status::Pass),
            (DirectPut, None, Status::Fail),
            (KinesisStreamAsSource, None, Status::NotApplicable),
        ] {
            let found = judged(&CONTROL, &[customer_key(), delivery(kind, key)].concat()).await;
            assert_eq!(only(&found).0, status);
        }
    }

    #[tokio::test]
    async fn a_stream_that_cannot_be_described_is_unknown() {
        let denied = denied!(aws_sdk_kinesis, describe_stream_summary, DescribeStreamSummaryError);
        let found = judged(&CONTROL, &[listed(), vec![denied]].concat()).await;
        assert_eq!(only(&found).0, Status::Unknown);
    }
}

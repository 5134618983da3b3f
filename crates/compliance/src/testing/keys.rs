//! A customer key, as KMS describes it.

use aws_sdk_kms::operation::describe_key::DescribeKeyOutput;
use aws_sdk_kms::operation::list_keys::ListKeysOutput;
use aws_sdk_kms::operation::list_resource_tags::ListResourceTagsOutput;
use aws_sdk_kms::types::{KeyListEntry, KeyMetadata};
use aws_smithy_mocks::{Rule, mock};

/// The ARN of the key.
pub(crate) const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1234";

/// An account with one customer key.
pub(crate) fn customer_key() -> Vec<Rule> {
    let listed = || KeyListEntry::builder().key_id("1234").key_arn(KEY).build();
    let described = || KeyMetadata::builder().key_id("1234").arn(KEY).enabled(true).build();
    vec![
        mock!(aws_sdk_kms::Client::list_keys)
            .then_output(move || ListKeysOutput::builder().keys(listed()).build()),
        mock!(aws_sdk_kms::Client::list_resource_tags)
            .then_output(|| ListResourceTagsOutput::builder().build()),
        mock!(aws_sdk_kms::Client::describe_key).then_output(move || {
            DescribeKeyOutput::builder().key_metadata(described().unwrap()).build()
        }),
    ]
}

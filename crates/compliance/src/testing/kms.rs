//! A customer key as it should be, with all that KMS says of it.

use aws_sdk_kms::operation::describe_key::DescribeKeyOutput;
use aws_sdk_kms::operation::get_key_policy::GetKeyPolicyOutput;
use aws_sdk_kms::operation::get_key_rotation_status::GetKeyRotationStatusOutput;
use aws_sdk_kms::operation::list_grants::ListGrantsOutput;
use aws_sdk_kms::types::builders::KeyMetadataBuilder;
use aws_sdk_kms::types::{
    GrantListEntry, GrantOperation, KeyMetadata, KeySpec, KeyState, OriginType,
};
use aws_smithy_mocks::{Rule, mock};
use serde_json::{Value, json};

use super::{KEY, customer_key};

/// The key `1234`: enabled, rotated, with a policy for the account only and without grants. What `changed`
/// answers comes first.
pub(crate) fn key(changed: Vec<Rule>) -> Vec<Rule> {
    let mut rules = changed;
    let account = json!({
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "kms:*", "Resource": "*",
    });
    rules.extend([described(|it| it), key_policy(account), rotation(true), grants(Vec::new())]);
    rules.extend(customer_key());
    rules
}

pub(crate) fn described(
    change: impl Fn(KeyMetadataBuilder) -> KeyMetadataBuilder + Send + Sync + 'static,
) -> Rule {
    mock!(aws_sdk_kms::Client::describe_key).then_output(move || {
        let metadata = KeyMetadata::builder()
            .key_id("1234")
            .arn(KEY)
            .enabled(true)
            .key_state(KeyState::Enabled)
            .key_spec(KeySpec::SymmetricDefault)
            .origin(OriginType::AwsKms);
        DescribeKeyOutput::builder().key_metadata(change(metadata).build().unwrap()).build()
    })
}

pub(crate) fn key_policy(statement: Value) -> Rule {
    mock!(aws_sdk_kms::Client::get_key_policy).then_output(move || {
        let policy = json!({"Version": "2012-10-17", "Statement": statement});
        GetKeyPolicyOutput::builder().policy(policy.to_string()).build()
    })
}

pub(crate) fn rotation(on: bool) -> Rule {
    mock!(aws_sdk_kms::Client::get_key_rotation_status).then_output(move || {
        GetKeyRotationStatusOutput::builder()
            .key_rotation_enabled(on)
            .rotation_period_in_days(365)
            .build()
    })
}

/// Grants to these, each for one operation.
pub(crate) fn grants(to: Vec<(&'static str, GrantOperation)>) -> Rule {
    mock!(aws_sdk_kms::Client::list_grants).then_output(move || {
        let grants = to.iter().enumerate().map(|(at, (grantee, operation))| {
            GrantListEntry::builder()
                .grant_id(at.to_string())
                .grantee_principal(*grantee)
                .operations(operation.clone())
                .build()
        });
        ListGrantsOutput::builder().set_grants(Some(grants.collect())).build()
    })
}

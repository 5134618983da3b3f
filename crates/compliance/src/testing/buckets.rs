//! A bucket as it should be.

use aws_sdk_s3::operation::get_bucket_acl::GetBucketAclOutput;
use aws_sdk_s3::operation::get_bucket_encryption::GetBucketEncryptionOutput;
use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationOutput;
use aws_sdk_s3::operation::get_bucket_logging::GetBucketLoggingOutput;
use aws_sdk_s3::operation::get_bucket_ownership_controls::GetBucketOwnershipControlsOutput;
use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyOutput;
use aws_sdk_s3::operation::get_bucket_tagging::GetBucketTaggingOutput;
use aws_sdk_s3::operation::get_bucket_versioning::GetBucketVersioningOutput;
use aws_sdk_s3::operation::get_object_lock_configuration::GetObjectLockConfigurationOutput;
use aws_sdk_s3::operation::get_public_access_block::GetPublicAccessBlockOutput;
use aws_sdk_s3::operation::list_buckets::ListBucketsOutput;
use aws_sdk_s3::types::{
    Bucket, BucketLifecycleConfiguration, BucketVersioningStatus, DefaultRetention,
    ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockRetentionMode, ObjectLockRule, ObjectOwnership, OwnershipControls,
    OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    Tag,
};
use aws_smithy_mocks::{Rule, mock};
use serde_json::{Value, json};

use super::KEY;

/// The bucket `records`: classified, locked, versioned, encrypted with [`KEY`], closed to the public and
/// to plain transport, with an expiry. What `changed` answers comes first.
pub(crate) fn bucket(changed: Vec<Rule>) -> Vec<Rule> {
    let listed = || Bucket::builder().name("records").bucket_region("us-east-1").build();
    let mut rules = changed;
    rules.extend([
        mock!(aws_sdk_s3::Client::list_buckets)
            .then_output(move || ListBucketsOutput::builder().buckets(listed()).build()),
        classified(Some("education-records")),
        lock(Some(365)),
        versioning(BucketVersioningStatus::Enabled),
        encryption(ServerSideEncryption::AwsKms, Some(KEY)),
        public_access_block(true),
        bucket_policy(tls_only()),
        lifecycle(LifecycleRuleFilter::builder().prefix("").build(), Some(2557)),
        ownership(ObjectOwnership::BucketOwnerEnforced),
        mock!(aws_sdk_s3::Client::get_bucket_logging)
            .then_output(|| GetBucketLoggingOutput::builder().build()),
        mock!(aws_sdk_s3::Client::get_bucket_acl)
            .then_output(|| GetBucketAclOutput::builder().build()),
    ]);
    rules
}

pub(crate) fn classified(as_what: Option<&'static str>) -> Rule {
    mock!(aws_sdk_s3::Client::get_bucket_tagging).then_output(move || {
        let tag = |value| Tag::builder().key("DataClassification").value(value).build().unwrap();
        let tags = as_what.map(tag).into_iter().collect();
        GetBucketTaggingOutput::builder().set_tag_set(Some(tags)).build().unwrap()
    })
}

pub(crate) fn lock(days: Option<i32>) -> Rule {
    mock!(aws_sdk_s3::Client::get_object_lock_configuration).then_output(move || {
        let rule = days.map(|days| {
            let mode = ObjectLockRetentionMode::Governance;
            let default = DefaultRetention::builder().mode(mode).days(days).build();
            ObjectLockRule::builder().default_retention(default).build()
        });
        let lock = ObjectLockConfiguration::builder()
            .object_lock_enabled(ObjectLockEnabled::Enabled)
            .set_rule(rule);
        GetObjectLockConfigurationOutput::builder().object_lock_configuration(lock.build()).build()
    })
}

pub(crate) fn versioning(status: BucketVersioningStatus) -> Rule {
    mock!(aws_sdk_s3::Client::get_bucket_versioning)
        .then_output(move || GetBucketVersioningOutput::builder().status(status.clone()).build())
}

pub(crate) fn encryption(algorithm: ServerSideEncryption, key: Option<&'static str>) -> Rule {
    mock!(aws_sdk_s3::Client::get_bucket_encryption).then_output(move || {
        let default = ServerSideEncryptionByDefault::builder()
            .sse_algorithm(algorithm.clone())
            .set_kms_master_key_id(key.map(str::to_owned));
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(default.build().unwrap());
        let all = ServerSideEncryptionConfiguration::builder().rules(rule.build()).build().unwrap();
        GetBucketEncryptionOutput::builder().server_side_encryption_configuration(all).build()
    })
}

pub(crate) fn public_access_block(on: bool) -> Rule {
    mock!(aws_sdk_s3::Client::get_public_access_block).then_output(move || {
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(on)
            .ignore_public_acls(on)
            .block_public_policy(on)
            .restrict_public_buckets(on);
        GetPublicAccessBlockOutput::builder()
            .public_access_block_configuration(block.build())
            .build()
    })
}

pub(crate) fn bucket_policy(statement: Value) -> Rule {
    mock!(aws_sdk_s3::Client::get_bucket_policy).then_output(move || {
        let policy = json!({"Version": "2012-10-17", "Statement": statement});
        GetBucketPolicyOutput::builder().policy(policy.to_string()).build()
    })
}

/// The statement that denies plain transport.
pub(crate) fn tls_only() -> Value {
    json!({
        "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::records", "arn:aws:s3:::records/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    })
}

/// A rule for the objects of a filter, which expire after so many days; former versions after thirty.
pub(crate) fn lifecycle(filter: LifecycleRuleFilter, expire: Option<i32>) -> Rule {
    mock!(aws_sdk_s3::Client::get_bucket_lifecycle_configuration).then_output(move || {
        let expiration = expire.map(|days| LifecycleExpiration::builder().days(days).build());
        let former = NoncurrentVersionExpiration::builder().noncurrent_days(30).build();
        let rule = LifecycleRule::builder()
            .id("expire")
            .status(ExpirationStatus::Enabled)
            .filter(filter.clone())
            .set_expiration(expiration)
            .noncurrent_version_expiration(former)
            .build()
            .unwrap();
        let all = BucketLifecycleConfiguration::builder().rules(rule).build().unwrap();
        GetBucketLifecycleConfigurationOutput::builder().set_rules(Some(all.rules)).build()
    })
}

pub(crate) fn ownership(by: ObjectOwnership) -> Rule {
    mock!(aws_sdk_s3::Client::get_bucket_ownership_controls).then_output(move || {
        let rule = OwnershipControlsRule::builder().object_ownership(by.clone()).build().unwrap();
        let controls = OwnershipControls::builder().rules(rule).build().unwrap();
        GetBucketOwnershipControlsOutput::builder().ownership_controls(controls).build()
    })
}

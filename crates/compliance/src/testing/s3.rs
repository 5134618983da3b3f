//! What S3 answers of a bucket on which nothing was set.

use aws_sdk_s3::operation::get_bucket_encryption::GetBucketEncryptionOutput;
use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationOutput;
use aws_sdk_s3::operation::get_bucket_logging::GetBucketLoggingOutput;
use aws_sdk_s3::operation::get_bucket_ownership_controls::GetBucketOwnershipControlsOutput;
use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyOutput;
use aws_sdk_s3::operation::get_bucket_tagging::GetBucketTaggingOutput;
use aws_sdk_s3::operation::get_bucket_versioning::GetBucketVersioningOutput;
use aws_sdk_s3::operation::get_object_lock_configuration::GetObjectLockConfigurationOutput;
use aws_sdk_s3::operation::get_public_access_block::GetPublicAccessBlockOutput;
use aws_smithy_mocks::{Rule, mock};

/// The answers. Rules that come before these win.
pub(crate) fn bucket_details() -> Vec<Rule> {
    vec![
        mock!(aws_sdk_s3::Client::get_bucket_tagging).then_output(|| {
            GetBucketTaggingOutput::builder().set_tag_set(Some(Vec::new())).build().unwrap()
        }),
        mock!(aws_sdk_s3::Client::get_object_lock_configuration)
            .then_output(|| GetObjectLockConfigurationOutput::builder().build()),
        mock!(aws_sdk_s3::Client::get_bucket_versioning)
            .then_output(|| GetBucketVersioningOutput::builder().build()),
        mock!(aws_sdk_s3::Client::get_bucket_encryption)
            .then_output(|| GetBucketEncryptionOutput::builder().build()),
        mock!(aws_sdk_s3::Client::get_public_access_block)
            .then_output(|| GetPublicAccessBlockOutput::builder().build()),
        mock!(aws_sdk_s3::Client::get_bucket_policy)
            .then_output(|| GetBucketPolicyOutput::builder().build()),
        mock!(aws_sdk_s3::Client::get_bucket_lifecycle_configuration)
            .then_output(|| GetBucketLifecycleConfigurationOutput::builder().build()),
        mock!(aws_sdk_s3::Client::get_bucket_ownership_controls)
            .then_output(|| GetBucketOwnershipControlsOutput::builder().build()),
        mock!(aws_sdk_s3::Client::get_bucket_logging)
            .then_output(|| GetBucketLoggingOutput::builder().build()),
    ]
}

//! A bucket that says what it holds.

use aws_sdk_s3::operation::get_bucket_tagging::GetBucketTaggingOutput;
use aws_sdk_s3::operation::list_buckets::ListBucketsOutput;
use aws_sdk_s3::types::{Bucket, Tag};
use aws_smithy_mocks::{Rule, mock};

/// The bucket `records`, in the audited region, with this `DataClassification`; empty is none.
pub(crate) fn classified_bucket(classification: &'static str) -> Vec<Rule> {
    let bucket = || Bucket::builder().name("records").bucket_region("us-east-1").build();
    vec![
        mock!(aws_sdk_s3::Client::list_buckets)
            .then_output(move || ListBucketsOutput::builder().buckets(bucket()).build()),
        mock!(aws_sdk_s3::Client::get_bucket_tagging).then_output(move || {
            let tag = Tag::builder().key("DataClassification").value(classification).build();
            GetBucketTaggingOutput::builder().tag_set(tag.unwrap()).build().unwrap()
        }),
    ]
}

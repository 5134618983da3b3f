//! `s3.bucket_location`: where a bucket is. [`Bucket`](crate::Bucket) is about those of one region.

use aws_sdk_s3::types::Bucket as S3Bucket;
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope};
use serde::{Deserialize, Serialize};

use crate::s3::s3;

/// A bucket of the account, in whatever region. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketLocation {
    /// The region that it is in.
    pub region: String,
}

impl Inspected for BucketLocation {
    const KIND: &'static str = "s3.bucket_location";
    const READ: &'static [Allow] = &[Allow::to(&["s3:ListAllMyBuckets"])];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<BucketLocation>>> {
    let action = "s3:ListAllMyBuckets";
    // S3 says where buckets are only where a request has a parameter.
    let call = s3(aws).list_buckets().max_buckets(1000).into_paginator();
    let pages: Vec<_> = aws.call(action, call.send().try_collect()).await?;
    let buckets = pages.into_iter().flat_map(|page| page.buckets.unwrap_or_default());
    let read = |bucket: S3Bucket| {
        let name = bucket.name.ok_or_else(|| Error::incomplete(action, "a bucket's name"))?;
        let arn = format!("arn:{}:s3:::{name}", aws.partition());
        let mut live = Live::new(name, BucketLocation { region: String::new() }).with_arn(arn);
        let missing = || Error::incomplete(action, "a bucket's region");
        let region = bucket.bucket_region.ok_or_else(missing);
        live.read("region", region, |spec, region| spec.region = region);
        Ok(live)
    };
    buckets.map(read).collect()
}

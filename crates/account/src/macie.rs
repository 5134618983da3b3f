//! `macie.session`: Macie in this account and region. There is at most one.

use std::collections::BTreeMap;

use aws_sdk_macie2::types::{AutomatedDiscoveryMonitoringStatus, BucketMetadata, IsMonitoredByJob};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use serde::{Deserialize, Serialize};

/// Macie. Where it is not enabled there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Macie {
    /// `ENABLED` or `PAUSED`.
    pub state: String,
    /// The buckets that it knows, by name.
    pub buckets: BTreeMap<String, Coverage>,
}

/// Whether Macie looks into a bucket for sensitive data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// By automated discovery: that is on, and does not leave the bucket out.
    pub discovery: bool,
    /// By a job that runs again and again.
    pub job: bool,
    /// Why it cannot, in AWS's words: `ACCESS_DENIED`.
    pub error: Option<String>,
}

impl Inspected for Macie {
    const KIND: &'static str = "macie.session";
    const READ: &'static [Allow] =
        &[Allow::to(&["macie2:GetMacieSession", "macie2:DescribeBuckets"])];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(find(aws).await)
    }
}

async fn find(aws: &Aws) -> Result<Vec<Live<Macie>>> {
    let action = "macie2:GetMacieSession";
    let state =
        match aws.call(action, client!(aws, aws_sdk_macie2).get_macie_session().send()).await {
            // Macie answers so to everything until it is enabled.
            Err(Error::Api(error)) if error.message.contains("Macie is not enabled") => {
                return Ok(Vec::new());
            }
            other => other?.status.ok_or_else(|| Error::incomplete(action, "a status"))?,
        };
    let spec = Macie { state: state.as_str().into(), buckets: BTreeMap::new() };
    let mut live = Live::new(aws.account_id(), spec);
    live.read("buckets", buckets(aws).await, |spec, buckets| spec.buckets = buckets);
    Ok(vec![live])
}

async fn buckets(aws: &Aws) -> Result<BTreeMap<String, Coverage>> {
    let call = client!(aws, aws_sdk_macie2).describe_buckets().into_paginator().items();
    let found = aws.call("macie2:DescribeBuckets", call.send().try_collect()).await?;
    Ok(found.into_iter().filter_map(coverage).collect())
}

fn coverage(bucket: BucketMetadata) -> Option<(String, Coverage)> {
    let monitored = AutomatedDiscoveryMonitoringStatus::Monitored;
    let by_job = bucket.job_details.and_then(|details| details.is_monitored_by_job);
    let coverage = Coverage {
        discovery: bucket.automated_discovery_monitoring_status == Some(monitored),
        job: by_job == Some(IsMonitoredByJob::True),
        error: bucket.error_code.map(|code| code.as_str().into()),
    };
    Some((bucket.bucket_name?, coverage))
}

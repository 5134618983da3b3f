//! `rds.cluster_snapshot`: a snapshot of a cluster.

use std::collections::BTreeSet;

use aws_sdk_rds::types::DbClusterSnapshot as Described;
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::rds::{can_be_shared, restorers, tags};

/// A snapshot of a cluster. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbClusterSnapshot {
    /// The cluster that it was taken of, which may be gone.
    pub cluster: String,
    /// `manual`, `automated` or `awsbackup`.
    pub snapshot_type: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The ARN of the key for that.
    pub kms_key: Option<String>,
    /// Who may restore it, beside its own account: twelve digits each, or `all` for everybody.
    pub shared_with: BTreeSet<String>,
}

impl Inspected for DbClusterSnapshot {
    const KIND: &'static str = "rds.cluster_snapshot";
    const READ: &'static [Allow] = &[Allow::to(&[
        "rds:DescribeDBClusterSnapshots",
        "rds:DescribeDBClusterSnapshotAttributes",
    ])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] = &[("cluster", "rds.cluster")];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        let found = match list(aws).await {
            Ok(found) => found,
            Err(error) => return Collected::failed(error),
        };
        let detailed = futures::stream::iter(found).map(|mut live| async move {
            if can_be_shared(&live.spec.snapshot_type) {
                let shared = shared_with(aws, &live.id).await;
                live.read("shared_with", shared, |spec, found| spec.shared_with = found);
            }
            live
        });
        Collected::of(detailed.buffer_unordered(8).collect().await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<DbClusterSnapshot>>> {
    let call = client!(aws, aws_sdk_rds).describe_db_cluster_snapshots().into_paginator().items();
    let found = aws.call("rds:DescribeDBClusterSnapshots", call.send().try_collect()).await?;
    found.into_iter().map(read).collect()
}

fn read(snapshot: Described) -> Result<Live<DbClusterSnapshot>> {
    let missing = |part| Error::incomplete("rds:DescribeDBClusterSnapshots", part);
    let id = snapshot.db_cluster_snapshot_identifier;
    let id = id.ok_or_else(|| missing("a snapshot's name"))?;
    let encrypted = snapshot.storage_encrypted;
    let spec = DbClusterSnapshot {
        cluster: snapshot.db_cluster_identifier.unwrap_or_default(),
        snapshot_type: snapshot.snapshot_type.unwrap_or_default(),
        encrypted: encrypted.ok_or_else(|| missing("whether a snapshot is encrypted"))?,
        kms_key: snapshot.kms_key_id,
        shared_with: BTreeSet::new(),
    };
    let mut live = Live::new(id, spec).with_tags(tags(snapshot.tag_list));
    live.arn = snapshot.db_cluster_snapshot_arn;
    Ok(live)
}

async fn shared_with(aws: &Aws, id: &str) -> Result<BTreeSet<String>> {
    let action = "rds:DescribeDBClusterSnapshotAttributes";
    let call = client!(aws, aws_sdk_rds)
        .describe_db_cluster_snapshot_attributes()
        .db_cluster_snapshot_identifier(id);
    let answer = aws.call(action, call.send()).await?;
    let answer = answer.db_cluster_snapshot_attributes_result;
    let answer = answer.ok_or_else(|| Error::incomplete(action, "a snapshot's attributes"))?;
    let attributes = answer.db_cluster_snapshot_attributes.unwrap_or_default();
    Ok(restorers(attributes.into_iter().map(|one| (one.attribute_name, one.attribute_values))))
}

//! `ec2.snapshot`: a copy of a disk.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    CreateVolumePermission, PermissionGroup, Snapshot as Described, SnapshotAttributeName,
};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, Status, client};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::ec2_tags::tags;

const ACTION: &str = "ec2:DescribeSnapshots";

/// How AWS writes that everybody may have a snapshot.
const EVERYBODY: &str = "all";

/// An EBS snapshot of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The ARN of the key for that.
    pub kms_key: Option<String>,
    /// The volume that it is a copy of. The volume may be gone.
    pub volume: Option<String>,
    /// The accounts that may make a volume of it, twelve digits each; `all` for everybody.
    pub shared_with: BTreeSet<String>,
}

impl Inspected for Snapshot {
    const KIND: &'static str = "ec2.snapshot";
    const READ: &'static [Allow] =
        &[Allow::to(&["ec2:DescribeSnapshots", "ec2:DescribeSnapshotAttribute"])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] = &[("volume", "ec2.volume")];
    const COSTLY: bool = true;

    async fn inspect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        let (own, public) = match futures::try_join!(list(aws, false), list(aws, true)) {
            Ok(found) => found,
            Err(error) => return Collected::failed(error),
        };
        let public: BTreeSet<String> =
            public.into_iter().filter_map(|one| one.snapshot_id).collect();
        let all = own.into_iter().map(|snapshot| read(aws, snapshot));
        let all: Result<Vec<Live<Self>>> = all.collect();
        let all = match all {
            Ok(all) => all,
            Err(error) => return Collected::failed(error),
        };
        let wanted = all.into_iter().filter(|live| scope.wants(&live.tags));
        let mut details = futures::stream::iter(wanted)
            .map(|live| async move { (shares(aws, &live.id).await, live) })
            .buffer_unordered(8);
        let mut found = Collected::default();
        while let Some((shares, mut live)) = details.next().await {
            match shares {
                // That everybody may is as much as there is to know.
                Err(_) if public.contains(&live.id) => {
                    live.spec.shared_with.insert(EVERYBODY.into());
                }
                shares => live.read("shared_with", shares, |spec, shares| {
                    spec.shared_with = shares.into_iter().filter_map(with).collect();
                }),
            }
            found.live.push(live);
        }
        found
    }
}

/// The account's snapshots, or those of them that are public.
async fn list(aws: &Aws, public: bool) -> Result<Vec<Described>> {
    let call = client!(aws, aws_sdk_ec2)
        .describe_snapshots()
        .owner_ids("self")
        .set_restorable_by_user_ids(public.then(|| vec![EVERYBODY.into()]))
        .into_paginator()
        .items();
    aws.call(ACTION, call.send().try_collect()).await
}

fn with(permission: CreateVolumePermission) -> Option<String> {
    let everybody = permission.group == Some(PermissionGroup::All);
    permission.user_id.or_else(|| everybody.then(|| EVERYBODY.to_owned()))
}

async fn shares(aws: &Aws, id: &str) -> Result<Vec<CreateVolumePermission>> {
    let call = client!(aws, aws_sdk_ec2)
        .describe_snapshot_attribute()
        .snapshot_id(id)
        .attribute(SnapshotAttributeName::CreateVolumePermission);
    let answer = aws.call("ec2:DescribeSnapshotAttribute", call.send()).await?;
    Ok(answer.create_volume_permissions.unwrap_or_default())
}

fn read(aws: &Aws, snapshot: Described) -> Result<Live<Snapshot>> {
    let missing = |part| Error::incomplete(ACTION, part);
    let id = snapshot.snapshot_id.ok_or_else(|| missing("a snapshot's id"))?;
    let word = snapshot.state.as_ref().map_or("", |state| state.as_str());
    let status = Status::by_word(word, &["completed", "recoverable"], &["error"], &[]);
    let spec = Snapshot {
        encrypted: snapshot.encrypted.ok_or_else(|| missing("whether a snapshot is encrypted"))?,
        kms_key: snapshot.kms_key_id,
        // Copies name a volume that does not exist.
        volume: snapshot.volume_id.filter(|volume| volume != "vol-ffffffff"),
        shared_with: BTreeSet::new(),
    };
    let arn = aws.arn("ec2", &format!("snapshot/{id}"));
    Ok(Live::new(id, spec).with_arn(arn).with_status(status).with_tags(tags(snapshot.tags)))
}

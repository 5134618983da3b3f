//! `efs.mount_target`: a file system's network interface in one subnet.

use std::collections::BTreeSet;

use aws_sdk_efs::types::MountTargetDescription;
use engine::vocabulary::{Arn, FileSystemId, Id, Isolated, SecurityGroupId, SubnetId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Identity, Live, New, Permissions, Poll,
    Readiness, Ref, Resource, Result, Scope, Status, Traits, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::exists::told_apart;
use crate::file_system;

/// A mount target. AWS allows one an availability zone.
///
/// Outputs: `ip_address`, `availability_zone`, `network_interface_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountTarget {
    /// The file system.
    pub file_system_id: Ref<FileSystemId>,
    /// The subnet.
    pub subnet_id: Ref<SubnetId<Isolated>>,
    /// Who may reach it: one to five groups of the subnet's VPC.
    pub security_groups: BTreeSet<Ref<SecurityGroupId>>,
}

impl Resource for MountTarget {
    const TRAITS: Traits = Traits {
        identity: Identity::Parent {
            parent: "file_system_id",
            key: &["file_system_id", "subnet_id"],
        },
        immutable: &["file_system_id", "subnet_id"],
        ready: Poll::MINUTES.expecting(90),
        gone: Poll::MINUTES.expecting(30),
        not_yet: &[
            // The file system, or the mount target, is still being made.
            ("IncorrectFileSystemLifeCycleState", ""),
            ("IncorrectMountTargetState", ""),
            ("FileSystemNotFound", ""),
            ("SubnetNotFound", ""),
            ("SecurityGroupNotFound", ""),
        ],
        attached_by: &[("file_system_id", "efs.file_system"), ("subnet_id", "ec2.subnet")],
        attaches: &[("file_system_id", "efs.file_system")],
        permissions: Permissions {
            read: &[
                // Granted on the file system that it is of:
                // https://docs.aws.amazon.com/efs/latest/ug/API_DescribeMountTargets.html
                Allow::to(&[
                    "elasticfilesystem:DescribeMountTargets",
                    "elasticfilesystem:DescribeMountTargetSecurityGroups",
                ])
                .on(&["elasticfilesystem:{here}:file-system/*"])
                .of_stack(),
                // https://docs.aws.amazon.com/efs/latest/ug/API_DescribeMountTargetSecurityGroups.html
                Allow::to(&["ec2:DescribeNetworkInterfaceAttribute"]),
            ],
            make: &[
                Allow::to(&[
                    "elasticfilesystem:CreateMountTarget",
                    "elasticfilesystem:ModifyMountTargetSecurityGroups",
                ])
                .on(&["elasticfilesystem:{here}:file-system/*"])
                .of_stack(),
                // The interface is made and changed in the name of the caller, without tags:
                // https://docs.aws.amazon.com/efs/latest/ug/API_CreateMountTarget.html
                Allow::to(&["ec2:DescribeSubnets", "ec2:DescribeNetworkInterfaces"]),
                Allow::to(&["ec2:CreateNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute"])
                    .on(&["ec2:{here}:network-interface/*"]),
                Allow::to(&["ec2:CreateNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute"])
                    .on(&["ec2:{here}:subnet/*", "ec2:{here}:security-group/*"])
                    .of_stack(),
            ],
            remove: &[
                Allow::to(&["elasticfilesystem:DeleteMountTarget"])
                    .on(&["elasticfilesystem:{here}:file-system/*"])
                    .of_stack(),
                // https://docs.aws.amazon.com/efs/latest/ug/API_DeleteMountTarget.html
                Allow::to(&["ec2:DeleteNetworkInterface"]).on(&["ec2:{here}:network-interface/*"]),
            ],
        },
        ..Traits::of("efs.mount_target")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        let file_systems = match file_system::list(aws).await {
            Ok(all) => all,
            Err(error) => return Collected::failed(error),
        };
        // A request for each file system, and one for each mount target: only where it matters.
        let wanted = file_systems
            .into_iter()
            .filter(|one| scope.wants(&file_system::from_efs(one.tags())))
            .map(|one| one.file_system_id);
        let mut found = Collected::default();
        let mut reads = futures::stream::iter(wanted)
            .map(|id| async move { list(aws, &id).await })
            .buffer_unordered(8);
        while let Some(one) = reads.next().await {
            match one {
                Ok(live) => found.live.extend(live),
                Err(error) => found.errors.extend(Collected::<Self>::failed(error).errors),
            }
        }
        found
    }

    async fn create(&self, aws: &Aws, _: &New) -> Result<Live<Self>> {
        let groups = self.security_groups.iter().map(|group| group.as_str().to_owned()).collect();
        let call = client!(aws, aws_sdk_efs)
            .create_mount_target()
            .file_system_id(self.file_system_id.as_str())
            .subnet_id(self.subnet_id.as_str())
            .set_security_groups(Some(groups));
        let made = aws.call("elasticfilesystem:CreateMountTarget", call.send()).await;
        let made = made.map_err(told_apart)?;
        Ok(Live::new(&made.mount_target_id, self.clone())
            .with_status(Status::Pending("creating".into()))
            .with_output("ip_address", made.ip_address)
            .with_output("availability_zone", made.availability_zone_name)
            .with_output("network_interface_id", made.network_interface_id))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let word = find(aws, &live.id).await?.life_cycle_state;
        Ok(Readiness::by_status(word.as_str(), &["available"], &["error"]))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.has("security_groups") {
            let groups = self.security_groups.iter().map(|group| group.as_str().to_owned());
            let call = client!(aws, aws_sdk_efs)
                .modify_mount_target_security_groups()
                .mount_target_id(&live.id)
                .set_security_groups(Some(groups.collect()));
            aws.call("elasticfilesystem:ModifyMountTargetSecurityGroups", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_efs).delete_mount_target().mount_target_id(&live.id);
        aws.call("elasticfilesystem:DeleteMountTarget", call.send()).await?;
        Ok(())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        Ok(find(aws, &live.id).await?.life_cycle_state.as_str() == "deleted")
    }
}

async fn find(aws: &Aws, id: &str) -> Result<MountTargetDescription> {
    let action = "elasticfilesystem:DescribeMountTargets";
    let call = client!(aws, aws_sdk_efs).describe_mount_targets().mount_target_id(id);
    let answer = aws.call(action, call.send()).await?;
    let first = answer.mount_targets.and_then(|found| found.into_iter().next());
    first.ok_or_else(|| Error::incomplete(action, "the mount target"))
}

/// The mount targets of a file system; none when that went away meanwhile.
async fn list(aws: &Aws, file_system: &str) -> Result<Vec<Live<MountTarget>>> {
    let efs = client!(aws, aws_sdk_efs);
    let call = efs.describe_mount_targets().file_system_id(file_system).into_paginator().items();
    let found =
        aws.find("elasticfilesystem:DescribeMountTargets", call.send().try_collect()).await?;
    let reads =
        found.unwrap_or_default().into_iter().map(|one: MountTargetDescription| async move {
            let call = client!(aws, aws_sdk_efs)
                .describe_mount_target_security_groups()
                .mount_target_id(one.mount_target_id());
            let action = "elasticfilesystem:DescribeMountTargetSecurityGroups";
            let groups = aws.call(action, call.send()).await;
            let mut live = described(&one);
            live.read("security_groups", groups, |spec, answer| {
                spec.security_groups = answer.security_groups.into_iter().map(Ref::known).collect();
            });
            live
        });
    Ok(futures::future::join_all(reads).await)
}

fn described(one: &MountTargetDescription) -> Live<MountTarget> {
    let spec = MountTarget {
        file_system_id: Ref::known(one.file_system_id()),
        subnet_id: Ref::known(one.subnet_id()),
        security_groups: BTreeSet::new(),
    };
    let word = one.life_cycle_state().as_str();
    let good = &["available", "updating"];
    Live::new(one.mount_target_id(), spec)
        .with_status(Status::by_word(word, good, &["error"], &["deleting", "deleted"]))
        .with_output("ip_address", one.ip_address())
        .with_output("availability_zone", one.availability_zone_name())
        .with_output("network_interface_id", one.network_interface_id())
}

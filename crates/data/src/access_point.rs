//! `efs.access_point`: a directory of a file system, entered as one POSIX user.

use std::collections::BTreeSet;

use aws_sdk_efs::types::{
    AccessPointDescription, CreationInfo as SdkCreationInfo, PosixUser as SdkPosixUser,
    RootDirectory as SdkRootDirectory,
};
use engine::vocabulary::{AccessPointArn, AccessPointId, FileSystemId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll, Readiness, Ref,
    Replacement, Resource, Result, Scope, Status, Tags, Traits, When, client,
};
use serde::{Deserialize, Serialize};

use crate::exists::told_apart;
use crate::file_system::{from_efs, retag, tags};

/// An access point. Nothing of it can be changed but its tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPoint {
    /// The file system.
    pub file_system_id: Ref<FileSystemId>,
    /// Whom every file operation is done as, whoever mounts.
    pub posix_user: Option<PosixUser>,
    /// What is seen as the root.
    pub root_directory: RootDirectory,
}

/// A POSIX user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PosixUser {
    /// The user id. 0 is root.
    pub uid: i64,
    /// The group id.
    pub gid: i64,
    /// Further group ids, at most 16.
    pub secondary_gids: BTreeSet<i64>,
}

/// A directory that is seen as the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootDirectory {
    /// Where it is on the file system: `/records`.
    pub path: String,
    /// How it is made when it does not exist.
    pub creation: Option<Creation>,
}

/// How a root directory is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// The owner's user id.
    pub owner_uid: i64,
    /// The owner's group id.
    pub owner_gid: i64,
    /// The mode, in octal: `0750`.
    pub permissions: String,
}

impl Resource for AccessPoint {
    const TRAITS: Traits = Traits {
        immutable: &["file_system_id", "posix_user", "root_directory"],
        replacement: Replacement::CreateFirst,
        ready: Poll::SHORT.expecting(5),
        gone: Poll::SHORT.expecting(5),
        not_yet: &[("IncorrectFileSystemLifeCycleState", ""), ("FileSystemNotFound", "")],
        attached_by: &[("file_system_id", "efs.file_system")],
        permissions: Permissions {
            read: &[Allow::to(&["elasticfilesystem:DescribeAccessPoints"])],
            make: &[
                Allow::to(&["elasticfilesystem:CreateAccessPoint"])
                    .on(&["elasticfilesystem:{here}:file-system/*"])
                    .of_stack(),
                Allow::to(&["elasticfilesystem:TagResource"])
                    .on(&["elasticfilesystem:{here}:*/*"])
                    .for_stack()
                    .under(&[When::equals(
                        "elasticfilesystem:CreateAction",
                        &["CreateAccessPoint"],
                    )]),
                Allow::to(&["elasticfilesystem:TagResource", "elasticfilesystem:UntagResource"])
                    .on(&["elasticfilesystem:{here}:*/*"])
                    .of_stack(),
            ],
            remove: &[Allow::to(&["elasticfilesystem:DeleteAccessPoint"])
                .on(&["elasticfilesystem:{here}:access-point/*"])
                .of_stack()],
        },
        ..Traits::of("efs.access_point")
    };
    type Id = AccessPointId;
    type Arn = AccessPointArn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "elasticfilesystem:CreateAccessPoint";
        let call = client!(aws, aws_sdk_efs)
            .create_access_point()
            .client_token(&new.token)
            .file_system_id(self.file_system_id.as_str())
            .set_posix_user(self.posix_user.as_ref().map(PosixUser::to_sdk).transpose()?)
            .root_directory(self.root_directory.to_sdk()?)
            .set_tags(Some(tags(&new.tags)?));
        let made = aws.call(action, call.send()).await.map_err(told_apart)?;
        let id = made.access_point_id.ok_or_else(|| Error::incomplete(action, "an id"))?;
        let arn = made.access_point_arn.unwrap_or_else(|| arn(aws, &id));
        Ok(Live::new(id, self.clone())
            .with_arn(arn)
            .with_tags(new.tags.clone())
            .with_status(Status::Pending("creating".into())))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let one = find(aws, &live.id).await?;
        let word = one.life_cycle_state.as_ref().map_or("", |state| state.as_str());
        Ok(Readiness::by_status(word, &["available"], &["error"]))
    }

    async fn update(&self, _: &Aws, _: &Live<Self>, _: &Changes) -> Result<()> {
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_efs).delete_access_point().access_point_id(&live.id);
        aws.call("elasticfilesystem:DeleteAccessPoint", call.send()).await?;
        Ok(())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        let one = find(aws, &live.id).await?;
        Ok(one.life_cycle_state.is_some_and(|state| state.as_str() == "deleted"))
    }
}

impl PosixUser {
    fn to_sdk(&self) -> Result<SdkPosixUser> {
        SdkPosixUser::builder()
            .uid(self.uid)
            .gid(self.gid)
            .set_secondary_gids(
                (!self.secondary_gids.is_empty())
                    .then(|| self.secondary_gids.iter().copied().collect()),
            )
            .build()
            .map_err(|why| Error::invalid("the POSIX user", why))
    }
}

impl RootDirectory {
    fn to_sdk(&self) -> Result<SdkRootDirectory> {
        let creation = self.creation.as_ref().map(|creation| {
            SdkCreationInfo::builder()
                .owner_uid(creation.owner_uid)
                .owner_gid(creation.owner_gid)
                .permissions(&creation.permissions)
                .build()
                .map_err(|why| Error::invalid("the root directory", why))
        });
        Ok(SdkRootDirectory::builder()
            .path(&self.path)
            .set_creation_info(creation.transpose()?)
            .build())
    }
}

fn arn(aws: &Aws, id: &str) -> String {
    aws.arn("elasticfilesystem", &format!("access-point/{id}"))
}

async fn list(aws: &Aws) -> Result<Vec<Live<AccessPoint>>> {
    let action = "elasticfilesystem:DescribeAccessPoints";
    let call = client!(aws, aws_sdk_efs).describe_access_points().into_paginator().items();
    let found = aws.call(action, call.send().try_collect()).await?;
    found.into_iter().map(|one| described(aws, action, one)).collect()
}

async fn find(aws: &Aws, id: &str) -> Result<AccessPointDescription> {
    let action = "elasticfilesystem:DescribeAccessPoints";
    let call = client!(aws, aws_sdk_efs).describe_access_points().access_point_id(id);
    let answer = aws.call(action, call.send()).await?;
    let first = answer.access_points.and_then(|found| found.into_iter().next());
    first.ok_or_else(|| Error::incomplete(action, "the access point"))
}

fn described(aws: &Aws, action: &str, one: AccessPointDescription) -> Result<Live<AccessPoint>> {
    let tags = from_efs(one.tags());
    let word = one.life_cycle_state.as_ref().map_or("", |state| state.as_str()).to_owned();
    let id =
        one.access_point_id.ok_or_else(|| Error::incomplete(action, "an access point's id"))?;
    let root = one.root_directory;
    let spec = AccessPoint {
        file_system_id: Ref::known(one.file_system_id.unwrap_or_default()),
        posix_user: one.posix_user.map(|user| PosixUser {
            uid: user.uid,
            gid: user.gid,
            secondary_gids: user.secondary_gids.unwrap_or_default().into_iter().collect(),
        }),
        root_directory: RootDirectory {
            path: root.as_ref().and_then(|root| root.path()).unwrap_or("/").to_owned(),
            creation: root.and_then(|root| root.creation_info).map(|creation| Creation {
                owner_uid: creation.owner_uid,
                owner_gid: creation.owner_gid,
                permissions: creation.permissions,
            }),
        },
    };
    let arn = one.access_point_arn.unwrap_or_else(|| arn(aws, &id));
    let good = &["available", "updating"];
    Ok(Live::new(id, spec).with_arn(arn).with_tags(tags).with_status(Status::by_word(
        &word,
        good,
        &["error"],
        &["deleting", "deleted"],
    )))
}

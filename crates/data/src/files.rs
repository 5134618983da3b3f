//! The shared files: a file system that is mounted through one access point, by TLS, with IAM.

use std::collections::BTreeSet;

use engine::vocabulary::{
    AccessPointArn, AccessPointId, FileSystemArn, FileSystemId, ForEfs, HostName, Isolated, KeyArn,
    SecurityGroupId, SubnetId,
};
use engine::{Deployed, Handle, Mistake, Policy, Ref, Result, Stack, StackName, Tags};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access_point::{AccessPoint, Creation, PosixUser, RootDirectory};
use crate::checks::Checks;
use crate::classification::Classification;
use crate::file_system::{FileSystem, Lifecycle, Throughput, dns_name};
use crate::mount_target::MountTarget;

/// Files, and what they rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesSpec {
    /// Where the file system is mounted: one subnet an availability zone.
    pub subnets: Vec<Ref<SubnetId<Isolated>>>,
    /// Who may reach it.
    pub security_group: Ref<SecurityGroupId>,
    /// The key that encrypts it.
    pub key: Ref<KeyArn<ForEfs>>,
    /// What an operator chooses.
    pub settings: FilesSettings,
}

/// What an operator chooses of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilesSettings {
    /// How throughput is granted.
    pub throughput: Throughput,
    /// When files move to cheaper storage. 0 days: never.
    pub lifecycle: Lifecycle,
    /// Whether AWS Backup backs it up daily, beside any plan of ours.
    pub backups: bool,
    /// The user id of whoever mounts. Not 0.
    pub uid: i64,
    /// The group id of whoever mounts. Not 0.
    pub gid: i64,
    /// The directory that is seen as the root.
    pub path: String,
    /// Its mode, in octal.
    pub permissions: String,
    /// What the file system says of the records in it.
    pub classification: Classification,
}

impl Default for FilesSettings {
    /// Elastic throughput, infrequent access after 30 days, daily backups, `/records` owned by 1000.
    fn default() -> Self {
        Self {
            throughput: Throughput::Elastic,
            lifecycle: Lifecycle { infrequent_access_after_days: Some(30), ..Lifecycle::default() },
            backups: true,
            uid: 1000,
            gid: 1000,
            path: "/records".into(),
            permissions: "0750".into(),
            classification: Classification::default(),
        }
    }
}

/// Declared files.
#[derive(Debug, Clone)]
pub struct Files {
    /// The file system's id.
    pub file_system: Ref<FileSystemId>,
    /// The file system's ARN.
    pub file_system_arn: Ref<FileSystemArn>,
    /// The file system's host name.
    pub dns_name: Ref<HostName>,
    /// The id of the access point, once it can be mounted.
    pub access_point: Ref<AccessPointId>,
    /// The access point's ARN.
    pub access_point_arn: Ref<AccessPointArn>,
    /// The mount targets. What mounts the file system comes after they are ready:
    /// `stack.order(&service, &mount_target.ready())`.
    pub mount_targets: Vec<Handle<MountTarget>>,
}

/// Files that can be mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilesOutputs {
    /// The file system's id.
    pub file_system_id: String,
    /// The file system's ARN.
    pub file_system_arn: String,
    /// The file system's host name.
    pub dns_name: String,
    /// The access point's id.
    pub access_point_id: String,
    /// The access point's ARN.
    pub access_point_arn: String,
}

impl Files {
    /// What the references stand for.
    ///
    /// # Errors
    /// When the files are not part of what was deployed.
    pub fn resolve(&self, deployed: &Deployed) -> Result<FilesOutputs> {
        Ok(FilesOutputs {
            file_system_id: deployed.resolve(&self.file_system)?,
            file_system_arn: deployed.resolve(&self.file_system_arn)?,
            dns_name: deployed.resolve(&self.dns_name)?,
            access_point_id: deployed.resolve(&self.access_point)?,
            access_point_arn: deployed.resolve(&self.access_point_arn)?,
        })
    }
}

/// Declares the file system (`data/files`), its mount targets (`data/mount-1`…) and its access point
/// (`data/access-point`).
pub fn declare(stack: &mut Stack, spec: &FilesSpec) -> Files {
    let settings = &spec.settings;
    let name = stack.name().of("files");
    let mut tags = settings.classification.tags();
    tags.insert("Name".into(), name.clone());
    let file_system = FileSystem {
        creation_token: name.clone(),
        encrypted: true,
        key: Some(spec.key.clone()),
        performance_mode: "generalPurpose".into(),
        throughput: settings.throughput,
        lifecycle: lifecycle(settings),
        policy: Some(guard()),
        backups: settings.backups,
    };
    let file_system = stack.add_tagged("data/files", file_system, tags);
    let mount_targets = spec.subnets.iter().enumerate().map(|(at, subnet)| {
        let mount_target = MountTarget {
            // Ready means that the policy is in place: before that, everybody may mount.
            file_system_id: file_system.ready().id(),
            subnet_id: subnet.clone(),
            security_groups: BTreeSet::from([spec.security_group.clone()]),
        };
        stack.add(format!("data/mount-{}", at + 1), mount_target)
    });
    let mount_targets = mount_targets.collect();
    let access_point = AccessPoint {
        file_system_id: file_system.ready().id(),
        posix_user: Some(PosixUser {
            uid: settings.uid,
            gid: settings.gid,
            secondary_gids: BTreeSet::new(),
        }),
        root_directory: RootDirectory {
            path: settings.path.clone(),
            creation: Some(Creation {
                owner_uid: settings.uid,
                owner_gid: settings.gid,
                permissions: settings.permissions.clone(),
            }),
        },
    };
    let named = Tags::from([("Name".into(), name)]);
    let access_point = stack.add_tagged("data/access-point", access_point, named);
    Files {
        file_system: file_system.id(),
        file_system_arn: file_system.arn(),
        dns_name: dns_name(&file_system),
        access_point: access_point.ready().id(),
        access_point_arn: access_point.arn(),
        mount_targets,
    }
}

/// The lifecycle that is meant: a choice that leaves a field out has its default, so "never" is a number, too.
fn lifecycle(settings: &FilesSettings) -> Lifecycle {
    let days = |days: Option<u16>| days.filter(|days| *days > 0);
    Lifecycle {
        infrequent_access_after_days: days(settings.lifecycle.infrequent_access_after_days),
        archive_after_days: days(settings.lifecycle.archive_after_days),
        ..settings.lifecycle
    }
}

/// What nobody may do, whatever IAM allows: come without TLS, come without an identity, come past an
/// access point, be root. Whom IAM allows the rest may do it.
fn guard() -> Policy {
    let client = json!([
        "elasticfilesystem:ClientMount",
        "elasticfilesystem:ClientWrite",
        "elasticfilesystem:ClientRootAccess",
    ]);
    let deny = |sid: &str, condition| {
        json!({
            "Sid": sid, "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": client,
            "Condition": condition,
        })
    };
    Policy::new(vec![
        deny("DenyPlainTransport", json!({"Bool": {"aws:SecureTransport": "false"}})),
        deny("DenyAnonymous", json!({"StringEquals": {"aws:PrincipalType": "Anonymous"}})),
        deny("DenyPastAccessPoint", json!({"Null": {"elasticfilesystem:AccessPointArn": "true"}})),
        json!({
            "Sid": "DenyRoot", "Effect": "Deny", "Principal": {"AWS": "*"},
            "Action": "elasticfilesystem:ClientRootAccess",
        }),
    ])
}

/// What AWS would refuse, or what would let somebody be root.
pub fn validate(name: &StackName, spec: &FilesSpec) -> Vec<Mistake> {
    const DAYS: &[u16] = &[1, 7, 14, 30, 60, 90, 180, 270, 365];
    let settings = &spec.settings;
    let mut problems = Checks::of("files");
    let name = name.of("files");
    let message = format!("{name} is longer than 64 characters");
    problems.unless(name.len() <= 64, "name", message);
    let message = "a file system without mount targets is of no use";
    problems.unless(!spec.subnets.is_empty(), "subnets", message);
    for (field, id) in [("uid", settings.uid), ("gid", settings.gid)] {
        let message = format!("{id} is not between 1 and 4294967295 (0 is root)");
        problems.unless((1..=4_294_967_295).contains(&id), field, message);
    }
    let message = format!("{} is not an absolute path of one to four directories", settings.path);
    problems.unless(is_directory(&settings.path), "path", message);
    let octal = settings.permissions.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let mode = octal && (3..=4).contains(&settings.permissions.len());
    let message = format!("{} is not a mode of three or four octal digits", settings.permissions);
    problems.unless(mode, "permissions", message);
    let Lifecycle { infrequent_access_after_days: ia, archive_after_days: archive, .. } =
        lifecycle(settings);
    for (field, days) in [("infrequent_access_after_days", ia), ("archive_after_days", archive)] {
        let known = days.is_none_or(|days| DAYS.contains(&days));
        let message = format!("{} is none of {DAYS:?}", days.unwrap_or_default());
        problems.unless(known, &format!("lifecycle.{field}"), message);
    }
    if let Some(archive) = archive {
        let ia = ia.unwrap_or_default();
        let message = format!("files are in infrequent access only after {ia} days");
        problems.unless(archive > ia, "lifecycle.archive_after_days", message);
        let elastic = settings.throughput == Throughput::Elastic;
        let message = "only a file system with elastic throughput has an archive";
        problems.unless(elastic, "throughput", message);
    }
    problems.found()
}

/// Whether AWS makes a directory of that path.
fn is_directory(path: &str) -> bool {
    path.len() <= 100
        && path.strip_prefix('/').is_some_and(|rest| {
            let parts: Vec<&str> = rest.split('/').collect();
            parts.len() <= 4 && parts.iter().all(|part| !matches!(*part, "" | "." | ".."))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_impossible_lifecycles_are_refused() {
        let name = StackName::new("student", "dev");
        let mut spec = FilesSpec {
            subnets: vec!["subnet-1".into()],
            security_group: "sg-1".into(),
            key: "k".into(),
            settings: FilesSettings::default(),
        };
        assert_eq!(validate(&name, &spec), []);
        spec.settings.lifecycle.infrequent_access_after_days = Some(0);
        assert_eq!(validate(&name, &spec), [], "never is a choice");
        spec.settings.lifecycle.infrequent_access_after_days = Some(30);
        spec.settings.uid = 0;
        spec.settings.path = "records".into();
        spec.settings.permissions = "rwx".into();
        spec.settings.throughput = Throughput::Bursting;
        spec.settings.lifecycle.archive_after_days = Some(14);
        let fields: Vec<_> =
            validate(&name, &spec).into_iter().map(|mistake| mistake.field).collect();
        let expected = ["uid", "path", "permissions", "lifecycle.archive_after_days", "throughput"];
        assert_eq!(fields, expected.map(|field| format!("files.{field}")));
    }
}

//! A file system with its access point and its mount targets, as EFS describes them.

use aws_sdk_efs::operation::describe_access_points::DescribeAccessPointsOutput;
use aws_sdk_efs::operation::describe_backup_policy::{
    DescribeBackupPolicyError, DescribeBackupPolicyOutput,
};
use aws_sdk_efs::operation::describe_file_system_policy::{
    DescribeFileSystemPolicyError, DescribeFileSystemPolicyOutput,
};
use aws_sdk_efs::operation::describe_file_systems::DescribeFileSystemsOutput;
use aws_sdk_efs::operation::describe_lifecycle_configuration::DescribeLifecycleConfigurationOutput;
use aws_sdk_efs::operation::describe_mount_target_security_groups::DescribeMountTargetSecurityGroupsOutput;
use aws_sdk_efs::operation::describe_mount_targets::DescribeMountTargetsOutput;
use aws_sdk_efs::types::builders::FileSystemDescriptionBuilder;
use aws_sdk_efs::types::error::PolicyNotFound;
use aws_sdk_efs::types::{
    AccessPointDescription, BackupPolicy, FileSystemDescription, FileSystemSize, LifeCycleState,
    MountTargetDescription, PerformanceMode, PosixUser, Status,
};
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_types::DateTime;

/// The ARN of the file system.
pub(crate) const FILE_SYSTEM: &str =
    "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-1";

/// What a file system's calls answer, details included.
pub(crate) struct FileSystem {
    /// Changes the file system.
    pub change: fn(FileSystemDescriptionBuilder) -> FileSystemDescriptionBuilder,
    /// Its policy.
    pub policy: Option<&'static str>,
    /// Whether automatic backups are on; `None` where they were never set.
    pub backups: Option<bool>,
}

impl Default for FileSystem {
    fn default() -> Self {
        Self { change: |it| it, policy: None, backups: None }
    }
}

/// One file system, `fs-1`, with a lifecycle of nothing.
pub(crate) fn file_system(of: FileSystem) -> Vec<Rule> {
    let FileSystem { change, policy, backups } = of;
    let described = move || {
        let described = FileSystemDescription::builder()
            .owner_id("123456789012")
            .creation_token("files")
            .file_system_id("fs-1")
            .file_system_arn(FILE_SYSTEM)
            .creation_time(DateTime::from_secs(0))
            .life_cycle_state(LifeCycleState::Available)
            .number_of_mount_targets(2)
            .size_in_bytes(FileSystemSize::builder().value(0).build())
            .performance_mode(PerformanceMode::GeneralPurpose)
            .set_tags(Some(Vec::new()));
        change(described).build().unwrap()
    };
    let missing = || PolicyNotFound::builder().error_code("PolicyNotFound").build();
    vec![
        mock!(aws_sdk_efs::Client::describe_file_systems).then_output(move || {
            DescribeFileSystemsOutput::builder().file_systems(described()).build()
        }),
        mock!(aws_sdk_efs::Client::describe_lifecycle_configuration)
            .then_output(|| DescribeLifecycleConfigurationOutput::builder().build()),
        match policy {
            Some(text) => {
                mock!(aws_sdk_efs::Client::describe_file_system_policy).then_output(move || {
                    DescribeFileSystemPolicyOutput::builder().policy(text).build()
                })
            }
            None => mock!(aws_sdk_efs::Client::describe_file_system_policy)
                .then_error(move || DescribeFileSystemPolicyError::PolicyNotFound(missing())),
        },
        match backups {
            Some(on) => mock!(aws_sdk_efs::Client::describe_backup_policy).then_output(move || {
                let status = if on { Status::Enabled } else { Status::Disabled };
                let policy = BackupPolicy::builder().status(status).build().unwrap();
                DescribeBackupPolicyOutput::builder().backup_policy(policy).build()
            }),
            None => mock!(aws_sdk_efs::Client::describe_backup_policy)
                .then_error(move || DescribeBackupPolicyError::PolicyNotFound(missing())),
        },
    ]
}

/// The access point `fsap-1` of `fs-1`, entered as this user id.
pub(crate) fn access_point(uid: Option<i64>) -> Rule {
    mock!(aws_sdk_efs::Client::describe_access_points).then_output(move || {
        let user = uid.map(|uid| PosixUser::builder().uid(uid).gid(1000).build().unwrap());
        let point = AccessPointDescription::builder()
            .access_point_id("fsap-1")
            .file_system_id("fs-1")
            .life_cycle_state(LifeCycleState::Available)
            .set_posix_user(user);
        DescribeAccessPointsOutput::builder().access_points(point.build()).build()
    })
}

/// Mount targets of `fs-1` in these subnets.
pub(crate) fn mount_targets(subnets: &'static [&'static str]) -> Vec<Rule> {
    let target = |subnet: &&str| {
        MountTargetDescription::builder()
            .mount_target_id(format!("fsmt-{subnet}"))
            .file_system_id("fs-1")
            .subnet_id(*subnet)
            .life_cycle_state(LifeCycleState::Available)
            .build()
            .unwrap()
    };
    vec![
        mock!(aws_sdk_efs::Client::describe_mount_targets).then_output(move || {
            let targets = subnets.iter().map(target).collect();
            DescribeMountTargetsOutput::builder().set_mount_targets(Some(targets)).build()
        }),
        mock!(aws_sdk_efs::Client::describe_mount_target_security_groups).then_output(|| {
            DescribeMountTargetSecurityGroupsOutput::builder()
                .security_groups("sg-1")
                .build()
                .unwrap()
        }),
    ]
}

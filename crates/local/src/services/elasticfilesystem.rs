//! EFS: file systems, mount targets, access points. Nothing can be mounted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use winterbaume_core::{MockResponse, extract_query_string, percent_decode};
use winterbaume_ec2_generated::model::GroupIdentifier;
use winterbaume_efs::{model, wire};

use super::ec2::interface;
use super::kms;
use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::policy::Document;

const FILE_SYSTEM: &str = "efs.file_system";
const MOUNT_TARGET: &str = "efs.mount_target";
const ACCESS_POINT: &str = "efs.access_point";
/// The tag that AWS itself sets while automatic backups are on.
const BACKUP_TAG: &str = "aws:elasticfilesystem:default-backup";
const DAYS: &[&str] = &[
    "AFTER_1_DAY",
    "AFTER_7_DAYS",
    "AFTER_14_DAYS",
    "AFTER_30_DAYS",
    "AFTER_60_DAYS",
    "AFTER_90_DAYS",
    "AFTER_180_DAYS",
    "AFTER_270_DAYS",
    "AFTER_365_DAYS",
];

/// What EFS holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By id.
    pub file_systems: BTreeMap<String, FileSystem>,
    /// By id.
    pub mount_targets: BTreeMap<String, MountTarget>,
    /// By id.
    pub access_points: BTreeMap<String, model::AccessPointDescription>,
}

/// A file system.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct FileSystem {
    /// Its attributes; the state is what it is until the file system is settled.
    pub description: model::FileSystemDescription,
    /// Its policy, as it was put.
    pub policy: Option<String>,
    /// Its lifecycle.
    pub lifecycle: Vec<model::LifecyclePolicy>,
    /// `ENABLED` or `DISABLED`, once anybody has said so.
    pub backup: Option<String>,
}

/// A mount target.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct MountTarget {
    /// Its attributes.
    pub description: model::MountTargetDescription,
    /// Its security groups.
    pub groups: Vec<String>,
}

/// A request, parsed by winterbaume's wire.
macro_rules! parse {
    ($call:expr, $parser:ident $(, $label:literal = $value:expr)?) => {
        wire::$parser($call.request, &[$(($label, $value))?], &$call.query())?
    };
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    settle(call);
    let segments = call.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = call.request.method.clone();
    let Some(("2015-02-01", path)) = segments.split_first().map(|(first, rest)| (*first, rest))
    else {
        return Err(Fault::unknown_operation("elasticfilesystem", &segments.join("/")));
    };
    match (method.as_str(), path) {
        ("POST", ["file-systems"]) => {
            create(call, parse!(call, deserialize_create_file_system_request))
        }
        ("GET", ["file-systems"]) => {
            list(call, parse!(call, deserialize_describe_file_systems_request))
        }
        ("PUT", ["file-systems", id]) => update(
            call,
            id,
            parse!(call, deserialize_update_file_system_request, "FileSystemId" = id),
        ),
        ("DELETE", ["file-systems", id]) => delete(call, id),
        (_, ["file-systems", id, part]) => detail(call, &method, id, part),
        ("POST", ["mount-targets"]) => {
            mount(call, parse!(call, deserialize_create_mount_target_request))
        }
        ("GET", ["mount-targets"]) => {
            mounts(call, parse!(call, deserialize_describe_mount_targets_request))
        }
        ("DELETE", ["mount-targets", id]) => {
            mounted(call, id)?;
            if let Some(target) = call.region().elasticfilesystem.mount_targets.get_mut(*id) {
                target.description.life_cycle_state = Some("deleting".into());
            }
            call.begin(&deletion(MOUNT_TARGET), id);
            settle(call);
            Ok(wire::serialize_delete_mount_target_response())
        }
        ("GET", ["mount-targets", id, "security-groups"]) => {
            let groups = mounted(call, id)?.groups.clone();
            Ok(wire::serialize_describe_mount_target_security_groups_response(
                &model::DescribeMountTargetSecurityGroupsResponse { security_groups: Some(groups) },
            ))
        }
        ("PUT", ["mount-targets", id, "security-groups"]) => {
            let input = parse!(
                call,
                deserialize_modify_mount_target_security_groups_request,
                "MountTargetId" = id
            );
            regroup(call, id, input.security_groups.unwrap_or_default())
        }
        ("POST", ["access-points"]) => {
            create_access_point(call, parse!(call, deserialize_create_access_point_request))
        }
        ("GET", ["access-points"]) => {
            access_points(call, parse!(call, deserialize_describe_access_points_request))
        }
        ("DELETE", ["access-points", id]) => {
            access_point(call, id)?;
            if let Some(point) = call.region().elasticfilesystem.access_points.get_mut(*id) {
                point.life_cycle_state = Some("deleting".into());
            }
            call.begin(&deletion(ACCESS_POINT), id);
            settle(call);
            Ok(wire::serialize_delete_access_point_response())
        }
        (_, ["resource-tags", id]) => tags(call, &method, id),
        ("GET", ["account-preferences"]) => {
            Ok(wire::serialize_describe_account_preferences_response(
                &model::DescribeAccountPreferencesResponse {
                    resource_id_preference: Some(model::ResourceIdPreference {
                        resource_id_type: Some("LONG_ID".into()),
                        resources: Some(vec!["FILE_SYSTEM".into(), "MOUNT_TARGET".into()]),
                    }),
                    next_token: None,
                },
            ))
        }
        (method, path) => Err(Fault::unknown_operation(
            "elasticfilesystem",
            &format!("{method} {}", path.join("/")),
        )),
    }
}

fn create(
    call: &mut Call<'_>,
    input: model::CreateFileSystemRequest,
) -> Result<MockResponse, Fault> {
    let token = input.creation_token;
    if token.is_empty() || token.len() > 64 {
        return Err(bad("CreationToken has 1 to 64 characters."));
    }
    let taken = held(call).and_then(|efs| {
        efs.file_systems
            .values()
            .find(|one| one.description.creation_token.as_ref() == Some(&token))
    });
    if let Some(taken) = taken {
        let id = taken.description.file_system_id.as_deref().unwrap_or_default();
        let message = format!("File system '{id}' already exists with creation token '{token}'");
        return Err(Fault::new("FileSystemAlreadyExists", message).status(409));
    }
    let encrypted = input.encrypted == Some(true);
    let key = match (encrypted, input.kms_key_id) {
        (false, Some(_)) => return Err(bad("If KmsKeyId is given, Encrypted must be true.")),
        (true, Some(key)) => {
            let arn = kms::require_usable(call, &key);
            Some(arn.map_err(|fault| bad(fault.message))?)
        }
        (true, None) => Some(call.arn("kms", "key/aws-elasticfilesystem")),
        (false, None) => None,
    };
    let performance = input.performance_mode.unwrap_or_else(|| "generalPurpose".into());
    if !matches!(performance.as_str(), "generalPurpose" | "maxIO") {
        return Err(bad(format!("{performance} is no performance mode.")));
    }
    let throughput = input.throughput_mode.unwrap_or_else(|| "bursting".into());
    check_throughput(&throughput, input.provisioned_throughput_in_mibps, &performance)?;
    let mut tags = input.tags.unwrap_or_default();
    check_tags(&tags)?;
    let backup = input.backup == Some(true);
    if backup {
        tags.push(model::Tag { key: BACKUP_TAG.into(), value: "enabled".into() });
    }
    let id = call.new_id("fs");
    let description = model::FileSystemDescription {
        file_system_arn: Some(call.arn("elasticfilesystem", &format!("file-system/{id}"))),
        file_system_id: Some(id.clone()),
        creation_token: Some(token),
        creation_time: Some(call.epoch()),
        owner_id: Some(call.account_id()),
        life_cycle_state: Some("creating".into()),
        name: name_in(&tags),
        tags: Some(tags),
        encrypted: Some(encrypted),
        kms_key_id: key,
        performance_mode: Some(performance),
        throughput_mode: Some(throughput),
        provisioned_throughput_in_mibps: input.provisioned_throughput_in_mibps,
        number_of_mount_targets: Some(0),
        // What an empty file system has.
        size_in_bytes: Some(model::FileSystemSize {
            value: Some(6144),
            value_in_i_a: Some(0),
            value_in_standard: Some(6144),
            value_in_archive: Some(0),
            timestamp: None,
        }),
        file_system_protection: Some(model::FileSystemProtectionDescription {
            replication_overwrite_protection: Some("ENABLED".into()),
        }),
        availability_zone_id: None,
        availability_zone_name: None,
    };
    let made = FileSystem {
        description: description.clone(),
        backup: backup.then(|| "ENABLED".into()),
        ..FileSystem::default()
    };
    call.region().elasticfilesystem.file_systems.insert(id.clone(), made);
    call.begin(FILE_SYSTEM, &id);
    settle(call);
    Ok(wire::serialize_create_file_system_response(&description))
}

fn check_throughput(mode: &str, mibps: Option<f64>, performance: &str) -> Result<(), Fault> {
    match (mode, mibps) {
        ("provisioned", Some(mibps)) if mibps >= 1.0 => Ok(()),
        ("provisioned", _) => Err(bad("Provisioned throughput needs at least 1 MiB per second.")),
        ("bursting" | "elastic", Some(_)) => {
            Err(bad("ProvisionedThroughputInMibps is for the provisioned mode only."))
        }
        ("elastic", None) if performance == "maxIO" => {
            Err(bad("Elastic throughput does not go with the maxIO performance mode."))
        }
        ("bursting" | "elastic", None) => Ok(()),
        (other, _) => Err(bad(format!("{other} is no throughput mode."))),
    }
}

fn list(call: &Call<'_>, input: model::DescribeFileSystemsRequest) -> Result<MockResponse, Fault> {
    if input.file_system_id.is_some() && input.creation_token.is_some() {
        return Err(bad("Request cannot contain both a file system ID and a creation token."));
    }
    let all: Vec<model::FileSystemDescription> =
        match (&input.file_system_id, &input.creation_token) {
            (Some(id), _) => vec![find(call, id)?.description.clone()],
            (None, token) => file_systems(call)
                .filter(|one| token.is_none() || one.description.creation_token == *token)
                .map(|one| one.description.clone())
                .collect(),
        };
    let limit = limit(input.max_items);
    let (found, next) = page(all, input.marker.as_deref(), limit).ok_or_else(bad_marker)?;
    Ok(wire::serialize_describe_file_systems_response(&model::DescribeFileSystemsResponse {
        file_systems: Some(found),
        marker: input.marker,
        next_marker: next,
    }))
}

fn update(
    call: &mut Call<'_>,
    id: &str,
    input: model::UpdateFileSystemRequest,
) -> Result<MockResponse, Fault> {
    let now = &available(call, id)?.description;
    let performance = now.performance_mode.clone().unwrap_or_default();
    let mode = input.throughput_mode.or_else(|| now.throughput_mode.clone()).unwrap_or_default();
    check_throughput(&mode, input.provisioned_throughput_in_mibps, &performance)?;
    if let Some(file_system) = call.region().elasticfilesystem.file_systems.get_mut(id) {
        let description = &mut file_system.description;
        description.throughput_mode = Some(mode);
        description.provisioned_throughput_in_mibps = input.provisioned_throughput_in_mibps;
        description.life_cycle_state = Some("updating".into());
    }
    call.begin("efs.file_system.change", id);
    settle(call);
    Ok(wire::serialize_update_file_system_response(&find(call, id)?.description))
}

fn delete(call: &mut Call<'_>, id: &str) -> Result<MockResponse, Fault> {
    find(call, id)?;
    if targets(call).any(|one| one.description.file_system_id.as_deref() == Some(id)) {
        let message = format!("The file system '{id}' has mount targets");
        return Err(Fault::new("FileSystemInUse", message).status(409));
    }
    if let Some(file_system) = call.region().elasticfilesystem.file_systems.get_mut(id) {
        file_system.description.life_cycle_state = Some("deleting".into());
    }
    call.begin(&deletion(FILE_SYSTEM), id);
    settle(call);
    Ok(wire::serialize_delete_file_system_response())
}

/// What is set beside a file system's attributes.
fn detail(call: &mut Call<'_>, method: &str, id: &str, part: &str) -> Result<MockResponse, Fault> {
    let file_system = if method == "GET" { find(call, id)? } else { available(call, id)? };
    let none = || Fault::new("PolicyNotFound", "None").status(404);
    match (method, part) {
        ("GET", "policy") => {
            let policy = file_system.policy.clone().ok_or_else(none)?;
            Ok(wire::serialize_describe_file_system_policy_response(
                &model::FileSystemPolicyDescription {
                    file_system_id: Some(id.to_owned()),
                    policy: Some(policy),
                },
            ))
        }
        ("PUT", "policy") => {
            let arn = file_system.description.file_system_arn.clone().unwrap_or_default();
            let input =
                parse!(call, deserialize_put_file_system_policy_request, "FileSystemId" = id);
            check_policy(&input.policy, &arn)?;
            if let Some(one) = call.region().elasticfilesystem.file_systems.get_mut(id) {
                one.policy = Some(input.policy.clone());
            }
            Ok(wire::serialize_put_file_system_policy_response(
                &model::FileSystemPolicyDescription {
                    file_system_id: Some(id.to_owned()),
                    policy: Some(input.policy),
                },
            ))
        }
        ("DELETE", "policy") => {
            if let Some(one) = call.region().elasticfilesystem.file_systems.get_mut(id) {
                one.policy = None;
            }
            Ok(wire::serialize_delete_file_system_policy_response())
        }
        ("GET", "lifecycle-configuration") => {
            let rules = file_system.lifecycle.clone();
            Ok(wire::serialize_describe_lifecycle_configuration_response(
                &model::LifecycleConfigurationDescription { lifecycle_policies: Some(rules) },
            ))
        }
        ("PUT", "lifecycle-configuration") => {
            let elastic = file_system.description.throughput_mode.as_deref() == Some("elastic");
            let input =
                parse!(call, deserialize_put_lifecycle_configuration_request, "FileSystemId" = id);
            let rules = input.lifecycle_policies;
            check_lifecycle(&rules, elastic)?;
            if let Some(one) = call.region().elasticfilesystem.file_systems.get_mut(id) {
                one.lifecycle = rules.clone();
            }
            Ok(wire::serialize_put_lifecycle_configuration_response(
                &model::LifecycleConfigurationDescription { lifecycle_policies: Some(rules) },
            ))
        }
        ("GET", "backup-policy") => {
            let status = file_system.backup.clone().ok_or_else(none)?;
            Ok(wire::serialize_describe_backup_policy_response(&backup_policy(status)))
        }
        ("PUT", "backup-policy") => {
            let input = parse!(call, deserialize_put_backup_policy_request, "FileSystemId" = id);
            let status = input.backup_policy.status;
            if !matches!(status.as_str(), "ENABLED" | "DISABLED") {
                return Err(invalid(format!("{status} is no status of a backup policy.")));
            }
            if let Some(one) = call.region().elasticfilesystem.file_systems.get_mut(id) {
                let tags = one.description.tags.get_or_insert_default();
                tags.retain(|tag| tag.key != BACKUP_TAG);
                if status == "ENABLED" {
                    tags.push(model::Tag { key: BACKUP_TAG.into(), value: "enabled".into() });
                }
                one.backup = Some(status.clone());
            }
            Ok(wire::serialize_put_backup_policy_response(&backup_policy(status)))
        }
        (method, part) => Err(Fault::unknown_operation(
            "elasticfilesystem",
            &format!("{method} file-systems/{{id}}/{part}"),
        )),
    }
}

fn backup_policy(status: String) -> model::BackupPolicyDescription {
    model::BackupPolicyDescription { backup_policy: Some(model::BackupPolicy { status }) }
}

/// A file-system policy speaks of actions on this file system.
fn check_policy(text: &str, arn: &str) -> Result<(), Fault> {
    let malformed = |why: String| Fault::new("InvalidPolicyException", why);
    Document::parse(text).map_err(malformed)?;
    let document: serde_json::Value =
        serde_json::from_str(text).map_err(|why| malformed(why.to_string()))?;
    let statements = match &document["Statement"] {
        serde_json::Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    for statement in statements {
        if statement["Principal"].is_null() && statement["NotPrincipal"].is_null() {
            return Err(malformed("Missing required field Principal".into()));
        }
        let resources = match &statement["Resource"] {
            serde_json::Value::Array(list) => list.iter().collect(),
            serde_json::Value::Null => Vec::new(),
            one => vec![one],
        };
        if resources.iter().any(|resource| *resource != arn && *resource != "*") {
            return Err(malformed(
                "Policy contains a resource that is not this file system".into(),
            ));
        }
    }
    Ok(())
}

fn check_lifecycle(rules: &[model::LifecyclePolicy], elastic: bool) -> Result<(), Fault> {
    for rule in rules {
        let transitions = [
            &rule.transition_to_i_a,
            &rule.transition_to_archive,
            &rule.transition_to_primary_storage_class,
        ];
        if transitions.iter().filter(|one| one.is_some()).count() != 1 {
            return Err(bad("Each LifecyclePolicy object must have exactly one transition."));
        }
        let days = rule.transition_to_i_a.iter().chain(&rule.transition_to_archive);
        if let Some(unknown) = days.into_iter().find(|days| !DAYS.contains(&days.as_str())) {
            return Err(bad(format!("{unknown} is no transition.")));
        }
        if rule
            .transition_to_primary_storage_class
            .as_deref()
            .is_some_and(|one| one != "AFTER_1_ACCESS")
        {
            return Err(bad("TransitionToPrimaryStorageClass must be AFTER_1_ACCESS."));
        }
        if rule.transition_to_archive.is_some() && !elastic {
            return Err(bad("TransitionToArchive needs elastic throughput."));
        }
    }
    Ok(())
}

fn mount(
    call: &mut Call<'_>,
    input: model::CreateMountTargetRequest,
) -> Result<MockResponse, Fault> {
    let (file_system, subnet) = (input.file_system_id, input.subnet_id);
    available(call, &file_system)?;
    let place = call
        .region_if_any(call.region_name)
        .and_then(|region| region.ec2.subnets.get(&subnet))
        .cloned()
        .ok_or_else(|| {
            Fault::new("SubnetNotFound", format!("The subnet ID '{subnet}' does not exist"))
        })?;
    let conflict = |message: &str| Fault::new("MountTargetConflict", message).status(409);
    for other in
        targets(call).filter(|one| one.description.file_system_id.as_ref() == Some(&file_system))
    {
        if other.description.vpc_id != place.vpc_id {
            return Err(conflict(
                "requested subnet for new mount target is not in the same VPC as existing mount targets",
            ));
        }
        if other.description.availability_zone_name == place.availability_zone {
            return Err(conflict("mount target already exists in this AZ"));
        }
    }
    let mut groups = input.security_groups.unwrap_or_default();
    if groups.is_empty() {
        groups =
            default_group(call, place.vpc_id.as_deref().unwrap_or_default()).into_iter().collect();
    }
    few_groups(&groups)?;
    let id = call.new_id("fsmt");
    let about = format!("EFS mount target for {file_system} ({id})");
    let placed = interface::place(call, &subnet, &groups, "efs", &about).map_err(|fault| {
        match fault.code.as_str() {
            "InvalidGroup.NotFound" => Fault::new("SecurityGroupNotFound", fault.message),
            "InvalidSubnetID.NotFound" => Fault::new("SubnetNotFound", fault.message),
            _ => Fault::new("NoFreeAddressesInSubnet", fault.message).status(409),
        }
    })?;
    let description = model::MountTargetDescription {
        mount_target_id: Some(id.clone()),
        file_system_id: Some(file_system.clone()),
        subnet_id: Some(subnet),
        life_cycle_state: Some("creating".into()),
        ip_address: placed.private_ip_address,
        network_interface_id: placed.network_interface_id,
        availability_zone_id: place.availability_zone_id,
        availability_zone_name: place.availability_zone,
        vpc_id: place.vpc_id,
        owner_id: Some(call.account_id()),
        ..Default::default()
    };
    let made = MountTarget { description: description.clone(), groups };
    call.region().elasticfilesystem.mount_targets.insert(id.clone(), made);
    count(call, &file_system);
    call.begin(MOUNT_TARGET, &id);
    settle(call);
    Ok(wire::serialize_create_mount_target_response(&description))
}

fn few_groups(groups: &[String]) -> Result<(), Fault> {
    if groups.len() <= 5 {
        return Ok(());
    }
    let message = "The maximum number of security groups per interface has been reached.";
    Err(Fault::new("SecurityGroupLimitExceeded", message))
}

fn default_group(call: &Call<'_>, vpc: &str) -> Option<String> {
    let region = call.region_if_any(call.region_name)?;
    let group = region.ec2.security_groups.values().find(|group| {
        group.vpc_id.as_deref() == Some(vpc) && group.group_name.as_deref() == Some("default")
    });
    group?.group_id.clone()
}

fn mounts(
    call: &Call<'_>,
    input: model::DescribeMountTargetsRequest,
) -> Result<MockResponse, Fault> {
    let of = |file_system: &str| -> Vec<model::MountTargetDescription> {
        targets(call)
            .filter(|one| one.description.file_system_id.as_deref() == Some(file_system))
            .map(|one| one.description.clone())
            .collect()
    };
    let all = match (&input.file_system_id, &input.mount_target_id, &input.access_point_id) {
        (Some(id), None, None) => {
            find(call, id)?;
            of(id)
        }
        (None, Some(id), None) => vec![mounted(call, id)?.description.clone()],
        (None, None, Some(id)) => {
            of(access_point(call, id)?.file_system_id.as_deref().unwrap_or_default())
        }
        _ => return Err(bad("Must specify exactly one mutually exclusive parameter.")),
    };
    let limit = limit(input.max_items);
    let (found, next) = page(all, input.marker.as_deref(), limit).ok_or_else(bad_marker)?;
    Ok(wire::serialize_describe_mount_targets_response(&model::DescribeMountTargetsResponse {
        mount_targets: Some(found),
        marker: input.marker,
        next_marker: next,
    }))
}

fn regroup(call: &mut Call<'_>, id: &str, groups: Vec<String>) -> Result<MockResponse, Fault> {
    let target = mounted(call, id)?.description.clone();
    if target.life_cycle_state.as_deref() != Some("available") {
        let message = format!("The mount target '{id}' is not available");
        return Err(Fault::new("IncorrectMountTargetState", message).status(409));
    }
    few_groups(&groups)?;
    let mut members = Vec::new();
    for group in &groups {
        let found = call
            .region_if_any(call.region_name)
            .and_then(|region| region.ec2.security_groups.get(group))
            .filter(|found| found.vpc_id == target.vpc_id)
            .ok_or_else(|| {
                let message = format!("The security group '{group}' does not exist");
                Fault::new("SecurityGroupNotFound", message)
            })?;
        members.push(GroupIdentifier {
            group_id: found.group_id.clone(),
            group_name: found.group_name.clone(),
        });
    }
    let interface = target.network_interface_id.unwrap_or_default();
    if let Some(interface) = call.region().ec2.network_interfaces.get_mut(&interface) {
        interface.groups = Some(members.into());
    }
    if let Some(target) = call.region().elasticfilesystem.mount_targets.get_mut(id) {
        target.groups = groups;
    }
    Ok(wire::serialize_modify_mount_target_security_groups_response())
}

fn create_access_point(
    call: &mut Call<'_>,
    input: model::CreateAccessPointRequest,
) -> Result<MockResponse, Fault> {
    available(call, &input.file_system_id)?;
    let taken = points(call).find(|point| point.client_token.as_ref() == Some(&input.client_token));
    if let Some(point) = taken {
        let id = point.access_point_id.as_deref().unwrap_or_default();
        let message = format!("Access point '{id}' already exists with the client token");
        return Err(Fault::new("AccessPointAlreadyExists", message).status(409));
    }
    let tags = input.tags.unwrap_or_default();
    check_tags(&tags)?;
    let root = input.root_directory.unwrap_or_default();
    let path = root.path.clone().unwrap_or_else(|| "/".into());
    if !path.starts_with('/') || path.len() > 100 || (path.len() > 1 && path.ends_with('/')) {
        return Err(bad(format!("{path} is not a path of a root directory.")));
    }
    if let Some(creation) = &root.creation_info {
        let octal = creation.permissions.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        if !octal || !(3..=4).contains(&creation.permissions.len()) {
            return Err(bad("Permissions must be three or four octal digits."));
        }
    }
    let id = call.new_id("fsap");
    let description = model::AccessPointDescription {
        access_point_arn: Some(call.arn("elasticfilesystem", &format!("access-point/{id}"))),
        access_point_id: Some(id.clone()),
        client_token: Some(input.client_token),
        file_system_id: Some(input.file_system_id),
        life_cycle_state: Some("creating".into()),
        name: name_in(&tags),
        owner_id: Some(call.account_id()),
        posix_user: input.posix_user,
        root_directory: Some(model::RootDirectory { path: Some(path), ..root }),
        tags: Some(tags),
    };
    call.region().elasticfilesystem.access_points.insert(id.clone(), description.clone());
    call.begin(ACCESS_POINT, &id);
    settle(call);
    Ok(wire::serialize_create_access_point_response(&description))
}

fn access_points(
    call: &Call<'_>,
    input: model::DescribeAccessPointsRequest,
) -> Result<MockResponse, Fault> {
    let all: Vec<model::AccessPointDescription> =
        match (&input.access_point_id, &input.file_system_id) {
            (Some(id), None) => vec![access_point(call, id)?.clone()],
            (None, Some(id)) => {
                find(call, id)?;
                points(call)
                    .filter(|one| one.file_system_id.as_ref() == Some(id))
                    .cloned()
                    .collect()
            }
            (None, None) => points(call).cloned().collect(),
            _ => return Err(bad("AccessPointId and FileSystemId are mutually exclusive.")),
        };
    let limit = limit(input.max_results);
    let (found, next) = page(all, input.next_token.as_deref(), limit).ok_or_else(bad_marker)?;
    Ok(wire::serialize_describe_access_points_response(&model::DescribeAccessPointsResponse {
        access_points: Some(found),
        next_token: next,
    }))
}

fn tags(call: &mut Call<'_>, method: &str, resource: &str) -> Result<MockResponse, Fault> {
    // A resource is named by its id or its ARN.
    let id = resource.rsplit('/').next().unwrap_or(resource).to_owned();
    let current = if id.starts_with("fsap-") {
        access_point(call, &id)?.tags.clone()
    } else {
        find(call, &id)?.description.tags.clone()
    };
    let mut tags = current.unwrap_or_default();
    match method {
        "GET" => {
            let answer = model::ListTagsForResourceResponse { tags: Some(tags), next_token: None };
            return Ok(wire::serialize_list_tags_for_resource_response(&answer));
        }
        "POST" => {
            let input = parse!(call, deserialize_tag_resource_request, "ResourceId" = resource);
            check_tags(&input.tags)?;
            tags.retain(|old| !input.tags.iter().any(|new| new.key == old.key));
            tags.extend(input.tags);
        }
        "DELETE" => {
            // The keys come as one parameter each, of which winterbaume's parser keeps the last.
            let query = extract_query_string(&call.request.uri);
            let keys = query.split('&').filter_map(|pair| pair.strip_prefix("tagKeys="));
            let keys: Vec<String> = keys.map(percent_decode).collect();
            tags.retain(|tag| !keys.contains(&tag.key));
        }
        other => {
            return Err(Fault::unknown_operation(
                "elasticfilesystem",
                &format!("{other} resource-tags"),
            ));
        }
    }
    let efs = &mut call.region().elasticfilesystem;
    if let Some(point) = efs.access_points.get_mut(&id) {
        point.name = name_in(&tags);
        point.tags = Some(tags);
    } else if let Some(file_system) = efs.file_systems.get_mut(&id) {
        file_system.description.name = name_in(&tags);
        file_system.description.tags = Some(tags);
    }
    Ok(if method == "POST" {
        wire::serialize_tag_resource_response()
    } else {
        wire::serialize_untag_resource_response()
    })
}

fn check_tags(tags: &[model::Tag]) -> Result<(), Fault> {
    if tags.len() > 50 {
        return Err(bad("A resource has at most 50 tags."));
    }
    match tags.iter().find(|tag| tag.key.is_empty() || tag.key.starts_with("aws:")) {
        Some(tag) => Err(bad(format!("The tag key '{}' is not allowed.", tag.key))),
        None => Ok(()),
    }
}

fn name_in(tags: &[model::Tag]) -> Option<String> {
    tags.iter().find(|tag| tag.key == "Name").map(|tag| tag.value.clone())
}

/// Which time has to be over: that of a creation, a change or a deletion.
fn timer(kind: &str, state: &Option<String>) -> String {
    match state.as_deref() {
        Some("deleting") => deletion(kind),
        Some("updating") => format!("{kind}.change"),
        _ => kind.to_owned(),
    }
}

fn deletion(kind: &str) -> String {
    format!("{kind}.deletion")
}

/// Lets time do its work.
fn settle(call: &mut Call<'_>) {
    let Some(efs) = held(call) else { return };
    let due = |kind: &str, id: &String, state: &Option<String>| {
        (state.as_deref() != Some("available")).then(|| (id.clone(), timer(kind, state)))
    };
    let file_systems: Vec<_> = efs
        .file_systems
        .iter()
        .filter_map(|(id, one)| due(FILE_SYSTEM, id, &one.description.life_cycle_state))
        .collect();
    let targets: Vec<_> = efs
        .mount_targets
        .iter()
        .filter_map(|(id, one)| due(MOUNT_TARGET, id, &one.description.life_cycle_state))
        .collect();
    let points: Vec<_> = efs
        .access_points
        .iter()
        .filter_map(|(id, one)| due(ACCESS_POINT, id, &one.life_cycle_state))
        .collect();
    for (id, timer) in &file_systems {
        if !call.is_ready(timer, id) {
            continue;
        }
        let efs = &mut call.region().elasticfilesystem;
        let Some(one) = efs.file_systems.get_mut(id) else { continue };
        if one.description.life_cycle_state.as_deref() == Some("deleting") {
            efs.file_systems.remove(id);
            // They go with it.
            efs.access_points.retain(|_, point| point.file_system_id.as_ref() != Some(id));
        } else {
            one.description.life_cycle_state = Some("available".into());
        }
    }
    for (id, timer) in &targets {
        if !call.is_ready(timer, id) {
            continue;
        }
        let targets = &mut call.region().elasticfilesystem.mount_targets;
        let Some(one) = targets.get_mut(id) else { continue };
        if one.description.life_cycle_state.as_deref() != Some("deleting") {
            one.description.life_cycle_state = Some("available".into());
            continue;
        }
        if let Some(gone) = targets.remove(id) {
            let interface = gone.description.network_interface_id.into_iter().collect::<Vec<_>>();
            interface::remove(call, &interface);
            count(call, gone.description.file_system_id.as_deref().unwrap_or_default());
        }
    }
    for (id, timer) in &points {
        if !call.is_ready(timer, id) {
            continue;
        }
        let points = &mut call.region().elasticfilesystem.access_points;
        let Some(one) = points.get_mut(id) else { continue };
        if one.life_cycle_state.as_deref() == Some("deleting") {
            points.remove(id);
        } else {
            one.life_cycle_state = Some("available".into());
        }
    }
}

/// Notes how many mount targets a file system has.
fn count(call: &mut Call<'_>, file_system: &str) {
    let of =
        targets(call).filter(|one| one.description.file_system_id.as_deref() == Some(file_system));
    let number = i32::try_from(of.count()).ok();
    if let Some(one) = call.region().elasticfilesystem.file_systems.get_mut(file_system) {
        one.description.number_of_mount_targets = number;
    }
}

fn held<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.account.region_if_any(call.region_name).map(|region| &*region.elasticfilesystem)
}

fn file_systems<'a>(call: &'a Call<'_>) -> impl Iterator<Item = &'a FileSystem> {
    held(call).into_iter().flat_map(|efs| efs.file_systems.values())
}

fn targets<'a>(call: &'a Call<'_>) -> impl Iterator<Item = &'a MountTarget> {
    held(call).into_iter().flat_map(|efs| efs.mount_targets.values())
}

fn points<'a>(call: &'a Call<'_>) -> impl Iterator<Item = &'a model::AccessPointDescription> {
    held(call).into_iter().flat_map(|efs| efs.access_points.values())
}

fn find<'a>(call: &'a Call<'_>, id: &str) -> Result<&'a FileSystem, Fault> {
    held(call).and_then(|efs| efs.file_systems.get(id)).ok_or_else(|| {
        Fault::new("FileSystemNotFound", format!("File system '{id}' does not exist.")).status(404)
    })
}

fn available<'a>(call: &'a Call<'_>, id: &str) -> Result<&'a FileSystem, Fault> {
    let found = find(call, id)?;
    match found.description.life_cycle_state.as_deref() {
        Some("available") => Ok(found),
        state => {
            let state = state.unwrap_or_default();
            let message = format!("File system '{id}' is not available, but {state}");
            Err(Fault::new("IncorrectFileSystemLifeCycleState", message).status(409))
        }
    }
}

fn mounted<'a>(call: &'a Call<'_>, id: &str) -> Result<&'a MountTarget, Fault> {
    held(call).and_then(|efs| efs.mount_targets.get(id)).ok_or_else(|| {
        Fault::new("MountTargetNotFound", format!("Mount target '{id}' does not exist."))
            .status(404)
    })
}

fn access_point<'a>(
    call: &'a Call<'_>,
    id: &str,
) -> Result<&'a model::AccessPointDescription, Fault> {
    held(call).and_then(|efs| efs.access_points.get(id)).ok_or_else(|| {
        Fault::new("AccessPointNotFound", format!("Access point '{id}' does not exist."))
            .status(404)
    })
}

fn limit(asked: Option<i32>) -> usize {
    asked.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100).clamp(1, 100)
}

fn bad(message: impl Into<String>) -> Fault {
    Fault::new("BadRequest", message)
}

fn bad_marker() -> Fault {
    bad("Invalid Marker")
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}

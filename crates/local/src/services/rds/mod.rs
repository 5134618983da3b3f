//! RDS: Aurora PostgreSQL clusters, their instances, subnet and parameter groups. No data.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use winterbaume_core::MockResponse;
use winterbaume_rds::{model, wire};

use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;

mod cluster;
mod instance;
mod parameter_group;
mod subnet_group;

type Form = HashMap<String, String>;
type Answer = Result<MockResponse, Fault>;

/// The most that a page holds.
const PAGE: i32 = 100;

/// The versions that can be made: engine, major version, parameter group family, minor versions. The
/// last minor version is the default of its major one, the last major one the default of the engine.
const VERSIONS: &[(&str, &str, &str, &[&str])] = &[
    ("aurora-postgresql", "14", "aurora-postgresql14", &["14.18", "14.19"]),
    ("aurora-postgresql", "15", "aurora-postgresql15", &["15.13", "15.14"]),
    ("aurora-postgresql", "16", "aurora-postgresql16", &["16.6", "16.8", "16.9", "16.10"]),
    ("aurora-postgresql", "17", "aurora-postgresql17", &["17.4", "17.5", "17.6"]),
    ("postgres", "16", "postgres16", &["16.9", "16.10"]),
    ("postgres", "17", "postgres17", &["17.5", "17.6"]),
];

/// What RDS holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// By identifier. Passwords are checked and forgotten.
    pub clusters: BTreeMap<String, model::DBCluster>,
    /// By identifier.
    pub instances: BTreeMap<String, model::DBInstance>,
    /// By name.
    pub subnet_groups: BTreeMap<String, model::DBSubnetGroup>,
    /// Cluster parameter groups, by name.
    pub parameter_groups: BTreeMap<String, ParameterGroup>,
    /// By identifier.
    pub cluster_snapshots: BTreeMap<String, model::DBClusterSnapshot>,
    /// The instances that have to restart for the values of their cluster's parameter group to hold.
    pub restart_pending: BTreeSet<String>,
    /// By the ARN of what they are on.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// A cluster parameter group.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct ParameterGroup {
    /// Its attributes.
    pub group: model::DBClusterParameterGroup,
    /// What somebody has set, by name.
    pub own: BTreeMap<String, model::Parameter>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let form = call.form();
    let form = &form;
    bury(call);
    match form.get("Action").map_or("", String::as_str) {
        "CreateDBSubnetGroup" => subnet_group::create(call, form),
        "DescribeDBSubnetGroups" => subnet_group::describe(call, form),
        "ModifyDBSubnetGroup" => subnet_group::modify(call, form),
        "DeleteDBSubnetGroup" => subnet_group::delete(call, form),
        "CreateDBClusterParameterGroup" => parameter_group::create(call, form),
        "DescribeDBClusterParameterGroups" => parameter_group::describe(call, form),
        "DescribeDBClusterParameters" => parameter_group::describe_parameters(call, form),
        "ModifyDBClusterParameterGroup" => parameter_group::modify(call, form),
        "ResetDBClusterParameterGroup" => parameter_group::reset(call, form),
        "DeleteDBClusterParameterGroup" => parameter_group::delete(call, form),
        "CreateDBCluster" => cluster::create(call, form),
        "DescribeDBClusters" => cluster::describe(call, form),
        "ModifyDBCluster" => cluster::modify(call, form),
        "DeleteDBCluster" => cluster::delete(call, form),
        "StopDBCluster" => cluster::stop(call, form),
        "StartDBCluster" => cluster::start(call, form),
        "DescribeDBClusterSnapshots" => cluster::describe_snapshots(call, form),
        "DescribeDBClusterSnapshotAttributes" => cluster::describe_snapshot_attributes(call, form),
        "CreateDBInstance" => instance::create(call, form),
        "DescribeDBInstances" => instance::describe(call, form),
        "ModifyDBInstance" => instance::modify(call, form),
        "DeleteDBInstance" => instance::delete(call, form),
        "RebootDBInstance" => instance::reboot(call, form),
        "DescribeDBSnapshots" => {
            Ok(wire::serialize_describe_d_b_snapshots_response(&model::DBSnapshotMessage {
                d_b_snapshots: Some(Vec::new().into()),
                marker: None,
            }))
        }
        // Only the default groups of the engines, which no listing here shows.
        "DescribeDBParameterGroups" => Ok(wire::serialize_describe_d_b_parameter_groups_response(
            &model::DBParameterGroupsMessage {
                d_b_parameter_groups: Some(Vec::new().into()),
                marker: None,
            },
        )),
        "DescribeDBEngineVersions" => describe_versions(form),
        "ListTagsForResource" => list_tags(call, form),
        "AddTagsToResource" => add_tags(call, form),
        "RemoveTagsFromResource" => remove_tags(call, form),
        other => Err(Fault::unknown_operation("rds", other)),
    }
}

/// Removes what was being deleted and is gone by now.
fn bury(call: &mut Call<'_>) {
    let rds = &call.region().rds;
    let leaving = |status: &Option<String>| status.as_deref() == Some("deleting");
    let instances: Vec<String> = rds
        .instances
        .iter()
        .filter(|(_, one)| leaving(&one.d_b_instance_status))
        .map(|(id, _)| id.clone())
        .collect();
    let clusters: Vec<String> = rds
        .clusters
        .iter()
        .filter(|(_, one)| leaving(&one.status))
        .map(|(id, _)| id.clone())
        .collect();
    for id in instances {
        if call.is_ready("rds.instance.deletion", &id) {
            let rds = &mut *call.region().rds;
            let arn = rds.instances.remove(&id).and_then(|gone| gone.d_b_instance_arn);
            rds.restart_pending.remove(&id);
            rds.tags.remove(&arn.unwrap_or_default());
        }
    }
    for id in clusters {
        let empty = members(&call.region().rds, &id).is_empty();
        if empty && call.is_ready("rds.cluster.deletion", &id) {
            let rds = &mut *call.region().rds;
            let arn = rds.clusters.remove(&id).and_then(|gone| gone.d_b_cluster_arn);
            rds.tags.remove(&arn.unwrap_or_default());
        }
    }
}

/// The instances of a cluster, those on their way out included.
fn members(rds: &State, cluster: &str) -> Vec<String> {
    let of = |one: &model::DBInstance| one.d_b_cluster_identifier.as_deref() == Some(cluster);
    rds.instances.iter().filter(|(_, one)| of(one)).map(|(id, _)| id.clone()).collect()
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValue", message)
}

fn combination(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterCombination", message)
}

fn missing(code: &str, message: impl Into<String>) -> Fault {
    Fault::new(code, message).status(404)
}

/// Names of clusters and instances.
fn require_identifier(what: &str, name: &str) -> Result<(), Fault> {
    let good = name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.ends_with('-')
        && !name.contains("--");
    if good {
        return Ok(());
    }
    Err(invalid(format!(
        "The parameter {what} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
    )))
}

/// Names of groups.
fn require_group_name(what: &str, name: &str) -> Result<(), Fault> {
    let good = !name.is_empty()
        && name.len() <= 255
        && name.chars().all(|c| c.is_ascii_alphanumeric() || " ._-".contains(c));
    if good {
        return Ok(());
    }
    Err(invalid(format!(
        "The parameter {what} is not a valid identifier. Only alphanumeric characters, spaces, underscores, hyphens and periods are allowed."
    )))
}

/// A version in full, and its family, from what was asked for.
fn version(engine: &str, asked: Option<&str>) -> Result<(&'static str, &'static str), Fault> {
    let of_engine = || VERSIONS.iter().filter(|(name, ..)| *name == engine);
    let last = |minors: &'static [&'static str]| minors[minors.len() - 1];
    if of_engine().next().is_none() {
        return Err(invalid(format!("Invalid DB engine: {engine}")));
    }
    let found = match asked {
        None => of_engine().next_back().map(|(_, _, family, minors)| (last(minors), *family)),
        Some(asked) => of_engine().find_map(|(_, major, family, minors)| {
            let minor = minors.iter().find(|minor| **minor == asked).copied();
            minor.or((*major == asked).then(|| last(minors))).map(|minor| (minor, *family))
        }),
    };
    found.ok_or_else(|| {
        combination(format!("Cannot find version {} for {engine}", asked.unwrap_or_default()))
    })
}

fn require_key(call: &Call<'_>, key: &str) -> Result<String, Fault> {
    crate::services::kms::require_usable(call, key).map_err(|_| {
        let message = format!(
            "The specified KMS key [{key}] does not exist, is not enabled or you do not have permissions to access it."
        );
        Fault::new("KMSKeyNotAccessibleFault", message)
    })
}

/// What is asked of a master user.
fn require_master(username: Option<&str>, password: Option<&str>) -> Result<(), Fault> {
    let given = |value: Option<&str>| value.is_some_and(|value| !value.is_empty());
    if !given(username) {
        return Err(invalid(
            "The parameter MasterUsername must be provided and must not be blank.",
        ));
    }
    if !given(password) {
        return Err(invalid(
            "The parameter MasterUserPassword must be provided and must not be blank.",
        ));
    }
    let (name, password) = (username.unwrap_or_default(), password.unwrap_or_default());
    if ["admin", "postgres", "rdsadmin", "root"].contains(&name) {
        return Err(invalid(format!(
            "MasterUsername {name} cannot be used as it is a reserved word used by the engine"
        )));
    }
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.len() > 63
        || !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || !name.chars().all(letters)
    {
        return Err(invalid("The parameter MasterUsername is not a valid identifier."));
    }
    if password.len() < 8 {
        return Err(invalid(
            "The parameter MasterUserPassword is not a valid password because it is shorter than 8 characters.",
        ));
    }
    if password.len() > 128 {
        return Err(invalid(
            "The parameter MasterUserPassword is not a valid password because it is longer than 128 characters.",
        ));
    }
    if !password.chars().all(|c| c.is_ascii_graphic() && !"/@\"".contains(c)) {
        return Err(invalid(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.",
        ));
    }
    Ok(())
}

/// The minutes from one `hh:mm` to the next within a day, and within a week with days before.
fn minutes(text: &str) -> Option<u32> {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let (day, time) = match text.split_once(':')? {
        (day, time) if time.contains(':') => {
            (u32::try_from(days.iter().position(|one| *one == day)?).ok()?, time)
        }
        _ => (0, text),
    };
    let (hours, minutes) = time.split_once(':')?;
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(day * 1440 + hours * 60 + minutes)
}

/// Windows of half an hour or more that are never open at the same time.
fn require_windows(backup: &str, maintenance: &str) -> Result<(), Fault> {
    let span = |text: &str, every: u32| {
        let (start, end) = text.split_once('-')?;
        let (start, end) = (minutes(start)?, minutes(end)?);
        let length = (end + every - start) % every;
        (length >= 30).then_some((start, length))
    };
    let (at, length) = span(backup, 1440)
        .ok_or_else(|| invalid(format!("Invalid backup window format: {backup}")))?;
    let (start, long) = span(maintenance, 7 * 1440)
        .filter(|_| maintenance.matches(':').count() == 4)
        .ok_or_else(|| invalid(format!("Invalid maintenance window format: {maintenance}")))?;
    let week = 7 * 1440;
    let meets = (0..7)
        .map(|day| at + day * 1440)
        .any(|at| (at + week - start) % week < long || (start + week - at) % week < length);
    if meets {
        return Err(invalid("The backup window and maintenance window must not overlap."));
    }
    Ok(())
}

/// The security groups, which must exist in the VPC.
fn require_security_groups(
    call: &mut Call<'_>,
    groups: &[String],
    vpc: Option<&str>,
) -> Result<model::VpcSecurityGroupMembershipList, Fault> {
    for id in groups {
        let found = call.region().ec2.security_groups.get(id);
        let fits = found.is_some_and(|group| vpc.is_none() || group.vpc_id.as_deref() == vpc);
        if !fits {
            return Err(invalid(format!("Invalid security group , groupId= {id}, groupName=.")));
        }
    }
    let membership = |id: &String| model::VpcSecurityGroupMembership {
        status: Some("active".into()),
        vpc_security_group_id: Some(id.clone()),
    };
    Ok(groups.iter().map(membership).collect::<Vec<_>>().into())
}

/// One page of what a describe call found.
fn paged<T>(
    items: Vec<T>,
    marker: Option<&str>,
    limit: Option<i32>,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let limit = limit.unwrap_or(PAGE);
    if !(20..=PAGE).contains(&limit) {
        return Err(invalid(format!(
            "Invalid value {limit} for MaxRecords. Must be between 20 and 100"
        )));
    }
    page(items, marker, usize::try_from(limit).unwrap_or(usize::MAX))
        .ok_or_else(|| invalid("Invalid Marker"))
}

/// The values of a filter, where the call has it.
fn filter(filters: Option<&model::FilterList>, name: &str) -> Option<Vec<String>> {
    let found = filters?.items.iter().find(|filter| filter.name == name)?;
    Some(found.values.items.clone())
}

fn save_tags(call: &mut Call<'_>, arn: &str, tags: Option<model::TagList>) {
    let pairs = tags.map(|tags| tags.items).unwrap_or_default();
    let pairs =
        pairs.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
    call.region().rds.tags.insert(arn.to_owned(), pairs.collect());
}

fn tag_list(rds: &State, arn: Option<&str>) -> model::TagList {
    let tags = arn.and_then(|arn| rds.tags.get(arn)).into_iter().flatten();
    let tag = |(key, value): (&String, &String)| model::Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    tags.map(tag).collect::<Vec<_>>().into()
}

/// What carries tags, by ARN.
fn require_tagged<'a>(
    call: &'a mut Call<'_>,
    arn: &str,
) -> Result<&'a mut BTreeMap<String, String>, Fault> {
    if !arn.starts_with("arn:aws:rds:") {
        return Err(invalid(format!("Invalid resource name: {arn}")));
    }
    if !call.region().rds.tags.contains_key(arn) {
        let name = arn.rsplit(':').next().unwrap_or_default();
        return Err(match arn.split(':').nth(5) {
            Some("cluster") => {
                missing("DBClusterNotFoundFault", format!("DBCluster {name} not found."))
            }
            Some("db") => missing("DBInstanceNotFound", format!("DBInstance {name} not found.")),
            Some("subgrp") => missing(
                "DBSubnetGroupNotFoundFault",
                format!("DB subnet group '{name}' does not exist."),
            ),
            _ => missing("DBParameterGroupNotFound", format!("DBParameterGroup not found: {name}")),
        });
    }
    // Just looked up.
    Ok(call.region().rds.tags.entry(arn.to_owned()).or_default())
}

fn list_tags(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_list_tags_for_resource_request(form)?;
    let known = call.region().rds.tags.contains_key(&input.resource_name);
    if !known {
        require_tagged(call, &input.resource_name)?;
    }
    let tags = tag_list(&call.region().rds, Some(&input.resource_name));
    Ok(wire::serialize_list_tags_for_resource_response(&model::TagListMessage {
        tag_list: Some(tags),
    }))
}

fn add_tags(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_add_tags_to_resource_request(form)?;
    let tags = require_tagged(call, &input.resource_name)?;
    for tag in input.tags.items {
        tags.insert(tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
    }
    Ok(wire::serialize_add_tags_to_resource_response())
}

fn remove_tags(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_remove_tags_from_resource_request(form)?;
    let tags = require_tagged(call, &input.resource_name)?;
    for key in input.tag_keys.items {
        tags.remove(&key);
    }
    Ok(wire::serialize_remove_tags_from_resource_response())
}

fn describe_versions(form: &Form) -> Answer {
    let input = wire::deserialize_describe_d_b_engine_versions_request(form)?;
    let default_only = input.default_only == Some(true);
    let mut found = Vec::new();
    for (engine, major, family, minors) in VERSIONS {
        if input.engine.as_deref().is_some_and(|wanted| wanted != *engine)
            || input.d_b_parameter_group_family.as_deref().is_some_and(|wanted| wanted != *family)
        {
            continue;
        }
        for minor in *minors {
            let wanted = input.engine_version.as_deref();
            if wanted.is_some_and(|wanted| wanted != *minor && wanted != *major)
                || (default_only && minors.last() != Some(minor))
            {
                continue;
            }
            found.push(model::DBEngineVersion {
                engine: Some((*engine).into()),
                engine_version: Some((*minor).into()),
                major_engine_version: Some((*major).into()),
                d_b_parameter_group_family: Some((*family).into()),
                d_b_engine_description: Some("Aurora (PostgreSQL)".into()),
                exportable_log_types: Some(vec!["postgresql".to_owned()].into()),
                supported_engine_modes: Some(vec!["provisioned".to_owned()].into()),
                supports_log_exports_to_cloudwatch_logs: Some(true),
                status: Some("available".into()),
                ..Default::default()
            });
        }
    }
    // Without a version or an engine's major version, the one default is the engine's.
    if default_only && input.engine_version.is_none() && input.d_b_parameter_group_family.is_none()
    {
        found = found.pop().into_iter().collect();
    }
    let (found, marker) = paged(found, input.marker.as_deref(), input.max_records)?;
    Ok(wire::serialize_describe_d_b_engine_versions_response(&model::DBEngineVersionMessage {
        d_b_engine_versions: Some(found.into()),
        marker,
    }))
}

//! DB cluster parameter groups and their parameters.

use winterbaume_rds::{model, wire};

use super::{
    Answer, Form, ParameterGroup, VERSIONS, combination, invalid, members, missing, paged,
    require_group_name, save_tags,
};
use crate::call::Call;
use crate::fault::Fault;

/// How many parameters one call may change.
const BATCH: usize = 20;

/// A parameter of the engine.
struct Known {
    name: &'static str,
    /// Whether it can change on a running engine.
    dynamic: bool,
    /// What it is when nobody sets it.
    default: Option<&'static str>,
    /// The values that it may have, or the parts of a list; empty for any.
    allowed: &'static [&'static str],
    /// Whether it is a list, separated by commas.
    list: bool,
}

const fn known(
    name: &'static str,
    dynamic: bool,
    default: Option<&'static str>,
    allowed: &'static [&'static str],
) -> Known {
    Known { name, dynamic, default, allowed, list: false }
}

const BOOLEAN: &[&str] = &["0", "1", "on", "off", "true", "false"];

/// The parameters that this plane knows, of the few hundred that Aurora PostgreSQL has.
const KNOWN: &[Known] = &[
    known("apg_plan_mgmt.use_plan_baselines", true, None, BOOLEAN),
    known("client_min_messages", true, None, &[]),
    known("idle_in_transaction_session_timeout", true, Some("86400000"), &[]),
    known("lock_timeout", true, None, &[]),
    known("log_connections", true, None, BOOLEAN),
    known("log_disconnections", true, None, BOOLEAN),
    known("log_lock_waits", true, None, BOOLEAN),
    known("log_min_duration_statement", true, None, &[]),
    known("log_statement", true, None, &["none", "ddl", "mod", "all"]),
    known("max_connections", false, None, &[]),
    known("password_encryption", true, None, &["md5", "scram-sha-256"]),
    Known {
        name: "pgaudit.log",
        dynamic: true,
        default: None,
        allowed: &[
            "ddl",
            "function",
            "misc",
            "misc_set",
            "read",
            "role",
            "write",
            "none",
            "all",
            "-ddl",
            "-function",
            "-misc",
            "-misc_set",
            "-read",
            "-role",
            "-write",
        ],
        list: true,
    },
    known("pgaudit.log_catalog", true, None, BOOLEAN),
    known("pgaudit.log_level", true, None, &[]),
    known("pgaudit.log_parameter", true, None, BOOLEAN),
    known("pgaudit.log_relation", true, None, BOOLEAN),
    known("pgaudit.log_statement_once", true, None, BOOLEAN),
    known("pgaudit.role", true, None, &["rds_pgaudit"]),
    known("rds.accepted_password_auth_method", true, Some("md5+scram"), &["md5+scram", "scram"]),
    known("rds.force_admin_logging_level", true, None, &[]),
    known("rds.force_autovacuum_logging_level", true, Some("WARNING"), &[]),
    known("rds.force_ssl", true, Some("0"), &["0", "1"]),
    known("rds.log_retention_period", true, Some("4320"), &[]),
    known("rds.logical_replication", false, Some("0"), &["0", "1"]),
    Known {
        name: "shared_preload_libraries",
        dynamic: false,
        default: Some("pg_stat_statements"),
        allowed: &[
            "auto_explain",
            "orafce",
            "pgaudit",
            "pg_ad_mapping",
            "pg_bigm",
            "pg_cron",
            "pg_hint_plan",
            "pg_prewarm",
            "pg_similarity",
            "pg_stat_statements",
            "pg_tle",
            "pg_transport",
            "plprofiler",
            "plrust",
            "apg_plan_mgmt",
        ],
        list: true,
    },
    known("ssl_max_protocol_version", true, None, &["TLSv1.2", "TLSv1.3"]),
    known(
        "ssl_min_protocol_version",
        true,
        Some("TLSv1.2"),
        &["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
    ),
    known("statement_timeout", true, None, &[]),
    known("timezone", true, Some("UTC"), &[]),
    known("track_activity_query_size", false, Some("4096"), &[]),
    known("work_mem", true, None, &[]),
];

impl Known {
    fn describe(&self) -> model::Parameter {
        model::Parameter {
            parameter_name: Some(self.name.into()),
            parameter_value: self.default.map(str::to_owned),
            apply_type: Some(if self.dynamic { "dynamic" } else { "static" }.into()),
            apply_method: Some("pending-reboot".into()),
            data_type: Some(if self.list { "list" } else { "string" }.into()),
            allowed_values: (!self.allowed.is_empty()).then(|| self.allowed.join(",")),
            is_modifiable: Some(true),
            source: Some(if self.default.is_some() { "system" } else { "engine-default" }.into()),
            ..Default::default()
        }
    }

    fn takes(&self, value: &str) -> bool {
        let fits = |part: &str| self.allowed.is_empty() || self.allowed.contains(&part);
        if self.list { value.split(',').all(|part| fits(part.trim())) } else { fits(value) }
    }
}

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_d_b_cluster_parameter_group_request(form)?;
    let name = input.d_b_cluster_parameter_group_name.to_lowercase();
    require_group_name("DBClusterParameterGroupName", &name)?;
    if name.contains([' ', '_', '.']) || name.contains("--") || name.ends_with('-') {
        return Err(invalid(format!(
            "The parameter DBClusterParameterGroupName is not a valid identifier: {name}"
        )));
    }
    let family = input.d_b_parameter_group_family;
    if !VERSIONS.iter().any(|(_, _, known, _)| *known == family) {
        return Err(invalid(format!(
            "ParameterGroupFamily {family} is not a valid parameter group family"
        )));
    }
    if input.description.is_empty() {
        return Err(invalid("The parameter Description must be provided and must not be blank."));
    }
    if call.region().rds.parameter_groups.contains_key(&name) {
        let message = format!("Parameter group {name} already exists");
        return Err(Fault::new("DBParameterGroupAlreadyExists", message));
    }
    let arn = call.arn("rds", &format!("cluster-pg:{name}"));
    let group = model::DBClusterParameterGroup {
        d_b_cluster_parameter_group_arn: Some(arn.clone()),
        d_b_cluster_parameter_group_name: Some(name.clone()),
        d_b_parameter_group_family: Some(family),
        description: Some(input.description),
    };
    save_tags(call, &arn, input.tags);
    let kept = ParameterGroup { group: group.clone(), ..Default::default() };
    call.region().rds.parameter_groups.insert(name, kept);
    Ok(wire::serialize_create_d_b_cluster_parameter_group_response(
        &model::CreateDBClusterParameterGroupResult { d_b_cluster_parameter_group: Some(group) },
    ))
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_d_b_cluster_parameter_groups_request(form)?;
    let found = match &input.d_b_cluster_parameter_group_name {
        Some(name) => vec![find(call, name)?.group],
        None => call.region().rds.parameter_groups.values().map(|one| one.group.clone()).collect(),
    };
    let (found, marker) = paged(found, input.marker.as_deref(), input.max_records)?;
    Ok(wire::serialize_describe_d_b_cluster_parameter_groups_response(
        &model::DBClusterParameterGroupsMessage {
            d_b_cluster_parameter_groups: Some(found.into()),
            marker,
        },
    ))
}

pub(super) fn describe_parameters(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_d_b_cluster_parameters_request(form)?;
    let group = find(call, &input.d_b_cluster_parameter_group_name)?;
    let all =
        KNOWN.iter().map(|one| group.own.get(one.name).cloned().unwrap_or_else(|| one.describe()));
    let wanted = input.source.as_deref();
    let found = all.filter(|one| wanted.is_none_or(|wanted| one.source.as_deref() == Some(wanted)));
    let (found, marker) = paged(found.collect(), input.marker.as_deref(), input.max_records)?;
    Ok(wire::serialize_describe_d_b_cluster_parameters_response(
        &model::DBClusterParameterGroupDetails { marker, parameters: Some(found.into()) },
    ))
}

pub(super) fn modify(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_modify_d_b_cluster_parameter_group_request(form)?;
    let name = input.d_b_cluster_parameter_group_name.to_lowercase();
    let mut group = find(call, &name)?;
    require_batch(&input.parameters.items)?;
    let mut takes_restart = false;
    for asked in input.parameters.items {
        let parameter = check(&asked)?;
        let value = asked.parameter_value.unwrap_or_default();
        if !parameter.takes(&value) {
            return Err(invalid(format!(
                "Invalid parameter value: {value} for: {} allowed values are: {}",
                parameter.name,
                parameter.allowed.join(",")
            )));
        }
        let set = model::Parameter {
            parameter_value: Some(value),
            apply_method: asked.apply_method,
            source: Some("user".into()),
            ..parameter.describe()
        };
        takes_restart |= !parameter.dynamic;
        group.own.insert(parameter.name.into(), set);
    }
    keep(call, &name, group, takes_restart);
    Ok(wire::serialize_modify_d_b_cluster_parameter_group_response(
        &model::DBClusterParameterGroupNameMessage { d_b_cluster_parameter_group_name: Some(name) },
    ))
}

pub(super) fn reset(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_reset_d_b_cluster_parameter_group_request(form)?;
    let name = input.d_b_cluster_parameter_group_name.to_lowercase();
    let mut group = find(call, &name)?;
    let asked = input.parameters.map(|list| list.items).unwrap_or_default();
    let mut takes_restart = input.reset_all_parameters == Some(true);
    match (input.reset_all_parameters == Some(true), asked.is_empty()) {
        (true, true) => group.own.clear(),
        (false, false) => {
            require_batch(&asked)?;
            for one in asked {
                let parameter = check(&one)?;
                takes_restart |= !parameter.dynamic;
                group.own.remove(parameter.name);
            }
        }
        _ => return Err(combination("Either all parameters are reset, or those that are named.")),
    }
    keep(call, &name, group, takes_restart);
    Ok(wire::serialize_reset_d_b_cluster_parameter_group_response(
        &model::DBClusterParameterGroupNameMessage { d_b_cluster_parameter_group_name: Some(name) },
    ))
}

/// Keeps a group that has changed. What takes a restart holds in the instances of a cluster once they have had one.
fn keep(call: &mut Call<'_>, name: &str, group: ParameterGroup, takes_restart: bool) {
    let rds = &mut *call.region().rds;
    rds.parameter_groups.insert(name.to_owned(), group);
    if takes_restart {
        let user =
            |one: &model::DBCluster| one.d_b_cluster_parameter_group.as_deref() == Some(name);
        let users: Vec<String> =
            rds.clusters.iter().filter(|(_, one)| user(one)).map(|(id, _)| id.clone()).collect();
        for id in users {
            let members = members(rds, &id);
            rds.restart_pending.extend(members);
        }
    }
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_delete_d_b_cluster_parameter_group_request(form)?;
    let name = input.d_b_cluster_parameter_group_name.to_lowercase();
    let group = find(call, &name)?;
    let rds = &call.region().rds;
    if rds.clusters.values().any(|one| one.d_b_cluster_parameter_group.as_deref() == Some(&name)) {
        let message = "One or more database instances are still members of this parameter group "
            .to_owned()
            + &name
            + ", so the group cannot be deleted";
        return Err(Fault::new("InvalidDBParameterGroupState", message));
    }
    let rds = &mut *call.region().rds;
    rds.parameter_groups.remove(&name);
    rds.tags.remove(&group.group.d_b_cluster_parameter_group_arn.unwrap_or_default());
    Ok(wire::serialize_delete_d_b_cluster_parameter_group_response())
}

/// A group of a family, which is what a cluster of that version takes. The default group of a family
/// always exists.
pub(super) fn require_for(
    call: &mut Call<'_>,
    name: Option<&str>,
    family: &str,
) -> Result<String, Fault> {
    let default = format!("default.{family}");
    let Some(name) = name else { return Ok(default) };
    if name == default {
        return Ok(default);
    }
    let group = find(call, name).map_err(|_| {
        let message = format!("DBClusterParameterGroup not found: {name}");
        missing("DBClusterParameterGroupNotFound", message)
    })?;
    let own = group.group.d_b_parameter_group_family.unwrap_or_default();
    if own != family {
        return Err(combination(format!(
            "The Parameter Group {name} with DBParameterGroupFamily {own} can't be used for this instance. Please use a Parameter Group with DBParameterGroupFamily {family}"
        )));
    }
    Ok(name.to_lowercase())
}

fn find(call: &mut Call<'_>, name: &str) -> Result<ParameterGroup, Fault> {
    let name = name.to_lowercase();
    call.region().rds.parameter_groups.get(&name).cloned().ok_or_else(|| {
        missing("DBParameterGroupNotFound", format!("DBClusterParameterGroup not found: {name}"))
    })
}

fn require_batch(parameters: &[model::Parameter]) -> Result<(), Fault> {
    if parameters.is_empty() || parameters.len() > BATCH {
        return Err(invalid(format!("One call changes 1 to {BATCH} parameters.")));
    }
    Ok(())
}

/// The parameter, if it exists and may change in the way that was asked for.
fn check(asked: &model::Parameter) -> Result<&'static Known, Fault> {
    let name = asked.parameter_name.as_deref().unwrap_or_default();
    let parameter = KNOWN.iter().find(|one| one.name == name);
    let parameter =
        parameter.ok_or_else(|| invalid(format!("Could not find parameter with name: {name}")))?;
    match asked.apply_method.as_deref() {
        Some("immediate") if !parameter.dynamic => {
            Err(combination("cannot use immediate apply method for static parameter"))
        }
        Some("immediate" | "pending-reboot") => Ok(parameter),
        _ => Err(invalid("The parameter ApplyMethod must be provided and must not be blank.")),
    }
}

//! DB instances.

use winterbaume_rds::{model, wire};

use super::{
    Answer, Form, State, combination, filter, invalid, missing, paged, require_identifier,
    require_key, require_master, require_security_groups, save_tags, subnet_group, tag_list,
    version,
};
use crate::call::Call;
use crate::fault::Fault;
use crate::services::iam::require_role_trusting;

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_d_b_instance_request(form)?;
    let id = input.d_b_instance_identifier.to_lowercase();
    require_identifier("DBInstanceIdentifier", &id)?;
    if call.region().rds.instances.contains_key(&id) {
        return Err(Fault::new("DBInstanceAlreadyExists", "DB instance already exists"));
    }
    if !input.d_b_instance_class.starts_with("db.") {
        return Err(invalid(format!("Invalid DB Instance class: {}", input.d_b_instance_class)));
    }
    let arn = call.arn("rds", &format!("db:{id}"));
    let mut made = model::DBInstance {
        auto_minor_version_upgrade: Some(input.auto_minor_version_upgrade != Some(false)),
        c_a_certificate_identifier: input
            .c_a_certificate_identifier
            .or(Some("rds-ca-rsa2048-g1".into())),
        d_b_instance_arn: Some(arn.clone()),
        d_b_instance_class: Some(input.d_b_instance_class.clone()),
        d_b_instance_identifier: Some(id.clone()),
        d_b_instance_status: Some("available".into()),
        dbi_resource_id: Some(format!("db-{}", call.random_alphanumeric(26).to_uppercase())),
        engine: Some(input.engine.clone()),
        instance_create_time: Some(call.iso8601()),
        monitoring_interval: Some(0),
        multi_a_z: Some(false),
        network_type: Some("IPV4".into()),
        performance_insights_enabled: Some(false),
        preferred_maintenance_window: input
            .preferred_maintenance_window
            .or(Some("sun:10:00-sun:10:30".into())),
        publicly_accessible: Some(input.publicly_accessible == Some(true)),
        ..Default::default()
    };
    let group = if let Some(cluster) = &input.d_b_cluster_identifier {
        join(call, &mut made, &cluster.to_lowercase(), &input.engine)?
    } else {
        require_master(input.master_username.as_deref(), input.master_user_password.as_deref())?;
        let (number, family) = version(&input.engine, input.engine_version.as_deref())?;
        if input.allocated_storage.is_none_or(|gigabytes| gigabytes < 20) {
            return Err(invalid("Invalid storage size: at least 20 GiB are needed."));
        }
        let group =
            subnet_group::find(call, input.d_b_subnet_group_name.as_deref().unwrap_or("default"))?;
        let groups = input.vpc_security_group_ids.map(|list| list.items).unwrap_or_default();
        made.vpc_security_groups =
            Some(require_security_groups(call, &groups, group.vpc_id.as_deref())?);
        made.storage_encrypted = Some(input.storage_encrypted == Some(true));
        made.kms_key_id = input.kms_key_id.map(|key| require_key(call, &key)).transpose()?;
        made.allocated_storage = input.allocated_storage;
        made.backup_retention_period = Some(input.backup_retention_period.unwrap_or(1));
        made.deletion_protection = Some(input.deletion_protection == Some(true));
        made.master_username = input.master_username;
        made.engine_version = Some(number.into());
        made.d_b_name = input.d_b_name;
        made.multi_a_z = Some(input.multi_a_z == Some(true));
        made.copy_tags_to_snapshot = Some(input.copy_tags_to_snapshot == Some(true));
        made.i_a_m_database_authentication_enabled =
            Some(input.enable_i_a_m_database_authentication == Some(true));
        made.enabled_cloudwatch_logs_exports = input.enable_cloudwatch_logs_exports;
        made.d_b_parameter_groups = Some(default_group(family));
        group
    };
    let zones = subnet_group::zones(&group);
    let zone = input.availability_zone.or_else(|| zones.first().cloned()).unwrap_or_default();
    if !zones.contains(&zone) {
        let message = format!(
            "The DB subnet group {} has no subnet in the availability zone {zone}.",
            group.d_b_subnet_group_name.as_deref().unwrap_or_default()
        );
        return Err(Fault::new("InvalidVPCNetworkStateFault", message));
    }
    made.availability_zone = Some(zone);
    made.d_b_subnet_group = Some(group);
    made.promotion_tier = Some(tier(input.promotion_tier)?.unwrap_or(1));
    insights(
        call,
        &mut made,
        input.enable_performance_insights,
        input.performance_insights_k_m_s_key_id.as_deref(),
        input.performance_insights_retention_period,
    )?;
    monitoring(call, &mut made, input.monitoring_interval, input.monitoring_role_arn)?;
    save_tags(call, &arn, input.tags);
    call.region().rds.instances.insert(id.clone(), made);
    call.begin("rds.instance", &id);
    let mut shown = show(call, &id)?;
    shown.d_b_instance_status = Some("creating".into());
    Ok(wire::serialize_create_d_b_instance_response(&model::CreateDBInstanceResult {
        d_b_instance: Some(shown),
    }))
}

/// What an instance has of its cluster.
fn join(
    call: &mut Call<'_>,
    made: &mut model::DBInstance,
    name: &str,
    engine: &str,
) -> Result<model::DBSubnetGroup, Fault> {
    let found = call.region().rds.clusters.get(name).cloned();
    let cluster = found
        .ok_or_else(|| missing("DBClusterNotFoundFault", format!("DBCluster {name} not found.")))?;
    if cluster.status.as_deref() == Some("deleting") {
        let message = format!("DB Cluster {name} is being deleted.");
        return Err(Fault::new("InvalidDBClusterStateFault", message));
    }
    if cluster.engine.as_deref() != Some(engine) {
        return Err(combination(format!(
            "The engine name requested for your DB instance ({engine}) doesn't match the engine name of your DB cluster ({}).",
            cluster.engine.unwrap_or_default()
        )));
    }
    let serverless = made.d_b_instance_class.as_deref() == Some("db.serverless");
    if serverless && cluster.serverless_v2_scaling_configuration.is_none() {
        return Err(combination(
            "Set the Serverless v2 scaling configuration on the parent DB cluster before creating a Serverless v2 DB instance.",
        ));
    }
    made.d_b_cluster_identifier = Some(name.to_owned());
    made.allocated_storage = cluster.allocated_storage;
    made.d_b_name = cluster.database_name;
    let (_, family) = version(engine, cluster.engine_version.as_deref())?;
    made.d_b_parameter_groups = Some(default_group(family));
    made.engine_version = cluster.engine_version;
    made.master_username = cluster.master_username;
    made.storage_encrypted = cluster.storage_encrypted;
    made.storage_type = Some("aurora".into());
    made.kms_key_id = cluster.kms_key_id;
    made.vpc_security_groups = cluster.vpc_security_groups;
    let endpoint = cluster.endpoint.unwrap_or_default();
    let domain = endpoint.split_once(".cluster-").map_or("", |(_, rest)| rest).to_owned();
    let id = made.d_b_instance_identifier.as_deref().unwrap_or_default();
    made.endpoint = Some(model::Endpoint {
        address: Some(format!("{id}.{domain}")),
        port: cluster.port,
        ..Default::default()
    });
    subnet_group::find(call, cluster.d_b_subnet_group.as_deref().unwrap_or_default())
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_d_b_instances_request(form)?;
    let name = |id: &str| id.rsplit(':').next().unwrap_or(id).to_lowercase();
    let mut ids: Vec<String> = match &input.d_b_instance_identifier {
        Some(id) => vec![name(id)],
        None => call.region().rds.instances.keys().cloned().collect(),
    };
    if let Some(wanted) = filter(input.filters.as_ref(), "db-instance-id") {
        ids.retain(|id| wanted.iter().any(|wanted| name(wanted) == *id));
    }
    if let Some(wanted) = filter(input.filters.as_ref(), "db-cluster-id") {
        let rds = &call.region().rds;
        ids.retain(|id| {
            let cluster = rds.instances.get(id).and_then(|one| one.d_b_cluster_identifier.as_ref());
            cluster.is_some_and(|cluster| wanted.iter().any(|wanted| name(wanted) == *cluster))
        });
    }
    let found = ids.iter().map(|id| show(call, id)).collect::<Result<Vec<_>, _>>()?;
    let (found, marker) = paged(found, input.marker.as_deref(), input.max_records)?;
    Ok(wire::serialize_describe_d_b_instances_response(&model::DBInstanceMessage {
        d_b_instances: Some(found.into()),
        marker,
    }))
}

pub(super) fn modify(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_modify_d_b_instance_request(form)?;
    let id = input.d_b_instance_identifier.to_lowercase();
    let shown = show(call, &id)?;
    if shown.d_b_instance_status.as_deref() != Some("available") {
        let message = format!("Instance {id} is not in available state.");
        return Err(Fault::new("InvalidDBInstanceState", message));
    }
    let mut instance = call.region().rds.instances.get(&id).cloned().unwrap_or_default();
    if let Some(class) = input.d_b_instance_class {
        if !class.starts_with("db.") {
            return Err(invalid(format!("Invalid DB Instance class: {class}")));
        }
        instance.d_b_instance_class = Some(class);
    }
    if instance.d_b_cluster_identifier.is_some() && input.backup_retention_period.is_some() {
        return Err(combination(
            "The specified DB Instance is a member of a cluster. Modify backup retention period for the DB Cluster using the ModifyDbCluster API",
        ));
    }
    if input.backup_retention_period.is_some() {
        instance.backup_retention_period = input.backup_retention_period;
    }
    if input.deletion_protection.is_some() {
        instance.deletion_protection = input.deletion_protection;
    }
    if input.publicly_accessible.is_some() {
        instance.publicly_accessible = input.publicly_accessible;
    }
    if input.auto_minor_version_upgrade.is_some() {
        instance.auto_minor_version_upgrade = input.auto_minor_version_upgrade;
    }
    if input.preferred_maintenance_window.is_some() {
        instance.preferred_maintenance_window = input.preferred_maintenance_window;
    }
    if let Some(tier) = tier(input.promotion_tier)? {
        instance.promotion_tier = Some(tier);
    }
    insights(
        call,
        &mut instance,
        input.enable_performance_insights,
        input.performance_insights_k_m_s_key_id.as_deref(),
        input.performance_insights_retention_period,
    )?;
    monitoring(call, &mut instance, input.monitoring_interval, input.monitoring_role_arn)?;
    call.region().rds.instances.insert(id.clone(), instance);
    Ok(wire::serialize_modify_d_b_instance_response(&model::ModifyDBInstanceResult {
        d_b_instance: Some(show(call, &id)?),
    }))
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_delete_d_b_instance_request(form)?;
    let id = input.d_b_instance_identifier.to_lowercase();
    let mut instance = show(call, &id)?;
    if instance.d_b_instance_status.as_deref() == Some("deleting") {
        let message = format!("Instance {id} is already being deleted.");
        return Err(Fault::new("InvalidDBInstanceState", message));
    }
    if instance.deletion_protection == Some(true) {
        return Err(combination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        ));
    }
    if instance.d_b_instance_status.as_deref() == Some("stopped") {
        let message = format!("Instance {id} is not in available state.");
        return Err(Fault::new("InvalidDBInstanceState", message));
    }
    let alone = instance.d_b_cluster_identifier.is_none();
    let skip = input.skip_final_snapshot == Some(true);
    if alone && !skip && input.final_d_b_snapshot_identifier.is_none() {
        return Err(combination(
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
        ));
    }
    if !alone && input.final_d_b_snapshot_identifier.is_some() {
        return Err(combination(
            "FinalDBSnapshotIdentifier can not be specified for a member of a cluster.",
        ));
    }
    instance.d_b_instance_status = Some("deleting".into());
    if let Some(kept) = call.region().rds.instances.get_mut(&id) {
        kept.d_b_instance_status = instance.d_b_instance_status.clone();
    }
    call.begin("rds.instance.deletion", &id);
    Ok(wire::serialize_delete_d_b_instance_response(&model::DeleteDBInstanceResult {
        d_b_instance: Some(instance),
    }))
}

pub(super) fn reboot(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_reboot_d_b_instance_request(form)?;
    let id = input.d_b_instance_identifier.to_lowercase();
    let shown = show(call, &id)?;
    if shown.d_b_instance_status.as_deref() != Some("available") {
        let message = format!("Instance {id} is not in available state.");
        return Err(Fault::new("InvalidDBInstanceState", message));
    }
    call.region().rds.restart_pending.remove(&id);
    call.begin("rds.instance.reboot", &id);
    Ok(wire::serialize_reboot_d_b_instance_response(&model::RebootDBInstanceResult {
        d_b_instance: Some(show(call, &id)?),
    }))
}

/// The instance that writes: of those that stay, the one with the lowest tier, then the oldest.
pub(super) fn writer(rds: &State, cluster: &str) -> Option<String> {
    let of = |one: &&model::DBInstance| {
        one.d_b_cluster_identifier.as_deref() == Some(cluster)
            && one.d_b_instance_status.as_deref() != Some("deleting")
    };
    let rank = |one: &&model::DBInstance| {
        (one.promotion_tier, one.instance_create_time.clone(), one.d_b_instance_identifier.clone())
    };
    rds.instances.values().filter(of).min_by_key(rank)?.d_b_instance_identifier.clone()
}

/// An instance as a describe call shows it: with its status of now, its tags, and what it has of its
/// cluster.
fn show(call: &mut Call<'_>, id: &str) -> Result<model::DBInstance, Fault> {
    let found = call.region().rds.instances.get(id).cloned();
    let mut instance = found
        .ok_or_else(|| missing("DBInstanceNotFound", format!("DBInstance {id} not found.")))?;
    if instance.d_b_instance_status.as_deref() == Some("available")
        && !call.is_ready("rds.instance", id)
    {
        instance.d_b_instance_status = Some("creating".into());
    } else if instance.d_b_instance_status.as_deref() == Some("available")
        && !call.is_ready("rds.instance.reboot", id)
    {
        instance.d_b_instance_status = Some("rebooting".into());
    }
    let rds = &call.region().rds;
    let cluster = instance.d_b_cluster_identifier.as_ref();
    if let Some(cluster) = cluster.and_then(|name| rds.clusters.get(name)) {
        instance.backup_retention_period = cluster.backup_retention_period;
        instance.preferred_backup_window = cluster.preferred_backup_window.clone();
        instance.engine_version = cluster.engine_version.clone();
        instance.vpc_security_groups = cluster.vpc_security_groups.clone();
        instance.i_a_m_database_authentication_enabled =
            cluster.i_a_m_database_authentication_enabled;
        instance.copy_tags_to_snapshot = Some(false);
        instance.deletion_protection = Some(false);
        // A cluster stops and starts with its instances.
        let word = cluster.status.as_deref();
        if word == Some("stopped") && instance.d_b_instance_status.as_deref() != Some("deleting") {
            instance.d_b_instance_status = cluster.status.clone();
        }
    }
    instance.tag_list = Some(tag_list(rds, instance.d_b_instance_arn.as_deref()));
    Ok(instance)
}

/// Instances have no other parameter groups here than those that always exist.
fn default_group(family: &str) -> model::DBParameterGroupStatusList {
    vec![model::DBParameterGroupStatus {
        d_b_parameter_group_name: Some(format!("default.{family}")),
        parameter_apply_status: Some("in-sync".into()),
    }]
    .into()
}

fn tier(asked: Option<i32>) -> Result<Option<i32>, Fault> {
    match asked {
        Some(tier) if !(0..=15).contains(&tier) => {
            Err(invalid(format!("Invalid promotion tier: {tier}. Must be between 0 and 15")))
        }
        other => Ok(other),
    }
}

fn insights(
    call: &Call<'_>,
    instance: &mut model::DBInstance,
    enable: Option<bool>,
    key: Option<&str>,
    days: Option<i32>,
) -> Result<(), Fault> {
    if let Some(on) = enable {
        instance.performance_insights_enabled = Some(on);
    }
    if instance.performance_insights_enabled != Some(true) {
        if enable != Some(false) && (key.is_some() || days.is_some()) {
            return Err(combination(
                "Performance Insights parameters need EnablePerformanceInsights.",
            ));
        }
        instance.performance_insights_k_m_s_key_id = None;
        instance.performance_insights_retention_period = None;
        return Ok(());
    }
    if let Some(key) = key {
        let key = require_key(call, key)?;
        let old = instance.performance_insights_k_m_s_key_id.as_ref();
        if old.is_some_and(|old| *old != key) {
            return Err(combination(
                "You can't change the Performance Insights KMS key while Performance Insights is on.",
            ));
        }
        instance.performance_insights_k_m_s_key_id = Some(key);
    }
    if instance.performance_insights_k_m_s_key_id.is_none() {
        instance.performance_insights_k_m_s_key_id = Some(call.arn("kms", "key/aws-rds"));
    }
    let days = days.or(instance.performance_insights_retention_period).unwrap_or(7);
    if !(days == 7 || days == 731 || (days % 31 == 0 && (31..=713).contains(&days))) {
        return Err(invalid(format!(
            "Invalid Performance Insights retention period. Valid values are: [7, 731] or a multiple of 31, not {days}"
        )));
    }
    instance.performance_insights_retention_period = Some(days);
    Ok(())
}

fn monitoring(
    call: &Call<'_>,
    instance: &mut model::DBInstance,
    interval: Option<i32>,
    role: Option<String>,
) -> Result<(), Fault> {
    let Some(interval) = interval else {
        if role.is_some() {
            return Err(combination(
                "You must specify a MonitoringInterval value other than 0 when you specify a MonitoringRoleARN value.",
            ));
        }
        return Ok(());
    };
    if ![0, 1, 5, 10, 15, 30, 60].contains(&interval) {
        return Err(invalid(format!("Invalid MonitoringInterval: {interval}")));
    }
    instance.monitoring_interval = Some(interval);
    if interval == 0 {
        instance.monitoring_role_arn = None;
        return Ok(());
    }
    let role = role.or(instance.monitoring_role_arn.take());
    let role = role.ok_or_else(|| {
        combination(
            "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0.",
        )
    })?;
    require_role_trusting(call, &role, "monitoring.rds.amazonaws.com").map_err(|_| {
        invalid(
            "IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING",
        )
    })?;
    instance.monitoring_role_arn = Some(role);
    Ok(())
}

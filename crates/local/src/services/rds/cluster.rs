//! DB clusters and their snapshots.

use winterbaume_rds::{model, wire};

use super::{
    Answer, Form, combination, filter, instance, invalid, members, missing, paged, parameter_group,
    require_identifier, require_key, require_master, require_security_groups, require_windows,
    save_tags, subnet_group, tag_list, version,
};
use crate::call::Call;
use crate::fault::Fault;

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_d_b_cluster_request(form)?;
    let id = input.d_b_cluster_identifier.to_lowercase();
    require_identifier("DBClusterIdentifier", &id)?;
    if call.region().rds.clusters.contains_key(&id) {
        return Err(Fault::new("DBClusterAlreadyExistsFault", "DB Cluster already exists"));
    }
    if input.engine != "aurora-postgresql" {
        return Err(invalid(format!("Invalid DB engine: {}", input.engine)));
    }
    let (number, family) = version(&input.engine, input.engine_version.as_deref())?;
    let managed = input.manage_master_user_password == Some(true);
    if managed && input.master_user_password.is_some() {
        return Err(combination(
            "You can't specify MasterUserPassword with ManageMasterUserPassword.",
        ));
    }
    // A managed password is one that meets the rules.
    let password =
        if managed { Some("made-by-rds") } else { input.master_user_password.as_deref() };
    require_master(input.master_username.as_deref(), password)?;
    let group = input.d_b_subnet_group_name.as_deref();
    let group = group.ok_or_else(|| {
        // The embedded account has no default VPC.
        missing("DBSubnetGroupNotFoundFault", "DB subnet group 'default' does not exist.")
    })?;
    let group = subnet_group::find(call, group)?;
    let groups = input.vpc_security_group_ids.map(|list| list.items).unwrap_or_default();
    let security_groups = require_security_groups(call, &groups, group.vpc_id.as_deref())?;
    let parameter_group = parameter_group::require_for(
        call,
        input.d_b_cluster_parameter_group_name.as_deref(),
        family,
    )?;
    let encrypted = input.storage_encrypted == Some(true);
    let kms_key_id = match &input.kms_key_id {
        Some(_) if !encrypted => {
            return Err(combination("You can't specify a KMS key for an unencrypted DB cluster."));
        }
        Some(key) => Some(require_key(call, key)?),
        None if encrypted => Some(call.arn("kms", "key/aws-rds")),
        None => None,
    };
    let retention = input.backup_retention_period.unwrap_or(1);
    require_retention(retention)?;
    let backup = input.preferred_backup_window.unwrap_or_else(|| "07:00-07:30".into());
    let maintenance =
        input.preferred_maintenance_window.unwrap_or_else(|| "sun:09:00-sun:09:30".into());
    require_windows(&backup, &maintenance)?;
    let scaling = input.serverless_v2_scaling_configuration;
    require_scaling(scaling.as_ref())?;
    let logs = input.enable_cloudwatch_logs_exports.map(|list| list.items).unwrap_or_default();
    require_logs(&logs, number)?;
    let port = input.port.unwrap_or(5432);
    require_port(port)?;
    let suffix = call.random_alphanumeric(12);
    let (region, arn) = (call.region_name.to_owned(), call.arn("rds", &format!("cluster:{id}")));
    let host = |role: &str| Some(format!("{id}.{role}-{suffix}.{region}.rds.amazonaws.com"));
    let cluster = model::DBCluster {
        allocated_storage: Some(1),
        auto_minor_version_upgrade: Some(true),
        availability_zones: Some(
            subnet_group::zones(&group).into_iter().collect::<Vec<_>>().into(),
        ),
        backup_retention_period: Some(retention),
        cluster_create_time: Some(call.iso8601()),
        copy_tags_to_snapshot: Some(input.copy_tags_to_snapshot == Some(true)),
        cross_account_clone: Some(false),
        d_b_cluster_arn: Some(arn.clone()),
        d_b_cluster_identifier: Some(id.clone()),
        d_b_cluster_parameter_group: Some(parameter_group),
        d_b_subnet_group: group.d_b_subnet_group_name,
        database_name: input.database_name,
        db_cluster_resource_id: Some(format!(
            "cluster-{}",
            call.random_alphanumeric(26).to_uppercase()
        )),
        deletion_protection: Some(input.deletion_protection == Some(true)),
        enabled_cloudwatch_logs_exports: (!logs.is_empty()).then(|| logs.into()),
        endpoint: host("cluster"),
        engine: Some(input.engine),
        engine_mode: Some("provisioned".into()),
        engine_version: Some(number.into()),
        http_endpoint_enabled: Some(false),
        i_a_m_database_authentication_enabled: Some(
            input.enable_i_a_m_database_authentication == Some(true),
        ),
        kms_key_id,
        master_username: input.master_username,
        multi_a_z: Some(false),
        network_type: Some("IPV4".into()),
        port: Some(port),
        preferred_backup_window: Some(backup),
        preferred_maintenance_window: Some(maintenance),
        reader_endpoint: host("cluster-ro"),
        serverless_v2_scaling_configuration: scaling.map(scaling_info),
        status: Some("available".into()),
        storage_encrypted: Some(encrypted),
        vpc_security_groups: Some(security_groups),
        ..Default::default()
    };
    save_tags(call, &arn, input.tags);
    call.region().rds.clusters.insert(id.clone(), cluster);
    call.begin("rds.cluster", &id);
    let mut shown = show(call, &id)?;
    shown.status = Some("creating".into());
    Ok(wire::serialize_create_d_b_cluster_response(&model::CreateDBClusterResult {
        d_b_cluster: Some(shown),
    }))
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_d_b_clusters_request(form)?;
    let mut ids: Vec<String> = match &input.d_b_cluster_identifier {
        Some(id) => vec![name_of(id)],
        None => call.region().rds.clusters.keys().cloned().collect(),
    };
    if let Some(wanted) = filter(input.filters.as_ref(), "db-cluster-id") {
        let wanted: Vec<String> = wanted.iter().map(|id| name_of(id)).collect();
        ids.retain(|id| wanted.contains(id));
    }
    if let Some(wanted) = filter(input.filters.as_ref(), "engine") {
        let rds = &call.region().rds;
        ids.retain(|id| {
            rds.clusters
                .get(id)
                .and_then(|one| one.engine.as_ref())
                .is_some_and(|e| wanted.contains(e))
        });
    }
    let found = ids.iter().map(|id| show(call, id)).collect::<Result<Vec<_>, _>>()?;
    let (found, marker) = paged(found, input.marker.as_deref(), input.max_records)?;
    Ok(wire::serialize_describe_d_b_clusters_response(&model::DBClusterMessage {
        d_b_clusters: Some(found.into()),
        marker,
    }))
}

pub(super) fn modify(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_modify_d_b_cluster_request(form)?;
    let id = name_of(&input.d_b_cluster_identifier);
    let shown = show(call, &id)?;
    require_available(&id, &shown)?;
    let mut cluster = call.region().rds.clusters.get(&id).cloned().unwrap_or_default();
    let engine = cluster.engine.clone().unwrap_or_default();
    let old = cluster.engine_version.clone().unwrap_or_default();
    let (mut number, mut family) = version(&engine, Some(&old))?;
    let old_group = cluster.d_b_cluster_parameter_group.clone();
    if let Some(asked) = &input.engine_version {
        let numbers = |text: &str| -> Vec<u32> {
            text.split('.').filter_map(|part| part.parse().ok()).collect()
        };
        let found = version(&engine, Some(asked))?;
        if numbers(found.0) < numbers(&old) {
            return Err(combination(format!(
                "Cannot upgrade {engine} from {old} to {}: that is not a valid upgrade target",
                found.0
            )));
        }
        let major = numbers(found.0).first() != numbers(&old).first();
        if major && input.allow_major_version_upgrade != Some(true) {
            return Err(combination(
                "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.",
            ));
        }
        (number, family) = found;
    }
    let groups = input.d_b_cluster_parameter_group_name.as_deref();
    let groups = groups.or(cluster.d_b_cluster_parameter_group.as_deref()).map(str::to_owned);
    let parameter_group = parameter_group::require_for(call, groups.as_deref(), family)?;
    if let Some(days) = input.backup_retention_period {
        require_retention(days)?;
        cluster.backup_retention_period = Some(days);
    }
    cluster.engine_version = Some(number.into());
    cluster.d_b_cluster_parameter_group = Some(parameter_group);
    let backup = input.preferred_backup_window.or(cluster.preferred_backup_window);
    let maintenance = input.preferred_maintenance_window.or(cluster.preferred_maintenance_window);
    require_windows(
        backup.as_deref().unwrap_or_default(),
        maintenance.as_deref().unwrap_or_default(),
    )?;
    (cluster.preferred_backup_window, cluster.preferred_maintenance_window) = (backup, maintenance);
    if let Some(list) = input.vpc_security_group_ids {
        let name = cluster.d_b_subnet_group.clone().unwrap_or_default();
        let vpc = subnet_group::find(call, &name)?.vpc_id;
        cluster.vpc_security_groups =
            Some(require_security_groups(call, &list.items, vpc.as_deref())?);
    }
    if let Some(scaling) = input.serverless_v2_scaling_configuration {
        require_scaling(Some(&scaling))?;
        cluster.serverless_v2_scaling_configuration = Some(scaling_info(scaling));
    }
    if let Some(change) = input.cloudwatch_logs_export_configuration {
        let on = change.enable_log_types.map(|list| list.items).unwrap_or_default();
        let off = change.disable_log_types.map(|list| list.items).unwrap_or_default();
        require_logs(&on, number)?;
        let mut logs =
            cluster.enabled_cloudwatch_logs_exports.take().map(|l| l.items).unwrap_or_default();
        logs.retain(|log| !off.contains(log));
        logs.extend(on.into_iter().filter(|log| !logs.contains(log)).collect::<Vec<_>>());
        cluster.enabled_cloudwatch_logs_exports = (!logs.is_empty()).then(|| logs.into());
    }
    if let Some(password) = &input.master_user_password {
        require_master(cluster.master_username.as_deref(), Some(password))?;
    }
    if let Some(port) = input.port {
        require_port(port)?;
        cluster.port = Some(port);
    }
    let set = |field: &mut Option<bool>, value: Option<bool>| {
        if value.is_some() {
            *field = value;
        }
    };
    set(
        &mut cluster.i_a_m_database_authentication_enabled,
        input.enable_i_a_m_database_authentication,
    );
    set(&mut cluster.deletion_protection, input.deletion_protection);
    set(&mut cluster.copy_tags_to_snapshot, input.copy_tags_to_snapshot);
    let (new_group, upgraded) = (cluster.d_b_cluster_parameter_group.clone(), old != number);
    let rds = &mut *call.region().rds;
    rds.clusters.insert(id.clone(), cluster);
    // An upgrade restarts the instances, and another group waits until somebody does.
    let members = members(rds, &id);
    if upgraded {
        rds.restart_pending.retain(|instance| !members.contains(instance));
    } else if new_group != old_group {
        rds.restart_pending.extend(members);
    }
    Ok(wire::serialize_modify_d_b_cluster_response(&model::ModifyDBClusterResult {
        d_b_cluster: Some(show(call, &id)?),
    }))
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_delete_d_b_cluster_request(form)?;
    let id = name_of(&input.d_b_cluster_identifier);
    let mut cluster = show(call, &id)?;
    if cluster.deletion_protection == Some(true) {
        return Err(combination(
            "Cannot delete protected Cluster, please disable deletion protection and try again.",
        ));
    }
    let rds = &call.region().rds;
    let stays =
        |member: &String| rds.instances[member].d_b_instance_status.as_deref() != Some("deleting");
    if members(rds, &id).iter().any(stays) {
        return Err(Fault::new(
            "InvalidDBClusterStateFault",
            "Cluster cannot be deleted, it still contains DB instances in non-deleting state.",
        ));
    }
    if cluster.status.as_deref() == Some("deleting") {
        let message = format!("DB Cluster {id} is already being deleted.");
        return Err(Fault::new("InvalidDBClusterStateFault", message));
    }
    let skip = input.skip_final_snapshot == Some(true);
    match input.final_d_b_snapshot_identifier {
        Some(_) if skip => {
            return Err(combination(
                "FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot.",
            ));
        }
        None if !skip => {
            return Err(combination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
            ));
        }
        Some(name) => snapshot(call, &name, &cluster)?,
        None => {}
    }
    cluster.status = Some("deleting".into());
    if let Some(kept) = call.region().rds.clusters.get_mut(&id) {
        kept.status = cluster.status.clone();
    }
    call.begin("rds.cluster.deletion", &id);
    Ok(wire::serialize_delete_d_b_cluster_response(&model::DeleteDBClusterResult {
        d_b_cluster: Some(cluster),
    }))
}

pub(super) fn stop(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_stop_d_b_cluster_request(form)?;
    let id = name_of(&input.d_b_cluster_identifier);
    require_available(&id, &show(call, &id)?)?;
    if let Some(cluster) = call.region().rds.clusters.get_mut(&id) {
        cluster.status = Some("stopped".into());
    }
    Ok(wire::serialize_stop_d_b_cluster_response(&model::StopDBClusterResult {
        d_b_cluster: Some(show(call, &id)?),
    }))
}

pub(super) fn start(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_start_d_b_cluster_request(form)?;
    let id = name_of(&input.d_b_cluster_identifier);
    if show(call, &id)?.status.as_deref() != Some("stopped") {
        let message = format!("DbCluster {id} is not in stopped state.");
        return Err(Fault::new("InvalidDBClusterStateFault", message));
    }
    let rds = &mut *call.region().rds;
    if let Some(cluster) = rds.clusters.get_mut(&id) {
        cluster.status = Some("available".into());
    }
    // Instances start with the values of the group.
    let members = members(rds, &id);
    rds.restart_pending.retain(|instance| !members.contains(instance));
    call.begin("rds.cluster.start", &id);
    Ok(wire::serialize_start_d_b_cluster_response(&model::StartDBClusterResult {
        d_b_cluster: Some(show(call, &id)?),
    }))
}

fn snapshot(call: &mut Call<'_>, name: &str, cluster: &model::DBCluster) -> Result<(), Fault> {
    let name = name.to_lowercase();
    require_identifier("FinalDBSnapshotIdentifier", &name)?;
    if call.region().rds.cluster_snapshots.contains_key(&name) {
        let message = format!(
            "Cannot create the cluster snapshot because one with the identifier {name} already exists."
        );
        return Err(Fault::new("DBClusterSnapshotAlreadyExistsFault", message));
    }
    let arn = call.arn("rds", &format!("cluster-snapshot:{name}"));
    let tags = match cluster.copy_tags_to_snapshot {
        Some(true) => cluster.tag_list.clone(),
        _ => None,
    };
    let taken = model::DBClusterSnapshot {
        availability_zones: cluster.availability_zones.clone(),
        cluster_create_time: cluster.cluster_create_time.clone(),
        d_b_cluster_identifier: cluster.d_b_cluster_identifier.clone(),
        d_b_cluster_snapshot_arn: Some(arn.clone()),
        d_b_cluster_snapshot_identifier: Some(name.clone()),
        db_cluster_resource_id: cluster.db_cluster_resource_id.clone(),
        engine: cluster.engine.clone(),
        engine_version: cluster.engine_version.clone(),
        kms_key_id: cluster.kms_key_id.clone(),
        master_username: cluster.master_username.clone(),
        percent_progress: Some(100),
        port: cluster.port,
        snapshot_create_time: Some(call.iso8601()),
        snapshot_type: Some("manual".into()),
        status: Some("available".into()),
        storage_encrypted: cluster.storage_encrypted,
        ..Default::default()
    };
    save_tags(call, &arn, tags);
    call.region().rds.cluster_snapshots.insert(name, taken);
    Ok(())
}

pub(super) fn describe_snapshots(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_d_b_cluster_snapshots_request(form)?;
    let rds = &call.region().rds;
    let fits = |asked: &Option<String>, value: &Option<String>| {
        asked.as_ref().is_none_or(|asked| value.as_ref() == Some(&name_of(asked)))
    };
    let found: Vec<_> = rds
        .cluster_snapshots
        .values()
        .filter(|one| {
            fits(&input.d_b_cluster_identifier, &one.d_b_cluster_identifier)
                && fits(
                    &input.d_b_cluster_snapshot_identifier,
                    &one.d_b_cluster_snapshot_identifier,
                )
                && fits(&input.snapshot_type, &one.snapshot_type)
        })
        .map(|one| {
            let tags = tag_list(rds, one.d_b_cluster_snapshot_arn.as_deref());
            model::DBClusterSnapshot { tag_list: Some(tags), ..one.clone() }
        })
        .collect();
    if let (true, Some(name)) = (found.is_empty(), &input.d_b_cluster_snapshot_identifier) {
        let message = format!("DBClusterSnapshot {name} not found.");
        return Err(missing("DBClusterSnapshotNotFoundFault", message));
    }
    let (found, marker) = paged(found, input.marker.as_deref(), input.max_records)?;
    Ok(wire::serialize_describe_d_b_cluster_snapshots_response(&model::DBClusterSnapshotMessage {
        d_b_cluster_snapshots: Some(found.into()),
        marker,
    }))
}

/// Nobody else may restore a snapshot here: there is no call that shares one.
pub(super) fn describe_snapshot_attributes(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_d_b_cluster_snapshot_attributes_request(form)?;
    let name = name_of(&input.d_b_cluster_snapshot_identifier);
    if !call.region().rds.cluster_snapshots.contains_key(&name) {
        let message = format!("DBClusterSnapshot {name} not found.");
        return Err(missing("DBClusterSnapshotNotFoundFault", message));
    }
    let restore = model::DBClusterSnapshotAttribute {
        attribute_name: Some("restore".into()),
        attribute_values: Some(Vec::new().into()),
    };
    Ok(wire::serialize_describe_d_b_cluster_snapshot_attributes_response(
        &model::DescribeDBClusterSnapshotAttributesResult {
            d_b_cluster_snapshot_attributes_result: Some(
                model::DBClusterSnapshotAttributesResult {
                    d_b_cluster_snapshot_attributes: Some(vec![restore].into()),
                    d_b_cluster_snapshot_identifier: Some(name),
                },
            ),
        },
    ))
}

/// A cluster as a describe call shows it: with its status of now, its members and its tags.
pub(super) fn show(call: &mut Call<'_>, id: &str) -> Result<model::DBCluster, Fault> {
    let found = call.region().rds.clusters.get(id).cloned();
    let mut cluster = found
        .ok_or_else(|| missing("DBClusterNotFoundFault", format!("DBCluster {id} not found.")))?;
    if cluster.status.as_deref() == Some("available") && !call.is_ready("rds.cluster", id) {
        cluster.status = Some("creating".into());
    } else if cluster.status.as_deref() == Some("available")
        && !call.is_ready("rds.cluster.start", id)
    {
        cluster.status = Some("starting".into());
    }
    let rds = &call.region().rds;
    let writer = instance::writer(rds, id);
    let member = |name: String| {
        let tier = rds.instances.get(&name).and_then(|one| one.promotion_tier);
        model::DBClusterMember {
            d_b_cluster_parameter_group_status: Some(
                if rds.restart_pending.contains(&name) { "pending-reboot" } else { "in-sync" }
                    .into(),
            ),
            is_cluster_writer: Some(writer.as_ref() == Some(&name)),
            d_b_instance_identifier: Some(name),
            promotion_tier: tier,
        }
    };
    let members: Vec<_> = members(rds, id).into_iter().map(member).collect();
    cluster.multi_a_z = Some(members.len() > 1);
    cluster.d_b_cluster_members = Some(members.into());
    cluster.tag_list = Some(tag_list(rds, cluster.d_b_cluster_arn.as_deref()));
    Ok(cluster)
}

/// A cluster may be named by its ARN.
fn name_of(id: &str) -> String {
    id.rsplit(':').next().unwrap_or(id).to_lowercase()
}

fn require_available(id: &str, cluster: &model::DBCluster) -> Result<(), Fault> {
    if cluster.status.as_deref() == Some("available") {
        return Ok(());
    }
    let message = format!("DB Cluster {id} is not currently in the available state.");
    Err(Fault::new("InvalidDBClusterStateFault", message))
}

fn require_retention(days: i32) -> Result<(), Fault> {
    if (1..=35).contains(&days) {
        return Ok(());
    }
    Err(invalid(format!("Invalid backup retention period: {days}. Must be between 1 and 35")))
}

fn require_port(port: i32) -> Result<(), Fault> {
    if (1150..=65535).contains(&port) {
        return Ok(());
    }
    Err(invalid(format!("Invalid port value: {port}. Must be between 1150 and 65535")))
}

fn require_logs(logs: &[String], version: &str) -> Result<(), Fault> {
    let known = ["postgresql", "instance", "iam-db-auth-error"];
    match logs.iter().find(|log| !known.contains(&log.as_str())) {
        None => Ok(()),
        Some(log) => Err(combination(format!(
            "You cannot use the log types '{log}' with engine version aurora-postgresql {version}. For supported log types, see the documentation."
        ))),
    }
}

fn require_scaling(scaling: Option<&model::ServerlessV2ScalingConfiguration>) -> Result<(), Fault> {
    let Some(scaling) = scaling else { return Ok(()) };
    let (Some(least), Some(most)) = (scaling.min_capacity, scaling.max_capacity) else {
        return Err(invalid("Serverless v2 scaling needs a minimum and a maximum capacity."));
    };
    let step = |capacity: f64| (capacity * 2.0).fract() == 0.0;
    if !(1.0..=256.0).contains(&most) || !step(most) {
        return Err(invalid(format!(
            "Serverless v2 maximum capacity {most} isn't valid. The maximum capacity must be from 1.0 to 256.0, in steps of 0.5."
        )));
    }
    if !(0.0..=256.0).contains(&least) || !step(least) {
        return Err(invalid(format!(
            "Serverless v2 minimum capacity {least} isn't valid. The minimum capacity must be from 0.0 to 256.0, in steps of 0.5."
        )));
    }
    if least > most {
        return Err(invalid(format!(
            "Serverless v2 minimum capacity {least} must not exceed the maximum capacity {most}."
        )));
    }
    Ok(())
}

fn scaling_info(
    of: model::ServerlessV2ScalingConfiguration,
) -> model::ServerlessV2ScalingConfigurationInfo {
    model::ServerlessV2ScalingConfigurationInfo {
        max_capacity: of.max_capacity,
        min_capacity: of.min_capacity,
        seconds_until_auto_pause: of.seconds_until_auto_pause,
    }
}

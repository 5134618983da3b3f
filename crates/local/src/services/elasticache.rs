//! ElastiCache: subnet groups, replication groups without sharding, their nodes and snapshots.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use winterbaume_core::MockResponse;
use winterbaume_elasticache::{model, wire};

use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::services::{kms, logs};

type Form = HashMap<String, String>;
type Answer = Result<MockResponse, Fault>;

/// The most that a page holds.
const PAGE: i32 = 100;

/// The versions that can be made: engine, what may be asked for, version, parameter group family. The
/// last one of an engine is its default.
const VERSIONS: &[(&str, &[&str], &str, &str)] = &[
    ("redis", &["6.2", "6.x"], "6.2.6", "redis6.x"),
    ("redis", &["7.0"], "7.0.7", "redis7"),
    ("redis", &["7.1"], "7.1.0", "redis7"),
    ("valkey", &["7.2"], "7.2.6", "valkey7"),
    ("valkey", &["8.0"], "8.0.1", "valkey8"),
    ("valkey", &["8.1"], "8.1.0", "valkey8"),
];

/// What ElastiCache holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// By name.
    pub subnet_groups: BTreeMap<String, model::CacheSubnetGroup>,
    /// By id. Tokens are checked and forgotten.
    pub replication_groups: BTreeMap<String, model::ReplicationGroup>,
    /// The nodes of replication groups, by id.
    pub nodes: BTreeMap<String, model::CacheCluster>,
    /// By name.
    pub snapshots: BTreeMap<String, model::Snapshot>,
    /// By the ARN of what they are on.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let form = call.form();
    let form = &form;
    bury(call);
    match form.get("Action").map_or("", String::as_str) {
        "CreateCacheSubnetGroup" => create_subnet_group(call, form),
        "DescribeCacheSubnetGroups" => describe_subnet_groups(call, form),
        "ModifyCacheSubnetGroup" => modify_subnet_group(call, form),
        "DeleteCacheSubnetGroup" => delete_subnet_group(call, form),
        "CreateReplicationGroup" => create_group(call, form),
        "DescribeReplicationGroups" => describe_groups(call, form),
        "ModifyReplicationGroup" => modify_group(call, form),
        "IncreaseReplicaCount" => increase_replicas(call, form),
        "DecreaseReplicaCount" => decrease_replicas(call, form),
        "DeleteReplicationGroup" => delete_group(call, form),
        "DescribeCacheClusters" => describe_nodes(call, form),
        "DescribeSnapshots" => describe_snapshots(call, form),
        "ListTagsForResource" => list_tags(call, form),
        "AddTagsToResource" => add_tags(call, form),
        "RemoveTagsFromResource" => remove_tags(call, form),
        other => Err(Fault::unknown_operation("elasticache", other)),
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValue", message)
}

fn combination(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterCombination", message)
}

/// Removes what was being deleted and is gone by now.
fn bury(call: &mut Call<'_>) {
    let leaving: Vec<String> = call
        .region()
        .elasticache
        .replication_groups
        .iter()
        .filter(|(_, group)| group.status.as_deref() == Some("deleting"))
        .map(|(id, _)| id.clone())
        .collect();
    for id in leaving {
        if call.is_ready("elasticache.replication_group.deletion", &id) {
            let state = &mut *call.region().elasticache;
            let arn = state.replication_groups.remove(&id).and_then(|gone| gone.a_r_n);
            state.tags.remove(&arn.unwrap_or_default());
            state.nodes.retain(|_, node| node.replication_group_id.as_deref() != Some(&id));
        }
    }
}

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

fn is_identifier(name: &str, longest: usize) -> bool {
    name.len() <= longest
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.ends_with('-')
        && !name.contains("--")
}

// Subnet groups.

fn create_subnet_group(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_cache_subnet_group_request(form)?;
    let name = input.cache_subnet_group_name.to_lowercase();
    let known = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || name.len() > 255 || !name.chars().all(known) || name == "default" {
        return Err(invalid(
            "The parameter CacheSubnetGroupName must be provided and must contain no more than 255 alphanumeric characters or hyphens.",
        ));
    }
    if call.region().elasticache.subnet_groups.contains_key(&name) {
        let message = format!("Cache subnet group {name} already exists.");
        return Err(Fault::new("CacheSubnetGroupAlreadyExists", message));
    }
    let (vpc, subnets) = require_subnets(call, &input.subnet_ids.items)?;
    let arn = call.arn("elasticache", &format!("subnetgroup:{name}"));
    let group = model::CacheSubnetGroup {
        a_r_n: Some(arn.clone()),
        cache_subnet_group_description: Some(input.cache_subnet_group_description),
        cache_subnet_group_name: Some(name.clone()),
        subnets: Some(subnets.into()),
        supported_network_types: Some(vec!["ipv4".to_owned()].into()),
        vpc_id: Some(vpc),
    };
    save_tags(call, &arn, input.tags);
    call.region().elasticache.subnet_groups.insert(name, group.clone());
    Ok(wire::serialize_create_cache_subnet_group_response(&model::CreateCacheSubnetGroupResult {
        cache_subnet_group: Some(group),
    }))
}

fn describe_subnet_groups(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_cache_subnet_groups_request(form)?;
    let found = match &input.cache_subnet_group_name {
        Some(name) => vec![find_subnet_group(call, name)?],
        None => call.region().elasticache.subnet_groups.values().cloned().collect(),
    };
    let (found, marker) = paged(found, input.marker.as_deref(), input.max_records)?;
    Ok(wire::serialize_describe_cache_subnet_groups_response(&model::CacheSubnetGroupMessage {
        cache_subnet_groups: Some(found.into()),
        marker,
    }))
}

fn modify_subnet_group(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_modify_cache_subnet_group_request(form)?;
    let mut group = find_subnet_group(call, &input.cache_subnet_group_name)?;
    let name = group.cache_subnet_group_name.clone().unwrap_or_default();
    if let Some(description) = input.cache_subnet_group_description {
        group.cache_subnet_group_description = Some(description);
    }
    if let Some(ids) = input.subnet_ids {
        let (vpc, subnets) = require_subnets(call, &ids.items)?;
        if group.vpc_id.as_deref() != Some(vpc.as_str()) {
            return Err(Fault::new(
                "InvalidSubnet",
                "The new Subnets are not in the same Vpc as the existing subnet group",
            ));
        }
        let kept: BTreeSet<&String> = ids.items.iter().collect();
        let old = group.subnets.iter().flat_map(|list| &list.items);
        let mut gone =
            old.filter_map(|one| one.subnet_identifier.as_ref()).filter(|id| !kept.contains(id));
        if let (Some(id), true) = (gone.next(), is_used(call, &name)) {
            let message =
                format!("The requested subnet {id} is being used by another cache cluster.");
            return Err(Fault::new("SubnetInUse", message));
        }
        group.subnets = Some(subnets.into());
    }
    call.region().elasticache.subnet_groups.insert(name, group.clone());
    Ok(wire::serialize_modify_cache_subnet_group_response(&model::ModifyCacheSubnetGroupResult {
        cache_subnet_group: Some(group),
    }))
}

fn delete_subnet_group(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_delete_cache_subnet_group_request(form)?;
    let group = find_subnet_group(call, &input.cache_subnet_group_name)?;
    let name = group.cache_subnet_group_name.unwrap_or_default();
    if is_used(call, &name) {
        let message = format!("Cache subnet group {name} is currently in use by a cache cluster.");
        return Err(Fault::new("CacheSubnetGroupInUse", message));
    }
    let state = &mut *call.region().elasticache;
    state.subnet_groups.remove(&name);
    state.tags.remove(&group.a_r_n.unwrap_or_default());
    Ok(wire::serialize_delete_cache_subnet_group_response())
}

fn is_used(call: &mut Call<'_>, subnet_group: &str) -> bool {
    let mut nodes = call.region().elasticache.nodes.values();
    nodes.any(|node| node.cache_subnet_group_name.as_deref() == Some(subnet_group))
}

fn find_subnet_group(call: &mut Call<'_>, name: &str) -> Result<model::CacheSubnetGroup, Fault> {
    let name = name.to_lowercase();
    call.region().elasticache.subnet_groups.get(&name).cloned().ok_or_else(|| {
        let message = format!("Cache Subnet Group {name} does not exist.");
        Fault::new("CacheSubnetGroupNotFoundFault", message)
    })
}

/// The subnets, which must exist and lie in one VPC.
fn require_subnets(
    call: &mut Call<'_>,
    ids: &[String],
) -> Result<(String, Vec<model::Subnet>), Fault> {
    if ids.is_empty() {
        return Err(invalid("The parameter SubnetIds must be provided."));
    }
    let mut vpcs = BTreeSet::new();
    let mut found = Vec::new();
    for id in ids {
        let Some(subnet) = call.region().ec2.subnets.get(id) else {
            let message = format!("Some input subnets in :[{id}] are invalid.");
            return Err(Fault::new("InvalidSubnet", message));
        };
        vpcs.insert(subnet.vpc_id.clone().unwrap_or_default());
        found.push(model::Subnet {
            subnet_availability_zone: Some(model::AvailabilityZone {
                name: subnet.availability_zone.clone(),
            }),
            subnet_identifier: Some(id.clone()),
            supported_network_types: Some(vec!["ipv4".to_owned()].into()),
            ..Default::default()
        });
    }
    if vpcs.len() > 1 {
        return Err(Fault::new("InvalidSubnet", "Subnets have to be in the same VPC."));
    }
    Ok((vpcs.pop_first().unwrap_or_default(), found))
}

fn zones(group: &model::CacheSubnetGroup) -> Vec<String> {
    let subnets = group.subnets.iter().flat_map(|list| &list.items);
    let zones: BTreeSet<String> =
        subnets.filter_map(|one| one.subnet_availability_zone.as_ref()?.name.clone()).collect();
    zones.into_iter().collect()
}

// Replication groups.

fn create_group(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_replication_group_request(form)?;
    let id = input.replication_group_id.to_lowercase();
    if !is_identifier(&id, 40) {
        return Err(invalid(
            "The parameter ReplicationGroupId is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens.",
        ));
    }
    if call.region().elasticache.replication_groups.contains_key(&id) {
        let message = format!("Replication group {id} already exists.");
        return Err(Fault::new("ReplicationGroupAlreadyExists", message));
    }
    if input.replication_group_description.is_empty() {
        return Err(invalid("The parameter ReplicationGroupDescription must be provided."));
    }
    let engine = input.engine.unwrap_or_else(|| "redis".into());
    let (number, family) = version(&engine, input.engine_version.as_deref())?;
    let node_type = input.cache_node_type.unwrap_or_default();
    require_node_type(&node_type)?;
    if input.num_node_groups.is_some_and(|shards| shards > 1) {
        return Err(combination("The embedded control plane has no sharded replication groups."));
    }
    let nodes = match (input.num_cache_clusters, input.replicas_per_node_group) {
        (Some(_), Some(_)) => {
            return Err(combination(
                "Cannot specify both NumCacheClusters and ReplicasPerNodeGroup.",
            ));
        }
        (Some(nodes), None) => nodes,
        (None, replicas) => replicas.unwrap_or(0) + 1,
    };
    require_node_count(nodes)?;
    let failover = input.automatic_failover_enabled == Some(true);
    let multi_az = input.multi_a_z_enabled == Some(true);
    require_failover(failover, multi_az, nodes)?;
    let tls = input.transit_encryption_enabled == Some(true);
    let mode = match input.transit_encryption_mode {
        Some(_) if !tls => {
            return Err(combination(
                "TransitEncryptionMode can only be specified when TransitEncryptionEnabled is true.",
            ));
        }
        Some(mode) if !["preferred", "required"].contains(&mode.as_str()) => {
            return Err(invalid(format!("Invalid TransitEncryptionMode: {mode}")));
        }
        Some(mode) => Some(mode),
        None => tls.then(|| "required".to_owned()),
    };
    if let Some(token) = &input.auth_token {
        if !tls {
            return Err(combination(
                "Auth token can only be set when transit encryption is enabled.",
            ));
        }
        require_token(token)?;
    }
    let at_rest = input.at_rest_encryption_enabled == Some(true);
    let kms_key_id = match &input.kms_key_id {
        Some(_) if !at_rest => {
            return Err(combination(
                "A KMS key can only be set when encryption at rest is enabled.",
            ));
        }
        Some(key) => Some(require_key(call, key)?),
        None => None,
    };
    let parameter_group =
        require_parameter_group(input.cache_parameter_group_name.as_deref(), family)?;
    let subnet_group = input.cache_subnet_group_name.as_deref().ok_or_else(|| {
        // The embedded account has no default VPC.
        Fault::new("CacheSubnetGroupNotFoundFault", "Cache Subnet Group default does not exist.")
    })?;
    let subnet_group = find_subnet_group(call, subnet_group)?;
    let zones = zones(&subnet_group);
    if multi_az && zones.len() < 2 {
        return Err(combination(
            "Multi-AZ needs a subnet group with subnets in two availability zones.",
        ));
    }
    let groups = input.security_group_ids.map(|list| list.items).unwrap_or_default();
    let security_groups = require_security_groups(call, &groups, subnet_group.vpc_id.as_deref())?;
    let retention = input.snapshot_retention_limit.unwrap_or(0);
    require_retention(retention)?;
    let snapshot_window = input.snapshot_window.unwrap_or_else(|| "05:00-06:00".into());
    let maintenance =
        input.preferred_maintenance_window.unwrap_or_else(|| "sun:07:00-sun:08:00".into());
    require_windows(&snapshot_window, &maintenance)?;
    let asked = input.log_delivery_configurations.map(|list| list.items).unwrap_or_default();
    let logs = deliver(call, form, Vec::new(), asked)?;
    let port = input.port.unwrap_or(6379);
    let arn = call.arn("elasticache", &format!("replicationgroup:{id}"));
    let group = model::ReplicationGroup {
        a_r_n: Some(arn.clone()),
        at_rest_encryption_enabled: Some(at_rest),
        auth_token_enabled: Some(input.auth_token.is_some()),
        auth_token_last_modified_date: input.auth_token.is_some().then(|| call.iso8601()),
        auto_minor_version_upgrade: Some(input.auto_minor_version_upgrade != Some(false)),
        automatic_failover: Some(word(failover)),
        cache_node_type: Some(node_type.clone()),
        cluster_enabled: Some(false),
        cluster_mode: Some("disabled".into()),
        data_tiering: Some("disabled".into()),
        description: Some(input.replication_group_description),
        engine: Some(engine.clone()),
        ip_discovery: Some("ipv4".into()),
        kms_key_id,
        log_delivery_configurations: Some(logs.into()),
        multi_a_z: Some(word(multi_az)),
        network_type: Some("ipv4".into()),
        pending_modified_values: Some(model::ReplicationGroupPendingModifiedValues::default()),
        replication_group_create_time: Some(call.iso8601()),
        replication_group_id: Some(id.clone()),
        snapshot_retention_limit: Some(retention),
        snapshot_window: Some(snapshot_window.clone()),
        status: Some("available".into()),
        transit_encryption_enabled: Some(tls),
        transit_encryption_mode: mode,
        user_group_ids: input.user_group_ids.map(|list| list.items.into()),
        ..Default::default()
    };
    // Part of the host names, and the same for all of them.
    let domain = format!(
        "{id}.{}.{}.cache.amazonaws.com",
        call.random_alphanumeric(6),
        short(call.region_name)
    );
    let template = model::CacheCluster {
        at_rest_encryption_enabled: Some(at_rest),
        cache_cluster_create_time: Some(call.iso8601()),
        cache_cluster_status: Some("available".into()),
        cache_node_type: Some(node_type),
        cache_parameter_group: Some(parameter_status(parameter_group)),
        cache_subnet_group_name: subnet_group.cache_subnet_group_name,
        // Where the endpoints of the group are derived from.
        configuration_endpoint: Some(model::Endpoint { address: Some(domain), port: Some(port) }),
        engine: Some(engine),
        engine_version: Some(number.into()),
        num_cache_nodes: Some(1),
        preferred_maintenance_window: Some(maintenance),
        replication_group_id: Some(id.clone()),
        security_groups: Some(security_groups),
        ..Default::default()
    };
    for number in 1..=nodes {
        add_node(call, &id, number, &template, &zones);
    }
    save_tags(call, &arn, input.tags);
    call.region().elasticache.replication_groups.insert(id.clone(), group);
    call.begin("elasticache.replication_group", &id);
    let mut shown = show(call, &id)?;
    shown.status = Some("creating".into());
    shown.node_groups = None;
    Ok(wire::serialize_create_replication_group_response(&model::CreateReplicationGroupResult {
        replication_group: Some(shown),
    }))
}

fn add_node(
    call: &mut Call<'_>,
    group: &str,
    number: i32,
    template: &model::CacheCluster,
    zones: &[String],
) {
    let id = format!("{group}-{number:03}");
    let at = usize::try_from(number - 1).unwrap_or_default() % zones.len().max(1);
    let node = model::CacheCluster {
        a_r_n: Some(call.arn("elasticache", &format!("cluster:{id}"))),
        cache_cluster_id: Some(id.clone()),
        preferred_availability_zone: zones.get(at).cloned(),
        ..template.clone()
    };
    call.region().elasticache.nodes.insert(id, node);
}

fn describe_groups(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_replication_groups_request(form)?;
    let ids: Vec<String> = match &input.replication_group_id {
        Some(id) => vec![id.to_lowercase()],
        None => call.region().elasticache.replication_groups.keys().cloned().collect(),
    };
    let found = ids.iter().map(|id| show(call, id)).collect::<Result<Vec<_>, _>>()?;
    let (found, marker) = paged(found, input.marker.as_deref(), input.max_records)?;
    Ok(wire::serialize_describe_replication_groups_response(&model::ReplicationGroupMessage {
        marker,
        replication_groups: Some(found.into()),
    }))
}

fn modify_group(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_modify_replication_group_request(form)?;
    let id = input.replication_group_id.to_lowercase();
    require_available(call, &id)?;
    let state = &call.region().elasticache;
    let mut group = state.replication_groups.get(&id).cloned().unwrap_or_default();
    let members = members(state, &id);
    let mut node = members.first().and_then(|id| state.nodes.get(id)).cloned().unwrap_or_default();
    if input.engine.is_some() || input.engine_version.is_some() {
        let engine = input.engine.or(group.engine.clone()).unwrap_or_default();
        let (number, family) = version(&engine, input.engine_version.as_deref())?;
        if numbers(number) < numbers(node.engine_version.as_deref().unwrap_or_default()) {
            return Err(combination(format!("Cannot downgrade the engine version to {number}.")));
        }
        let current = parameter_group_of(&node);
        let parameters = input.cache_parameter_group_name.as_deref().or(Some(&current));
        let parameters = require_parameter_group(parameters, family)?;
        node.cache_parameter_group = Some(parameter_status(parameters));
        node.engine_version = Some(number.into());
        node.engine = Some(engine.clone());
        group.engine = Some(engine);
    } else if let Some(name) = &input.cache_parameter_group_name {
        let engine = group.engine.clone().unwrap_or_default();
        let (_, family) = version(&engine, node.engine_version.as_deref())?;
        let parameters = require_parameter_group(Some(name), family)?;
        node.cache_parameter_group = Some(parameter_status(parameters));
    }
    if let Some(node_type) = input.cache_node_type {
        require_node_type(&node_type)?;
        node.cache_node_type = Some(node_type.clone());
        group.cache_node_type = Some(node_type);
    }
    if let Some(description) = input.replication_group_description {
        group.description = Some(description);
    }
    let on = |value: &Option<String>| value.as_deref() == Some("enabled");
    let failover = input.automatic_failover_enabled.unwrap_or(on(&group.automatic_failover));
    let multi_az = input.multi_a_z_enabled.unwrap_or(on(&group.multi_a_z));
    require_failover(failover, multi_az, i32::try_from(members.len()).unwrap_or(i32::MAX))?;
    (group.automatic_failover, group.multi_a_z) = (Some(word(failover)), Some(word(multi_az)));
    transit(&mut group, input.transit_encryption_enabled, input.transit_encryption_mode)?;
    if let Some(token) = &input.auth_token {
        if group.transit_encryption_enabled != Some(true) {
            return Err(combination(
                "Auth token can only be set when transit encryption is enabled.",
            ));
        }
        require_token(token)?;
        group.auth_token_enabled = Some(true);
        group.auth_token_last_modified_date = Some(call.iso8601());
    }
    let joining = input.user_group_ids_to_add.map(|list| list.items).unwrap_or_default();
    let leaving = input.user_group_ids_to_remove.map(|list| list.items).unwrap_or_default();
    if !joining.is_empty() || !leaving.is_empty() {
        let mut users = group.user_group_ids.take().map(|list| list.items).unwrap_or_default();
        users.retain(|id| !leaving.contains(id));
        users.extend(joining);
        group.user_group_ids = Some(users.into());
    }
    if let Some(days) = input.snapshot_retention_limit {
        require_retention(days)?;
        group.snapshot_retention_limit = Some(days);
    }
    let snapshot = input.snapshot_window.or(group.snapshot_window.take()).unwrap_or_default();
    let maintenance =
        input.preferred_maintenance_window.or(node.preferred_maintenance_window.take());
    let maintenance = maintenance.unwrap_or_default();
    require_windows(&snapshot, &maintenance)?;
    group.snapshot_window = Some(snapshot);
    node.preferred_maintenance_window = Some(maintenance);
    if let Some(list) = input.security_group_ids {
        let name = node.cache_subnet_group_name.clone().unwrap_or_default();
        let vpc = find_subnet_group(call, &name)?.vpc_id;
        node.security_groups = Some(require_security_groups(call, &list.items, vpc.as_deref())?);
    }
    if input.auto_minor_version_upgrade.is_some() {
        group.auto_minor_version_upgrade = input.auto_minor_version_upgrade;
    }
    if let Some(list) = input.log_delivery_configurations {
        let old = group.log_delivery_configurations.take().map(|l| l.items).unwrap_or_default();
        group.log_delivery_configurations = Some(deliver(call, form, old, list.items)?.into());
    }
    let state = &mut *call.region().elasticache;
    for member in members {
        let Some(kept) = state.nodes.get_mut(&member) else { continue };
        *kept = model::CacheCluster {
            a_r_n: kept.a_r_n.take(),
            cache_cluster_id: kept.cache_cluster_id.take(),
            preferred_availability_zone: kept.preferred_availability_zone.take(),
            ..node.clone()
        };
    }
    state.replication_groups.insert(id.clone(), group);
    call.begin("elasticache.replication_group.change", &id);
    Ok(wire::serialize_modify_replication_group_response(&model::ModifyReplicationGroupResult {
        replication_group: Some(show(call, &id)?),
    }))
}

/// TLS on a running group: from off to `preferred` to `required`, and back the same way.
fn transit(
    group: &mut model::ReplicationGroup,
    enabled: Option<bool>,
    mode: Option<String>,
) -> Result<(), Fault> {
    let was = group.transit_encryption_enabled == Some(true);
    let will = enabled.unwrap_or(was);
    match (was, will, mode.as_deref()) {
        (_, _, Some(mode)) if !["preferred", "required"].contains(&mode) => {
            return Err(invalid(format!("Invalid TransitEncryptionMode: {mode}")));
        }
        (false, true, Some("preferred")) | (true, true, Some(_)) => {
            group.transit_encryption_mode = mode;
        }
        (false, true, _) => {
            return Err(combination(
                "TransitEncryptionMode has to be preferred before it can be required.",
            ));
        }
        (true, false, _) => {
            if group.transit_encryption_mode.as_deref() != Some("preferred") {
                return Err(combination(
                    "TransitEncryptionMode has to be preferred before transit encryption can be disabled.",
                ));
            }
            group.transit_encryption_mode = None;
        }
        (false, false, Some(_)) => {
            return Err(combination(
                "TransitEncryptionMode can only be specified when TransitEncryptionEnabled is true.",
            ));
        }
        (_, _, None) => {}
    }
    group.transit_encryption_enabled = Some(will);
    Ok(())
}

fn increase_replicas(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_increase_replica_count_request(form)?;
    let id = input.replication_group_id.to_lowercase();
    require_available(call, &id)?;
    let state = &call.region().elasticache;
    let members = members(state, &id);
    let template = members.first().and_then(|id| state.nodes.get(id)).cloned().unwrap_or_default();
    let have = i32::try_from(members.len()).unwrap_or(i32::MAX);
    let want = input.new_replica_count.unwrap_or(have) + 1;
    if want <= have {
        return Err(invalid(
            "NewReplicaCount must be greater than the current number of replicas.",
        ));
    }
    require_node_count(want)?;
    let subnet_group = template.cache_subnet_group_name.clone().unwrap_or_default();
    let zones = zones(&find_subnet_group(call, &subnet_group)?);
    for number in have + 1..=want {
        add_node(call, &id, number, &template, &zones);
    }
    call.begin("elasticache.replication_group.change", &id);
    Ok(wire::serialize_increase_replica_count_response(&model::IncreaseReplicaCountResult {
        replication_group: Some(show(call, &id)?),
    }))
}

fn decrease_replicas(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_decrease_replica_count_request(form)?;
    let id = input.replication_group_id.to_lowercase();
    require_available(call, &id)?;
    let members = members(&call.region().elasticache, &id);
    let have = i32::try_from(members.len()).unwrap_or(i32::MAX);
    let want = input.new_replica_count.unwrap_or(have) + 1;
    if want >= have {
        return Err(invalid("NewReplicaCount must be less than the current number of replicas."));
    }
    require_node_count(want)?;
    let group = show(call, &id)?;
    let on = |value: &Option<String>| value.as_deref() == Some("enabled");
    require_failover(on(&group.automatic_failover), on(&group.multi_a_z), want)?;
    let keep = usize::try_from(want).unwrap_or_default();
    for gone in members.iter().skip(keep) {
        call.region().elasticache.nodes.remove(gone);
    }
    call.begin("elasticache.replication_group.change", &id);
    Ok(wire::serialize_decrease_replica_count_response(&model::DecreaseReplicaCountResult {
        replication_group: Some(show(call, &id)?),
    }))
}

fn delete_group(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_delete_replication_group_request(form)?;
    let id = input.replication_group_id.to_lowercase();
    require_available(call, &id)?;
    let mut group = show(call, &id)?;
    if input.retain_primary_cluster == Some(true) {
        return Err(combination("The embedded control plane keeps no primary without its group."));
    }
    if let Some(name) = &input.final_snapshot_identifier {
        snapshot(call, name, &group)?;
    }
    if let Some(kept) = call.region().elasticache.replication_groups.get_mut(&id) {
        kept.status = Some("deleting".into());
    }
    call.begin("elasticache.replication_group.deletion", &id);
    group.status = Some("deleting".into());
    Ok(wire::serialize_delete_replication_group_response(&model::DeleteReplicationGroupResult {
        replication_group: Some(group),
    }))
}

fn snapshot(call: &mut Call<'_>, name: &str, group: &model::ReplicationGroup) -> Result<(), Fault> {
    if !is_identifier(name, 50) {
        return Err(invalid("The parameter FinalSnapshotIdentifier is not a valid identifier."));
    }
    if call.region().elasticache.snapshots.contains_key(name) {
        let message = format!("Snapshot with specified name already exists: {name}");
        return Err(Fault::new("SnapshotAlreadyExistsFault", message));
    }
    let arn = call.arn("elasticache", &format!("snapshot:{name}"));
    let taken = model::Snapshot {
        a_r_n: Some(arn),
        automatic_failover: group.automatic_failover.clone(),
        cache_node_type: group.cache_node_type.clone(),
        engine: group.engine.clone(),
        kms_key_id: group.kms_key_id.clone(),
        num_node_groups: Some(1),
        replication_group_description: group.description.clone(),
        replication_group_id: group.replication_group_id.clone(),
        snapshot_name: Some(name.to_owned()),
        snapshot_retention_limit: group.snapshot_retention_limit,
        snapshot_source: Some("manual".into()),
        snapshot_status: Some("available".into()),
        ..Default::default()
    };
    call.region().elasticache.snapshots.insert(name.to_owned(), taken);
    Ok(())
}

fn describe_snapshots(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_snapshots_request(form)?;
    let fits = |asked: &Option<String>, value: &Option<String>| asked.is_none() || asked == value;
    let found: Vec<_> = call
        .region()
        .elasticache
        .snapshots
        .values()
        .filter(|one| {
            fits(&input.snapshot_name, &one.snapshot_name)
                && fits(&input.replication_group_id, &one.replication_group_id)
        })
        .cloned()
        .collect();
    if let (true, Some(name)) = (found.is_empty(), &input.snapshot_name) {
        return Err(
            Fault::new("SnapshotNotFoundFault", format!("Snapshot not found: {name}")).status(404)
        );
    }
    let (found, marker) = paged(found, input.marker.as_deref(), input.max_records)?;
    Ok(wire::serialize_describe_snapshots_response(&model::DescribeSnapshotsListMessage {
        marker,
        snapshots: Some(found.into()),
    }))
}

fn describe_nodes(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_cache_clusters_request(form)?;
    let ids: Vec<String> = match &input.cache_cluster_id {
        Some(id) => vec![id.to_lowercase()],
        None if input.show_cache_clusters_not_in_replication_groups == Some(true) => Vec::new(),
        None => call.region().elasticache.nodes.keys().cloned().collect(),
    };
    let mut found = Vec::new();
    for id in ids {
        let node = call.region().elasticache.nodes.get(&id).cloned();
        let node = node.ok_or_else(|| {
            Fault::new("CacheClusterNotFound", format!("CacheCluster not found: {id}")).status(404)
        })?;
        let group = show(call, node.replication_group_id.as_deref().unwrap_or_default())?;
        found.push(model::CacheCluster {
            // The group's own, kept here.
            configuration_endpoint: None,
            cache_cluster_status: group.status,
            auth_token_enabled: group.auth_token_enabled,
            auto_minor_version_upgrade: group.auto_minor_version_upgrade,
            snapshot_retention_limit: group.snapshot_retention_limit,
            snapshot_window: group.snapshot_window,
            transit_encryption_enabled: group.transit_encryption_enabled,
            transit_encryption_mode: group.transit_encryption_mode,
            ..node
        });
    }
    let (found, marker) = paged(found, input.marker.as_deref(), input.max_records)?;
    Ok(wire::serialize_describe_cache_clusters_response(&model::CacheClusterMessage {
        cache_clusters: Some(found.into()),
        marker,
    }))
}

fn members(state: &State, group: &str) -> Vec<String> {
    let of = |node: &model::CacheCluster| node.replication_group_id.as_deref() == Some(group);
    state.nodes.iter().filter(|(_, node)| of(node)).map(|(id, _)| id.clone()).collect()
}

/// A group as a describe call shows it: with its status of now, its nodes, and its endpoints once it
/// has them.
fn show(call: &mut Call<'_>, id: &str) -> Result<model::ReplicationGroup, Fault> {
    let found = call.region().elasticache.replication_groups.get(id).cloned();
    let mut group = found.ok_or_else(|| {
        let message = format!("ReplicationGroup {id} not found.");
        Fault::new("ReplicationGroupNotFoundFault", message).status(404)
    })?;
    let made = call.is_ready("elasticache.replication_group", id);
    if group.status.as_deref() == Some("available") {
        if !made {
            group.status = Some("creating".into());
        } else if !call.is_ready("elasticache.replication_group.change", id) {
            group.status = Some("modifying".into());
        }
    }
    let state = &call.region().elasticache;
    let members = members(state, id);
    if made {
        let first = members.first().and_then(|id| state.nodes.get(id));
        let domain = first.and_then(|node| node.configuration_endpoint.clone()).unwrap_or_default();
        let host = |role: &str| model::Endpoint {
            address: domain.address.as_ref().map(|domain| format!("{role}.{domain}")),
            port: domain.port,
        };
        let member = |(at, id): (usize, &String)| model::NodeGroupMember {
            cache_cluster_id: Some(id.clone()),
            cache_node_id: Some("0001".into()),
            current_role: Some(if at == 0 { "primary" } else { "replica" }.into()),
            preferred_availability_zone: state
                .nodes
                .get(id)
                .and_then(|node| node.preferred_availability_zone.clone()),
            ..Default::default()
        };
        let shard = model::NodeGroup {
            node_group_id: Some("0001".into()),
            node_group_members: Some(
                members.iter().enumerate().map(member).collect::<Vec<_>>().into(),
            ),
            primary_endpoint: Some(host("master")),
            reader_endpoint: Some(host("replica")),
            slots: None,
            status: Some("available".into()),
        };
        group.node_groups = Some(vec![shard].into());
    }
    group.member_clusters = Some(members.into());
    Ok(group)
}

fn require_available(call: &mut Call<'_>, id: &str) -> Result<(), Fault> {
    match show(call, id)?.status.as_deref() {
        Some("available") => Ok(()),
        Some(status) => {
            let message =
                format!("Replication group {id} is not in available state, but {status}.");
            Err(Fault::new("InvalidReplicationGroupState", message))
        }
        None => Ok(()),
    }
}

fn word(on: bool) -> String {
    if on { "enabled" } else { "disabled" }.into()
}

/// `use1` for `us-east-1`.
fn short(region: &str) -> String {
    let parts: Vec<&str> = region.split('-').collect();
    match parts.as_slice() {
        [area, middle @ .., number] => {
            let middle: String = middle.iter().filter_map(|part| part.chars().next()).collect();
            format!("{area}{middle}{number}")
        }
        _ => region.to_owned(),
    }
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

/// A version in full, and its family, from what was asked for.
fn version(engine: &str, asked: Option<&str>) -> Result<(&'static str, &'static str), Fault> {
    let mut of_engine = VERSIONS.iter().filter(|(name, ..)| *name == engine);
    let found = match asked {
        None => of_engine.next_back(),
        Some(asked) => {
            of_engine.find(|(_, short, full, _)| *full == asked || short.contains(&asked))
        }
    };
    let found = found.map(|(.., full, family)| (*full, *family));
    found.ok_or_else(|| {
        invalid(format!("Cannot find version {} for {engine}", asked.unwrap_or_default()))
    })
}

fn parameter_status(name: String) -> model::CacheParameterGroupStatus {
    model::CacheParameterGroupStatus {
        cache_parameter_group_name: Some(name),
        parameter_apply_status: Some("in-sync".into()),
        ..Default::default()
    }
}

fn parameter_group_of(node: &model::CacheCluster) -> String {
    let group = node.cache_parameter_group.as_ref();
    group.and_then(|group| group.cache_parameter_group_name.clone()).unwrap_or_default()
}

/// The default group of a family; the plane has no others.
fn require_parameter_group(name: Option<&str>, family: &str) -> Result<String, Fault> {
    let default = format!("default.{family}");
    match name {
        None => Ok(default),
        Some(name) if name == default => Ok(default),
        Some(name) if VERSIONS.iter().any(|(.., family)| name == format!("default.{family}")) => {
            Err(combination(format!(
                "Expected a parameter group of family {family} but found one of family {}",
                name.trim_start_matches("default.")
            )))
        }
        Some(name) => {
            let message = format!("CacheParameterGroup not found: {name}");
            Err(Fault::new("CacheParameterGroupNotFound", message).status(404))
        }
    }
}

fn require_node_type(node_type: &str) -> Result<(), Fault> {
    let parts: Vec<&str> = node_type.split('.').collect();
    if parts.len() == 3 && parts[0] == "cache" {
        return Ok(());
    }
    Err(invalid(format!("Invalid Cache Node Type: {node_type}.")))
}

fn require_node_count(nodes: i32) -> Result<(), Fault> {
    if (1..=6).contains(&nodes) {
        return Ok(());
    }
    Err(invalid(format!("Invalid number of nodes: {nodes}. Must be between 1 and 6")))
}

fn require_failover(failover: bool, multi_az: bool, nodes: i32) -> Result<(), Fault> {
    if failover && nodes < 2 {
        return Err(combination(
            "Replication groups with automatic failover must have at least one replica.",
        ));
    }
    if multi_az && !failover {
        return Err(combination("Multi-AZ needs automatic failover to be enabled."));
    }
    Ok(())
}

fn require_retention(days: i32) -> Result<(), Fault> {
    if (0..=35).contains(&days) {
        return Ok(());
    }
    Err(invalid(format!("Invalid snapshot retention limit: {days}. Must be between 0 and 35")))
}

fn require_token(token: &str) -> Result<(), Fault> {
    let good = (16..=128).contains(&token.len())
        && token.chars().all(|c| c.is_ascii_alphanumeric() || "!&#$^<>-".contains(c));
    if good {
        return Ok(());
    }
    Err(invalid(
        "Invalid AuthToken provided. Valid AuthToken must be 16 to 128 characters, of which only alphanumeric characters and !, &, #, $, ^, <, >, - are allowed.",
    ))
}

fn require_key(call: &Call<'_>, key: &str) -> Result<String, Fault> {
    kms::require_usable(call, key).map_err(|_| {
        let message =
            format!("The KMS key {key} does not exist, is not enabled or may not be used.");
        Fault::new("InvalidKMSKeyFault", message)
    })
}

/// Windows of an hour or more that are never open at the same time.
fn require_windows(snapshot: &str, maintenance: &str) -> Result<(), Fault> {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let time = |text: &str| -> Option<usize> {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes): (usize, usize) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    let moment = |text: &str| {
        let (day, rest) = text.split_once(':')?;
        Some(days.iter().position(|one| *one == day)? * 1440 + time(rest)?)
    };
    let daily = snapshot.split_once('-').and_then(|(a, b)| Some((time(a)?, time(b)?)));
    let weekly = maintenance.split_once('-').and_then(|(a, b)| Some((moment(a)?, moment(b)?)));
    let week = 7 * 1440;
    let length = |(start, end): (usize, usize), every: usize| (end + every - start) % every;
    let daily = daily.filter(|span| length(*span, 1440) >= 60);
    let daily = daily.ok_or_else(|| invalid(format!("Invalid snapshot window: {snapshot}")))?;
    let weekly = weekly.filter(|span| length(*span, week) >= 60);
    let weekly =
        weekly.ok_or_else(|| invalid(format!("Invalid maintenance window: {maintenance}")))?;
    let meets = (0..7).map(|day| daily.0 + day * 1440).any(|at| {
        (at + week - weekly.0) % week < length(weekly, week)
            || (weekly.0 + week - at) % week < length(daily, 1440)
    });
    if meets {
        return Err(invalid("The snapshot window and maintenance window must not overlap."));
    }
    Ok(())
}

/// The security groups, which must exist in the VPC.
fn require_security_groups(
    call: &mut Call<'_>,
    groups: &[String],
    vpc: Option<&str>,
) -> Result<model::SecurityGroupMembershipList, Fault> {
    for id in groups {
        let found = call.region().ec2.security_groups.get(id);
        if found.is_none_or(|group| group.vpc_id.as_deref() != vpc) {
            return Err(invalid(format!("Some security groups are invalid: [{id}]")));
        }
    }
    let membership = |id: &String| model::SecurityGroupMembership {
        security_group_id: Some(id.clone()),
        status: Some("active".into()),
    };
    Ok(groups.iter().map(membership).collect::<Vec<_>>().into())
}

/// What is delivered after a change of deliveries.
///
/// winterbaume's parser drops the destination of a delivery, so that is read from the form.
fn deliver(
    call: &Call<'_>,
    form: &Form,
    old: Vec<model::LogDeliveryConfiguration>,
    asked: Vec<model::LogDeliveryConfigurationRequest>,
) -> Result<Vec<model::LogDeliveryConfiguration>, Fault> {
    let mut all = old;
    for (at, one) in asked.into_iter().enumerate() {
        let log = one.log_type.unwrap_or_default();
        if !["slow-log", "engine-log"].contains(&log.as_str()) {
            return Err(invalid(format!("Invalid log type: {log}")));
        }
        all.retain(|kept| kept.log_type.as_deref() != Some(&log));
        if one.enabled == Some(false) {
            continue;
        }
        let path = format!(
            "LogDeliveryConfigurations.LogDeliveryConfigurationRequest.{}.DestinationDetails.CloudWatchLogsDetails.LogGroup",
            at + 1
        );
        let log_group = form.get(&path).cloned();
        let log_group = log_group
            .filter(|_| one.destination_type.as_deref() == Some("cloudwatch-logs"))
            .ok_or_else(|| invalid(format!("A delivery of the {log} needs a log group.")))?;
        logs::require_log_group(call, &log_group).map_err(|_| {
            invalid(format!("The CloudWatch Logs log group {log_group} does not exist."))
        })?;
        let format = one.log_format.unwrap_or_default();
        if !["json", "text"].contains(&format.as_str()) {
            return Err(invalid(format!("Invalid log format: {format}")));
        }
        all.push(model::LogDeliveryConfiguration {
            destination_details: Some(model::DestinationDetails {
                cloud_watch_logs_details: Some(model::CloudWatchLogsDestinationDetails {
                    log_group: Some(log_group),
                }),
                ..Default::default()
            }),
            destination_type: Some("cloudwatch-logs".into()),
            log_format: Some(format),
            log_type: Some(log),
            status: Some("active".into()),
            ..Default::default()
        });
    }
    Ok(all)
}

// Tags.

fn save_tags(call: &mut Call<'_>, arn: &str, tags: Option<model::TagList>) {
    let pairs = tags.map(|tags| tags.items).unwrap_or_default();
    let pairs =
        pairs.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
    call.region().elasticache.tags.insert(arn.to_owned(), pairs.collect());
}

/// That something carries tags, and is in a state in which ElastiCache says which.
fn require_tagged(call: &mut Call<'_>, arn: &str) -> Result<(), Fault> {
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    let ["arn", _, "elasticache", _, _, kind, name] = parts.as_slice() else {
        return Err(Fault::new(
            "InvalidARN",
            format!("ARN [{arn}] is not a valid ElastiCache resource."),
        ));
    };
    match *kind {
        "subnetgroup" => find_subnet_group(call, name).map(drop),
        "replicationgroup" => match show(call, name)?.status.as_deref() {
            Some("available") => Ok(()),
            _ => Err(Fault::new(
                "InvalidReplicationGroupState",
                "Cluster not in available state to perform tagging operations.",
            )),
        },
        _ => Err(Fault::new(
            "InvalidARN",
            format!("ARN [{arn}] is not a valid ElastiCache resource."),
        )),
    }
}

fn tags(call: &mut Call<'_>, arn: &str) -> model::TagListMessage {
    let tags = call.region().elasticache.tags.get(arn).cloned().unwrap_or_default();
    let tag = |(key, value)| model::Tag { key: Some(key), value: Some(value) };
    model::TagListMessage { tag_list: Some(tags.into_iter().map(tag).collect::<Vec<_>>().into()) }
}

fn list_tags(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_list_tags_for_resource_request(form)?;
    require_tagged(call, &input.resource_name)?;
    Ok(wire::serialize_list_tags_for_resource_response(&tags(call, &input.resource_name)))
}

fn add_tags(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_add_tags_to_resource_request(form)?;
    require_tagged(call, &input.resource_name)?;
    let kept = call.region().elasticache.tags.entry(input.resource_name.clone()).or_default();
    for tag in input.tags.items {
        kept.insert(tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
    }
    Ok(wire::serialize_add_tags_to_resource_response(&tags(call, &input.resource_name)))
}

fn remove_tags(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_remove_tags_from_resource_request(form)?;
    require_tagged(call, &input.resource_name)?;
    let kept = call.region().elasticache.tags.entry(input.resource_name.clone()).or_default();
    for key in input.tag_keys.items {
        kept.remove(&key);
    }
    Ok(wire::serialize_remove_tags_from_resource_response(&tags(call, &input.resource_name)))
}

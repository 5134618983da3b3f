//! ECS: clusters, task definitions, services, and the tasks that services would run. No container is
//! started: a task runs when the time of its service is over, unless something is missing that it
//! needs to start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use winterbaume_core::MockResponse;
use winterbaume_ecs::{model, wire};

use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::services::{elasticloadbalancing, kms, logs, secretsmanager};

mod task_definition;

pub use task_definition::Revision;

/// The time that the tasks of a deleted service take to stop.
const DELETION: &str = "ecs.service.deletion";

/// What ECS holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name, deleted ones included.
    pub clusters: BTreeMap<String, model::Cluster>,
    /// By ARN, deregistered ones included.
    pub task_definitions: BTreeMap<String, Revision>,
    /// The last revision of each family.
    pub revisions: BTreeMap<String, i32>,
    /// By `cluster/service`, deleted ones included.
    pub services: BTreeMap<String, Held>,
    /// What client tokens made: the request, and the service.
    pub client_tokens: BTreeMap<String, (String, String)>,
}

/// A service as it is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Held {
    /// Its attributes; its deployments, the primary one first.
    pub service: model::Service,
    /// Why the tasks of the primary deployment cannot start.
    pub cannot_start: Option<String>,
}

/// A task that a service runs (or starts, or stops).
#[derive(Debug, Clone)]
pub(crate) struct Running {
    id: String,
    pub(crate) address: String,
    pub(crate) zone: String,
    subnet: String,
    status: &'static str,
    task_definition: String,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let body = call.request.body.clone();
    match call.target() {
        "CreateCluster" => create_cluster(call, wire::deserialize_create_cluster_request(&body)?),
        "DescribeClusters" => {
            describe_clusters(call, wire::deserialize_describe_clusters_request(&body)?)
        }
        "ListClusters" => {
            let input = wire::deserialize_list_clusters_request(&body)?;
            let all = held(call).map(|ecs| ecs.clusters.values()).into_iter().flatten();
            let active = all.filter(|one| one.status.as_deref() == Some("ACTIVE"));
            let arns = active.filter_map(|one| one.cluster_arn.clone()).collect();
            let (arns, next_token) = page_of(arns, input.next_token.as_deref(), input.max_results)?;
            Ok(wire::serialize_list_clusters_response(&model::ListClustersResponse {
                cluster_arns: Some(arns),
                next_token,
            }))
        }
        "UpdateCluster" => {
            let input = wire::deserialize_update_cluster_request(&body)?;
            check_configuration(call, input.configuration.as_ref())?;
            check_settings(input.settings.as_deref())?;
            let cluster = active_cluster_mut(call, Some(&input.cluster))?;
            if let Some(settings) = input.settings {
                cluster.settings = Some(settings);
            }
            if let Some(configuration) = input.configuration {
                cluster.configuration = Some(configuration);
            }
            let cluster = Some(cluster.clone());
            Ok(wire::serialize_update_cluster_response(&model::UpdateClusterResponse { cluster }))
        }
        "PutClusterCapacityProviders" => {
            let input = wire::deserialize_put_cluster_capacity_providers_request(&body)?;
            let cluster = active_cluster_mut(call, Some(&input.cluster))?;
            cluster.capacity_providers = Some(input.capacity_providers);
            cluster.default_capacity_provider_strategy =
                Some(input.default_capacity_provider_strategy);
            let cluster = Some(cluster.clone());
            Ok(wire::serialize_put_cluster_capacity_providers_response(
                &model::PutClusterCapacityProvidersResponse { cluster },
            ))
        }
        "DeleteCluster" => delete_cluster(call, wire::deserialize_delete_cluster_request(&body)?),
        "RegisterTaskDefinition" => task_definition::register(
            call,
            wire::deserialize_register_task_definition_request(&body)?,
        ),
        "DescribeTaskDefinition" => task_definition::describe(
            call,
            wire::deserialize_describe_task_definition_request(&body)?,
        ),
        "DeregisterTaskDefinition" => task_definition::deregister(
            call,
            wire::deserialize_deregister_task_definition_request(&body)?,
        ),
        "ListTaskDefinitions" => {
            task_definition::list(call, wire::deserialize_list_task_definitions_request(&body)?)
        }
        "CreateService" => create_service(call, wire::deserialize_create_service_request(&body)?),
        "UpdateService" => update_service(call, wire::deserialize_update_service_request(&body)?),
        "DeleteService" => delete_service(call, wire::deserialize_delete_service_request(&body)?),
        "DescribeServices" => {
            describe_services(call, wire::deserialize_describe_services_request(&body)?)
        }
        "ListServices" => list_services(call, wire::deserialize_list_services_request(&body)?),
        "ListTasks" => list_tasks(call, wire::deserialize_list_tasks_request(&body)?),
        "DescribeTasks" => describe_tasks(call, wire::deserialize_describe_tasks_request(&body)?),
        "TagResource" => {
            let input = wire::deserialize_tag_resource_request(&body)?;
            let tags = tags_mut(call, &input.resource_arn)?;
            for tag in input.tags {
                tags.retain(|one| one.key != tag.key);
                tags.push(tag);
            }
            Ok(wire::serialize_tag_resource_response(&model::TagResourceResponse {}))
        }
        "UntagResource" => {
            let input = wire::deserialize_untag_resource_request(&body)?;
            let tags = tags_mut(call, &input.resource_arn)?;
            tags.retain(|one| !one.key.as_ref().is_some_and(|key| input.tag_keys.contains(key)));
            Ok(wire::serialize_untag_resource_response(&model::UntagResourceResponse {}))
        }
        "ListTagsForResource" => {
            let input = wire::deserialize_list_tags_for_resource_request(&body)?;
            let tags = tags_mut(call, &input.resource_arn)?.clone();
            Ok(wire::serialize_list_tags_for_resource_response(
                &model::ListTagsForResourceResponse { tags: Some(tags) },
            ))
        }
        other => Err(Fault::unknown_operation("ecs", other)),
    }
}

/// That a service exists and is active, by `service/<cluster>/<service>`.
pub(crate) fn has_service(call: &Call<'_>, resource_id: &str) -> bool {
    let key = resource_id.strip_prefix("service/").unwrap_or_default();
    let service = held(call).and_then(|ecs| ecs.services.get(key));
    service.is_some_and(|one| one.service.status.as_deref() == Some("ACTIVE"))
}

/// The tasks that are registered in a target group, with the port that they answer on.
pub(crate) fn targets(call: &mut Call<'_>, target_group: &str) -> Vec<(Running, i32)> {
    let keys: Vec<String> =
        held(call).map(|ecs| ecs.services.keys().cloned().collect()).unwrap_or_default();
    let mut found = Vec::new();
    for key in keys {
        let Some(one) = held(call).and_then(|ecs| ecs.services.get(&key)).cloned() else {
            continue;
        };
        let group = one
            .service
            .load_balancers
            .iter()
            .flatten()
            .find(|balancer| balancer.target_group_arn.as_deref() == Some(target_group));
        if let Some(group) = group {
            let port = group.container_port.unwrap_or_default();
            let running = tasks(call, &key, &one);
            found.extend(
                running
                    .into_iter()
                    .filter(|task| task.status == "RUNNING")
                    .map(|task| (task, port)),
            );
        }
    }
    found
}

/// Whether a service registers its tasks in a target group.
pub(crate) fn uses_target_group(call: &Call<'_>, target_group: &str) -> bool {
    let services = held(call).map(|ecs| ecs.services.values()).into_iter().flatten();
    services.filter(|one| one.service.status.as_deref() == Some("ACTIVE")).any(|one| {
        let balancers = one.service.load_balancers.iter().flatten();
        balancers.filter_map(|one| one.target_group_arn.as_deref()).any(|arn| arn == target_group)
    })
}

fn held<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.region_if_any(call.region_name).map(|region| &*region.ecs)
}

fn client(message: &str) -> Fault {
    Fault::new("ClientException", message)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

fn to_tags(tags: &[model::Tag]) -> Option<Vec<model::Tag>> {
    (!tags.is_empty()).then(|| tags.to_vec())
}

fn page_of<T>(
    items: Vec<T>,
    token: Option<&str>,
    limit: Option<i32>,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let limit = limit.and_then(|limit| limit.try_into().ok()).unwrap_or(100).min(100);
    page(items, token, limit).ok_or_else(|| invalid("Invalid token"))
}

/// The last part of an ARN, or a name as it is.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn cluster_name(given: Option<&str>) -> &str {
    given.map_or("default", short)
}

fn no_cluster() -> Fault {
    Fault::new("ClusterNotFoundException", "Cluster not found.")
}

fn active_cluster<'a>(
    call: &'a Call<'_>,
    given: Option<&str>,
) -> Result<&'a model::Cluster, Fault> {
    let cluster = held(call).and_then(|ecs| ecs.clusters.get(cluster_name(given)));
    let cluster = cluster.ok_or_else(no_cluster)?;
    match cluster.status.as_deref() {
        Some("ACTIVE") => Ok(cluster),
        _ => Err(Fault::new("ClusterNotFoundException", "The referenced cluster was inactive.")),
    }
}

fn active_cluster_mut<'a>(
    call: &'a mut Call<'_>,
    given: Option<&str>,
) -> Result<&'a mut model::Cluster, Fault> {
    active_cluster(call, given)?;
    call.region().ecs.clusters.get_mut(cluster_name(given)).ok_or_else(no_cluster)
}

fn check_name(name: &str, what: &str) -> Result<(), Fault> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > 255 || !name.bytes().all(plain) {
        return Err(invalid(format!(
            "{what} name can contain up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens."
        )));
    }
    Ok(())
}

fn check_settings(settings: Option<&[model::ClusterSetting]>) -> Result<(), Fault> {
    for setting in settings.unwrap_or_default() {
        let (name, value) = (setting.name.as_deref(), setting.value.as_deref());
        if name != Some("containerInsights")
            || !matches!(value, Some("enabled" | "disabled" | "enhanced"))
        {
            return Err(invalid("Invalid cluster setting."));
        }
    }
    Ok(())
}

fn check_configuration(
    call: &Call<'_>,
    configuration: Option<&model::ClusterConfiguration>,
) -> Result<(), Fault> {
    let execute = configuration.and_then(|one| one.execute_command_configuration.as_ref());
    let Some(execute) = execute else { return Ok(()) };
    if let Some(key) = &execute.kms_key_id {
        kms::require_usable(call, key)?;
    }
    let log = execute.log_configuration.as_ref();
    let overridden = execute.logging.as_deref() == Some("OVERRIDE");
    if overridden != log.is_some() {
        return Err(invalid(
            "A log configuration is required if, and only if, logging is OVERRIDE.",
        ));
    }
    if let Some(group) = log.and_then(|log| log.cloud_watch_log_group_name.as_deref()) {
        logs::require_log_group(call, group)?;
    }
    Ok(())
}

fn create_cluster(
    call: &mut Call<'_>,
    input: model::CreateClusterRequest,
) -> Result<MockResponse, Fault> {
    let name = input.cluster_name.clone().unwrap_or_else(|| "default".into());
    check_name(&name, "Cluster")?;
    check_settings(input.settings.as_deref())?;
    check_configuration(call, input.configuration.as_ref())?;
    let respond = |cluster: model::Cluster| {
        let cluster = Some(cluster);
        Ok(wire::serialize_create_cluster_response(&model::CreateClusterResponse { cluster }))
    };
    // Creating a cluster that exists gives that cluster.
    if let Ok(cluster) = active_cluster(call, Some(&name)) {
        return respond(cluster.clone());
    }
    let off = model::ClusterSetting {
        name: Some("containerInsights".into()),
        value: Some("disabled".into()),
    };
    let cluster = model::Cluster {
        cluster_arn: Some(call.arn("ecs", &format!("cluster/{name}"))),
        cluster_name: Some(name.clone()),
        status: Some("ACTIVE".into()),
        settings: Some(input.settings.filter(|all| !all.is_empty()).unwrap_or(vec![off])),
        configuration: input.configuration,
        capacity_providers: Some(input.capacity_providers.unwrap_or_default()),
        default_capacity_provider_strategy: Some(
            input.default_capacity_provider_strategy.unwrap_or_default(),
        ),
        tags: Some(input.tags.unwrap_or_default()),
        registered_container_instances_count: Some(0),
        statistics: Some(Vec::new()),
        ..Default::default()
    };
    call.region().ecs.clusters.insert(name, cluster.clone());
    respond(cluster)
}

fn describe_clusters(
    call: &mut Call<'_>,
    input: model::DescribeClustersRequest,
) -> Result<MockResponse, Fault> {
    let include = input.include.unwrap_or_default();
    let wants = |what: &str| include.iter().any(|word| word == what);
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for given in input.clusters.unwrap_or_else(|| vec!["default".into()]) {
        let found = held(call).and_then(|ecs| ecs.clusters.get(short(&given))).cloned();
        let Some(mut cluster) = found else {
            failures.push(model::Failure {
                arn: Some(call.arn("ecs", &format!("cluster/{}", short(&given)))),
                reason: Some("MISSING".into()),
                ..Default::default()
            });
            continue;
        };
        let views = services_of(call, short(&given));
        let active = views.iter().filter(|one| one.status.as_deref() == Some("ACTIVE"));
        cluster.active_services_count = active.count().try_into().ok();
        cluster.running_tasks_count = Some(views.iter().filter_map(|one| one.running_count).sum());
        cluster.pending_tasks_count = Some(views.iter().filter_map(|one| one.pending_count).sum());
        if !wants("TAGS") {
            cluster.tags = Some(Vec::new());
        }
        if !wants("SETTINGS") {
            cluster.settings = Some(Vec::new());
        }
        if !wants("CONFIGURATIONS") {
            cluster.configuration = None;
        }
        clusters.push(cluster);
    }
    Ok(wire::serialize_describe_clusters_response(&model::DescribeClustersResponse {
        clusters: Some(clusters),
        failures: Some(failures),
    }))
}

fn delete_cluster(
    call: &mut Call<'_>,
    input: model::DeleteClusterRequest,
) -> Result<MockResponse, Fault> {
    let name = cluster_name(Some(&input.cluster)).to_owned();
    if held(call).is_none_or(|ecs| !ecs.clusters.contains_key(&name)) {
        return Err(no_cluster());
    }
    let services = services_of(call, &name);
    if services.iter().any(|one| one.status.as_deref() == Some("ACTIVE")) {
        return Err(Fault::new(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        ));
    }
    if services.iter().any(|one| one.running_count.unwrap_or_default() > 0) {
        return Err(Fault::new(
            "ClusterContainsTasksException",
            "The Cluster cannot be deleted while Tasks are active.",
        ));
    }
    let cluster = call.region().ecs.clusters.get_mut(&name).ok_or_else(no_cluster)?;
    cluster.status = Some("INACTIVE".into());
    let cluster = Some(cluster.clone());
    Ok(wire::serialize_delete_cluster_response(&model::DeleteClusterResponse { cluster }))
}

fn create_service(
    call: &mut Call<'_>,
    input: model::CreateServiceRequest,
) -> Result<MockResponse, Fault> {
    check_name(&input.service_name, "Service")?;
    let cluster = active_cluster(call, input.cluster.as_deref())?;
    let cluster_arn = cluster.cluster_arn.clone();
    let cluster = cluster.cluster_name.clone().unwrap_or_default();
    let key = format!("{cluster}/{}", input.service_name);
    let request = serde_json::to_string(&input).unwrap_or_default();
    let token = input.client_token.clone().unwrap_or_default();
    let respond = |service: model::Service| {
        let service = Some(service);
        Ok(wire::serialize_create_service_response(&model::CreateServiceResponse { service }))
    };
    let not_idempotent = || Err(invalid("Creation of service was not idempotent."));
    let existing = held(call).and_then(|ecs| ecs.services.get(&key)).cloned();
    if let Some(existing) = existing {
        let view = view(call, &key, &existing);
        match view.status.as_deref() {
            Some("ACTIVE") => {
                let known = held(call).and_then(|ecs| ecs.client_tokens.get(&token));
                return match known {
                    Some((before, made)) if *before == request && *made == key => respond(view),
                    _ => not_idempotent(),
                };
            }
            Some("DRAINING") => {
                return Err(invalid("Unable to Start a service that is still Draining."));
            }
            _ => {}
        }
    }
    let definition = input.task_definition.as_deref().unwrap_or_default();
    let definition = usable_definition(call, definition)?;
    let mut service = model::Service {
        service_arn: Some(call.arn("ecs", &format!("service/{key}"))),
        service_name: Some(input.service_name),
        cluster_arn,
        status: Some("ACTIVE".into()),
        task_definition: Some(definition.arn().to_owned()),
        desired_count: Some(input.desired_count.unwrap_or(1)),
        platform_version: match input.launch_type.as_deref() {
            Some("FARGATE") => Some(input.platform_version.unwrap_or_else(|| "LATEST".into())),
            _ => None,
        },
        platform_family: Some("Linux".into()),
        launch_type: input.launch_type,
        network_configuration: input.network_configuration,
        load_balancers: Some(input.load_balancers.unwrap_or_default()),
        service_registries: Some(input.service_registries.unwrap_or_default()),
        health_check_grace_period_seconds: input.health_check_grace_period_seconds,
        deployment_configuration: Some(deployment_configuration(input.deployment_configuration)),
        deployment_controller: input.deployment_controller,
        enable_execute_command: Some(input.enable_execute_command.unwrap_or(false)),
        enable_e_c_s_managed_tags: Some(input.enable_e_c_s_managed_tags.unwrap_or(false)),
        propagate_tags: Some(input.propagate_tags.unwrap_or_else(|| "NONE".into())),
        scheduling_strategy: Some(input.scheduling_strategy.unwrap_or_else(|| "REPLICA".into())),
        placement_constraints: Some(input.placement_constraints.unwrap_or_default()),
        placement_strategy: Some(input.placement_strategy.unwrap_or_default()),
        availability_zone_rebalancing: Some(
            input.availability_zone_rebalancing.unwrap_or_else(|| "ENABLED".into()),
        ),
        tags: Some(input.tags.unwrap_or_default()),
        events: Some(Vec::new()),
        created_at: Some(call.epoch()),
        created_by: Some(call.caller_arn()),
        ..Default::default()
    };
    check_service(call, &service, &definition)?;
    if service.load_balancers.as_ref().is_some_and(|all| !all.is_empty()) {
        service.health_check_grace_period_seconds.get_or_insert(0);
    }
    let mut one = Held { cannot_start: cannot_start(call, &service, &definition), service };
    deploy(call, &key, &mut one);
    let answer = view(call, &key, &one);
    let ecs = &mut call.region().ecs;
    ecs.services.insert(key.clone(), one);
    if !token.is_empty() {
        ecs.client_tokens.insert(token, (request, key));
    }
    respond(answer)
}

fn update_service(
    call: &mut Call<'_>,
    input: model::UpdateServiceRequest,
) -> Result<MockResponse, Fault> {
    let key = service_key(call, input.cluster.as_deref(), &input.service)?;
    let mut one = service(call, &key)?;
    if one.service.status.as_deref() != Some("ACTIVE") {
        return Err(Fault::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    settle(call, &key, &mut one);
    let before = one.service.clone();
    let service = &mut one.service;
    if let Some(definition) = &input.task_definition {
        let arn = usable_definition(call, definition)?.arn().to_owned();
        service.task_definition = Some(arn);
    }
    let set = |field: &mut Option<String>, value: Option<String>| {
        if value.is_some() {
            *field = value;
        }
    };
    set(&mut service.platform_version, input.platform_version);
    set(&mut service.propagate_tags, input.propagate_tags);
    set(&mut service.availability_zone_rebalancing, input.availability_zone_rebalancing);
    if let Some(count) = input.desired_count {
        service.desired_count = Some(count);
    }
    if let Some(network) = input.network_configuration {
        service.network_configuration = Some(network);
    }
    if let Some(balancers) = input.load_balancers {
        service.load_balancers = Some(balancers);
    }
    if let Some(seconds) = input.health_check_grace_period_seconds {
        service.health_check_grace_period_seconds = Some(seconds);
    }
    if input.deployment_configuration.is_some() {
        let configuration = deployment_configuration(input.deployment_configuration);
        service.deployment_configuration = Some(configuration);
    }
    if let Some(on) = input.enable_execute_command {
        service.enable_execute_command = Some(on);
    }
    if let Some(on) = input.enable_e_c_s_managed_tags {
        service.enable_e_c_s_managed_tags = Some(on);
    }
    let definition = service.task_definition.clone().unwrap_or_default();
    let revision = task_definition::find(call, &definition).cloned();
    let revision = revision.ok_or_else(|| client("TaskDefinition not found."))?;
    check_service(call, service, &revision)?;
    let anew = input.force_new_deployment == Some(true)
        || service.task_definition != before.task_definition
        || service.platform_version != before.platform_version
        || differ(&service.load_balancers, &before.load_balancers)
        || differ(&service.network_configuration, &before.network_configuration);
    if anew {
        one.cannot_start = cannot_start(call, &one.service, &revision);
        deploy(call, &key, &mut one);
    }
    let answer = Some(view(call, &key, &one));
    call.region().ecs.services.insert(key, one);
    Ok(wire::serialize_update_service_response(&model::UpdateServiceResponse { service: answer }))
}

/// The model's types cannot be compared themselves.
fn differ<T: Serialize>(one: &T, other: &T) -> bool {
    serde_json::to_value(one).ok() != serde_json::to_value(other).ok()
}

fn delete_service(
    call: &mut Call<'_>,
    input: model::DeleteServiceRequest,
) -> Result<MockResponse, Fault> {
    let key = service_key(call, input.cluster.as_deref(), &input.service)?;
    let mut one = service(call, &key)?;
    if one.service.status.as_deref() != Some("ACTIVE") {
        return Err(Fault::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    if input.force != Some(true) && one.service.desired_count.unwrap_or_default() > 0 {
        return Err(invalid("The service cannot be stopped while it is scaled above 0."));
    }
    settle(call, &key, &mut one);
    one.service.status = Some("DRAINING".into());
    one.service.desired_count = Some(0);
    call.begin(DELETION, &key);
    let answer = Some(view(call, &key, &one));
    call.region().ecs.services.insert(key, one);
    Ok(wire::serialize_delete_service_response(&model::DeleteServiceResponse { service: answer }))
}

fn describe_services(
    call: &mut Call<'_>,
    input: model::DescribeServicesRequest,
) -> Result<MockResponse, Fault> {
    if input.services.len() > 10 {
        return Err(invalid("Services cannot be more than 10."));
    }
    let cluster = cluster_name(input.cluster.as_deref()).to_owned();
    if held(call).is_none_or(|ecs| !ecs.clusters.contains_key(&cluster)) {
        return Err(no_cluster());
    }
    let with_tags = input.include.is_some_and(|what| what.iter().any(|word| word == "TAGS"));
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for given in input.services {
        let key = format!("{cluster}/{}", short(&given));
        match service(call, &key) {
            Ok(one) => {
                let mut view = view(call, &key, &one);
                if !with_tags {
                    view.tags = None;
                }
                services.push(view);
            }
            Err(_) => failures.push(model::Failure {
                arn: Some(call.arn("ecs", &format!("service/{key}"))),
                reason: Some("MISSING".into()),
                ..Default::default()
            }),
        }
    }
    Ok(wire::serialize_describe_services_response(&model::DescribeServicesResponse {
        services: Some(services),
        failures: Some(failures),
    }))
}

fn list_services(
    call: &mut Call<'_>,
    input: model::ListServicesRequest,
) -> Result<MockResponse, Fault> {
    active_cluster(call, input.cluster.as_deref())?;
    let cluster = cluster_name(input.cluster.as_deref()).to_owned();
    let shown = |one: &model::Service| {
        one.status.as_deref() != Some("INACTIVE")
            && (input.launch_type.is_none() || input.launch_type == one.launch_type)
    };
    let all = services_of(call, &cluster).into_iter().filter(shown);
    let arns = all.filter_map(|one| one.service_arn).collect();
    let limit = input.max_results.or(Some(10));
    let (arns, next_token) = page_of(arns, input.next_token.as_deref(), limit)?;
    Ok(wire::serialize_list_services_response(&model::ListServicesResponse {
        service_arns: Some(arns),
        next_token,
    }))
}

fn list_tasks(call: &mut Call<'_>, input: model::ListTasksRequest) -> Result<MockResponse, Fault> {
    active_cluster(call, input.cluster.as_deref())?;
    let cluster = cluster_name(input.cluster.as_deref()).to_owned();
    let mut arns = Vec::new();
    for key in keys_of(call, &cluster) {
        let one = service(call, &key)?;
        let name = one.service.service_name.as_deref();
        if input.service_name.as_deref().is_some_and(|wanted| Some(short(wanted)) != name) {
            continue;
        }
        for task in tasks(call, &key, &one) {
            let family = short(&task.task_definition).split(':').next().map(str::to_owned);
            if input.family.is_none() || input.family == family {
                arns.push(call.arn("ecs", &format!("task/{cluster}/{}", task.id)));
            }
        }
    }
    if input.desired_status.as_deref() == Some("STOPPED") {
        arns.clear();
    }
    let (arns, next_token) = page_of(arns, input.next_token.as_deref(), input.max_results)?;
    Ok(wire::serialize_list_tasks_response(&model::ListTasksResponse {
        task_arns: Some(arns),
        next_token,
    }))
}

fn describe_tasks(
    call: &mut Call<'_>,
    input: model::DescribeTasksRequest,
) -> Result<MockResponse, Fault> {
    active_cluster(call, input.cluster.as_deref())?;
    let cluster = cluster_name(input.cluster.as_deref()).to_owned();
    let mut known = BTreeMap::new();
    for key in keys_of(call, &cluster) {
        let one = service(call, &key)?;
        for task in tasks(call, &key, &one) {
            known.insert(task.id.clone(), described(call, &cluster, &one, &task));
        }
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for given in &input.tasks {
        match known.remove(short(given)) {
            Some(task) => found.push(task),
            None => failures.push(model::Failure {
                arn: Some(call.arn("ecs", &format!("task/{cluster}/{}", short(given)))),
                reason: Some("MISSING".into()),
                ..Default::default()
            }),
        }
    }
    Ok(wire::serialize_describe_tasks_response(&model::DescribeTasksResponse {
        tasks: Some(found),
        failures: Some(failures),
    }))
}

fn described(call: &Call<'_>, cluster: &str, one: &Held, task: &Running) -> model::Task {
    let arn = call.arn("ecs", &format!("task/{cluster}/{}", task.id));
    let revision = task_definition::find(call, &task.task_definition);
    let definition = revision.map(|revision| &revision.definition);
    let detail = |name: &str, value: &str| model::KeyValuePair {
        name: Some(name.into()),
        value: Some(value.into()),
    };
    let containers = revision.map(Revision::containers).unwrap_or_default().iter();
    let containers = containers.map(|container| model::Container {
        name: container.name.clone(),
        image: container.image.clone(),
        last_status: Some(task.status.into()),
        health_status: Some("UNKNOWN".into()),
        task_arn: Some(arn.clone()),
        network_interfaces: Some(vec![model::NetworkInterface {
            private_ipv4_address: Some(task.address.clone()),
            ..Default::default()
        }]),
        ..Default::default()
    });
    model::Task {
        containers: Some(containers.collect()),
        cluster_arn: one.service.cluster_arn.clone(),
        task_definition_arn: Some(task.task_definition.clone()),
        last_status: Some(task.status.into()),
        desired_status: Some("RUNNING".into()),
        availability_zone: Some(task.zone.clone()),
        launch_type: one.service.launch_type.clone(),
        platform_version: one.service.platform_version.as_ref().map(|_| "1.4.0".into()),
        group: one.service.service_name.as_ref().map(|name| format!("service:{name}")),
        enable_execute_command: one.service.enable_execute_command,
        cpu: definition.and_then(|definition| definition.cpu.clone()),
        memory: definition.and_then(|definition| definition.memory.clone()),
        attachments: Some(vec![model::Attachment {
            id: Some(task.id.clone()),
            r#type: Some("ElasticNetworkInterface".into()),
            status: Some("ATTACHED".into()),
            details: Some(vec![
                detail("subnetId", &task.subnet),
                detail("privateIPv4Address", &task.address),
            ]),
        }]),
        health_status: Some("UNKNOWN".into()),
        task_arn: Some(arn),
        ..Default::default()
    }
}

/// A revision that services may be pointed at.
fn usable_definition(call: &Call<'_>, name: &str) -> Result<Revision, Fault> {
    let found = task_definition::find(call, name);
    let found = found.ok_or_else(|| client("TaskDefinition not found."))?;
    if !found.is_active() {
        return Err(client("TaskDefinition is inactive"));
    }
    Ok(found.clone())
}

fn deployment_configuration(
    given: Option<model::DeploymentConfiguration>,
) -> model::DeploymentConfiguration {
    let mut configuration = given.unwrap_or_default();
    configuration.strategy.get_or_insert_with(|| "ROLLING".into());
    configuration.minimum_healthy_percent.get_or_insert(100);
    configuration.maximum_percent.get_or_insert(200);
    configuration.deployment_circuit_breaker.get_or_insert_default();
    configuration
}

/// What ECS checks of a service on creation and after each change.
fn check_service(
    call: &Call<'_>,
    service: &model::Service,
    revision: &Revision,
) -> Result<(), Fault> {
    let definition = &revision.definition;
    let compatible = definition.compatibilities.iter().flatten().any(|word| word == "FARGATE");
    if service.launch_type.as_deref() == Some("FARGATE") && !compatible {
        return Err(invalid("Task definition does not support launch_type FARGATE."));
    }
    let awsvpc = definition.network_mode.as_deref() == Some("awsvpc");
    let network = service.network_configuration.as_ref();
    match network.and_then(|network| network.awsvpc_configuration.as_ref()) {
        Some(vpc) => check_network(call, vpc)?,
        None if awsvpc => {
            return Err(invalid(
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            ));
        }
        None => {}
    }
    let configuration = service.deployment_configuration.as_ref();
    let bounds = configuration.map(|one| (one.minimum_healthy_percent, one.maximum_percent));
    if bounds == Some((Some(100), Some(100))) {
        return Err(invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ));
    }
    let breaker = configuration.and_then(|one| one.deployment_circuit_breaker.as_ref());
    if breaker.is_some_and(|breaker| breaker.rollback && !breaker.enable) {
        return Err(invalid("Rollback requires the deployment circuit breaker to be enabled."));
    }
    let balancers = service.load_balancers.as_deref().unwrap_or_default();
    let grace = service.health_check_grace_period_seconds;
    if balancers.is_empty() && grace.is_some_and(|seconds| seconds > 0) {
        return Err(invalid(
            "Health check grace period is only valid for services configured to use load balancers",
        ));
    }
    for balancer in balancers {
        let name = balancer.container_name.as_deref().unwrap_or_default();
        let container = revision.containers().iter().find(|one| one.name.as_deref() == Some(name));
        let Some(container) = container else {
            return Err(invalid(format!(
                "The container {name} does not exist in the task definition."
            )));
        };
        let port = balancer.container_port;
        let mapped = container.port_mappings.iter().flatten().any(|one| one.container_port == port);
        if !mapped {
            return Err(invalid(format!(
                "The container {name} did not have a container port {} defined.",
                port.unwrap_or_default()
            )));
        }
        let group = balancer.target_group_arn.as_deref().unwrap_or_default();
        elasticloadbalancing::require_attached(call, group, awsvpc)?;
    }
    Ok(())
}

fn check_network(call: &Call<'_>, vpc: &model::AwsVpcConfiguration) -> Result<(), Fault> {
    if vpc.subnets.is_empty() {
        return Err(invalid("subnets can not be empty."));
    }
    let ec2 = call.region_if_any(call.region_name).map(|region| &*region.ec2);
    for id in &vpc.subnets {
        if ec2.is_none_or(|ec2| !ec2.subnets.contains_key(id)) {
            return Err(invalid(format!(
                "Error retrieving subnet information for [{id}]: The subnet ID '{id}' does not exist (ErrorCode: InvalidSubnetID.NotFound)"
            )));
        }
    }
    for id in vpc.security_groups.iter().flatten() {
        if ec2.is_none_or(|ec2| !ec2.security_groups.contains_key(id)) {
            return Err(invalid(format!(
                "Error retrieving security group information for [{id}]: The security group '{id}' does not exist (ErrorCode: InvalidGroup.NotFound)"
            )));
        }
    }
    Ok(())
}

/// What keeps the tasks of a revision from starting: AWS takes the service and its tasks fail.
fn cannot_start(call: &Call<'_>, service: &model::Service, revision: &Revision) -> Option<String> {
    for container in revision.containers() {
        let log = container.log_configuration.as_ref().filter(|log| log.log_driver == "awslogs");
        let options = log.and_then(|log| log.options.as_ref());
        let group = options.and_then(|options| options.get("awslogs-group"));
        if let Some(group) = group
            && logs::require_log_group(call, group).is_err()
        {
            return Some(format!(
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. ({group})"
            ));
        }
        for secret in container.secrets.iter().flatten() {
            let from = &secret.value_from;
            if from.contains(":secretsmanager:")
                && secretsmanager::require_readable(call, from).is_err()
            {
                return Some(format!(
                    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: ResourceNotFoundException: Secrets Manager can't find the specified secret. ({from})"
                ));
            }
        }
    }
    for volume in revision.definition.volumes.iter().flatten() {
        if let Some(efs) = &volume.efs_volume_configuration
            && let Some(why) = cannot_mount(call, service, efs)
        {
            return Some(format!(
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: {why}"
            ));
        }
    }
    None
}

/// A new primary deployment. Those before it go when its time is over.
fn deploy(call: &mut Call<'_>, key: &str, one: &mut Held) {
    let number: u64 = u64::from_str_radix(&call.random_hex(15), 16).unwrap_or_default();
    let id = format!("ecs-svc/{number:019}");
    let now = call.epoch();
    let service = &mut one.service;
    let deployment = model::Deployment {
        id: Some(id.clone()),
        status: Some("PRIMARY".into()),
        task_definition: service.task_definition.clone(),
        launch_type: service.launch_type.clone(),
        platform_version: service.platform_version.as_ref().map(|_| "1.4.0".into()),
        platform_family: service.platform_family.clone(),
        network_configuration: service.network_configuration.clone(),
        created_at: Some(now),
        updated_at: Some(now),
        ..Default::default()
    };
    let deployments = service.deployments.get_or_insert_default();
    for before in deployments.iter_mut() {
        before.status = Some("ACTIVE".into());
    }
    deployments.insert(0, deployment);
    let name = service.service_name.clone().unwrap_or_default();
    let message = match &one.cannot_start {
        None => format!(
            "(service {name}) has started {} tasks.",
            service.desired_count.unwrap_or_default()
        ),
        Some(why) => format!("(service {name}) was unable to start tasks: {why}"),
    };
    tell(call, &mut one.service, &id, message);
    call.begin("ecs.service", key);
}

fn tell(call: &Call<'_>, service: &mut model::Service, id: &str, message: String) {
    let event = model::ServiceEvent {
        id: Some(digest(&format!("{id} {message}"))),
        created_at: Some(call.epoch()),
        message: Some(message),
    };
    service.events.get_or_insert_default().insert(0, event);
}

/// When the time of a deployment is over, what was before it is gone.
fn settle(call: &mut Call<'_>, key: &str, one: &mut Held) {
    if !call.is_ready("ecs.service", key) {
        return;
    }
    let breaker = one.service.deployment_configuration.as_ref();
    let breaker = breaker.and_then(|all| all.deployment_circuit_breaker.clone());
    let breaker = breaker.unwrap_or_default();
    let name = one.service.service_name.clone().unwrap_or_default();
    let deployments = one.service.deployments.get_or_insert_default();
    let Some(primary) = deployments.first_mut() else { return };
    let id = primary.id.clone().unwrap_or_default();
    let was = primary.rollout_state.clone();
    let message = match &one.cannot_start {
        None => {
            primary.rollout_state = Some("COMPLETED".into());
            primary.rollout_state_reason = Some(format!("ECS deployment {id} completed."));
            deployments.truncate(1);
            format!("(service {name}) has reached a steady state.")
        }
        Some(_) if !breaker.enable => return,
        Some(why) => {
            primary.rollout_state = Some("FAILED".into());
            let reason = "ECS deployment circuit breaker: tasks failed to start.";
            primary.rollout_state_reason = Some(reason.into());
            format!("(service {name}) (deployment {id}) deployment failed: {why}")
        }
    };
    let failed = one.cannot_start.is_some();
    if failed && breaker.rollback && deployments.len() > 1 {
        // The one before takes over again. The failed one stays in sight.
        let mut back = deployments.remove(1);
        back.status = Some("PRIMARY".into());
        back.rollout_state = Some("COMPLETED".into());
        one.service.task_definition = back.task_definition.clone();
        deployments.insert(0, back);
        if let Some(failed) = deployments.get_mut(1) {
            failed.status = Some("ACTIVE".into());
        }
        deployments.truncate(2);
        one.cannot_start = None;
    }
    if was.is_none() {
        tell(call, &mut one.service, &id, message);
    }
}

/// A service as it is seen now.
fn view(call: &mut Call<'_>, key: &str, one: &Held) -> model::Service {
    let mut one = one.clone();
    settle(call, key, &mut one);
    let running = tasks(call, key, &one);
    let count = |status: &str, definition: Option<&str>| -> i32 {
        let of = |task: &&Running| {
            task.status == status && definition.is_none_or(|arn| arn == task.task_definition)
        };
        running.iter().filter(of).count().try_into().unwrap_or_default()
    };
    let service = &mut one.service;
    service.running_count = Some(count("RUNNING", None));
    service.pending_count = Some(count("PENDING", None));
    if service.status.as_deref() == Some("DRAINING") && call.is_ready(DELETION, key) {
        service.status = Some("INACTIVE".into());
        service.deployments = Some(Vec::new());
    }
    let failed = one.cannot_start.is_some();
    for deployment in service.deployments.get_or_insert_default() {
        let primary = deployment.status.as_deref() == Some("PRIMARY");
        let definition = deployment.task_definition.as_deref();
        deployment.desired_count = if primary { service.desired_count } else { Some(0) };
        deployment.running_count = Some(count("RUNNING", definition));
        deployment.pending_count = Some(count("PENDING", definition));
        deployment.failed_tasks = Some(if primary && failed { 3 } else { 0 });
        if deployment.rollout_state.is_none() {
            let id = deployment.id.clone().unwrap_or_default();
            deployment.rollout_state = Some("IN_PROGRESS".into());
            deployment.rollout_state_reason = Some(format!("ECS deployment {id} in progress."));
        }
    }
    one.service
}

/// The tasks of a service: those of the deployment that is done, and those that are starting.
fn tasks(call: &mut Call<'_>, key: &str, one: &Held) -> Vec<Running> {
    let mut one = one.clone();
    settle(call, key, &mut one);
    let stopped = one.service.status.as_deref() != Some("ACTIVE") && call.is_ready(DELETION, key);
    if stopped {
        return Vec::new();
    }
    let network = one.service.network_configuration.as_ref();
    let subnets = network
        .and_then(|network| network.awsvpc_configuration.as_ref())
        .map(|vpc| vpc.subnets.clone())
        .unwrap_or_default();
    let mut found = Vec::new();
    for deployment in one.service.deployments.iter().flatten() {
        let status = match deployment.rollout_state.as_deref() {
            Some("COMPLETED") => "RUNNING",
            Some("FAILED") => continue,
            _ if one.cannot_start.is_some() => continue,
            _ => "PENDING",
        };
        let wanted = one.service.desired_count.unwrap_or_default();
        let deployment_id = deployment.id.as_deref().unwrap_or_default();
        for number in 0..wanted {
            let id = digest(&format!("{key} {deployment_id} {number}"));
            let at = usize::try_from(number).unwrap_or_default() % subnets.len().max(1);
            let subnet = subnets.get(at).cloned().unwrap_or_default();
            let (address, zone) = place(call, &subnet, &id);
            let task_definition = deployment.task_definition.clone().unwrap_or_default();
            found.push(Running { id, address, zone, subnet, status, task_definition });
        }
    }
    found
}

/// An address in a subnet, and the subnet's zone.
fn place(call: &Call<'_>, subnet: &str, id: &str) -> (String, String) {
    let ec2 = call.region_if_any(call.region_name).map(|region| &*region.ec2);
    let subnet = ec2.and_then(|ec2| ec2.subnets.get(subnet));
    let zone = subnet.and_then(|subnet| subnet.availability_zone.clone()).unwrap_or_default();
    let range = subnet.and_then(|subnet| subnet.cidr_block.as_deref()).unwrap_or("10.0.0.0/24");
    let range: ipnet::Ipv4Net = range.parse().unwrap_or_default();
    let last = u32::from_str_radix(id.get(..4).unwrap_or_default(), 16).unwrap_or_default();
    // AWS keeps the first four addresses of a subnet and the last.
    let room = 2_u32.saturating_pow((32 - range.prefix_len()).into()).saturating_sub(5).max(1);
    let address = u32::from(range.network()).saturating_add(4 + last % room);
    (std::net::Ipv4Addr::from(address).to_string(), zone)
}

/// 32 hexadecimal digits, the same for the same text.
fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn keys_of(call: &Call<'_>, cluster: &str) -> Vec<String> {
    let prefix = format!("{cluster}/");
    let keys = held(call).map(|ecs| ecs.services.keys()).into_iter().flatten();
    keys.filter(|key| key.starts_with(&prefix)).cloned().collect()
}

fn services_of(call: &mut Call<'_>, cluster: &str) -> Vec<model::Service> {
    let mut views = Vec::new();
    for key in keys_of(call, cluster) {
        if let Ok(one) = service(call, &key) {
            views.push(view(call, &key, &one));
        }
    }
    views
}

fn service_key(call: &Call<'_>, cluster: Option<&str>, given: &str) -> Result<String, Fault> {
    active_cluster(call, cluster)?;
    Ok(format!("{}/{}", cluster_name(cluster), short(given)))
}

fn service(call: &Call<'_>, key: &str) -> Result<Held, Fault> {
    let found = held(call).and_then(|ecs| ecs.services.get(key)).cloned();
    found.ok_or_else(|| Fault::new("ServiceNotFoundException", "Service not found."))
}

fn tags_mut<'a>(call: &'a mut Call<'_>, arn: &str) -> Result<&'a mut Vec<model::Tag>, Fault> {
    let missing = || invalid("The specified resource was not found.");
    let (kind, name) = arn
        .splitn(6, ':')
        .nth(5)
        .and_then(|resource| resource.split_once('/'))
        .ok_or_else(|| invalid("Invalid arn syntax."))?;
    let ecs = &mut call.account.region(call.region_name).ecs;
    match kind {
        "cluster" => {
            let cluster = ecs.clusters.get_mut(name).ok_or_else(missing)?;
            Ok(cluster.tags.get_or_insert_default())
        }
        "service" => {
            let one = ecs.services.get_mut(name).ok_or_else(missing)?;
            Ok(one.service.tags.get_or_insert_default())
        }
        "task-definition" => Ok(&mut ecs.task_definitions.get_mut(arn).ok_or_else(missing)?.tags),
        _ => Err(invalid("Invalid arn syntax.")),
    }
}

/// Why a file system cannot be mounted from the subnets of a service.
fn cannot_mount(
    call: &Call<'_>,
    service: &model::Service,
    volume: &model::EFSVolumeConfiguration,
) -> Option<String> {
    let region = call.region_if_any(call.region_name)?;
    let (efs, ec2) = (&region.elasticfilesystem, &region.ec2);
    let id = &volume.file_system_id;
    if !efs.file_systems.contains_key(id) {
        return Some(format!("Failed to resolve \"{id}.efs.{}.amazonaws.com\"", call.region_name));
    }
    let point = volume.authorization_config.as_ref().and_then(|one| one.access_point_id.as_ref());
    if let Some(point) = point
        && efs.access_points.get(point).is_none_or(|one| one.file_system_id.as_ref() != Some(id))
    {
        return Some(format!("access point {point} of {id} was not found"));
    }
    let zone = |subnet: &str| ec2.subnets.get(subnet)?.availability_zone.clone();
    let served: Vec<Option<String>> = efs
        .mount_targets
        .values()
        .filter(|one| one.description.file_system_id.as_ref() == Some(id))
        .map(|one| zone(one.description.subnet_id.as_deref()?))
        .collect();
    let network = service.network_configuration.as_ref();
    let subnets = network.and_then(|one| one.awsvpc_configuration.as_ref());
    let missing = subnets.into_iter().flat_map(|vpc| &vpc.subnets).map(|subnet| zone(subnet));
    let missing = missing.into_iter().find(|zone| !served.contains(zone))?;
    Some(format!("{id} has no mount target in availability zone {}", missing.unwrap_or_default()))
}

//! Task definitions: what ECS checks on registration, and what it fills in.

use serde::{Deserialize, Serialize};
use winterbaume_core::MockResponse;
use winterbaume_ecs::{model, wire};

use crate::call::Call;
use crate::fault::Fault;
use crate::services::iam;

use super::{client, held, invalid, page_of, to_tags};

/// A revision, with its tags.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Revision {
    /// What DescribeTaskDefinition says.
    pub definition: model::TaskDefinition,
    /// Tags.
    pub tags: Vec<model::Tag>,
}

impl Revision {
    pub(super) fn arn(&self) -> &str {
        self.definition.task_definition_arn.as_deref().unwrap_or_default()
    }

    pub(super) fn is_active(&self) -> bool {
        self.definition.status.as_deref() == Some("ACTIVE")
    }

    pub(super) fn containers(&self) -> &[model::ContainerDefinition] {
        self.definition.container_definitions.as_deref().unwrap_or_default()
    }
}

pub(super) fn register(
    call: &mut Call<'_>,
    input: model::RegisterTaskDefinitionRequest,
) -> Result<MockResponse, Fault> {
    check(call, &input)?;
    let family = input.family.clone();
    let state = &mut call.account.region(call.region_name).ecs;
    let last = state.revisions.entry(family.clone()).or_default();
    *last += 1;
    let number = *last;
    let arn = call.arn("ecs", &format!("task-definition/{family}:{number}"));
    let fargate = is_fargate(&input);
    let network_mode = input.network_mode.or_else(|| Some("bridge".into()));
    let awsvpc = network_mode.as_deref() == Some("awsvpc");
    let definition = model::TaskDefinition {
        task_definition_arn: Some(arn.clone()),
        family: Some(family),
        revision: Some(number),
        status: Some("ACTIVE".into()),
        compatibilities: Some(match fargate {
            true => vec!["EC2".into(), "FARGATE".into()],
            false => vec!["EC2".into()],
        }),
        requires_compatibilities: input.requires_compatibilities,
        container_definitions: Some(
            input.container_definitions.into_iter().map(|one| filled_in(one, awsvpc)).collect(),
        ),
        volumes: Some(input.volumes.unwrap_or_default().into_iter().map(volume).collect()),
        placement_constraints: Some(input.placement_constraints.unwrap_or_default()),
        network_mode,
        cpu: input.cpu,
        memory: input.memory,
        execution_role_arn: input.execution_role_arn,
        task_role_arn: input.task_role_arn,
        runtime_platform: input.runtime_platform,
        ephemeral_storage: input.ephemeral_storage,
        ipc_mode: input.ipc_mode,
        pid_mode: input.pid_mode,
        proxy_configuration: input.proxy_configuration,
        enable_fault_injection: input.enable_fault_injection,
        registered_at: Some(call.epoch()),
        registered_by: Some(call.caller_arn()),
        ..Default::default()
    };
    let revision =
        Revision { definition: definition.clone(), tags: input.tags.unwrap_or_default() };
    let tags = to_tags(&revision.tags);
    call.region().ecs.task_definitions.insert(arn, revision);
    Ok(wire::serialize_register_task_definition_response(&model::RegisterTaskDefinitionResponse {
        task_definition: Some(definition),
        tags,
    }))
}

pub(super) fn describe(
    call: &Call<'_>,
    input: model::DescribeTaskDefinitionRequest,
) -> Result<MockResponse, Fault> {
    let unable = || client("Unable to describe task definition.");
    let found = find(call, &input.task_definition).ok_or_else(unable)?;
    let with_tags = input.include.is_some_and(|what| what.iter().any(|word| word == "TAGS"));
    Ok(wire::serialize_describe_task_definition_response(&model::DescribeTaskDefinitionResponse {
        task_definition: Some(found.definition.clone()),
        tags: with_tags.then(|| found.tags.clone()),
    }))
}

pub(super) fn deregister(
    call: &mut Call<'_>,
    input: model::DeregisterTaskDefinitionRequest,
) -> Result<MockResponse, Fault> {
    if !input.task_definition.contains(':') {
        return Err(invalid("Task definition arn can't be parsed."));
    }
    let unable = || client("Unable to describe task definition.");
    let arn = find(call, &input.task_definition).ok_or_else(unable)?.arn().to_owned();
    let now = call.epoch();
    let found = call.region().ecs.task_definitions.get_mut(&arn).ok_or_else(unable)?;
    if !found.is_active() {
        return Err(client("The specified task definition is inactive."));
    }
    found.definition.status = Some("INACTIVE".into());
    found.definition.deregistered_at = Some(now);
    let definition = found.definition.clone();
    Ok(wire::serialize_deregister_task_definition_response(
        &model::DeregisterTaskDefinitionResponse { task_definition: Some(definition) },
    ))
}

pub(super) fn list(
    call: &Call<'_>,
    input: model::ListTaskDefinitionsRequest,
) -> Result<MockResponse, Fault> {
    let status = input.status.as_deref().unwrap_or("ACTIVE");
    let wanted = |one: &&Revision| {
        let family = one.definition.family.as_deref();
        one.definition.status.as_deref() == Some(status)
            && input.family_prefix.as_deref().is_none_or(|prefix| family == Some(prefix))
    };
    let mut all: Vec<&Revision> =
        held(call).map(|ecs| ecs.task_definitions.values()).into_iter().flatten().collect();
    all.sort_by_key(|one| (one.definition.family.clone(), one.definition.revision));
    let arns = all.into_iter().filter(wanted).map(|one| one.arn().to_owned()).collect();
    let (arns, next_token) = page_of(arns, input.next_token.as_deref(), input.max_results)?;
    Ok(wire::serialize_list_task_definitions_response(&model::ListTaskDefinitionsResponse {
        task_definition_arns: Some(arns),
        next_token,
    }))
}

/// A revision by ARN, by `family:revision`, or the latest active one by family.
pub(super) fn find<'a>(call: &'a Call<'_>, name: &str) -> Option<&'a Revision> {
    let all = &held(call)?.task_definitions;
    let short = name.rsplit('/').next().unwrap_or(name);
    match short.split_once(':') {
        Some((family, revision)) => all.values().find(|one| {
            let number = one.definition.revision.unwrap_or_default();
            one.definition.family.as_deref() == Some(family) && number.to_string() == revision
        }),
        None => all
            .values()
            .filter(|one| one.is_active() && one.definition.family.as_deref() == Some(short))
            .max_by_key(|one| one.definition.revision),
    }
}

fn is_fargate(input: &model::RegisterTaskDefinitionRequest) -> bool {
    let needs = input.requires_compatibilities.as_deref().unwrap_or_default();
    needs.iter().any(|word| word == "FARGATE")
}

fn check(call: &Call<'_>, input: &model::RegisterTaskDefinitionRequest) -> Result<(), Fault> {
    let family = &input.family;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if family.is_empty() {
        return Err(client("Family should not be null or empty."));
    }
    if family.len() > 255 || !family.bytes().all(plain) {
        return Err(client("Family contains invalid characters or is too long."));
    }
    if input.container_definitions.is_empty() {
        return Err(client("Container list cannot be empty."));
    }
    for role in [&input.execution_role_arn, &input.task_role_arn].into_iter().flatten() {
        if iam::require_role_trusting(call, role, "ecs-tasks.amazonaws.com").is_err() {
            return Err(client("Role is not valid"));
        }
    }
    if is_fargate(input) {
        check_fargate(input)?;
    }
    for container in &input.container_definitions {
        check_container(input, container)?;
    }
    let essential = |one: &model::ContainerDefinition| one.essential.unwrap_or(true);
    if !input.container_definitions.iter().any(essential) {
        return Err(client("A task definition must have at least one essential container."));
    }
    for volume in input.volumes.iter().flatten() {
        check_volume(volume)?;
    }
    Ok(())
}

fn check_fargate(input: &model::RegisterTaskDefinitionRequest) -> Result<(), Fault> {
    if input.network_mode.as_deref() != Some("awsvpc") {
        return Err(client("Fargate only supports network mode ‘awsvpc’."));
    }
    let number = |text: &Option<String>, what: &str| {
        let text = text.as_deref().ok_or_else(|| {
            client(&format!("Fargate requires that '{what}' be defined at the task level."))
        })?;
        text.parse::<u32>().map_err(|_| client(&format!("Invalid '{what}' setting for task.")))
    };
    let (cpu, memory) = (number(&input.cpu, "cpu")?, number(&input.memory, "memory")?);
    let fits = match cpu {
        256 => matches!(memory, 512 | 1024 | 2048),
        512 => (1024..=4096).contains(&memory) && memory % 1024 == 0,
        1024 => (2048..=8192).contains(&memory) && memory % 1024 == 0,
        2048 => (4096..=16384).contains(&memory) && memory % 1024 == 0,
        4096 => (8192..=30720).contains(&memory) && memory % 1024 == 0,
        8192 => (16384..=61440).contains(&memory) && memory % 4096 == 0,
        16384 => (32768..=122_880).contains(&memory) && memory % 8192 == 0,
        _ => false,
    };
    if !fits {
        return Err(client("No Fargate configuration exists for given values."));
    }
    let sum = |of: fn(&model::ContainerDefinition) -> Option<i32>| -> i64 {
        input.container_definitions.iter().filter_map(of).map(i64::from).sum()
    };
    if sum(|one| one.cpu) > i64::from(cpu) {
        return Err(client(
            "The total number of CPU units of the containers exceeds that of the task.",
        ));
    }
    if sum(|one| one.memory_reservation.or(one.memory)) > i64::from(memory) {
        return Err(client("The total memory of the containers exceeds that of the task."));
    }
    for container in &input.container_definitions {
        let name = container.name.as_deref().unwrap_or_default();
        if container.privileged == Some(true) {
            return Err(client("Fargate compatible task definitions do not support privileged."));
        }
        let capabilities =
            container.linux_parameters.as_ref().and_then(|one| one.capabilities.as_ref());
        let added = capabilities.and_then(|all| all.add.as_deref()).unwrap_or_default();
        if added.iter().any(|one| one != "SYS_PTRACE") {
            return Err(client(&format!(
                "Fargate compatible task definitions only support adding SYS_PTRACE: container {name}."
            )));
        }
        let logs = container.log_configuration.as_ref().map(|log| log.log_driver.as_str());
        if logs == Some("awslogs") && input.execution_role_arn.is_none() {
            return Err(client(
                "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
            ));
        }
    }
    Ok(())
}

fn check_container(
    input: &model::RegisterTaskDefinitionRequest,
    container: &model::ContainerDefinition,
) -> Result<(), Fault> {
    let name = container.name.as_deref().unwrap_or_default();
    if name.is_empty() {
        return Err(client("Container.name should not be null or empty."));
    }
    let same = |one: &&model::ContainerDefinition| one.name.as_deref() == Some(name);
    if input.container_definitions.iter().filter(same).count() > 1 {
        return Err(client("Container.name should be unique."));
    }
    if container.image.as_deref().unwrap_or_default().is_empty() {
        return Err(client("Container.image should not be null or empty."));
    }
    if container.memory.is_none()
        && container.memory_reservation.is_none()
        && input.memory.is_none()
    {
        return Err(client(&format!(
            "Invalid setting for container '{name}'. At least one of 'memory' or 'memoryReservation' must be specified."
        )));
    }
    for mount in container.mount_points.iter().flatten() {
        let volume = mount.source_volume.as_deref().unwrap_or_default();
        let known = |one: &model::Volume| one.name.as_deref() == Some(volume);
        if !input.volumes.iter().flatten().any(known) {
            return Err(client(&format!("Unknown volume '{volume}'.")));
        }
    }
    for port in container.port_mappings.iter().flatten() {
        let differs =
            port.host_port.is_some_and(|host| host != 0 && Some(host) != port.container_port);
        if input.network_mode.as_deref() == Some("awsvpc") && differs {
            return Err(client(
                "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
            ));
        }
    }
    if container.secrets.as_ref().is_some_and(|all| !all.is_empty()) {
        if input.execution_role_arn.is_none() {
            return Err(client(
                "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
            ));
        }
        let plain = container.environment.iter().flatten().filter_map(|pair| pair.name.as_deref());
        let plain: Vec<&str> = plain.collect();
        for secret in container.secrets.iter().flatten() {
            if plain.contains(&secret.name.as_str()) {
                return Err(client(&format!(
                    "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '{}'.",
                    secret.name
                )));
            }
        }
    }
    Ok(())
}

fn check_volume(volume: &model::Volume) -> Result<(), Fault> {
    let Some(efs) = &volume.efs_volume_configuration else { return Ok(()) };
    let encrypted = efs.transit_encryption.as_deref() == Some("ENABLED");
    let Some(authorization) = &efs.authorization_config else { return Ok(()) };
    let through_point = authorization.access_point_id.is_some();
    if !encrypted && (through_point || authorization.iam.as_deref() == Some("ENABLED")) {
        return Err(client(
            "EFS transit encryption must be enabled when using an access point or IAM authorization.",
        ));
    }
    if through_point && !matches!(efs.root_directory.as_deref(), None | Some("/")) {
        return Err(client(
            "EFS root directory must be omitted or '/' when using an access point.",
        ));
    }
    Ok(())
}

/// What ECS shows where nothing was said.
fn filled_in(
    mut container: model::ContainerDefinition,
    awsvpc: bool,
) -> model::ContainerDefinition {
    container.cpu.get_or_insert(0);
    container.essential.get_or_insert(true);
    container.environment.get_or_insert_default();
    container.mount_points.get_or_insert_default();
    container.volumes_from.get_or_insert_default();
    container.system_controls.get_or_insert_default();
    for port in container.port_mappings.get_or_insert_default() {
        port.protocol.get_or_insert_with(|| "tcp".into());
        if awsvpc {
            port.host_port = port.container_port;
        } else {
            port.host_port.get_or_insert(0);
        }
    }
    if let Some(check) = &mut container.health_check {
        check.interval.get_or_insert(30);
        check.timeout.get_or_insert(5);
        check.retries.get_or_insert(3);
    }
    container
}

fn volume(mut volume: model::Volume) -> model::Volume {
    match &mut volume.efs_volume_configuration {
        Some(efs) => {
            efs.root_directory.get_or_insert_with(|| "/".into());
        }
        None => {
            volume.host.get_or_insert_default();
        }
    }
    volume
}

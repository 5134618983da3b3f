//! The layer as a whole: a service on Fargate behind an internal load balancer with TLS, which scales.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use engine::plan::Options;
use engine::vocabulary::{
    AccessPointId, BucketName, CertificateArn, EcsClusterName, FileSystemId, HostName, Id,
    ListenerArn, LoadBalancerArn, LogGroupName, Name, Private, RoleArn, SecretArn, SecurityGroupId,
    StreamName, SubnetId, TargetGroupArn, VpcId,
};
use engine::{
    Aws, DeployError, Deployed, Error, Handle, Mistake, Ref, Stack, StackName, Tags, deploy,
};
use serde::{Deserialize, Serialize};

use crate::cluster::{Cluster, ContainerInsights, ExecuteCommand};
use crate::listener::{Action, Listener, TLS_POLICY};
use crate::load_balancer::{self, AccessLogs, LoadBalancer};
use crate::scalable_target::{DESIRED_COUNT, ScalableTarget, TargetTracking};
use crate::service::{self, Deployment, Registration, Service};
use crate::target_group::{TargetGroup, TargetHealthCheck};
use crate::task_definition::{Container, Efs, Log, Mount, Port, TaskDefinition, Volume};

/// What to build, and on what.
#[derive(Debug, Clone)]
pub struct ComputeSpec {
    /// What an operator chooses.
    pub workload: Workload,
    /// What exists, or is declared by other layers.
    pub inputs: Inputs,
}

/// What an operator chooses. The default is the student API in two tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workload {
    /// The image, by digest (`…@sha256:…`) or by tag. There is no image that could be a default: an
    /// empty one is refused.
    pub image: String,
    /// What to run in it instead of its own command.
    pub command: Vec<String>,
    /// What to run that with instead of the image's entry point.
    pub entry_point: Vec<String>,
    /// The port that it listens on.
    pub port: u16,
    /// Whether it speaks TLS on that port (with any certificate: load balancers do not look).
    pub tls_to_container: bool,
    /// The path that answers 200 while it works.
    pub health_path: String,
    /// How often that is asked for, and what counts.
    pub health: Health,
    /// The user that it runs as: `uid:gid`, `uid` or a name. Not root.
    pub user: String,
    /// Whether it cannot write outside its volumes.
    pub readonly_root_filesystem: bool,
    /// Directories that it may write to and that are gone with the task.
    pub scratch: BTreeSet<String>,
    /// Where the file system is mounted.
    pub mount_path: String,
    /// CPU units: 1024 are one vCPU.
    pub cpu: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// `X86_64` or `ARM64`.
    pub architecture: String,
    /// Fargate's version.
    pub platform_version: String,
    /// More plain environment. Nothing secret belongs here.
    pub environment: BTreeMap<String, String>,
    /// More environment from Secrets Manager: an ARN, with `:key::` at its end for one key of a JSON
    /// secret. The execution role has to be allowed to read it.
    pub secrets: BTreeMap<String, String>,
    /// How many tasks run at least.
    pub desired_count: u32,
    /// Between which bounds it scales, and on what.
    pub scaling: Scaling,
    /// How one revision takes the place of another.
    pub deployment: Deployment,
    /// Seconds after its start in which the load balancer's opinion of a task does not count.
    pub grace_period_seconds: u32,
    /// Seconds that a task has to finish its requests when it is taken out.
    pub deregistration_delay_seconds: u32,
    /// What is measured of the cluster.
    pub container_insights: ContainerInsights,
    /// Whether people may start commands inside tasks. Only with sessions that are encrypted and
    /// logged: see [`Inputs::execute_command`].
    pub execute_command: bool,
    /// Which versions and ciphers of TLS the load balancer speaks.
    pub tls_policy: String,
    /// Whether port 80 is open, to send clients to HTTPS.
    pub redirect_http: bool,
    /// Whether the load balancer refuses to be deleted by others.
    pub deletion_protection: bool,
    /// What the load balancer does about requests that two servers could read in two ways:
    /// `defensive` or `strictest`.
    pub desync_mitigation_mode: String,
    /// Seconds until the load balancer closes a silent connection.
    pub idle_timeout_seconds: u32,
    /// The first part of the names of access logs in their bucket.
    pub access_log_prefix: String,
}

/// How often a target is asked, and what counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// Seconds between two checks, 5 to 300.
    pub interval_seconds: u32,
    /// Seconds until a check has failed, 2 to 120; less than the interval.
    pub timeout_seconds: u32,
    /// How many successes in a row make a target healthy, 2 to 10.
    pub healthy_threshold: u32,
    /// How many failures in a row make it unhealthy, 2 to 10.
    pub unhealthy_threshold: u32,
    /// The answers that count as success.
    pub matcher: String,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            interval_seconds: 30,
            timeout_seconds: 5,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            matcher: "200".into(),
        }
    }
}

/// Between which bounds the service scales, and on what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scaling {
    /// The fewest tasks.
    pub min: u32,
    /// The most tasks.
    pub max: u32,
    /// The average CPU load to aim at, in percent.
    pub cpu_percent: f64,
    /// The average use of memory to aim at, in percent.
    pub memory_percent: f64,
    /// Seconds between two removals of tasks.
    pub scale_in_cooldown_seconds: u32,
    /// Seconds between two additions of tasks.
    pub scale_out_cooldown_seconds: u32,
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            min: 2,
            max: 10,
            cpu_percent: 60.0,
            memory_percent: 70.0,
            scale_in_cooldown_seconds: 300,
            scale_out_cooldown_seconds: 60,
        }
    }
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            image: String::new(),
            command: Vec::new(),
            entry_point: Vec::new(),
            port: 8080,
            tls_to_container: false,
            health_path: "/health".into(),
            health: Health::default(),
            user: "1000:1000".into(),
            readonly_root_filesystem: true,
            scratch: BTreeSet::from(["/tmp".into()]),
            mount_path: "/mnt/efs".into(),
            cpu: 512,
            memory: 1024,
            architecture: "X86_64".into(),
            platform_version: "LATEST".into(),
            environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
            desired_count: 2,
            scaling: Scaling::default(),
            deployment: Deployment::default(),
            grace_period_seconds: 60,
            deregistration_delay_seconds: 60,
            container_insights: ContainerInsights::default(),
            execute_command: false,
            tls_policy: TLS_POLICY.into(),
            redirect_http: false,
            deletion_protection: true,
            desync_mitigation_mode: "defensive".into(),
            idle_timeout_seconds: 60,
            access_log_prefix: "alb".into(),
        }
    }
}

/// What exists, or is declared by other layers. References of handles that are not `ready()` are
/// enough, save for host names, which AWS gives only with readiness.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The region, for the log driver.
    pub region: String,
    /// The VPC.
    pub vpc: Ref<VpcId>,
    /// Where the load balancer and the tasks live: subnets in two availability zones at least.
    pub subnets: Vec<Ref<SubnetId<Private>>>,
    /// What guards the load balancer.
    pub load_balancer_security_group: Ref<SecurityGroupId>,
    /// What guards the tasks. Admits the port from the load balancer's group.
    pub task_security_group: Ref<SecurityGroupId>,
    /// The certificate of the load balancer.
    pub certificate: Ref<CertificateArn>,
    /// Where the load balancer records its requests.
    pub access_log_bucket: Ref<BucketName>,
    /// The role with which ECS pulls the image, writes logs and reads secrets.
    pub execution_role: Ref<RoleArn>,
    /// The role of the program itself.
    pub task_role: Ref<RoleArn>,
    /// Where the output of containers goes.
    pub log_group: Ref<LogGroupName>,
    /// The file system.
    pub file_system: Ref<FileSystemId>,
    /// The access point through which it is mounted.
    pub access_point: Ref<AccessPointId>,
    /// `DB_ENDPOINT`: the database's writer.
    pub database_endpoint: Ref<HostName>,
    /// `REDIS_ENDPOINT`: the cache's primary node.
    pub cache_endpoint: Ref<HostName>,
    /// `KINESIS_STREAM`: the stream's name.
    pub stream: Ref<StreamName>,
    /// The secret with the database's `username` and `password`: `DB_USERNAME`, `DB_PASSWORD`.
    pub database_secret: Ref<SecretArn>,
    /// The secret with the cache's AUTH token, whole or one key of it: `REDIS_AUTH_TOKEN`.
    pub cache_secret: Option<CacheSecret>,
    /// How `execute-command` sessions are encrypted and logged, where they are wanted.
    pub execute_command: Option<ExecuteCommand>,
}

/// Where the cache's AUTH token is.
#[derive(Debug, Clone)]
pub struct CacheSecret {
    /// The secret.
    pub secret: Ref<SecretArn>,
    /// The key of a JSON secret; `None` where the secret is the token.
    pub key: Option<String>,
}

/// What the layer has declared, for others to refer to.
#[derive(Debug, Clone)]
pub struct Compute {
    /// The cluster's name.
    pub cluster_name: Ref<EcsClusterName>,
    /// The service's name.
    pub service_name: Ref<Name>,
    /// The load balancer.
    pub load_balancer: Ref<LoadBalancerArn>,
    /// Its host name.
    pub dns_name: Ref<HostName>,
    /// The hosted zone for alias records.
    pub zone_id: Ref<Id>,
    /// The listener with TLS.
    pub listener: Ref<ListenerArn>,
    /// The target group.
    pub target_group: Ref<TargetGroupArn>,
    /// The service itself, for what has to be there before its tasks start although no value flows
    /// from it: `stack.order(&compute.service, &mount_target.ready())`.
    pub service: Handle<Service>,
}

/// What the layer has built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComputeOutputs {
    /// The cluster's name.
    pub cluster_name: String,
    /// The service's name.
    pub service_name: String,
    /// The load balancer's ARN.
    pub load_balancer_arn: String,
    /// Its host name.
    pub dns_name: String,
    /// The hosted zone for alias records.
    pub zone_id: String,
    /// The ARN of the listener with TLS.
    pub listener_arn: String,
    /// The target group's ARN.
    pub target_group_arn: String,
}

impl Compute {
    /// What the references stand for, once the stack is up.
    ///
    /// # Errors
    /// When something is not deployed.
    pub fn resolve(&self, deployed: &Deployed) -> Result<ComputeOutputs, Error> {
        Ok(ComputeOutputs {
            cluster_name: deployed.resolve(&self.cluster_name)?,
            service_name: deployed.resolve(&self.service_name)?,
            load_balancer_arn: deployed.resolve(&self.load_balancer)?,
            dns_name: deployed.resolve(&self.dns_name)?,
            zone_id: deployed.resolve(&self.zone_id)?,
            listener_arn: deployed.resolve(&self.listener)?,
            target_group_arn: deployed.resolve(&self.target_group)?,
        })
    }
}

const CONTAINER: &str = "student-api";
const FILES: &str = "efs-volume";

/// Declares the layer. [`validate`] says beforehand whether AWS would take it.
pub fn declare(stack: &mut Stack, spec: &ComputeSpec) -> Compute {
    let ComputeSpec { workload, inputs } = spec;
    let names = stack.name().clone();
    let named = |thing: &str| Tags::from([("Name".to_owned(), names.of(thing))]);

    let cluster = stack.add_tagged(
        "compute/cluster",
        Cluster {
            name: names.of("api-cluster"),
            container_insights: workload.container_insights,
            execute_command: inputs.execute_command.clone(),
            capacity_providers: BTreeSet::new(),
        },
        named("api-cluster"),
    );
    let task =
        stack.add_tagged("compute/task", task_definition(spec, names.of("api")), named("api"));
    let load_balancer = stack.add_tagged(
        "compute/load-balancer",
        LoadBalancer {
            deletion_protection: workload.deletion_protection,
            desync_mitigation_mode: workload.desync_mitigation_mode.clone(),
            idle_timeout_seconds: workload.idle_timeout_seconds,
            access_logs: Some(AccessLogs {
                bucket: inputs.access_log_bucket.clone(),
                prefix: workload.access_log_prefix.clone(),
            }),
            ..LoadBalancer::internal(
                names.of("alb"),
                &inputs.subnets,
                inputs.load_balancer_security_group.clone(),
            )
        },
        named("alb"),
    );
    let target_group =
        stack.add_tagged("compute/target-group", target_group(spec, names.of("tg")), named("tg"));
    let listener = stack.add_tagged(
        "compute/listener",
        Listener {
            load_balancer: load_balancer.id(),
            port: 443,
            protocol: "HTTPS".into(),
            ssl_policy: Some(workload.tls_policy.clone()),
            certificate: Some(inputs.certificate.clone()),
            default_action: Action::Forward { target_group: target_group.id() },
        },
        named("listener"),
    );
    if workload.redirect_http {
        stack.add_tagged(
            "compute/redirect",
            Listener {
                load_balancer: load_balancer.id(),
                port: 80,
                protocol: "HTTP".into(),
                ssl_policy: None,
                certificate: None,
                default_action: Action::to_https(),
            },
            named("redirect"),
        );
    }
    let service = stack.add_tagged(
        "compute/service",
        Service {
            name: names.of("api-service"),
            cluster: cluster.ready().arn(),
            task_definition: task.arn(),
            desired_count: workload.desired_count,
            launch_type: Some("FARGATE".into()),
            platform_version: Some(workload.platform_version.clone()),
            subnets: inputs.subnets.iter().cloned().collect(),
            security_groups: BTreeSet::from([inputs.task_security_group.clone()]),
            assign_public_ip: false,
            load_balancers: BTreeSet::from([Registration {
                target_group: target_group.id(),
                container_name: CONTAINER.into(),
                container_port: workload.port,
            }]),
            health_check_grace_period_seconds: workload.grace_period_seconds,
            deployment: workload.deployment.clone(),
            enable_execute_command: workload.execute_command,
            propagate_tags: "SERVICE".into(),
            enable_ecs_managed_tags: true,
            started_tasks: None,
        },
        named("api-service"),
    );
    // ECS takes a target group only once a listener has given it a load balancer.
    stack.order(&service, &listener);
    stack.add("compute/scaling", scalable_target(&workload.scaling, &service));

    Compute {
        cluster_name: cluster.id(),
        service_name: service::name(&service),
        load_balancer: load_balancer.id(),
        dns_name: load_balancer::dns_name(&load_balancer),
        zone_id: load_balancer::zone_id(&load_balancer),
        listener: listener.id(),
        target_group: target_group.id(),
        service,
    }
}

fn task_definition(spec: &ComputeSpec, family: String) -> TaskDefinition {
    let ComputeSpec { workload, inputs } = spec;
    let mut environment = workload.environment.clone();
    environment.extend([
        ("DB_ENDPOINT".to_owned(), inputs.database_endpoint.to_string()),
        ("REDIS_ENDPOINT".to_owned(), inputs.cache_endpoint.to_string()),
        ("KINESIS_STREAM".to_owned(), inputs.stream.to_string()),
    ]);
    let mut secrets = workload.secrets.clone();
    secrets.extend([
        ("DB_USERNAME".to_owned(), format!("{}:username::", inputs.database_secret)),
        ("DB_PASSWORD".to_owned(), format!("{}:password::", inputs.database_secret)),
    ]);
    if let Some(CacheSecret { secret, key }) = &inputs.cache_secret {
        let from = match key {
            Some(key) => format!("{secret}:{key}::"),
            None => secret.to_string(),
        };
        secrets.insert("REDIS_AUTH_TOKEN".to_owned(), from);
    }
    let files = Volume {
        efs: Some(Efs {
            file_system: inputs.file_system.clone(),
            access_point: Some(inputs.access_point.clone()),
            root_directory: "/".into(),
            transit_encryption: true,
            iam: true,
        }),
    };
    let mut volumes = BTreeMap::from([(FILES.to_owned(), files)]);
    let mount = Mount { volume: FILES.into(), read_only: false };
    let mut mounts = BTreeMap::from([(workload.mount_path.clone(), mount)]);
    // The agent behind execute-command writes here, whatever the image looks like.
    let agent = ["/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm"];
    let agent = agent.into_iter().filter(|_| workload.execute_command);
    for path in workload.scratch.iter().map(String::as_str).chain(agent) {
        let name = format!("scratch{}", path.replace(['/', '.'], "-"));
        mounts.insert(path.to_owned(), Mount { volume: name.clone(), read_only: false });
        volumes.insert(name, Volume::default());
    }
    let log = Log {
        driver: "awslogs".into(),
        options: BTreeMap::from([
            ("awslogs-group".into(), inputs.log_group.to_string()),
            ("awslogs-region".into(), inputs.region.clone()),
            ("awslogs-stream-prefix".into(), "ecs".into()),
        ]),
    };
    let container = Container {
        image: workload.image.clone(),
        cpu: workload.cpu,
        memory: Some(workload.memory),
        essential: true,
        ports: BTreeSet::from([Port::tcp(workload.port)]),
        environment,
        secrets,
        log: Some(log),
        mounts,
        readonly_root_filesystem: workload.readonly_root_filesystem,
        user: Some(workload.user.clone()),
        command: workload.command.clone(),
        entry_point: workload.entry_point.clone(),
        drop_capabilities: BTreeSet::from(["ALL".into()]),
        init_process: true,
        ..Container::default()
    };
    TaskDefinition {
        family,
        cpu: Some(workload.cpu),
        memory: Some(workload.memory),
        network_mode: "awsvpc".into(),
        requires_compatibilities: BTreeSet::from(["FARGATE".into()]),
        cpu_architecture: workload.architecture.clone(),
        operating_system: "LINUX".into(),
        execution_role: Some(inputs.execution_role.clone()),
        task_role: Some(inputs.task_role.clone()),
        containers: BTreeMap::from([(CONTAINER.to_owned(), container)]),
        volumes,
    }
}

fn target_group(spec: &ComputeSpec, name: String) -> TargetGroup {
    let ComputeSpec { workload, inputs } = spec;
    let protocol = if workload.tls_to_container { "HTTPS" } else { "HTTP" };
    let health = &workload.health;
    TargetGroup {
        name,
        port: workload.port,
        protocol: protocol.into(),
        protocol_version: "HTTP1".into(),
        vpc: Some(inputs.vpc.clone()),
        target_type: "ip".into(),
        health_check: TargetHealthCheck {
            enabled: true,
            protocol: protocol.into(),
            port: "traffic-port".into(),
            path: workload.health_path.clone(),
            interval_seconds: health.interval_seconds,
            timeout_seconds: health.timeout_seconds,
            healthy_threshold: health.healthy_threshold,
            unhealthy_threshold: health.unhealthy_threshold,
            matcher: health.matcher.clone(),
        },
        deregistration_delay_seconds: workload.deregistration_delay_seconds,
        algorithm: "round_robin".into(),
        sticky: false,
    }
}

fn scalable_target(scaling: &Scaling, service: &Handle<Service>) -> ScalableTarget {
    let tracking = |metric: &str, percent: f64| TargetTracking {
        metric: metric.into(),
        target_value: percent,
        scale_in_cooldown_seconds: scaling.scale_in_cooldown_seconds,
        scale_out_cooldown_seconds: scaling.scale_out_cooldown_seconds,
        disable_scale_in: false,
    };
    ScalableTarget {
        resource_id: service::resource_id(service),
        scalable_dimension: DESIRED_COUNT.into(),
        min_capacity: scaling.min,
        max_capacity: scaling.max,
        policies: BTreeMap::from([
            ("cpu".into(), tracking("ECSServiceAverageCPUUtilization", scaling.cpu_percent)),
            (
                "memory".into(),
                tracking("ECSServiceAverageMemoryUtilization", scaling.memory_percent),
            ),
        ]),
        suspended: BTreeSet::new(),
    }
}

/// What AWS would refuse, or what breaks a rule of this stack, by the field of [`Workload`], or as
/// `name`. Empty for a good spec.
pub fn validate(name: &StackName, spec: &ComputeSpec) -> Vec<Mistake> {
    let ComputeSpec { workload, inputs } = spec;
    let mut found = names(name);
    found.extend(fargate(workload.cpu, workload.memory));
    found.extend(health(workload));
    let mut check = |good: bool, field: &str, message: &str| {
        if !good {
            found.push(Mistake::new(field, message));
        }
    };
    check(
        !workload.image.is_empty(),
        "image",
        "none is set: name an image by digest, as in repository/name@sha256:…",
    );
    check(
        workload.image.is_empty() || image_is_well_formed(&workload.image),
        "image",
        "is not an image name: expected repository/name:tag or repository/name@sha256:<64 hex digits>",
    );
    check(workload.port != 0, "port", "is 0: choose one from 1 to 65535");
    let user = workload.user.split(':').next().unwrap_or_default();
    check(
        !matches!(user, "" | "0" | "root"),
        "user",
        "is root: choose another user, as in 1000:1000",
    );
    check(
        matches!(workload.architecture.as_str(), "X86_64" | "ARM64"),
        "architecture",
        "is neither X86_64 nor ARM64",
    );
    check(workload.desired_count >= 1, "desired_count", "is 0: nothing would run");
    let scaling = &workload.scaling;
    check(scaling.min >= 1, "scaling.min", "is 0: autoscaling could stop every task");
    check(scaling.min <= scaling.max, "scaling.max", "is less than scaling.min");
    check(
        (scaling.min..=scaling.max).contains(&workload.desired_count),
        "desired_count",
        "lies outside scaling.min and scaling.max: autoscaling would change it at once",
    );
    for (field, percent) in [
        ("scaling.cpu_percent", scaling.cpu_percent),
        ("scaling.memory_percent", scaling.memory_percent),
    ] {
        check(percent > 0.0 && percent <= 100.0, field, "is no percentage from 1 to 100");
    }
    check(
        workload.deployment.maximum_percent > 100
            || workload.deployment.minimum_healthy_percent < 100,
        "deployment",
        "allows neither more nor fewer tasks than wanted: no revision could ever take over",
    );
    check(
        !workload.deployment.rollback || workload.deployment.circuit_breaker,
        "deployment.rollback",
        "needs deployment.circuit_breaker",
    );
    check(
        workload.tls_policy.starts_with("ELBSecurityPolicy-TLS13-1-2-")
            || workload.tls_policy.starts_with("ELBSecurityPolicy-TLS13-1-3-")
            || workload.tls_policy.starts_with("ELBSecurityPolicy-FS-1-2-"),
        "tls_policy",
        "admits versions of TLS before 1.2",
    );
    check(
        matches!(workload.desync_mitigation_mode.as_str(), "defensive" | "strictest"),
        "desync_mitigation_mode",
        "is neither defensive nor strictest",
    );
    check(
        (1..=4000).contains(&workload.idle_timeout_seconds),
        "idle_timeout_seconds",
        "lies outside 1 and 4000",
    );
    check(
        workload.deregistration_delay_seconds <= 3600,
        "deregistration_delay_seconds",
        "is more than 3600",
    );
    let prefix = &workload.access_log_prefix;
    check(
        !prefix.starts_with('/') && !prefix.ends_with('/') && !prefix.contains("AWSLogs"),
        "access_log_prefix",
        "begins or ends with a slash, or contains AWSLogs",
    );
    check(
        !workload.execute_command || inputs.execute_command.is_some(),
        "execute_command",
        "is on, but nothing says where sessions are logged and with which key",
    );
    check(
        inputs.subnets.iter().collect::<BTreeSet<_>>().len() >= 2,
        "subnets",
        "are fewer than two: a load balancer needs two availability zones",
    );
    let scratch = workload.scratch.iter().map(|path| ("scratch", path));
    for (field, path) in scratch.chain([("mount_path", &workload.mount_path)]) {
        check(
            path.starts_with('/') && path.len() > 1,
            field,
            &format!("{path:?} is no absolute path below /"),
        );
    }
    check(
        !workload.scratch.contains(&workload.mount_path),
        "mount_path",
        "is one of the scratch directories",
    );
    for (name, from) in &workload.secrets {
        check(
            from.starts_with("arn:")
                && (from.contains(":secretsmanager:") || from.contains(":ssm:")),
            "secrets",
            &format!("{name} is not the ARN of a secret or a parameter"),
        );
    }
    for (field, text, service) in [
        ("certificate", inputs.certificate.as_str(), ":acm:"),
        ("execution_role", inputs.execution_role.as_str(), ":iam:"),
        ("task_role", inputs.task_role.as_str(), ":iam:"),
        ("database_secret", inputs.database_secret.as_str(), ":secretsmanager:"),
    ] {
        let pending = Ref::<()>::known(text).is_pending();
        let arn = text.starts_with("arn:") && (text.contains(service) || field == "certificate");
        check(pending || arn, field, &format!("{text:?} is no ARN ({service})"));
    }
    found
}

/// What is allowed and deserves a second look.
pub fn warnings(spec: &ComputeSpec) -> Vec<Mistake> {
    let workload = &spec.workload;
    let mut found = Vec::new();
    let mut warn = |when: bool, field: &str, message: &str| {
        if when {
            found.push(Mistake::new(field, message));
        }
    };
    warn(
        !workload.image.is_empty() && !workload.image.contains("@sha256:"),
        "image",
        "is named by tag: what runs changes when somebody moves the tag; pin it by digest",
    );
    warn(
        !workload.readonly_root_filesystem,
        "readonly_root_filesystem",
        "is off: whoever breaks in can change the program",
    );
    warn(
        !workload.deletion_protection,
        "deletion_protection",
        "is off: one call removes the load balancer",
    );
    warn(
        !workload.tls_to_container,
        "tls_to_container",
        "is off: between load balancer and task, inside the VPC, requests travel unencrypted",
    );
    warn(workload.execute_command, "execute_command", "is on: people can enter running tasks");
    found
}

/// The longest name of a load balancer or target group.
const SHORT_NAME: usize = 32;
/// What a successor's name is longer by.
const SUFFIX: usize = 7;

fn names(name: &StackName) -> Vec<Mistake> {
    let mut found = Vec::new();
    for (what, thing, longest) in [
        ("load balancer", "alb", SHORT_NAME),
        // Two of them exist side by side during a replacement.
        ("target group", "tg", SHORT_NAME - SUFFIX),
    ] {
        let full = name.of(thing);
        if full.len() > longest {
            let over = full.len() - longest;
            found.push(Mistake::new(
                "name",
                format!(
                    "the {what} would be called {full}, which is {over} characters too long (at most \
                     {longest}): shorten the project or the environment"
                ),
            ));
        }
    }
    let full = name.of("alb");
    let charset = full.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !charset || full.starts_with('-') || full.ends_with('-') || full.starts_with("internal-") {
        found.push(Mistake::new(
            "name",
            format!(
                "{full} cannot be a load balancer's name: only letters, digits and hyphens, no hyphen \
                 at either end, not beginning with internal-"
            ),
        ));
    }
    found
}

/// The sizes that Fargate has, in CPU units and MiB.
fn fargate(cpu: u32, memory: u32) -> Option<Mistake> {
    let (from, to, step) = match cpu {
        256 if matches!(memory, 512 | 1024 | 2048) => return None,
        256 => return Some(Mistake::new("memory", "with 256 CPU units is 512, 1024 or 2048 MiB")),
        512 => (1024, 4096, 1024),
        1024 => (2048, 8192, 1024),
        2048 => (4096, 16384, 1024),
        4096 => (8192, 30720, 1024),
        8192 => (16384, 61440, 4096),
        16384 => (32768, 122_880, 8192),
        _ => {
            let sizes = "256, 512, 1024, 2048, 4096, 8192 or 16384";
            return Some(Mistake::new(
                "cpu",
                format!("{cpu} is no size of Fargate's: choose {sizes}"),
            ));
        }
    };
    let fits = (from..=to).contains(&memory) && memory.is_multiple_of(step);
    (!fits).then(|| {
        let range = format!("from {from} to {to} MiB in steps of {step}");
        Mistake::new(
            "memory",
            format!("{memory} does not go with {cpu} CPU units, which have {range}"),
        )
    })
}

fn health(workload: &Workload) -> Vec<Mistake> {
    let health = &workload.health;
    let mut found = Vec::new();
    let path = &workload.health_path;
    if !path.starts_with('/') || path.len() > 1024 || path.contains(char::is_whitespace) {
        found.push(Mistake::new(
            "health_path",
            "is no path: begin with a slash, at most 1024 characters",
        ));
    }
    for (field, value, range) in [
        ("health.interval_seconds", health.interval_seconds, 5..=300),
        ("health.timeout_seconds", health.timeout_seconds, 2..=120),
        ("health.healthy_threshold", health.healthy_threshold, 2..=10),
        ("health.unhealthy_threshold", health.unhealthy_threshold, 2..=10),
    ] {
        if !range.contains(&value) {
            let (from, to) = (range.start(), range.end());
            found.push(Mistake::new(field, format!("is {value}: choose from {from} to {to}")));
        }
    }
    if health.timeout_seconds >= health.interval_seconds {
        found.push(Mistake::new(
            "health.timeout_seconds",
            "is not less than health.interval_seconds",
        ));
    }
    found
}

fn image_is_well_formed(image: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:@".contains(&byte);
    if !image.bytes().all(allowed) || image.len() > 255 {
        return false;
    }
    match image.split_once('@') {
        Some((name, digest)) => {
            let hex = digest.strip_prefix("sha256:").unwrap_or_default();
            !name.is_empty() && hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        None => !image.starts_with(['/', ':']) && !image.ends_with(['/', ':']),
    }
}

/// Why the layer could not be provided.
#[derive(Debug)]
pub enum ProvisionError {
    /// AWS would refuse the spec. Nothing was done.
    Invalid(Vec<Mistake>),
    /// The plan was refused, or a step failed.
    Deploy(DeployError),
    /// What was built does not have all its outputs.
    Outputs(Error),
}

impl fmt::Display for ProvisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                write!(f, "the spec is not valid: {}", lines.join("; "))
            }
            Self::Deploy(error) => error.fmt(f),
            Self::Outputs(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ProvisionError {}

/// Brings the layer up on its own: plans, executes, waits until its tasks run.
///
/// # Errors
/// When the spec is not valid, the plan is refused or a step fails. What was done stays done;
/// calling again goes on.
pub async fn provision(
    aws: &Aws,
    name: StackName,
    spec: &ComputeSpec,
) -> Result<ComputeOutputs, ProvisionError> {
    let problems = validate(&name, spec);
    if !problems.is_empty() {
        return Err(ProvisionError::Invalid(problems));
    }
    let mut stack = Stack::new(name, Tags::new());
    let compute = declare(&mut stack, spec);
    let deployed =
        deploy::up(aws, &stack, KINDS, Options::default()).await.map_err(ProvisionError::Deploy)?;
    compute.resolve(&deployed).map_err(ProvisionError::Outputs)
}

/// The kinds of this composition.
pub(crate) const KINDS: &[engine::Kind] = &[
    engine::Kind::of::<Cluster>(),
    engine::Kind::of::<TaskDefinition>(),
    engine::Kind::of::<Service>(),
    engine::Kind::of::<LoadBalancer>(),
    engine::Kind::of::<TargetGroup>(),
    engine::Kind::of::<Listener>(),
    engine::Kind::of::<ScalableTarget>(),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ComputeSpec {
        let known = |text: &str| Ref::<()>::known(text);
        ComputeSpec {
            workload: Workload {
                image: format!("registry/student-api@sha256:{}", "a".repeat(64)),
                tls_to_container: true,
                ..Workload::default()
            },
            inputs: Inputs {
                region: "eu-central-1".into(),
                vpc: known("vpc-1").cast(),
                subnets: vec![known("subnet-1").cast(), known("subnet-2").cast()],
                load_balancer_security_group: known("sg-1").cast(),
                task_security_group: known("sg-2").cast(),
                certificate: known("arn:aws:acm:eu-central-1:123456789012:certificate/x").cast(),
                access_log_bucket: known("logs").cast(),
                execution_role: known("arn:aws:iam::123456789012:role/execution").cast(),
                task_role: known("arn:aws:iam::123456789012:role/task").cast(),
                log_group: known("/ecs/student").cast(),
                file_system: known("fs-1").cast(),
                access_point: known("fsap-1").cast(),
                database_endpoint: known("db.internal").cast(),
                cache_endpoint: known("cache.internal").cast(),
                stream: known("stream").cast(),
                database_secret: known("arn:aws:secretsmanager:eu-central-1:1:secret:db-a").cast(),
                cache_secret: None,
                execute_command: None,
            },
        }
    }

    fn name() -> StackName {
        StackName::new("student", "dev")
    }

    fn fields(problems: &[Mistake]) -> Vec<&str> {
        problems.iter().map(|mistake| mistake.field.as_str()).collect()
    }

    #[test]
    fn the_default_workload_with_an_image_is_valid_and_deserves_no_second_look() {
        assert_eq!(validate(&name(), &spec()), []);
        assert_eq!(warnings(&spec()), []);
    }

    #[test]
    fn every_mistake_is_named_by_its_field() {
        type Break = fn(&mut ComputeSpec);
        let mistakes: &[(&str, Break)] = &[
            ("image", |spec| spec.workload.image.clear()),
            ("image", |spec| spec.workload.image = "name@sha256:abc".into()),
            ("port", |spec| spec.workload.port = 0),
            ("user", |spec| spec.workload.user = "0:1000".into()),
            ("user", |spec| spec.workload.user = "root".into()),
            ("cpu", |spec| spec.workload.cpu = 513),
            ("memory", |spec| spec.workload.memory = 512),
            ("memory", |spec| spec.workload.memory = 1500),
            ("health_path", |spec| spec.workload.health_path = "health".into()),
            ("health.timeout_seconds", |spec| spec.workload.health.timeout_seconds = 30),
            ("desired_count", |spec| spec.workload.desired_count = 11),
            ("scaling.cpu_percent", |spec| spec.workload.scaling.cpu_percent = f64::NAN),
            ("deployment", |spec| spec.workload.deployment.maximum_percent = 100),
            ("tls_policy", |spec| spec.workload.tls_policy = "ELBSecurityPolicy-2016-08".into()),
            ("execute_command", |spec| spec.workload.execute_command = true),
            ("subnets", |spec| spec.inputs.subnets[1] = spec.inputs.subnets[0].clone()),
            ("certificate", |spec| spec.inputs.certificate = Ref::known("my-certificate")),
            ("execution_role", |spec| spec.inputs.execution_role = Ref::known("my-role")),
            ("secrets", |spec| {
                spec.workload.secrets.insert("TOKEN".into(), "hunter2".into());
            }),
        ];
        for (field, mistake) in mistakes {
            let mut spec = spec();
            mistake(&mut spec);
            assert_eq!(fields(&validate(&name(), &spec)), [*field]);
        }
    }

    #[test]
    fn a_secret_that_was_typed_in_is_not_repeated_in_the_message() {
        let mut spec = spec();
        spec.workload.secrets.insert("TOKEN".into(), "hunter2".into());
        let problems = validate(&name(), &spec);
        assert!(!problems[0].to_string().contains("hunter2"));
    }

    #[test]
    fn names_leave_room_for_a_successor() {
        let long = StackName::new("student", "a-long-environment-x");
        let found = validate(&long, &spec());
        assert_eq!(fields(&found), ["name"], "only the target group needs the suffix");
        assert!(found[0].message.contains("6 characters too long"), "{}", found[0].message);
    }

    #[test]
    fn a_tag_instead_of_a_digest_deserves_a_second_look() {
        let mut spec = spec();
        spec.workload.image = "registry/student-api:1.2".into();
        assert_eq!(validate(&name(), &spec), []);
        assert_eq!(fields(&warnings(&spec)), ["image"]);
    }

    #[test]
    fn sizes_are_those_of_fargate() {
        for (cpu, memory) in
            [(256, 512), (512, 4096), (1024, 2048), (4096, 30720), (16384, 122_880)]
        {
            assert_eq!(fargate(cpu, memory), None, "{cpu}/{memory}");
        }
        for (cpu, memory) in [(256, 4096), (512, 5120), (1024, 1024), (8192, 18432)] {
            assert!(fargate(cpu, memory).is_some(), "{cpu}/{memory}");
        }
    }

    #[test]
    fn the_task_takes_credentials_from_secrets_and_only_from_there() {
        let task = task_definition(&spec(), "student-api-dev".into());
        let container = &task.containers[CONTAINER];
        assert_eq!(
            container.secrets["DB_PASSWORD"],
            "arn:aws:secretsmanager:eu-central-1:1:secret:db-a:password::"
        );
        let plain: Vec<&String> = container.environment.keys().collect();
        assert_eq!(plain, ["DB_ENDPOINT", "KINESIS_STREAM", "REDIS_ENDPOINT"]);
        let log = container.log.as_ref().unwrap();
        assert_eq!(log.options["awslogs-region"], "eu-central-1");
    }
}

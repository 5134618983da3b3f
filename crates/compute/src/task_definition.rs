//! `ecs.task_definition`: what a task consists of. Immutable and versioned: a change registers another
//! revision of the family, and the one before is deregistered.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, CpuArchitecture, EfsAuthorizationConfig,
    EfsAuthorizationConfigIam, EfsTransitEncryption, EfsVolumeConfiguration,
    HealthCheck as EcsHealthCheck, KernelCapabilities, KeyValuePair, LinuxParameters,
    LogConfiguration, LogDriver, MountPoint, NetworkMode, OsFamily, PortMapping, RuntimePlatform,
    Secret, TaskDefinitionField, TransportProtocol, Volume as EcsVolume,
};
use engine::plaintext::{hide, hide_in_command};
use engine::vocabulary::{AccessPointId, Arn, FileSystemId, RoleArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Ref, Replacement,
    Resource, Result, Scope, Status, Tags, Traits, When, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::cluster::{from_ecs, retag, to_ecs};

/// A revision of a task definition. Its id is its ARN, with the revision at the end. Output:
/// `revision`.
///
/// Revisions that are no longer wanted are deregistered, not deleted: services may go back to one,
/// and what ran when stays on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDefinition {
    /// The family: up to 255 letters, digits, hyphens and underscores.
    pub family: String,
    /// CPU units of a task: 1024 are one vCPU. Fargate needs it.
    pub cpu: Option<u32>,
    /// Memory of a task in MiB. Fargate needs it.
    pub memory: Option<u32>,
    /// `awsvpc` (the only one on Fargate), `bridge`, `host` or `none`.
    pub network_mode: String,
    /// `FARGATE`, `EC2`, `EXTERNAL`: what it was checked against on registration.
    pub requires_compatibilities: BTreeSet<String>,
    /// `X86_64` or `ARM64`.
    pub cpu_architecture: String,
    /// `LINUX`, or one of Windows.
    pub operating_system: String,
    /// The role with which ECS pulls images, writes logs and reads the secrets below.
    pub execution_role: Option<Ref<RoleArn>>,
    /// The role of the program itself.
    pub task_role: Option<Ref<RoleArn>>,
    /// The containers, by name.
    pub containers: BTreeMap<String, Container>,
    /// The volumes, by name.
    pub volumes: BTreeMap<String, Volume>,
}

/// A container of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Container {
    /// The image, with a tag or a digest.
    pub image: String,
    /// CPU units reserved for it, of those of the task. 0: whatever the others leave.
    pub cpu: u32,
    /// Memory in MiB beyond which it is killed.
    pub memory: Option<u32>,
    /// Memory in MiB kept for it.
    pub memory_reservation: Option<u32>,
    /// Whether the task ends when it ends.
    pub essential: bool,
    /// The ports it listens on.
    pub ports: BTreeSet<Port>,
    /// Its plain environment. Anybody who may describe the task definition reads it. What is read and looks like a
    /// secret is [hidden](engine::plaintext), here as in the log options and commands.
    pub environment: BTreeMap<String, String>,
    /// Environment variables that ECS fills from Secrets Manager or Parameter Store when a task
    /// starts: the ARN, with `:key::` at its end for one key of a JSON secret. Never a value.
    pub secrets: BTreeMap<String, String>,
    /// Where its output goes.
    pub log: Option<Log>,
    /// Volumes, by the path that they are mounted at.
    pub mounts: BTreeMap<String, Mount>,
    /// Whether it cannot write outside its volumes.
    pub readonly_root_filesystem: bool,
    /// `user`, `uid` or `uid:gid`. `None` is what the image says, which may be root.
    pub user: Option<String>,
    /// What to run instead of the image's command.
    pub command: Vec<String>,
    /// What to run it with instead of the image's entry point.
    pub entry_point: Vec<String>,
    /// How ECS finds out whether it works.
    pub health_check: Option<HealthCheck>,
    /// Whether it has the rights of root on its host. Fargate refuses it.
    pub privileged: bool,
    /// Linux capabilities taken from it. `ALL` is one.
    pub drop_capabilities: BTreeSet<String>,
    /// Linux capabilities given to it beyond the default.
    pub add_capabilities: BTreeSet<String>,
    /// Whether an init process reaps orphans and passes signals on.
    pub init_process: bool,
}

/// A port that a container listens on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// The port.
    pub container_port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

impl Port {
    /// A TCP port.
    pub fn tcp(container_port: u16) -> Self {
        Self { container_port, protocol: "tcp".into() }
    }
}

/// Where a container's output goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// `awslogs`, `awsfirelens`…
    pub driver: String,
    /// The driver's options: `awslogs-group`, `awslogs-region`…
    pub options: BTreeMap<String, String>,
}

/// A volume in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The volume's name.
    pub volume: String,
    /// Whether the container cannot write to it.
    pub read_only: bool,
}

/// How ECS finds out whether a container works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// `CMD` or `CMD-SHELL`, then what to run.
    pub command: Vec<String>,
    /// Seconds between two checks.
    pub interval: u32,
    /// Seconds until a check has failed.
    pub timeout: u32,
    /// How many failures in a row make it unhealthy.
    pub retries: u32,
    /// Seconds after the start in which failures do not count.
    pub start_period: u32,
}

/// A volume of a task: on a file system, or (without one) on the task's own disk and gone with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Volume {
    /// The file system.
    pub efs: Option<Efs>,
}

/// A volume on a file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Efs {
    /// The file system.
    pub file_system: Ref<FileSystemId>,
    /// The access point through which it is mounted.
    pub access_point: Option<Ref<AccessPointId>>,
    /// The directory that is mounted. `/` with an access point, which has a root of its own.
    pub root_directory: String,
    /// Whether NFS runs inside TLS.
    pub transit_encryption: bool,
    /// Whether the task role has to be allowed the mount. Needs encryption in transit.
    pub iam: bool,
}

impl Resource for TaskDefinition {
    const TRAITS: Traits = Traits {
        // The family is no unique name: revisions of it exist side by side.
        name: None,
        immutable: &[
            "family",
            "cpu",
            "memory",
            "network_mode",
            "requires_compatibilities",
            "cpu_architecture",
            "operating_system",
            "execution_role",
            "task_role",
            "containers",
            "volumes",
        ],
        replacement: Replacement::CreateFirst,
        not_yet: &[("ClientException", "Role is not valid")],
        costly: true,
        permissions: Permissions {
            read: &[Allow::to(&["ecs:ListTaskDefinitions", "ecs:DescribeTaskDefinition"])],
            make: &[
                Allow::to(&["ecs:RegisterTaskDefinition"])
                    .on(&["ecs:{here}:task-definition/{name}:*"])
                    .for_stack(),
                Allow::to(&["ecs:TagResource"]).on(&["ecs:{here}:task-definition/{name}:*"]),
                Allow::to(&["ecs:UntagResource"])
                    .on(&["ecs:{here}:task-definition/{name}:*"])
                    .of_stack(),
                Allow::to(&["iam:PassRole"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                    .under(&[When::equals("iam:PassedToService", &["ecs-tasks.amazonaws.com"])]),
            ],
            remove: &[Allow::to(&["ecs:DeregisterTaskDefinition"])],
        },
        ..Traits::of("ecs.task_definition")
    };
    type Id = Arn;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        let call = client!(aws, aws_sdk_ecs).list_task_definitions().status("ACTIVE".into());
        let call = call.into_paginator().items().send().try_collect();
        let arns = match aws.call("ecs:ListTaskDefinitions", call).await {
            Ok(arns) => arns,
            Err(error) => return Collected::failed(error),
        };
        // A call for each revision, so only for families that may be ours. Others are no conflict:
        // a family is not a name that somebody owns.
        let wanted = arns.into_iter().filter(|arn| scope.may_be_ours(family_of(arn)));
        let read: Vec<_> = futures::stream::iter(wanted)
            .map(|arn| async move { describe(aws, &arn).await })
            .buffer_unordered(8)
            .collect()
            .await;
        let mut collected = Collected::default();
        for one in read {
            match one {
                Ok(Some(live)) => collected.live.push(live),
                Ok(None) => {}
                // Not knowing a revision is not knowing what may run.
                Err(error) => collected.errors.extend(Collected::<Self>::failed(error).errors),
            }
        }
        collected
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "ecs:RegisterTaskDefinition";
        let compatibilities = self.requires_compatibilities.iter();
        let platform = RuntimePlatform::builder()
            .cpu_architecture(CpuArchitecture::from(self.cpu_architecture.as_str()))
            .operating_system_family(OsFamily::from(self.operating_system.as_str()))
            .build();
        let containers =
            self.containers.iter().map(|(name, container)| to_ecs_container(name, container));
        let volumes = self.volumes.iter().map(|(name, volume)| to_ecs_volume(name, volume));
        let call = client!(aws, aws_sdk_ecs)
            .register_task_definition()
            .family(&self.family)
            .set_cpu(self.cpu.map(|units| units.to_string()))
            .set_memory(self.memory.map(|mib| mib.to_string()))
            .network_mode(NetworkMode::from(self.network_mode.as_str()))
            .set_requires_compatibilities(Some(
                compatibilities.map(|word| Compatibility::from(word.as_str())).collect(),
            ))
            .runtime_platform(platform)
            .set_execution_role_arn(self.execution_role.as_ref().map(ToString::to_string))
            .set_task_role_arn(self.task_role.as_ref().map(ToString::to_string))
            .set_container_definitions(Some(containers.collect::<Result<_>>()?))
            .set_volumes(Some(volumes.collect::<Result<_>>()?))
            .set_tags(Some(to_ecs(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let made = made.task_definition.ok_or_else(|| Error::incomplete(action, "the revision"))?;
        Ok(read(action, made)?.with_tags(new.tags.clone()))
    }

    async fn update(&self, _: &Aws, _: &Live<Self>, _: &Changes) -> Result<()> {
        // Every field is immutable: there is nothing that could have changed.
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_ecs).deregister_task_definition().task_definition(&live.id);
        match aws.call("ecs:DeregisterTaskDefinition", call.send()).await {
            // ECS has no code of its own for a revision that does not exist.
            Err(Error::Api(error)) if error.message.contains("Unable to describe") => Ok(()),
            answer => answer.map(|_| ()),
        }
    }
}

/// The family in the ARN of a revision.
fn family_of(arn: &str) -> &str {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    name.split(':').next().unwrap_or(name)
}

async fn describe(aws: &Aws, arn: &str) -> Result<Option<Live<TaskDefinition>>> {
    let action = "ecs:DescribeTaskDefinition";
    let call = client!(aws, aws_sdk_ecs)
        .describe_task_definition()
        .task_definition(arn)
        .include(TaskDefinitionField::Tags);
    let answer = aws.call(action, call.send()).await?;
    let found = answer.task_definition.ok_or_else(|| Error::incomplete(action, "the revision"))?;
    // Deregistered since it was listed.
    if found.status.as_ref().is_some_and(|status| status.as_str() != "ACTIVE") {
        return Ok(None);
    }
    Ok(Some(read(action, found)?.with_tags(from_ecs(answer.tags))))
}

fn read(action: &str, found: aws_sdk_ecs::types::TaskDefinition) -> Result<Live<TaskDefinition>> {
    let arn =
        found.task_definition_arn.ok_or_else(|| Error::incomplete(action, "a revision's ARN"))?;
    let platform = found.runtime_platform;
    let architecture = platform.as_ref().and_then(|platform| platform.cpu_architecture.clone());
    let system = platform.and_then(|platform| platform.operating_system_family);
    let containers = found.container_definitions.unwrap_or_default().into_iter();
    let volumes = found.volumes.unwrap_or_default().into_iter();
    let compatibilities = found.requires_compatibilities.unwrap_or_default();
    let spec = TaskDefinition {
        family: found.family.unwrap_or_default(),
        cpu: found.cpu.map(|units| number(&arn, &units)).transpose()?,
        memory: found.memory.map(|mib| number(&arn, &mib)).transpose()?,
        // What AWS takes where nothing is said.
        network_mode: found.network_mode.map_or("bridge".into(), |mode| mode.as_str().to_owned()),
        requires_compatibilities: compatibilities
            .into_iter()
            .map(|word| word.as_str().to_owned())
            .collect(),
        cpu_architecture: architecture.map_or("X86_64".into(), |word| word.as_str().to_owned()),
        operating_system: system.map_or("LINUX".into(), |word| word.as_str().to_owned()),
        execution_role: found.execution_role_arn.map(Ref::known),
        task_role: found.task_role_arn.map(Ref::known),
        containers: containers.map(from_ecs_container).collect(),
        volumes: volumes.map(from_ecs_volume).collect(),
    };
    let status = match found.status {
        Some(status) if status.as_str() != "ACTIVE" => Status::Deleting,
        _ => Status::Ready,
    };
    let revision = Some(found.revision.to_string());
    Ok(Live::new(arn.clone(), spec)
        .with_arn(arn)
        .with_status(status)
        .with_output("revision", revision))
}

fn number(arn: &str, text: &str) -> Result<u32> {
    text.parse().map_err(|why| Error::invalid(format!("{text:?} in {arn}"), why))
}

/// AWS counts in signed numbers. What it gives is never negative.
fn unsigned(number: i32) -> u32 {
    number.try_into().unwrap_or_default()
}

fn signed(number: u32) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

fn to_ecs_container(name: &str, container: &Container) -> Result<ContainerDefinition> {
    let ports = container.ports.iter().map(|port| {
        PortMapping::builder()
            .container_port(port.container_port.into())
            // On `awsvpc` it has to be the same; elsewhere that is what keeps a port fixed.
            .host_port(port.container_port.into())
            .protocol(TransportProtocol::from(port.protocol.as_str()))
            .build()
    });
    let environment = container.environment.iter();
    let secrets = container.secrets.iter();
    let mounts = container.mounts.iter().map(|(path, mount)| {
        MountPoint::builder()
            .container_path(path)
            .source_volume(&mount.volume)
            .read_only(mount.read_only)
            .build()
    });
    let log = container.log.as_ref().map(|log| {
        LogConfiguration::builder()
            .log_driver(LogDriver::from(log.driver.as_str()))
            .set_options(Some(log.options.clone().into_iter().collect()))
            .build()
    });
    let health = container.health_check.as_ref().map(|check| {
        EcsHealthCheck::builder()
            .set_command(Some(check.command.clone()))
            .interval(signed(check.interval))
            .timeout(signed(check.timeout))
            .retries(signed(check.retries))
            .start_period(signed(check.start_period))
            .build()
    });
    let builder = ContainerDefinition::builder()
        .name(name)
        .image(&container.image)
        .cpu(signed(container.cpu))
        .set_memory(container.memory.map(signed))
        .set_memory_reservation(container.memory_reservation.map(signed))
        .essential(container.essential)
        .set_port_mappings(Some(ports.collect()))
        .set_environment(Some(
            environment
                .map(|(name, value)| KeyValuePair::builder().name(name).value(value).build())
                .collect(),
        ))
        .set_secrets(Some(
            secrets
                .map(|(name, from)| Secret::builder().name(name).value_from(from).build())
                .collect::<std::result::Result<_, _>>()
                .map_err(|why| Error::invalid(name, why))?,
        ))
        .set_log_configuration(log.transpose().map_err(|why| Error::invalid(name, why))?)
        .set_mount_points(Some(mounts.collect()))
        .readonly_root_filesystem(container.readonly_root_filesystem)
        .set_user(container.user.clone())
        .set_command(some(&container.command))
        .set_entry_point(some(&container.entry_point))
        .set_health_check(health.transpose().map_err(|why| Error::invalid(name, why))?)
        .privileged(container.privileged)
        .linux_parameters(linux_parameters(container));
    Ok(builder.build())
}

/// An empty list would overrule what the image says.
fn some(words: &[String]) -> Option<Vec<String>> {
    (!words.is_empty()).then(|| words.to_vec())
}

fn linux_parameters(container: &Container) -> LinuxParameters {
    let words = |set: &BTreeSet<String>| set.iter().cloned().collect();
    let capabilities = KernelCapabilities::builder()
        .set_add(Some(words(&container.add_capabilities)))
        .set_drop(Some(words(&container.drop_capabilities)))
        .build();
    LinuxParameters::builder()
        .capabilities(capabilities)
        .init_process_enabled(container.init_process)
        .build()
}

fn from_ecs_container(found: ContainerDefinition) -> (String, Container) {
    let linux = found.linux_parameters;
    let init_process = linux.as_ref().is_some_and(|linux| linux.init_process_enabled == Some(true));
    let capabilities = linux.and_then(|linux| linux.capabilities);
    let (add, drop) = capabilities.map(|all| (all.add, all.drop)).unwrap_or_default();
    let pairs = found.environment.unwrap_or_default().into_iter();
    let secrets = found.secrets.unwrap_or_default().into_iter();
    let ports = found.port_mappings.unwrap_or_default().into_iter();
    let mounts = found.mount_points.unwrap_or_default().into_iter();
    let container = Container {
        image: found.image.unwrap_or_default(),
        cpu: unsigned(found.cpu),
        memory: found.memory.map(unsigned),
        memory_reservation: found.memory_reservation.map(unsigned),
        essential: found.essential.unwrap_or(true),
        ports: ports
            .filter_map(|port| {
                let container_port = port.container_port?.try_into().ok()?;
                let protocol = port.protocol.map_or("tcp".into(), |word| word.as_str().to_owned());
                Some(Port { container_port, protocol })
            })
            .collect(),
        environment: hide(
            pairs.filter_map(|pair| Some((pair.name?, pair.value.unwrap_or_default()))),
        ),
        secrets: secrets.map(|secret| (secret.name, secret.value_from)).collect(),
        log: found.log_configuration.map(|log| Log {
            driver: log.log_driver.as_str().to_owned(),
            options: hide(log.options.unwrap_or_default()),
        }),
        mounts: mounts
            .filter_map(|mount| {
                let read_only = mount.read_only.unwrap_or(false);
                Some((mount.container_path?, Mount { volume: mount.source_volume?, read_only }))
            })
            .collect(),
        readonly_root_filesystem: found.readonly_root_filesystem.unwrap_or(false),
        user: found.user,
        command: hide_in_command(found.command.unwrap_or_default()),
        entry_point: hide_in_command(found.entry_point.unwrap_or_default()),
        // Where a check leaves something open, AWS takes these numbers and shows nothing.
        health_check: found.health_check.map(|check| HealthCheck {
            command: hide_in_command(check.command),
            interval: check.interval.map_or(30, unsigned),
            timeout: check.timeout.map_or(5, unsigned),
            retries: check.retries.map_or(3, unsigned),
            start_period: check.start_period.map_or(0, unsigned),
        }),
        privileged: found.privileged.unwrap_or(false),
        drop_capabilities: drop.unwrap_or_default().into_iter().collect(),
        add_capabilities: add.unwrap_or_default().into_iter().collect(),
        init_process,
    };
    (found.name.unwrap_or_default(), container)
}

fn to_ecs_volume(name: &str, volume: &Volume) -> Result<EcsVolume> {
    let builder = EcsVolume::builder().name(name);
    let Some(efs) = &volume.efs else { return Ok(builder.build()) };
    let authorization = EfsAuthorizationConfig::builder()
        .set_access_point_id(efs.access_point.as_ref().map(ToString::to_string))
        .iam(if efs.iam {
            EfsAuthorizationConfigIam::Enabled
        } else {
            EfsAuthorizationConfigIam::Disabled
        })
        .build();
    let configuration = EfsVolumeConfiguration::builder()
        .file_system_id(efs.file_system.as_str())
        .root_directory(&efs.root_directory)
        .transit_encryption(if efs.transit_encryption {
            EfsTransitEncryption::Enabled
        } else {
            EfsTransitEncryption::Disabled
        })
        .authorization_config(authorization)
        .build()
        .map_err(|why| Error::invalid(name, why))?;
    Ok(builder.efs_volume_configuration(configuration).build())
}

fn from_ecs_volume(found: EcsVolume) -> (String, Volume) {
    let efs = found.efs_volume_configuration.map(|efs| {
        let authorization = efs.authorization_config;
        let iam = authorization.as_ref().and_then(|config| config.iam.clone());
        Efs {
            file_system: Ref::known(efs.file_system_id),
            access_point: authorization.and_then(|config| config.access_point_id).map(Ref::known),
            root_directory: efs.root_directory.unwrap_or_else(|| "/".into()),
            transit_encryption: efs.transit_encryption == Some(EfsTransitEncryption::Enabled),
            iam: iam == Some(EfsAuthorizationConfigIam::Enabled),
        }
    });
    (found.name.unwrap_or_default(), Volume { efs })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Container {
        Container {
            image: "registry/student-api:1".into(),
            essential: true,
            ports: BTreeSet::from([Port::tcp(8080)]),
            environment: BTreeMap::from([("STREAM".into(), "students".into())]),
            secrets: BTreeMap::from([("PASSWORD".into(), "arn:secret:password::".into())]),
            mounts: BTreeMap::from([(
                "/mnt".into(),
                Mount { volume: "files".into(), read_only: true },
            )]),
            log: Some(Log {
                driver: "awslogs".into(),
                options: BTreeMap::from([("awslogs-group".into(), "/ecs/x".into())]),
            }),
            health_check: Some(HealthCheck {
                command: vec!["CMD".into(), "true".into()],
                interval: 10,
                timeout: 2,
                retries: 5,
                start_period: 0,
            }),
            user: Some("1000".into()),
            readonly_root_filesystem: true,
            drop_capabilities: BTreeSet::from(["ALL".into()]),
            init_process: true,
            ..Container::default()
        }
    }

    #[test]
    fn a_container_reads_back_as_it_was_asked_for() {
        let there = to_ecs_container("api", &container()).unwrap();
        assert_eq!(from_ecs_container(there), ("api".into(), container()));
    }

    #[test]
    fn secrets_in_a_container_are_not_read_back() {
        let mut careless = container();
        careless.environment.insert("DB_PASSWORD".into(), "hunter2".into());
        careless.command = vec!["serve".into(), "--token=hunter2".into()];
        careless.entry_point = vec!["sh".into(), "-c".into(), "TOKEN=hunter2 serve".into()];
        let log = careless.log.as_mut().unwrap();
        log.options.insert("splunk-token".into(), "hunter2".into());
        let check = careless.health_check.as_mut().unwrap();
        check.command = vec!["CMD".into(), "check".into(), "--password".into(), "hunter2".into()];
        let there = to_ecs_container("api", &careless).unwrap();
        assert_eq!(format!("{careless:?}").matches("hunter2").count(), 5);
        let (_, read) = from_ecs_container(there);
        assert!(!format!("{read:?}").contains("hunter2"), "{read:?}");

        // A plan does not take what was hidden for a change, and still sees one.
        let kind = engine::Kind::of::<TaskDefinition>();
        let json = |container: &Container| serde_json::json!({"containers": {"api": container}});
        assert_eq!(engine::diff::attributes(&kind, &json(&read), &json(&careless)), []);
        let changes = engine::diff::attributes(&kind, &json(&read), &json(&container()));
        assert_eq!(changes.len(), 5, "{changes:#?}");
    }

    #[test]
    fn a_volume_reads_back_as_it_was_asked_for() {
        let efs = Efs {
            file_system: Ref::known("fs-1"),
            access_point: Some(Ref::known("fsap-1")),
            root_directory: "/".into(),
            transit_encryption: true,
            iam: true,
        };
        for volume in [Volume { efs: Some(efs) }, Volume::default()] {
            let there = to_ecs_volume("files", &volume).unwrap();
            assert_eq!(from_ecs_volume(there), ("files".into(), volume));
        }
    }

    #[test]
    fn nothing_said_means_what_aws_does_then() {
        let bare = ContainerDefinition::builder().name("api").image("x").build();
        let (_, container) = from_ecs_container(bare);
        assert!(container.essential);
        assert!(!container.readonly_root_filesystem, "never assumed good");
        assert_eq!(container.user, None);
        let volume = EfsVolumeConfiguration::builder().file_system_id("fs-1").build().unwrap();
        let volume = EcsVolume::builder().name("v").efs_volume_configuration(volume).build();
        let efs = from_ecs_volume(volume).1.efs.unwrap();
        assert!(!efs.transit_encryption && !efs.iam);
    }

    #[test]
    fn the_family_is_in_the_arn() {
        let arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/student-api-dev:12";
        assert_eq!(family_of(arn), "student-api-dev");
    }
}

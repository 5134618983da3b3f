//! `ecs.service`: keeps a number of tasks of one definition running, behind a load balancer.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, Deployment as EcsDeployment, DeploymentCircuitBreaker,
    DeploymentConfiguration, DeploymentRolloutState, DeploymentStrategy, LaunchType,
    LoadBalancer as EcsLoadBalancer, NetworkConfiguration, PropagateTags, Service as EcsService,
    ServiceField,
};
use engine::vocabulary::{
    Arn, EcsClusterArn, Name, Private, SecurityGroupId, SubnetId, TargetGroupArn,
};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Handle, Live, New, Permissions, Poll,
    Readiness, Ref, Resource, Result, Scope, Status, Tags, Traits, When, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::{self, from_ecs, retag, to_ecs};

/// An ECS service. Its id is its ARN. Outputs: `name`, and `resource_id`
/// (`service/<cluster>/<service>`), by which Application Auto Scaling calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The name, unique within the cluster: up to 255 letters, digits, hyphens and underscores.
    pub name: String,
    /// The cluster.
    pub cluster: Ref<EcsClusterArn>,
    /// The revision that runs.
    pub task_definition: Ref<Arn>,
    /// How many tasks run at least. More of them are no drift: autoscaling raises the number, up to
    /// its own maximum, and a deploy does not take that back.
    pub desired_count: u32,
    /// `FARGATE`, `EC2` or `EXTERNAL`. `None` where capacity providers decide.
    pub launch_type: Option<String>,
    /// Fargate's version: `LATEST`, or a number.
    pub platform_version: Option<String>,
    /// Where the tasks get their network interfaces.
    pub subnets: BTreeSet<Ref<SubnetId<Private>>>,
    /// What guards those.
    pub security_groups: BTreeSet<Ref<SecurityGroupId>>,
    /// Whether each task gets a public address.
    pub assign_public_ip: bool,
    /// Where the tasks are registered.
    pub load_balancers: BTreeSet<Registration>,
    /// Seconds after its start in which the load balancer's opinion of a task does not count.
    pub health_check_grace_period_seconds: u32,
    /// How one revision takes the place of another.
    pub deployment: Deployment,
    /// Whether people may start commands inside the tasks.
    pub enable_execute_command: bool,
    /// `SERVICE`, `TASK_DEFINITION` or `NONE`: whose tags the tasks get.
    pub propagate_tags: String,
    /// Whether tasks carry tags with the names of their cluster and service.
    pub enable_ecs_managed_tags: bool,
    /// How many tasks run or are being started. What AWS reports; never wanted.
    #[serde(default)]
    pub started_tasks: Option<u32>,
}

/// A target group that a service registers its tasks in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Registration {
    /// The target group.
    pub target_group: Ref<TargetGroupArn>,
    /// The container that answers.
    pub container_name: String,
    /// The port that it answers on.
    pub container_port: u16,
}

/// How one revision takes the place of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deployment {
    /// `ROLLING`, `BLUE_GREEN`, `LINEAR` or `CANARY`.
    pub strategy: String,
    /// Whether a deployment whose tasks keep failing is given up.
    pub circuit_breaker: bool,
    /// Whether the revision before it is then brought back.
    pub rollback: bool,
    /// How many percent of the desired count stay healthy meanwhile.
    pub minimum_healthy_percent: u32,
    /// How many percent of the desired count there are at most meanwhile.
    pub maximum_percent: u32,
}

/// Rolling, nothing taken away before its successor is healthy, and back when that fails.
impl Default for Deployment {
    fn default() -> Self {
        Self {
            strategy: "ROLLING".into(),
            circuit_breaker: true,
            rollback: true,
            minimum_healthy_percent: 100,
            maximum_percent: 200,
        }
    }
}

/// What marks a reference to a service as Application Auto Scaling calls it.
#[derive(Debug)]
pub enum ResourceId {}

/// The service's name.
pub fn name(service: &Handle<Service>) -> Ref<Name> {
    service.output("name")
}

/// `service/<cluster>/<service>`.
pub fn resource_id(service: &Handle<Service>) -> Ref<ResourceId> {
    service.output("resource_id")
}

impl Resource for Service {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name", "cluster", "launch_type"],
        // The create call takes them. But there are servers that forget them then and keep them
        // when told again; to AWS nothing is told twice, because its answer already shows them.
        late: &["health_check_grace_period_seconds", "deployment", "enable_execute_command"],
        ready: Poll::within(30, 5, 15).expecting(120),
        // The load balancer's deregistration delay has to pass.
        gone: Poll::within(15, 3, 15).expecting(60),
        not_yet: &[
            ("ClusterNotFoundException", ""),
            ("InvalidParameterException", "service linked role"),
            ("InvalidParameterException", "does not have an associated load balancer"),
            ("InvalidParameterException", "Unable to Start a service that is still Draining"),
        ],
        write_only: &["started_tasks"],
        aliases: &["resource_id"],
        attached_by: &[("cluster", "ecs.cluster"), ("subnets", "ec2.subnet")],
        permissions: Permissions {
            read: &[Allow::to(&[
                "ecs:ListClusters",
                "ecs:ListServices",
                "ecs:DescribeServices",
                "ecs:ListTasks",
            ])],
            make: &[
                Allow::to(&["ecs:CreateService"])
                    .on(&["ecs:{here}:service/{name}/{name}"])
                    .for_stack(),
                Allow::to(&["ecs:UpdateService", "ecs:TagResource"])
                    .on(&["ecs:{here}:service/{name}/{name}"]),
                Allow::to(&["ecs:UntagResource"])
                    .on(&["ecs:{here}:service/{name}/{name}"])
                    .of_stack(),
                Allow::to(&["iam:CreateServiceLinkedRole"])
                    .on(&["iam::{account}:role/aws-service-role/*"])
                    .under(&[When::equals("iam:AWSServiceName", &["ecs.amazonaws.com"])]),
            ],
            remove: &[Allow::to(&["ecs:DeleteService"])
                .on(&["ecs:{here}:service/{name}/{name}"])
                .of_stack()],
        },
        ..Traits::of("ecs.service")
    };
    type Id = Arn;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        let clusters = match cluster::arns(aws).await {
            Ok(clusters) => clusters,
            Err(error) => return Collected::failed(error),
        };
        let read: Vec<_> = futures::stream::iter(clusters)
            .map(|cluster| async move { list(aws, &cluster).await })
            .buffer_unordered(8)
            .collect()
            .await;
        let mut collected = Collected::default();
        for one in read {
            match one {
                Ok(live) => collected.live.extend(live),
                // Deleted since the clusters were listed.
                Err(Error::Api(error)) if error.is_not_found() => {}
                Err(error) => collected.errors.extend(Collected::<Self>::failed(error).errors),
            }
        }
        collected
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "ecs:CreateService";
        let load_balanced = !self.load_balancers.is_empty();
        let grace = load_balanced.then(|| signed(self.health_check_grace_period_seconds));
        let call = client!(aws, aws_sdk_ecs)
            .create_service()
            .client_token(&new.token)
            .service_name(&self.name)
            .cluster(self.cluster.as_str())
            .task_definition(self.task_definition.as_str())
            .desired_count(signed(self.desired_count))
            .set_launch_type(self.launch_type.as_deref().map(LaunchType::from))
            .set_platform_version(self.platform_version.clone())
            .set_network_configuration(self.network()?)
            .set_load_balancers(Some(self.registrations()))
            .set_health_check_grace_period_seconds(grace)
            .deployment_configuration(self.deployment_configuration())
            .enable_execute_command(self.enable_execute_command)
            .propagate_tags(PropagateTags::from(self.propagate_tags.as_str()))
            .enable_ecs_managed_tags(self.enable_ecs_managed_tags)
            .set_tags(Some(to_ecs(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let made = made.service.ok_or_else(|| Error::incomplete(action, "the service"))?;
        Ok(read(action, &made)?.with_tags(new.tags.clone()))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        match find(aws, live).await? {
            Some(service) => rollout(aws, &service, live.spec.task_definition.as_str()).await,
            None => Ok(Readiness::Pending("AWS to show it".into())),
        }
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let mut call = client!(aws, aws_sdk_ecs)
            .update_service()
            .cluster(self.cluster.as_str())
            .service(&live.id);
        if changes.has("task_definition") {
            call = call.task_definition(self.task_definition.as_str());
        }
        if changes.has("desired_count") {
            call = call.desired_count(signed(self.desired_count));
        }
        if changes.has("platform_version") {
            call = call.set_platform_version(self.platform_version.clone());
        }
        if changes.any(&["subnets", "security_groups", "assign_public_ip"]) {
            call = call.set_network_configuration(self.network()?);
        }
        if changes.has("load_balancers") {
            call = call.set_load_balancers(Some(self.registrations()));
        }
        if changes.has("health_check_grace_period_seconds") {
            let seconds = signed(self.health_check_grace_period_seconds);
            call = call.health_check_grace_period_seconds(seconds);
        }
        if changes.has("deployment") {
            call = call.deployment_configuration(self.deployment_configuration());
        }
        if changes.has("enable_execute_command") {
            call = call.enable_execute_command(self.enable_execute_command);
        }
        if changes.has("propagate_tags") {
            call = call.propagate_tags(PropagateTags::from(self.propagate_tags.as_str()));
        }
        if changes.has("enable_ecs_managed_tags") {
            call = call.enable_ecs_managed_tags(self.enable_ecs_managed_tags);
        }
        aws.call("ecs:UpdateService", call.send()).await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        // Forced, because there are still tasks: ECS stops them and lets their connections drain.
        let call = client!(aws, aws_sdk_ecs)
            .delete_service()
            .cluster(live.spec.cluster.as_str())
            .service(&live.id)
            .force(true);
        match aws.call("ecs:DeleteService", call.send()).await {
            // Somebody else has deleted it, or its cluster.
            Err(Error::Api(error)) if error.code == "ServiceNotActiveException" => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        let found = find(aws, live).await?;
        Ok(found.is_none_or(|service| service.status.as_deref() == Some("INACTIVE")))
    }

    fn settled(field: &str, desired: &Value, live: &Value) -> bool {
        // Autoscaling raises the number between the stack's minimum and maximum; fewer tasks than
        // wanted is never its doing.
        field == "desired_count" && live.as_u64() >= desired.as_u64()
    }
}

impl Service {
    /// `None` for tasks that use the network of their host.
    fn network(&self) -> Result<Option<NetworkConfiguration>> {
        if self.subnets.is_empty() {
            return Ok(None);
        }
        let subnets = self.subnets.iter().map(ToString::to_string).collect();
        let groups = self.security_groups.iter().map(ToString::to_string).collect();
        let public = match self.assign_public_ip {
            true => AssignPublicIp::Enabled,
            false => AssignPublicIp::Disabled,
        };
        let vpc = AwsVpcConfiguration::builder()
            .set_subnets(Some(subnets))
            .set_security_groups(Some(groups))
            .assign_public_ip(public)
            .build()
            .map_err(|why| Error::invalid(&self.name, why))?;
        Ok(Some(NetworkConfiguration::builder().awsvpc_configuration(vpc).build()))
    }

    fn registrations(&self) -> Vec<EcsLoadBalancer> {
        let registration = |one: &Registration| {
            EcsLoadBalancer::builder()
                .target_group_arn(one.target_group.as_str())
                .container_name(&one.container_name)
                .container_port(one.container_port.into())
                .build()
        };
        self.load_balancers.iter().map(registration).collect()
    }

    fn deployment_configuration(&self) -> DeploymentConfiguration {
        let of = &self.deployment;
        let breaker = DeploymentCircuitBreaker::builder()
            .enable(of.circuit_breaker)
            .rollback(of.rollback)
            .build();
        DeploymentConfiguration::builder()
            .strategy(DeploymentStrategy::from(of.strategy.as_str()))
            .deployment_circuit_breaker(breaker)
            .minimum_healthy_percent(signed(of.minimum_healthy_percent))
            .maximum_percent(signed(of.maximum_percent))
            .build()
    }
}

/// ECS counts in signed numbers.
fn signed(number: u32) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// What ECS counts is never negative.
fn unsigned(number: i32) -> u32 {
    number.try_into().unwrap_or_default()
}

async fn list(aws: &Aws, cluster: &str) -> Result<Vec<Live<Service>>> {
    let ecs = client!(aws, aws_sdk_ecs);
    let call = ecs.list_services().cluster(cluster).into_paginator().items();
    let arns: Vec<String> = aws.call("ecs:ListServices", call.send().try_collect()).await?;
    let action = "ecs:DescribeServices";
    let mut found = Vec::new();
    // Ten is all that one call takes.
    for batch in arns.chunks(10) {
        let call = ecs
            .describe_services()
            .cluster(cluster)
            .set_services(Some(batch.to_vec()))
            .include(ServiceField::Tags);
        let answer = aws.call(action, call.send()).await?;
        for service in answer.services.unwrap_or_default() {
            if service.status() == Some("INACTIVE") {
                continue;
            }
            let mut live = read(action, &service)?;
            if live.status != Status::Deleting {
                let revision = live.spec.task_definition.as_str();
                live.status = status(&service, rollout(aws, &service, revision).await?);
            }
            found.push(live);
        }
    }
    Ok(found)
}

async fn find(aws: &Aws, live: &Live<Service>) -> Result<Option<EcsService>> {
    let call = client!(aws, aws_sdk_ecs)
        .describe_services()
        .cluster(live.spec.cluster.as_str())
        .services(&live.id);
    // Without its cluster a service is gone too.
    let answer = aws.find("ecs:DescribeServices", call.send()).await?;
    Ok(answer.and_then(|answer| answer.services.unwrap_or_default().into_iter().next()))
}

/// How far the deployment of a revision has come.
///
/// AWS is waited for until it says `COMPLETED`: as many tasks as wanted run and pass their health
/// checks, and those of the revision before are gone. It gives up by itself (`FAILED`) when the
/// circuit breaker is on.
///
/// Servers that imitate AWS may keep services and run no tasks: then no rollout ever ends. They are
/// recognised by their own words, a service that lists no task and tells no event, and are not
/// waited for. AWS itself is never taken for one.
async fn rollout(aws: &Aws, service: &EcsService, revision: &str) -> Result<Readiness> {
    let state = progress(service, revision);
    if !aws.may_run_nothing()
        || !matches!(state, Readiness::Pending(_))
        || !service.events().is_empty()
    {
        return Ok(state);
    }
    let call = client!(aws, aws_sdk_ecs)
        .list_tasks()
        .set_cluster(service.cluster_arn.clone())
        .set_service_name(service.service_name.clone());
    let tasks = aws.call("ecs:ListTasks", call.send()).await?;
    Ok(if tasks.task_arns().is_empty() { Readiness::ready() } else { state })
}

fn progress(service: &EcsService, revision: &str) -> Readiness {
    let word = service.status.as_deref().unwrap_or_default();
    if word != "ACTIVE" {
        return Readiness::by_status(word, &[], &["DRAINING", "INACTIVE"]);
    }
    let of_revision = |one: &&EcsDeployment| one.task_definition.as_deref() == Some(revision);
    let failed = |one: &&EcsDeployment| one.rollout_state == Some(DeploymentRolloutState::Failed);
    if let Some(failed) = service.deployments().iter().filter(of_revision).find(failed) {
        return Readiness::Failed(why(service, failed));
    }
    let primary = service.deployments().iter().find(|one| one.status.as_deref() == Some("PRIMARY"));
    let Some(primary) = primary else {
        return Readiness::Pending("a deployment to begin".into());
    };
    let tasks = format!("{} of {} tasks running", service.running_count, service.desired_count);
    if !of_revision(&primary) {
        // Seen for a moment after an update, and for good after a rollback that we did not witness.
        let other = primary.task_definition.as_deref().unwrap_or_default();
        return Readiness::Pending(format!(
            "the rollout of {revision}; {other} is in use; {tasks}"
        ));
    }
    match &primary.rollout_state {
        Some(DeploymentRolloutState::Completed) => Readiness::ready(),
        // Deployments that ECS does not control itself have no such state.
        None if service.deployments().len() == 1
            && service.running_count >= service.desired_count =>
        {
            Readiness::ready()
        }
        _ => Readiness::Pending(tasks),
    }
}

/// Why a deployment failed: its own reason, then what the service tells of it, latest first.
fn why(service: &EcsService, failed: &EcsDeployment) -> String {
    let reason = failed.rollout_state_reason.as_deref().unwrap_or("the deployment failed");
    let events = service.events().iter().filter_map(|event| event.message()).take(3);
    std::iter::once(reason).chain(events).collect::<Vec<_>>().join("; ")
}

/// A service without a single task that its deployment gave up on is to be made again; one that
/// still has tasks is not: to replace it would stop them.
fn status(service: &EcsService, progress: Readiness) -> Status {
    match progress {
        Readiness::Ready(_) => Status::Ready,
        Readiness::Failed(why) if service.running_count == 0 => Status::Failed(why),
        Readiness::Pending(what) | Readiness::Failed(what) => Status::Pending(what),
    }
}

/// Of all deployments together, because the tasks of the one before serve until their successors do.
fn started_tasks(service: &EcsService) -> u32 {
    unsigned(service.running_count.saturating_add(service.pending_count))
}

fn read(action: &str, found: &EcsService) -> Result<Live<Service>> {
    let missing = |what: &str| Error::incomplete(action, what);
    let name = found.service_name.clone().ok_or_else(|| missing("a service's name"))?;
    let arn = found.service_arn.clone().ok_or_else(|| missing("a service's ARN"))?;
    let cluster = found.cluster_arn.clone().ok_or_else(|| missing("a service's cluster"))?;
    let vpc = found.network_configuration.as_ref().and_then(|one| one.awsvpc_configuration());
    let deployment = found.deployment_configuration.as_ref();
    let breaker = deployment.and_then(|one| one.deployment_circuit_breaker());
    let strategy = deployment.and_then(|one| one.strategy());
    let registration = |one: &EcsLoadBalancer| {
        Some(Registration {
            target_group: Ref::known(one.target_group_arn.clone()?),
            container_name: one.container_name.clone()?,
            container_port: one.container_port?.try_into().ok()?,
        })
    };
    let word = |text: Option<&str>, default: &str| text.unwrap_or(default).to_owned();
    let spec = Service {
        name: name.clone(),
        cluster: Ref::known(&*cluster),
        task_definition: Ref::known(found.task_definition.clone().unwrap_or_default()),
        desired_count: unsigned(found.desired_count),
        launch_type: found.launch_type.as_ref().map(|word| word.as_str().to_owned()),
        platform_version: found.platform_version.clone(),
        subnets: vpc.into_iter().flat_map(|vpc| vpc.subnets()).map(Ref::known).collect(),
        security_groups: vpc
            .into_iter()
            .flat_map(|vpc| vpc.security_groups())
            .map(Ref::known)
            .collect(),
        assign_public_ip: vpc.and_then(|vpc| vpc.assign_public_ip())
            == Some(&AssignPublicIp::Enabled),
        load_balancers: found.load_balancers().iter().filter_map(registration).collect(),
        health_check_grace_period_seconds: unsigned(
            found.health_check_grace_period_seconds.unwrap_or_default(),
        ),
        // Where nothing was said, AWS rolls between these bounds without a circuit breaker.
        deployment: Deployment {
            strategy: word(strategy.map(|word| word.as_str()), "ROLLING"),
            circuit_breaker: breaker.is_some_and(|breaker| breaker.enable),
            rollback: breaker.is_some_and(|breaker| breaker.rollback),
            minimum_healthy_percent: deployment
                .and_then(|one| one.minimum_healthy_percent)
                .map_or(100, unsigned),
            maximum_percent: deployment.and_then(|one| one.maximum_percent).map_or(200, unsigned),
        },
        enable_execute_command: found.enable_execute_command,
        propagate_tags: word(found.propagate_tags.as_ref().map(PropagateTags::as_str), "NONE"),
        enable_ecs_managed_tags: found.enable_ecs_managed_tags,
        started_tasks: Some(started_tasks(found)),
    };
    let status = match found.status.as_deref() {
        Some("ACTIVE") => Status::Ready,
        Some("DRAINING" | "INACTIVE") => Status::Deleting,
        other => Status::Pending(other.unwrap_or_default().to_owned()),
    };
    let cluster_name = cluster.rsplit('/').next().unwrap_or_default();
    let resource_id = format!("service/{cluster_name}/{name}");
    Ok(Live::new(arn.clone(), spec)
        .with_arn(arn)
        .with_status(status)
        .with_tags(from_ecs(found.tags.clone()))
        .with_output("name", Some(name))
        .with_output("resource_id", Some(resource_id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/student-api-dev:2";
    const OLD: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/student-api-dev:1";

    fn deployment(of: &str, status: &str, state: DeploymentRolloutState) -> EcsDeployment {
        EcsDeployment::builder()
            .task_definition(of)
            .status(status)
            .rollout_state(state)
            .rollout_state_reason("ECS deployment circuit breaker: tasks failed to start.")
            .build()
    }

    fn service(deployments: Vec<EcsDeployment>) -> EcsService {
        EcsService::builder()
            .service_name("student-api-service-dev")
            .service_arn("arn:aws:ecs:us-east-1:123456789012:service/c/s")
            .cluster_arn("arn:aws:ecs:us-east-1:123456789012:cluster/c")
            .status("ACTIVE")
            .running_count(1)
            .desired_count(2)
            .set_deployments(Some(deployments))
            .build()
    }

    #[test]
    fn a_rollout_is_ready_when_aws_says_completed_and_not_when_tasks_run() {
        use DeploymentRolloutState::{Completed, InProgress};
        let mut rolling = service(vec![deployment(NEW, "PRIMARY", InProgress)]);
        let pending = Readiness::Pending("1 of 2 tasks running".into());
        assert_eq!(progress(&rolling, NEW), pending);
        rolling.running_count = 2;
        assert!(matches!(progress(&rolling, NEW), Readiness::Pending(_)));
        let done = service(vec![deployment(NEW, "PRIMARY", Completed)]);
        assert_eq!(progress(&done, NEW), Readiness::ready());
    }

    #[test]
    fn a_rollback_that_completed_is_a_failure_of_what_was_wanted() {
        use DeploymentRolloutState::{Completed, Failed};
        let back =
            service(vec![deployment(OLD, "PRIMARY", Completed), deployment(NEW, "ACTIVE", Failed)]);
        let Readiness::Failed(why) = progress(&back, NEW) else { panic!("not a failure") };
        assert!(why.contains("circuit breaker"), "{why}");
        // Later the failed deployment is out of sight: still no success.
        let later = service(vec![deployment(OLD, "PRIMARY", Completed)]);
        assert!(matches!(progress(&later, NEW), Readiness::Pending(_)));
    }

    #[test]
    fn a_service_that_still_has_tasks_is_never_made_again() {
        let failed = Readiness::Failed("why".into());
        let mut one = service(Vec::new());
        assert_eq!(status(&one, failed.clone()), Status::Pending("why".into()));
        one.running_count = 0;
        assert_eq!(status(&one, failed), Status::Failed("why".into()));
    }

    #[test]
    fn more_tasks_than_wanted_are_no_drift_and_fewer_are() {
        let settled = |desired: u32, live: u32| {
            Service::settled("desired_count", &desired.into(), &live.into())
        };
        assert!(settled(2, 10));
        assert!(!settled(2, 1));
        assert!(!Service::settled("health_check_grace_period_seconds", &2.into(), &3.into()));
    }

    #[test]
    fn what_aws_leaves_out_is_what_it_does_by_default_never_what_we_want() {
        let live = read("ecs:DescribeServices", &service(Vec::new())).unwrap();
        assert!(!live.spec.deployment.circuit_breaker);
        assert!(!live.spec.assign_public_ip);
        assert_eq!(live.output("resource_id"), Some("service/c/student-api-service-dev"));
        let nameless = EcsService::builder().build();
        assert!(read("ecs:DescribeServices", &nameless).is_err());
    }
}

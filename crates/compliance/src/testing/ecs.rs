//! A service, its task and its cluster, as ECS describes them.

use aws_sdk_ecs::operation::describe_clusters::DescribeClustersOutput;
use aws_sdk_ecs::operation::describe_services::DescribeServicesOutput;
use aws_sdk_ecs::operation::describe_task_definition::DescribeTaskDefinitionOutput;
use aws_sdk_ecs::operation::list_clusters::ListClustersOutput;
use aws_sdk_ecs::operation::list_services::ListServicesOutput;
use aws_sdk_ecs::operation::list_task_definitions::ListTaskDefinitionsOutput;
use aws_sdk_ecs::types::builders::{ClusterBuilder, ServiceBuilder, TaskDefinitionBuilder};
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, Cluster, ContainerDefinition, Deployment, DeploymentCircuitBreaker,
    DeploymentConfiguration, DeploymentRolloutState, EfsAuthorizationConfig,
    EfsVolumeConfiguration, LogConfiguration, LogDriver, NetworkConfiguration, Service,
    TaskDefinition, Volume,
};
use aws_smithy_mocks::{Rule, mock};

pub(crate) use aws_sdk_ecs::types::builders::ContainerDefinitionBuilder as ContainerBuilder;

/// The ARN of the cluster.
pub(crate) const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/api";
/// The ARN of the service.
pub(crate) const SERVICE: &str = "arn:aws:ecs:us-east-1:123456789012:service/api/api";
/// The log group of the container.
pub(crate) const LOG_GROUP: &str = "/ecs/api";

/// The ARN of a revision.
pub(crate) fn revision(number: usize) -> String {
    format!("arn:aws:ecs:us-east-1:123456789012:task-definition/api:{number}")
}

/// A family with these containers, one a revision, the first of them revision 1.
pub(crate) fn revisions(changes: &[fn(ContainerBuilder) -> ContainerBuilder]) -> Vec<Rule> {
    let changes = changes.to_vec();
    let tasks = changes
        .into_iter()
        .map(|change| TaskDefinition::builder().container_definitions(change(container()).build()));
    described(tasks.collect())
}

/// One revision with a compliant container, changed.
pub(crate) fn task(change: fn(ContainerBuilder) -> ContainerBuilder) -> Vec<Rule> {
    revisions(&[change])
}

/// One revision with a compliant container and a volume on the file system `fs-1`.
pub(crate) fn task_with_volume(
    change: fn(
        aws_sdk_ecs::types::builders::EfsVolumeConfigurationBuilder,
    ) -> aws_sdk_ecs::types::builders::EfsVolumeConfigurationBuilder,
) -> Vec<Rule> {
    let authorization =
        EfsAuthorizationConfig::builder().access_point_id("fsap-1").iam("ENABLED".into()).build();
    let efs = EfsVolumeConfiguration::builder()
        .file_system_id("fs-1")
        .transit_encryption("ENABLED".into())
        .authorization_config(authorization);
    let efs = change(efs).build().unwrap();
    let volume = Volume::builder().name("files").efs_volume_configuration(efs).build();
    let task = TaskDefinition::builder().container_definitions(container().build()).volumes(volume);
    described(vec![task])
}

fn container() -> ContainerBuilder {
    let log = LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .options("awslogs-group", LOG_GROUP)
        .options("awslogs-region", "us-east-1");
    ContainerDefinition::builder()
        .name("api")
        .image(format!("registry/api@sha256:{}", "0a".repeat(32)))
        .user("1000:1000")
        .readonly_root_filesystem(true)
        .log_configuration(log.build().unwrap())
}

fn described(tasks: Vec<TaskDefinitionBuilder>) -> Vec<Rule> {
    let arns: Vec<String> = (1..=tasks.len()).map(revision).collect();
    let mut rules =
        vec![mock!(aws_sdk_ecs::Client::list_task_definitions).then_output(move || {
            ListTaskDefinitionsOutput::builder()
                .set_task_definition_arns(Some(arns.clone()))
                .build()
        })];
    for (at, task) in tasks.into_iter().enumerate() {
        let arn = revision(at + 1);
        let task = task
            .family("api")
            .revision(i32::try_from(at + 1).unwrap())
            .task_definition_arn(&arn)
            .build();
        let rule = mock!(aws_sdk_ecs::Client::describe_task_definition)
            .match_requests(move |asked| asked.task_definition() == Some(arn.as_str()))
            .then_output(move || {
                DescribeTaskDefinitionOutput::builder().task_definition(task.clone()).build()
            });
        rules.push(rule);
    }
    rules
}

/// A cluster with a service that runs revision 1 twice, in `subnet-1` and `subnet-2`.
pub(crate) fn service(change: fn(ServiceBuilder) -> ServiceBuilder) -> Vec<Rule> {
    clustered(change, |it| it)
}

/// As [`service`], with a cluster to be changed too.
pub(crate) fn clustered(
    service: fn(ServiceBuilder) -> ServiceBuilder,
    cluster: fn(ClusterBuilder) -> ClusterBuilder,
) -> Vec<Rule> {
    let described = move || {
        let network = AwsVpcConfiguration::builder().subnets("subnet-1").subnets("subnet-2");
        let network = network.build().unwrap();
        let breaker = DeploymentCircuitBreaker::builder().enable(true).rollback(true).build();
        let built = Service::builder()
            .service_name("api")
            .service_arn(SERVICE)
            .cluster_arn(CLUSTER)
            .status("ACTIVE")
            .task_definition(revision(1))
            .desired_count(2)
            .running_count(2)
            .network_configuration(
                NetworkConfiguration::builder().awsvpc_configuration(network).build(),
            )
            .deployment_configuration(
                DeploymentConfiguration::builder().deployment_circuit_breaker(breaker).build(),
            );
        let mut built = service(built).build();
        let primary = Deployment::builder()
            .status("PRIMARY")
            .set_task_definition(built.task_definition.clone())
            .rollout_state(DeploymentRolloutState::Completed);
        built.deployments = Some(vec![primary.build()]);
        built
    };
    vec![
        mock!(aws_sdk_ecs::Client::list_clusters)
            .then_output(|| ListClustersOutput::builder().cluster_arns(CLUSTER).build()),
        mock!(aws_sdk_ecs::Client::describe_clusters).then_output(move || {
            let described = Cluster::builder().cluster_name("api").cluster_arn(CLUSTER);
            let described = cluster(described.status("ACTIVE")).build();
            DescribeClustersOutput::builder().clusters(described).build()
        }),
        mock!(aws_sdk_ecs::Client::list_services)
            .then_output(|| ListServicesOutput::builder().service_arns(SERVICE).build()),
        mock!(aws_sdk_ecs::Client::describe_services)
            .then_output(move || DescribeServicesOutput::builder().services(described()).build()),
    ]
}

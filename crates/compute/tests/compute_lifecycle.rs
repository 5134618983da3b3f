//! The layer from nothing to nothing: on the embedded control plane, or against the server that
//! `FERPA_TEST_ENDPOINT` names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace, SuspendedState};
use aws_sdk_ecs::types::{ClusterSetting, ClusterSettingName, Tag};
use aws_sdk_elasticloadbalancingv2::types::LoadBalancerAttribute;
use compute::composition::{ComputeSpec, Workload, declare};
use compute::{
    Cluster, Compute, Listener, LoadBalancer, ScalableTarget, Service, TargetGroup, TaskDefinition,
};
use engine::plan::Options;
use engine::{
    Aws, Change, Deployed, Kind, Live, LogicalId, Plan, Stack, StackName, Tags, Target, client,
    deploy,
};

const KINDS: &[Kind] = &[
    Kind::of::<Cluster>(),
    Kind::of::<TaskDefinition>(),
    Kind::of::<Service>(),
    Kind::of::<LoadBalancer>(),
    Kind::of::<TargetGroup>(),
    Kind::of::<Listener>(),
    Kind::of::<ScalableTarget>(),
];

const IMAGE: &str = "public.ecr.aws/docker/library/nginx@sha256:\
    3f1e5a1f0d6a6cbb1e0d5a3a6f9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a3f2e1d";

async fn aws() -> Aws {
    let target = Target::for_tests(local::ControlPlane::in_memory().http_client());
    Aws::connect(target, Some("us-east-1")).await.unwrap()
}

async fn spec(aws: &Aws, environment: &str) -> ComputeSpec {
    let workload = Workload { image: IMAGE.into(), redirect_http: true, ..Workload::default() };
    ComputeSpec { workload, inputs: support::inputs(aws, environment).await }
}

fn stack(environment: &str, spec: &ComputeSpec) -> (Stack, Compute) {
    let name = StackName::new("student", environment);
    let mut stack = Stack::new(name, Tags::from([("Compliance".into(), "FERPA".into())]));
    let compute = declare(&mut stack, spec);
    (stack, compute)
}

async fn up(aws: &Aws, stack: &Stack) -> Deployed {
    deploy::up(aws, stack, KINDS, Options::default()).await.unwrap()
}

async fn assert_settled(aws: &Aws, stack: &Stack) {
    let drift = deploy::drift(aws, stack, KINDS).await;
    assert!(drift.is_empty(), "{:#?} {:#?}", drift.actions, drift.problems);
}

/// The lines of a plan that changes something: resource, field, old and new value.
fn changes(plan: &Plan) -> Vec<String> {
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    let mut lines = Vec::new();
    for action in &plan.actions {
        match &action.change {
            Change::Update { changes } | Change::Replace { changes, .. } => {
                for one in &changes.0 {
                    let (path, old, new) = (&one.path, &one.old, &one.new);
                    lines.push(format!("{} {path}: {old} -> {new}", action.resource));
                }
            }
            other => lines.push(format!("{} {other}", action.resource)),
        }
    }
    lines
}

fn live<'a>(deployed: &'a Deployed, id: &str) -> &'a Live {
    &deployed.live[&LogicalId::new(id)]
}

#[tokio::test]
async fn the_layer_is_made_mended_and_removed() {
    let aws = aws().await;
    let environment = "ecs-life";
    let spec = spec(&aws, environment).await;
    let (stack, compute) = stack(environment, &spec);

    let made = up(&aws, &stack).await;
    assert_settled(&aws, &stack).await;
    let outputs = compute.resolve(&made).unwrap();
    assert_eq!(outputs.cluster_name, "student-api-cluster-ecs-life");
    assert_eq!(outputs.service_name, "student-api-service-ecs-life");
    assert!(outputs.dns_name.contains("student-alb-ecs-life"), "{}", outputs.dns_name);

    // What only a server that runs tasks can show.
    let ecs = client!(aws, aws_sdk_ecs);
    if std::env::var("FERPA_TEST_ENDPOINT").is_err() {
        let tasks = ecs.list_tasks().cluster(&outputs.cluster_name);
        let tasks = tasks.service_name(&outputs.service_name).send().await.unwrap();
        assert_eq!(tasks.task_arns().len(), 2);
        let healthy = client!(aws, aws_sdk_elasticloadbalancingv2)
            .describe_target_health()
            .target_group_arn(&outputs.target_group_arn);
        assert_eq!(healthy.send().await.unwrap().target_health_descriptions().len(), 2);
    }

    // Somebody changes things behind our back: one of each kind.
    sabotage(&aws, &made, &spec).await;
    let drift = changes(&deploy::drift(&aws, &stack, KINDS).await);
    for expected in [
        "compute/cluster container_insights: \"disabled\" -> \"enhanced\"",
        "compute/listener ssl_policy: \"ELBSecurityPolicy-2016-08\" -> \"ELBSecurityPolicy-TLS13-1-2-2021-06\"",
        "compute/load-balancer deletion_protection: false -> true",
        "compute/load-balancer drop_invalid_header_fields: false -> true",
        "compute/scaling policies.cpu: null -> ",
        "compute/scaling max_capacity: 50 -> 10",
        "compute/scaling suspended: [\"scale_out\"] -> []",
        "compute/service desired_count: 1 -> 2",
        "compute/service enable_execute_command: true -> false",
        "compute/target-group health_check.path: \"/\" -> \"/health\"",
        "compute/target-group deregistration_delay_seconds: 5 -> 60",
        "compute/task tags.Owner: \"somebody\" -> null",
    ] {
        assert!(drift.iter().any(|line| line.starts_with(expected)), "{expected}\n{drift:#?}");
    }

    up(&aws, &stack).await;
    assert_settled(&aws, &stack).await;

    down(&aws, &stack).await;
}

async fn sabotage(aws: &Aws, made: &Deployed, spec: &ComputeSpec) {
    let ecs = client!(aws, aws_sdk_ecs);
    let elb = client!(aws, aws_sdk_elasticloadbalancingv2);
    let scaling = client!(aws, aws_sdk_applicationautoscaling);
    let cluster = &live(made, "compute/cluster").id;
    let service = live(made, "compute/service");

    let off = ClusterSetting::builder()
        .name(ClusterSettingName::ContainerInsights)
        .value("disabled")
        .build();
    ecs.update_cluster().cluster(cluster).settings(off).send().await.unwrap();
    ecs.update_service()
        .cluster(cluster)
        .service(&service.id)
        .desired_count(1)
        .enable_execute_command(true)
        .send()
        .await
        .unwrap();
    ecs.tag_resource()
        .resource_arn(&live(made, "compute/task").id)
        .tags(Tag::builder().key("Owner").value("somebody").build())
        .send()
        .await
        .unwrap();

    let attribute = |key: &str| LoadBalancerAttribute::builder().key(key).value("false").build();
    elb.modify_load_balancer_attributes()
        .load_balancer_arn(&live(made, "compute/load-balancer").id)
        .attributes(attribute("deletion_protection.enabled"))
        .attributes(attribute("routing.http.drop_invalid_header_fields.enabled"))
        .send()
        .await
        .unwrap();
    elb.modify_listener()
        .listener_arn(&live(made, "compute/listener").id)
        .ssl_policy("ELBSecurityPolicy-2016-08")
        .certificates(
            aws_sdk_elasticloadbalancingv2::types::Certificate::builder()
                .certificate_arn(spec.inputs.certificate.as_str())
                .build(),
        )
        .send()
        .await
        .unwrap();
    let target_group = &live(made, "compute/target-group").id;
    elb.modify_target_group()
        .target_group_arn(target_group)
        .health_check_path("/")
        .send()
        .await
        .unwrap();
    elb.modify_target_group_attributes()
        .target_group_arn(target_group)
        .attributes(
            aws_sdk_elasticloadbalancingv2::types::TargetGroupAttribute::builder()
                .key("deregistration_delay.timeout_seconds")
                .value("5")
                .build(),
        )
        .send()
        .await
        .unwrap();

    let resource_id = service.output("resource_id").unwrap();
    let dimension = ScalableDimension::EcsServiceDesiredCount;
    scaling
        .register_scalable_target()
        .service_namespace(ServiceNamespace::Ecs)
        .resource_id(resource_id)
        .scalable_dimension(dimension.clone())
        .min_capacity(2)
        .max_capacity(50)
        .suspended_state(SuspendedState::builder().dynamic_scaling_out_suspended(true).build())
        .send()
        .await
        .unwrap();
    scaling
        .delete_scaling_policy()
        .policy_name("cpu")
        .service_namespace(ServiceNamespace::Ecs)
        .resource_id(resource_id)
        .scalable_dimension(dimension)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn another_image_is_another_revision_and_autoscaling_is_left_alone() {
    let aws = aws().await;
    let environment = "ecs-roll";
    let mut spec = spec(&aws, environment).await;
    let (before, _) = stack(environment, &spec);
    let made = up(&aws, &before).await;
    let first = live(&made, "compute/task").id.clone();
    assert!(first.ends_with("task-definition/student-api-ecs-roll:1"), "{first}");

    // Autoscaling has raised the number of tasks.
    let ecs = client!(aws, aws_sdk_ecs);
    let service = live(&made, "compute/service").id.clone();
    let cluster = live(&made, "compute/cluster").id.clone();
    let call = ecs.update_service().cluster(&cluster).service(&service).desired_count(4);
    call.send().await.unwrap();
    assert_settled(&aws, &before).await;

    spec.workload.environment.insert("LOG_LEVEL".into(), "info".into());
    let (after, _) = stack(environment, &spec);
    let made = up(&aws, &after).await;
    assert!(live(&made, "compute/task").id.ends_with(":2"));
    assert_settled(&aws, &after).await;

    let found = ecs.describe_services().cluster(&cluster).services(&service).send().await.unwrap();
    assert_eq!(found.services()[0].desired_count, 4, "a deploy does not take tasks away");
    assert!(found.services()[0].task_definition().unwrap().ends_with(":2"));
    let old = ecs.describe_task_definition().task_definition(&first).send().await.unwrap();
    let status = old.task_definition.unwrap().status.unwrap();
    assert_eq!(status.as_str(), "INACTIVE", "the revision before is deregistered");

    down(&aws, &after).await;
}

#[tokio::test]
async fn another_port_is_another_target_group_that_exists_beside_the_old_one_for_a_while() {
    let aws = aws().await;
    let environment = "ecs-port";
    let mut spec = spec(&aws, environment).await;
    let (before, _) = stack(environment, &spec);
    let made = up(&aws, &before).await;
    let old = live(&made, "compute/target-group").id.clone();

    spec.workload.port = 8443;
    spec.workload.tls_to_container = true;
    let (after, compute) = stack(environment, &spec);
    let made = up(&aws, &after).await;
    assert_settled(&aws, &after).await;
    let new = compute.resolve(&made).unwrap().target_group_arn;
    assert_ne!(new, old);
    assert!(new.contains("targetgroup/student-tg-ecs-port-"), "{new} has a name of its own");
    let elb = client!(aws, aws_sdk_elasticloadbalancingv2);
    let gone = elb.describe_target_groups().target_group_arns(old).send().await;
    assert!(gone.is_err(), "the old one is gone");

    down(&aws, &after).await;
}

#[tokio::test]
async fn tasks_that_cannot_start_fail_the_deploy_with_aws_own_reason() {
    if std::env::var("FERPA_TEST_ENDPOINT").is_ok() {
        return; // moto starts no tasks, so none of them can fail to start.
    }
    let aws = aws().await;
    let environment = "ecs-fail";
    let good = spec(&aws, environment).await;
    let mut bad = good.clone();
    bad.inputs.log_group = engine::Ref::known("/ecs/nobody-made-it");

    // A first deployment that fails leaves a service without tasks: the next deploy makes it again.
    let (broken, _) = stack(environment, &bad);
    let error = deploy::up(&aws, &broken, KINDS, Options::default()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("circuit breaker"), "{text}");
    assert!(text.contains("The specified log group does not exist"), "{text}");

    let (working, _) = stack(environment, &good);
    up(&aws, &working).await;
    assert_settled(&aws, &working).await;

    // A later one goes back to the revision before it, and is no success either.
    let error = deploy::up(&aws, &broken, KINDS, Options::default()).await.unwrap_err();
    assert!(error.to_string().contains("circuit breaker"), "{error}");
    let ecs = client!(aws, aws_sdk_ecs);
    let found = ecs
        .describe_services()
        .cluster("student-api-cluster-ecs-fail")
        .services("student-api-service-ecs-fail")
        .send()
        .await
        .unwrap();
    assert_eq!(found.services()[0].running_count, 2, "what ran before runs again");

    down(&aws, &working).await;
}

#[tokio::test]
async fn the_layer_is_provided_on_its_own_and_a_bad_spec_is_refused_before_anything_is_done() {
    let aws = aws().await;
    let mut spec = spec(&aws, "ecs-own").await;
    let name = StackName::new("student", "ecs-own");

    let image = std::mem::take(&mut spec.workload.image);
    let refused = compute::provision(&aws, name.clone(), &spec).await.unwrap_err();
    assert!(refused.to_string().contains("image: none is set"), "{refused}");
    spec.workload.image = image;

    let outputs = compute::provision(&aws, name.clone(), &spec).await.unwrap();
    assert_eq!(outputs.cluster_name, "student-api-cluster-ecs-own");
    deploy::down(&aws, &name, KINDS, Options::default()).await.unwrap();
}

async fn down(aws: &Aws, stack: &Stack) {
    deploy::down(aws, stack.name(), KINDS, Options::default()).await.unwrap();
    let after = deploy::down(aws, stack.name(), KINDS, Options::default()).await.unwrap();
    assert!(after.is_empty(), "{after:?}");
}

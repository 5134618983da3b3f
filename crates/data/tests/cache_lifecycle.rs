//! The cache from nothing to nothing: on the embedded control plane, or against the server that
//! `FERPA_TEST_ENDPOINT` names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod surroundings;

use std::time::Duration;

use data::cache::{self, KINDS};
use data::{CacheSettings, CacheSpec};
use engine::plan::{Change, Options, Problem};
use engine::{Aws, Plan, Stack, StackName, Tags, client, deploy};
use surroundings::{aws, is_moto, log_group, secret, surroundings};

const TOKEN: &str = "correct-horse-battery-staple";

async fn stack(aws: &Aws, environment: &str) -> Stack {
    declared(environment, &spec(aws, environment).await)
}

async fn spec(aws: &Aws, environment: &str) -> CacheSpec {
    let around = surroundings(aws, environment).await;
    let secret = secret(aws, &format!("student-cache-{environment}"), TOKEN).await;
    let (slow, engine) = (format!("slow-{environment}"), format!("engine-{environment}"));
    log_group(aws, &slow).await;
    log_group(aws, &engine).await;
    CacheSpec {
        subnets: around.subnets.iter().map(|id| id.as_str().into()).collect(),
        security_group: around.security_group.into(),
        key: around.key.into(),
        secret: secret.into(),
        slow_log: slow.into(),
        engine_log: engine.into(),
        settings: CacheSettings::default(),
    }
}

fn declared(environment: &str, spec: &CacheSpec) -> Stack {
    let name = StackName::new("student", environment);
    let mut stack = Stack::new(name.clone(), Tags::new());
    assert_eq!(cache::validate(&name, spec), []);
    cache::declare(&mut stack, spec);
    stack
}

/// `kind field: old -> new`, for every field that differs; `kind verb` for other actions.
fn changes(plan: &Plan) -> Vec<String> {
    assert_eq!(plan.problems, []);
    let of = |action: &engine::plan::Action| match &action.change {
        Change::Update { changes } => changes
            .0
            .iter()
            // moto lists no nodes of a replication group.
            .filter(|change| !(is_moto() && change.path == "nodes"))
            .map(|c| format!("{} {}: {} -> {}", action.kind, c.path, c.old, c.new))
            .collect(),
        other => vec![format!("{} {other}", action.kind)],
    };
    plan.actions.iter().flat_map(of).collect()
}

async fn drift(aws: &Aws, stack: &Stack) -> Vec<String> {
    changes(&deploy::drift(aws, stack, KINDS).await)
}

#[tokio::test]
async fn a_cache_is_made_read_back_mended_and_removed() {
    let aws = aws().await;
    let stack = stack(&aws, "ca-life").await;
    let made = deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(made.plan.actions.len(), 2);
    assert_eq!(drift(&aws, &stack).await, [""; 0], "nothing left to do");
    // Nowhere in what is planned, known or shown.
    assert!(!format!("{made:?}").contains(TOKEN));
    let group = made.live.values().find(|live| live.id == "student-cache-ca-life").unwrap();
    assert!(group.output("primary_endpoint").is_some() && group.output("port") == Some("6379"));

    // Somebody changes attributes behind our back.
    let elasticache = client!(aws, aws_sdk_elasticache);
    let call = elasticache.modify_replication_group().replication_group_id("student-cache-ca-life");
    let call = call.apply_immediately(true).multi_az_enabled(false).snapshot_retention_limit(0);
    call.send().await.unwrap();
    let call = elasticache.remove_tags_from_resource().resource_name(group.arn.as_ref().unwrap());
    call.tag_keys("RetentionDays").send().await.unwrap();
    let seen = [
        "elasticache.replication_group multi_az: false -> true",
        "elasticache.replication_group snapshot_retention_days: 0 -> 5",
        "elasticache.replication_group tags.RetentionDays: null -> \"2557\"",
    ];
    assert_eq!(drift(&aws, &stack).await, seen);
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(drift(&aws, &stack).await, [""; 0]);

    // moto never finishes the deletion of a replication group, shows no subnet group on it, and
    // cannot delete or change subnet groups.
    if is_moto() {
        return;
    }
    let plan = deploy::down(&aws, stack.name(), KINDS, Options::default()).await.unwrap();
    assert_eq!(plan.kept.len(), 2, "the cache and the subnets that it rests on: {plan:?}");
    assert_eq!(drift(&aws, &stack).await, [""; 0], "nothing was touched");

    let call = elasticache.describe_cache_subnet_groups();
    let group = "student-cache-subnets-ca-life";
    let found = call.cache_subnet_group_name(group).send().await.unwrap();
    let subnets = found.cache_subnet_groups()[0].subnets().iter();
    let subnets = subnets.map(|one| one.subnet_identifier().unwrap().to_owned()).collect();
    let call = elasticache.modify_cache_subnet_group().cache_subnet_group_name(group);
    let call = call.cache_subnet_group_description("mine now").set_subnet_ids(Some(subnets));
    call.send().await.unwrap();
    let call = elasticache.modify_replication_group().replication_group_id("student-cache-ca-life");
    let call = call.apply_immediately(true).preferred_maintenance_window("sun:01:00-sun:02:00");
    let off = aws_sdk_elasticache::types::LogDeliveryConfigurationRequest::builder()
        .log_type(aws_sdk_elasticache::types::LogType::SlowLog)
        .enabled(false);
    call.log_delivery_configurations(off.build()).send().await.unwrap();
    let seen = [
        "elasticache.replication_group nodes.maintenance_window: \"sun:01:00-sun:02:00\" -> \"mon:05:00-mon:07:00\"",
        "elasticache.replication_group logs.slow-log: null -> {\"log_group\":\"slow-ca-life\",\"format\":\"json\"}",
        "elasticache.subnet_group description: \"mine now\" -> \"Subnets of the student records cache\"",
    ];
    assert_eq!(drift(&aws, &stack).await, seen);
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(drift(&aws, &stack).await, [""; 0]);

    let all = Options { allow_data_loss: true, imitation: true };
    deploy::down(&aws, stack.name(), KINDS, all).await.unwrap();
    let after = deploy::down(&aws, stack.name(), KINDS, all).await.unwrap();
    assert!(after.is_empty(), "{after:?}");
    let snapshots = elasticache.describe_snapshots().send().await.unwrap();
    assert_eq!(snapshots.snapshots().len(), 1, "the final one");
}

#[tokio::test]
async fn a_run_that_begins_while_the_group_is_still_being_made_goes_on_with_it() {
    if is_moto() {
        return; // It has no delays.
    }
    let delays = local::Delays::none()
        .with("elasticache.replication_group", Duration::from_secs(2))
        .with("elasticache.replication_group.change", Duration::from_secs(1));
    let client = local::ControlPlane::in_memory_with(delays).http_client();
    let aws = Aws::connect(engine::Target::Embedded(client), Some("us-east-1")).await.unwrap();
    let stack = stack(&aws, "ca-slow").await;

    // The first run is killed while it waits.
    let killed = deploy::up(&aws, &stack, KINDS, Options::default());
    assert!(tokio::time::timeout(Duration::from_millis(800), killed).await.is_err());
    // AWS does not tell the tags of a group that is being made: no second one may come of it.
    let made = deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert!(made.plan.is_empty(), "{:?}", made.plan);
    let calls = aws.calls();
    assert_eq!(calls["ElastiCache.CreateReplicationGroup"], 1, "{calls:?}");

    // A change of attributes, of the number of nodes and of tags, one after the other.
    let elasticache = client!(aws, aws_sdk_elasticache);
    let arn = &made.live.values().find(|live| live.id == "student-cache-ca-slow").unwrap().arn;
    let call = elasticache.remove_tags_from_resource().resource_name(arn.as_ref().unwrap());
    call.tag_keys("RetentionDays").send().await.unwrap();
    let call = elasticache.increase_replica_count().replication_group_id("student-cache-ca-slow");
    call.new_replica_count(2).apply_immediately(true).send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let call = elasticache.modify_replication_group().replication_group_id("student-cache-ca-slow");
    call.snapshot_retention_limit(1).apply_immediately(true).send().await.unwrap();
    assert_eq!(drift(&aws, &stack).await.len(), 3);
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(drift(&aws, &stack).await, [""; 0]);
    deploy::down(&aws, stack.name(), KINDS, Options { allow_data_loss: true, imitation: true })
        .await
        .unwrap();
}

#[tokio::test]
async fn tls_and_its_token_are_asked_for_on_the_group_that_exists() {
    if is_moto() {
        return; // It has no `preferred` on the way to `required`.
    }
    let aws = aws().await;
    let mut spec = spec(&aws, "ca-token").await;
    spec.settings.transit_encryption = false;
    let plain = declared("ca-token", &spec);
    deploy::up(&aws, &plain, KINDS, Options::default()).await.unwrap();
    spec.settings.transit_encryption = true;
    let safe = declared("ca-token", &spec);
    let seen = [
        "elasticache.replication_group transit_encryption: false -> true",
        "elasticache.replication_group transit_encryption_mode: null -> \"required\"",
        "elasticache.replication_group auth_token: false -> true",
    ];
    assert_eq!(drift(&aws, &safe).await, seen);
    deploy::up(&aws, &safe, KINDS, Options::default()).await.unwrap();
    assert_eq!(drift(&aws, &safe).await, [""; 0]);
    let calls = aws.calls();
    assert_eq!(calls["ElastiCache.CreateReplicationGroup"], 1, "{calls:?}");
    // TLS preferred, TLS required, a token taken, a token asked for.
    assert_eq!(calls["ElastiCache.ModifyReplicationGroup"], 4, "{calls:?}");

    // AWS lets nobody in without a token again: that takes another group, and so it is refused.
    let plan = deploy::drift(&aws, &plain, KINDS).await;
    let refused = |problem: &Problem| matches!(problem, Problem::DataLoss { why, .. } if why.contains("auth_token"));
    assert!(plan.problems.iter().any(refused), "{plan:?}");
    deploy::down(&aws, safe.name(), KINDS, Options { allow_data_loss: true, imitation: true })
        .await
        .unwrap();
}

#[tokio::test]
async fn user_groups_that_somebody_lets_in_are_put_out_again() {
    if is_moto() {
        return; // It has no user groups on a replication group.
    }
    let aws = aws().await;
    let stack = stack(&aws, "ca-users").await;
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    let call = client!(aws, aws_sdk_elasticache).modify_replication_group();
    let call = call.replication_group_id("student-cache-ca-users").user_group_ids_to_add("friends");
    call.apply_immediately(true).send().await.unwrap();
    let plan = deploy::drift(&aws, &stack, KINDS).await;
    let action = plan.action(&engine::LogicalId::new("data/cache")).unwrap();
    let Change::Update { changes } = &action.change else { panic!("{action:?}") };
    assert!(changes.has("user_groups"), "{changes:?}");
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(drift(&aws, &stack).await, [""; 0]);
}

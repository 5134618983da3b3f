//! The database from nothing to nothing: on the embedded control plane, or against the server that
//! `FERPA_TEST_ENDPOINT` names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod surroundings;

use data::database::{self, KINDS};
use data::{DatabaseSettings, DatabaseSpec};
use engine::plan::{Change, Options};
use engine::{Aws, Plan, Stack, StackName, Tags, client, deploy};
use surroundings::{aws, is_moto, log_group, secret, surroundings};

const PASSWORD: &str = "correct-horse-battery-staple";

async fn stack(aws: &Aws, environment: &str) -> Stack {
    declared(environment, &spec(aws, environment).await)
}

async fn spec(aws: &Aws, environment: &str) -> DatabaseSpec {
    let name = StackName::new("student", environment);
    let around = surroundings(aws, environment).await;
    let credentials = format!(r#"{{"username":"studentadmin","password":"{PASSWORD}"}}"#);
    let secret = secret(aws, &format!("student-db-{environment}"), &credentials).await;
    log_group(aws, &database::log_group_name(&name)).await;
    DatabaseSpec {
        subnets: around.subnets.iter().map(|id| id.as_str().into()).collect(),
        zones: around.zones,
        security_group: around.security_group.into(),
        key: around.key.into(),
        secret: secret.into(),
        log_group: Some(database::log_group_name(&name).into()),
        settings: DatabaseSettings::default(),
    }
}

fn declared(environment: &str, spec: &DatabaseSpec) -> Stack {
    let name = StackName::new("student", environment);
    let mut stack = Stack::new(name.clone(), Tags::new());
    assert_eq!(database::validate(&name, spec), []);
    database::declare(&mut stack, spec);
    stack
}

/// `kind field: old -> new`, for every field that differs; `kind verb` for other actions.
fn changes(plan: &Plan) -> Vec<String> {
    assert_eq!(plan.problems, []);
    let of = |action: &engine::plan::Action| match &action.change {
        Change::Update { changes } => changes
            .0
            .iter()
            // moto keeps nothing of an instance's performance insights.
            .filter(|change| !(is_moto() && change.path == "performance_insights"))
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
async fn a_database_is_made_read_back_mended_and_removed() {
    let aws = aws().await;
    let stack = stack(&aws, "db-life").await;
    let made = deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(made.plan.actions.len(), 5);
    assert_eq!(drift(&aws, &stack).await, [""; 0], "nothing left to do");
    // Nowhere in what is planned, known or shown.
    assert!(!format!("{made:?}").contains(PASSWORD));

    // Somebody changes an attribute of each kind behind our back.
    let rds = client!(aws, aws_sdk_rds);
    let cluster = "student-records-db-life";
    let call = rds.modify_db_cluster().db_cluster_identifier(cluster).apply_immediately(true);
    call.backup_retention_period(1).deletion_protection(false).send().await.unwrap();
    let call = rds.modify_db_instance().db_instance_identifier("student-records-2-db-life");
    call.apply_immediately(true).publicly_accessible(true).send().await.unwrap();
    let parameter = aws_sdk_rds::types::Parameter::builder()
        .parameter_name("rds.force_ssl")
        .parameter_value("0")
        .apply_method(aws_sdk_rds::types::ApplyMethod::Immediate);
    let call = rds.modify_db_cluster_parameter_group().parameters(parameter.build());
    let call = call.db_cluster_parameter_group_name("student-aurora-db-life");
    call.send().await.unwrap();
    // moto forgets a subnet group that is modified.
    if !is_moto() {
        let group = "student-database-subnets-db-life";
        let call = rds.describe_db_subnet_groups().db_subnet_group_name(group);
        let found = call.send().await.unwrap();
        let subnets = found.db_subnet_groups()[0].subnets().iter();
        let subnets = subnets.map(|one| one.subnet_identifier().unwrap().to_owned()).collect();
        let call = rds.modify_db_subnet_group().db_subnet_group_name(group);
        let call = call.db_subnet_group_description("mine now").set_subnet_ids(Some(subnets));
        call.send().await.unwrap();
    }
    let arn = made.live.values().find(|live| live.id == cluster).unwrap().arn.clone().unwrap();
    let call = rds.remove_tags_from_resource().resource_name(arn).tag_keys("DataClassification");
    call.send().await.unwrap();

    let mut seen = vec![
        "rds.cluster backup_retention_days: 1 -> 35",
        "rds.cluster deletion_protection: false -> true",
        "rds.cluster tags.DataClassification: null -> \"education-records\"",
        "rds.cluster_parameter_group parameters.rds.force_ssl: \"0\" -> \"1\"",
        "rds.subnet_group description: \"mine now\" -> \"Subnets of the student records database\"",
        "rds.instance publicly_accessible: true -> false",
    ];
    seen.retain(|line| !(is_moto() && line.starts_with("rds.subnet_group")));
    assert_eq!(drift(&aws, &stack).await, seen);

    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(drift(&aws, &stack).await, [""; 0]);

    let all = Options { allow_data_loss: true, imitation: true };
    deploy::down(&aws, stack.name(), KINDS, all).await.unwrap();
    let after = deploy::down(&aws, stack.name(), KINDS, all).await.unwrap();
    assert!(after.is_empty(), "{after:?}");
    let call = rds.describe_db_cluster_snapshots().db_cluster_identifier(cluster);
    let snapshots = call.snapshot_type("manual").send().await.unwrap();
    assert_eq!(snapshots.db_cluster_snapshots().len(), 1, "the final one");
}

#[tokio::test]
async fn a_cluster_stays_with_all_that_it_rests_on_unless_the_operator_says_otherwise() {
    let aws = aws().await;
    let stack = stack(&aws, "db-keep").await;
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();

    let plan = deploy::down(&aws, stack.name(), KINDS, Options::default()).await.unwrap();
    let kept: Vec<&str> = plan.kept.iter().map(|kept| kept.resource.as_str()).collect();
    let all = [
        "data/cluster",
        "data/cluster-parameters",
        "data/database-subnets",
        "data/instance-1",
        "data/instance-2",
    ];
    assert_eq!(kept, all, "its instances too: without them it could not be reached");
    assert_eq!(drift(&aws, &stack).await, [""; 0], "nothing was touched");
    deploy::down(&aws, stack.name(), KINDS, Options { allow_data_loss: true, imitation: true })
        .await
        .unwrap();
}

#[tokio::test]
async fn writer_and_reader_are_made_side_by_side() {
    let aws = aws().await;
    let stack = stack(&aws, "db-side").await;
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    let rds = client!(aws, aws_sdk_rds);
    let call = rds.describe_db_clusters().db_cluster_identifier("student-records-db-side");
    let found = call.send().await.unwrap();
    let members = found.db_clusters()[0].db_cluster_members();
    let writers = members.iter().filter(|one| one.is_cluster_writer() == Some(true));
    assert_eq!((members.len(), writers.count()), (2, 1));
    let needs = |id: &str| {
        let node = stack.nodes().find(|node| node.id.as_str() == id).unwrap();
        node.create_needs().iter().map(|need| need.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(needs("data/instance-1"), ["⟦data/cluster.id⟧"], "the cluster's existence, no more");
    assert_eq!(needs("data/instance-2"), ["⟦data/cluster.id⟧"]);
    deploy::down(&aws, stack.name(), KINDS, Options { allow_data_loss: true, imitation: true })
        .await
        .unwrap();
}

const ALL: Options = Options { allow_data_loss: true, imitation: true };

#[tokio::test]
async fn a_cluster_that_somebody_stopped_is_started_before_it_is_changed_or_removed() {
    if is_moto() {
        return; // It changes and removes stopped clusters, which AWS does not.
    }
    let aws = aws().await;
    let stack = stack(&aws, "db-stop").await;
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    let rds = client!(aws, aws_sdk_rds);
    let cluster = "student-records-db-stop";
    let call = rds.modify_db_cluster().db_cluster_identifier(cluster).apply_immediately(true);
    call.backup_retention_period(1).send().await.unwrap();
    rds.stop_db_cluster().db_cluster_identifier(cluster).send().await.unwrap();
    let seen = [
        "rds.cluster backup_retention_days: 1 -> 35",
        "rds.cluster stopped: true -> false",
        "rds.instance wait",
        "rds.instance wait",
    ];
    assert_eq!(drift(&aws, &stack).await, seen);
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(drift(&aws, &stack).await, [""; 0]);

    rds.stop_db_cluster().db_cluster_identifier(cluster).send().await.unwrap();
    deploy::down(&aws, stack.name(), KINDS, ALL).await.unwrap();
    let after = deploy::down(&aws, stack.name(), KINDS, ALL).await.unwrap();
    assert!(after.is_empty(), "{after:?}");
}

#[tokio::test]
async fn a_parameter_that_takes_a_restart_gets_one() {
    if is_moto() {
        return; // It knows of no instance that has yet to restart.
    }
    let aws = aws().await;
    let mut spec = spec(&aws, "db-restart").await;
    let stack = declared("db-restart", &spec);
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    let restarts = || aws.calls().get("RDS.RebootDBInstance").copied().unwrap_or_default();

    // Somebody else changes one, and does not restart.
    let parameter = aws_sdk_rds::types::Parameter::builder()
        .parameter_name("max_connections")
        .parameter_value("100")
        .apply_method(aws_sdk_rds::types::ApplyMethod::PendingReboot);
    let call = client!(aws, aws_sdk_rds).modify_db_cluster_parameter_group();
    let call = call.db_cluster_parameter_group_name("student-aurora-db-restart");
    call.parameters(parameter.build()).send().await.unwrap();
    let seen = [
        "rds.cluster_parameter_group parameters.max_connections: \"100\" -> null",
        "rds.cluster_parameter_group restart_pending: [\"student-records-1-db-restart\",\"student-records-2-db-restart\"] -> []",
    ];
    assert_eq!(drift(&aws, &stack).await, seen);
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(drift(&aws, &stack).await, [""; 0]);
    assert_eq!(restarts(), 2);

    // The operator changes one that takes a restart, then one that does not.
    for (name, so_far) in [("max_connections", 4), ("log_lock_waits", 4)] {
        spec.settings.parameters.insert(name.into(), "1".into());
        let stack = declared("db-restart", &spec);
        deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
        assert_eq!(drift(&aws, &stack).await, [""; 0]);
        assert_eq!(restarts(), so_far, "{name}");
    }

    // A stack goes with a restart still to come.
    let call = client!(aws, aws_sdk_rds).modify_db_cluster_parameter_group();
    let call = call.db_cluster_parameter_group_name("student-aurora-db-restart");
    let parameter = aws_sdk_rds::types::Parameter::builder()
        .parameter_name("max_connections")
        .parameter_value("100")
        .apply_method(aws_sdk_rds::types::ApplyMethod::PendingReboot);
    call.parameters(parameter.build()).send().await.unwrap();
    deploy::down(&aws, stack.name(), KINDS, ALL).await.unwrap();
}

#[tokio::test]
async fn another_port_gets_a_secret_that_says_so() {
    let aws = aws().await;
    let mut spec = spec(&aws, "db-port").await;
    let secrets = client!(aws, aws_sdk_secretsmanager);
    let ours = aws_sdk_secretsmanager::types::Tag::builder()
        .key(engine::stack::STACK_TAG)
        .value("student-db-port");
    let call = secrets.tag_resource().secret_id(spec.secret.as_str()).tags(ours.build());
    call.send().await.unwrap();
    let mut seen = Vec::new();
    for port in [5432, 5433] {
        spec.settings.port = port;
        let stack = declared("db-port", &spec);
        deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
        assert_eq!(drift(&aws, &stack).await, [""; 0]);
        let found = secrets.get_secret_value().secret_id(spec.secret.as_str()).send().await;
        let text = found.unwrap().secret_string.unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["port"], port);
        seen.push(value["password"].clone());
    }
    assert_ne!(seen[0], seen[1], "who deploys cannot read the old one to write it again");
    let stack = declared("db-port", &spec);
    deploy::down(&aws, stack.name(), KINDS, ALL).await.unwrap();
}

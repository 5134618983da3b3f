//! Roles, log groups, functions and certificates from nothing to nothing: on the embedded control
//! plane, or against the server that `FERPA_TEST_ENDPOINT` names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use compute::function::Permission;
use compute::log_group::{LogGroupSpec, MetricFilter, SubscriptionFilter, declare_log_group};
use compute::roles::{
    ApiGatewayLogRole, BackupRole, DatabaseLogin, ExecutionRole, FirehoseRole, FlowLogRole,
    SubscriptionRole, TaskRole, TrailRole,
};
use compute::rotation::{RotationSpec, declare as declare_rotation};
use compute::trust::Trust;
use compute::{Certificate, Function, LogGroup, PasswordPolicy, Role};
use engine::plan::{Change, Options};
use engine::{Aws, Deployed, Kind, Place, Plan, Stack, StackName, Target, client, deploy};

const KINDS: &[Kind] = &[
    Kind::of::<Certificate>(),
    Kind::of::<Function>(),
    Kind::of::<LogGroup>(),
    Kind::of::<Role>(),
];
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const LOSSY: Options = Options { allow_data_loss: true, imitation: true };

async fn aws() -> Aws {
    let target = Target::for_tests(local::ControlPlane::in_memory().http_client());
    Aws::connect(target, Some("us-east-1")).await.unwrap()
}

fn is_embedded(aws: &Aws) -> bool {
    matches!(aws.target(), Target::Embedded(_))
}

/// A key that CloudWatch Logs and Lambda may use.
async fn key(aws: &Aws) -> String {
    let account = aws.account_id();
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"kms:*","Resource":"*"}},
            {{"Effect":"Allow","Principal":{{"Service":"logs.us-east-1.amazonaws.com"}},
              "Action":["kms:Encrypt*","kms:Decrypt*","kms:ReEncrypt*","kms:GenerateDataKey*","kms:Describe*"],"Resource":"*",
              "Condition":{{"ArnLike":{{"kms:EncryptionContext:aws:logs:arn":"arn:aws:logs:us-east-1:{account}:*"}}}}}}]}}"#
    );
    let made = client!(aws, aws_sdk_kms).create_key().policy(policy).send().await.unwrap();
    made.key_metadata.unwrap().arn.unwrap()
}

fn stack(aws: &Aws, environment: &str, key: &str) -> Stack {
    let place = Place::of(aws);
    let mut stack = Stack::new(StackName::new("student", environment), BTreeMap::new());
    let secrets =
        ["b", "a"].map(|name| place.arn("secretsmanager", &format!("secret:{name}-AbCdEf")));
    let consumer = consumer(&mut stack, &place, key);
    let rotation = declare_rotation(
        &mut stack,
        &place,
        &RotationSpec {
            secret: secrets[0].as_str().into(),
            secrets_key: key.into(),
            cluster_id: "student-db-dev".into(),
            logs_key: key.into(),
            log_retention_days: 365,
        },
    );
    let mut group = LogGroupSpec::new(stack.name().of("/app"), key.into()).kept_for(366);
    group.metric_filters.insert(
        "denied".into(),
        MetricFilter {
            pattern: "{ $.errorCode = \"AccessDenied\" }".into(),
            namespace: "ferpa".into(),
            metric: "denied".into(),
            value: "1".into(),
        },
    );
    group.subscription_filters.insert(
        "all".into(),
        SubscriptionFilter { destination: consumer, role: None, pattern: String::new() },
    );
    let group = declare_log_group(&mut stack, "compute/app-log", &group);

    ExecutionRole {
        // Unsorted, with one known only later: the order must not show as drift.
        secrets: secrets
            .iter()
            .map(|arn| arn.as_str().into())
            .chain([rotation.function.cast()])
            .collect(),
        secrets_key: key.into(),
    }
    .declare(&mut stack, &place);
    TaskRole {
        secrets: secrets.iter().map(|arn| arn.as_str().into()).collect(),
        secrets_key: key.into(),
        stream: place.arn("kinesis", "stream/student-records").into(),
        stream_key: key.into(),
        file_system: place.arn("elasticfilesystem", "file-system/fs-0123").into(),
        access_point: place.arn("elasticfilesystem", "access-point/fsap-0123").into(),
        database: Some(DatabaseLogin {
            cluster_resource_id: "cluster-ABCDEF".into(),
            user: "app".into(),
        }),
        sessions: None,
        more: BTreeMap::new(),
    }
    .declare(&mut stack, &place);
    FlowLogRole { log_group: group.arn() }.declare(&mut stack, &place);
    TrailRole { log_group: group.arn() }.declare(&mut stack, &place);
    FirehoseRole {
        thing: "disclosures".into(),
        bucket: "arn:aws:s3:::student-disclosures".into(),
        bucket_key: key.into(),
        log_group: group.arn(),
    }
    .declare(&mut stack, &place);
    let stream = place.arn("firehose", "deliverystream/disclosures").into();
    SubscriptionRole { thing: "disclosures".into(), stream }.declare(&mut stack, &place);
    BackupRole.declare(&mut stack, &place);
    ApiGatewayLogRole.declare(&mut stack, &place);
    stack.add("compute/certificate", Certificate::self_signed("students.internal"));
    stack
}

/// A function that takes the events of a log group.
fn consumer(stack: &mut Stack, place: &Place, key: &str) -> engine::Ref<engine::vocabulary::Arn> {
    let name = stack.name().of("consumer");
    let group = LogGroupSpec::new(format!("/aws/lambda/{name}"), key.into());
    let group = declare_log_group(stack, "compute/consumer-log", &group);
    let trust = Trust::unnarrowed("lambda.amazonaws.com");
    let role = stack.add("compute/consumer-role", Role::for_service(&name, "takes events", &trust));
    let logs = Permission {
        action: "lambda:InvokeFunction".into(),
        principal: "logs.amazonaws.com".into(),
        source_account: Some(place.account_id.clone()),
        source_arn: None,
    };
    let program = ("consumer", "def handler(event, context):\n    return None\n");
    let function = Function {
        reserved_concurrency: Some(5),
        permissions: BTreeMap::from([("logs".into(), logs)]),
        ..Function::python(name, role.arn(), group.id(), program)
    };
    stack.add("compute/consumer", function).ready().arn().cast()
}

/// The changed fields of an update, `resource field: old -> new`.
fn drift(plan: &Plan) -> BTreeSet<String> {
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    let mut lines = BTreeSet::new();
    for action in &plan.actions {
        let Change::Update { changes } = &action.change else { panic!("{action:?}") };
        for change in &changes.0 {
            lines.insert(format!(
                "{} {}: {} -> {}",
                action.resource, change.path, change.old, change.new
            ));
        }
    }
    lines
}

fn live_id(made: &Deployed, resource: &str) -> String {
    made.live[&engine::LogicalId::new(resource)].id.clone()
}

#[tokio::test]
async fn all_is_made_read_back_mended_and_removed() {
    let aws = aws().await;
    let stack = stack(&aws, "roles-life", &key(&aws).await);
    let made = deploy::up(&aws, &stack, KINDS, LOSSY).await.unwrap();
    let after = deploy::drift(&aws, &stack, KINDS).await;
    assert!(after.is_empty(), "nothing is left to do: {after:#?}");

    let role = live_id(&made, "compute/execution-role");
    let group = live_id(&made, "compute/app-log");
    let function = live_id(&made, "compute/rotation");
    sabotage_role(&aws, &role).await;
    sabotage_group(&aws, &group).await;
    sabotage_function(&aws, &function).await;
    let found = drift(&deploy::drift(&aws, &stack, KINDS).await);
    let ecs = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    for line in [
        "compute/app-log retention_days: 7 -> 400".to_owned(),
        format!("compute/execution-role managed_policies: [\"{ADMINISTRATOR}\"] -> [\"{ecs}\"]"),
        "compute/execution-role max_session_seconds: 7200 -> 3600".to_owned(),
        "compute/execution-role tags.owner: \"mallory\" -> null".to_owned(),
        "compute/rotation timeout_seconds: 3 -> 300".to_owned(),
    ] {
        assert!(found.contains(&line), "{line}\nis not in\n{found:#?}");
    }
    let fields: BTreeSet<&str> = found.iter().filter_map(|line| line.split(": ").next()).collect();
    let expected = BTreeSet::from([
        "compute/app-log metric_filters.denied",
        "compute/app-log retention_days",
        "compute/app-log subscription_filters.all",
        "compute/execution-role assume_role_policy.Statement",
        "compute/execution-role description",
        "compute/execution-role inline_policies.backdoor",
        "compute/execution-role managed_policies",
        "compute/execution-role max_session_seconds",
        "compute/execution-role tags.owner",
        "compute/rotation code_sha256",
        "compute/rotation permissions.secrets-manager",
        "compute/rotation timeout_seconds",
    ]);
    assert_eq!(fields, expected);

    deploy::up(&aws, &stack, KINDS, LOSSY).await.unwrap();
    let after = deploy::drift(&aws, &stack, KINDS).await;
    assert!(after.is_empty(), "all is mended: {after:#?}");

    deploy::down(&aws, stack.name(), KINDS, LOSSY).await.unwrap();
    let after = deploy::down(&aws, stack.name(), KINDS, LOSSY).await.unwrap();
    assert!(after.is_empty(), "{after:?}");
    let gone = client!(aws, aws_sdk_iam).get_role().role_name(&role).send().await;
    assert!(gone.is_err(), "the role is gone");
}

async fn sabotage_role(aws: &Aws, role: &str) {
    let iam = client!(aws, aws_sdk_iam);
    let all =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    iam.put_role_policy()
        .role_name(role)
        .policy_name("backdoor")
        .policy_document(all)
        .send()
        .await
        .unwrap();
    iam.attach_role_policy().role_name(role).policy_arn(ADMINISTRATOR).send().await.unwrap();
    let ecs = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    iam.detach_role_policy().role_name(role).policy_arn(ecs).send().await.unwrap();
    iam.update_role()
        .role_name(role)
        .max_session_duration(7200)
        .description("x")
        .send()
        .await
        .unwrap();
    let anybody = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    iam.update_assume_role_policy().role_name(role).policy_document(anybody).send().await.unwrap();
    let tag = aws_sdk_iam::types::Tag::builder().key("owner").value("mallory").build().unwrap();
    iam.tag_role().role_name(role).tags(tag).send().await.unwrap();
}

async fn sabotage_group(aws: &Aws, group: &str) {
    let logs = client!(aws, aws_sdk_cloudwatchlogs);
    logs.put_retention_policy().log_group_name(group).retention_in_days(7).send().await.unwrap();
    logs.delete_metric_filter().log_group_name(group).filter_name("denied").send().await.unwrap();
    logs.delete_subscription_filter()
        .log_group_name(group)
        .filter_name("all")
        .send()
        .await
        .unwrap();
}

async fn sabotage_function(aws: &Aws, function: &str) {
    let lambda = client!(aws, aws_sdk_lambda);
    lambda.update_function_configuration().function_name(function).timeout(3).send().await.unwrap();
    lambda
        .remove_permission()
        .function_name(function)
        .statement_id("secrets-manager")
        .send()
        .await
        .unwrap();
    let zip = include_bytes!("other.zip").to_vec();
    let zip = aws_sdk_lambda::primitives::Blob::new(zip);
    lambda.update_function_code().function_name(function).zip_file(zip).send().await.unwrap();
}

#[tokio::test]
async fn a_log_group_stays_until_the_operator_agrees_to_lose_it() {
    let aws = aws().await;
    let mut stack = Stack::new(StackName::new("student", "log-stays"), BTreeMap::new());
    let spec = LogGroupSpec::new("/ecs/student-app-log-stays", key(&aws).await.into());
    declare_log_group(&mut stack, "compute/app-log", &spec);
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    let plan = deploy::down(&aws, stack.name(), KINDS, Options::default()).await.unwrap();
    assert_eq!(plan.kept.len(), 1);
    assert!(deploy::drift(&aws, &stack, KINDS).await.is_empty(), "it is still there");
    deploy::down(&aws, stack.name(), KINDS, LOSSY).await.unwrap();
}

#[tokio::test]
async fn a_certificate_is_renewed_in_its_place_before_it_expires() {
    let aws = aws().await;
    if !is_embedded(&aws) {
        // moto forgets a certificate's tags when it is imported again; AWS keeps them.
        return;
    }
    let mut stack = Stack::new(StackName::new("student", "cert-renewal"), BTreeMap::new());
    stack.add("compute/certificate", Certificate::self_signed("students.internal"));
    let made = deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    let arn = live_id(&made, "compute/certificate");

    // Somebody imports one that ends in ten days.
    let mut params = rcgen::CertificateParams::new(vec!["students.internal".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "students.internal");
    params.not_after = (SystemTime::now() + Duration::from_secs(10 * 24 * 60 * 60)).into();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let blob = |text: String| aws_sdk_acm::primitives::Blob::new(text);
    let acm = client!(aws, aws_sdk_acm);
    acm.import_certificate()
        .certificate_arn(&arn)
        .certificate(blob(certificate))
        .private_key(blob(key.serialize_pem()))
        .send()
        .await
        .unwrap();
    let found = drift(&deploy::drift(&aws, &stack, KINDS).await);
    assert_eq!(
        found,
        BTreeSet::from(["compute/certificate renewal_due: true -> false".to_owned()])
    );

    let mended = deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(live_id(&mended, "compute/certificate"), arn, "those who use it need not change");
    assert!(deploy::drift(&aws, &stack, KINDS).await.is_empty());
}

#[tokio::test]
async fn the_password_policy_is_set_and_stays() {
    let aws = aws().await;
    let kinds = &[Kind::of::<PasswordPolicy>()];
    let mut stack = Stack::new(StackName::new("student", "passwords"), BTreeMap::new());
    stack.add("compute/password-policy", PasswordPolicy::default());
    deploy::up(&aws, &stack, kinds, Options::default()).await.unwrap();
    assert!(deploy::drift(&aws, &stack, kinds).await.is_empty());

    let iam = client!(aws, aws_sdk_iam);
    iam.update_account_password_policy().minimum_password_length(8).send().await.unwrap();
    let found = drift(&deploy::drift(&aws, &stack, kinds).await);
    assert!(found.contains("compute/password-policy minimum_length: 8 -> 14"), "{found:?}");
    assert!(found.contains("compute/password-policy reuse_prevention: null -> 24"), "{found:?}");

    deploy::up(&aws, &stack, kinds, Options::default()).await.unwrap();
    deploy::down(&aws, stack.name(), kinds, Options::default()).await.unwrap();
    let kept = iam.get_account_password_policy().send().await.unwrap().password_policy.unwrap();
    assert_eq!(kept.minimum_password_length, Some(14), "others share the account");
}

//! The layer from nothing to nothing: on the embedded control plane, or against the server that
//! `FERPA_TEST_ENDPOINT` names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use engine::inventory::collect;
use engine::plan::{Options, plan};
use engine::{
    Aws, Change, Deployed, Journal, Place, Plan, Scope, Stack, StackName, Target, client, deploy,
};
use security::topic::Subscription;
use security::{GuardsSpec, KINDS, SecuritySpec};

/// What is not there on a server that imitates AWS is no fault, as long as nobody wants it.
const IMITATION: Options = Options { allow_data_loss: false, imitation: true };
const ALL_DATA: Options = Options { allow_data_loss: true, imitation: true };

fn on_moto() -> bool {
    std::env::var("FERPA_TEST_ENDPOINT").is_ok_and(|url| !url.is_empty())
}

async fn aws() -> Aws {
    let target = Target::for_tests(local::ControlPlane::in_memory().http_client());
    Aws::connect(target, Some("us-east-1")).await.expect("the target answers")
}

/// Path-style, as a server without wildcard DNS wants it.
fn s3(aws: &Aws) -> aws_sdk_s3::Client {
    aws.client_of(|config, _| {
        let config = aws_sdk_s3::config::Builder::from(config);
        aws_sdk_s3::Client::from_conf(config.force_path_style(true).build())
    })
}

fn spec(aws: &Aws) -> SecuritySpec {
    let told = Subscription::to("email", "security@example.edu");
    SecuritySpec { subscriptions: [told].into(), ..SecuritySpec::new(Place::of(aws)) }
}

fn stack(environment: &str, spec: &SecuritySpec) -> Stack {
    let tags = BTreeMap::from([("Compliance".to_owned(), "FERPA".to_owned())]);
    let mut stack = Stack::new(StackName::new("student", environment), tags);
    security::declare(&mut stack, spec);
    stack
}

async fn up(aws: &Aws, stack: &Stack) -> Deployed {
    match deploy::up(aws, stack, KINDS, IMITATION).await {
        Ok(deployed) => deployed,
        Err(error) => panic!("{error}"),
    }
}

async fn drift(aws: &Aws, stack: &Stack) -> Plan {
    let scope = Scope::Stack(stack.name().clone());
    let inventory = collect(aws, KINDS, &scope, &Journal::in_memory()).await;
    plan(stack, &inventory, KINDS, IMITATION)
}

async fn assert_no_drift(aws: &Aws, stack: &Stack) {
    let found = drift(aws, stack).await;
    assert!(found.is_empty(), "{:#?} {:#?}", found.actions, found.problems);
}

/// Every field that is to be changed in place: `security/key-rds enabled: false -> true`.
fn updates(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for action in &plan.actions {
        let Change::Update { changes } = &action.change else {
            panic!("{} is to {}", action.resource, action.change)
        };
        for change in &changes.0 {
            lines.push(format!(
                "{} {}: {} -> {}",
                action.resource, change.path, change.old, change.new
            ));
        }
    }
    lines.sort();
    lines
}

fn id(deployed: &Deployed, logical: &str) -> String {
    deployed.live[&engine::LogicalId::new(logical)].id.clone()
}

async fn assert_gone(aws: &Aws, stack: &Stack) {
    let down = deploy::down(aws, stack.name(), KINDS, ALL_DATA).await;
    if let Err(error) = down {
        panic!("{error}");
    }
    let after = deploy::down(aws, stack.name(), KINDS, ALL_DATA).await.expect("it worked before");
    assert!(after.is_empty(), "{after:?}");
}

#[tokio::test]
async fn the_layer_is_made_read_back_and_removed() {
    let aws = aws().await;
    let spec = spec(&aws);
    let stack = stack("life", &spec);
    up(&aws, &stack).await;
    assert_no_drift(&aws, &stack).await;

    // Evidence and credentials stay without the operator's word, and so do the keys that encrypt them.
    let kept = deploy::down(&aws, stack.name(), KINDS, IMITATION).await.unwrap().kept;
    let kept: Vec<&str> = kept.iter().map(|kept| kept.resource.as_str()).collect();
    assert_eq!(
        kept,
        [
            "security/cache-auth-token",
            "security/db-credentials",
            "security/disclosures",
            "security/key-logs",
            "security/key-secrets",
            "security/lb-logs",
            "security/trail-logs",
        ]
    );
    assert_gone(&aws, &stack).await;
}

#[tokio::test]
async fn scheduled_deletions_are_taken_back() {
    let aws = aws().await;
    let spec = spec(&aws);
    let stack = stack("revive", &spec);
    let first = up(&aws, &stack).await;
    assert_gone(&aws, &stack).await;
    let kms = client!(aws, aws_sdk_kms);
    let key = id(&first, "security/key-rds");
    let state = kms.describe_key().key_id(&key).send().await.unwrap().key_metadata.unwrap();
    assert_eq!(state.key_state.unwrap().as_str(), "PendingDeletion");

    let second = up(&aws, &stack).await;
    for logical in ["security/key-rds", "security/key-logs", "security/db-credentials"] {
        assert_eq!(id(&first, logical), id(&second, logical), "{logical} came back");
    }
    assert_no_drift(&aws, &stack).await;
    assert_gone(&aws, &stack).await;
}

#[tokio::test]
async fn whom_a_key_is_lent_to_is_read_and_never_planned() {
    let aws = aws().await;
    let stack = stack("grants", &spec(&aws));
    let made = up(&aws, &stack).await;
    let key = id(&made, "security/key-rds");
    let role = format!("arn:aws:iam::{}:role/partner", aws.account_id());
    client!(aws, aws_sdk_kms)
        .create_grant()
        .key_id(&key)
        .grantee_principal(&role)
        .operations(aws_sdk_kms::types::GrantOperation::Decrypt)
        .send()
        .await
        .unwrap();
    let inventory = collect(&aws, KINDS, &Scope::Account, &Journal::in_memory()).await;
    let keys = inventory.of::<security::Key>().unwrap();
    let lent = keys.iter().find(|live| live.id == key).unwrap();
    let grants: Vec<_> =
        lent.spec.grants.iter().map(|one| (&one.grantee, &one.operations)).collect();
    assert_eq!(grants, [(&role, &["Decrypt".to_owned()].into())]);
    assert_eq!(lent.spec.key_spec.as_deref(), Some("SYMMETRIC_DEFAULT"));
    assert_no_drift(&aws, &stack).await;
    assert_gone(&aws, &stack).await;
}

#[tokio::test]
async fn what_is_not_of_the_stack_is_left_out_and_does_not_look_read() {
    let aws = aws().await;
    let stack = stack("strangers", &spec(&aws));
    up(&aws, &stack).await;
    let other = Scope::Stack(StackName::new("another", "strangers"));
    let inventory = collect(&aws, KINDS, &other, &Journal::in_memory()).await;
    for (kind, field) in [
        ("kms.key", "policy"),
        ("kms.key", "grants"),
        ("s3.bucket", "policy"),
        ("s3.bucket", "public_access_block"),
        ("secretsmanager.secret", "policy"),
        ("cloudtrail.trail", "logging"),
    ] {
        let all = inventory.of_kind(kind);
        assert!(!all.is_empty(), "{kind}");
        let left_out = |live: &engine::Live| live.unreadable[field].is_not_asked();
        assert!(all.iter().all(left_out), "{kind}.{field}");
    }
    assert_gone(&aws, &stack).await;
}

#[tokio::test]
async fn keys_are_mended() {
    let aws = aws().await;
    let spec = spec(&aws);
    let stack = stack("keys", &spec);
    let made = up(&aws, &stack).await;
    let kms = client!(aws, aws_sdk_kms);
    let rds = id(&made, "security/key-rds");
    kms.disable_key_rotation().key_id(&rds).send().await.unwrap();
    kms.delete_alias().alias_name("alias/student-efs-keys").send().await.unwrap();
    kms.disable_key().key_id(id(&made, "security/key-kinesis")).send().await.unwrap();
    kms.update_key_description()
        .key_id(id(&made, "security/key-secrets"))
        .description("x")
        .send()
        .await
        .unwrap();
    let open = r#"{"Version":"2012-10-17","Statement":[{"Sid":"All","Effect":"Allow",
        "Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}]}"#;
    let logs = id(&made, "security/key-logs");
    kms.put_key_policy().key_id(&logs).policy_name("default").policy(open).send().await.unwrap();

    let found = updates(&drift(&aws, &stack).await);
    assert_eq!(found.len(), 5, "{found:#?}");
    assert_eq!(found[0], r#"security/key-efs alias: null -> "alias/student-efs-keys""#);
    assert_eq!(found[1], "security/key-kinesis enabled: false -> true");
    assert!(found[2].starts_with("security/key-logs policy.Statement: "));
    assert_eq!(found[3], "security/key-rds rotation_enabled: false -> true");
    assert_eq!(
        found[4],
        r#"security/key-secrets description: "x" -> "student-keys: Secrets Manager""#
    );
    up(&aws, &stack).await;
    assert_no_drift(&aws, &stack).await;

    // moto keeps no rotation period.
    if !on_moto() {
        let call = kms.enable_key_rotation().key_id(&rds).rotation_period_in_days(90);
        call.send().await.unwrap();
        let found = updates(&drift(&aws, &stack).await);
        assert_eq!(found, ["security/key-rds rotation_period_days: 90 -> 365"]);
        up(&aws, &stack).await;
        assert_no_drift(&aws, &stack).await;
    }
    assert_gone(&aws, &stack).await;
}

#[tokio::test]
async fn secrets_are_generated_once_and_mended() {
    let aws = aws().await;
    let spec = spec(&aws);
    let stack = stack("secrets", &spec);
    let made = up(&aws, &stack).await;
    let secrets = client!(aws, aws_sdk_secretsmanager);
    let database = id(&made, "security/db-credentials");
    let cache = id(&made, "security/cache-auth-token");
    let value = async |id: &str| {
        secrets.get_secret_value().secret_id(id).send().await.unwrap().secret_string.unwrap()
    };
    let credentials: serde_json::Value = serde_json::from_str(&value(&database).await).unwrap();
    assert_eq!(credentials["username"], "studentadmin");
    assert_eq!(credentials["engine"], "postgres");
    assert_eq!(credentials["port"], 5432);
    assert_eq!(credentials["dbname"], "studentrecords");
    let password = credentials["password"].as_str().unwrap().to_owned();
    assert!(password.len() >= 32 && !password.contains(['/', '"', '@', ' ']));
    let token = value(&cache).await;
    assert!((16..=128).contains(&token.len()) && !token.contains(['/', '"', '@', ' ']));

    // The value is in nothing that the engine writes.
    let written = format!("{:?} {:?}", made.plan, made.live);
    assert!(!written.contains(&password) && !written.contains(&token));

    secrets.delete_resource_policy().secret_id(&database).send().await.unwrap();
    secrets
        .update_secret()
        .secret_id(&cache)
        .kms_key_id("alias/aws/secretsmanager")
        .description("x")
        .send()
        .await
        .unwrap();
    let found = updates(&drift(&aws, &stack).await);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].starts_with(r#"security/cache-auth-token description: "x" -> "#));
    assert!(found[1].starts_with("security/cache-auth-token kms_key: null -> \"arn:"));
    assert!(found[2].starts_with("security/db-credentials policy: null -> {"));
    up(&aws, &stack).await;
    assert_no_drift(&aws, &stack).await;
    assert_eq!(value(&cache).await, token, "mending does not make a new value");
    assert_gone(&aws, &stack).await;
}

#[tokio::test]
async fn buckets_and_the_trail_are_mended() {
    let aws = aws().await;
    let spec = spec(&aws);
    let stack = stack("trail", &spec);
    let made = up(&aws, &stack).await;
    let s3 = s3(&aws);
    let trail_logs = id(&made, "security/trail-logs");
    let lb_logs = id(&made, "security/lb-logs");
    let disclosures = id(&made, "security/disclosures");
    s3.delete_public_access_block().bucket(&trail_logs).send().await.unwrap();
    s3.delete_bucket_policy().bucket(&disclosures).send().await.unwrap();
    s3.delete_bucket_lifecycle().bucket(&lb_logs).send().await.unwrap();
    let cloudtrail = client!(aws, aws_sdk_cloudtrail);
    cloudtrail.stop_logging().name("student-trail-trail").send().await.unwrap();
    cloudtrail
        .update_trail()
        .name("student-trail-trail")
        .enable_log_file_validation(false)
        .is_multi_region_trail(false)
        .send()
        .await
        .unwrap();

    let found = updates(&drift(&aws, &stack).await);
    let expected = [
        "security/disclosures policy: null -> {",
        "security/lb-logs lifecycle.expire: null -> {",
        "security/trail log_file_validation: false -> true",
        "security/trail logging: false -> true",
        "security/trail multi_region: false -> true",
        "security/trail-logs public_access_block.block_public_acls: false -> true",
        "security/trail-logs public_access_block.block_public_policy: false -> true",
        "security/trail-logs public_access_block.ignore_public_acls: false -> true",
        "security/trail-logs public_access_block.restrict_public_buckets: false -> true",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (line, begins) in found.iter().zip(expected) {
        assert!(line.starts_with(begins), "{line} does not begin with {begins}");
    }
    up(&aws, &stack).await;
    assert_no_drift(&aws, &stack).await;

    // Locked evidence: there is some, and the operator agrees that it goes.
    if on_moto() {
        // moto takes a denial under a condition for a denial.
        s3.delete_bucket_policy().bucket(&disclosures).send().await.unwrap();
    }
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"a record");
    s3.put_object().bucket(&disclosures).key("a").body(body).send().await.unwrap();
    assert_gone(&aws, &stack).await;
}

#[tokio::test]
async fn a_bucket_without_tags_is_recognised_by_its_name() {
    let aws = aws().await;
    let spec = spec(&aws);
    let stack = stack("untagged", &spec);
    let made = up(&aws, &stack).await;
    // As if the process had been killed between making the bucket and tagging it.
    let bucket = id(&made, "security/disclosures");
    s3(&aws).delete_bucket_tagging().bucket(&bucket).send().await.unwrap();
    let found = drift(&aws, &stack).await;
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let lines = updates(&found);
    assert!(lines.iter().all(|line| line.starts_with("security/disclosures tags.")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("ferpa-stack:unfinished")), "{lines:?}");
    up(&aws, &stack).await;
    assert_no_drift(&aws, &stack).await;
    let tags = s3(&aws).get_bucket_tagging().bucket(&bucket).send().await.unwrap().tag_set;
    assert!(tags.iter().any(|tag| tag.key == engine::stack::RESOURCE_TAG));
    assert_gone(&aws, &stack).await;
}

#[tokio::test]
async fn alarms_and_their_topic_are_mended() {
    let aws = aws().await;
    let spec = spec(&aws);
    let stack = stack("alarms", &spec);
    let made = up(&aws, &stack).await;
    let topic = id(&made, "security/alarm-topic");
    let sns = client!(aws, aws_sdk_sns);
    sns.set_topic_attributes()
        .topic_arn(&topic)
        .attribute_name("KmsMasterKeyId")
        .attribute_value("")
        .send()
        .await
        .unwrap();
    let cloudwatch = client!(aws, aws_sdk_cloudwatch);
    cloudwatch.delete_alarms().alarm_names("student-root-use-alarms").send().await.unwrap();

    let found = drift(&aws, &stack).await;
    let actions: Vec<String> = found
        .actions
        .iter()
        .map(|action| format!("{} {}", action.change, action.resource))
        .collect();
    assert_eq!(actions.len(), 2, "{actions:?}");
    let root = engine::LogicalId::new("security/alarm-root-use");
    assert!(matches!(found.action(&root).unwrap().change, Change::Create { .. }));
    up(&aws, &stack).await;
    assert_no_drift(&aws, &stack).await;

    // Another threshold is an update in place.
    let call = cloudwatch
        .put_metric_alarm()
        .alarm_name("student-trail-change-alarms")
        .metric_name("TrailChange")
        .namespace("FerpaStack/student-alarms")
        .statistic(aws_sdk_cloudwatch::types::Statistic::Sum)
        .period(300)
        .evaluation_periods(1)
        .threshold(1000.0)
        .comparison_operator(
            aws_sdk_cloudwatch::types::ComparisonOperator::GreaterThanOrEqualToThreshold,
        )
        .treat_missing_data("notBreaching")
        .alarm_actions(&topic)
        .alarm_description("A trail was stopped, changed or deleted");
    call.send().await.unwrap();
    let found = updates(&drift(&aws, &stack).await);
    assert_eq!(found, ["security/alarm-trail-change threshold: 1000.0 -> 1.0"]);
    up(&aws, &stack).await;
    assert_no_drift(&aws, &stack).await;
    assert_gone(&aws, &stack).await;
}

#[tokio::test]
async fn guards_are_opt_in() {
    let aws = aws().await;
    let guards = GuardsSpec {
        guardduty: true,
        // moto has no Access Analyzer.
        access_analyzer: !on_moto(),
        block_public_access: true,
    };
    let spec = SecuritySpec { guards, ..spec(&aws) };
    let stack = stack("guards", &spec);
    let made = up(&aws, &stack).await;
    assert_no_drift(&aws, &stack).await;

    let detector = id(&made, "security/guardduty");
    let guardduty = client!(aws, aws_sdk_guardduty);
    guardduty.update_detector().detector_id(&detector).enable(false).send().await.unwrap();
    let found = updates(&drift(&aws, &stack).await);
    assert_eq!(found, ["security/guardduty enabled: false -> true"]);
    up(&aws, &stack).await;
    assert_no_drift(&aws, &stack).await;

    // A stack that stops asking for a guard removes what was its own, and leaves the account's setting.
    let without = self::stack("guards", &SecuritySpec { guards: GuardsSpec::default(), ..spec });
    let found = drift(&aws, &without).await;
    assert!(found.actions.iter().all(|action| matches!(action.change, Change::Delete { .. })));
    assert_eq!(found.actions.len(), if on_moto() { 1 } else { 2 }, "{found:?}");
    assert_gone(&aws, &without).await;
}

//! Stream, record of disclosures, files and backups from nothing to nothing: on the embedded control
//! plane, or against the server that `FERPA_TEST_ENDPOINT` names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod surroundings;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_firehose::types::{
    BufferingHints, EncryptionConfiguration, ExtendedS3DestinationUpdate, KmsEncryptionConfig,
};
use aws_sdk_kinesis::types::{EncryptionType, MetricsName};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use data::{
    BackupPlan, BackupRule, BackupSettings, BackupSpec, BackupVault, DisclosureSettings,
    DisclosureSpec, FilesSettings, FilesSpec, KINDS, StreamSettings, StreamSpec, backup,
    disclosure, files, stream,
};
use engine::plan::{Change, Options, Problem};
use engine::{Aws, Kind, Plan, Stack, StackName, Tags, Target, client, deploy};
use local::{ControlPlane, Delays};
use surroundings::{aws, is_moto, surroundings};

fn new_stack(environment: &str) -> Stack {
    Stack::new(StackName::new("student", environment), Tags::new())
}

/// `kind field: old -> new`, for every field that differs; `kind verb` for other actions.
fn changes(plan: &Plan) -> Vec<String> {
    assert_eq!(plan.problems, []);
    let of = |action: &engine::plan::Action| match &action.change {
        Change::Update { changes } => changes
            .0
            .iter()
            .map(|c| format!("{} {}: {} -> {}", action.kind, c.path, c.old, c.new))
            .collect(),
        other => vec![format!("{} {other}", action.kind)],
    };
    let mut changes: Vec<String> = plan.actions.iter().flat_map(of).collect();
    changes.sort();
    changes
}

async fn drift(aws: &Aws, stack: &Stack, kinds: &[Kind]) -> Vec<String> {
    changes(&deploy::drift(aws, stack, kinds).await)
}

/// Up again, no drift, down; data stays at first, and then nothing does.
async fn mend_and_remove(aws: &Aws, stack: &Stack, kinds: &[Kind], protected: usize) {
    deploy::up(aws, stack, kinds, Options::default()).await.unwrap();
    assert_eq!(drift(aws, stack, kinds).await, [""; 0]);
    let kept = deploy::down(aws, stack.name(), kinds, Options::default()).await.unwrap().kept;
    let holding = kept.iter().filter(|one| one.why == "it holds data").count();
    assert_eq!(holding, protected, "{kept:?}");
    let options = Options { allow_data_loss: true, imitation: true };
    deploy::down(aws, stack.name(), kinds, options).await.unwrap();
    let after = deploy::down(aws, stack.name(), kinds, options).await.unwrap();
    assert!(after.is_empty() && after.kept.is_empty(), "{after:?}");
}

async fn role(aws: &Aws, name: &str, service: &str) -> String {
    let trust = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service},
        }],
    });
    let call = client!(aws, aws_sdk_iam).create_role().role_name(name);
    let made = call.assume_role_policy_document(trust.to_string()).send().await.unwrap();
    made.role.unwrap().arn
}

#[tokio::test]
async fn a_stream_is_made_read_back_mended_and_removed() {
    let aws = aws().await;
    let key = surroundings(&aws, "st-life").await.key;
    let mut stack = new_stack("st-life");
    let settings = StreamSettings { retention_hours: 48, ..StreamSettings::default() };
    let spec = StreamSpec { key: key.as_str().into(), settings };
    assert_eq!(stream::validate(stack.name(), &spec), []);
    let declared = stream::declare(&mut stack, &spec);
    let made = deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    let outputs = declared.resolve(&made).unwrap();
    assert_eq!(outputs.stream_name, "student-stream-st-life");
    assert_eq!(drift(&aws, &stack, KINDS).await, [""; 0], "nothing left to do");

    let kinesis = client!(aws, aws_sdk_kinesis);
    let name = outputs.stream_name.as_str();
    let call = kinesis.stop_stream_encryption().stream_name(name).key_id(&key);
    call.encryption_type(EncryptionType::Kms).send().await.unwrap();
    let call = kinesis.decrease_stream_retention_period().stream_name(name);
    call.retention_period_hours(24).send().await.unwrap();
    let call = kinesis.disable_enhanced_monitoring().stream_name(name);
    call.shard_level_metrics(MetricsName::All).send().await.unwrap();
    let call = kinesis.update_shard_count().stream_name(name).target_shard_count(4);
    call.scaling_type("UNIFORM_SCALING".into()).send().await.unwrap();
    let call = kinesis.remove_tags_from_stream().stream_name(name).tag_keys("RetentionDays");
    call.send().await.unwrap();

    let seen = drift(&aws, &stack, KINDS).await;
    let metrics = seen.iter().find(|change| change.contains("shard_metrics")).unwrap();
    assert!(metrics.contains(": [] -> [\"IncomingBytes\""), "{metrics}");
    let others: Vec<_> = seen.iter().filter(|one| !one.contains("shard_metrics")).collect();
    assert_eq!(
        others,
        [
            &format!("kinesis.stream key: null -> \"{key}\""),
            "kinesis.stream retention_hours: 24 -> 48",
            "kinesis.stream shards: 4 -> 2",
            "kinesis.stream tags.RetentionDays: null -> \"1\"",
        ]
    );
    mend_and_remove(&aws, &stack, KINDS, 1).await;
}

fn encrypted_with(key: &str) -> EncryptionConfiguration {
    let key = KmsEncryptionConfig::builder().awskms_key_arn(key).build().unwrap();
    EncryptionConfiguration::builder().kms_encryption_config(key).build()
}

#[tokio::test]
async fn disclosures_are_recorded_mended_and_removed() {
    let aws = aws().await;
    let key = surroundings(&aws, "di-life").await.key;
    let role = role(&aws, "firehose-di-life", "firehose.amazonaws.com").await;
    let call = client!(aws, aws_sdk_s3).create_bucket().bucket("disclosures-di-life");
    call.send().await.unwrap();
    let mut stack = new_stack("di-life");
    let spec = DisclosureSpec {
        bucket: "arn:aws:s3:::disclosures-di-life".into(),
        role: role.into(),
        key: key.as_str().into(),
        object_key: Some(key.as_str().into()),
        error_log: Some("/student/firehose".into()),
        settings: DisclosureSettings::default(),
    };
    assert_eq!(disclosure::validate(stack.name(), &spec), []);
    let declared = disclosure::declare(&mut stack, &spec);
    let made = deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    let outputs = declared.resolve(&made).unwrap();
    assert!(outputs.delivery_stream_arn.ends_with(":deliverystream/student-disclosures-di-life"));
    assert_eq!(drift(&aws, &stack, KINDS).await, [""; 0], "nothing left to do");

    let firehose = client!(aws, aws_sdk_firehose);
    let name = outputs.delivery_stream_name.as_str();
    let hints = BufferingHints::builder().size_in_mbs(64).interval_in_seconds(900).build();
    let call = firehose
        .update_destination()
        .delivery_stream_name(name)
        .current_delivery_stream_version_id("1")
        .destination_id("destinationId-000000000001")
        .extended_s3_destination_update(
            // moto forgets of a destination what an update does not repeat.
            ExtendedS3DestinationUpdate::builder()
                .bucket_arn(spec.bucket.as_str())
                .role_arn(spec.role.as_str())
                .compression_format("UNCOMPRESSED".into())
                .encryption_configuration(encrypted_with(&key))
                .prefix("elsewhere/")
                .buffering_hints(hints)
                .build(),
        );
    call.send().await.unwrap();
    let call = firehose.stop_delivery_stream_encryption().delivery_stream_name(name);
    call.send().await.unwrap();
    let call = firehose.untag_delivery_stream().delivery_stream_name(name);
    call.tag_keys("DataClassification").send().await.unwrap();
    assert_eq!(
        drift(&aws, &stack, KINDS).await,
        [
            "firehose.delivery_stream buffer_mib: 64 -> 5".to_owned(),
            "firehose.delivery_stream buffer_seconds: 900 -> 300".into(),
            format!("firehose.delivery_stream key: null -> \"{key}\""),
            "firehose.delivery_stream prefix: \"elsewhere/\" -> \"disclosures/!{timestamp:yyyy/MM/dd}/\"".into(),
            "firehose.delivery_stream tags.DataClassification: null -> \"disclosure-record\"".into(),
        ]
    );
    mend_and_remove(&aws, &stack, KINDS, 0).await;
}

#[tokio::test]
async fn files_are_made_read_back_mended_and_removed() {
    let aws = aws().await;
    let around = surroundings(&aws, "fi-life").await;
    let mut stack = new_stack("fi-life");
    let spec = FilesSpec {
        subnets: around.subnets.iter().map(|id| id.as_str().into()).collect(),
        security_group: around.security_group.as_str().into(),
        key: around.key.into(),
        settings: FilesSettings::default(),
    };
    assert_eq!(files::validate(stack.name(), &spec), []);
    let declared = files::declare(&mut stack, &spec);
    let made = deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(made.plan.actions.len(), 4);
    let outputs = declared.resolve(&made).unwrap();
    assert!(outputs.dns_name.starts_with(&outputs.file_system_id));
    assert_eq!(drift(&aws, &stack, KINDS).await, [""; 0], "nothing left to do");

    let efs = client!(aws, aws_sdk_efs);
    let id = outputs.file_system_id.as_str();
    let call = efs.put_lifecycle_configuration().file_system_id(id);
    call.set_lifecycle_policies(Some(Vec::new())).send().await.unwrap();
    let open = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": "*"},
            "Action": "elasticfilesystem:ClientMount", "Resource": outputs.file_system_arn,
        }],
    });
    let call = efs.put_file_system_policy().file_system_id(id).policy(open.to_string());
    call.send().await.unwrap();
    // Another group on one mount target.
    let call = client!(aws, aws_sdk_ec2).describe_subnets().subnet_ids(&around.subnets[0]);
    let vpc = call.send().await.unwrap().subnets()[0].vpc_id().unwrap().to_owned();
    let call = client!(aws, aws_sdk_ec2).create_security_group().vpc_id(vpc);
    let call = call.group_name("stranger").description("Another group");
    let stranger = call.send().await.unwrap().group_id.unwrap();
    let targets = efs.describe_mount_targets().file_system_id(id).send().await.unwrap();
    let on_first = |target: &&aws_sdk_efs::types::MountTargetDescription| {
        target.subnet_id() == around.subnets[0]
    };
    let target = targets.mount_targets().iter().find(on_first).unwrap();
    let call = efs.modify_mount_target_security_groups().mount_target_id(target.mount_target_id());
    call.security_groups(&stranger).send().await.unwrap();
    let call = efs.untag_resource().resource_id(id).tag_keys("RetentionDays").tag_keys("Name");
    call.send().await.unwrap();
    let call = efs.untag_resource().resource_id(&outputs.access_point_id).tag_keys("Name");
    call.send().await.unwrap();

    let seen = drift(&aws, &stack, KINDS).await;
    let policy = seen.iter().find(|change| change.contains("policy.Statement")).unwrap();
    assert!(policy.contains("\"Effect\":\"Allow\"") && policy.contains("DenyPlainTransport"));
    let others: Vec<_> = seen.iter().filter(|one| !one.contains("policy.")).collect();
    let group = &around.security_group;
    assert_eq!(
        others,
        [
            "efs.access_point tags.Name: null -> \"student-files-fi-life\"",
            "efs.file_system lifecycle.infrequent_access_after_days: null -> 30",
            "efs.file_system tags.Name: null -> \"student-files-fi-life\"",
            "efs.file_system tags.RetentionDays: null -> \"2557\"",
            &format!("efs.mount_target security_groups: [\"{stranger}\"] -> [\"{group}\"]"),
        ]
    );
    if !is_moto() {
        // moto cannot change a backup policy or the throughput.
        let off = aws_sdk_efs::types::BackupPolicy::builder().status("DISABLED".into());
        let call = efs.put_backup_policy().file_system_id(id).backup_policy(off.build().unwrap());
        call.send().await.unwrap();
        let call = efs.update_file_system().file_system_id(id).throughput_mode("bursting".into());
        call.send().await.unwrap();
        let seen = drift(&aws, &stack, KINDS).await;
        assert!(seen.contains(&"efs.file_system backups: false -> true".to_owned()), "{seen:?}");
        let throughput = "efs.file_system throughput: \"bursting\" -> \"elastic\"";
        assert!(seen.contains(&throughput.to_owned()), "{seen:?}");
    }
    mend_and_remove(&aws, &stack, KINDS, 1).await;
}

#[tokio::test]
async fn backups_are_planned_mended_and_removed() {
    let aws = aws().await;
    let around = surroundings(&aws, "ba-life").await;
    let role = role(&aws, "backup-ba-life", "backup.amazonaws.com").await;
    let mut stack = new_stack("ba-life");
    let spec = BackupSpec {
        key: around.key.as_str().into(),
        role: role.as_str().into(),
        cluster: Some("arn:aws:rds:us-east-1:123456789012:cluster:records".into()),
        file_system: Some(
            "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-1".into(),
        ),
        access_policy: None,
        settings: BackupSettings::default(),
    };
    assert_eq!(backup::validate(stack.name(), &spec), []);
    let backup_client = client!(aws, aws_sdk_backup);
    let vault_name = "student-vault-ba-life";

    if is_moto() {
        // moto has no selections, no new versions of plans and no access policies of vaults, and it
        // finds the tags of a vault only behind a slash at the end of the path, which the SDK does
        // not send: it forgets whose the vault is. What remains is the making of a vault.
        let mut vault_only = new_stack("ba-life");
        backup::declare(&mut stack, &spec);
        let node = stack.nodes().find(|node| node.kind.name() == "backup.vault").unwrap();
        let vault: BackupVault = serde_json::from_value(node.spec.clone()).unwrap();
        vault_only.add("data/vault", vault);
        let kinds = [Kind::of::<BackupVault>()];
        deploy::up(&aws, &vault_only, &kinds, Options::default()).await.unwrap();
        let call = backup_client.describe_backup_vault().backup_vault_name(vault_name);
        let found = call.send().await.unwrap();
        assert_eq!(found.encryption_key_arn(), Some(around.key.as_str()));
        assert_eq!((found.locked(), found.min_retention_days()), (Some(true), Some(35)));
        return;
    }

    let declared = backup::declare(&mut stack, &spec);
    let made = deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    let outputs = declared.resolve(&made).unwrap();
    assert_eq!(drift(&aws, &stack, KINDS).await, [""; 0], "nothing left to do");

    let call = backup_client.delete_backup_vault_lock_configuration();
    call.backup_vault_name(vault_name).send().await.unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"backup:CopyIntoBackupVault","Resource":"*"}]}"#;
    let call = backup_client.put_backup_vault_access_policy().backup_vault_name(vault_name);
    call.policy(policy).send().await.unwrap();
    let call = backup_client.list_backup_selections().backup_plan_id(&outputs.plan_id);
    let selections = call.send().await.unwrap();
    let selection = selections.backup_selections_list()[0].selection_id().unwrap();
    let call = backup_client.delete_backup_selection().backup_plan_id(&outputs.plan_id);
    call.selection_id(selection).send().await.unwrap();
    weaken(&aws, &outputs.plan_id).await;

    let seen = drift(&aws, &stack, KINDS).await;
    let starts = [
        "backup.plan rules.daily.delete_after_days: 1 -> 35",
        "backup.plan rules.monthly: null -> {",
        "backup.plan selections.records: null -> {",
        "backup.vault access_policy: {",
        "backup.vault lock: null -> {",
    ];
    assert_eq!(seen.len(), starts.len(), "{seen:?}");
    for (seen, start) in seen.iter().zip(starts) {
        assert!(seen.starts_with(start), "{seen}");
    }
    mend_and_remove(&aws, &stack, KINDS, 1).await;
}

/// Somebody takes the monthly backups out, and keeps the daily ones for a day.
async fn weaken(aws: &Aws, plan: &str) {
    let call = client!(aws, aws_sdk_backup).get_backup_plan().backup_plan_id(plan);
    let document = call.send().await.unwrap().backup_plan.unwrap();
    let rules = document.rules();
    let daily = rules.iter().find(|rule| rule.rule_name() == "daily").unwrap();
    let lifecycle = aws_sdk_backup::types::Lifecycle::builder().delete_after_days(1).build();
    let rule = aws_sdk_backup::types::BackupRuleInput::builder()
        .rule_name("daily")
        .target_backup_vault_name(daily.target_backup_vault_name())
        .set_schedule_expression(daily.schedule_expression.clone())
        .set_schedule_expression_timezone(daily.schedule_expression_timezone.clone())
        .set_start_window_minutes(daily.start_window_minutes)
        .set_completion_window_minutes(daily.completion_window_minutes)
        .set_recovery_point_tags(daily.recovery_point_tags.clone())
        .lifecycle(lifecycle)
        .build();
    let weak = aws_sdk_backup::types::BackupPlanInput::builder()
        .backup_plan_name(document.backup_plan_name())
        .rules(rule.unwrap())
        .build();
    let call = client!(aws, aws_sdk_backup).update_backup_plan().backup_plan_id(plan);
    call.backup_plan(weak.unwrap()).send().await.unwrap();
}

/// What a rule is without what an operator chooses; keeps the compiler's eye on the kinds that a team
/// uses on their own.
#[test]
fn kinds_can_be_used_on_their_own() {
    let rule = BackupRule {
        vault: "vault".into(),
        schedule: "cron(0 5 ? * * *)".into(),
        timezone: "Etc/UTC".into(),
        start_window_minutes: 60,
        completion_window_minutes: 480,
        cold_after_days: None,
        delete_after_days: Some(35),
        continuous: false,
        recovery_point_tags: Tags::new(),
        copy_to: Default::default(),
    };
    let mut stack = new_stack("alone");
    let plan = BackupPlan {
        name: "plan".into(),
        rules: BTreeMap::from([("daily".into(), rule)]),
        selections: BTreeMap::new(),
    };
    let plan = stack.add("mine/plan", plan);
    assert!(plan.id().is_pending());
}

/// A control plane that refuses some calls: by the operation's name, or by the end of the path.
#[derive(Debug, Clone)]
struct Refusing {
    plane: ControlPlane,
    refused: &'static [&'static str],
}

impl HttpConnector for Refusing {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let path = request.uri().split('?').next().unwrap_or_default();
        let named = |what: &&&str| target.ends_with(**what) || path.ends_with(**what);
        if request.method() != "GET" && target.is_empty()
            || !self.refused.iter().any(|what| named(&what))
        {
            return HttpConnector::call(&self.plane, request);
        }
        let body = r#"{"__type":"AccessDeniedException","message":"not for you"}"#;
        let mut response = HttpResponse::new(403.try_into().unwrap(), SdkBody::from(body));
        response.headers_mut().insert("x-amzn-errortype", "AccessDeniedException");
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl HttpClient for Refusing {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

async fn connect(client: SharedHttpClient) -> Aws {
    Aws::connect(Target::Embedded(client), Some("us-east-1")).await.unwrap()
}

async fn files_and_stream(aws: &Aws, environment: &str) -> Stack {
    let around = surroundings(aws, environment).await;
    let mut stack = new_stack(environment);
    let spec = FilesSpec {
        subnets: around.subnets.iter().map(|id| id.as_str().into()).collect(),
        security_group: around.security_group.into(),
        key: around.key.as_str().into(),
        settings: FilesSettings::default(),
    };
    files::declare(&mut stack, &spec);
    let settings = StreamSettings { retention_hours: 48, ..StreamSettings::default() };
    let spec = StreamSpec { key: around.key.into(), settings };
    stream::declare(&mut stack, &spec);
    stack
}

#[tokio::test]
async fn what_may_not_be_read_is_unknown_and_not_assumed() {
    let plane = ControlPlane::in_memory();
    let aws = connect(plane.http_client()).await;
    let stack = files_and_stream(&aws, "denied").await;
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();

    let refused = &["/policy", "/backup-policy", "/security-groups", "DescribeStreamSummary"];
    let refusing = SharedHttpClient::new(Refusing { plane: plane.clone(), refused });
    let plan = deploy::drift(&connect(refusing).await, &stack, KINDS).await;
    let mut unknown: Vec<_> = plan
        .problems
        .iter()
        .map(|problem| match problem {
            Problem::UnreadableField { resource, field, error } => {
                assert_eq!(error.code, "AccessDeniedException");
                format!("{resource} {field}")
            }
            other => panic!("{other}"),
        })
        .collect();
    unknown.sort();
    let expected = [
        "data/files backups",
        "data/files policy",
        "data/mount-1 security_groups",
        "data/mount-2 security_groups",
        "data/stream key",
        "data/stream mode",
        "data/stream retention_hours",
        "data/stream shard_metrics",
        "data/stream shards",
    ];
    assert_eq!(unknown, expected);

    // Without its tags, nobody can say whose a stream is.
    let refusing = SharedHttpClient::new(Refusing { plane, refused: &["ListTagsForStream"] });
    let plan = deploy::drift(&connect(refusing).await, &stack, KINDS).await;
    let kind = |problem: &Problem| matches!(problem, Problem::Unreadable { kind, .. } if kind == "kinesis.stream");
    assert!(plan.problems.iter().any(kind), "{:?}", plan.problems);
}

#[tokio::test]
async fn a_busy_store_is_waited_for() {
    let while_busy = Duration::from_millis(300);
    let delays = Delays::none()
        .with("kinesis.stream", while_busy)
        .with("efs.file_system", while_busy)
        .with("efs.mount_target", while_busy)
        .with("efs.access_point", while_busy);
    let aws = connect(ControlPlane::in_memory_with(delays).http_client()).await;
    let stack = files_and_stream(&aws, "busy").await;
    // Encryption, retention and metrics: each makes the stream busy, and a busy stream takes none.
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(drift(&aws, &stack, KINDS).await, [""; 0]);
    let options = Options { allow_data_loss: true, imitation: true };
    deploy::down(&aws, stack.name(), KINDS, options).await.unwrap();
    let after = deploy::down(&aws, stack.name(), KINDS, options).await.unwrap();
    assert!(after.is_empty(), "{after:?}");
}

//! Secrets Manager through its real client.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, RotationRulesType, Tag};
use common::{code, sdk};
use local::ControlPlane;

const TOKEN: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

async fn client() -> Client {
    Client::new(&sdk(&ControlPlane::in_memory()).await)
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

#[tokio::test]
async fn a_secret_keeps_what_it_was_given() {
    let plane = ControlPlane::in_memory();
    let kms = aws_sdk_kms::Client::new(&sdk(&plane).await);
    let client = Client::new(&sdk(&plane).await);
    let key = kms.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    let made = client
        .create_secret()
        .name("student/db")
        .description("database")
        .kms_key_id(&key)
        .secret_string("{}")
        .client_request_token(TOKEN)
        .tags(tag("owner", "us"))
        .send()
        .await
        .unwrap();
    let arn = made.arn().unwrap();
    assert!(arn.starts_with("arn:aws:secretsmanager:us-east-1:123456789012:secret:student/db-"));
    assert_eq!(made.version_id(), Some(TOKEN));
    let read = client.describe_secret().secret_id(arn).send().await.unwrap();
    assert_eq!(read.name(), Some("student/db"));
    assert_eq!(read.description(), Some("database"));
    assert_eq!(read.kms_key_id(), Some(key.as_str()));
    assert_eq!(read.tags(), [tag("owner", "us")]);
    assert_eq!(read.rotation_enabled(), None);
    assert_eq!(read.version_ids_to_stages().unwrap()[TOKEN], ["AWSCURRENT"]);
    let value = client.get_secret_value().secret_id("student/db").send().await.unwrap();
    assert_eq!(value.secret_string(), Some("{}"));

    client.tag_resource().secret_id(arn).tags(tag("env", "dev")).send().await.unwrap();
    client.untag_resource().secret_id(arn).tag_keys("owner").send().await.unwrap();
    let update = client.update_secret().secret_id(arn).description("new");
    update.kms_key_id("alias/aws/secretsmanager").send().await.unwrap();
    let read = client.describe_secret().secret_id(arn).send().await.unwrap();
    assert_eq!(read.tags(), [tag("env", "dev")]);
    assert_eq!(read.description(), Some("new"));
    assert_eq!(read.kms_key_id(), Some("alias/aws/secretsmanager"));
}

#[tokio::test]
async fn creation_is_idempotent_by_token_and_checked() {
    let client = client().await;
    let create = |value: &str| {
        client.create_secret().name("s").secret_string(value).client_request_token(TOKEN)
    };
    let first = create("a").send().await.unwrap();
    let again = create("a").send().await.unwrap();
    assert_eq!(first.arn(), again.arn());
    assert_eq!(code(create("b").send().await), "ResourceExistsException");
    let spaced = client.create_secret().name("a b").send().await;
    assert_eq!(code(spaced), "ValidationException");
    let keyless = client.create_secret().name("t").kms_key_id("alias/nothing").send().await;
    assert_eq!(code(keyless), "EncryptionFailure");
    let missing = client.describe_secret().secret_id("t").send().await;
    assert_eq!(code(missing), "ResourceNotFoundException");
}

#[tokio::test]
async fn versions_move_through_their_stages() {
    let client = client().await;
    client.create_secret().name("s").secret_string("one").send().await.unwrap();
    let stage = |stage: &'static str| {
        let call = client.get_secret_value().secret_id("s").version_stage(stage).send();
        async { call.await.map(|value| value.secret_string.unwrap()) }
    };
    let put = |value: &str| client.put_secret_value().secret_id("s").secret_string(value);
    put("two").send().await.unwrap();
    assert_eq!(stage("AWSCURRENT").await.unwrap(), "two");
    assert_eq!(stage("AWSPREVIOUS").await.unwrap(), "one");
    let pending = put("three").version_stages("AWSPENDING").send().await.unwrap();
    assert_eq!(stage("AWSPENDING").await.unwrap(), "three");
    assert_eq!(stage("AWSCURRENT").await.unwrap(), "two");
    let current = client.get_secret_value().secret_id("s").send().await.unwrap();
    client
        .update_secret_version_stage()
        .secret_id("s")
        .version_stage("AWSCURRENT")
        .move_to_version_id(pending.version_id().unwrap())
        .remove_from_version_id(current.version_id().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(stage("AWSCURRENT").await.unwrap(), "three");
    assert_eq!(stage("AWSPREVIOUS").await.unwrap(), "two");
    assert_eq!(code(stage("NONE").await), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_deleted_secret_blocks_its_name_until_it_is_gone() {
    let client = client().await;
    client.create_secret().name("s").secret_string("x").send().await.unwrap();
    let short = client.delete_secret().secret_id("s").recovery_window_in_days(3).send().await;
    assert_eq!(code(short), "InvalidParameterException");
    client.delete_secret().secret_id("s").recovery_window_in_days(7).send().await.unwrap();
    let create = client.create_secret().name("s").send().await;
    assert_eq!(code(create), "InvalidRequestException");
    let read = client.get_secret_value().secret_id("s").send().await;
    assert_eq!(code(read), "InvalidRequestException");
    let found = client.describe_secret().secret_id("s").send().await.unwrap();
    assert!(found.deleted_date().is_some());
    assert!(client.list_secrets().send().await.unwrap().secret_list().is_empty());
    let all = client.list_secrets().include_planned_deletion(true).send().await.unwrap();
    assert_eq!(all.secret_list().len(), 1);
    client.restore_secret().secret_id("s").send().await.unwrap();
    let value = client.get_secret_value().secret_id("s").send().await.unwrap();
    assert_eq!(value.secret_string(), Some("x"));
    client.delete_secret().secret_id("s").force_delete_without_recovery(true).send().await.unwrap();
    client.create_secret().name("s").send().await.unwrap();
}

#[tokio::test]
async fn lists_are_filtered() {
    let client = client().await;
    for name in ["a/one", "a/two", "b/one"] {
        client.create_secret().name(name).tags(tag("group", &name[..1])).send().await.unwrap();
    }
    let list = |key: FilterNameStringType, value: &str| {
        let filter = Filter::builder().key(key).values(value).build();
        let call = client.list_secrets().filters(filter).send();
        async { call.await.unwrap().secret_list().len() }
    };
    assert_eq!(list(FilterNameStringType::Name, "a/").await, 2);
    assert_eq!(list(FilterNameStringType::Name, "!a/").await, 1);
    assert_eq!(list(FilterNameStringType::TagValue, "b").await, 1);
    assert_eq!(list(FilterNameStringType::TagKey, "nothing").await, 0);
}

#[tokio::test]
async fn policies_are_kept_and_public_ones_refused() {
    let client = client().await;
    client.create_secret().name("s").send().await.unwrap();
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",
        "Action":"secretsmanager:*","Resource":"*","Condition":{"StringNotEquals":
        {"aws:PrincipalAccount":"123456789012"}}}]}"#;
    let put = |policy: &str| {
        client
            .put_resource_policy()
            .secret_id("s")
            .resource_policy(policy)
            .block_public_policy(true)
    };
    put(deny).send().await.unwrap();
    let read = client.get_resource_policy().secret_id("s").send().await.unwrap();
    assert_eq!(read.resource_policy(), Some(deny));
    let open = r#"{"Statement":[{"Effect":"Allow","Principal":"*",
        "Action":"secretsmanager:GetSecretValue","Resource":"*"}]}"#;
    assert_eq!(code(put(open).send().await), "PublicPolicyException");
    assert_eq!(code(put("{}").send().await), "MalformedPolicyDocumentException");
    client.delete_resource_policy().secret_id("s").send().await.unwrap();
    let read = client.get_resource_policy().secret_id("s").send().await.unwrap();
    assert_eq!(read.resource_policy(), None);
}

#[tokio::test]
async fn rotation_needs_a_function_that_may_be_called() {
    let plane = ControlPlane::in_memory();
    let config = sdk(&plane).await;
    let client = Client::new(&config);
    let made = client.create_secret().name("s").secret_string("x").send().await.unwrap();
    let rules = RotationRulesType::builder().schedule_expression("rate(30 days)").build();
    let rotate =
        client.rotate_secret().secret_id("s").rotation_rules(rules).rotate_immediately(false);
    assert_eq!(code(rotate.clone().send().await), "InvalidRequestException");
    let missing =
        rotate.clone().rotation_lambda_arn("arn:aws:lambda:us-east-1:123456789012:function:f");
    assert_eq!(code(missing.clone().send().await), "ResourceNotFoundException");

    let iam = aws_sdk_iam::Client::new(&config);
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",
        "Principal":{"Service":"lambda.amazonaws.com"}}]}"#;
    let role = iam.create_role().role_name("r").assume_role_policy_document(trust);
    let role = role.send().await.unwrap().role.unwrap().arn;
    let lambda = aws_sdk_lambda::Client::new(&config);
    // What the plane looks at of an archive: how it begins.
    let archive = [b"PK\x03\x04".as_slice(), &[0; 26]].concat();
    lambda
        .create_function()
        .function_name("f")
        .role(role)
        .runtime(Runtime::Python312)
        .handler("f.handler")
        .code(FunctionCode::builder().zip_file(Blob::new(archive)).build())
        .send()
        .await
        .unwrap();
    assert_eq!(code(missing.clone().send().await), "AccessDeniedException");
    lambda
        .add_permission()
        .function_name("f")
        .statement_id("rotation")
        .action("lambda:InvokeFunction")
        .principal("secretsmanager.amazonaws.com")
        .source_arn(made.arn().unwrap())
        .send()
        .await
        .unwrap();
    missing.send().await.unwrap();
    let read = client.describe_secret().secret_id("s").send().await.unwrap();
    assert_eq!(read.rotation_enabled(), Some(true));
    assert!(read.rotation_lambda_arn().unwrap().ends_with(":f"));
    assert_eq!(read.rotation_rules().unwrap().schedule_expression(), Some("rate(30 days)"));
    assert_eq!(read.last_rotated_date(), None);
    assert!(read.next_rotation_date().is_some());
    client.cancel_rotate_secret().secret_id("s").send().await.unwrap();
    let read = client.describe_secret().secret_id("s").send().await.unwrap();
    assert_eq!(read.rotation_enabled(), Some(false));
}

//! KMS through its real client.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use aws_sdk_kms::Client;
use aws_sdk_kms::types::{KeyManagerType, KeyState, Tag};
use common::{code, sdk};
use local::ControlPlane;

async fn client() -> Client {
    Client::new(&sdk(&ControlPlane::in_memory()).await)
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().tag_key(key).tag_value(value).build().unwrap()
}

const OURS: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}]}"#;

async fn key(client: &Client) -> String {
    client.create_key().send().await.unwrap().key_metadata.unwrap().key_id
}

#[tokio::test]
async fn a_key_keeps_what_it_was_given() {
    let client = client().await;
    let made = client
        .create_key()
        .description("records")
        .policy(OURS)
        .tags(tag("owner", "us"))
        .send()
        .await
        .unwrap()
        .key_metadata
        .unwrap();
    let arn = made.arn().unwrap();
    assert_eq!(arn, format!("arn:aws:kms:us-east-1:123456789012:key/{}", made.key_id()));
    let read = client.describe_key().key_id(arn).send().await.unwrap().key_metadata.unwrap();
    assert_eq!(read, made);
    assert_eq!(read.description(), Some("records"));
    assert_eq!(read.key_state(), Some(&KeyState::Enabled));
    assert_eq!(read.key_manager(), Some(&KeyManagerType::Customer));
    assert!(read.enabled());
    let policy = client.get_key_policy().key_id(made.key_id()).send().await.unwrap();
    assert_eq!(policy.policy(), Some(OURS));
    let names = client.list_key_policies().key_id(made.key_id()).send().await.unwrap();
    assert_eq!(names.policy_names(), ["default"]);
    let tags = client.list_resource_tags().key_id(made.key_id()).send().await.unwrap();
    assert_eq!(tags.tags(), [tag("owner", "us")]);

    client.tag_resource().key_id(arn).tags(tag("env", "dev")).send().await.unwrap();
    client.untag_resource().key_id(arn).tag_keys("owner").send().await.unwrap();
    let tags = client.list_resource_tags().key_id(arn).send().await.unwrap();
    assert_eq!(tags.tags(), [tag("env", "dev")]);
    client.update_key_description().key_id(arn).description("new").send().await.unwrap();
    let read = client.describe_key().key_id(arn).send().await.unwrap().key_metadata.unwrap();
    assert_eq!(read.description(), Some("new"));
    assert!(client.list_grants().key_id(arn).send().await.unwrap().grants().is_empty());
}

#[tokio::test]
async fn rotation_has_a_period() {
    let client = client().await;
    let key = key(&client).await;
    let status = client.get_key_rotation_status().key_id(&key).send().await.unwrap();
    assert!(!status.key_rotation_enabled());
    client.enable_key_rotation().key_id(&key).rotation_period_in_days(180).send().await.unwrap();
    let status = client.get_key_rotation_status().key_id(&key).send().await.unwrap();
    assert!(status.key_rotation_enabled());
    assert_eq!(status.rotation_period_in_days(), Some(180));
    let short = client.enable_key_rotation().key_id(&key).rotation_period_in_days(10);
    assert_eq!(code(short.send().await), "ValidationException");
    client.disable_key_rotation().key_id(&key).send().await.unwrap();
    let status = client.get_key_rotation_status().key_id(&key).send().await.unwrap();
    assert_eq!((status.key_rotation_enabled(), status.rotation_period_in_days()), (false, None));
}

#[tokio::test]
async fn a_policy_that_locks_its_author_out_is_refused() {
    let client = client().await;
    let locked = OURS.replace("kms:*", "kms:Decrypt");
    let create = client.create_key().policy(&locked);
    assert_eq!(code(create.send().await), "MalformedPolicyDocumentException");
    let create = client.create_key().policy(&locked).bypass_policy_lockout_safety_check(true);
    let key = create.send().await.unwrap().key_metadata.unwrap().key_id;
    let put = client.put_key_policy().key_id(&key).policy("{]");
    assert_eq!(code(put.send().await), "MalformedPolicyDocumentException");
    let nobody = OURS.replace(":root", ":role/nobody");
    let put = client.put_key_policy().key_id(&key).policy(nobody);
    assert_eq!(code(put.send().await), "MalformedPolicyDocumentException");
    client.put_key_policy().key_id(&key).policy(OURS).send().await.unwrap();
}

#[tokio::test]
async fn aliases_lead_to_keys() {
    let client = client().await;
    let (one, other) = (key(&client).await, key(&client).await);
    let create = |name: &str| client.create_alias().alias_name(name).target_key_id(&one);
    create("alias/student-rds").send().await.unwrap();
    assert_eq!(code(create("alias/student-rds").send().await), "AlreadyExistsException");
    assert_eq!(code(create("student-rds").send().await), "ValidationException");
    assert_eq!(code(create("alias/a b").send().await), "InvalidAliasNameException");
    assert_eq!(code(create("alias/aws/mine").send().await), "NotAuthorizedException");
    let found = client.describe_key().key_id("alias/student-rds").send().await.unwrap();
    assert_eq!(found.key_metadata.unwrap().key_id(), one);
    client
        .update_alias()
        .alias_name("alias/student-rds")
        .target_key_id(&other)
        .send()
        .await
        .unwrap();
    let all = client.list_aliases().key_id(&other).send().await.unwrap();
    assert_eq!(all.aliases().len(), 1);
    assert_eq!(all.aliases()[0].target_key_id(), Some(other.as_str()));
    client.delete_alias().alias_name("alias/student-rds").send().await.unwrap();
    let gone = client.describe_key().key_id("alias/student-rds").send().await;
    assert_eq!(code(gone), "NotFoundException");
}

#[tokio::test]
async fn a_key_waits_for_its_deletion() {
    let client = client().await;
    let key = key(&client).await;
    client.disable_key().key_id(&key).send().await.unwrap();
    let rotate = client.enable_key_rotation().key_id(&key).send().await;
    assert_eq!(code(rotate), "DisabledException");
    let schedule = |days| client.schedule_key_deletion().key_id(&key).pending_window_in_days(days);
    assert_eq!(code(schedule(6).send().await), "ValidationException");
    schedule(7).send().await.unwrap();
    let found = client.describe_key().key_id(&key).send().await.unwrap().key_metadata.unwrap();
    assert_eq!(found.key_state(), Some(&KeyState::PendingDeletion));
    assert!(found.deletion_date().is_some());
    assert_eq!(code(schedule(7).send().await), "KMSInvalidStateException");
    let enable = client.enable_key().key_id(&key).send().await;
    assert_eq!(code(enable), "KMSInvalidStateException");
    client.cancel_key_deletion().key_id(&key).send().await.unwrap();
    client.enable_key().key_id(&key).send().await.unwrap();
    let found = client.describe_key().key_id(&key).send().await.unwrap().key_metadata.unwrap();
    assert_eq!(found.key_state(), Some(&KeyState::Enabled));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let client = client().await;
    for _ in 0..5 {
        key(&client).await;
    }
    let first = client.list_keys().limit(2).send().await.unwrap();
    assert_eq!((first.keys().len(), first.truncated()), (2, true));
    let pages = client.list_keys().into_paginator().page_size(2).items().send();
    assert_eq!(pages.collect::<Result<Vec<_>, _>>().await.unwrap().len(), 5);
}

#[tokio::test]
async fn aws_managed_keys_are_there_and_cannot_be_changed() {
    let client = client().await;
    let found = client.describe_key().key_id("alias/aws/rds").send().await.unwrap();
    let found = found.key_metadata.unwrap();
    assert_eq!(found.key_manager(), Some(&KeyManagerType::Aws));
    let again = client.describe_key().key_id(found.arn().unwrap()).send().await.unwrap();
    assert_eq!(again.key_metadata.unwrap(), found);
    let disable = client.disable_key().key_id(found.key_id()).send().await;
    assert_eq!(code(disable), "AccessDeniedException");
}

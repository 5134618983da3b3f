//! S3 through its real client.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketLoggingStatus,
    BucketVersioningStatus, CreateBucketConfiguration, DefaultRetention, Delete, ExpirationStatus,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, LoggingEnabled,
    NoncurrentVersionExpiration, ObjectIdentifier, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockMode, ObjectLockRetentionMode, ObjectLockRule, ObjectOwnership, OwnershipControls,
    OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    Tag, Tagging, Transition, TransitionStorageClass, VersioningConfiguration,
};
use common::{code, sdk, sdk_in};
use local::ControlPlane;

async fn client() -> Client {
    Client::new(&sdk(&ControlPlane::in_memory()).await)
}

async fn bucket(name: &str) -> Client {
    let client = client().await;
    client.create_bucket().bucket(name).send().await.unwrap();
    client
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

#[tokio::test]
async fn a_new_bucket_is_closed_and_encrypted() {
    let client = bucket("records").await;
    client.head_bucket().bucket("records").send().await.unwrap();
    let block = client.get_public_access_block().bucket("records").send().await.unwrap();
    let all = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .block_public_policy(true)
        .ignore_public_acls(true)
        .restrict_public_buckets(true)
        .build();
    assert_eq!(block.public_access_block_configuration(), Some(&all));
    let encryption = client.get_bucket_encryption().bucket("records").send().await.unwrap();
    let encryption = encryption.server_side_encryption_configuration.unwrap();
    let rule = encryption.rules()[0].apply_server_side_encryption_by_default().unwrap();
    assert_eq!(rule.sse_algorithm(), &ServerSideEncryption::Aes256);
    let owner = client.get_bucket_ownership_controls().bucket("records").send().await.unwrap();
    let owner = owner.ownership_controls.unwrap();
    assert_eq!(owner.rules()[0].object_ownership(), &ObjectOwnership::BucketOwnerEnforced);
    let versioning = client.get_bucket_versioning().bucket("records").send().await.unwrap();
    assert_eq!(versioning.status(), None);
    let logging = client.get_bucket_logging().bucket("records").send().await.unwrap();
    assert_eq!(logging.logging_enabled(), None);
    let place = client.get_bucket_location().bucket("records").send().await.unwrap();
    assert_eq!(place.location_constraint().map(|it| it.as_str()).unwrap_or_default(), "");
    let acl = client.get_bucket_acl().bucket("records").send().await.unwrap();
    assert_eq!(acl.grants().len(), 1);

    let name = "records";
    assert_eq!(code(client.get_bucket_policy().bucket(name).send().await), "NoSuchBucketPolicy");
    assert_eq!(code(client.get_bucket_tagging().bucket(name).send().await), "NoSuchTagSet");
    let lifecycle = client.get_bucket_lifecycle_configuration().bucket(name).send().await;
    assert_eq!(code(lifecycle), "NoSuchLifecycleConfiguration");
    let lock = client.get_object_lock_configuration().bucket(name).send().await;
    assert_eq!(code(lock), "ObjectLockConfigurationNotFoundError");
}

#[tokio::test]
async fn buckets_are_made_once_with_valid_names_where_they_belong() {
    let plane = ControlPlane::in_memory();
    let (east, west) =
        (Client::new(&sdk(&plane).await), Client::new(&sdk_in(&plane, "us-west-2").await));
    for name in ["ab", "Upper", "a..b", "1.2.3.4", "end-", "xn--a"] {
        let create = east.create_bucket().bucket(name).send().await;
        assert_eq!(code(create), "InvalidBucketName", "{name}");
    }
    let in_west = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::UsWest2)
        .tags(tag("owner", "us"))
        .build();
    let bare = west.create_bucket().bucket("western").send().await;
    assert_eq!(code(bare), "IllegalLocationConstraintException");
    let create = || {
        west.create_bucket().bucket("western").create_bucket_configuration(in_west.clone()).send()
    };
    create().await.unwrap();
    assert_eq!(code(create().await), "BucketAlreadyOwnedByYou");
    let tags = west.get_bucket_tagging().bucket("western").send().await.unwrap();
    assert_eq!(tags.tag_set(), [tag("owner", "us")]);
    let place = west.get_bucket_location().bucket("western").send().await.unwrap();
    assert_eq!(place.location_constraint(), Some(&BucketLocationConstraint::UsWest2));
    let elsewhere = east.get_bucket_versioning().bucket("western").send().await;
    assert_eq!(code(elsewhere), "PermanentRedirect");
    assert!(
        east.head_bucket()
            .bucket("nothing")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_not_found()
    );

    east.create_bucket().bucket("eastern").send().await.unwrap();
    let all = east.list_buckets().send().await.unwrap();
    let names: Vec<_> = all.buckets().iter().filter_map(|it| it.name()).collect();
    assert_eq!(names, ["eastern", "western"]);
    let here = east.list_buckets().bucket_region("us-west-2").send().await.unwrap();
    assert_eq!(here.buckets().len(), 1);
    assert_eq!(here.buckets()[0].bucket_region(), Some("us-west-2"));
    let pages = east.list_buckets().max_buckets(1).into_paginator().send();
    assert_eq!(pages.collect::<Result<Vec<_>, _>>().await.unwrap().len(), 2);
}

#[tokio::test]
async fn settings_are_read_back_as_they_were_put() {
    let client = bucket("settings").await;
    client.create_bucket().bucket("logs-go-here").send().await.unwrap();
    let name = "settings";

    let versioning =
        VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let put = client.put_bucket_versioning().bucket(name);
    put.versioning_configuration(versioning).send().await.unwrap();
    let read = client.get_bucket_versioning().bucket(name).send().await.unwrap();
    assert_eq!(read.status(), Some(&BucketVersioningStatus::Enabled));

    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id("arn:aws:kms:us-east-1:123456789012:key/x")
        .build()
        .unwrap();
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default)
        .bucket_key_enabled(true)
        .build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
    let put = client.put_bucket_encryption().bucket(name);
    put.server_side_encryption_configuration(encryption.clone()).send().await.unwrap();
    let read = client.get_bucket_encryption().bucket(name).send().await.unwrap();
    assert_eq!(read.server_side_encryption_configuration, Some(encryption));

    let rules = [
        LifecycleRule::builder()
            .id("archive")
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("AWSLogs/").build())
            .transitions(
                Transition::builder()
                    .days(90)
                    .storage_class(TransitionStorageClass::Glacier)
                    .build(),
            )
            .expiration(LifecycleExpiration::builder().days(2555).build())
            .noncurrent_version_expiration(
                NoncurrentVersionExpiration::builder().noncurrent_days(30).build(),
            )
            .build()
            .unwrap(),
        LifecycleRule::builder()
            .id("everything")
            .status(ExpirationStatus::Disabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .expiration(LifecycleExpiration::builder().expired_object_delete_marker(true).build())
            .build()
            .unwrap(),
    ];
    let lifecycle =
        BucketLifecycleConfiguration::builder().set_rules(Some(rules.to_vec())).build().unwrap();
    let put = client.put_bucket_lifecycle_configuration().bucket(name);
    put.lifecycle_configuration(lifecycle).send().await.unwrap();
    let read = client.get_bucket_lifecycle_configuration().bucket(name).send().await.unwrap();
    assert_eq!(read.rules(), rules);

    let owner = OwnershipControls::builder()
        .rules(
            OwnershipControlsRule::builder()
                .object_ownership(ObjectOwnership::BucketOwnerPreferred)
                .build()
                .unwrap(),
        )
        .build()
        .unwrap();
    let put = client.put_bucket_ownership_controls().bucket(name);
    put.ownership_controls(owner.clone()).send().await.unwrap();
    let read = client.get_bucket_ownership_controls().bucket(name).send().await.unwrap();
    assert_eq!(read.ownership_controls, Some(owner));

    let tags = [tag("a", "1"), tag("b", "<2> & \"3\"")];
    let tagging = Tagging::builder().set_tag_set(Some(tags.to_vec())).build().unwrap();
    client.put_bucket_tagging().bucket(name).tagging(tagging).send().await.unwrap();
    let read = client.get_bucket_tagging().bucket(name).send().await.unwrap();
    assert_eq!(read.tag_set(), tags);
    client.delete_bucket_tagging().bucket(name).send().await.unwrap();
    assert_eq!(code(client.get_bucket_tagging().bucket(name).send().await), "NoSuchTagSet");

    let logging = |target: &str| {
        LoggingEnabled::builder().target_bucket(target).target_prefix("s3/").build().unwrap()
    };
    let put = |target: &str| {
        let status = BucketLoggingStatus::builder().logging_enabled(logging(target)).build();
        client.put_bucket_logging().bucket(name).bucket_logging_status(status).send()
    };
    assert_eq!(code(put("nowhere").await), "InvalidTargetBucketForLogging");
    put("logs-go-here").await.unwrap();
    let read = client.get_bucket_logging().bucket(name).send().await.unwrap();
    assert_eq!(read.logging_enabled, Some(logging("logs-go-here")));
}

#[tokio::test]
async fn public_policies_are_refused_where_they_are_blocked() {
    let client = bucket("policies").await;
    let policy = |effect: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Principal":"*",
            "Action":"s3:*","Resource":["arn:aws:s3:::policies","arn:aws:s3:::policies/*"],
            "Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}}}]}}"#
        )
    };
    let put = |text: String| client.put_bucket_policy().bucket("policies").policy(text).send();
    put(policy("Deny")).await.unwrap();
    let read = client.get_bucket_policy().bucket("policies").send().await.unwrap();
    assert_eq!(read.policy(), Some(policy("Deny").as_str()));
    assert_eq!(code(put(policy("Allow")).await), "AccessDenied");
    let others = policy("Deny").replace(":::policies", ":::others");
    assert_eq!(code(put(others).await), "MalformedPolicy");
    assert_eq!(code(put("no".into()).await), "MalformedPolicy");

    client.delete_public_access_block().bucket("policies").send().await.unwrap();
    put(policy("Allow")).await.unwrap();
    let status = client.get_bucket_policy_status().bucket("policies").send().await.unwrap();
    assert_eq!(status.policy_status.unwrap().is_public(), Some(true));
    client.delete_bucket_policy().bucket("policies").send().await.unwrap();
    let read = client.get_bucket_policy().bucket("policies").send().await;
    assert_eq!(code(read), "NoSuchBucketPolicy");
}

#[tokio::test]
async fn objects_come_back_and_keep_the_bucket_from_deletion() {
    let client = bucket("objects").await;
    let put = |key: &str, body: &'static [u8]| {
        client.put_object().bucket("objects").key(key).body(ByteStream::from_static(body)).send()
    };
    put("a/b c+d–é.txt", b"hello").await.unwrap();
    put("a/e", b"").await.unwrap();
    put("f", b"x").await.unwrap();
    let get = client.get_object().bucket("objects").key("a/b c+d–é.txt").send().await.unwrap();
    assert_eq!(get.body.collect().await.unwrap().to_vec(), b"hello");
    let head = client.head_object().bucket("objects").key("a/b c+d–é.txt").send().await.unwrap();
    assert_eq!(head.content_length(), Some(5));
    assert_eq!(head.server_side_encryption(), Some(&ServerSideEncryption::Aes256));
    let missing = client.get_object().bucket("objects").key("z").send().await;
    assert_eq!(code(missing), "NoSuchKey");

    let list = client.list_objects_v2().bucket("objects").delimiter("/").send().await.unwrap();
    assert_eq!(list.common_prefixes()[0].prefix(), Some("a/"));
    assert_eq!(list.contents().len(), 1);
    let pages = client.list_objects_v2().bucket("objects").max_keys(1).into_paginator().send();
    assert_eq!(pages.collect::<Result<Vec<_>, _>>().await.unwrap().len(), 3);

    let delete = client.delete_bucket().bucket("objects").send().await;
    assert_eq!(code(delete), "BucketNotEmpty");
    let all = ["a/b c+d–é.txt", "a/e", "f"]
        .map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let all = Delete::builder().set_objects(Some(all.to_vec())).build().unwrap();
    let gone = client.delete_objects().bucket("objects").delete(all).send().await.unwrap();
    assert_eq!((gone.deleted().len(), gone.errors().len()), (3, 0));
    client.delete_bucket().bucket("objects").send().await.unwrap();
}

/// A body that is a stream goes out in chunks, with its checksum behind it.
#[tokio::test]
async fn chunked_bodies_are_read() {
    let client = bucket("chunked").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let content: Vec<u8> = (0..200_000).map(|i| (i % 251) as u8).collect();
    std::fs::write(file.path(), &content).unwrap();
    let body = ByteStream::from_path(file.path()).await.unwrap();
    client.put_object().bucket("chunked").key("k").body(body).send().await.unwrap();
    let get = client.get_object().bucket("chunked").key("k").send().await.unwrap();
    assert_eq!(get.body.collect().await.unwrap().to_vec(), content);
}

#[tokio::test]
async fn a_locked_version_stays() {
    let client = client().await;
    let create = client.create_bucket().bucket("locked").object_lock_enabled_for_bucket(true);
    create.send().await.unwrap();
    let versioning = client.get_bucket_versioning().bucket("locked").send().await.unwrap();
    assert_eq!(versioning.status(), Some(&BucketVersioningStatus::Enabled));
    let suspended =
        VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    let suspend = client.put_bucket_versioning().bucket("locked");
    let suspend = suspend.versioning_configuration(suspended).send().await;
    assert_eq!(code(suspend), "InvalidBucketState");

    let retention =
        DefaultRetention::builder().mode(ObjectLockRetentionMode::Compliance).days(365).build();
    let lock = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(ObjectLockRule::builder().default_retention(retention).build())
        .build();
    let put = client.put_object_lock_configuration().bucket("locked");
    put.object_lock_configuration(lock.clone()).send().await.unwrap();
    let read = client.get_object_lock_configuration().bucket("locked").send().await.unwrap();
    assert_eq!(read.object_lock_configuration, Some(lock));

    let put = client.put_object().bucket("locked").key("evidence").send().await.unwrap();
    let version = put.version_id().unwrap();
    let head = client.head_object().bucket("locked").key("evidence").send().await.unwrap();
    assert_eq!(head.object_lock_mode(), Some(&ObjectLockMode::Compliance));
    assert!(
        head.object_lock_retain_until_date().unwrap().secs() > head.last_modified().unwrap().secs()
    );
    // Without a version, a deletion only marks the object.
    let marker = client.delete_object().bucket("locked").key("evidence").send().await.unwrap();
    assert_eq!(marker.delete_marker(), Some(true));
    let all = client.list_object_versions().bucket("locked").send().await.unwrap();
    assert_eq!((all.versions().len(), all.delete_markers().len()), (1, 1));
    let delete =
        |version: &str| client.delete_object().bucket("locked").key("evidence").version_id(version);
    assert_eq!(code(delete(version).send().await), "AccessDenied");
    let bypass = delete(version).bypass_governance_retention(true);
    assert_eq!(code(bypass.send().await), "AccessDenied");
    delete(marker.version_id().unwrap()).send().await.unwrap();
    client.get_object().bucket("locked").key("evidence").send().await.unwrap();
    let delete = client.delete_bucket().bucket("locked").send().await;
    assert_eq!(code(delete), "BucketNotEmpty");

    let until = DateTime::from_secs(4_000_000_000);
    let put = client.put_object().bucket("locked").key("draft");
    let put = put.object_lock_mode(ObjectLockMode::Governance).object_lock_retain_until_date(until);
    let version = put.send().await.unwrap().version_id.unwrap();
    let delete = client.delete_object().bucket("locked").key("draft").version_id(version);
    assert_eq!(code(delete.clone().send().await), "AccessDenied");
    delete.bypass_governance_retention(true).send().await.unwrap();
}

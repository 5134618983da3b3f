//! CloudTrail through its real client.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{
    AdvancedEventSelector, AdvancedFieldSelector, EventSelector, ReadWriteType, Tag,
};
use common::{code, sdk, sdk_in};
use local::ControlPlane;

const ARN: &str = "arn:aws:cloudtrail:us-east-1:123456789012:trail/audit";

struct World {
    plane: ControlPlane,
    s3: aws_sdk_s3::Client,
    kms: aws_sdk_kms::Client,
    trails: Client,
}

impl World {
    async fn new() -> Self {
        let plane = ControlPlane::in_memory();
        let sdk = sdk(&plane).await;
        let world = Self {
            plane,
            s3: aws_sdk_s3::Client::new(&sdk),
            kms: aws_sdk_kms::Client::new(&sdk),
            trails: Client::new(&sdk),
        };
        world.s3.create_bucket().bucket("evidence").send().await.unwrap();
        world
    }

    async fn let_cloudtrail_write(&self) {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":{{"Service":"cloudtrail.amazonaws.com"}},
              "Action":"s3:GetBucketAcl","Resource":"arn:aws:s3:::evidence",
              "Condition":{{"StringEquals":{{"aws:SourceArn":"{ARN}"}}}}}},
            {{"Effect":"Allow","Principal":{{"Service":"cloudtrail.amazonaws.com"}},
              "Action":"s3:PutObject","Resource":"arn:aws:s3:::evidence/AWSLogs/123456789012/*",
              "Condition":{{"StringEquals":{{"s3:x-amz-acl":"bucket-owner-full-control",
                "aws:SourceArn":"{ARN}"}}}}}},
            {{"Effect":"Deny","Principal":"*","Action":"s3:*",
              "Resource":["arn:aws:s3:::evidence","arn:aws:s3:::evidence/*"],
              "Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}}}]}}"#
        );
        self.s3.put_bucket_policy().bucket("evidence").policy(policy).send().await.unwrap();
    }

    async fn key(&self, lets_cloudtrail: bool) -> String {
        let ours = r#"{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"kms:*",
            "Resource":"*"}"#;
        let trail = format!(
            r#",{{"Effect":"Allow","Principal":{{"Service":"cloudtrail.amazonaws.com"}},
            "Action":["kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*",
            "Condition":{{"StringEquals":{{"aws:SourceArn":"{ARN}"}},
            "StringLike":{{"kms:EncryptionContext:aws:cloudtrail:arn":
            "arn:aws:cloudtrail:*:123456789012:trail/*"}}}}}}"#
        );
        let more = if lets_cloudtrail { trail.as_str() } else { "" };
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{ours}{more}]}}"#);
        let made = self.kms.create_key().policy(policy).send().await.unwrap();
        made.key_metadata.unwrap().arn.unwrap()
    }
}

#[tokio::test]
async fn a_trail_keeps_what_it_was_given() {
    let world = World::new().await;
    world.let_cloudtrail_write().await;
    let key = world.key(true).await;
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build().unwrap();
    let made = world
        .trails
        .create_trail()
        .name("audit")
        .s3_bucket_name("evidence")
        .is_multi_region_trail(true)
        .enable_log_file_validation(true)
        .kms_key_id(&key)
        .tags_list(tag("owner", "us"))
        .send()
        .await
        .unwrap();
    assert_eq!(made.trail_arn(), Some(ARN));
    let trails = world.trails.describe_trails().send().await.unwrap();
    let trail = &trails.trail_list()[0];
    assert_eq!(trail.name(), Some("audit"));
    assert_eq!(trail.s3_bucket_name(), Some("evidence"));
    assert_eq!(trail.is_multi_region_trail(), Some(true));
    assert_eq!(trail.include_global_service_events(), Some(true));
    assert_eq!(trail.log_file_validation_enabled(), Some(true));
    assert_eq!(trail.kms_key_id(), Some(key.as_str()));
    assert_eq!(trail.home_region(), Some("us-east-1"));
    let got = world.trails.get_trail().name("audit").send().await.unwrap();
    assert_eq!(got.trail(), Some(trail));

    let tags = || async {
        let list = world.trails.list_tags().resource_id_list(ARN).send().await.unwrap();
        list.resource_tag_list()[0].tags_list().to_vec()
    };
    assert_eq!(tags().await, [tag("owner", "us")]);
    let add = world.trails.add_tags().resource_id(ARN).tags_list(tag("env", "dev"));
    add.send().await.unwrap();
    let remove = world.trails.remove_tags().resource_id(ARN);
    remove.tags_list(Tag::builder().key("owner").build().unwrap()).send().await.unwrap();
    assert_eq!(tags().await, [tag("env", "dev")]);

    let logging = || async {
        world.trails.get_trail_status().name("audit").send().await.unwrap().is_logging()
    };
    assert_eq!(logging().await, Some(false));
    world.trails.start_logging().name("audit").send().await.unwrap();
    assert_eq!(logging().await, Some(true));
    world.trails.stop_logging().name(ARN).send().await.unwrap();
    assert_eq!(logging().await, Some(false));

    world
        .trails
        .update_trail()
        .name("audit")
        .enable_log_file_validation(false)
        .send()
        .await
        .unwrap();
    let got = world.trails.get_trail().name("audit").send().await.unwrap().trail.unwrap();
    assert_eq!(got.log_file_validation_enabled(), Some(false));
    assert_eq!(got.kms_key_id(), Some(key.as_str()));

    // Other regions see it, and cannot change it.
    let west = Client::new(&sdk_in(&world.plane, "us-west-2").await);
    assert_eq!(west.describe_trails().send().await.unwrap().trail_list().len(), 1);
    let own = west.describe_trails().include_shadow_trails(false).send().await.unwrap();
    assert!(own.trail_list().is_empty());
    let delete = west.delete_trail().name(ARN).send().await;
    assert_eq!(code(delete), "InvalidHomeRegionException");
    world.trails.delete_trail().name("audit").send().await.unwrap();
    let get = world.trails.get_trail().name("audit").send().await;
    assert_eq!(code(get), "TrailNotFoundException");
}

#[tokio::test]
async fn what_a_trail_writes_to_has_to_let_it() {
    let world = World::new().await;
    let create = |bucket: &str| world.trails.create_trail().name("audit").s3_bucket_name(bucket);
    assert_eq!(code(create("nowhere").send().await), "S3BucketDoesNotExistException");
    assert_eq!(code(create("evidence").send().await), "InsufficientS3BucketPolicyException");
    world.let_cloudtrail_write().await;
    // The policy is for the trail of this name, and for objects without a prefix.
    let other = world.trails.create_trail().name("other").s3_bucket_name("evidence");
    assert_eq!(code(other.send().await), "InsufficientS3BucketPolicyException");
    let prefixed = create("evidence").s3_key_prefix("trail");
    assert_eq!(code(prefixed.send().await), "InsufficientS3BucketPolicyException");
    let closed = create("evidence").kms_key_id(world.key(false).await);
    assert_eq!(code(closed.send().await), "InsufficientEncryptionPolicyException");
    let missing = create("evidence").kms_key_id("alias/missing");
    assert_eq!(code(missing.send().await), "KmsKeyDoesNotExistException");
    let logs = create("evidence")
        .cloud_watch_logs_log_group_arn("arn:aws:logs:us-east-1:123456789012:log-group:no:*")
        .cloud_watch_logs_role_arn("arn:aws:iam::123456789012:role/no");
    assert_eq!(code(logs.send().await), "InvalidCloudWatchLogsLogGroupArnException");
    let both = create("evidence").is_multi_region_trail(true).include_global_service_events(false);
    assert_eq!(code(both.send().await), "InvalidParameterCombinationException");
    create("evidence").send().await.unwrap();
    assert_eq!(code(create("evidence").send().await), "TrailAlreadyExistsException");
}

#[tokio::test]
async fn event_selectors_are_of_one_kind() {
    let world = World::new().await;
    world.let_cloudtrail_write().await;
    world.trails.create_trail().name("audit").s3_bucket_name("evidence").send().await.unwrap();
    let get = || world.trails.get_event_selectors().trail_name("audit").send();
    let read = get().await.unwrap();
    assert_eq!(read.event_selectors()[0].read_write_type(), Some(&ReadWriteType::All));
    assert_eq!(read.event_selectors()[0].include_management_events(), Some(true));

    let field = |field: &str, value: &str| {
        AdvancedFieldSelector::builder().field(field).equals(value).build().unwrap()
    };
    let selector = AdvancedEventSelector::builder()
        .name("objects")
        .field_selectors(field("eventCategory", "Data"))
        .field_selectors(field("resources.type", "AWS::S3::Object"))
        .build()
        .unwrap();
    let put = world.trails.put_event_selectors().trail_name("audit");
    put.advanced_event_selectors(selector.clone()).send().await.unwrap();
    let read = get().await.unwrap();
    assert_eq!(read.advanced_event_selectors(), std::slice::from_ref(&selector));
    assert!(read.event_selectors().is_empty());
    let trail = world.trails.get_trail().name("audit").send().await.unwrap().trail.unwrap();
    assert_eq!(trail.has_custom_event_selectors(), Some(true));

    let basic = EventSelector::builder().read_write_type(ReadWriteType::WriteOnly).build();
    let both = world.trails.put_event_selectors().trail_name("audit");
    let both = both.advanced_event_selectors(selector).event_selectors(basic.clone()).send().await;
    assert_eq!(code(both), "InvalidEventSelectorsException");
    let put = world.trails.put_event_selectors().trail_name("audit");
    put.event_selectors(basic).send().await.unwrap();
    let read = get().await.unwrap();
    assert_eq!(read.event_selectors()[0].read_write_type(), Some(&ReadWriteType::WriteOnly));
    assert!(read.advanced_event_selectors().is_empty());
}

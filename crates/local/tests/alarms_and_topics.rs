//! CloudWatch alarms and SNS topics through their real clients.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::HashMap;

use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, StateValue, Statistic, Tag};
use common::{code, sdk};
use local::ControlPlane;

#[tokio::test]
async fn an_alarm_keeps_what_it_was_given() {
    let client = aws_sdk_cloudwatch::Client::new(&sdk(&ControlPlane::in_memory()).await);
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let put = client
        .put_metric_alarm()
        .alarm_name("root use")
        .alarm_description("somebody is root")
        .namespace("Trail")
        .metric_name("RootUse")
        .dimensions(Dimension::builder().name("a").value("b").build())
        .statistic(Statistic::Sum)
        .period(300)
        .evaluation_periods(2)
        .datapoints_to_alarm(1)
        .threshold(1.5)
        .comparison_operator(ComparisonOperator::GreaterThanOrEqualToThreshold)
        .treat_missing_data("notBreaching")
        .alarm_actions("arn:aws:sns:us-east-1:123456789012:alarms")
        .tags(tag("owner", "us"));
    put.clone().send().await.unwrap();
    let all = client.describe_alarms().alarm_name_prefix("root").send().await.unwrap();
    let [alarm] = all.metric_alarms() else { panic!("{all:?}") };
    assert_eq!(alarm.alarm_name(), Some("root use"));
    assert_eq!(alarm.alarm_description(), Some("somebody is root"));
    assert_eq!(alarm.namespace(), Some("Trail"));
    assert_eq!(alarm.metric_name(), Some("RootUse"));
    assert_eq!(alarm.dimensions().len(), 1);
    assert_eq!(alarm.statistic(), Some(&Statistic::Sum));
    assert_eq!((alarm.period(), alarm.evaluation_periods()), (Some(300), Some(2)));
    assert_eq!((alarm.datapoints_to_alarm(), alarm.threshold()), (Some(1), Some(1.5)));
    assert_eq!(alarm.treat_missing_data(), Some("notBreaching"));
    assert_eq!(alarm.alarm_actions(), ["arn:aws:sns:us-east-1:123456789012:alarms"]);
    assert_eq!(alarm.actions_enabled(), Some(true));
    assert_eq!(alarm.state_value(), Some(&StateValue::InsufficientData));
    assert!(alarm.alarm_configuration_updated_timestamp().is_some());

    let arn = alarm.alarm_arn().unwrap();
    client.tag_resource().resource_arn(arn).tags(tag("env", "dev")).send().await.unwrap();
    client.untag_resource().resource_arn(arn).tag_keys("owner").send().await.unwrap();
    let tags = client.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
    assert_eq!(tags.tags(), [tag("env", "dev")]);

    // An update takes no notice of tags.
    put.clone().threshold(2.0).send().await.unwrap();
    let tags = client.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
    assert_eq!(tags.tags(), [tag("env", "dev")]);
    assert_eq!(code(put.clone().period(61).send().await), "ValidationError");
    assert_eq!(code(put.set_statistic(None).send().await), "InvalidParameterCombination");

    client.delete_alarms().alarm_names("root use").send().await.unwrap();
    assert!(client.describe_alarms().send().await.unwrap().metric_alarms().is_empty());
    let gone = client.list_tags_for_resource().resource_arn(arn).send().await;
    assert_eq!(code(gone), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_topic_keeps_what_it_was_given() {
    use aws_sdk_sns::types::Tag;
    let client = aws_sdk_sns::Client::new(&sdk(&ControlPlane::in_memory()).await);
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build().unwrap();
    let create = || {
        let attributes = HashMap::from([("KmsMasterKeyId".to_owned(), "alias/x".to_owned())]);
        client.create_topic().name("alarms").set_attributes(Some(attributes)).tags(tag("a", "1"))
    };
    let arn = create().send().await.unwrap().topic_arn.unwrap();
    assert_eq!(arn, "arn:aws:sns:us-east-1:123456789012:alarms");
    assert_eq!(create().send().await.unwrap().topic_arn, Some(arn.clone()));
    let other = create().attributes("KmsMasterKeyId", "alias/y").send().await;
    assert_eq!(code(other), "InvalidParameter");
    assert_eq!(client.list_topics().send().await.unwrap().topics().len(), 1);

    let attributes = || async {
        let read = client.get_topic_attributes().topic_arn(&arn).send().await.unwrap();
        read.attributes.unwrap()
    };
    let read = attributes().await;
    assert_eq!(read["KmsMasterKeyId"], "alias/x");
    assert_eq!(read["Owner"], "123456789012");
    assert!(read["Policy"].contains("SNS:Publish"));
    let set = client.set_topic_attributes().topic_arn(&arn).attribute_name("DisplayName");
    set.attribute_value("a & b").send().await.unwrap();
    assert_eq!(attributes().await["DisplayName"], "a & b");
    let set = client.set_topic_attributes().topic_arn(&arn).attribute_name("Colour").send().await;
    assert_eq!(code(set), "InvalidParameter");

    let subscribe =
        || client.subscribe().topic_arn(&arn).protocol("email").endpoint("officer@example.edu");
    let told = subscribe().send().await.unwrap();
    assert_eq!(told.subscription_arn(), Some("pending confirmation"));
    let told = subscribe().return_subscription_arn(true).send().await.unwrap();
    let subscription = told.subscription_arn().unwrap();
    let all = client.list_subscriptions_by_topic().topic_arn(&arn).send().await.unwrap();
    assert_eq!(all.subscriptions().len(), 1);
    assert_eq!(all.subscriptions()[0].endpoint(), Some("officer@example.edu"));
    assert_eq!(attributes().await["SubscriptionsPending"], "1");
    client.unsubscribe().subscription_arn(subscription).send().await.unwrap();
    let all = client.list_subscriptions_by_topic().topic_arn(&arn).send().await.unwrap();
    assert!(all.subscriptions().is_empty());

    client.tag_resource().resource_arn(&arn).tags(tag("b", "2")).send().await.unwrap();
    client.untag_resource().resource_arn(&arn).tag_keys("a").send().await.unwrap();
    let tags = client.list_tags_for_resource().resource_arn(&arn).send().await.unwrap();
    assert_eq!(tags.tags(), [tag("b", "2")]);
    client.delete_topic().topic_arn(&arn).send().await.unwrap();
    client.delete_topic().topic_arn(&arn).send().await.unwrap();
    let read = client.get_topic_attributes().topic_arn(&arn).send().await;
    assert_eq!(code(read), "NotFound");
}

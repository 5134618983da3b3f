//! A topic for alarms.

use aws_sdk_sns::operation::get_topic_attributes::GetTopicAttributesOutput;
use aws_sdk_sns::operation::list_subscriptions_by_topic::ListSubscriptionsByTopicOutput;
use aws_sdk_sns::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_sns::operation::list_topics::ListTopicsOutput;
use aws_sdk_sns::types::{Subscription, Topic};
use aws_smithy_mocks::{Rule, mock};

/// Its ARN.
pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:alarms";

/// A topic, with a subscription or without.
pub(crate) fn topic(subscribed: bool) -> Vec<Rule> {
    vec![
        mock!(aws_sdk_sns::Client::list_topics).then_output(|| {
            let topic = Topic::builder().topic_arn(TOPIC).build();
            ListTopicsOutput::builder().topics(topic).build()
        }),
        mock!(aws_sdk_sns::Client::list_tags_for_resource)
            .then_output(|| ListTagsForResourceOutput::builder().build()),
        mock!(aws_sdk_sns::Client::get_topic_attributes).then_output(|| {
            let policy = r#"{"Version": "2012-10-17", "Statement": []}"#;
            GetTopicAttributesOutput::builder().attributes("Policy", policy).build()
        }),
        mock!(aws_sdk_sns::Client::list_subscriptions_by_topic).then_output(move || {
            let one = Subscription::builder()
                .protocol("email")
                .endpoint("security@example.edu")
                .subscription_arn("PendingConfirmation");
            ListSubscriptionsByTopicOutput::builder()
                .set_subscriptions(Some(subscribed.then(|| one.build()).into_iter().collect()))
                .build()
        }),
    ]
}

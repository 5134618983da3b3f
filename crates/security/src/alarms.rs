//! The alarms: a topic, the patterns to look for in the trail's log group, an alarm for each.

use std::collections::{BTreeMap, BTreeSet};

use engine::vocabulary::{ForLogs, KeyArn, TopicArn};
use engine::{Place, Policy, Ref, Stack};
use serde_json::json;

use crate::alarm::Alarm;
use crate::topic::{Subscription, Topic};

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmsSpec {
    /// Whose alarms, and where.
    pub place: Place,
    /// The key that encrypts the topic.
    pub kms_key: Ref<KeyArn<ForLogs>>,
    /// Who is told.
    pub subscriptions: BTreeSet<Subscription>,
}

/// The topic, and what the trail's log group has to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarms {
    /// The topic that alarms go to.
    pub topic: Ref<TopicArn>,
    /// The metric filters that the alarms rest on. They belong onto the log group that the trail
    /// delivers to; without them the alarms stay silent.
    pub metric_filters: Vec<MetricFilter>,
}

/// A count of log events of one pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricFilter {
    /// The filter's name.
    pub name: String,
    /// The pattern, in CloudWatch Logs' language.
    pub pattern: String,
    /// The namespace of the metric.
    pub metric_namespace: String,
    /// The metric. Each event counts one.
    pub metric_name: String,
}

/// What is watched.
struct Watch {
    thing: &'static str,
    metric: &'static str,
    what: &'static str,
    pattern: &'static str,
    /// How many within five minutes ring.
    threshold: f64,
}

const WATCHES: &[Watch] = &[
    Watch {
        thing: "root-use",
        metric: "RootUse",
        what: "The root user was used",
        pattern: r#"{ $.userIdentity.type = "Root" && $.userIdentity.invokedBy NOT EXISTS && $.eventType != "AwsServiceEvent" }"#,
        threshold: 1.0,
    },
    Watch {
        thing: "key-deletion",
        metric: "KeyDeletion",
        what: "A key was disabled or its deletion scheduled",
        pattern: r#"{ $.eventSource = "kms.amazonaws.com" && ($.eventName = "DisableKey" || $.eventName = "ScheduleKeyDeletion") }"#,
        threshold: 1.0,
    },
    Watch {
        thing: "trail-change",
        metric: "TrailChange",
        what: "A trail was stopped, changed or deleted",
        pattern: r#"{ $.eventSource = "cloudtrail.amazonaws.com" && ($.eventName = "StopLogging" || $.eventName = "DeleteTrail" || $.eventName = "UpdateTrail" || $.eventName = "PutEventSelectors") }"#,
        threshold: 1.0,
    },
    Watch {
        thing: "security-group-change",
        metric: "SecurityGroupChange",
        what: "A security group was changed",
        pattern: r#"{ $.eventSource = "ec2.amazonaws.com" && ($.eventName = "AuthorizeSecurityGroup*" || $.eventName = "RevokeSecurityGroup*" || $.eventName = "ModifySecurityGroupRules" || $.eventName = "CreateSecurityGroup" || $.eventName = "DeleteSecurityGroup") }"#,
        threshold: 1.0,
    },
    Watch {
        thing: "failed-authorisation",
        metric: "FailedAuthorisation",
        what: "Calls to AWS were denied",
        pattern: r#"{ $.errorCode = "AccessDenied*" || $.errorCode = "*UnauthorizedOperation" }"#,
        // A denial now and then is a mistake; many are somebody trying doors.
        threshold: 5.0,
    },
];

/// Declares `security/alarm-topic` and `security/alarm-…` for root use, key deletion, changes of a
/// trail and of security groups, and failed authorisation.
pub fn declare_alarms(stack: &mut Stack, spec: &AlarmsSpec) -> Alarms {
    let name = stack.name().of("alarms");
    let topic = Topic {
        policy: topic_policy(&spec.place, &spec.place.arn("sns", &name)),
        kms_key: Some(spec.kms_key.clone()),
        subscriptions: spec.subscriptions.clone(),
        name: name.clone(),
    };
    let tags = BTreeMap::from([("Name".to_owned(), name)]);
    let topic = stack.add_tagged("security/alarm-topic", topic, tags);

    let namespace = format!("FerpaStack/{}", stack.name());
    let mut metric_filters = Vec::new();
    for watch in WATCHES {
        let alarm = Alarm {
            name: stack.name().of(watch.thing),
            description: watch.what.into(),
            namespace: namespace.clone(),
            metric: watch.metric.into(),
            dimensions: BTreeMap::new(),
            statistic: "Sum".into(),
            period_seconds: 300,
            evaluation_periods: 1,
            threshold: watch.threshold,
            comparison: "GreaterThanOrEqualToThreshold".into(),
            // No event, no data.
            missing_data: "notBreaching".into(),
            actions_enabled: true,
            alarm_actions: [topic.id()].into(),
            ok_actions: BTreeSet::new(),
        };
        stack.add(format!("security/alarm-{}", watch.thing), alarm);
        metric_filters.push(MetricFilter {
            name: stack.name().of(watch.thing),
            pattern: watch.pattern.into(),
            metric_namespace: namespace.clone(),
            metric_name: watch.metric.into(),
        });
    }
    Alarms { topic: topic.id(), metric_filters }
}

/// The account administers the topic; CloudWatch's alarms of this account publish to it.
fn topic_policy(place: &Place, topic: &str) -> Policy {
    Policy::new(vec![
        json!({
            "Sid": "AccountAdministers",
            "Effect": "Allow",
            "Principal": {"AWS": place.root()},
            "Action": [
                "SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission",
                "SNS:RemovePermission", "SNS:DeleteTopic", "SNS:Subscribe",
                "SNS:ListSubscriptionsByTopic", "SNS:Publish",
            ],
            "Resource": topic,
        }),
        json!({
            "Sid": "AlarmsPublish",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "SNS:Publish",
            "Resource": topic,
            "Condition": {
                "ArnLike": {"aws:SourceArn": place.arn("cloudwatch", "alarm:*")},
                "StringEquals": {"aws:SourceAccount": place.account_id},
            },
        }),
        json!({
            "Sid": "NoPlainTransport",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "SNS:Publish",
            "Resource": topic,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }),
    ])
}

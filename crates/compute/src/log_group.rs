//! `logs.log_group`: a group of log streams with its key, its retention, and what is derived from it.

use std::collections::BTreeMap;

use aws_sdk_cloudwatchlogs::types::{
    LogGroup as Found, LogGroupClass, MetricFilter as FoundMetric, MetricTransformation,
};
use engine::vocabulary::{Arn, ForLogs, KeyArn, LogGroupArn, LogGroupName, RoleArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Handle, Live, New, Permissions, Ref, Resource,
    Result, Scope, Stack, Tags, Traits, When, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::gathered::{gathered, incomplete};

/// The retention periods that CloudWatch Logs takes, in days.
pub const RETENTION_DAYS_ALLOWED: &[i32] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// How many groups are read at a time.
const CONCURRENT: usize = 8;

/// A log group. Its id is its name; its ARN is without the trailing `:*`.
///
/// It is protected: what the tasks, the database, the API and the network write down is the record
/// of who saw what (34 CFR 99.32), and goes only when the operator agrees to lose it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogGroup {
    /// Its name, unique in the region: letters, digits and `.-_/#`, at most 512.
    pub name: String,
    /// `STANDARD` or `INFREQUENT_ACCESS`. Metric and subscription filters need `STANDARD`.
    pub class: String,
    /// The customer key that encrypts it. `None`: a key that AWS owns.
    pub kms_key: Option<Ref<KeyArn<ForLogs>>>,
    /// How long events are kept, in days, one of [`RETENTION_DAYS_ALLOWED`]. `None`: for ever.
    pub retention_days: Option<i32>,
    /// What is counted, by name.
    pub metric_filters: BTreeMap<String, MetricFilter>,
    /// Where events go as they come in, by name. At most two.
    pub subscription_filters: BTreeMap<String, SubscriptionFilter>,
}

/// Events that match a pattern make a metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricFilter {
    /// Which events, in CloudWatch Logs' filter syntax.
    pub pattern: String,
    /// The metric's namespace.
    pub namespace: String,
    /// The metric's name.
    pub metric: String,
    /// What each event adds: a number, or `$.field`.
    pub value: String,
}

/// Events that match a pattern go to a stream or function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionFilter {
    /// The ARN of a Firehose stream, a Kinesis stream or a function.
    pub destination: Ref<Arn>,
    /// The role with which CloudWatch Logs writes there; functions need none.
    pub role: Option<Ref<RoleArn>>,
    /// Which events. Empty: all.
    pub pattern: String,
}

impl Resource for LogGroup {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name", "class"],
        late: &["retention_days", "metric_filters", "subscription_filters"],
        protected: true,
        not_yet: &[
            // The key's policy has not arrived everywhere.
            ("AccessDeniedException", "KMS key"),
            ("InvalidParameterException", "KMS"),
            // The destination, or the role that writes there, has not.
            ("InvalidParameterException", "Could not deliver test message"),
            ("OperationAbortedException", ""),
        ],
        costly: true,
        permissions: Permissions {
            read: &[
                Allow::to(&["logs:DescribeLogGroups", "logs:DescribeMetricFilters"]),
                Allow::to(&["logs:ListTagsForResource", "logs:DescribeSubscriptionFilters"])
                    .on(&["logs:{here}:log-group:{perhaps}"]),
            ],
            make: &[
                Allow::to(&["logs:CreateLogGroup"])
                    .on(&[
                        "logs:{here}:log-group:*{name}",
                        "logs:{here}:log-group:*{name}:*",
                        "logs:{here}:log-group:*{name}/*",
                    ])
                    .for_stack(),
                Allow::to(&[
                    "logs:AssociateKmsKey",
                    "logs:PutRetentionPolicy",
                    "logs:PutMetricFilter",
                    "logs:PutSubscriptionFilter",
                    "logs:TagResource",
                ])
                .on(&[
                    "logs:{here}:log-group:*{name}",
                    "logs:{here}:log-group:*{name}:*",
                    "logs:{here}:log-group:*{name}/*",
                ]),
                Allow::to(&[
                    "logs:DisassociateKmsKey",
                    "logs:DeleteRetentionPolicy",
                    "logs:DeleteMetricFilter",
                    "logs:DeleteSubscriptionFilter",
                    "logs:UntagResource",
                ])
                .on(&[
                    "logs:{here}:log-group:*{name}",
                    "logs:{here}:log-group:*{name}:*",
                    "logs:{here}:log-group:*{name}/*",
                ])
                .of_stack(),
                Allow::to(&["iam:PassRole"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                    .under(&[When::equals("iam:PassedToService", &["logs.amazonaws.com"])]),
            ],
            remove: &[Allow::to(&["logs:DeleteSubscriptionFilter", "logs:DeleteLogGroup"])
                .on(&[
                    "logs:{here}:log-group:*{name}",
                    "logs:{here}:log-group:*{name}:*",
                    "logs:{here}:log-group:*{name}/*",
                ])
                .of_stack()],
        },
        ..Traits::of("logs.log_group")
    };
    type Id = LogGroupName;
    type Arn = LogGroupArn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        match listed(aws).await {
            Ok(groups) => {
                // One listing for all groups, and none where it would tell of none of ours.
                let ours = groups
                    .iter()
                    .any(|group| scope.may_be_ours(group.log_group_name().unwrap_or_default()));
                let metrics = &if ours { metric_filters(aws).await } else { Ok(ByGroup::new()) };
                let reads = groups.into_iter().map(|group| read(aws, scope, group, metrics));
                gathered(futures::stream::iter(reads).buffer_unordered(CONCURRENT)).await
            }
            Err(error) => Collected::failed(error),
        }
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let call = client!(aws, aws_sdk_cloudwatchlogs)
            .create_log_group()
            .log_group_name(&self.name)
            .log_group_class(LogGroupClass::from(self.class.as_str()))
            .set_kms_key_id(self.kms_key.as_ref().map(ToString::to_string))
            .set_tags(Some(new.tags.clone().into_iter().collect()));
        aws.call("logs:CreateLogGroup", call.send()).await?;
        let spec = Self {
            name: self.name.clone(),
            class: self.class.clone(),
            kms_key: self.kms_key.clone(),
            retention_days: None,
            metric_filters: BTreeMap::new(),
            subscription_filters: BTreeMap::new(),
        };
        let arn = aws.arn("logs", &format!("log-group:{}", self.name));
        Ok(Live::new(&self.name, spec).with_arn(arn).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.has("kms_key") {
            self.set_key(aws, &live.id).await?;
        }
        if changes.has("retention_days") {
            self.set_retention(aws, &live.id).await?;
        }
        if changes.has("metric_filters") {
            self.set_metric_filters(aws, live).await?;
        }
        if changes.has("subscription_filters") {
            self.set_subscription_filters(aws, live).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let logs = client!(aws, aws_sdk_cloudwatchlogs);
        let arn = live.require_arn("logs:DescribeLogGroups")?;
        if !put.is_empty() {
            let tags = put.clone().into_iter().collect();
            let call = logs.tag_resource().resource_arn(arn).set_tags(Some(tags));
            aws.call("logs:TagResource", call.send()).await?;
        }
        if !remove.is_empty() {
            let call = logs.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
            aws.call("logs:UntagResource", call.send()).await?;
        }
        Ok(())
    }

    /// A delivery stream that the group feeds may log its own errors to the group.
    async fn detach(aws: &Aws, live: &Live<Self>) -> Result<()> {
        for name in live.spec.subscription_filters.keys() {
            delete_subscription(aws, &live.id, name).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, deletion: &Deletion) -> Result<()> {
        if !deletion.allow_data_loss {
            return Err(Error::Kept {
                what: format!("the log group {}", live.id),
                why: "its events are evidence".into(),
            });
        }
        let call = client!(aws, aws_sdk_cloudwatchlogs).delete_log_group().log_group_name(&live.id);
        aws.find("logs:DeleteLogGroup", call.send()).await?;
        Ok(())
    }
}

impl LogGroup {
    async fn set_key(&self, aws: &Aws, group: &str) -> Result<()> {
        let logs = client!(aws, aws_sdk_cloudwatchlogs);
        match &self.kms_key {
            Some(key) => {
                let call = logs.associate_kms_key().log_group_name(group).kms_key_id(key.as_str());
                aws.call("logs:AssociateKmsKey", call.send()).await?;
            }
            None => {
                let call = logs.disassociate_kms_key().log_group_name(group);
                aws.call("logs:DisassociateKmsKey", call.send()).await?;
            }
        }
        Ok(())
    }

    async fn set_retention(&self, aws: &Aws, group: &str) -> Result<()> {
        let logs = client!(aws, aws_sdk_cloudwatchlogs);
        match self.retention_days {
            Some(days) => {
                let call =
                    logs.put_retention_policy().log_group_name(group).retention_in_days(days);
                aws.call("logs:PutRetentionPolicy", call.send()).await?;
            }
            None => {
                let call = logs.delete_retention_policy().log_group_name(group);
                aws.call("logs:DeleteRetentionPolicy", call.send()).await?;
            }
        }
        Ok(())
    }

    async fn set_metric_filters(&self, aws: &Aws, live: &Live<Self>) -> Result<()> {
        let logs = client!(aws, aws_sdk_cloudwatchlogs);
        for (name, filter) in &self.metric_filters {
            if live.spec.metric_filters.get(name) == Some(filter) {
                continue;
            }
            let transformation = MetricTransformation::builder()
                .metric_namespace(&filter.namespace)
                .metric_name(&filter.metric)
                .metric_value(&filter.value)
                .build()
                .map_err(|why| Error::invalid(format!("the metric filter {name}"), why))?;
            let call = logs
                .put_metric_filter()
                .log_group_name(&live.id)
                .filter_name(name)
                .filter_pattern(&filter.pattern)
                .metric_transformations(transformation);
            aws.call("logs:PutMetricFilter", call.send()).await?;
        }
        for name in live.spec.metric_filters.keys() {
            if !self.metric_filters.contains_key(name) {
                let call = logs.delete_metric_filter().log_group_name(&live.id).filter_name(name);
                aws.find("logs:DeleteMetricFilter", call.send()).await?;
            }
        }
        Ok(())
    }

    async fn set_subscription_filters(&self, aws: &Aws, live: &Live<Self>) -> Result<()> {
        // A group takes two at most: the old ones go first.
        for name in live.spec.subscription_filters.keys() {
            if !self.subscription_filters.contains_key(name) {
                delete_subscription(aws, &live.id, name).await?;
            }
        }
        for (name, filter) in &self.subscription_filters {
            if live.spec.subscription_filters.get(name) == Some(filter) {
                continue;
            }
            let call = client!(aws, aws_sdk_cloudwatchlogs)
                .put_subscription_filter()
                .log_group_name(&live.id)
                .filter_name(name)
                .filter_pattern(&filter.pattern)
                .destination_arn(filter.destination.as_str())
                .set_role_arn(filter.role.as_ref().map(ToString::to_string));
            aws.call("logs:PutSubscriptionFilter", call.send()).await?;
        }
        Ok(())
    }
}

async fn delete_subscription(aws: &Aws, group: &str, name: &str) -> Result<()> {
    let call = client!(aws, aws_sdk_cloudwatchlogs)
        .delete_subscription_filter()
        .log_group_name(group)
        .filter_name(name);
    aws.find("logs:DeleteSubscriptionFilter", call.send()).await?;
    Ok(())
}

async fn listed(aws: &Aws) -> Result<Vec<Found>> {
    let call = client!(aws, aws_sdk_cloudwatchlogs).describe_log_groups().into_paginator().items();
    aws.call("logs:DescribeLogGroups", call.send().try_collect()).await
}

type ByGroup = BTreeMap<String, BTreeMap<String, MetricFilter>>;

async fn read(
    aws: &Aws,
    scope: &Scope,
    group: Found,
    metrics: &Result<ByGroup>,
) -> Collected<LogGroup> {
    let mut live = match live(group) {
        Ok(live) => live,
        Err(error) => return Collected::failed(error),
    };
    let name = live.id.clone();
    let own = metrics.as_ref().map(|all| all.get(&name).cloned().unwrap_or_default());
    live.read("metric_filters", own.map_err(Clone::clone), |spec, own| spec.metric_filters = own);
    // Tags and subscriptions cost a call each.
    if !scope.may_be_ours(&name) {
        return Collected::of(vec![live]);
    }
    match tags(aws, &live).await {
        Ok(tags) => live.tags = tags,
        Err(error) => return incomplete(live, error),
    }
    if scope.wants(&live.tags) {
        let own = subscription_filters(aws, &name).await;
        live.read("subscription_filters", own, |spec, own| spec.subscription_filters = own);
    }
    Collected::of(vec![live])
}

async fn tags(aws: &Aws, live: &Live<LogGroup>) -> Result<Tags> {
    let arn = live.require_arn("logs:DescribeLogGroups")?;
    let call = client!(aws, aws_sdk_cloudwatchlogs).list_tags_for_resource().resource_arn(arn);
    // Gone between the two calls: as if it had no tags.
    let found = aws.find("logs:ListTagsForResource", call.send()).await?;
    Ok(found.and_then(|found| found.tags).unwrap_or_default().into_iter().collect())
}

fn live(group: Found) -> Result<Live<LogGroup>> {
    let action = "logs:DescribeLogGroups";
    let name = group.log_group_name.ok_or_else(|| Error::incomplete(action, "a group's name"))?;
    let arn = group.log_group_arn.or(group.arn);
    let arn = arn.ok_or_else(|| Error::incomplete(action, "a group's ARN"))?;
    let arn = arn.strip_suffix(":*").unwrap_or(&arn);
    let class = group.log_group_class.unwrap_or(LogGroupClass::Standard);
    let spec = LogGroup {
        name: name.clone(),
        class: class.as_str().into(),
        kms_key: group.kms_key_id.map(Ref::known),
        retention_days: group.retention_in_days,
        metric_filters: BTreeMap::new(),
        subscription_filters: BTreeMap::new(),
    };
    Ok(Live::new(name, spec).with_arn(arn))
}

/// The metric filters of all groups, by group.
async fn metric_filters(aws: &Aws) -> Result<ByGroup> {
    let action = "logs:DescribeMetricFilters";
    let call = client!(aws, aws_sdk_cloudwatchlogs).describe_metric_filters();
    let call = call.into_paginator().items();
    let filters = aws.call(action, call.send().try_collect()).await?;
    let mut by_group = ByGroup::new();
    for filter in filters {
        let group = filter.log_group_name.clone();
        let group = group.ok_or_else(|| Error::incomplete(action, "a filter's log group"))?;
        let (name, filter) = metric_filter(filter)?;
        by_group.entry(group).or_default().insert(name, filter);
    }
    Ok(by_group)
}

fn metric_filter(found: FoundMetric) -> Result<(String, MetricFilter)> {
    let action = "logs:DescribeMetricFilters";
    let name = found.filter_name.ok_or_else(|| Error::incomplete(action, "a filter's name"))?;
    let transformation = found.metric_transformations.unwrap_or_default().into_iter().next();
    let to = transformation.ok_or_else(|| Error::incomplete(action, "a filter's metric"))?;
    let filter = MetricFilter {
        pattern: found.filter_pattern.unwrap_or_default(),
        namespace: to.metric_namespace,
        metric: to.metric_name,
        value: to.metric_value,
    };
    Ok((name, filter))
}

async fn subscription_filters(
    aws: &Aws,
    group: &str,
) -> Result<BTreeMap<String, SubscriptionFilter>> {
    let action = "logs:DescribeSubscriptionFilters";
    let call = client!(aws, aws_sdk_cloudwatchlogs).describe_subscription_filters();
    let call = call.log_group_name(group).into_paginator().items();
    let found = aws.call(action, call.send().try_collect()).await?;
    let mut filters = BTreeMap::new();
    for filter in found {
        let (Some(name), Some(destination)) = (filter.filter_name, filter.destination_arn) else {
            return Err(Error::incomplete(action, "a filter's name or destination"));
        };
        let filter = SubscriptionFilter {
            destination: Ref::known(destination),
            role: filter.role_arn.map(Ref::known),
            pattern: filter.filter_pattern.unwrap_or_default(),
        };
        filters.insert(name, filter);
    }
    Ok(filters)
}

/// A log group as a layer asks for it.
#[derive(Debug, Clone)]
pub struct LogGroupSpec {
    /// Its name. A name that [`StackName::of`](engine::StackName::of) builds has to be in it: of others the tags are
    /// not read, so that the stack would not know the group as its own.
    pub name: String,
    /// The key that encrypts it.
    pub kms_key: Ref<KeyArn<ForLogs>>,
    /// How long events are kept, in days. Raised to the next period that CloudWatch Logs takes.
    pub retention_days: i32,
    /// What is counted, by name.
    pub metric_filters: BTreeMap<String, MetricFilter>,
    /// Where events go as they come in, by name.
    pub subscription_filters: BTreeMap<String, SubscriptionFilter>,
}

impl LogGroupSpec {
    /// A group with a key and a year of retention.
    pub fn new(name: impl Into<String>, kms_key: Ref<KeyArn<ForLogs>>) -> Self {
        Self {
            name: name.into(),
            kms_key,
            retention_days: 365,
            metric_filters: BTreeMap::new(),
            subscription_filters: BTreeMap::new(),
        }
    }

    /// With another retention, in days.
    #[must_use]
    pub fn kept_for(mut self, days: i32) -> Self {
        self.retention_days = days;
        self
    }
}

/// Declares a log group.
pub fn declare_log_group(stack: &mut Stack, id: &str, spec: &LogGroupSpec) -> Handle<LogGroup> {
    stack.add(
        id,
        LogGroup {
            name: spec.name.clone(),
            class: "STANDARD".into(),
            kms_key: Some(spec.kms_key.clone()),
            retention_days: Some(retention_at_least(spec.retention_days)),
            metric_filters: spec.metric_filters.clone(),
            subscription_filters: spec.subscription_filters.clone(),
        },
    )
}

/// The shortest period that CloudWatch Logs takes and that is not shorter than `days`; ten years where
/// there is none.
pub fn retention_at_least(days: i32) -> i32 {
    let longest = 3653;
    RETENTION_DAYS_ALLOWED.iter().copied().find(|allowed| *allowed >= days).unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_never_shorter_than_asked_for() {
        assert_eq!(retention_at_least(365), 365);
        assert_eq!(retention_at_least(366), 400);
        assert_eq!(retention_at_least(2557), 2557);
    }

    #[test]
    fn an_arn_loses_its_stars_and_a_missing_class_is_the_standard_one() {
        let found = Found::builder()
            .log_group_name("/app")
            .arn("arn:aws:logs:us-east-1:123456789012:log-group:/app:*")
            .build();
        let live = live(found).unwrap();
        assert_eq!(live.arn.as_deref(), Some("arn:aws:logs:us-east-1:123456789012:log-group:/app"));
        assert_eq!((live.spec.class.as_str(), live.spec.retention_days), ("STANDARD", None));
    }

    #[test]
    fn a_group_without_an_arn_is_an_error() {
        let found = Found::builder().log_group_name("/app").build();
        assert!(live(found).is_err());
    }
}

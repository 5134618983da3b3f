//! `cloudwatch.alarm`: an alarm on one metric.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, MetricAlarm, Statistic, Tag};
use engine::vocabulary::{Arn, Name, TopicArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Ref, Resource, Result,
    Scope, Tags, Traits, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// An alarm. Its id is its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// The name, unique in account and region.
    pub name: String,
    /// What it means when it rings.
    pub description: String,
    /// The namespace of the metric.
    pub namespace: String,
    /// The metric.
    pub metric: String,
    /// What tells the metric from its siblings.
    pub dimensions: BTreeMap<String, String>,
    /// `Sum`, `Average`, `Minimum`, `Maximum` or `SampleCount`.
    pub statistic: String,
    /// Over how many seconds it is taken: 10, 30 or a multiple of 60.
    pub period_seconds: u32,
    /// How many periods are looked at.
    pub evaluation_periods: u32,
    /// What the statistic is compared with.
    pub threshold: f64,
    /// `GreaterThanOrEqualToThreshold`…
    pub comparison: String,
    /// What a period without data is: `missing`, `notBreaching`, `breaching` or `ignore`.
    pub missing_data: String,
    /// Whether the actions are carried out.
    pub actions_enabled: bool,
    /// Who is told when it rings.
    pub alarm_actions: BTreeSet<Ref<TopicArn>>,
    /// Who is told when it stops.
    pub ok_actions: BTreeSet<Ref<TopicArn>>,
}

impl Resource for Alarm {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name"],
        costly: true,
        permissions: Permissions {
            read: &[
                Allow::to(&["cloudwatch:DescribeAlarms"]),
                Allow::to(&["cloudwatch:ListTagsForResource"])
                    .on(&["cloudwatch:{here}:alarm:{perhaps}"]),
            ],
            make: &[
                Allow::to(&["cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"])
                    .on(&["cloudwatch:{here}:alarm:{name}"]),
                Allow::to(&["cloudwatch:UntagResource"])
                    .on(&["cloudwatch:{here}:alarm:{name}"])
                    .of_stack(),
            ],
            remove: &[Allow::to(&["cloudwatch:DeleteAlarms"])
                .on(&["cloudwatch:{here}:alarm:{name}"])
                .of_stack()],
        },
        ..Traits::of("cloudwatch.alarm")
    };
    type Id = Name;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        list(aws, scope).await.unwrap_or_else(Collected::failed)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        self.put(aws, Some(to_cloudwatch(&new.tags))).await?;
        let arn = aws.arn("cloudwatch", &format!("alarm:{}", self.name));
        Ok(Live::new(&self.name, self.clone()).with_arn(arn).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, _: &Live<Self>, _: &Changes) -> Result<()> {
        self.put(aws, None).await
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let cloudwatch = client!(aws, aws_sdk_cloudwatch);
        let arn = live.require_arn("cloudwatch:DescribeAlarms")?;
        if !put.is_empty() {
            let call =
                cloudwatch.tag_resource().resource_arn(arn).set_tags(Some(to_cloudwatch(put)));
            aws.call("cloudwatch:TagResource", call.send()).await?;
        }
        if !remove.is_empty() {
            let call =
                cloudwatch.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
            aws.call("cloudwatch:UntagResource", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_cloudwatch).delete_alarms().alarm_names(&live.id);
        aws.call("cloudwatch:DeleteAlarms", call.send()).await?;
        Ok(())
    }
}

impl Alarm {
    /// Makes it, or replaces all its attributes. AWS takes tags only from the call that makes it.
    async fn put(&self, aws: &Aws, tags: Option<Vec<Tag>>) -> Result<()> {
        let dimension = |(name, value)| Dimension::builder().name(name).value(value).build();
        let names = |topics: &BTreeSet<Ref<TopicArn>>| topics.iter().map(Ref::to_string).collect();
        let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let call = client!(aws, aws_sdk_cloudwatch)
            .put_metric_alarm()
            .alarm_name(&self.name)
            .alarm_description(&self.description)
            .namespace(&self.namespace)
            .metric_name(&self.metric)
            .set_dimensions(Some(self.dimensions.iter().map(dimension).collect()))
            .statistic(Statistic::from(self.statistic.as_str()))
            .period(count(self.period_seconds))
            .evaluation_periods(count(self.evaluation_periods))
            .threshold(self.threshold)
            .comparison_operator(ComparisonOperator::from(self.comparison.as_str()))
            .treat_missing_data(&self.missing_data)
            .actions_enabled(self.actions_enabled)
            .set_alarm_actions(Some(names(&self.alarm_actions)))
            .set_ok_actions(Some(names(&self.ok_actions)))
            .set_tags(tags);
        aws.call("cloudwatch:PutMetricAlarm", call.send()).await?;
        Ok(())
    }
}

async fn list(aws: &Aws, scope: &Scope) -> Result<Collected<Alarm>> {
    let action = "cloudwatch:DescribeAlarms";
    let call = client!(aws, aws_sdk_cloudwatch).describe_alarms().into_paginator();
    let pages: Vec<_> = aws.call(action, call.send().try_collect()).await?;
    let alarms = pages.into_iter().flat_map(|page| page.metric_alarms.unwrap_or_default());
    let reads = alarms.map(|alarm| async move {
        let mut live = live(action, alarm)?;
        if scope.may_be_ours(&live.id) {
            let arn = live.require_arn(action)?;
            let call = client!(aws, aws_sdk_cloudwatch).list_tags_for_resource().resource_arn(arn);
            let tags = aws.call("cloudwatch:ListTagsForResource", call.send()).await?.tags;
            let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
            live.tags = tags.unwrap_or_default().into_iter().filter_map(pair).collect();
        }
        Ok(live)
    });
    let read: Vec<_> = futures::stream::iter(reads).buffer_unordered(8).collect().await;
    let mut found = Collected::default();
    for one in read {
        match one {
            Ok(live) => found.live.push(live),
            // It went between the listing and now.
            Err(Error::Api(error)) if error.is_not_found() => {}
            Err(Error::Api(error)) => found.errors.push(error),
            Err(other) => return Err(other),
        }
    }
    Ok(found)
}

fn live(action: &str, alarm: MetricAlarm) -> Result<Live<Alarm>> {
    let missing = || Error::incomplete(action, "an alarm's name and ARN");
    let name = alarm.alarm_name.ok_or_else(missing)?;
    let arn = alarm.alarm_arn.ok_or_else(missing)?;
    let count = |number: Option<i32>| number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let topics = |names: Option<Vec<String>>| {
        names.unwrap_or_default().into_iter().map(Ref::known).collect()
    };
    let pair = |one: Dimension| Some((one.name?, one.value.unwrap_or_default()));
    let spec = Alarm {
        name: name.clone(),
        description: alarm.alarm_description.unwrap_or_default(),
        namespace: alarm.namespace.unwrap_or_default(),
        metric: alarm.metric_name.unwrap_or_default(),
        dimensions: alarm.dimensions.unwrap_or_default().into_iter().filter_map(pair).collect(),
        statistic: alarm.statistic.map(|s| s.as_str().to_owned()).unwrap_or_default(),
        period_seconds: count(alarm.period),
        evaluation_periods: count(alarm.evaluation_periods),
        threshold: alarm.threshold.unwrap_or_default(),
        comparison: alarm.comparison_operator.map(|c| c.as_str().to_owned()).unwrap_or_default(),
        missing_data: alarm.treat_missing_data.unwrap_or_else(|| "missing".into()),
        actions_enabled: alarm.actions_enabled.unwrap_or(true),
        alarm_actions: topics(alarm.alarm_actions),
        ok_actions: topics(alarm.ok_actions),
    };
    Ok(Live::new(name, spec).with_arn(arn))
}

fn to_cloudwatch(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

//! `sns.topic`: where alarms go, and who is told.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_sns::types::Tag;
use engine::vocabulary::{ForLogs, KeyArn, TopicArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Policy, Ref, Resource,
    Result, Scope, Tags, Traits, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A topic. Its id is its ARN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Topic {
    /// The name, unique in account and region.
    pub name: String,
    /// The key that encrypts messages at rest; `None` is no encryption.
    pub kms_key: Option<Ref<KeyArn<ForLogs>>>,
    /// Who may publish and subscribe.
    pub policy: Policy,
    /// Who is told. One that is not confirmed yet counts, so that nobody is asked twice; AWS forgets it after two
    /// days.
    pub subscriptions: BTreeSet<Subscription>,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subscription {
    /// `email`, `https`, `sqs`…
    pub protocol: String,
    /// The address, as the protocol wants it.
    pub endpoint: String,
    /// Whether it has been confirmed, where the protocol asks for that. Read for whoever inspects it; one that is
    /// wanted is as good as confirmed.
    #[serde(default = "confirmed")]
    pub confirmed: bool,
}

fn confirmed() -> bool {
    true
}

impl Subscription {
    /// A subscription that is wanted.
    pub fn to(protocol: impl Into<String>, endpoint: impl Into<String>) -> Self {
        Self { protocol: protocol.into(), endpoint: endpoint.into(), confirmed: true }
    }

    /// The same as somebody who asks for it writes it.
    fn asked_for(&self) -> Self {
        Self { confirmed: true, ..self.clone() }
    }
}

impl Resource for Topic {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name"],
        late: &["subscriptions"],
        costly: true,
        permissions: Permissions {
            read: &[
                Allow::to(&["sns:ListTopics"]),
                Allow::to(&[
                    "sns:GetTopicAttributes",
                    "sns:ListTagsForResource",
                    "sns:ListSubscriptionsByTopic",
                ])
                .on(&["sns:{here}:{perhaps}"]),
            ],
            make: &[
                Allow::to(&["sns:CreateTopic"]).on(&["sns:{here}:{name}"]).for_stack(),
                Allow::to(&["sns:Subscribe", "sns:TagResource"]).on(&["sns:{here}:{name}"]),
                Allow::to(&["sns:SetTopicAttributes", "sns:UntagResource"])
                    .on(&["sns:{here}:{name}"])
                    .of_stack(),
                Allow::to(&["sns:Unsubscribe"]),
            ],
            remove: &[Allow::to(&["sns:DeleteTopic"]).on(&["sns:{here}:{name}"]).of_stack()],
        },
        ..Traits::of("sns.topic")
    };
    type Id = TopicArn;
    type Arn = TopicArn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        list(aws, scope).await.unwrap_or_else(Collected::failed)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "sns:CreateTopic";
        let call = client!(aws, aws_sdk_sns)
            .create_topic()
            .name(&self.name)
            .attributes("Policy", self.policy.to_string())
            .set_tags(Some(to_sns(&new.tags)?));
        let call = match &self.kms_key {
            Some(key) => call.attributes("KmsMasterKeyId", key.as_str()),
            None => call,
        };
        let made = aws.call(action, call.send()).await?;
        let arn = made.topic_arn.ok_or_else(|| Error::incomplete(action, "the topic's ARN"))?;
        let spec = Self { subscriptions: BTreeSet::new(), ..self.clone() };
        Ok(Live::new(arn.clone(), spec).with_arn(arn).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.has("kms_key") {
            // An empty key switches encryption off.
            let key = self.kms_key.as_ref().map(ToString::to_string).unwrap_or_default();
            set(aws, &live.id, "KmsMasterKeyId", key).await?;
        }
        if changes.has("policy") {
            set(aws, &live.id, "Policy", self.policy.to_string()).await?;
        }
        if changes.has("subscriptions") {
            self.subscribe(aws, &live.id).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let sns = client!(aws, aws_sdk_sns);
        if !put.is_empty() {
            let call = sns.tag_resource().resource_arn(&live.id).set_tags(Some(to_sns(put)?));
            aws.call("sns:TagResource", call.send()).await?;
        }
        if !remove.is_empty() {
            let call =
                sns.untag_resource().resource_arn(&live.id).set_tag_keys(Some(remove.to_vec()));
            aws.call("sns:UntagResource", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        // The subscriptions go too. No error where there is no such topic.
        let call = client!(aws, aws_sdk_sns).delete_topic().topic_arn(&live.id);
        aws.call("sns:DeleteTopic", call.send()).await?;
        Ok(())
    }

    /// One that waits to be confirmed is there if it is wanted, and of no account if it is not: nothing can be done
    /// about it.
    fn settled(field: &str, desired: &Value, live: &Value) -> bool {
        let set = |value: &Value| BTreeSet::<Subscription>::deserialize(value).ok();
        let (Some(desired), Some(live)) = (set(desired), set(live)) else { return false };
        let asked: BTreeSet<Subscription> = live.iter().map(Subscription::asked_for).collect();
        let confirmed: BTreeSet<Subscription> =
            live.into_iter().filter(|one| one.confirmed).collect();
        field == "subscriptions" && desired.is_subset(&asked) && confirmed.is_subset(&desired)
    }
}

impl Topic {
    async fn subscribe(&self, aws: &Aws, topic: &str) -> Result<()> {
        let sns = client!(aws, aws_sdk_sns);
        let existing = subscriptions(aws, topic).await?;
        let asked: BTreeSet<Subscription> = existing.keys().map(Subscription::asked_for).collect();
        for wanted in self.subscriptions.iter().filter(|one| !asked.contains(*one)) {
            let call = sns
                .subscribe()
                .topic_arn(topic)
                .protocol(&wanted.protocol)
                .endpoint(&wanted.endpoint);
            aws.call("sns:Subscribe", call.send()).await?;
        }
        for (subscription, arn) in existing {
            // One that nobody has confirmed has no ARN, cannot be cancelled, and expires.
            if subscription.confirmed && !self.subscriptions.contains(&subscription) {
                let call = sns.unsubscribe().subscription_arn(arn);
                aws.call("sns:Unsubscribe", call.send()).await?;
            }
        }
        Ok(())
    }
}

async fn set(aws: &Aws, topic: &str, name: &str, value: String) -> Result<()> {
    let call = client!(aws, aws_sdk_sns)
        .set_topic_attributes()
        .topic_arn(topic)
        .attribute_name(name)
        .attribute_value(value);
    aws.call("sns:SetTopicAttributes", call.send()).await?;
    Ok(())
}

async fn list(aws: &Aws, scope: &Scope) -> Result<Collected<Topic>> {
    let call = client!(aws, aws_sdk_sns).list_topics().into_paginator().items();
    let topics = aws.call("sns:ListTopics", call.send().try_collect()).await?;
    let reads = topics
        .into_iter()
        .filter_map(|topic| topic.topic_arn)
        .map(|arn| async move { read(aws, scope, arn).await });
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

async fn read(aws: &Aws, scope: &Scope, arn: String) -> Result<Live<Topic>> {
    let name = arn.rsplit(':').next().unwrap_or(&arn).to_owned();
    let spec = Topic {
        name: name.clone(),
        kms_key: None,
        policy: Policy::default(),
        subscriptions: BTreeSet::new(),
    };
    let mut live = Live::new(arn.clone(), spec).with_arn(arn.clone());
    if !scope.may_be_ours(&name) {
        return Ok(live);
    }
    let call = client!(aws, aws_sdk_sns).list_tags_for_resource().resource_arn(&arn);
    let tags = aws.call("sns:ListTagsForResource", call.send()).await?.tags.unwrap_or_default();
    live.tags = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    if scope.wants(&live.tags) {
        let (attributes, subscriptions) =
            futures::join!(attributes(aws, &arn), subscriptions(aws, &arn));
        let kms_key = attributes.clone().map(|all| all.get("KmsMasterKeyId").cloned());
        live.read("kms_key", kms_key, |spec, key| {
            spec.kms_key = key.filter(|key| !key.is_empty()).map(Ref::known);
        });
        let policy = attributes.and_then(|all| policy(&arn, &all));
        live.read("policy", policy, |spec, policy| spec.policy = policy);
        live.read("subscriptions", subscriptions, |spec, all| {
            spec.subscriptions = all.into_keys().collect();
        });
    }
    Ok(live)
}

async fn attributes(aws: &Aws, arn: &str) -> Result<BTreeMap<String, String>> {
    let call = client!(aws, aws_sdk_sns).get_topic_attributes().topic_arn(arn);
    let answer = aws.call("sns:GetTopicAttributes", call.send()).await?;
    Ok(answer.attributes.unwrap_or_default().into_iter().collect())
}

fn policy(arn: &str, attributes: &BTreeMap<String, String>) -> Result<Policy> {
    let text = attributes.get("Policy");
    let text = text.ok_or_else(|| Error::incomplete("sns:GetTopicAttributes", "the policy"))?;
    Policy::parse(text).map_err(|why| Error::invalid(format!("the policy of {arn}"), why))
}

/// The subscriptions of a topic, with their ARNs (or `PendingConfirmation`). AWS goes on listing those that were
/// cancelled for a while: as `Deleted`.
async fn subscriptions(aws: &Aws, arn: &str) -> Result<BTreeMap<Subscription, String>> {
    let call =
        client!(aws, aws_sdk_sns).list_subscriptions_by_topic().topic_arn(arn).into_paginator();
    let all = aws.call("sns:ListSubscriptionsByTopic", call.items().send().try_collect()).await?;
    Ok(all.into_iter().filter_map(subscription).collect())
}

fn subscription(one: aws_sdk_sns::types::Subscription) -> Option<(Subscription, String)> {
    let arn = one.subscription_arn.unwrap_or_default();
    let confirmed = arn.starts_with("arn:");
    let subscription = Subscription { protocol: one.protocol?, endpoint: one.endpoint?, confirmed };
    (arn != "Deleted").then_some((subscription, arn))
}

fn to_sns(tags: &Tags) -> Result<Vec<Tag>> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build();
    let tags: std::result::Result<_, _> = tags.iter().map(tag).collect();
    tags.map_err(|why| Error::invalid("the tags of a topic", why))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(arn: &str) -> Option<(Subscription, String)> {
        subscription(
            aws_sdk_sns::types::Subscription::builder()
                .protocol("email")
                .endpoint("security@example.edu")
                .subscription_arn(arn)
                .build(),
        )
    }

    #[test]
    fn a_cancelled_subscription_tells_nobody() {
        assert_eq!(listed("Deleted"), None);
        let (pending, _) = listed("PendingConfirmation").unwrap();
        assert!(!pending.confirmed);
        let (told, _) = listed("arn:aws:sns:us-east-1:123456789012:alarms:1").unwrap();
        assert_eq!(told, Subscription::to("email", "security@example.edu"));
    }

    #[test]
    fn one_that_waits_to_be_confirmed_is_neither_asked_for_again_nor_in_the_way() {
        let wanted = Subscription::to("email", "a@example.edu");
        let pending = Subscription { confirmed: false, ..wanted.clone() };
        let settled = |desired: &[&Subscription], live: &[&Subscription]| {
            Topic::settled("subscriptions", &json!(desired), &json!(live))
        };
        assert!(settled(&[&wanted], &[&pending]));
        assert!(settled(&[], &[&pending]));
        assert!(!settled(&[], &[&wanted]), "a stranger who is told is drift");
        assert!(!settled(&[&wanted], &[]));
    }
}

//! SNS: topics, their attributes and who subscribes. No message is delivered.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use winterbaume_core::{MockResponse, xml_escape};
use winterbaume_sns::{model, wire};

use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::policy::{Document, Principal};

/// What SNS holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By ARN.
    pub topics: BTreeMap<String, Topic>,
    /// By ARN.
    pub subscriptions: BTreeMap<String, Subscription>,
}

/// A topic.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Topic {
    /// The attributes that were set.
    pub attributes: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A subscription.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Subscription {
    /// What the lists say.
    pub about: model::Subscription,
    /// Whether the receiver still has to confirm.
    pub pending: bool,
    /// The attributes that were set.
    pub attributes: BTreeMap<String, String>,
}

/// The ARN of a topic that exists and lets a service publish. The topic may be given by name or ARN.
pub(crate) fn require_topic(
    call: &Call<'_>,
    topic: &str,
    principal: &str,
) -> Result<String, Fault> {
    let arn = match topic.starts_with("arn:") {
        true => topic.to_owned(),
        false => call.arn("sns", topic),
    };
    let found = find(call, &arn)?;
    let policy = found.attributes.get("Policy").cloned().unwrap_or_else(|| own_policy(call, &arn));
    let known = BTreeMap::from([("aws:SourceAccount", call.account_id())]);
    let who = Principal::Service(principal);
    let allowed = Document::parse(&policy)
        .is_ok_and(|policy| policy.allows(who, "sns:Publish", &arn, &known));
    match allowed {
        true => Ok(arn),
        false => Err(Fault::new(
            "AuthorizationError",
            format!("{principal} is not authorized to perform: SNS:Publish on resource: {arn}"),
        )
        .status(403)),
    }
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let form = call.form();
    match form.get("Action").map_or("", String::as_str) {
        "CreateTopic" => create_topic(call, &form),
        "DeleteTopic" => {
            let input = wire::deserialize_delete_topic_request(&form)?;
            let arn = input.topic_arn;
            // Deleting what does not exist is no error.
            if find(call, &arn).is_ok() {
                let sns = &mut call.region().sns;
                sns.topics.remove(&arn);
                sns.subscriptions.retain(|_, it| it.about.topic_arn.as_deref() != Some(&arn));
            }
            Ok(wire::serialize_delete_topic_response())
        }
        "GetTopicAttributes" => {
            let input = wire::deserialize_get_topic_attributes_request(&form)?;
            let attributes = attributes(call, &input.topic_arn)?;
            Ok(attributes_response("GetTopicAttributes", &attributes))
        }
        "SetTopicAttributes" => {
            let input = wire::deserialize_set_topic_attributes_request(&form)?;
            find(call, &input.topic_arn)?;
            let value = input.attribute_value.unwrap_or_default();
            check_attribute(&input.attribute_name, &value)?;
            let topic = find_mut(call, &input.topic_arn)?;
            match value.is_empty() {
                true => topic.attributes.remove(&input.attribute_name),
                false => topic.attributes.insert(input.attribute_name, value),
            };
            Ok(wire::serialize_set_topic_attributes_response())
        }
        "ListTopics" => {
            let input = wire::deserialize_list_topics_request(&form)?;
            let all = held(call)
                .map(|sns| sns.topics.keys())
                .into_iter()
                .flatten()
                .map(|arn| model::Topic { topic_arn: Some(arn.clone()) })
                .collect();
            let (items, next_token) = paged(all, input.next_token.as_deref())?;
            Ok(wire::serialize_list_topics_response(&model::ListTopicsResponse {
                topics: Some(model::TopicsList { items }),
                next_token,
            }))
        }
        "Subscribe" => subscribe(call, &form),
        "Unsubscribe" => {
            let input = wire::deserialize_unsubscribe_request(&form)?;
            let arn = input.subscription_arn;
            if !arn.starts_with("arn:") {
                return Err(invalid("SubscriptionArn", "An ARN must have at least 6 elements"));
            }
            if held(call).is_some_and(|sns| sns.subscriptions.contains_key(&arn)) {
                call.region().sns.subscriptions.remove(&arn);
            }
            Ok(wire::serialize_unsubscribe_response())
        }
        "ListSubscriptionsByTopic" => {
            let input = wire::deserialize_list_subscriptions_by_topic_request(&form)?;
            find(call, &input.topic_arn)?;
            let all = subscriptions(call, Some(&input.topic_arn));
            let (items, next_token) = paged(all, input.next_token.as_deref())?;
            Ok(wire::serialize_list_subscriptions_by_topic_response(
                &model::ListSubscriptionsByTopicResponse {
                    subscriptions: Some(model::SubscriptionsList { items }),
                    next_token,
                },
            ))
        }
        "ListSubscriptions" => {
            let input = wire::deserialize_list_subscriptions_request(&form)?;
            let (items, next_token) =
                paged(subscriptions(call, None), input.next_token.as_deref())?;
            Ok(wire::serialize_list_subscriptions_response(&model::ListSubscriptionsResponse {
                subscriptions: Some(model::SubscriptionsList { items }),
                next_token,
            }))
        }
        "GetSubscriptionAttributes" => {
            let input = wire::deserialize_get_subscription_attributes_request(&form)?;
            let found = held(call).and_then(|sns| sns.subscriptions.get(&input.subscription_arn));
            let found = found.ok_or_else(|| not_found("Subscription does not exist"))?;
            let mut attributes = found.attributes.clone();
            let about = &found.about;
            for (name, value) in [
                ("SubscriptionArn", about.subscription_arn.clone()),
                ("TopicArn", about.topic_arn.clone()),
                ("Owner", about.owner.clone()),
                ("Protocol", about.protocol.clone()),
                ("Endpoint", about.endpoint.clone()),
                ("PendingConfirmation", Some(found.pending.to_string())),
            ] {
                attributes.insert(name.into(), value.unwrap_or_default());
            }
            Ok(attributes_response("GetSubscriptionAttributes", &attributes))
        }
        "TagResource" => {
            let input = wire::deserialize_tag_resource_request(&form)?;
            let tags = checked_tags(input.tags.items)?;
            let topic = tagged_mut(call, &input.resource_arn)?;
            topic.tags.extend(tags);
            Ok(wire::serialize_tag_resource_response(&model::TagResourceResponse {}))
        }
        "UntagResource" => {
            let input = wire::deserialize_untag_resource_request(&form)?;
            let topic = tagged_mut(call, &input.resource_arn)?;
            topic.tags.retain(|name, _| !input.tag_keys.items.contains(name));
            Ok(wire::serialize_untag_resource_response(&model::UntagResourceResponse {}))
        }
        "ListTagsForResource" => {
            let input = wire::deserialize_list_tags_for_resource_request(&form)?;
            let found = find(call, &input.resource_arn).map_err(|_| no_resource())?;
            let tags = found.tags.clone().into_iter();
            let items = tags.map(|(key, value)| model::Tag { key, value }).collect();
            Ok(wire::serialize_list_tags_for_resource_response(
                &model::ListTagsForResourceResponse { tags: Some(model::TagList { items }) },
            ))
        }
        other => Err(Fault::unknown_operation("sns", other)),
    }
}

fn create_topic(
    call: &mut Call<'_>,
    form: &HashMap<String, String>,
) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_create_topic_request(form)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let plain = input.name.strip_suffix(".fifo").unwrap_or(&input.name);
    if plain.is_empty() || input.name.len() > 256 || !plain.chars().all(fits) {
        return Err(invalid("Topic Name", "Topic Name"));
    }
    let mut attributes = map(form, "Attributes");
    attributes.retain(|_, value| !value.is_empty());
    for (name, value) in &attributes {
        check_attribute(name, value)?;
    }
    let fifo = attributes.get("FifoTopic").is_some_and(|value| value == "true");
    if fifo != input.name.ends_with(".fifo") {
        return Err(invalid("Topic Name", "FIFO topics, and only they, end with .fifo"));
    }
    let tags = checked_tags(input.tags.unwrap_or_default().items)?;
    let arn = call.arn("sns", &input.name);
    match find(call, &arn) {
        Ok(found) => {
            let same =
                |(name, value): (&String, &String)| found.attributes.get(name) == Some(value);
            if !attributes.iter().all(same) {
                return Err(invalid(
                    "Attributes",
                    "Topic already exists with different attributes",
                ));
            }
            if !tags.is_empty() && tags != found.tags {
                return Err(invalid("Tags", "Topic already exists with different tags"));
            }
        }
        Err(_) => {
            call.region().sns.topics.insert(arn.clone(), Topic { attributes, tags });
        }
    }
    Ok(wire::serialize_create_topic_response(&model::CreateTopicResponse { topic_arn: Some(arn) }))
}

/// The attributes as AWS shows them: those that were set, the defaults of the others, and counts.
fn attributes(call: &Call<'_>, arn: &str) -> Result<BTreeMap<String, String>, Fault> {
    let topic = find(call, arn)?;
    let count = |pending: bool| {
        let all = held(call).map(|sns| sns.subscriptions.values()).into_iter().flatten();
        let of_topic = all.filter(|it| it.about.topic_arn.as_deref() == Some(arn));
        of_topic.filter(|it| it.pending == pending).count().to_string()
    };
    let delivery = r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}"#;
    let mut out = BTreeMap::from([
        ("TopicArn".to_owned(), arn.to_owned()),
        ("Owner".to_owned(), call.account_id()),
        ("DisplayName".to_owned(), String::new()),
        ("Policy".to_owned(), own_policy(call, arn)),
        ("EffectiveDeliveryPolicy".to_owned(), delivery.to_owned()),
        ("SubscriptionsConfirmed".to_owned(), count(false)),
        ("SubscriptionsPending".to_owned(), count(true)),
        ("SubscriptionsDeleted".to_owned(), "0".to_owned()),
    ]);
    out.extend(topic.attributes.clone());
    Ok(out)
}

/// The policy of a topic that was given none: its account may do everything.
fn own_policy(call: &Call<'_>, arn: &str) -> String {
    serde_json::json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [
                "SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission",
                "SNS:RemovePermission", "SNS:DeleteTopic", "SNS:Subscribe",
                "SNS:ListSubscriptionsByTopic", "SNS:Publish",
            ],
            "Resource": arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": call.account_id()}},
        }],
    })
    .to_string()
}

fn check_attribute(name: &str, value: &str) -> Result<(), Fault> {
    const NAMES: &[&str] = &[
        "ApplicationFailureFeedbackRoleArn",
        "ApplicationSuccessFeedbackRoleArn",
        "ApplicationSuccessFeedbackSampleRate",
        "ArchivePolicy",
        "ContentBasedDeduplication",
        "DeliveryPolicy",
        "DisplayName",
        "FifoThroughputScope",
        "FifoTopic",
        "FirehoseFailureFeedbackRoleArn",
        "FirehoseSuccessFeedbackRoleArn",
        "FirehoseSuccessFeedbackSampleRate",
        "HTTPFailureFeedbackRoleArn",
        "HTTPSuccessFeedbackRoleArn",
        "HTTPSuccessFeedbackSampleRate",
        "KmsMasterKeyId",
        "LambdaFailureFeedbackRoleArn",
        "LambdaSuccessFeedbackRoleArn",
        "LambdaSuccessFeedbackSampleRate",
        "Policy",
        "SQSFailureFeedbackRoleArn",
        "SQSSuccessFeedbackRoleArn",
        "SQSSuccessFeedbackSampleRate",
        "SignatureVersion",
        "TracingConfig",
    ];
    if !NAMES.contains(&name) {
        return Err(invalid("AttributeName", "AttributeName"));
    }
    match name {
        "SignatureVersion" if !["1", "2"].contains(&value) => {
            Err(invalid("SignatureVersion", "SignatureVersion must be 1 or 2"))
        }
        "TracingConfig" if !["Active", "PassThrough"].contains(&value) => {
            Err(invalid("TracingConfig", "TracingConfig must be Active or PassThrough"))
        }
        "DisplayName" if value.chars().count() > 100 => {
            Err(invalid("DisplayName", "DisplayName must be at most 100 characters long"))
        }
        "Policy" if !value.is_empty() => match Document::parse(value) {
            Ok(policy) if policy.every_statement_has("Principal") => Ok(()),
            Ok(_) => Err(invalid("Policy", "Policy statement must have a principal")),
            Err(why) => Err(invalid("Policy", &why)),
        },
        _ => Ok(()),
    }
}

fn subscribe(call: &mut Call<'_>, form: &HashMap<String, String>) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_subscribe_request(form)?;
    find(call, &input.topic_arn)?;
    let protocol = input.protocol;
    const PROTOCOLS: &[&str] = &[
        "application",
        "email",
        "email-json",
        "firehose",
        "http",
        "https",
        "lambda",
        "sms",
        "sqs",
    ];
    if !PROTOCOLS.contains(&protocol.as_str()) {
        return Err(invalid(
            "Protocol",
            &format!("Amazon SNS does not support this protocol string: {protocol}"),
        ));
    }
    let endpoint = input.endpoint.unwrap_or_default();
    let fits = match protocol.as_str() {
        "email" | "email-json" => endpoint.contains('@'),
        "http" | "https" => endpoint.starts_with(&format!("{protocol}://")),
        "sms" => !endpoint.is_empty(),
        _ => endpoint.starts_with("arn:"),
    };
    if !fits {
        return Err(invalid("Endpoint", &format!("not a valid {protocol} endpoint")));
    }
    let same = held(call).and_then(|sns| {
        sns.subscriptions.values().find(|it| {
            it.about.topic_arn.as_ref() == Some(&input.topic_arn)
                && it.about.protocol.as_ref() == Some(&protocol)
                && it.about.endpoint.as_ref() == Some(&endpoint)
        })
    });
    let (arn, pending) = match same {
        Some(it) => (it.about.subscription_arn.clone().unwrap_or_default(), it.pending),
        None => {
            let arn = format!("{}:{}", input.topic_arn, call.new_uuid());
            let pending = matches!(protocol.as_str(), "email" | "email-json" | "http" | "https");
            let about = model::Subscription {
                subscription_arn: Some(arn.clone()),
                topic_arn: Some(input.topic_arn),
                owner: Some(call.account_id()),
                protocol: Some(protocol),
                endpoint: Some(endpoint),
            };
            let attributes = map(form, "Attributes");
            let subscription = Subscription { about, pending, attributes };
            call.region().sns.subscriptions.insert(arn.clone(), subscription);
            (arn, pending)
        }
    };
    let told = match pending && input.return_subscription_arn != Some(true) {
        true => "pending confirmation".to_owned(),
        false => arn,
    };
    Ok(wire::serialize_subscribe_response(&model::SubscribeResponse {
        subscription_arn: Some(told),
    }))
}

fn subscriptions(call: &Call<'_>, topic: Option<&String>) -> Vec<model::Subscription> {
    let all = held(call).map(|sns| sns.subscriptions.values()).into_iter().flatten();
    all.filter(|it| topic.is_none() || it.about.topic_arn.as_ref() == topic)
        .map(|it| {
            let mut about = it.about.clone();
            if it.pending {
                about.subscription_arn = Some("PendingConfirmation".into());
            }
            about
        })
        .collect()
}

/// A map parameter, `Attributes.entry.1.key`: winterbaume's parsers leave maps out.
fn map(form: &HashMap<String, String>, name: &str) -> BTreeMap<String, String> {
    let entry = |i: usize| {
        let key = form.get(&format!("{name}.entry.{i}.key"))?;
        let value = form.get(&format!("{name}.entry.{i}.value"));
        Some((key.clone(), value.cloned().unwrap_or_default()))
    };
    (1..).map_while(entry).collect()
}

/// A map in an answer is a list of entries: winterbaume's serialisers write the keys as elements.
fn attributes_response(operation: &str, attributes: &BTreeMap<String, String>) -> MockResponse {
    let entry = |(key, value): (&String, &String)| {
        format!("<entry><key>{}</key><value>{}</value></entry>", xml_escape(key), xml_escape(value))
    };
    let entries: String = attributes.iter().map(entry).collect();
    MockResponse::xml(
        200,
        format!(
            "<{operation}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
             <{operation}Result><Attributes>{entries}</Attributes></{operation}Result>\
             <ResponseMetadata><RequestId>embedded</RequestId></ResponseMetadata>\
             </{operation}Response>"
        ),
    )
}

fn checked_tags(tags: Vec<model::Tag>) -> Result<BTreeMap<String, String>, Fault> {
    if tags.len() > 50 {
        return Err(Fault::new("TagLimitExceeded", "A topic can have at most 50 tags"));
    }
    let mut out = BTreeMap::new();
    for tag in tags {
        if tag.key.is_empty() || tag.key.chars().count() > 128 || tag.value.chars().count() > 256 {
            return Err(invalid("Tags", "Tag keys have 1 to 128 characters, values at most 256"));
        }
        if tag.key.to_lowercase().starts_with("aws:") {
            return Err(invalid("Tags", "Tag keys must not start with aws:"));
        }
        out.insert(tag.key, tag.value);
    }
    Ok(out)
}

fn held<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.region_if_any(call.region_name).map(|region| &*region.sns)
}

fn find<'a>(call: &'a Call<'_>, arn: &str) -> Result<&'a Topic, Fault> {
    if arn.splitn(6, ':').count() < 6 {
        return Err(invalid("TopicArn", "An ARN must have at least 6 elements"));
    }
    let found = held(call).and_then(|sns| sns.topics.get(arn));
    found.ok_or_else(|| not_found("Topic does not exist"))
}

fn find_mut<'a>(call: &'a mut Call<'_>, arn: &str) -> Result<&'a mut Topic, Fault> {
    find(call, arn)?;
    call.region().sns.topics.get_mut(arn).ok_or_else(|| not_found("Topic does not exist"))
}

fn tagged_mut<'a>(call: &'a mut Call<'_>, arn: &str) -> Result<&'a mut Topic, Fault> {
    find_mut(call, arn).map_err(|_| no_resource())
}

fn no_resource() -> Fault {
    Fault::new("ResourceNotFound", "Resource does not exist").status(404)
}

fn not_found(message: &str) -> Fault {
    Fault::new("NotFound", message).status(404)
}

fn invalid(parameter: &str, why: &str) -> Fault {
    Fault::new("InvalidParameter", format!("Invalid parameter: {parameter} Reason: {why}"))
}

fn paged<T>(items: Vec<T>, token: Option<&str>) -> Result<(Vec<T>, Option<String>), Fault> {
    page(items, token, 100).ok_or_else(|| invalid("NextToken", "not a token of this list"))
}

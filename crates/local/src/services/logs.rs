//! CloudWatch Logs: log groups with their key, retention and filters; streams and events as far as
//! other services write them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use winterbaume_cloudwatchlogs::{model, wire};
use winterbaume_core::MockResponse;

use crate::call::Call;
use crate::fault::Fault;
use crate::services::{iam, kms, lambda};

/// The retention periods that CloudWatch Logs takes, in days.
const RETENTION_DAYS: &[i32] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];
const METRIC_FILTERS: usize = 100;
const SUBSCRIPTION_FILTERS: usize = 2;

/// What Logs holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub groups: BTreeMap<String, Group>,
    /// Policies that let services write, by name.
    pub resource_policies: BTreeMap<String, model::ResourcePolicy>,
}

/// A log group.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Group {
    /// Its attributes.
    pub group: model::LogGroup,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its metric filters, by name.
    pub metric_filters: BTreeMap<String, model::MetricFilter>,
    /// Its subscription filters, by name.
    pub subscription_filters: BTreeMap<String, model::SubscriptionFilter>,
    /// Its streams, by name.
    pub streams: BTreeMap<String, Stream>,
}

/// A log stream.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Stream {
    /// Its attributes.
    pub stream: model::LogStream,
    /// Its events.
    pub events: Vec<model::OutputLogEvent>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let body = call.request.body.clone();
    match call.target() {
        "CreateLogGroup" => create(call, wire::deserialize_create_log_group_request(&body)?),
        "DeleteLogGroup" => {
            let input = wire::deserialize_delete_log_group_request(&body)?;
            if group(call, &input.log_group_name)?.group.deletion_protection_enabled == Some(true) {
                return Err(Fault::new(
                    "ValidationException",
                    "The log group has deletion protection enabled.",
                ));
            }
            call.region().logs.groups.remove(&input.log_group_name);
            Ok(wire::serialize_delete_log_group_response())
        }
        "DescribeLogGroups" => {
            describe(call, wire::deserialize_describe_log_groups_request(&body)?)
        }
        "PutRetentionPolicy" => {
            let input = wire::deserialize_put_retention_policy_request(&body)?;
            if !RETENTION_DAYS.contains(&input.retention_in_days) {
                return Err(invalid(format!(
                    "1 validation error detected: Value '{}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: {RETENTION_DAYS:?}",
                    input.retention_in_days
                )));
            }
            let days = input.retention_in_days;
            group_mut(call, &input.log_group_name)?.group.retention_in_days = Some(days);
            Ok(wire::serialize_put_retention_policy_response())
        }
        "DeleteRetentionPolicy" => {
            let input = wire::deserialize_delete_retention_policy_request(&body)?;
            group_mut(call, &input.log_group_name)?.group.retention_in_days = None;
            Ok(wire::serialize_delete_retention_policy_response())
        }
        "PutLogGroupDeletionProtection" => {
            let input = wire::deserialize_put_log_group_deletion_protection_request(&body)?;
            let name = name_of(&input.log_group_identifier);
            group_mut(call, &name)?.group.deletion_protection_enabled =
                Some(input.deletion_protection_enabled);
            Ok(wire::serialize_put_log_group_deletion_protection_response())
        }
        "AssociateKmsKey" => {
            let input = wire::deserialize_associate_kms_key_request(&body)?;
            let name = input.log_group_name.or(input.resource_identifier).unwrap_or_default();
            let name = name_of(&name);
            group(call, &name)?;
            let key = usable_key(call, &input.kms_key_id, &name)?;
            group_mut(call, &name)?.group.kms_key_id = Some(key);
            Ok(wire::serialize_associate_kms_key_response())
        }
        "DisassociateKmsKey" => {
            let input = wire::deserialize_disassociate_kms_key_request(&body)?;
            let name = input.log_group_name.or(input.resource_identifier).unwrap_or_default();
            group_mut(call, &name_of(&name))?.group.kms_key_id = None;
            Ok(wire::serialize_disassociate_kms_key_response())
        }
        "PutMetricFilter" => {
            put_metric_filter(call, wire::deserialize_put_metric_filter_request(&body)?)
        }
        "DeleteMetricFilter" => {
            let input = wire::deserialize_delete_metric_filter_request(&body)?;
            let group = group_mut(call, &input.log_group_name)?;
            group
                .metric_filters
                .remove(&input.filter_name)
                .ok_or_else(|| not_found("The specified metric filter does not exist."))?;
            count_filters(group);
            Ok(wire::serialize_delete_metric_filter_response())
        }
        "DescribeMetricFilters" => {
            let input = wire::deserialize_describe_metric_filters_request(&body)?;
            if let Some(name) = &input.log_group_name {
                group(call, name)?;
            }
            let wanted = |filter: &&model::MetricFilter| {
                let name = filter.filter_name.as_deref().unwrap_or_default();
                input
                    .log_group_name
                    .as_ref()
                    .is_none_or(|g| Some(g) == filter.log_group_name.as_ref())
                    && input
                        .filter_name_prefix
                        .as_ref()
                        .is_none_or(|p| name.starts_with(p.as_str()))
            };
            let groups = &call.region().logs.groups;
            let all = groups.values().flat_map(|group| group.metric_filters.values());
            let filters: Vec<model::MetricFilter> = all.filter(wanted).cloned().collect();
            let (filters, next_token) = page(filters, input.next_token.as_deref(), input.limit);
            Ok(wire::serialize_describe_metric_filters_response(
                &model::DescribeMetricFiltersResponse { metric_filters: Some(filters), next_token },
            ))
        }
        "PutSubscriptionFilter" => {
            put_subscription_filter(call, wire::deserialize_put_subscription_filter_request(&body)?)
        }
        "DeleteSubscriptionFilter" => {
            let input = wire::deserialize_delete_subscription_filter_request(&body)?;
            let group = group_mut(call, &input.log_group_name)?;
            group
                .subscription_filters
                .remove(&input.filter_name)
                .ok_or_else(|| not_found("The specified subscription filter does not exist."))?;
            Ok(wire::serialize_delete_subscription_filter_response())
        }
        "DescribeSubscriptionFilters" => {
            let input = wire::deserialize_describe_subscription_filters_request(&body)?;
            let group = group(call, &input.log_group_name)?;
            let answer = model::DescribeSubscriptionFiltersResponse {
                subscription_filters: Some(group.subscription_filters.values().cloned().collect()),
                next_token: None,
            };
            Ok(wire::serialize_describe_subscription_filters_response(&answer))
        }
        "ListTagsForResource" => {
            let input = wire::deserialize_list_tags_for_resource_request(&body)?;
            let tags = group(call, &name_of(&input.resource_arn))?.tags.clone();
            Ok(wire::serialize_list_tags_for_resource_response(
                &model::ListTagsForResourceResponse { tags: Some(tags.into_iter().collect()) },
            ))
        }
        "TagResource" => {
            let input = wire::deserialize_tag_resource_request(&body)?;
            group_mut(call, &name_of(&input.resource_arn))?.tags.extend(input.tags);
            Ok(wire::serialize_tag_resource_response())
        }
        "UntagResource" => {
            let input = wire::deserialize_untag_resource_request(&body)?;
            let group = group_mut(call, &name_of(&input.resource_arn))?;
            group.tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(wire::serialize_untag_resource_response())
        }
        "CreateLogStream" => {
            let input = wire::deserialize_create_log_stream_request(&body)?;
            let arn = arn_of(call, &input.log_group_name);
            let now = call.now.as_millisecond();
            let group = group_mut(call, &input.log_group_name)?;
            if group.streams.contains_key(&input.log_stream_name) {
                return Err(exists("The specified log stream already exists"));
            }
            let stream = model::LogStream {
                arn: Some(format!("{arn}:log-stream:{}", input.log_stream_name)),
                creation_time: Some(now),
                log_stream_name: Some(input.log_stream_name.clone()),
                stored_bytes: Some(0),
                ..Default::default()
            };
            group.streams.insert(input.log_stream_name, Stream { stream, events: Vec::new() });
            Ok(wire::serialize_create_log_stream_response())
        }
        "DeleteLogStream" => {
            let input = wire::deserialize_delete_log_stream_request(&body)?;
            let group = group_mut(call, &input.log_group_name)?;
            group.streams.remove(&input.log_stream_name).ok_or_else(no_stream)?;
            Ok(wire::serialize_delete_log_stream_response())
        }
        "DescribeLogStreams" => {
            let input = wire::deserialize_describe_log_streams_request(&body)?;
            let name = input.log_group_name.or(input.log_group_identifier).unwrap_or_default();
            let group = group(call, &name_of(&name))?;
            let prefix = input.log_stream_name_prefix.unwrap_or_default();
            let streams = group.streams.iter().filter(|(name, _)| name.starts_with(&prefix));
            let answer = model::DescribeLogStreamsResponse {
                log_streams: Some(streams.map(|(_, stream)| stream.stream.clone()).collect()),
                next_token: None,
            };
            Ok(wire::serialize_describe_log_streams_response(&answer))
        }
        "PutLogEvents" => put_events(call, wire::deserialize_put_log_events_request(&body)?),
        "GetLogEvents" => {
            let input = wire::deserialize_get_log_events_request(&body)?;
            let name = input.log_group_name.or(input.log_group_identifier).unwrap_or_default();
            let group = group(call, &name_of(&name))?;
            let stream = group.streams.get(&input.log_stream_name).ok_or_else(no_stream)?;
            Ok(wire::serialize_get_log_events_response(&model::GetLogEventsResponse {
                events: Some(stream.events.clone()),
                next_backward_token: Some("b/0".into()),
                next_forward_token: Some(format!("f/{}", stream.events.len())),
            }))
        }
        "PutResourcePolicy" => {
            let input = wire::deserialize_put_resource_policy_request(&body)?;
            let (Some(name), Some(document)) = (input.policy_name, input.policy_document) else {
                return Err(invalid("policyName and policyDocument are required"));
            };
            if serde_json::from_str::<serde_json::Value>(&document).is_err() {
                return Err(invalid("Resource policy is not valid JSON."));
            }
            let policy = model::ResourcePolicy {
                last_updated_time: Some(call.now.as_millisecond()),
                policy_document: Some(document),
                policy_name: Some(name.clone()),
                ..Default::default()
            };
            call.region().logs.resource_policies.insert(name, policy.clone());
            Ok(wire::serialize_put_resource_policy_response(&model::PutResourcePolicyResponse {
                resource_policy: Some(policy),
                revision_id: None,
            }))
        }
        "DescribeResourcePolicies" => {
            let policies = call.region().logs.resource_policies.values().cloned().collect();
            let answer = model::DescribeResourcePoliciesResponse {
                resource_policies: Some(policies),
                next_token: None,
            };
            Ok(wire::serialize_describe_resource_policies_response(&answer))
        }
        "DeleteResourcePolicy" => {
            let input = wire::deserialize_delete_resource_policy_request(&body)?;
            let name = input.policy_name.unwrap_or_default();
            let policies = &mut call.region().logs.resource_policies;
            policies.remove(&name).ok_or_else(|| {
                not_found("Policy with name [".to_owned() + &name + "] does not exist.")
            })?;
            Ok(wire::serialize_delete_resource_policy_response())
        }
        other => Err(Fault::unknown_operation("logs", other)),
    }
}

/// That a log group exists in the request's region; by name, or by ARN with or without `:*`.
pub(crate) fn require_log_group(call: &Call<'_>, arn_or_name: &str) -> Result<(), Fault> {
    group(call, &name_of(arn_or_name)).map(|_| ())
}

/// The name in an ARN, `…:log-group:{name}` or `…:log-group:{name}:*`; a name as it is.
fn name_of(arn_or_name: &str) -> String {
    let name = arn_or_name.split_once(":log-group:").map_or(arn_or_name, |(_, name)| name);
    name.strip_suffix(":*").unwrap_or(name).to_owned()
}

fn arn_of(call: &Call<'_>, name: &str) -> String {
    call.arn("logs", &format!("log-group:{name}"))
}

fn group<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Group, Fault> {
    let region = call.account.region_if_any(call.region_name);
    region.and_then(|region| region.logs.groups.get(name)).ok_or_else(no_group)
}

fn group_mut<'a>(call: &'a mut Call<'_>, name: &str) -> Result<&'a mut Group, Fault> {
    call.region().logs.groups.get_mut(name).ok_or_else(no_group)
}

fn no_group() -> Fault {
    not_found("The specified log group does not exist.")
}

fn no_stream() -> Fault {
    not_found("The specified log stream does not exist.")
}

fn not_found(message: impl Into<String>) -> Fault {
    Fault::new("ResourceNotFoundException", message)
}

fn exists(message: &str) -> Fault {
    Fault::new("ResourceAlreadyExistsException", message)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

/// The key's ARN, if its policy lets CloudWatch Logs use it for this group.
fn usable_key(call: &Call<'_>, key: &str, name: &str) -> Result<String, Fault> {
    if !key.starts_with("arn:") {
        return Err(invalid("The specified KMS Key Id is not a valid ARN."));
    }
    let arn = arn_of(call, name);
    let principal = format!("logs.{}.amazonaws.com", call.region_name);
    let actions = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"];
    let context = [("kms:EncryptionContext:aws:logs:arn", arn.as_str())];
    kms::require_service_principal_with(call, key, &principal, &actions, &context).map_err(|_| {
        let message = format!(
            "The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'"
        );
        Fault::new("AccessDeniedException", message)
    })
}

fn create(call: &mut Call<'_>, input: model::CreateLogGroupRequest) -> Result<MockResponse, Fault> {
    let name = input.log_group_name;
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(allowed) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )));
    }
    if name.starts_with("aws/") {
        return Err(invalid("Log group name cannot start with 'aws/'"));
    }
    if group(call, &name).is_ok() {
        return Err(exists("The specified log group already exists"));
    }
    let kms_key_id = match &input.kms_key_id {
        Some(key) => Some(usable_key(call, key, &name)?),
        None => None,
    };
    let class = input.log_group_class.unwrap_or_else(|| "STANDARD".into());
    if !["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"].contains(&class.as_str()) {
        return Err(invalid("logGroupClass must be STANDARD, INFREQUENT_ACCESS or DELIVERY"));
    }
    let tags: BTreeMap<String, String> = input.tags.unwrap_or_default().into_iter().collect();
    if tags.len() > 50 {
        return Err(invalid("A log group can have at most 50 tags."));
    }
    let arn = arn_of(call, &name);
    let group = model::LogGroup {
        arn: Some(format!("{arn}:*")),
        log_group_arn: Some(arn),
        log_group_name: Some(name.clone()),
        log_group_class: Some(class),
        creation_time: Some(call.now.as_millisecond()),
        deletion_protection_enabled: Some(input.deletion_protection_enabled.unwrap_or(false)),
        kms_key_id,
        metric_filter_count: Some(0),
        stored_bytes: Some(0),
        ..Default::default()
    };
    call.region().logs.groups.insert(name, Group { group, tags, ..Group::default() });
    Ok(wire::serialize_create_log_group_response())
}

fn describe(
    call: &mut Call<'_>,
    input: model::DescribeLogGroupsRequest,
) -> Result<MockResponse, Fault> {
    let identifiers: Option<Vec<String>> =
        input.log_group_identifiers.map(|ids| ids.iter().map(|id| name_of(id)).collect());
    let wanted = |name: &str| {
        input.log_group_name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix.as_str()))
            && input.log_group_name_pattern.as_ref().is_none_or(|part| name.contains(part.as_str()))
            && identifiers.as_ref().is_none_or(|ids| ids.iter().any(|id| id == name))
    };
    let groups = &call.region().logs.groups;
    let groups: Vec<model::LogGroup> = groups
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(_, group)| group.group.clone())
        .collect();
    let (groups, next_token) = page(groups, input.next_token.as_deref(), input.limit);
    Ok(wire::serialize_describe_log_groups_response(&model::DescribeLogGroupsResponse {
        log_groups: Some(groups),
        next_token,
    }))
}

/// A page of at most 50; the token is the place to go on at.
fn page<T>(all: Vec<T>, token: Option<&str>, limit: Option<i32>) -> (Vec<T>, Option<String>) {
    let from: usize = token.and_then(|token| token.parse().ok()).unwrap_or(0);
    let size = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(50).clamp(1, 50);
    let next = (all.len() > from + size).then(|| (from + size).to_string());
    (all.into_iter().skip(from).take(size).collect(), next)
}

fn count_filters(group: &mut Group) {
    group.group.metric_filter_count = i32::try_from(group.metric_filters.len()).ok();
}

fn put_metric_filter(
    call: &mut Call<'_>,
    input: model::PutMetricFilterRequest,
) -> Result<MockResponse, Fault> {
    let [transformation] = input.metric_transformations.as_slice() else {
        return Err(invalid(
            "1 validation error detected: Value at 'metricTransformations' failed to satisfy constraint: Member must have length less than or equal to 1",
        ));
    };
    let forbidden =
        |text: &str| text.is_empty() || text.len() > 255 || text.contains([':', '*', '$']);
    if forbidden(&transformation.metric_name) || transformation.metric_namespace.is_empty() {
        return Err(invalid("The metric's name or namespace is not valid."));
    }
    if transformation.default_value.is_some() && transformation.dimensions.is_some() {
        return Err(invalid(
            "Invalid metric transformation: default value cannot be set with dimensions.",
        ));
    }
    if input.filter_name.is_empty() || input.filter_name.contains([':', '*']) {
        return Err(invalid("Member must satisfy regular expression pattern: [^:*]*"));
    }
    check_pattern(&input.filter_pattern)?;
    let now = call.now.as_millisecond();
    let group = group_mut(call, &input.log_group_name)?;
    let known = group.metric_filters.contains_key(&input.filter_name);
    if group.metric_filters.len() >= METRIC_FILTERS && !known {
        return Err(Fault::new("LimitExceededException", "Resource limit exceeded."));
    }
    let filter = model::MetricFilter {
        apply_on_transformed_logs: Some(input.apply_on_transformed_logs.unwrap_or(false)),
        creation_time: Some(now),
        filter_name: Some(input.filter_name.clone()),
        filter_pattern: Some(input.filter_pattern),
        log_group_name: Some(input.log_group_name),
        metric_transformations: Some(input.metric_transformations),
        ..Default::default()
    };
    group.metric_filters.insert(input.filter_name, filter);
    count_filters(group);
    Ok(wire::serialize_put_metric_filter_response())
}

/// A JSON pattern is in braces that close; a space-delimited one in brackets.
fn check_pattern(pattern: &str) -> Result<(), Fault> {
    let text = pattern.trim();
    let closed = match text.chars().next() {
        Some('{') => text.ends_with('}'),
        Some('[') => text.ends_with(']'),
        _ => true,
    };
    if closed && pattern.len() <= 1024 {
        Ok(())
    } else {
        Err(invalid("Invalid metric filter pattern"))
    }
}

fn put_subscription_filter(
    call: &mut Call<'_>,
    input: model::PutSubscriptionFilterRequest,
) -> Result<MockResponse, Fault> {
    group(call, &input.log_group_name)?;
    check_pattern(&input.filter_pattern)?;
    let service = input.destination_arn.split(':').nth(2).unwrap_or_default().to_owned();
    if service == "firehose" {
        require_delivery_stream(call, &input.destination_arn)?;
    }
    match service.as_str() {
        "firehose" | "kinesis" => {
            let principal = "logs.amazonaws.com";
            let undelivered = |_| {
                invalid(
                    "Could not deliver test message to specified destination. Check if the destination is valid.",
                )
            };
            let role = input.role_arn.as_deref().ok_or_else(|| {
                invalid("destinationArn for vendor firehose/kinesis requires a roleArn")
            })?;
            let regional = format!("logs.{}.amazonaws.com", call.region_name);
            iam::require_role_trusting(call, role, principal)
                .or_else(|_| iam::require_role_trusting(call, role, &regional))
                .map_err(undelivered)?;
        }
        "lambda" => {
            let regional = format!("logs.{}.amazonaws.com", call.region_name);
            let arn = format!("{}:*", arn_of(call, &input.log_group_name));
            let may = |principal: &str| {
                lambda::require_callable(call, &input.destination_arn, principal, Some(&arn))
            };
            may("logs.amazonaws.com").or_else(|_| may(&regional)).map_err(|_| {
                invalid("Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function.")
            })?;
        }
        _ => {
            return Err(invalid(
                "PutSubscriptionFilter operation cannot work with destinationArn for vendor "
                    .to_owned()
                    + &service,
            ));
        }
    }
    let now = call.now.as_millisecond();
    let group = group_mut(call, &input.log_group_name)?;
    let known = group.subscription_filters.contains_key(&input.filter_name);
    if group.subscription_filters.len() >= SUBSCRIPTION_FILTERS && !known {
        return Err(Fault::new("LimitExceededException", "Resource limit exceeded."));
    }
    let filter = model::SubscriptionFilter {
        creation_time: Some(now),
        destination_arn: Some(input.destination_arn),
        distribution: Some(input.distribution.unwrap_or_else(|| "ByLogStream".into())),
        filter_name: Some(input.filter_name.clone()),
        filter_pattern: Some(input.filter_pattern),
        log_group_name: Some(input.log_group_name),
        role_arn: input.role_arn,
        ..Default::default()
    };
    group.subscription_filters.insert(input.filter_name, filter);
    Ok(wire::serialize_put_subscription_filter_response())
}

fn require_delivery_stream(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    let region = call.account.region_if_any(call.region_name);
    match region.is_some_and(|region| region.firehose.streams.contains_key(name)) {
        true => Ok(()),
        false => Err(invalid(
            "Could not deliver test message to specified Firehose stream. Check if the given Firehose stream is in ACTIVE state.",
        )),
    }
}

fn put_events(
    call: &mut Call<'_>,
    input: model::PutLogEventsRequest,
) -> Result<MockResponse, Fault> {
    let now = call.now.as_millisecond();
    let group = group_mut(call, &input.log_group_name)?;
    let stream = group.streams.get_mut(&input.log_stream_name).ok_or_else(no_stream)?;
    for event in input.log_events {
        stream.stream.first_event_timestamp.get_or_insert(event.timestamp);
        stream.stream.last_event_timestamp = Some(event.timestamp);
        stream.events.push(model::OutputLogEvent {
            ingestion_time: Some(now),
            message: Some(event.message),
            timestamp: Some(event.timestamp),
        });
    }
    stream.stream.last_ingestion_time = Some(now);
    let next_sequence_token = Some(stream.events.len().to_string());
    Ok(wire::serialize_put_log_events_response(&model::PutLogEventsResponse {
        next_sequence_token,
        ..Default::default()
    }))
}

//! CloudTrail: trails, what they record, and whether they record. No event is delivered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use winterbaume_cloudtrail::{model, wire};
use winterbaume_core::MockResponse;

use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::policy::{Document, Principal};
use crate::services::{iam, kms, logs, s3, sns};

const SERVICE: &str = "cloudtrail.amazonaws.com";

/// What CloudTrail holds in a region: the trails whose home it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub trails: BTreeMap<String, Entry>,
}

/// A trail and what belongs to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Entry {
    /// What DescribeTrails says.
    pub trail: model::Trail,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether and since when it records.
    pub status: model::GetTrailStatusResponse,
    /// Event selectors of the basic kind.
    pub basic: Option<Vec<model::EventSelector>>,
    /// Event selectors of the advanced kind.
    pub advanced: Option<Vec<model::AdvancedEventSelector>>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let body = call.request.body.clone();
    match call.target() {
        "CreateTrail" => create(call, wire::deserialize_create_trail_request(&body)?),
        "UpdateTrail" => update(call, wire::deserialize_update_trail_request(&body)?),
        "DeleteTrail" => {
            let input = wire::deserialize_delete_trail_request(&body)?;
            let name = at_home(call, &input.name)?;
            call.region().cloudtrail.trails.remove(&name);
            Ok(wire::serialize_delete_trail_response(&model::DeleteTrailResponse {}))
        }
        "DescribeTrails" => {
            let input = wire::deserialize_describe_trails_request(&body)?;
            let shadows = input.include_shadow_trails != Some(false);
            let names = input.trail_name_list.unwrap_or_default();
            let trail_list = visible(call)
                .into_iter()
                .filter(|entry| shadows || is_home(call, entry))
                .filter(|entry| names.is_empty() || names.iter().any(|name| is(entry, name)))
                .map(|entry| entry.trail)
                .collect();
            Ok(wire::serialize_describe_trails_response(&model::DescribeTrailsResponse {
                trail_list: Some(trail_list),
            }))
        }
        "GetTrail" => {
            let input = wire::deserialize_get_trail_request(&body)?;
            Ok(wire::serialize_get_trail_response(&model::GetTrailResponse {
                trail: Some(find(call, &input.name)?.trail),
            }))
        }
        "GetTrailStatus" => {
            let input = wire::deserialize_get_trail_status_request(&body)?;
            Ok(wire::serialize_get_trail_status_response(&find(call, &input.name)?.status))
        }
        "ListTrails" => {
            let input = wire::deserialize_list_trails_request(&body)?;
            let all = visible(call)
                .into_iter()
                .map(|entry| model::TrailInfo {
                    home_region: entry.trail.home_region,
                    name: entry.trail.name,
                    trail_a_r_n: entry.trail.trail_a_r_n,
                })
                .collect();
            let (trails, next_token) = page(all, input.next_token.as_deref(), 1000)
                .ok_or_else(|| Fault::new("InvalidTokenException", "The token is invalid."))?;
            Ok(wire::serialize_list_trails_response(&model::ListTrailsResponse {
                trails: Some(trails),
                next_token,
            }))
        }
        "StartLogging" => {
            let input = wire::deserialize_start_logging_request(&body)?;
            let now = call.epoch();
            let at = call.iso8601();
            let status = &mut home_mut(call, &input.name)?.status;
            status.is_logging = Some(true);
            status.start_logging_time = Some(now);
            status.time_logging_started = Some(at);
            Ok(wire::serialize_start_logging_response(&model::StartLoggingResponse {}))
        }
        "StopLogging" => {
            let input = wire::deserialize_stop_logging_request(&body)?;
            let now = call.epoch();
            let at = call.iso8601();
            let status = &mut home_mut(call, &input.name)?.status;
            status.is_logging = Some(false);
            status.stop_logging_time = Some(now);
            status.time_logging_stopped = Some(at);
            Ok(wire::serialize_stop_logging_response(&model::StopLoggingResponse {}))
        }
        "PutEventSelectors" => {
            put_selectors(call, wire::deserialize_put_event_selectors_request(&body)?)
        }
        "GetEventSelectors" => {
            let input = wire::deserialize_get_event_selectors_request(&body)?;
            let entry = find(call, &input.trail_name)?;
            Ok(wire::serialize_get_event_selectors_response(&model::GetEventSelectorsResponse {
                trail_a_r_n: entry.trail.trail_a_r_n,
                event_selectors: entry.basic,
                advanced_event_selectors: entry.advanced,
            }))
        }
        "GetInsightSelectors" => {
            let input = wire::deserialize_get_insight_selectors_request(&body)?;
            let name = input.trail_name.unwrap_or_default();
            let arn = find(call, &name)?.trail.trail_a_r_n.unwrap_or_default();
            Err(Fault::new(
                "InsightNotEnabledException",
                format!("Trail {arn} does not have Insights enabled."),
            ))
        }
        "AddTags" => {
            let input = wire::deserialize_add_tags_request(&body)?;
            let tags = checked_tags(input.tags_list)?;
            by_arn_mut(call, &input.resource_id)?.tags.extend(tags);
            Ok(wire::serialize_add_tags_response(&model::AddTagsResponse {}))
        }
        "RemoveTags" => {
            let input = wire::deserialize_remove_tags_request(&body)?;
            let tags = &mut by_arn_mut(call, &input.resource_id)?.tags;
            for tag in input.tags_list {
                // With a value, only a tag that has it is removed.
                if tag.value.is_none() || tags.get(&tag.key) == tag.value.as_ref() {
                    tags.remove(&tag.key);
                }
            }
            Ok(wire::serialize_remove_tags_response(&model::RemoveTagsResponse {}))
        }
        "ListTags" => {
            let input = wire::deserialize_list_tags_request(&body)?;
            let tags_of = |arn: &String| {
                let entry = visible(call).into_iter().find(|entry| is_arn(entry, arn));
                let entry = entry.ok_or_else(|| no_resource(arn))?;
                let tags = entry.tags.into_iter();
                let tags = tags.map(|(key, value)| model::Tag { key, value: Some(value) });
                Ok(model::ResourceTag {
                    resource_id: Some(arn.clone()),
                    tags_list: Some(tags.collect()),
                })
            };
            let list: Result<Vec<_>, Fault> = input.resource_id_list.iter().map(tags_of).collect();
            Ok(wire::serialize_list_tags_response(&model::ListTagsResponse {
                resource_tag_list: Some(list?),
                next_token: None,
            }))
        }
        other => Err(Fault::unknown_operation("cloudtrail", other)),
    }
}

fn create(call: &mut Call<'_>, input: model::CreateTrailRequest) -> Result<MockResponse, Fault> {
    check_name(&input.name)?;
    let tags = checked_tags(input.tags_list.unwrap_or_default())?;
    let name = input.name;
    if call.region().cloudtrail.trails.contains_key(&name) {
        return Err(Fault::new(
            "TrailAlreadyExistsException",
            format!("Trail {name} already exists for customer: {}", call.account_id()),
        ));
    }
    let trail = model::Trail {
        trail_a_r_n: Some(call.arn("cloudtrail", &format!("trail/{name}"))),
        name: Some(name.clone()),
        home_region: Some(call.region_name.to_owned()),
        s3_bucket_name: Some(input.s3_bucket_name),
        s3_key_prefix: full(input.s3_key_prefix),
        include_global_service_events: Some(input.include_global_service_events != Some(false)),
        is_multi_region_trail: Some(input.is_multi_region_trail == Some(true)),
        is_organization_trail: Some(input.is_organization_trail == Some(true)),
        log_file_validation_enabled: Some(input.enable_log_file_validation == Some(true)),
        kms_key_id: full(input.kms_key_id),
        cloud_watch_logs_log_group_arn: full(input.cloud_watch_logs_log_group_arn),
        cloud_watch_logs_role_arn: full(input.cloud_watch_logs_role_arn),
        sns_topic_name: full(input.sns_topic_name),
        has_custom_event_selectors: Some(false),
        has_insight_selectors: Some(false),
        ..Default::default()
    };
    let trail = checked(call, trail)?;
    let entry = Entry {
        trail: trail.clone(),
        tags,
        status: model::GetTrailStatusResponse { is_logging: Some(false), ..Default::default() },
        basic: Some(vec![model::EventSelector {
            read_write_type: Some("All".into()),
            include_management_events: Some(true),
            data_resources: Some(Vec::new()),
            exclude_management_event_sources: Some(Vec::new()),
        }]),
        advanced: None,
    };
    call.region().cloudtrail.trails.insert(name, entry);
    Ok(wire::serialize_create_trail_response(&model::CreateTrailResponse {
        cloud_watch_logs_log_group_arn: trail.cloud_watch_logs_log_group_arn,
        cloud_watch_logs_role_arn: trail.cloud_watch_logs_role_arn,
        include_global_service_events: trail.include_global_service_events,
        is_multi_region_trail: trail.is_multi_region_trail,
        is_organization_trail: trail.is_organization_trail,
        kms_key_id: trail.kms_key_id,
        log_file_validation_enabled: trail.log_file_validation_enabled,
        name: trail.name,
        s3_bucket_name: trail.s3_bucket_name,
        s3_key_prefix: trail.s3_key_prefix,
        sns_topic_a_r_n: trail.sns_topic_a_r_n,
        sns_topic_name: trail.sns_topic_name,
        trail_a_r_n: trail.trail_a_r_n,
    }))
}

fn update(call: &mut Call<'_>, input: model::UpdateTrailRequest) -> Result<MockResponse, Fault> {
    let name = at_home(call, &input.name)?;
    let mut trail = find(call, &name)?.trail;
    // What the request leaves out stays; an empty string takes away.
    let change = |field: &mut Option<String>, value: Option<String>| {
        if let Some(value) = value {
            *field = full(Some(value));
        }
    };
    change(&mut trail.s3_bucket_name, input.s3_bucket_name);
    change(&mut trail.s3_key_prefix, input.s3_key_prefix);
    change(&mut trail.kms_key_id, input.kms_key_id);
    change(&mut trail.cloud_watch_logs_log_group_arn, input.cloud_watch_logs_log_group_arn);
    change(&mut trail.cloud_watch_logs_role_arn, input.cloud_watch_logs_role_arn);
    change(&mut trail.sns_topic_name, input.sns_topic_name);
    let switch = |field: &mut Option<bool>, value: Option<bool>| *field = value.or(*field);
    switch(&mut trail.include_global_service_events, input.include_global_service_events);
    switch(&mut trail.is_multi_region_trail, input.is_multi_region_trail);
    switch(&mut trail.is_organization_trail, input.is_organization_trail);
    switch(&mut trail.log_file_validation_enabled, input.enable_log_file_validation);
    let trail = checked(call, trail)?;
    home_mut(call, &name)?.trail = trail.clone();
    Ok(wire::serialize_update_trail_response(&model::UpdateTrailResponse {
        cloud_watch_logs_log_group_arn: trail.cloud_watch_logs_log_group_arn,
        cloud_watch_logs_role_arn: trail.cloud_watch_logs_role_arn,
        include_global_service_events: trail.include_global_service_events,
        is_multi_region_trail: trail.is_multi_region_trail,
        is_organization_trail: trail.is_organization_trail,
        kms_key_id: trail.kms_key_id,
        log_file_validation_enabled: trail.log_file_validation_enabled,
        name: trail.name,
        s3_bucket_name: trail.s3_bucket_name,
        s3_key_prefix: trail.s3_key_prefix,
        sns_topic_a_r_n: trail.sns_topic_a_r_n,
        sns_topic_name: trail.sns_topic_name,
        trail_a_r_n: trail.trail_a_r_n,
    }))
}

/// A trail whose bucket, key, log group and topic are there and let CloudTrail in.
fn checked(call: &Call<'_>, mut trail: model::Trail) -> Result<model::Trail, Fault> {
    let on = |flag: Option<bool>| flag == Some(true);
    if on(trail.is_multi_region_trail) && !on(trail.include_global_service_events) {
        return Err(Fault::new(
            "InvalidParameterCombinationException",
            "Multi-Region trail must include global service events.",
        ));
    }
    if trail.s3_key_prefix.as_ref().is_some_and(|prefix| prefix.len() > 200) {
        return Err(Fault::new("InvalidS3PrefixException", "The S3 prefix is too long."));
    }
    let arn = trail.trail_a_r_n.clone().unwrap_or_default();
    if let Some(key) = &trail.kms_key_id {
        trail.kms_key_id = Some(check_key(call, key, &arn, &trail)?);
    }
    check_bucket(call, &arn, &trail)?;
    check_logs(call, &trail)?;
    trail.sns_topic_a_r_n = None;
    if let Some(topic) = &trail.sns_topic_name {
        let topic = sns::require_topic(call, topic, SERVICE).map_err(|why| {
            let code = match why.code.as_str() {
                "NotFound" => "InvalidSnsTopicNameException",
                _ => "InsufficientSnsTopicPolicyException",
            };
            Fault::new(code, "SNS Topic does not exist or the topic policy is incorrect!")
        })?;
        trail.sns_topic_a_r_n = Some(topic);
    }
    Ok(trail)
}

fn check_key(call: &Call<'_>, key: &str, arn: &str, trail: &model::Trail) -> Result<String, Fault> {
    let actions = ["kms:GenerateDataKey", "kms:DescribeKey"];
    let context = [("kms:EncryptionContext:aws:cloudtrail:arn", arn), ("aws:SourceArn", arn)];
    kms::require_service_principal_with(call, key, SERVICE, &actions, &context).map_err(|why| {
        match why.code.as_str() {
            "AccessDeniedException" => Fault::new(
                "InsufficientEncryptionPolicyException",
                format!(
                    "Insufficient permissions to access S3 bucket {} or KMS key {key}.",
                    trail.s3_bucket_name.as_deref().unwrap_or_default()
                ),
            ),
            "NotFoundException" => Fault::new("KmsKeyDoesNotExistException", why.message),
            "DisabledException" | "KMSInvalidStateException" => {
                Fault::new("KmsKeyDisabledException", why.message)
            }
            _ => Fault::new("InvalidKmsKeyIdException", why.message),
        }
    })
}

fn check_bucket(call: &Call<'_>, arn: &str, trail: &model::Trail) -> Result<(), Fault> {
    let bucket = trail.s3_bucket_name.as_deref().unwrap_or_default();
    if !call.account.global.s3.buckets.contains_key(bucket) {
        return Err(Fault::new(
            "S3BucketDoesNotExistException",
            format!("S3 bucket {bucket} does not exist!"),
        ));
    }
    let prefix = trail.s3_key_prefix.as_deref().map(|prefix| format!("{prefix}/"));
    let key = format!(
        "{}AWSLogs/{}/CloudTrail/{}/x.json.gz",
        prefix.unwrap_or_default(),
        call.account_id(),
        call.region_name
    );
    let mut context = BTreeMap::from([
        ("aws:SourceArn", arn.to_owned()),
        ("aws:SourceAccount", call.account_id()),
        ("aws:SecureTransport", "true".to_owned()),
        ("aws:PrincipalIsAWSService", "true".to_owned()),
    ]);
    let who = Principal::Service(SERVICE);
    let reads = s3::policy_allows(call, bucket, who, "s3:GetBucketAcl", "", &context);
    context.insert("s3:x-amz-acl", "bucket-owner-full-control".into());
    if let Some(key) = &trail.kms_key_id {
        context.insert("s3:x-amz-server-side-encryption", "aws:kms".into());
        context.insert("s3:x-amz-server-side-encryption-aws-kms-key-id", key.clone());
    }
    let writes = s3::policy_allows(call, bucket, who, "s3:PutObject", &key, &context);
    match reads && writes {
        true => Ok(()),
        false => Err(Fault::new(
            "InsufficientS3BucketPolicyException",
            format!("Incorrect S3 bucket policy is detected for bucket: {bucket}"),
        )),
    }
}

fn check_logs(call: &Call<'_>, trail: &model::Trail) -> Result<(), Fault> {
    let group = trail.cloud_watch_logs_log_group_arn.as_deref();
    let role = trail.cloud_watch_logs_role_arn.as_deref();
    let (group, role) = match (group, role) {
        (None, None) => return Ok(()),
        (Some(group), Some(role)) => (group, role),
        (Some(_), None) => {
            return Err(Fault::new(
                "InvalidCloudWatchLogsRoleArnException",
                "You must specify a role ARN as well as a log group.",
            ));
        }
        (None, Some(_)) => {
            return Err(Fault::new(
                "InvalidCloudWatchLogsLogGroupArnException",
                "You must specify a log group as well as a role ARN.",
            ));
        }
    };
    if !group.ends_with(":*") || logs::require_log_group(call, group).is_err() {
        return Err(Fault::new(
            "InvalidCloudWatchLogsLogGroupArnException",
            "CloudTrail cannot validate the specified log group ARN.",
        ));
    }
    let denied = |why: &str| {
        Fault::new("InvalidCloudWatchLogsRoleArnException", format!("Access denied. {why}"))
    };
    if iam::require_role_trusting(call, role, SERVICE).is_err() {
        return Err(denied("Check the trust relationships for your role."));
    }
    let name = role.rsplit('/').next().unwrap_or_default();
    let Some(held) = call.account.global.iam.roles.get(name) else {
        return Err(denied("Check the trust relationships for your role."));
    };
    let stream = group.trim_end_matches(":*");
    let stream =
        format!("{stream}:log-stream:{}_CloudTrail_{}", call.account_id(), call.region_name);
    let may = |action: &str| {
        held.inline.values().any(|text| {
            Document::parse(text).is_ok_and(|policy| {
                policy.allows(Principal::Arn(role), action, &stream, &BTreeMap::new())
            })
        })
    };
    // What attached policies say is not read here.
    let may_write = may("logs:CreateLogStream") && may("logs:PutLogEvents");
    match may_write || !held.attached.is_empty() {
        true => Ok(()),
        false => Err(denied("Verify in IAM that the role has adequate permissions.")),
    }
}

fn put_selectors(
    call: &mut Call<'_>,
    input: model::PutEventSelectorsRequest,
) -> Result<MockResponse, Fault> {
    let invalid = |why: &str| Fault::new("InvalidEventSelectorsException", why);
    match (&input.event_selectors, &input.advanced_event_selectors) {
        (Some(_), Some(_)) => {
            return Err(invalid(
                "You cannot specify both event selectors and advanced event selectors.",
            ));
        }
        (Some(basic), None) => {
            if basic.len() > 5 {
                return Err(invalid("A trail can have at most 5 event selectors."));
            }
            const TYPES: &[&str] =
                &["AWS::S3::Object", "AWS::Lambda::Function", "AWS::DynamoDB::Table"];
            for selector in basic {
                let kind = selector.read_write_type.as_deref().unwrap_or("All");
                if !["All", "ReadOnly", "WriteOnly"].contains(&kind) {
                    return Err(invalid("The read-write type is not valid."));
                }
                for data in selector.data_resources.iter().flatten() {
                    if !TYPES.contains(&data.r#type.as_deref().unwrap_or_default()) {
                        return Err(invalid("The data resource type is not valid."));
                    }
                }
            }
        }
        (None, Some(advanced)) => {
            for selector in advanced {
                let category = selector.field_selectors.iter().find(|f| f.field == "eventCategory");
                let equals = category.and_then(|field| field.equals.as_deref());
                let known = equals.is_some_and(|values| {
                    matches!(values, [one] if ["Management", "Data", "NetworkActivity"].contains(&one.as_str()))
                });
                if !known {
                    return Err(invalid("An advanced event selector must have an eventCategory."));
                }
            }
        }
        (None, None) => {
            return Err(invalid("You must specify event selectors or advanced event selectors."));
        }
    }
    let filled = input.event_selectors.map(|basic| {
        basic
            .into_iter()
            .map(|selector| model::EventSelector {
                read_write_type: selector.read_write_type.or(Some("All".into())),
                include_management_events: selector.include_management_events.or(Some(true)),
                data_resources: selector.data_resources.or(Some(Vec::new())),
                exclude_management_event_sources: selector
                    .exclude_management_event_sources
                    .or(Some(Vec::new())),
            })
            .collect()
    });
    let entry = home_mut(call, &input.trail_name)?;
    entry.basic = filled;
    entry.advanced = input.advanced_event_selectors;
    entry.trail.has_custom_event_selectors = Some(true);
    Ok(wire::serialize_put_event_selectors_response(&model::PutEventSelectorsResponse {
        trail_a_r_n: entry.trail.trail_a_r_n.clone(),
        event_selectors: entry.basic.clone(),
        advanced_event_selectors: entry.advanced.clone(),
    }))
}

/// The trails that a region sees: its own, and those of all regions that record there.
fn visible(call: &Call<'_>) -> Vec<Entry> {
    let entries = call.account.regions().flat_map(|(region, state)| {
        state.cloudtrail.trails.values().map(move |entry| (region, entry))
    });
    entries
        .filter(|(region, entry)| {
            *region == call.region_name || entry.trail.is_multi_region_trail == Some(true)
        })
        .map(|(_, entry)| entry.clone())
        .collect()
}

fn is_home(call: &Call<'_>, entry: &Entry) -> bool {
    entry.trail.home_region.as_deref() == Some(call.region_name)
}

fn is_arn(entry: &Entry, arn: &str) -> bool {
    entry.trail.trail_a_r_n.as_deref() == Some(arn)
}

fn is(entry: &Entry, name: &str) -> bool {
    entry.trail.name.as_deref() == Some(name) || is_arn(entry, name)
}

/// A trail that the region sees, by name or ARN. A name means a trail whose home is here.
fn find(call: &Call<'_>, name: &str) -> Result<Entry, Fault> {
    if name.starts_with("arn:") && !name.contains(":cloudtrail:") {
        return Err(Fault::new(
            "CloudTrailARNInvalidException",
            format!("{name} is not a valid trail ARN."),
        ));
    }
    visible(call)
        .into_iter()
        .find(|entry| is_arn(entry, name) || (is(entry, name) && is_home(call, entry)))
        .ok_or_else(|| unknown(call, name))
}

fn unknown(call: &Call<'_>, name: &str) -> Fault {
    let arn = match name.starts_with("arn:") {
        true => name.to_owned(),
        false => call.arn("cloudtrail", &format!("trail/{name}")),
    };
    Fault::new(
        "TrailNotFoundException",
        format!("Unknown trail: {arn} for the user: {}", call.account_id()),
    )
}

/// The name of a trail, which can be changed in its home region only.
fn at_home(call: &Call<'_>, name: &str) -> Result<String, Fault> {
    let entry = find(call, name)?;
    match is_home(call, &entry) {
        true => Ok(entry.trail.name.unwrap_or_default()),
        false => Err(Fault::new(
            "InvalidHomeRegionException",
            format!(
                "Trail {name} must be changed in its home region, {}.",
                entry.trail.home_region.unwrap_or_default()
            ),
        )),
    }
}

fn home_mut<'a>(call: &'a mut Call<'_>, name: &str) -> Result<&'a mut Entry, Fault> {
    let found = at_home(call, name)?;
    let missing = unknown(call, name);
    call.region().cloudtrail.trails.get_mut(&found).ok_or(missing)
}

fn by_arn_mut<'a>(call: &'a mut Call<'_>, arn: &str) -> Result<&'a mut Entry, Fault> {
    if !arn.starts_with("arn:") {
        return Err(Fault::new(
            "CloudTrailARNInvalidException",
            format!("{arn} is not a valid trail ARN."),
        ));
    }
    home_mut(call, arn).map_err(|why| match why.code.as_str() {
        "TrailNotFoundException" => no_resource(arn),
        _ => why,
    })
}

fn no_resource(arn: &str) -> Fault {
    Fault::new("ResourceNotFoundException", format!("Resource {arn} does not exist."))
}

fn check_name(name: &str) -> Result<(), Fault> {
    let invalid = |why: &str| Err(Fault::new("InvalidTrailNameException", why));
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if name.len() < 3 {
        return invalid("Trail name too short. Minimum allowed length: 3 characters.");
    }
    if name.len() > 128 {
        return invalid("Trail name too long. Maximum allowed length: 128 characters.");
    }
    if !ends(name.chars().next()) {
        return invalid("Trail name must starts with a letter or number.");
    }
    if !ends(name.chars().last()) {
        return invalid("Trail name must ends with a letter or number.");
    }
    let pairs = name.as_bytes().windows(2);
    let doubled = pairs.into_iter().any(|pair| pair.iter().all(|c| b"._-".contains(c)));
    if !name.chars().all(fits) || doubled || name.parse::<std::net::Ipv4Addr>().is_ok() {
        return invalid(
            "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, \
             periods (.), hyphens (-), and underscores (_).",
        );
    }
    Ok(())
}

fn checked_tags(tags: Vec<model::Tag>) -> Result<BTreeMap<String, String>, Fault> {
    if tags.len() > 50 {
        return Err(Fault::new("TagsLimitExceededException", "A trail can have at most 50 tags."));
    }
    let mut out = BTreeMap::new();
    for tag in tags {
        let value = tag.value.unwrap_or_default();
        if tag.key.is_empty() || tag.key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(Fault::new("InvalidTagParameterException", "The tag is not valid."));
        }
        out.insert(tag.key, value);
    }
    Ok(out)
}

fn full(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

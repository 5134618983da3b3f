//! Application Auto Scaling: scalable targets and their policies. Nothing is measured, so nothing is
//! scaled.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use winterbaume_applicationautoscaling::{model, wire};
use winterbaume_core::MockResponse;

use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::services::ecs;

/// What Application Auto Scaling holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By resource id and dimension.
    pub targets: BTreeMap<String, model::ScalableTarget>,
    /// By resource id, dimension and name.
    pub policies: BTreeMap<String, model::ScalingPolicy>,
    /// Tags by ARN.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let body = call.request.body.clone();
    match call.target() {
        "RegisterScalableTarget" => {
            register(call, wire::deserialize_register_scalable_target_request(&body)?)
        }
        "DescribeScalableTargets" => {
            describe_targets(call, wire::deserialize_describe_scalable_targets_request(&body)?)
        }
        "DeregisterScalableTarget" => {
            let input = wire::deserialize_deregister_scalable_target_request(&body)?;
            let key = key(&input.resource_id, &input.scalable_dimension);
            target(call, &key)?;
            let state = &mut call.region().application_autoscaling;
            let gone = state.targets.remove(&key);
            let arn = gone.and_then(|one| one.scalable_target_a_r_n).unwrap_or_default();
            state.tags.remove(&arn);
            state.policies.retain(|name, _| !name.starts_with(&format!("{key}|")));
            Ok(wire::serialize_deregister_scalable_target_response(
                &model::DeregisterScalableTargetResponse {},
            ))
        }
        "PutScalingPolicy" => {
            put_policy(call, wire::deserialize_put_scaling_policy_request(&body)?)
        }
        "DescribeScalingPolicies" => {
            describe_policies(call, wire::deserialize_describe_scaling_policies_request(&body)?)
        }
        "DeleteScalingPolicy" => {
            let input = wire::deserialize_delete_scaling_policy_request(&body)?;
            let key = key(&input.resource_id, &input.scalable_dimension);
            let key = format!("{key}|{}", input.policy_name);
            let state = &mut call.region().application_autoscaling;
            state.policies.remove(&key).ok_or_else(|| {
                Fault::new(
                    "ObjectNotFoundException",
                    format!(
                        "No scaling policy found for service namespace: {}, resource ID: {}, scalable dimension: {}: {}",
                        input.service_namespace,
                        input.resource_id,
                        input.scalable_dimension,
                        input.policy_name
                    ),
                )
            })?;
            Ok(wire::serialize_delete_scaling_policy_response(
                &model::DeleteScalingPolicyResponse {},
            ))
        }
        "ListTagsForResource" => {
            let input = wire::deserialize_list_tags_for_resource_request(&body)?;
            require_arn(call, &input.resource_a_r_n)?;
            let tags = held(call).and_then(|state| state.tags.get(&input.resource_a_r_n));
            let tags = tags.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
            Ok(wire::serialize_list_tags_for_resource_response(
                &model::ListTagsForResourceResponse { tags: Some(tags.collect()) },
            ))
        }
        "TagResource" => {
            let input = wire::deserialize_tag_resource_request(&body)?;
            require_arn(call, &input.resource_a_r_n)?;
            let state = &mut call.region().application_autoscaling;
            state.tags.entry(input.resource_a_r_n).or_default().extend(input.tags);
            Ok(wire::serialize_tag_resource_response(&model::TagResourceResponse {}))
        }
        "UntagResource" => {
            let input = wire::deserialize_untag_resource_request(&body)?;
            require_arn(call, &input.resource_a_r_n)?;
            let state = &mut call.region().application_autoscaling;
            let tags = state.tags.entry(input.resource_a_r_n).or_default();
            tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(wire::serialize_untag_resource_response(&model::UntagResourceResponse {}))
        }
        other => Err(Fault::unknown_operation("application-autoscaling", other)),
    }
}

fn held<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.region_if_any(call.region_name).map(|region| &*region.application_autoscaling)
}

fn key(resource_id: &str, dimension: &str) -> String {
    format!("{resource_id}|{dimension}")
}

fn validation(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}

fn target<'a>(call: &'a Call<'_>, key: &str) -> Result<&'a model::ScalableTarget, Fault> {
    let found = held(call).and_then(|state| state.targets.get(key));
    found.ok_or_else(|| {
        let (resource, dimension) = key.split_once('|').unwrap_or((key, ""));
        Fault::new(
            "ObjectNotFoundException",
            format!("No scalable target found for service namespace: ecs, resource ID: {resource}, scalable dimension: {dimension}"),
        )
    })
}

fn require_arn(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    let all = held(call).map(|state| state.targets.values()).into_iter().flatten();
    let known = all.filter_map(|one| one.scalable_target_a_r_n.as_deref()).any(|one| one == arn);
    if known {
        return Ok(());
    }
    Err(Fault::new("ResourceNotFoundException", format!("The resource {arn} does not exist")))
}

fn register(
    call: &mut Call<'_>,
    input: model::RegisterScalableTargetRequest,
) -> Result<MockResponse, Fault> {
    if input.service_namespace != "ecs" || input.scalable_dimension != "ecs:service:DesiredCount" {
        return Err(validation(
            "Unsupported service namespace, resource type or scalable dimension",
        ));
    }
    if !ecs::has_service(call, &input.resource_id) {
        return Err(validation(format!("ECS service doesn't exist: {}", input.resource_id)));
    }
    let key = key(&input.resource_id, &input.scalable_dimension);
    let before = target(call, &key).ok().cloned();
    if before.is_some() && input.tags.is_some() {
        return Err(validation(
            "Tags cannot be specified when updating a scalable target. Use TagResource instead.",
        ));
    }
    let old = before.unwrap_or_default();
    let min = input.min_capacity.or(old.min_capacity);
    let max = input.max_capacity.or(old.max_capacity);
    let (Some(min), Some(max)) = (min, max) else {
        return Err(validation(
            "You must specify both MinCapacity and MaxCapacity when registering a new scalable target.",
        ));
    };
    if min < 0 || max < min {
        return Err(validation("Maximum capacity cannot be less than minimum capacity."));
    }
    let arn = old.scalable_target_a_r_n.unwrap_or_else(|| {
        let id = call.random_hex(34);
        call.arn("application-autoscaling", &format!("scalable-target/{id}"))
    });
    let role = format!(
        "arn:aws:iam::{}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService",
        call.account_id()
    );
    let off = model::SuspendedState {
        dynamic_scaling_in_suspended: Some(false),
        dynamic_scaling_out_suspended: Some(false),
        scheduled_scaling_suspended: Some(false),
    };
    let one = model::ScalableTarget {
        service_namespace: Some(input.service_namespace),
        resource_id: Some(input.resource_id),
        scalable_dimension: Some(input.scalable_dimension),
        min_capacity: Some(min),
        max_capacity: Some(max),
        role_a_r_n: Some(role),
        creation_time: old.creation_time.or(Some(call.epoch())),
        suspended_state: input.suspended_state.or(old.suspended_state).or(Some(off)),
        scalable_target_a_r_n: Some(arn.clone()),
        ..Default::default()
    };
    let state = &mut call.region().application_autoscaling;
    state.targets.insert(key, one);
    if let Some(tags) = input.tags {
        state.tags.insert(arn.clone(), tags.into_iter().collect());
    }
    Ok(wire::serialize_register_scalable_target_response(&model::RegisterScalableTargetResponse {
        scalable_target_a_r_n: Some(arn),
    }))
}

fn paged<T>(
    items: Vec<T>,
    token: Option<&str>,
    limit: Option<i32>,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let limit = limit.and_then(|limit| limit.try_into().ok()).unwrap_or(50);
    page(items, token, limit)
        .ok_or_else(|| Fault::new("InvalidNextTokenException", "The next token is not valid."))
}

fn describe_targets(
    call: &Call<'_>,
    input: model::DescribeScalableTargetsRequest,
) -> Result<MockResponse, Fault> {
    let ids = input.resource_ids.unwrap_or_default();
    let all = held(call).map(|state| state.targets.values()).into_iter().flatten();
    let wanted = all.filter(|one| {
        one.service_namespace.as_deref() == Some(input.service_namespace.as_str())
            && (ids.is_empty() || one.resource_id.as_ref().is_some_and(|id| ids.contains(id)))
            && (input.scalable_dimension.is_none()
                || one.scalable_dimension == input.scalable_dimension)
    });
    let wanted = wanted.cloned().collect();
    let (targets, next_token) = paged(wanted, input.next_token.as_deref(), input.max_results)?;
    Ok(wire::serialize_describe_scalable_targets_response(
        &model::DescribeScalableTargetsResponse { scalable_targets: Some(targets), next_token },
    ))
}

fn put_policy(
    call: &mut Call<'_>,
    input: model::PutScalingPolicyRequest,
) -> Result<MockResponse, Fault> {
    let of = key(&input.resource_id, &input.scalable_dimension);
    target(call, &of)?;
    let key = format!("{of}|{}", input.policy_name);
    let before = held(call).and_then(|state| state.policies.get(&key)).cloned();
    let old = before.unwrap_or_default();
    let kind = input.policy_type.or(old.policy_type).unwrap_or_else(|| "StepScaling".into());
    let tracking = input
        .target_tracking_scaling_policy_configuration
        .or(old.target_tracking_scaling_policy_configuration);
    if kind == "TargetTrackingScaling" {
        let set = tracking.as_ref().ok_or_else(|| {
            validation("A target tracking scaling policy configuration must be specified.")
        })?;
        check_tracking(call, set, &of, &input.policy_name)?;
    }
    let arn = old.policy_a_r_n.unwrap_or_else(|| {
        let id = call.random_hex(32);
        let name = &input.policy_name;
        let resource = &input.resource_id;
        let account = call.account_id();
        let region = call.region_name;
        format!("arn:aws:autoscaling:{region}:{account}:scalingPolicy:{id}:resource/ecs/{resource}:policyName/{name}")
    });
    let alarm = |direction: &str| {
        let name =
            format!("TargetTracking-{}-{direction}-{}", input.resource_id, input.policy_name);
        model::Alarm {
            alarm_a_r_n: Some(call.arn("cloudwatch", &format!("alarm:{name}"))),
            alarm_name: Some(name),
        }
    };
    let alarms = match kind.as_str() {
        "TargetTrackingScaling" => vec![alarm("AlarmHigh"), alarm("AlarmLow")],
        _ => Vec::new(),
    };
    let policy = model::ScalingPolicy {
        policy_a_r_n: Some(arn.clone()),
        policy_name: Some(input.policy_name),
        policy_type: Some(kind),
        service_namespace: Some(input.service_namespace),
        resource_id: Some(input.resource_id),
        scalable_dimension: Some(input.scalable_dimension),
        creation_time: old.creation_time.or(Some(call.epoch())),
        alarms: Some(alarms.clone()),
        target_tracking_scaling_policy_configuration: tracking,
        step_scaling_policy_configuration: input
            .step_scaling_policy_configuration
            .or(old.step_scaling_policy_configuration),
        predictive_scaling_policy_configuration: input.predictive_scaling_policy_configuration,
    };
    call.region().application_autoscaling.policies.insert(key, policy);
    Ok(wire::serialize_put_scaling_policy_response(&model::PutScalingPolicyResponse {
        policy_a_r_n: Some(arn),
        alarms: Some(alarms),
    }))
}

fn check_tracking(
    call: &Call<'_>,
    set: &model::TargetTrackingScalingPolicyConfiguration,
    of: &str,
    name: &str,
) -> Result<(), Fault> {
    let metric = |set: &model::TargetTrackingScalingPolicyConfiguration| {
        set.predefined_metric_specification.as_ref().map(|one| one.predefined_metric_type.clone())
    };
    let wanted = metric(set);
    match wanted.as_deref() {
        Some("ECSServiceAverageCPUUtilization" | "ECSServiceAverageMemoryUtilization") => {
            if set.target_value <= 0.0 || set.target_value > 100.0 {
                return Err(validation("The target value must be a percentage."));
            }
        }
        Some("ALBRequestCountPerTarget") => {}
        None if set.customized_metric_specification.is_some() => {}
        other => {
            return Err(validation(format!(
                "The predefined metric {} is not supported for ecs:service:DesiredCount.",
                other.unwrap_or_default()
            )));
        }
    }
    // One policy for a metric, or they would pull against each other.
    let prefix = format!("{of}|");
    let own = format!("{of}|{name}");
    let policies = held(call).map(|state| state.policies.iter()).into_iter().flatten();
    let same =
        policies.filter(|(key, _)| key.starts_with(&prefix) && **key != own).any(|(_, one)| {
            let set = one.target_tracking_scaling_policy_configuration.as_ref();
            wanted.is_some() && set.and_then(metric) == wanted
        });
    if same {
        return Err(validation(
            "Only one TargetTrackingScaling policy for a given metric specification is allowed.",
        ));
    }
    Ok(())
}

fn describe_policies(
    call: &Call<'_>,
    input: model::DescribeScalingPoliciesRequest,
) -> Result<MockResponse, Fault> {
    let names = input.policy_names.unwrap_or_default();
    let all = held(call).map(|state| state.policies.values()).into_iter().flatten();
    let wanted = all.filter(|one| {
        one.service_namespace.as_deref() == Some(input.service_namespace.as_str())
            && (input.resource_id.is_none() || one.resource_id == input.resource_id)
            && (input.scalable_dimension.is_none()
                || one.scalable_dimension == input.scalable_dimension)
            && (names.is_empty()
                || one.policy_name.as_ref().is_some_and(|name| names.contains(name)))
    });
    let wanted = wanted.cloned().collect();
    let (policies, next_token) = paged(wanted, input.next_token.as_deref(), input.max_results)?;
    Ok(wire::serialize_describe_scaling_policies_response(
        &model::DescribeScalingPoliciesResponse { scaling_policies: Some(policies), next_token },
    ))
}

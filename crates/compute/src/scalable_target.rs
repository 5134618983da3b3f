//! `application_autoscaling.scalable_target`: between which bounds a service scales, and on what.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension,
    ScalableTarget as AwsTarget, ScalingPolicy, ServiceNamespace, SuspendedState,
    TargetTrackingScalingPolicyConfiguration,
};
use engine::vocabulary::{Arn, Id};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Identity, Live, New, Permissions, Ref,
    Resource, Result, Scope, Traits, When, client,
};
use serde::{Deserialize, Serialize};

use crate::service::ResourceId;

/// What scales, between which bounds, and on what. Its id is the resource id and the dimension, with
/// a `|` between them.
///
/// Output: `scale_out_suspended`, `true` where somebody has stopped it from adding tasks.
///
/// It has tags on AWS, but Elastic Container Service owns its life: it belongs to whoever owns the
/// service, which also holds on servers that keep no tags on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalableTarget {
    /// `service/<cluster>/<service>`.
    pub resource_id: Ref<ResourceId>,
    /// `ecs:service:DesiredCount`.
    pub scalable_dimension: String,
    /// The fewest tasks.
    pub min_capacity: u32,
    /// The most tasks.
    pub max_capacity: u32,
    /// What it scales on, by the policy's name.
    pub policies: BTreeMap<String, TargetTracking>,
    /// What somebody has stopped it from doing: `scale_in`, `scale_out`, `scheduled`. Not to be asked for: it is
    /// resumed.
    #[serde(default)]
    pub suspended: BTreeSet<String>,
}

/// Keeps a metric near a value: more tasks above it, fewer well below it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetTracking {
    /// `ECSServiceAverageCPUUtilization`, `ECSServiceAverageMemoryUtilization` or
    /// `ALBRequestCountPerTarget`. Empty for a policy of another kind: read, never declared.
    pub metric: String,
    /// The value: percent for the first two.
    pub target_value: f64,
    /// Seconds between two removals of tasks.
    pub scale_in_cooldown_seconds: u32,
    /// Seconds between two additions of tasks.
    pub scale_out_cooldown_seconds: u32,
    /// Whether it only ever adds tasks.
    pub disable_scale_in: bool,
}

/// The dimension of an ECS service that scales.
pub const DESIRED_COUNT: &str = "ecs:service:DesiredCount";

impl Resource for ScalableTarget {
    const TRAITS: Traits = Traits {
        identity: Identity::Parent {
            parent: "resource_id",
            key: &["resource_id", "scalable_dimension"],
        },
        immutable: &["resource_id", "scalable_dimension"],
        late: &["policies"],
        not_yet: &[
            ("ValidationException", "ECS service doesn't exist"),
            ("ValidationException", "Unable to assume IAM role"),
            ("ConcurrentUpdateException", ""),
            ("FailedResourceAccessException", ""),
        ],
        permissions: Permissions {
            read: &[Allow::to(&[
                "application-autoscaling:DescribeScalableTargets",
                "application-autoscaling:DescribeScalingPolicies",
            ])],
            make: &[
                Allow::to(&[
                    "application-autoscaling:RegisterScalableTarget",
                    "application-autoscaling:PutScalingPolicy",
                    "application-autoscaling:DeleteScalingPolicy",
                ])
                .on(&["application-autoscaling:{here}:scalable-target/*"])
                .under(&[When::equals("application-autoscaling:service-namespace", &["ecs"])]),
                Allow::to(&["iam:CreateServiceLinkedRole"])
                    .on(&["iam::{account}:role/aws-service-role/*"])
                    .under(&[When::equals(
                        "iam:AWSServiceName",
                        &["ecs.application-autoscaling.amazonaws.com"],
                    )]),
                // Application Auto Scaling asks whether the caller could do it, too:
                // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/auto-scaling-IAM.html
                Allow::to(&["ecs:UpdateService"]).on(&["ecs:{here}:service/{name}/{name}"]),
                Allow::to(&["ecs:DescribeServices", "cloudwatch:DescribeAlarms"]),
                Allow::to(&["cloudwatch:PutMetricAlarm"])
                    .on(&["cloudwatch:{here}:alarm:TargetTracking-service/{name}/{name}-*"]),
            ],
            remove: &[
                Allow::to(&[
                    "application-autoscaling:DeleteScalingPolicy",
                    "application-autoscaling:DeregisterScalableTarget",
                ])
                .on(&["application-autoscaling:{here}:scalable-target/*"])
                .under(&[When::equals("application-autoscaling:service-namespace", &["ecs"])]),
                Allow::to(&["cloudwatch:DeleteAlarms"])
                    .on(&["cloudwatch:{here}:alarm:TargetTracking-service/{name}/{name}-*"]),
            ],
        },
        ..Traits::of("application_autoscaling.scalable_target")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(collect(aws).await)
    }

    async fn create(&self, aws: &Aws, _: &New) -> Result<Live<Self>> {
        self.register(aws).await?;
        Ok(live(Self { policies: BTreeMap::new(), suspended: BTreeSet::new(), ..self.clone() }))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.any(&["min_capacity", "max_capacity", "suspended"]) {
            self.register(aws).await?;
        }
        let before = &live.spec.policies;
        for (name, policy) in
            self.policies.iter().filter(|(name, new)| before.get(*name) != Some(new))
        {
            self.put_policy(aws, name, policy).await?;
        }
        for name in before.keys().filter(|name| !self.policies.contains_key(*name)) {
            let call = client!(aws, aws_sdk_applicationautoscaling)
                .delete_scaling_policy()
                .policy_name(name)
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id(self.resource_id.as_str())
                .scalable_dimension(self.dimension());
            aws.find("application-autoscaling:DeleteScalingPolicy", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        // AWS lets its policies, and the alarms that it made for them, go with it; not every server does.
        for name in live.spec.policies.keys() {
            let call = client!(aws, aws_sdk_applicationautoscaling)
                .delete_scaling_policy()
                .policy_name(name)
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id(live.spec.resource_id.as_str())
                .scalable_dimension(live.spec.dimension());
            aws.find("application-autoscaling:DeleteScalingPolicy", call.send()).await?;
        }
        let call = client!(aws, aws_sdk_applicationautoscaling)
            .deregister_scalable_target()
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id(live.spec.resource_id.as_str())
            .scalable_dimension(live.spec.dimension());
        aws.call("application-autoscaling:DeregisterScalableTarget", call.send()).await?;
        Ok(())
    }
}

impl ScalableTarget {
    fn dimension(&self) -> ScalableDimension {
        ScalableDimension::from(self.scalable_dimension.as_str())
    }

    async fn register(&self, aws: &Aws) -> Result<()> {
        let at_work = SuspendedState::builder()
            .dynamic_scaling_in_suspended(false)
            .dynamic_scaling_out_suspended(false)
            .scheduled_scaling_suspended(false);
        let call = client!(aws, aws_sdk_applicationautoscaling)
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id(self.resource_id.as_str())
            .scalable_dimension(self.dimension())
            .min_capacity(signed(self.min_capacity))
            .max_capacity(signed(self.max_capacity))
            .suspended_state(at_work.build());
        aws.call("application-autoscaling:RegisterScalableTarget", call.send()).await?;
        Ok(())
    }

    async fn put_policy(&self, aws: &Aws, name: &str, policy: &TargetTracking) -> Result<()> {
        let metric = PredefinedMetricSpecification::builder()
            .predefined_metric_type(MetricType::from(policy.metric.as_str()))
            .build()
            .map_err(|why| Error::invalid(name, why))?;
        let configuration = TargetTrackingScalingPolicyConfiguration::builder()
            .predefined_metric_specification(metric)
            .target_value(policy.target_value)
            .scale_in_cooldown(signed(policy.scale_in_cooldown_seconds))
            .scale_out_cooldown(signed(policy.scale_out_cooldown_seconds))
            .disable_scale_in(policy.disable_scale_in)
            .build()
            .map_err(|why| Error::invalid(name, why))?;
        let call = client!(aws, aws_sdk_applicationautoscaling)
            .put_scaling_policy()
            .policy_name(name)
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id(self.resource_id.as_str())
            .scalable_dimension(self.dimension())
            .policy_type(PolicyType::TargetTrackingScaling)
            .target_tracking_scaling_policy_configuration(configuration);
        aws.call("application-autoscaling:PutScalingPolicy", call.send()).await?;
        Ok(())
    }
}

/// AWS counts in signed numbers.
fn signed(number: u32) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// What AWS counts is never negative.
fn unsigned(number: i32) -> u32 {
    number.try_into().unwrap_or_default()
}

fn live(spec: ScalableTarget) -> Live<ScalableTarget> {
    Live::new(format!("{}|{}", spec.resource_id, spec.scalable_dimension), spec)
}

async fn collect(aws: &Aws) -> Result<Vec<Live<ScalableTarget>>> {
    let scaling = client!(aws, aws_sdk_applicationautoscaling);
    let targets = scaling
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Ecs)
        .into_paginator()
        .items();
    let targets: Vec<AwsTarget> = aws
        .call("application-autoscaling:DescribeScalableTargets", targets.send().try_collect())
        .await?;
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let policies = scaling
        .describe_scaling_policies()
        .service_namespace(ServiceNamespace::Ecs)
        .into_paginator()
        .items();
    let policies: Result<Vec<ScalingPolicy>> = aws
        .call("application-autoscaling:DescribeScalingPolicies", policies.send().try_collect())
        .await;
    let found = targets.into_iter().map(|target| {
        let mut live = live(ScalableTarget {
            resource_id: Ref::known(target.resource_id),
            scalable_dimension: target.scalable_dimension.as_str().to_owned(),
            min_capacity: unsigned(target.min_capacity),
            max_capacity: unsigned(target.max_capacity),
            policies: BTreeMap::new(),
            suspended: target.suspended_state.as_ref().map(suspended).unwrap_or_default(),
        });
        live.arn = target.scalable_target_arn;
        let out = live.spec.suspended.contains("scale_out").then(|| true.to_string());
        live = live.with_output("scale_out_suspended", out);
        let own = policies.clone().map(|policies| {
            let own = policies.into_iter().filter(|policy| {
                policy.resource_id == live.spec.resource_id.as_str()
                    && policy.scalable_dimension.as_str() == live.spec.scalable_dimension
            });
            own.map(read_policy).collect()
        });
        live.read("policies", own, |spec, own| spec.policies = own);
        live
    });
    Ok(found.collect())
}

fn suspended(state: &SuspendedState) -> BTreeSet<String> {
    let all = [
        ("scale_in", state.dynamic_scaling_in_suspended),
        ("scale_out", state.dynamic_scaling_out_suspended),
        ("scheduled", state.scheduled_scaling_suspended),
    ];
    all.into_iter().filter(|(_, is)| *is == Some(true)).map(|(what, _)| what.to_owned()).collect()
}

fn read_policy(found: ScalingPolicy) -> (String, TargetTracking) {
    let set = found.target_tracking_scaling_policy_configuration;
    let metric = set.as_ref().and_then(|set| set.predefined_metric_specification.as_ref());
    let cooldown = |seconds: Option<i32>| seconds.map_or(300, unsigned);
    let policy = TargetTracking {
        metric: metric
            .map(|metric| metric.predefined_metric_type.as_str().to_owned())
            .unwrap_or_default(),
        target_value: set.as_ref().map(|set| set.target_value).unwrap_or_default(),
        // Where nothing was said, five minutes pass.
        scale_in_cooldown_seconds: cooldown(set.as_ref().and_then(|set| set.scale_in_cooldown)),
        scale_out_cooldown_seconds: cooldown(set.as_ref().and_then(|set| set.scale_out_cooldown)),
        disable_scale_in: set.and_then(|set| set.disable_scale_in).unwrap_or(false),
    };
    (found.policy_name, policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stops_it_from_scaling_is_seen() {
        let state = SuspendedState::builder().dynamic_scaling_out_suspended(true);
        let state = state.dynamic_scaling_in_suspended(false).build();
        assert_eq!(suspended(&state), BTreeSet::from(["scale_out".to_owned()]));
    }

    #[test]
    fn a_policy_of_another_kind_is_seen_and_never_taken_for_ours() {
        let step = ScalingPolicy::builder()
            .policy_name("cpu")
            .policy_arn("arn:p")
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id("service/c/s")
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .policy_type(PolicyType::StepScaling)
            .creation_time(aws_smithy_types::DateTime::from_secs(0))
            .build()
            .unwrap();
        let (name, policy) = read_policy(step);
        assert_eq!(name, "cpu");
        assert_eq!(policy.metric, "");
    }
}

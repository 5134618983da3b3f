//! FERPA-AVL-06: services scale.

use std::collections::HashMap;

use compute::scalable_target::DESIRED_COUNT;
use compute::{ScalableTarget, Service};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-AVL-06",
    title: "Services scale",
    statement: "Every ECS service has a scalable target that may add tasks, with a policy that does.",
    severity: Severity::Low,
    citations: &["34 CFR 99.10", "NIST SP 800-171r2 3.6.1"],
    why: "At the end of a term everybody asks at once, and a service of a fixed size keeps some of them waiting past their deadline.",
    reads: &[&[
        "ecs.service.outputs",
        "application_autoscaling.scalable_target.resource_id",
        "application_autoscaling.scalable_target.scalable_dimension",
        "application_autoscaling.scalable_target.min_capacity",
        "application_autoscaling.scalable_target.max_capacity",
        "application_autoscaling.scalable_target.policies",
        "application_autoscaling.scalable_target.outputs",
    ]],
    remedy: Remedy {
        stack: "`service.scaling`: `max` above `min`",
        api: "application-autoscaling:RegisterScalableTarget with MaxCapacity, and application-autoscaling:PutScalingPolicy",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let targets = facts.all::<ScalableTarget>();
    let by_service: Result<HashMap<&str, _>, &Unread> = targets.as_ref().map(|all| {
        let counts = all.iter().filter(|one| one.spec.scalable_dimension == DESIRED_COUNT);
        counts.map(|one| (one.spec.resource_id.as_str(), one)).collect()
    });
    facts.each::<Service>(|service| {
        let targets = by_service.as_ref().map_err(|unread| (*unread).clone())?;
        let name = service.live().output("resource_id").unwrap_or_default();
        let call = "application-autoscaling:DescribeScalableTargets";
        let Some(target) = targets.get(name) else {
            return Ok(Verdict::fail("nothing scales it").with(call, "ResourceId", name));
        };
        let spec = Seen::of(*target).read(&["min_capacity", "max_capacity", "policies"])?;
        let (min, max) = (spec.min_capacity, spec.max_capacity);
        let suspended = target.output("scale_out_suspended").is_some();
        let verdict = if max <= min {
            Verdict::fail(format!("it has from {min} to {max} tasks, so none can be added"))
        } else if spec.policies.is_empty() {
            Verdict::fail("no policy says when to add tasks")
        } else if suspended {
            Verdict::fail("somebody has suspended the addition of tasks")
        } else {
            Verdict::pass(format!("it scales between {min} and {max} tasks"))
        };
        let policies: Vec<&String> = spec.policies.keys().collect();
        Ok(verdict
            .with(call, "MinCapacity", min)
            .with(call, "MaxCapacity", max)
            .with(call, "SuspendedState.DynamicScalingOutSuspended", suspended)
            .with(
                "application-autoscaling:DescribeScalingPolicies",
                "PolicyName",
                serde_json::json!(policies),
            ))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_applicationautoscaling::Client;
    use aws_sdk_applicationautoscaling::operation::describe_scalable_targets::DescribeScalableTargetsOutput;
    use aws_sdk_applicationautoscaling::operation::describe_scaling_policies::DescribeScalingPoliciesOutput;
    use aws_sdk_applicationautoscaling::types::{
        PolicyType, ScalableDimension, ScalableTarget, ScalingPolicy, ServiceNamespace,
        SuspendedState,
    };
    use aws_smithy_mocks::{Rule, mock};
    use aws_smithy_types::DateTime;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, ecs, judged, only};

    const NAME: &str = "service/api/api";

    fn targets(max: i32, suspended: bool) -> Rule {
        mock!(Client::describe_scalable_targets).then_output(move || {
            let state = SuspendedState::builder().dynamic_scaling_out_suspended(suspended).build();
            let target = ScalableTarget::builder()
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id(NAME)
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .min_capacity(2)
                .max_capacity(max)
                .role_arn("arn:aws:iam::123456789012:role/scaling")
                .creation_time(DateTime::from_secs(0))
                .suspended_state(state);
            let target = target.build().unwrap();
            DescribeScalableTargetsOutput::builder().scalable_targets(target).build()
        })
    }

    fn policy() -> Rule {
        mock!(Client::describe_scaling_policies).then_output(|| {
            let policy = ScalingPolicy::builder()
                .policy_name("cpu")
                .policy_arn("arn:p")
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id(NAME)
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .policy_type(PolicyType::StepScaling)
                .creation_time(DateTime::from_secs(0));
            let policy = policy.build().unwrap();
            DescribeScalingPoliciesOutput::builder().scaling_policies(policy).build()
        })
    }

    async fn of(rules: Vec<Rule>) -> Status {
        only(&judged(&CONTROL, &[ecs::service(|it| it), rules].concat()).await).0
    }

    #[tokio::test]
    async fn a_service_scales_when_it_can_and_something_says_when() {
        assert_eq!(of(vec![targets(10, false), policy()]).await, Status::Pass);
        assert_eq!(of(Vec::new()).await, Status::Fail, "no target");
        assert_eq!(of(vec![targets(2, false), policy()]).await, Status::Fail, "no room");
        assert_eq!(of(vec![targets(10, false)]).await, Status::Fail, "no policy");
        assert_eq!(of(vec![targets(10, true), policy()]).await, Status::Fail, "suspended");
    }

    #[tokio::test]
    async fn policies_that_cannot_be_read_are_unknown() {
        let error = denied!(
            aws_sdk_applicationautoscaling,
            describe_scaling_policies,
            DescribeScalingPoliciesError
        );
        assert_eq!(of(vec![targets(10, false), error]).await, Status::Unknown);
    }
}

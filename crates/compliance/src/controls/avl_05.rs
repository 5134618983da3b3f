//! FERPA-AVL-05: services run two tasks or more, across subnets, with a circuit breaker.

use compute::Service;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::placement::zones_of;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-AVL-05",
    title: "Services run in two places and survive a bad deployment",
    statement: "Every ECS service runs two tasks or more, in subnets of two availability zones or more, with the deployment circuit breaker on.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.10", "NIST SP 800-171r2 3.6.1"],
    why: "A request to inspect records has a deadline, and a service in one place, or one that a bad revision takes down, does not answer it.",
    reads: &[&[
        "ecs.service.desired_count",
        "ecs.service.started_tasks",
        "ecs.service.subnets",
        "ecs.service.deployment",
        "ec2.subnet.availability_zone",
    ]],
    remedy: Remedy {
        stack: "`service.desired_count`, `network.availability_zones` and `service.deployment.circuit_breaker`",
        api: "ecs:UpdateService with desiredCount, networkConfiguration.awsvpcConfiguration.subnets and deploymentConfiguration.deploymentCircuitBreaker",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Service>(|service| {
        let spec = service.read(&["desired_count", "subnets", "deployment", "started_tasks"])?;
        let count = spec.desired_count;
        let breaker = spec.deployment.circuit_breaker;
        let mut faults = Vec::new();
        if count < 2 {
            let tasks = if count == 1 { "one task" } else { "no task" };
            faults.push(format!("it runs {tasks}"));
        } else if let Some(started) = spec.started_tasks.filter(|started| *started < 2) {
            faults.push(format!("it wants {count} tasks, and {started} run or are being started"));
        }
        if !breaker {
            faults.push("a deployment whose tasks keep failing is not given up".into());
        }
        // What is wrong already does not wait for what cannot be read.
        let zones = match zones_of(facts, spec) {
            Err(unread) if faults.is_empty() => return Err(unread),
            zones => zones.ok(),
        };
        if let Some(zones) = zones.as_ref().filter(|zones| zones.len() < 2) {
            let zone = zones.first().map(String::as_str).unwrap_or_default();
            faults.push(format!("all its subnets are in {zone}"));
        }
        let good = format!(
            "it runs {count} tasks in {} zones, with a circuit breaker",
            zones.as_ref().map_or(0, |zones| zones.len())
        );
        let subnets: Vec<&str> = spec.subnets.iter().map(|subnet| subnet.as_str()).collect();
        let call = "ecs:DescribeServices";
        Ok(Verdict::of(faults.is_empty(), good, faults.join("; "))
            .with(call, "desiredCount", count)
            .with(call, "runningCount + pendingCount", spec.started_tasks)
            .with(call, "awsvpcConfiguration.subnets", subnets)
            .with(call, "deploymentCircuitBreaker.enable", breaker))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::DeploymentConfiguration;
    use aws_sdk_ecs::types::builders::ServiceBuilder;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, ecs, judged, only, subnets};

    const TWO_ZONES: &[(&str, &str)] = &[("subnet-1", "us-east-1a"), ("subnet-2", "us-east-1b")];
    const ONE_ZONE: &[(&str, &str)] = &[("subnet-1", "us-east-1a"), ("subnet-2", "us-east-1a")];

    async fn of(
        change: fn(ServiceBuilder) -> ServiceBuilder,
        places: &'static [(&'static str, &'static str)],
    ) -> (Status, String) {
        let mut rules = ecs::service(change);
        rules.push(subnets(places));
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    #[tokio::test]
    async fn two_tasks_two_zones_and_a_circuit_breaker() {
        let good = "it runs 2 tasks in 2 zones, with a circuit breaker".to_owned();
        assert_eq!(of(|it| it, TWO_ZONES).await, (Status::Pass, good));
        let bad = [
            (of(|it| it.desired_count(1), TWO_ZONES).await, "it runs one task"),
            (of(|it| it, ONE_ZONE).await, "all its subnets are in us-east-1a"),
            (
                of(|it| it.running_count(0), TWO_ZONES).await,
                "it wants 2 tasks, and 0 run or are being started",
            ),
            (
                of(
                    |it| it.deployment_configuration(DeploymentConfiguration::builder().build()),
                    TWO_ZONES,
                )
                .await,
                "a deployment whose tasks keep failing is not given up",
            ),
        ];
        for ((status, message), why) in bad {
            assert_eq!((status, message.as_str()), (Status::Fail, why));
        }
        let starting = of(|it| it.running_count(1).pending_count(1), TWO_ZONES).await;
        assert_eq!(starting.0, Status::Pass);
    }

    #[tokio::test]
    async fn subnets_that_cannot_be_read_are_unknown() {
        let mut rules = ecs::service(|it| it);
        rules.push(denied!(aws_sdk_ec2, describe_subnets, DescribeSubnetsError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}

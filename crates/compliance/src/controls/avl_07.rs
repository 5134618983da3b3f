//! FERPA-AVL-07: target groups check health.

use compute::TargetGroup;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-AVL-07",
    title: "Target groups check health",
    statement: "Every target group checks its targets' health, and an error does not count as healthy.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.10"],
    why: "Without checks a load balancer goes on sending people who want their records to tasks that are broken.",
    reads: &[&["elbv2.target_group.health_check", "elbv2.target_group.target_type"]],
    remedy: Remedy {
        stack: "`deploy`: the target group asks for `compute.health_path`",
        api: "elasticloadbalancing:ModifyTargetGroup with HealthCheckEnabled and Matcher",
    },
    reach: Reach::Stack,
    judge,
};

const CALL: &str = "elasticloadbalancing:DescribeTargetGroups";

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<TargetGroup>(|group| {
        let spec = group.read(&["health_check", "target_type"])?;
        let check = &spec.health_check;
        let verdict = if !check.enabled && spec.target_type == "lambda" {
            Verdict::not_applicable("its target is a function, which AWS runs anew for each request")
        } else if !check.enabled {
            Verdict::fail("it does not check whether its targets work")
        } else if counts_errors(&check.matcher) {
            Verdict::fail(format!("answers of {} count as healthy, errors included", check.matcher))
        } else {
            Verdict::pass(format!("it checks its targets every {} s", check.interval_seconds))
        };
        Ok(verdict
            .with(CALL, "HealthCheckEnabled", check.enabled)
            .with(CALL, "HealthCheckPath", check.path.as_str())
            .with(CALL, "Matcher", check.matcher.as_str())
            .with(CALL, "TargetType", spec.target_type.as_str()))
    })
}

/// Whether errors count as success: `200-499` takes whatever an application that is broken but up says.
/// One code (`401`, where the path asks for credentials) is a choice.
fn counts_errors(matcher: &str) -> bool {
    matcher.split(',').filter_map(|range| range.trim().split_once('-')).any(|(from, to)| {
        let code = |text: &str| text.trim().parse::<u16>().ok();
        code(from).zip(code(to)).is_some_and(|(from, to)| from < 400 && to >= 400)
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::{Matcher, TargetTypeEnum};

    use super::{CONTROL, counts_errors};
    use crate::finding::Status;
    use crate::testing::elb::target_group;
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn health_is_checked_and_errors_are_not_healthy() {
        let found = judged(&CONTROL, &target_group(|it| it)).await;
        assert_eq!(only(&found), (Status::Pass, "it checks its targets every 30 s"));
        let off = judged(&CONTROL, &target_group(|it| it.health_check_enabled(false))).await;
        assert_eq!(only(&off).0, Status::Fail);
        let lax = target_group(|it| it.matcher(Matcher::builder().http_code("200-499").build()));
        assert_eq!(only(&judged(&CONTROL, &lax).await).0, Status::Fail);
        let function = target_group(|it| {
            it.health_check_enabled(false).target_type(TargetTypeEnum::Lambda)
        });
        assert_eq!(only(&judged(&CONTROL, &function).await).0, Status::NotApplicable);
    }

    #[test]
    fn a_range_over_400_counts_errors() {
        assert!(counts_errors("200, 300-404"));
        assert!(!counts_errors("200-399,401") && !counts_errors(""));
    }

    #[tokio::test]
    async fn target_groups_that_cannot_be_listed_are_unknown() {
        let denied = denied!(
            aws_sdk_elasticloadbalancingv2,
            describe_target_groups,
            DescribeTargetGroupsError
        );
        let found = judged(&CONTROL, &[denied]).await;
        assert_eq!(only(&found).0, Status::Unknown);
    }
}

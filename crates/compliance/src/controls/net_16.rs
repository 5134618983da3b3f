//! FERPA-NET-16: load balancers drop header fields that are not valid.

use compute::LoadBalancer;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-16",
    title: "Load balancers drop invalid headers",
    statement: "Every application load balancer drops header fields whose names HTTP does not allow.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.1"],
    why: "A field that one server reads and the next one reads otherwise carries requests past whoever checks them, with somebody else's session.",
    reads: &[&[
        "elbv2.load_balancer.drop_invalid_header_fields",
        "elbv2.load_balancer.load_balancer_type",
    ]],
    remedy: Remedy {
        stack: "`deploy`: the load balancer always drops them",
        api: "elasticloadbalancing:ModifyLoadBalancerAttributes with routing.http.drop_invalid_header_fields.enabled",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<LoadBalancer>(|balancer| {
        let kind = &balancer.read(&["load_balancer_type"])?.load_balancer_type;
        if kind != "application" {
            let why = format!("a load balancer of the type {kind} reads no headers");
            return Ok(Verdict::not_applicable(why));
        }
        let drops = balancer.read(&["drop_invalid_header_fields"])?.drop_invalid_header_fields;
        let verdict =
            Verdict::of(drops, "it drops invalid headers", "it passes invalid headers on");
        let field = "routing.http.drop_invalid_header_fields.enabled";
        Ok(verdict.with("elasticloadbalancing:DescribeLoadBalancerAttributes", field, drops))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::Client;
    use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancer_attributes::DescribeLoadBalancerAttributesOutput;
    use aws_sdk_elasticloadbalancingv2::types::{LoadBalancerAttribute, LoadBalancerTypeEnum};
    use aws_smithy_mocks::mock;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{balancer, denied, judged, only};

    #[tokio::test]
    async fn headers_are_dropped_or_passed_on() {
        let drops = mock!(Client::describe_load_balancer_attributes).then_output(|| {
            let drops = LoadBalancerAttribute::builder().value("true");
            let drops = drops.key("routing.http.drop_invalid_header_fields.enabled").build();
            DescribeLoadBalancerAttributesOutput::builder().attributes(drops).build()
        });
        let found = judged(&CONTROL, &[vec![drops], balancer(|it| it)].concat()).await;
        assert_eq!(only(&found), (Status::Pass, "it drops invalid headers"));
        let found = judged(&CONTROL, &balancer(|it| it)).await;
        assert_eq!(only(&found), (Status::Fail, "it passes invalid headers on"));
        let network = balancer(|it| it.r#type(LoadBalancerTypeEnum::Network));
        assert_eq!(only(&judged(&CONTROL, &network).await).0, Status::NotApplicable);
    }

    #[tokio::test]
    async fn attributes_that_cannot_be_read_are_unknown() {
        let denied = denied!(
            aws_sdk_elasticloadbalancingv2,
            describe_load_balancer_attributes,
            DescribeLoadBalancerAttributesError
        );
        let found = judged(&CONTROL, &[vec![denied], balancer(|it| it)].concat()).await;
        assert_eq!(only(&found).0, Status::Unknown);
    }
}

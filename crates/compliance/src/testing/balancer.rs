//! An internal application load balancer.

use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancer_attributes::DescribeLoadBalancerAttributesOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancers::DescribeLoadBalancersOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_tags::DescribeTagsOutput;
use aws_sdk_elasticloadbalancingv2::types::builders::LoadBalancerBuilder;
use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer, LoadBalancerSchemeEnum, LoadBalancerState, LoadBalancerStateEnum,
    LoadBalancerTypeEnum,
};
use aws_smithy_mocks::{Rule, mock};

/// Its ARN.
pub(crate) const BALANCER: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/front/1";

/// A load balancer without attributes of its own, changed.
pub(crate) fn balancer(
    change: impl Fn(LoadBalancerBuilder) -> LoadBalancerBuilder + Send + Sync + 'static,
) -> Vec<Rule> {
    let described = move || {
        let active = LoadBalancerState::builder().code(LoadBalancerStateEnum::Active).build();
        let one = LoadBalancer::builder()
            .load_balancer_arn(BALANCER)
            .load_balancer_name("front")
            .scheme(LoadBalancerSchemeEnum::Internal)
            .r#type(LoadBalancerTypeEnum::Application)
            .state(active);
        DescribeLoadBalancersOutput::builder().load_balancers(change(one).build()).build()
    };
    vec![
        mock!(aws_sdk_elasticloadbalancingv2::Client::describe_load_balancers)
            .then_output(described),
        mock!(aws_sdk_elasticloadbalancingv2::Client::describe_load_balancer_attributes)
            .then_output(|| DescribeLoadBalancerAttributesOutput::builder().build()),
        mock!(aws_sdk_elasticloadbalancingv2::Client::describe_tags)
            .then_output(|| DescribeTagsOutput::builder().build()),
    ]
}

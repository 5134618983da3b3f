//! A load balancer with a listener and a target group, as Elastic Load Balancing describes them.

use aws_sdk_elasticloadbalancingv2::operation::describe_listeners::DescribeListenersOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancers::DescribeLoadBalancersOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_rules::DescribeRulesOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_tags::DescribeTagsOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_target_group_attributes::DescribeTargetGroupAttributesOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_target_groups::DescribeTargetGroupsOutput;
use aws_sdk_elasticloadbalancingv2::types::builders::{ListenerBuilder, TargetGroupBuilder};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Listener, LoadBalancer, Matcher, ProtocolEnum, RedirectActionConfig,
    Rule as ListenerRule, TargetGroup, TargetTypeEnum,
};
use aws_smithy_mocks::{Rule, mock};

const BALANCER: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/1";
const LISTENER: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/a/1/2";
/// The ARN of the target group.
pub(crate) const GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/1";

/// A load balancer; no tags on anything.
pub(crate) fn balancer() -> Vec<Rule> {
    vec![
        mock!(aws_sdk_elasticloadbalancingv2::Client::describe_load_balancers).then_output(|| {
            let one = LoadBalancer::builder().load_balancer_arn(BALANCER).build();
            DescribeLoadBalancersOutput::builder().load_balancers(one).build()
        }),
        untagged(),
    ]
}

fn untagged() -> Rule {
    mock!(aws_sdk_elasticloadbalancingv2::Client::describe_tags)
        .then_output(|| DescribeTagsOutput::builder().build())
}

/// Its only listener.
pub(crate) fn listener(
    change: impl Fn(ListenerBuilder) -> ListenerBuilder + Send + Sync + 'static,
) -> Rule {
    mock!(aws_sdk_elasticloadbalancingv2::Client::describe_listeners).then_output(move || {
        let one = Listener::builder().listener_arn(LISTENER).load_balancer_arn(BALANCER).port(443);
        DescribeListenersOutput::builder().listeners(change(one).build()).build()
    })
}

/// The listener's rules: one with this action, beside the default.
pub(crate) fn rules(action: fn() -> Action) -> Rule {
    mock!(aws_sdk_elasticloadbalancingv2::Client::describe_rules).then_output(move || {
        let default = ListenerRule::builder().rule_arn("default").is_default(true).build();
        let one = ListenerRule::builder().rule_arn("one").is_default(false).actions(action());
        DescribeRulesOutput::builder().rules(one.build()).rules(default).build()
    })
}

pub(crate) fn forward() -> Action {
    Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(GROUP).build()
}

pub(crate) fn redirect(protocol: &str) -> Action {
    let to = RedirectActionConfig::builder().protocol(protocol).port("443").build();
    Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(to).build()
}

/// A target group that checks health.
pub(crate) fn target_group(
    change: impl Fn(TargetGroupBuilder) -> TargetGroupBuilder + Send + Sync + 'static,
) -> Vec<Rule> {
    let groups = move || {
        let one = TargetGroup::builder()
            .target_group_arn(GROUP)
            .target_type(TargetTypeEnum::Ip)
            .protocol(ProtocolEnum::Http)
            .health_check_enabled(true)
            .health_check_path("/health")
            .health_check_interval_seconds(30)
            .matcher(Matcher::builder().http_code("200").build());
        DescribeTargetGroupsOutput::builder().target_groups(change(one).build()).build()
    };
    vec![
        mock!(aws_sdk_elasticloadbalancingv2::Client::describe_target_groups).then_output(groups),
        mock!(aws_sdk_elasticloadbalancingv2::Client::describe_target_group_attributes)
            .then_output(|| DescribeTargetGroupAttributesOutput::builder().build()),
        untagged(),
    ]
}

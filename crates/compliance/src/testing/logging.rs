//! A trail, and a load balancer with its access log.

use aws_sdk_cloudtrail::operation::describe_trails::DescribeTrailsOutput;
use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsOutput;
use aws_sdk_cloudtrail::operation::get_trail_status::GetTrailStatusOutput;
use aws_sdk_cloudtrail::operation::list_tags::ListTagsOutput;
use aws_sdk_cloudtrail::types::Trail;
use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancer_attributes::DescribeLoadBalancerAttributesOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancers::DescribeLoadBalancersOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_tags::DescribeTagsOutput;
use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer, LoadBalancerAttribute, LoadBalancerTypeEnum,
};
use aws_smithy_mocks::{Rule, mock};

/// A trail into the bucket `records` that records what the selectors say.
pub(crate) fn trail_that_selects(
    logging: bool,
    selectors: impl Fn() -> GetEventSelectorsOutput + Send + Sync + 'static,
) -> Vec<Rule> {
    vec![
        mock!(aws_sdk_cloudtrail::Client::describe_trails).then_output(|| {
            let trail = Trail::builder()
                .name("all")
                .trail_arn("arn:aws:cloudtrail:us-east-1:123456789012:trail/all")
                .s3_bucket_name("records")
                .is_multi_region_trail(true);
            DescribeTrailsOutput::builder().trail_list(trail.build()).build()
        }),
        mock!(aws_sdk_cloudtrail::Client::list_tags)
            .then_output(|| ListTagsOutput::builder().build()),
        mock!(aws_sdk_cloudtrail::Client::get_trail_status)
            .then_output(move || GetTrailStatusOutput::builder().is_logging(logging).build()),
        mock!(aws_sdk_cloudtrail::Client::get_event_selectors).then_output(selectors),
    ]
}

/// A load balancer that writes its access log into this bucket.
pub(crate) fn balancer_that_logs(into: Option<&'static str>) -> Vec<Rule> {
    vec![
        mock!(aws_sdk_elasticloadbalancingv2::Client::describe_load_balancers).then_output(|| {
            let balancer = LoadBalancer::builder()
                .load_balancer_arn(
                    "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/front/1",
                )
                .load_balancer_name("front")
                .r#type(LoadBalancerTypeEnum::Application);
            DescribeLoadBalancersOutput::builder().load_balancers(balancer.build()).build()
        }),
        mock!(aws_sdk_elasticloadbalancingv2::Client::describe_tags)
            .then_output(|| DescribeTagsOutput::builder().build()),
        mock!(aws_sdk_elasticloadbalancingv2::Client::describe_load_balancer_attributes)
            .then_output(move || {
                let pair = |key: &str, value: &str| {
                    LoadBalancerAttribute::builder().key(key).value(value).build()
                };
                DescribeLoadBalancerAttributesOutput::builder()
                    .attributes(pair("access_logs.s3.enabled", &into.is_some().to_string()))
                    .attributes(pair("access_logs.s3.bucket", into.unwrap_or_default()))
                    .build()
            }),
    ]
}

//! A log group, as CloudWatch Logs describes it.

use aws_sdk_cloudwatchlogs::operation::describe_log_groups::DescribeLogGroupsOutput;
use aws_sdk_cloudwatchlogs::operation::describe_metric_filters::DescribeMetricFiltersOutput;
use aws_sdk_cloudwatchlogs::operation::describe_subscription_filters::DescribeSubscriptionFiltersOutput;
use aws_sdk_cloudwatchlogs::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_cloudwatchlogs::types::LogGroup;
use aws_smithy_mocks::{Rule, mock};

/// One log group.
pub(crate) fn named_log_group(
    name: &'static str,
    key: Option<&'static str>,
    days: Option<i32>,
) -> Vec<Rule> {
    use aws_sdk_cloudwatchlogs::Client;
    vec![
        mock!(Client::describe_log_groups).then_output(move || {
            let group = LogGroup::builder()
                .log_group_name(name)
                .log_group_arn(format!("arn:aws:logs:us-east-1:123456789012:log-group:{name}"))
                .set_kms_key_id(key.map(str::to_owned))
                .set_retention_in_days(days);
            DescribeLogGroupsOutput::builder().log_groups(group.build()).build()
        }),
        mock!(Client::describe_metric_filters)
            .then_output(|| DescribeMetricFiltersOutput::builder().build()),
        mock!(Client::describe_subscription_filters)
            .then_output(|| DescribeSubscriptionFiltersOutput::builder().build()),
        mock!(Client::list_tags_for_resource)
            .then_output(|| ListTagsForResourceOutput::builder().build()),
    ]
}

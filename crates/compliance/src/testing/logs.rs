//! A log group, with nothing set.

use aws_sdk_cloudwatchlogs::operation::describe_log_groups::DescribeLogGroupsOutput;
use aws_sdk_cloudwatchlogs::operation::describe_subscription_filters::DescribeSubscriptionFiltersOutput;
use aws_sdk_cloudwatchlogs::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_cloudwatchlogs::types::LogGroup;
use aws_sdk_cloudwatchlogs::types::builders::LogGroupBuilder;
use aws_smithy_mocks::{Rule, mock};

/// Its name.
pub(crate) const GROUP: &str = "access";

/// A log group without a key, whose events never expire, changed.
pub(crate) fn log_group(
    change: impl Fn(LogGroupBuilder) -> LogGroupBuilder + Send + Sync + 'static,
) -> Vec<Rule> {
    let described = move || {
        let group = LogGroup::builder()
            .log_group_name(GROUP)
            .log_group_arn(format!("arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}"));
        DescribeLogGroupsOutput::builder().log_groups(change(group).build()).build()
    };
    vec![
        mock!(aws_sdk_cloudwatchlogs::Client::describe_log_groups).then_output(described),
        mock!(aws_sdk_cloudwatchlogs::Client::list_tags_for_resource)
            .then_output(|| ListTagsForResourceOutput::builder().build()),
        mock!(aws_sdk_cloudwatchlogs::Client::describe_subscription_filters)
            .then_output(|| DescribeSubscriptionFiltersOutput::builder().build()),
    ]
}

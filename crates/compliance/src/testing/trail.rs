//! A trail that records everything.

use aws_sdk_cloudtrail::operation::describe_trails::DescribeTrailsOutput;
use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsOutput;
use aws_sdk_cloudtrail::operation::get_trail_status::GetTrailStatusOutput;
use aws_sdk_cloudtrail::operation::list_tags::ListTagsOutput;
use aws_sdk_cloudtrail::types::builders::TrailBuilder;
use aws_sdk_cloudtrail::types::{EventSelector, ReadWriteType, Trail};
use aws_smithy_mocks::{Rule, mock};

/// A multi-region trail `all` that is logging into the bucket `trail-logs`, without a key, changed.
pub(crate) fn trail(
    change: impl Fn(TrailBuilder) -> TrailBuilder + Send + Sync + 'static,
) -> Vec<Rule> {
    let described = move || {
        let trail = Trail::builder()
            .name("all")
            .trail_arn("arn:aws:cloudtrail:us-east-1:123456789012:trail/all")
            .s3_bucket_name("trail-logs")
            .is_multi_region_trail(true)
            .include_global_service_events(true)
            .log_file_validation_enabled(true);
        DescribeTrailsOutput::builder().trail_list(change(trail).build()).build()
    };
    vec![
        mock!(aws_sdk_cloudtrail::Client::describe_trails).then_output(described),
        mock!(aws_sdk_cloudtrail::Client::list_tags)
            .then_output(|| ListTagsOutput::builder().build()),
        mock!(aws_sdk_cloudtrail::Client::get_trail_status)
            .then_output(|| GetTrailStatusOutput::builder().is_logging(true).build()),
        mock!(aws_sdk_cloudtrail::Client::get_event_selectors).then_output(|| {
            let all = EventSelector::builder()
                .read_write_type(ReadWriteType::All)
                .include_management_events(true);
            GetEventSelectorsOutput::builder().event_selectors(all.build()).build()
        }),
    ]
}

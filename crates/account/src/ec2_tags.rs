//! EC2's tags as ours.

use aws_sdk_ec2::types::Tag;
use engine::Tags;

/// Tags by key.
pub(crate) fn tags(tags: Option<Vec<Tag>>) -> Tags {
    let tags = tags.unwrap_or_default();
    tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

//! Tags as EC2 wants them.

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use engine::{Aws, Result, Tags, client};

/// The tags that a create call carries.
pub(crate) fn specification(of: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(of).set_tags(Some(to_ec2(tags))).build()
}

/// The tags that a describe call gave.
pub(crate) fn from_ec2(tags: Option<Vec<Tag>>) -> Tags {
    let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
    tags.unwrap_or_default().into_iter().filter_map(pair).collect()
}

/// Sets and removes tags of one resource.
pub(crate) async fn retag(aws: &Aws, id: &str, put: &Tags, remove: &[String]) -> Result<()> {
    let ec2 = client!(aws, aws_sdk_ec2);
    if !put.is_empty() {
        let call = ec2.create_tags().resources(id).set_tags(Some(to_ec2(put)));
        aws.call("ec2:CreateTags", call.send()).await?;
    }
    if !remove.is_empty() {
        let gone = remove.iter().map(|key| Tag::builder().key(key).build()).collect();
        let call = ec2.delete_tags().resources(id).set_tags(Some(gone));
        aws.call("ec2:DeleteTags", call.send()).await?;
    }
    Ok(())
}

fn to_ec2(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

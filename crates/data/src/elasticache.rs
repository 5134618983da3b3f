//! What the ElastiCache kinds share: tags as ElastiCache wants them.

use aws_sdk_elasticache::types::Tag;
use engine::{Aws, Result, Tags, client};

/// The tags that a create call carries.
pub(crate) fn to_elasticache(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The tags that a describe call gave.
pub(crate) fn from_elasticache(tags: Option<Vec<Tag>>) -> Tags {
    let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
    tags.unwrap_or_default().into_iter().filter_map(pair).collect()
}

/// The tags of one resource, for kinds whose describe call does not show them.
pub(crate) async fn tags_of(aws: &Aws, arn: &str) -> Result<Tags> {
    let call = client!(aws, aws_sdk_elasticache).list_tags_for_resource().resource_name(arn);
    let answer = aws.call("elasticache:ListTagsForResource", call.send()).await?;
    Ok(from_elasticache(answer.tag_list))
}

/// Sets and removes tags of one resource.
pub(crate) async fn retag(aws: &Aws, arn: &str, put: &Tags, remove: &[String]) -> Result<()> {
    let elasticache = client!(aws, aws_sdk_elasticache);
    if !put.is_empty() {
        let call = elasticache
            .add_tags_to_resource()
            .resource_name(arn)
            .set_tags(Some(to_elasticache(put)));
        aws.call("elasticache:AddTagsToResource", call.send()).await?;
    }
    if !remove.is_empty() {
        let call = elasticache
            .remove_tags_from_resource()
            .resource_name(arn)
            .set_tag_keys(Some(remove.to_vec()));
        aws.call("elasticache:RemoveTagsFromResource", call.send()).await?;
    }
    Ok(())
}

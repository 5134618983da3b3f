//! What the RDS kinds share: tags as RDS wants them, and its own secrets.

use aws_sdk_rds::types::{MasterUserSecret, Tag};
use engine::{Aws, Result, Tags, client};

/// The tags that a create call carries.
pub(crate) fn to_rds(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The tags that a describe call gave.
pub(crate) fn from_rds(tags: Option<Vec<Tag>>) -> Tags {
    let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
    tags.unwrap_or_default().into_iter().filter_map(pair).collect()
}

/// The secret in which RDS itself keeps a master user's password.
pub(crate) fn managed_secret(of: Option<&MasterUserSecret>) -> Option<String> {
    of?.secret_arn().map(str::to_owned)
}

/// The tags of one resource, for kinds whose describe call does not show them.
pub(crate) async fn tags_of(aws: &Aws, arn: &str) -> Result<Tags> {
    let call = client!(aws, aws_sdk_rds).list_tags_for_resource().resource_name(arn);
    let answer = aws.call("rds:ListTagsForResource", call.send()).await?;
    Ok(from_rds(answer.tag_list))
}

/// Sets and removes tags of one resource.
pub(crate) async fn retag(aws: &Aws, arn: &str, put: &Tags, remove: &[String]) -> Result<()> {
    let rds = client!(aws, aws_sdk_rds);
    if !put.is_empty() {
        let call = rds.add_tags_to_resource().resource_name(arn).set_tags(Some(to_rds(put)));
        aws.call("rds:AddTagsToResource", call.send()).await?;
    }
    if !remove.is_empty() {
        let call =
            rds.remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(remove.to_vec()));
        aws.call("rds:RemoveTagsFromResource", call.send()).await?;
    }
    Ok(())
}

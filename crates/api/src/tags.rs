//! Tags as API Gateway and WAF want them, and the calls that change them.

use std::collections::HashMap;

use aws_sdk_wafv2::types::Tag;
use engine::stack::STACK_TAG;
use engine::{Aws, Result, Tags, client};

/// Tags as both APIs of API Gateway carry them.
pub(crate) fn to_map(tags: &Tags) -> HashMap<String, String> {
    tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Tags as both APIs of API Gateway return them.
pub(crate) fn from_map(tags: Option<HashMap<String, String>>) -> Tags {
    tags.unwrap_or_default().into_iter().collect()
}

/// Tags for a resource that exists and has these, with the stack's among them whether it changes or not: the
/// printed policy allows no other request, because any resource could be made the stack's by one.
pub(crate) fn claiming(put: &Tags, held: &Tags) -> HashMap<String, String> {
    let stack = held.get_key_value(STACK_TAG);
    let mut tags: Tags =
        stack.map(|(key, value)| (key.clone(), value.clone())).into_iter().collect();
    tags.extend(put.clone());
    to_map(&tags)
}

/// Sets and removes tags of a REST API or a stage that has these.
pub(crate) async fn retag(
    aws: &Aws,
    arn: &str,
    held: &Tags,
    put: &Tags,
    remove: &[String],
) -> Result<()> {
    let gateway = client!(aws, aws_sdk_apigateway);
    if !put.is_empty() {
        let call = gateway.tag_resource().resource_arn(arn).set_tags(Some(claiming(put, held)));
        aws.call("apigateway:PUT", call.send()).await?;
    }
    if !remove.is_empty() {
        let call = gateway.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
        aws.call("apigateway:DELETE", call.send()).await?;
    }
    Ok(())
}

/// Tags as WAF carries them.
pub(crate) fn to_waf(tags: &Tags) -> Result<Vec<Tag>> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<_, _>>()
        .map_err(|why| engine::Error::invalid("a tag", why))
}

/// Tags as WAF returns them.
pub(crate) fn from_waf(tags: Vec<Tag>) -> Tags {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_tags_names_the_stack() {
        let tags = |pairs: &[(&str, &str)]| -> Tags {
            pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
        };
        let held = tags(&[(STACK_TAG, "student-dev"), ("Name", "old")]);
        let asked = claiming(&tags(&[("Name", "new")]), &held);
        assert_eq!(from_map(Some(asked)), tags(&[(STACK_TAG, "student-dev"), ("Name", "new")]));
        assert_eq!(claiming(&tags(&[("Name", "new")]), &Tags::new()).len(), 1);
    }
}

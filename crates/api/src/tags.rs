//! Tags as API Gateway and WAF want them, and the calls that change them.

use std::collections::HashMap;

use aws_sdk_wafv2::types::Tag;
use engine::{Aws, Result, Tags, client};

/// Tags as both APIs of API Gateway carry them.
pub(crate) fn to_map(tags: &Tags) -> HashMap<String, String> {
    tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Tags as both APIs of API Gateway return them.
pub(crate) fn from_map(tags: Option<HashMap<String, String>>) -> Tags {
    tags.unwrap_or_default().into_iter().collect()
}

/// Sets and removes tags of a REST API or a stage.
pub(crate) async fn retag(aws: &Aws, arn: &str, put: &Tags, remove: &[String]) -> Result<()> {
    let gateway = client!(aws, aws_sdk_apigateway);
    if !put.is_empty() {
        let call = gateway.tag_resource().resource_arn(arn).set_tags(Some(to_map(put)));
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

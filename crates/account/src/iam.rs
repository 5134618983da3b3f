//! What IAM tells of users, groups, roles and policies in one listing, and the documents in it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput;
use aws_sdk_iam::types::{AttachedPolicy, EntityType, PolicyDetail, Tag};
use engine::{Aws, Error, Policy, Result, Tags, client};
use percent_encoding::percent_decode_str;

/// The call that gives all of it.
pub(crate) const DETAILS: &str = "iam:GetAccountAuthorizationDetails";

/// The pages of [`DETAILS`] for some types of entities.
pub(crate) async fn details(
    aws: &Aws,
    types: &[EntityType],
) -> Result<Vec<GetAccountAuthorizationDetailsOutput>> {
    let call = client!(aws, aws_sdk_iam)
        .get_account_authorization_details()
        .set_filter(Some(types.to_vec()))
        .max_items(1000)
        .into_paginator();
    aws.call(DETAILS, call.send().try_collect()).await
}

/// Inline policies by name.
pub(crate) fn documents(of: &str, list: Option<Vec<PolicyDetail>>) -> Result<Policies> {
    let mut policies = Policies::new();
    for policy in list.unwrap_or_default() {
        let (Some(name), Some(document)) = (policy.policy_name, policy.policy_document) else {
            return Err(Error::incomplete(DETAILS, "an inline policy's document"));
        };
        policies.insert(name, document_of(of, &document)?);
    }
    Ok(policies)
}

/// Policies by name.
pub(crate) type Policies = BTreeMap<String, Policy>;

/// A document, which IAM gives URL-encoded.
pub(crate) fn document_of(of: &str, encoded: &str) -> Result<Policy> {
    let wrong = |why: String| Error::invalid(format!("a policy of {of}"), why);
    let text = percent_decode_str(encoded).decode_utf8().map_err(|why| wrong(why.to_string()))?;
    Policy::parse(&text).map_err(|why| wrong(why.to_string()))
}

/// The ARNs of attached policies.
pub(crate) fn arns(list: Option<Vec<AttachedPolicy>>) -> BTreeSet<String> {
    list.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_arn).collect()
}

/// Tags by key.
pub(crate) fn tags(tags: Option<Vec<Tag>>) -> Tags {
    tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()
}

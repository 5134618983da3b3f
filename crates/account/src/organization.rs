//! `organizations.organization`: the organisation that the account belongs to. There is at most one.

use std::collections::BTreeMap;

use aws_sdk_organizations::types::PolicyType;
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Policy, Result, Scope, client};
use serde::{Deserialize, Serialize};

/// AWS allows five levels of units between the root and an account.
const DEEPEST: usize = 7;

/// An organisation, as one of its accounts sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// `ALL`, or `CONSOLIDATED_BILLING`, which has no policies.
    pub feature_set: String,
    /// The account that manages it: twelve digits. No service control policy binds that one.
    pub management_account: String,
    /// The service control policies that apply to the account, from itself up to the root. Only the
    /// management account and delegated administrators may read them.
    pub service_control_policies: Vec<Level>,
}

/// What is attached to one level of the hierarchy: an action has to be allowed at each of them, and
/// denied at none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The account, the organisational unit (`ou-…`) or the root (`r-…`).
    pub target: String,
    /// Its policies by id. None at all where the organisation has not enabled them.
    pub policies: BTreeMap<String, Policy>,
}

impl Inspected for Organization {
    const KIND: &'static str = "organizations.organization";
    const READ: &'static [Allow] = &[Allow::to(&[
        "organizations:DescribeOrganization",
        "organizations:ListParents",
        "organizations:ListPoliciesForTarget",
        "organizations:DescribePolicy",
    ])];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(find(aws).await)
    }
}

async fn find(aws: &Aws) -> Result<Vec<Live<Organization>>> {
    let action = "organizations:DescribeOrganization";
    let call = client!(aws, aws_sdk_organizations).describe_organization();
    let found = match aws.call(action, call.send()).await {
        Err(Error::Api(error)) if error.code == "AWSOrganizationsNotInUseException" => {
            return Ok(Vec::new());
        }
        other => other?.organization.ok_or_else(|| Error::incomplete(action, "an organization"))?,
    };
    let id = found.id.ok_or_else(|| Error::incomplete(action, "an organization's id"))?;
    let spec = Organization {
        feature_set: found
            .feature_set
            .ok_or_else(|| Error::incomplete(action, "an organization's features"))?
            .as_str()
            .into(),
        management_account: found
            .master_account_id
            .ok_or_else(|| Error::incomplete(action, "the management account"))?,
        service_control_policies: Vec::new(),
    };
    let mut live = Live::new(id, spec);
    live.arn = found.arn;
    live.read("service_control_policies", levels(aws).await, |spec, levels| {
        spec.service_control_policies = levels;
    });
    Ok(vec![live])
}

/// The levels from the account up to the root.
async fn levels(aws: &Aws) -> Result<Vec<Level>> {
    let mut documents = BTreeMap::new();
    let mut levels = Vec::new();
    let mut target = aws.account_id().to_owned();
    while levels.len() < DEEPEST {
        let policies = attached(aws, &target, &mut documents).await?;
        let parent =
            if target.starts_with("r-") { None } else { Some(parent(aws, &target).await?) };
        levels.push(Level { target, policies });
        match parent {
            Some(above) => target = above,
            None => return Ok(levels),
        }
    }
    Err(Error::incomplete("organizations:ListParents", "a root"))
}

async fn parent(aws: &Aws, child: &str) -> Result<String> {
    let action = "organizations:ListParents";
    let call = client!(aws, aws_sdk_organizations).list_parents().child_id(child);
    let found = aws.call(action, call.send()).await?.parents.unwrap_or_default();
    let parent = found.into_iter().find_map(|parent| parent.id);
    parent.ok_or_else(|| Error::incomplete(action, "a parent"))
}

/// The policies on one level. The same policy may be on several, so documents are read once.
async fn attached(
    aws: &Aws,
    target: &str,
    documents: &mut BTreeMap<String, Policy>,
) -> Result<BTreeMap<String, Policy>> {
    let call = client!(aws, aws_sdk_organizations)
        .list_policies_for_target()
        .target_id(target)
        .filter(PolicyType::ServiceControlPolicy)
        .into_paginator();
    let action = "organizations:ListPoliciesForTarget";
    let pages: Vec<_> = aws.call(action, call.send().try_collect()).await?;
    let mut policies = BTreeMap::new();
    for listed in pages.into_iter().flat_map(|page| page.policies.unwrap_or_default()) {
        let id = listed.id.ok_or_else(|| Error::incomplete(action, "a policy's id"))?;
        let document = match documents.get(&id) {
            Some(document) => Policy::clone(document),
            None => document(aws, &id).await?,
        };
        documents.insert(id.clone(), document.clone());
        policies.insert(id, document);
    }
    Ok(policies)
}

async fn document(aws: &Aws, id: &str) -> Result<Policy> {
    let action = "organizations:DescribePolicy";
    let call = client!(aws, aws_sdk_organizations).describe_policy().policy_id(id);
    let found = aws.call(action, call.send()).await?.policy.and_then(|policy| policy.content);
    let text = found.ok_or_else(|| Error::incomplete(action, "a policy's document"))?;
    Policy::parse(&text).map_err(|why| Error::invalid(format!("the policy {id}"), why))
}

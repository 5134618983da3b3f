//! `iam.group`: users who share policies.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{EntityType, GroupDetail};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Policy, Result, Scope};
use serde::{Deserialize, Serialize};

use crate::iam::{DETAILS, arns, details, documents};

/// An IAM group. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name, unique in the account.
    pub name: String,
    /// The ARNs of the managed policies that are attached.
    pub managed_policies: BTreeSet<String>,
    /// The policies that exist only in this group, by name.
    pub inline_policies: BTreeMap<String, Policy>,
}

impl Inspected for Group {
    const KIND: &'static str = "iam.group";
    const READ: &'static [Allow] = &[Allow::to(&["iam:GetAccountAuthorizationDetails"])];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<Group>>> {
    let pages = details(aws, &[EntityType::Group]).await?;
    pages
        .into_iter()
        .flat_map(|page| page.group_detail_list.unwrap_or_default())
        .map(read)
        .collect()
}

fn read(group: GroupDetail) -> Result<Live<Group>> {
    let name = group.group_name.ok_or_else(|| Error::incomplete(DETAILS, "a group's name"))?;
    let arn = group.arn.ok_or_else(|| Error::incomplete(DETAILS, "a group's ARN"))?;
    let inline = documents(&name, group.group_policy_list);
    let spec = Group {
        name: name.clone(),
        managed_policies: arns(group.attached_managed_policies),
        inline_policies: BTreeMap::new(),
    };
    let mut live = Live::new(name, spec).with_arn(arn);
    live.read("inline_policies", inline, |spec, inline| spec.inline_policies = inline);
    Ok(live)
}

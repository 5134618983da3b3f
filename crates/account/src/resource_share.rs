//! `ram.resource_share`: resources that the account shares with others.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ram::types::{
    ResourceOwner, ResourceShareAssociationStatus, ResourceShareAssociationType,
    ResourceShareStatus,
};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, Tags, client};
use serde::{Deserialize, Serialize};

/// A resource share of RAM that the account owns. Its id is its ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceShare {
    /// Its name.
    pub name: String,
    /// Whether accounts outside the organisation may be invited.
    pub external_allowed: bool,
    /// Whom it is for, invitations that nobody has accepted yet included: accounts, the ARNs of an
    /// organisation, its units, roles and users, and the names of AWS services.
    pub principals: BTreeSet<String>,
    /// The ARNs of what is shared.
    pub resources: BTreeSet<String>,
}

impl Inspected for ResourceShare {
    const KIND: &'static str = "ram.resource_share";
    const READ: &'static [Allow] =
        &[Allow::to(&["ram:GetResourceShares", "ram:GetResourceShareAssociations"])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] = &[
        ("resources", "ec2.subnet"),
        ("resources", "ec2.security_group"),
        ("resources", "rds.cluster"),
    ];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<ResourceShare>>> {
    let action = "ram:GetResourceShares";
    let call = client!(aws, aws_sdk_ram)
        .get_resource_shares()
        .resource_owner(ResourceOwner::SelfValue)
        .into_paginator();
    let pages: Vec<_> = aws.call(action, call.send().try_collect()).await?;
    let shares = pages.into_iter().flat_map(|page| page.resource_shares.unwrap_or_default());
    // RAM shows a share for hours after its deletion.
    let shares: Vec<_> =
        shares.filter(|share| share.status != Some(ResourceShareStatus::Deleted)).collect();
    if shares.is_empty() {
        return Ok(Vec::new());
    }
    let (principals, resources) = futures::join!(
        associated(aws, ResourceShareAssociationType::Principal),
        associated(aws, ResourceShareAssociationType::Resource),
    );
    let of = |all: &Result<BTreeMap<String, BTreeSet<String>>>, arn: &str| match all {
        Ok(all) => Ok(all.get(arn).cloned().unwrap_or_default()),
        Err(error) => Err(error.clone()),
    };
    let read = |share: aws_sdk_ram::types::ResourceShare| {
        let arn = share.resource_share_arn.ok_or_else(|| Error::incomplete(action, "an ARN"))?;
        let spec = ResourceShare {
            name: share.name.unwrap_or_default(),
            external_allowed: share.allow_external_principals.unwrap_or(true),
            principals: BTreeSet::new(),
            resources: BTreeSet::new(),
        };
        let tags: Tags = share
            .tags
            .unwrap_or_default()
            .into_iter()
            .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
            .collect();
        let mut live = Live::new(&arn, spec).with_arn(&arn).with_tags(tags);
        live.read("principals", of(&principals, &arn), |spec, who| spec.principals = who);
        live.read("resources", of(&resources, &arn), |spec, what| spec.resources = what);
        Ok(live)
    };
    shares.into_iter().map(read).collect()
}

/// The principals, or the resources, of every share, by the share's ARN.
async fn associated(
    aws: &Aws,
    what: ResourceShareAssociationType,
) -> Result<BTreeMap<String, BTreeSet<String>>> {
    use ResourceShareAssociationStatus::{Disassociated, Failed};
    let call = client!(aws, aws_sdk_ram)
        .get_resource_share_associations()
        .association_type(what)
        .into_paginator();
    let action = "ram:GetResourceShareAssociations";
    let pages: Vec<_> = aws.call(action, call.send().try_collect()).await?;
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in
        pages.into_iter().flat_map(|page| page.resource_share_associations.unwrap_or_default())
    {
        if matches!(one.status, Some(Disassociated | Failed)) {
            continue;
        }
        let share = one.resource_share_arn.ok_or_else(|| Error::incomplete(action, "an ARN"))?;
        let entity = one.associated_entity.ok_or_else(|| Error::incomplete(action, "an entity"))?;
        found.entry(share).or_default().insert(entity);
    }
    Ok(found)
}

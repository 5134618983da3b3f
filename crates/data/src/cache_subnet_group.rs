//! `elasticache.subnet_group`: the subnets that a cache may lie in.

use std::collections::BTreeSet;

use aws_sdk_elasticache::types::CacheSubnetGroup as Described;
use engine::vocabulary::{Arn, Isolated, Name, SubnetId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Ref, Resource, Result,
    Scope, Tags, Traits, client,
};
use serde::{Deserialize, Serialize};

use crate::elasticache::{retag, tags_of, to_elasticache};
use crate::tagged::with_tags;

/// A cache subnet group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheSubnetGroup {
    /// Its name: at most 255 lower-case letters, digits and hyphens.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The subnets, in at least two availability zones.
    pub subnets: BTreeSet<Ref<SubnetId<Isolated>>>,
}

impl Resource for CacheSubnetGroup {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name"],
        // Subnets that were made a moment ago.
        not_yet: &[("InvalidSubnet", "")],
        attached_by: &[("subnets", "ec2.subnet")],
        permissions: Permissions {
            read: &[
                Allow::to(&["elasticache:DescribeCacheSubnetGroups"]),
                Allow::to(&["elasticache:ListTagsForResource"])
                    .on(&["elasticache:{here}:subnetgroup:{perhaps}"]),
            ],
            make: &[
                Allow::to(&["elasticache:CreateCacheSubnetGroup"])
                    .on(&["elasticache:{here}:subnetgroup:{name}"])
                    .for_stack(),
                Allow::to(&["elasticache:AddTagsToResource"])
                    .on(&["elasticache:{here}:subnetgroup:{name}"]),
                Allow::to(&[
                    "elasticache:ModifyCacheSubnetGroup",
                    "elasticache:RemoveTagsFromResource",
                ])
                .on(&["elasticache:{here}:subnetgroup:{name}"])
                .of_stack(),
            ],
            remove: &[Allow::to(&["elasticache:DeleteCacheSubnetGroup"])
                .on(&["elasticache:{here}:subnetgroup:{name}"])
                .of_stack()],
        },
        ..Traits::of("elasticache.subnet_group")
    };
    type Id = Name;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        let action = "elasticache:DescribeCacheSubnetGroups";
        let call = client!(aws, aws_sdk_elasticache)
            .describe_cache_subnet_groups()
            .into_paginator()
            .items();
        let found = aws.call(action, call.send().try_collect()).await;
        let found: Result<Vec<Live<Self>>> = found.and_then(|groups: Vec<_>| {
            groups.into_iter().map(|group| live(action, group)).collect()
        });
        match found {
            Ok(found) => {
                with_tags(scope, found, |arn| async move { tags_of(aws, &arn).await }).await
            }
            Err(error) => Collected::failed(error),
        }
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "elasticache:CreateCacheSubnetGroup";
        let call = client!(aws, aws_sdk_elasticache)
            .create_cache_subnet_group()
            .cache_subnet_group_name(&self.name)
            .cache_subnet_group_description(&self.description)
            .set_subnet_ids(Some(subnet_ids(&self.subnets)))
            .set_tags(Some(to_elasticache(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let group =
            made.cache_subnet_group.ok_or_else(|| Error::incomplete(action, "the group"))?;
        Ok(live(action, group)?.with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.any(&["description", "subnets"]) {
            let call = client!(aws, aws_sdk_elasticache)
                .modify_cache_subnet_group()
                .cache_subnet_group_name(&live.id)
                .cache_subnet_group_description(&self.description)
                .set_subnet_ids(Some(subnet_ids(&self.subnets)));
            aws.call("elasticache:ModifyCacheSubnetGroup", call.send()).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, live.require_arn("elasticache:DescribeCacheSubnetGroups")?, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_elasticache)
            .delete_cache_subnet_group()
            .cache_subnet_group_name(&live.id);
        aws.call("elasticache:DeleteCacheSubnetGroup", call.send()).await?;
        Ok(())
    }
}

fn subnet_ids(subnets: &BTreeSet<Ref<SubnetId<Isolated>>>) -> Vec<String> {
    subnets.iter().map(ToString::to_string).collect()
}

fn live(action: &str, group: Described) -> Result<Live<CacheSubnetGroup>> {
    let name =
        group.cache_subnet_group_name.ok_or_else(|| Error::incomplete(action, "a group's name"))?;
    let subnets = group.subnets.unwrap_or_default();
    let spec = CacheSubnetGroup {
        name: name.clone(),
        description: group.cache_subnet_group_description.unwrap_or_default(),
        subnets: subnets
            .into_iter()
            .filter_map(|one| one.subnet_identifier)
            .map(Ref::known)
            .collect(),
    };
    let mut live = Live::new(name, spec);
    live.arn = group.arn;
    Ok(live)
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticache::types::Subnet;

    use super::*;

    #[test]
    fn the_order_of_subnets_means_nothing() {
        let group = |ids: [&str; 2]| {
            let subnets = ids.map(|id| Subnet::builder().subnet_identifier(id).build());
            let group = Described::builder()
                .cache_subnet_group_name("student-cache-subnets-dev")
                .set_subnets(Some(subnets.into()))
                .build();
            live("elasticache:DescribeCacheSubnetGroups", group).unwrap()
        };
        assert_eq!(group(["subnet-a", "subnet-b"]), group(["subnet-b", "subnet-a"]));
    }

    #[test]
    fn a_group_without_a_name_is_no_group() {
        assert!(
            live("elasticache:DescribeCacheSubnetGroups", Described::builder().build()).is_err()
        );
    }
}

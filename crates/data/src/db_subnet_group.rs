//! `rds.subnet_group`: the subnets that a database may lie in.

use std::collections::BTreeSet;

use aws_sdk_rds::types::DbSubnetGroup as Described;
use engine::vocabulary::{Arn, Isolated, Name, SubnetId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Ref, Resource, Result,
    Scope, Status, Tags, Traits, client,
};
use serde::{Deserialize, Serialize};

use crate::rds::{retag, tags_of, to_rds};
use crate::tagged::with_tags;

/// A DB subnet group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbSubnetGroup {
    /// Its name: at most 255 letters, digits, spaces, periods, underscores and hyphens, in lower
    /// case.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The subnets, in at least two availability zones.
    pub subnets: BTreeSet<Ref<SubnetId<Isolated>>>,
}

impl Resource for DbSubnetGroup {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name"],
        not_yet: &[
            // Subnets that were made a moment ago.
            ("InvalidSubnet", ""),
            // A cluster that is on its way out.
            ("InvalidDBSubnetGroupStateFault", "still using it"),
        ],
        attached_by: &[("subnets", "ec2.subnet")],
        permissions: Permissions {
            read: &[
                Allow::to(&["rds:DescribeDBSubnetGroups"]),
                Allow::to(&["rds:ListTagsForResource"]).on(&["rds:{here}:subgrp:{perhaps}"]),
            ],
            make: &[
                Allow::to(&["rds:CreateDBSubnetGroup"])
                    .on(&["rds:{here}:subgrp:{name}"])
                    .for_stack(),
                Allow::to(&["rds:AddTagsToResource"]).on(&["rds:{here}:subgrp:{name}"]),
                Allow::to(&["rds:ModifyDBSubnetGroup", "rds:RemoveTagsFromResource"])
                    .on(&["rds:{here}:subgrp:{name}"])
                    .of_stack(),
            ],
            remove: &[Allow::to(&["rds:DeleteDBSubnetGroup"])
                .on(&["rds:{here}:subgrp:{name}"])
                .of_stack()],
        },
        ..Traits::of("rds.subnet_group")
    };
    type Id = Name;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        let action = "rds:DescribeDBSubnetGroups";
        let call = client!(aws, aws_sdk_rds).describe_db_subnet_groups().into_paginator().items();
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
        let action = "rds:CreateDBSubnetGroup";
        let call = client!(aws, aws_sdk_rds)
            .create_db_subnet_group()
            .db_subnet_group_name(&self.name)
            .db_subnet_group_description(&self.description)
            .set_subnet_ids(Some(subnet_ids(&self.subnets)))
            .set_tags(Some(to_rds(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let group = made.db_subnet_group.ok_or_else(|| Error::incomplete(action, "the group"))?;
        Ok(live(action, group)?.with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.any(&["description", "subnets"]) {
            let call = client!(aws, aws_sdk_rds)
                .modify_db_subnet_group()
                .db_subnet_group_name(&live.id)
                .db_subnet_group_description(&self.description)
                .set_subnet_ids(Some(subnet_ids(&self.subnets)));
            aws.call("rds:ModifyDBSubnetGroup", call.send()).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, live.require_arn("rds:DescribeDBSubnetGroups")?, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call =
            client!(aws, aws_sdk_rds).delete_db_subnet_group().db_subnet_group_name(&live.id);
        aws.call("rds:DeleteDBSubnetGroup", call.send()).await?;
        Ok(())
    }
}

fn subnet_ids(subnets: &BTreeSet<Ref<SubnetId<Isolated>>>) -> Vec<String> {
    subnets.iter().map(ToString::to_string).collect()
}

fn live(action: &str, group: Described) -> Result<Live<DbSubnetGroup>> {
    let name =
        group.db_subnet_group_name.ok_or_else(|| Error::incomplete(action, "a group's name"))?;
    let subnets = group.subnets.unwrap_or_default();
    let spec = DbSubnetGroup {
        name: name.clone(),
        description: group.db_subnet_group_description.unwrap_or_default(),
        subnets: subnets
            .into_iter()
            .filter_map(|one| one.subnet_identifier)
            .map(Ref::known)
            .collect(),
    };
    let word = group.subnet_group_status.unwrap_or_default();
    let mut live =
        Live::new(name, spec).with_status(Status::by_word(&word, &["Complete"], &[], &[]));
    live.arn = group.db_subnet_group_arn;
    Ok(live)
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::Subnet;

    use super::*;

    #[test]
    fn the_order_of_subnets_means_nothing() {
        let group = |ids: [&str; 2]| {
            let subnets = ids.map(|id| Subnet::builder().subnet_identifier(id).build());
            let group = Described::builder()
                .db_subnet_group_name("student-db-dev")
                .subnet_group_status("Complete")
                .set_subnets(Some(subnets.into()))
                .build();
            live("rds:DescribeDBSubnetGroups", group).unwrap()
        };
        assert_eq!(group(["subnet-a", "subnet-b"]), group(["subnet-b", "subnet-a"]));
        assert_eq!(group(["subnet-a", "subnet-b"]).status, Status::Ready);
    }

    #[test]
    fn a_group_without_a_name_is_no_group() {
        assert!(live("rds:DescribeDBSubnetGroups", Described::builder().build()).is_err());
    }
}

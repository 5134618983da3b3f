//! `rds.cluster_parameter_group`: the settings of the database engine.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_rds::types::{ApplyMethod, DbCluster, Parameter};
use engine::vocabulary::{Arn, Name};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Replacement, Resource,
    Result, Scope, Tags, Traits, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::rds::{retag, tags_of, to_rds};
use crate::tagged::with_tags;
use crate::{db_cluster, db_instance};

/// How many parameters one call may change.
const BATCH: usize = 20;

/// A DB cluster parameter group. Groups that AWS makes itself (`default.…`) are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbClusterParameterGroup {
    /// Its name: at most 255 lower-case letters, digits and hyphens.
    pub name: String,
    /// The engine and major version that it is for: `aurora-postgresql17`.
    pub family: String,
    /// What it is for.
    pub description: String,
    /// The parameters that differ from the engine's defaults. Those that can change on a running
    /// engine do so at once. The others take a restart: with such a change the instances that use the group are
    /// restarted, one after the other, readers first.
    pub parameters: BTreeMap<String, String>,
    /// The instances that use it and have yet to restart for its values to hold. Not to be asked for: they are
    /// restarted.
    #[serde(default)]
    pub restart_pending: BTreeSet<String>,
}

impl Resource for DbClusterParameterGroup {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name", "family", "description"],
        late: &["parameters", "restart_pending"],
        // A new major version wants a group of its family, while the old one is still in use.
        replacement: Replacement::CreateFirst,
        not_yet: &[
            ("DBParameterGroupNotFound", ""),
            // Clusters that are on their way out, or a change that is still being applied.
            ("InvalidDBParameterGroupState", ""),
            // An instance that is to restart is being changed.
            ("InvalidDBInstanceState", ""),
        ],
        permissions: Permissions {
            read: &[
                Allow::to(&[
                    "rds:DescribeDBClusterParameterGroups",
                    "rds:DescribeDBClusters",
                    "rds:DescribeDBInstances",
                ]),
                Allow::to(&["rds:DescribeDBClusterParameters", "rds:ListTagsForResource"])
                    .on(&["rds:{here}:cluster-pg:{perhaps}"]),
            ],
            make: &[
                Allow::to(&["rds:CreateDBClusterParameterGroup"])
                    .on(&["rds:{here}:cluster-pg:{name}", "rds:{here}:cluster-pg:{successor}"])
                    .for_stack(),
                Allow::to(&["rds:ModifyDBClusterParameterGroup", "rds:AddTagsToResource"])
                    .on(&["rds:{here}:cluster-pg:{name}", "rds:{here}:cluster-pg:{successor}"]),
                Allow::to(&["rds:ResetDBClusterParameterGroup", "rds:RemoveTagsFromResource"])
                    .on(&["rds:{here}:cluster-pg:{name}", "rds:{here}:cluster-pg:{successor}"])
                    .of_stack(),
                Allow::to(&["rds:RebootDBInstance"])
                    .on(&["rds:{here}:db:{name}", "rds:{here}:db:{successor}"])
                    .of_stack(),
            ],
            remove: &[Allow::to(&["rds:DeleteDBClusterParameterGroup"])
                .on(&["rds:{here}:cluster-pg:{name}", "rds:{here}:cluster-pg:{successor}"])
                .of_stack()],
        },
        ..Traits::of("rds.cluster_parameter_group")
    };
    type Id = Name;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        let found = match list(aws).await {
            Ok(found) => found,
            Err(error) => return Collected::failed(error),
        };
        let mut collected =
            with_tags(scope, found, |arn| async move { tags_of(aws, &arn).await }).await;
        let clusters = db_cluster::all(aws).await;
        for live in &mut collected.live {
            let pending = clusters.as_ref().map_err(Clone::clone).map(|all| {
                let own = all.iter().filter(|one| uses(one, &live.id));
                own.flat_map(db_cluster::restart_pending).collect()
            });
            live.read("restart_pending", pending, |spec, found| spec.restart_pending = found);
        }
        // A request for each group: only where the answer matters.
        collected.live = futures::stream::iter(collected.live)
            .map(|mut live| async move {
                if scope.wants(&live.tags) {
                    let parameters = own_parameters(aws, &live.id).await;
                    live.read("parameters", parameters, |spec, found| spec.parameters = found);
                }
                live
            })
            .buffer_unordered(8)
            .collect()
            .await;
        collected
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "rds:CreateDBClusterParameterGroup";
        let call = client!(aws, aws_sdk_rds)
            .create_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(&self.name)
            .db_parameter_group_family(&self.family)
            .description(&self.description)
            .set_tags(Some(to_rds(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let made = made.db_cluster_parameter_group;
        let made = made.ok_or_else(|| Error::incomplete(action, "the group"))?;
        let spec =
            Self { parameters: BTreeMap::new(), restart_pending: BTreeSet::new(), ..self.clone() };
        let mut live = Live::new(&self.name, spec).with_tags(new.tags.clone());
        live.arn = made.db_cluster_parameter_group_arn;
        Ok(live)
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let mut restart = live.spec.restart_pending.clone();
        if changes.has("parameters") && self.set_parameters(aws, live).await? {
            let clusters = db_cluster::all(aws).await?;
            let users = clusters.iter().filter(|one| uses(one, &live.id));
            let members = users.flat_map(|one| one.db_cluster_members());
            restart.extend(members.filter_map(|one| one.db_instance_identifier.clone()));
        }
        db_instance::restart(aws, &restart).await
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, live.require_arn("rds:DescribeDBClusterParameterGroups")?, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_rds)
            .delete_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(&live.id);
        aws.call("rds:DeleteDBClusterParameterGroup", call.send()).await?;
        Ok(())
    }
}

impl DbClusterParameterGroup {
    /// Sets what differs; whether any of it takes a restart.
    async fn set_parameters(&self, aws: &Aws, live: &Live<Self>) -> Result<bool> {
        let rds = client!(aws, aws_sdk_rds);
        let dynamic = dynamic_parameters(aws, &live.id).await?;
        let differs =
            |(name, value): &(&String, &String)| live.spec.parameters.get(*name) != Some(*value);
        let changed: Vec<_> = self.parameters.iter().filter(differs).collect();
        let set = changed.iter().map(|&(name, value)| {
            Parameter::builder()
                .parameter_name(name)
                .parameter_value(value)
                .apply_method(apply(dynamic.contains(name)))
                .build()
        });
        for batch in set.collect::<Vec<_>>().chunks(BATCH) {
            let call = rds
                .modify_db_cluster_parameter_group()
                .db_cluster_parameter_group_name(&live.id)
                .set_parameters(Some(batch.to_vec()));
            aws.call("rds:ModifyDBClusterParameterGroup", call.send()).await?;
        }
        let surplus =
            live.spec.parameters.keys().filter(|name| !self.parameters.contains_key(*name));
        let surplus: Vec<_> = surplus.collect();
        let names = changed.iter().map(|(name, _)| *name).chain(surplus.iter().copied());
        let takes_restart = names.into_iter().any(|name| !dynamic.contains(name));
        let reset = surplus.iter().map(|name| {
            let method = apply(dynamic.contains(*name));
            Parameter::builder().parameter_name(*name).apply_method(method).build()
        });
        for batch in reset.collect::<Vec<_>>().chunks(BATCH) {
            let call = rds
                .reset_db_cluster_parameter_group()
                .db_cluster_parameter_group_name(&live.id)
                .set_parameters(Some(batch.to_vec()));
            aws.call("rds:ResetDBClusterParameterGroup", call.send()).await?;
        }
        Ok(takes_restart)
    }
}

/// Whether a cluster runs with the values of a group. A stopped one takes them when it starts.
fn uses(cluster: &DbCluster, group: &str) -> bool {
    let stopped = matches!(cluster.status(), Some("stopped" | "stopping"));
    cluster.db_cluster_parameter_group() == Some(group) && !stopped
}

fn apply(dynamic: bool) -> ApplyMethod {
    if dynamic { ApplyMethod::Immediate } else { ApplyMethod::PendingReboot }
}

async fn list(aws: &Aws) -> Result<Vec<Live<DbClusterParameterGroup>>> {
    let action = "rds:DescribeDBClusterParameterGroups";
    let call =
        client!(aws, aws_sdk_rds).describe_db_cluster_parameter_groups().into_paginator().items();
    let groups = aws.call(action, call.send().try_collect()).await?;
    let mut found = Vec::new();
    for group in groups {
        let name = group.db_cluster_parameter_group_name;
        let name = name.ok_or_else(|| Error::incomplete(action, "a group's name"))?;
        if name.starts_with("default.") {
            continue;
        }
        let spec = DbClusterParameterGroup {
            name: name.clone(),
            family: group.db_parameter_group_family.unwrap_or_default(),
            description: group.description.unwrap_or_default(),
            parameters: BTreeMap::new(),
            restart_pending: BTreeSet::new(),
        };
        let mut live = Live::new(name, spec);
        live.arn = group.db_cluster_parameter_group_arn;
        found.push(live);
    }
    Ok(found)
}

/// The parameters that somebody has set.
async fn own_parameters(aws: &Aws, group: &str) -> Result<BTreeMap<String, String>> {
    let call = client!(aws, aws_sdk_rds)
        .describe_db_cluster_parameters()
        .db_cluster_parameter_group_name(group)
        .source("user")
        .into_paginator()
        .items();
    let action = "rds:DescribeDBClusterParameters";
    let parameters = aws.call(action, call.send().try_collect()).await?;
    let pair = |one: Parameter| Some((one.parameter_name?, one.parameter_value?));
    Ok(parameters.into_iter().filter_map(pair).collect())
}

/// The parameters that can change on a running engine. AWS refuses to change any other at once.
async fn dynamic_parameters(aws: &Aws, group: &str) -> Result<BTreeSet<String>> {
    let call = client!(aws, aws_sdk_rds)
        .describe_db_cluster_parameters()
        .db_cluster_parameter_group_name(group)
        .into_paginator()
        .items();
    let action = "rds:DescribeDBClusterParameters";
    let parameters = aws.call(action, call.send().try_collect()).await?;
    let dynamic = parameters.into_iter().filter(|one| one.apply_type() == Some("dynamic"));
    Ok(dynamic.filter_map(|one| one.parameter_name).collect())
}

//! `rds.parameter_group`: the settings of the engine of an instance.

use std::collections::BTreeMap;

use aws_sdk_rds::types::Parameter;
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// A DB parameter group. Groups that AWS makes itself (`default.…`) are left out: nobody can change them.
/// Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbParameterGroup {
    /// The engine and major version that it is for: `postgres17`.
    pub family: String,
    /// The parameters that somebody has set.
    pub parameters: BTreeMap<String, String>,
}

impl Inspected for DbParameterGroup {
    const KIND: &'static str = "rds.parameter_group";
    const READ: &'static [Allow] =
        &[Allow::to(&["rds:DescribeDBParameterGroups", "rds:DescribeDBParameters"])];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        let found = match list(aws).await {
            Ok(found) => found,
            Err(error) => return Collected::failed(error),
        };
        let detailed = futures::stream::iter(found).map(|mut live| async move {
            let parameters = own_parameters(aws, &live.id).await;
            live.read("parameters", parameters, |spec, found| spec.parameters = found);
            live
        });
        Collected::of(detailed.buffer_unordered(8).collect().await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<DbParameterGroup>>> {
    let action = "rds:DescribeDBParameterGroups";
    let call = client!(aws, aws_sdk_rds).describe_db_parameter_groups().into_paginator().items();
    let groups = aws.call(action, call.send().try_collect()).await?;
    let mut found = Vec::new();
    for group in groups {
        let name = group.db_parameter_group_name;
        let name = name.ok_or_else(|| Error::incomplete(action, "a group's name"))?;
        if name.starts_with("default.") {
            continue;
        }
        let family = group.db_parameter_group_family.unwrap_or_default();
        let mut live = Live::new(name, DbParameterGroup { family, parameters: BTreeMap::new() });
        live.arn = group.db_parameter_group_arn;
        found.push(live);
    }
    Ok(found)
}

async fn own_parameters(aws: &Aws, group: &str) -> Result<BTreeMap<String, String>> {
    let call = client!(aws, aws_sdk_rds)
        .describe_db_parameters()
        .db_parameter_group_name(group)
        .source("user")
        .into_paginator()
        .items();
    let parameters = aws.call("rds:DescribeDBParameters", call.send().try_collect()).await?;
    let pair = |one: Parameter| Some((one.parameter_name?, one.parameter_value?));
    Ok(parameters.into_iter().filter_map(pair).collect())
}

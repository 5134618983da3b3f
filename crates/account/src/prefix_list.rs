//! `ec2.prefix_list`: address ranges under one id, which rules and routes may name.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{ManagedPrefixList, PrefixListEntry};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::ec2_tags::tags;

const ACTION: &str = "ec2:DescribeManagedPrefixLists";

/// A managed prefix list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixList {
    /// The name: `com.amazonaws.us-east-1.s3` for one of AWS's own.
    pub name: String,
    /// Whether AWS keeps it: then its entries are addresses of AWS's own, and are not read.
    pub of_aws: bool,
    /// The address ranges, in CIDR notation.
    pub entries: BTreeSet<String>,
}

impl Inspected for PrefixList {
    const KIND: &'static str = "ec2.prefix_list";
    const READ: &'static [Allow] =
        &[Allow::to(&["ec2:DescribeManagedPrefixLists", "ec2:GetManagedPrefixListEntries"])];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        let all = match list(aws).await {
            Ok(all) => all,
            Err(error) => return Collected::failed(error),
        };
        let mut details = futures::stream::iter(all)
            .map(|mut live| async move {
                if !live.spec.of_aws {
                    let entries = entries(aws, &live.id).await;
                    live.read("entries", entries, |spec, entries| spec.entries = entries);
                }
                live
            })
            .buffer_unordered(8);
        let mut found = Collected::default();
        while let Some(live) = details.next().await {
            found.live.push(live);
        }
        found
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<PrefixList>>> {
    let call = client!(aws, aws_sdk_ec2).describe_managed_prefix_lists().into_paginator().items();
    let all: Vec<ManagedPrefixList> = aws.call(ACTION, call.send().try_collect()).await?;
    all.into_iter().map(|list| read(aws, list)).collect()
}

fn read(aws: &Aws, list: ManagedPrefixList) -> Result<Live<PrefixList>> {
    let id = list.prefix_list_id.ok_or_else(|| Error::incomplete(ACTION, "a list's id"))?;
    let spec = PrefixList {
        name: list.prefix_list_name.unwrap_or_default(),
        of_aws: list.owner_id.is_some_and(|owner| owner.eq_ignore_ascii_case("aws")),
        entries: BTreeSet::new(),
    };
    let arn = list.prefix_list_arn;
    let arn = arn.unwrap_or_else(|| aws.arn("ec2", &format!("prefix-list/{id}")));
    Ok(Live::new(id, spec).with_arn(arn).with_tags(tags(list.tags)))
}

async fn entries(aws: &Aws, id: &str) -> Result<BTreeSet<String>> {
    let call = client!(aws, aws_sdk_ec2)
        .get_managed_prefix_list_entries()
        .prefix_list_id(id)
        .into_paginator()
        .items();
    let entries: Vec<PrefixListEntry> =
        aws.call("ec2:GetManagedPrefixListEntries", call.send().try_collect()).await?;
    Ok(entries.into_iter().filter_map(|entry| entry.cidr).collect())
}

//! `apigateway.vpc_link`: a VPC link of version 1, which leads to a network load balancer. This project makes
//! none: its links are of [version 2](crate::VpcLink).

use std::collections::BTreeSet;

use aws_sdk_apigateway::types::VpcLink as Description;
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, Status, client};
use serde::{Deserialize, Serialize};

use crate::tags::from_map;

/// A VPC link of version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcLinkV1 {
    /// Its name.
    pub name: String,
    /// The ARNs of the load balancers that it leads to. AWS takes one.
    pub targets: BTreeSet<String>,
    /// AWS's words for its status: why it does not work. Absent where there is nothing to say.
    pub status_message: Option<String>,
}

impl Inspected for VpcLinkV1 {
    const KIND: &'static str = "apigateway.vpc_link";
    const READ: &'static [Allow] =
        &[Allow::to(&["apigateway:GET"]).on(&["apigateway:{region}::/vpclinks"])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] =
        &[("targets", "elbv2.load_balancer")];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<VpcLinkV1>>> {
    let call = client!(aws, aws_sdk_apigateway).get_vpc_links().limit(500).into_paginator();
    let links: Vec<Description> =
        aws.call("apigateway:GET", call.items().send().try_collect()).await?;
    links.into_iter().map(|link| read(aws, link)).collect()
}

fn read(aws: &Aws, link: Description) -> Result<Live<VpcLinkV1>> {
    let id = link.id.ok_or_else(|| Error::incomplete("apigateway:GET", "a VPC link's id"))?;
    let spec = VpcLinkV1 {
        name: link.name.unwrap_or_default(),
        targets: link.target_arns.unwrap_or_default().into_iter().collect(),
        status_message: link.status_message.filter(|message| !message.is_empty()),
    };
    let word = link.status.as_ref().map_or("", |status| status.as_str());
    let status = Status::by_word(word, &["AVAILABLE"], &["FAILED"], &["DELETING"]);
    let arn = format!("arn:{}:apigateway:{}::/vpclinks/{id}", aws.partition(), aws.region());
    Ok(Live::new(id, spec).with_arn(arn).with_tags(from_map(link.tags)).with_status(status))
}

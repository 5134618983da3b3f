//! `ec2.transit_gateway_attachment`: a network on a hub.

use aws_sdk_ec2::types::TransitGatewayAttachment as Described;
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use serde::{Deserialize, Serialize};

use crate::ec2_tags::tags;

const ACTION: &str = "ec2:DescribeTransitGatewayAttachments";

/// An attachment to a transit gateway: of this account's VPC to any gateway, or of anybody's network to
/// this account's gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitGatewayAttachment {
    /// The gateway.
    pub transit_gateway: String,
    /// The account of the gateway.
    pub gateway_account: Option<String>,
    /// What is attached: `vpc`, `peering` (another gateway), `vpn`, `direct-connect-gateway`, `connect`…
    pub resource_type: String,
    /// Its id, as `vpc-…`.
    pub resource_id: Option<String>,
    /// The account of what is attached.
    pub resource_account: Option<String>,
    /// `available`, `pendingAcceptance`, `modifying`…
    pub state: String,
}

impl Inspected for TransitGatewayAttachment {
    const KIND: &'static str = "ec2.transit_gateway_attachment";
    const READ: &'static [Allow] = &[Allow::to(&["ec2:DescribeTransitGatewayAttachments"])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] = &[("resource_id", "ec2.vpc")];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<TransitGatewayAttachment>>> {
    let call = client!(aws, aws_sdk_ec2).describe_transit_gateway_attachments().into_paginator();
    let all: Vec<Described> = aws.call(ACTION, call.items().send().try_collect()).await?;
    // AWS shows those that are over for a while.
    const OVER: &[&str] = &["deleted", "deleting", "rejected", "rejecting", "failed", "failing"];
    all.into_iter().filter(|one| !OVER.contains(&state(one))).map(|one| read(aws, one)).collect()
}

fn state(attachment: &Described) -> &str {
    attachment.state().map_or("", |state| state.as_str())
}

fn read(aws: &Aws, attachment: Described) -> Result<Live<TransitGatewayAttachment>> {
    let state = state(&attachment).to_owned();
    let id = attachment.transit_gateway_attachment_id;
    let id = id.ok_or_else(|| Error::incomplete(ACTION, "an attachment's id"))?;
    let kind = attachment.resource_type.as_ref().map_or("", |kind| kind.as_str());
    let spec = TransitGatewayAttachment {
        transit_gateway: attachment.transit_gateway_id.unwrap_or_default(),
        gateway_account: attachment.transit_gateway_owner_id,
        resource_type: kind.to_owned(),
        resource_id: attachment.resource_id,
        resource_account: attachment.resource_owner_id,
        state,
    };
    let arn = aws.arn("ec2", &format!("transit-gateway-attachment/{id}"));
    Ok(Live::new(id, spec).with_arn(arn).with_tags(tags(attachment.tags)))
}

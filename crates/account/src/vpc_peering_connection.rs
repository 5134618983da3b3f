//! `ec2.vpc_peering_connection`: a direct way between two VPCs.

use aws_sdk_ec2::types::{VpcPeeringConnection as Described, VpcPeeringConnectionVpcInfo};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use serde::{Deserialize, Serialize};

use crate::ec2_tags::tags;

const ACTION: &str = "ec2:DescribeVpcPeeringConnections";

/// A peering connection of two VPCs, or the request for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcPeeringConnection {
    /// The account that asked for it.
    pub requester_account: Option<String>,
    /// Its VPC.
    pub requester_vpc: Option<String>,
    /// The account that was asked.
    pub accepter_account: Option<String>,
    /// Its VPC.
    pub accepter_vpc: Option<String>,
    /// `active`, `pending-acceptance`, `provisioning`…
    pub state: String,
}

impl Inspected for VpcPeeringConnection {
    const KIND: &'static str = "ec2.vpc_peering_connection";
    const READ: &'static [Allow] = &[Allow::to(&["ec2:DescribeVpcPeeringConnections"])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] =
        &[("requester_vpc", "ec2.vpc"), ("accepter_vpc", "ec2.vpc")];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<VpcPeeringConnection>>> {
    let call = client!(aws, aws_sdk_ec2).describe_vpc_peering_connections().into_paginator();
    let all: Vec<Described> = aws.call(ACTION, call.items().send().try_collect()).await?;
    // AWS shows those that are over for days.
    const OVER: &[&str] = &["deleted", "deleting", "rejected", "expired", "failed"];
    all.into_iter().filter(|one| !OVER.contains(&state(one))).map(|one| read(aws, one)).collect()
}

fn state(connection: &Described) -> &str {
    let code = connection.status().and_then(|status| status.code());
    code.map_or("", |code| code.as_str())
}

fn read(aws: &Aws, connection: Described) -> Result<Live<VpcPeeringConnection>> {
    let state = state(&connection).to_owned();
    let id = connection.vpc_peering_connection_id;
    let id = id.ok_or_else(|| Error::incomplete(ACTION, "a connection's id"))?;
    let side = |info: Option<VpcPeeringConnectionVpcInfo>| {
        info.map(|info| (info.owner_id, info.vpc_id)).unwrap_or_default()
    };
    let (requester_account, requester_vpc) = side(connection.requester_vpc_info);
    let (accepter_account, accepter_vpc) = side(connection.accepter_vpc_info);
    let spec = VpcPeeringConnection {
        requester_account,
        requester_vpc,
        accepter_account,
        accepter_vpc,
        state,
    };
    let arn = aws.arn("ec2", &format!("vpc-peering-connection/{id}"));
    Ok(Live::new(id, spec).with_arn(arn).with_tags(tags(connection.tags)))
}

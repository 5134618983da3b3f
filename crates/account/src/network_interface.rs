//! `ec2.network_interface`: something's place in a subnet.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::NetworkInterface as Described;
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use serde::{Deserialize, Serialize};

use crate::ec2_tags::tags;

const ACTION: &str = "ec2:DescribeNetworkInterfaces";

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInterface {
    /// The VPC.
    pub vpc_id: String,
    /// The subnet.
    pub subnet_id: String,
    /// The security groups.
    pub security_groups: BTreeSet<String>,
    /// The address under which the internet knows it.
    pub public_address: Option<String>,
    /// What it is for, in the words of whoever made it.
    pub description: String,
    /// Who made it: `amazon-rds`, `amazon-elb`, or an account.
    pub requester: Option<String>,
    /// What has it.
    pub used_by: UsedBy,
}

/// What has a network interface. AWS has no field for that: it is read off the interface's type, who made
/// it, and the description that AWS's services write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsedBy {
    /// A database: RDS, Aurora, DocumentDB, Neptune.
    Rds,
    /// A cache.
    ElastiCache,
    /// A mount target of EFS.
    Efs,
    /// A file system of FSx.
    Fsx,
    /// A warehouse.
    Redshift,
    /// A search domain.
    OpenSearch,
    /// A task of ECS.
    Ecs,
    /// A load balancer.
    LoadBalancer,
    /// Functions of Lambda.
    Lambda,
    /// A VPC endpoint.
    VpcEndpoint,
    /// A NAT gateway.
    NatGateway,
    /// A machine, or something that is not told apart here.
    Other,
}

impl UsedBy {
    /// Whether records may rest there.
    pub fn is_store(self) -> bool {
        use UsedBy::{Efs, ElastiCache, Fsx, OpenSearch, Rds, Redshift};
        matches!(self, Rds | ElastiCache | Efs | Fsx | Redshift | OpenSearch)
    }

    fn of(interface: &Described) -> Self {
        let kind = interface.interface_type().map_or("", |kind| kind.as_str());
        // Anybody may write any description; that of a service counts on what the service keeps itself.
        let managed = interface.requester_managed.unwrap_or_default();
        let about = interface.description().filter(|_| managed).unwrap_or_default();
        match (kind, interface.requester_id().unwrap_or_default()) {
            ("efs", _) => Self::Efs,
            ("lambda", _) => Self::Lambda,
            ("vpc_endpoint" | "gateway_load_balancer_endpoint", _) => Self::VpcEndpoint,
            ("nat_gateway" | "natGateway", _) => Self::NatGateway,
            ("load_balancer" | "network_load_balancer" | "gateway_load_balancer", _)
            | (_, "amazon-elb") => Self::LoadBalancer,
            (_, "amazon-rds") => Self::Rds,
            (_, "amazon-elasticache") => Self::ElastiCache,
            (_, "amazon-redshift") => Self::Redshift,
            _ if about == "RDSNetworkInterface" => Self::Rds,
            _ if about == "RedshiftNetworkInterface" => Self::Redshift,
            _ if about.starts_with("ElastiCache ") => Self::ElastiCache,
            _ if about.starts_with("EFS mount target for ") => Self::Efs,
            _ if about.starts_with("AWS created network interface for fs-") => Self::Fsx,
            _ if about.starts_with("ES ") => Self::OpenSearch,
            _ if about.starts_with("ELB ") => Self::LoadBalancer,
            _ if about.starts_with("arn:") && about.contains(":ecs:") => Self::Ecs,
            _ => Self::Other,
        }
    }
}

impl Inspected for NetworkInterface {
    const KIND: &'static str = "ec2.network_interface";
    const READ: &'static [Allow] = &[Allow::to(&["ec2:DescribeNetworkInterfaces"])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] = &[("vpc_id", "ec2.vpc")];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<NetworkInterface>>> {
    let call = client!(aws, aws_sdk_ec2).describe_network_interfaces().into_paginator().items();
    let interfaces: Vec<Described> = aws.call(ACTION, call.send().try_collect()).await?;
    interfaces.into_iter().map(|interface| read(aws, interface)).collect()
}

fn read(aws: &Aws, interface: Described) -> Result<Live<NetworkInterface>> {
    let missing = |part| Error::incomplete(ACTION, part);
    let used_by = UsedBy::of(&interface);
    let id = interface.network_interface_id.ok_or_else(|| missing("an interface's id"))?;
    let groups = interface.groups.unwrap_or_default();
    let spec = NetworkInterface {
        vpc_id: interface.vpc_id.ok_or_else(|| missing("an interface's VPC"))?,
        subnet_id: interface.subnet_id.ok_or_else(|| missing("an interface's subnet"))?,
        security_groups: groups.into_iter().filter_map(|group| group.group_id).collect(),
        public_address: interface.association.and_then(|one| one.public_ip.or(one.carrier_ip)),
        description: interface.description.unwrap_or_default(),
        requester: interface.requester_id,
        used_by,
    };
    let arn = aws.arn("ec2", &format!("network-interface/{id}"));
    Ok(Live::new(id, spec).with_arn(arn).with_tags(tags(interface.tag_set)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_service_count_on_what_the_service_keeps() {
        let shown = |managed, about: &str| {
            UsedBy::of(&Described::builder().requester_managed(managed).description(about).build())
        };
        let task = "arn:aws:ecs:us-east-1:123456789012:attachment/1";
        assert_eq!(shown(true, task), UsedBy::Ecs);
        assert_eq!(shown(false, task), UsedBy::Other);
        assert_eq!(shown(true, "EFS mount target for fs-1 (fsmt-1)"), UsedBy::Efs);
        assert_eq!(shown(true, "ELB app/web/1"), UsedBy::LoadBalancer);
        let database = Described::builder().requester_id("amazon-rds").build();
        assert!(UsedBy::of(&database).is_store());
    }
}

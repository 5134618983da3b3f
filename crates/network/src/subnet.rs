//! `ec2.subnet`: a part of a VPC's addresses, in one availability zone.

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType};
use engine::vocabulary::{Arn, Id, VpcId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll, Ref, Resource,
    Result, Scope, Status, Tags, Traits, When, client,
};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::tags::{from_ec2, retag, specification};

/// A subnet. Whether it is public, private or isolated is decided by its route table, so a reference
/// to it has no tier until somebody who knows the routes [casts](Ref::cast) it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// The VPC.
    pub vpc_id: Ref<VpcId>,
    /// The address range, within the VPC's: /16 to /28.
    pub cidr_block: Ipv4Net,
    /// The zone's name: `us-east-1a`.
    pub availability_zone: String,
    /// Whether what is started here gets a public address unasked.
    pub map_public_ip_on_launch: bool,
}

impl Resource for Subnet {
    const TRAITS: Traits = Traits {
        immutable: &["vpc_id", "cidr_block", "availability_zone"],
        late: &["map_public_ip_on_launch"],
        // Interfaces of services that are being deleted take minutes to go.
        gone: Poll::MINUTES,
        not_yet: &[("InvalidVpcID.NotFound", ""), ("InvalidSubnetID.NotFound", "")],
        attached_by: &[("vpc_id", "ec2.vpc")],
        permissions: Permissions {
            read: &[Allow::to(&["ec2:DescribeSubnets"])],
            make: &[
                Allow::to(&["ec2:CreateSubnet"]).on(&["ec2:{here}:subnet/*"]).for_stack(),
                Allow::to(&["ec2:CreateTags"])
                    .on(&["ec2:{here}:*/*"])
                    .for_stack()
                    .under(&[When::equals("ec2:CreateAction", &["CreateSubnet"])]),
                Allow::to(&["ec2:CreateSubnet"]).on(&["ec2:{here}:vpc/*"]).of_stack(),
                Allow::to(&["ec2:ModifySubnetAttribute"]).on(&["ec2:{here}:*/*"]).of_stack(),
                Allow::to(&["ec2:CreateTags", "ec2:DeleteTags"]).on(&["ec2:{here}:*/*"]).of_stack(),
            ],
            remove: &[Allow::to(&["ec2:DeleteSubnet"]).on(&["ec2:{here}:*/*"]).of_stack()],
        },
        ..Traits::of("ec2.subnet")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "ec2:CreateSubnet";
        let call = client!(aws, aws_sdk_ec2)
            .create_subnet()
            .vpc_id(self.vpc_id.as_str())
            .cidr_block(self.cidr_block.to_string())
            .availability_zone(&self.availability_zone)
            .tag_specifications(specification(ResourceType::Subnet, &new.tags));
        let made = aws.call(action, call.send()).await?;
        let id = made.subnet.and_then(|subnet| subnet.subnet_id);
        let id = id.ok_or_else(|| Error::incomplete(action, "the subnet's id"))?;
        let spec = Self { map_public_ip_on_launch: false, ..self.clone() };
        let arn = aws.arn("ec2", &format!("subnet/{id}"));
        Ok(Live::new(id, spec).with_arn(arn).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.has("map_public_ip_on_launch") {
            let value =
                AttributeBooleanValue::builder().value(self.map_public_ip_on_launch).build();
            let call = client!(aws, aws_sdk_ec2)
                .modify_subnet_attribute()
                .subnet_id(&live.id)
                .map_public_ip_on_launch(value);
            aws.call("ec2:ModifySubnetAttribute", call.send()).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_ec2).delete_subnet().subnet_id(&live.id);
        aws.call("ec2:DeleteSubnet", call.send()).await?;
        Ok(())
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<Subnet>>> {
    let action = "ec2:DescribeSubnets";
    let call = client!(aws, aws_sdk_ec2).describe_subnets().into_paginator().items();
    let subnets = aws.call(action, call.send().try_collect()).await?;
    subnets.into_iter().map(|subnet| read(aws, subnet)).collect()
}

fn read(aws: &Aws, subnet: aws_sdk_ec2::types::Subnet) -> Result<Live<Subnet>> {
    let missing = |part| Error::incomplete("ec2:DescribeSubnets", part);
    let id = subnet.subnet_id.ok_or_else(|| missing("a subnet's id"))?;
    let range = subnet.cidr_block.unwrap_or_default();
    let word = subnet.state.as_ref().map_or("", |state| state.as_str());
    let status =
        Status::by_word(word, &["available"], &["failed", "failed-insufficient-capacity"], &[]);
    let spec = Subnet {
        vpc_id: subnet.vpc_id.ok_or_else(|| missing("a subnet's VPC"))?.into(),
        cidr_block: range
            .parse()
            .map_err(|why| Error::invalid(format!("the address range of {id}"), why))?,
        availability_zone: subnet.availability_zone.unwrap_or_default(),
        map_public_ip_on_launch: subnet
            .map_public_ip_on_launch
            .ok_or_else(|| missing("whether a subnet hands out public addresses"))?,
    };
    let arn = subnet.subnet_arn.unwrap_or_else(|| aws.arn("ec2", &format!("subnet/{id}")));
    Ok(Live::new(id, spec).with_arn(arn).with_status(status).with_tags(from_ec2(subnet.tags)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn aws() -> Aws {
        let embedded = local::ControlPlane::in_memory().http_client();
        Aws::connect(engine::Target::Embedded(embedded), Some("us-east-1")).await.unwrap()
    }

    #[tokio::test]
    async fn what_aws_does_not_say_is_not_assumed() {
        let shown = || {
            let shown = aws_sdk_ec2::types::Subnet::builder().subnet_id("subnet-1").vpc_id("vpc-1");
            shown.cidr_block("10.0.1.0/24").availability_zone("us-east-1a")
        };
        let error = read(&aws().await, shown().build()).unwrap_err();
        assert!(error.to_string().contains("hands out public addresses"), "{error}");
        let whole = shown().map_public_ip_on_launch(true).build();
        assert!(read(&aws().await, whole).unwrap().spec.map_public_ip_on_launch);
    }
}

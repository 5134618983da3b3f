//! `ec2.elastic_ip`: a public IPv4 address of our own.

use aws_sdk_ec2::types::{DomainType, ResourceType};
use engine::vocabulary::{AllocationId, Arn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll, Resource,
    Result, Scope, Tags, Traits, When, client,
};
use serde::{Deserialize, Serialize};

use crate::tags::{from_ec2, retag, specification};

/// An elastic IP address for use in VPCs. Output `public_ip`: the address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElasticIp {}

impl Resource for ElasticIp {
    const TRAITS: Traits = Traits {
        gone: Poll::MINUTES,
        not_yet: &[
            // Right after the deletion of the gateway that had it.
            ("AuthFailure", "do not have permission to access the specified resource"),
            ("InvalidIPAddress.InUse", ""),
        ],
        permissions: Permissions {
            read: &[Allow::to(&["ec2:DescribeAddresses"])],
            make: &[
                Allow::to(&["ec2:AllocateAddress"]).on(&["ec2:{here}:elastic-ip/*"]).for_stack(),
                Allow::to(&["ec2:CreateTags"])
                    .on(&["ec2:{here}:*/*"])
                    .for_stack()
                    .under(&[When::equals("ec2:CreateAction", &["AllocateAddress"])]),
                Allow::to(&["ec2:CreateTags", "ec2:DeleteTags"]).on(&["ec2:{here}:*/*"]).of_stack(),
            ],
            remove: &[Allow::to(&["ec2:ReleaseAddress"]).on(&["ec2:{here}:*/*"]).of_stack()],
        },
        ..Traits::of("ec2.elastic_ip")
    };
    type Id = AllocationId;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "ec2:AllocateAddress";
        let call = client!(aws, aws_sdk_ec2)
            .allocate_address()
            .domain(DomainType::Vpc)
            .tag_specifications(specification(ResourceType::ElasticIp, &new.tags));
        let made = aws.call(action, call.send()).await?;
        let missing = || Error::incomplete(action, "the allocation id");
        let id = made.allocation_id.ok_or_else(missing)?;
        Ok(live(aws, id, made.public_ip).with_tags(new.tags.clone()))
    }

    async fn update(&self, _: &Aws, _: &Live<Self>, _: &Changes) -> Result<()> {
        // There is nothing but tags.
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_ec2).release_address().allocation_id(&live.id);
        aws.call("ec2:ReleaseAddress", call.send()).await?;
        Ok(())
    }
}

fn live(aws: &Aws, id: String, public_ip: Option<String>) -> Live<ElasticIp> {
    let arn = aws.arn("ec2", &format!("elastic-ip/{id}"));
    Live::new(id, ElasticIp {}).with_arn(arn).with_output("public_ip", public_ip)
}

async fn list(aws: &Aws) -> Result<Vec<Live<ElasticIp>>> {
    // The one listing of EC2 that has no pages.
    let call = client!(aws, aws_sdk_ec2).describe_addresses();
    let found = aws.call("ec2:DescribeAddresses", call.send()).await?;
    Ok(found
        .addresses
        .unwrap_or_default()
        .into_iter()
        // An address without an allocation id is one of EC2-Classic, which is no more.
        .filter_map(|address| {
            let live = live(aws, address.allocation_id?, address.public_ip);
            Some(live.with_tags(from_ec2(address.tags)))
        })
        .collect())
}

//! `ec2.nat_gateway`: the way to the internet for what cannot be reached from there.

use aws_sdk_ec2::types::{
    AvailabilityMode, ConnectivityType, NatGateway as Described, ResourceType,
};
use engine::vocabulary::{AllocationId, Arn, NatGatewayId, Public, SubnetId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll, Readiness, Ref,
    Resource, Result, Scope, Status, Tags, Traits, When, client,
};
use serde::{Deserialize, Serialize};

use crate::tags::{from_ec2, retag, specification};

/// A NAT gateway. Output `public_ip`: the address that the internet sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatGateway {
    /// The subnet that it stands in: one with a route to an internet gateway. Empty for a regional one.
    pub subnet_id: Ref<SubnetId<Public>>,
    /// Its elastic IP address; `None` for a private gateway, which leads to other networks only.
    pub allocation_id: Option<Ref<AllocationId>>,
    /// Whether it stands in every zone of the VPC. Such are read and not made.
    #[serde(default)]
    pub regional: bool,
}

impl Resource for NatGateway {
    const TRAITS: Traits = Traits {
        immutable: &["subnet_id", "allocation_id", "regional"],
        ready: Poll::MINUTES.expecting(120),
        gone: Poll::MINUTES.expecting(60),
        not_yet: &[
            ("InvalidSubnetID.NotFound", ""),
            ("InvalidAllocationID.NotFound", ""),
            ("InvalidElasticIpID.NotFound", ""),
            ("NatGatewayNotFound", ""),
        ],
        attached_by: &[("subnet_id", "ec2.subnet")],
        permissions: Permissions {
            read: &[Allow::to(&["ec2:DescribeNatGateways"])],
            make: &[
                Allow::to(&["ec2:CreateNatGateway"]).on(&["ec2:{here}:natgateway/*"]).for_stack(),
                Allow::to(&["ec2:CreateTags"])
                    .on(&["ec2:{here}:*/*"])
                    .for_stack()
                    .under(&[When::equals("ec2:CreateAction", &["CreateNatGateway"])]),
                Allow::to(&["ec2:CreateNatGateway"])
                    .on(&["ec2:{here}:elastic-ip/*", "ec2:{here}:subnet/*", "ec2:{here}:vpc/*"])
                    .of_stack(),
                Allow::to(&["ec2:CreateTags", "ec2:DeleteTags"]).on(&["ec2:{here}:*/*"]).of_stack(),
            ],
            remove: &[Allow::to(&["ec2:DeleteNatGateway"]).on(&["ec2:{here}:*/*"]).of_stack()],
        },
        ..Traits::of("ec2.nat_gateway")
    };
    type Id = NatGatewayId;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "ec2:CreateNatGateway";
        let kind = match self.allocation_id {
            Some(_) => ConnectivityType::Public,
            None => ConnectivityType::Private,
        };
        let call = client!(aws, aws_sdk_ec2)
            .create_nat_gateway()
            .subnet_id(self.subnet_id.as_str())
            .set_allocation_id(self.allocation_id.as_ref().map(ToString::to_string))
            .connectivity_type(kind)
            .client_token(&new.token)
            .tag_specifications(specification(ResourceType::Natgateway, &new.tags));
        let made = aws.call(action, call.send()).await?;
        let made = made.nat_gateway.ok_or_else(|| Error::incomplete(action, "the gateway"))?;
        let found = read(aws, made)?;
        Ok(Live { spec: self.clone(), ..found }.with_tags(new.tags.clone()))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let found = describe(aws, &live.id).await?;
        Ok(match found.status {
            Status::Ready => Readiness::Ready(found.outputs),
            Status::Pending(word) => Readiness::Pending(format!("status {word}")),
            Status::Failed(why) => Readiness::Failed(why),
            Status::Deleting => Readiness::Failed("it was deleted".into()),
        })
    }

    async fn update(&self, _: &Aws, _: &Live<Self>, _: &Changes) -> Result<()> {
        // Nothing about it can change in place.
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_ec2).delete_nat_gateway().nat_gateway_id(&live.id);
        aws.call("ec2:DeleteNatGateway", call.send()).await?;
        Ok(())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        let call = client!(aws, aws_sdk_ec2).describe_nat_gateways().nat_gateway_ids(&live.id);
        let found = aws.find("ec2:DescribeNatGateways", call.send()).await?;
        let gateways = found.and_then(|found| found.nat_gateways).unwrap_or_default();
        Ok(gateways.iter().all(is_deleted))
    }
}

async fn describe(aws: &Aws, id: &str) -> Result<Live<NatGateway>> {
    let action = "ec2:DescribeNatGateways";
    let call = client!(aws, aws_sdk_ec2).describe_nat_gateways().nat_gateway_ids(id);
    let found = aws.call(action, call.send()).await?.nat_gateways.unwrap_or_default().pop();
    read(aws, found.ok_or_else(|| Error::incomplete(action, "the gateway"))?)
}

async fn list(aws: &Aws) -> Result<Vec<Live<NatGateway>>> {
    let action = "ec2:DescribeNatGateways";
    let call = client!(aws, aws_sdk_ec2).describe_nat_gateways().into_paginator().items();
    let gateways: Vec<Described> = aws.call(action, call.send().try_collect()).await?;
    // AWS shows deleted gateways for an hour.
    gateways.into_iter().filter(|gateway| !is_deleted(gateway)).map(|one| read(aws, one)).collect()
}

fn is_deleted(gateway: &Described) -> bool {
    gateway.state.as_ref().is_some_and(|state| state.as_str() == "deleted")
}

fn read(aws: &Aws, gateway: Described) -> Result<Live<NatGateway>> {
    let missing = |part| Error::incomplete("ec2:DescribeNatGateways", part);
    let id = gateway.nat_gateway_id.ok_or_else(|| missing("a gateway's id"))?;
    let word = gateway.state.as_ref().map_or("", |state| state.as_str());
    let status = match word {
        "failed" => Status::Failed(gateway.failure_message.unwrap_or_else(|| word.into())),
        _ => Status::by_word(word, &["available"], &[], &["deleting", "deleted"]),
    };
    // The first address is the one that it was made with.
    let mut addresses = gateway.nat_gateway_addresses.unwrap_or_default();
    let at = addresses.iter().position(|address| address.is_primary == Some(true)).unwrap_or(0);
    let address = (at < addresses.len()).then(|| addresses.swap_remove(at));
    let (allocation_id, public_ip) =
        address.map(|address| (address.allocation_id, address.public_ip)).unwrap_or_default();
    let spec = NatGateway {
        subnet_id: gateway.subnet_id.unwrap_or_default().into(),
        allocation_id: allocation_id.map(Ref::from),
        regional: gateway.availability_mode == Some(AvailabilityMode::Regional),
    };
    let arn = aws.arn("ec2", &format!("natgateway/{id}"));
    Ok(Live::new(id, spec)
        .with_arn(arn)
        .with_status(status)
        .with_output("public_ip", public_ip)
        .with_tags(from_ec2(gateway.tags)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn aws() -> Aws {
        let embedded = local::ControlPlane::in_memory().http_client();
        Aws::connect(engine::Target::Embedded(embedded), Some("us-east-1")).await.unwrap()
    }

    fn shown(state: &str) -> Described {
        let address = aws_sdk_ec2::types::NatGatewayAddress::builder();
        Described::builder()
            .nat_gateway_id("nat-1")
            .subnet_id("subnet-1")
            .state(state.into())
            .failure_message("Network vpc-1 has no Internet gateway attached")
            .nat_gateway_addresses(
                address.allocation_id("eipalloc-1").public_ip("192.0.2.1").build(),
            )
            .build()
    }

    #[tokio::test]
    async fn a_failed_gateway_says_why() {
        let live = read(&aws().await, shown("failed")).unwrap();
        let why = "Network vpc-1 has no Internet gateway attached";
        assert_eq!(live.status, Status::Failed(why.into()));
        assert_eq!(live.output("public_ip"), Some("192.0.2.1"));
    }

    #[tokio::test]
    async fn a_gateway_on_its_way_out_is_not_there_to_stay() {
        assert_eq!(read(&aws().await, shown("deleting")).unwrap().status, Status::Deleting);
        assert!(is_deleted(&shown("deleted")));
        assert!(!is_deleted(&shown("failed")), "it still has to be removed");
    }
}

//! `ec2.internet_gateway`: a VPC's door to the internet.

use aws_sdk_ec2::types::ResourceType;
use engine::vocabulary::{Arn, InternetGatewayId, VpcId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Ref, Resource, Result,
    Scope, Tags, Traits, When, client,
};
use serde::{Deserialize, Serialize};

use crate::tags::{from_ec2, retag, specification};

/// An internet gateway. A reference to it from [`ready`](engine::Handle::ready) waits until it is
/// attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetGateway {
    /// The VPC that it is attached to. A VPC has at most one.
    pub vpc_id: Option<Ref<VpcId>>,
}

impl Resource for InternetGateway {
    const TRAITS: Traits = Traits {
        late: &["vpc_id"],
        not_yet: &[
            ("InvalidInternetGatewayID.NotFound", ""),
            ("InvalidVpcID.NotFound", ""),
            // It cannot be detached while NAT gateways that are being deleted still have addresses.
            ("DependencyViolation", "mapped public address"),
        ],
        used_by: &["ec2.nat_gateway"],
        attached_by: &[("vpc_id", "ec2.vpc")],
        permissions: Permissions {
            read: &[Allow::to(&["ec2:DescribeInternetGateways"])],
            make: &[
                Allow::to(&["ec2:CreateInternetGateway"])
                    .on(&["ec2:{here}:internet-gateway/*"])
                    .for_stack(),
                Allow::to(&["ec2:CreateTags"])
                    .on(&["ec2:{here}:*/*"])
                    .for_stack()
                    .under(&[When::equals("ec2:CreateAction", &["CreateInternetGateway"])]),
                Allow::to(&["ec2:AttachInternetGateway"]).on(&["ec2:{here}:*/*"]).of_stack(),
                Allow::to(&["ec2:CreateTags", "ec2:DeleteTags"]).on(&["ec2:{here}:*/*"]).of_stack(),
            ],
            remove: &[Allow::to(&["ec2:DetachInternetGateway", "ec2:DeleteInternetGateway"])
                .on(&["ec2:{here}:*/*"])
                .of_stack()],
        },
        ..Traits::of("ec2.internet_gateway")
    };
    type Id = InternetGatewayId;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "ec2:CreateInternetGateway";
        let call = client!(aws, aws_sdk_ec2)
            .create_internet_gateway()
            .tag_specifications(specification(ResourceType::InternetGateway, &new.tags));
        let made = aws.call(action, call.send()).await?;
        let id = made.internet_gateway.and_then(|gateway| gateway.internet_gateway_id);
        let id = id.ok_or_else(|| Error::incomplete(action, "the gateway's id"))?;
        Ok(live(aws, id, None).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if !changes.has("vpc_id") {
            return Ok(());
        }
        Self::detach(aws, live).await?;
        if let Some(vpc) = &self.vpc_id {
            let call = client!(aws, aws_sdk_ec2)
                .attach_internet_gateway()
                .internet_gateway_id(&live.id)
                .vpc_id(vpc.as_str());
            aws.call("ec2:AttachInternetGateway", call.send()).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn detach(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let Some(vpc) = &live.spec.vpc_id else { return Ok(()) };
        let call = client!(aws, aws_sdk_ec2)
            .detach_internet_gateway()
            .internet_gateway_id(&live.id)
            .vpc_id(vpc.as_str());
        match aws.call("ec2:DetachInternetGateway", call.send()).await {
            Err(Error::Api(error)) if error.code == "Gateway.NotAttached" => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call =
            client!(aws, aws_sdk_ec2).delete_internet_gateway().internet_gateway_id(&live.id);
        aws.call("ec2:DeleteInternetGateway", call.send()).await?;
        Ok(())
    }
}

fn live(aws: &Aws, id: String, vpc_id: Option<Ref<VpcId>>) -> Live<InternetGateway> {
    let arn = aws.arn("ec2", &format!("internet-gateway/{id}"));
    Live::new(id, InternetGateway { vpc_id }).with_arn(arn)
}

async fn list(aws: &Aws) -> Result<Vec<Live<InternetGateway>>> {
    let action = "ec2:DescribeInternetGateways";
    let call = client!(aws, aws_sdk_ec2).describe_internet_gateways().into_paginator().items();
    let gateways = aws.call(action, call.send().try_collect()).await?;
    gateways
        .into_iter()
        .map(|gateway| {
            let missing = || Error::incomplete(action, "a gateway's id");
            let vpc = gateway
                .attachments
                .unwrap_or_default()
                .into_iter()
                .find(|attachment| {
                    // AWS says `available` here, where its model says `attached`.
                    let state = attachment.state.as_ref().map(|state| state.as_str());
                    matches!(state, None | Some("available" | "attached" | "attaching"))
                })
                .and_then(|attachment| attachment.vpc_id);
            let id = gateway.internet_gateway_id.ok_or_else(missing)?;
            Ok(live(aws, id, vpc.map(Ref::from)).with_tags(from_ec2(gateway.tags)))
        })
        .collect()
}

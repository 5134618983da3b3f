//! `apigatewayv2.vpc_link`: the way from API Gateway into private subnets, to an application load
//! balancer.

use std::collections::BTreeSet;

use aws_sdk_apigatewayv2::types::VpcLink as Description;
use engine::vocabulary::{Arn, Private, SecurityGroupId, SubnetId, VpcLinkId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll, Readiness, Ref,
    Replacement, Resource, Result, Scope, Status, Tags, Traits, When, client,
};
use serde::{Deserialize, Serialize};

use crate::tags::{claiming, from_map, to_map};

// A link without traffic for sixty days goes to sleep; the next request wakes it. It works.
const GOOD: &[&str] = &["AVAILABLE", "INACTIVE"];
const BAD: &[&str] = &["FAILED"];

/// A VPC link of version 2. (Version 1 leads to network load balancers only.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcLink {
    /// Its name, 1 to 128 characters. AWS does not ask that it be unique.
    pub name: String,
    /// Where its network interfaces stand.
    pub subnet_ids: BTreeSet<Ref<SubnetId<Private>>>,
    /// What its network interfaces may reach: at least one group, or AWS takes the VPC's default.
    pub security_group_ids: BTreeSet<Ref<SecurityGroupId>>,
}

impl Resource for VpcLink {
    const TRAITS: Traits = Traits {
        immutable: &["subnet_ids", "security_group_ids"],
        replacement: Replacement::CreateFirst,
        ready: Poll::MINUTES.expecting(180),
        // The API that uses it goes at the same time, usually sooner.
        gone: Poll::within(15, 1, 10).expecting(60),
        not_yet: &[
            // On deletion: an API that is being deleted still counts as a user.
            ("BadRequestException", "referenced"),
            ("TooManyRequestsException", ""),
        ],
        attached_by: &[("subnet_ids", "ec2.subnet")],
        permissions: Permissions {
            read: &[Allow::to(&["apigateway:GET"])
                .on(&["apigateway:{region}::/vpclinks", "apigateway:{region}::/vpclinks/*"])],
            make: &[
                Allow::to(&["apigateway:POST"]).on(&["apigateway:{region}::/vpclinks"]).for_stack(),
                Allow::to(&["apigateway:PATCH"])
                    .on(&["apigateway:{region}::/vpclinks/*"])
                    .of_stack(),
                // Tags have no tags that could say whose they are: `tag` names the stack in the request.
                Allow::to(&["apigateway:PUT", "apigateway:POST"])
                    .on(&["apigateway:{region}::/tags/*vpclinks*"])
                    .for_stack(),
                Allow::to(&["apigateway:DELETE"]).on(&["apigateway:{region}::/tags/*vpclinks*"]),
                Allow::to(&["iam:CreateServiceLinkedRole"])
                    .on(&["iam::{account}:role/aws-service-role/*"])
                    .under(&[When::equals(
                        "iam:AWSServiceName",
                        &["ops.apigateway.amazonaws.com"],
                    )]),
            ],
            remove: &[Allow::to(&["apigateway:DELETE"])
                .on(&["apigateway:{region}::/vpclinks/*"])
                .of_stack()],
        },
        ..Traits::of("apigatewayv2.vpc_link")
    };
    type Id = VpcLinkId;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "apigateway:POST";
        let call = client!(aws, aws_sdk_apigatewayv2)
            .create_vpc_link()
            .name(&self.name)
            .set_subnet_ids(Some(self.subnet_ids.iter().map(ToString::to_string).collect()))
            .set_security_group_ids(Some(
                self.security_group_ids.iter().map(ToString::to_string).collect(),
            ))
            .set_tags(Some(to_map(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let id = made.vpc_link_id.ok_or_else(|| Error::incomplete(action, "the link's id"))?;
        let word = made.vpc_link_status.as_ref().map_or("PENDING", |status| status.as_str());
        let status = Status::by_word(word, GOOD, BAD, &["DELETING"]);
        Ok(live(aws, id, self.clone()).with_tags(new.tags.clone()).with_status(status))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let call = client!(aws, aws_sdk_apigatewayv2).get_vpc_link().vpc_link_id(&live.id);
        let link = aws.call("apigateway:GET", call.send()).await?;
        let word = link.vpc_link_status.as_ref().map_or("", |status| status.as_str());
        let why = link.vpc_link_status_message.unwrap_or_default();
        Ok(match Readiness::by_status(word, GOOD, BAD) {
            Readiness::Failed(status) if !why.is_empty() => {
                Readiness::Failed(format!("{status}: {why}"))
            }
            other => other,
        })
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.has("name") {
            let call = client!(aws, aws_sdk_apigatewayv2)
                .update_vpc_link()
                .vpc_link_id(&live.id)
                .name(&self.name);
            aws.call("apigateway:PATCH", call.send()).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let gateway = client!(aws, aws_sdk_apigatewayv2);
        let arn = live.require_arn("apigateway:GET")?;
        if !put.is_empty() {
            let call =
                gateway.tag_resource().resource_arn(arn).set_tags(Some(claiming(put, &live.tags)));
            aws.call("apigateway:POST", call.send()).await?;
        }
        if !remove.is_empty() {
            let call =
                gateway.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
            aws.call("apigateway:DELETE", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_apigatewayv2).delete_vpc_link().vpc_link_id(&live.id);
        aws.call("apigateway:DELETE", call.send()).await?;
        Ok(())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        let call = client!(aws, aws_sdk_apigatewayv2).get_vpc_link().vpc_link_id(&live.id);
        Ok(aws.find("apigateway:GET", call.send()).await?.is_none())
    }
}

fn live(aws: &Aws, id: String, spec: VpcLink) -> Live<VpcLink> {
    let arn = format!("arn:{}:apigateway:{}::/vpclinks/{id}", aws.partition(), aws.region());
    Live::new(id, spec).with_arn(arn)
}

async fn list(aws: &Aws) -> Result<Vec<Live<VpcLink>>> {
    let mut found = Vec::new();
    let mut next = None;
    loop {
        let call = client!(aws, aws_sdk_apigatewayv2).get_vpc_links().set_next_token(next);
        let page = aws.call("apigateway:GET", call.send()).await?;
        for link in page.items.unwrap_or_default() {
            found.push(read(aws, link)?);
        }
        next = page.next_token.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(found);
        }
    }
}

fn read(aws: &Aws, link: Description) -> Result<Live<VpcLink>> {
    let id = link.vpc_link_id.ok_or_else(|| Error::incomplete("apigateway:GET", "a link's id"))?;
    let spec = VpcLink {
        name: link.name.unwrap_or_default(),
        subnet_ids: link.subnet_ids.unwrap_or_default().into_iter().map(Ref::known).collect(),
        security_group_ids: link
            .security_group_ids
            .unwrap_or_default()
            .into_iter()
            .map(Ref::known)
            .collect(),
    };
    let word = link.vpc_link_status.as_ref().map_or("", |status| status.as_str());
    let status = Status::by_word(word, GOOD, BAD, &["DELETING"]);
    Ok(live(aws, id, spec).with_tags(from_map(link.tags)).with_status(status))
}

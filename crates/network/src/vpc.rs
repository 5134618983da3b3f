//! `ec2.vpc`: the virtual network, with its DNS settings and its emptied default security group.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    AttributeBooleanValue, Filter, ResourceType, SecurityGroup, VpcAttributeName,
};
use engine::vocabulary::{Arn, VpcId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll, Resource,
    Result, Scope, Status, Tags, Traits, When, client,
};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::security_group;
use crate::tags::{from_ec2, retag, specification};

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// The address range.
    pub cidr_block: Ipv4Net,
    /// Whether instances get DNS names. Interface endpoints with private names need it.
    pub dns_hostnames: bool,
    /// Whether the VPC has a resolver.
    pub dns_support: bool,
    /// Whether the default security group, which every resource gets that names none, admits and
    /// lets out nothing.
    pub default_security_group_closed: bool,
}

impl Resource for Vpc {
    const TRAITS: Traits = Traits {
        immutable: &["cidr_block"],
        late: &["dns_hostnames", "dns_support", "default_security_group_closed"],
        // What other services still have in it takes minutes to go.
        gone: Poll::MINUTES,
        not_yet: &[("InvalidVpcID.NotFound", ""), ("InvalidGroup.NotFound", "")],
        permissions: Permissions {
            read: &[
                Allow::to(&["ec2:DescribeVpcs", "ec2:DescribeSecurityGroups"]),
                Allow::to(&["ec2:DescribeVpcAttribute"]).on(&["ec2:{here}:vpc/*"]).of_stack(),
            ],
            make: &[
                Allow::to(&["ec2:CreateVpc"]).on(&["ec2:{here}:vpc/*"]).for_stack(),
                Allow::to(&["ec2:CreateTags"])
                    .on(&["ec2:{here}:*/*"])
                    .for_stack()
                    .under(&[When::equals("ec2:CreateAction", &["CreateVpc"])]),
                Allow::to(&["ec2:ModifyVpcAttribute"]).on(&["ec2:{here}:*/*"]).of_stack(),
                Allow::to(&["ec2:CreateTags", "ec2:DeleteTags"]).on(&["ec2:{here}:*/*"]).of_stack(),
                // The default security group comes with the VPC and carries no tag that could tell whose it is.
                Allow::to(&["ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"])
                    .on(&["ec2:{here}:security-group/*"]),
            ],
            remove: &[Allow::to(&["ec2:DeleteVpc"]).on(&["ec2:{here}:*/*"]).of_stack()],
        },
        ..Traits::of("ec2.vpc")
    };
    type Id = VpcId;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws, scope).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "ec2:CreateVpc";
        let call = client!(aws, aws_sdk_ec2)
            .create_vpc()
            .cidr_block(self.cidr_block.to_string())
            .tag_specifications(specification(ResourceType::Vpc, &new.tags));
        let made = aws.call(action, call.send()).await?;
        let id = made.vpc.and_then(|vpc| vpc.vpc_id);
        let id = id.ok_or_else(|| Error::incomplete(action, "the VPC's id"))?;
        // What AWS sets on a new VPC.
        let spec = Self {
            cidr_block: self.cidr_block,
            dns_hostnames: false,
            dns_support: true,
            default_security_group_closed: false,
        };
        Ok(live(aws, id, spec).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        // One attribute a call. Host names need the resolver: it comes first and goes last.
        if changes.has("dns_support") && self.dns_support {
            set_dns_support(aws, &live.id, true).await?;
        }
        if changes.has("dns_hostnames") {
            let call = client!(aws, aws_sdk_ec2)
                .modify_vpc_attribute()
                .vpc_id(&live.id)
                .enable_dns_hostnames(flag(self.dns_hostnames));
            aws.call("ec2:ModifyVpcAttribute", call.send()).await?;
        }
        if changes.has("dns_support") && !self.dns_support {
            set_dns_support(aws, &live.id, false).await?;
        }
        if changes.has("default_security_group_closed") && self.default_security_group_closed {
            close_default_group(aws, &live.id).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_ec2).delete_vpc().vpc_id(&live.id);
        aws.call("ec2:DeleteVpc", call.send()).await?;
        Ok(())
    }
}

fn live(aws: &Aws, id: String, spec: Vpc) -> Live<Vpc> {
    let arn = aws.arn("ec2", &format!("vpc/{id}"));
    Live::new(id, spec).with_arn(arn)
}

async fn list(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Vpc>>> {
    let action = "ec2:DescribeVpcs";
    let call = client!(aws, aws_sdk_ec2).describe_vpcs().into_paginator().items();
    let vpcs = aws.call(action, call.send().try_collect()).await?;
    // All groups are listed anyway.
    let default_groups = security_group::all(aws).await.map(default_groups);
    let mut found = Vec::new();
    for vpc in vpcs {
        let id = vpc.vpc_id.ok_or_else(|| Error::incomplete(action, "a VPC's id"))?;
        let cidr_block = vpc.cidr_block.unwrap_or_default();
        let cidr_block = cidr_block
            .parse()
            .map_err(|why| Error::invalid(format!("the address range of {id}"), why))?;
        let tags = from_ec2(vpc.tags);
        let spec = Vpc {
            cidr_block,
            dns_hostnames: false,
            dns_support: false,
            default_security_group_closed: false,
        };
        let word = vpc.state.as_ref().map_or("", |state| state.as_str());
        let status = Status::by_word(word, &["available"], &[], &[]);
        let mut live = live(aws, id.clone(), spec).with_status(status);
        // A request for each attribute of each VPC: only where the answer matters.
        if scope.wants(&tags) {
            let (hostnames, support) = futures::join!(
                attribute(aws, &id, VpcAttributeName::EnableDnsHostnames),
                attribute(aws, &id, VpcAttributeName::EnableDnsSupport),
            );
            live.read("dns_hostnames", hostnames, |spec, on| spec.dns_hostnames = on);
            live.read("dns_support", support, |spec, on| spec.dns_support = on);
        }
        let closed = default_groups.clone().map(|groups| groups.get(&id).is_some_and(is_closed));
        live.read("default_security_group_closed", closed, |spec, closed| {
            spec.default_security_group_closed = closed;
        });
        found.push(live.with_tags(tags));
    }
    Ok(found)
}

async fn attribute(aws: &Aws, vpc: &str, name: VpcAttributeName) -> Result<bool> {
    let action = "ec2:DescribeVpcAttribute";
    let call =
        client!(aws, aws_sdk_ec2).describe_vpc_attribute().vpc_id(vpc).attribute(name.clone());
    let answer = aws.call(action, call.send()).await?;
    let value = match name {
        VpcAttributeName::EnableDnsHostnames => answer.enable_dns_hostnames,
        _ => answer.enable_dns_support,
    };
    value.and_then(|value| value.value).ok_or_else(|| Error::incomplete(action, name.as_str()))
}

fn flag(value: bool) -> AttributeBooleanValue {
    AttributeBooleanValue::builder().value(value).build()
}

async fn set_dns_support(aws: &Aws, vpc: &str, on: bool) -> Result<()> {
    let call =
        client!(aws, aws_sdk_ec2).modify_vpc_attribute().vpc_id(vpc).enable_dns_support(flag(on));
    aws.call("ec2:ModifyVpcAttribute", call.send()).await?;
    Ok(())
}

/// The default security group of every VPC, by VPC.
fn default_groups(groups: Vec<SecurityGroup>) -> BTreeMap<String, SecurityGroup> {
    let called_default = groups.into_iter().filter(|group| group.group_name() == Some("default"));
    let by_vpc = |group: SecurityGroup| Some((group.vpc_id.clone()?, group));
    called_default.filter_map(by_vpc).collect()
}

fn is_closed(group: &SecurityGroup) -> bool {
    group.ip_permissions().is_empty() && group.ip_permissions_egress().is_empty()
}

/// Revokes every rule of the default group; AWS does not let the group itself be deleted.
async fn close_default_group(aws: &Aws, vpc: &str) -> Result<()> {
    let ec2 = client!(aws, aws_sdk_ec2);
    let called_default = Filter::builder().name("group-name").values("default").build();
    let of_vpc = Filter::builder().name("vpc-id").values(vpc).build();
    let call = ec2.describe_security_groups().filters(called_default).filters(of_vpc);
    let found = aws.call("ec2:DescribeSecurityGroups", call.send()).await?;
    let groups = default_groups(found.security_groups.unwrap_or_default());
    let missing = || Error::incomplete("ec2:DescribeSecurityGroups", "the default security group");
    let group = groups.get(vpc).ok_or_else(missing)?;
    let id = group.group_id().ok_or_else(missing)?;
    if !group.ip_permissions().is_empty() {
        let call = ec2
            .revoke_security_group_ingress()
            .group_id(id)
            .set_ip_permissions(Some(group.ip_permissions().to_vec()));
        aws.call("ec2:RevokeSecurityGroupIngress", call.send()).await?;
    }
    if !group.ip_permissions_egress().is_empty() {
        let call = ec2
            .revoke_security_group_egress()
            .group_id(id)
            .set_ip_permissions(Some(group.ip_permissions_egress().to_vec()));
        aws.call("ec2:RevokeSecurityGroupEgress", call.send()).await?;
    }
    Ok(())
}

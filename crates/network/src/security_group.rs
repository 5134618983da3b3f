//! `ec2.security_group`: who may talk to whom, by port.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{
    IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, SecurityGroup as Described,
    UserIdGroupPair,
};
use engine::vocabulary::{Arn, Id, SecurityGroupId, VpcId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll, Ref,
    Replacement, Resource, Result, Scope, Tags, Traits, When, client,
};
use serde::{Deserialize, Serialize};

use crate::tags::{from_ec2, retag, specification};

/// A security group with its rules. Nothing passes but what a rule names; answers always pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// The name, unique in the VPC.
    pub group_name: String,
    /// What it is for. Letters, digits and ` ._-:/()#,@[]+=&;{}!$*`, at most 255.
    pub description: String,
    /// The VPC.
    pub vpc_id: Ref<VpcId>,
    /// What is admitted.
    pub ingress: BTreeSet<Rule>,
    /// What is let out.
    pub egress: BTreeSet<Rule>,
}

/// A protocol, ports, and who is on the other side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a protocol number, or `-1` for all.
    pub protocol: String,
    /// The first port, or the ICMP type; `None` for all.
    pub from_port: Option<i32>,
    /// The last port, or the ICMP code; `None` for all.
    pub to_port: Option<i32>,
    /// Who is on the other side.
    pub peer: Peer,
    /// What it is for. The same characters as in a group's description.
    pub description: Option<String>,
}

/// Who is on the other side of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// An address range, IPv4 or IPv6, in CIDR notation.
    Cidr(String),
    /// The members of a group. One of another account, behind a peering connection or a transit gateway,
    /// has that account before its id: `111122223333/sg-…`.
    SecurityGroup(Ref<SecurityGroupId>),
    /// The addresses of a prefix list, by its id `pl-…`.
    PrefixList(Ref<Id>),
}

impl Rule {
    /// One TCP port.
    pub fn tcp(port: u16, peer: Peer, description: impl Into<String>) -> Self {
        Self {
            protocol: "tcp".into(),
            from_port: Some(port.into()),
            to_port: Some(port.into()),
            peer,
            description: Some(description.into()),
        }
    }

    /// Everything to everywhere: what AWS gives each new group.
    fn everything_out() -> Self {
        Self {
            protocol: "-1".into(),
            from_port: None,
            to_port: None,
            peer: Peer::Cidr("0.0.0.0/0".into()),
            description: None,
        }
    }

    /// What makes it the rule that it is: its description can change, nothing else.
    fn key(&self) -> (&str, Option<i32>, Option<i32>, &Peer) {
        (&self.protocol, self.from_port, self.to_port, &self.peer)
    }
}

impl Resource for SecurityGroup {
    const TRAITS: Traits = Traits {
        name: Some("group_name"),
        name_within: Some("vpc_id"),
        immutable: &["group_name", "description", "vpc_id"],
        late: &["ingress", "egress"],
        replacement: Replacement::CreateFirst,
        // Interfaces of services that are being deleted take minutes to let go.
        gone: Poll::MINUTES,
        not_yet: &[
            ("InvalidVpcID.NotFound", ""),
            ("InvalidGroup.NotFound", ""),
            ("InvalidGroupId.NotFound", ""),
        ],
        attached_by: &[("vpc_id", "ec2.vpc")],
        permissions: Permissions {
            read: &[Allow::to(&["ec2:DescribeSecurityGroups"])],
            make: &[
                Allow::to(&["ec2:CreateSecurityGroup"])
                    .on(&["ec2:{here}:security-group/*"])
                    .for_stack(),
                Allow::to(&["ec2:CreateTags"])
                    .on(&["ec2:{here}:*/*"])
                    .for_stack()
                    .under(&[When::equals("ec2:CreateAction", &["CreateSecurityGroup"])]),
                Allow::to(&["ec2:CreateSecurityGroup"]).on(&["ec2:{here}:vpc/*"]).of_stack(),
                Allow::to(&[
                    "ec2:AuthorizeSecurityGroupIngress",
                    "ec2:AuthorizeSecurityGroupEgress",
                    "ec2:RevokeSecurityGroupIngress",
                    "ec2:RevokeSecurityGroupEgress",
                    "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
                    "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
                ])
                .on(&["ec2:{here}:*/*"])
                .of_stack(),
                Allow::to(&["ec2:CreateTags", "ec2:DeleteTags"]).on(&["ec2:{here}:*/*"]).of_stack(),
            ],
            remove: &[Allow::to(&[
                "ec2:RevokeSecurityGroupIngress",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:DeleteSecurityGroup",
            ])
            .on(&["ec2:{here}:*/*"])
            .of_stack()],
        },
        ..Traits::of("ec2.security_group")
    };
    type Id = SecurityGroupId;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "ec2:CreateSecurityGroup";
        let call = client!(aws, aws_sdk_ec2)
            .create_security_group()
            .group_name(&self.group_name)
            .description(&self.description)
            .vpc_id(self.vpc_id.as_str())
            .tag_specifications(specification(ResourceType::SecurityGroup, &new.tags));
        let made = aws.call(action, call.send()).await?;
        let id = made.group_id.ok_or_else(|| Error::incomplete(action, "the group's id"))?;
        let spec = Self {
            group_name: self.group_name.clone(),
            description: self.description.clone(),
            vpc_id: self.vpc_id.clone(),
            ingress: BTreeSet::new(),
            egress: BTreeSet::from([Rule::everything_out()]),
        };
        Ok(live(aws, id, spec).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.has("ingress") {
            set_rules(aws, &live.id, Direction::In, &live.spec.ingress, &self.ingress).await?;
        }
        if changes.has("egress") {
            set_rules(aws, &live.id, Direction::Out, &live.spec.egress, &self.egress).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    /// Revokes every rule, so that groups that name each other can be deleted.
    async fn detach(aws: &Aws, live: &Live<Self>) -> Result<()> {
        // As they are now: one rule that is gone already would spoil the whole call.
        let call = client!(aws, aws_sdk_ec2).describe_security_groups().group_ids(&live.id);
        let found = aws.find("ec2:DescribeSecurityGroups", call.send()).await?;
        let group = found.and_then(|found| found.security_groups).unwrap_or_default().pop();
        let Some(group) = group else { return Ok(()) };
        let ingress = group.ip_permissions.unwrap_or_default();
        revoke(aws, &live.id, Direction::In, ingress).await?;
        let egress = group.ip_permissions_egress.unwrap_or_default();
        revoke(aws, &live.id, Direction::Out, egress).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_ec2).delete_security_group().group_id(&live.id);
        aws.call("ec2:DeleteSecurityGroup", call.send()).await?;
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

fn live(aws: &Aws, id: String, spec: SecurityGroup) -> Live<SecurityGroup> {
    let arn = aws.arn("ec2", &format!("security-group/{id}"));
    Live::new(id, spec).with_arn(arn)
}

/// Every security group, as the listing gives it.
pub(crate) async fn all(aws: &Aws) -> Result<Vec<Described>> {
    let action = "ec2:DescribeSecurityGroups";
    let call = client!(aws, aws_sdk_ec2).describe_security_groups().into_paginator().items();
    aws.once(action, aws.call(action, call.send().try_collect())).await
}

async fn list(aws: &Aws) -> Result<Vec<Live<SecurityGroup>>> {
    all(aws).await?.into_iter().map(|group| read(aws, group)).collect()
}

fn read(aws: &Aws, group: Described) -> Result<Live<SecurityGroup>> {
    let missing = |part| Error::incomplete("ec2:DescribeSecurityGroups", part);
    let id = group.group_id.clone().ok_or_else(|| missing("a group's id"))?;
    let own = aws.account_id();
    let spec = SecurityGroup {
        group_name: group.group_name.clone().ok_or_else(|| missing("a group's name"))?,
        description: group.description.clone().unwrap_or_default(),
        vpc_id: group.vpc_id.clone().unwrap_or_default().into(),
        ingress: group.ip_permissions().iter().flat_map(|one| rules(one, own)).collect(),
        egress: group.ip_permissions_egress().iter().flat_map(|one| rules(one, own)).collect(),
    };
    Ok(live(aws, id, spec).with_tags(from_ec2(group.tags)))
}

/// The rules of one permission of a group of the account `own`: AWS shows those of the same protocol and
/// ports together.
fn rules(permission: &IpPermission, own: &str) -> Vec<Rule> {
    let protocol = permission.ip_protocol().unwrap_or("-1").to_owned();
    let all = protocol == "-1";
    // For `all` some servers say -1, some say nothing; for ICMP, -1 means all types.
    let port = |port: Option<i32>| port.filter(|port| !all && *port != -1);
    let rule = |peer: Peer, description: Option<&str>| Rule {
        protocol: protocol.clone(),
        from_port: port(permission.from_port),
        to_port: port(permission.to_port),
        peer,
        description: description.filter(|text| !text.is_empty()).map(str::to_owned),
    };
    let four = permission.ip_ranges().iter().filter_map(|range| {
        Some(rule(Peer::Cidr(range.cidr_ip()?.to_owned()), range.description()))
    });
    let six = permission.ipv6_ranges().iter().filter_map(|range| {
        Some(rule(Peer::Cidr(range.cidr_ipv6()?.to_owned()), range.description()))
    });
    let lists = permission.prefix_list_ids().iter().filter_map(|list| {
        Some(rule(Peer::PrefixList(list.prefix_list_id()?.into()), list.description()))
    });
    let groups = permission.user_id_group_pairs().iter().filter_map(|pair| {
        let id = pair.group_id()?;
        let peer = match pair.user_id() {
            Some(other) if !other.is_empty() && other != own => format!("{other}/{id}").into(),
            _ => id.into(),
        };
        Some(rule(Peer::SecurityGroup(peer), pair.description()))
    });
    four.chain(six).chain(lists).chain(groups).collect()
}

fn permission(rule: &Rule) -> IpPermission {
    let text = rule.description.clone();
    let permission = IpPermission::builder()
        .ip_protocol(&rule.protocol)
        .set_from_port(rule.from_port)
        .set_to_port(rule.to_port);
    match &rule.peer {
        Peer::Cidr(range) if range.contains(':') => {
            let range = Ipv6Range::builder().cidr_ipv6(range).set_description(text);
            permission.ipv6_ranges(range.build())
        }
        Peer::Cidr(range) => {
            let range = IpRange::builder().cidr_ip(range).set_description(text);
            permission.ip_ranges(range.build())
        }
        Peer::SecurityGroup(group) => {
            let (account, id) = match group.as_str().split_once('/') {
                Some((account, id)) if !group.is_pending() => (Some(account.to_owned()), id),
                _ => (None, group.as_str()),
            };
            let pair = UserIdGroupPair::builder().set_user_id(account).group_id(id);
            permission.user_id_group_pairs(pair.set_description(text).build())
        }
        Peer::PrefixList(id) => {
            let list = PrefixListId::builder().prefix_list_id(id.as_str()).set_description(text);
            permission.prefix_list_ids(list.build())
        }
    }
    .build()
}

async fn set_rules(
    aws: &Aws,
    group: &str,
    direction: Direction,
    have: &BTreeSet<Rule>,
    want: &BTreeSet<Rule>,
) -> Result<()> {
    let have: BTreeMap<_, _> = have.iter().map(|rule| (rule.key(), rule)).collect();
    let want: BTreeMap<_, _> = want.iter().map(|rule| (rule.key(), rule)).collect();
    let missing: Vec<IpPermission> = want
        .iter()
        .filter(|(key, _)| !have.contains_key(*key))
        .map(|(_, rule)| permission(rule))
        .collect();
    let unwanted: Vec<IpPermission> = have
        .iter()
        .filter(|(key, _)| !want.contains_key(*key))
        .map(|(_, rule)| permission(rule))
        .collect();
    let renamed: Vec<IpPermission> = want
        .iter()
        .filter(|(key, rule)| have.get(*key).is_some_and(|old| old != *rule))
        .map(|(_, rule)| permission(rule))
        .collect();
    // What is not wanted goes first: it may be a hole.
    revoke(aws, group, direction, unwanted).await?;
    authorize(aws, group, direction, missing).await?;
    describe(aws, group, direction, renamed).await
}

async fn authorize(
    aws: &Aws,
    group: &str,
    direction: Direction,
    permissions: Vec<IpPermission>,
) -> Result<()> {
    let ec2 = client!(aws, aws_sdk_ec2);
    // One by one: a rule that an earlier attempt has made would spoil the call for the others.
    for permission in permissions {
        let answer = match direction {
            Direction::In => {
                let call = ec2.authorize_security_group_ingress().group_id(group);
                let call = call.ip_permissions(permission).send();
                aws.call("ec2:AuthorizeSecurityGroupIngress", call).await.map(|_| ())
            }
            Direction::Out => {
                let call = ec2.authorize_security_group_egress().group_id(group);
                let call = call.ip_permissions(permission).send();
                aws.call("ec2:AuthorizeSecurityGroupEgress", call).await.map(|_| ())
            }
        };
        match answer {
            Err(Error::Api(error)) if error.code == "InvalidPermission.Duplicate" => {}
            answer => answer?,
        }
    }
    Ok(())
}

async fn revoke(
    aws: &Aws,
    group: &str,
    direction: Direction,
    permissions: Vec<IpPermission>,
) -> Result<()> {
    let ec2 = client!(aws, aws_sdk_ec2);
    for permission in permissions {
        let answer = match direction {
            Direction::In => {
                let call = ec2.revoke_security_group_ingress().group_id(group);
                let call = call.ip_permissions(permission).send();
                aws.call("ec2:RevokeSecurityGroupIngress", call).await.map(|_| ())
            }
            Direction::Out => {
                let call = ec2.revoke_security_group_egress().group_id(group);
                let call = call.ip_permissions(permission).send();
                aws.call("ec2:RevokeSecurityGroupEgress", call).await.map(|_| ())
            }
        };
        match answer {
            Err(Error::Api(error)) if error.code == "InvalidPermission.NotFound" => {}
            answer => answer?,
        }
    }
    Ok(())
}

/// Sets the descriptions of rules that exist.
async fn describe(
    aws: &Aws,
    group: &str,
    direction: Direction,
    permissions: Vec<IpPermission>,
) -> Result<()> {
    if permissions.is_empty() {
        return Ok(());
    }
    let ec2 = client!(aws, aws_sdk_ec2);
    match direction {
        Direction::In => {
            let call = ec2
                .update_security_group_rule_descriptions_ingress()
                .group_id(group)
                .set_ip_permissions(Some(permissions));
            aws.call("ec2:UpdateSecurityGroupRuleDescriptionsIngress", call.send()).await?;
        }
        Direction::Out => {
            let call = ec2
                .update_security_group_rule_descriptions_egress()
                .group_id(group)
                .set_ip_permissions(Some(permissions));
            aws.call("ec2:UpdateSecurityGroupRuleDescriptionsEgress", call.send()).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "123456789012";

    #[test]
    fn a_permission_with_many_peers_is_as_many_rules() {
        let shown = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(443)
            .to_port(443)
            .ip_ranges(IpRange::builder().cidr_ip("10.0.0.0/16").build())
            .user_id_group_pairs(
                UserIdGroupPair::builder().group_id("sg-1").description("x").build(),
            )
            .build();
        let rules = rules(&shown, OWN);
        assert_eq!(rules.len(), 2);
        assert_eq!(rules[1], Rule::tcp(443, Peer::SecurityGroup("sg-1".into()), "x"));
    }

    #[test]
    fn a_rule_survives_the_way_to_aws_and_back() {
        let peers = [
            Peer::Cidr("10.0.0.0/16".into()),
            Peer::Cidr("2001:db8::/32".into()),
            Peer::SecurityGroup("sg-1".into()),
            Peer::SecurityGroup("111122223333/sg-1".into()),
            Peer::PrefixList("pl-1".into()),
        ];
        for peer in peers {
            let rule = Rule::tcp(5432, peer, "database");
            assert_eq!(rules(&permission(&rule), OWN), [rule]);
        }
    }

    #[test]
    fn all_ports_are_all_ports_however_a_server_says_it() {
        let everywhere = IpRange::builder().cidr_ip("0.0.0.0/0").build();
        let shown = IpPermission::builder().ip_protocol("-1").ip_ranges(everywhere);
        assert_eq!(rules(&shown.clone().build(), OWN), [Rule::everything_out()]);
        assert_eq!(rules(&shown.from_port(-1).to_port(-1).build(), OWN), [Rule::everything_out()]);
    }
}

//! Security groups and their rules.

use winterbaume_ec2_generated::model::{
    AuthorizeSecurityGroupEgressResult, AuthorizeSecurityGroupIngressResult,
    CreateSecurityGroupResult, DeleteSecurityGroupResult, DescribeSecurityGroupRulesResult,
    DescribeSecurityGroupsResult, IpPermission, IpRange, Ipv6Range, PrefixListId,
    ReferencedSecurityGroup, RevokeSecurityGroupEgressResult, RevokeSecurityGroupIngressResult,
    RevokedSecurityGroupRule, SecurityGroup, SecurityGroupList, SecurityGroupRule,
    SecurityGroupRuleList, TagList, UpdateSecurityGroupRuleDescriptionsEgressResult,
    UpdateSecurityGroupRuleDescriptionsIngressResult, UserIdGroupPair,
};
use winterbaume_ec2_generated::wire;

use super::filter::{Filtered, one, page, select};
use super::{
    Answer, Form, State, endpoint, held, interface, invalid, missing, not_found, seen, tag, vpc,
};
use crate::call::Call;
use crate::fault::Fault;

/// How many rules a group may have in each direction.
const RULES: usize = 60;

impl Filtered for SecurityGroup {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        if let Some(name) = filter.strip_prefix("egress.ip-permission.") {
            return permission_values(self.ip_permissions_egress.as_ref(), name);
        }
        if let Some(name) = filter.strip_prefix("ip-permission.") {
            return permission_values(self.ip_permissions.as_ref(), name);
        }
        match filter {
            "group-id" => one(&self.group_id),
            "group-name" => one(&self.group_name),
            "description" => one(&self.description),
            "owner-id" => one(&self.owner_id),
            "vpc-id" => one(&self.vpc_id),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        self.tags.as_ref()
    }
}

fn permission_values(
    permissions: Option<&winterbaume_ec2_generated::model::IpPermissionList>,
    filter: &str,
) -> Option<Vec<String>> {
    let of = |read: fn(&IpPermission) -> Vec<Option<String>>| {
        let all = permissions.iter().flat_map(|list| &list.items);
        Some(all.flat_map(read).flatten().collect())
    };
    match filter {
        "cidr" => of(|one| {
            one.ip_ranges.iter().flat_map(|l| &l.items).map(|range| range.cidr_ip.clone()).collect()
        }),
        "group-id" => of(|one| {
            let pairs = one.user_id_group_pairs.iter().flat_map(|list| &list.items);
            pairs.map(|pair| pair.group_id.clone()).collect()
        }),
        "prefix-list-id" => of(|one| {
            let lists = one.prefix_list_ids.iter().flat_map(|list| &list.items);
            lists.map(|list| list.prefix_list_id.clone()).collect()
        }),
        "protocol" => of(|one| vec![one.ip_protocol.clone()]),
        "from-port" => of(|one| vec![one.from_port.map(|port| port.to_string())]),
        "to-port" => of(|one| vec![one.to_port.map(|port| port.to_string())]),
        _ => None,
    }
}

impl Filtered for SecurityGroupRule {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        match filter {
            "group-id" => one(&self.group_id),
            "security-group-rule-id" => one(&self.security_group_rule_id),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        self.tags.as_ref()
    }
}

pub(super) fn find<'a>(state: &'a State, id: &str) -> Result<&'a SecurityGroup, Fault> {
    let missing = || not_found("InvalidGroup.NotFound", "security group", id);
    state.security_groups.get(id).ok_or_else(missing)
}

/// The group that a VPC comes with: it admits itself, and lets everything out.
pub(super) fn create_default(call: &mut Call<'_>, vpc: &str) {
    let id = insert(call, "default", "default VPC security group", vpc, None);
    let itself = SecurityGroupRule {
        is_egress: Some(false),
        ip_protocol: Some("-1".into()),
        from_port: Some(-1),
        to_port: Some(-1),
        referenced_group_info: Some(ReferencedSecurityGroup {
            group_id: Some(id.clone()),
            user_id: Some(call.account_id()),
            ..Default::default()
        }),
        ..Default::default()
    };
    add_rule(call, &id, itself);
}

fn insert(
    call: &mut Call<'_>,
    name: &str,
    description: &str,
    vpc: &str,
    tags: Option<TagList>,
) -> String {
    let id = call.new_id("sg");
    let group = SecurityGroup {
        description: Some(description.into()),
        group_id: Some(id.clone()),
        group_name: Some(name.into()),
        owner_id: Some(call.account_id()),
        security_group_arn: Some(call.arn("ec2", &format!("security-group/{id}"))),
        tags,
        vpc_id: Some(vpc.into()),
        ..Default::default()
    };
    held(call).security_groups.insert(id.clone(), group);
    let everything_out = SecurityGroupRule {
        is_egress: Some(true),
        ip_protocol: Some("-1".into()),
        from_port: Some(-1),
        to_port: Some(-1),
        cidr_ipv4: Some("0.0.0.0/0".into()),
        ..Default::default()
    };
    add_rule(call, &id, everything_out);
    id
}

fn add_rule(call: &mut Call<'_>, group: &str, rule: SecurityGroupRule) -> SecurityGroupRule {
    let id = call.new_id("sgr");
    let rule = SecurityGroupRule {
        group_id: Some(group.into()),
        group_owner_id: Some(call.account_id()),
        security_group_rule_arn: Some(call.arn("ec2", &format!("security-group-rule/{id}"))),
        security_group_rule_id: Some(id.clone()),
        ..rule
    };
    held(call).security_group_rules.insert(id, rule.clone());
    rule
}

/// Letters, digits and the signs that EC2 allows in names and descriptions.
fn is_plain(text: &str) -> bool {
    text.chars().count() <= 255
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c))
}

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_security_group_request(form)?;
    let vpc = input.vpc_id.ok_or_else(|| missing("vpcId"))?;
    let (name, description) = (input.group_name, input.description);
    if name.is_empty() || description.is_empty() {
        return Err(missing(if name.is_empty() { "groupName" } else { "groupDescription" }));
    }
    if !is_plain(&name) || name.starts_with("sg-") {
        let message = format!(
            "Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*, and are strings of up to 255 characters from a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*"
        );
        return Err(invalid(message));
    }
    if !is_plain(&description) {
        let message = format!(
            "Value ({description}) for parameter GroupDescription is invalid. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*"
        );
        return Err(invalid(message));
    }
    let tags = tag::specified(input.tag_specifications, "security-group")?;
    let state = seen(call);
    vpc::find(state, &vpc)?;
    if name == "default" {
        return Err(Fault::new(
            "InvalidParameterValue",
            "Cannot use reserved security group name: default",
        ));
    }
    let taken = state.security_groups.values().any(|other| {
        other.vpc_id.as_deref() == Some(&vpc) && other.group_name.as_deref() == Some(&name)
    });
    if taken {
        let message = format!("The security group '{name}' already exists for VPC '{vpc}'");
        return Err(Fault::new("InvalidGroup.Duplicate", message));
    }
    let id = insert(call, &name, &description, &vpc, tags.clone());
    let security_group_arn = Some(call.arn("ec2", &format!("security-group/{id}")));
    let answer = CreateSecurityGroupResult { group_id: Some(id), security_group_arn, tags };
    Ok(wire::serialize_create_security_group_response(&answer))
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_security_groups_request(form)?;
    let state = seen(call);
    let mut all: Vec<SecurityGroup> = match input.group_ids {
        Some(ids) => {
            ids.items.iter().map(|id| find(state, id).cloned()).collect::<Result<_, _>>()?
        }
        None => state.security_groups.values().cloned().collect(),
    };
    if let Some(names) = input.group_names {
        // Names are for the default VPC's groups only; this account has none.
        if let Some(name) = names.items.first() {
            return Err(not_found("InvalidGroup.NotFound", "security group", name));
        }
    }
    for group in &mut all {
        let id = group.group_id.clone().unwrap_or_default();
        group.ip_permissions = Some(permissions(state, &id, false).into());
        group.ip_permissions_egress = Some(permissions(state, &id, true).into());
    }
    let all = select(all, input.filters.as_ref())?;
    let (items, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    let security_groups = Some(SecurityGroupList { items });
    let answer = DescribeSecurityGroupsResult { next_token, security_groups };
    Ok(wire::serialize_describe_security_groups_response(&answer))
}

fn rules<'a>(
    state: &'a State,
    group: &str,
    egress: bool,
) -> impl Iterator<Item = &'a SecurityGroupRule> {
    state.security_group_rules.values().filter(move |rule| {
        rule.group_id.as_deref() == Some(group) && rule.is_egress == Some(egress)
    })
}

/// The rules of a group as DescribeSecurityGroups shows them: those of the same protocol and ports as
/// one permission.
fn permissions(state: &State, group: &str, egress: bool) -> Vec<IpPermission> {
    let mut found: Vec<IpPermission> = Vec::new();
    for rule in rules(state, group, egress) {
        let all = rule.ip_protocol.as_deref() == Some("-1");
        let ports = if all { (None, None) } else { (rule.from_port, rule.to_port) };
        let same = |one: &&mut IpPermission| {
            one.ip_protocol == rule.ip_protocol && (one.from_port, one.to_port) == ports
        };
        let at = match found.iter_mut().find(same) {
            Some(permission) => permission,
            None => {
                found.push(IpPermission {
                    from_port: ports.0,
                    ip_protocol: rule.ip_protocol.clone(),
                    to_port: ports.1,
                    ip_ranges: Some(Vec::new().into()),
                    ipv6_ranges: Some(Vec::new().into()),
                    prefix_list_ids: Some(Vec::new().into()),
                    user_id_group_pairs: Some(Vec::new().into()),
                });
                let last = found.len() - 1;
                &mut found[last]
            }
        };
        let description = rule.description.clone();
        if let Some(cidr_ip) = rule.cidr_ipv4.clone() {
            let range = IpRange { cidr_ip: Some(cidr_ip), description };
            at.ip_ranges.get_or_insert_default().items.push(range);
        } else if let Some(cidr_ipv6) = rule.cidr_ipv6.clone() {
            let range = Ipv6Range { cidr_ipv6: Some(cidr_ipv6), description };
            at.ipv6_ranges.get_or_insert_default().items.push(range);
        } else if let Some(id) = rule.prefix_list_id.clone() {
            let list = PrefixListId { prefix_list_id: Some(id), description };
            at.prefix_list_ids.get_or_insert_default().items.push(list);
        } else if let Some(peer) = rule.referenced_group_info.clone() {
            let pair = UserIdGroupPair {
                description,
                group_id: peer.group_id,
                user_id: peer.user_id,
                ..Default::default()
            };
            at.user_id_group_pairs.get_or_insert_default().items.push(pair);
        }
    }
    found
}

pub(super) fn describe_rules(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_security_group_rules_request(form)?;
    let state = seen(call);
    let all: Vec<SecurityGroupRule> = match input.security_group_rule_ids {
        Some(ids) => ids
            .items
            .iter()
            .map(|id| {
                let found = state.security_group_rules.get(id).cloned();
                found.ok_or_else(|| unknown_rule(id))
            })
            .collect::<Result<_, _>>()?,
        None => state.security_group_rules.values().cloned().collect(),
    };
    let all = select(all, input.filters.as_ref())?;
    let (items, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    let security_group_rules = Some(SecurityGroupRuleList { items });
    let answer = DescribeSecurityGroupRulesResult { next_token, security_group_rules };
    Ok(wire::serialize_describe_security_group_rules_response(&answer))
}

fn unknown_rule(id: &str) -> Fault {
    not_found("InvalidSecurityGroupRuleId.NotFound", "security group rule ID", id)
}

/// The rules that a request describes, one for each peer.
fn read(
    call: &mut Call<'_>,
    group: &str,
    egress: bool,
    permissions: Vec<IpPermission>,
) -> Result<Vec<SecurityGroupRule>, Fault> {
    let account = call.account_id();
    let region = call.region_name.to_owned();
    let state = seen(call);
    let own_vpc = &find(state, group)?.vpc_id;
    let mut rules = Vec::new();
    for permission in permissions {
        let protocol = match permission.ip_protocol.as_deref().unwrap_or_default() {
            "6" => "tcp",
            "17" => "udp",
            "1" => "icmp",
            "58" => "icmpv6",
            "" => return Err(missing("ipProtocol")),
            known @ ("tcp" | "udp" | "icmp" | "icmpv6" | "-1") => known,
            number if number.parse::<u8>().is_ok() => number,
            other => {
                return Err(invalid(format!(
                    "Invalid value '{other}' for IP protocol. Unknown protocol."
                )));
            }
        };
        let (from, to) = match (protocol, permission.from_port, permission.to_port) {
            ("-1", ..) => (-1, -1),
            ("tcp" | "udp", Some(from), Some(to)) => {
                if !(0..=65535).contains(&from) || !(0..=65535).contains(&to) || from > to {
                    return Err(invalid(format!(
                        "Invalid value '{from}-{to}' for port range. Must be between 0 and 65535, from not above to."
                    )));
                }
                (from, to)
            }
            ("tcp" | "udp", ..) => {
                return Err(invalid(
                    "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
                ));
            }
            (_, from, to) => (from.unwrap_or(-1), to.unwrap_or(-1)),
        };
        let base = SecurityGroupRule {
            is_egress: Some(egress),
            ip_protocol: Some(protocol.into()),
            from_port: Some(from),
            to_port: Some(to),
            ..Default::default()
        };
        let before = rules.len();
        for range in permission.ip_ranges.map(|list| list.items).unwrap_or_default() {
            let text = range.cidr_ip.unwrap_or_default();
            let Ok(net) = text.parse::<ipnet::Ipv4Net>() else {
                return Err(invalid(format!("CIDR block {text} is malformed")));
            };
            let cidr_ipv4 = Some(net.trunc().to_string());
            rules.push(SecurityGroupRule {
                cidr_ipv4,
                description: range.description,
                ..base.clone()
            });
        }
        for range in permission.ipv6_ranges.map(|list| list.items).unwrap_or_default() {
            let text = range.cidr_ipv6.unwrap_or_default();
            let Ok(net) = text.parse::<ipnet::Ipv6Net>() else {
                return Err(invalid(format!("CIDR block {text} is malformed")));
            };
            let cidr_ipv6 = Some(net.trunc().to_string());
            rules.push(SecurityGroupRule {
                cidr_ipv6,
                description: range.description,
                ..base.clone()
            });
        }
        for list in permission.prefix_list_ids.map(|list| list.items).unwrap_or_default() {
            let id = list.prefix_list_id.unwrap_or_default();
            if !endpoint::prefix_lists(&region).iter().any(|(known, _)| *known == id) {
                return Err(not_found("InvalidPrefixListId.NotFound", "prefix list ID", &id));
            }
            let prefix_list_id = Some(id);
            rules.push(SecurityGroupRule {
                prefix_list_id,
                description: list.description,
                ..base.clone()
            });
        }
        for pair in permission.user_id_group_pairs.map(|list| list.items).unwrap_or_default() {
            let id = pair.group_id.ok_or_else(|| missing("groupId"))?;
            if find(state, &id)?.vpc_id != *own_vpc {
                let message = "You have specified two resources that belong to different networks.";
                return Err(Fault::new("InvalidGroup.NotFound", message));
            }
            let referenced_group_info = Some(ReferencedSecurityGroup {
                group_id: Some(id),
                user_id: Some(pair.user_id.unwrap_or_else(|| account.clone())),
                ..Default::default()
            });
            rules.push(SecurityGroupRule {
                referenced_group_info,
                description: pair.description,
                ..base.clone()
            });
        }
        if rules.len() == before {
            return Err(missing("sourceSecurityGroup, cidrIp or prefixListId"));
        }
    }
    for rule in &mut rules {
        rule.description = rule.description.take().filter(|text| !text.is_empty());
        if rule.description.as_deref().is_some_and(|text| !is_plain(text)) {
            return Err(invalid(
                "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
            ));
        }
    }
    Ok(rules)
}

/// Whether two rules are the same; their descriptions do not count.
fn same(a: &SecurityGroupRule, b: &SecurityGroupRule) -> bool {
    let peer = |rule: &SecurityGroupRule| {
        let group = rule.referenced_group_info.as_ref().and_then(|info| info.group_id.clone());
        (rule.cidr_ipv4.clone(), rule.cidr_ipv6.clone(), rule.prefix_list_id.clone(), group)
    };
    a.is_egress == b.is_egress
        && a.ip_protocol == b.ip_protocol
        && (a.from_port, a.to_port) == (b.from_port, b.to_port)
        && peer(a) == peer(b)
}

fn words(rule: &SecurityGroupRule) -> String {
    let group = rule.referenced_group_info.as_ref().and_then(|info| info.group_id.as_deref());
    let peer = [
        rule.cidr_ipv4.as_deref(),
        rule.cidr_ipv6.as_deref(),
        rule.prefix_list_id.as_deref(),
        group,
    ];
    let peer = peer.into_iter().flatten().next().unwrap_or_default();
    match rule.ip_protocol.as_deref().unwrap_or_default() {
        "-1" => format!("peer: {peer}, ALL, ALLOW"),
        protocol => format!(
            "peer: {peer}, {}, from port: {}, to port: {}, ALLOW",
            protocol.to_uppercase(),
            rule.from_port.unwrap_or(-1),
            rule.to_port.unwrap_or(-1),
        ),
    }
}

fn authorize(
    call: &mut Call<'_>,
    group: &str,
    egress: bool,
    permissions: Vec<IpPermission>,
    tags: Option<TagList>,
) -> Result<SecurityGroupRuleList, Fault> {
    find(seen(call), group)?;
    if permissions.is_empty() {
        return Err(missing("ipPermissions"));
    }
    let fresh = read(call, group, egress, permissions)?;
    let state = seen(call);
    for (at, rule) in fresh.iter().enumerate() {
        if rules(state, group, egress).any(|old| same(old, rule)) {
            let message = format!("the specified rule \"{}\" already exists", words(rule));
            return Err(Fault::new("InvalidPermission.Duplicate", message));
        }
        if fresh[..at].iter().any(|other| same(other, rule)) {
            let message = "The same permission must not appear multiple times";
            return Err(invalid(message));
        }
    }
    if rules(state, group, egress).count() + fresh.len() > RULES {
        let message = "The maximum number of rules per security group has been reached.";
        return Err(Fault::new("RulesPerSecurityGroupLimitExceeded", message));
    }
    let items = fresh
        .into_iter()
        .map(|rule| add_rule(call, group, SecurityGroupRule { tags: tags.clone(), ..rule }))
        .collect();
    Ok(SecurityGroupRuleList { items })
}

pub(super) fn authorize_ingress(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_authorize_security_group_ingress_request(form)?;
    let group = input.group_id.ok_or_else(|| missing("groupId"))?;
    let mut permissions = input.ip_permissions.map(|list| list.items).unwrap_or_default();
    permissions.extend(short_form(
        input.ip_protocol,
        input.from_port,
        input.to_port,
        input.cidr_ip,
    ));
    let tags = tag::specified(input.tag_specifications, "security-group-rule")?;
    let rules = authorize(call, &group, false, permissions, tags)?;
    let answer = AuthorizeSecurityGroupIngressResult {
        r#return: Some(true),
        security_group_rules: Some(rules),
    };
    Ok(wire::serialize_authorize_security_group_ingress_response(&answer))
}

pub(super) fn authorize_egress(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_authorize_security_group_egress_request(form)?;
    let permissions = input.ip_permissions.map(|list| list.items).unwrap_or_default();
    let tags = tag::specified(input.tag_specifications, "security-group-rule")?;
    let rules = authorize(call, &input.group_id, true, permissions, tags)?;
    let answer = AuthorizeSecurityGroupEgressResult {
        r#return: Some(true),
        security_group_rules: Some(rules),
    };
    Ok(wire::serialize_authorize_security_group_egress_response(&answer))
}

/// The one permission of a request that names protocol, ports and range directly.
fn short_form(
    protocol: Option<String>,
    from_port: Option<i32>,
    to_port: Option<i32>,
    cidr: Option<String>,
) -> Option<IpPermission> {
    let range = IpRange { cidr_ip: Some(cidr?), description: None };
    Some(IpPermission {
        ip_protocol: Some(protocol?),
        from_port,
        to_port,
        ip_ranges: Some(vec![range].into()),
        ..Default::default()
    })
}

fn revoke(
    call: &mut Call<'_>,
    group: &str,
    egress: bool,
    permissions: Vec<IpPermission>,
    ids: Vec<String>,
) -> Result<Vec<RevokedSecurityGroupRule>, Fault> {
    find(seen(call), group)?;
    let described = read(call, group, egress, permissions)?;
    let state = seen(call);
    let mut going: Vec<SecurityGroupRule> = Vec::new();
    for id in ids {
        let found = rules(state, group, egress)
            .find(|rule| rule.security_group_rule_id.as_ref() == Some(&id))
            .ok_or_else(|| unknown_rule(&id))?;
        going.push(found.clone());
    }
    for rule in described {
        let found = rules(state, group, egress).find(|old| same(old, &rule)).ok_or_else(|| {
            Fault::new(
                "InvalidPermission.NotFound",
                "The specified rule does not exist in this security group.",
            )
        })?;
        going.push(found.clone());
    }
    let state = held(call);
    Ok(going
        .into_iter()
        .map(|rule| {
            let id = rule.security_group_rule_id.clone().unwrap_or_default();
            state.security_group_rules.remove(&id);
            RevokedSecurityGroupRule {
                cidr_ipv4: rule.cidr_ipv4,
                cidr_ipv6: rule.cidr_ipv6,
                description: rule.description,
                from_port: rule.from_port,
                group_id: rule.group_id,
                ip_protocol: rule.ip_protocol,
                is_egress: rule.is_egress,
                prefix_list_id: rule.prefix_list_id,
                referenced_group_id: rule.referenced_group_info.and_then(|info| info.group_id),
                security_group_rule_id: Some(id),
                to_port: rule.to_port,
            }
        })
        .collect())
}

pub(super) fn revoke_ingress(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_revoke_security_group_ingress_request(form)?;
    let group = input.group_id.ok_or_else(|| missing("groupId"))?;
    let mut permissions = input.ip_permissions.map(|list| list.items).unwrap_or_default();
    permissions.extend(short_form(
        input.ip_protocol,
        input.from_port,
        input.to_port,
        input.cidr_ip,
    ));
    let ids = input.security_group_rule_ids.map(|list| list.items).unwrap_or_default();
    let revoked = revoke(call, &group, false, permissions, ids)?;
    let answer = RevokeSecurityGroupIngressResult {
        r#return: Some(true),
        revoked_security_group_rules: Some(revoked.into()),
        unknown_ip_permissions: None,
    };
    Ok(wire::serialize_revoke_security_group_ingress_response(&answer))
}

pub(super) fn revoke_egress(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_revoke_security_group_egress_request(form)?;
    let permissions = input.ip_permissions.map(|list| list.items).unwrap_or_default();
    let ids = input.security_group_rule_ids.map(|list| list.items).unwrap_or_default();
    let revoked = revoke(call, &input.group_id, true, permissions, ids)?;
    let answer = RevokeSecurityGroupEgressResult {
        r#return: Some(true),
        revoked_security_group_rules: Some(revoked.into()),
        unknown_ip_permissions: None,
    };
    Ok(wire::serialize_revoke_security_group_egress_response(&answer))
}

fn set_descriptions(
    call: &mut Call<'_>,
    group: &str,
    egress: bool,
    permissions: Vec<IpPermission>,
) -> Result<(), Fault> {
    find(seen(call), group)?;
    for rule in read(call, group, egress, permissions)? {
        let found = rules(seen(call), group, egress)
            .find(|old| same(old, &rule))
            .and_then(|old| old.security_group_rule_id.clone())
            .ok_or_else(|| {
                Fault::new(
                    "InvalidPermission.NotFound",
                    "The specified rule does not exist in this security group.",
                )
            })?;
        if let Some(old) = held(call).security_group_rules.get_mut(&found) {
            old.description = rule.description;
        }
    }
    Ok(())
}

pub(super) fn describe_ingress_rules_as(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_update_security_group_rule_descriptions_ingress_request(form)?;
    let group = input.group_id.ok_or_else(|| missing("groupId"))?;
    let permissions = input.ip_permissions.map(|list| list.items).unwrap_or_default();
    set_descriptions(call, &group, false, permissions)?;
    let answer = UpdateSecurityGroupRuleDescriptionsIngressResult { r#return: Some(true) };
    Ok(wire::serialize_update_security_group_rule_descriptions_ingress_response(&answer))
}

pub(super) fn describe_egress_rules_as(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_update_security_group_rule_descriptions_egress_request(form)?;
    let group = input.group_id.ok_or_else(|| missing("groupId"))?;
    let permissions = input.ip_permissions.map(|list| list.items).unwrap_or_default();
    set_descriptions(call, &group, true, permissions)?;
    let answer = UpdateSecurityGroupRuleDescriptionsEgressResult { r#return: Some(true) };
    Ok(wire::serialize_update_security_group_rule_descriptions_egress_response(&answer))
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_delete_security_group_request(form)?;
    let id = input.group_id.ok_or_else(|| missing("groupId"))?;
    let state = seen(call);
    let group = find(state, &id)?;
    if group.group_name.as_deref() == Some("default") {
        let message =
            format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user");
        return Err(Fault::new("CannotDelete", message));
    }
    let named = state.security_group_rules.values().any(|rule| {
        let peer = rule.referenced_group_info.as_ref().and_then(|info| info.group_id.as_ref());
        rule.group_id.as_ref() != Some(&id) && peer == Some(&id)
    });
    if named || interface::uses_group(state, &id) {
        let message = format!("resource {id} has a dependent object");
        return Err(Fault::new("DependencyViolation", message));
    }
    let state = held(call);
    state.security_groups.remove(&id);
    state.security_group_rules.retain(|_, rule| rule.group_id.as_ref() != Some(&id));
    let answer = DeleteSecurityGroupResult { group_id: Some(id), r#return: Some(true) };
    Ok(wire::serialize_delete_security_group_response(&answer))
}

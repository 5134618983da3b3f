//! VPCs, with the route table and the security group that each comes with.

use ipnet::Ipv4Net;
use winterbaume_ec2_generated::model::{
    AttributeBooleanValue, CreateVpcResult, DescribeVpcAttributeResult, DescribeVpcsResult,
    TagList, Vpc, VpcCidrBlockAssociation, VpcCidrBlockState, VpcList,
};
use winterbaume_ec2_generated::wire;

use super::filter::{Filtered, one, page, select};
use super::{
    Answer, Form, State, VpcAttributes, held, in_use, invalid, missing, not_found, route_table,
    security_group, seen, tag,
};
use crate::call::Call;
use crate::fault::Fault;

impl Filtered for Vpc {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        match filter {
            "vpc-id" => one(&self.vpc_id),
            "cidr" | "cidr-block" | "cidrBlock" | "cidr-block-association.cidr-block" => {
                one(&self.cidr_block)
            }
            "dhcp-options-id" => one(&self.dhcp_options_id),
            "is-default" | "isDefault" => one(&self.is_default),
            "owner-id" => one(&self.owner_id),
            "state" => one(&self.state),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        self.tags.as_ref()
    }
}

pub(super) fn find<'a>(state: &'a State, id: &str) -> Result<&'a Vpc, Fault> {
    state.vpcs.get(id).ok_or_else(|| not_found("InvalidVpcID.NotFound", "vpc ID", id))
}

/// An address range as EC2 wants it: in its canonical form, /16 to /28.
pub(super) fn range(text: &str, code: &str) -> Result<Ipv4Net, Fault> {
    let malformed = || {
        let message = format!(
            "Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
        );
        Fault::new("InvalidParameterValue", message)
    };
    let range: Ipv4Net = text.parse().map_err(|_| malformed())?;
    if range.trunc() != range {
        return Err(malformed());
    }
    if !(16..=28).contains(&range.prefix_len()) {
        return Err(Fault::new(code, format!("The CIDR '{text}' is invalid.")));
    }
    Ok(range)
}

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_vpc_request(form)?;
    let cidr_block = input.cidr_block.ok_or_else(|| missing("cidrBlock or ipv4IpamPoolId"))?;
    range(&cidr_block, "InvalidVpc.Range")?;
    let tags = tag::specified(input.tag_specifications, "vpc")?;
    let id = call.new_id("vpc");
    let association = VpcCidrBlockAssociation {
        association_id: Some(call.new_id("vpc-cidr-assoc")),
        cidr_block: Some(cidr_block.clone()),
        cidr_block_state: Some(VpcCidrBlockState {
            state: Some("associated".into()),
            status_message: None,
        }),
    };
    let vpc = Vpc {
        vpc_id: Some(id.clone()),
        cidr_block: Some(cidr_block.clone()),
        cidr_block_association_set: Some(vec![association].into()),
        dhcp_options_id: Some(call.new_id("dopt")),
        instance_tenancy: Some(input.instance_tenancy.unwrap_or_else(|| "default".into())),
        is_default: Some(false),
        owner_id: Some(call.account_id()),
        state: Some("available".into()),
        tags,
        ..Default::default()
    };
    let attributes = VpcAttributes {
        dns_hostnames: false,
        dns_support: true,
        network_address_usage_metrics: false,
    };
    let state = held(call);
    state.vpcs.insert(id.clone(), vpc.clone());
    state.vpc_attributes.insert(id.clone(), attributes);
    route_table::create_main(call, &id, &cidr_block);
    security_group::create_default(call, &id);
    // The answer shows the VPC as it is for its first second.
    let fresh = Vpc { state: Some("pending".into()), ..vpc };
    Ok(wire::serialize_create_vpc_response(&CreateVpcResult { vpc: Some(fresh) }))
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_vpcs_request(form)?;
    let state = seen(call);
    let all: Vec<Vpc> = match input.vpc_ids {
        Some(ids) => {
            ids.items.iter().map(|id| find(state, id).cloned()).collect::<Result<_, _>>()?
        }
        None => state.vpcs.values().cloned().collect(),
    };
    let all = select(all, input.filters.as_ref())?;
    let (items, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    let vpcs = Some(VpcList { items });
    Ok(wire::serialize_describe_vpcs_response(&DescribeVpcsResult { next_token, vpcs }))
}

pub(super) fn describe_attribute(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_vpc_attribute_request(form)?;
    let state = seen(call);
    find(state, &input.vpc_id)?;
    let attributes = state.vpc_attributes.get(&input.vpc_id);
    let flag = |read: fn(&VpcAttributes) -> bool| {
        attributes.map(|all| AttributeBooleanValue { value: Some(read(all)) })
    };
    let mut answer =
        DescribeVpcAttributeResult { vpc_id: Some(input.vpc_id.clone()), ..Default::default() };
    match input.attribute.as_str() {
        "enableDnsHostnames" => answer.enable_dns_hostnames = flag(|all| all.dns_hostnames),
        "enableDnsSupport" => answer.enable_dns_support = flag(|all| all.dns_support),
        "enableNetworkAddressUsageMetrics" => {
            answer.enable_network_address_usage_metrics =
                flag(|all| all.network_address_usage_metrics);
        }
        other => {
            return Err(invalid(format!(
                "Value ({other}) for parameter attribute is invalid. Unknown attribute."
            )));
        }
    }
    Ok(wire::serialize_describe_vpc_attribute_response(&answer))
}

pub(super) fn modify_attribute(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_modify_vpc_attribute_request(form)?;
    find(seen(call), &input.vpc_id)?;
    let value = |flag: Option<AttributeBooleanValue>| flag.and_then(|flag| flag.value);
    let hostnames = value(input.enable_dns_hostnames);
    let support = value(input.enable_dns_support);
    let metrics = value(input.enable_network_address_usage_metrics);
    if [hostnames, support, metrics].iter().flatten().count() != 1 {
        let message = "Exactly one of the attributes may be modified in a request.";
        return Err(Fault::new("InvalidParameterCombination", message));
    }
    if let Some(attributes) = held(call).vpc_attributes.get_mut(&input.vpc_id) {
        attributes.dns_hostnames = hostnames.unwrap_or(attributes.dns_hostnames);
        attributes.dns_support = support.unwrap_or(attributes.dns_support);
        attributes.network_address_usage_metrics =
            metrics.unwrap_or(attributes.network_address_usage_metrics);
    }
    Ok(wire::serialize_modify_vpc_attribute_response())
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let id = wire::deserialize_delete_vpc_request(form)?.vpc_id;
    let state = seen(call);
    find(state, &id)?;
    let here = |vpc: &Option<String>| vpc.as_ref() == Some(&id);
    let used = state.subnets.values().any(|subnet| here(&subnet.vpc_id))
        || state
            .security_groups
            .values()
            .any(|group| here(&group.vpc_id) && group.group_name.as_deref() != Some("default"))
        || state
            .route_tables
            .values()
            .any(|table| here(&table.vpc_id) && !route_table::is_main(table))
        || state.internet_gateways.values().any(|gateway| {
            let attachments = gateway.attachments.iter().flat_map(|list| &list.items);
            attachments.into_iter().any(|attachment| here(&attachment.vpc_id))
        })
        || state.vpc_endpoints.values().any(|endpoint| here(&endpoint.vpc_id));
    if used {
        return Err(in_use("vpc", &id));
    }
    let state = held(call);
    state.vpcs.remove(&id);
    state.vpc_attributes.remove(&id);
    state.route_tables.retain(|_, table| table.vpc_id.as_ref() != Some(&id));
    let groups = &mut state.security_groups;
    groups.retain(|_, group| group.vpc_id.as_ref() != Some(&id));
    state
        .security_group_rules
        .retain(|_, rule| rule.group_id.as_ref().is_some_and(|group| groups.contains_key(group)));
    state.flow_logs.retain(|_, log| log.resource_id.as_ref() != Some(&id));
    Ok(wire::serialize_delete_vpc_response())
}

//! Subnets.

use winterbaume_ec2_generated::model::{
    AttributeBooleanValue, CreateSubnetResult, DescribeSubnetsResult,
    PrivateDnsNameOptionsOnLaunch, Subnet, SubnetList, TagList,
};
use winterbaume_ec2_generated::wire;

use super::filter::{Filtered, one, page, select};
use super::{Answer, Form, State, held, in_use, missing, not_found, seen, tag, vpc, zone};
use crate::call::Call;
use crate::fault::Fault;

impl Filtered for Subnet {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        match filter {
            "subnet-id" => one(&self.subnet_id),
            "subnet-arn" => one(&self.subnet_arn),
            "vpc-id" => one(&self.vpc_id),
            "cidr" | "cidr-block" | "cidrBlock" => one(&self.cidr_block),
            "availability-zone" | "availabilityZone" => one(&self.availability_zone),
            "availability-zone-id" | "availabilityZoneId" => one(&self.availability_zone_id),
            "default-for-az" | "defaultForAz" => one(&self.default_for_az),
            "map-public-ip-on-launch" => one(&self.map_public_ip_on_launch),
            "owner-id" => one(&self.owner_id),
            "state" => one(&self.state),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        self.tags.as_ref()
    }
}

pub(super) fn find<'a>(state: &'a State, id: &str) -> Result<&'a Subnet, Fault> {
    state.subnets.get(id).ok_or_else(|| not_found("InvalidSubnetID.NotFound", "subnet ID", id))
}

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_subnet_request(form)?;
    let text = input.cidr_block.ok_or_else(|| missing("cidrBlock"))?;
    let zone = match (&input.availability_zone, &input.availability_zone_id) {
        (Some(name), _) => zone::by_name(call.region_name, name)?,
        (None, Some(id)) => zone::by_id(call.region_name, id)?,
        (None, None) => zone::all(call.region_name).remove(0),
    };
    let tags = tag::specified(input.tag_specifications, "subnet")?;
    let state = seen(call);
    let parent = vpc::find(state, &input.vpc_id)?;
    let range = vpc::range(&text, "InvalidSubnet.Range")?;
    let whole = parent.cidr_block.as_deref().unwrap_or_default();
    if !vpc::range(whole, "InvalidVpc.Range")?.contains(&range) {
        return Err(Fault::new("InvalidSubnet.Range", format!("The CIDR '{text}' is invalid.")));
    }
    let taken = state.subnets.values().filter(|other| other.vpc_id == parent.vpc_id).any(|other| {
        let other: Option<ipnet::Ipv4Net> =
            other.cidr_block.as_deref().and_then(|text| text.parse().ok());
        other.is_some_and(|other| other.contains(&range) || range.contains(&other))
    });
    if taken {
        let message = format!("The CIDR '{text}' conflicts with another subnet");
        return Err(Fault::new("InvalidSubnet.Conflict", message));
    }
    let id = call.new_id("subnet");
    let subnet = Subnet {
        assign_ipv6_address_on_creation: Some(false),
        availability_zone: zone.zone_name,
        availability_zone_id: zone.zone_id,
        // AWS keeps five addresses of each subnet.
        available_ip_address_count: Some((1 << (32 - range.prefix_len())) - 5),
        cidr_block: Some(text),
        default_for_az: Some(false),
        enable_dns64: Some(false),
        ipv6_native: Some(false),
        map_customer_owned_ip_on_launch: Some(false),
        map_public_ip_on_launch: Some(false),
        owner_id: Some(call.account_id()),
        private_dns_name_options_on_launch: Some(PrivateDnsNameOptionsOnLaunch {
            hostname_type: Some("ip-name".into()),
            ..Default::default()
        }),
        state: Some("available".into()),
        subnet_arn: Some(call.arn("ec2", &format!("subnet/{id}"))),
        subnet_id: Some(id.clone()),
        tags,
        vpc_id: Some(input.vpc_id),
        ..Default::default()
    };
    held(call).subnets.insert(id, subnet.clone());
    Ok(wire::serialize_create_subnet_response(&CreateSubnetResult { subnet: Some(subnet) }))
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_subnets_request(form)?;
    let state = seen(call);
    let all: Vec<Subnet> = match input.subnet_ids {
        Some(ids) => {
            ids.items.iter().map(|id| find(state, id).cloned()).collect::<Result<_, _>>()?
        }
        None => state.subnets.values().cloned().collect(),
    };
    let all = select(all, input.filters.as_ref())?;
    let (items, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    let subnets = Some(SubnetList { items });
    Ok(wire::serialize_describe_subnets_response(&DescribeSubnetsResult { next_token, subnets }))
}

pub(super) fn modify_attribute(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_modify_subnet_attribute_request(form)?;
    find(seen(call), &input.subnet_id)?;
    let value = |flag: Option<AttributeBooleanValue>| flag.and_then(|flag| flag.value);
    if let Some(subnet) = held(call).subnets.get_mut(&input.subnet_id) {
        if let Some(on) = value(input.map_public_ip_on_launch) {
            subnet.map_public_ip_on_launch = Some(on);
        }
        if let Some(on) = value(input.assign_ipv6_address_on_creation) {
            subnet.assign_ipv6_address_on_creation = Some(on);
        }
        if let Some(on) = value(input.enable_dns64) {
            subnet.enable_dns64 = Some(on);
        }
    }
    Ok(wire::serialize_modify_subnet_attribute_response())
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let id = wire::deserialize_delete_subnet_request(form)?.subnet_id;
    let state = seen(call);
    find(state, &id)?;
    if state.network_interfaces.values().any(|eni| eni.subnet_id.as_ref() == Some(&id)) {
        return Err(in_use("subnet", &id));
    }
    let state = held(call);
    state.subnets.remove(&id);
    // Its association with a route table goes with it.
    for table in state.route_tables.values_mut() {
        if let Some(associations) = &mut table.associations {
            associations.items.retain(|one| one.subnet_id.as_ref() != Some(&id));
        }
    }
    Ok(wire::serialize_delete_subnet_response())
}

//! Network interfaces: those that NAT gateways, endpoints and other services' resources have.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use winterbaume_ec2_generated::model::{
    DescribeNetworkInterfacesResult, GroupIdentifier, NetworkInterface, NetworkInterfaceList,
    TagList,
};
use winterbaume_ec2_generated::wire;

use super::filter::{Filtered, one, page, select};
use super::{Answer, Form, State, held, not_found, security_group, seen, subnet};
use crate::call::Call;
use crate::fault::Fault;

impl Filtered for NetworkInterface {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        let groups = || self.groups.iter().flat_map(|list| &list.items);
        match filter {
            "network-interface-id" => one(&self.network_interface_id),
            "vpc-id" => one(&self.vpc_id),
            "subnet-id" => one(&self.subnet_id),
            "availability-zone" => one(&self.availability_zone),
            "description" => one(&self.description),
            "interface-type" => one(&self.interface_type),
            "private-ip-address" | "addresses.private-ip-address" => one(&self.private_ip_address),
            "requester-managed" => one(&self.requester_managed),
            "status" => one(&self.status),
            "group-id" => Some(groups().filter_map(|group| group.group_id.clone()).collect()),
            "group-name" => Some(groups().filter_map(|group| group.group_name.clone()).collect()),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        self.tag_set.as_ref()
    }
}

/// Places an interface in a subnet, with the next free address, for a resource that another service
/// (or this one) keeps. As long as it is there, neither the subnet nor the groups can be deleted.
///
/// # Errors
/// When the subnet or a group does not exist, or a group is of another VPC.
pub(crate) fn place(
    call: &mut Call<'_>,
    subnet: &str,
    groups: &[String],
    kind: &str,
    description: &str,
) -> Result<NetworkInterface, Fault> {
    let account = call.account_id();
    let id = call.new_id("eni");
    let state = seen(call);
    let place = subnet::find(state, subnet)?.clone();
    let mut members = Vec::new();
    for group in groups {
        let found = security_group::find(state, group)?;
        if found.vpc_id != place.vpc_id {
            let message = "You have specified two resources that belong to different networks.";
            return Err(Fault::new("InvalidGroup.NotFound", message));
        }
        members.push(GroupIdentifier {
            group_id: found.group_id.clone(),
            group_name: found.group_name.clone(),
        });
    }
    let address = free_address(state, &place.cidr_block).ok_or_else(|| {
        Fault::new(
            "InsufficientFreeAddressesInSubnet",
            format!("The subnet '{subnet}' has no free addresses"),
        )
    })?;
    let interface = NetworkInterface {
        availability_zone: place.availability_zone,
        availability_zone_id: place.availability_zone_id,
        description: Some(description.into()),
        groups: Some(members.into()),
        interface_type: Some(kind.into()),
        network_interface_id: Some(id.clone()),
        owner_id: Some(account),
        private_ip_address: Some(address.to_string()),
        requester_managed: Some(true),
        source_dest_check: Some(kind != "nat_gateway"),
        status: Some("in-use".into()),
        subnet_id: Some(subnet.into()),
        vpc_id: place.vpc_id,
        ..Default::default()
    };
    held(call).network_interfaces.insert(id, interface.clone());
    count_addresses(call, subnet, -1);
    Ok(interface)
}

/// Takes interfaces away again. Unknown ids are no error.
pub(crate) fn remove(call: &mut Call<'_>, ids: &[String]) {
    for id in ids {
        if seen(call).network_interfaces.contains_key(id)
            && let Some(gone) = held(call).network_interfaces.remove(id)
        {
            count_addresses(call, gone.subnet_id.as_deref().unwrap_or_default(), 1);
        }
    }
}

/// Takes interfaces away after the time that a kind of resource takes to let go of them.
pub(crate) fn leave(call: &mut Call<'_>, kind: &str, ids: &[String]) {
    let Ok(until) = call.now.checked_add(call.delays.of(kind)) else { return };
    for id in ids {
        if let Some(interface) = held(call).network_interfaces.get_mut(id) {
            interface.status = Some("detaching".into());
            held(call).leaving_interfaces.insert(id.clone(), until);
        }
    }
    progress(call);
}

/// Takes away the interfaces whose time has come.
pub(super) fn progress(call: &mut Call<'_>) {
    let now = call.now;
    let leaving = seen(call).leaving_interfaces.iter();
    let gone: Vec<String> =
        leaving.filter(|(_, until)| **until <= now).map(|(id, _)| id.clone()).collect();
    if !gone.is_empty() {
        remove(call, &gone);
        held(call).leaving_interfaces.retain(|id, _| !gone.contains(id));
    }
}

fn count_addresses(call: &mut Call<'_>, subnet: &str, by: i32) {
    if let Some(subnet) = held(call).subnets.get_mut(subnet) {
        subnet.available_ip_address_count = subnet.available_ip_address_count.map(|n| n + by);
    }
}

/// The first address of a subnet that no interface has; AWS keeps the first four and the last one.
fn free_address(state: &State, range: &Option<String>) -> Option<Ipv4Addr> {
    let range: Ipv4Net = range.as_deref()?.parse().ok()?;
    let taken: BTreeSet<&str> = state
        .network_interfaces
        .values()
        .filter_map(|interface| interface.private_ip_address.as_deref())
        .collect();
    range.hosts().skip(3).find(|address| {
        *address != range.broadcast() && !taken.contains(address.to_string().as_str())
    })
}

/// Whether an interface has the security group.
pub(super) fn uses_group(state: &State, group: &str) -> bool {
    state.network_interfaces.values().any(|interface| {
        let groups = interface.groups.iter().flat_map(|list| &list.items);
        groups.into_iter().any(|one| one.group_id.as_deref() == Some(group))
    })
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_network_interfaces_request(form)?;
    let state = seen(call);
    let all: Vec<NetworkInterface> = match input.network_interface_ids {
        Some(ids) => ids
            .items
            .iter()
            .map(|id| {
                let found = state.network_interfaces.get(id).cloned();
                found.ok_or_else(|| {
                    not_found("InvalidNetworkInterfaceID.NotFound", "networkInterface ID", id)
                })
            })
            .collect::<Result<_, _>>()?,
        None => state.network_interfaces.values().cloned().collect(),
    };
    let all = select(all, input.filters.as_ref())?;
    let (items, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    let network_interfaces = Some(NetworkInterfaceList { items });
    let answer = DescribeNetworkInterfacesResult { network_interfaces, next_token };
    Ok(wire::serialize_describe_network_interfaces_response(&answer))
}

//! Elastic IP addresses.

use std::collections::BTreeSet;

use winterbaume_ec2_generated::model::{
    Address, AddressList, AllocateAddressResult, DescribeAddressesResult, TagList,
};
use winterbaume_ec2_generated::wire;

use super::filter::{Filtered, one, select};
use super::{Answer, Form, State, held, invalid, missing, not_found, seen, tag};
use crate::call::Call;
use crate::fault::Fault;

impl Filtered for Address {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        match filter {
            "allocation-id" => one(&self.allocation_id),
            "association-id" => one(&self.association_id),
            "domain" => one(&self.domain),
            "network-border-group" => one(&self.network_border_group),
            "network-interface-id" => one(&self.network_interface_id),
            "private-ip-address" => one(&self.private_ip_address),
            "public-ip" => one(&self.public_ip),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        self.tags.as_ref()
    }
}

pub(super) fn find<'a>(state: &'a State, id: &str) -> Result<&'a Address, Fault> {
    let missing = || not_found("InvalidAllocationID.NotFound", "allocation ID", id);
    state.addresses.get(id).ok_or_else(missing)
}

pub(super) fn allocate(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_allocate_address_request(form)?;
    let domain = input.domain.unwrap_or_else(|| "vpc".into());
    if domain != "vpc" {
        return Err(invalid(format!("Invalid value '{domain}' for domain.")));
    }
    let tags = tag::specified(input.tag_specifications, "elastic-ip")?;
    let id = call.new_id("eipalloc");
    let region = call.region_name.to_owned();
    let state = held(call);
    let taken: BTreeSet<Option<String>> =
        state.addresses.values().map(|address| address.public_ip.clone()).collect();
    // Addresses that are set aside for documentation: they belong to nobody.
    let public_ip = (0..3u8)
        .flat_map(|block| (1..255u8).map(move |last| (block, last)))
        .map(|(block, last)| {
            let net = ["203.0.113", "198.51.100", "192.0.2"][usize::from(block)];
            Some(format!("{net}.{last}"))
        })
        .find(|address| !taken.contains(address))
        .ok_or_else(|| {
            Fault::new("AddressLimitExceeded", "The maximum number of addresses has been reached.")
        })?;
    let address = Address {
        allocation_id: Some(id.clone()),
        domain: Some(domain.clone()),
        network_border_group: Some(region.clone()),
        public_ip: public_ip.clone(),
        public_ipv4_pool: Some("amazon".into()),
        tags,
        ..Default::default()
    };
    state.addresses.insert(id.clone(), address);
    let answer = AllocateAddressResult {
        allocation_id: Some(id),
        domain: Some(domain),
        network_border_group: Some(region),
        public_ip,
        public_ipv4_pool: Some("amazon".into()),
        ..Default::default()
    };
    Ok(wire::serialize_allocate_address_response(&answer))
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_addresses_request(form)?;
    let state = seen(call);
    let mut all: Vec<Address> = match input.allocation_ids {
        Some(ids) => {
            ids.items.iter().map(|id| find(state, id).cloned()).collect::<Result<_, _>>()?
        }
        None => state.addresses.values().cloned().collect(),
    };
    if let Some(wanted) = input.public_ips {
        all.retain(|address| {
            address.public_ip.as_ref().is_some_and(|ip| wanted.items.contains(ip))
        });
    }
    let items = select(all, input.filters.as_ref())?;
    let answer = DescribeAddressesResult { addresses: Some(AddressList { items }) };
    Ok(wire::serialize_describe_addresses_response(&answer))
}

pub(super) fn release(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_release_address_request(form)?;
    let id = input.allocation_id.ok_or_else(|| missing("allocationId"))?;
    let address = find(seen(call), &id)?;
    if address.association_id.is_some() {
        let ip = address.public_ip.clone().unwrap_or_default();
        return Err(Fault::new("InvalidIPAddress.InUse", format!("Address {ip} is in use.")));
    }
    held(call).addresses.remove(&id);
    Ok(wire::serialize_release_address_response())
}

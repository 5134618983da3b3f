//! NAT gateways. Creation and deletion take time (`ec2.nat_gateway`, `ec2.nat_gateway.deletion`).

use winterbaume_ec2_generated::model::{
    CreateNatGatewayResult, DeleteNatGatewayResult, DescribeNatGatewaysResult, NatGateway,
    NatGatewayAddress, NatGatewayList, TagList,
};
use winterbaume_ec2_generated::wire;

use super::filter::{Filtered, one, page, select};
use super::{
    Answer, Form, State, address, held, interface, internet_gateway, invalid, made_before, missing,
    remember, seen, subnet, tag,
};
use crate::call::Call;
use crate::fault::Fault;

const BIRTH: &str = "ec2.nat_gateway";
const DEATH: &str = "ec2.nat_gateway.deletion";

impl Filtered for NatGateway {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        match filter {
            "nat-gateway-id" => one(&self.nat_gateway_id),
            "state" => one(&self.state),
            "subnet-id" => one(&self.subnet_id),
            "vpc-id" => one(&self.vpc_id),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        self.tags.as_ref()
    }
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a NatGateway, Fault> {
    let missing = || Fault::new("NatGatewayNotFound", format!("NatGateway {id} was not found"));
    state.nat_gateways.get(id).ok_or_else(missing)
}

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_nat_gateway_request(form)?;
    if let Some(id) = made_before(call, form)? {
        let nat_gateway = Some(find(seen(call), &id)?.clone());
        let answer = CreateNatGatewayResult { client_token: input.client_token, nat_gateway };
        return Ok(wire::serialize_create_nat_gateway_response(&answer));
    }
    let place = input.subnet_id.ok_or_else(|| missing("subnetId"))?;
    let connectivity = input.connectivity_type.unwrap_or_else(|| "public".into());
    let tags = tag::specified(input.tag_specifications, "natgateway")?;
    let state = seen(call);
    let home = subnet::find(state, &place)?.clone();
    let allocation = match (connectivity.as_str(), input.allocation_id) {
        ("public", Some(allocation)) => Some(allocation),
        ("public", None) => return Err(missing("AllocationId")),
        ("private", None) => None,
        ("private", Some(_)) => {
            let message = "AllocationId must not be specified for a private NAT gateway.";
            return Err(Fault::new("InvalidParameterCombination", message));
        }
        (other, _) => {
            return Err(invalid(format!("Invalid value '{other}' for connectivityType.")));
        }
    };
    let public_ip = match &allocation {
        Some(id) => {
            let address = address::find(state, id)?;
            if address.association_id.is_some() {
                let message = format!("Elastic IP address [{id}] is already associated");
                return Err(Fault::new("Resource.AlreadyAssociated", message));
            }
            address.public_ip.clone()
        }
        None => None,
    };
    let home_vpc = home.vpc_id.clone().unwrap_or_default();
    // AWS takes the request all the same, and the gateway fails.
    let failed = connectivity == "public" && !internet_gateway::serves(state, &home_vpc);
    let id = call.new_id("nat");
    let mut gateway = NatGateway {
        availability_mode: Some("zonal".into()),
        connectivity_type: Some(connectivity),
        create_time: Some(call.iso8601()),
        nat_gateway_id: Some(id.clone()),
        state: Some("pending".into()),
        subnet_id: Some(place.clone()),
        tags,
        vpc_id: home.vpc_id,
        ..Default::default()
    };
    if failed {
        gateway.failure_code = Some("Gateway.NotAttached".into());
        gateway.failure_message =
            Some(format!("Network {home_vpc} has no Internet gateway attached"));
        gateway.nat_gateway_addresses = Some(
            vec![NatGatewayAddress { allocation_id: allocation, ..Default::default() }].into(),
        );
    } else {
        let description = format!("Interface for NAT Gateway {id}");
        let eni = interface::place(call, &place, &[], "nat_gateway", &description)?;
        let association_id = allocation.as_ref().map(|_| call.new_id("eipassoc"));
        if let Some(allocation) = &allocation
            && let Some(address) = held(call).addresses.get_mut(allocation)
        {
            address.association_id = association_id.clone();
            address.network_interface_id = eni.network_interface_id.clone();
            address.private_ip_address = eni.private_ip_address.clone();
        }
        let address = NatGatewayAddress {
            allocation_id: allocation,
            association_id,
            is_primary: Some(true),
            network_interface_id: eni.network_interface_id,
            private_ip: eni.private_ip_address,
            public_ip,
            status: Some("succeeded".into()),
            ..Default::default()
        };
        gateway.nat_gateway_addresses = Some(vec![address].into());
    }
    held(call).nat_gateways.insert(id.clone(), gateway.clone());
    remember(call, form, &id);
    call.begin(BIRTH, &id);
    let nat_gateway = Some(gateway);
    let answer = CreateNatGatewayResult { client_token: input.client_token, nat_gateway };
    Ok(wire::serialize_create_nat_gateway_response(&answer))
}

/// Moves on the gateways whose time has come.
pub(super) fn progress(call: &mut Call<'_>) {
    let moving: Vec<(String, bool)> = seen(call)
        .nat_gateways
        .iter()
        .filter_map(|(id, gateway)| match gateway.state.as_deref() {
            Some("pending") => Some((id.clone(), true)),
            Some("deleting") => Some((id.clone(), false)),
            _ => None,
        })
        .collect();
    for (id, coming) in moving {
        if !call.is_ready(if coming { BIRTH } else { DEATH }, &id) {
            continue;
        }
        let now = call.iso8601();
        let Some(gateway) = held(call).nat_gateways.get_mut(&id) else { continue };
        if coming {
            let good = gateway.failure_code.is_none();
            gateway.state = Some(if good { "available" } else { "failed" }.into());
            continue;
        }
        gateway.state = Some("deleted".into());
        gateway.delete_time = Some(now);
        let addresses = gateway.nat_gateway_addresses.clone().map(|list| list.items);
        for address in addresses.unwrap_or_default() {
            let interfaces: Vec<String> = address.network_interface_id.into_iter().collect();
            interface::remove(call, &interfaces);
            // A private gateway's address is none of ours.
            if address.association_id.is_none() {
                continue;
            }
            let allocation = address.allocation_id.unwrap_or_default();
            if let Some(address) = held(call).addresses.get_mut(&allocation) {
                address.association_id = None;
                address.network_interface_id = None;
                address.private_ip_address = None;
            }
        }
    }
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_nat_gateways_request(form)?;
    // Deleted gateways are shown for an hour.
    let hour_ago = (call.now - jiff::SignedDuration::from_hours(1)).to_string();
    let state = seen(call);
    let all: Vec<NatGateway> = match input.nat_gateway_ids {
        Some(ids) => {
            ids.items.iter().map(|id| find(state, id).cloned()).collect::<Result<_, _>>()?
        }
        None => state.nat_gateways.values().cloned().collect(),
    };
    let all = all.into_iter().filter(|gateway| {
        gateway.delete_time.as_deref().is_none_or(|deleted| deleted > hour_ago.as_str())
    });
    let all = select(all, input.filter.as_ref())?;
    let (items, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    let nat_gateways = Some(NatGatewayList { items });
    let answer = DescribeNatGatewaysResult { nat_gateways, next_token };
    Ok(wire::serialize_describe_nat_gateways_response(&answer))
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let id = wire::deserialize_delete_nat_gateway_request(form)?.nat_gateway_id;
    let gateway = find(seen(call), &id)?;
    if !matches!(gateway.state.as_deref(), Some("deleting" | "deleted")) {
        if let Some(gateway) = held(call).nat_gateways.get_mut(&id) {
            gateway.state = Some("deleting".into());
        }
        call.begin(DEATH, &id);
        progress(call);
    }
    let answer = DeleteNatGatewayResult { nat_gateway_id: Some(id) };
    Ok(wire::serialize_delete_nat_gateway_response(&answer))
}

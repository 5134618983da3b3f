//! Internet gateways.

use winterbaume_ec2_generated::model::{
    CreateInternetGatewayResult, DescribeInternetGatewaysResult, InternetGateway,
    InternetGatewayAttachment, InternetGatewayList, TagList,
};
use winterbaume_ec2_generated::wire;

use super::filter::{Filtered, one, page, select};
use super::{Answer, Form, State, held, in_use, invalid, not_found, seen, tag, vpc};
use crate::call::Call;
use crate::fault::Fault;

impl Filtered for InternetGateway {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        let attachments = self.attachments.iter().flat_map(|list| &list.items);
        match filter {
            "internet-gateway-id" => one(&self.internet_gateway_id),
            "owner-id" => one(&self.owner_id),
            "attachment.vpc-id" => Some(attachments.filter_map(|one| one.vpc_id.clone()).collect()),
            "attachment.state" => Some(attachments.filter_map(|one| one.state.clone()).collect()),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        self.tags.as_ref()
    }
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a InternetGateway, Fault> {
    let missing = || not_found("InvalidInternetGatewayID.NotFound", "internetGateway ID", id);
    state.internet_gateways.get(id).ok_or_else(missing)
}

fn attached_to(gateway: &InternetGateway) -> Option<&str> {
    gateway.attachments.as_ref()?.items.first()?.vpc_id.as_deref()
}

/// Whether a gateway is attached to the VPC.
pub(super) fn serves(state: &State, vpc: &str) -> bool {
    state.internet_gateways.values().any(|gateway| attached_to(gateway) == Some(vpc))
}

/// Whether this gateway is attached to the VPC.
pub(super) fn is_attached(state: &State, gateway: &str, vpc: &str) -> Result<bool, Fault> {
    Ok(attached_to(find(state, gateway)?) == Some(vpc))
}

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_internet_gateway_request(form)?;
    let tags = tag::specified(input.tag_specifications, "internet-gateway")?;
    let id = call.new_id("igw");
    let gateway = InternetGateway {
        attachments: Some(Vec::new().into()),
        internet_gateway_id: Some(id.clone()),
        owner_id: Some(call.account_id()),
        tags,
    };
    held(call).internet_gateways.insert(id, gateway.clone());
    let answer = CreateInternetGatewayResult { internet_gateway: Some(gateway) };
    Ok(wire::serialize_create_internet_gateway_response(&answer))
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_internet_gateways_request(form)?;
    let state = seen(call);
    let all: Vec<InternetGateway> = match input.internet_gateway_ids {
        Some(ids) => {
            ids.items.iter().map(|id| find(state, id).cloned()).collect::<Result<_, _>>()?
        }
        None => state.internet_gateways.values().cloned().collect(),
    };
    let all = select(all, input.filters.as_ref())?;
    let (items, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    let internet_gateways = Some(InternetGatewayList { items });
    let answer = DescribeInternetGatewaysResult { internet_gateways, next_token };
    Ok(wire::serialize_describe_internet_gateways_response(&answer))
}

pub(super) fn attach(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_attach_internet_gateway_request(form)?;
    let (id, vpc) = (input.internet_gateway_id, input.vpc_id);
    let state = seen(call);
    let gateway = find(state, &id)?;
    vpc::find(state, &vpc)?;
    if let Some(other) = attached_to(gateway) {
        let message = format!("resource {id} is already attached to network {other}");
        return Err(Fault::new("Resource.AlreadyAssociated", message));
    }
    if serves(state, &vpc) {
        return Err(invalid(format!("Network {vpc} already has an internet gateway attached")));
    }
    if let Some(gateway) = held(call).internet_gateways.get_mut(&id) {
        let attachment =
            InternetGatewayAttachment { state: Some("available".into()), vpc_id: Some(vpc) };
        gateway.attachments = Some(vec![attachment].into());
    }
    Ok(wire::serialize_attach_internet_gateway_response())
}

pub(super) fn detach(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_detach_internet_gateway_request(form)?;
    let (id, vpc) = (input.internet_gateway_id, input.vpc_id);
    let state = seen(call);
    if attached_to(find(state, &id)?) != Some(&vpc) {
        let message = format!("resource {id} is not attached to network {vpc}");
        return Err(Fault::new("Gateway.NotAttached", message));
    }
    let mapped = state.nat_gateways.values().any(|nat| {
        nat.vpc_id.as_deref() == Some(&vpc)
            && matches!(nat.state.as_deref(), Some("pending" | "available" | "deleting"))
    });
    if mapped {
        let message = format!(
            "Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
        );
        return Err(Fault::new("DependencyViolation", message));
    }
    if let Some(gateway) = held(call).internet_gateways.get_mut(&id) {
        gateway.attachments = Some(Vec::new().into());
    }
    Ok(wire::serialize_detach_internet_gateway_response())
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let id = wire::deserialize_delete_internet_gateway_request(form)?.internet_gateway_id;
    if attached_to(find(seen(call), &id)?).is_some() {
        return Err(in_use("internetGateway", &id));
    }
    held(call).internet_gateways.remove(&id);
    Ok(wire::serialize_delete_internet_gateway_response())
}

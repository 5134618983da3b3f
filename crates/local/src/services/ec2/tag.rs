//! Tags: in create calls, and by themselves.

use std::collections::BTreeSet;

use winterbaume_ec2_generated::model::{Tag, TagList, TagSpecificationList};
use winterbaume_ec2_generated::wire;

use super::{Answer, Form, State, held, invalid, not_found};
use crate::call::Call;
use crate::fault::Fault;

/// The tags that a create call carries, for a resource of the type `kind`.
pub(super) fn specified(
    specifications: Option<TagSpecificationList>,
    kind: &str,
) -> Result<Option<TagList>, Fault> {
    let mut tags = Vec::new();
    for one in specifications.map(|list| list.items).unwrap_or_default() {
        let of = one.resource_type.unwrap_or_default();
        if of != kind {
            return Err(invalid(format!(
                "'{of}' is not a valid taggable resource type for this operation."
            )));
        }
        tags.extend(one.tags.map(|list| list.items).unwrap_or_default());
    }
    check(&tags)?;
    let keys: BTreeSet<_> = tags.iter().map(|tag| tag.key.clone()).collect();
    if keys.len() < tags.len() {
        return Err(invalid(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ));
    }
    limit(&tags)?;
    Ok((!tags.is_empty()).then_some(TagList { items: tags }))
}

fn limit(tags: &[Tag]) -> Result<(), Fault> {
    if tags.len() > 50 {
        let message = "More than 50 tags specified";
        return Err(Fault::new("TagLimitExceeded", message));
    }
    Ok(())
}

fn check(tags: &[Tag]) -> Result<(), Fault> {
    for tag in tags {
        let key = tag.key.as_deref().unwrap_or_default();
        let value = tag.value.as_deref().unwrap_or_default();
        if key.is_empty() {
            return Err(invalid("Tag key cannot be null or empty."));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            let message =
                format!("Tag keys starting with 'aws:' are reserved for internal use: '{key}'");
            return Err(invalid(message));
        }
        if key.chars().count() > 127 {
            return Err(invalid(format!(
                "Tag key exceeds the maximum length of 127 characters: '{key}'"
            )));
        }
        if value.chars().count() > 255 {
            return Err(invalid(format!(
                "Tag value exceeds the maximum length of 255 characters: '{value}'"
            )));
        }
    }
    Ok(())
}

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_tags_request(form)?;
    check(&input.tags.items)?;
    for id in &input.resources.items {
        let tags = of(held(call), id)?.get_or_insert_default();
        for tag in &input.tags.items {
            tags.items.retain(|old| old.key != tag.key);
            let value = Some(tag.value.clone().unwrap_or_default());
            tags.items.push(Tag { key: tag.key.clone(), value });
        }
        limit(&tags.items)?;
    }
    Ok(wire::serialize_create_tags_response())
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_delete_tags_request(form)?;
    let gone = input.tags.map(|list| list.items).unwrap_or_default();
    for id in &input.resources.items {
        let Some(tags) = of(held(call), id)? else { continue };
        tags.items.retain(|old| {
            // A key without a value removes the tag whatever its value is.
            !gone.iter().any(|tag| {
                tag.key == old.key && tag.value.as_ref().is_none_or(|_| tag.value == old.value)
            })
        });
    }
    Ok(wire::serialize_delete_tags_response())
}

/// The tags of a resource, whatever it is: the prefix of the id tells.
fn of<'a>(state: &'a mut State, id: &str) -> Result<&'a mut Option<TagList>, Fault> {
    macro_rules! in_map {
        ($map:ident, $code:literal, $noun:literal) => {
            match state.$map.get_mut(id) {
                Some(found) => Ok(&mut found.tags),
                None => Err(not_found($code, $noun, id)),
            }
        };
    }
    match id.rsplit_once('-').map_or("", |(prefix, _)| prefix) {
        "vpc" => in_map!(vpcs, "InvalidVpcID.NotFound", "vpc ID"),
        "subnet" => in_map!(subnets, "InvalidSubnetID.NotFound", "subnet ID"),
        "sg" => in_map!(security_groups, "InvalidGroup.NotFound", "security group"),
        "sgr" => in_map!(
            security_group_rules,
            "InvalidSecurityGroupRuleId.NotFound",
            "security group rule ID"
        ),
        "igw" => {
            in_map!(internet_gateways, "InvalidInternetGatewayID.NotFound", "internetGateway ID")
        }
        "eipalloc" => in_map!(addresses, "InvalidAllocationID.NotFound", "allocation ID"),
        "nat" => in_map!(nat_gateways, "NatGatewayNotFound", "NatGateway"),
        "rtb" => in_map!(route_tables, "InvalidRouteTableID.NotFound", "routeTable ID"),
        "vpce" => in_map!(vpc_endpoints, "InvalidVpcEndpointId.NotFound", "Vpc Endpoint Id"),
        "fl" => in_map!(flow_logs, "InvalidFlowLogId.NotFound", "flow log ID"),
        "eni" => match state.network_interfaces.get_mut(id) {
            Some(found) => Ok(&mut found.tag_set),
            None => Err(not_found("InvalidNetworkInterfaceID.NotFound", "networkInterface ID", id)),
        },
        _ => Err(Fault::new("InvalidID", format!("The ID '{id}' is not valid"))),
    }
}

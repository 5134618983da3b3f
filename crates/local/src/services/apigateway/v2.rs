//! VPC links of version 2. There are no HTTP APIs here, which is what their listing says.

use std::collections::HashMap;

use winterbaume_apigatewayv2::{model, wire};
use winterbaume_core::MockResponse;

use super::{bad, check_tags, missing, query, state, v1};
use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::services::ec2::interface;

const KIND: &str = "apigatewayv2.vpc_link";
const GOING: &str = "apigatewayv2.vpc_link.deletion";

pub(super) fn handle(call: &mut Call<'_>, path: &[String]) -> Result<MockResponse, Fault> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let none = HashMap::new();
    let method = call.request.method.to_string();
    match (method.as_str(), path.as_slice()) {
        ("POST", ["vpclinks"]) => create(call),
        ("GET", ["vpclinks"]) => {
            let query = query(call);
            let input = wire::deserialize_get_vpc_links_request(call.request, &[], &query)?;
            let ids: Vec<String> =
                state(call).into_iter().flat_map(|state| state.vpc_links.keys().cloned()).collect();
            let all: Vec<_> = ids.iter().filter_map(|id| current(call, id)).collect();
            let limit = input.max_results.and_then(|text| text.parse().ok()).unwrap_or(100);
            let (items, next_token) = page(all, input.next_token.as_deref(), limit)
                .ok_or_else(|| bad("Invalid next token"))?;
            let answer = model::GetVpcLinksResponse { items: Some(items), next_token };
            Ok(wire::serialize_get_vpc_links_response(&answer))
        }
        ("GET", ["apis"]) => Ok(wire::serialize_get_apis_response(&model::GetApisResponse {
            items: Some(Vec::new()),
            next_token: None,
        })),
        ("GET", ["vpclinks", id]) => {
            let link = current(call, id).ok_or_else(|| no_link(id))?;
            Ok(wire::serialize_get_vpc_link_response(&model::GetVpcLinkResponse {
                created_date: link.created_date,
                name: link.name,
                security_group_ids: link.security_group_ids,
                subnet_ids: link.subnet_ids,
                tags: link.tags,
                vpc_link_id: link.vpc_link_id,
                vpc_link_status: link.vpc_link_status,
                vpc_link_status_message: link.vpc_link_status_message,
                vpc_link_version: link.vpc_link_version,
            }))
        }
        ("PATCH", ["vpclinks", id]) => {
            let labels = &[("VpcLinkId", *id)];
            let input = wire::deserialize_update_vpc_link_request(call.request, labels, &none)?;
            current(call, id).ok_or_else(|| no_link(id))?;
            let links = &mut call.region().apigateway.vpc_links;
            let link = links.get_mut(*id).ok_or_else(|| no_link(id))?;
            if let Some(name) = input.name {
                check_name(&name)?;
                link.name = Some(name);
            }
            let link = link.clone();
            Ok(wire::serialize_update_vpc_link_response(&model::UpdateVpcLinkResponse {
                created_date: link.created_date,
                name: link.name,
                security_group_ids: link.security_group_ids,
                subnet_ids: link.subnet_ids,
                tags: link.tags,
                vpc_link_id: link.vpc_link_id,
                vpc_link_status: link.vpc_link_status,
                vpc_link_status_message: link.vpc_link_status_message,
                vpc_link_version: link.vpc_link_version,
            }))
        }
        ("DELETE", ["vpclinks", id]) => delete(call, id),
        ("GET", ["tags", arn]) => {
            let tags = Some(tags_mut(call, arn)?.clone());
            Ok(wire::serialize_get_tags_response(&model::GetTagsResponse { tags }))
        }
        ("POST", ["tags", arn]) => {
            let labels = &[("ResourceArn", *arn)];
            let input = wire::deserialize_tag_resource_request(call.request, labels, &none)?;
            check_tags(input.tags.as_ref())?;
            tags_mut(call, arn)?.extend(input.tags.unwrap_or_default());
            Ok(wire::serialize_tag_resource_response(&model::TagResourceResponse {}))
        }
        ("DELETE", ["tags", arn]) => {
            let labels = &[("ResourceArn", *arn)];
            let query = query(call);
            let input = wire::deserialize_untag_resource_request(call.request, labels, &query)?;
            let tags = tags_mut(call, arn)?;
            for key in input.tag_keys {
                tags.remove(&key);
            }
            Ok(wire::serialize_untag_resource_response())
        }
        (verb, path) => {
            let operation = format!("{verb} /v2/{}", path.join("/"));
            Err(Fault::unknown_operation("apigatewayv2", &operation))
        }
    }
}

fn no_link(id: &str) -> Fault {
    missing(format!("Unable to find Vpc Link with ID {id}"))
}

fn check_name(name: &str) -> Result<(), Fault> {
    if (1..=128).contains(&name.len()) {
        return Ok(());
    }
    Err(bad("Name must be 1 to 128 characters"))
}

fn create(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_create_vpc_link_request(call.request, &[], &HashMap::new())?;
    check_name(&input.name)?;
    check_tags(input.tags.as_ref())?;
    if input.subnet_ids.is_empty() {
        return Err(bad("At least one subnet is required"));
    }
    let id = call.random_alphanumeric(6);
    let groups = input.security_group_ids.clone().unwrap_or_default();
    let mut placed = Vec::new();
    for subnet in &input.subnet_ids {
        let about = format!("API Gateway VPC link {id}");
        match interface::place(call, subnet, &groups, "api_gateway_managed", &about) {
            Ok(one) => placed.extend(one.network_interface_id),
            Err(fault) => {
                interface::remove(call, &placed);
                return Err(bad(fault.message));
            }
        }
    }
    call.region().apigateway.interfaces.insert(id.clone(), placed);
    let link = model::VpcLink {
        created_date: Some(call.iso8601()),
        name: Some(input.name),
        security_group_ids: Some(input.security_group_ids.unwrap_or_default()),
        subnet_ids: Some(input.subnet_ids),
        tags: Some(input.tags.unwrap_or_default()),
        vpc_link_id: Some(id.clone()),
        vpc_link_status: Some("PENDING".into()),
        vpc_link_status_message: Some("VPC link is provisioning ENIs".into()),
        vpc_link_version: Some("V2".into()),
    };
    call.region().apigateway.vpc_links.insert(id.clone(), link.clone());
    call.begin(KIND, &id);
    Ok(wire::serialize_create_vpc_link_response(&model::CreateVpcLinkResponse {
        created_date: link.created_date,
        name: link.name,
        security_group_ids: link.security_group_ids,
        subnet_ids: link.subnet_ids,
        tags: link.tags,
        vpc_link_id: link.vpc_link_id,
        vpc_link_status: link.vpc_link_status,
        vpc_link_status_message: link.vpc_link_status_message,
        vpc_link_version: link.vpc_link_version,
    }))
}

fn delete(call: &mut Call<'_>, id: &str) -> Result<MockResponse, Fault> {
    current(call, id).ok_or_else(|| no_link(id))?;
    let users = v1::users_of_link(call, id);
    if !users.is_empty() {
        return Err(bad(format!(
            "Cannot delete vpc link. Vpc link '{id}', is referenced in [{}] in format of \
             [Method:Resource:Stage].",
            users.join(", ")
        )));
    }
    if let Some(link) = call.region().apigateway.vpc_links.get_mut(id) {
        link.vpc_link_status = Some("DELETING".into());
        link.vpc_link_status_message = None;
    }
    call.begin(GOING, id);
    Ok(wire::serialize_delete_vpc_link_response(&model::DeleteVpcLinkResponse {}))
}

/// The link as it is at this moment: what takes time moves on when it is looked at.
fn current(call: &mut Call<'_>, id: &str) -> Option<model::VpcLink> {
    let status = state(call)?.vpc_links.get(id)?.vpc_link_status.clone();
    match status.as_deref() {
        Some("DELETING") if call.is_ready(GOING, id) => {
            call.region().apigateway.vpc_links.remove(id);
            let placed = call.region().apigateway.interfaces.remove(id).unwrap_or_default();
            interface::remove(call, &placed);
        }
        Some("PENDING") if call.is_ready(KIND, id) => {
            let link = call.region().apigateway.vpc_links.get_mut(id)?;
            link.vpc_link_status = Some("AVAILABLE".into());
            link.vpc_link_status_message = Some("VPC link is ready to route traffic".into());
        }
        _ => {}
    }
    state(call)?.vpc_links.get(id).cloned()
}

/// The status word of a link that exists.
pub(super) fn status(call: &mut Call<'_>, id: &str) -> Option<String> {
    current(call, id)?.vpc_link_status
}

fn tags_mut<'a>(
    call: &'a mut Call<'_>,
    arn: &str,
) -> Result<&'a mut HashMap<String, String>, Fault> {
    let prefix = format!("arn:aws:apigateway:{}::/vpclinks/", call.region_name);
    let id = arn.strip_prefix(&prefix);
    let id = id.ok_or_else(|| bad("Invalid resource ARN specified in the request"))?;
    if !state(call).is_some_and(|state| state.vpc_links.contains_key(id)) {
        return Err(no_link(id));
    }
    let link = call.region().apigateway.vpc_links.get_mut(id).ok_or_else(|| no_link(id))?;
    Ok(link.tags.get_or_insert_default())
}

//! VPC endpoints, and the prefix lists of the services that gateway endpoints lead to. Creation and
//! deletion of interface endpoints take time (`ec2.vpc_endpoint`, `ec2.vpc_endpoint.deletion`).

use std::collections::BTreeSet;

use serde_json::Value;
use winterbaume_ec2_generated::model::{
    CreateVpcEndpointResult, DeleteVpcEndpointsResult, DescribeManagedPrefixListsResult,
    DescribePrefixListsResult, DescribeVpcEndpointsResult, DnsEntry, DnsOptions, ManagedPrefixList,
    ManagedPrefixListSet, ModifyVpcEndpointResult, PrefixList, PrefixListSet, Route,
    SecurityGroupIdentifier, TagList, UnsuccessfulItem, UnsuccessfulItemError, VpcEndpoint,
    VpcEndpointSet,
};
use winterbaume_ec2_generated::wire;

use super::filter::{Filtered, one, page, select};
use super::{
    Answer, Form, State, held, interface, invalid, made_before, missing, not_found, remember,
    route_table, security_group, seen, subnet, tag, vpc,
};
use crate::call::Call;
use crate::fault::Fault;

const BIRTH: &str = "ec2.vpc_endpoint";
const DEATH: &str = "ec2.vpc_endpoint.deletion";

/// What AWS lets an endpoint through to when no policy says otherwise.
const OPEN_POLICY: &str =
    r#"{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}"#;

/// The services that have interface endpoints here, as their names end.
const INTERFACE_SERVICES: &[&str] = &[
    "access-analyzer",
    "backup",
    "cloudtrail",
    "ec2",
    "ec2messages",
    "ecr.api",
    "ecr.dkr",
    "ecs",
    "ecs-agent",
    "ecs-telemetry",
    "elasticache",
    "elasticfilesystem",
    "elasticloadbalancing",
    "events",
    "execute-api",
    "guardduty-data",
    "kinesis-firehose",
    "kinesis-streams",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "rds",
    "rds-data",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "ssmmessages",
    "sts",
    "xray",
];

impl Filtered for VpcEndpoint {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        match filter {
            "vpc-endpoint-id" => one(&self.vpc_endpoint_id),
            "vpc-endpoint-state" => one(&self.state),
            "vpc-endpoint-type" => one(&self.vpc_endpoint_type),
            "vpc-id" => one(&self.vpc_id),
            "service-name" => one(&self.service_name),
            "ip-address-type" => one(&self.ip_address_type),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        self.tags.as_ref()
    }
}

impl Filtered for ManagedPrefixList {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        match filter {
            "owner-id" => one(&self.owner_id),
            "prefix-list-id" => one(&self.prefix_list_id),
            "prefix-list-name" => one(&self.prefix_list_name),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        None
    }
}

impl Filtered for PrefixList {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        match filter {
            "prefix-list-id" => one(&self.prefix_list_id),
            "prefix-list-name" => one(&self.prefix_list_name),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        None
    }
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a VpcEndpoint, Fault> {
    let missing = || not_found("InvalidVpcEndpointId.NotFound", "Vpc Endpoint Id", id);
    state.vpc_endpoints.get(id).ok_or_else(missing)
}

/// The prefix lists that AWS keeps: id and name.
pub(super) fn prefix_lists(region: &str) -> Vec<(String, String)> {
    [("pl-63a5400a", "s3"), ("pl-02cd2c6b", "dynamodb")]
        .map(|(id, service)| (id.to_owned(), format!("com.amazonaws.{region}.{service}")))
        .into()
}

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_vpc_endpoint_request(form)?;
    let client_token = input.client_token.clone();
    if let Some(id) = made_before(call, form)? {
        let vpc_endpoint = Some(find(seen(call), &id)?.clone());
        let answer = CreateVpcEndpointResult { client_token, vpc_endpoint };
        return Ok(wire::serialize_create_vpc_endpoint_response(&answer));
    }
    let service = input.service_name.ok_or_else(|| missing("serviceName"))?;
    let kind = input.vpc_endpoint_type.unwrap_or_else(|| "Gateway".into());
    let prefix = format!("com.amazonaws.{}.", call.region_name);
    let name = service.strip_prefix(&prefix).unwrap_or_default().to_owned();
    let exists = match kind.as_str() {
        "Gateway" => matches!(name.as_str(), "s3" | "dynamodb"),
        "Interface" => INTERFACE_SERVICES.contains(&name.as_str()),
        _ => return Err(invalid(format!("Invalid value '{kind}' for vpcEndpointType."))),
    };
    if !exists {
        let message = format!("The Vpc Endpoint Service '{service}' does not exist");
        return Err(Fault::new("InvalidServiceName", message));
    }
    let policy = checked_policy(input.policy_document)?;
    let tags = tag::specified(input.tag_specifications, "vpc-endpoint")?;
    vpc::find(seen(call), &input.vpc_id)?;
    let tables = input.route_table_ids.map(|list| list.items).unwrap_or_default();
    let subnets = input.subnet_ids.map(|list| list.items).unwrap_or_default();
    let groups = input.security_group_ids.map(|list| list.items).unwrap_or_default();
    let private_dns = input.private_dns_enabled.unwrap_or(kind == "Interface");
    let wrong = match kind.as_str() {
        "Gateway" if !subnets.is_empty() || !groups.is_empty() || private_dns => Some(
            "Subnet IDs, security group IDs and private DNS are only supported for Interface type VPC Endpoint.",
        ),
        "Interface" if !tables.is_empty() => {
            Some("Route table IDs are only supported for Gateway type VPC Endpoint.")
        }
        _ => None,
    };
    if let Some(message) = wrong {
        return Err(Fault::new("InvalidParameter", message));
    }
    if private_dns {
        check_private_dns(seen(call), &input.vpc_id, &service, None)?;
    }
    let id = call.new_id("vpce");
    let mut endpoint = VpcEndpoint {
        creation_timestamp: Some(call.iso8601()),
        dns_options: Some(DnsOptions {
            dns_record_ip_type: Some(
                if kind == "Gateway" { "service-defined" } else { "ipv4" }.into(),
            ),
            ..Default::default()
        }),
        groups: Some(Vec::new().into()),
        ip_address_type: Some("ipv4".into()),
        network_interface_ids: Some(Vec::new().into()),
        owner_id: Some(call.account_id()),
        policy_document: Some(policy),
        private_dns_enabled: Some(private_dns),
        requester_managed: Some(false),
        route_table_ids: Some(Vec::new().into()),
        service_name: Some(service.clone()),
        service_region: Some(call.region_name.to_owned()),
        state: Some(if kind == "Gateway" { "available" } else { "pending" }.into()),
        subnet_ids: Some(Vec::new().into()),
        tags,
        vpc_endpoint_id: Some(id.clone()),
        vpc_endpoint_type: Some(kind.clone()),
        vpc_id: Some(input.vpc_id.clone()),
        ..Default::default()
    };
    if kind == "Interface" {
        let suffix = call.random_alphanumeric(8);
        let zone = call.random_alphanumeric(14).to_uppercase();
        let entry = |dns_name: String| DnsEntry {
            dns_name: Some(dns_name),
            hosted_zone_id: Some(format!("Z{zone}")),
        };
        let region = call.region_name;
        let mut entries = vec![entry(format!("{id}-{suffix}.{name}.{region}.vpce.amazonaws.com"))];
        if private_dns {
            entries.push(entry(format!("{name}.{region}.amazonaws.com")));
        }
        endpoint.dns_entries = Some(entries.into());
    }
    held(call).vpc_endpoints.insert(id.clone(), endpoint);
    let done = route_tables(call, &id, &tables, &[])
        .and_then(|()| set_groups(call, &id, &groups, &[]))
        .and_then(|()| set_subnets(call, &id, &subnets, &[]));
    if let Err(fault) = done {
        // Nothing is made when a part of the request is wrong.
        take_away(call, &id);
        return Err(fault);
    }
    remember(call, form, &id);
    call.begin(BIRTH, &id);
    let vpc_endpoint = Some(find(seen(call), &id)?.clone());
    let answer = CreateVpcEndpointResult { client_token, vpc_endpoint };
    Ok(wire::serialize_create_vpc_endpoint_response(&answer))
}

fn checked_policy(text: Option<String>) -> Result<String, Fault> {
    let Some(text) = text else { return Ok(OPEN_POLICY.to_owned()) };
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(document)) if document.contains_key("Statement") => Ok(text),
        _ => Err(Fault::new("InvalidPolicyDocument", "The policy document is not valid.")),
    }
}

fn check_private_dns(
    state: &State,
    vpc: &str,
    service: &str,
    own: Option<&str>,
) -> Result<(), Fault> {
    let resolves =
        state.vpc_attributes.get(vpc).is_some_and(|all| all.dns_hostnames && all.dns_support);
    if !resolves {
        let message = format!(
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for {vpc}"
        );
        return Err(Fault::new("InvalidParameter", message));
    }
    let taken = state.vpc_endpoints.values().any(|other| {
        other.vpc_endpoint_id.as_deref() != own
            && other.vpc_id.as_deref() == Some(vpc)
            && other.service_name.as_deref() == Some(service)
            && other.private_dns_enabled == Some(true)
    });
    if taken {
        let message = format!(
            "private-dns-enabled cannot be set because there is already a conflicting DNS domain for {service} in the VPC {vpc}"
        );
        return Err(Fault::new("InvalidParameter", message));
    }
    Ok(())
}

fn change(list: &mut Vec<String>, add: &[String], remove: &[String]) {
    list.retain(|one| !remove.contains(one));
    for one in add {
        if !list.contains(one) {
            list.push(one.clone());
        }
    }
}

fn route_tables(
    call: &mut Call<'_>,
    id: &str,
    add: &[String],
    remove: &[String],
) -> Result<(), Fault> {
    let region = call.region_name.to_owned();
    let state = seen(call);
    let endpoint = find(state, id)?;
    let name = endpoint.service_name.clone().unwrap_or_default();
    let lists = prefix_lists(&region);
    let Some((list, _)) = lists.iter().find(|(_, service)| *service == name) else { return Ok(()) };
    for table in add {
        let found = route_table::find(state, table)?;
        if found.vpc_id != endpoint.vpc_id {
            return Err(Fault::new(
                "InvalidParameter",
                format!("Route table {table} belongs to a different VPC"),
            ));
        }
        let mut routes = found.routes.iter().flat_map(|list| &list.items);
        let taken = routes.any(|route| {
            route.destination_prefix_list_id.as_ref() == Some(list)
                && route.gateway_id.as_deref() != Some(id)
        });
        if taken {
            let message = format!(
                "route table {table} already has a route with destination-prefix-list-id {list}"
            );
            return Err(Fault::new("RouteAlreadyExists", message));
        }
    }
    let state = held(call);
    for (table, found) in &mut state.route_tables {
        let Some(routes) = &mut found.routes else { continue };
        let ours = |route: &Route| route.gateway_id.as_deref() == Some(id);
        if remove.contains(table) {
            routes.items.retain(|route| !ours(route));
        }
        if add.contains(table) && !routes.items.iter().any(ours) {
            routes.items.push(Route {
                destination_prefix_list_id: Some(list.clone()),
                gateway_id: Some(id.into()),
                origin: Some("CreateRoute".into()),
                state: Some("active".into()),
                ..Default::default()
            });
        }
    }
    if let Some(endpoint) = state.vpc_endpoints.get_mut(id) {
        change(&mut endpoint.route_table_ids.get_or_insert_default().items, add, remove);
    }
    Ok(())
}

fn group_ids(endpoint: &VpcEndpoint) -> Vec<String> {
    let groups = endpoint.groups.iter().flat_map(|list| &list.items);
    groups.filter_map(|group| group.group_id.clone()).collect()
}

fn set_groups(
    call: &mut Call<'_>,
    id: &str,
    add: &[String],
    remove: &[String],
) -> Result<(), Fault> {
    let state = seen(call);
    let endpoint = find(state, id)?;
    if endpoint.vpc_endpoint_type.as_deref() != Some("Interface") {
        return Ok(());
    }
    let mut ids = group_ids(endpoint);
    change(&mut ids, add, remove);
    if ids.is_empty() {
        // Without any, the VPC's default group.
        let default = state.security_groups.values().find(|group| {
            group.vpc_id == endpoint.vpc_id && group.group_name.as_deref() == Some("default")
        });
        ids.extend(default.and_then(|group| group.group_id.clone()));
    }
    let mut members = Vec::new();
    for group in &ids {
        let found = security_group::find(state, group)?;
        if found.vpc_id != endpoint.vpc_id {
            let message = "You have specified two resources that belong to different networks.";
            return Err(Fault::new("InvalidGroup.NotFound", message));
        }
        members.push(SecurityGroupIdentifier {
            group_id: found.group_id.clone(),
            group_name: found.group_name.clone(),
        });
    }
    let interfaces =
        endpoint.network_interface_ids.clone().map(|list| list.items).unwrap_or_default();
    let state = held(call);
    for interface in interfaces {
        if let Some(interface) = state.network_interfaces.get_mut(&interface) {
            let all =
                members.iter().map(|group| winterbaume_ec2_generated::model::GroupIdentifier {
                    group_id: group.group_id.clone(),
                    group_name: group.group_name.clone(),
                });
            interface.groups = Some(all.collect::<Vec<_>>().into());
        }
    }
    if let Some(endpoint) = state.vpc_endpoints.get_mut(id) {
        endpoint.groups = Some(members.into());
    }
    Ok(())
}

fn set_subnets(
    call: &mut Call<'_>,
    id: &str,
    add: &[String],
    remove: &[String],
) -> Result<(), Fault> {
    let state = seen(call);
    let endpoint = find(state, id)?.clone();
    if endpoint.vpc_endpoint_type.as_deref() != Some("Interface") {
        return Ok(());
    }
    let before = endpoint.subnet_ids.clone().map(|list| list.items).unwrap_or_default();
    let mut after = before.clone();
    change(&mut after, add, remove);
    let mut zones = BTreeSet::new();
    for place in &after {
        let found = subnet::find(state, place)?;
        if found.vpc_id != endpoint.vpc_id {
            return Err(Fault::new(
                "InvalidParameter",
                format!("Subnet {place} belongs to a different VPC"),
            ));
        }
        if !zones.insert(found.availability_zone.clone()) {
            let message = format!(
                "Found another VPC endpoint subnet in the availability zone of {place}. VPC endpoint subnets should be in different availability zones supported by the VPC endpoint service."
            );
            return Err(Fault::new("DuplicateSubnetsInSameZone", message));
        }
    }
    let mut interfaces =
        endpoint.network_interface_ids.clone().map(|l| l.items).unwrap_or_default();
    let gone: Vec<String> = interfaces
        .iter()
        .filter(|eni| {
            let place = state.network_interfaces.get(*eni).and_then(|eni| eni.subnet_id.clone());
            place.is_some_and(|place| !after.contains(&place))
        })
        .cloned()
        .collect();
    let groups = group_ids(&endpoint);
    interface::remove(call, &gone);
    interfaces.retain(|eni| !gone.contains(eni));
    for place in after.iter().filter(|place| !before.contains(place)) {
        let description = format!("VPC Endpoint Interface {id}");
        let eni = interface::place(call, place, &groups, "vpc_endpoint", &description)?;
        interfaces.extend(eni.network_interface_id);
    }
    if let Some(endpoint) = held(call).vpc_endpoints.get_mut(id) {
        endpoint.subnet_ids = Some(after.into());
        endpoint.network_interface_ids = Some(interfaces.into());
    }
    Ok(())
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_vpc_endpoints_request(form)?;
    let state = seen(call);
    let all: Vec<VpcEndpoint> = match input.vpc_endpoint_ids {
        Some(ids) => {
            ids.items.iter().map(|id| find(state, id).cloned()).collect::<Result<_, _>>()?
        }
        None => state.vpc_endpoints.values().cloned().collect(),
    };
    let all = select(all, input.filters.as_ref())?;
    let (items, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    let vpc_endpoints = Some(VpcEndpointSet { items });
    let answer = DescribeVpcEndpointsResult { next_token, vpc_endpoints };
    Ok(wire::serialize_describe_vpc_endpoints_response(&answer))
}

pub(super) fn modify(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_modify_vpc_endpoint_request(form)?;
    let id = input.vpc_endpoint_id;
    let endpoint = find(seen(call), &id)?.clone();
    if endpoint.state.as_deref() != Some("available") {
        let message = format!("VPC endpoint {id} is not in a state that allows modification.");
        return Err(Fault::new("InvalidState", message));
    }
    let policy = match (input.policy_document, input.reset_policy) {
        (_, Some(true)) => Some(OPEN_POLICY.to_owned()),
        (Some(text), _) => Some(checked_policy(Some(text))?),
        _ => None,
    };
    if input.private_dns_enabled == Some(true) {
        let (vpc, service) =
            (endpoint.vpc_id.unwrap_or_default(), endpoint.service_name.unwrap_or_default());
        check_private_dns(seen(call), &vpc, &service, Some(&id))?;
    }
    macro_rules! items {
        ($list:expr) => {
            $list.map(|list| list.items).unwrap_or_default()
        };
    }
    let (add, remove) = (items!(input.add_route_table_ids), items!(input.remove_route_table_ids));
    route_tables(call, &id, &add, &remove)?;
    let (add, remove) =
        (items!(input.add_security_group_ids), items!(input.remove_security_group_ids));
    set_groups(call, &id, &add, &remove)?;
    let (add, remove) = (items!(input.add_subnet_ids), items!(input.remove_subnet_ids));
    set_subnets(call, &id, &add, &remove)?;
    if let Some(endpoint) = held(call).vpc_endpoints.get_mut(&id) {
        if let Some(policy) = policy {
            endpoint.policy_document = Some(policy);
        }
        if let Some(on) = input.private_dns_enabled {
            endpoint.private_dns_enabled = Some(on);
        }
    }
    let answer = ModifyVpcEndpointResult { r#return: Some(true) };
    Ok(wire::serialize_modify_vpc_endpoint_response(&answer))
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_delete_vpc_endpoints_request(form)?;
    let mut unsuccessful = Vec::new();
    for id in input.vpc_endpoint_ids.items {
        match find(seen(call), &id) {
            Ok(endpoint) => {
                // A gateway endpoint is no more than a route.
                let has_interfaces = endpoint.vpc_endpoint_type.as_deref() != Some("Gateway");
                if let Some(endpoint) = held(call).vpc_endpoints.get_mut(&id) {
                    endpoint.state = Some("deleting".into());
                }
                if has_interfaces {
                    call.begin(DEATH, &id);
                }
            }
            Err(fault) => unsuccessful.push(UnsuccessfulItem {
                error: Some(UnsuccessfulItemError {
                    code: Some(fault.code),
                    message: Some(fault.message),
                }),
                resource_id: Some(id),
            }),
        }
    }
    progress(call);
    let answer = DeleteVpcEndpointsResult { unsuccessful: Some(unsuccessful.into()) };
    Ok(wire::serialize_delete_vpc_endpoints_response(&answer))
}

/// Moves on the endpoints whose time has come.
pub(super) fn progress(call: &mut Call<'_>) {
    let moving: Vec<(String, bool)> = seen(call)
        .vpc_endpoints
        .iter()
        .filter_map(|(id, endpoint)| match endpoint.state.as_deref() {
            Some("pending") => Some((id.clone(), true)),
            Some("deleting") => Some((id.clone(), false)),
            _ => None,
        })
        .collect();
    for (id, coming) in moving {
        if !call.is_ready(if coming { BIRTH } else { DEATH }, &id) {
            continue;
        }
        if !coming {
            take_away(call, &id);
        } else if let Some(endpoint) = held(call).vpc_endpoints.get_mut(&id) {
            endpoint.state = Some("available".into());
        }
    }
}

fn take_away(call: &mut Call<'_>, id: &str) {
    let state = held(call);
    let Some(gone) = state.vpc_endpoints.remove(id) else { return };
    for table in state.route_tables.values_mut() {
        if let Some(routes) = &mut table.routes {
            routes.items.retain(|route| route.gateway_id.as_deref() != Some(id));
        }
    }
    let interfaces = gone.network_interface_ids.map(|list| list.items).unwrap_or_default();
    interface::remove(call, &interfaces);
}

pub(super) fn describe_managed_prefix_lists(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_managed_prefix_lists_request(form)?;
    let wanted = input.prefix_list_ids.map(|list| list.items);
    let region = call.region_name;
    let list = |(id, name): (String, String)| ManagedPrefixList {
        address_family: Some("IPv4".into()),
        owner_id: Some("AWS".into()),
        prefix_list_arn: Some(format!("arn:aws:ec2:{region}:aws:prefix-list/{id}")),
        prefix_list_id: Some(id),
        prefix_list_name: Some(name),
        state: Some("create-complete".into()),
        ..Default::default()
    };
    let all = prefix_lists(region).into_iter().map(list).filter(|one| {
        wanted
            .as_ref()
            .is_none_or(|ids| one.prefix_list_id.as_ref().is_some_and(|id| ids.contains(id)))
    });
    let all = select(all, input.filters.as_ref())?;
    let (items, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    let prefix_lists = Some(ManagedPrefixListSet { items });
    let answer = DescribeManagedPrefixListsResult { next_token, prefix_lists };
    Ok(wire::serialize_describe_managed_prefix_lists_response(&answer))
}

pub(super) fn describe_prefix_lists(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_prefix_lists_request(form)?;
    let wanted = input.prefix_list_ids.map(|list| list.items);
    let list = |(id, name): (String, String)| PrefixList {
        cidrs: Some(vec!["198.18.0.0/15".to_owned()].into()),
        prefix_list_id: Some(id),
        prefix_list_name: Some(name),
    };
    let all = prefix_lists(call.region_name).into_iter().map(list).filter(|one| {
        wanted
            .as_ref()
            .is_none_or(|ids| one.prefix_list_id.as_ref().is_some_and(|id| ids.contains(id)))
    });
    let all = select(all, input.filters.as_ref())?;
    let (items, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    let prefix_lists = Some(PrefixListSet { items });
    let answer = DescribePrefixListsResult { next_token, prefix_lists };
    Ok(wire::serialize_describe_prefix_lists_response(&answer))
}

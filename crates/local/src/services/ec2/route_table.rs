//! Route tables: routes, and the subnets that they serve.

use winterbaume_ec2_generated::model::{
    AssociateRouteTableResult, CreateRouteResult, CreateRouteTableResult,
    DescribeRouteTablesResult, ReplaceRouteTableAssociationResult, Route, RouteTable,
    RouteTableAssociation, RouteTableAssociationState, RouteTableList, TagList,
};
use winterbaume_ec2_generated::wire;

use super::filter::{Filtered, one, page, select};
use super::{
    Answer, Form, State, held, in_use, internet_gateway, invalid, made_before, missing, not_found,
    remember, seen, subnet, tag, vpc,
};
use crate::call::Call;
use crate::fault::Fault;

impl Filtered for RouteTable {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        let of_associations = |read: fn(&RouteTableAssociation) -> Option<String>| {
            let all = self.associations.iter().flat_map(|list| &list.items);
            Some(all.filter_map(read).collect())
        };
        let of_routes = |read: fn(&Route) -> Option<String>| {
            Some(self.routes.iter().flat_map(|list| &list.items).filter_map(read).collect())
        };
        match filter {
            "route-table-id" => one(&self.route_table_id),
            "vpc-id" => one(&self.vpc_id),
            "owner-id" => one(&self.owner_id),
            "association.main" => {
                let main = self.associations.iter().flat_map(|list| &list.items);
                Some(main.map(|one| one.main.unwrap_or_default().to_string()).collect())
            }
            "association.subnet-id" => of_associations(|one| one.subnet_id.clone()),
            "association.route-table-id" => of_associations(|one| one.route_table_id.clone()),
            "association.route-table-association-id" => {
                of_associations(|one| one.route_table_association_id.clone())
            }
            "route.destination-cidr-block" => of_routes(|one| one.destination_cidr_block.clone()),
            "route.destination-prefix-list-id" => {
                of_routes(|one| one.destination_prefix_list_id.clone())
            }
            "route.gateway-id" => of_routes(|one| one.gateway_id.clone()),
            "route.nat-gateway-id" => of_routes(|one| one.nat_gateway_id.clone()),
            "route.state" => of_routes(|one| one.state.clone()),
            "route.origin" => of_routes(|one| one.origin.clone()),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        self.tags.as_ref()
    }
}

pub(super) fn find<'a>(state: &'a State, id: &str) -> Result<&'a RouteTable, Fault> {
    let missing = || not_found("InvalidRouteTableID.NotFound", "routeTable ID", id);
    state.route_tables.get(id).ok_or_else(missing)
}

pub(super) fn is_main(table: &RouteTable) -> bool {
    let mut associations = table.associations.iter().flat_map(|list| &list.items);
    associations.any(|one| one.main == Some(true))
}

fn new_table(call: &Call<'_>, vpc: &str, cidr_block: &str) -> RouteTable {
    let local = Route {
        destination_cidr_block: Some(cidr_block.into()),
        gateway_id: Some("local".into()),
        origin: Some("CreateRouteTable".into()),
        state: Some("active".into()),
        ..Default::default()
    };
    RouteTable {
        associations: Some(Vec::new().into()),
        owner_id: Some(call.account_id()),
        propagating_vgws: Some(Vec::new().into()),
        route_table_id: Some(call.new_id("rtb")),
        routes: Some(vec![local].into()),
        tags: None,
        vpc_id: Some(vpc.into()),
    }
}

fn associated() -> Option<RouteTableAssociationState> {
    Some(RouteTableAssociationState { state: Some("associated".into()), status_message: None })
}

/// The table that a VPC comes with.
pub(super) fn create_main(call: &mut Call<'_>, vpc: &str, cidr_block: &str) {
    let mut table = new_table(call, vpc, cidr_block);
    let id = table.route_table_id.clone().unwrap_or_default();
    let main = RouteTableAssociation {
        association_state: associated(),
        main: Some(true),
        route_table_association_id: Some(call.new_id("rtbassoc")),
        route_table_id: Some(id.clone()),
        ..Default::default()
    };
    table.associations = Some(vec![main].into());
    held(call).route_tables.insert(id, table);
}

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_route_table_request(form)?;
    let client_token = input.client_token.clone();
    if let Some(id) = made_before(call, form)? {
        let route_table = Some(find(seen(call), &id)?.clone());
        let answer = CreateRouteTableResult { client_token, route_table };
        return Ok(wire::serialize_create_route_table_response(&answer));
    }
    let tags = tag::specified(input.tag_specifications, "route-table")?;
    let whole = vpc::find(seen(call), &input.vpc_id)?.cidr_block.clone().unwrap_or_default();
    let table = RouteTable { tags, ..new_table(call, &input.vpc_id, &whole) };
    let id = table.route_table_id.clone().unwrap_or_default();
    held(call).route_tables.insert(id.clone(), table.clone());
    remember(call, form, &id);
    let answer = CreateRouteTableResult { client_token, route_table: Some(table) };
    Ok(wire::serialize_create_route_table_response(&answer))
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_route_tables_request(form)?;
    let state = seen(call);
    let all: Vec<RouteTable> = match input.route_table_ids {
        Some(ids) => {
            ids.items.iter().map(|id| find(state, id).cloned()).collect::<Result<_, _>>()?
        }
        None => state.route_tables.values().cloned().collect(),
    };
    let all = all.into_iter().map(|table| with_route_states(state, table));
    let all = select(all, input.filters.as_ref())?;
    let (items, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    let route_tables = Some(RouteTableList { items });
    let answer = DescribeRouteTablesResult { next_token, route_tables };
    Ok(wire::serialize_describe_route_tables_response(&answer))
}

/// A route whose target is gone is a black hole.
fn with_route_states(state: &State, mut table: RouteTable) -> RouteTable {
    let vpc = table.vpc_id.clone().unwrap_or_default();
    for route in table.routes.iter_mut().flat_map(|list| &mut list.items) {
        let lost = match (route.gateway_id.as_deref(), route.nat_gateway_id.as_deref()) {
            (Some(gateway), _) if gateway.starts_with("igw-") => {
                !internet_gateway::is_attached(state, gateway, &vpc).unwrap_or(false)
            }
            (_, Some(nat)) => state.nat_gateways.get(nat).is_none_or(|nat| {
                matches!(nat.state.as_deref(), Some("deleting" | "deleted" | "failed"))
            }),
            _ => false,
        };
        route.state = Some(if lost { "blackhole" } else { "active" }.into());
    }
    table
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let id = wire::deserialize_delete_route_table_request(form)?.route_table_id;
    let state = seen(call);
    let table = find(state, &id)?;
    let has_associations = table.associations.as_ref().is_some_and(|list| !list.items.is_empty());
    if has_associations {
        return Err(in_use("routeTable", &id));
    }
    let state = held(call);
    state.route_tables.remove(&id);
    for endpoint in state.vpc_endpoints.values_mut() {
        if let Some(tables) = &mut endpoint.route_table_ids {
            tables.items.retain(|table| *table != id);
        }
    }
    Ok(wire::serialize_delete_route_table_response())
}

/// Where a route leads, checked.
fn route(
    state: &State,
    table: &RouteTable,
    destination: &Option<String>,
    gateway_id: Option<String>,
    nat_gateway_id: Option<String>,
    others: &[&Option<String>],
) -> Result<Route, Fault> {
    let text = destination.as_deref().ok_or_else(|| missing("destinationCidrBlock"))?;
    let range: ipnet::Ipv4Net = text
        .parse()
        .map_err(|_| invalid(format!("Value ({text}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.")))?;
    let targets = usize::from(gateway_id.is_some())
        + usize::from(nat_gateway_id.is_some())
        + others.iter().filter(|other| other.is_some()).count();
    match targets {
        1 => {}
        0 => return Err(missing("gatewayId or instanceId or networkInterfaceId or natGatewayId")),
        _ => {
            let message = "The request must contain exactly one target.";
            return Err(Fault::new("InvalidParameterCombination", message));
        }
    }
    let vpc = table.vpc_id.as_deref().unwrap_or_default();
    if let Some(gateway) = &gateway_id
        && gateway.starts_with("igw-")
        && !internet_gateway::is_attached(state, gateway, vpc)?
    {
        let message = format!(
            "route table {} and network gateway {gateway} belong to different networks",
            table.route_table_id.as_deref().unwrap_or_default()
        );
        return Err(invalid(message));
    }
    if let Some(nat) = &nat_gateway_id {
        let found = state.nat_gateways.get(nat).ok_or_else(|| {
            let message = format!("The natGateway ID '{nat}' does not exist");
            Fault::new("InvalidNatGatewayID.NotFound", message)
        })?;
        if matches!(found.state.as_deref(), Some("failed" | "deleting" | "deleted")) {
            let message = format!("The natGateway ID '{nat}' does not exist");
            return Err(Fault::new("InvalidNatGatewayID.NotFound", message));
        }
        if found.vpc_id.as_deref() != Some(vpc) {
            return Err(invalid(format!(
                "route table and NAT gateway {nat} belong to different networks"
            )));
        }
    }
    if !others.iter().all(|other| other.is_none()) {
        let message = "the embedded control plane routes to internet and NAT gateways only";
        return Err(Fault::new("Unsupported", message));
    }
    Ok(Route {
        destination_cidr_block: Some(range.trunc().to_string()),
        gateway_id,
        nat_gateway_id,
        origin: Some("CreateRoute".into()),
        state: Some("active".into()),
        ..Default::default()
    })
}

fn no_route(table: &str, destination: &str) -> Fault {
    let message =
        format!("no route with destination-cidr-block {destination} in route table {table}");
    Fault::new("InvalidRoute.NotFound", message)
}

pub(super) fn create_route(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_route_request(form)?;
    let state = seen(call);
    let table = find(state, &input.route_table_id)?;
    let others = [
        &input.instance_id,
        &input.network_interface_id,
        &input.transit_gateway_id,
        &input.vpc_peering_connection_id,
        &input.vpc_endpoint_id,
        &input.egress_only_internet_gateway_id,
    ];
    let fresh = route(
        state,
        table,
        &input.destination_cidr_block,
        input.gateway_id.clone(),
        input.nat_gateway_id.clone(),
        &others,
    )?;
    let routes = table.routes.iter().flat_map(|list| &list.items);
    if let Some(same) =
        routes.into_iter().find(|old| old.destination_cidr_block == fresh.destination_cidr_block)
    {
        if same.gateway_id == fresh.gateway_id && same.nat_gateway_id == fresh.nat_gateway_id {
            // The same route again is no error.
            let answer = CreateRouteResult { r#return: Some(true) };
            return Ok(wire::serialize_create_route_response(&answer));
        }
        let destination = fresh.destination_cidr_block.unwrap_or_default();
        let message = format!("The route identified by {destination} already exists.");
        return Err(Fault::new("RouteAlreadyExists", message));
    }
    if let Some(table) = held(call).route_tables.get_mut(&input.route_table_id) {
        table.routes.get_or_insert_default().items.push(fresh);
    }
    Ok(wire::serialize_create_route_response(&CreateRouteResult { r#return: Some(true) }))
}

pub(super) fn replace_route(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_replace_route_request(form)?;
    let state = seen(call);
    let table = find(state, &input.route_table_id)?;
    let others = [
        &input.instance_id,
        &input.network_interface_id,
        &input.transit_gateway_id,
        &input.vpc_peering_connection_id,
        &input.vpc_endpoint_id,
        &input.egress_only_internet_gateway_id,
    ];
    let fresh = route(
        state,
        table,
        &input.destination_cidr_block,
        input.gateway_id.clone(),
        input.nat_gateway_id.clone(),
        &others,
    )?;
    let destination = fresh.destination_cidr_block.clone().unwrap_or_default();
    let old = held(call)
        .route_tables
        .get_mut(&input.route_table_id)
        .and_then(|table| table.routes.as_mut())
        .and_then(|routes| {
            let same =
                |old: &&mut Route| old.destination_cidr_block == fresh.destination_cidr_block;
            routes.items.iter_mut().find(same)
        })
        .ok_or_else(|| no_route(&input.route_table_id, &destination))?;
    *old = fresh;
    Ok(wire::serialize_replace_route_response())
}

pub(super) fn delete_route(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_delete_route_request(form)?;
    let id = input.route_table_id;
    let destination =
        input.destination_cidr_block.ok_or_else(|| missing("destinationCidrBlock"))?;
    let table = find(seen(call), &id)?;
    let mut routes = table.routes.iter().flat_map(|list| &list.items);
    let found = routes.find(|route| route.destination_cidr_block.as_ref() == Some(&destination));
    match found.map(|route| route.gateway_id.as_deref()) {
        None => return Err(no_route(&id, &destination)),
        Some(Some("local")) => {
            return Err(invalid(format!(
                "cannot remove local route {destination} in route table {id}"
            )));
        }
        Some(_) => {}
    }
    if let Some(routes) =
        held(call).route_tables.get_mut(&id).and_then(|table| table.routes.as_mut())
    {
        routes.items.retain(|route| route.destination_cidr_block.as_ref() != Some(&destination));
    }
    Ok(wire::serialize_delete_route_response())
}

fn associations(state: &State) -> impl Iterator<Item = &RouteTableAssociation> {
    state
        .route_tables
        .values()
        .filter_map(|table| table.associations.as_ref())
        .flat_map(|list| &list.items)
}

fn attach(call: &mut Call<'_>, table: &str, subnet: Option<String>, main: bool) -> String {
    let id = call.new_id("rtbassoc");
    let association = RouteTableAssociation {
        association_state: associated(),
        main: Some(main),
        route_table_association_id: Some(id.clone()),
        route_table_id: Some(table.into()),
        subnet_id: subnet,
        ..Default::default()
    };
    if let Some(table) = held(call).route_tables.get_mut(table) {
        table.associations.get_or_insert_default().items.push(association);
    }
    id
}

pub(super) fn associate(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_associate_route_table_request(form)?;
    let target = input.subnet_id.ok_or_else(|| missing("subnetId"))?;
    let state = seen(call);
    let table = find(state, &input.route_table_id)?;
    let home = subnet::find(state, &target)?;
    if home.vpc_id != table.vpc_id {
        let id = &input.route_table_id;
        return Err(invalid(format!(
            "Route table {id} and subnet {target} belong to different networks"
        )));
    }
    let existing = associations(state).find(|one| one.subnet_id.as_ref() == Some(&target)).cloned();
    let association_id = match existing {
        Some(same) if same.route_table_id.as_ref() == Some(&input.route_table_id) => {
            same.route_table_association_id.unwrap_or_default()
        }
        Some(other) => {
            let id = other.route_table_id.unwrap_or_default();
            let message = format!(
                "the specified association for route table {id} conflicts with an existing association"
            );
            return Err(Fault::new("Resource.AlreadyAssociated", message));
        }
        None => attach(call, &input.route_table_id, Some(target), false),
    };
    let answer = AssociateRouteTableResult {
        association_id: Some(association_id),
        association_state: associated(),
    };
    Ok(wire::serialize_associate_route_table_response(&answer))
}

fn find_association(state: &State, id: &str) -> Result<RouteTableAssociation, Fault> {
    associations(state)
        .find(|one| one.route_table_association_id.as_deref() == Some(id))
        .cloned()
        .ok_or_else(|| not_found("InvalidAssociationID.NotFound", "association ID", id))
}

fn detach(call: &mut Call<'_>, id: &str) {
    for table in held(call).route_tables.values_mut() {
        if let Some(list) = &mut table.associations {
            list.items.retain(|one| one.route_table_association_id.as_deref() != Some(id));
        }
    }
}

pub(super) fn disassociate(call: &mut Call<'_>, form: &Form) -> Answer {
    let id = wire::deserialize_disassociate_route_table_request(form)?.association_id;
    let found = find_association(seen(call), &id)?;
    if found.main == Some(true) {
        let table = found.route_table_id.unwrap_or_default();
        return Err(invalid(format!(
            "cannot disassociate the main route table association {table}/{id}"
        )));
    }
    detach(call, &id);
    Ok(wire::serialize_disassociate_route_table_response())
}

pub(super) fn replace_association(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_replace_route_table_association_request(form)?;
    let state = seen(call);
    find(state, &input.route_table_id)?;
    let found = find_association(state, &input.association_id)?;
    detach(call, &input.association_id);
    let main = found.main == Some(true);
    let fresh = attach(call, &input.route_table_id, found.subnet_id, main);
    let answer = ReplaceRouteTableAssociationResult {
        association_state: associated(),
        new_association_id: Some(fresh),
    };
    Ok(wire::serialize_replace_route_table_association_response(&answer))
}

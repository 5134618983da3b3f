//! `ec2.route_table`: where the subnets' traffic goes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{
    Filter, ResourceType, Route, RouteOrigin, RouteTable as Described, RouteTableAssociation,
};
use engine::vocabulary::{Arn, Id, InternetGatewayId, NatGatewayId, RouteTableId, VpcId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Ref, Resource, Result,
    Scope, Tags, Traits, When, client,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tags::{from_ec2, retag, specification};

/// A route table, with its routes and the subnets that it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// The VPC.
    pub vpc_id: Ref<VpcId>,
    /// Where each destination (an address range in CIDR notation) leads. The route within the VPC,
    /// those of gateway endpoints and those that a VPN propagates are AWS's own and not listed.
    pub routes: BTreeMap<String, RouteTarget>,
    /// The subnets that use it. A subnet uses one table: the VPC's main one if none names it.
    pub subnet_ids: BTreeSet<Ref<Id>>,
    /// Whether subnets without a table of their own use it. Each VPC has one such table from the
    /// start; it is looked at and never compared.
    pub main: bool,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTarget {
    /// To the internet.
    InternetGateway(Ref<InternetGatewayId>),
    /// To the internet, and back only in answer.
    NatGateway(Ref<NatGatewayId>),
    /// Something that this kind does not set, by its id: a transit gateway, a peering connection.
    Other(String),
}

impl Resource for RouteTable {
    const TRAITS: Traits = Traits {
        immutable: &["vpc_id"],
        late: &["routes", "subnet_ids"],
        not_yet: &[
            ("InvalidVpcID.NotFound", ""),
            ("InvalidRouteTableID.NotFound", ""),
            ("InvalidSubnetID.NotFound", ""),
            ("InvalidGatewayID.NotFound", ""),
            ("InvalidInternetGatewayID.NotFound", ""),
            ("InvalidNatGatewayID.NotFound", ""),
        ],
        attached_by: &[("vpc_id", "ec2.vpc")],
        permissions: Permissions {
            read: &[Allow::to(&["ec2:DescribeRouteTables"])],
            make: &[
                Allow::to(&["ec2:CreateRouteTable"]).on(&["ec2:{here}:route-table/*"]).for_stack(),
                Allow::to(&["ec2:CreateTags"])
                    .on(&["ec2:{here}:*/*"])
                    .for_stack()
                    .under(&[When::equals("ec2:CreateAction", &["CreateRouteTable"])]),
                Allow::to(&["ec2:CreateRouteTable"]).on(&["ec2:{here}:vpc/*"]).of_stack(),
                Allow::to(&[
                    "ec2:CreateRoute",
                    "ec2:ReplaceRoute",
                    "ec2:DeleteRoute",
                    "ec2:AssociateRouteTable",
                    "ec2:ReplaceRouteTableAssociation",
                    "ec2:DisassociateRouteTable",
                ])
                .on(&["ec2:{here}:*/*"])
                .of_stack(),
                Allow::to(&["ec2:CreateTags", "ec2:DeleteTags"]).on(&["ec2:{here}:*/*"]).of_stack(),
            ],
            remove: &[Allow::to(&[
                "ec2:DisassociateRouteTable",
                "ec2:DeleteRoute",
                "ec2:DeleteRouteTable",
            ])
            .on(&["ec2:{here}:*/*"])
            .of_stack()],
        },
        ..Traits::of("ec2.route_table")
    };
    type Id = RouteTableId;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "ec2:CreateRouteTable";
        let call = client!(aws, aws_sdk_ec2)
            .create_route_table()
            .vpc_id(self.vpc_id.as_str())
            .client_token(&new.token)
            .tag_specifications(specification(ResourceType::RouteTable, &new.tags));
        let made = aws.call(action, call.send()).await?;
        let id = made.route_table.and_then(|table| table.route_table_id);
        let id = id.ok_or_else(|| Error::incomplete(action, "the table's id"))?;
        let spec = Self {
            vpc_id: self.vpc_id.clone(),
            routes: BTreeMap::new(),
            subnet_ids: BTreeSet::new(),
            main: false,
        };
        Ok(live(aws, id, spec).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        // Routes first: a subnet that moves here finds its way at once.
        if changes.has("routes") {
            set_routes(aws, &live.id, &live.spec.routes, &self.routes).await?;
        }
        if changes.has("subnet_ids") {
            associate(aws, &live.id, &live.spec.subnet_ids, &self.subnet_ids).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn detach(aws: &Aws, live: &Live<Self>) -> Result<()> {
        associate(aws, &live.id, &live.spec.subnet_ids, &BTreeSet::new()).await?;
        set_routes(aws, &live.id, &live.spec.routes, &BTreeMap::new()).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_ec2).delete_route_table().route_table_id(&live.id);
        aws.call("ec2:DeleteRouteTable", call.send()).await?;
        Ok(())
    }

    fn settled(field: &str, _: &Value, _: &Value) -> bool {
        // A VPC always has a main table; which one it is is not for a table to say.
        field == "main"
    }
}

fn live(aws: &Aws, id: String, spec: RouteTable) -> Live<RouteTable> {
    let arn = aws.arn("ec2", &format!("route-table/{id}"));
    Live::new(id, spec).with_arn(arn)
}

async fn list(aws: &Aws) -> Result<Vec<Live<RouteTable>>> {
    let action = "ec2:DescribeRouteTables";
    let call = client!(aws, aws_sdk_ec2).describe_route_tables().into_paginator().items();
    let tables = aws.call(action, call.send().try_collect()).await?;
    tables.into_iter().map(|table| read(aws, table)).collect()
}

fn read(aws: &Aws, table: Described) -> Result<Live<RouteTable>> {
    let missing = |part| Error::incomplete("ec2:DescribeRouteTables", part);
    let id = table.route_table_id.clone().ok_or_else(|| missing("a table's id"))?;
    let spec = RouteTable {
        vpc_id: table.vpc_id.clone().ok_or_else(|| missing("a table's VPC"))?.into(),
        routes: table.routes().iter().filter(|route| is_ours(route)).filter_map(target).collect(),
        subnet_ids: table
            .associations()
            .iter()
            .filter(|one| is_in_force(one))
            .filter_map(|one| one.subnet_id.clone())
            .map(Ref::from)
            .collect(),
        main: table.associations().iter().any(|one| one.main == Some(true)),
    };
    Ok(live(aws, id, spec).with_tags(from_ec2(table.tags)))
}

fn is_in_force(association: &RouteTableAssociation) -> bool {
    let state = association.association_state.as_ref().and_then(|state| state.state.as_ref());
    !matches!(
        state.map(|state| state.as_str()),
        Some("disassociating" | "disassociated" | "failed")
    )
}

/// Whether a route is one that somebody set, and not one that AWS keeps.
fn is_ours(route: &Route) -> bool {
    let gateway = route.gateway_id().unwrap_or_default();
    let of_endpoint = route.destination_prefix_list_id.is_some() && gateway.starts_with("vpce-");
    gateway != "local"
        && !of_endpoint
        && route.origin != Some(RouteOrigin::EnableVgwRoutePropagation)
}

fn target(route: &Route) -> Option<(String, RouteTarget)> {
    let destination = route
        .destination_cidr_block()
        .or(route.destination_ipv6_cidr_block())
        .or(route.destination_prefix_list_id())?;
    let others = [
        route.gateway_id(),
        route.egress_only_internet_gateway_id(),
        route.transit_gateway_id(),
        route.vpc_peering_connection_id(),
        route.instance_id(),
        route.network_interface_id(),
        route.local_gateway_id(),
        route.carrier_gateway_id(),
        route.core_network_arn(),
    ];
    let target = match (route.gateway_id(), route.nat_gateway_id()) {
        (Some(gateway), _) if gateway.starts_with("igw-") => {
            RouteTarget::InternetGateway(gateway.into())
        }
        (_, Some(nat)) => RouteTarget::NatGateway(nat.into()),
        _ => RouteTarget::Other(others.into_iter().flatten().next().unwrap_or("nothing").into()),
    };
    Some((destination.to_owned(), target))
}

async fn set_routes(
    aws: &Aws,
    table: &str,
    have: &BTreeMap<String, RouteTarget>,
    want: &BTreeMap<String, RouteTarget>,
) -> Result<()> {
    let ec2 = client!(aws, aws_sdk_ec2);
    for destination in have.keys().filter(|destination| !want.contains_key(*destination)) {
        let call = ec2.delete_route().route_table_id(table);
        let call = match destination {
            list if list.starts_with("pl-") => call.destination_prefix_list_id(list),
            six if six.contains(':') => call.destination_ipv6_cidr_block(six),
            four => call.destination_cidr_block(four),
        };
        match aws.call("ec2:DeleteRoute", call.send()).await {
            Err(Error::Api(error)) if error.is_not_found() => {}
            answer => {
                answer?;
            }
        }
    }
    for (destination, target) in want.iter().filter(|(key, target)| have.get(*key) != Some(target))
    {
        let (gateway, nat) = match target {
            RouteTarget::InternetGateway(id) => (Some(id.to_string()), None),
            RouteTarget::NatGateway(id) => (None, Some(id.to_string())),
            RouteTarget::Other(id) => {
                return Err(Error::invalid(
                    format!("the route to {destination} of {table}"),
                    format!(
                        "a route to {id} cannot be set, only one to an internet or NAT gateway"
                    ),
                ));
            }
        };
        if have.contains_key(destination) {
            let call = ec2
                .replace_route()
                .route_table_id(table)
                .destination_cidr_block(destination)
                .set_gateway_id(gateway)
                .set_nat_gateway_id(nat);
            aws.call("ec2:ReplaceRoute", call.send()).await?;
        } else {
            let call = ec2
                .create_route()
                .route_table_id(table)
                .destination_cidr_block(destination)
                .set_gateway_id(gateway)
                .set_nat_gateway_id(nat);
            aws.call("ec2:CreateRoute", call.send()).await?;
        }
    }
    Ok(())
}

/// Makes the table serve the subnets in `want`, and those in `have` no more.
async fn associate(
    aws: &Aws,
    table: &str,
    have: &BTreeSet<Ref<Id>>,
    want: &BTreeSet<Ref<Id>>,
) -> Result<()> {
    let changing: Vec<String> = have.symmetric_difference(want).map(ToString::to_string).collect();
    if changing.is_empty() {
        return Ok(());
    }
    let ec2 = client!(aws, aws_sdk_ec2);
    // What is so now: another table may have taken a subnet over in the meantime.
    let of_subnets =
        Filter::builder().name("association.subnet-id").set_values(Some(changing)).build();
    let call = ec2.describe_route_tables().filters(of_subnets).into_paginator().items();
    let tables: Vec<Described> =
        aws.call("ec2:DescribeRouteTables", call.send().try_collect()).await?;
    let mut current: BTreeMap<String, RouteTableAssociation> = BTreeMap::new();
    for association in tables.into_iter().flat_map(|table| table.associations.unwrap_or_default()) {
        if let Some(subnet) = association.subnet_id.clone().filter(|_| is_in_force(&association)) {
            current.insert(subnet, association);
        }
    }
    for subnet in have.difference(want) {
        let Some(association) = current.get(subnet.as_str()) else { continue };
        if association.route_table_id() == Some(table) {
            let call = ec2
                .disassociate_route_table()
                .set_association_id(association.route_table_association_id.clone());
            aws.call("ec2:DisassociateRouteTable", call.send()).await?;
        }
    }
    for subnet in want.difference(have) {
        match current.get(subnet.as_str()) {
            Some(association) if association.route_table_id() == Some(table) => {}
            // One call, so that the subnet is never without its routes.
            Some(association) => {
                let call = ec2
                    .replace_route_table_association()
                    .set_association_id(association.route_table_association_id.clone())
                    .route_table_id(table);
                aws.call("ec2:ReplaceRouteTableAssociation", call.send()).await?;
            }
            None => {
                let call =
                    ec2.associate_route_table().route_table_id(table).subnet_id(subnet.as_str());
                aws.call("ec2:AssociateRouteTable", call.send()).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_keeps_itself_is_not_a_route_of_ours() {
        let local = Route::builder().destination_cidr_block("10.0.0.0/16").gateway_id("local");
        let endpoint = Route::builder().destination_prefix_list_id("pl-1").gateway_id("vpce-1");
        let default = Route::builder().destination_cidr_block("0.0.0.0/0").nat_gateway_id("nat-1");
        assert!(!is_ours(&local.build()));
        assert!(!is_ours(&endpoint.build()));
        assert!(is_ours(&default.build()));
    }

    #[test]
    fn targets_that_we_never_set_are_still_seen() {
        let peering = Route::builder()
            .destination_cidr_block("192.168.0.0/16")
            .vpc_peering_connection_id("pcx-1")
            .build();
        let expected = ("192.168.0.0/16".to_owned(), RouteTarget::Other("pcx-1".into()));
        assert_eq!(target(&peering), Some(expected));
        let gateway =
            Route::builder().destination_ipv6_cidr_block("::/0").gateway_id("igw-1").build();
        let expected = ("::/0".to_owned(), RouteTarget::InternetGateway("igw-1".into()));
        assert_eq!(target(&gateway), Some(expected));
    }
}

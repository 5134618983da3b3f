//! Networks, as EC2 describes them.

use aws_sdk_ec2::operation::describe_flow_logs::DescribeFlowLogsOutput;
use aws_sdk_ec2::operation::describe_managed_prefix_lists::DescribeManagedPrefixListsOutput;
use aws_sdk_ec2::operation::describe_network_interfaces::DescribeNetworkInterfacesOutput;
use aws_sdk_ec2::operation::describe_route_tables::DescribeRouteTablesOutput;
use aws_sdk_ec2::operation::describe_security_groups::DescribeSecurityGroupsOutput;
use aws_sdk_ec2::operation::describe_subnets::DescribeSubnetsOutput;
use aws_sdk_ec2::operation::describe_vpcs::DescribeVpcsOutput;
use aws_sdk_ec2::operation::get_managed_prefix_list_entries::GetManagedPrefixListEntriesOutput;
use aws_sdk_ec2::types::builders::{IpPermissionBuilder, NetworkInterfaceBuilder};
use aws_sdk_ec2::types::{
    FlowLog, GroupIdentifier, IpPermission, IpRange, Ipv6Range, ManagedPrefixList,
    NetworkInterface, PrefixListEntry, PrefixListId, Route, RouteTable, RouteTableAssociation,
    SecurityGroup, Subnet, UserIdGroupPair, Vpc,
};
use aws_sdk_rds::operation::describe_db_clusters::DescribeDbClustersOutput;
use aws_sdk_rds::operation::describe_db_subnet_groups::DescribeDbSubnetGroupsOutput;
use aws_smithy_mocks::{Rule, mock};

/// `vpc-1`.
pub(crate) fn vpc() -> Rule {
    mock!(aws_sdk_ec2::Client::describe_vpcs).then_output(|| {
        let vpc = Vpc::builder().vpc_id("vpc-1").cidr_block("10.0.0.0/16").build();
        DescribeVpcsOutput::builder().vpcs(vpc).build()
    })
}

/// Subnets of `vpc-1`: ids and zones.
pub(crate) fn subnets(places: &[(&str, &str)]) -> Rule {
    let subnet = |(id, zone): &(&str, &str)| {
        let subnet = Subnet::builder().subnet_id(*id).vpc_id("vpc-1").availability_zone(*zone);
        subnet.cidr_block("10.0.1.0/24").map_public_ip_on_launch(false).build()
    };
    let all: Vec<Subnet> = places.iter().map(subnet).collect();
    mock!(aws_sdk_ec2::Client::describe_subnets).then_output(move || {
        DescribeSubnetsOutput::builder().set_subnets(Some(all.clone())).build()
    })
}

/// A route to an internet gateway, a NAT gateway, or one for egress only, by the beginning of its id.
pub(crate) fn route(destination: &str, target: &str) -> Route {
    let route = match destination.contains(':') {
        true => Route::builder().destination_ipv6_cidr_block(destination),
        false => Route::builder().destination_cidr_block(destination),
    };
    match target.split_once('-').map(|(kind, _)| kind) {
        Some("nat") => route.nat_gateway_id(target),
        Some("eigw") => route.egress_only_internet_gateway_id(target),
        _ => route.gateway_id(target),
    }
    .build()
}

/// A route table of `vpc-1`.
pub(crate) fn table(id: &str, main: bool, subnets: &[&str], routes: &[Route]) -> RouteTable {
    let of_subnets =
        subnets.iter().map(|subnet| RouteTableAssociation::builder().subnet_id(*subnet).build());
    let of_vpc = main.then(|| RouteTableAssociation::builder().main(true).build());
    RouteTable::builder()
        .route_table_id(id)
        .vpc_id("vpc-1")
        .set_associations(Some(of_subnets.chain(of_vpc).collect()))
        .set_routes(Some(routes.to_vec()))
        .build()
}

/// These route tables.
pub(crate) fn tables(all: Vec<RouteTable>) -> Rule {
    mock!(aws_sdk_ec2::Client::describe_route_tables).then_output(move || {
        DescribeRouteTablesOutput::builder().set_route_tables(Some(all.clone())).build()
    })
}

/// A security group of `vpc-1`.
pub(crate) fn group(
    id: &str,
    ingress: Vec<IpPermission>,
    egress: Vec<IpPermission>,
) -> SecurityGroup {
    named_group(id, id, ingress, egress)
}

/// The default group of `vpc-1`.
pub(crate) fn default_group(
    ingress: Vec<IpPermission>,
    egress: Vec<IpPermission>,
) -> SecurityGroup {
    named_group("sg-0", "default", ingress, egress)
}

fn named_group(
    id: &str,
    name: &str,
    ingress: Vec<IpPermission>,
    egress: Vec<IpPermission>,
) -> SecurityGroup {
    SecurityGroup::builder()
        .group_id(id)
        .group_name(name)
        .vpc_id("vpc-1")
        .set_ip_permissions(Some(ingress))
        .set_ip_permissions_egress(Some(egress))
        .build()
}

/// These security groups.
pub(crate) fn groups(all: Vec<SecurityGroup>) -> Rule {
    mock!(aws_sdk_ec2::Client::describe_security_groups).then_output(move || {
        DescribeSecurityGroupsOutput::builder().set_security_groups(Some(all.clone())).build()
    })
}

/// TCP on a port, from (or to) addresses or a prefix list.
pub(crate) fn port_from(port: i32, peer: &str) -> IpPermission {
    ports_from(port, port, peer)
}

/// TCP on a range of ports, from (or to) addresses or a prefix list.
pub(crate) fn ports_from(first: i32, last: i32, peer: &str) -> IpPermission {
    let permission = IpPermission::builder().ip_protocol("tcp").from_port(first).to_port(last);
    with_peer(permission, peer)
}

/// Every protocol, from (or to) addresses.
pub(crate) fn all_from(peer: &str) -> IpPermission {
    with_peer(IpPermission::builder().ip_protocol("-1"), peer)
}

fn with_peer(permission: IpPermissionBuilder, peer: &str) -> IpPermission {
    match peer {
        list if list.starts_with("pl-") => {
            permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(list).build())
        }
        group if group.starts_with("sg-") => {
            permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(group).build())
        }
        six if six.contains(':') => {
            permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(six).build())
        }
        four => permission.ip_ranges(IpRange::builder().cidr_ip(four).build()),
    }
    .build()
}

/// TCP on a port, from (or to) a group.
pub(crate) fn from_group(port: i32, group: &str) -> IpPermission {
    foreign_group(port, "123456789012", group)
}

/// TCP on a port, from (or to) a group of another account.
pub(crate) fn foreign_group(port: i32, account: &str, group: &str) -> IpPermission {
    let pair = UserIdGroupPair::builder().user_id(account).group_id(group).build();
    let permission = IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port);
    permission.user_id_group_pairs(pair).build()
}

/// A prefix list `pl-1` of the account's own.
pub(crate) fn prefix_list(entries: &[&str]) -> Vec<Rule> {
    let entry = |cidr: &&str| PrefixListEntry::builder().cidr(*cidr).build();
    let entries: Vec<PrefixListEntry> = entries.iter().map(entry).collect();
    vec![
        mock!(aws_sdk_ec2::Client::describe_managed_prefix_lists).then_output(|| {
            let list = ManagedPrefixList::builder().prefix_list_id("pl-1").owner_id("123456789012");
            DescribeManagedPrefixListsOutput::builder().prefix_lists(list.build()).build()
        }),
        mock!(aws_sdk_ec2::Client::get_managed_prefix_list_entries).then_output(move || {
            let answer = GetManagedPrefixListEntriesOutput::builder();
            answer.set_entries(Some(entries.clone())).build()
        }),
    ]
}

/// An interface in `subnet-a` with the group `sg-1`.
pub(crate) fn interface(change: fn(NetworkInterfaceBuilder) -> NetworkInterfaceBuilder) -> Rule {
    mock!(aws_sdk_ec2::Client::describe_network_interfaces).then_output(move || {
        let plain = NetworkInterface::builder().network_interface_id("eni-1").vpc_id("vpc-1");
        let group = GroupIdentifier::builder().group_id("sg-1").build();
        let shown = change(plain.subnet_id("subnet-a").groups(group)).build();
        DescribeNetworkInterfacesOutput::builder().network_interfaces(shown).build()
    })
}

/// Flow logs of `vpc-1`: what they log, and why it does not arrive.
pub(crate) fn flow_logs(logs: Vec<(&'static str, Option<&'static str>)>) -> Rule {
    mock!(aws_sdk_ec2::Client::describe_flow_logs).then_output(move || {
        let shown = logs.iter().enumerate().map(|(at, (traffic, error))| {
            let log = FlowLog::builder().flow_log_id(format!("fl-{at}")).resource_id("vpc-1");
            let log = log.traffic_type((*traffic).into()).flow_log_status("ACTIVE");
            let status = if error.is_some() { "FAILED" } else { "SUCCESS" };
            let log = log.deliver_logs_status(status);
            log.set_deliver_logs_error_message(error.map(str::to_owned)).build()
        });
        DescribeFlowLogsOutput::builder().set_flow_logs(Some(shown.collect())).build()
    })
}

/// A database `records` with the group `sg-db` on port 5432, in `subnet-a` and `subnet-b`.
pub(crate) fn database() -> Vec<Rule> {
    use aws_sdk_rds::types::{DbCluster, DbSubnetGroup, Subnet, VpcSecurityGroupMembership};
    vec![
        mock!(aws_sdk_rds::Client::describe_db_clusters).then_output(|| {
            let group = VpcSecurityGroupMembership::builder().vpc_security_group_id("sg-db");
            let cluster = DbCluster::builder().db_cluster_identifier("records").port(5432);
            let cluster = cluster.db_subnet_group("isolated").vpc_security_groups(group.build());
            DescribeDbClustersOutput::builder().db_clusters(cluster.build()).build()
        }),
        mock!(aws_sdk_rds::Client::describe_db_subnet_groups).then_output(|| {
            let subnet = |id: &str| Subnet::builder().subnet_identifier(id).build();
            let group = DbSubnetGroup::builder().db_subnet_group_name("isolated");
            let group = group.subnets(subnet("subnet-a")).subnets(subnet("subnet-b"));
            DescribeDbSubnetGroupsOutput::builder().db_subnet_groups(group.build()).build()
        }),
    ]
}

/// A service in subnets that are not described.
pub(crate) fn service(public: bool) -> Vec<Rule> {
    use aws_sdk_ecs::operation::describe_services::DescribeServicesOutput;
    use aws_sdk_ecs::operation::list_clusters::ListClustersOutput;
    use aws_sdk_ecs::operation::list_services::ListServicesOutput;
    use aws_sdk_ecs::types::{
        AssignPublicIp, AwsVpcConfiguration, Deployment, DeploymentRolloutState,
        NetworkConfiguration, Service,
    };
    const ARN: &str = "arn:aws:ecs:us-east-1:123456789012:service/records/api";
    let answer = move || {
        let assign = if public { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
        let network = AwsVpcConfiguration::builder().subnets("subnet-a").assign_public_ip(assign);
        let network = network.build().unwrap();
        let network = NetworkConfiguration::builder().awsvpc_configuration(network).build();
        let rollout = Deployment::builder().status("PRIMARY").task_definition("api:1");
        let rollout = rollout.rollout_state(DeploymentRolloutState::Completed).build();
        let service =
            Service::builder().service_name("api").service_arn(ARN).cluster_arn("records");
        let service = service.status("ACTIVE").task_definition("api:1").deployments(rollout);
        let service = service.network_configuration(network).build();
        DescribeServicesOutput::builder().services(service).build()
    };
    vec![
        mock!(aws_sdk_ecs::Client::list_clusters)
            .then_output(|| ListClustersOutput::builder().cluster_arns("records").build()),
        mock!(aws_sdk_ecs::Client::list_services)
            .then_output(|| ListServicesOutput::builder().service_arns(ARN).build()),
        mock!(aws_sdk_ecs::Client::describe_services).then_output(answer),
    ]
}

/// A public load balancer with the group `sg-1` and a listener.
pub(crate) fn public_balancer(protocol: &'static str, port: i32) -> Vec<Rule> {
    use aws_sdk_elasticloadbalancingv2::Client;
    use aws_sdk_elasticloadbalancingv2::operation::describe_listeners::DescribeListenersOutput;
    use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancers::DescribeLoadBalancersOutput;
    use aws_sdk_elasticloadbalancingv2::operation::describe_tags::DescribeTagsOutput;
    use aws_sdk_elasticloadbalancingv2::types::{Listener, LoadBalancer, LoadBalancerSchemeEnum};
    vec![
        mock!(Client::describe_load_balancers).then_output(|| {
            let balancer = LoadBalancer::builder().load_balancer_arn("arn:web");
            let balancer = balancer.scheme(LoadBalancerSchemeEnum::InternetFacing);
            let balancer = balancer.security_groups("sg-1").build();
            DescribeLoadBalancersOutput::builder().load_balancers(balancer).build()
        }),
        mock!(Client::describe_listeners).then_output(move || {
            let listener = Listener::builder().listener_arn("arn:listener").port(port);
            let listener = listener.load_balancer_arn("arn:web").protocol(protocol.into()).build();
            DescribeListenersOutput::builder().listeners(listener).build()
        }),
        mock!(Client::describe_tags).then_output(|| DescribeTagsOutput::builder().build()),
    ]
}

//! The network, put together.

use std::collections::{BTreeMap, BTreeSet};

use engine::plan::Options;
use engine::vocabulary::{
    Id, Isolated, NatGatewayId, Private, Public, RouteTableId, SecurityGroupId, SubnetId, VpcId,
};
use engine::{
    Aws, DeployError, Deployed, Handle, Place, Policy, Ref, Stack, StackName, Tags, deploy,
};
use ipnet::Ipv4Net;
use serde_json::{Value, json};

use crate::spec::{Admits, HttpsEgress, NetworkSpec, Zone};
use crate::validate::validate;
use crate::{
    ElasticIp, EndpointType, FlowLog, FlowLogDestination, InternetGateway, KINDS, NatGateway, Peer,
    RouteTable, RouteTarget, Rule, SecurityGroup, Subnet, Vpc, VpcEndpoint,
};

const EVERYWHERE: &str = "0.0.0.0/0";
/// Where endpoints listen, and what else speaks HTTPS outside.
const ENDPOINT_PORT: u16 = 443;

/// References to what others build on. Subnets are in the order of the zones.
#[derive(Debug, Clone)]
pub struct Network {
    /// The VPC.
    pub vpc: Ref<VpcId>,
    /// The subnets with a route to the internet gateway.
    pub public_subnets: Vec<Ref<SubnetId<Public>>>,
    /// The subnets that reach the internet through NAT.
    pub private_subnets: Vec<Ref<SubnetId<Private>>>,
    /// The subnets that reach nothing outside.
    pub isolated_subnets: Vec<Ref<SubnetId<Isolated>>>,
    /// The load balancer's group: admits HTTPS from `link`, goes to `service`.
    pub load_balancer: Ref<SecurityGroupId>,
    /// The tasks' group: admits the load balancer, goes to the stores and the endpoints.
    pub service: Ref<SecurityGroupId>,
    /// The database's group: admits the tasks.
    pub database: Ref<SecurityGroupId>,
    /// The cache's group: admits the tasks.
    pub cache: Ref<SecurityGroupId>,
    /// The file system's group: admits the tasks.
    pub file_system: Ref<SecurityGroupId>,
    /// The group of the API's VPC link: goes to the load balancer.
    pub link: Ref<SecurityGroupId>,
    /// The interface endpoints' group: admits the tasks.
    pub endpoints: Ref<SecurityGroupId>,
}

/// What was made. Subnets are in the order of the zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkOutputs {
    /// The VPC.
    pub vpc_id: String,
    /// The subnets with a route to the internet gateway.
    pub public_subnet_ids: Vec<String>,
    /// The subnets that reach the internet through NAT.
    pub private_subnet_ids: Vec<String>,
    /// The subnets that reach nothing outside.
    pub isolated_subnet_ids: Vec<String>,
    /// The security groups, by what they are for: `load-balancer`, `service`…
    pub security_group_ids: BTreeMap<String, String>,
}

/// Brings a network up that is a stack by itself.
///
/// # Errors
/// When the specification has mistakes, the plan is refused or a step fails; calling again goes on.
pub async fn provision(
    aws: &Aws,
    name: StackName,
    spec: &NetworkSpec,
) -> Result<NetworkOutputs, DeployError> {
    let mistakes = validate(spec);
    if !mistakes.is_empty() {
        return Err(DeployError::Invalid(mistakes));
    }
    let mut stack = Stack::new(name, Tags::new());
    let network = declare(&mut stack, spec, &Place::of(aws));
    let deployed = deploy::up(aws, &stack, KINDS, Options::default()).await?;
    Ok(outputs(&deployed, &network)
        .expect("what is deployed has an id, and nothing else is asked for"))
}

fn outputs(deployed: &Deployed, network: &Network) -> engine::Result<NetworkOutputs> {
    fn all<M>(deployed: &Deployed, references: &[Ref<M>]) -> engine::Result<Vec<String>> {
        references.iter().map(|reference| deployed.resolve(reference)).collect()
    }
    let groups = [
        ("load-balancer", &network.load_balancer),
        ("service", &network.service),
        ("database", &network.database),
        ("cache", &network.cache),
        ("file-system", &network.file_system),
        ("link", &network.link),
        ("endpoints", &network.endpoints),
    ];
    Ok(NetworkOutputs {
        vpc_id: deployed.resolve(&network.vpc)?,
        public_subnet_ids: all(deployed, &network.public_subnets)?,
        private_subnet_ids: all(deployed, &network.private_subnets)?,
        isolated_subnet_ids: all(deployed, &network.isolated_subnets)?,
        security_group_ids: groups
            .into_iter()
            .map(|(name, group)| Ok((name.to_owned(), deployed.resolve(group)?)))
            .collect::<engine::Result<_>>()?,
    })
}

/// Declares the network. Its endpoints' policies name the account and region that it is for.
pub fn declare(stack: &mut Stack, spec: &NetworkSpec, place: &Place) -> Network {
    let vpc = stack.add_tagged(
        "network/vpc",
        Vpc {
            cidr_block: spec.cidr,
            dns_hostnames: true,
            dns_support: true,
            default_security_group_closed: true,
        },
        tagged(stack, "vpc", &spec.data_tags),
    );
    let none = Tags::new();
    let public = tier(stack, spec, &vpc, "public", &none, |zone| zone.public);
    let private = tier(stack, spec, &vpc, "private", &none, |zone| zone.private);
    let isolated = tier(stack, spec, &vpc, "isolated", &spec.data_tags, |zone| zone.isolated);
    let public_subnets: Vec<Ref<SubnetId<Public>>> = refs(&public);
    let private_subnets: Vec<Ref<SubnetId<Private>>> = refs(&private);

    let internet = stack.add_tagged(
        "network/internet-gateway",
        InternetGateway { vpc_id: Some(vpc.id()) },
        tagged(stack, "igw", &none),
    );
    let out = RouteTarget::InternetGateway(internet.ready().id());
    table(stack, &vpc, "public", &public, Some(out));
    let mut private_tables = Vec::new();
    for (at, subnet) in private.iter().enumerate() {
        let out = spec
            .nat_gateways
            .then(|| RouteTarget::NatGateway(nat(stack, at + 1, &public_subnets[at], &internet)));
        let name = format!("private-{}", at + 1);
        private_tables.push(table(stack, &vpc, &name, std::slice::from_ref(subnet), out));
    }
    table(stack, &vpc, "isolated", &isolated, None);

    let gateways = spec.endpoints.gateways().into_iter().filter(|(_, on)| *on);
    let gateways: Vec<_> = gateways
        .map(|(service, _)| gateway_endpoint(stack, &vpc, place, service, &private_tables))
        .collect();
    let groups = Groups::declare(stack, spec, &vpc, &gateways);
    for (service, on) in spec.endpoints.interfaces() {
        if on {
            interface_endpoint(stack, &vpc, place, service, &private, &groups.endpoints);
        }
    }
    if let Some(to) = &spec.flow_logs {
        stack.add_tagged(
            "network/flow-log",
            FlowLog {
                resource_id: vpc.id(),
                traffic_type: "ALL".into(),
                destination: FlowLogDestination::LogGroup {
                    log_group_arn: to.log_group_arn.clone(),
                    role_arn: to.role_arn.clone(),
                },
                log_format: FlowLog::DEFAULT_FORMAT.into(),
                max_aggregation_interval: spec.flow_log_interval,
                delivery_error: None,
            },
            tagged(stack, "flow-log", &none),
        );
    }
    Network {
        vpc: vpc.id(),
        public_subnets,
        private_subnets,
        isolated_subnets: refs(&isolated),
        load_balancer: groups.load_balancer,
        service: groups.service,
        database: groups.database,
        cache: groups.cache,
        file_system: groups.file_system,
        link: groups.link,
        endpoints: groups.endpoints,
    }
}

/// The `Name` tag, beside others.
fn tagged(stack: &Stack, thing: &str, others: &Tags) -> Tags {
    let mut tags = others.clone();
    tags.insert("Name".into(), stack.name().of(thing));
    tags
}

/// The subnets of a tier. That they are of that tier is so because [`declare`] routes them so.
fn refs<Tier>(subnets: &[Handle<Subnet>]) -> Vec<Ref<SubnetId<Tier>>> {
    subnets.iter().map(|subnet| subnet.id().cast()).collect()
}

fn tier(
    stack: &mut Stack,
    spec: &NetworkSpec,
    vpc: &Handle<Vpc>,
    name: &str,
    tags: &Tags,
    range: fn(&Zone) -> Ipv4Net,
) -> Vec<Handle<Subnet>> {
    let mut tags = tags.clone();
    tags.insert("Tier".into(), name.into());
    let mut subnets = Vec::new();
    for (at, zone) in spec.zones.iter().enumerate() {
        let thing = format!("{name}-{}", at + 1);
        let subnet = Subnet {
            vpc_id: vpc.id(),
            cidr_block: range(zone),
            availability_zone: zone.name.clone(),
            map_public_ip_on_launch: name == "public" && spec.public_addresses,
        };
        let tags = tagged(stack, &thing, &tags);
        subnets.push(stack.add_tagged(format!("network/{thing}"), subnet, tags));
    }
    subnets
}

/// A NAT gateway with an address; the reference waits until it works.
fn nat(
    stack: &mut Stack,
    number: usize,
    subnet: &Ref<SubnetId<Public>>,
    internet: &Handle<InternetGateway>,
) -> Ref<NatGatewayId> {
    let name = format!("nat-{number}");
    let tags = tagged(stack, &name, &Tags::new());
    let address =
        stack.add_tagged(format!("network/elastic-ip-{number}"), ElasticIp {}, tags.clone());
    let gateway = stack.add_tagged(
        format!("network/{name}"),
        NatGateway {
            subnet_id: subnet.clone(),
            allocation_id: Some(address.id()),
            regional: false,
        },
        tags,
    );
    // Without an internet gateway on the VPC, a NAT gateway fails.
    stack.order(&gateway, &internet.ready());
    gateway.ready().id()
}

fn table(
    stack: &mut Stack,
    vpc: &Handle<Vpc>,
    name: &str,
    subnets: &[Handle<Subnet>],
    out: Option<RouteTarget>,
) -> Ref<RouteTableId> {
    let name = format!("routes-{name}");
    let table = RouteTable {
        vpc_id: vpc.id(),
        routes: out.into_iter().map(|target| (EVERYWHERE.to_owned(), target)).collect(),
        subnet_ids: subnets.iter().map(Handle::id).collect(),
        main: false,
    };
    let tags = tagged(stack, &name, &Tags::new());
    stack.add_tagged(format!("network/{name}"), table, tags).id()
}

/// Only this account's people and roles, and only what this account owns: a stolen key of another
/// account opens nothing here, and records cannot be copied to another account's resources.
fn own_account_only(place: &Place) -> Value {
    json!({
        "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {
            "aws:PrincipalAccount": place.account_id,
            "aws:ResourceAccount": place.account_id,
        }},
    })
}

/// What ECR needs of S3: it keeps the layers of images in a bucket of AWS's own, and hands out signed addresses.
fn image_layers(place: &Place) -> Value {
    let (region, partition) = (&place.region, place.partition());
    let layers = format!("arn:{partition}:s3:::prod-{region}-starport-layer-bucket/*");
    json!({
        "Sid": "ImageLayers", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": layers,
    })
}

fn gateway_endpoint(
    stack: &mut Stack,
    vpc: &Handle<Vpc>,
    place: &Place,
    service: &str,
    tables: &[Ref<RouteTableId>],
) -> Handle<VpcEndpoint> {
    let mut statements = vec![own_account_only(place)];
    if service == "s3" {
        statements.push(image_layers(place));
    }
    let name = format!("endpoint-{service}");
    let endpoint = VpcEndpoint {
        vpc_id: vpc.id(),
        service_name: format!("com.amazonaws.{}.{service}", place.region),
        endpoint_type: EndpointType::Gateway,
        policy: Policy::new(statements),
        private_dns: false,
        subnet_ids: BTreeSet::new(),
        security_group_ids: BTreeSet::new(),
        route_table_ids: tables.iter().cloned().collect(),
    };
    let tags = tagged(stack, &name, &Tags::new());
    stack.add_tagged(format!("network/{name}"), endpoint, tags)
}

fn interface_endpoint(
    stack: &mut Stack,
    vpc: &Handle<Vpc>,
    place: &Place,
    service: &str,
    subnets: &[Handle<Subnet>],
    group: &Ref<SecurityGroupId>,
) {
    let statement = if service.starts_with("ecr.") {
        // Not every call to ECR is about a resource: a login has no owner to compare.
        json!({
            "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": place.account_id}},
        })
    } else {
        own_account_only(place)
    };
    let name = format!("endpoint-{}", service.replace('.', "-"));
    let endpoint = VpcEndpoint {
        // Private names need the VPC's DNS settings, which come after its creation.
        vpc_id: vpc.ready().id(),
        service_name: format!("com.amazonaws.{}.{service}", place.region),
        endpoint_type: EndpointType::Interface,
        policy: Policy::new(vec![statement]),
        private_dns: true,
        subnet_ids: subnets.iter().map(Handle::id).collect::<BTreeSet<Ref<Id>>>(),
        security_group_ids: BTreeSet::from([group.clone()]),
        route_table_ids: BTreeSet::new(),
    };
    let tags = tagged(stack, &name, &Tags::new());
    stack.add_tagged(format!("network/{name}"), endpoint, tags);
}

/// The security groups. Their rules name each other, so the references come before the groups.
struct Groups {
    load_balancer: Ref<SecurityGroupId>,
    service: Ref<SecurityGroupId>,
    database: Ref<SecurityGroupId>,
    cache: Ref<SecurityGroupId>,
    file_system: Ref<SecurityGroupId>,
    link: Ref<SecurityGroupId>,
    endpoints: Ref<SecurityGroupId>,
}

impl Groups {
    fn declare(
        stack: &mut Stack,
        spec: &NetworkSpec,
        vpc: &Handle<Vpc>,
        gateways: &[Handle<VpcEndpoint>],
    ) -> Self {
        let later = |thing: &str| Handle::<SecurityGroup>::later(logical_id(thing)).id();
        let groups = Self {
            load_balancer: later("load-balancer"),
            service: later("service"),
            database: later("database"),
            cache: later("cache"),
            file_system: later("file-system"),
            link: later("link"),
            endpoints: later("endpoints"),
        };
        let ports = &spec.ports;
        let rule = |port, group: &Ref<SecurityGroupId>, what: &str| {
            Rule::tcp(port, Peer::SecurityGroup(group.clone()), what)
        };
        let mut out_of_service = BTreeSet::from([
            rule(ports.postgres, &groups.database, "PostgreSQL"),
            rule(ports.redis, &groups.cache, "Redis over TLS"),
            rule(ports.nfs, &groups.file_system, "NFS over TLS"),
        ]);
        if spec.endpoints.interfaces().iter().any(|(_, on)| *on) {
            out_of_service.insert(rule(ENDPOINT_PORT, &groups.endpoints, "AWS APIs"));
        }
        for gateway in gateways {
            let addresses = Peer::PrefixList(gateway.ready().output("prefix_list_id"));
            let rule = Rule { description: None, ..Rule::tcp(ENDPOINT_PORT, addresses, "") };
            out_of_service.insert(rule);
        }
        if spec.service_https_egress == HttpsEgress::Internet {
            let anywhere = Peer::Cidr(EVERYWHERE.into());
            out_of_service.insert(Rule::tcp(ENDPOINT_PORT, anywhere, "HTTPS through NAT"));
        }
        let from_service = |port, what: &str| BTreeSet::from([rule(port, &groups.service, what)]);
        let nothing = BTreeSet::new;
        let admitted = |thing: &str| -> Vec<Rule> {
            let admissions = spec.admit.iter().filter_map(|admission| {
                let (group, port) = match admission.group {
                    Admits::LoadBalancer => ("load-balancer", ports.https),
                    Admits::Service => ("service", ports.container),
                    Admits::Database => ("database", ports.postgres),
                    Admits::Cache => ("cache", ports.redis),
                    Admits::FileSystem => ("file-system", ports.nfs),
                };
                let from = Peer::Cidr(admission.cidr.to_string());
                (group == thing).then(|| Rule::tcp(port, from, "Admitted by the configuration"))
            });
            admissions.collect()
        };
        let mut add = |thing: &str, about: &str, mut ingress: BTreeSet<Rule>, egress| {
            ingress.extend(admitted(thing));
            let group = SecurityGroup {
                group_name: stack.name().of(thing),
                description: about.into(),
                vpc_id: vpc.id(),
                ingress,
                egress,
            };
            let tags = tagged(stack, thing, &Tags::new());
            stack.add_tagged(logical_id(thing), group, tags);
        };
        add(
            "link",
            "The link of the API into the network",
            nothing(),
            BTreeSet::from([rule(
                ports.https,
                &groups.load_balancer,
                "HTTPS to the load balancer",
            )]),
        );
        add(
            "load-balancer",
            "The load balancer",
            BTreeSet::from([rule(ports.https, &groups.link, "HTTPS from the API")]),
            BTreeSet::from([rule(ports.container, &groups.service, "To the tasks")]),
        );
        add(
            "service",
            "The tasks of the service",
            BTreeSet::from([rule(
                ports.container,
                &groups.load_balancer,
                "From the load balancer",
            )]),
            out_of_service,
        );
        add("database", "The database", from_service(ports.postgres, "PostgreSQL"), nothing());
        add("cache", "The cache", from_service(ports.redis, "Redis over TLS"), nothing());
        add("file-system", "The file system", from_service(ports.nfs, "NFS over TLS"), nothing());
        add(
            "endpoints",
            "The endpoints of AWS APIs",
            from_service(ENDPOINT_PORT, "From the tasks"),
            nothing(),
        );
        groups
    }
}

fn logical_id(group: &str) -> String {
    format!("network/group-{group}")
}

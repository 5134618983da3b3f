//! A stack of any size, of real kinds that refer to each other as those of the full stack do; and the account in which
//! it is deployed.

use std::collections::{BTreeMap, BTreeSet};

use compute::{LogGroup, Role};
use engine::inventory::Inventory;
use engine::reference::substitute;
use engine::stack::LogicalId;
use engine::{Collected, Live, Policy, Stack, StackName, Tags};
use network::{Peer, Rule, SecurityGroup, Subnet, Vpc};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

/// A stack of about so many resources. Of each ten: three subnets, three security groups, two log groups and two
/// roles whose policies name the log groups; a VPC for each 250.
pub fn stack(resources: usize) -> Stack {
    let mut stack = Stack::new(StackName::new("large", "test"), Tags::new());
    let mut vpcs = Vec::new();
    for at in 0..resources.div_ceil(10) {
        if at % 25 == 0 {
            let cidr_block = "10.0.0.0/16".parse().expect("an address range");
            let vpc = Vpc {
                cidr_block,
                dns_hostnames: true,
                dns_support: true,
                default_security_group_closed: true,
            };
            vpcs.push(stack.add(format!("vpc-{at}"), vpc));
        }
        let vpc = vpcs.last().expect("one is made first");
        let mut before = None;
        for part in 0..3 {
            let third = (at % 25) * 3 + part;
            let subnet = Subnet {
                vpc_id: vpc.id(),
                cidr_block: format!("10.0.{third}.0/24").parse().expect("an address range"),
                availability_zone: format!("{REGION}a"),
                map_public_ip_on_launch: false,
            };
            stack.add(format!("subnet-{at}-{part}"), subnet);
            let ingress = before
                .map(|group| Rule::tcp(443, Peer::SecurityGroup(group), "from the one before"));
            let group = SecurityGroup {
                group_name: format!("large-group-{at}-{part}-test"),
                description: "synthetic".into(),
                vpc_id: vpc.id(),
                ingress: ingress.into_iter().collect(),
                egress: BTreeSet::new(),
            };
            before = Some(stack.add(format!("group-{at}-{part}"), group).id());
        }
        for part in 0..2 {
            let log = LogGroup {
                name: format!("/large/log-{at}-{part}-test"),
                class: "STANDARD".into(),
                kms_key: None,
                retention_days: Some(365),
                metric_filters: BTreeMap::new(),
                subscription_filters: BTreeMap::new(),
            };
            let log = stack.add(format!("log-{at}-{part}"), log);
            let policy = format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"logs:PutLogEvents","Resource":"{}:*"}}]}}"#,
                log.arn()
            );
            let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ecs-tasks.amazonaws.com"}}]}"#;
            let role = Role {
                name: format!("large-role-{at}-{part}-test"),
                path: "/".into(),
                description: "synthetic".into(),
                assume_role_policy: Policy::parse(trust).expect("a policy"),
                max_session_seconds: 3600,
                managed_policies: BTreeSet::new(),
                inline_policies: BTreeMap::from([(
                    "write".to_owned(),
                    Policy::parse(&policy).expect("a policy"),
                )]),
                permissions_boundary: None,
                created_at: None,
                last_used_at: None,
            };
            stack.add(format!("role-{at}-{part}"), role);
        }
    }
    stack
}

/// The account in which the stack is deployed.
pub fn deployed(stack: &Stack) -> Inventory {
    let nodes: Vec<_> = stack.nodes().collect();
    let names: BTreeMap<&LogicalId, (String, String)> = nodes
        .iter()
        .enumerate()
        .map(|(at, node)| {
            let text = |field: &str| node.spec[field].as_str().unwrap_or_default().to_owned();
            let (id, arn) = match node.kind.name() {
                "logs.log_group" => {
                    let name = text("name");
                    let arn = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}");
                    (name, arn)
                }
                "iam.role" => {
                    let name = text("name");
                    let arn = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
                    (name, arn)
                }
                kind => {
                    let kind = kind.trim_start_matches("ec2.");
                    let id = format!("{kind}-{at:017x}");
                    let arn = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/{id}");
                    (id, arn)
                }
            };
            (&node.id, (id, arn))
        })
        .collect();
    let mut inventory = Inventory::empty(ACCOUNT, REGION);
    let mut live: BTreeMap<&str, (engine::Kind, Vec<Live>)> = BTreeMap::new();
    for node in &nodes {
        let spec = substitute(&node.spec, &mut |placeholder| {
            let (id, arn) = names.get(&placeholder.id)?;
            Some(if placeholder.output == "arn" { arn.clone() } else { id.clone() })
        });
        let (id, arn) = &names[&node.id];
        let one = Live::new(id, spec).with_arn(arn).with_tags(node.tags.clone());
        live.entry(node.kind.name()).or_insert((node.kind, Vec::new())).1.push(one);
    }
    for (kind, live) in live.into_values() {
        inventory.insert(kind, Collected::of(live));
    }
    inventory
}

//! A small stack of real kinds, with everything that makes a crash interesting: a creation without a client
//! token that has late fields (a key), one that generates something (a secret), one with a client token that
//! takes minutes (a gateway), references, and groups that name each other.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Kind, Place, Policy, Stack, StackName};
use ipnet::Ipv4Net;
use network::{NatGateway, Peer, Rule, SecurityGroup, Subnet, Vpc};
use security::Key;
use security::secret::{Content, Secret};
use serde_json::json;

/// The kinds of the small stack.
pub fn kinds() -> Vec<Kind> {
    vec![
        Kind::of::<Key>(),
        Kind::of::<Secret>(),
        Kind::of::<Vpc>(),
        Kind::of::<Subnet>(),
        Kind::of::<SecurityGroup>(),
        Kind::of::<NatGateway>(),
    ]
}

/// What can be chosen.
#[derive(Debug, Clone)]
pub struct Choice {
    /// In place.
    pub rotation_days: u32,
    /// In place: a late field.
    pub port: u16,
    /// Replaces the subnet, and with it the gateway: the old ones go first.
    pub subnet: &'static str,
    /// Replaces a group beside its predecessor.
    pub description: &'static str,
    /// In place, on everything.
    pub tag: &'static str,
}

impl Choice {
    /// As first deployed.
    pub const FIRST: Self = Self {
        rotation_days: 365,
        port: 5432,
        subnet: "10.0.1.0/24",
        description: "Tasks",
        tag: "one",
    };
    /// With everything changed.
    pub const SECOND: Self = Self {
        rotation_days: 180,
        port: 5433,
        subnet: "10.0.2.0/24",
        description: "Tasks of the service",
        tag: "two",
    };
}

/// The stack.
pub fn stack(choice: &Choice) -> Stack {
    let place = Place::new(local::ACCOUNT_ID, "us-east-1");
    let tags = BTreeMap::from([("Team".to_owned(), choice.tag.to_owned())]);
    let mut stack = Stack::new(StackName::new("small", "test"), tags);
    let policy = Policy::new(vec![json!({
        "Sid": "AccountAdministers",
        "Effect": "Allow",
        "Principal": {"AWS": place.root()},
        "Action": "kms:*",
        "Resource": "*",
    })]);
    let key = stack.add(
        "key",
        Key {
            description: "Encrypts the secret".into(),
            alias: Some("alias/small-test".into()),
            policy,
            rotation_enabled: true,
            rotation_period_days: choice.rotation_days,
            enabled: true,
            deletion_window_days: 30,
            grants: BTreeSet::new(),
            key_spec: None,
            origin: None,
        },
    );
    stack.add(
        "secret",
        Secret {
            name: "small-secret-test".into(),
            description: "A password".into(),
            kms_key: Some(key.arn().cast()),
            policy: None,
            rotation: None,
            has_value: true,
            content: Content::AuthToken { length: 32 },
            recovery_window_days: 30,
        },
    );
    let cidr = |text: &str| text.parse::<Ipv4Net>().expect("it is one");
    let vpc = stack.add(
        "vpc",
        Vpc {
            cidr_block: cidr("10.0.0.0/16"),
            dns_hostnames: true,
            dns_support: true,
            default_security_group_closed: true,
        },
    );
    let subnet = stack.add(
        "subnet",
        Subnet {
            vpc_id: vpc.id(),
            cidr_block: cidr(choice.subnet),
            availability_zone: "us-east-1a".into(),
            map_public_ip_on_launch: false,
        },
    );
    stack.add(
        "gateway",
        NatGateway { subnet_id: subnet.id().cast(), allocation_id: None, regional: false },
    );
    let group = |name: &str, description: &str| SecurityGroup {
        group_name: name.into(),
        description: description.into(),
        vpc_id: vpc.id(),
        ingress: BTreeSet::new(),
        egress: BTreeSet::new(),
    };
    let tasks = engine::Handle::<SecurityGroup>::later("tasks");
    let mut store = group("small-store-test", "The store");
    store.ingress =
        [Rule::tcp(choice.port, Peer::SecurityGroup(tasks.id()), "From the tasks")].into();
    let store = stack.add("store", store);
    let mut users = group("small-tasks-test", choice.description);
    users.egress = [Rule::tcp(choice.port, Peer::SecurityGroup(store.id()), "To the store")].into();
    stack.add("tasks", users);
    stack
}

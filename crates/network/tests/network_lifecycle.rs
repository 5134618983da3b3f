//! The layer from nothing to nothing: on the embedded control plane, or against the server that
//! `FERPA_TEST_ENDPOINT` names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, IpPermission, IpRange, UserIdGroupPair};
use engine::inventory::collect;
use engine::plan::{self, Change, Options};
use engine::steps::{Steps, What};
use engine::{
    Aws, Deployed, Journal, LogicalId, Place, Plan, Scope, Stack, StackName, Target, client, deploy,
};
use network::{EbsEncryptionDefault, FlowLogsTo, HttpsEgress, KINDS, NetworkSpec, declare};

async fn aws() -> Aws {
    let target = Target::for_tests(local::ControlPlane::in_memory().http_client());
    Aws::connect(target, Some("us-east-1")).await.unwrap()
}

fn spec() -> NetworkSpec {
    NetworkSpec {
        flow_logs: Some(FlowLogsTo {
            log_group_arn: "arn:aws:logs:us-east-1:123456789012:log-group:/vpc/flow".into(),
            role_arn: "arn:aws:iam::123456789012:role/flow-logs".into(),
        }),
        ..NetworkSpec::in_zones(["us-east-1a", "us-east-1b"])
    }
}

fn stack(aws: &Aws, environment: &str, spec: &NetworkSpec) -> Stack {
    let mut stack = Stack::new(StackName::new("student", environment), BTreeMap::new());
    declare(&mut stack, spec, &Place::of(aws));
    stack
}

async fn up(aws: &Aws, stack: &Stack) -> Deployed {
    match deploy::up(aws, stack, KINDS, Options::default()).await {
        Ok(deployed) => deployed,
        Err(error) => panic!("{error}"),
    }
}

async fn down(aws: &Aws, stack: &Stack) {
    for round in ["first", "second"] {
        match deploy::down(aws, stack.name(), KINDS, Options::default()).await {
            Ok(plan) if round == "second" => assert!(plan.is_empty(), "left behind: {plan:#?}"),
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// The fields that differ, as `resource: field`.
fn fields(plan: &Plan) -> Vec<String> {
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    plan.actions
        .iter()
        .flat_map(|action| match &action.change {
            Change::Update { changes } | Change::Replace { changes, .. } => changes
                .0
                .iter()
                .map(|change| format!("{}: {}", action.resource, change.path))
                .collect(),
            other => vec![format!("{}: {other}", action.resource)],
        })
        .collect()
}

#[tokio::test]
async fn dynamodb_is_reached_by_a_route_and_a_rule_like_s3() {
    let aws = aws().await;
    let mut spec = spec();
    spec.endpoints.dynamodb = true;
    let stack = stack(&aws, "net-dynamo", &spec);
    let deployed = up(&aws, &stack).await;
    let live = |id: &str| &deployed.live[&LogicalId::new(id)];

    let [s3, dynamodb] = ["s3", "dynamodb"].map(|it| live(&format!("network/endpoint-{it}")));
    assert_eq!(dynamodb.spec["endpoint_type"], "gateway");
    assert_eq!(dynamodb.spec["route_table_ids"], s3.spec["route_table_ids"]);
    let list = dynamodb.output("prefix_list_id").unwrap();
    let egress = &live("network/group-service").spec["egress"];
    assert!(egress.to_string().contains(list), "{egress}");
    assert_settled(&aws, &stack).await;
    down(&aws, &stack).await;
}

async fn assert_settled(aws: &Aws, stack: &Stack) {
    let drift = deploy::drift(aws, stack, KINDS).await;
    assert!(
        drift.is_empty(),
        "nothing should be left to do: {:#?}",
        (drift.actions, drift.problems)
    );
}

fn id(deployed: &Deployed, resource: &str) -> String {
    deployed.live[&LogicalId::new(resource)].id.clone()
}

/// An endpoint that moto does not keep as AWS does; named where it matters.
fn is_embedded(aws: &Aws) -> bool {
    matches!(aws.target(), Target::Embedded(_))
}

#[tokio::test]
async fn the_network_is_made_read_back_and_removed() {
    let aws = aws().await;
    let spec = spec();
    let stack = stack(&aws, "net-life", &spec);
    let made = up(&aws, &stack).await;
    assert_eq!(made.live.len(), stack.nodes().count());
    assert_settled(&aws, &stack).await;
    // A second time, nothing is made twice.
    let again = up(&aws, &stack).await;
    assert!(again.plan.is_empty());
    down(&aws, &stack).await;
}

#[tokio::test]
async fn what_somebody_changes_is_seen_by_name_and_mended() {
    let aws = aws().await;
    let stack = stack(&aws, "net-drift", &spec());
    let made = up(&aws, &stack).await;
    let ec2 = client!(aws, aws_sdk_ec2);
    let id = |resource: &str| id(&made, resource);
    let on = AttributeBooleanValue::builder().value(true).build();
    let off = AttributeBooleanValue::builder().value(false).build();

    // The VPC: DNS off, and the default group opened.
    ec2.modify_vpc_attribute()
        .vpc_id(id("network/vpc"))
        .enable_dns_hostnames(off)
        .send()
        .await
        .unwrap();
    let default = ec2
        .describe_security_groups()
        .filters(Filter::builder().name("vpc-id").values(id("network/vpc")).build())
        .filters(Filter::builder().name("group-name").values("default").build())
        .send()
        .await
        .unwrap();
    let default = default.security_groups()[0].group_id().unwrap().to_owned();
    let from_anywhere = |port| {
        IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(port)
            .to_port(port)
            .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build())
            .build()
    };
    let ingress = ec2.authorize_security_group_ingress();
    ingress.group_id(&default).ip_permissions(from_anywhere(22)).send().await.unwrap();

    // A subnet hands out public addresses.
    let subnet = ec2.modify_subnet_attribute().subnet_id(id("network/public-1"));
    subnet.map_public_ip_on_launch(on).send().await.unwrap();

    // The database is opened to the world, and shut to the service.
    let ingress = ec2.authorize_security_group_ingress().group_id(id("network/group-database"));
    ingress.ip_permissions(from_anywhere(5432)).send().await.unwrap();
    // AWS does not need the description to know the rule; moto does.
    let service = UserIdGroupPair::builder()
        .group_id(id("network/group-service"))
        .description("Redis over TLS")
        .build();
    let to_cache = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(6379)
        .to_port(6379)
        .user_id_group_pairs(service)
        .build();
    let revoke = ec2.revoke_security_group_ingress().group_id(id("network/group-cache"));
    revoke.ip_permissions(to_cache).send().await.unwrap();

    // Routes: one gone, one astray, a subnet without its table.
    let delete = ec2.delete_route().route_table_id(id("network/routes-private-1"));
    delete.destination_cidr_block("0.0.0.0/0").send().await.unwrap();
    let replace = ec2.replace_route().route_table_id(id("network/routes-private-2"));
    let replace = replace.destination_cidr_block("0.0.0.0/0");
    replace.gateway_id(id("network/internet-gateway")).send().await.unwrap();
    let tables = ec2.describe_route_tables().route_table_ids(id("network/routes-isolated"));
    let tables = tables.send().await.unwrap();
    let association = tables.route_tables()[0]
        .associations()
        .iter()
        .find(|one| one.subnet_id() == Some(&id("network/isolated-2")))
        .unwrap()
        .route_table_association_id()
        .unwrap();
    ec2.disassociate_route_table().association_id(association).send().await.unwrap();

    // An endpoint lets everything through and stands in one zone less.
    let modify = ec2.modify_vpc_endpoint().vpc_endpoint_id(id("network/endpoint-kms"));
    modify.remove_subnet_ids(id("network/private-2")).send().await.unwrap();
    let open = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
    let modify = ec2.modify_vpc_endpoint().vpc_endpoint_id(id("network/endpoint-s3"));
    modify.policy_document(open).send().await.unwrap();

    // The flow log is gone, and a tag of an address is another.
    ec2.delete_flow_logs().flow_log_ids(id("network/flow-log")).send().await.unwrap();
    let name = aws_sdk_ec2::types::Tag::builder().key("Name").value("x").build();
    ec2.create_tags().resources(id("network/elastic-ip-1")).tags(name).send().await.unwrap();

    let drift = deploy::drift(&aws, &stack, KINDS).await;
    let expected = [
        "network/elastic-ip-1: tags.Name",
        "network/endpoint-kms: subnet_ids",
        "network/endpoint-s3: policy.Statement",
        "network/flow-log: create",
        "network/group-cache: ingress",
        "network/group-database: ingress",
        "network/public-1: map_public_ip_on_launch",
        "network/routes-isolated: subnet_ids",
        "network/routes-private-1: routes.0.0.0.0/0",
        "network/routes-private-2: routes.0.0.0.0/0.internet_gateway",
        "network/routes-private-2: routes.0.0.0.0/0.nat_gateway",
        "network/vpc: default_security_group_closed",
        "network/vpc: dns_hostnames",
    ];
    let mut found = fields(&drift);
    found.sort();
    assert_eq!(found, expected);

    up(&aws, &stack).await;
    assert_settled(&aws, &stack).await;
    down(&aws, &stack).await;
}

#[tokio::test]
async fn what_somebody_deletes_is_made_again() {
    let aws = aws().await;
    let stack = stack(&aws, "net-lost", &spec());
    let made = up(&aws, &stack).await;
    let ec2 = client!(aws, aws_sdk_ec2);
    let nat = id(&made, "network/nat-1");
    ec2.delete_nat_gateway().nat_gateway_id(&nat).send().await.unwrap();
    if !is_embedded(&aws) {
        // moto leaves the address with the deleted gateway.
        let address = ec2.describe_addresses().allocation_ids(id(&made, "network/elastic-ip-1"));
        let address = address.send().await.unwrap();
        let association = address.addresses()[0].association_id().unwrap();
        ec2.disassociate_address().association_id(association).send().await.unwrap();
    }
    let endpoint = id(&made, "network/endpoint-logs");
    ec2.delete_vpc_endpoints().vpc_endpoint_ids(endpoint).send().await.unwrap();
    let gateway = id(&made, "network/internet-gateway");
    if is_embedded(&aws) {
        // AWS does not let go of a gateway while the other NAT gateway uses it.
        let vpc = id(&made, "network/vpc");
        let refused =
            ec2.detach_internet_gateway().internet_gateway_id(gateway).vpc_id(vpc).send().await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.as_service_error().unwrap().meta().code(), Some("DependencyViolation"));
    }
    let drift = deploy::drift(&aws, &stack, KINDS).await;
    let made_anew: Vec<&str> = drift
        .actions
        .iter()
        .filter(|action| matches!(action.change, Change::Create { .. }))
        .map(|action| action.resource.as_str())
        .collect();
    assert_eq!(made_anew, ["network/endpoint-logs", "network/nat-1"]);
    up(&aws, &stack).await;
    assert_settled(&aws, &stack).await;
    down(&aws, &stack).await;
}

#[tokio::test]
async fn what_the_operator_changes_moves_in_place_where_aws_can() {
    let aws = aws().await;
    let before = spec();
    let first = stack(&aws, "net-change", &before);
    let made = up(&aws, &first).await;

    let mut after = before.clone();
    after.ports.postgres = 5433;
    after.service_https_egress = HttpsEgress::Internet;
    after.endpoints.kms = false;
    after.flow_log_interval = 600;
    let second = stack(&aws, "net-change", &after);
    let plan = deploy::drift(&aws, &second, KINDS).await;
    let mut found = fields(&plan);
    found.sort();
    let expected = [
        "network/endpoint-kms: delete",
        "network/flow-log: max_aggregation_interval",
        "network/group-database: ingress",
        "network/group-service: egress",
    ];
    assert_eq!(found, expected);
    let changed = up(&aws, &second).await;
    assert_settled(&aws, &second).await;
    for group in ["network/group-database", "network/group-service"] {
        assert_eq!(id(&made, group), id(&changed, group), "not replaced");
    }
    down(&aws, &second).await;
}

#[tokio::test]
async fn encryption_of_volumes_is_switched_on_and_stays_on() {
    let aws = aws().await;
    if !is_embedded(&aws) {
        // moto has no GetEbsDefaultKmsKeyId: with the setting on, its key is unreadable there.
        return;
    }
    let mut stack = Stack::new(StackName::new("student", "net-ebs"), BTreeMap::new());
    stack.add("network/ebs-encryption", EbsEncryptionDefault::default());
    let ec2 = client!(aws, aws_sdk_ec2);
    ec2.disable_ebs_encryption_by_default().send().await.unwrap();
    assert_eq!(
        fields(&deploy::drift(&aws, &stack, KINDS).await),
        ["network/ebs-encryption: enabled"]
    );
    up(&aws, &stack).await;
    assert_settled(&aws, &stack).await;
    // Others share the account: the guard outlives the stack.
    deploy::down(&aws, stack.name(), KINDS, Options::default()).await.unwrap();
    let now = ec2.get_ebs_encryption_by_default().send().await.unwrap();
    assert_eq!(now.ebs_encryption_by_default(), Some(true));
}

#[tokio::test]
async fn the_internet_gateway_is_let_go_of_once_no_nat_gateway_needs_it() {
    let aws = aws().await;
    let stack = stack(&aws, "net-out", &spec());
    up(&aws, &stack).await;
    let scope = Scope::Stack(stack.name().clone());
    let now = collect(&aws, KINDS, &scope, &Journal::in_memory()).await;
    let options = Options { imitation: true, ..Options::default() };
    let plan = plan::destroy(stack.name(), &now, KINDS, options);
    let nothing = Stack::new(stack.name().clone(), BTreeMap::new());
    let steps = Steps::of(&plan, &nothing, &now, KINDS).unwrap().all;
    let all = |kind: &str, what: What| -> Vec<usize> {
        let is = |at: &usize| steps[*at].kind.name() == kind && steps[*at].what == what;
        (0..steps.len()).filter(is).collect()
    };
    let detach = all("ec2.internet_gateway", What::Detach);
    let nats = all("ec2.nat_gateway", What::Delete);
    assert_eq!((detach.len(), nats.len()), (1, 2));
    assert!(nats.iter().all(|nat| steps[detach[0]].after.contains(nat)));
    down(&aws, &stack).await;
}

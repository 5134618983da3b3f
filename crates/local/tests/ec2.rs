//! EC2 refuses what AWS refuses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{Filter, IpPermission, UserIdGroupPair};
use local::{ControlPlane, Delays};

async fn client(plane: &ControlPlane) -> Client {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(plane.http_client())
        .load()
        .await;
    Client::new(&config)
}

/// The code of an answer that is an error.
macro_rules! code {
    ($call:expr) => {
        $call.send().await.unwrap_err().into_service_error().code().unwrap_or_default().to_owned()
    };
}

async fn vpc(ec2: &Client) -> String {
    let made = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    made.vpc.unwrap().vpc_id.unwrap()
}

async fn subnet(ec2: &Client, vpc: &str, range: &str) -> String {
    let made = ec2.create_subnet().vpc_id(vpc).cidr_block(range).send().await.unwrap();
    made.subnet.unwrap().subnet_id.unwrap()
}

async fn group(ec2: &Client, vpc: &str, name: &str) -> String {
    let made = ec2.create_security_group().vpc_id(vpc).group_name(name).description(name);
    made.send().await.unwrap().group_id.unwrap()
}

#[tokio::test]
async fn subnets_lie_within_their_vpc_and_beside_each_other() {
    let ec2 = client(&ControlPlane::in_memory()).await;
    let vpc = vpc(&ec2).await;
    subnet(&ec2, &vpc, "10.0.1.0/24").await;
    let new = |range: &str| ec2.create_subnet().vpc_id(&vpc).cidr_block(range);
    assert_eq!(code!(new("10.1.0.0/24")), "InvalidSubnet.Range");
    assert_eq!(code!(new("10.0.1.128/25")), "InvalidSubnet.Conflict");
    assert_eq!(code!(new("10.0.2.1/24")), "InvalidParameterValue");
    assert_eq!(code!(new("10.0.2.0/24").availability_zone("us-east-1a")), "InvalidParameterValue");
    assert_eq!(
        code!(ec2.create_subnet().vpc_id("vpc-0").cidr_block("10.0.0.0/24")),
        "InvalidVpcID.NotFound"
    );
    assert_eq!(code!(ec2.delete_vpc().vpc_id(&vpc)), "DependencyViolation");
}

#[tokio::test]
async fn groups_that_name_each_other_let_go_first() {
    let ec2 = client(&ControlPlane::in_memory()).await;
    let vpc = vpc(&ec2).await;
    let (a, b) = (group(&ec2, &vpc, "a").await, group(&ec2, &vpc, "b").await);
    let from = |peer: &str| {
        let pair = UserIdGroupPair::builder().group_id(peer).build();
        IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(1)
            .to_port(1)
            .user_id_group_pairs(pair)
            .build()
    };
    let admit = |group: &str, peer: &str| {
        ec2.authorize_security_group_ingress().group_id(group).ip_permissions(from(peer))
    };
    admit(&a, &b).send().await.unwrap();
    admit(&b, &a).send().await.unwrap();
    assert_eq!(code!(admit(&a, &b)), "InvalidPermission.Duplicate");
    assert_eq!(code!(admit(&a, "sg-0")), "InvalidGroup.NotFound");
    assert_eq!(code!(ec2.delete_security_group().group_id(&a)), "DependencyViolation");
    let revoke = || ec2.revoke_security_group_ingress().group_id(&b).ip_permissions(from(&a));
    revoke().send().await.unwrap();
    assert_eq!(code!(revoke()), "InvalidPermission.NotFound");
    ec2.delete_security_group().group_id(&a).send().await.unwrap();

    let again = ec2.create_security_group().vpc_id(&vpc).group_name("b").description("b");
    assert_eq!(code!(again), "InvalidGroup.Duplicate");
    let quoted = ec2.create_security_group().vpc_id(&vpc).group_name("c").description("it's c");
    assert_eq!(code!(quoted), "InvalidParameterValue");
}

#[tokio::test]
async fn a_nat_gateway_takes_its_time_and_needs_a_way_out() {
    let delay = Delays::none().with("ec2.nat_gateway", Duration::from_secs(3600));
    let plane = ControlPlane::in_memory_with(delay);
    let ec2 = client(&plane).await;
    let vpc = vpc(&ec2).await;
    let subnet = subnet(&ec2, &vpc, "10.0.1.0/24").await;
    let address = ec2.allocate_address().send().await.unwrap().allocation_id.unwrap();
    let gateway = ec2.create_internet_gateway().send().await.unwrap();
    let gateway = gateway.internet_gateway.unwrap().internet_gateway_id.unwrap();
    ec2.attach_internet_gateway().internet_gateway_id(&gateway).vpc_id(&vpc).send().await.unwrap();
    let create = |token: &str| {
        ec2.create_nat_gateway().subnet_id(&subnet).allocation_id(&address).client_token(token)
    };
    let nat = create("one").send().await.unwrap().nat_gateway.unwrap();
    assert_eq!(nat.state.unwrap().as_str(), "pending");
    // The same token means the same gateway; another one means another, for which the address is taken.
    let same = create("one").send().await.unwrap().nat_gateway.unwrap();
    assert_eq!(same.nat_gateway_id, nat.nat_gateway_id);
    assert_eq!(code!(create("two")), "Resource.AlreadyAssociated");
    assert_eq!(code!(ec2.delete_subnet().subnet_id(&subnet)), "DependencyViolation");
    let detach = ec2.detach_internet_gateway().internet_gateway_id(&gateway).vpc_id(&vpc);
    assert_eq!(code!(detach), "DependencyViolation");

    let plane = ControlPlane::in_memory();
    let ec2 = client(&plane).await;
    let vpc = self::vpc(&ec2).await;
    let subnet = self::subnet(&ec2, &vpc, "10.0.1.0/24").await;
    let address = ec2.allocate_address().send().await.unwrap().allocation_id.unwrap();
    ec2.create_nat_gateway().subnet_id(&subnet).allocation_id(&address).send().await.unwrap();
    let found = ec2.describe_nat_gateways().send().await.unwrap();
    assert_eq!(found.nat_gateways()[0].state().unwrap().as_str(), "failed");
    assert_eq!(found.nat_gateways()[0].failure_code(), Some("Gateway.NotAttached"));
}

#[tokio::test]
async fn filters_and_pages_are_those_of_ec2() {
    let ec2 = client(&ControlPlane::in_memory()).await;
    let vpc = vpc(&ec2).await;
    for at in 0..7 {
        subnet(&ec2, &vpc, &format!("10.0.{at}.0/24")).await;
    }
    let pages = ec2.describe_subnets().max_results(5).into_paginator().items().send();
    let all: Vec<_> = pages.try_collect().await.unwrap();
    assert_eq!(all.len(), 7);
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let some = ec2.describe_subnets().filters(filter("cidr-block", "10.0.1.*"));
    assert_eq!(some.send().await.unwrap().subnets().len(), 1);
    let none = ec2.describe_subnets().filters(filter("tag:Name", "x"));
    assert_eq!(none.send().await.unwrap().subnets().len(), 0);
    assert_eq!(
        code!(ec2.describe_subnets().filters(filter("colour", "red"))),
        "InvalidParameterValue"
    );
}

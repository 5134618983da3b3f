//! What a store needs around it, made with plain SDK calls: another team's VPC, keys, secrets and
//! log groups.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use aws_sdk_ec2::types::Filter;
use engine::{Aws, Target, client};

/// The embedded control plane, or the server that `FERPA_TEST_ENDPOINT` names.
pub async fn aws() -> Aws {
    let target = Target::for_tests(local::ControlPlane::in_memory().http_client());
    Aws::connect(target, Some("us-east-1")).await.unwrap()
}

/// Whether the server is moto and not the embedded control plane.
pub fn is_moto() -> bool {
    std::env::var("FERPA_TEST_ENDPOINT").is_ok_and(|url| !url.is_empty())
}

pub struct Surroundings {
    pub subnets: Vec<String>,
    pub zones: Vec<String>,
    pub security_group: String,
    pub key: String,
}

pub async fn surroundings(aws: &Aws, environment: &str) -> Surroundings {
    let ec2 = client!(aws, aws_sdk_ec2);
    let made = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    let vpc = made.vpc.unwrap().vpc_id.unwrap();
    let zones = vec!["us-east-1a".to_owned(), "us-east-1b".to_owned()];
    let mut subnets = Vec::new();
    for (at, zone) in zones.iter().enumerate() {
        let call = ec2.create_subnet().vpc_id(&vpc).cidr_block(format!("10.0.{at}.0/24"));
        let made = call.availability_zone(zone).send().await.unwrap();
        subnets.push(made.subnet.unwrap().subnet_id.unwrap());
    }
    let in_vpc = Filter::builder().name("vpc-id").values(vpc).build();
    let groups = ec2.describe_security_groups().filters(in_vpc).send().await.unwrap();
    let security_group = groups.security_groups()[0].group_id().unwrap().to_owned();
    let call = client!(aws, aws_sdk_kms).create_key().description(environment);
    let key = call.send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    Surroundings { subnets, zones, security_group, key }
}

pub async fn secret(aws: &Aws, name: &str, value: &str) -> String {
    let call = client!(aws, aws_sdk_secretsmanager).create_secret().name(name).secret_string(value);
    call.send().await.unwrap().arn.unwrap()
}

pub async fn log_group(aws: &Aws, name: &str) {
    let call = client!(aws, aws_sdk_cloudwatchlogs).create_log_group().log_group_name(name);
    call.send().await.unwrap();
}

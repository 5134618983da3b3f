//! The layer from nothing to nothing: on the embedded control plane, or against the server that
//! `FERPA_TEST_ENDPOINT` names.

use std::collections::BTreeMap;

use engine::plan::Options;
use engine::{Aws, Stack, StackName, Target, client, deploy};
use network::{KINDS, Vpc};

async fn aws() -> Aws {
    let target = Target::for_tests(local::ControlPlane::in_memory().http_client());
    Aws::connect(target, Some("us-east-1")).await.unwrap()
}

fn stack(environment: &str) -> Stack {
    let mut stack = Stack::new(StackName::new("student", environment), BTreeMap::new());
    stack.add(
        "network/vpc",
        Vpc {
            cidr_block: "10.0.0.0/16".parse().unwrap(),
            dns_hostnames: true,
            dns_support: true,
            default_security_group_closed: true,
        },
    );
    stack
}

#[tokio::test]
async fn a_vpc_is_made_read_back_mended_and_removed() {
    let aws = aws().await;
    let stack = stack("vpc-life");
    let made = deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert!(!made.plan.is_empty());
    assert!(deploy::drift(&aws, &stack, KINDS).await.is_empty(), "nothing left to do");

    // Somebody changes an attribute behind our back.
    let vpc = &made.live.values().next().unwrap().id;
    let call = client!(aws, aws_sdk_ec2).modify_vpc_attribute().vpc_id(vpc).enable_dns_hostnames(
        aws_sdk_ec2::types::AttributeBooleanValue::builder().value(false).build(),
    );
    call.send().await.unwrap();
    let drift = deploy::drift(&aws, &stack, KINDS).await;
    assert_eq!(drift.actions.len(), 1, "{drift:?}");

    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert!(deploy::drift(&aws, &stack, KINDS).await.is_empty());
    deploy::down(&aws, stack.name(), KINDS, Options::default()).await.unwrap();
    let after = deploy::down(&aws, stack.name(), KINDS, Options::default()).await.unwrap();
    assert!(after.is_empty(), "{after:?}");
}

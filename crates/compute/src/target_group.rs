//! `elbv2.target_group`: who answers a load balancer, and how it finds out whether they do.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, ProtocolEnum, TargetGroup as ElbTargetGroup, TargetGroupAttribute, TargetTypeEnum,
};
use engine::vocabulary::{TargetGroupArn, VpcId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Ref, Replacement,
    Resource, Result, Scope, Tags, Traits, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::load_balancer::{retag, tags, to_elb};

/// A target group. Its id is its ARN. Output: `load_balancer`, the one that sends it requests, once a
/// listener leads to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// The name: up to 32 letters, digits and hyphens; 25 leave room for the name of a successor.
    pub name: String,
    /// The port that targets answer on.
    pub port: u16,
    /// `HTTP` or `HTTPS`.
    pub protocol: String,
    /// `HTTP1`, `HTTP2` or `GRPC`.
    pub protocol_version: String,
    /// The VPC that the targets are in.
    pub vpc: Option<Ref<VpcId>>,
    /// `ip` (which tasks with an interface of their own need), `instance`, `lambda` or `alb`.
    pub target_type: String,
    /// How targets are checked.
    pub health_check: TargetHealthCheck,
    /// Seconds that a target has to finish its requests after it was taken out.
    pub deregistration_delay_seconds: u32,
    /// `round_robin`, `least_outstanding_requests` or `weighted_random`.
    pub algorithm: String,
    /// Whether a client stays with the target that it got first.
    pub sticky: bool,
}

/// How a target group finds out whether its targets work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetHealthCheck {
    /// Whether it does. Targets of type `ip` are always checked.
    pub enabled: bool,
    /// `HTTP` or `HTTPS`.
    pub protocol: String,
    /// `traffic-port`, or a number.
    pub port: String,
    /// The path to ask for.
    pub path: String,
    /// Seconds between two checks.
    pub interval_seconds: u32,
    /// Seconds until a check has failed.
    pub timeout_seconds: u32,
    /// How many successes in a row make a target healthy.
    pub healthy_threshold: u32,
    /// How many failures in a row make it unhealthy.
    pub unhealthy_threshold: u32,
    /// The answers that count as success: `200`, `200-299`, `200,202`.
    pub matcher: String,
}

const DELAY: &str = "deregistration_delay.timeout_seconds";
const ALGORITHM: &str = "load_balancing.algorithm.type";
const STICKY: &str = "stickiness.enabled";

const ATTRIBUTES: &[&str] = &["deregistration_delay_seconds", "algorithm", "sticky"];

impl Resource for TargetGroup {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name", "port", "protocol", "protocol_version", "vpc", "target_type"],
        late: ATTRIBUTES,
        replacement: Replacement::CreateFirst,
        attached_by: &[("vpc", "ec2.vpc")],
        permissions: Permissions {
            read: &[Allow::to(&[
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetGroupAttributes",
                "elasticloadbalancing:DescribeTags",
            ])],
            make: &[
                Allow::to(&["elasticloadbalancing:CreateTargetGroup"])
                    .on(&[
                        "elasticloadbalancing:{here}:targetgroup/{name}/*",
                        "elasticloadbalancing:{here}:targetgroup/{successor}/*",
                    ])
                    .for_stack(),
                Allow::to(&[
                    "elasticloadbalancing:ModifyTargetGroupAttributes",
                    "elasticloadbalancing:AddTags",
                ])
                .on(&[
                    "elasticloadbalancing:{here}:targetgroup/{name}/*",
                    "elasticloadbalancing:{here}:targetgroup/{successor}/*",
                ]),
                Allow::to(&[
                    "elasticloadbalancing:ModifyTargetGroup",
                    "elasticloadbalancing:RemoveTags",
                ])
                .on(&[
                    "elasticloadbalancing:{here}:targetgroup/{name}/*",
                    "elasticloadbalancing:{here}:targetgroup/{successor}/*",
                ])
                .of_stack(),
            ],
            remove: &[Allow::to(&["elasticloadbalancing:DeleteTargetGroup"])
                .on(&[
                    "elasticloadbalancing:{here}:targetgroup/{name}/*",
                    "elasticloadbalancing:{here}:targetgroup/{successor}/*",
                ])
                .of_stack()],
        },
        ..Traits::of("elbv2.target_group")
    };
    type Id = TargetGroupArn;
    type Arn = TargetGroupArn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        Collected::from_result(collect(aws, scope).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "elasticloadbalancing:CreateTargetGroup";
        let check = &self.health_check;
        let call = client!(aws, aws_sdk_elasticloadbalancingv2)
            .create_target_group()
            .name(&self.name)
            .port(self.port.into())
            .protocol(ProtocolEnum::from(self.protocol.as_str()))
            .protocol_version(&self.protocol_version)
            .set_vpc_id(self.vpc.as_ref().map(ToString::to_string))
            .target_type(TargetTypeEnum::from(self.target_type.as_str()))
            .health_check_enabled(check.enabled)
            .health_check_protocol(ProtocolEnum::from(check.protocol.as_str()))
            .health_check_port(&check.port)
            .health_check_path(&check.path)
            .health_check_interval_seconds(signed(check.interval_seconds))
            .health_check_timeout_seconds(signed(check.timeout_seconds))
            .healthy_threshold_count(signed(check.healthy_threshold))
            .unhealthy_threshold_count(signed(check.unhealthy_threshold))
            .matcher(self.matcher())
            .set_tags(Some(to_elb(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let made = made.target_groups.unwrap_or_default().into_iter().next();
        let made = made.ok_or_else(|| Error::incomplete(action, "the target group"))?;
        Ok(read(action, made)?.with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let elb = client!(aws, aws_sdk_elasticloadbalancingv2);
        if changes.has("health_check") {
            let check = &self.health_check;
            let call = elb
                .modify_target_group()
                .target_group_arn(&live.id)
                .health_check_enabled(check.enabled)
                .health_check_protocol(ProtocolEnum::from(check.protocol.as_str()))
                .health_check_port(&check.port)
                .health_check_path(&check.path)
                .health_check_interval_seconds(signed(check.interval_seconds))
                .health_check_timeout_seconds(signed(check.timeout_seconds))
                .healthy_threshold_count(signed(check.healthy_threshold))
                .unhealthy_threshold_count(signed(check.unhealthy_threshold))
                .matcher(self.matcher());
            aws.call("elasticloadbalancing:ModifyTargetGroup", call.send()).await?;
        }
        if changes.any(ATTRIBUTES) {
            let attribute = |key: &str, value: String| {
                TargetGroupAttribute::builder().key(key).value(value).build()
            };
            let call = elb
                .modify_target_group_attributes()
                .target_group_arn(&live.id)
                .attributes(attribute(DELAY, self.deregistration_delay_seconds.to_string()))
                .attributes(attribute(ALGORITHM, self.algorithm.clone()))
                .attributes(attribute(STICKY, self.sticky.to_string()));
            aws.call("elasticloadbalancing:ModifyTargetGroupAttributes", call.send()).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_elasticloadbalancingv2)
            .delete_target_group()
            .target_group_arn(&live.id);
        aws.call("elasticloadbalancing:DeleteTargetGroup", call.send()).await?;
        Ok(())
    }
}

impl TargetGroup {
    fn matcher(&self) -> Matcher {
        let codes = &self.health_check.matcher;
        match self.protocol_version.as_str() {
            "GRPC" => Matcher::builder().grpc_code(codes).build(),
            _ => Matcher::builder().http_code(codes).build(),
        }
    }

    /// Attributes that are not shown are as AWS sets them on a new target group.
    fn set(&mut self, found: &BTreeMap<String, String>) {
        let get = |key: &str| found.get(key).map(String::as_str);
        self.deregistration_delay_seconds =
            get(DELAY).and_then(|seconds| seconds.parse().ok()).unwrap_or(300);
        self.algorithm = get(ALGORITHM).unwrap_or("round_robin").to_owned();
        self.sticky = get(STICKY) == Some("true");
    }
}

/// AWS counts in signed numbers.
fn signed(number: u32) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// What AWS counts is never negative.
fn unsigned(number: Option<i32>) -> u32 {
    number.and_then(|number| number.try_into().ok()).unwrap_or_default()
}

async fn collect(aws: &Aws, scope: &Scope) -> Result<Vec<Live<TargetGroup>>> {
    let action = "elasticloadbalancing:DescribeTargetGroups";
    let elb = client!(aws, aws_sdk_elasticloadbalancingv2);
    let call = elb.describe_target_groups().into_paginator().items();
    let groups: Vec<ElbTargetGroup> = aws.call(action, call.send().try_collect()).await?;
    let found: Vec<_> = groups.into_iter().map(|one| read(action, one)).collect::<Result<_>>()?;
    let tags = tags(aws, found.iter().map(|live| live.id.clone()).collect()).await?;
    let detailed = futures::stream::iter(found).map(|mut live| {
        let tags = tags.get(&live.id).cloned().unwrap_or_default();
        async move {
            // A request for each target group: only where the answer matters.
            if scope.wants(&tags) {
                match attributes(aws, &live.id).await {
                    Ok(found) => live.spec.set(&found),
                    Err(error) => {
                        for field in ATTRIBUTES {
                            live.read(field, Err::<(), _>(error.clone()), |_, ()| {});
                        }
                    }
                }
            }
            live.with_tags(tags)
        }
    });
    Ok(detailed.buffer_unordered(8).collect().await)
}

async fn attributes(aws: &Aws, arn: &str) -> Result<BTreeMap<String, String>> {
    let call = client!(aws, aws_sdk_elasticloadbalancingv2)
        .describe_target_group_attributes()
        .target_group_arn(arn);
    let action = "elasticloadbalancing:DescribeTargetGroupAttributes";
    let answer = aws.call(action, call.send()).await?;
    let pair = |one: TargetGroupAttribute| Some((one.key?, one.value.unwrap_or_default()));
    Ok(answer.attributes.unwrap_or_default().into_iter().filter_map(pair).collect())
}

/// A target group as it is listed, its attributes as AWS sets them on a new one.
fn read(action: &str, found: ElbTargetGroup) -> Result<Live<TargetGroup>> {
    let arn = found.target_group_arn;
    let arn = arn.ok_or_else(|| Error::incomplete(action, "a target group's ARN"))?;
    let matcher = found.matcher.and_then(|codes| codes.http_code.or(codes.grpc_code));
    let protocol =
        |word: Option<ProtocolEnum>| word.map(|word| word.as_str().to_owned()).unwrap_or_default();
    let mut spec = TargetGroup {
        name: found.target_group_name.unwrap_or_default(),
        port: found.port.and_then(|port| port.try_into().ok()).unwrap_or_default(),
        protocol: protocol(found.protocol),
        protocol_version: found.protocol_version.unwrap_or_default(),
        vpc: found.vpc_id.map(Ref::known),
        target_type: found.target_type.map_or("instance".into(), |word| word.as_str().to_owned()),
        health_check: TargetHealthCheck {
            enabled: found.health_check_enabled.unwrap_or(false),
            protocol: protocol(found.health_check_protocol),
            port: found.health_check_port.unwrap_or_default(),
            path: found.health_check_path.unwrap_or_default(),
            interval_seconds: unsigned(found.health_check_interval_seconds),
            timeout_seconds: unsigned(found.health_check_timeout_seconds),
            healthy_threshold: unsigned(found.healthy_threshold_count),
            unhealthy_threshold: unsigned(found.unhealthy_threshold_count),
            matcher: matcher.unwrap_or_default(),
        },
        deregistration_delay_seconds: 0,
        algorithm: String::new(),
        sticky: false,
    };
    spec.set(&BTreeMap::new());
    let balancer = found.load_balancer_arns.unwrap_or_default().into_iter().next();
    Ok(Live::new(arn.clone(), spec).with_arn(arn).with_output("load_balancer", balancer))
}

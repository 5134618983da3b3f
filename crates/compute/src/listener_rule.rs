//! `elbv2.listener_rule`: what a load balancer does with some of the requests that come in on a port.
//! This project makes none.

use aws_sdk_elasticloadbalancingv2::types::ProtocolEnum;
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::listener::{self, Action};
use crate::load_balancer;

/// A rule of a listener that speaks plain HTTP. (Behind TLS no control asks for them, and they cost a
/// call for each listener.) The default rule is not among them: it is the listener's own action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerRule {
    /// The listener's ARN.
    pub listener: String,
    /// What happens with a request.
    pub action: Action,
}

impl Inspected for ListenerRule {
    const KIND: &'static str = "elbv2.listener_rule";
    const READ: &'static [Allow] = &[Allow::to(&[
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeRules",
    ])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] = &[("listener", "elbv2.listener")];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<ListenerRule>>> {
    let balancers = load_balancer::all(aws).await?;
    let lists: Vec<Result<Vec<Live<ListenerRule>>>> =
        futures::stream::iter(balancers.into_iter().filter_map(|one| one.load_balancer_arn))
            .map(|arn| async move { of_load_balancer(aws, &arn).await })
            .buffer_unordered(8)
            .collect()
            .await;
    let mut found = Vec::new();
    for list in lists {
        found.extend(list?);
    }
    Ok(found)
}

async fn of_load_balancer(aws: &Aws, arn: &str) -> Result<Vec<Live<ListenerRule>>> {
    let call = client!(aws, aws_sdk_elasticloadbalancingv2).describe_listeners();
    let call = call.load_balancer_arn(arn).into_paginator().items();
    // Deleted since the load balancers were listed, where there is no answer.
    let listeners =
        aws.find("elasticloadbalancing:DescribeListeners", call.send().try_collect()).await?;
    let listeners: Vec<aws_sdk_elasticloadbalancingv2::types::Listener> =
        listeners.unwrap_or_default();
    let mut found = Vec::new();
    for one in listeners.into_iter().filter(|one| one.protocol == Some(ProtocolEnum::Http)) {
        if let Some(listener) = one.listener_arn {
            found.extend(of_listener(aws, &listener).await?);
        }
    }
    Ok(found)
}

async fn of_listener(aws: &Aws, listener: &str) -> Result<Vec<Live<ListenerRule>>> {
    let action = "elasticloadbalancing:DescribeRules";
    let call = client!(aws, aws_sdk_elasticloadbalancingv2).describe_rules();
    let call = call.listener_arn(listener).into_paginator().items();
    let rules: Option<Vec<_>> = aws.find(action, call.send().try_collect()).await?;
    let rules = rules.unwrap_or_default().into_iter();
    rules
        .filter(|rule: &aws_sdk_elasticloadbalancingv2::types::Rule| rule.is_default != Some(true))
        .map(|rule| {
            let arn = rule.rule_arn.ok_or_else(|| Error::incomplete(action, "a rule's ARN"))?;
            let spec = ListenerRule {
                listener: listener.to_owned(),
                action: listener::last_action(rule.actions),
            };
            Ok(Live::new(arn.clone(), spec).with_arn(arn))
        })
        .collect()
}

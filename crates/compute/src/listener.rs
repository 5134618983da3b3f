//! `elbv2.listener`: what a load balancer does with what comes in on one port.

use aws_sdk_elasticloadbalancingv2::types::{
    Action as ElbAction, ActionTypeEnum, Certificate, Listener as ElbListener, ProtocolEnum,
    RedirectActionConfig, RedirectActionStatusCodeEnum,
};
use engine::vocabulary::{CertificateArn, ListenerArn, LoadBalancerArn, TargetGroupArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Ref, Resource, Result,
    Scope, Tags, Traits, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::load_balancer::{self, retag, tags, to_elb};

/// TLS 1.2 and 1.3, forward secrecy and authenticated encryption only.
pub const TLS_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

/// A listener. Its id is its ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The load balancer.
    pub load_balancer: Ref<LoadBalancerArn>,
    /// The port.
    pub port: u16,
    /// `HTTPS` or `HTTP`.
    pub protocol: String,
    /// Which versions and ciphers of TLS are spoken. `None` without TLS.
    pub ssl_policy: Option<String>,
    /// The certificate that is shown. `None` without TLS.
    pub certificate: Option<Ref<CertificateArn>>,
    /// What happens with a request.
    pub default_action: Action,
}

/// What a listener does with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    /// It goes to a target.
    Forward {
        /// The target group.
        target_group: Ref<TargetGroupArn>,
    },
    /// The client is sent to the same address on another protocol and port.
    Redirect {
        /// `HTTPS`.
        protocol: String,
        /// The port.
        port: String,
        /// `HTTP_301` or `HTTP_302`.
        status_code: String,
    },
    /// Something else, by AWS's name for it: `fixed-response`, `authenticate-oidc`. Read, never
    /// declared.
    Other {
        /// AWS's name for it.
        name: String,
    },
}

impl Action {
    /// A permanent redirect to HTTPS on 443.
    pub fn to_https() -> Self {
        Self::Redirect {
            protocol: "HTTPS".into(),
            port: "443".into(),
            status_code: "HTTP_301".into(),
        }
    }
}

impl Resource for Listener {
    const TRAITS: Traits = Traits {
        immutable: &["load_balancer"],
        not_yet: &[
            ("LoadBalancerNotFound", ""),
            ("TargetGroupNotFound", ""),
            ("CertificateNotFound", ""),
            // An imported certificate needs a moment until Elastic Load Balancing may use it.
            ("UnsupportedCertificate", ""),
        ],
        attached_by: &[("load_balancer", "elbv2.load_balancer")],
        permissions: Permissions {
            read: &[Allow::to(&[
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeTags",
            ])],
            make: &[
                Allow::to(&["elasticloadbalancing:CreateListener"])
                    .on(&["elasticloadbalancing:{here}:loadbalancer/app/{name}/*"])
                    .for_stack(),
                Allow::to(&["elasticloadbalancing:AddTags"])
                    .on(&["elasticloadbalancing:{here}:listener/app/{name}/*/*"]),
                Allow::to(&[
                    "elasticloadbalancing:ModifyListener",
                    "elasticloadbalancing:RemoveTags",
                ])
                .on(&["elasticloadbalancing:{here}:listener/app/{name}/*/*"])
                .of_stack(),
            ],
            remove: &[Allow::to(&["elasticloadbalancing:DeleteListener"])
                .on(&["elasticloadbalancing:{here}:listener/app/{name}/*/*"])
                .of_stack()],
        },
        ..Traits::of("elbv2.listener")
    };
    type Id = ListenerArn;
    type Arn = ListenerArn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(collect(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "elasticloadbalancing:CreateListener";
        let call = client!(aws, aws_sdk_elasticloadbalancingv2)
            .create_listener()
            .load_balancer_arn(self.load_balancer.as_str())
            .port(self.port.into())
            .protocol(ProtocolEnum::from(self.protocol.as_str()))
            .set_ssl_policy(self.ssl_policy.clone())
            .set_certificates(self.certificates())
            .default_actions(self.action()?)
            .set_tags(Some(to_elb(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let made = made.listeners.unwrap_or_default().into_iter().next();
        let made = made.ok_or_else(|| Error::incomplete(action, "the listener"))?;
        Ok(read(action, made)?.with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let mut call =
            client!(aws, aws_sdk_elasticloadbalancingv2).modify_listener().listener_arn(&live.id);
        if changes.has("port") {
            call = call.port(self.port.into());
        }
        // These three make sense together only.
        if changes.any(&["protocol", "ssl_policy", "certificate"]) {
            call = call
                .protocol(ProtocolEnum::from(self.protocol.as_str()))
                .set_ssl_policy(self.ssl_policy.clone())
                .set_certificates(self.certificates());
        }
        if changes.has("default_action") {
            call = call.default_actions(self.action()?);
        }
        aws.call("elasticloadbalancing:ModifyListener", call.send()).await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call =
            client!(aws, aws_sdk_elasticloadbalancingv2).delete_listener().listener_arn(&live.id);
        aws.call("elasticloadbalancing:DeleteListener", call.send()).await?;
        Ok(())
    }
}

impl Listener {
    fn certificates(&self) -> Option<Vec<Certificate>> {
        let certificate = self.certificate.as_ref()?;
        Some(vec![Certificate::builder().certificate_arn(certificate.as_str()).build()])
    }

    fn action(&self) -> Result<ElbAction> {
        let builder = ElbAction::builder();
        match &self.default_action {
            Action::Forward { target_group } => Ok(builder
                .r#type(ActionTypeEnum::Forward)
                .target_group_arn(target_group.as_str())
                .build()),
            Action::Redirect { protocol, port, status_code } => {
                let redirect = RedirectActionConfig::builder()
                    .protocol(protocol)
                    .port(port)
                    .status_code(RedirectActionStatusCodeEnum::from(status_code.as_str()))
                    .build();
                Ok(builder.r#type(ActionTypeEnum::Redirect).redirect_config(redirect).build())
            }
            Action::Other { name } => {
                Err(Error::invalid(format!("the action {name}"), "it can only be read"))
            }
        }
    }
}

async fn collect(aws: &Aws) -> Result<Vec<Live<Listener>>> {
    let balancers = load_balancer::all(aws).await?;
    let lists: Vec<Result<Vec<Live<Listener>>>> =
        futures::stream::iter(balancers.into_iter().filter_map(|one| one.load_balancer_arn))
            .map(|arn| async move { list(aws, &arn).await })
            .buffer_unordered(8)
            .collect()
            .await;
    let mut found = Vec::new();
    for list in lists {
        found.extend(list?);
    }
    let tags = tags(aws, found.iter().map(|live| live.id.clone()).collect()).await?;
    let tagged = found.into_iter().map(|live| {
        let tags = tags.get(&live.id).cloned().unwrap_or_default();
        live.with_tags(tags)
    });
    Ok(tagged.collect())
}

async fn list(aws: &Aws, load_balancer: &str) -> Result<Vec<Live<Listener>>> {
    let action = "elasticloadbalancing:DescribeListeners";
    let call = client!(aws, aws_sdk_elasticloadbalancingv2)
        .describe_listeners()
        .load_balancer_arn(load_balancer)
        .into_paginator()
        .items();
    match aws.find(action, call.send().try_collect()).await? {
        Some(listeners) => {
            listeners.into_iter().map(|one: ElbListener| read(action, one)).collect()
        }
        // Deleted since the load balancers were listed.
        None => Ok(Vec::new()),
    }
}

fn read(action: &str, found: ElbListener) -> Result<Live<Listener>> {
    let arn = found.listener_arn.ok_or_else(|| Error::incomplete(action, "a listener's ARN"))?;
    let load_balancer = found.load_balancer_arn;
    let load_balancer =
        load_balancer.ok_or_else(|| Error::incomplete(action, "a listener's load balancer"))?;
    let protocol = found.protocol.map(|word| word.as_str().to_owned()).unwrap_or_default();
    let tls = matches!(protocol.as_str(), "HTTPS" | "TLS");
    let certificate = found.certificates.unwrap_or_default().into_iter().next();
    let spec = Listener {
        load_balancer: Ref::known(load_balancer),
        port: found.port.and_then(|port| port.try_into().ok()).unwrap_or_default(),
        protocol,
        // Some servers give a policy to listeners without TLS.
        ssl_policy: found.ssl_policy.filter(|_| tls),
        certificate: certificate.and_then(|one| one.certificate_arn).map(Ref::known),
        default_action: last_action(found.default_actions),
    };
    Ok(Live::new(arn.clone(), spec).with_arn(arn))
}

/// The action that ends the handling of a request: those before it authenticate.
pub(crate) fn last_action(actions: Option<Vec<ElbAction>>) -> Action {
    let action = actions.unwrap_or_default().into_iter().next_back();
    action.map_or(Action::Other { name: String::new() }, read_action)
}

fn read_action(found: ElbAction) -> Action {
    let name = found.r#type.as_ref().map(|word| word.as_str().to_owned()).unwrap_or_default();
    // AWS shows a single target group in both places, several only in the second.
    let forward = found.forward_config.and_then(|config| config.target_groups).unwrap_or_default();
    let target = match (found.target_group_arn, forward.as_slice()) {
        (Some(arn), _) => Some(arn),
        (None, [only]) => only.target_group_arn.clone(),
        (None, _) => None,
    };
    match (found.r#type, target, found.redirect_config) {
        (Some(ActionTypeEnum::Forward), Some(target), _) => {
            Action::Forward { target_group: Ref::known(target) }
        }
        (Some(ActionTypeEnum::Redirect), _, Some(redirect)) => Action::Redirect {
            protocol: redirect.protocol.unwrap_or_else(|| "#{protocol}".into()),
            port: redirect.port.unwrap_or_else(|| "#{port}".into()),
            status_code: redirect
                .status_code
                .map(|code| code.as_str().to_owned())
                .unwrap_or_default(),
        },
        _ => Action::Other { name },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_elasticloadbalancingv2::types::{ForwardActionConfig, TargetGroupTuple};

    #[test]
    fn one_target_group_is_a_plain_forward_and_several_are_something_else() {
        let to = |arn: &str| TargetGroupTuple::builder().target_group_arn(arn).weight(1).build();
        let forward = |groups: Vec<TargetGroupTuple>| {
            let config = ForwardActionConfig::builder().set_target_groups(Some(groups)).build();
            let action = ElbAction::builder().r#type(ActionTypeEnum::Forward);
            read_action(action.forward_config(config).build())
        };
        assert_eq!(
            forward(vec![to("arn:a")]),
            Action::Forward { target_group: Ref::known("arn:a") }
        );
        let several = forward(vec![to("arn:a"), to("arn:b")]);
        assert_eq!(several, Action::Other { name: "forward".into() });
    }

    #[test]
    fn a_listener_without_tls_has_no_policy() {
        let found = ElbListener::builder()
            .listener_arn("arn:l")
            .load_balancer_arn("arn:b")
            .port(80)
            .protocol(ProtocolEnum::Http)
            .ssl_policy("ELBSecurityPolicy-2016-08")
            .build();
        let live = read("elasticloadbalancing:DescribeListeners", found).unwrap();
        assert_eq!(live.spec.ssl_policy, None);
        let nameless = ElbListener::builder().build();
        assert!(read("elasticloadbalancing:DescribeListeners", nameless).is_err());
    }
}

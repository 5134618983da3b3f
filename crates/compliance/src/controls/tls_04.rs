//! FERPA-TLS-04: listeners speak current TLS.

use std::collections::HashMap;

use compute::listener::Action;
use compute::{Listener, ListenerRule, TargetGroup};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};
use crate::tls::{Strength, of_load_balancer};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-TLS-04",
    title: "Listeners speak TLS 1.2 or later",
    statement: "Every listener speaks TLS 1.2 or later with a current security policy; plain HTTP does nothing but redirect to HTTPS.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.8"],
    why: "What passes a plain or weakly encrypted listener can be read and changed by everybody on the way.",
    reads: &[&[
        "elbv2.listener.protocol",
        "elbv2.listener.ssl_policy",
        "elbv2.listener.default_action",
        "elbv2.listener_rule.listener",
        "elbv2.listener_rule.action",
        "elbv2.target_group.target_type",
    ]],
    remedy: Remedy {
        stack: "`deploy`: the listener speaks HTTPS with ELBSecurityPolicy-TLS13-1-2-2021-06; `certificate.arn` names the certificate",
        api: "elasticloadbalancing:ModifyListener with Protocol HTTPS and SslPolicy, or with a redirect to HTTPS as DefaultActions",
    },
    reach: Reach::Stack,
    judge,
};

const CALL: &str = "elasticloadbalancing:DescribeListeners";

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Listener>(|listener| {
        let spec = listener.read(&["protocol", "ssl_policy", "default_action"])?;
        let verdict = match spec.protocol.as_str() {
            "HTTPS" | "TLS" => encrypted(spec)?,
            "HTTP" => plain(facts, &listener.live().id, spec)?,
            "GENEVE" => return Ok(Verdict::not_applicable("it passes packets to appliances")),
            _ => passed_through(facts, spec)?,
        };
        Ok(verdict
            .with(CALL, "Protocol", spec.protocol.as_str())
            .with(CALL, "SslPolicy", spec.ssl_policy.as_deref())
            .with(CALL, "DefaultActions", said(&spec.default_action)))
    })
}

fn encrypted(spec: &Listener) -> Result<Verdict, Unread> {
    let Some(policy) = &spec.ssl_policy else {
        return Err(Unread { what: "the listener's security policy".into(), error: None });
    };
    let Some(strength) = of_load_balancer(policy) else {
        let what = format!("what the security policy {policy} lets clients speak");
        return Err(Unread { what, error: None });
    };
    Ok(match strength {
        Strength::Current => Verdict::pass(format!("{policy} refuses what is older than TLS 1.2")),
        Strength::Dated(why) => Verdict::fail(format!("{policy} {why}")),
        Strength::Old(version) => {
            Verdict::fail(format!("{policy} lets clients speak TLS {version}"))
        }
    })
}

/// The actions of rules, by listener.
struct Rules(HashMap<String, Vec<Action>>);

fn plain(facts: &Facts<'_>, arn: &str, spec: &Listener) -> Result<Verdict, Unread> {
    if !redirects(&spec.default_action) {
        return Ok(Verdict::fail("it answers plain HTTP with more than a redirect to HTTPS"));
    }
    let all = facts.all::<ListenerRule>()?;
    let rules = facts.derived(|_| {
        let mut rules: HashMap<String, Vec<Action>> = HashMap::new();
        for rule in all.iter() {
            let of_listener = rules.entry(rule.spec.listener.clone()).or_default();
            of_listener.push(rule.spec.action.clone());
        }
        Rules(rules)
    });
    let rules = rules.0.get(arn).map(Vec::as_slice).unwrap_or_default();
    Ok(Verdict::of(
        rules.iter().all(redirects),
        "it answers plain HTTP with a redirect to HTTPS only",
        "one of its rules answers plain HTTP with more than a redirect to HTTPS",
    )
    .with(
        "elasticloadbalancing:DescribeRules",
        "Actions",
        rules.iter().map(said).collect::<Vec<_>>(),
    ))
}

/// `redirect HTTPS`: AWS's word for an action, and where it leads.
fn said(action: &Action) -> String {
    match action {
        Action::Forward { target_group } => format!("forward {target_group}"),
        Action::Redirect { protocol, .. } => format!("redirect {protocol}"),
        Action::Other { name } => name.clone(),
    }
}

/// Whether the client is sent to HTTPS. `#{protocol}` is where it came from.
fn redirects(action: &Action) -> bool {
    matches!(action, Action::Redirect { protocol, .. } if protocol == "HTTPS")
}

/// TCP and UDP: the load balancer does not look inside.
fn passed_through(facts: &Facts<'_>, spec: &Listener) -> Result<Verdict, Unread> {
    if let Action::Forward { target_group } = &spec.default_action
        && let Some(group) = facts.find::<TargetGroup>(target_group.as_str())?
        && group.spec.target_type == "alb"
    {
        return Ok(Verdict::pass(
            "it leads to an application load balancer, whose listener is judged by itself",
        ));
    }
    Ok(Verdict::fail(format!(
        "it passes {} on as it comes, so nothing here sees to it that it is encrypted",
        spec.protocol
    )))
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::Action;
    use aws_sdk_elasticloadbalancingv2::types::ProtocolEnum::{Http, Https, Tcp};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::elb::{balancer, forward, listener, redirect, rules};
    use crate::testing::{denied, judged, only};

    async fn with_policy(policy: &'static str) -> (Status, String) {
        let mut mocks = balancer();
        mocks.push(listener(move |it| {
            it.protocol(Https).ssl_policy(policy).default_actions(forward())
        }));
        let found = judged(&CONTROL, &mocks).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    #[tokio::test]
    async fn a_current_policy_is_wanted() {
        let (status, _) = with_policy("ELBSecurityPolicy-TLS13-1-2-2021-06").await;
        assert_eq!(status, Status::Pass);
        let (status, message) = with_policy("ELBSecurityPolicy-2016-08").await;
        assert_eq!(status, Status::Fail);
        assert!(message.ends_with("TLS 1.0"), "{message}");
        let (status, message) = with_policy("ELBSecurityPolicy-TLS-1-2-2017-01").await;
        assert_eq!(status, Status::Fail);
        assert!(message.ends_with("TLS 1.3"), "{message}");
        let (status, _) = with_policy("ELBSecurityPolicy-TLS14-2035-01").await;
        assert_eq!(status, Status::Unknown, "nothing is known of it");
    }

    #[tokio::test]
    async fn plain_http_may_redirect_to_https_and_nothing_else() {
        let judged_http = async |action: fn() -> Action, of_rule| {
            let mut mocks = balancer();
            mocks.push(listener(move |it| it.protocol(Http).default_actions(action())));
            mocks.push(rules(of_rule));
            only(&judged(&CONTROL, &mocks).await).0
        };
        let to_https = || redirect("HTTPS");
        assert_eq!(judged_http(to_https, to_https).await, Status::Pass);
        assert_eq!(judged_http(forward, to_https).await, Status::Fail, "the seed's listener");
        assert_eq!(judged_http(|| redirect("#{protocol}"), to_https).await, Status::Fail);
        assert_eq!(judged_http(to_https, forward).await, Status::Fail, "a rule forwards");
    }

    #[tokio::test]
    async fn what_is_passed_through_is_not_seen_to_be_encrypted() {
        let mut mocks = balancer();
        mocks.push(listener(|it| it.protocol(Tcp).default_actions(forward())));
        let found = judged(&CONTROL, &mocks).await;
        assert_eq!(only(&found).0, Status::Fail);
    }

    #[tokio::test]
    async fn listeners_that_cannot_be_listed_are_unknown() {
        let mut mocks = balancer();
        mocks.push(denied!(
            aws_sdk_elasticloadbalancingv2,
            describe_listeners,
            DescribeListenersError
        ));
        let found = judged(&CONTROL, &mocks).await;
        assert_eq!(only(&found).0, Status::Unknown);
    }
}

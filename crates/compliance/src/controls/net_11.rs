//! FERPA-NET-11: load balancers are internal, or a WAF stands before them.

use api::{WebAcl, WebAclAssociation};
use compute::LoadBalancer;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-11",
    title: "Load balancers are internal, or have a WAF",
    statement: "Every load balancer has private addresses only, or a web ACL with rules stands before it.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.1"],
    why: "A load balancer on the internet takes whatever anybody sends straight to the tasks that hold records.",
    reads: &[&[
        "elbv2.load_balancer.internal",
        "elbv2.load_balancer.load_balancer_type",
        "wafv2.association.web_acl",
        "wafv2.web_acl.default_action",
        "wafv2.web_acl.rules",
    ]],
    remedy: Remedy {
        stack: "`deploy`: the load balancer is internal, behind the API",
        api: "wafv2:AssociateWebACL with ResourceArn; or make it anew with elasticloadbalancing:CreateLoadBalancer and Scheme = internal",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<LoadBalancer>(|balancer| {
        let spec = balancer.read(&["internal", "load_balancer_type"])?;
        let call = "elasticloadbalancing:DescribeLoadBalancers";
        if spec.internal {
            return Ok(Verdict::pass("it is internal").with(call, "Scheme", "internal"));
        }
        Ok(guarded(facts, balancer)?.with(call, "Scheme", "internet-facing"))
    })
}

fn guarded(facts: &Facts<'_>, balancer: &Seen<'_, LoadBalancer>) -> Result<Verdict, Unread> {
    let live = balancer.live();
    let kind = &live.spec.load_balancer_type;
    if kind != "application" {
        let bad = format!("it is on the internet, and a {kind} load balancer can have no WAF");
        return Ok(Verdict::fail(bad));
    }
    let call = "wafv2:ListResourcesForWebACL";
    let Some(association) = facts.find::<WebAclAssociation>(&live.id)? else {
        let bad = "it is on the internet, and no WAF stands before it";
        return Ok(Verdict::fail(bad).with(call, "ResourceArns", Vec::<String>::new()));
    };
    let arn = Seen::of(&association).read(&["web_acl"])?.web_acl.clone();
    let verdict = if is_empty(facts, &arn)? {
        Verdict::fail("it is on the internet, and the WAF before it has no rules")
    } else {
        Verdict::pass("it is on the internet, and a WAF stands before it")
    };
    Ok(verdict.with(call, "WebACLArn", arn))
}

/// Whether a web ACL lets everything through. One that was not looked into (a stranger's, in the scope of
/// a stack) has no default action either.
fn is_empty(facts: &Facts<'_>, arn: &str) -> Result<bool, Unread> {
    let Some(acl) = facts.find::<WebAcl>(arn)? else { return Ok(false) };
    let spec = Seen::of(&acl).read(&["default_action", "rules"])?;
    Ok(spec.default_action == "ALLOW" && spec.rules.is_empty())
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::{LoadBalancerSchemeEnum, LoadBalancerTypeEnum};
    use aws_sdk_wafv2::operation::get_logging_configuration::GetLoggingConfigurationOutput;
    use aws_sdk_wafv2::operation::get_web_acl::GetWebAclOutput;
    use aws_sdk_wafv2::operation::list_resources_for_web_acl::ListResourcesForWebAclOutput;
    use aws_sdk_wafv2::operation::list_tags_for_resource::ListTagsForResourceOutput;
    use aws_sdk_wafv2::operation::list_web_acls::ListWebAcLsOutput;
    use aws_sdk_wafv2::types::{
        AllowAction, DefaultAction, Rule as WafRule, VisibilityConfig, WebAcl, WebAclSummary,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{BALANCER, balancer, denied, judged, only};

    const ACL: &str = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/front/1";

    fn public() -> Vec<Rule> {
        balancer(|it| it.scheme(LoadBalancerSchemeEnum::InternetFacing))
    }

    fn waf(rules: usize) -> Vec<Rule> {
        let visibility = || {
            VisibilityConfig::builder()
                .sampled_requests_enabled(false)
                .cloud_watch_metrics_enabled(true)
                .metric_name("front")
                .build()
                .unwrap()
        };
        let rule = move || {
            let rule = WafRule::builder().name("rate").priority(0);
            rule.visibility_config(visibility()).build().unwrap()
        };
        let acl = move || {
            let allow = DefaultAction::builder().allow(AllowAction::builder().build()).build();
            WebAcl::builder()
                .name("front")
                .id("1")
                .arn(ACL)
                .default_action(allow)
                .set_rules(Some((0..rules).map(|_| rule()).collect()))
                .visibility_config(visibility())
                .build()
                .unwrap()
        };
        vec![
            mock!(aws_sdk_wafv2::Client::list_web_acls).then_output(|| {
                let acl = WebAclSummary::builder().name("front").id("1").arn(ACL).build();
                ListWebAcLsOutput::builder().web_acls(acl).build()
            }),
            mock!(aws_sdk_wafv2::Client::list_resources_for_web_acl).then_output(|| {
                ListResourcesForWebAclOutput::builder().resource_arns(BALANCER).build()
            }),
            mock!(aws_sdk_wafv2::Client::get_web_acl)
                .then_output(move || GetWebAclOutput::builder().web_acl(acl()).build()),
            mock!(aws_sdk_wafv2::Client::list_tags_for_resource)
                .then_output(|| ListTagsForResourceOutput::builder().build()),
            mock!(aws_sdk_wafv2::Client::get_logging_configuration)
                .then_output(|| GetLoggingConfigurationOutput::builder().build()),
        ]
    }

    #[tokio::test]
    async fn private_addresses_or_a_web_acl_are_wanted() {
        let found = judged(&CONTROL, &balancer(|it| it)).await;
        assert_eq!(only(&found), (Status::Pass, "it is internal"));
        let found = judged(&CONTROL, &[public(), waf(1)].concat()).await;
        let message = "it is on the internet, and a WAF stands before it";
        assert_eq!(only(&found), (Status::Pass, message));
    }

    #[tokio::test]
    async fn the_open_internet_fails() {
        let found = judged(&CONTROL, &public()).await;
        let message = "it is on the internet, and no WAF stands before it";
        assert_eq!(only(&found), (Status::Fail, message));
        let found = judged(&CONTROL, &[public(), waf(0)].concat()).await;
        assert_eq!(only(&found).0, Status::Fail);
        let network = balancer(|it| {
            it.scheme(LoadBalancerSchemeEnum::InternetFacing).r#type(LoadBalancerTypeEnum::Network)
        });
        assert_eq!(only(&judged(&CONTROL, &network).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown() {
        let mut rules = public();
        rules.push(denied!(aws_sdk_wafv2, list_web_acls, ListWebACLsError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}

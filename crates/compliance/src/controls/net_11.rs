//! FERPA-NET-11: load balancers are internal, or a WAF stands before them.

use api::WebAclAssociation;
use compute::LoadBalancer;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::waf::blocks;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-11",
    title: "Load balancers are internal, or have a WAF",
    statement: "Every load balancer has private addresses only, or a web ACL that blocks something stands before it.",
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
    let verdict = Verdict::of(
        blocks(facts, &arn)?,
        "it is on the internet, and a WAF stands before it",
        "it is on the internet, and the WAF before it blocks nothing",
    );
    Ok(verdict.with(call, "WebACLArn", arn))
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::{LoadBalancerSchemeEnum, LoadBalancerTypeEnum};
    use aws_sdk_wafv2::operation::describe_managed_rule_group::DescribeManagedRuleGroupOutput;
    use aws_sdk_wafv2::operation::get_logging_configuration::GetLoggingConfigurationOutput;
    use aws_sdk_wafv2::operation::get_web_acl::GetWebAclOutput;
    use aws_sdk_wafv2::operation::list_resources_for_web_acl::ListResourcesForWebAclOutput;
    use aws_sdk_wafv2::operation::list_tags_for_resource::ListTagsForResourceOutput;
    use aws_sdk_wafv2::operation::list_web_acls::ListWebAcLsOutput;
    use aws_sdk_wafv2::types::{
        AllowAction, BlockAction, CountAction, DefaultAction, ManagedRuleGroupStatement,
        Rule as WafRule, RuleAction, RuleActionOverride, RuleSummary, Statement, VisibilityConfig,
        WebAcl, WebAclSummary,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{BALANCER, balancer, denied, judged, only};

    const ACL: &str = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/front/1";

    fn public() -> Vec<Rule> {
        balancer(|it| it.scheme(LoadBalancerSchemeEnum::InternetFacing))
    }

    /// A web ACL with one rule for each of these, which is then taken over from a managed group or does that.
    fn waf(rules: Vec<Rules>) -> Vec<Rule> {
        let visibility = || {
            VisibilityConfig::builder()
                .sampled_requests_enabled(false)
                .cloud_watch_metrics_enabled(true)
                .metric_name("front")
                .build()
                .unwrap()
        };
        let rule = move |of: &Rules| {
            let rule = WafRule::builder().name("rule").priority(0);
            let rule = rule.visibility_config(visibility());
            let rule = match of {
                Rules::Own(action) => rule.action(action.clone()),
                Rules::Group(counted) => rule.statement(group(counted)),
            };
            rule.build().unwrap()
        };
        let acl = move || {
            let allow = DefaultAction::builder().allow(AllowAction::builder().build()).build();
            WebAcl::builder()
                .name("front")
                .id("1")
                .arn(ACL)
                .default_action(allow)
                .set_rules(Some(rules.iter().map(rule).collect()))
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

    enum Rules {
        Own(RuleAction),
        /// A managed group, of which these rules only count.
        Group(&'static [&'static str]),
    }

    fn group(counted: &[&str]) -> Statement {
        let overridden = |name: &&str| {
            let one = RuleActionOverride::builder().name(*name).action_to_use(count());
            one.build().unwrap()
        };
        let group = ManagedRuleGroupStatement::builder()
            .vendor_name("AWS")
            .name("AWSManagedRulesCommonRuleSet")
            .set_rule_action_overrides(Some(counted.iter().map(overridden).collect()));
        Statement::builder().managed_rule_group_statement(group.build().unwrap()).build()
    }

    /// The group has two rules that block.
    fn described_group() -> Rule {
        mock!(aws_sdk_wafv2::Client::describe_managed_rule_group).then_output(|| {
            let rule = |name: &str| RuleSummary::builder().name(name).action(block()).build();
            let rules = DescribeManagedRuleGroupOutput::builder().rules(rule("NoUserAgent"));
            rules.rules(rule("SizeRestrictions")).build()
        })
    }

    fn block() -> RuleAction {
        RuleAction::builder().block(BlockAction::builder().build()).build()
    }

    fn count() -> RuleAction {
        RuleAction::builder().count(CountAction::builder().build()).build()
    }

    #[tokio::test]
    async fn private_addresses_or_a_web_acl_are_wanted() {
        let found = judged(&CONTROL, &balancer(|it| it)).await;
        assert_eq!(only(&found), (Status::Pass, "it is internal"));
        let found = judged(&CONTROL, &[public(), waf(vec![Rules::Own(block())])].concat()).await;
        let message = "it is on the internet, and a WAF stands before it";
        assert_eq!(only(&found), (Status::Pass, message));
    }

    #[tokio::test]
    async fn a_web_acl_that_only_counts_is_none() {
        let with = async |rules, others: Vec<Rule>| {
            let rules = [public(), waf(vec![rules]), others].concat();
            only(&judged(&CONTROL, &rules).await).0
        };
        assert_eq!(with(Rules::Own(count()), vec![]).await, Status::Fail);
        let group = || vec![described_group()];
        assert_eq!(with(Rules::Group(&[]), vec![]).await, Status::Pass);
        assert_eq!(with(Rules::Group(&["NoUserAgent"]), group()).await, Status::Pass);
        let both = || Rules::Group(&["NoUserAgent", "SizeRestrictions"]);
        assert_eq!(with(both(), group()).await, Status::Fail);
        let denied = denied!(
            aws_sdk_wafv2,
            describe_managed_rule_group,
            DescribeManagedRuleGroupError
        );
        assert_eq!(with(both(), vec![denied]).await, Status::Unknown);
    }

    #[tokio::test]
    async fn the_open_internet_fails() {
        let found = judged(&CONTROL, &public()).await;
        let message = "it is on the internet, and no WAF stands before it";
        assert_eq!(only(&found), (Status::Fail, message));
        let found = judged(&CONTROL, &[public(), waf(vec![])].concat()).await;
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

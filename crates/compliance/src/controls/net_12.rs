//! FERPA-NET-12: API stages have a web ACL and a limit.

use api::{HttpApi, Stage};

use serde_json::Map;

use crate::apis::{limits, listed};
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::waf::blocks;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-12",
    title: "API stages have a web ACL and throttling",
    statement: "Every API stage stands behind a web ACL that blocks something, and limits the rate of requests below what the account allows.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.1"],
    why: "Without them, somebody with one stolen credential can copy every record as fast as the backend answers, and known attacks reach the application.",
    reads: &[&[
        "apigateway.stage.web_acl_arn",
        "apigateway.stage.method_settings",
        "wafv2.web_acl.rules",
        "wafv2.web_acl.default_action",
        "apigatewayv2.api.protocol",
        "apigatewayv2.api.stages",
    ]],
    remedy: Remedy {
        stack: "`api.waf`, `api.throttling_rate` and `api.throttling_burst`",
        api: "wafv2:AssociateWebACL with the stage's ARN, and apigateway:UpdateStage with /*/*/throttling/rateLimit; an HTTP or WebSocket API gives way to a REST API",
    },
    reach: Reach::Stack,
    judge,
};

const CALL: &str = "apigateway:GET";

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let stages = facts.each::<Stage>(|stage| {
        let spec = stage.read(&["web_acl_arn", "method_settings"])?;
        let acl = spec.web_acl_arn.as_ref().map(|arn| arn.as_str());
        let mut faults = Vec::new();
        match acl {
            None => faults.push("no web ACL stands before it".to_owned()),
            Some(acl) if !blocks(facts, acl)? => {
                faults.push("its web ACL blocks nothing".to_owned());
            }
            Some(_) => {}
        }
        let own_limit = |key: &str| {
            spec.method_settings.get(key).is_some_and(|all| limits(all.throttling_rate_limit))
        };
        let overridden = |key: &&String| key.as_str() != api::stage::EVERY_METHOD && !own_limit(key);
        if !own_limit(api::stage::EVERY_METHOD) {
            faults.push("nothing limits the rate of requests but the account's limit".to_owned());
        }
        let open: Vec<String> = spec.method_settings.keys().filter(overridden).cloned().collect();
        if !open.is_empty() {
            faults.push(format!("the limit does not hold for {}", listed(&open)));
        }
        let rates = spec.method_settings.iter().map(|(key, settings)| {
            (key.clone(), settings.throttling_rate_limit.into())
        });
        Ok(Verdict::of(
            faults.is_empty(),
            "a web ACL stands before it, and it limits the rate of requests",
            faults.join("; "),
        )
        .with(CALL, "webAclArn", acl)
        .with(CALL, "throttlingRateLimit", rates.collect::<Map<_, _>>()))
    });
    stages.into_iter().chain(facts.each::<HttpApi>(http)).collect()
}

/// HTTP and WebSocket APIs take no web ACL at all.
fn http(api: &Seen<'_, HttpApi>) -> Result<Verdict, Unread> {
    let spec = api.read(&["protocol", "stages"])?;
    let unlimited = spec.stages.iter().filter(|(_, stage)| {
        let routes = stage.route_rate_limits.values();
        !stage.rate_limit.is_some_and(limits) || !routes.copied().all(limits)
    });
    let unlimited: Vec<String> = unlimited.map(|(name, _)| name.clone()).collect();
    let limited = match unlimited.is_empty() {
        true => String::new(),
        false => format!(", and stages without a limit are {}", listed(&unlimited)),
    };
    let rates = spec.stages.iter().map(|(name, stage)| (name.clone(), stage.rate_limit.into()));
    Ok(Verdict::fail(format!("{} APIs cannot have a web ACL{limited}", spec.protocol))
        .with(CALL, "ProtocolType", spec.protocol.as_str())
        .with(CALL, "ThrottlingRateLimit", rates.collect::<Map<_, _>>()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_apigatewayv2::types::ProtocolType;
    use aws_sdk_wafv2::operation::get_logging_configuration::GetLoggingConfigurationOutput;
    use aws_sdk_wafv2::operation::get_web_acl::GetWebAclOutput;
    use aws_sdk_wafv2::operation::list_tags_for_resource::ListTagsForResourceOutput;
    use aws_sdk_wafv2::operation::list_web_acls::ListWebAcLsOutput;
    use aws_sdk_wafv2::types::{
        AllowAction, BlockAction, CountAction, DefaultAction, Rule, RuleAction, VisibilityConfig,
        WebAcl, WebAclSummary,
    };
    use aws_smithy_mocks::{Rule as Mock, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::apigateway::{ACL, http_api, limit, rest_api, stage};
    use crate::testing::{denied, judged, only};

    fn visibility() -> VisibilityConfig {
        VisibilityConfig::builder().metric_name("m").build().unwrap()
    }

    fn acl(action: fn() -> RuleAction) -> Vec<Mock> {
        let described = move || {
            let rule = Rule::builder().name("limit").priority(0).action(action());
            let rule = rule.visibility_config(visibility()).build().unwrap();
            let allow = DefaultAction::builder().allow(AllowAction::builder().build()).build();
            let acl = WebAcl::builder().name("front").id("a").arn(ACL).default_action(allow);
            let acl = acl.visibility_config(visibility()).rules(rule).build().unwrap();
            GetWebAclOutput::builder().web_acl(acl).build()
        };
        vec![
            mock!(aws_sdk_wafv2::Client::list_web_acls).then_output(|| {
                let one = WebAclSummary::builder().name("front").id("a").arn(ACL).build();
                ListWebAcLsOutput::builder().web_acls(one).build()
            }),
            mock!(aws_sdk_wafv2::Client::list_tags_for_resource)
                .then_output(|| ListTagsForResourceOutput::builder().build()),
            mock!(aws_sdk_wafv2::Client::get_web_acl).then_output(described),
            mock!(aws_sdk_wafv2::Client::get_logging_configuration)
                .then_output(|| GetLoggingConfigurationOutput::builder().build()),
        ]
    }

    fn block() -> RuleAction {
        RuleAction::builder().block(BlockAction::builder().build()).build()
    }

    fn count() -> RuleAction {
        RuleAction::builder().count(CountAction::builder().build()).build()
    }

    async fn of(rules: [Vec<Mock>; 2]) -> (Status, String) {
        let mut all = rest_api(|it| it);
        all.extend(rules.into_iter().flatten());
        let found = judged(&CONTROL, &all).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    #[tokio::test]
    async fn a_web_acl_that_blocks_and_a_limit_are_wanted() {
        assert_eq!(of([stage(|it| it), acl(block)]).await.0, Status::Pass);
        let bare = stage(|it| it.set_web_acl_arn(None).set_method_settings(None));
        let (status, message) = of([bare, acl(block)]).await;
        assert_eq!(status, Status::Fail);
        assert!(message.contains("no web ACL") && message.contains("the account's"), "{message}");
        assert_eq!(of([stage(|it| it), acl(count)]).await.0, Status::Fail, "it only counts");
    }

    #[tokio::test]
    async fn a_limit_is_below_the_account_s_for_every_method() {
        for rate in [-1.0, 10_000.0] {
            let open = stage(move |it| it.method_settings("*/*", limit(rate)));
            assert_eq!(of([open, acl(block)]).await.0, Status::Fail, "{rate}");
        }
        let one = stage(|it| it.method_settings("~1students/GET", limit(-1.0)));
        let (status, message) = of([one, acl(block)]).await;
        assert_eq!(status, Status::Fail);
        assert!(message.contains("~1students/GET"), "{message}");
    }

    #[tokio::test]
    async fn an_http_api_takes_no_web_acl() {
        let rules = http_api(ProtocolType::Http, |it| it, |it| it, |it| it);
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(only(&found).0, Status::Fail);
    }

    #[tokio::test]
    async fn a_web_acl_that_cannot_be_read_is_unknown() {
        let listed = denied!(aws_sdk_wafv2, list_web_acls, ListWebACLsError);
        assert_eq!(of([stage(|it| it), vec![listed]]).await.0, Status::Unknown);
        let mut described = acl(block);
        described[2] = denied!(aws_sdk_wafv2, get_web_acl, GetWebACLError);
        assert_eq!(of([stage(|it| it), described]).await.0, Status::Unknown);
    }
}

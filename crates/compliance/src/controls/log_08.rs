//! FERPA-LOG-08: API stages log who called.

use std::collections::BTreeSet;

use api::{HttpApi, RestApi, Stage};
use serde_json::Map;

use crate::apis::{Authorized, listed, variables};
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-08",
    title: "API stages log who called",
    statement: "Every API stage writes an access log whose lines name the caller, for each way in which the API's methods authorise callers.",
    severity: Severity::High,
    citations: &["34 CFR 99.32", "NIST SP 800-171r2 3.3.1", "NIST SP 800-171r2 3.3.2"],
    why: "The record of requests and disclosures names the party that asked; an address or a key says which machine, not who.",
    reads: &[&[
        "apigateway.stage.access_logs",
        "apigateway.stage.rest_api_id",
        "apigateway.rest_api.routes",
        "apigateway.rest_api.authorizers",
        "apigatewayv2.api.routes",
        "apigatewayv2.api.stages",
    ]],
    remedy: Remedy {
        stack: "`deploy`: the stage's access log names the caller",
        api: "apigateway:UpdateStage with /accessLogSettings/destinationArn and a /accessLogSettings/format that has $context.identity.userArn (IAM), $context.authorizer.claims.sub (tokens) or $context.authorizer.principalId (functions)",
    },
    reach: Reach::Stack,
    judge,
};

const CALL: &str = "apigateway:GET";

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let stages = facts.each::<Stage>(|stage| {
        let spec = stage.read(&["access_logs", "rest_api_id"])?;
        let Some(logs) = &spec.access_logs else {
            return Ok(Verdict::fail("it writes no access log")
                .with(CALL, "accessLogSettings", serde_json::Value::Null));
        };
        let id = spec.rest_api_id.as_str();
        let unread = || Unread { what: format!("the API {id}"), error: None };
        let api = facts.find::<RestApi>(id)?.ok_or_else(unread)?;
        let verdict = match unnamed(&logs.format, &ways(&Seen::of(&api))?) {
            None => Verdict::pass("its access log names the caller"),
            Some(fault) => Verdict::fail(fault),
        };
        Ok(verdict
            .with(CALL, "accessLogSettings.destinationArn", logs.destination.as_str())
            .with(CALL, "accessLogSettings.format", logs.format.as_str()))
    });
    stages.into_iter().chain(facts.each::<HttpApi>(http)).collect()
}

/// The ways in which an API's methods authorise callers.
fn ways(api: &Seen<'_, RestApi>) -> Result<BTreeSet<Authorized>, Unread> {
    let spec = api.read(&["routes", "authorizers"])?;
    let methods = spec.routes.values().flat_map(|methods| methods.values());
    Ok(methods
        .map(|method| {
            let known = |name: &String| spec.authorizers.contains_key(name);
            Authorized::by(&method.authorization, method.authorizer.as_ref().is_some_and(known))
        })
        .collect())
}

/// What a line does not say. Methods that ask nobody have no caller to name: that is another control's
/// matter. An API that asks nobody at all still wants a line that could name somebody.
fn unnamed(format: &str, ways: &BTreeSet<Authorized>) -> Option<String> {
    let variables = variables(format);
    let named = |way: &Authorized| way.is_named_by(&variables);
    let asked: Vec<&Authorized> = ways.iter().filter(|way| **way != Authorized::Not).collect();
    if asked.is_empty() {
        let any = [Authorized::Iam, Authorized::Token, Authorized::Function].iter().any(named);
        return (!any).then(|| "its access log says nothing of the caller".into());
    }
    let why = match asked.into_iter().find(|way| !named(way))? {
        Authorized::Iam => "its access log does not name who signed a request",
        Authorized::Token => "its access log does not name whose token came",
        _ => "its access log does not name whom the authoriser let in",
    };
    Some(why.into())
}

fn http(api: &Seen<'_, HttpApi>) -> Result<Verdict, Unread> {
    let spec = api.read(&["routes", "stages"])?;
    let routes = spec.routes.values();
    let ways: BTreeSet<Authorized> = routes
        .map(|route| Authorized::by(&route.authorization, route.authorizer.is_some()))
        .collect();
    let silent = spec.stages.iter().filter(|(_, stage)| {
        match (&stage.access_log_destination, &stage.access_log_format) {
            (Some(_), Some(format)) => unnamed(format, &ways).is_some(),
            _ => true,
        }
    });
    let silent: Vec<String> = silent.map(|(name, _)| name.clone()).collect();
    let formats = spec.stages.iter().map(|(name, stage)| {
        (name.clone(), stage.access_log_format.as_deref().into())
    });
    if spec.stages.is_empty() {
        return Ok(Verdict::not_applicable("it has no stage"));
    }
    Ok(Verdict::of(
        silent.is_empty(),
        "its access logs name the caller",
        format!("no access log names the caller in its stages {}", listed(&silent)),
    )
    .with(CALL, "AccessLogSettings.Format", formats.collect::<Map<_, _>>()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_apigateway::types::AccessLogSettings;
    use aws_sdk_apigatewayv2::types::{AccessLogSettings as HttpLogs, ProtocolType};
    use aws_smithy_mocks::Rule;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::apigateway::{http_api, method, rest_api, stage};
    use crate::testing::{denied, judged, only};

    async fn of(stage: Vec<Rule>) -> (Status, String) {
        let mut rules = rest_api(|it| it);
        rules.push(method("/students", "GET", |it| it));
        rules.extend(stage);
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    fn with_format(format: &'static str) -> Vec<Rule> {
        stage(move |it| {
            let logs = AccessLogSettings::builder().destination_arn("arn:aws:logs:r:1:log-group:a");
            it.access_log_settings(logs.format(format).build())
        })
    }

    #[tokio::test]
    async fn a_line_names_the_caller() {
        assert_eq!(of(stage(|it| it)).await.0, Status::Pass);
        let none = of(stage(|it| it.set_access_log_settings(None))).await;
        assert_eq!(none, (Status::Fail, "it writes no access log".to_owned()));
        let address = "$context.requestId $context.identity.sourceIp $context.identity.userAgent";
        assert_eq!(of(with_format(address)).await.0, Status::Fail);
        let token = "$context.requestId $context.authorizer.claims.sub";
        assert_eq!(of(with_format(token)).await.0, Status::Fail, "it is empty for IAM");
    }

    #[tokio::test]
    async fn http_apis_log_too() {
        let rules = http_api(ProtocolType::Http, |it| it, |it| it, |it| it);
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);
        let rules = http_api(
            ProtocolType::Http,
            |it| it,
            |it| it,
            |it| {
                let logs = HttpLogs::builder().destination_arn("arn:aws:logs:r:1:log-group:a");
                it.access_log_settings(logs.format("$context.authorizer.claims.sub").build())
            },
        );
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn stages_that_cannot_be_read_are_unknown() {
        let denied = denied!(aws_sdk_apigateway, get_stages, GetStagesError);
        assert_eq!(of(vec![denied]).await.0, Status::Unknown);
    }
}

//! FERPA-ACC-05: nobody calls an API unauthorised.

use api::{HttpApi, RestApi};

use serde_json::{Map, Value};

use crate::apis::{Authorized, is_probe, listed};
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::parties;
use crate::policy::Document;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-05",
    title: "API methods require authorisation",
    statement: "Every API method, a health probe aside, lets through only callers that IAM, a user pool or an authoriser has authorised; an API key is no authorisation.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.31(a)(1)(ii)", "34 CFR 99.31(c)", "NIST SP 800-171r2 3.1.1"],
    why: "A method that asks nobody who they are gives records to everybody who finds its address.",
    reads: &[
        &[
            "apigateway.rest_api.routes",
            "apigateway.rest_api.authorizers",
            "apigateway.rest_api.policy",
            "apigatewayv2.api.protocol",
            "apigatewayv2.api.routes",
        ],
        parties::READS,
    ],
    remedy: Remedy {
        stack: "`api.authorizer`, and `open = false` on every route but the health probe",
        api: "apigateway:UpdateMethod with /authorizationType and a new deployment, or apigatewayv2:UpdateRoute with AuthorizationType",
    },
    reach: Reach::Stack,
    judge,
};

const CALL: &str = "apigateway:GET";

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let apis = facts.each::<RestApi>(|api| rest(facts, api));
    apis.into_iter().chain(facts.each::<HttpApi>(http)).collect()
}

fn rest(facts: &Facts<'_>, api: &Seen<'_, RestApi>) -> Result<Verdict, Unread> {
    let spec = api.read(&["routes", "authorizers", "policy"])?;
    let (mut open, mut signed, mut asked) = (Vec::new(), false, 0_usize);
    let mut said = Map::new();
    for (path, methods) in &spec.routes {
        for (verb, method) in methods {
            said.insert(format!("{verb} {path}"), method.authorization.as_str().into());
            let is_mock = method.integration.as_ref().is_some_and(|one| one.kind == "MOCK");
            // Browsers ask before they send credentials; a mock tells them nothing but that.
            if is_probe(verb, path) || (verb == "OPTIONS" && is_mock) {
                continue;
            }
            let known = |name: &String| spec.authorizers.contains_key(name);
            let authorizer = method.authorizer.as_ref().is_some_and(known);
            match Authorized::by(&method.authorization, authorizer) {
                Authorized::Not => open.push(describe(verb, path, method.api_key_required)),
                Authorized::Iam => signed = true,
                Authorized::Token | Authorized::Function => {}
            }
            asked += 1;
        }
    }
    let strangers = match &spec.policy {
        // A signature proves an AWS account, and anybody may have one.
        Some(policy) if signed && open.is_empty() => {
            let declared = |account: &str| facts.is_declared_account(account);
            parties::strangers(facts, &Document::of(policy), declared)?
        }
        _ => Vec::new(),
    };
    let verdict = if !open.is_empty() {
        Verdict::fail(format!("anyone may call {}", listed(&open)))
    } else if !strangers.is_empty() {
        let names: Vec<String> = strangers.iter().map(ToString::to_string).collect();
        Verdict::fail(format!(
            "its resource policy lets {} in, and a signature of any of their accounts will do",
            listed(&names)
        ))
    } else if asked == 0 {
        Verdict::not_applicable("it has no methods that could give anything away")
    } else {
        Verdict::pass(format!("each of its {asked} methods requires authorisation"))
    };
    Ok(verdict.with(CALL, "authorizationType", said))
}

fn http(api: &Seen<'_, HttpApi>) -> Result<Verdict, Unread> {
    let spec = api.read(&["protocol", "routes"])?;
    let is_open = |key: &str| {
        spec.routes.get(key).is_none_or(|route| {
            let kind = Authorized::by(&route.authorization, route.authorizer.is_some());
            kind == Authorized::Not
        })
    };
    if spec.protocol == "WEBSOCKET" {
        // Who is authorised when they connect stays so; other routes cannot ask.
        let open = is_open("$connect");
        return Ok(Verdict::of(
            !open,
            "connecting requires authorisation",
            "anyone may connect, and then call its routes",
        )
        .with(
            CALL,
            "AuthorizationType",
            spec.routes.get("$connect").map(|route| route.authorization.as_str()),
        ));
    }
    let open: Vec<String> = spec
        .routes
        .iter()
        .filter(|(key, _)| {
            let (verb, path) = key.split_once(' ').unwrap_or((key, ""));
            is_open(key) && !is_probe(verb, path)
        })
        .map(|(key, route)| {
            let (verb, path) = key.split_once(' ').unwrap_or((key, ""));
            describe(verb, path, route.api_key_required)
        })
        .collect();
    let verdict = if !open.is_empty() {
        Verdict::fail(format!("anyone may call {}", listed(&open)))
    } else if spec.routes.is_empty() {
        Verdict::not_applicable("it has no routes")
    } else {
        Verdict::pass("each of its routes requires authorisation")
    };
    let said = spec.routes.iter().map(|(key, route)| {
        let word: Value = route.authorization.as_str().into();
        (key.clone(), word)
    });
    Ok(verdict.with(CALL, "AuthorizationType", said.collect::<Map<_, _>>()))
}

fn describe(verb: &str, path: &str, key: bool) -> String {
    let call = format!("{verb} {path}");
    match key {
        true => format!("{} with an API key", call.trim()),
        false => call.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_apigateway::operation::get_authorizers::GetAuthorizersOutput;
    use aws_sdk_apigateway::types::builders::MethodBuilder;
    use aws_sdk_apigateway::types::{Authorizer, Integration, IntegrationType};
    use aws_sdk_apigatewayv2::types::{AuthorizationType, ProtocolType};
    use aws_smithy_mocks::mock;

    use super::CONTROL;
    use crate::finding::Status::{self, Fail, NotApplicable, Pass, Unknown};
    use crate::testing::ec2::vpc;
    use crate::testing::apigateway::{http_api, method, rest_api};
    use crate::testing::{denied, judged, only};

    async fn of(
        path: &'static str,
        verb: &'static str,
        change: fn(MethodBuilder) -> MethodBuilder,
    ) -> (Status, String) {
        let mut rules = rest_api(|it| it);
        rules.push(method(path, verb, change));
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    #[tokio::test]
    async fn every_method_asks_who_calls() {
        assert_eq!(of("/students", "GET", |it| it).await.0, Pass);
        let (status, message) = of("/students", "GET", |it| it.authorization_type("NONE")).await;
        assert_eq!((status, &*message), (Fail, "anyone may call GET /students"));
        let key = of("/students", "GET", |it| it.authorization_type("NONE").api_key_required(true));
        assert_eq!(key.await.1, "anyone may call GET /students with an API key");
        let gone = of("/students", "GET", |it| it.authorization_type("CUSTOM").authorizer_id("x"));
        assert_eq!(gone.await.0, Fail, "there is no such authoriser");
    }

    #[tokio::test]
    async fn probes_and_preflights_need_not() {
        assert_eq!(of("/health", "GET", |it| it.authorization_type("NONE")).await.0, NotApplicable);
        assert_eq!(of("/health", "ANY", |it| it.authorization_type("NONE")).await.0, Fail);
        let preflight = of("/students", "OPTIONS", |it| {
            let mock = Integration::builder().r#type(IntegrationType::Mock).build();
            it.authorization_type("NONE").method_integration(mock)
        });
        assert_eq!(preflight.await.0, NotApplicable);
        let passed_on = of("/students", "OPTIONS", |it| it.authorization_type("NONE"));
        assert_eq!(passed_on.await.0, Fail, "the backend answers");
    }

    #[tokio::test]
    async fn a_signature_of_just_any_account_is_no_authorisation() {
        let mut rules = rest_api(|it| {
            it.policy(
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
                    "Action":"execute-api:Invoke","Resource":"execute-api:/*"}]}"#,
            )
        });
        rules.push(method("/students", "GET", |it| it));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Fail);

        let mut rules = rest_api(|it| {
            it.policy(
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
                    "Action":"execute-api:Invoke","Resource":"execute-api:/*",
                    "Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-foreign"}}}]}"#,
            )
        });
        rules.push(method("/students", "GET", |it| it));
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        assert_eq!(status, Fail);
        assert!(message.contains("lets every account of o-foreign in"), "{message}");
    }

    #[tokio::test]
    async fn a_private_api_is_for_the_accounts_own_endpoints() {
        let mut rules = rest_api(|it| {
            it.policy(
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
                    "Action":"execute-api:Invoke","Resource":"execute-api:/*",
                    "Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}}]}"#,
            )
        });
        rules.push(method("/students", "GET", |it| it));
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(only(&found).0, Fail, "the account has no such VPC");
        rules.push(vpc());
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Pass);
        rules.insert(0, denied!(aws_sdk_ec2, describe_vpc_endpoints, DescribeVpcEndpointsError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Unknown);
    }

    #[tokio::test]
    async fn a_user_pool_authorises() {
        let mut rules = rest_api(|it| it);
        rules[1] = mock!(aws_sdk_apigateway::Client::get_authorizers).then_output(|| {
            let one = Authorizer::builder().id("x").name("pool").build();
            GetAuthorizersOutput::builder().items(one).build()
        });
        rules.push(method("/students", "GET", |it| {
            it.authorization_type("COGNITO_USER_POOLS").authorizer_id("x")
        }));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Pass);
    }

    #[tokio::test]
    async fn http_and_websocket_apis_are_seen() {
        let http = async |protocol, route| {
            let rules = http_api(protocol, route, |it| it, |it| it);
            only(&judged(&CONTROL, &rules).await).0
        };
        assert_eq!(http(ProtocolType::Http, |it| it).await, Fail, "AWS says nothing: NONE");
        let jwt = http(ProtocolType::Http, |it| {
            it.authorization_type(AuthorizationType::Jwt).authorizer_id("x")
        });
        assert_eq!(jwt.await, Pass);
        let connect = http(ProtocolType::Websocket, |it| {
            it.route_key("$connect").authorization_type(AuthorizationType::AwsIam)
        });
        assert_eq!(connect.await, Pass);
        assert_eq!(http(ProtocolType::Websocket, |it| it).await, Fail, "no $connect route");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown() {
        let mut rules = rest_api(|it| it);
        rules.push(denied!(aws_sdk_apigateway, get_resources, GetResourcesError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Unknown);
        let apis = denied!(aws_sdk_apigatewayv2, get_apis, GetApisError);
        assert_eq!(only(&judged(&CONTROL, &[apis]).await).0, Unknown);
    }
}

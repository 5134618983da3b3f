//! What may not be read is unknown: the plan says so, field by field, and assumes nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use api::{KINDS, Stage};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use engine::inventory::{Inventory, collect};
use engine::{Aws, Journal, Scope, Target};

/// Scripted answers: the first whose text is part of the request's method, path and operation.
#[derive(Debug, Clone)]
struct Script(&'static [(&'static str, u16, &'static str)]);

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let form = request.body().bytes().unwrap_or_default();
        let form = String::from_utf8_lossy(form);
        let asked = format!("{} {} {target} {form}", request.method(), request.uri());
        let answer = self.0.iter().find(|(part, ..)| asked.contains(part));
        let (_, status, body) = *answer.unwrap_or_else(|| panic!("nobody expected {asked}"));
        let status = StatusCode::try_from(status).unwrap();
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        if !status.is_success() {
            response.headers_mut().insert("x-amzn-errortype", "AccessDeniedException");
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl HttpClient for Script {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

const WHO: (&str, u16, &str) = (
    "Action=GetCallerIdentity",
    200,
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/a</Arn>\
     <UserId>A</UserId><Account>123456789012</Account></GetCallerIdentityResult>\
     </GetCallerIdentityResponse>",
);
const DENIED: &str = r#"{"message": "User is not authorized"}"#;
const APIS: &str = r#"{"item": [{"id": "abc", "name": "student-api-dev",
    "endpointConfiguration": {"types": ["REGIONAL"]}}]}"#;

async fn inventory(script: &'static [(&'static str, u16, &'static str)]) -> Inventory {
    let client = SharedHttpClient::new(Script(script));
    let aws = Aws::connect(Target::Embedded(client), Some("us-east-1")).await.unwrap();
    collect(&aws, KINDS, &Scope::Account, &Journal::in_memory()).await
}

#[tokio::test]
async fn a_denied_detail_is_an_unreadable_field_and_a_denied_listing_an_error() {
    let found = inventory(&[
        WHO,
        ("/authorizers", 200, "{}"),
        ("/abc/resources", 403, DENIED),
        ("/abc/stages", 200, r#"{"item": [{"stageName": "prod", "deploymentId": "d1"}]}"#),
        ("/deployments/d1", 403, DENIED),
        ("/restapis", 200, APIS),
        ("/v2/vpclinks", 403, DENIED),
        ("/account", 403, DENIED),
        ("ListWebACLs", 200, r#"{"WebACLs": [{"Name": "acl", "Id": "1", "ARN": "arn:acl"}]}"#),
        ("ListTagsForResource", 200, "{}"),
        ("GetWebACL", 403, DENIED),
        ("GetLoggingConfiguration", 403, DENIED),
    ])
    .await;

    let unreadable =
        |kind: &str| -> Vec<String> { found.of_kind(kind)[0].unreadable.keys().cloned().collect() };
    assert_eq!(unreadable("apigateway.rest_api"), ["routes"]);
    assert_eq!(unreadable("apigateway.stage"), ["definition_hash"]);
    assert_eq!(
        unreadable("wafv2.web_acl"),
        ["default_action", "logging", "metrics", "rules", "sampled_requests"]
    );
    assert!(found.errors.contains_key("apigatewayv2.vpc_link"), "{:?}", found.errors);
    assert!(found.errors.contains_key("apigateway.account"), "{:?}", found.errors);
}

#[tokio::test]
async fn what_aws_leaves_out_is_absent_and_not_assumed() {
    let found = inventory(&[
        WHO,
        ("/authorizers", 200, "{}"),
        ("/abc/resources", 200, r#"{"item": [{"id": "r", "path": "/"}]}"#),
        (
            "/abc/stages",
            200,
            r#"{"item": [{"stageName": "prod", "deploymentId": "d1", "webAclArn": "",
                "accessLogSettings": {"format": "$context.requestId",
                "destinationArn": "arn:aws:logs:us-east-1:123456789012:log-group:a:*"}}]}"#,
        ),
        ("/deployments/d1", 200, r#"{"id": "d1", "description": "by hand"}"#),
        ("/restapis", 200, APIS),
        ("/v2/vpclinks", 200, "{}"),
        ("/account", 200, "{}"),
        ("ListWebACLs", 200, "{}"),
    ])
    .await;
    assert_eq!(found.errors.len(), 0, "{:?}", found.errors);
    let stage = found.of::<Stage>().unwrap().remove(0);
    assert_eq!(stage.spec.web_acl_arn, None);
    assert_eq!(stage.spec.definition_hash, "", "nothing of ours is deployed");
    let logs = stage.spec.access_logs.unwrap();
    assert_eq!(logs.destination.as_str(), "arn:aws:logs:us-east-1:123456789012:log-group:a");
}

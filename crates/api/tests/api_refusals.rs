//! What AWS refuses, the embedded control plane refuses; and tags are mended like any field.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use api::{KINDS, RestApi, WebAcl};
use aws_sdk_apigateway::error::ProvideErrorMetadata;
use aws_sdk_apigateway::types::{Op, PatchOperation};
use engine::plan::Options;
use engine::{Aws, Stack, StackName, Tags, Target, client, deploy};

async fn aws() -> Aws {
    let plane = local::ControlPlane::in_memory();
    Aws::connect(Target::Embedded(plane.http_client()), Some("us-east-1")).await.unwrap()
}

async fn new_api(aws: &Aws) -> (String, String) {
    let made = client!(aws, aws_sdk_apigateway).create_rest_api().name("a").send().await.unwrap();
    (made.id.unwrap(), made.root_resource_id.unwrap())
}

#[tokio::test]
async fn a_link_of_version_1_does_not_lead_to_an_application_load_balancer() {
    let aws = aws().await;
    let alb = aws.arn("elasticloadbalancing", "loadbalancer/app/records/0123456789abcdef");
    let call = client!(aws, aws_sdk_apigateway).create_vpc_link().name("link").target_arns(alb);
    assert_eq!(call.send().await.unwrap_err().code(), Some("BadRequestException"));
}

#[tokio::test]
async fn an_api_without_methods_or_integrations_is_not_deployed() {
    let aws = aws().await;
    let gateway = client!(aws, aws_sdk_apigateway);
    let (api, root) = new_api(&aws).await;
    let deploy = || gateway.create_deployment().rest_api_id(&api).stage_name("prod").send();
    let empty = deploy().await.unwrap_err();
    assert_eq!(empty.message(), Some("The REST API doesn't contain any methods"));

    let put = || {
        let call = gateway.put_method().rest_api_id(&api).resource_id(&root).http_method("GET");
        call.authorization_type("NONE").send()
    };
    put().await.unwrap();
    assert_eq!(put().await.unwrap_err().code(), Some("ConflictException"));
    let hollow = deploy().await.unwrap_err();
    assert_eq!(hollow.message(), Some("No integration defined for method"));
}

#[tokio::test]
async fn a_stage_does_not_log_before_the_account_has_a_role() {
    let aws = aws().await;
    let gateway = client!(aws, aws_sdk_apigateway);
    let (api, root) = new_api(&aws).await;
    let call = gateway.put_method().rest_api_id(&api).resource_id(&root).http_method("GET");
    call.authorization_type("AWS_IAM").send().await.unwrap();
    let call = gateway.put_integration().rest_api_id(&api).resource_id(&root).http_method("GET");
    call.r#type(aws_sdk_apigateway::types::IntegrationType::Mock).send().await.unwrap();
    gateway.create_deployment().rest_api_id(&api).stage_name("prod").send().await.unwrap();

    let patch = |path: &str, value: &str| {
        let operation = PatchOperation::builder().op(Op::Replace).path(path).value(value).build();
        let call = gateway.update_stage().rest_api_id(&api).stage_name("prod");
        call.patch_operations(operation).send()
    };
    let silent = patch("/*/*/logging/loglevel", "INFO").await.unwrap_err();
    assert!(silent.message().unwrap().starts_with("CloudWatch Logs role ARN must be set"));
    let unknown = patch("/loggingLevel", "INFO").await.unwrap_err();
    assert!(unknown.message().unwrap().starts_with("Invalid patch path"), "{unknown:?}");
}

#[tokio::test]
async fn tags_are_mended() {
    let aws = aws().await;
    let (api, acl) = kinds();
    let mut stack = Stack::new(StackName::new("student", "tags"), Tags::new());
    let tags = Tags::from([("Owner".to_owned(), "registrar".to_owned())]);
    stack.add_tagged("api/rest-api", api, tags.clone());
    stack.add_tagged("api/web-acl", acl, tags);
    let up = deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();

    for live in up.live.values() {
        let arn = live.arn.as_deref().unwrap();
        if arn.contains("/restapis/") {
            let gateway = client!(aws, aws_sdk_apigateway);
            let call = gateway.untag_resource().resource_arn(arn).tag_keys("Owner");
            call.send().await.unwrap();
            let more = gateway.tag_resource().resource_arn(arn).tags("a", "1").tags("b", "2");
            more.send().await.unwrap();
        } else {
            let call = client!(aws, aws_sdk_wafv2).untag_resource().resource_arn(arn);
            call.tag_keys("Owner").send().await.unwrap();
        }
    }
    let drift = deploy::drift(&aws, &stack, KINDS).await;
    assert_eq!(drift.actions.len(), 2, "{drift:?}");
    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert!(deploy::drift(&aws, &stack, KINDS).await.is_empty());
}

fn kinds() -> (RestApi, WebAcl) {
    let api = RestApi {
        name: "student-api-tags".into(),
        description: String::new(),
        endpoint_type: "REGIONAL".into(),
        security_policy: Some("TLS_1_2".into()),
        endpoint_access_mode: None,
        execute_api_endpoint: true,
        minimum_compression_size: None,
        api_key_source: "HEADER".into(),
        policy: Some(engine::Policy::new(vec![serde_json::json!({
            "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
            "Resource": "execute-api:/*"
        })])),
        authorizers: BTreeMap::new(),
        routes: BTreeMap::new(),
    };
    let acl = WebAcl {
        name: "student-acl-tags".into(),
        scope: "REGIONAL".into(),
        description: String::new(),
        default_action: "ALLOW".into(),
        rules: BTreeMap::new(),
        metrics: true,
        sampled_requests: false,
        logging: None,
    };
    (api, acl)
}

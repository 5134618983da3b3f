//! APIs and a stage, as API Gateway describes them.

use aws_sdk_apigateway::operation::get_authorizers::GetAuthorizersOutput;
use aws_sdk_apigateway::operation::get_deployment::GetDeploymentOutput;
use aws_sdk_apigateway::operation::get_resources::GetResourcesOutput;
use aws_sdk_apigateway::operation::get_rest_apis::GetRestApisOutput;
use aws_sdk_apigateway::operation::get_stages::GetStagesOutput;
use aws_sdk_apigateway::types::builders::{MethodBuilder, RestApiBuilder, StageBuilder};
use aws_sdk_apigateway::types::{
    AccessLogSettings, ConnectionType, Integration, IntegrationType, Method, MethodSetting,
    Resource, RestApi, SecurityPolicy, Stage,
};
use aws_sdk_apigatewayv2::operation::get_apis::GetApisOutput;
use aws_sdk_apigatewayv2::operation::get_integrations::GetIntegrationsOutput;
use aws_sdk_apigatewayv2::operation::get_routes::GetRoutesOutput;
use aws_sdk_apigatewayv2::operation::get_stages::GetStagesOutput as GetHttpStagesOutput;
use aws_sdk_apigatewayv2::types as v2;
use aws_sdk_apigatewayv2::types::builders::{
    IntegrationBuilder as HttpIntegrationBuilder, RouteBuilder, StageBuilder as HttpStageBuilder,
};
use aws_smithy_mocks::{Rule, mock};

/// The ARN of the web ACL in front of the stage.
pub(crate) const ACL: &str = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/front/a1b2c3";

/// A REST API with no methods.
pub(crate) fn rest_api(
    change: impl Fn(RestApiBuilder) -> RestApiBuilder + Send + Sync + 'static,
) -> Vec<Rule> {
    let apis = move || {
        let one = RestApi::builder()
            .id("abc")
            .name("records")
            .security_policy(SecurityPolicy::SecurityPolicyTls1312202106);
        GetRestApisOutput::builder().items(change(one).build()).build()
    };
    vec![
        mock!(aws_sdk_apigateway::Client::get_rest_apis).then_output(apis),
        mock!(aws_sdk_apigateway::Client::get_authorizers)
            .then_output(|| GetAuthorizersOutput::builder().build()),
    ]
}

/// Its one method, which leads over HTTPS to a load balancer.
pub(crate) fn method(
    path: &'static str,
    verb: &'static str,
    change: impl Fn(MethodBuilder) -> MethodBuilder + Send + Sync + 'static,
) -> Rule {
    mock!(aws_sdk_apigateway::Client::get_resources).then_output(move || {
        let one = Method::builder().authorization_type("AWS_IAM");
        let one = one.method_integration(integration("https://internal.example.edu/students"));
        let resource = Resource::builder().id("r").path(path);
        let resource = resource.resource_methods(verb, change(one).build()).build();
        GetResourcesOutput::builder().items(resource).build()
    })
}

/// A proxy over a VPC link.
pub(crate) fn integration(uri: &str) -> Integration {
    Integration::builder()
        .r#type(IntegrationType::HttpProxy)
        .connection_type(ConnectionType::VpcLink)
        .uri(uri)
        .build()
}

/// Its only stage: with a web ACL, a limit, and logs that name a caller who signs requests.
pub(crate) fn stage(
    change: impl Fn(StageBuilder) -> StageBuilder + Send + Sync + 'static,
) -> Vec<Rule> {
    let stages = move || {
        let logs = AccessLogSettings::builder()
            .destination_arn("arn:aws:logs:us-east-1:123456789012:log-group:api")
            .format("$context.requestId $context.identity.userArn");
        let one = Stage::builder()
            .stage_name("prod")
            .deployment_id("d")
            .web_acl_arn(ACL)
            .access_log_settings(logs.build())
            .method_settings("*/*", limit(100.0));
        GetStagesOutput::builder().item(change(one).build()).build()
    };
    vec![
        mock!(aws_sdk_apigateway::Client::get_stages).then_output(stages),
        mock!(aws_sdk_apigateway::Client::get_deployment)
            .then_output(|| GetDeploymentOutput::builder().build()),
    ]
}

pub(crate) fn limit(rate: f64) -> MethodSetting {
    MethodSetting::builder().throttling_rate_limit(rate).throttling_burst_limit(200).build()
}

/// An HTTP API with one route, one integration and one stage.
pub(crate) fn http_api(
    protocol: v2::ProtocolType,
    route: fn(RouteBuilder) -> RouteBuilder,
    integration: fn(HttpIntegrationBuilder) -> HttpIntegrationBuilder,
    stage: fn(HttpStageBuilder) -> HttpStageBuilder,
) -> Vec<Rule> {
    let apis = move || {
        let one = v2::Api::builder().api_id("h1").name("side-door").protocol_type(protocol.clone());
        GetApisOutput::builder().items(one.build()).build()
    };
    vec![
        mock!(aws_sdk_apigatewayv2::Client::get_apis).then_output(apis),
        mock!(aws_sdk_apigatewayv2::Client::get_routes).then_output(move || {
            let one = route(v2::Route::builder().route_key("GET /students"));
            GetRoutesOutput::builder().items(one.build()).build()
        }),
        mock!(aws_sdk_apigatewayv2::Client::get_integrations).then_output(move || {
            let one = integration(v2::Integration::builder().integration_id("i"));
            GetIntegrationsOutput::builder().items(one.build()).build()
        }),
        mock!(aws_sdk_apigatewayv2::Client::get_stages).then_output(move || {
            let one = stage(v2::Stage::builder().stage_name("$default"));
            GetHttpStagesOutput::builder().items(one.build()).build()
        }),
    ]
}

//! An API with one stage.

use aws_sdk_apigateway::operation::get_deployment::GetDeploymentOutput;
use aws_sdk_apigateway::operation::get_rest_apis::GetRestApisOutput;
use aws_sdk_apigateway::operation::get_stages::GetStagesOutput;
use aws_sdk_apigateway::types::builders::StageBuilder;
use aws_sdk_apigateway::types::{AccessLogSettings, RestApi, Stage};
use aws_smithy_mocks::{Rule, mock};

/// A stage that writes its access log to [`GROUP`](super::GROUP), changed.
pub(crate) fn stage(
    change: impl Fn(StageBuilder) -> StageBuilder + Send + Sync + 'static,
) -> Vec<Rule> {
    let described = move || {
        let group = format!("arn:aws:logs:us-east-1:123456789012:log-group:{}", super::GROUP);
        let logs = AccessLogSettings::builder().destination_arn(group).format("{}").build();
        let stage =
            Stage::builder().stage_name("prod").deployment_id("d").access_log_settings(logs);
        GetStagesOutput::builder().item(change(stage).build()).build()
    };
    vec![
        mock!(aws_sdk_apigateway::Client::get_rest_apis).then_output(|| {
            let api = RestApi::builder().id("api").name("records").build();
            GetRestApisOutput::builder().items(api).build()
        }),
        mock!(aws_sdk_apigateway::Client::get_stages).then_output(described),
        mock!(aws_sdk_apigateway::Client::get_deployment)
            .then_output(|| GetDeploymentOutput::builder().id("d").build()),
    ]
}

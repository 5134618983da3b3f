//! `apigateway.stage`: what serves an API's requests: a deployment of its definition, with logs,
//! throttling, tracing and a web ACL.
//!
//! A deployment (a frozen copy of the API) is a field of the stage: it carries the fingerprint of the
//! definition in its description. Making the stage takes two calls. CreateDeployment comes first; it
//! cannot orphan anything, because a deployment belongs to its API, is deleted with it, and is found
//! again by its fingerprint. CreateStage, with the tags in it, is the one that makes the stage.
//! (CreateDeployment could make a stage too, but not with tags.)

use std::collections::{BTreeMap, HashMap};

use aws_sdk_apigateway::types::{Op, PatchOperation, Stage as Description};
use engine::plaintext::hide;
use engine::vocabulary::{Arn, Id, LogGroupArn, RestApiId, WebAclArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Ref, Resource, Result,
    Scope, Tags, Traits, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::rest_api;
use crate::tags::{from_map, retag, to_map};

/// The settings under this key hold for every method that has none of its own.
pub const EVERY_METHOD: &str = "*/*";

/// What a deployment's description says before the fingerprint.
const MARK: &str = "definition ";

/// A stage. Its output `invoke_url` is where it answers.
///
/// It is looked for in the APIs of the stack (by tags or name).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The API.
    pub rest_api_id: Ref<RestApiId>,
    /// The first part of the path: letters, digits, `-`, `_`; up to 128 characters.
    pub stage_name: String,
    /// The fingerprint of what is deployed ([`RestApi::definition`](crate::RestApi::definition)): when
    /// it changes, a new deployment is made, and only then. What somebody else deployed has none.
    pub definition_hash: String,
    /// Access logs. Absent: none are written.
    pub access_logs: Option<AccessLogs>,
    /// Logs, metrics, throttling and caching by method ([`EVERY_METHOD`], `~1students/GET`).
    pub method_settings: BTreeMap<String, MethodSettings>,
    /// Whether requests are traced with X-Ray.
    pub tracing: bool,
    /// Whether the stage has a cache for responses.
    pub cache_cluster: bool,
    /// The certificate with which the stage identifies itself to the backend.
    pub client_certificate_id: Option<String>,
    /// Stage variables. What is read and looks like a secret is [hidden](engine::plaintext).
    pub variables: BTreeMap<String, String>,
    /// The web ACL that requests must pass.
    pub web_acl_arn: Option<Ref<WebAclArn>>,
}

/// Where access logs go, and what a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLogs {
    /// The log group.
    pub destination: Ref<LogGroupArn>,
    /// A line, with `$context` variables; `$context.requestId` must be among them.
    pub format: String,
}

impl AccessLogs {
    /// A line of JSON with who called, from where, for what, and how it ended: the raw material of the
    /// record of requests and disclosures that 34 CFR 99.32 asks for.
    pub fn json_format() -> String {
        let fields = [
            ("requestId", "$context.requestId"),
            ("extendedRequestId", "$context.extendedRequestId"),
            ("requestTime", "$context.requestTime"),
            ("requestTimeEpoch", "$context.requestTimeEpoch"),
            ("apiId", "$context.apiId"),
            ("stage", "$context.stage"),
            ("sourceIp", "$context.identity.sourceIp"),
            ("userAgent", "$context.identity.userAgent"),
            ("accountId", "$context.identity.accountId"),
            ("caller", "$context.identity.caller"),
            ("user", "$context.identity.user"),
            ("userArn", "$context.identity.userArn"),
            ("principalId", "$context.authorizer.principalId"),
            ("cognitoSubject", "$context.authorizer.claims.sub"),
            ("authorizeStatus", "$context.authorize.status"),
            ("authorizeError", "$context.authorize.error"),
            ("wafStatus", "$context.waf.status"),
            ("httpMethod", "$context.httpMethod"),
            ("resourcePath", "$context.resourcePath"),
            ("path", "$context.path"),
            ("protocol", "$context.protocol"),
            ("tlsVersion", "$context.tlsVersion"),
            ("status", "$context.status"),
            ("integrationStatus", "$context.integration.status"),
            ("error", "$context.error.responseType"),
            ("responseLength", "$context.responseLength"),
            ("responseLatency", "$context.responseLatency"),
        ];
        let pair = |(name, value): &(&str, &str)| format!("\"{name}\":\"{value}\"");
        format!("{{{}}}", fields.iter().map(pair).collect::<Vec<_>>().join(","))
    }
}

/// How the methods of a stage run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodSettings {
    /// Execution logs: `OFF`, `ERROR` or `INFO`.
    pub logging_level: String,
    /// Whether execution logs hold whole requests and responses, bodies and tokens included. Student
    /// records do not belong in them.
    pub data_trace: bool,
    /// Whether metrics are kept for each method.
    pub metrics: bool,
    /// Requests a second; -1 means the account's limit.
    pub throttling_rate_limit: f64,
    /// Requests at once; -1 means the account's limit.
    pub throttling_burst_limit: i32,
    /// Whether responses are cached (where the stage has a cache).
    pub caching: bool,
    /// Whether cached responses are encrypted.
    pub cache_encrypted: bool,
}

impl Resource for Stage {
    const TRAITS: Traits = Traits {
        immutable: &["rest_api_id", "stage_name"],
        late: &["access_logs", "method_settings", "client_certificate_id", "web_acl_arn"],
        not_yet: &[
            // The account's role takes a moment to arrive.
            ("BadRequestException", "CloudWatch Logs role ARN must be set"),
            ("ConflictException", "concurrent modification"),
            ("TooManyRequestsException", ""),
            // WAF does not see the stage, or the stage the web ACL, as soon as it exists.
            ("WAFUnavailableEntityException", ""),
        ],
        attached_by: &[("rest_api_id", "apigateway.rest_api")],
        permissions: Permissions {
            read: &[Allow::to(&["apigateway:GET"])
                .on(&["apigateway:{region}::/restapis", "apigateway:{region}::/restapis/*"])],
            make: &[
                Allow::to(&["apigateway:POST", "apigateway:PATCH"])
                    .on(&["apigateway:{region}::/restapis/*"])
                    .of_stack(),
                // Tags have no tags that could say whose they are: `retag` names the stack in the request.
                Allow::to(&["apigateway:PUT", "apigateway:POST"])
                    .on(&["apigateway:{region}::/tags/*restapis*"])
                    .for_stack(),
                Allow::to(&["apigateway:DELETE"]).on(&["apigateway:{region}::/tags/*restapis*"]),
                Allow::to(&["wafv2:AssociateWebACL"]).on(&[
                    "wafv2:{here}:regional/webacl/{name}/*",
                    "wafv2:{here}:regional/webacl/{successor}/*",
                ]),
                // WAF knows no tags of a stage; it cannot do it without `apigateway:SetWebACL`, which does.
                Allow::to(&["wafv2:AssociateWebACL"])
                    .on(&["apigateway:{region}::/restapis/*/stages/*"]),
                Allow::to(&["wafv2:DisassociateWebACL"])
                    .on(&["apigateway:{region}::/restapis/*/stages/*"]),
                // WAF sets it on the stage in the name of the caller:
                // https://docs.aws.amazon.com/service-authorization/latest/reference/list_awswafv2.html
                Allow::to(&["apigateway:SetWebACL"])
                    .on(&["apigateway:{region}::/restapis/*/stages/*"])
                    .of_stack(),
            ],
            remove: &[
                Allow::to(&["wafv2:DisassociateWebACL"])
                    .on(&["apigateway:{region}::/restapis/*/stages/*"]),
                Allow::to(&["apigateway:SetWebACL"])
                    .on(&["apigateway:{region}::/restapis/*/stages/*"])
                    .of_stack(),
                Allow::to(&["apigateway:DELETE"])
                    .on(&["apigateway:{region}::/restapis/*"])
                    .of_stack(),
            ],
        },
        ..Traits::of("apigateway.stage")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        collect(aws, scope).await
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let deployment = self.deployment(aws).await?;
        let variables: HashMap<String, String> = self.variables.clone().into_iter().collect();
        let call = client!(aws, aws_sdk_apigateway)
            .create_stage()
            .rest_api_id(self.rest_api_id.as_str())
            .stage_name(&self.stage_name)
            .deployment_id(deployment)
            .tracing_enabled(self.tracing)
            .cache_cluster_enabled(self.cache_cluster)
            .set_variables(Some(variables).filter(|variables| !variables.is_empty()))
            .set_tags(Some(to_map(&new.tags)));
        aws.call("apigateway:POST", call.send()).await?;
        let spec = Self {
            access_logs: None,
            method_settings: BTreeMap::new(),
            client_certificate_id: None,
            web_acl_arn: None,
            ..self.clone()
        };
        Ok(live(aws, spec).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let mut patches = self.patches(&live.spec, changes);
        if changes.has("definition_hash") {
            let deployment = self.deployment(aws).await?;
            patches.push(replace("/deploymentId", deployment));
        }
        if !patches.is_empty() {
            let call = client!(aws, aws_sdk_apigateway)
                .update_stage()
                .rest_api_id(self.rest_api_id.as_str())
                .stage_name(&self.stage_name)
                .set_patch_operations(Some(patches));
            aws.call("apigateway:PATCH", call.send()).await?;
        }
        if changes.has("web_acl_arn") {
            let arn = live.require_arn("apigateway:GET")?;
            match &self.web_acl_arn {
                Some(acl) => {
                    let call = client!(aws, aws_sdk_wafv2)
                        .associate_web_acl()
                        .web_acl_arn(acl.as_str())
                        .resource_arn(arn);
                    aws.call("wafv2:AssociateWebACL", call.send()).await?;
                }
                None => let_go_of_web_acl(aws, arn).await?,
            }
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, live.require_arn("apigateway:GET")?, &live.tags, put, remove).await
    }

    async fn detach(aws: &Aws, live: &Live<Self>) -> Result<()> {
        match &live.spec.web_acl_arn {
            Some(_) => let_go_of_web_acl(aws, live.require_arn("apigateway:GET")?).await,
            None => Ok(()),
        }
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_apigateway)
            .delete_stage()
            .rest_api_id(live.spec.rest_api_id.as_str())
            .stage_name(&live.spec.stage_name);
        aws.call("apigateway:DELETE", call.send()).await?;
        Ok(())
    }
}

impl Stage {
    /// The deployment of the definition: the one that exists, or a new one.
    async fn deployment(&self, aws: &Aws) -> Result<String> {
        let action = "apigateway:POST";
        let gateway = client!(aws, aws_sdk_apigateway);
        let description = format!("{MARK}{}", self.definition_hash);
        let call = gateway
            .get_deployments()
            .rest_api_id(self.rest_api_id.as_str())
            .limit(500)
            .into_paginator()
            .items();
        let existing = aws.call("apigateway:GET", call.send().try_collect()).await?;
        let same = existing.into_iter().find(|one| one.description() == Some(&description));
        if let Some(id) = same.and_then(|deployment| deployment.id) {
            return Ok(id);
        }
        let call = gateway
            .create_deployment()
            .rest_api_id(self.rest_api_id.as_str())
            .description(description);
        let made = aws.call(action, call.send()).await?;
        made.id.ok_or_else(|| Error::incomplete(action, "the deployment's id"))
    }

    /// The changes that one UpdateStage call makes, the deployment aside.
    fn patches(&self, live: &Self, changes: &Changes) -> Vec<PatchOperation> {
        let mut patches = Vec::new();
        if changes.has("access_logs") {
            match &self.access_logs {
                Some(logs) => {
                    let destination = logs.destination.as_str();
                    patches.push(replace("/accessLogSettings/destinationArn", destination));
                    patches.push(replace("/accessLogSettings/format", &logs.format));
                }
                None => patches.push(remove("/accessLogSettings")),
            }
        }
        if changes.has("method_settings") {
            for (key, settings) in &self.method_settings {
                if live.method_settings.get(key) != Some(settings) {
                    patches.extend(settings.patches(key));
                }
            }
            for key in live.method_settings.keys() {
                if !self.method_settings.contains_key(key) {
                    patches.push(remove(&format!("/{key}")));
                }
            }
        }
        if changes.has("tracing") {
            patches.push(replace("/tracingEnabled", self.tracing.to_string()));
        }
        if changes.has("cache_cluster") {
            patches.push(replace("/cacheClusterEnabled", self.cache_cluster.to_string()));
        }
        if changes.has("client_certificate_id") {
            let id = self.client_certificate_id.clone().unwrap_or_default();
            patches.push(replace("/clientCertificateId", id));
        }
        if changes.has("variables") {
            for (name, value) in &self.variables {
                if live.variables.get(name) != Some(value) {
                    patches.push(replace(&format!("/variables/{name}"), value));
                }
            }
            for name in live.variables.keys() {
                if !self.variables.contains_key(name) {
                    patches.push(remove(&format!("/variables/{name}")));
                }
            }
        }
        patches
    }
}

impl MethodSettings {
    fn patches(&self, key: &str) -> Vec<PatchOperation> {
        let set = |path: &str, value: String| replace(&format!("/{key}/{path}"), value);
        vec![
            set("logging/loglevel", self.logging_level.clone()),
            set("logging/dataTrace", self.data_trace.to_string()),
            set("metrics/enabled", self.metrics.to_string()),
            set("throttling/rateLimit", self.throttling_rate_limit.to_string()),
            set("throttling/burstLimit", self.throttling_burst_limit.to_string()),
            set("caching/enabled", self.caching.to_string()),
            set("caching/dataEncrypted", self.cache_encrypted.to_string()),
        ]
    }
}

fn replace(path: &str, value: impl Into<String>) -> PatchOperation {
    PatchOperation::builder().op(Op::Replace).path(path).value(value).build()
}

fn remove(path: &str) -> PatchOperation {
    PatchOperation::builder().op(Op::Remove).path(path).build()
}

async fn let_go_of_web_acl(aws: &Aws, stage: &str) -> Result<()> {
    let call = client!(aws, aws_sdk_wafv2).disassociate_web_acl().resource_arn(stage);
    aws.find("wafv2:DisassociateWebACL", call.send()).await?;
    Ok(())
}

fn live(aws: &Aws, spec: Stage) -> Live<Stage> {
    let (api, name, region) = (spec.rest_api_id.as_str(), &spec.stage_name, aws.region());
    let id = format!("{api}/{name}");
    let arn = format!("arn:{}:apigateway:{region}::/restapis/{api}/stages/{name}", aws.partition());
    let suffix = if aws.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let url = format!("https://{api}.execute-api.{region}.{suffix}/{name}");
    Live::new(id, spec).with_arn(arn).with_output("invoke_url", Some(url))
}

async fn collect(aws: &Aws, scope: &Scope) -> Collected<Stage> {
    let apis = match rest_api::describe(aws).await {
        Ok(apis) => apis,
        Err(error) => return Collected::failed(error),
    };
    let ours = apis.into_iter().filter_map(|api| {
        let name = api.name.unwrap_or_default();
        let ours = scope.wants(&from_map(api.tags)) || scope.may_be_ours(&name);
        api.id.filter(|_| ours)
    });
    let reads = ours.map(|api| async move { stages(aws, scope, &api).await });
    let found: Vec<Result<Vec<Live<Stage>>>> =
        futures::stream::iter(reads).buffer_unordered(4).collect().await;
    let mut collected = Collected::default();
    for stages in found {
        match stages {
            Ok(stages) => collected.live.extend(stages),
            Err(error) => collected.errors.extend(Collected::<Stage>::failed(error).errors),
        }
    }
    collected
}

async fn stages(aws: &Aws, scope: &Scope, api: &str) -> Result<Vec<Live<Stage>>> {
    let call = client!(aws, aws_sdk_apigateway).get_stages().rest_api_id(api);
    // An API may be deleted between the two calls.
    let Some(answer) = aws.find("apigateway:GET", call.send()).await? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for stage in answer.item.unwrap_or_default() {
        let tags = from_map(stage.tags.clone());
        let deployment = stage.deployment_id.clone().unwrap_or_default();
        let mut live = live(aws, from_description(api, stage)?);
        if scope.wants(&tags) {
            let definition = definition(aws, api, &deployment).await;
            live.read("definition_hash", definition, |spec, hash| spec.definition_hash = hash);
        }
        found.push(live.with_tags(tags));
    }
    Ok(found)
}

/// The fingerprint that a deployment carries.
async fn definition(aws: &Aws, api: &str, deployment: &str) -> Result<String> {
    let call = client!(aws, aws_sdk_apigateway)
        .get_deployment()
        .rest_api_id(api)
        .deployment_id(deployment);
    let found = aws.call("apigateway:GET", call.send()).await?;
    let description = found.description.unwrap_or_default();
    Ok(description.strip_prefix(MARK).unwrap_or_default().to_owned())
}

fn from_description(api: &str, stage: Description) -> Result<Stage> {
    let stage_name =
        stage.stage_name.ok_or_else(|| Error::incomplete("apigateway:GET", "a stage's name"))?;
    let logs = stage.access_log_settings.and_then(|logs| {
        let destination = logs.destination_arn.filter(|arn| !arn.is_empty())?;
        let destination = destination.trim_end_matches(":*");
        Some(AccessLogs {
            destination: destination.into(),
            format: logs.format.unwrap_or_default(),
        })
    });
    let settings = stage.method_settings.unwrap_or_default().into_iter().map(|(key, found)| {
        let settings = MethodSettings {
            logging_level: found.logging_level.unwrap_or_else(|| "OFF".into()),
            data_trace: found.data_trace_enabled,
            metrics: found.metrics_enabled,
            throttling_rate_limit: found.throttling_rate_limit,
            throttling_burst_limit: found.throttling_burst_limit,
            caching: found.caching_enabled,
            cache_encrypted: found.cache_data_encrypted,
        };
        (key, settings)
    });
    Ok(Stage {
        rest_api_id: api.into(),
        stage_name,
        definition_hash: String::new(),
        access_logs: logs,
        method_settings: settings.collect(),
        tracing: stage.tracing_enabled,
        cache_cluster: stage.cache_cluster_enabled,
        client_certificate_id: stage.client_certificate_id.filter(|id| !id.is_empty()),
        variables: hide(stage.variables.unwrap_or_default()),
        web_acl_arn: stage.web_acl_arn.filter(|arn| !arn.is_empty()).map(Ref::known),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_log_line_is_json_that_names_the_caller() {
        let line: serde_json::Value = serde_json::from_str(&AccessLogs::json_format()).unwrap();
        for field in ["requestId", "userArn", "principalId", "sourceIp", "path", "status"] {
            assert!(line[field].as_str().is_some_and(|text| text.starts_with("$context.")));
        }
        assert!(!AccessLogs::json_format().contains('\n'), "AWS wants one line");
    }

    #[test]
    fn a_secret_in_a_stage_variable_is_not_read() {
        let variables = [("api_token", "hunter2"), ("level", "info")];
        let stage = variables.into_iter().fold(
            Description::builder().stage_name("prod").deployment_id("d"),
            |stage, (name, value)| stage.variables(name, value),
        );
        let read = from_description("abc", stage.build()).unwrap();
        assert_eq!(read.variables["level"], "info");
        assert!(!read.variables["api_token"].contains("hunter2"));
    }

    #[test]
    fn settings_that_somebody_added_for_one_method_are_removed() {
        let settings = MethodSettings {
            logging_level: "INFO".into(),
            data_trace: false,
            metrics: true,
            throttling_rate_limit: 100.0,
            throttling_burst_limit: 200,
            caching: false,
            cache_encrypted: true,
        };
        let mut wanted = from_description(
            "abc",
            Description::builder().stage_name("prod").deployment_id("d").build(),
        )
        .unwrap();
        wanted.method_settings.insert(EVERY_METHOD.into(), settings.clone());
        let mut live = wanted.clone();
        let loud = MethodSettings { data_trace: true, ..settings };
        live.method_settings.insert("~1students/GET".into(), loud);
        let change = engine::diff::FieldChange {
            path: "method_settings.~1students/GET".into(),
            old: true.into(),
            new: serde_json::Value::Null,
        };
        let patches = wanted.patches(&live, &Changes(vec![change]));
        assert_eq!(patches.len(), 1, "{patches:?}");
        assert_eq!(patches[0].op(), Some(&Op::Remove));
        assert_eq!(patches[0].path(), Some("/~1students/GET"));
    }
}

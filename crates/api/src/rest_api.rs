//! `apigateway.rest_api`: a REST API with its authorisers and its whole tree of resources, methods and
//! integrations.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_apigateway::types::{
    ApiKeySourceType, AuthorizerType, ConnectionType, EndpointAccessMode, EndpointConfiguration,
    EndpointType, IntegrationType, Op, PatchOperation, RestApi as Description, SecurityPolicy,
    TlsConfig,
};
use engine::reference::placeholders;
use engine::vocabulary::{Arn, FunctionArn, LoadBalancerArn, RestApiId, RoleArn, VpcLinkId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Policy, Ref, Resource,
    Result, Scope, Tags, Traits, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::tags::{from_map, retag, to_map};

/// The methods of an API: by path (`/students/{id}`), then by HTTP method (`GET`, or `ANY`).
pub type Routes = BTreeMap<String, BTreeMap<String, Method>>;

/// A REST API.
///
/// What this describes is the draft. Requests are served by a deployment of it, which a
/// [`Stage`](crate::Stage) points to: nothing here takes effect before the stage has a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestApi {
    /// Its name. AWS does not ask that it be unique.
    pub name: String,
    /// A description, up to 1024 characters. May be empty.
    pub description: String,
    /// `REGIONAL`, `EDGE` or `PRIVATE`.
    pub endpoint_type: String,
    /// The TLS versions and ciphers that clients may use. `TLS_1_0` is AWS's default for regional
    /// APIs; the names that start with `SecurityPolicy_TLS13_1_2` ask for TLS 1.2 at least. Absent
    /// where AWS does not say.
    pub security_policy: Option<String>,
    /// `STRICT` refuses requests whose host name and TLS server name do not both belong to the
    /// endpoint; `BASIC` does not. Only with a security policy that starts with `SecurityPolicy_`.
    pub endpoint_access_mode: Option<String>,
    /// Whether the endpoint `https://{api}.execute-api.{region}.amazonaws.com` answers.
    pub execute_api_endpoint: bool,
    /// Responses from this size on, in bytes, are compressed. Absent: none are.
    pub minimum_compression_size: Option<i32>,
    /// Where API keys are looked for: `HEADER` or `AUTHORIZER`.
    pub api_key_source: String,
    /// Who may call it at all, beside what each method asks. `Resource` elements are written as
    /// `execute-api:/…`.
    pub policy: Option<Policy>,
    /// Its authorisers, by name.
    pub authorizers: BTreeMap<String, Authorizer>,
    /// Its methods. Resources without a method are not shown.
    pub routes: Routes,
}

/// Who decides whether a request may pass, where that is not IAM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorizer {
    /// `COGNITO_USER_POOLS`, or for a Lambda function `TOKEN` or `REQUEST`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The Cognito user pools whose tokens are good.
    pub user_pools: BTreeSet<Ref<Arn>>,
    /// The Lambda function that is asked.
    pub function: Option<Ref<FunctionArn>>,
    /// The role with which API Gateway invokes the function. Absent: the function's own policy must
    /// allow it.
    pub role: Option<Ref<RoleArn>>,
    /// Where the token is: `method.request.header.Authorization`.
    pub identity_source: String,
    /// For how many seconds an answer holds, 0 to 3600.
    pub result_ttl_seconds: i32,
}

/// A method: who may call it and what answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    /// `AWS_IAM`, `COGNITO_USER_POOLS`, `CUSTOM` (a Lambda authoriser), or `NONE`: anyone.
    pub authorization: String,
    /// The name of the authoriser, for `COGNITO_USER_POOLS` and `CUSTOM`.
    pub authorizer: Option<String>,
    /// The OAuth scopes of which a Cognito access token needs one.
    pub authorization_scopes: BTreeSet<String>,
    /// Whether an API key is asked for. (A key meters; it does not authorise.)
    pub api_key_required: bool,
    /// The parameters that the method takes (`method.request.path.id`), and whether each is required.
    pub request_parameters: BTreeMap<String, bool>,
    /// What answers.
    pub integration: Option<Integration>,
}

/// What answers a method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Integration {
    /// `HTTP_PROXY`, `HTTP`, `AWS_PROXY`, `AWS` or `MOCK`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP method of the request to the backend.
    pub http_method: String,
    /// The address of the backend. Over a VPC link it does not route: its scheme decides whether TLS
    /// is used, its host is the server name, and its path is what the backend is asked for.
    pub uri: String,
    /// `VPC_LINK` or `INTERNET`.
    pub connection_type: String,
    /// The VPC link.
    pub connection_id: Option<Ref<VpcLinkId>>,
    /// The load balancer that a VPC link of version 2 leads to.
    pub integration_target: Option<Ref<LoadBalancerArn>>,
    /// How long the backend may take, 50 to 29000 milliseconds.
    pub timeout_ms: i32,
    /// Whether the backend's certificate may come from anyone. Its validity and host name are
    /// checked all the same.
    pub insecure_skip_verification: bool,
    /// What is passed on: `integration.request.path.id` from `method.request.path.id`.
    pub request_parameters: BTreeMap<String, String>,
}

impl RestApi {
    /// A fingerprint of what a deployment of this API serves: it changes when, and only when, a new
    /// deployment is needed. References that are not resolved yet are part of it as they stand, so
    /// the engine fills them in; a VPC link that is replaced changes it too. `also` are values that
    /// the API does not mention and still rests on.
    pub fn definition(&self, also: &[&str]) -> String {
        // What can change without a new deployment is left out.
        let served = Self {
            name: String::new(),
            description: String::new(),
            execute_api_endpoint: true,
            ..self.clone()
        };
        let mut text = serde_json::json!({"api": served, "also": also});
        let flows = placeholders(&text);
        // Keys of objects are sorted, so that the same API gives the same text.
        text.sort_all_objects();
        let digest = Sha256::digest(text.to_string().as_bytes());
        let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        flows.iter().fold(hex, |text, flow| format!("{text} {flow}"))
    }
}

impl Resource for RestApi {
    const TRAITS: Traits = Traits {
        late: &["authorizers", "routes"],
        // A VPC link stays as long as an integration names it.
        held: &["authorizers", "routes"],
        not_yet: &[
            // One deletion in thirty seconds, one creation in three.
            ("TooManyRequestsException", ""),
            ("ConflictException", "concurrent modification"),
        ],
        attached_by: &[
            ("routes.*.*.integration.connection_id", "apigatewayv2.vpc_link"),
            ("routes.*.*.integration.integration_target", "elbv2.load_balancer"),
        ],
        permissions: Permissions {
            read: &[Allow::to(&["apigateway:GET"])
                .on(&["apigateway:{region}::/restapis", "apigateway:{region}::/restapis/*"])],
            make: &[
                Allow::to(&["apigateway:POST"]).on(&["apigateway:{region}::/restapis"]).for_stack(),
                // What is below an API inherits its tags, as far as permissions go:
                // https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html
                Allow::to(&[
                    "apigateway:POST",
                    "apigateway:PUT",
                    "apigateway:PATCH",
                    "apigateway:DELETE",
                ])
                .on(&["apigateway:{region}::/restapis/*"])
                .of_stack(),
                // What a REST API's own policy takes beside; an API that does not exist has no tags yet:
                // https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-create-attach.html
                Allow::to(&["apigateway:UpdateRestApiPolicy"])
                    .on(&["apigateway:{region}::/restapis"]),
                Allow::to(&["apigateway:UpdateRestApiPolicy"])
                    .on(&["apigateway:{region}::/restapis/*"])
                    .of_stack(),
                // Tags have no tags that could say whose they are: `retag` names the stack in the request.
                Allow::to(&["apigateway:PUT", "apigateway:POST"])
                    .on(&["apigateway:{region}::/tags/*restapis*"])
                    .for_stack(),
                Allow::to(&["apigateway:DELETE"]).on(&["apigateway:{region}::/tags/*restapis*"]),
            ],
            remove: &[Allow::to(&["apigateway:DELETE"])
                .on(&["apigateway:{region}::/restapis/*"])
                .of_stack()],
        },
        ..Traits::of("apigateway.rest_api")
    };
    type Id = RestApiId;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws, scope).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "apigateway:POST";
        let endpoint = EndpointConfiguration::builder()
            .types(EndpointType::from(self.endpoint_type.as_str()))
            .build();
        let call = client!(aws, aws_sdk_apigateway)
            .create_rest_api()
            .name(&self.name)
            .set_description(Some(self.description.clone()).filter(|text| !text.is_empty()))
            .endpoint_configuration(endpoint)
            .set_security_policy(self.security_policy.as_deref().map(SecurityPolicy::from))
            .set_endpoint_access_mode(
                self.endpoint_access_mode.as_deref().map(EndpointAccessMode::from),
            )
            .disable_execute_api_endpoint(!self.execute_api_endpoint)
            .set_minimum_compression_size(self.minimum_compression_size)
            .api_key_source(ApiKeySourceType::from(self.api_key_source.as_str()))
            .set_policy(self.policy.as_ref().map(ToString::to_string))
            .set_tags(Some(to_map(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let id = made.id.ok_or_else(|| Error::incomplete(action, "the API's id"))?;
        let spec = Self { authorizers: BTreeMap::new(), routes: Routes::new(), ..self.clone() };
        Ok(live(aws, id, spec).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let patches = self.patches(&live.spec, changes);
        if !patches.is_empty() {
            let call = client!(aws, aws_sdk_apigateway)
                .update_rest_api()
                .rest_api_id(&live.id)
                .set_patch_operations(Some(patches));
            aws.call("apigateway:PATCH", call.send()).await?;
        }
        if changes.any(&["authorizers", "routes"]) {
            // Methods name authorisers: new ones come before them, old ones go after.
            let mut authorizers = authorizers(aws, &live.id).await?;
            for (name, wanted) in &self.authorizers {
                let id = match authorizers.get(name) {
                    Some((_, found)) if found == wanted => continue,
                    Some((id, found)) => {
                        wanted.change(aws, &live.id, id, found).await?;
                        id.clone()
                    }
                    None => wanted.create(aws, &live.id, name).await?,
                };
                authorizers.insert(name.clone(), (id, wanted.clone()));
            }
            self.mend_routes(aws, &live.id, &authorizers).await?;
            for (name, (id, _)) in &authorizers {
                if !self.authorizers.contains_key(name) {
                    let call = client!(aws, aws_sdk_apigateway)
                        .delete_authorizer()
                        .rest_api_id(&live.id)
                        .authorizer_id(id);
                    aws.find("apigateway:DELETE", call.send()).await?;
                }
            }
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, live.require_arn("apigateway:GET")?, &live.tags, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_apigateway).delete_rest_api().rest_api_id(&live.id);
        aws.call("apigateway:DELETE", call.send()).await?;
        Ok(())
    }
}

impl RestApi {
    /// The changes that one UpdateRestApi call makes.
    fn patches(&self, live: &Self, changes: &Changes) -> Vec<PatchOperation> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut patches = Vec::new();
        let mut replace = |field: &str, path: &str, value: Option<String>| {
            if changes.has(field) {
                patches.push(patch(Op::Replace, path, value));
            }
        };
        replace("name", "/name", Some(self.name.clone()));
        replace("description", "/description", Some(self.description.clone()));
        replace(
            "endpoint_type",
            &format!("/endpointConfiguration/types/{}", live.endpoint_type),
            Some(self.endpoint_type.clone()),
        );
        replace("security_policy", "/securityPolicy", Some(text(&self.security_policy)));
        replace(
            "endpoint_access_mode",
            "/endpointAccessMode",
            Some(text(&self.endpoint_access_mode)),
        );
        replace(
            "execute_api_endpoint",
            "/disableExecuteApiEndpoint",
            Some((!self.execute_api_endpoint).to_string()),
        );
        // Without a value: no compression.
        replace(
            "minimum_compression_size",
            "/minimumCompressionSize",
            self.minimum_compression_size.map(|size| size.to_string()),
        );
        replace("api_key_source", "/apiKeySource", Some(self.api_key_source.clone()));
        let policy = self.policy.as_ref().map(ToString::to_string).unwrap_or_default();
        replace("policy", "/policy", Some(policy));
        patches
    }

    /// Makes the tree what `routes` says: adds, changes, removes. What AWS has is read anew, because
    /// a run that was killed may have done half of it.
    async fn mend_routes(&self, aws: &Aws, api: &str, authorizers: &Authorizers) -> Result<()> {
        let mut tree = tree(aws, api, authorizers).await?;
        for (path, methods) in &self.routes {
            let resource = tree.resource(aws, api, path).await?;
            for (verb, wanted) in methods {
                let found = tree.routes.get(path).and_then(|methods| methods.get(verb));
                if found == Some(wanted) {
                    continue;
                }
                let at = At { aws, api, resource: &resource, verb };
                let same = |found: &Method| {
                    Method { integration: wanted.integration.clone(), ..found.clone() } == *wanted
                };
                if !found.is_some_and(same) {
                    // The stage serves a deployment and not this tree, so a method may be gone for a
                    // moment.
                    if found.is_some() {
                        at.delete_method().await?;
                    }
                    at.put_method(wanted, authorizers).await?;
                }
                if let Some(integration) = &wanted.integration {
                    at.put_integration(integration).await?;
                }
            }
        }
        for (path, methods) in &tree.routes {
            let wanted = self.routes.get(path);
            for verb in methods.keys() {
                if !wanted.is_some_and(|methods| methods.contains_key(verb)) {
                    let resource = &tree.resources[path];
                    At { aws, api, resource, verb }.delete_method().await?;
                }
            }
        }
        // Deepest first: AWS removes a resource together with all below it.
        for (path, resource) in tree.resources.iter().rev() {
            let below = format!("{}/", path.trim_end_matches('/'));
            let in_use = path == "/"
                || self.routes.keys().any(|route| route == path || route.starts_with(&below));
            if !in_use {
                let call = client!(aws, aws_sdk_apigateway)
                    .delete_resource()
                    .rest_api_id(api)
                    .resource_id(resource);
                aws.find("apigateway:DELETE", call.send()).await?;
            }
        }
        Ok(())
    }
}

fn live(aws: &Aws, id: String, spec: RestApi) -> Live<RestApi> {
    let arn = format!("arn:{}:apigateway:{}::/restapis/{id}", aws.partition(), aws.region());
    Live::new(id, spec).with_arn(arn)
}

fn patch(op: Op, path: impl Into<String>, value: Option<String>) -> PatchOperation {
    PatchOperation::builder().op(op).path(path).set_value(value).build()
}

/// Every REST API of the region, as the listing gives it.
pub(crate) async fn describe(aws: &Aws) -> Result<Vec<Description>> {
    let call = client!(aws, aws_sdk_apigateway).get_rest_apis().limit(500).into_paginator().items();
    aws.once("apigateway:GET", aws.call("apigateway:GET", call.send().try_collect())).await
}

async fn list(aws: &Aws, scope: &Scope) -> Result<Vec<Live<RestApi>>> {
    let apis = describe(aws).await?;
    let reads = apis.into_iter().map(|api| read(aws, scope, api));
    // API Gateway allows few calls a second, whoever makes them.
    let found: Vec<Result<Live<RestApi>>> =
        futures::stream::iter(reads).buffer_unordered(4).collect().await;
    found.into_iter().collect()
}

async fn read(aws: &Aws, scope: &Scope, api: Description) -> Result<Live<RestApi>> {
    let id = api.id.clone().ok_or_else(|| Error::incomplete("apigateway:GET", "an API's id"))?;
    let tags = from_map(api.tags.clone());
    let policy = api.policy.as_deref().filter(|text| !text.is_empty()).map(|text| {
        parse_policy(aws, &id, text)
            .map_err(|why| Error::invalid(format!("the policy of {id}"), why))
    });
    let mut live = live(aws, id.clone(), from_description(api));
    if let Some(policy) = policy {
        live.read("policy", policy, |spec, policy| spec.policy = Some(policy));
    }
    if scope.wants(&tags) {
        let found = authorizers(aws, &id).await;
        let tree = match &found {
            Ok(authorizers) => tree(aws, &id, authorizers).await,
            Err(error) => Err(error.clone()),
        };
        let found = found.map(|all| all.into_iter().map(|(name, (_, one))| (name, one)).collect());
        live.read("authorizers", found, |spec, found| spec.authorizers = found);
        live.read("routes", tree, |spec, tree| spec.routes = tree.routes);
    }
    Ok(live.with_tags(tags))
}

/// The attributes that the listing gives.
fn from_description(api: Description) -> RestApi {
    let endpoint = api.endpoint_configuration.and_then(|endpoint| endpoint.types);
    RestApi {
        name: api.name.unwrap_or_default(),
        description: api.description.unwrap_or_default(),
        endpoint_type: endpoint
            .and_then(|types| types.first().map(|one| one.as_str().to_owned()))
            .unwrap_or_default(),
        security_policy: api.security_policy.map(|policy| policy.as_str().to_owned()),
        endpoint_access_mode: api.endpoint_access_mode.map(|mode| mode.as_str().to_owned()),
        execute_api_endpoint: !api.disable_execute_api_endpoint,
        minimum_compression_size: api.minimum_compression_size.filter(|size| *size >= 0),
        api_key_source: api
            .api_key_source
            .map_or_else(|| "HEADER".to_owned(), |source| source.as_str().to_owned()),
        policy: None,
        authorizers: BTreeMap::new(),
        routes: Routes::new(),
    }
}

/// AWS gives the document with its quotes escaped, and writes its own API's ARN where we wrote
/// `execute-api:/`.
fn parse_policy(aws: &Aws, id: &str, text: &str) -> Result<Policy, serde_json::Error> {
    let text = match text.contains("\\\"") {
        true => serde_json::from_str::<String>(&format!("\"{text}\""))?,
        false => text.to_owned(),
    };
    let own = format!("{}/", aws.arn("execute-api", id));
    Policy::parse(&text.replace(&own, "execute-api:/"))
}

/// The authorisers of an API by name, each with its id.
type Authorizers = BTreeMap<String, (String, Authorizer)>;

async fn authorizers(aws: &Aws, api: &str) -> Result<Authorizers> {
    let mut found = Authorizers::new();
    let mut next = None;
    loop {
        let call = client!(aws, aws_sdk_apigateway)
            .get_authorizers()
            .rest_api_id(api)
            .limit(500)
            .set_position(next);
        let page = aws.call("apigateway:GET", call.send()).await?;
        for one in page.items.unwrap_or_default() {
            let (Some(id), Some(name)) = (one.id, one.name) else {
                return Err(Error::incomplete("apigateway:GET", "an authoriser's id and name"));
            };
            let authorizer = Authorizer {
                kind: one.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
                user_pools: one
                    .provider_arns
                    .unwrap_or_default()
                    .into_iter()
                    .map(Ref::known)
                    .collect(),
                function: one.authorizer_uri.map(|uri| Ref::known(function_of(&uri))),
                role: one.authorizer_credentials.map(Ref::known),
                identity_source: one.identity_source.unwrap_or_default(),
                result_ttl_seconds: one.authorizer_result_ttl_in_seconds.unwrap_or(300),
            };
            found.insert(name, (id, authorizer));
        }
        next = page.position.filter(|position| !position.is_empty());
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// The function within the address that API Gateway has for it.
fn function_of(uri: &str) -> &str {
    let inner =
        uri.split_once("/functions/").and_then(|(_, rest)| rest.rsplit_once("/invocations"));
    inner.map_or(uri, |(function, _)| function)
}

fn invocation_uri(aws: &Aws, function: &Ref<FunctionArn>) -> String {
    format!(
        "arn:{}:apigateway:{}:lambda:path/2015-03-31/functions/{function}/invocations",
        aws.partition(),
        aws.region()
    )
}

impl Authorizer {
    async fn create(&self, aws: &Aws, api: &str, name: &str) -> Result<String> {
        let action = "apigateway:POST";
        let pools: Vec<String> = self.user_pools.iter().map(ToString::to_string).collect();
        let call = client!(aws, aws_sdk_apigateway)
            .create_authorizer()
            .rest_api_id(api)
            .name(name)
            .r#type(AuthorizerType::from(self.kind.as_str()))
            .set_provider_arns(Some(pools).filter(|pools| !pools.is_empty()))
            .set_authorizer_uri(self.function.as_ref().map(|arn| invocation_uri(aws, arn)))
            .set_authorizer_credentials(self.role.as_ref().map(ToString::to_string))
            .identity_source(&self.identity_source)
            .authorizer_result_ttl_in_seconds(self.result_ttl_seconds);
        let made = aws.call(action, call.send()).await?;
        made.id.ok_or_else(|| Error::incomplete(action, "the authoriser's id"))
    }

    async fn change(&self, aws: &Aws, api: &str, id: &str, live: &Self) -> Result<()> {
        let mut patches = Vec::new();
        let mut replace = |path: &str, new: String, old: String| {
            if new != old {
                patches.push(patch(Op::Replace, path, Some(new)));
            }
        };
        let uri = |one: &Self| one.function.as_ref().map(|arn| invocation_uri(aws, arn));
        let role = |one: &Self| one.role.as_ref().map(ToString::to_string).unwrap_or_default();
        replace("/type", self.kind.clone(), live.kind.clone());
        replace("/authorizerUri", uri(self).unwrap_or_default(), uri(live).unwrap_or_default());
        replace("/authorizerCredentials", role(self), role(live));
        replace("/identitySource", self.identity_source.clone(), live.identity_source.clone());
        replace(
            "/authorizerResultTtlInSeconds",
            self.result_ttl_seconds.to_string(),
            live.result_ttl_seconds.to_string(),
        );
        for pool in self.user_pools.difference(&live.user_pools) {
            patches.push(patch(Op::Add, "/providerARNs", Some(pool.to_string())));
        }
        for pool in live.user_pools.difference(&self.user_pools) {
            patches.push(patch(Op::Remove, "/providerARNs", Some(pool.to_string())));
        }
        let call = client!(aws, aws_sdk_apigateway)
            .update_authorizer()
            .rest_api_id(api)
            .authorizer_id(id)
            .set_patch_operations(Some(patches));
        aws.call("apigateway:PATCH", call.send()).await?;
        Ok(())
    }
}

/// What AWS has: the ids of the resources by path, and the methods.
struct Tree {
    resources: BTreeMap<String, String>,
    routes: Routes,
}

async fn tree(aws: &Aws, api: &str, authorizers: &Authorizers) -> Result<Tree> {
    let call = client!(aws, aws_sdk_apigateway)
        .get_resources()
        .rest_api_id(api)
        .embed("methods")
        .limit(500)
        .into_paginator()
        .items();
    let resources: Vec<_> = aws.call("apigateway:GET", call.send().try_collect()).await?;
    let names: BTreeMap<&str, &str> =
        authorizers.iter().map(|(name, (id, _))| (id.as_str(), name.as_str())).collect();
    let mut tree = Tree { resources: BTreeMap::new(), routes: Routes::new() };
    for resource in resources {
        let (Some(id), Some(path)) = (resource.id, resource.path) else {
            return Err(Error::incomplete("apigateway:GET", "a resource's id and path"));
        };
        let methods: BTreeMap<String, Method> = resource
            .resource_methods
            .unwrap_or_default()
            .into_iter()
            .map(|(verb, method)| (verb, read_method(method, &names)))
            .collect();
        if !methods.is_empty() {
            tree.routes.insert(path.clone(), methods);
        }
        tree.resources.insert(path, id);
    }
    Ok(tree)
}

fn read_method(
    method: aws_sdk_apigateway::types::Method,
    authorizers: &BTreeMap<&str, &str>,
) -> Method {
    let name = |id: String| authorizers.get(id.as_str()).map_or(id.clone(), |name| (*name).into());
    Method {
        authorization: method.authorization_type.unwrap_or_default(),
        authorizer: method.authorizer_id.filter(|id| !id.is_empty()).map(name),
        authorization_scopes: method.authorization_scopes.unwrap_or_default().into_iter().collect(),
        api_key_required: method.api_key_required.unwrap_or(false),
        request_parameters: method.request_parameters.unwrap_or_default().into_iter().collect(),
        integration: method.method_integration.map(read_integration),
    }
}

fn read_integration(found: aws_sdk_apigateway::types::Integration) -> Integration {
    Integration {
        kind: found.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        http_method: found.http_method.unwrap_or_default(),
        uri: found.uri.unwrap_or_default(),
        connection_type: found
            .connection_type
            .map_or_else(|| "INTERNET".to_owned(), |kind| kind.as_str().to_owned()),
        connection_id: found.connection_id.filter(|id| !id.is_empty()).map(Ref::known),
        integration_target: found.integration_target.filter(|arn| !arn.is_empty()).map(Ref::known),
        // 29 seconds where AWS does not say.
        timeout_ms: if found.timeout_in_millis == 0 { 29_000 } else { found.timeout_in_millis },
        insecure_skip_verification: found
            .tls_config
            .is_some_and(|tls| tls.insecure_skip_verification),
        request_parameters: found.request_parameters.unwrap_or_default().into_iter().collect(),
    }
}

impl Tree {
    /// The id of the resource at a path, which is made, with those above it, where it is missing.
    async fn resource(&mut self, aws: &Aws, api: &str, path: &str) -> Result<String> {
        let action = "apigateway:POST";
        let root = self.resources.get("/");
        let root = root.ok_or_else(|| Error::incomplete("apigateway:GET", "the root resource"))?;
        let (mut id, mut at) = (root.clone(), String::new());
        for part in path.split('/').filter(|part| !part.is_empty()) {
            at = format!("{at}/{part}");
            if let Some(found) = self.resources.get(&at) {
                id.clone_from(found);
                continue;
            }
            let call = client!(aws, aws_sdk_apigateway)
                .create_resource()
                .rest_api_id(api)
                .parent_id(&id)
                .path_part(part);
            let made = aws.call(action, call.send()).await?;
            id = made.id.ok_or_else(|| Error::incomplete(action, "the resource's id"))?;
            self.resources.insert(at.clone(), id.clone());
        }
        Ok(id)
    }
}

/// One method of an API.
struct At<'a> {
    aws: &'a Aws,
    api: &'a str,
    resource: &'a str,
    verb: &'a str,
}

impl At<'_> {
    async fn delete_method(&self) -> Result<()> {
        let call = client!(self.aws, aws_sdk_apigateway)
            .delete_method()
            .rest_api_id(self.api)
            .resource_id(self.resource)
            .http_method(self.verb);
        self.aws.find("apigateway:DELETE", call.send()).await?;
        Ok(())
    }

    async fn put_method(&self, wanted: &Method, authorizers: &Authorizers) -> Result<()> {
        let authorizer = match &wanted.authorizer {
            Some(name) => {
                let found = authorizers.get(name).map(|(id, _)| id.clone());
                Some(found.ok_or_else(|| Error::invalid(name, "the API has no such authoriser"))?)
            }
            None => None,
        };
        let scopes: Vec<String> = wanted.authorization_scopes.iter().cloned().collect();
        let mut call = client!(self.aws, aws_sdk_apigateway)
            .put_method()
            .rest_api_id(self.api)
            .resource_id(self.resource)
            .http_method(self.verb)
            .authorization_type(&wanted.authorization)
            .set_authorizer_id(authorizer)
            .set_authorization_scopes(Some(scopes).filter(|scopes| !scopes.is_empty()))
            .api_key_required(wanted.api_key_required);
        for (name, required) in &wanted.request_parameters {
            call = call.request_parameters(name, *required);
        }
        self.aws.call("apigateway:PUT", call.send()).await?;
        Ok(())
    }

    /// Sets the integration, whatever there was.
    async fn put_integration(&self, wanted: &Integration) -> Result<()> {
        let tls = TlsConfig::builder()
            .insecure_skip_verification(wanted.insecure_skip_verification)
            .build();
        let mut call = client!(self.aws, aws_sdk_apigateway)
            .put_integration()
            .rest_api_id(self.api)
            .resource_id(self.resource)
            .http_method(self.verb)
            .r#type(IntegrationType::from(wanted.kind.as_str()))
            .integration_http_method(&wanted.http_method)
            .uri(&wanted.uri)
            .connection_type(ConnectionType::from(wanted.connection_type.as_str()))
            .set_connection_id(wanted.connection_id.as_ref().map(ToString::to_string))
            .set_integration_target(wanted.integration_target.as_ref().map(ToString::to_string))
            .timeout_in_millis(wanted.timeout_ms)
            .tls_config(tls);
        for (name, source) in &wanted.request_parameters {
            call = call.request_parameters(name, source);
        }
        self.aws.call("apigateway:PUT", call.send()).await?;
        Ok(())
    }
}

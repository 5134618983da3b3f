//! REST APIs: resources, methods, integrations, authorisers, deployments, stages, account settings.

use std::collections::HashMap;

use serde_json::{Value, json};
use winterbaume_apigateway::model::{self, PatchOperation};
use winterbaume_apigateway::wire;
use winterbaume_core::MockResponse;

use super::{Api, bad, check_tags, conflict, missing, query, state};
use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::services::{iam, logs};

type Labels<'a> = &'a [(&'a str, &'a str)];

pub(super) fn handle(call: &mut Call<'_>, path: &[String]) -> Result<MockResponse, Fault> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let method = call.request.method.to_string();
    match (method.as_str(), path.as_slice()) {
        ("GET", ["account"]) => Ok(wire::serialize_get_account_response(&account(call))),
        ("PATCH", ["account"]) => update_account(call),
        ("GET", ["tags", arn]) => get_tags(call, arn),
        ("PUT", ["tags", arn]) => tag(call, arn),
        ("DELETE", ["tags", arn]) => untag(call, arn),
        ("POST", ["vpclinks"]) => create_vpc_link(call),
        ("GET", ["vpclinks"]) => {
            Ok(wire::serialize_get_vpc_links_response(&model::VpcLinks { items: Some(vec![]) }))
        }
        ("GET", ["domainnames"]) => {
            let none = model::DomainNames { items: Some(vec![]) };
            Ok(wire::serialize_get_domain_names_response(&none))
        }
        ("POST", ["restapis"]) => create_rest_api(call),
        ("GET", ["restapis"]) => {
            let apis = state(call).into_iter().flat_map(|state| state.apis.values());
            let items: Vec<_> = apis.map(|api| api.api.clone()).collect();
            paged(call, items, |items| {
                wire::serialize_get_rest_apis_response(&model::RestApis { items: Some(items) })
            })
        }
        (verb, ["restapis", id]) => rest_api(call, verb, id),
        (verb, ["restapis", id, "resources", rest @ ..]) => resources(call, verb, id, rest),
        (verb, ["restapis", id, "authorizers", rest @ ..]) => authorizers(call, verb, id, rest),
        (verb, ["restapis", id, "deployments", rest @ ..]) => deployments(call, verb, id, rest),
        (verb, ["restapis", id, "stages", rest @ ..]) => stages(call, verb, id, rest),
        (verb, path) => {
            Err(Fault::unknown_operation("apigateway", &format!("{verb} /{}", path.join("/"))))
        }
    }
}

fn unknown(verb: &str, path: &[&str]) -> Fault {
    Fault::unknown_operation("apigateway", &format!("{verb} {}", path.join("/")))
}

/// One page, with the position of the next: the wire's list types lack that field.
fn paged<T>(
    call: &Call<'_>,
    items: Vec<T>,
    answer: impl FnOnce(Vec<T>) -> MockResponse,
) -> Result<MockResponse, Fault> {
    let query = query(call);
    let limit = match query.get("limit") {
        Some(text) => text.parse().ok().filter(|limit| (1..=500).contains(limit)),
        None => Some(25),
    };
    let limit = limit.ok_or_else(|| bad("limit must be 1 to 500"))?;
    let (items, next) = page(items, query.get("position").map(String::as_str), limit)
        .ok_or_else(|| bad("Invalid position parameter specified"))?;
    let response = answer(items);
    let Some(next) = next else { return Ok(response) };
    let mut body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    body["position"] = json!(next);
    Ok(MockResponse::rest_json(response.status, body.to_string()))
}

fn api<'a>(call: &'a Call<'_>, id: &str) -> Result<&'a Api, Fault> {
    state(call).and_then(|state| state.apis.get(id)).ok_or_else(no_api)
}

fn api_mut<'a>(call: &'a mut Call<'_>, id: &str) -> Result<&'a mut Api, Fault> {
    api(call, id)?;
    call.region().apigateway.apis.get_mut(id).ok_or_else(no_api)
}

fn no_api() -> Fault {
    missing("Invalid API identifier specified")
}

// ---------------------------------------------------------------------------------------- patches

/// A patch operation in parts: its verb, its path between slashes (decoded), its value.
struct Patch {
    op: String,
    whole: String,
    path: Vec<String>,
    value: String,
}

fn patches(operations: Option<Vec<PatchOperation>>) -> Result<Vec<Patch>, Fault> {
    let patch = |operation: PatchOperation| {
        let op = operation.op.unwrap_or_default();
        if !["add", "remove", "replace", "move", "copy", "test"].contains(&op.as_str()) {
            return Err(bad(format!("Invalid patch operation specified '{op}'.")));
        }
        let whole = operation.path.unwrap_or_default();
        let rest = whole.strip_prefix('/');
        let rest = rest.ok_or_else(|| bad(format!("Invalid patch path '{whole}' specified")))?;
        let path = rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~"));
        let path = path.collect();
        Ok(Patch { op, whole, path, value: operation.value.unwrap_or_default() })
    };
    operations.unwrap_or_default().into_iter().map(patch).collect()
}

impl Patch {
    fn parts(&self) -> (&str, Vec<&str>) {
        (self.op.as_str(), self.path.iter().map(String::as_str).collect())
    }

    fn refused(&self) -> Fault {
        bad(format!("Invalid patch path '{}' specified for op '{}'.", self.whole, self.op))
    }

    fn flag(&self) -> Result<bool, Fault> {
        match self.value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(bad(format!("Invalid boolean value '{}' for {}", self.value, self.whole))),
        }
    }

    fn number<T: std::str::FromStr>(&self) -> Result<T, Fault> {
        let parsed = self.value.parse();
        parsed.map_err(|_| bad(format!("Invalid number '{}' for {}", self.value, self.whole)))
    }

    fn text(&self) -> Option<String> {
        Some(self.value.clone()).filter(|value| !value.is_empty())
    }
}

// ---------------------------------------------------------------------------------------- account

fn account(call: &Call<'_>) -> model::Account {
    let kept = state(call).map(|state| state.account.clone()).unwrap_or_default();
    model::Account {
        api_key_version: Some("4".into()),
        features: Some(vec!["UsagePlans".into()]),
        throttle_settings: Some(model::ThrottleSettings {
            burst_limit: Some(5000),
            rate_limit: Some(10_000.0),
        }),
        ..kept
    }
}

fn update_account(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_update_account_request(call.request, &[], &HashMap::new())?;
    for patch in patches(input.patch_operations)? {
        match patch.parts() {
            ("replace", path) if path == ["cloudwatchRoleArn"] => {
                if !patch.value.is_empty() {
                    may_write_logs(call, &patch.value)?;
                }
                call.region().apigateway.account.cloudwatch_role_arn = patch.text();
            }
            _ => return Err(patch.refused()),
        }
    }
    Ok(wire::serialize_update_account_response(&account(call)))
}

fn may_write_logs(call: &Call<'_>, role: &str) -> Result<(), Fault> {
    let refused = || {
        bad("The role ARN does not have required permissions configured. Please grant trust \
             permission for API Gateway and add the required role policy.")
    };
    iam::require_role_trusting(call, role, "apigateway.amazonaws.com").map_err(|_| refused())?;
    let roles = &call.account.global.iam.roles;
    let role = roles.values().find(|found| found.role.arn.as_deref() == Some(role));
    let has_policy = role.is_some_and(|role| !(role.attached.is_empty() && role.inline.is_empty()));
    if has_policy { Ok(()) } else { Err(refused()) }
}

fn may_log(call: &Call<'_>) -> Result<(), Fault> {
    match account(call).cloudwatch_role_arn {
        Some(_) => Ok(()),
        None => {
            Err(bad("CloudWatch Logs role ARN must be set in account settings to enable logging"))
        }
    }
}

// ------------------------------------------------------------------------------------------- tags

/// The tags of what an ARN names: `arn:aws:apigateway:{region}::/restapis/{id}[/stages/{name}]`.
fn tags_mut<'a>(
    call: &'a mut Call<'_>,
    arn: &str,
) -> Result<&'a mut HashMap<String, String>, Fault> {
    let invalid = || bad("Invalid resource ARN specified in the request");
    let path = arn.splitn(6, ':').nth(5).ok_or_else(invalid)?.to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let tags = match parts.as_slice() {
        ["restapis", id] => &mut api_mut(call, id)?.api.tags,
        ["restapis", id, "stages", name] => {
            &mut api_mut(call, id)?.stages.get_mut(*name).ok_or_else(no_stage)?.tags
        }
        _ => return Err(invalid()),
    };
    Ok(tags.get_or_insert_default())
}

fn get_tags(call: &mut Call<'_>, arn: &str) -> Result<MockResponse, Fault> {
    let tags = Some(tags_mut(call, arn)?.clone());
    Ok(wire::serialize_get_tags_response(&model::Tags { tags }))
}

fn tag(call: &mut Call<'_>, arn: &str) -> Result<MockResponse, Fault> {
    let labels: Labels<'_> = &[("resourceArn", arn)];
    let body: Value = serde_json::from_slice(&call.request.body).unwrap_or_default();
    let input = wire::deserialize_tag_resource_request(call.request, labels, &HashMap::new());
    // The parser wants the label in the body too; the tags are all that is in there.
    let tags = match input {
        Ok(input) => input.tags,
        Err(_) => serde_json::from_value(body["tags"].clone()).unwrap_or_default(),
    };
    check_tags(Some(&tags))?;
    tags_mut(call, arn)?.extend(tags);
    Ok(wire::serialize_tag_resource_response())
}

fn untag(call: &mut Call<'_>, arn: &str) -> Result<MockResponse, Fault> {
    let labels: Labels<'_> = &[("resourceArn", arn)];
    let input = wire::deserialize_untag_resource_request(call.request, labels, &query(call))?;
    let tags = tags_mut(call, arn)?;
    for key in input.tag_keys {
        tags.remove(&key);
    }
    Ok(wire::serialize_untag_resource_response())
}

// -------------------------------------------------------------------------------- VPC links (v1)

/// A link of version 1 leads to one network load balancer and to nothing else.
fn create_vpc_link(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_create_vpc_link_request(call.request, &[], &HashMap::new())?;
    let leads_to_nlb = |arn: &String| arn.contains(":loadbalancer/net/");
    if input.target_arns.len() != 1 || !input.target_arns.iter().all(leads_to_nlb) {
        return Err(bad("Failed to create VPC link. The target must be a network load balancer."));
    }
    Err(Fault::unknown_operation("apigateway", "CreateVpcLink to a network load balancer"))
}

// -------------------------------------------------------------------------------------- REST APIs

const SECURITY_POLICIES: &[&str] = &[
    "TLS_1_0",
    "TLS_1_2",
    "SecurityPolicy_TLS13_1_3_2025_09",
    "SecurityPolicy_TLS13_1_3_FIPS_2025_09",
    "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09",
    "SecurityPolicy_TLS13_1_2_FIPS_PQ_2025_09",
    "SecurityPolicy_TLS13_1_2_FIPS_PFS_PQ_2025_09",
    "SecurityPolicy_TLS13_1_2_Ext2_PQ_2025_09",
    "SecurityPolicy_TLS13_1_2_Ext2_FIPS_PQ_2025_09",
    "SecurityPolicy_TLS13_1_2_PQ_2025_09",
    "SecurityPolicy_TLS13_1_2_2021_06",
    "SecurityPolicy_TLS13_2025_EDGE",
    "SecurityPolicy_TLS12_PFS_2025_EDGE",
    "SecurityPolicy_TLS12_2018_EDGE",
];

fn create_rest_api(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_create_rest_api_request(call.request, &[], &HashMap::new())?;
    check_tags(input.tags.as_ref())?;
    let id = call.random_alphanumeric(10);
    let root = call.random_alphanumeric(10);
    let api = model::RestApi {
        id: Some(id.clone()),
        name: Some(input.name),
        description: input.description,
        version: input.version,
        created_date: Some(call.epoch()),
        api_key_source: Some(input.api_key_source.unwrap_or_else(|| "HEADER".into())),
        api_status: Some("AVAILABLE".into()),
        binary_media_types: input.binary_media_types,
        disable_execute_api_endpoint: Some(input.disable_execute_api_endpoint.unwrap_or(false)),
        endpoint_access_mode: input.endpoint_access_mode,
        endpoint_configuration: Some(input.endpoint_configuration.unwrap_or_else(|| {
            model::EndpointConfiguration { types: Some(vec!["EDGE".into()]), ..Default::default() }
        })),
        minimum_compression_size: input.minimum_compression_size,
        policy: input.policy.map(|text| stored_policy(call, &id, &text)).transpose()?,
        root_resource_id: Some(root.clone()),
        security_policy: Some(input.security_policy.unwrap_or_else(|| "TLS_1_0".into())),
        tags: Some(input.tags.unwrap_or_default()),
        ..Default::default()
    };
    check_rest_api(&api)?;
    let resource =
        model::Resource { id: Some(root.clone()), path: Some("/".into()), ..Default::default() };
    let answer = wire::serialize_create_rest_api_response(&api);
    let api = Api { api, resources: [(root, resource)].into(), ..Api::default() };
    call.region().apigateway.apis.insert(id, api);
    Ok(answer)
}

fn check_rest_api(api: &model::RestApi) -> Result<(), Fault> {
    if api.name.as_deref().is_none_or(|name| name.is_empty() || name.len() > 1024) {
        return Err(bad("No Name specified"));
    }
    let source = api.api_key_source.as_deref().unwrap_or_default();
    if !["HEADER", "AUTHORIZER"].contains(&source) {
        return Err(bad(format!("Invalid API key source '{source}' specified")));
    }
    let types = api.endpoint_configuration.as_ref().and_then(|endpoint| endpoint.types.as_ref());
    let types: Vec<&str> = types.into_iter().flatten().map(String::as_str).collect();
    if types.len() != 1 || !["EDGE", "REGIONAL", "PRIVATE"].contains(&types[0]) {
        return Err(bad("Invalid EndpointConfiguration type specified"));
    }
    if api.minimum_compression_size.is_some_and(|size| !(0..=10_485_760).contains(&size)) {
        return Err(bad("Invalid minimum compression size, must be between 0 and 10485760"));
    }
    let policy = api.security_policy.as_deref().unwrap_or_default();
    let fits =
        policy.ends_with("_EDGE") == (types[0] == "EDGE") || !policy.starts_with("SecurityPolicy_");
    if !SECURITY_POLICIES.contains(&policy) || !fits {
        return Err(bad(format!("Invalid security policy '{policy}' for a {} API", types[0])));
    }
    match (api.endpoint_access_mode.as_deref(), policy.starts_with("SecurityPolicy_")) {
        (None, false) | (Some("BASIC" | "STRICT"), true) => Ok(()),
        (None, true) => Err(bad("Endpoint access mode must be set with this security policy")),
        _ => Err(bad("Invalid endpoint access mode for this security policy")),
    }
}

/// The document as AWS gives it back: its own ARN filled in, quotes escaped.
fn stored_policy(call: &Call<'_>, id: &str, text: &str) -> Result<String, Fault> {
    serde_json::from_str::<Value>(text)
        .map_err(|_| bad("Invalid policy document. Please check the policy syntax"))?;
    let own = call.arn("execute-api", &format!("{id}/"));
    Ok(text.replace("\"execute-api:/", &format!("\"{own}")).replace('"', "\\\""))
}

fn rest_api(call: &mut Call<'_>, verb: &str, id: &str) -> Result<MockResponse, Fault> {
    match verb {
        "GET" => Ok(wire::serialize_get_rest_api_response(&api(call, id)?.api)),
        "DELETE" => {
            let stages: Vec<String> = api(call, id)?.stages.keys().cloned().collect();
            for stage in stages {
                forget_associations(call, id, &stage);
            }
            call.region().apigateway.apis.remove(id);
            Ok(wire::serialize_delete_rest_api_response())
        }
        "PATCH" => {
            let labels: Labels<'_> = &[("restApiId", id)];
            let none = HashMap::new();
            let input = wire::deserialize_update_rest_api_request(call.request, labels, &none)?;
            let mut changed = api(call, id)?.api.clone();
            for patch in patches(input.patch_operations)? {
                match patch.parts() {
                    ("replace", path) => match path.as_slice() {
                        ["name"] => changed.name = Some(patch.value),
                        ["description"] => changed.description = patch.text(),
                        ["apiKeySource"] => changed.api_key_source = Some(patch.value),
                        ["minimumCompressionSize"] => {
                            changed.minimum_compression_size = match patch.value.is_empty() {
                                true => None,
                                false => Some(patch.number()?),
                            };
                        }
                        ["disableExecuteApiEndpoint"] => {
                            changed.disable_execute_api_endpoint = Some(patch.flag()?);
                        }
                        ["policy"] => {
                            changed.policy = match patch.text() {
                                Some(text) => Some(stored_policy(call, id, &text)?),
                                None => None,
                            };
                        }
                        ["securityPolicy"] => changed.security_policy = Some(patch.value),
                        ["endpointAccessMode"] => changed.endpoint_access_mode = patch.text(),
                        ["endpointConfiguration", "types", old] => {
                            let endpoint = changed.endpoint_configuration.get_or_insert_default();
                            let types = endpoint.types.get_or_insert_default();
                            if !types.iter().any(|kind| kind == old) {
                                return Err(patch.refused());
                            }
                            *types = vec![patch.value];
                        }
                        _ => return Err(patch.refused()),
                    },
                    _ => return Err(patch.refused()),
                }
            }
            check_rest_api(&changed)?;
            let answer = wire::serialize_update_rest_api_response(&changed);
            api_mut(call, id)?.api = changed;
            Ok(answer)
        }
        _ => Err(unknown(verb, &["restapis", id])),
    }
}

// -------------------------------------------------------------- resources, methods, integrations

fn no_resource() -> Fault {
    missing("Invalid Resource identifier specified")
}

fn no_method() -> Fault {
    missing("Invalid Method identifier specified")
}

fn resource<'a>(call: &'a Call<'_>, api_id: &str, id: &str) -> Result<&'a model::Resource, Fault> {
    api(call, api_id)?.resources.get(id).ok_or_else(no_resource)
}

fn method<'a>(
    call: &'a Call<'_>,
    (api_id, id, verb): (&str, &str, &str),
) -> Result<&'a model::Method, Fault> {
    let methods = resource(call, api_id, id)?.resource_methods.as_ref();
    methods.and_then(|methods| methods.get(verb)).ok_or_else(no_method)
}

fn methods_mut<'a>(
    call: &'a mut Call<'_>,
    api_id: &str,
    id: &str,
) -> Result<&'a mut HashMap<String, model::Method>, Fault> {
    let resource = api_mut(call, api_id)?.resources.get_mut(id).ok_or_else(no_resource)?;
    Ok(resource.resource_methods.get_or_insert_default())
}

/// A resource as a listing shows it: its methods in full where they are asked for, else their names.
fn shown(mut resource: model::Resource, query: &HashMap<String, String>) -> model::Resource {
    let embed = query.get("embed").is_some_and(|parts| parts.split(',').any(|p| p == "methods"));
    if resource.resource_methods.as_ref().is_some_and(HashMap::is_empty) {
        resource.resource_methods = None;
    }
    if !embed {
        let methods = resource.resource_methods.into_iter().flatten();
        let names: HashMap<_, _> =
            methods.map(|(verb, _)| (verb, model::Method::default())).collect();
        resource.resource_methods = Some(names).filter(|names| !names.is_empty());
    }
    resource
}

fn resources(
    call: &mut Call<'_>,
    verb: &str,
    id: &str,
    rest: &[&str],
) -> Result<MockResponse, Fault> {
    let none = HashMap::new();
    match (verb, rest) {
        ("GET", []) => {
            let query = query(call);
            let all = api(call, id)?.resources.values().cloned();
            let items: Vec<_> = all.map(|resource| shown(resource, &query)).collect();
            paged(call, items, |items| {
                wire::serialize_get_resources_response(&model::Resources { items: Some(items) })
            })
        }
        ("GET", [at]) => {
            let found = shown(resource(call, id, at)?.clone(), &query(call));
            Ok(wire::serialize_get_resource_response(&found))
        }
        ("POST", [parent]) => {
            let labels: Labels<'_> = &[("restApiId", id), ("parentId", parent)];
            let input = wire::deserialize_create_resource_request(call.request, labels, &none)?;
            let made = new_resource(call, id, parent, &input.path_part)?;
            Ok(wire::serialize_create_resource_response(&made))
        }
        ("DELETE", [at]) => {
            if resource(call, id, at)?.parent_id.is_none() {
                return Err(bad("Root resource can not be deleted"));
            }
            let mut going = vec![(*at).to_owned()];
            while let Some(next) = going.pop() {
                let resources = &mut api_mut(call, id)?.resources;
                let below = resources
                    .values()
                    .filter(|found| found.parent_id.as_deref() == Some(next.as_str()))
                    .filter_map(|found| found.id.clone());
                going.extend(below);
                resources.remove(&next);
            }
            Ok(wire::serialize_delete_resource_response())
        }
        (_, [at, "methods", name]) => methods(call, verb, (id, at, name)),
        (_, [at, "methods", name, "integration"]) => integration(call, verb, (id, at, name)),
        _ => Err(unknown(verb, rest)),
    }
}

fn new_resource(
    call: &mut Call<'_>,
    api_id: &str,
    parent: &str,
    part: &str,
) -> Result<model::Resource, Fault> {
    let inner = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let name = inner.map_or(part, |inner| inner.strip_suffix('+').unwrap_or(inner));
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b)) {
        return Err(bad(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and \
             curly braces at the beginning and the end.",
        ));
    }
    let above = resource(call, api_id, parent)?;
    let base = above.path.clone().unwrap_or_default();
    if base.ends_with("+}") {
        return Err(bad("Cannot create a child of a resource with a greedy path variable."));
    }
    for sibling in api(call, api_id)?.resources.values() {
        if sibling.parent_id.as_deref() != Some(parent) {
            continue;
        }
        let other = sibling.path_part.as_deref().unwrap_or_default();
        if other == part {
            return Err(conflict(format!(
                "Another resource with the same parent already has this name: {part}"
            )));
        }
        if inner.is_some() && other.starts_with('{') {
            return Err(bad(format!(
                "A sibling ({other}) of this resource already has a variable path part -- only \
                 one is allowed"
            )));
        }
    }
    let id = call.random_alphanumeric(6);
    let made = model::Resource {
        id: Some(id.clone()),
        parent_id: Some(parent.to_owned()),
        path_part: Some(part.to_owned()),
        path: Some(format!("{}/{part}", base.trim_end_matches('/'))),
        resource_methods: None,
    };
    api_mut(call, api_id)?.resources.insert(id, made.clone());
    Ok(made)
}

fn check_method(call: &Call<'_>, api_id: &str, method: &model::Method) -> Result<(), Fault> {
    let kind = method.authorization_type.as_deref().unwrap_or_default();
    let authorizer = method.authorizer_id.as_deref();
    let found = match authorizer {
        Some(id) => api(call, api_id)?.authorizers.get(id),
        None => None,
    };
    let fits = |kinds: &[&str]| {
        found.is_some_and(|one| kinds.contains(&one.r#type.as_deref().unwrap_or_default()))
    };
    match kind {
        "NONE" | "AWS_IAM" => Ok(()),
        "CUSTOM" if fits(&["TOKEN", "REQUEST"]) => Ok(()),
        "COGNITO_USER_POOLS" if fits(&["COGNITO_USER_POOLS"]) => Ok(()),
        "CUSTOM" | "COGNITO_USER_POOLS" => Err(bad(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or \
             COGNITO_USER_POOLS requires a valid authorizer.",
        )),
        _ => Err(bad(
            "Invalid authorization type specified. Valid types are NONE, AWS_IAM, CUSTOM, and \
             COGNITO_USER_POOLS",
        )),
    }
}

fn methods(call: &mut Call<'_>, verb: &str, at: (&str, &str, &str)) -> Result<MockResponse, Fault> {
    let (id, resource_id, name) = at;
    let labels: Labels<'_> =
        &[("restApiId", id), ("resourceId", resource_id), ("httpMethod", name)];
    let none = HashMap::new();
    match verb {
        "GET" => Ok(wire::serialize_get_method_response(method(call, at)?)),
        "DELETE" => {
            method(call, at)?;
            methods_mut(call, id, resource_id)?.remove(name);
            Ok(wire::serialize_delete_method_response())
        }
        "PUT" => {
            let input = wire::deserialize_put_method_request(call.request, labels, &none)?;
            let known = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "ANY"];
            if !known.contains(&name) {
                return Err(bad("Invalid HttpMethod specified"));
            }
            resource(call, id, resource_id)?;
            if method(call, at).is_ok() {
                return Err(conflict("Method already exists for this resource"));
            }
            let parameters = input.request_parameters.filter(|all| !all.is_empty());
            for parameter in parameters.iter().flatten() {
                let rest = parameter.0.strip_prefix("method.request.");
                let place = rest.and_then(|rest| rest.split_once('.')).map(|(place, _)| place);
                if !matches!(place, Some("path" | "querystring" | "header")) {
                    return Err(bad(format!("Invalid mapping expression: {}", parameter.0)));
                }
            }
            let made = model::Method {
                http_method: Some(name.to_owned()),
                authorization_type: Some(input.authorization_type),
                authorizer_id: input.authorizer_id,
                authorization_scopes: input.authorization_scopes,
                api_key_required: Some(input.api_key_required.unwrap_or(false)),
                operation_name: input.operation_name,
                request_models: input.request_models,
                request_parameters: parameters,
                request_validator_id: input.request_validator_id,
                method_integration: None,
                method_responses: None,
            };
            check_method(call, id, &made)?;
            let answer = wire::serialize_put_method_response(&made);
            methods_mut(call, id, resource_id)?.insert(name.to_owned(), made);
            Ok(answer)
        }
        "PATCH" => {
            let input = wire::deserialize_update_method_request(call.request, labels, &none)?;
            let mut changed = method(call, at)?.clone();
            for patch in patches(input.patch_operations)? {
                let (op, path) = patch.parts();
                match (op, path.as_slice()) {
                    ("replace", ["authorizationType"]) => {
                        changed.authorization_type = Some(patch.value);
                    }
                    ("replace", ["authorizerId"]) => changed.authorizer_id = patch.text(),
                    ("replace", ["apiKeyRequired"]) => {
                        changed.api_key_required = Some(patch.flag()?);
                    }
                    ("replace", ["operationName"]) => changed.operation_name = patch.text(),
                    ("add" | "replace", ["requestParameters", name]) => {
                        let required = patch.flag().unwrap_or(false);
                        let parameters = changed.request_parameters.get_or_insert_default();
                        parameters.insert((*name).to_owned(), required);
                    }
                    ("remove", ["requestParameters", name]) => {
                        if let Some(parameters) = &mut changed.request_parameters {
                            parameters.remove(*name);
                        }
                    }
                    ("add", ["authorizationScopes"]) => {
                        changed.authorization_scopes.get_or_insert_default().push(patch.value);
                    }
                    ("remove", ["authorizationScopes"]) => {
                        if let Some(scopes) = &mut changed.authorization_scopes {
                            scopes.retain(|scope| *scope != patch.value);
                        }
                    }
                    _ => return Err(patch.refused()),
                }
            }
            check_method(call, id, &changed)?;
            let answer = wire::serialize_update_method_response(&changed);
            methods_mut(call, id, resource_id)?.insert(name.to_owned(), changed);
            Ok(answer)
        }
        _ => Err(unknown(verb, &["methods"])),
    }
}

fn check_integration(
    call: &Call<'_>,
    method: &model::Method,
    integration: &model::Integration,
) -> Result<(), Fault> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let kind = text(&integration.r#type);
    if !["HTTP", "HTTP_PROXY", "AWS", "AWS_PROXY", "MOCK"].contains(&kind.as_str()) {
        return Err(bad("Invalid integration type specified"));
    }
    if kind != "MOCK" && text(&integration.http_method).is_empty() {
        return Err(bad("Enumeration value for HttpMethod must be non-empty"));
    }
    let uri = text(&integration.uri);
    if kind.starts_with("HTTP") {
        let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Err(bad("Invalid HTTP endpoint specified for URI"));
        }
    } else if kind != "MOCK" && !uri.starts_with("arn:") {
        return Err(bad("Invalid ARN specified in the request"));
    }
    if integration.timeout_in_millis.is_some_and(|time| !(50..=29_000).contains(&time)) {
        return Err(bad("Timeout should be between 50 ms and 29000 ms"));
    }
    match integration.connection_type.as_deref() {
        None | Some("INTERNET") if integration.connection_id.is_some() => {
            return Err(bad("Connection id is only for the connection type VPC_LINK"));
        }
        None | Some("INTERNET") => {}
        Some("VPC_LINK") => check_private(call, integration)?,
        _ => return Err(bad("Invalid connection type specified")),
    }
    // What is passed on must be a parameter that the method takes.
    for (target, source) in integration.request_parameters.iter().flatten() {
        let declared = method.request_parameters.as_ref();
        let known = !source.starts_with("method.request.")
            || source.starts_with("method.request.body")
            || declared.is_some_and(|all| all.contains_key(source));
        let into = target.strip_prefix("integration.request.");
        let placed = into.and_then(|rest| rest.split_once('.')).map(|(place, _)| place);
        if !known || !matches!(placed, Some("path" | "querystring" | "header")) {
            return Err(bad(format!(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors \
                 : [Invalid mapping expression parameter specified: {source}]"
            )));
        }
    }
    Ok(())
}

fn check_private(call: &Call<'_>, integration: &model::Integration) -> Result<(), Fault> {
    let Some(id) = integration.connection_id.as_deref().filter(|id| !id.is_empty()) else {
        return Err(bad("Connection ID is required for the connection type VPC_LINK"));
    };
    if id.starts_with("${stageVariables.") {
        return Ok(());
    }
    if !state(call).is_some_and(|state| state.vpc_links.contains_key(id)) {
        return Err(bad(format!("Invalid VPC link identifier specified: {id}")));
    }
    let target = integration.integration_target.as_deref().unwrap_or_default();
    let ours = call.arn("elasticloadbalancing", "loadbalancer/");
    if !target.starts_with(&format!("{ours}app/")) && !target.starts_with(&format!("{ours}net/")) {
        return Err(bad(
            "Integration target must be the ARN of a load balancer in this account and region",
        ));
    }
    let region = call.account.region_if_any(call.region_name);
    let exists =
        region.is_some_and(|it| it.elasticloadbalancing.load_balancers.contains_key(target));
    if !exists {
        return Err(bad(format!("Integration target {target} does not exist")));
    }
    Ok(())
}

fn integration(
    call: &mut Call<'_>,
    verb: &str,
    at: (&str, &str, &str),
) -> Result<MockResponse, Fault> {
    let (id, resource_id, name) = at;
    let labels: Labels<'_> =
        &[("restApiId", id), ("resourceId", resource_id), ("httpMethod", name)];
    let none = HashMap::new();
    let no_integration = || missing("Invalid Integration identifier specified");
    let found = method(call, at)?.clone();
    match verb {
        "GET" => {
            let found = found.method_integration.ok_or_else(no_integration)?;
            Ok(wire::serialize_get_integration_response(&found))
        }
        "DELETE" => {
            found.method_integration.as_ref().ok_or_else(no_integration)?;
            let changed = model::Method { method_integration: None, ..found };
            methods_mut(call, id, resource_id)?.insert(name.to_owned(), changed);
            Ok(wire::serialize_delete_integration_response())
        }
        "PUT" => {
            let input = wire::deserialize_put_integration_request(call.request, labels, &none)?;
            let skip = input.tls_config.and_then(|tls| tls.insecure_skip_verification);
            let made = model::Integration {
                r#type: Some(input.r#type),
                http_method: input.integration_http_method,
                uri: input.uri,
                connection_type: Some(input.connection_type.unwrap_or_else(|| "INTERNET".into())),
                connection_id: input.connection_id,
                credentials: input.credentials,
                request_parameters: input.request_parameters.filter(|all| !all.is_empty()),
                request_templates: input.request_templates,
                passthrough_behavior: Some(
                    input.passthrough_behavior.unwrap_or_else(|| "WHEN_NO_MATCH".into()),
                ),
                content_handling: input.content_handling,
                timeout_in_millis: Some(input.timeout_in_millis.unwrap_or(29_000)),
                cache_namespace: Some(
                    input.cache_namespace.unwrap_or_else(|| resource_id.to_owned()),
                ),
                cache_key_parameters: Some(input.cache_key_parameters.unwrap_or_default()),
                tls_config: skip
                    .map(|skip| model::TlsConfig { insecure_skip_verification: Some(skip) }),
                integration_target: input.integration_target,
                response_transfer_mode: Some(
                    input.response_transfer_mode.unwrap_or_else(|| "BUFFERED".into()),
                ),
                integration_responses: None,
            };
            check_integration(call, &found, &made)?;
            let answer = wire::serialize_put_integration_response(&made);
            let changed = model::Method { method_integration: Some(made), ..found };
            methods_mut(call, id, resource_id)?.insert(name.to_owned(), changed);
            Ok(answer)
        }
        "PATCH" => {
            let input = wire::deserialize_update_integration_request(call.request, labels, &none)?;
            let mut one = found.method_integration.clone().ok_or_else(no_integration)?;
            for patch in patches(input.patch_operations)? {
                let (op, path) = patch.parts();
                match (op, path.as_slice()) {
                    ("replace", ["uri"]) => one.uri = Some(patch.value),
                    ("replace", ["httpMethod"]) => one.http_method = Some(patch.value),
                    ("replace", ["timeoutInMillis"]) => {
                        one.timeout_in_millis = Some(patch.number()?);
                    }
                    ("replace", ["connectionId"]) => one.connection_id = patch.text(),
                    ("replace", ["connectionType"]) => one.connection_type = patch.text(),
                    ("replace", ["integrationTarget"]) => one.integration_target = patch.text(),
                    ("replace", ["passthroughBehavior"]) => {
                        one.passthrough_behavior = patch.text();
                    }
                    ("replace", ["tlsConfig", "insecureSkipVerification"]) => {
                        one.tls_config = Some(model::TlsConfig {
                            insecure_skip_verification: Some(patch.flag()?),
                        });
                    }
                    ("add" | "replace", ["requestParameters", name]) => {
                        let parameters = one.request_parameters.get_or_insert_default();
                        parameters.insert((*name).to_owned(), patch.value);
                    }
                    ("remove", ["requestParameters", name]) => {
                        if let Some(parameters) = &mut one.request_parameters {
                            parameters.remove(*name);
                        }
                    }
                    _ => return Err(patch.refused()),
                }
            }
            check_integration(call, &found, &one)?;
            let answer = wire::serialize_update_integration_response(&one);
            let changed = model::Method { method_integration: Some(one), ..found };
            methods_mut(call, id, resource_id)?.insert(name.to_owned(), changed);
            Ok(answer)
        }
        _ => Err(unknown(verb, &["integration"])),
    }
}

/// Where a VPC link is used: method, resource and stage, as AWS names them.
pub(super) fn users_of_link(call: &Call<'_>, link: &str) -> Vec<String> {
    let apis = state(call).into_iter().flat_map(|state| state.apis.values());
    let resources = apis.flat_map(|api| api.resources.values());
    let methods = resources.flat_map(|resource| {
        let id = resource.id.as_deref().unwrap_or_default();
        resource.resource_methods.iter().flatten().map(move |(verb, method)| (id, verb, method))
    });
    methods
        .filter(|(_, _, method)| {
            let integration = method.method_integration.as_ref();
            integration.is_some_and(|one| one.connection_id.as_deref() == Some(link))
        })
        .map(|(id, verb, _)| format!("{verb}:{id}:DRAFT"))
        .collect()
}

// ------------------------------------------------------------------------------------ authorisers

fn check_authorizer(call: &Call<'_>, one: &model::Authorizer) -> Result<(), Fault> {
    let source = one.identity_source.as_deref().unwrap_or_default();
    match one.r#type.as_deref() {
        Some("COGNITO_USER_POOLS") => {
            let pools = one.provider_a_r_ns.as_deref().unwrap_or_default();
            let pool = call.arn("cognito-idp", "userpool/");
            if pools.is_empty() || !pools.iter().all(|arn| arn.starts_with(&pool)) {
                return Err(bad("Invalid Cognito user pool ARN specified in the request"));
            }
        }
        Some("TOKEN" | "REQUEST") => {
            let uri = one.authorizer_uri.as_deref().unwrap_or_default();
            let prefix = format!(
                "arn:aws:apigateway:{}:lambda:path/2015-03-31/functions/arn:aws:lambda:",
                call.region_name
            );
            if !uri.starts_with(&prefix) || !uri.ends_with("/invocations") {
                return Err(bad(format!("Invalid Authorizer URI: {uri}")));
            }
        }
        _ => return Err(bad("Invalid authorizer type specified")),
    }
    if one.r#type.as_deref() != Some("REQUEST") && !source.starts_with("method.request.header.") {
        return Err(bad("Identity source must be a header of the request"));
    }
    if one.authorizer_result_ttl_in_seconds.is_some_and(|ttl| !(0..=3600).contains(&ttl)) {
        return Err(bad("Authorizer result TTL must be between 0 and 3600"));
    }
    Ok(())
}

fn authorizers(
    call: &mut Call<'_>,
    verb: &str,
    id: &str,
    rest: &[&str],
) -> Result<MockResponse, Fault> {
    let none = HashMap::new();
    let no_authorizer = || missing("Invalid Authorizer identifier specified");
    match (verb, rest) {
        ("GET", []) => {
            let items: Vec<_> = api(call, id)?.authorizers.values().cloned().collect();
            paged(call, items, |items| {
                let answer = model::Authorizers { items: Some(items) };
                wire::serialize_get_authorizers_response(&answer)
            })
        }
        ("POST", []) => {
            let labels: Labels<'_> = &[("restApiId", id)];
            let input = wire::deserialize_create_authorizer_request(call.request, labels, &none)?;
            let made = model::Authorizer {
                id: Some(call.random_alphanumeric(6)),
                name: Some(input.name),
                r#type: Some(input.r#type),
                provider_a_r_ns: input.provider_a_r_ns,
                auth_type: input.auth_type,
                authorizer_uri: input.authorizer_uri,
                authorizer_credentials: input.authorizer_credentials,
                identity_source: input.identity_source,
                identity_validation_expression: input.identity_validation_expression,
                authorizer_result_ttl_in_seconds: Some(
                    input.authorizer_result_ttl_in_seconds.unwrap_or(300),
                ),
            };
            check_authorizer(call, &made)?;
            let taken = |one: &model::Authorizer| one.name == made.name;
            if api(call, id)?.authorizers.values().any(taken) {
                return Err(bad("Authorizer name must be unique. Authorizer already exists"));
            }
            let answer = wire::serialize_create_authorizer_response(&made);
            let key = made.id.clone().unwrap_or_default();
            api_mut(call, id)?.authorizers.insert(key, made);
            Ok(answer)
        }
        ("GET", [at]) => {
            let found = api(call, id)?.authorizers.get(*at).ok_or_else(no_authorizer)?;
            Ok(wire::serialize_get_authorizer_response(found))
        }
        ("DELETE", [at]) => {
            let api = api_mut(call, id)?;
            api.authorizers.get(*at).ok_or_else(no_authorizer)?;
            let methods = api.resources.values().flat_map(|r| r.resource_methods.iter().flatten());
            for (verb, method) in methods {
                if method.authorizer_id.as_deref() == Some(*at) {
                    return Err(conflict(format!(
                        "Cannot delete authorizer '{at}', is referenced in method: {verb}"
                    )));
                }
            }
            api.authorizers.remove(*at);
            Ok(wire::serialize_delete_authorizer_response())
        }
        ("PATCH", [at]) => {
            let labels: Labels<'_> = &[("restApiId", id), ("authorizerId", at)];
            let input = wire::deserialize_update_authorizer_request(call.request, labels, &none)?;
            let found = api(call, id)?.authorizers.get(*at).ok_or_else(no_authorizer)?;
            let mut one = found.clone();
            for patch in patches(input.patch_operations)? {
                let (op, path) = patch.parts();
                match (op, path.as_slice()) {
                    ("replace", ["name"]) => one.name = Some(patch.value),
                    ("replace", ["type"]) => one.r#type = Some(patch.value),
                    ("replace", ["authorizerUri"]) => one.authorizer_uri = patch.text(),
                    ("replace", ["authorizerCredentials"]) => {
                        one.authorizer_credentials = patch.text();
                    }
                    ("replace", ["identitySource"]) => one.identity_source = patch.text(),
                    ("replace", ["identityValidationExpression"]) => {
                        one.identity_validation_expression = patch.text();
                    }
                    ("replace", ["authorizerResultTtlInSeconds"]) => {
                        one.authorizer_result_ttl_in_seconds = Some(patch.number()?);
                    }
                    ("add", ["providerARNs"]) => {
                        one.provider_a_r_ns.get_or_insert_default().push(patch.value);
                    }
                    ("remove", ["providerARNs"]) => {
                        let pools = one.provider_a_r_ns.get_or_insert_default();
                        pools.retain(|arn| *arn != patch.value);
                    }
                    _ => return Err(patch.refused()),
                }
            }
            check_authorizer(call, &one)?;
            let answer = wire::serialize_update_authorizer_response(&one);
            api_mut(call, id)?.authorizers.insert((*at).to_owned(), one);
            Ok(answer)
        }
        _ => Err(unknown(verb, rest)),
    }
}

// ------------------------------------------------------------------------------------ deployments

/// The API as it is now, as a deployment freezes it; refused while it is not whole.
fn snapshot(
    call: &mut Call<'_>,
    id: &str,
) -> Result<HashMap<String, HashMap<String, model::MethodSnapshot>>, Fault> {
    let mut summary: HashMap<String, HashMap<String, model::MethodSnapshot>> = HashMap::new();
    let mut links = Vec::new();
    for resource in api(call, id)?.resources.values() {
        for (verb, method) in resource.resource_methods.iter().flatten() {
            let integration = method.method_integration.as_ref();
            let integration =
                integration.ok_or_else(|| bad("No integration defined for method"))?;
            links.extend(integration.connection_id.clone());
            let shot = model::MethodSnapshot {
                api_key_required: method.api_key_required,
                authorization_type: method.authorization_type.clone(),
            };
            let path = resource.path.clone().unwrap_or_default();
            summary.entry(path).or_default().insert(verb.clone(), shot);
        }
    }
    if summary.is_empty() {
        return Err(bad("The REST API doesn't contain any methods"));
    }
    for link in links {
        let status = super::v2::status(call, &link);
        if !link.starts_with("${") && status.as_deref() != Some("AVAILABLE") {
            return Err(bad("VPC link should be in AVAILABLE state to deploy the API"));
        }
    }
    Ok(summary)
}

fn deployments(
    call: &mut Call<'_>,
    verb: &str,
    id: &str,
    rest: &[&str],
) -> Result<MockResponse, Fault> {
    let none = HashMap::new();
    let no_deployment = || missing("Invalid Deployment identifier specified");
    let without = |one: &model::Deployment| model::Deployment { api_summary: None, ..one.clone() };
    match (verb, rest) {
        ("GET", []) => {
            let items: Vec<_> = api(call, id)?.deployments.values().map(without).collect();
            paged(call, items, |items| {
                let answer = model::Deployments { items: Some(items) };
                wire::serialize_get_deployments_response(&answer)
            })
        }
        ("GET", [at]) => {
            let found = api(call, id)?.deployments.get(*at).ok_or_else(no_deployment)?;
            let whole = query(call).get("embed").is_some_and(|parts| parts.contains("apisummary"));
            let found = if whole { found.clone() } else { without(found) };
            Ok(wire::serialize_get_deployment_response(&found))
        }
        ("POST", []) => {
            let labels: Labels<'_> = &[("restApiId", id)];
            let input = wire::deserialize_create_deployment_request(call.request, labels, &none)?;
            let summary = snapshot(call, id)?;
            let key = call.random_alphanumeric(6);
            let made = model::Deployment {
                id: Some(key.clone()),
                description: input.description,
                created_date: Some(call.epoch()),
                api_summary: Some(summary),
            };
            let answer = without(&made);
            let stage = input.stage_name.filter(|name| !name.is_empty());
            if let Some(name) = &stage {
                check_stage_name(name)?;
            }
            let now = call.epoch();
            let api = api_mut(call, id)?;
            api.deployments.insert(key.clone(), made);
            if let Some(name) = stage {
                let stage = api.stages.entry(name.clone()).or_insert_with(|| model::Stage {
                    stage_name: Some(name),
                    created_date: Some(now),
                    cache_cluster_enabled: Some(false),
                    cache_cluster_status: Some("NOT_AVAILABLE".into()),
                    tracing_enabled: Some(false),
                    ..Default::default()
                });
                stage.deployment_id = Some(key);
                stage.last_updated_date = Some(now);
            }
            Ok(wire::serialize_create_deployment_response(&answer))
        }
        ("DELETE", [at]) => {
            let api = api_mut(call, id)?;
            api.deployments.get(*at).ok_or_else(no_deployment)?;
            if api.stages.values().any(|stage| stage.deployment_id.as_deref() == Some(*at)) {
                return Err(bad(
                    "Active stages pointing to this deployment must be moved or deleted",
                ));
            }
            api.deployments.remove(*at);
            Ok(wire::serialize_delete_deployment_response())
        }
        _ => Err(unknown(verb, rest)),
    }
}

// ----------------------------------------------------------------------------------------- stages

fn no_stage() -> Fault {
    missing("Invalid stage identifier specified")
}

fn check_stage_name(name: &str) -> Result<(), Fault> {
    let good = (1..=128).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if good { Ok(()) } else { Err(bad("Stage name only allows a-zA-Z0-9_-")) }
}

/// Whether an ARN names a stage that exists: its API and its name.
pub(crate) fn stage_of(call: &Call<'_>, arn: &str) -> Option<(String, String)> {
    let prefix = format!("arn:aws:apigateway:{}::/restapis/", call.region_name);
    let (id, name) = arn.strip_prefix(&prefix)?.split_once("/stages/")?;
    api(call, id).ok()?.stages.get(name)?;
    Some((id.to_owned(), name.to_owned()))
}

/// Shows at a stage which web ACL guards it.
pub(crate) fn set_web_acl(call: &mut Call<'_>, arn: &str, acl: Option<&str>) {
    if let Some((id, name)) = stage_of(call, arn)
        && let Some(api) = call.region().apigateway.apis.get_mut(&id)
        && let Some(stage) = api.stages.get_mut(&name)
    {
        stage.web_acl_arn = acl.map(str::to_owned);
    }
}

fn forget_associations(call: &mut Call<'_>, id: &str, stage: &str) {
    let arn = format!("arn:aws:apigateway:{}::/restapis/{id}/stages/{stage}", call.region_name);
    if call.region().wafv2.associations.contains_key(&arn) {
        call.region().wafv2.associations.remove(&arn);
    }
}

fn stages(call: &mut Call<'_>, verb: &str, id: &str, rest: &[&str]) -> Result<MockResponse, Fault> {
    let none = HashMap::new();
    match (verb, rest) {
        ("GET", []) => {
            let wanted = query(call).remove("deploymentId");
            let all = api(call, id)?.stages.values();
            let item = all
                .filter(|stage| wanted.is_none() || stage.deployment_id == wanted)
                .cloned()
                .collect();
            Ok(wire::serialize_get_stages_response(&model::Stages { item: Some(item) }))
        }
        ("POST", []) => {
            let labels: Labels<'_> = &[("restApiId", id)];
            let input = wire::deserialize_create_stage_request(call.request, labels, &none)?;
            check_stage_name(&input.stage_name)?;
            check_tags(input.tags.as_ref())?;
            let api = api(call, id)?;
            if api.stages.contains_key(&input.stage_name) {
                return Err(conflict("Stage already exists"));
            }
            if !api.deployments.contains_key(&input.deployment_id) {
                return Err(bad("Invalid Deployment identifier specified"));
            }
            let cached = input.cache_cluster_enabled.unwrap_or(false);
            let made = model::Stage {
                stage_name: Some(input.stage_name.clone()),
                deployment_id: Some(input.deployment_id),
                description: input.description,
                cache_cluster_enabled: Some(cached),
                cache_cluster_size: input.cache_cluster_size.filter(|_| cached),
                cache_cluster_status: Some(cache_status(cached)),
                created_date: Some(call.epoch()),
                last_updated_date: Some(call.epoch()),
                method_settings: Some(HashMap::new()),
                tags: Some(input.tags.unwrap_or_default()),
                tracing_enabled: Some(input.tracing_enabled.unwrap_or(false)),
                variables: input.variables,
                ..Default::default()
            };
            let answer = wire::serialize_create_stage_response(&made);
            api_mut(call, id)?.stages.insert(input.stage_name, made);
            Ok(answer)
        }
        ("GET", [name]) => {
            let found = api(call, id)?.stages.get(*name).ok_or_else(no_stage)?;
            Ok(wire::serialize_get_stage_response(found))
        }
        ("DELETE", [name]) => {
            api(call, id)?.stages.get(*name).ok_or_else(no_stage)?;
            forget_associations(call, id, name);
            api_mut(call, id)?.stages.remove(*name);
            Ok(wire::serialize_delete_stage_response())
        }
        ("PATCH", [name]) => {
            let labels: Labels<'_> = &[("restApiId", id), ("stageName", name)];
            let input = wire::deserialize_update_stage_request(call.request, labels, &none)?;
            let mut stage = api(call, id)?.stages.get(*name).ok_or_else(no_stage)?.clone();
            for patch in patches(input.patch_operations)? {
                patch_stage(call, id, &mut stage, &patch)?;
            }
            if let Some(logs) = &stage.access_log_settings {
                check_access_logs(call, logs)?;
            }
            stage.last_updated_date = Some(call.epoch());
            let answer = wire::serialize_update_stage_response(&stage);
            api_mut(call, id)?.stages.insert((*name).to_owned(), stage);
            Ok(answer)
        }
        _ => Err(unknown(verb, rest)),
    }
}

fn cache_status(on: bool) -> String {
    if on { "AVAILABLE" } else { "NOT_AVAILABLE" }.into()
}

fn check_access_logs(call: &Call<'_>, logs: &model::AccessLogSettings) -> Result<(), Fault> {
    may_log(call)?;
    let format = logs.format.as_deref().unwrap_or_default();
    let names_request =
        format.contains("$context.requestId") || format.contains("$context.extendedRequestId");
    if !names_request || format.contains('\n') {
        return Err(bad(
            "Access Log format must be single line, containing at least $context.requestId",
        ));
    }
    let destination = logs.destination_arn.as_deref().unwrap_or_default();
    if destination.starts_with(&call.arn("firehose", "deliverystream/amazon-apigateway-")) {
        return Ok(());
    }
    if !destination.starts_with(&call.arn("logs", "log-group:")) {
        return Err(bad(format!("Invalid ARN specified in the request: {destination}")));
    }
    logs::require_log_group(call, destination)
        .map_err(|_| bad("The specified log group does not exist: the stage cannot log to it"))
}

fn patch_stage(
    call: &mut Call<'_>,
    id: &str,
    stage: &mut model::Stage,
    patch: &Patch,
) -> Result<(), Fault> {
    let (op, path) = patch.parts();
    match (op, path.as_slice()) {
        ("replace", ["deploymentId"]) => {
            if !api(call, id)?.deployments.contains_key(&patch.value) {
                return Err(bad("Invalid Deployment identifier specified"));
            }
            stage.deployment_id = Some(patch.value.clone());
        }
        ("replace", ["description"]) => stage.description = patch.text(),
        ("replace", ["tracingEnabled"]) => stage.tracing_enabled = Some(patch.flag()?),
        ("replace", ["clientCertificateId"]) => stage.client_certificate_id = patch.text(),
        ("replace", ["cacheClusterEnabled"]) => {
            let on = patch.flag()?;
            stage.cache_cluster_enabled = Some(on);
            stage.cache_cluster_status = Some(cache_status(on));
        }
        ("replace", ["cacheClusterSize"]) => stage.cache_cluster_size = patch.text(),
        ("replace" | "add", ["variables", name]) => {
            let good = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#&=,".contains(&b);
            if !patch.value.bytes().all(good) {
                return Err(bad("Stage variable value has characters that are not allowed"));
            }
            let variables = stage.variables.get_or_insert_default();
            variables.insert((*name).to_owned(), patch.value.clone());
        }
        ("remove", ["variables", name]) => {
            if let Some(variables) = &mut stage.variables {
                variables.remove(*name);
            }
        }
        ("replace" | "add", ["accessLogSettings", "destinationArn"]) => {
            let destination = patch.value.trim_end_matches(":*").to_owned();
            let logs = stage.access_log_settings.get_or_insert_default();
            logs.destination_arn = Some(destination);
        }
        ("replace" | "add", ["accessLogSettings", "format"]) => {
            stage.access_log_settings.get_or_insert_default().format = Some(patch.value.clone());
        }
        ("remove", ["accessLogSettings"]) => stage.access_log_settings = None,
        ("remove", [resource, method]) => {
            let key = setting_key(resource, method);
            let known = stage.method_settings.as_mut().and_then(|all| all.remove(&key));
            known.ok_or_else(|| patch.refused())?;
        }
        ("replace", [resource, method, category, name]) => {
            let key = setting_key(resource, method);
            let known = ["*", "GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "ANY"];
            if !known.contains(method) {
                return Err(patch.refused());
            }
            if (*category, *name) == ("logging", "loglevel") && patch.value != "OFF" {
                may_log(call)?;
            }
            let settings = stage.method_settings.get_or_insert_default();
            let setting = settings.entry(key).or_insert_with(new_setting);
            patch_setting(setting, (category, name), patch)?;
        }
        _ => return Err(patch.refused()),
    }
    Ok(())
}

/// AWS keeps the settings of a method under its path with `~1` for slashes: `~1students/GET`.
fn setting_key(resource: &str, method: &str) -> String {
    format!("{}/{method}", resource.replace('/', "~1"))
}

fn new_setting() -> model::MethodSetting {
    model::MethodSetting {
        metrics_enabled: Some(false),
        logging_level: Some("OFF".into()),
        data_trace_enabled: Some(false),
        throttling_burst_limit: Some(5000),
        throttling_rate_limit: Some(10_000.0),
        caching_enabled: Some(false),
        cache_ttl_in_seconds: Some(300),
        cache_data_encrypted: Some(false),
        require_authorization_for_cache_control: Some(true),
        unauthorized_cache_control_header_strategy: Some("SUCCEED_WITH_RESPONSE_HEADER".into()),
    }
}

fn patch_setting(
    setting: &mut model::MethodSetting,
    path: (&str, &str),
    patch: &Patch,
) -> Result<(), Fault> {
    match path {
        ("metrics", "enabled") => setting.metrics_enabled = Some(patch.flag()?),
        ("logging", "loglevel") => {
            if !["OFF", "ERROR", "INFO"].contains(&patch.value.as_str()) {
                return Err(bad("Invalid logging level, must be one of OFF, ERROR, INFO"));
            }
            setting.logging_level = Some(patch.value.clone());
        }
        ("logging", "dataTrace") => setting.data_trace_enabled = Some(patch.flag()?),
        ("throttling", "burstLimit") => setting.throttling_burst_limit = Some(patch.number()?),
        ("throttling", "rateLimit") => setting.throttling_rate_limit = Some(patch.number()?),
        ("caching", "enabled") => setting.caching_enabled = Some(patch.flag()?),
        ("caching", "ttlInSeconds") => setting.cache_ttl_in_seconds = Some(patch.number()?),
        ("caching", "dataEncrypted") => setting.cache_data_encrypted = Some(patch.flag()?),
        ("caching", "requireAuthorizationForCacheControl") => {
            setting.require_authorization_for_cache_control = Some(patch.flag()?);
        }
        ("caching", "unauthorizedCacheControlHeaderStrategy") => {
            setting.unauthorized_cache_control_header_strategy = patch.text();
        }
        _ => return Err(patch.refused()),
    }
    Ok(())
}

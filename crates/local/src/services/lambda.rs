//! Lambda: functions with their code's digest, configuration, concurrency and resource policy. Nothing
//! runs.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use winterbaume_core::MockResponse;
use winterbaume_lambda::{model, wire};

use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::services::{iam, kms};

/// The runtimes that functions may be created with.
const RUNTIMES: &[&str] = &[
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "java17",
    "java21",
    "java25",
    "dotnet8",
    "ruby3.3",
    "ruby3.4",
    "provided.al2",
    "provided.al2023",
];
/// The account's limit of functions that run at once, and what must stay unreserved of it.
const CONCURRENCY: i32 = 1000;
const UNRESERVED: i32 = 100;

/// What Lambda holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub functions: BTreeMap<String, Function>,
}

/// A function.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Function {
    /// Its configuration.
    pub configuration: model::FunctionConfiguration,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// How many may run at once, where that is reserved.
    pub reserved_concurrency: Option<i32>,
    /// The statements of its policy, in the order in which they were added.
    pub statements: Vec<Value>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = call.request.method.clone();
    let (request, query) = (call.request, call.query());
    match (method.as_str(), path.as_slice()) {
        ("POST", [_, "functions"]) => {
            create(call, wire::deserialize_create_function_request(request, &[], &query)?)
        }
        ("GET", [_, "functions"]) => {
            list(call, wire::deserialize_list_functions_request(request, &[], &query)?)
        }
        ("GET", [_, "functions", name]) => get(call, name),
        ("DELETE", [_, "functions", name]) => {
            let name = existing(call, name)?;
            call.region().lambda.functions.remove(&name);
            Ok(MockResponse::rest_json(204, ""))
        }
        ("GET", [_, "functions", name, "configuration"]) => {
            let configuration = configuration(call, name)?;
            Ok(wire::serialize_get_function_configuration_response(&configuration))
        }
        ("PUT", [_, "functions", name, "configuration"]) => {
            let labels = [("FunctionName", *name)];
            let input =
                wire::deserialize_update_function_configuration_request(request, &labels, &query)?;
            configure(call, input)
        }
        ("PUT", [_, "functions", name, "code"]) => {
            let labels = [("FunctionName", *name)];
            let input = wire::deserialize_update_function_code_request(request, &labels, &query)?;
            update_code(call, input)
        }
        ("POST", [_, "functions", name, "policy"]) => {
            let labels = [("FunctionName", *name)];
            add_permission(
                call,
                wire::deserialize_add_permission_request(request, &labels, &query)?,
            )
        }
        ("GET", [_, "functions", name, "policy"]) => {
            let function = function(call, name)?;
            if function.statements.is_empty() {
                return Err(no_policy());
            }
            let policy =
                json!({"Version": "2012-10-17", "Id": "default", "Statement": function.statements});
            Ok(wire::serialize_get_policy_response(&model::GetPolicyResponse {
                policy: Some(policy.to_string()),
                revision_id: function.configuration.revision_id.clone(),
            }))
        }
        ("DELETE", [_, "functions", name, "policy", id]) => {
            let function = function_mut(call, name)?;
            let before = function.statements.len();
            function.statements.retain(|statement| statement["Sid"] != *id);
            if function.statements.len() == before {
                return Err(not_found(format!("Statement {id} is not found in resource policy.")));
            }
            Ok(wire::serialize_remove_permission_response())
        }
        ("PUT", [_, "functions", name, "concurrency"]) => {
            let labels = [("FunctionName", *name)];
            let input =
                wire::deserialize_put_function_concurrency_request(request, &labels, &query)?;
            reserve(call, input)
        }
        ("GET", [_, "functions", name, "concurrency"]) => {
            let answer = model::GetFunctionConcurrencyResponse {
                reserved_concurrent_executions: function(call, name)?.reserved_concurrency,
            };
            Ok(wire::serialize_get_function_concurrency_response(&answer))
        }
        ("DELETE", [_, "functions", name, "concurrency"]) => {
            function_mut(call, name)?.reserved_concurrency = None;
            Ok(wire::serialize_delete_function_concurrency_response())
        }
        ("GET", [_, "tags", arn]) => {
            let tags = function(call, arn)?.tags.clone();
            Ok(wire::serialize_list_tags_response(&model::ListTagsResponse {
                tags: Some(tags.into_iter().collect()),
            }))
        }
        ("POST", [_, "tags", arn]) => {
            let input =
                wire::deserialize_tag_resource_request(request, &[("Resource", arn)], &query)?;
            function_mut(call, arn)?.tags.extend(input.tags);
            Ok(wire::serialize_tag_resource_response())
        }
        ("DELETE", [_, "tags", arn]) => {
            let keys = call.query_values("tagKeys");
            function_mut(call, arn)?.tags.retain(|key, _| !keys.contains(key));
            Ok(wire::serialize_untag_resource_response())
        }
        _ => Err(Fault::unknown_operation("lambda", &format!("{method} /{}", path.join("/")))),
    }
}

/// That a function exists in the request's region and its policy lets a service call it on behalf of
/// this account, and of `source_arn` where that is known.
pub(crate) fn require_callable(
    call: &Call<'_>,
    function_arn: &str,
    service_principal: &str,
    source_arn: Option<&str>,
) -> Result<(), Fault> {
    let found = function(call, function_arn)?;
    let allowed = found.statements.iter().any(|statement| {
        let condition = &statement["Condition"];
        let account = condition["StringEquals"]["AWS:SourceAccount"].as_str();
        let source = condition["ArnLike"]["AWS:SourceArn"].as_str();
        statement["Principal"]["Service"] == service_principal
            && account.is_none_or(|account| account == call.account.id)
            && source_arn.is_none_or(|arn| source.is_none_or(|source| source == arn))
    });
    if allowed {
        return Ok(());
    }
    let message = format!("{service_principal} may not invoke the function {function_arn}.");
    Err(Fault::new("AccessDeniedException", message).status(403))
}

/// A function may be called by its name, its ARN, or `{account}:function:{name}`.
fn name_of(name_or_arn: &str) -> &str {
    match name_or_arn.split_once("function:") {
        Some((_, rest)) => rest.split(':').next().unwrap_or(rest),
        None => name_or_arn,
    }
}

fn function<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Function, Fault> {
    let name = name_of(name);
    let region = call.account.region_if_any(call.region_name);
    let found = region.and_then(|region| region.lambda.functions.get(name));
    found.ok_or_else(|| no_function(call, name))
}

fn function_mut<'a>(call: &'a mut Call<'_>, name: &str) -> Result<&'a mut Function, Fault> {
    let name = name_of(name);
    let fault = no_function(call, name);
    call.region().lambda.functions.get_mut(name).ok_or(fault)
}

fn existing(call: &Call<'_>, name: &str) -> Result<String, Fault> {
    function(call, name).map(|_| name_of(name).to_owned())
}

fn no_function(call: &Call<'_>, name: &str) -> Fault {
    not_found(format!("Function not found: {}", call.arn("lambda", &format!("function:{name}"))))
}

fn no_policy() -> Fault {
    not_found("The resource you requested does not exist.")
}

fn not_found(message: impl Into<String>) -> Fault {
    Fault::new("ResourceNotFoundException", message).status(404)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValueException", message)
}

fn constraint(field: &str, value: impl std::fmt::Display, rule: &str) -> Fault {
    Fault::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {rule}"
        ),
    )
}

fn check_settings(
    call: &Call<'_>,
    configuration: &model::FunctionConfiguration,
) -> Result<(), Fault> {
    let runtime = configuration.runtime.as_deref().unwrap_or_default();
    if !RUNTIMES.contains(&runtime) {
        return Err(invalid(format!(
            "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: {RUNTIMES:?} or be a valid ARN"
        )));
    }
    let handler = configuration.handler.as_deref().unwrap_or_default();
    if handler.is_empty() || handler.len() > 128 || handler.contains(char::is_whitespace) {
        return Err(constraint(
            "handler",
            handler,
            "Member must satisfy regular expression pattern: [^\\s]+",
        ));
    }
    let timeout = configuration.timeout.unwrap_or(3);
    if !(1..=900).contains(&timeout) {
        return Err(constraint(
            "timeout",
            timeout,
            "Member must have value less than or equal to 900",
        ));
    }
    let memory = configuration.memory_size.unwrap_or(128);
    if !(128..=10_240).contains(&memory) {
        let rule = "Member must have value between 128 and 10240";
        return Err(constraint("memorySize", memory, rule));
    }
    if configuration.description.as_ref().is_some_and(|text| text.len() > 256) {
        let rule = "Member must have length less than or equal to 256";
        return Err(constraint("description", "…", rule));
    }
    let role = configuration.role.as_deref().unwrap_or_default();
    if !(role.starts_with("arn:aws:iam::") && role.contains(":role/")) {
        return Err(constraint(
            "role",
            role,
            "Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
        ));
    }
    iam::require_role_trusting(call, role, "lambda.amazonaws.com")
        .map_err(|_| invalid("The role defined for the function cannot be assumed by Lambda."))?;
    let variables = configuration.environment.as_ref().and_then(|one| one.variables.as_ref());
    let mut size = 0;
    for (key, value) in variables.into_iter().flatten() {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let begins = key.starts_with(|c: char| c.is_ascii_alphabetic());
        if key.len() < 2 || !begins || !key.chars().all(allowed) {
            return Err(constraint(
                "environment.variables",
                key,
                "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
            ));
        }
        if key.starts_with("AWS_") {
            return Err(invalid(format!(
                "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {key}"
            )));
        }
        size += key.len() + value.len();
    }
    if size > 4096 {
        return Err(invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.",
        ));
    }
    if let Some(key) = configuration.k_m_s_key_arn.as_deref().filter(|key| !key.is_empty()) {
        kms::require_usable(call, key).map_err(|_| {
            invalid("Lambda was unable to configure access to your environment variables because the KMS key is invalid for CreateGrant.")
        })?;
    }
    Ok(())
}

/// The digest and size of a zip archive that the protocol carries as base64.
fn code(zip: Option<&str>) -> Result<(String, i64), Fault> {
    let zip = zip.ok_or_else(|| invalid("Please provide a source for function code."))?;
    let bytes = STANDARD.decode(zip).unwrap_or_default();
    if !bytes.starts_with(b"PK\x03\x04") {
        return Err(invalid(
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ));
    }
    let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    Ok((STANDARD.encode(Sha256::digest(&bytes)), size))
}

fn create(call: &mut Call<'_>, input: model::CreateFunctionRequest) -> Result<MockResponse, Fault> {
    let name = name_of(&input.function_name).to_owned();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
        return Err(constraint(
            "functionName",
            &name,
            "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+",
        ));
    }
    if function(call, &name).is_ok() {
        let message = format!("Function already exist: {name}");
        return Err(Fault::new("ResourceConflictException", message).status(409));
    }
    let (code_sha256, code_size) = code(input.code.zip_file.as_deref())?;
    let architectures = input.architectures.unwrap_or_else(|| vec!["x86_64".into()]);
    if !matches!(architectures.as_slice(), [one] if one == "x86_64" || one == "arm64") {
        return Err(constraint(
            "architectures",
            format!("{architectures:?}"),
            "Member must satisfy enum value set: [x86_64, arm64]",
        ));
    }
    let tags: BTreeMap<String, String> = input.tags.unwrap_or_default().into_iter().collect();
    if tags.len() > 50 {
        return Err(invalid("The number of tags exceeds the limit of 50."));
    }
    let logging = input.logging_config.unwrap_or_default();
    let environment = input.environment.map(shown_environment);
    let configuration = model::FunctionConfiguration {
        architectures: Some(architectures),
        code_sha256: Some(code_sha256),
        code_size: Some(code_size),
        description: Some(input.description.unwrap_or_default()),
        environment,
        ephemeral_storage: Some(
            input.ephemeral_storage.unwrap_or(model::EphemeralStorage { size: 512 }),
        ),
        function_arn: Some(call.arn("lambda", &format!("function:{name}"))),
        function_name: Some(name.clone()),
        handler: input.handler,
        k_m_s_key_arn: input.k_m_s_key_arn.filter(|key| !key.is_empty()),
        last_modified: Some(modified(call)),
        last_update_status: Some("Successful".into()),
        logging_config: Some(model::LoggingConfig {
            log_format: Some(logging.log_format.unwrap_or_else(|| "Text".into())),
            log_group: Some(logging.log_group.unwrap_or_else(|| format!("/aws/lambda/{name}"))),
            ..Default::default()
        }),
        memory_size: Some(input.memory_size.unwrap_or(128)),
        package_type: Some("Zip".into()),
        revision_id: Some(call.new_uuid()),
        role: Some(input.role),
        runtime: input.runtime,
        state: Some("Active".into()),
        timeout: Some(input.timeout.unwrap_or(3)),
        tracing_config: Some(model::TracingConfigResponse { mode: Some("PassThrough".into()) }),
        vpc_config: input.vpc_config.map(shown_vpc),
        version: Some("$LATEST".into()),
        ..Default::default()
    };
    check_settings(call, &configuration)?;
    call.begin("lambda.function", &name);
    let made = Function { configuration, tags, ..Function::default() };
    call.region().lambda.functions.insert(name.clone(), made);
    let mut answer = self::configuration(call, &name)?;
    // What every function is at first, and what the answer says even if it takes no time.
    answer.state = Some("Pending".into());
    answer.state_reason = Some("The function is being created.".into());
    answer.state_reason_code = Some("Creating".into());
    Ok(wire::serialize_create_function_response(&answer))
}

fn shown_environment(environment: model::Environment) -> model::EnvironmentResponse {
    model::EnvironmentResponse { variables: environment.variables, ..Default::default() }
}

fn shown_vpc(vpc: model::VpcConfig) -> model::VpcConfigResponse {
    model::VpcConfigResponse {
        subnet_ids: vpc.subnet_ids,
        security_group_ids: vpc.security_group_ids,
        ..Default::default()
    }
}

fn modified(call: &Call<'_>) -> String {
    call.now.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}

/// The configuration as it is now.
fn configuration(call: &mut Call<'_>, name: &str) -> Result<model::FunctionConfiguration, Fault> {
    let name = existing(call, name)?;
    let ready = call.is_ready("lambda.function", &name);
    let mut configuration = function(call, &name)?.configuration.clone();
    if !ready {
        configuration.state = Some("Pending".into());
        configuration.last_update_status = Some("InProgress".into());
    }
    Ok(configuration)
}

fn require_settled(call: &mut Call<'_>, name: &str) -> Result<(), Fault> {
    let name = existing(call, name)?;
    if call.is_ready("lambda.function", &name) {
        return Ok(());
    }
    let message = "The operation cannot be performed at this time. The function is currently in the following state: Pending";
    Err(Fault::new("ResourceConflictException", message).status(409))
}

fn get(call: &mut Call<'_>, name: &str) -> Result<MockResponse, Fault> {
    let configuration = configuration(call, name)?;
    let function = function(call, name)?;
    let concurrency = function
        .reserved_concurrency
        .map(|count| model::Concurrency { reserved_concurrent_executions: Some(count) });
    let answer = model::GetFunctionResponse {
        code: Some(model::FunctionCodeLocation {
            repository_type: Some("S3".into()),
            ..Default::default()
        }),
        concurrency,
        configuration: Some(configuration),
        tags: Some(function.tags.clone().into_iter().collect()),
        ..Default::default()
    };
    Ok(wire::serialize_get_function_response(&answer))
}

fn list(call: &mut Call<'_>, input: model::ListFunctionsRequest) -> Result<MockResponse, Fault> {
    let functions = &call.region().lambda.functions;
    let functions: Vec<model::FunctionConfiguration> = functions
        .values()
        .map(|function| model::FunctionConfiguration {
            // ListFunctions leaves these out.
            state: None,
            last_update_status: None,
            ..function.configuration.clone()
        })
        .collect();
    let limit = input.max_items.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(50).min(50);
    let (functions, next_marker) = page(functions, input.marker.as_deref(), limit)
        .ok_or_else(|| invalid("The marker is not valid."))?;
    Ok(wire::serialize_list_functions_response(&model::ListFunctionsResponse {
        functions: Some(functions),
        next_marker,
    }))
}

/// What the call does not name stays as it is.
fn configure(
    call: &mut Call<'_>,
    input: model::UpdateFunctionConfigurationRequest,
) -> Result<MockResponse, Fault> {
    let name = input.function_name;
    require_settled(call, &name)?;
    let mut wanted = function(call, &name)?.configuration.clone();
    wanted.description = input.description.or(wanted.description);
    wanted.handler = input.handler.or(wanted.handler);
    wanted.memory_size = input.memory_size.or(wanted.memory_size);
    wanted.role = input.role.or(wanted.role);
    wanted.runtime = input.runtime.or(wanted.runtime);
    wanted.timeout = input.timeout.or(wanted.timeout);
    wanted.environment = input.environment.map(shown_environment).or(wanted.environment);
    if let Some(key) = input.k_m_s_key_arn {
        wanted.k_m_s_key_arn = Some(key).filter(|key| !key.is_empty());
    }
    if let Some(group) = input.logging_config.and_then(|logging| logging.log_group) {
        wanted.logging_config.get_or_insert_default().log_group = Some(group);
    }
    wanted.vpc_config = input.vpc_config.map(shown_vpc).or(wanted.vpc_config);
    check_settings(call, &wanted)?;
    wanted.last_modified = Some(modified(call));
    wanted.revision_id = Some(call.new_uuid());
    function_mut(call, &name)?.configuration = wanted.clone();
    Ok(wire::serialize_update_function_configuration_response(&wanted))
}

fn update_code(
    call: &mut Call<'_>,
    input: model::UpdateFunctionCodeRequest,
) -> Result<MockResponse, Fault> {
    require_settled(call, &input.function_name)?;
    let (code_sha256, code_size) = code(input.zip_file.as_deref())?;
    let (when, revision) = (modified(call), call.new_uuid());
    let configuration = &mut function_mut(call, &input.function_name)?.configuration;
    configuration.code_sha256 = Some(code_sha256);
    configuration.code_size = Some(code_size);
    configuration.last_modified = Some(when);
    configuration.revision_id = Some(revision);
    if input.architectures.is_some() {
        configuration.architectures = input.architectures;
    }
    Ok(wire::serialize_update_function_code_response(configuration))
}

fn reserve(
    call: &mut Call<'_>,
    input: model::PutFunctionConcurrencyRequest,
) -> Result<MockResponse, Fault> {
    let count = input.reserved_concurrent_executions;
    let name = existing(call, &input.function_name)?;
    let others = call.region().lambda.functions.iter().filter(|(other, _)| **other != name);
    let reserved: i32 = others.filter_map(|(_, function)| function.reserved_concurrency).sum();
    if count < 0 || reserved + count > CONCURRENCY - UNRESERVED {
        return Err(invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
        )));
    }
    function_mut(call, &name)?.reserved_concurrency = Some(count);
    Ok(wire::serialize_put_function_concurrency_response(&model::Concurrency {
        reserved_concurrent_executions: Some(count),
    }))
}

fn add_permission(
    call: &mut Call<'_>,
    input: model::AddPermissionRequest,
) -> Result<MockResponse, Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let id = input.statement_id;
    if id.is_empty() || id.len() > 100 || !id.chars().all(allowed) {
        return Err(constraint(
            "statementId",
            &id,
            "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)",
        ));
    }
    if !(input.action == "lambda:*" || input.action.starts_with("lambda:")) {
        return Err(constraint(
            "action",
            &input.action,
            "Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])",
        ));
    }
    let arn = call.arn("lambda", &format!("function:{}", name_of(&input.function_name)));
    let function = function_mut(call, &input.function_name)?;
    if function.statements.iter().any(|statement| statement["Sid"] == *id) {
        let message = format!(
            "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement."
        );
        return Err(Fault::new("ResourceConflictException", message).status(409));
    }
    let principal = match input.principal.as_str() {
        "*" => json!("*"),
        service if service.ends_with(".amazonaws.com") => json!({"Service": service}),
        account if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) => {
            json!({"AWS": format!("arn:aws:iam::{account}:root")})
        }
        arn if arn.starts_with("arn:") => json!({"AWS": arn}),
        _ => {
            return Err(invalid(
                "The provided principal was invalid. Please check the principal and try again.",
            ));
        }
    };
    let mut statement = json!({
        "Sid": id,
        "Effect": "Allow",
        "Principal": principal,
        "Action": input.action,
        "Resource": arn,
    });
    if let Some(account) = input.source_account {
        statement["Condition"]["StringEquals"] = json!({"AWS:SourceAccount": account});
    }
    if let Some(source) = input.source_arn {
        statement["Condition"]["ArnLike"] = json!({"AWS:SourceArn": source});
    }
    let answer = model::AddPermissionResponse { statement: Some(statement.to_string()) };
    function.statements.push(statement);
    Ok(wire::serialize_add_permission_response(&answer))
}

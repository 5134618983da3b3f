//! Systems Manager, as far as it is Parameter Store: parameters in their newest version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use winterbaume_core::MockResponse;
use winterbaume_ssm::{model, wire};

use crate::call::Call;
use crate::fault::{Fault, Protocol};
use crate::paging::page;

/// Levels of a hierarchy.
const LEVEL_LIMIT: usize = 15;
/// Characters of a name, its ARN included; of a value in each tier.
const NAME_LIMIT: usize = 1011;
const STANDARD_VALUE_LIMIT: usize = 4096;
const ADVANCED_VALUE_LIMIT: usize = 8192;
/// Standard parameters in a region.
const PARAMETER_LIMIT: usize = 10_000;

/// What Parameter Store holds in a region.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub parameters: BTreeMap<String, Parameter>,
}

/// A parameter.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Parameter {
    /// Its attributes, without the value.
    pub metadata: model::ParameterMetadata,
    /// Its value. A secure string is no more secure here than any other.
    pub value: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// AWS's servers say what time it is in each answer, and so does this service: who holds a lease
/// compares the dates of parameters with that and not with a clock of its own.
pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let date = call.now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let answer = answer(call).unwrap_or_else(|fault| fault.response(Protocol::Json));
    Ok(dated(answer, &date))
}

fn dated(mut answer: MockResponse, date: &str) -> MockResponse {
    if let Ok(date) = date.parse() {
        answer.headers.insert("date", date);
    }
    answer
}

fn answer(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let body = call.request.body.clone();
    match call.target() {
        "PutParameter" => put(call, wire::deserialize_put_parameter_request(&body)?),
        "GetParameter" => {
            let input = wire::deserialize_get_parameter_request(&body)?;
            let parameter = Some(read(call, &input.name)?);
            Ok(wire::serialize_get_parameter_response(&model::GetParameterResult { parameter }))
        }
        "GetParameters" => {
            let input = wire::deserialize_get_parameters_request(&body)?;
            let mut output = model::GetParametersResult {
                parameters: Some(Vec::new()),
                invalid_parameters: Some(Vec::new()),
            };
            for name in some_names(input.names)? {
                match read(call, &name) {
                    Ok(found) => output.parameters.get_or_insert_default().push(found),
                    Err(_) => output.invalid_parameters.get_or_insert_default().push(name),
                }
            }
            Ok(wire::serialize_get_parameters_response(&output))
        }
        "GetParametersByPath" => {
            by_path(call, wire::deserialize_get_parameters_by_path_request(&body)?)
        }
        "DescribeParameters" => {
            describe(call, wire::deserialize_describe_parameters_request(&body)?)
        }
        "DeleteParameter" => {
            let input = wire::deserialize_delete_parameter_request(&body)?;
            find(call, &input.name)?;
            call.region().ssm.parameters.remove(&input.name);
            Ok(wire::serialize_delete_parameter_response(&model::DeleteParameterResult {}))
        }
        "DeleteParameters" => {
            let input = wire::deserialize_delete_parameters_request(&body)?;
            let (mut deleted, mut invalid) = (Vec::new(), Vec::new());
            for name in some_names(input.names)? {
                match find(call, &name) {
                    Ok(_) => {
                        call.region().ssm.parameters.remove(&name);
                        deleted.push(name);
                    }
                    Err(_) => invalid.push(name),
                }
            }
            Ok(wire::serialize_delete_parameters_response(&model::DeleteParametersResult {
                deleted_parameters: Some(deleted),
                invalid_parameters: Some(invalid),
            }))
        }
        "AddTagsToResource" => {
            let input = wire::deserialize_add_tags_to_resource_request(&body)?;
            let tags = checked_tags(input.tags)?;
            tagged(call, &input.resource_type, &input.resource_id)?.tags.extend(tags);
            Ok(wire::serialize_add_tags_to_resource_response(&model::AddTagsToResourceResult {}))
        }
        "RemoveTagsFromResource" => {
            let input = wire::deserialize_remove_tags_from_resource_request(&body)?;
            let parameter = tagged(call, &input.resource_type, &input.resource_id)?;
            parameter.tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(wire::serialize_remove_tags_from_resource_response(
                &model::RemoveTagsFromResourceResult {},
            ))
        }
        "ListTagsForResource" => {
            let input = wire::deserialize_list_tags_for_resource_request(&body)?;
            let tags = tagged(call, &input.resource_type, &input.resource_id)?.tags.clone();
            let tags = tags.into_iter().map(|(key, value)| model::Tag { key, value }).collect();
            Ok(wire::serialize_list_tags_for_resource_response(&model::ListTagsForResourceResult {
                tag_list: Some(tags),
            }))
        }
        other => Err(Fault::unknown_operation("ssm", other)),
    }
}

fn put(call: &mut Call<'_>, input: model::PutParameterRequest) -> Result<MockResponse, Fault> {
    let name = input.name;
    check_name(&name)?;
    let overwrite = input.overwrite.unwrap_or(false);
    let tags = checked_tags(input.tags.unwrap_or_default())?;
    if overwrite && !tags.is_empty() {
        return Err(validation(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    let tier = input.tier.unwrap_or_else(|| "Standard".into());
    let limit = match tier.as_str() {
        "Standard" => STANDARD_VALUE_LIMIT,
        "Advanced" | "Intelligent-Tiering" => ADVANCED_VALUE_LIMIT,
        other => return Err(one_of("tier", other, "Standard, Advanced, Intelligent-Tiering")),
    };
    if input.value.is_empty() {
        return Err(validation(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.",
        ));
    }
    if input.value.chars().count() > limit {
        return Err(validation(format!(
            "{tier} tier parameters support a maximum parameter value of {limit} characters."
        )));
    }
    if input.policies.as_deref().is_some_and(|text| !text.is_empty()) && tier == "Standard" {
        return Err(validation("Parameter policies are only supported by advanced parameters."));
    }
    let existing = find(call, &name).ok().cloned();
    if existing.is_some() && !overwrite {
        return Err(Fault::new(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        ));
    }
    let old = existing.as_ref().map(|parameter| &parameter.metadata);
    let kind = input.r#type.or_else(|| old.and_then(|old| old.r#type.clone()));
    let Some(kind) = kind else {
        return Err(validation("A parameter type is required when you create a parameter."));
    };
    if !["String", "StringList", "SecureString"].contains(&kind.as_str()) {
        return Err(one_of("type", &kind, "SecureString, StringList, String"));
    }
    if old.is_some_and(|old| old.r#type.as_ref() != Some(&kind)) {
        return Err(Fault::new(
            "HierarchyTypeMismatchException",
            "A parameter's type cannot be changed; create another one.",
        ));
    }
    if old.is_none() && call.region().ssm.parameters.len() >= PARAMETER_LIMIT {
        return Err(Fault::new(
            "ParameterLimitExceeded",
            "The number of parameters of this account and region is at its limit.",
        ));
    }
    let version = old.and_then(|old| old.version).unwrap_or(0) + 1;
    let metadata = model::ParameterMetadata {
        a_r_n: Some(call.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))),
        name: Some(name.clone()),
        key_id: (kind == "SecureString")
            .then(|| input.key_id.unwrap_or_else(|| "alias/aws/ssm".into())),
        r#type: Some(kind),
        version: Some(version),
        tier: Some(tier.clone()),
        data_type: Some(input.data_type.unwrap_or_else(|| "text".into())),
        description: input.description.or_else(|| old.and_then(|old| old.description.clone())),
        allowed_pattern: input.allowed_pattern,
        last_modified_date: Some(call.now.as_millisecond() as f64 / 1000.0),
        last_modified_user: Some(call.caller_arn()),
        policies: Some(Vec::new()),
    };
    let tags = existing.map_or(tags, |parameter| parameter.tags);
    let parameter = Parameter { metadata, value: input.value, tags };
    call.region().ssm.parameters.insert(name, parameter);
    Ok(wire::serialize_put_parameter_response(&model::PutParameterResult {
        tier: Some(tier),
        version: Some(version),
    }))
}

fn by_path(
    call: &Call<'_>,
    input: model::GetParametersByPathRequest,
) -> Result<MockResponse, Fault> {
    if !input.path.starts_with('/') {
        return Err(validation(
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\".",
        ));
    }
    if input.parameter_filters.is_some_and(|filters| !filters.is_empty()) {
        return Err(Fault::unknown_operation("ssm", "GetParametersByPath with filters"));
    }
    let limit = at_most(input.max_results, 10)?;
    let within = |name: &str| is_below(&input.path, name, input.recursive.unwrap_or(false));
    let found: Vec<_> =
        parameters(call).filter(|(name, _)| within(name)).map(|(_, one)| shown(one)).collect();
    let (parameters, next_token) =
        page(found, input.next_token.as_deref(), limit).ok_or_else(invalid_token)?;
    Ok(wire::serialize_get_parameters_by_path_response(&model::GetParametersByPathResult {
        parameters: Some(parameters),
        next_token,
    }))
}

fn describe(
    call: &Call<'_>,
    input: model::DescribeParametersRequest,
) -> Result<MockResponse, Fault> {
    let limit = at_most(input.max_results, 50)?;
    if input.filters.is_some_and(|filters| !filters.is_empty()) {
        return Err(Fault::unknown_operation("ssm", "DescribeParameters with Filters"));
    }
    let filters = input.parameter_filters.unwrap_or_default();
    let mut found = Vec::new();
    for (_, parameter) in parameters(call) {
        let mut fits = true;
        for filter in &filters {
            fits &= passes(filter, parameter)?;
        }
        if fits {
            found.push(parameter.metadata.clone());
        }
    }
    let (parameters, next_token) =
        page(found, input.next_token.as_deref(), limit).ok_or_else(invalid_token)?;
    Ok(wire::serialize_describe_parameters_response(&model::DescribeParametersResult {
        parameters: Some(parameters),
        next_token,
    }))
}

fn passes(filter: &model::ParameterStringFilter, parameter: &Parameter) -> Result<bool, Fault> {
    let values = filter.values.clone().unwrap_or_default();
    let about = &parameter.metadata;
    let name = about.name.as_deref().unwrap_or_default();
    if filter.key == "Path" {
        let recursive = filter.option.as_deref() == Some("Recursive");
        return Ok(values.iter().any(|path| is_below(path, name, recursive)));
    }
    let actual = match filter.key.as_str() {
        "Name" => Some(name),
        "Type" => about.r#type.as_deref(),
        "Tier" => about.tier.as_deref(),
        "DataType" => about.data_type.as_deref(),
        "KeyId" => about.key_id.as_deref(),
        key => match key.strip_prefix("tag:") {
            Some(tag) => parameter.tags.get(tag).map(String::as_str),
            None => {
                return Err(Fault::new(
                    "InvalidFilterKey",
                    format!("The following filter key is not valid: {key}."),
                ));
            }
        },
    };
    let Some(actual) = actual else { return Ok(false) };
    // A leading slash makes no difference to these.
    let plain = |text: &str| text.trim_start_matches('/').to_owned();
    Ok(match filter.option.as_deref().unwrap_or("Equals") {
        "Equals" => values.is_empty() || values.iter().any(|value| plain(value) == plain(actual)),
        "BeginsWith" => values.iter().any(|value| plain(actual).starts_with(&plain(value))),
        "Contains" => values.iter().any(|value| actual.contains(value.as_str())),
        other => {
            return Err(Fault::new(
                "InvalidFilterOption",
                format!("The following filter option is not valid: {other}."),
            ));
        }
    })
}

/// Whether a parameter lies in a hierarchy: directly, or however deep.
fn is_below(path: &str, name: &str, recursive: bool) -> bool {
    let rest =
        name.strip_prefix(path.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
    rest.is_some_and(|rest| recursive || !rest.contains('/'))
}

/// What AWS takes as a name.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html>
fn check_name(name: &str) -> Result<(), Fault> {
    let known = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let plain = name.trim_start_matches('/');
    let lower = plain.to_ascii_lowercase();
    let levels = plain.split('/').count();
    if lower.starts_with("aws") && levels > 1 {
        return Err(Fault::new(
            "AccessDeniedException",
            format!("No access to reserved parameter name: {name}."),
        ));
    }
    if lower.starts_with("aws") || lower.starts_with("ssm") {
        return Err(validation(
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).",
        ));
    }
    if levels > LEVEL_LIMIT {
        return Err(Fault::new(
            "HierarchyLevelLimitExceededException",
            format!("A hierarchy can have a maximum of {LEVEL_LIMIT} levels."),
        ));
    }
    let rooted = name.starts_with('/') || !name.contains('/');
    let filled = plain.split('/').all(|part| !part.is_empty());
    if !rooted || !filled || name.len() > NAME_LIMIT || !name.chars().all(known) {
        return Err(validation(
            "Parameter name must be a fully qualified name: letters, digits and the symbols .-_ in sub-paths divided by slashes, with a slash at the beginning.",
        ));
    }
    Ok(())
}

fn checked_tags(tags: Vec<model::Tag>) -> Result<BTreeMap<String, String>, Fault> {
    let mut out = BTreeMap::new();
    for tag in tags {
        if tag.key.is_empty() || tag.key.chars().count() > 128 || tag.value.chars().count() > 256 {
            return Err(validation("Tag keys have 1 to 128 characters, values at most 256."));
        }
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(validation("Tag keys must not start with aws:"));
        }
        out.insert(tag.key, tag.value);
    }
    if out.len() > 50 {
        return Err(Fault::new("TooManyTagsError", "A parameter has at most 50 tags."));
    }
    Ok(out)
}

fn some_names(names: Vec<String>) -> Result<Vec<String>, Fault> {
    if names.is_empty() || names.len() > 10 {
        return Err(validation(
            "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length between 1 and 10",
        ));
    }
    Ok(names)
}

fn at_most(asked: Option<i32>, most: usize) -> Result<usize, Fault> {
    let limit = asked.map_or(Some(most), |limit| usize::try_from(limit).ok());
    limit.filter(|limit| (1..=most).contains(limit)).ok_or_else(|| {
        validation(format!(
            "1 validation error detected: Value '{}' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and {most}",
            asked.unwrap_or_default()
        ))
    })
}

/// By name, or by name and version.
fn read(call: &Call<'_>, asked: &str) -> Result<model::Parameter, Fault> {
    let (name, version) = match asked.split_once(':') {
        Some((name, version)) => (name, Some(version)),
        None => (asked, None),
    };
    let found = find(call, name)?;
    if let Some(version) = version
        && found.metadata.version.map(|newest| newest.to_string()).as_deref() != Some(version)
    {
        return Err(Fault::new(
            "ParameterVersionNotFound",
            format!("Systems Manager could not find version {version} of {name}."),
        ));
    }
    Ok(shown(found))
}

fn shown(parameter: &Parameter) -> model::Parameter {
    let about = parameter.metadata.clone();
    model::Parameter {
        a_r_n: about.a_r_n,
        data_type: about.data_type,
        last_modified_date: about.last_modified_date,
        name: about.name,
        r#type: about.r#type,
        value: Some(parameter.value.clone()),
        version: about.version,
        ..Default::default()
    }
}

fn parameters<'a>(call: &'a Call<'_>) -> impl Iterator<Item = (&'a String, &'a Parameter)> {
    let region = call.region_if_any(call.region_name);
    region.into_iter().flat_map(|region| region.ssm.parameters.iter())
}

fn find<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Parameter, Fault> {
    let region = call.region_if_any(call.region_name);
    region
        .and_then(|region| region.ssm.parameters.get(name))
        .ok_or_else(|| Fault::new("ParameterNotFound", format!("Parameter {name} not found.")))
}

fn tagged<'a>(call: &'a mut Call<'_>, kind: &str, id: &str) -> Result<&'a mut Parameter, Fault> {
    let missing = || {
        Fault::new(
            "InvalidResourceId",
            "The resource ID is not valid. Verify that you entered the correct ID and try again.",
        )
    };
    if kind != "Parameter" {
        return Err(Fault::new("InvalidResourceType", "The resource type is not valid."));
    }
    find(call, id).map_err(|_| missing())?;
    call.region().ssm.parameters.get_mut(id).ok_or_else(missing)
}

fn one_of(field: &str, value: &str, set: &str) -> Fault {
    validation(format!(
        "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: Member must satisfy enum value set: [{set}]"
    ))
}

fn validation(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}

fn invalid_token() -> Fault {
    Fault::new("InvalidNextToken", "The specified token is not valid.")
}

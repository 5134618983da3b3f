//! IAM Access Analyzer: analyzers. They find nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use winterbaume_accessanalyzer::{model, wire};
use winterbaume_core::MockResponse;

use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;

/// What Access Analyzer holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub analyzers: BTreeMap<String, Entry>,
}

/// An analyzer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Entry {
    /// What GetAnalyzer says.
    pub summary: model::AnalyzerSummary,
    /// The client token that made it.
    pub token: Option<String>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let path = call.segments();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let query = call.query();
    match (call.request.method.as_str(), path.as_slice()) {
        ("PUT", ["analyzer"]) => {
            create(call, wire::deserialize_create_analyzer_request(call.request, &[], &query)?)
        }
        ("GET", ["analyzer"]) => {
            let input = wire::deserialize_list_analyzers_request(call.request, &[], &query)?;
            let of_type = query.get("type");
            let all = held(call)
                .map(|state| state.analyzers.values())
                .into_iter()
                .flatten()
                .filter(|entry| of_type.is_none() || entry.summary.r#type.as_ref() == of_type)
                .map(|entry| entry.summary.clone())
                .collect();
            let limit = input.max_results.and_then(|max| usize::try_from(max).ok());
            let (analyzers, next_token) =
                page(all, input.next_token.as_deref(), limit.unwrap_or(100))
                    .ok_or_else(|| invalid("the token is invalid"))?;
            Ok(wire::serialize_list_analyzers_response(&model::ListAnalyzersResponse {
                analyzers: Some(analyzers),
                next_token,
            }))
        }
        ("GET", ["analyzer", name]) => {
            let analyzer = Some(find(call, name)?.summary.clone());
            Ok(wire::serialize_get_analyzer_response(&model::GetAnalyzerResponse { analyzer }))
        }
        ("DELETE", ["analyzer", name]) => {
            find(call, name)?;
            call.region().accessanalyzer.analyzers.remove(*name);
            Ok(wire::serialize_delete_analyzer_response())
        }
        ("POST", ["finding"]) => {
            let input = wire::deserialize_list_findings_request(call.request, &[], &query)?;
            by_arn(call, &input.analyzer_arn)?;
            Ok(wire::serialize_list_findings_response(&model::ListFindingsResponse {
                findings: Some(Vec::new()),
                next_token: None,
            }))
        }
        ("POST", ["findingv2"]) => {
            let input = wire::deserialize_list_findings_v2_request(call.request, &[], &query)?;
            by_arn(call, &input.analyzer_arn)?;
            Ok(wire::serialize_list_findings_v2_response(&model::ListFindingsV2Response {
                findings: Some(Vec::new()),
                next_token: None,
            }))
        }
        (method, ["tags", arn @ ..]) => tags(call, method, &arn.join("/")),
        (method, path) => {
            let operation = format!("{method} /{}", path.join("/"));
            Err(Fault::unknown_operation("accessanalyzer", &operation))
        }
    }
}

fn tags(call: &mut Call<'_>, method: &str, arn: &str) -> Result<MockResponse, Fault> {
    let query = call.query();
    let labels = [("resourceArn", arn)];
    let name = by_arn(call, arn)?;
    match method {
        "GET" => {
            let tags = find(call, &name)?.summary.tags.clone().unwrap_or_default();
            Ok(wire::serialize_list_tags_for_resource_response(
                &model::ListTagsForResourceResponse { tags: Some(tags) },
            ))
        }
        "POST" => {
            let input = wire::deserialize_tag_resource_request(call.request, &labels, &query)?;
            find_mut(call, &name)?.summary.tags.get_or_insert_default().extend(input.tags);
            Ok(wire::serialize_tag_resource_response(&model::TagResourceResponse {}))
        }
        "DELETE" => {
            let keys = call.query_values("tagKeys");
            let tags = find_mut(call, &name)?.summary.tags.get_or_insert_default();
            tags.retain(|name, _| !keys.contains(name));
            Ok(wire::serialize_untag_resource_response(&model::UntagResourceResponse {}))
        }
        other => Err(Fault::unknown_operation("accessanalyzer", other)),
    }
}

fn create(call: &mut Call<'_>, input: model::CreateAnalyzerRequest) -> Result<MockResponse, Fault> {
    const TYPES: &[&str] = &[
        "ACCOUNT",
        "ORGANIZATION",
        "ACCOUNT_UNUSED_ACCESS",
        "ORGANIZATION_UNUSED_ACCESS",
        "ACCOUNT_INTERNAL_ACCESS",
        "ORGANIZATION_INTERNAL_ACCESS",
    ];
    let name = input.analyzer_name;
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let starts = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    if !starts || name.len() > 255 || !name.chars().all(fits) {
        return Err(invalid("the analyzer name is invalid"));
    }
    if !TYPES.contains(&input.r#type.as_str()) {
        return Err(invalid("the analyzer type is invalid"));
    }
    if let Some(found) = held(call).and_then(|state| state.analyzers.get(&name)) {
        if input.client_token.is_some() && found.token == input.client_token {
            let arn = found.summary.arn.clone();
            return Ok(wire::serialize_create_analyzer_response(&model::CreateAnalyzerResponse {
                arn,
            }));
        }
        return Err(Fault::new(
            "ConflictException",
            format!("An analyzer with the name {name} already exists."),
        )
        .status(409));
    }
    let of_type = |entry: &&Entry| entry.summary.r#type.as_ref() == Some(&input.r#type);
    let taken = held(call).and_then(|state| state.analyzers.values().find(of_type)).is_some();
    if taken {
        return Err(Fault::new(
            "ServiceQuotaExceededException",
            format!("The number of {} analyzers of this region is at its limit.", input.r#type),
        )
        .status(402));
    }
    let arn = call.arn("access-analyzer", &format!("analyzer/{name}"));
    let summary = model::AnalyzerSummary {
        arn: Some(arn.clone()),
        name: Some(name.clone()),
        r#type: Some(input.r#type),
        status: Some("ACTIVE".into()),
        created_at: Some(call.iso8601()),
        configuration: input.configuration,
        tags: Some(input.tags.unwrap_or_default()),
        ..Default::default()
    };
    let entry = Entry { summary, token: input.client_token };
    call.region().accessanalyzer.analyzers.insert(name, entry);
    Ok(wire::serialize_create_analyzer_response(&model::CreateAnalyzerResponse { arn: Some(arn) }))
}

fn held<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.region_if_any(call.region_name).map(|region| &*region.accessanalyzer)
}

fn find<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Entry, Fault> {
    held(call).and_then(|state| state.analyzers.get(name)).ok_or_else(|| not_found(name))
}

fn find_mut<'a>(call: &'a mut Call<'_>, name: &str) -> Result<&'a mut Entry, Fault> {
    let missing = not_found(name);
    call.region().accessanalyzer.analyzers.get_mut(name).ok_or(missing)
}

/// The name of the analyzer with an ARN.
fn by_arn(call: &Call<'_>, arn: &str) -> Result<String, Fault> {
    let all = held(call).map(|state| state.analyzers.iter()).into_iter().flatten();
    let mut of_arn = all.filter(|(_, entry)| entry.summary.arn.as_deref() == Some(arn));
    of_arn.next().map(|(name, _)| name.clone()).ok_or_else(|| not_found(arn))
}

fn not_found(name: &str) -> Fault {
    Fault::new("ResourceNotFoundException", format!("The analyzer {name} does not exist."))
        .status(404)
}

fn invalid(message: &str) -> Fault {
    Fault::new("ValidationException", message)
}

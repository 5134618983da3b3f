//! GuardDuty: the detector of a region. It finds nothing.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use winterbaume_core::MockResponse;
use winterbaume_guardduty::{model, wire};

use crate::call::Call;
use crate::fault::Fault;

/// What GuardDuty holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By id; at most one.
    pub detectors: BTreeMap<String, Entry>,
}

/// A detector.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Entry {
    /// What GetDetector says.
    pub detector: model::GetDetectorResponse,
    /// The client token that made it.
    pub token: Option<String>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let path = call.segments();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let query = call.query();
    match (call.request.method.as_str(), path.as_slice()) {
        ("POST", ["detector"]) => {
            create(call, wire::deserialize_create_detector_request(call.request, &[], &query)?)
        }
        ("GET", ["detector"]) => {
            let ids = held(call).map(|state| state.detectors.keys().cloned().collect());
            Ok(wire::serialize_list_detectors_response(&model::ListDetectorsResponse {
                detector_ids: Some(ids.unwrap_or_default()),
                next_token: None,
            }))
        }
        ("GET", ["detector", id]) => {
            Ok(wire::serialize_get_detector_response(&find(call, id)?.detector))
        }
        ("POST", ["detector", id]) => {
            let labels = [("DetectorId", *id)];
            let input = wire::deserialize_update_detector_request(call.request, &labels, &query)?;
            update(call, input)
        }
        ("DELETE", ["detector", id]) => {
            find(call, id)?;
            call.region().guardduty.detectors.remove(*id);
            Ok(wire::serialize_delete_detector_response(&model::DeleteDetectorResponse {}))
        }
        (method, ["tags", arn @ ..]) => {
            let arn = arn.join("/");
            let id = arn.rsplit('/').next().unwrap_or_default();
            if arn != call.arn("guardduty", &format!("detector/{id}")) {
                return Err(bad_request("the resource ARN is invalid"));
            }
            find(call, id)?;
            tags(call, method, &arn, id)
        }
        (method, path) => {
            Err(Fault::unknown_operation("guardduty", &format!("{method} /{}", path.join("/"))))
        }
    }
}

fn tags(call: &mut Call<'_>, method: &str, arn: &str, id: &str) -> Result<MockResponse, Fault> {
    let query = call.query();
    let labels = [("ResourceArn", arn)];
    let keys = call.query_values("tagKeys");
    match method {
        "GET" => {
            let tags = find(call, id)?.detector.tags.clone();
            Ok(wire::serialize_list_tags_for_resource_response(
                &model::ListTagsForResourceResponse { tags: Some(tags.unwrap_or_default()) },
            ))
        }
        "POST" => {
            let input = wire::deserialize_tag_resource_request(call.request, &labels, &query)?;
            let entry = find_mut(call, id)?;
            entry.detector.tags.get_or_insert_default().extend(input.tags);
            let mut response =
                wire::serialize_tag_resource_response(&model::TagResourceResponse {});
            response.status = 204;
            response.body = bytes::Bytes::new();
            Ok(response)
        }
        "DELETE" => {
            let entry = find_mut(call, id)?;
            entry.detector.tags.get_or_insert_default().retain(|name, _| !keys.contains(name));
            let mut response =
                wire::serialize_untag_resource_response(&model::UntagResourceResponse {});
            response.status = 204;
            response.body = bytes::Bytes::new();
            Ok(response)
        }
        other => Err(Fault::unknown_operation("guardduty", other)),
    }
}

fn create(call: &mut Call<'_>, input: model::CreateDetectorRequest) -> Result<MockResponse, Fault> {
    let existing = held(call).and_then(|state| state.detectors.iter().next());
    if let Some((id, entry)) = existing {
        if input.client_token.is_some() && entry.token == input.client_token {
            return Ok(created(id.clone()));
        }
        return Err(bad_request("a detector already exists for the current account"));
    }
    if input.data_sources.is_some() && input.features.is_some() {
        return Err(bad_request("dataSources and features cannot be used together"));
    }
    let frequency = checked_frequency(input.finding_publishing_frequency)?;
    let now = call.epoch();
    let mut features: Vec<model::DetectorFeatureConfigurationResult> = [
        ("CLOUD_TRAIL", true),
        ("DNS_LOGS", true),
        ("FLOW_LOGS", true),
        ("S3_DATA_EVENTS", true),
        ("EKS_AUDIT_LOGS", true),
        ("EBS_MALWARE_PROTECTION", true),
        ("RDS_LOGIN_EVENTS", true),
        ("LAMBDA_NETWORK_LOGS", true),
        ("EKS_RUNTIME_MONITORING", false),
        ("RUNTIME_MONITORING", false),
    ]
    .into_iter()
    .map(|(name, on)| model::DetectorFeatureConfigurationResult {
        name: Some(name.into()),
        status: Some(if on { "ENABLED" } else { "DISABLED" }.into()),
        updated_at: Some(now),
        additional_configuration: None,
    })
    .collect();
    apply(&mut features, input.features.unwrap_or_default(), now)?;
    let detector = model::GetDetectorResponse {
        created_at: Some(call.iso8601()),
        updated_at: Some(call.iso8601()),
        features: Some(features),
        finding_publishing_frequency: Some(frequency.unwrap_or_else(|| "SIX_HOURS".into())),
        service_role: Some(format!(
            "arn:aws:iam::{}:role/aws-service-role/guardduty.amazonaws.com/\
             AWSServiceRoleForAmazonGuardDuty",
            call.account_id()
        )),
        status: Some(status(input.enable).into()),
        tags: Some(input.tags.unwrap_or_default()),
        ..Default::default()
    };
    let id = call.random_hex(32);
    let entry = Entry { detector, token: input.client_token };
    call.region().guardduty.detectors.insert(id.clone(), entry);
    Ok(created(id))
}

fn created(id: String) -> MockResponse {
    wire::serialize_create_detector_response(&model::CreateDetectorResponse {
        detector_id: Some(id),
        unprocessed_data_sources: None,
    })
}

fn update(call: &mut Call<'_>, input: model::UpdateDetectorRequest) -> Result<MockResponse, Fault> {
    find(call, &input.detector_id)?;
    let frequency = checked_frequency(input.finding_publishing_frequency)?;
    let (now, at) = (call.epoch(), call.iso8601());
    let mut features = find(call, &input.detector_id)?.detector.features.clone();
    apply(features.get_or_insert_default(), input.features.unwrap_or_default(), now)?;
    let detector = &mut find_mut(call, &input.detector_id)?.detector;
    detector.features = features;
    detector.updated_at = Some(at);
    if let Some(on) = input.enable {
        detector.status = Some(status(on).into());
    }
    if let Some(frequency) = frequency {
        detector.finding_publishing_frequency = Some(frequency);
    }
    Ok(wire::serialize_update_detector_response(&model::UpdateDetectorResponse {}))
}

fn apply(
    features: &mut [model::DetectorFeatureConfigurationResult],
    asked: Vec<model::DetectorFeatureConfiguration>,
    now: f64,
) -> Result<(), Fault> {
    let mut seen: HashMap<String, ()> = HashMap::new();
    for change in asked {
        let name = change.name.unwrap_or_default();
        let settable = !["CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS"].contains(&name.as_str());
        let held = features.iter_mut().find(|it| settable && it.name.as_ref() == Some(&name));
        let Some(held) = held else {
            return Err(bad_request(&format!("the feature {name} is invalid")));
        };
        if !matches!(change.status.as_deref(), Some("ENABLED" | "DISABLED")) {
            return Err(bad_request("a feature's status must be ENABLED or DISABLED"));
        }
        if seen.insert(name, ()).is_some() {
            return Err(bad_request("a feature is given twice"));
        }
        held.status = change.status;
        held.updated_at = Some(now);
        if let Some(more) = change.additional_configuration {
            let more = more.into_iter().map(|it| model::DetectorAdditionalConfigurationResult {
                name: it.name,
                status: it.status,
                updated_at: Some(now),
            });
            held.additional_configuration = Some(more.collect());
        }
    }
    Ok(())
}

fn checked_frequency(frequency: Option<String>) -> Result<Option<String>, Fault> {
    match frequency.as_deref() {
        None | Some("FIFTEEN_MINUTES" | "ONE_HOUR" | "SIX_HOURS") => Ok(frequency),
        Some(_) => Err(bad_request("the finding publishing frequency is invalid")),
    }
}

fn status(on: bool) -> &'static str {
    if on { "ENABLED" } else { "DISABLED" }
}

fn held<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.region_if_any(call.region_name).map(|region| &*region.guardduty)
}

fn find<'a>(call: &'a Call<'_>, id: &str) -> Result<&'a Entry, Fault> {
    held(call).and_then(|state| state.detectors.get(id)).ok_or_else(not_owned)
}

fn find_mut<'a>(call: &'a mut Call<'_>, id: &str) -> Result<&'a mut Entry, Fault> {
    call.region().guardduty.detectors.get_mut(id).ok_or_else(not_owned)
}

fn not_owned() -> Fault {
    bad_request("the input detectorId is not owned by the current account")
}

fn bad_request(why: &str) -> Fault {
    Fault::new("BadRequestException", format!("The request is rejected because {why}."))
}

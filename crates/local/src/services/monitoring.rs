//! CloudWatch alarms. CloudWatch speaks three protocols; the answer is in the one of the request.
//! No alarm is evaluated: its state is what SetAlarmState says.

use std::collections::BTreeMap;

use ciborium::Value as Cbor;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use winterbaume_cloudwatch::{model, wire};
use winterbaume_core::{MockResponse, extract_path, xml_escape};

use crate::call::Call;
use crate::fault::{Fault, Protocol};
use crate::paging::page;

/// What CloudWatch holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub alarms: BTreeMap<String, Alarm>,
}

/// An alarm: what was put, and its state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Alarm {
    /// The settings, tags left out.
    pub settings: model::PutMetricAlarmInput,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When the settings were last put, in seconds since the epoch.
    pub configured: i64,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: String,
    /// Why.
    pub reason: String,
    /// Since when, in seconds since the epoch.
    pub since: i64,
}

/// A request in any of the protocols, parsed by winterbaume's wire.
macro_rules! parse {
    ($call:expr, $protocol:expr, $cbor:ident, $query:ident) => {
        match $protocol {
            Protocol::Cbor => wire::$cbor(&$call.request.body)?,
            Protocol::Json => {
                serde_json::from_slice(&$call.request.body).map_err(|why| why.to_string())?
            }
            _ => wire::$query(&$call.form())?,
        }
    };
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let (protocol, operation) = operation(call);
    let answer = dispatch(call, protocol, &operation);
    Ok(match answer {
        Ok(result) => encode(protocol, &operation, &result),
        // Clients of the newer protocols read the code that the query protocol has from a header.
        Err(fault) => {
            let mut response = fault.response(protocol);
            if let Ok(value) = format!("{};Sender", fault.code).parse() {
                response.headers.insert("x-amzn-query-error", value);
            }
            response
        }
    })
}

/// How the request speaks, and what it asks for.
fn operation(call: &Call<'_>) -> (Protocol, String) {
    let path = extract_path(&call.request.uri);
    if let Some((_, operation)) = path.split_once("/operation/") {
        return (Protocol::Cbor, operation.to_owned());
    }
    if call.request.headers.contains_key("x-amz-target") {
        return (Protocol::Json, call.target().to_owned());
    }
    (Protocol::Query, call.form().remove("Action").unwrap_or_default())
}

fn dispatch(call: &mut Call<'_>, protocol: Protocol, operation: &str) -> Result<Value, Fault> {
    match operation {
        "PutMetricAlarm" => {
            let input = parse!(
                call,
                protocol,
                deserialize_put_metric_alarm_request,
                deserialize_put_metric_alarm_request_query
            );
            put(call, input)
        }
        "DescribeAlarms" => {
            let input = parse!(
                call,
                protocol,
                deserialize_describe_alarms_request,
                deserialize_describe_alarms_request_query
            );
            describe(call, input)
        }
        "DeleteAlarms" => {
            let input: model::DeleteAlarmsInput = parse!(
                call,
                protocol,
                deserialize_delete_alarms_request,
                deserialize_delete_alarms_request_query
            );
            if let Some(name) = input.alarm_names.iter().find(|name| find(call, name).is_err()) {
                return Err(not_found(&format!("Alarm {name} does not exist")));
            }
            for name in &input.alarm_names {
                call.region().monitoring.alarms.remove(name);
            }
            Ok(json!({}))
        }
        "SetAlarmState" => {
            let input: model::SetAlarmStateInput = parse!(
                call,
                protocol,
                deserialize_set_alarm_state_request,
                deserialize_set_alarm_state_request_query
            );
            if !["OK", "ALARM", "INSUFFICIENT_DATA"].contains(&input.state_value.as_str()) {
                return Err(invalid("The state value is invalid"));
            }
            let now = call.now.as_second();
            let alarm = find_mut(call, &input.alarm_name)?;
            alarm.state = input.state_value;
            alarm.reason = input.state_reason;
            alarm.since = now;
            Ok(json!({}))
        }
        "EnableAlarmActions" => {
            let input: model::EnableAlarmActionsInput = parse!(
                call,
                protocol,
                deserialize_enable_alarm_actions_request,
                deserialize_enable_alarm_actions_request_query
            );
            switch(call, &input.alarm_names, true)
        }
        "DisableAlarmActions" => {
            let input: model::DisableAlarmActionsInput = parse!(
                call,
                protocol,
                deserialize_disable_alarm_actions_request,
                deserialize_disable_alarm_actions_request_query
            );
            switch(call, &input.alarm_names, false)
        }
        "TagResource" => {
            let input: model::TagResourceInput = parse!(
                call,
                protocol,
                deserialize_tag_resource_request,
                deserialize_tag_resource_request_query
            );
            let tags = checked_tags(&input.tags)?;
            let name = by_arn(call, &input.resource_a_r_n)?;
            find_mut(call, &name)?.tags.extend(tags);
            Ok(json!({}))
        }
        "UntagResource" => {
            let input: model::UntagResourceInput = parse!(
                call,
                protocol,
                deserialize_untag_resource_request,
                deserialize_untag_resource_request_query
            );
            let name = by_arn(call, &input.resource_a_r_n)?;
            find_mut(call, &name)?.tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(json!({}))
        }
        "ListTagsForResource" => {
            let input: model::ListTagsForResourceInput = parse!(
                call,
                protocol,
                deserialize_list_tags_for_resource_request,
                deserialize_list_tags_for_resource_request_query
            );
            let name = by_arn(call, &input.resource_a_r_n)?;
            let tags = find(call, &name)?.tags.iter();
            let tags =
                tags.map(|(key, value)| model::Tag { key: key.clone(), value: value.clone() });
            output(&model::ListTagsForResourceOutput { tags: Some(tags.collect()) })
        }
        other => Err(Fault::unknown_operation("cloudwatch", other)),
    }
}

fn put(call: &mut Call<'_>, mut input: model::PutMetricAlarmInput) -> Result<Value, Fault> {
    check(&input)?;
    let tags = checked_tags(&input.tags.take().unwrap_or_default())?;
    input.actions_enabled.get_or_insert(true);
    for actions in
        [&mut input.alarm_actions, &mut input.o_k_actions, &mut input.insufficient_data_actions]
    {
        actions.get_or_insert_default();
    }
    if input.metrics.is_none() {
        input.dimensions.get_or_insert_default();
    }
    let now = call.now.as_second();
    let name = input.alarm_name.clone();
    let alarms = &mut call.region().monitoring.alarms;
    match alarms.get_mut(&name) {
        // An update replaces the settings, and leaves the state and the tags.
        Some(alarm) => {
            alarm.settings = input;
            alarm.configured = now;
        }
        None => {
            let alarm = Alarm {
                settings: input,
                tags,
                configured: now,
                state: "INSUFFICIENT_DATA".into(),
                reason: "Unchecked: Initial alarm creation".into(),
                since: now,
            };
            alarms.insert(name, alarm);
        }
    }
    Ok(json!({}))
}

fn check(input: &model::PutMetricAlarmInput) -> Result<(), Fault> {
    const OPERATORS: &[&str] = &[
        "GreaterThanOrEqualToThreshold",
        "GreaterThanThreshold",
        "LessThanThreshold",
        "LessThanOrEqualToThreshold",
        "LessThanLowerOrGreaterThanUpperThreshold",
        "LessThanLowerThreshold",
        "GreaterThanUpperThreshold",
    ];
    if input.alarm_name.is_empty() || input.alarm_name.chars().count() > 255 {
        return Err(invalid("AlarmName must have 1 to 255 characters"));
    }
    if input.alarm_description.as_ref().is_some_and(|text| text.chars().count() > 1024) {
        return Err(invalid("AlarmDescription must have at most 1024 characters"));
    }
    if !OPERATORS.contains(&input.comparison_operator.as_str()) {
        return Err(invalid(&format!(
            "Value '{}' at 'comparisonOperator' failed to satisfy constraint: Member must satisfy \
             enum value set: {OPERATORS:?}",
            input.comparison_operator
        )));
    }
    if input.evaluation_periods < 1 {
        return Err(invalid("EvaluationPeriods must be at least 1"));
    }
    if input.datapoints_to_alarm.is_some_and(|m| m < 1 || m > input.evaluation_periods) {
        return Err(invalid("DatapointsToAlarm must be between 1 and EvaluationPeriods"));
    }
    match (&input.metric_name, &input.metrics) {
        (Some(_), Some(_)) => {
            return Err(Fault::new(
                "InvalidParameterCombination",
                "MetricName and Metrics cannot be used together",
            ));
        }
        (None, None) => {
            return Err(Fault::new("MissingParameter", "MetricName or Metrics must be given"));
        }
        (None, Some(_)) => {}
        (Some(_), None) => {
            if input.namespace.is_none() {
                return Err(Fault::new("MissingParameter", "Namespace must be given"));
            }
            if input.statistic.is_some() == input.extended_statistic.is_some() {
                return Err(Fault::new(
                    "InvalidParameterCombination",
                    "Either Statistic or ExtendedStatistic must be given",
                ));
            }
            const STATISTICS: &[&str] = &["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
            if input.statistic.as_ref().is_some_and(|it| !STATISTICS.contains(&it.as_str())) {
                return Err(invalid("Statistic is invalid"));
            }
            let period = input.period.unwrap_or(0);
            if ![10, 20, 30].contains(&period) && (period < 60 || period % 60 != 0) {
                return Err(invalid("Period must be 10, 20, 30 or a multiple of 60"));
            }
            if i64::from(period) * i64::from(input.evaluation_periods) > 7 * 86_400 {
                return Err(invalid(
                    "Metrics cannot be checked across more than a week (EvaluationPeriods * Period \
                     must be <= 604800).",
                ));
            }
        }
    }
    if input.threshold.is_none() && input.threshold_metric_id.is_none() {
        return Err(Fault::new("MissingParameter", "Threshold must be given"));
    }
    const MISSING: &[&str] = &["breaching", "notBreaching", "ignore", "missing"];
    if input.treat_missing_data.as_ref().is_some_and(|it| !MISSING.contains(&it.as_str())) {
        return Err(invalid("TreatMissingData is invalid"));
    }
    let actions = [&input.alarm_actions, &input.o_k_actions, &input.insufficient_data_actions];
    for list in actions.into_iter().flatten() {
        if list.len() > 5 {
            return Err(invalid("An alarm can have at most 5 actions for a state"));
        }
        if let Some(action) = list.iter().find(|action| !action.starts_with("arn:")) {
            return Err(invalid(&format!("Invalid action ARN: {action}")));
        }
    }
    Ok(())
}

fn describe(call: &mut Call<'_>, input: model::DescribeAlarmsInput) -> Result<Value, Fault> {
    // Without a type, only metric alarms are asked for.
    let metric = input.alarm_types.as_ref().is_none_or(|types| {
        types.is_empty() || types.iter().any(|of_type| of_type == "MetricAlarm")
    });
    let wanted = |name: &str, alarm: &Alarm| {
        let actions = alarm.settings.alarm_actions.iter().flatten();
        metric
            && input
                .alarm_names
                .as_ref()
                .is_none_or(|names| names.is_empty() || names.iter().any(|other| other == name))
            && input.alarm_name_prefix.as_ref().is_none_or(|start| name.starts_with(start))
            && input.state_value.as_ref().is_none_or(|state| alarm.state == *state)
            && input
                .action_prefix
                .as_ref()
                .is_none_or(|start| actions.into_iter().any(|action| action.starts_with(start)))
    };
    let all: Vec<model::MetricAlarm> = held(call)
        .map(|state| state.alarms.iter())
        .into_iter()
        .flatten()
        .filter(|(name, alarm)| wanted(name, alarm))
        .map(|(_, alarm)| shown(call, alarm))
        .collect();
    let limit = input.max_records.and_then(|max| usize::try_from(max).ok()).unwrap_or(50).min(100);
    let (alarms, next_token) = page(all, input.next_token.as_deref(), limit)
        .ok_or_else(|| Fault::new("InvalidNextToken", "The token is invalid"))?;
    output(&model::DescribeAlarmsOutput {
        metric_alarms: Some(alarms),
        composite_alarms: Some(Vec::new()),
        next_token,
    })
}

fn shown(call: &Call<'_>, alarm: &Alarm) -> model::MetricAlarm {
    let put = alarm.settings.clone();
    model::MetricAlarm {
        alarm_arn: Some(call.arn("cloudwatch", &format!("alarm:{}", put.alarm_name))),
        alarm_name: Some(put.alarm_name),
        alarm_description: put.alarm_description,
        alarm_configuration_updated_timestamp: Some(alarm.configured as f64),
        actions_enabled: put.actions_enabled,
        alarm_actions: put.alarm_actions,
        o_k_actions: put.o_k_actions,
        insufficient_data_actions: put.insufficient_data_actions,
        comparison_operator: Some(put.comparison_operator),
        datapoints_to_alarm: put.datapoints_to_alarm,
        dimensions: put.dimensions,
        evaluate_low_sample_count_percentile: put.evaluate_low_sample_count_percentile,
        evaluation_periods: Some(put.evaluation_periods),
        extended_statistic: put.extended_statistic,
        metric_name: put.metric_name,
        metrics: put.metrics,
        namespace: put.namespace,
        period: put.period,
        statistic: put.statistic,
        threshold: put.threshold,
        threshold_metric_id: put.threshold_metric_id,
        treat_missing_data: put.treat_missing_data,
        unit: put.unit,
        state_value: Some(alarm.state.clone()),
        state_reason: Some(alarm.reason.clone()),
        state_updated_timestamp: Some(alarm.since as f64),
        state_transitioned_timestamp: Some(alarm.since as f64),
        ..Default::default()
    }
}

fn switch(call: &mut Call<'_>, names: &[String], on: bool) -> Result<Value, Fault> {
    for name in names {
        // Names that do not exist are passed over.
        if find(call, name).is_ok() {
            find_mut(call, name)?.settings.actions_enabled = Some(on);
        }
    }
    Ok(json!({}))
}

fn checked_tags(tags: &[model::Tag]) -> Result<BTreeMap<String, String>, Fault> {
    let bad = |tag: &&model::Tag| {
        let length = tag.key.chars().count();
        !(1..=128).contains(&length)
            || tag.value.chars().count() > 256
            || tag.key.to_lowercase().starts_with("aws:")
    };
    if tags.len() > 50 || tags.iter().any(|tag| bad(&tag)) {
        return Err(invalid("The tags are invalid"));
    }
    Ok(tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect())
}

fn held<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.region_if_any(call.region_name).map(|region| &*region.monitoring)
}

fn find<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Alarm, Fault> {
    let found = held(call).and_then(|state| state.alarms.get(name));
    found.ok_or_else(|| not_found(&format!("Alarm {name} does not exist")))
}

fn find_mut<'a>(call: &'a mut Call<'_>, name: &str) -> Result<&'a mut Alarm, Fault> {
    find(call, name)?;
    let missing = not_found(&format!("Alarm {name} does not exist"));
    call.region().monitoring.alarms.get_mut(name).ok_or(missing)
}

/// The name of the alarm with an ARN.
fn by_arn(call: &Call<'_>, arn: &str) -> Result<String, Fault> {
    let missing = || {
        Fault::new("ResourceNotFoundException", format!("Resource {arn} does not exist"))
            .status(404)
    };
    let name = arn.strip_prefix(&call.arn("cloudwatch", "alarm:")).ok_or_else(missing)?;
    find(call, name).map(|_| name.to_owned()).map_err(|_| missing())
}

fn not_found(message: &str) -> Fault {
    Fault::new("ResourceNotFound", message).status(404)
}

fn invalid(message: &str) -> Fault {
    Fault::new("ValidationError", message)
}

fn output<T: Serialize>(result: &T) -> Result<Value, Fault> {
    serde_json::to_value(result)
        .map_err(|why| Fault::new("InternalServiceFault", why.to_string()).status(500))
}

/// An answer in a protocol. winterbaume's serialisers fit CBOR only: they write times in a form of
/// their own that their CBOR encoder knows, and lists without the `member` of the query protocol.
fn encode(protocol: Protocol, operation: &str, result: &Value) -> MockResponse {
    match protocol {
        Protocol::Cbor => {
            let mut bytes = Vec::new();
            let body: Cbor = wire::json_to_cbor(result);
            // Writing to a Vec does not fail.
            let _ = ciborium::into_writer(&body, &mut bytes);
            MockResponse::cbor(200, bytes)
        }
        Protocol::Json => MockResponse::json(200, plain_times(result).to_string()),
        _ => MockResponse::xml(
            200,
            format!(
                "<{operation}Response xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\">\
                 <{operation}Result>{}</{operation}Result>\
                 <ResponseMetadata><RequestId>embedded</RequestId></ResponseMetadata>\
                 </{operation}Response>",
                xml(result)
            ),
        ),
    }
}

/// The seconds in winterbaume's form of a time.
fn time(value: &Value) -> Option<f64> {
    value.get("__cbor_epoch_seconds").and_then(Value::as_f64)
}

fn plain_times(value: &Value) -> Value {
    match value {
        Value::Object(_) if time(value).is_some() => json!(time(value)),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), plain_times(value))).collect()
        }
        Value::Array(items) => items.iter().map(plain_times).collect(),
        other => other.clone(),
    }
}

fn xml(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => xml_escape(text).to_string(),
        Value::Object(_) if time(value).is_some() => {
            let at = time(value).and_then(|at| Timestamp::from_second(at as i64).ok());
            at.map(|at| at.to_string()).unwrap_or_default()
        }
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("<{name}>{}</{name}>", xml(value))).collect()
        }
        Value::Array(items) => {
            items.iter().map(|item| format!("<member>{}</member>", xml(item))).collect()
        }
        other => other.to_string(),
    }
}

//! The record of disclosures that 34 CFR 99.32 asks for, and the logs that it is made of.

use std::collections::BTreeSet;

use api::http_api::HttpStage;
use api::{HttpApi, Stage};
use compute::LogGroup;
use engine::Live;

use crate::facts::{Facts, Seen};
use crate::finding::Unread;

/// What the access logs of API stages are written to, by ARN.
struct AccessLogs(Result<BTreeSet<String>, Unread>);

fn access_logs(facts: &Facts<'_>) -> Result<BTreeSet<String>, Unread> {
    let mut found = BTreeSet::new();
    for stage in facts.all::<Stage>()?.iter() {
        found.extend(stage.spec.access_logs.as_ref().map(|logs| logs.destination.to_string()));
    }
    for api in facts.all::<HttpApi>()?.iter() {
        let stages = Seen::of(api).read(&["stages"])?.stages.values();
        found.extend(stages.filter_map(destination).map(str::to_owned));
    }
    Ok(found)
}

/// Where a stage of an HTTP or WebSocket API writes its access log: a log group's ARN, as everybody else writes it.
pub(crate) fn destination(stage: &HttpStage) -> Option<&str> {
    stage.access_log_destination.as_deref().map(|arn| arn.trim_end_matches(":*"))
}

/// Whether a log group says who asked for which record: an API writes its access log there, or its
/// classification says so.
///
/// # Errors
/// When the stages could not be read.
pub(crate) fn is_disclosure_log(facts: &Facts<'_>, group: &Live<LogGroup>) -> Result<bool, Unread> {
    let classified = group.tags.get("DataClassification");
    if classified.is_some_and(|what| what.eq_ignore_ascii_case("disclosure-record")) {
        return Ok(true);
    }
    let logs = facts.derived(|facts| AccessLogs(access_logs(facts)));
    let written_to = logs.0.as_ref().map_err(Clone::clone)?;
    Ok(group.arn.as_ref().is_some_and(|arn| written_to.contains(arn)))
}

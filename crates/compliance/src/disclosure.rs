//! The record of disclosures that 34 CFR 99.32 asks for, and the logs that it is made of.

use std::collections::BTreeSet;

use api::Stage;
use compute::LogGroup;
use engine::Live;

use crate::facts::Facts;
use crate::finding::Unread;

/// What the access logs of API stages are written to, by ARN.
struct AccessLogs(Result<BTreeSet<String>, Unread>);

/// Whether a log group says who asked for which record: an API writes its access log there, or its
/// classification says so.
///
/// # Errors
/// When the stages could not be listed.
pub(crate) fn is_disclosure_log(facts: &Facts<'_>, group: &Live<LogGroup>) -> Result<bool, Unread> {
    let classified = group.tags.get("DataClassification");
    if classified.is_some_and(|what| what.eq_ignore_ascii_case("disclosure-record")) {
        return Ok(true);
    }
    let logs = facts.derived(|facts| {
        AccessLogs(facts.all::<Stage>().map(|stages| {
            let logs = stages.iter().filter_map(|stage| stage.spec.access_logs.as_ref());
            logs.map(|logs| logs.destination.to_string()).collect()
        }))
    });
    let written_to = logs.0.as_ref().map_err(Clone::clone)?;
    Ok(group.arn.as_ref().is_some_and(|arn| written_to.contains(arn)))
}

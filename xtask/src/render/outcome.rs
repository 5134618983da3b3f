//! How a run ended, as text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use engine::execute::Outcome;
use engine::stack::LogicalId;
use miette::Diagnostic;

use super::Paint;

/// What was done, what failed and why, what was not tried.
pub fn outcome(outcome: &Outcome, paint: &Paint) -> String {
    let mut out = String::new();
    let (strong, remove, faint) = (paint.strong, paint.remove, paint.faint);
    let made = outcome.done.iter().filter(|(step, _)| step.what == "create").count();
    let changed = outcome.done.iter().filter(|(step, _)| step.what == "update").count();
    let gone = outcome.done.iter().filter(|(step, _)| step.what == "delete").count();
    let _ = writeln!(
        out,
        "{strong}Done in {}:{strong:#} {made} created, {changed} updated, {gone} deleted.",
        seconds(outcome.took)
    );
    for (step, error) in &outcome.left_out {
        let _ = writeln!(
            out,
            "{}Left out:{:#} {} {}: this endpoint does not have the operation ({error})",
            paint.change, paint.change, step.what, step.resource
        );
    }
    for (step, error) in &outcome.failed {
        let _ = writeln!(
            out,
            "{remove}Failed:{remove:#} {} {} ({}): {error}",
            step.what, step.resource, step.kind
        );
        if let Some(help) = error.help() {
            let _ = writeln!(out, "        {faint}{help}{faint:#}");
        }
    }
    if !outcome.not_tried.is_empty() {
        let mut resources: BTreeMap<&LogicalId, Vec<&str>> = BTreeMap::new();
        for step in &outcome.not_tried {
            resources.entry(&step.resource).or_default().push(&step.what);
        }
        let _ = writeln!(out, "Not tried, because of the above:");
        for (resource, steps) in resources {
            let _ = writeln!(out, "  {resource} {faint}({}){faint:#}", steps.join(", "));
        }
    }
    out
}

/// A duration as people read it on a progress line.
pub fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(60) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        engine::error::humane(duration)
    }
}

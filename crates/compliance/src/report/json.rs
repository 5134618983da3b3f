//! JSON: the contract for other programs. Keys may be added, none changes its meaning.

use serde::Serialize;

use super::duties::{DUTIES, Duty};
use crate::evaluate::Audit;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    audit: &'a Audit,
    organisational_duties: &'a [Duty],
}

pub(super) fn render(audit: &Audit) -> String {
    pretty(&Document { audit, organisational_duties: DUTIES })
}

/// JSON over lines.
pub(super) fn pretty(value: &impl Serialize) -> String {
    let json = serde_json::to_string_pretty(value);
    // Maps with text keys and finite numbers: nothing that JSON cannot say.
    json.expect("reports serialise") + "\n"
}

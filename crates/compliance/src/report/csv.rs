//! CSV, for spreadsheets: a line for each finding, and then one for each duty of the organisation. Those have a status
//! of their own, so that whoever counts by status counts the same as before.

use csv::WriterBuilder;
use serde::Serialize;

use super::duties::{DUTIES, Duty};
use crate::evaluate::Audit;
use crate::finding::Finding;

/// The columns, by their names.
#[derive(Serialize)]
struct Row<'a> {
    control: String,
    title: String,
    status: &'a str,
    severity: &'a str,
    kind: String,
    id: String,
    arn: String,
    region: String,
    message: String,
    citations: String,
    remediation: String,
    evidence: String,
    waiver: String,
    account_id: String,
    started_at: String,
}

pub(super) fn render(audit: &Audit) -> String {
    let mut lines = WriterBuilder::new().from_writer(Vec::new());
    for finding in &audit.findings {
        lines.serialize(row(audit, finding)).expect("writing to memory");
    }
    for duty in DUTIES {
        lines.serialize(duty_row(audit, duty)).expect("writing to memory");
    }
    let bytes = lines.into_inner().expect("writing to memory");
    String::from_utf8(bytes).expect("text in, text out")
}

fn row<'a>(audit: &Audit, finding: &Finding) -> Row<'a> {
    let resource = &finding.resource;
    let evidence = serde_json::to_string(&finding.evidence).expect("evidence serialises");
    Row {
        control: inert(&finding.control),
        title: inert(&finding.title),
        status: super::word(finding.status),
        severity: super::severity(finding.severity),
        kind: inert(&resource.kind),
        id: inert(&resource.id),
        arn: inert(resource.arn.as_deref().unwrap_or_default()),
        region: inert(&resource.region),
        message: inert(&finding.message),
        citations: inert(&finding.citations.join("; ")),
        remediation: inert(&finding.remediation),
        evidence: inert(&evidence),
        waiver: inert(&super::waiver(finding).unwrap_or_default()),
        account_id: inert(&audit.account_id),
        started_at: audit.started_at.to_string(),
    }
}

/// A duty is about no resource and has no severity.
fn duty_row(audit: &Audit, duty: &Duty) -> Row<'static> {
    Row {
        control: inert(duty.id),
        title: inert(duty.title),
        status: "not technically assessable",
        severity: "",
        kind: String::new(),
        id: String::new(),
        arn: String::new(),
        region: inert(&audit.region),
        message: inert(duty.duty),
        citations: inert(&duty.citations.join("; ")),
        remediation: inert(&format!("Ask for {}.", duty.ask_for)),
        evidence: "[]".into(),
        waiver: String::new(),
        account_id: inert(&audit.account_id),
        started_at: audit.started_at.to_string(),
    }
}

/// Text that no spreadsheet takes for a formula: whoever may name a resource shall not be able to run
/// something where the report is opened.
fn inert(text: &str) -> String {
    let starts_formula = |c: char| {
        matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
    };
    let text = super::harmless(text);
    // A spreadsheet passes over spaces.
    match text.trim_start_matches(' ').starts_with(starts_formula) {
        true => format!("'{text}"),
        false => text,
    }
}

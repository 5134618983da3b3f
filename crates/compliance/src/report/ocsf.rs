//! OCSF 1.5 Compliance Findings (class 2003, cloud profile), for Security Lake and SIEMs.

use serde_json::{Value, json};

use super::json::pretty;
use crate::control::Severity;
use crate::evaluate::Audit;
use crate::finding::{Evidence, Finding, Status};

const VERSION: &str = "1.5.0";

pub(super) fn render(audit: &Audit) -> String {
    pretty(&audit.findings.iter().map(|finding| event(audit, finding)).collect::<Vec<_>>())
}

fn event(audit: &Audit, finding: &Finding) -> Value {
    let (severity_id, severity) = importance(finding);
    let (compliance_id, compliance) = outcome(finding.status);
    let (status_id, status) = match finding.status {
        Status::Waived => (3, "Suppressed"),
        _ => (1, "New"),
    };
    let (account, region) = (&audit.account_id, &finding.resource.region);
    let time = audit.started_at.as_millisecond();
    // The finding is the same from one audit to the next; the event is not.
    let finding_uid = format!("{account}/{region}/{}", super::identity(finding));
    let control = super::control(&finding.control);
    let mut event = json!({
        "activity_id": 1, "activity_name": "Create",
        "category_uid": 2, "category_name": "Findings",
        "class_uid": 2003, "class_name": "Compliance Finding",
        "type_uid": 200_301, "type_name": "Compliance Finding: Create",
        "time": time,
        "severity_id": severity_id, "severity": severity,
        "status_id": status_id, "status": status,
        "message": finding.message,
        "metadata": {
            "version": VERSION,
            "profiles": ["cloud"],
            "product": {"name": "ferpa-stack", "version": env!("CARGO_PKG_VERSION")},
            "event_code": finding.control,
            "uid": format!("{finding_uid}/{time}"),
        },
        "cloud": {
            "provider": "AWS",
            "region": region,
            "account": {"uid": account, "type": "AWS Account", "type_id": 10},
        },
        "finding_info": {
            "uid": finding_uid,
            "title": finding.title,
            "desc": control.map_or(&*finding.title, |control| control.statement),
            "types": ["FERPA"],
            "created_time": time,
        },
        "compliance": {
            "control": finding.control,
            "status_id": compliance_id, "status": compliance,
            "status_details": [finding.message],
            "standards": ["FERPA, 34 CFR Part 99", "NIST SP 800-171 Revision 2"],
            "requirements": finding.citations,
            "checks": [{
                "uid": finding.control, "name": finding.title,
                "severity_id": scale(finding.severity).0, "severity": scale(finding.severity).1,
            }],
        },
        "remediation": {
            "desc": finding.remediation,
            "references": [super::link(&finding.citations)],
        },
        "resources": [{
            "uid": finding.resource.arn.as_ref().unwrap_or(&finding.resource.id),
            "name": finding.resource.id,
            "type": finding.resource.kind,
            "region": region,
        }],
        "evidences": finding.evidence.iter().map(evidence).collect::<Vec<_>>(),
    });
    if let Some(why) = super::waiver(finding) {
        event["comment"] = why.into();
    }
    event
}

fn evidence(evidence: &Evidence) -> Value {
    json!({"name": format!("{} {}", evidence.call, evidence.field), "data": evidence})
}

/// What somebody has to do about it: what holds is information, however much it would cost if it did not.
fn importance(finding: &Finding) -> (u8, &'static str) {
    match finding.status {
        Status::Fail | Status::Unknown | Status::Waived => scale(finding.severity),
        Status::Pass | Status::NotApplicable => (1, "Informational"),
    }
}

const fn scale(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

const fn outcome(status: Status) -> (u8, &'static str) {
    match status {
        Status::Pass => (1, "Pass"),
        Status::Fail | Status::Waived => (3, "Fail"),
        Status::Unknown => (0, "Unknown"),
        Status::NotApplicable => (99, "Not applicable"),
    }
}

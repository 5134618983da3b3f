//! OCSF 1.5 Compliance Findings (class 2003, cloud profile), for Security Lake and SIEMs.

use serde_json::{Value, json};

use super::duties::{DUTIES, Duty};
use super::json::pretty;
use crate::control::Severity;
use crate::evaluate::Audit;
use crate::finding::{Evidence, Finding, Status};

const VERSION: &str = "1.5.0";
const STANDARDS: [&str; 2] = ["FERPA, 34 CFR Part 99", "NIST SP 800-171 Revision 2"];

pub(super) fn render(audit: &Audit) -> String {
    let findings = audit.findings.iter().map(|finding| event(audit, finding));
    let duties = DUTIES.iter().map(|duty| duty_event(audit, duty));
    pretty(&findings.chain(duties).collect::<Vec<_>>())
}

fn event(audit: &Audit, finding: &Finding) -> Value {
    let (severity_id, severity) = importance(finding);
    let (compliance_id, compliance) = outcome(finding.status);
    let (status_id, status) = match finding.status {
        Status::Waived => (3, "Suppressed"),
        _ => (1, "New"),
    };
    let region = &finding.resource.region;
    let mut event = envelope(audit, region, &finding.control, &super::identity(finding));
    event["severity_id"] = json!(severity_id);
    event["severity"] = severity.into();
    event["status_id"] = json!(status_id);
    event["status"] = status.into();
    event["message"] = finding.message.as_str().into();
    let control = super::control(&finding.control);
    let statement = control.map_or(&*finding.title, |control| control.statement);
    event["finding_info"]["title"] = finding.title.as_str().into();
    event["finding_info"]["desc"] = statement.into();
    event["compliance"] = json!({
        "control": finding.control,
        "status_id": compliance_id, "status": compliance,
        "status_details": [finding.message],
        "standards": STANDARDS,
        "requirements": finding.citations,
        "checks": [{
            "uid": finding.control, "name": finding.title,
            "severity_id": scale(finding.severity).0, "severity": scale(finding.severity).1,
        }],
    });
    event["remediation"] = json!({
        "desc": finding.remediation,
        "references": [super::link(&finding.citations)],
    });
    event["resources"] = json!([{
        "uid": finding.resource.arn.as_ref().unwrap_or(&finding.resource.id),
        "name": finding.resource.id,
        "type": finding.resource.kind,
        "region": region,
    }]);
    event["evidences"] = finding.evidence.iter().map(evidence).collect();
    if let Some(why) = super::waiver(finding) {
        event["comment"] = why.into();
    }
    event
}

/// What no API can show: information for whoever has to ask for it, about the account as a whole.
fn duty_event(audit: &Audit, duty: &Duty) -> Value {
    let citations: Vec<String> = duty.citations.iter().map(|&it| it.to_owned()).collect();
    let mut event = envelope(audit, &audit.region, duty.id, duty.id);
    event["severity_id"] = json!(1);
    event["severity"] = "Informational".into();
    event["status_id"] = json!(1);
    event["status"] = "New".into();
    event["message"] = format!("not technically assessable: {}", duty.duty).into();
    event["finding_info"]["title"] = duty.title.into();
    event["finding_info"]["desc"] = duty.duty.into();
    event["compliance"] = json!({
        "control": duty.id,
        "status_id": 99, "status": "Not technically assessable",
        "status_details": ["no API can show it"],
        "standards": STANDARDS,
        "requirements": citations,
    });
    event["remediation"] = json!({
        "desc": format!("Ask for {}.", duty.ask_for),
        "references": [super::link(&citations)],
    });
    event["resources"] = json!([{
        "uid": audit.account_id,
        "name": audit.account_id,
        "type": "AWS Account",
        "region": audit.region,
    }]);
    event
}

/// What all events have in common. The finding is the same from one audit to the next; the event is not.
fn envelope(audit: &Audit, region: &str, code: &str, identity: &str) -> Value {
    let account = &audit.account_id;
    let time = audit.started_at.as_millisecond();
    let finding_uid = format!("{account}/{region}/{identity}");
    json!({
        "activity_id": 1, "activity_name": "Create",
        "category_uid": 2, "category_name": "Findings",
        "class_uid": 2003, "class_name": "Compliance Finding",
        "type_uid": 200_301, "type_name": "Compliance Finding: Create",
        "time": time,
        "metadata": {
            "version": VERSION,
            "profiles": ["cloud"],
            "product": {"name": "ferpa-stack", "version": env!("CARGO_PKG_VERSION")},
            "event_code": code,
            "uid": format!("{finding_uid}/{time}"),
        },
        "cloud": {
            "provider": "AWS",
            "region": region,
            "account": {"uid": account, "type": "AWS Account", "type_id": 10},
        },
        "finding_info": {"uid": finding_uid, "types": ["FERPA"], "created_time": time},
    })
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

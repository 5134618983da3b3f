//! All controls over one inventory: the audit.

use engine::Inventory;
use engine::inventory::Subjects;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::control::{Control, Reach};
use crate::controls;
use crate::facts::Facts;
use crate::finding::{Finding, Judgement, Status, Summary};
use crate::settings::{Settings, Waiver};

/// The version of the report's schema.
pub const SCHEMA_VERSION: u32 = 1;

/// The result of an audit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// [`SCHEMA_VERSION`] when it was made.
    pub schema_version: u32,
    /// The account's twelve digits.
    pub account_id: String,
    /// The region.
    pub region: String,
    /// `stack` or `account`.
    pub scope: String,
    /// When.
    pub started_at: Timestamp,
    /// How many of each status.
    pub summary: Summary,
    /// One for each pair of control and resource, by control and resource.
    pub findings: Vec<Finding>,
}

/// Judges an inventory by every control that the scope can answer: a stack's where `subjects` are given,
/// else the account's.
pub fn evaluate(
    inventory: &Inventory,
    settings: &Settings,
    subjects: Option<&Subjects>,
    now: Timestamp,
) -> Audit {
    let facts = Facts::new(inventory, settings, now);
    let (facts, reach) = match subjects {
        Some(subjects) => (facts.about_only(subjects), Reach::Stack),
        None => (facts, Reach::Account),
    };
    let mut findings: Vec<Finding> = Vec::new();
    for control in controls::ALL {
        if control.reach == Reach::Account && reach == Reach::Stack {
            continue;
        }
        for judgement in control.judgements(&facts) {
            findings.push(finding(control, judgement, settings, now));
        }
    }
    findings.sort_by(|a, b| (&a.control, &a.resource).cmp(&(&b.control, &b.resource)));
    Audit {
        schema_version: SCHEMA_VERSION,
        account_id: inventory.account_id.clone(),
        region: inventory.region.clone(),
        scope: match reach {
            Reach::Stack => "stack".into(),
            Reach::Account => "account".into(),
        },
        started_at: now,
        summary: Summary::of(&findings),
        findings,
    }
}

fn finding(
    control: &Control,
    judgement: Judgement,
    settings: &Settings,
    now: Timestamp,
) -> Finding {
    let Judgement { resource, status, message, evidence } = judgement;
    let covers =
        |waiver: &&Waiver| waiver.covers(control.id, &resource.id, resource.arn.as_deref());
    let waiver = match status {
        Status::Fail | Status::Unknown => settings.waivers.iter().find(covers),
        _ => None,
    };
    let (status, message) = match waiver {
        Some(waiver) if waiver.holds(now) => (Status::Waived, message),
        Some(waiver) => (status, format!("{message} (its waiver ended on {})", waiver.expires)),
        None => (status, message),
    };
    Finding {
        control: control.id.into(),
        title: control.title.into(),
        status,
        severity: control.severity,
        resource,
        message,
        evidence,
        citations: control.citations.iter().map(|&citation| citation.into()).collect(),
        remediation: format!(
            "In a stack of ferpa-stack: {}. Elsewhere: {}.",
            control.remedy.stack, control.remedy.api
        ),
        waiver: waiver.cloned(),
    }
}

//! All controls over one inventory: the audit.

use std::collections::BTreeSet;

use engine::Inventory;
use engine::inventory::Subjects;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::control::{Control, Reach};
use crate::controls;
use crate::facts::Facts;
use crate::finding::{Finding, Judgement, Resource, Status, Summary};
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
    for control in controls::ALL.iter().filter(|control| is_within(control, reach)) {
        for judgement in control.judgements(&facts) {
            findings.push(finding(control, judgement, settings, now));
        }
    }
    findings.extend(lapsed(&findings, settings, reach, &inventory.region, now));
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

fn is_within(control: &Control, reach: Reach) -> bool {
    reach == Reach::Account || control.reach == Reach::Stack
}

/// The waivers that are over, that nobody has renewed, and that no finding tells of: what they were for holds
/// now or is gone, so that nobody would ever take them out.
fn lapsed(
    findings: &[Finding],
    settings: &Settings,
    reach: Reach,
    region: &str,
    now: Timestamp,
) -> Vec<Finding> {
    let (holding, over): (Vec<&Waiver>, Vec<&Waiver>) =
        settings.waivers.iter().partition(|waiver| waiver.holds(now));
    let renewed: BTreeSet<(&str, &str)> = holding.into_iter().filter_map(named).collect();
    let failed = findings.iter().filter(|finding| finding.status == Status::Fail);
    let told = failed.filter_map(|finding| finding.waiver.as_ref());
    let mut told: BTreeSet<(&str, &str)> = told.filter_map(named).collect();
    let mut lapsed = Vec::new();
    for waiver in over {
        let Some(control) = controls::control(&waiver.control) else { continue };
        let is_renewed =
            ["*", &waiver.resource].iter().any(|on| renewed.contains(&(control.id, on)));
        if !is_within(control, reach) || is_renewed || !told.insert((control.id, &waiver.resource))
        {
            continue;
        }
        lapsed.push(Finding {
            control: control.id.into(),
            title: control.title.into(),
            status: Status::Fail,
            severity: control.severity,
            resource: Resource {
                kind: Waiver::KIND.into(),
                id: waiver.resource.clone(),
                arn: None,
                region: region.into(),
            },
            message: format!("a waiver of this control ended on {}", waiver.expires),
            evidence: Vec::new(),
            citations: control.citations.iter().map(|&citation| citation.into()).collect(),
            remediation: "Take the waiver out of `audit.waivers`, or set a later day in `expires`."
                .into(),
            waiver: Some(waiver.clone()),
        });
    }
    lapsed
}

/// What a waiver is for, however its control is written.
fn named(waiver: &Waiver) -> Option<(&'static str, &str)> {
    Some((controls::control(&waiver.control)?.id, &waiver.resource))
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
        // A waiver and its renewal may stand side by side: the later one counts.
        Status::Fail | Status::Unknown => {
            settings.waivers.iter().filter(covers).max_by_key(|waiver| waiver.expires)
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOW;

    /// The status, resource and message of what an account without a trail is told of LOG-01.
    fn said(waivers: &[(&str, &str, &str)]) -> Vec<(Status, String, String)> {
        let waiver = |(control, resource, expires): &(&str, &str, &str)| Waiver {
            control: (*control).into(),
            resource: (*resource).into(),
            reason: "it is being made".into(),
            owner: "ciso@example.edu".into(),
            expires: expires.parse().unwrap(),
        };
        let waivers = waivers.iter().map(waiver).collect();
        let settings = Settings { waivers, ..Settings::default() };
        let mut inventory = Inventory::empty("123456789012", "us-east-1");
        for reader in crate::readers() {
            inventory.resources.entry(reader.kind.into()).or_default();
        }
        let audit = evaluate(&inventory, &settings, None, NOW);
        let found = audit.findings.into_iter().filter(|one| one.control == "FERPA-LOG-01");
        found
            .map(|one| {
                (one.status, format!("{} {}", one.resource.kind, one.resource.id), one.message)
            })
            .collect()
    }

    // Tests audit on 2026-09-10.
    const OVER: &str = "2026-09-09";
    const TODAY: &str = "2026-09-10";

    #[test]
    fn a_waiver_holds_until_its_day_is_over() {
        let trail = || "cloudtrail.trail *".to_owned();
        let none = "there is no trail".to_owned();
        let of_all = said(&[("FERPA-LOG-01", "*", TODAY)]);
        assert_eq!(of_all, [(Status::Waived, trail(), none.clone())]);
        let short = said(&[("log-01", "*", TODAY)]);
        assert_eq!(short, [(Status::Waived, trail(), none)]);
        let over = said(&[("FERPA-LOG-01", "*", OVER)]);
        let why = format!("there is no trail (its waiver ended on {OVER})");
        assert_eq!(over, [(Status::Fail, trail(), why)]);
    }

    #[test]
    fn a_renewal_counts_wherever_it_stands() {
        let (old, new) = (("FERPA-LOG-01", "*", OVER), ("FERPA-LOG-01", "*", TODAY));
        for waivers in [[old, new], [new, old]] {
            let found = said(&waivers);
            assert_eq!((found.len(), found[0].0), (1, Status::Waived), "{found:#?}");
        }
    }

    #[test]
    fn a_waiver_that_is_over_fails_though_nothing_needs_it() {
        let gone = said(&[("LOG-01", "gone", OVER), ("LOG-01", "gone", OVER)]);
        let told = (
            Status::Fail,
            "ferpa.waiver gone".to_owned(),
            format!("a waiver of this control ended on {OVER}"),
        );
        assert_eq!(gone.len(), 2, "{gone:#?}");
        assert_eq!(gone[1], told);
        assert_eq!(said(&[("LOG-01", "gone", TODAY)]).len(), 1);
        assert_eq!(said(&[("LOG-01", "gone", OVER), ("LOG-01", "gone", TODAY)]).len(), 1);
    }
}

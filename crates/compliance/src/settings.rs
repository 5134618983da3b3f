//! What an organisation has decided: floors, declared accounts and regions, waivers.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// What controls measure against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The least that must be kept.
    pub floors: Floors,
    /// Accounts with which records may be shared: twelve digits each. The audited account is one.
    pub declared_accounts: BTreeSet<String>,
    /// Regions in which resources may be. The audited region is one.
    pub declared_regions: BTreeSet<String>,
    /// Who may read records to learn from them: SageMaker and Bedrock jobs by name or ARN, or all that run
    /// as a role by the role's ARN.
    pub declared_readers: BTreeSet<String>,
    /// Findings that somebody has accepted.
    pub waivers: Vec<Waiver>,
}

/// The least that must be kept, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Floors {
    /// Logs.
    pub log_retention_days: i32,
    /// The record of disclosures, which 34 CFR 99.32(a)(2) wants kept as long as the education record.
    pub disclosure_retention_days: i32,
    /// Database backups.
    pub backup_retention_days: i32,
    /// Certificates must be good for longer than this.
    pub certificate_days: i32,
}

impl Default for Floors {
    fn default() -> Self {
        Self {
            log_retention_days: 365,
            disclosure_retention_days: 2557,
            backup_retention_days: 35,
            certificate_days: 30,
        }
    }
}

/// A finding that somebody has accepted, until a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The control: `FERPA-NET-12`, also without its prefix and in lower case.
    pub control: String,
    /// The resource's id or ARN; `*` for every resource of the control.
    pub resource: String,
    /// Why it is acceptable.
    pub reason: String,
    /// Who accepted it.
    pub owner: String,
    /// The last day on which it holds.
    pub expires: Date,
}

impl Waiver {
    /// The kind of resource that a finding about a waiver itself is about.
    pub const KIND: &str = "ferpa.waiver";

    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        jiff::tz::TimeZone::UTC.to_datetime(now).date() <= self.expires
    }

    /// Whether it is for this resource.
    pub fn covers(&self, control: &str, id: &str, arn: Option<&str>) -> bool {
        crate::control(&self.control).is_some_and(|named| named.id == control)
            && (self.resource == "*" || self.resource == id || Some(self.resource.as_str()) == arn)
    }
}

#[cfg(test)]
mod tests {
    use super::Waiver;

    #[test]
    fn a_control_is_named_as_everywhere_else() {
        let covers = |control: &str| {
            let waiver = Waiver {
                control: control.into(),
                resource: "legacy".into(),
                reason: "it is switched off in June".into(),
                owner: "ciso@example.edu".into(),
                expires: "2026-06-30".parse().unwrap(),
            };
            waiver.covers("FERPA-NET-12", "legacy", None)
        };
        assert!(covers("FERPA-NET-12") && covers("net-12") && covers("Ferpa-Net-12"));
        assert!(!covers("NET-11") && !covers("no control"));
    }
}

//! The families of controls.

use serde::Serialize;

/// A family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Family {
    /// What its controls' ids have in the middle: `ENC`.
    pub code: &'static str,
    /// What it is about.
    pub name: &'static str,
}

/// Every family, in the order of the catalogue.
pub const FAMILIES: &[Family] = &[
    Family { code: "KEY", name: "Keys and crypto-shredding" },
    Family { code: "ENC", name: "Encryption at rest" },
    Family { code: "TLS", name: "Encryption in transit" },
    Family { code: "NET", name: "Network boundaries" },
    Family { code: "ACC", name: "Access and least privilege" },
    Family { code: "IDN", name: "Identification and authentication" },
    Family { code: "LOG", name: "Logging and the record of disclosures" },
    Family { code: "RET", name: "Retention, backup and destruction" },
    Family { code: "AVL", name: "Availability" },
    Family { code: "DIS", name: "Disclosure and redisclosure" },
];

/// Where findings of a catalogue go that this version does not know.
pub(super) const OTHERS: Family = Family { code: "", name: "Others" };

/// `ENC` of `FERPA-ENC-01`.
pub(super) fn code_of(control: &str) -> &str {
    control.split('-').nth(1).unwrap_or_default()
}

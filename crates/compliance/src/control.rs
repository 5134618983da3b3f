//! What a control is: an invariant, with what it serves and how it is judged.

use serde::Serialize;

use crate::facts::Facts;
use crate::finding::Judgement;

/// One invariant.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Control {
    /// `FERPA-ENC-01`.
    pub id: &'static str,
    /// A few words.
    pub title: &'static str,
    /// What holds when it holds, in a sentence.
    pub statement: &'static str,
    /// What it costs when it does not.
    pub severity: Severity,
    /// The sections it serves: `34 CFR 99.31(a)(1)(ii)`, `NIST SP 800-171r2 3.13.16`.
    pub citations: &'static [&'static str],
    /// Why it matters, in a sentence.
    pub why: &'static str,
    /// The fields that it reads, as `kind.field`. A change of any other field changes none of its
    /// findings (a property test holds it to that).
    pub reads: &'static [&'static str],
    /// How to put it right.
    pub remedy: Remedy,
    /// Which scope it needs.
    pub reach: Reach,
    /// The judgement: one for each resource that the control concerns.
    #[serde(skip)]
    pub judge: fn(&Facts<'_>) -> Vec<Judgement>,
}

/// How to put it right.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Remedy {
    /// In a stack of this project: the key of `ferpa.toml`, or `deploy` where a deploy alone mends it.
    pub stack: &'static str,
    /// Elsewhere: the API call, with its parameter.
    pub api: &'static str,
}

/// What it costs when a control does not hold.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Hygiene.
    Low,
    /// Weakens a safeguard.
    Medium,
    /// A breach would go unseen, or a safeguard is missing.
    High,
    /// Could expose records now.
    Critical,
}

/// Which scope a control needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// The stack, and what is attached to it.
    Stack,
    /// The whole account.
    Account,
}

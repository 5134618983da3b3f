//! What a control is: an invariant, with what it serves and how it is judged.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use crate::facts::{Facts, Verdict};
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
    /// The fields that it reads, as `kind.field`, in groups: its own, and those of each module that it asks. The kind that
    /// it is about comes first. A change of any other field changes none of its findings (a property test holds it to
    /// that).
    #[serde(serialize_with = "flat")]
    pub reads: &'static [&'static [&'static str]],
    /// How to put it right.
    pub remedy: Remedy,
    /// Which scope it needs.
    pub reach: Reach,
    /// The judgement: one for each resource that the control concerns.
    #[serde(skip)]
    pub judge: fn(&Facts<'_>) -> Vec<Judgement>,
}

impl Control {
    /// What it says of the facts: one judgement for each resource that it concerns, or one that there is
    /// none.
    pub fn judgements(&self, facts: &Facts<'_>) -> Vec<Judgement> {
        let judgements = (self.judge)(facts);
        if !judgements.is_empty() {
            return judgements;
        }
        let kind = self.fields().next().map_or("account", kind_of);
        let nothing = Verdict::not_applicable("there is nothing that it concerns");
        vec![facts.whole(kind, Ok(nothing))]
    }

    /// The kinds that it reads.
    pub fn kinds(&self) -> BTreeSet<&'static str> {
        self.fields().map(kind_of).collect()
    }

    /// The fields that it reads, without their grouping.
    pub fn fields(&self) -> impl Iterator<Item = &'static str> {
        self.reads.iter().copied().flatten().copied()
    }
}

fn flat<S: Serializer>(
    reads: &&'static [&'static [&'static str]],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(reads.iter().copied().flatten())
}

/// `rds.cluster` of `rds.cluster.storage_encrypted`.
fn kind_of(field: &str) -> &str {
    let end = field.match_indices('.').nth(1).map_or(field.len(), |(at, _)| at);
    &field[..end]
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

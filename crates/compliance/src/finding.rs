//! What a control found: one finding for each pair of control and resource, passes included.

use engine::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::control::Severity;

/// How a judgement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does not hold.
    Fail,
    /// It could not be read.
    Unknown,
    /// It does not hold or could not be read, and somebody has accepted that.
    Waived,
    /// It holds.
    Pass,
    /// There is nothing to judge.
    NotApplicable,
}

/// What a control says of one resource, before waivers.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The resource.
    pub resource: Resource,
    /// How it ended.
    pub status: Status,
    /// What was found, in a sentence.
    pub message: String,
    /// What the sentence rests on.
    pub evidence: Vec<Evidence>,
}

/// The resource that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Resource {
    /// `rds.cluster`.
    pub kind: String,
    /// What AWS calls it; `*` where the finding is about a kind as a whole.
    pub id: String,
    /// Its ARN, where it has one.
    pub arn: Option<String>,
    /// Its region.
    pub region: String,
}

/// One attribute that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The call that gave it: `rds:DescribeDBClusters`.
    pub call: String,
    /// The field, in AWS's spelling: `StorageEncrypted`.
    pub field: String,
    /// What it said.
    pub value: Value,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What was to be read.
    pub what: String,
    /// The call that failed and its error, where one did.
    pub error: Option<ApiError>,
}

impl Unread {
    /// In a sentence, with what to grant.
    pub fn message(&self) -> String {
        match &self.error {
            Some(error) if error.is_denied() => format!(
                "{} could not be read: {} was denied; allow {}",
                self.what,
                error.action,
                error.denied_action()
            ),
            Some(error) => format!("{} could not be read: {error}", self.what),
            None => format!("{} could not be read", self.what),
        }
    }
}

/// A judgement with what it serves: what reports show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// `FERPA-ENC-01`.
    pub control: String,
    /// The control's title.
    pub title: String,
    /// How it ended.
    pub status: Status,
    /// The control's severity.
    pub severity: Severity,
    /// The resource.
    pub resource: Resource,
    /// What was found, in a sentence.
    pub message: String,
    /// What the sentence rests on.
    pub evidence: Vec<Evidence>,
    /// The sections that the control serves.
    pub citations: Vec<String>,
    /// How to put it right.
    pub remediation: String,
    /// The waiver, where one covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<crate::settings::Waiver>,
}

/// How many findings there are of each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Hold.
    pub pass: usize,
    /// Do not.
    pub fail: usize,
    /// Could not be read.
    pub unknown: usize,
    /// Nothing to judge.
    pub not_applicable: usize,
    /// Accepted.
    pub waived: usize,
}

impl Summary {
    /// Counts.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut summary = Self::default();
        for finding in findings {
            *match finding.status {
                Status::Pass => &mut summary.pass,
                Status::Fail => &mut summary.fail,
                Status::Unknown => &mut summary.unknown,
                Status::NotApplicable => &mut summary.not_applicable,
                Status::Waived => &mut summary.waived,
            } += 1;
        }
        summary
    }
}

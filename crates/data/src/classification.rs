//! What a store says of the records in it.

use engine::Tags;
use serde::{Deserialize, Serialize};

/// Tags that every store of student records carries, so that who meets it knows what it holds and
/// until when it may stay (34 CFR 99.35(b)(2)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Classification {
    /// `DataClassification`: what is in there.
    pub data: String,
    /// `RetentionDays`: how long a record stays, in days.
    pub retention_days: u32,
    /// `RetentionUntil`: when the store as a whole has to be gone, as `YYYY-MM-DD`; `None` for one
    /// that stays in use.
    pub retain_until: Option<String>,
}

impl Default for Classification {
    /// Education records, kept for seven years.
    fn default() -> Self {
        Self { data: "education-records".into(), retention_days: 2557, retain_until: None }
    }
}

impl Classification {
    /// As tags.
    pub fn tags(&self) -> Tags {
        let mut tags = Tags::from([
            ("DataClassification".into(), self.data.clone()),
            ("RetentionDays".into(), self.retention_days.to_string()),
        ]);
        if let Some(date) = &self.retain_until {
            tags.insert("RetentionUntil".into(), date.clone());
        }
        tags
    }
}

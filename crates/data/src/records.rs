//! How a record store is marked: what it holds, and for how long.

use engine::Tags;

/// The tag that says what a store holds.
pub const CLASSIFICATION_TAG: &str = "data-classification";
/// The tag that says for how many days the store keeps what it holds.
pub const RETENTION_TAG: &str = "retention-days";

/// The marks of a store of education records that are kept for `days`.
pub fn record_tags(days: u32) -> Tags {
    Tags::from([
        (CLASSIFICATION_TAG.into(), "education-records".into()),
        (RETENTION_TAG.into(), days.to_string()),
    ])
}

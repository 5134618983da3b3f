//! What the kinds of RDS share: its tags as ours, and which snapshots others may restore.

use std::collections::BTreeSet;

use aws_sdk_rds::types::Tag;
use engine::Tags;

/// The attribute that lists who may restore a snapshot.
const RESTORE: &str = "restore";

/// Tags by key.
pub(crate) fn tags(tags: Option<Vec<Tag>>) -> Tags {
    let tags = tags.unwrap_or_default();
    tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

/// Whether a snapshot of this type can be shared. Those that RDS and AWS Backup take cannot; one of a type
/// that is not known is asked.
pub(crate) fn can_be_shared(snapshot_type: &str) -> bool {
    !["automated", "awsbackup"].contains(&snapshot_type)
}

/// Who may restore a snapshot, of its attributes.
pub(crate) fn restorers(
    attributes: impl IntoIterator<Item = (Option<String>, Option<Vec<String>>)>,
) -> BTreeSet<String> {
    let restore = attributes.into_iter().filter(|(name, _)| name.as_deref() == Some(RESTORE));
    restore.flat_map(|(_, accounts)| accounts.unwrap_or_default()).collect()
}

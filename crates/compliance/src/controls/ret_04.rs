//! FERPA-RET-04: caches keep snapshots.

use data::ReplicationGroup;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-RET-04",
    title: "Caches keep snapshots",
    statement: "Every replication group keeps automatic snapshots.",
    severity: Severity::Low,
    citations: &["34 CFR 99.10"],
    why: "What only a cache holds, sessions and work in progress, is gone with its nodes.",
    reads: &[&["elasticache.replication_group.snapshot_retention_days"]],
    remedy: Remedy {
        stack: "`cache.snapshot_retention_days`",
        api: "elasticache:ModifyReplicationGroup with SnapshotRetentionLimit",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<ReplicationGroup>(|group| {
        let days = group.read(&["snapshot_retention_days"])?.snapshot_retention_days;
        let good = format!("snapshots are kept for {days} days");
        let verdict = Verdict::of(days > 0, good, "there are no automatic snapshots");
        Ok(verdict.with(
            "elasticache:DescribeReplicationGroups",
            "SnapshotRetentionLimit",
            days,
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::elasticache::cache;
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn snapshots_are_kept() {
        let denied =
            denied!(aws_sdk_elasticache, describe_replication_groups, DescribeReplicationGroupsError);
        for (rules, status) in [
            (cache(|it| it), Status::Pass),
            (cache(|it| it.snapshot_retention_limit(0)), Status::Fail),
            (cache(|it| it.set_snapshot_retention_limit(None)), Status::Fail),
            (vec![denied], Status::Unknown),
        ] {
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }
}

//! FERPA-ENC-02: database snapshots are encrypted.

use account::{DbClusterSnapshot, DbSnapshot};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-02",
    title: "Database snapshots are encrypted",
    statement: "Every snapshot of an RDS cluster or instance is encrypted.",
    severity: Severity::Critical,
    citations: &["NIST SP 800-171r2 3.13.16"],
    why: "A snapshot in plain is a whole copy of the records that can be shared and restored without a key.",
    reads: &[&["rds.cluster_snapshot.encrypted", "rds.snapshot.encrypted"]],
    remedy: Remedy {
        stack: "`deploy`: snapshots of an encrypted database are encrypted; delete older ones in plain",
        api: "rds:CopyDBClusterSnapshot or rds:CopyDBSnapshot with KmsKeyId, then delete the original",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<DbClusterSnapshot>(|snapshot| {
        let encrypted = snapshot.read(&["encrypted"])?.encrypted;
        Ok(verdict(encrypted).with("rds:DescribeDBClusterSnapshots", "StorageEncrypted", encrypted))
    });
    judgements.extend(facts.each::<DbSnapshot>(|snapshot| {
        let encrypted = snapshot.read(&["encrypted"])?.encrypted;
        Ok(verdict(encrypted).with("rds:DescribeDBSnapshots", "Encrypted", encrypted))
    }));
    judgements
}

fn verdict(encrypted: bool) -> Verdict {
    Verdict::of(encrypted, "the snapshot is encrypted", "the snapshot is not encrypted")
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::operation::describe_db_cluster_snapshots::DescribeDbClusterSnapshotsOutput;
    use aws_sdk_rds::operation::describe_db_snapshots::DescribeDbSnapshotsOutput;
    use aws_sdk_rds::types::{DbClusterSnapshot, DbSnapshot};
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only};

    fn of_cluster(encrypted: Option<bool>) -> Rule {
        mock!(aws_sdk_rds::Client::describe_db_cluster_snapshots).then_output(move || {
            let snapshot = DbClusterSnapshot::builder()
                .db_cluster_snapshot_identifier("rds:records-2026-09-01")
                .snapshot_type("automated")
                .set_storage_encrypted(encrypted)
                .build();
            DescribeDbClusterSnapshotsOutput::builder().db_cluster_snapshots(snapshot).build()
        })
    }

    fn of_instance(encrypted: bool) -> Rule {
        mock!(aws_sdk_rds::Client::describe_db_snapshots).then_output(move || {
            let snapshot = DbSnapshot::builder()
                .db_snapshot_identifier("rds:ledger-2026-09-01")
                .snapshot_type("automated")
                .encrypted(encrypted)
                .build();
            DescribeDbSnapshotsOutput::builder().db_snapshots(snapshot).build()
        })
    }

    #[tokio::test]
    async fn snapshots_of_clusters_and_of_instances_are_encrypted() {
        for (rule, status) in [
            (of_cluster(Some(true)), Status::Pass),
            (of_instance(true), Status::Pass),
            (of_cluster(Some(false)), Status::Fail),
            (of_instance(false), Status::Fail),
            (of_cluster(None), Status::Unknown),
        ] {
            let found = judged(&CONTROL, &[rule]).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }

    #[tokio::test]
    async fn snapshots_that_cannot_be_listed_are_unknown() {
        let rules = [
            denied!(aws_sdk_rds, describe_db_cluster_snapshots, DescribeDBClusterSnapshotsError),
            denied!(aws_sdk_rds, describe_db_snapshots, DescribeDBSnapshotsError),
        ];
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(found.iter().map(|one| one.status).collect::<Vec<_>>(), [Status::Unknown; 2]);
    }
}

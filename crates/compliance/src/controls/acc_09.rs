//! FERPA-ACC-09: snapshots are shared with declared accounts only.

use std::collections::BTreeSet;

use account::{DbClusterSnapshot, DbSnapshot, Snapshot};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// How AWS writes that everybody may restore a snapshot.
const EVERYBODY: &str = "all";

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-09",
    title: "Snapshots are shared with declared accounts only",
    statement: "No snapshot can be restored by everybody or by an account that is not declared.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.33(a)"],
    why: "Whoever may restore a snapshot has all records in it, and no log of this account says what is done with them.",
    reads: &[&[
        "rds.cluster_snapshot.shared_with",
        "rds.snapshot.shared_with",
        "ec2.snapshot.shared_with",
    ]],
    remedy: Remedy {
        stack: "`deploy` shares no snapshot; declare an account that is meant to have records",
        api: "rds:ModifyDBClusterSnapshotAttribute or rds:ModifyDBSnapshotAttribute with AttributeName=restore and ValuesToRemove; ec2:ModifySnapshotAttribute with CreateVolumePermission.Remove",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<DbClusterSnapshot>(|snapshot| {
        let shared_with = &snapshot.read(&["shared_with"])?.shared_with;
        Ok(verdict(facts, "rds:DescribeDBClusterSnapshotAttributes", "restore", shared_with))
    });
    judgements.extend(facts.each::<DbSnapshot>(|snapshot| {
        let shared_with = &snapshot.read(&["shared_with"])?.shared_with;
        Ok(verdict(facts, "rds:DescribeDBSnapshotAttributes", "restore", shared_with))
    }));
    judgements.extend(facts.each::<Snapshot>(|snapshot| {
        let shared_with = &snapshot.read(&["shared_with"])?.shared_with;
        let call = "ec2:DescribeSnapshotAttribute";
        Ok(verdict(facts, call, "createVolumePermission", shared_with))
    }));
    judgements
}

fn verdict(
    facts: &Facts<'_>,
    call: &str,
    attribute: &str,
    shared_with: &BTreeSet<String>,
) -> Verdict {
    let strangers = shared_with.iter().filter(|account| !facts.is_declared_account(account));
    let strangers: Vec<&str> = strangers.map(String::as_str).collect();
    let verdict = if strangers.contains(&EVERYBODY) {
        Verdict::fail("the snapshot is public: any AWS account may restore it")
    } else if !strangers.is_empty() {
        let strangers = strangers.join(", ");
        Verdict::fail(format!("the snapshot is shared with undeclared accounts: {strangers}"))
    } else if shared_with.is_empty() {
        Verdict::pass("the snapshot is not shared")
    } else {
        Verdict::pass("the snapshot is shared with declared accounts only")
    };
    verdict.with(call, attribute, shared_with.iter().cloned().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::operation::describe_snapshot_attribute::DescribeSnapshotAttributeOutput;
    use aws_sdk_ec2::operation::describe_snapshots::DescribeSnapshotsOutput;
    use aws_sdk_ec2::types::CreateVolumePermission;
    use aws_sdk_rds::operation::describe_db_cluster_snapshot_attributes::DescribeDbClusterSnapshotAttributesOutput;
    use aws_sdk_rds::operation::describe_db_cluster_snapshots::DescribeDbClusterSnapshotsOutput;
    use aws_sdk_rds::operation::describe_db_snapshot_attributes::DescribeDbSnapshotAttributesOutput;
    use aws_sdk_rds::operation::describe_db_snapshots::DescribeDbSnapshotsOutput;
    use aws_sdk_rds::types::{
        DbClusterSnapshot, DbClusterSnapshotAttribute, DbClusterSnapshotAttributesResult,
        DbSnapshot, DbSnapshotAttribute, DbSnapshotAttributesResult,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::settings::Settings;
    use crate::testing::{denied, judged, judged_with, only};

    fn snapshot(kind: &'static str) -> Rule {
        mock!(aws_sdk_rds::Client::describe_db_cluster_snapshots).then_output(move || {
            let snapshot = DbClusterSnapshot::builder()
                .db_cluster_snapshot_identifier("before-term")
                .snapshot_type(kind)
                .storage_encrypted(true)
                .build();
            DescribeDbClusterSnapshotsOutput::builder().db_cluster_snapshots(snapshot).build()
        })
    }

    fn shared_with(accounts: &'static [&'static str]) -> Vec<Rule> {
        let attributes = move || {
            let accounts = accounts.iter().map(ToString::to_string).collect();
            let restore = DbClusterSnapshotAttribute::builder()
                .attribute_name("restore")
                .set_attribute_values(Some(accounts))
                .build();
            let result = DbClusterSnapshotAttributesResult::builder()
                .db_cluster_snapshot_attributes(restore)
                .build();
            DescribeDbClusterSnapshotAttributesOutput::builder()
                .db_cluster_snapshot_attributes_result(result)
                .build()
        };
        vec![
            snapshot("manual"),
            mock!(aws_sdk_rds::Client::describe_db_cluster_snapshot_attributes)
                .then_output(attributes),
        ]
    }

    #[tokio::test]
    async fn a_snapshot_is_shared_with_declared_accounts_only() {
        let undeclared = shared_with(&["210987654321"]);
        for (rules, status) in [
            (shared_with(&[]), Status::Pass),
            (shared_with(&["all"]), Status::Fail),
            (undeclared.clone(), Status::Fail),
            // That of RDS's own cannot be shared, and is not asked about.
            (vec![snapshot("automated")], Status::Pass),
        ] {
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
        let declared = ["210987654321".to_owned()].into();
        let settings = Settings { declared_accounts: declared, ..Settings::default() };
        let found = judged_with(&CONTROL, &undeclared, &settings).await;
        assert_eq!(only(&found).0, Status::Pass);
    }

    #[tokio::test]
    async fn so_is_that_of_an_instance() {
        let rules = [
            mock!(aws_sdk_rds::Client::describe_db_snapshots).then_output(|| {
                let snapshot = DbSnapshot::builder()
                    .db_snapshot_identifier("ledger-before-term")
                    .snapshot_type("manual")
                    .encrypted(true)
                    .build();
                DescribeDbSnapshotsOutput::builder().db_snapshots(snapshot).build()
            }),
            mock!(aws_sdk_rds::Client::describe_db_snapshot_attributes).then_output(|| {
                let restore = DbSnapshotAttribute::builder()
                    .attribute_name("restore")
                    .attribute_values("all")
                    .build();
                let result =
                    DbSnapshotAttributesResult::builder().db_snapshot_attributes(restore).build();
                DescribeDbSnapshotAttributesOutput::builder()
                    .db_snapshot_attributes_result(result)
                    .build()
            }),
        ];
        let found = judged(&CONTROL, &rules).await;
        let message = "the snapshot is public: any AWS account may restore it";
        assert_eq!(only(&found), (Status::Fail, message));
    }

    #[tokio::test]
    async fn so_is_that_of_a_disk() {
        for (owner, status) in [("210987654321", Status::Fail), ("123456789012", Status::Pass)] {
            let rules = [
                mock!(aws_sdk_ec2::Client::describe_snapshots).then_output(|| {
                    let disk = aws_sdk_ec2::types::Snapshot::builder();
                    let disk = disk.snapshot_id("snap-1").encrypted(true).build();
                    DescribeSnapshotsOutput::builder().snapshots(disk).build()
                }),
                mock!(aws_sdk_ec2::Client::describe_snapshot_attribute).then_output(move || {
                    let permission = CreateVolumePermission::builder().user_id(owner).build();
                    DescribeSnapshotAttributeOutput::builder()
                        .create_volume_permissions(permission)
                        .build()
                }),
            ];
            assert_eq!(only(&judged(&CONTROL, &rules).await).0, status);
        }
    }

    #[tokio::test]
    async fn attributes_that_cannot_be_read_are_unknown() {
        let denied = denied!(
            aws_sdk_rds,
            describe_db_cluster_snapshot_attributes,
            DescribeDBClusterSnapshotAttributesError
        );
        let found = judged(&CONTROL, &[denied, snapshot("manual")]).await;
        assert_eq!(only(&found).0, Status::Unknown);
    }
}

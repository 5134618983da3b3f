//! FERPA-RET-09: expired stores are gone.

use account::{DbClusterSnapshot, DbSnapshot, SearchDomain, Snapshot, Table, Volume};
use compute::LogGroup;
use data::{
    BackupVault, DbCluster, DbInstance, DeliveryStream, FileSystem, KinesisStream, ReplicationGroup,
};
use engine::{Inspected, Live, Status};
use security::{Bucket, Secret};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::marks::Marks;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-RET-09",
    title: "Expired stores are gone",
    statement: "No store, and no snapshot of one, whose tag RetentionUntil lies in the past still exists.",
    severity: Severity::High,
    citations: &["34 CFR 99.35(b)(2)", "NIST SP 800-171r2 3.8.3"],
    why: "Records have to be destroyed when they are no longer needed for what they were disclosed for.",
    reads: &[&[
        "rds.cluster.tags",
        "rds.cluster.status",
        "rds.instance.tags",
        "rds.instance.status",
        "elasticache.replication_group.tags",
        "elasticache.replication_group.status",
        "kinesis.stream.tags",
        "kinesis.stream.status",
        "firehose.delivery_stream.tags",
        "firehose.delivery_stream.status",
        "efs.file_system.tags",
        "efs.file_system.status",
        "backup.vault.tags",
        "backup.vault.status",
        "s3.bucket.tags",
        "s3.bucket.status",
        "secretsmanager.secret.tags",
        "secretsmanager.secret.status",
        "logs.log_group.tags",
        "logs.log_group.status",
        "ec2.volume.tags",
        "ec2.volume.status",
        "ec2.snapshot.tags",
        "ec2.snapshot.status",
        "rds.cluster_snapshot.tags",
        "rds.cluster_snapshot.status",
        "rds.snapshot.tags",
        "rds.snapshot.status",
        "dynamodb.table.tags",
        "dynamodb.table.status",
        "opensearch.domain.tags",
        "opensearch.domain.status",
    ]],
    remedy: Remedy {
        stack: "`destroy --allow-data-loss`, or a later `retain_until` in the store's `classification`",
        api: "the service's Delete call, and kms:ScheduleKeyDeletion for the store's own key",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    [
        expired::<DbCluster>(facts, "rds:DescribeDBClusters"),
        expired::<DbInstance>(facts, "rds:DescribeDBInstances"),
        expired::<ReplicationGroup>(facts, "elasticache:ListTagsForResource"),
        expired::<KinesisStream>(facts, "kinesis:ListTagsForStream"),
        expired::<DeliveryStream>(facts, "firehose:ListTagsForDeliveryStream"),
        expired::<FileSystem>(facts, "elasticfilesystem:DescribeFileSystems"),
        expired::<BackupVault>(facts, "backup:ListTags"),
        expired::<Bucket>(facts, "s3:GetBucketTagging"),
        expired::<Secret>(facts, "secretsmanager:ListSecrets"),
        expired::<LogGroup>(facts, "logs:ListTagsForResource"),
        expired::<Volume>(facts, "ec2:DescribeVolumes"),
        expired::<Snapshot>(facts, "ec2:DescribeSnapshots"),
        expired::<DbClusterSnapshot>(facts, "rds:DescribeDBClusterSnapshots"),
        expired::<DbSnapshot>(facts, "rds:DescribeDBSnapshots"),
        expired::<Table>(facts, "dynamodb:ListTagsOfResource"),
        expired::<SearchDomain>(facts, "es:ListTags"),
    ]
    .concat()
}

/// Judges the stores of a kind that say until when they may stay, and those of which it is not known.
fn expired<T: Inspected>(facts: &Facts<'_>, call: &str) -> Vec<Judgement> {
    let concerns = |live: &Live<T>| {
        live.unreadable.contains_key("tags") || Marks::of(&live.tags).retention_until.is_some()
    };
    facts.each_where(concerns, |store: &Seen<'_, T>| {
        store.read(&["tags"])?;
        let marks = Marks::of(&store.live().tags);
        verdict(facts, &marks, &store.live().status)
            .map(|verdict| verdict.with(call, "Tags.RetentionUntil", marks.retention_until))
    })
}

fn verdict(facts: &Facts<'_>, marks: &Marks, status: &Status) -> Result<Verdict, Unread> {
    let today = jiff::tz::TimeZone::UTC.to_datetime(facts.now()).date();
    Ok(match marks.last_day() {
        Some(last) if today <= last => Verdict::pass(format!("it may stay until {last}")),
        Some(last) if *status == Status::Deleting => {
            Verdict::pass(format!("it had to be gone after {last}, and is being deleted"))
        }
        Some(last) => Verdict::fail(format!("it had to be gone after {last}, and is still there")),
        None => Verdict::fail("its tag RetentionUntil is no date as YYYY-MM-DD, so nothing ever expires it"),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::operation::describe_db_snapshots::DescribeDbSnapshotsOutput;
    use aws_sdk_rds::types::{DbSnapshot, Tag};
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{beside, denied, judged, only};

    /// What it says of the table; the other kinds have nothing to say.
    async fn of(rules: &[Rule]) -> Option<Status> {
        let found = judged(&CONTROL, rules).await;
        found.iter().find(|one| one.resource.kind == "dynamodb.table").map(|one| one.status)
    }

    #[tokio::test]
    async fn what_has_expired_is_gone() {
        // Tests audit on 2026-09-10.
        let past = of(&beside::table(None, &[("RetentionUntil", "2026-09-09")])).await;
        assert_eq!(past, Some(Status::Fail));
        let today = of(&beside::table(None, &[("RetentionUntil", "2026-09-10")])).await;
        assert_eq!(today, Some(Status::Pass));
        let never = of(&beside::table(None, &[("RetentionUntil", "someday")])).await;
        assert_eq!(never, Some(Status::Fail));
        assert_eq!(of(&beside::table(None, &[("RetentionDays", "1")])).await, None);
    }

    #[tokio::test]
    async fn a_snapshot_that_outlives_its_store_has_its_tags_and_is_a_store_too() {
        let tag = || Tag::builder().key("RetentionUntil").value("2020-01-01").build();
        let snapshot = mock!(aws_sdk_rds::Client::describe_db_snapshots).then_output(move || {
            let one = DbSnapshot::builder().db_snapshot_identifier("last").encrypted(true);
            let one = one.tag_list(tag()).build();
            DescribeDbSnapshotsOutput::builder().db_snapshots(one).build()
        });
        let found = judged(&CONTROL, &[snapshot]).await;
        assert_eq!(only(&found), (Status::Fail, "it had to be gone after 2020-01-01, and is still there"));
    }

    #[tokio::test]
    async fn tags_that_cannot_be_read_are_unknown() {
        let mut rules = beside::table(None, &[]);
        rules.pop();
        rules.push(denied!(aws_sdk_dynamodb, list_tags_of_resource, ListTagsOfResourceError));
        assert_eq!(of(&rules).await, Some(Status::Unknown));
    }
}

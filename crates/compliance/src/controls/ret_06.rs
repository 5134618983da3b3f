//! FERPA-RET-06: record stores carry classification and retention tags.

use account::{SearchDomain, Table};
use data::{
    BackupVault, DbCluster, DbInstance, DeliveryStream, FileSystem, KinesisStream, ReplicationGroup,
};
use engine::{Inspected, Live};
use security::Bucket;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::marks::Marks;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-RET-06",
    title: "Record stores say what they hold and for how long",
    statement: "Every database, cache, stream, file system, vault, bucket, table and search domain carries the tags DataClassification and RetentionDays or RetentionUntil.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.35(b)(2)", "NIST SP 800-171r2 3.8.4"],
    why: "Nobody destroys in time what does not say that it holds records and until when.",
    reads: &[&[
        "rds.cluster.tags",
        "rds.instance.tags",
        "rds.instance.cluster",
        "elasticache.replication_group.tags",
        "kinesis.stream.tags",
        "firehose.delivery_stream.tags",
        "efs.file_system.tags",
        "backup.vault.tags",
        "s3.bucket.tags",
        "dynamodb.table.tags",
        "opensearch.domain.tags",
    ]],
    remedy: Remedy {
        stack: "`classification` of the store: `data` and `retention_days`",
        api: "the service's TagResource with DataClassification and RetentionDays (or RetentionUntil, as YYYY-MM-DD)",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    // An instance of a cluster holds what the cluster says.
    let alone = |it: &Live<DbInstance>| it.spec.cluster.is_none();
    [
        facts.each::<DbCluster>(verdict("rds:DescribeDBClusters")),
        facts.each_where(alone, verdict::<DbInstance>("rds:DescribeDBInstances")),
        facts.each::<ReplicationGroup>(verdict("elasticache:ListTagsForResource")),
        facts.each::<KinesisStream>(verdict("kinesis:ListTagsForStream")),
        facts.each::<DeliveryStream>(verdict("firehose:ListTagsForDeliveryStream")),
        facts.each::<FileSystem>(verdict("elasticfilesystem:DescribeFileSystems")),
        facts.each::<BackupVault>(verdict("backup:ListTags")),
        facts.each::<Bucket>(verdict("s3:GetBucketTagging")),
        facts.each::<Table>(verdict("dynamodb:ListTagsOfResource")),
        facts.each::<SearchDomain>(verdict("es:ListTags")),
    ]
    .concat()
}

fn verdict<T: Inspected>(
    call: &'static str,
) -> impl Fn(&Seen<'_, T>) -> Result<Verdict, Unread> {
    move |store| {
        store.read(&["tags"])?;
        let marks = Marks::of(&store.live().tags);
        let faults = marks.faults();
        let bad = faults.join("; ");
        let days = marks.retention_days.or(marks.retention_until);
        let held = marks.classification;
        let good = format!(
            "it says that it holds {} and for how long ({})",
            held.as_deref().unwrap_or_default(),
            days.as_deref().unwrap_or_default()
        );
        Ok(Verdict::of(faults.is_empty(), good, bad)
            .with(call, "Tags.DataClassification", held)
            .with(call, "Tags.Retention", days))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_efs::types::Tag;

    use super::CONTROL;
    use crate::finding::{Judgement, Status};
    use crate::testing::efs::{FileSystem, file_system};
    use crate::testing::{beside, denied, judged};

    fn of(kind: &str, found: Vec<Judgement>) -> (Status, String) {
        let one = found.into_iter().find(|one| one.resource.kind == kind).unwrap();
        (one.status, one.message)
    }

    #[tokio::test]
    async fn both_tags_are_wanted() {
        let tagged = FileSystem {
            change: |it| {
                let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
                it.tags(tag("DataClassification", "education-records").unwrap())
                    .tags(tag("RetentionDays", "2557").unwrap())
            },
            ..<_>::default()
        };
        let good = judged(&CONTROL, &file_system(tagged)).await;
        assert_eq!(of("efs.file_system", good).0, Status::Pass);
        let bare = judged(&CONTROL, &file_system(FileSystem::default())).await;
        let why = "no tag DataClassification says what it holds; \
                   no tag RetentionDays or RetentionUntil says for how long";
        assert_eq!(of("efs.file_system", bare), (Status::Fail, why.to_owned()));
    }

    #[tokio::test]
    async fn tables_beside_the_stack_count_too() {
        let half = beside::table(None, &[("DataClassification", "grades")]);
        assert_eq!(of("dynamodb.table", judged(&CONTROL, &half).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn tags_that_cannot_be_read_are_unknown() {
        let mut rules = beside::table(None, &[]);
        rules.pop();
        rules.push(denied!(aws_sdk_dynamodb, list_tags_of_resource, ListTagsOfResourceError));
        assert_eq!(of("dynamodb.table", judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}

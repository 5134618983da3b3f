//! FERPA-RET-08: snapshots inherit tags.

use data::{DbCluster, DbInstance};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::databases::{is_alone, standalone};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-RET-08",
    title: "Snapshots inherit tags",
    statement: "Snapshots of every database get its tags.",
    severity: Severity::Low,
    citations: &["NIST SP 800-171r2 3.8.4"],
    why: "A copy of records without their classification and retention tags is kept, shared and forgotten like any other.",
    reads: &[&[
        "rds.cluster.copy_tags_to_snapshot",
        "rds.instance.cluster",
        "rds.instance.standalone",
    ]],
    remedy: Remedy {
        stack: "`deploy`: snapshots always get the cluster's tags",
        api: "rds:ModifyDBCluster or rds:ModifyDBInstance with CopyTagsToSnapshot",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<DbCluster>(|cluster| {
        let on = cluster.read(&["copy_tags_to_snapshot"])?.copy_tags_to_snapshot;
        Ok(verdict("rds:DescribeDBClusters", on))
    });
    // For an instance of a cluster this is the cluster's to say.
    judgements.extend(facts.each_where::<DbInstance>(is_alone, |instance| {
        let on = standalone(instance)?.copy_tags_to_snapshot;
        Ok(verdict("rds:DescribeDBInstances", on))
    }));
    judgements
}

fn verdict(call: &str, on: bool) -> Verdict {
    Verdict::of(on, "its snapshots get its tags", "its snapshots do not get its tags")
        .with(call, "CopyTagsToSnapshot", on)
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::rds::{cluster, instances, standalone};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn snapshots_get_the_tags() {
        let without = standalone().set_copy_tags_to_snapshot(None);
        for (rule, status) in [
            (cluster(|it| it), Status::Pass),
            (cluster(|it| it.copy_tags_to_snapshot(false)), Status::Fail),
            (instances(vec![standalone().build()]), Status::Pass),
            (instances(vec![without.build()]), Status::Fail),
            (denied!(aws_sdk_rds, describe_db_clusters, DescribeDBClustersError), Status::Unknown),
        ] {
            let found = judged(&CONTROL, &[rule]).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }
}

//! FERPA-AVL-03: caches fail over to another zone.

use data::ReplicationGroup;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

const CALL: &str = "elasticache:DescribeReplicationGroups";

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-AVL-03",
    title: "Caches fail over to another zone",
    statement: "Every replication group is Multi-AZ, and a replica takes over when the primary fails.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.10"],
    why: "When the zone of the only node fails, sessions and work in progress are gone and every read falls on the database.",
    reads: &[&[
        "elasticache.replication_group.multi_az",
        "elasticache.replication_group.automatic_failover",
        "elasticache.replication_group.node_count",
    ]],
    remedy: Remedy {
        stack: "`cache.nodes` of 2 or more; `deploy` always switches both on",
        api: "elasticache:ModifyReplicationGroup with MultiAZEnabled and AutomaticFailoverEnabled; before that elasticache:IncreaseReplicaCount",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<ReplicationGroup>(|group| {
        let spec = group.read(&["multi_az", "automatic_failover", "node_count"])?;
        let verdict = if spec.node_count < 2 {
            Verdict::fail("there is no replica")
        } else if !spec.automatic_failover {
            Verdict::fail("no replica takes over when the primary fails")
        } else if !spec.multi_az {
            Verdict::fail("its nodes may be in one zone")
        } else {
            Verdict::pass("a replica in another zone takes over")
        };
        Ok(verdict
            .with(CALL, "AutomaticFailover", spec.automatic_failover)
            .with(CALL, "MultiAZ", spec.multi_az)
            .with(CALL, "MemberClusters", spec.node_count))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticache::types::{AutomaticFailoverStatus, MultiAzStatus};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::elasticache::cache;
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn a_replica_in_another_zone_takes_over() {
        let denied =
            denied!(aws_sdk_elasticache, describe_replication_groups, DescribeReplicationGroupsError);
        for (rules, status) in [
            (cache(|it| it), Status::Pass),
            (cache(|it| it.multi_az(MultiAzStatus::Disabled)), Status::Fail),
            (cache(|it| it.automatic_failover(AutomaticFailoverStatus::Disabled)), Status::Fail),
            (cache(|it| it.set_member_clusters(Some(vec!["cache-001".into()]))), Status::Fail),
            (vec![denied], Status::Unknown),
        ] {
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }
}

//! FERPA-AVL-10: caches run on node types that AWS has not superseded.

use data::ReplicationGroup;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-AVL-10",
    title: "Caches run on current node types",
    statement: "The nodes of every cache are of a generation with AWS's own processors: t4g, m6g, r6g, c7gn or later.",
    severity: Severity::Low,
    citations: &["34 CFR 99.10"],
    why: "AWS takes the oldest node types out of service first: of T2 nodes no new cache can be made any more, and so none can be restored on them.",
    reads: &[&["elasticache.replication_group.node_type"]],
    remedy: Remedy {
        stack: "`cache.node_type`",
        api: "elasticache:ModifyReplicationGroup with CacheNodeType",
    },
    reach: Reach::Stack,
    judge,
};

/// The first generation of each family that counts.
/// <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html>
const FIRST: &[(&str, u32)] = &[("t", 4), ("m", 6), ("r", 6), ("c", 7)];

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<ReplicationGroup>(|group| {
        let node_type = &group.read(&["node_type"])?.node_type;
        let Some((generation, first)) = generation(node_type) else {
            let what = format!("of which generation {node_type:?} is");
            return Err(Unread { what, error: None });
        };
        let verdict = Verdict::of(
            generation >= first,
            format!("the nodes are {node_type}, of generation {generation}"),
            format!("the nodes are {node_type}, of a generation before {first}"),
        );
        let call = "elasticache:DescribeReplicationGroups";
        Ok(verdict.with(call, "CacheNodeType", node_type.as_str()))
    })
}

/// The generation of a node type (7 of `cache.r7g.large`), and the first of its family that counts; `None` for
/// a type of another family.
fn generation(node_type: &str) -> Option<(u32, u32)> {
    let class = node_type.strip_prefix("cache.")?;
    let (family, rest) = class.split_at(class.find(|c: char| c.is_ascii_digit())?);
    let (_, first) = FIRST.iter().find(|(known, _)| *known == family)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((rest[..digits].parse().ok()?, *first))
}

#[cfg(test)]
mod tests {
    use super::{CONTROL, generation};
    use crate::finding::Status;
    use crate::testing::elasticache::cache;
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn nodes_are_of_a_current_generation() {
        let now = judged(&CONTROL, &cache(|it| it.cache_node_type("cache.t4g.medium"))).await;
        let good = "the nodes are cache.t4g.medium, of generation 4";
        assert_eq!(only(&now), (Status::Pass, good));
        let before = judged(&CONTROL, &cache(|it| it.cache_node_type("cache.t3.medium"))).await;
        let bad = "the nodes are cache.t3.medium, of a generation before 4";
        assert_eq!(only(&before), (Status::Fail, bad));
        let other = judged(&CONTROL, &cache(|it| it.cache_node_type("cache.x2gd.large"))).await;
        assert_eq!(only(&other).0, Status::Unknown);
    }

    #[test]
    fn generations_are_read_off_the_name() {
        for (node_type, expected) in [
            ("cache.r7g.16xlarge", Some((7, 6))),
            ("cache.r6gd.xlarge", Some((6, 6))),
            ("cache.c7gn.large", Some((7, 7))),
            ("cache.m10g.large", Some((10, 6))),
            ("cache.m5.large", Some((5, 6))),
            ("cache.c1.xlarge", Some((1, 7))),
            ("cache.", None),
            ("cache.r", None),
            ("db.r7g.large", None),
            ("", None),
        ] {
            assert_eq!(generation(node_type), expected, "{node_type}");
        }
    }

    #[tokio::test]
    async fn caches_that_cannot_be_listed_are_unknown() {
        let denied = denied!(
            aws_sdk_elasticache,
            describe_replication_groups,
            DescribeReplicationGroupsError
        );
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}

//! FERPA-AVL-08: engines are supported versions, with minor upgrades.

use data::{DbCluster, DbInstance, ReplicationGroup};
use jiff::tz::TimeZone;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::databases::{is_alone, standalone, unread};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};
use crate::support::{Support, support};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-AVL-08",
    title: "Engines are supported versions, with minor upgrades",
    statement: "Every database and cache runs a major version in standard support, and AWS applies minor upgrades.",
    severity: Severity::Medium,
    citations: &["NIST SP 800-171r2 3.14.1"],
    why: "Holes that are found in a version without support, or without its upgrades, stay open and are known to everybody.",
    reads: &[&[
        "rds.cluster.engine",
        "rds.cluster.engine_version",
        "rds.instance.auto_minor_version_upgrade",
        "rds.instance.cluster",
        "rds.instance.engine",
        "rds.instance.standalone",
        "elasticache.replication_group.auto_minor_version_upgrade",
        "elasticache.replication_group.engine",
        "elasticache.replication_group.nodes",
    ]],
    remedy: Remedy {
        stack: "`database.engine_version`, `cache.engine_version`; `deploy` always switches minor upgrades on",
        api: "rds:ModifyDBCluster, rds:ModifyDBInstance or elasticache:ModifyReplicationGroup with EngineVersion and AutoMinorVersionUpgrade",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<DbCluster>(|cluster| {
        let spec = cluster.read(&["engine", "engine_version"])?;
        let version = Version { engine: &spec.engine, version: &spec.engine_version };
        version.verdict(facts, "rds:DescribeDBClusters", None)
    });
    judgements.extend(facts.each::<DbInstance>(|instance| {
        let call = "rds:DescribeDBInstances";
        let spec = instance.read(&["auto_minor_version_upgrade", "engine"])?;
        let upgrades = spec.auto_minor_version_upgrade;
        // An instance of a cluster has the cluster's version.
        if !is_alone(instance.live()) {
            let verdict = Verdict::of(upgrades, "minor upgrades are on", NO_UPGRADES);
            return Ok(verdict.with(call, UPGRADES, upgrades));
        }
        let own = standalone(instance)?;
        let version = Version { engine: &spec.engine, version: &own.engine_version };
        version.verdict(facts, call, Some(upgrades))
    }));
    judgements.extend(facts.each::<ReplicationGroup>(|group| {
        let spec = group.read(&["auto_minor_version_upgrade", "engine", "nodes"])?;
        let missing = || unread(format!("the version of the nodes of {}", group.live().id));
        let nodes = spec.nodes.as_ref().ok_or_else(missing)?;
        let version = Version { engine: &spec.engine, version: &nodes.engine_version };
        let upgrades = Some(spec.auto_minor_version_upgrade);
        version.verdict(facts, "elasticache:DescribeCacheClusters", upgrades)
    }));
    judgements
}

const UPGRADES: &str = "AutoMinorVersionUpgrade";
const NO_UPGRADES: &str = "minor upgrades are off";

struct Version<'a> {
    engine: &'a str,
    version: &'a str,
}

impl Version<'_> {
    /// Whether it is supported today, and upgraded where that is asked.
    fn verdict(
        &self,
        facts: &Facts<'_>,
        call: &str,
        upgrades: Option<bool>,
    ) -> Result<Verdict, Unread> {
        let Self { engine, version } = self;
        let missing = || unread(format!("until when AWS supports {engine} {version}"));
        let support = support(engine, version).ok_or_else(missing)?;
        let today = TimeZone::UTC.to_datetime(facts.now()).date();
        let verdict = match support {
            Support::Ended => {
                Verdict::fail(format!("{engine} {version} is no longer in standard support"))
            }
            Support::Until(end) if end < today => {
                Verdict::fail(format!("standard support of {engine} {version} ended on {end}"))
            }
            _ if upgrades == Some(false) => Verdict::fail(NO_UPGRADES),
            Support::Until(end) => {
                Verdict::pass(format!("{engine} {version} is supported until {end}"))
            }
            Support::NoEnd => Verdict::pass(format!("{engine} {version} is supported")),
        };
        let verdict = verdict.with(call, "Engine", *engine).with(call, "EngineVersion", *version);
        Ok(match upgrades {
            Some(on) => verdict.with(call, UPGRADES, on),
            None => verdict,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::elasticache::{cache, cache_with_node};
    use crate::testing::rds::{cluster, instances, member, standalone};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn a_cluster_runs_a_supported_version() {
        for (rule, status, message) in [
            (
                cluster(|it| it),
                Status::Pass,
                "aurora-postgresql 17.6 is supported until 2030-02-28",
            ),
            (
                cluster(|it| it.engine_version("13.9")),
                Status::Fail,
                "standard support of aurora-postgresql 13.9 ended on 2026-02-28",
            ),
            (
                cluster(|it| it.engine_version("10.21")),
                Status::Fail,
                "aurora-postgresql 10.21 is no longer in standard support",
            ),
            (
                cluster(|it| it.engine("aurora-mysql").engine_version("8.0.mysql_aurora.3.08.2")),
                Status::Pass,
                "aurora-mysql 8.0.mysql_aurora.3.08.2 is supported until 2028-04-30",
            ),
            (
                cluster(|it| it.engine("neptune").engine_version("1.3.2.0")),
                Status::Unknown,
                "until when AWS supports neptune 1.3.2.0 could not be read",
            ),
        ] {
            assert_eq!(only(&judged(&CONTROL, &[rule]).await), (status, message));
        }
    }

    #[tokio::test]
    async fn instances_are_upgraded() {
        let one = member("records-1", "us-east-1a");
        for (instance, status) in [
            (one.clone(), Status::Pass),
            (one.auto_minor_version_upgrade(false), Status::Fail),
            (standalone(), Status::Pass),
            (standalone().auto_minor_version_upgrade(false), Status::Fail),
            (standalone().engine("mysql").engine_version("8.0.40"), Status::Fail),
        ] {
            let found = judged(&CONTROL, &[instances(vec![instance.build()])]).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }

    #[tokio::test]
    async fn so_are_caches() {
        let mut unlisted =
            vec![denied!(aws_sdk_elasticache, describe_cache_clusters, DescribeCacheClustersError)];
        unlisted.extend(cache(|it| it));
        for (rules, status) in [
            (cache(|it| it), Status::Pass),
            (cache(|it| it.auto_minor_version_upgrade(false)), Status::Fail),
            (cache_with_node(|it| it, |node| node.engine_version("5.0.6")), Status::Fail),
            (unlisted, Status::Unknown),
        ] {
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }
}

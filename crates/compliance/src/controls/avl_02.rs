//! FERPA-AVL-02: databases have a reader in another zone than their writer.

use std::collections::{BTreeSet, HashMap};

use data::{DbCluster, DbInstance};
use engine::{Live, Status};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::databases::{Members, is_alone, standalone};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-AVL-02",
    title: "Databases have a reader in another zone than their writer",
    statement: "Every database has an instance in a second availability zone that can take over.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.10"],
    why: "When a zone fails, the records in it cannot be inspected until somebody has built the database anew.",
    reads: &[&[
        "rds.cluster",
        "rds.instance.availability_zone",
        "rds.instance.cluster",
        "rds.instance.standalone",
        "rds.instance.status",
    ]],
    remedy: Remedy {
        stack: "`database.instances` of 2 or more: they are spread over the zones",
        api: "rds:CreateDBInstance with DBClusterIdentifier and another AvailabilityZone; rds:ModifyDBInstance with MultiAZ",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<DbCluster>(|cluster| {
        let members = Members::known(facts)?;
        let mut zones = BTreeSet::new();
        for member in members.of(cluster.live()).filter(|one| serves(one)) {
            zones.insert(Seen::of(member).read(&["availability_zone"])?.availability_zone.as_str());
        }
        zones.remove("");
        // One of them is the writer's, and there is an instance in another.
        let names = zones.iter().copied().collect::<Vec<_>>().join(", ");
        let verdict = match zones.len() {
            0 => Verdict::fail("it has no instance that works"),
            1 => Verdict::fail(format!("all of its instances are in {names}")),
            _ => Verdict::pass(format!("its instances are in {names}")),
        };
        let zones: Vec<String> = zones.into_iter().map(str::to_owned).collect();
        Ok(verdict.with("rds:DescribeDBInstances", "AvailabilityZone", zones))
    });
    judgements.extend(facts.each_where::<DbInstance>(is_alone, |instance| alone(facts, instance)));
    judgements
}

fn alone(facts: &Facts<'_>, instance: &Seen<'_, DbInstance>) -> Result<Verdict, Unread> {
    let spec = standalone(instance)?;
    let zone = &instance.read(&["availability_zone"])?.availability_zone;
    let verdict = if spec.multi_az {
        Verdict::pass("a standby in another zone takes over")
    } else if let Some(source) = &spec.replica_of {
        Verdict::not_applicable(format!("it is itself a replica of {source}"))
    } else if Replicas::zones_of(facts, &instance.live().id)?.iter().any(|other| other != zone) {
        Verdict::pass("a replica is in another zone")
    } else {
        Verdict::fail(format!("it is in {zone} only"))
    };
    Ok(verdict.with("rds:DescribeDBInstances", "MultiAZ", spec.multi_az))
}

/// Whether an instance does its work, or will.
fn serves(instance: &Live<DbInstance>) -> bool {
    !matches!(instance.status, Status::Failed(_) | Status::Deleting)
}

/// The zones of the working replicas in this region, by what they are replicas of.
struct Replicas(HashMap<String, BTreeSet<String>>);

impl Replicas {
    fn zones_of(facts: &Facts<'_>, source: &str) -> Result<BTreeSet<String>, Unread> {
        let all = facts.all::<DbInstance>()?;
        let replicas = facts.derived(|_| {
            let mut zones: HashMap<String, BTreeSet<String>> = HashMap::new();
            for replica in all.iter().filter(|one| serves(one)) {
                let spec = &replica.spec;
                let source = spec.standalone.as_ref().and_then(|alone| alone.replica_of.as_ref());
                if let Some(source) = source.filter(|_| !spec.availability_zone.is_empty()) {
                    let zone = spec.availability_zone.clone();
                    zones.entry(source.clone()).or_default().insert(zone);
                }
            }
            Self(zones)
        });
        Ok(replicas.0.get(source).cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::DbInstance;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::rds::{cluster, instances, member, standalone};
    use crate::testing::{denied, judged, only};

    fn two(second: aws_sdk_rds::types::builders::DbInstanceBuilder) -> Vec<DbInstance> {
        vec![member("records-1", "us-east-1a").build(), second.build()]
    }

    #[tokio::test]
    async fn the_instances_of_a_cluster_are_in_two_zones() {
        let failed = member("records-2", "us-east-1b").db_instance_status("failed");
        let stranger = member("other-1", "us-east-1b").db_cluster_identifier("other");
        for (members, status) in [
            (two(member("records-2", "us-east-1b")), Status::Pass),
            (two(member("records-2", "us-east-1a")), Status::Fail),
            (two(failed), Status::Fail),
            (two(stranger), Status::Fail),
            (Vec::new(), Status::Fail),
        ] {
            let found = judged(&CONTROL, &[cluster(|it| it), instances(members)]).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }

    #[tokio::test]
    async fn an_instance_that_stands_alone_has_a_standby_or_a_replica() {
        let single = || standalone().multi_az(false).build();
        let replica = |zone: &str| {
            let replica = standalone().db_instance_identifier("replica").multi_az(false);
            let replica = replica.read_replica_source_db_instance_identifier("ledger");
            replica.availability_zone(zone).build()
        };
        for (all, status) in [
            (vec![standalone().build()], Status::Pass),
            (vec![single()], Status::Fail),
            (vec![single(), replica("us-east-1b")], Status::Pass),
            (vec![single(), replica("us-east-1a")], Status::Fail),
        ] {
            let found = judged(&CONTROL, &[instances(all)]).await;
            assert_eq!(found[0].status, status, "{found:?}");
        }
    }

    #[tokio::test]
    async fn instances_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_rds, describe_db_instances, DescribeDBInstancesError);
        let found = judged(&CONTROL, &[cluster(|it| it), denied]).await;
        assert!(found.iter().all(|one| one.status == Status::Unknown), "{found:?}");
    }
}

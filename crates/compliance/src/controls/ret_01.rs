//! FERPA-RET-01: database backups are kept long enough.

use data::{DbCluster, DbInstance};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::databases::{is_alone, standalone};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-RET-01",
    title: "Database backups are kept long enough",
    statement: "Automatic backups of every database are kept at least as long as the floor (35 days by default).",
    severity: Severity::High,
    citations: &["34 CFR 99.10", "NIST SP 800-171r2 3.8.9"],
    why: "A record that was lost or altered must still be there when a parent or student asks to inspect it.",
    reads: &[&[
        "rds.cluster.backup_retention_days",
        "rds.instance.cluster",
        "rds.instance.standalone",
    ]],
    remedy: Remedy {
        stack: "`database.backup_retention_days`",
        api: "rds:ModifyDBCluster or rds:ModifyDBInstance with BackupRetentionPeriod",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<DbCluster>(|cluster| {
        let days = cluster.read(&["backup_retention_days"])?.backup_retention_days;
        Ok(verdict(facts, "rds:DescribeDBClusters", days))
    });
    judgements.extend(facts.each_where::<DbInstance>(is_alone, |instance| {
        let spec = standalone(instance)?;
        if let Some(source) = &spec.replica_of {
            let message = format!("it is a replica of {source}, whose backups count");
            return Ok(Verdict::not_applicable(message));
        }
        Ok(verdict(facts, "rds:DescribeDBInstances", spec.backup_retention_days))
    }));
    judgements
}

fn verdict(facts: &Facts<'_>, call: &str, days: i32) -> Verdict {
    let floor = facts.settings().floors.backup_retention_days;
    let verdict = if days <= 0 {
        Verdict::fail("there are no automatic backups")
    } else {
        Verdict::of(
            days >= floor,
            format!("backups are kept for {days} days"),
            format!("backups are kept for {days} days, and {floor} are wanted"),
        )
    };
    verdict.with(call, "BackupRetentionPeriod", days)
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::settings::{Floors, Settings};
    use crate::testing::rds::{cluster, instances, standalone};
    use crate::testing::{denied, judged, judged_with, only};

    #[tokio::test]
    async fn backups_are_kept_as_long_as_the_floor() {
        let replica = standalone().read_replica_source_db_instance_identifier("other");
        for (rule, status) in [
            (cluster(|it| it), Status::Pass),
            (cluster(|it| it.backup_retention_period(7)), Status::Fail),
            (cluster(|it| it.set_backup_retention_period(None)), Status::Fail),
            (instances(vec![standalone().build()]), Status::Pass),
            (instances(vec![standalone().backup_retention_period(0).build()]), Status::Fail),
            (instances(vec![replica.build()]), Status::NotApplicable),
            (denied!(aws_sdk_rds, describe_db_clusters, DescribeDBClustersError), Status::Unknown),
        ] {
            let found = judged(&CONTROL, &[rule]).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
        let floors = Floors { backup_retention_days: 7, ..Floors::default() };
        let settings = Settings { floors, ..Settings::default() };
        let week = cluster(|it| it.backup_retention_period(7));
        assert_eq!(only(&judged_with(&CONTROL, &[week], &settings).await).0, Status::Pass);
    }
}

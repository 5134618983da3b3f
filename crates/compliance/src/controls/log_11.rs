//! FERPA-LOG-11: caches deliver their logs.

use data::ReplicationGroup;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-11",
    title: "Caches deliver their logs",
    statement: "Every replication group delivers its engine log and its slow log.",
    severity: Severity::Medium,
    citations: &["NIST SP 800-171r2 3.3.1"],
    why: "The engine log says who failed to sign in and when a node changed; a node that is gone takes it along.",
    reads: &[&["elasticache.replication_group.logs", "elasticache.replication_group.log_errors"]],
    remedy: Remedy {
        stack: "`deploy`: both logs go to log groups with a key and a retention",
        api: "elasticache:ModifyReplicationGroup with LogDeliveryConfigurations for engine-log and slow-log",
    },
    reach: Reach::Stack,
    judge,
};

const LOGS: [&str; 2] = ["engine-log", "slow-log"];

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<ReplicationGroup>(|group| {
        let spec = group.read(&["logs", "log_errors"])?;
        let missing: Vec<&str> =
            LOGS.into_iter().filter(|log| !spec.logs.contains_key(*log)).collect();
        let broken = LOGS.into_iter().find_map(|log| Some((log, spec.log_errors.get(log)?)));
        let verdict = if !missing.is_empty() {
            Verdict::fail(format!("not delivered: {}", missing.join(", ")))
        } else if let Some((log, why)) = broken {
            Verdict::fail(format!("the delivery of {log} fails: {why}"))
        } else {
            Verdict::pass("the engine log and the slow log are delivered")
        };
        let logs: Vec<String> = spec.logs.keys().cloned().collect();
        Ok(verdict.with(
            "elasticache:DescribeReplicationGroups",
            "LogDeliveryConfigurations",
            logs,
        ))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticache::types::{LogDeliveryConfigurationStatus, LogType};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::elasticache::{cache, delivered};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn both_logs_are_delivered() {
        let denied =
            denied!(aws_sdk_elasticache, describe_replication_groups, DescribeReplicationGroupsError);
        let broken = cache(|it| {
            let mut log = delivered(LogType::EngineLog);
            log.status = Some(LogDeliveryConfigurationStatus::Error);
            log.message = Some("the log group does not exist".into());
            it.set_log_delivery_configurations(Some(vec![delivered(LogType::SlowLog), log]))
        });
        let slow_only = cache(|it| {
            it.set_log_delivery_configurations(Some(vec![delivered(LogType::SlowLog)]))
        });
        for (rules, status, message) in [
            (cache(|it| it), Status::Pass, "the engine log and the slow log are delivered"),
            (slow_only, Status::Fail, "not delivered: engine-log"),
            (
                broken,
                Status::Fail,
                "the delivery of engine-log fails: the log group does not exist",
            ),
            (vec![denied], Status::Unknown, "the list of elasticache.replication_group"),
        ] {
            let found = judged(&CONTROL, &rules).await;
            let (is, says) = only(&found);
            assert_eq!(is, status);
            assert!(says.starts_with(message), "{says}");
        }
    }
}

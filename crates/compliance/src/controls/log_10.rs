//! FERPA-LOG-10: containers log to an encrypted, retained group.

use compute::LogGroup;
use compute::task_definition::{Container, Log};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen};
use crate::finding::{Judgement, Unread};
use crate::keys::AtRest;
use crate::tasks::{READS, each_in_force, of_containers};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-10",
    title: "Containers log to an encrypted, retained group",
    statement: "Every container writes its output to a CloudWatch log group that a customer key encrypts and that keeps it for at least the floor.",
    severity: Severity::High,
    citations: &["34 CFR 99.32", "NIST SP 800-171r2 3.3.1"],
    why: "What the program says about its requests is the only account of what it did with the records.",
    reads: &[
        &[
            "ecs.task_definition.containers",
            "logs.log_group.kms_key",
            "logs.log_group.retention_days",
            "kms.key",
        ],
        READS,
    ],
    remedy: Remedy {
        stack: "`logs.retention_days`; the group and its key come with every `deploy`",
        api: "ecs:RegisterTaskDefinition with logConfiguration (awslogs); logs:AssociateKmsKey; logs:PutRetentionPolicy",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    each_in_force(
        facts,
        |_| true,
        |task| {
            let spec = task.read(&["containers"])?;
            let mut faults = Vec::new();
            for container in spec.containers.values() {
                faults.push((container, fault(facts, container)?));
            }
            let fault_of = |container: &Container| {
                let found = faults.iter().find(|(one, _)| std::ptr::eq(*one, container));
                found.and_then(|(_, fault)| fault.clone()).into_iter().collect()
            };
            let good = "its containers log to an encrypted group that keeps what they write";
            let groups: Vec<Option<&str>> =
                spec.containers.values().map(|one| one.log.as_ref().and_then(group_of)).collect();
            let field = "logConfiguration.options.awslogs-group";
            Ok(of_containers(spec, good, fault_of).with("ecs:DescribeTaskDefinition", field, groups))
        },
    )
}

/// The log group that a driver writes to: by itself, or through a log router.
fn group_of(log: &Log) -> Option<&str> {
    let option = |name: &str| log.options.get(name).map(String::as_str);
    match (log.driver.as_str(), option("Name")) {
        ("awslogs", _) => option("awslogs-group"),
        ("awsfirelens", Some("cloudwatch" | "cloudwatch_logs")) => option("log_group_name"),
        _ => None,
    }
}

fn fault(facts: &Facts<'_>, container: &Container) -> Result<Option<String>, Unread> {
    let Some(log) = &container.log else { return Ok(Some("logs nowhere".into())) };
    let Some(name) = group_of(log) else {
        return Ok(Some(format!("logs through {}, not to a log group", log.driver)));
    };
    let region = log.options.get("awslogs-region").or_else(|| log.options.get("region"));
    if let Some(region) = region.filter(|region| *region != facts.region()) {
        return Err(Unread { what: format!("the log group {name} in {region}"), error: None });
    }
    let Some(group) = facts.find::<LogGroup>(name)? else {
        return Ok(Some(format!("logs to {name}, which does not exist")));
    };
    let spec = Seen::of(&*group).read(&["kms_key", "retention_days"])?;
    let key = spec.kms_key.as_ref().map(|key| key.as_str());
    if AtRest::with(facts, key)? != AtRest::CustomerKey {
        return Ok(Some(format!("logs to {name}, which is not encrypted with a customer key")));
    }
    let floor = facts.settings().floors.log_retention_days;
    // Without a period a group keeps what it has for ever.
    Ok(spec.retention_days.filter(|days| *days < floor).map(|days| {
        format!("logs to {name}, which keeps what it has for {days} days, not for {floor}")
    }))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{LogConfiguration, LogDriver};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ecs::{LOG_GROUP, task};
    use crate::testing::named_log_group::named_log_group;
    use crate::testing::{KEY, customer_key, denied, judged, only};

    #[tokio::test]
    async fn the_group_is_encrypted_and_retained() {
        for (key, days, status) in [
            (Some(KEY), Some(365), Status::Pass),
            (Some(KEY), None, Status::Pass),
            (Some(KEY), Some(7), Status::Fail),
            (None, Some(365), Status::Fail),
        ] {
            let group = named_log_group(LOG_GROUP, key, days);
            let found = judged(&CONTROL, &[customer_key(), task(|it| it), group].concat()).await;
            assert_eq!(only(&found).0, status, "{key:?} {days:?}");
        }
    }

    #[tokio::test]
    async fn what_goes_elsewhere_or_nowhere_fails() {
        let nowhere = task(|it| it.set_log_configuration(None));
        let found = judged(&CONTROL, &nowhere).await;
        assert_eq!(only(&found), (Status::Fail, "api logs nowhere"));
        let elsewhere = task(|it| {
            let log = LogConfiguration::builder().log_driver(LogDriver::Splunk);
            it.log_configuration(log.build().unwrap())
        });
        let found = judged(&CONTROL, &elsewhere).await;
        assert_eq!(only(&found), (Status::Fail, "api logs through splunk, not to a log group"));
        let found = judged(&CONTROL, &task(|it| it)).await;
        assert_eq!(only(&found), (Status::Fail, "api logs to /ecs/api, which does not exist"));
    }

    #[tokio::test]
    async fn groups_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_cloudwatchlogs, describe_log_groups, DescribeLogGroupsError);
        let found = judged(&CONTROL, &[task(|it| it), vec![denied]].concat()).await;
        assert_eq!(only(&found).0, Status::Unknown);
    }
}

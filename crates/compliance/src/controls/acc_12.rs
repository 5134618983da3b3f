//! FERPA-ACC-12: execute-command is off, or logged and encrypted.

use compute::{Cluster, LogGroup, Service};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::keys::AtRest;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-12",
    title: "Execute-command is off, or logged and encrypted",
    statement: "No service lets people start commands inside its tasks, unless its cluster encrypts those sessions with a customer key and logs them to a log group that is encrypted with one.",
    severity: Severity::High,
    citations: &["34 CFR 99.32", "NIST SP 800-171r2 3.1.12"],
    why: "A shell in a container reaches all that the program reaches, past the program's own access log.",
    reads: &[&[
        "ecs.service.enable_execute_command",
        "ecs.service.cluster",
        "ecs.cluster.execute_command",
        "logs.log_group.kms_key",
        "kms.key",
    ]],
    remedy: Remedy {
        stack: "`service.execute_command = false`, or `deploy`, which logs and encrypts the sessions",
        api: "ecs:UpdateService with enableExecuteCommand false, or ecs:UpdateCluster with executeCommandConfiguration (kmsKeyId, logging OVERRIDE, logConfiguration.cloudWatchLogGroupName)",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Service>(|service| {
        let spec = service.read(&["enable_execute_command", "cluster"])?;
        let on = spec.enable_execute_command;
        let verdict = match on {
            true => sessions(facts, spec.cluster.as_str())?,
            false => Verdict::pass("nobody can start commands inside its tasks"),
        };
        Ok(verdict.with("ecs:DescribeServices", "enableExecuteCommand", on))
    })
}

/// Whether sessions in a cluster's tasks leave a trace that only the right people read.
fn sessions(facts: &Facts<'_>, cluster: &str) -> Result<Verdict, Unread> {
    let unread = || Unread { what: format!("the cluster {cluster}"), error: None };
    let cluster = facts.find::<Cluster>(cluster)?.ok_or_else(unread)?;
    let set = Seen::of(&*cluster).read(&["execute_command"])?.execute_command.as_ref();
    let key = set.and_then(|set| set.kms_key.as_ref()).map(|key| key.as_str());
    let logging = set.map_or("DEFAULT", |set| set.logging.as_str());
    let group = set.and_then(|set| set.log_group.as_ref()).map(|group| group.as_str());
    let verdict = match group.filter(|_| logging == "OVERRIDE") {
        None => Verdict::fail(format!(
            "people can start commands inside its tasks, and its cluster names no log group for that \
             (logging {logging})"
        )),
        Some(_) if AtRest::with(facts, key)? != AtRest::CustomerKey => Verdict::fail(
            "people can start commands inside its tasks, and sessions are not encrypted with a customer key",
        ),
        Some(name) => match facts.find::<LogGroup>(name)? {
            Some(found) => {
                let spec = Seen::of(&*found).read(&["kms_key"])?;
                let own = spec.kms_key.as_ref().map(|key| key.as_str());
                Verdict::of(
                    AtRest::with(facts, own)? == AtRest::CustomerKey,
                    format!("commands inside its tasks are encrypted, and logged to {name}"),
                    format!("commands inside its tasks are logged to {name}, which no customer key encrypts"),
                )
            }
            None => Verdict::fail(format!(
                "commands inside its tasks are to be logged to {name}, which does not exist"
            )),
        },
    };
    let call = "ecs:DescribeClusters";
    let field = |name: &str| format!("executeCommandConfiguration.{name}");
    Ok(verdict
        .with(call, &field("logging"), logging)
        .with(call, &field("kmsKeyId"), key)
        .with(call, &field("logConfiguration.cloudWatchLogGroupName"), group))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{
        ClusterConfiguration, ExecuteCommandConfiguration, ExecuteCommandLogConfiguration,
        ExecuteCommandLogging,
    };
    use aws_smithy_mocks::Rule;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ecs::{self, LOG_GROUP};
    use crate::testing::named_log_group::named_log_group;
    use crate::testing::{KEY, customer_key, denied, judged, only};

    fn configured(key: Option<&str>, logging: ExecuteCommandLogging) -> ClusterConfiguration {
        let log = ExecuteCommandLogConfiguration::builder()
            .cloud_watch_log_group_name(LOG_GROUP)
            .cloud_watch_encryption_enabled(true);
        let execute = ExecuteCommandConfiguration::builder()
            .set_kms_key_id(key.map(str::to_owned))
            .logging(logging)
            .log_configuration(log.build());
        ClusterConfiguration::builder().execute_command_configuration(execute.build()).build()
    }

    async fn of(rules: Vec<Rule>) -> Status {
        only(&judged(&CONTROL, &[customer_key(), rules].concat()).await).0
    }

    #[tokio::test]
    async fn off_is_fine() {
        assert_eq!(of(ecs::service(|it| it.enable_execute_command(false))).await, Status::Pass);
    }

    #[tokio::test]
    async fn on_needs_a_key_and_an_encrypted_log() {
        use ExecuteCommandLogging::{Default, Override};
        let good = || {
            ecs::clustered(
                |it| it.enable_execute_command(true),
                |it| it.configuration(configured(Some(KEY), Override)),
            )
        };
        let with = |key| named_log_group(LOG_GROUP, key, Some(365));
        assert_eq!(of([good(), with(Some(KEY))].concat()).await, Status::Pass);
        assert_eq!(of([good(), with(None)].concat()).await, Status::Fail, "the group is plain");
        assert_eq!(of(good()).await, Status::Fail, "there is no such group");
        let bare = ecs::service(|it| it.enable_execute_command(true));
        assert_eq!(of(bare).await, Status::Fail, "nothing is configured");
        for bad in [
            ecs::clustered(
                |it| it.enable_execute_command(true),
                |it| it.configuration(configured(Some(KEY), Default)),
            ),
            ecs::clustered(
                |it| it.enable_execute_command(true),
                |it| it.configuration(configured(None, Override)),
            ),
        ] {
            assert_eq!(of([bad, with(Some(KEY))].concat()).await, Status::Fail);
        }
    }

    #[tokio::test]
    async fn a_cluster_that_cannot_be_described_is_unknown() {
        let mut rules = ecs::service(|it| it.enable_execute_command(true));
        rules.remove(1);
        rules.push(denied!(aws_sdk_ecs, describe_clusters, DescribeClustersError));
        assert_eq!(of(rules).await, Status::Unknown);
    }
}

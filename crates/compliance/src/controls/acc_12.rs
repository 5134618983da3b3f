//! FERPA-ACC-12: execute-command is off, or logged and encrypted.

use compute::{Cluster, LogGroup, Service};
use security::Bucket;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::key_uses::bucket_key;
use crate::keys::AtRest;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-12",
    title: "Execute-command is off, or logged and encrypted",
    statement: "No service lets people start commands inside its tasks, unless its cluster encrypts those sessions with a customer key and logs them to a log group or bucket that is encrypted with one.",
    severity: Severity::High,
    citations: &["34 CFR 99.32", "NIST SP 800-171r2 3.1.12"],
    why: "A shell in a container reaches all that the program reaches, past the program's own access log.",
    reads: &[&[
        "ecs.service.enable_execute_command",
        "ecs.service.cluster",
        "ecs.cluster.execute_command",
        "logs.log_group.kms_key",
        "s3.bucket.encryption",
        "kms.key",
    ]],
    remedy: Remedy {
        stack: "`service.execute_command = false`, or `deploy`, which logs and encrypts the sessions",
        api: "ecs:UpdateService with enableExecuteCommand false, or ecs:UpdateCluster with executeCommandConfiguration (kmsKeyId, logging OVERRIDE, logConfiguration.cloudWatchLogGroupName or s3BucketName)",
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
    let bucket = set.and_then(|set| set.bucket.as_deref());
    let verdict = if logging != "OVERRIDE" || (group.is_none() && bucket.is_none()) {
        Verdict::fail(format!(
            "people can start commands inside its tasks, and its cluster names no log group or bucket for that \
             (logging {logging})"
        ))
    } else if AtRest::with(facts, key)? != AtRest::CustomerKey {
        Verdict::fail(
            "people can start commands inside its tasks, and sessions are not encrypted with a customer key",
        )
    } else {
        // Whoever reads one of them reads the sessions, however well the other is kept.
        let faults = [
            group.map(|name| group_fault(facts, name)).transpose()?.flatten(),
            bucket.map(|name| bucket_fault(facts, name)).transpose()?.flatten(),
        ];
        let faults: Vec<String> = faults.into_iter().flatten().collect();
        let places: Vec<&str> = group.into_iter().chain(bucket).collect();
        let places = places.join(" and ");
        Verdict::of(
            faults.is_empty(),
            format!("commands inside its tasks are encrypted, and logged to {places}"),
            format!("commands inside its tasks are to be logged to {}", faults.join(" and to ")),
        )
    };
    let call = "ecs:DescribeClusters";
    let field = |name: &str| format!("executeCommandConfiguration.{name}");
    Ok(verdict
        .with(call, &field("logging"), logging)
        .with(call, &field("kmsKeyId"), key)
        .with(call, &field("logConfiguration.cloudWatchLogGroupName"), group)
        .with(call, &field("logConfiguration.s3BucketName"), bucket))
}

/// What is wrong with a log group for sessions.
fn group_fault(facts: &Facts<'_>, name: &str) -> Result<Option<String>, Unread> {
    let Some(found) = facts.find::<LogGroup>(name)? else {
        return Ok(Some(format!("{name}, which does not exist")));
    };
    let own = Seen::of(&*found).read(&["kms_key"])?.kms_key.as_ref().map(|key| key.as_str());
    let good = AtRest::with(facts, own)? == AtRest::CustomerKey;
    Ok((!good).then(|| format!("{name}, which no customer key encrypts")))
}

/// What is wrong with a bucket for sessions.
fn bucket_fault(facts: &Facts<'_>, name: &str) -> Result<Option<String>, Unread> {
    let missing = || {
        let what = format!("the bucket {name}, which is not of this account and region,");
        Unread { what, error: None }
    };
    let found = facts.find_read::<Bucket>(name)?.ok_or_else(missing)?;
    let own = bucket_key(&Seen::of(&*found))?;
    let good = AtRest::with(facts, own.as_deref())? == AtRest::CustomerKey;
    Ok((!good).then(|| format!("the bucket {name}, which no customer key encrypts")))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{
        ClusterConfiguration, ExecuteCommandConfiguration, ExecuteCommandLogConfiguration,
        ExecuteCommandLogging,
    };
    use aws_sdk_s3::types::ServerSideEncryption;
    use aws_smithy_mocks::Rule;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::buckets::{bucket, encryption};
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

    /// Sessions encrypted with [`KEY`] and logged to the bucket `records`.
    fn into_bucket() -> Vec<Rule> {
        ecs::clustered(
            |it| it.enable_execute_command(true),
            |it| {
                let log = ExecuteCommandLogConfiguration::builder().s3_bucket_name("records");
                let execute = ExecuteCommandConfiguration::builder()
                    .kms_key_id(KEY)
                    .logging(ExecuteCommandLogging::Override)
                    .log_configuration(log.build());
                let all = ClusterConfiguration::builder();
                it.configuration(all.execute_command_configuration(execute.build()).build())
            },
        )
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
    async fn an_encrypted_bucket_does_as_well_as_a_log_group() {
        let good = [into_bucket(), bucket(vec![])].concat();
        assert_eq!(of(good).await, Status::Pass);
        let plain = bucket(vec![encryption(ServerSideEncryption::Aes256, None)]);
        assert_eq!(of([into_bucket(), plain].concat()).await, Status::Fail);
        assert_eq!(of(into_bucket()).await, Status::Unknown, "it is not of this account");
    }

    #[tokio::test]
    async fn a_cluster_that_cannot_be_described_is_unknown() {
        let mut rules = ecs::service(|it| it.enable_execute_command(true));
        rules.remove(1);
        rules.push(denied!(aws_sdk_ecs, describe_clusters, DescribeClustersError));
        assert_eq!(of(rules).await, Status::Unknown);
    }
}

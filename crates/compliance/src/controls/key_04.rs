//! FERPA-KEY-04: keys in use can be used.

use std::collections::BTreeSet;

use engine::Status as Condition;
use security::Key;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::key_uses::KeyUses;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-KEY-04",
    title: "Keys in use can be used",
    statement: "No key that encrypts something is disabled, unavailable or about to be deleted.",
    severity: Severity::High,
    citations: &["34 CFR 99.10", "NIST SP 800-171r2 3.8.9"],
    why: "Records whose key is gone cannot be shown to the student who asks for them.",
    reads: &[&[
        "kms.key.enabled",
        "kms.key.status",
        "rds.cluster.kms_key",
        "rds.instance.kms_key",
        "rds.instance.performance_insights",
        "elasticache.replication_group.kms_key",
        "kinesis.stream.key",
        "firehose.delivery_stream.key",
        "firehose.delivery_stream.object_key",
        "efs.file_system.key",
        "backup.vault.key",
        "secretsmanager.secret.kms_key",
        "s3.bucket.encryption",
        "cloudtrail.trail.kms_key",
        "sns.topic.kms_key",
        "logs.log_group.kms_key",
        "lambda.function.kms_key",
        "dynamodb.table.kms_key",
        "opensearch.domain.kms_key",
        "ec2.volume.kms_key",
        "ec2.snapshot.kms_key",
        "rds.cluster_snapshot.kms_key",
        "rds.snapshot.kms_key",
    ]],
    remedy: Remedy {
        stack: "`deploy`: it takes the deletion back and enables the key",
        api: "kms:CancelKeyDeletion, then kms:EnableKey",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Key>(|key| {
        let enabled = key.read(&["enabled", "status"])?.enabled;
        let live = key.live();
        let trouble = match &live.status {
            Condition::Deleting => Some("is about to be deleted".to_owned()),
            Condition::Failed(why) => Some(format!("is {}", why.to_lowercase())),
            _ if !enabled => Some("is disabled".to_owned()),
            _ => None,
        };
        let Some(trouble) = trouble else {
            let verdict = Verdict::pass("the key is enabled");
            return Ok(verdict.with("kms:DescribeKey", "Enabled", enabled));
        };
        let uses = facts.derived::<KeyUses>(KeyUses::of);
        let users = uses.of_key(&live.id).into_iter().flatten().cloned().collect::<BTreeSet<_>>();
        let verdict = match (users.first(), uses.unread()) {
            (Some(first), _) if users.len() == 1 => {
                Verdict::fail(format!("the key {trouble}, and {first} is encrypted with it"))
            }
            (Some(first), _) => Verdict::fail(format!(
                "the key {trouble}, and {first} and {} more are encrypted with it",
                users.len() - 1
            )),
            (None, Some(unread)) => return Err(unread.clone()),
            (None, None) => {
                Verdict::not_applicable(format!("the key {trouble}, and nothing is encrypted with it"))
            }
        };
        Ok(verdict.with("kms:DescribeKey", "Enabled", enabled))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::operation::describe_volumes::DescribeVolumesOutput;
    use aws_sdk_ec2::types::Volume;
    use aws_sdk_kms::types::KeyState;
    use aws_sdk_rds::operation::describe_db_snapshots::DescribeDbSnapshotsOutput;
    use aws_sdk_rds::types::DbSnapshot;
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::buckets::bucket;
    use crate::testing::kms::{described, key};
    use crate::testing::{KEY, beside, denied, judged};

    fn dying() -> Rule {
        described(|it| it.enabled(false).key_state(KeyState::PendingDeletion))
    }

    #[tokio::test]
    async fn a_key_in_use_is_enabled() {
        let found = judged(&CONTROL, &key(vec![])).await;
        assert_eq!((found.len(), found[0].status), (1, Status::Pass));
        let used = |state: Rule| [key(vec![state]), bucket(vec![])].concat();
        let found = judged(&CONTROL, &used(dying())).await;
        let why = "the key is about to be deleted, and s3.bucket records is encrypted with it";
        assert_eq!((found[0].status, found[0].message.as_str()), (Status::Fail, why));
        let off = described(|it| it.enabled(false).key_state(KeyState::Disabled));
        let found = judged(&CONTROL, &used(off)).await;
        assert_eq!(found[0].status, Status::Fail);
    }

    #[tokio::test]
    async fn tables_volumes_and_snapshots_use_keys_too() {
        let volumes = || {
            mock!(aws_sdk_ec2::Client::describe_volumes).then_output(|| {
                let one = Volume::builder().volume_id("vol-1").encrypted(true).kms_key_id(KEY);
                DescribeVolumesOutput::builder().volumes(one.build()).build()
            })
        };
        let snapshots = || {
            mock!(aws_sdk_rds::Client::describe_db_snapshots).then_output(|| {
                let one = DbSnapshot::builder().db_snapshot_identifier("last").encrypted(true);
                let one = one.kms_key_id(KEY).build();
                DescribeDbSnapshotsOutput::builder().db_snapshots(one).build()
            })
        };
        for (user, rules) in [
            ("dynamodb.table grades", beside::table(Some(KEY), &[])),
            ("ec2.volume vol-1", vec![volumes()]),
            ("rds.snapshot last", vec![snapshots()]),
        ] {
            let found = judged(&CONTROL, &[key(vec![dying()]), rules].concat()).await;
            let why = format!("the key is about to be deleted, and {user} is encrypted with it");
            assert_eq!((found[0].status, &found[0].message), (Status::Fail, &why));
        }
    }

    #[tokio::test]
    async fn a_key_that_nothing_uses_may_go_if_that_is_sure() {
        let found = judged(&CONTROL, &key(vec![dying()])).await;
        assert_eq!(found[0].status, Status::NotApplicable, "{found:#?}");
        let denied = denied!(aws_sdk_efs, describe_file_systems, DescribeFileSystemsError);
        let found = judged(&CONTROL, &key(vec![dying(), denied])).await;
        assert_eq!(found[0].status, Status::Unknown);
        let denied = denied!(aws_sdk_kms, describe_key, DescribeKeyError);
        let found = judged(&CONTROL, &key(vec![denied])).await;
        assert_eq!(found[0].status, Status::Unknown);
    }
}

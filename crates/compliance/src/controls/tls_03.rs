//! FERPA-TLS-03: NFS only over TLS.

use data::FileSystem;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::policy::Document;
use crate::tasks::{READS, each_in_force};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-TLS-03",
    title: "File systems are mounted over TLS only",
    statement: "Every EFS volume of a task encrypts in transit, and every file system's policy denies whoever comes without TLS.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.8"],
    why: "NFS itself is plain, so files cross the network readable unless the client wraps it in TLS and the server insists.",
    reads: &[&["ecs.task_definition.volumes", "efs.file_system.policy"], READS],
    remedy: Remedy {
        stack: "`deploy`: the volume always encrypts and the policy always denies plain transport",
        api: "ecs:RegisterTaskDefinition with efsVolumeConfiguration.transitEncryption ENABLED; elasticfilesystem:PutFileSystemPolicy with a Deny for aws:SecureTransport false",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut found = each_in_force(
        facts,
        |task| task.volumes.values().any(|volume| volume.efs.is_some()),
        |task| {
            let volumes = &task.read(&["volumes"])?.volumes;
            let efs = volumes.iter().filter_map(|(name, volume)| Some((name, volume.efs.as_ref()?)));
            let plain: Vec<&str> = efs
                .filter(|(_, efs)| !efs.transit_encryption)
                .map(|(name, _)| name.as_str())
                .collect();
            let bad = format!("the volume {} is mounted without TLS", plain.join(", "));
            let call = "ecs:DescribeTaskDefinition";
            let field = "efsVolumeConfiguration.transitEncryption";
            let value = if plain.is_empty() { "ENABLED" } else { "DISABLED" };
            let good = "its file systems are mounted over TLS";
            Ok(Verdict::of(plain.is_empty(), good, bad).with(call, field, value))
        },
    );
    found.extend(facts.each::<FileSystem>(|file_system| {
        let policy = file_system.read(&["policy"])?.policy.as_ref();
        let arn = file_system.live().arn.as_deref().unwrap_or_default();
        let verdict = match policy.map(Document::of) {
            Some(policy) => Verdict::of(
                policy.denies_plain("elasticfilesystem:ClientMount", arn),
                "its policy denies whoever comes without TLS",
                "its policy does not deny those who come without TLS",
            ),
            None => Verdict::fail("it has no policy, so it can be mounted without TLS"),
        };
        let document = policy.map(|policy| policy.document().clone());
        Ok(verdict.with("elasticfilesystem:DescribeFileSystemPolicy", "Policy", document))
    }));
    found
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::efs::{FileSystem, file_system};
    use crate::testing::{denied, ecs, judged, only};

    #[tokio::test]
    async fn volumes_encrypt() {
        let good = judged(&CONTROL, &ecs::task_with_volume(|it| it)).await;
        assert_eq!(only(&good), (Status::Pass, "its file systems are mounted over TLS"));
        let plain = ecs::task_with_volume(|it| it.transit_encryption("DISABLED".into()));
        let plain = judged(&CONTROL, &plain).await;
        assert_eq!(only(&plain), (Status::Fail, "the volume files is mounted without TLS"));
    }

    #[tokio::test]
    async fn the_policy_insists() {
        let deny = r#"{"Statement": {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "*",
            "Resource": "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-1",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}}}"#;
        let as_text = r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*",
            "Condition": {"StringEquals": {"aws:SecureTransport": "false"}}}}"#;
        let allow = r#"{"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"},
            "Action": "elasticfilesystem:ClientMount",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}}}}"#;
        for (policy, status) in [
            (Some(deny), Status::Pass),
            (Some(as_text), Status::Pass),
            (Some(allow), Status::Fail),
            (None, Status::Fail),
        ] {
            let rules = file_system(FileSystem { policy, ..<_>::default() });
            assert_eq!(only(&judged(&CONTROL, &rules).await).0, status, "{policy:?}");
        }
    }

    #[tokio::test]
    async fn a_policy_that_cannot_be_read_is_unknown() {
        let mut rules = file_system(FileSystem::default());
        rules.remove(2);
        let error = denied!(aws_sdk_efs, describe_file_system_policy, DescribeFileSystemPolicyError);
        rules.push(error);
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}

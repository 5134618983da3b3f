//! FERPA-ENC-05: file systems are encrypted with a customer key.

use data::FileSystem;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::keys::AtRest;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-05",
    title: "File systems are encrypted with a customer key",
    statement: "Every EFS file system is encrypted with a customer-managed KMS key.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.16"],
    why: "Files that lie in plain outlive every permission on them, and with a key that AWS manages nobody can destroy them by destroying the key.",
    reads: &[&["efs.file_system.encrypted", "efs.file_system.key", "kms.key"]],
    remedy: Remedy {
        stack: "`deploy`: the file system is always encrypted with the stack's own key",
        api: "elasticfilesystem:CreateFileSystem with Encrypted and KmsKeyId, and copy the files; a file system cannot be encrypted in place",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<FileSystem>(|file_system| {
        let spec = file_system.read(&["encrypted", "key"])?;
        let key = spec.key.as_ref().map(|key| key.as_str());
        let verdict = match spec.encrypted {
            true => AtRest::with(facts, key)?.verdict("the file system"),
            false => Verdict::fail("the file system is not encrypted"),
        };
        let call = "elasticfilesystem:DescribeFileSystems";
        Ok(verdict.with(call, "Encrypted", spec.encrypted).with(call, "KmsKeyId", key))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::efs::{FileSystem, file_system};
    use crate::testing::{KEY, customer_key, denied, judged, only};

    #[tokio::test]
    async fn a_customer_key_is_wanted() {
        let good = FileSystem { change: |it| it.encrypted(true).kms_key_id(KEY), ..<_>::default() };
        let plain = FileSystem { change: |it| it.encrypted(false), ..<_>::default() };
        let aws = FileSystem { change: |it| it.encrypted(true), ..<_>::default() };
        for (of, status) in [(good, Status::Pass), (plain, Status::Fail), (aws, Status::Fail)] {
            let found = judged(&CONTROL, &[customer_key(), file_system(of)].concat()).await;
            assert_eq!(only(&found).0, status);
        }
    }

    #[tokio::test]
    async fn file_systems_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_efs, describe_file_systems, DescribeFileSystemsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}

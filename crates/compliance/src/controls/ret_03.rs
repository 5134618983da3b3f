//! FERPA-RET-03: file systems have backups on.

use data::FileSystem;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-RET-03",
    title: "File systems have backups on",
    statement: "Every EFS file system has automatic backups switched on, beside any plan that selects it.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.10", "NIST SP 800-171r2 3.8.9"],
    why: "Automatic backups go on when somebody changes a plan or a tag and a file system drops out of it unseen.",
    reads: &[&["efs.file_system.backups"]],
    remedy: Remedy {
        stack: "`files.backups = true`",
        api: "elasticfilesystem:PutBackupPolicy with Status ENABLED",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<FileSystem>(|file_system| {
        let on = file_system.read(&["backups"])?.backups;
        let verdict = Verdict::of(on, "automatic backups are on", "automatic backups are off");
        let value = if on { "ENABLED" } else { "DISABLED" };
        Ok(verdict.with("elasticfilesystem:DescribeBackupPolicy", "BackupPolicy.Status", value))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::efs::{FileSystem, file_system};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn backups_are_on() {
        for (backups, status) in
            [(Some(true), Status::Pass), (Some(false), Status::Fail), (None, Status::Fail)]
        {
            let rules = file_system(FileSystem { backups, ..<_>::default() });
            assert_eq!(only(&judged(&CONTROL, &rules).await).0, status, "{backups:?}");
        }
    }

    #[tokio::test]
    async fn a_policy_that_cannot_be_read_is_unknown() {
        let mut rules = file_system(FileSystem::default());
        rules.pop();
        rules.push(denied!(aws_sdk_efs, describe_backup_policy, DescribeBackupPolicyError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}

//! FERPA-ENC-11: backup vaults are encrypted with a customer key.

use data::BackupVault;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::Facts;
use crate::finding::Judgement;
use crate::keys::AtRest;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-11",
    title: "Backup vaults are encrypted with a customer key",
    statement: "Every AWS Backup vault encrypts its recovery points with a customer-managed KMS key.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.8.9"],
    why: "A backup is a whole copy of the records, and it needs the same key as they do to be as safe and as destructible.",
    reads: &[&["backup.vault.key", "kms.key"]],
    remedy: Remedy {
        stack: "`deploy`: the vault is always encrypted with the stack's own key",
        api: "backup:CreateBackupVault with EncryptionKeyArn, and point the plan's rules at it; a vault's key cannot be changed",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<BackupVault>(|vault| {
        let key = vault.read(&["key"])?.key.as_ref().map(|key| key.as_str());
        let verdict = AtRest::with(facts, key)?.verdict("the vault");
        Ok(verdict.with("backup:ListBackupVaults", "EncryptionKeyArn", key))
    })
}

#[cfg(test)]
mod tests {
    use aws_smithy_mocks::Rule;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{KEY, backup, customer_key, denied, judged, only};

    #[tokio::test]
    async fn a_customer_key_is_wanted() {
        let with = |key| -> Vec<Rule> { [customer_key(), backup::vault(key)].concat() };
        let found = judged(&CONTROL, &with(Some(KEY))).await;
        assert_eq!(only(&found), (Status::Pass, "the vault is encrypted with a customer key"));
        let theirs = Some("arn:aws:kms:us-east-1:999999999999:key/1");
        for bad in [None, Some("arn:aws:kms:us-east-1:123456789012:key/of-aws"), theirs] {
            assert_eq!(only(&judged(&CONTROL, &with(bad)).await).0, Status::Fail, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn vaults_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_backup, list_backup_vaults, ListBackupVaultsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}

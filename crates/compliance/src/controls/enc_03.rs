//! FERPA-ENC-03: caches are encrypted with a customer key.

use data::ReplicationGroup;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::keys::AtRest;

const CALL: &str = "elasticache:DescribeReplicationGroups";

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-03",
    title: "Caches are encrypted with a customer key",
    statement: "Every replication group encrypts its disks and snapshots with a customer-managed KMS key.",
    severity: Severity::Critical,
    citations: &["NIST SP 800-171r2 3.13.16"],
    why: "A cache of records swaps, synchronises and takes snapshots on disk, where plain data can be copied.",
    reads: &[&[
        "elasticache.replication_group.at_rest_encryption",
        "elasticache.replication_group.kms_key",
        "kms.key",
    ]],
    remedy: Remedy {
        stack: "`deploy`: the cache is always encrypted with the stack's own key",
        api: "elasticache:CreateReplicationGroup with AtRestEncryptionEnabled and KmsKeyId, from a snapshot; it cannot change in place",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<ReplicationGroup>(|group| {
        let spec = group.read(&["at_rest_encryption", "kms_key"])?;
        let key = spec.kms_key.as_ref().map(|key| key.as_str());
        let verdict = if spec.at_rest_encryption {
            AtRest::with(facts, key)?.verdict("what it keeps on disk")
        } else {
            Verdict::fail("what it keeps on disk is not encrypted")
        };
        Ok(verdict
            .with(CALL, "AtRestEncryptionEnabled", spec.at_rest_encryption)
            .with(CALL, "KmsKeyId", key))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::elasticache::cache;
    use crate::testing::{customer_key, denied, judged, only};

    #[tokio::test]
    async fn a_customer_key_is_wanted() {
        let mut rules = customer_key();
        rules.extend(cache(|it| it));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Pass);

        let found = judged(&CONTROL, &cache(|it| it)).await;
        assert_eq!(only(&found).0, Status::Fail, "the account has no customer key");
    }

    #[tokio::test]
    async fn disks_in_plain_fail() {
        let mut rules = customer_key();
        rules.extend(cache(|it| it.at_rest_encryption_enabled(false)));
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(only(&found), (Status::Fail, "what it keeps on disk is not encrypted"));
    }

    #[tokio::test]
    async fn caches_and_keys_that_cannot_be_listed_are_unknown() {
        let mut keys = cache(|it| it);
        keys.push(denied!(aws_sdk_kms, list_keys, ListKeysError));
        let groups =
            denied!(aws_sdk_elasticache, describe_replication_groups, DescribeReplicationGroupsError);
        for rules in [keys, vec![groups]] {
            assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
        }
    }
}

//! FERPA-ENC-01: databases are encrypted with a customer key.

use data::{DbCluster, DbInstance};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::keys::AtRest;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-01",
    title: "Databases are encrypted with a customer key",
    statement: "Every RDS cluster and instance encrypts its storage with a customer-managed KMS key.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.16"],
    why: "Storage that leaves the database service in plain, as a disk or a copied snapshot, is readable by whoever holds it.",
    reads: &[&[
        "rds.cluster.storage_encrypted",
        "rds.cluster.kms_key",
        "rds.instance.storage_encrypted",
        "rds.instance.kms_key",
        "rds.instance.cluster",
        "kms.key",
    ]],
    remedy: Remedy {
        stack: "`deploy`: the database is always encrypted with the stack's own key",
        api: "restore a snapshot with rds:RestoreDBClusterFromSnapshot and KmsKeyId; storage cannot be encrypted in place",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let clusters = facts.each::<DbCluster>(|cluster| {
        let spec = cluster.read(&["storage_encrypted", "kms_key"])?;
        let key = spec.kms_key.as_ref().map(|key| key.as_str());
        verdict(facts, "rds:DescribeDBClusters", spec.storage_encrypted, key)
    });
    // An instance of a cluster has the cluster's storage.
    let instances = facts.each_where::<DbInstance>(
        |instance| instance.spec.cluster.is_none(),
        |instance: &Seen<'_, DbInstance>| {
            let spec = instance.read(&["storage_encrypted", "kms_key"])?;
            let key = spec.kms_key.as_ref().map(|key| key.as_str());
            verdict(facts, "rds:DescribeDBInstances", spec.storage_encrypted, key)
        },
    );
    clusters.into_iter().chain(instances).collect()
}

fn verdict(
    facts: &Facts<'_>,
    call: &str,
    encrypted: bool,
    key: Option<&str>,
) -> Result<Verdict, Unread> {
    let verdict = if encrypted {
        AtRest::with(facts, key)?.verdict("the storage")
    } else {
        Verdict::fail("the storage is not encrypted")
    };
    Ok(verdict.with(call, "StorageEncrypted", encrypted).with(call, "KmsKeyId", key))
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::operation::describe_db_clusters::DescribeDbClustersOutput;
    use aws_sdk_rds::types::DbCluster;
    use aws_sdk_rds::types::builders::DbClusterBuilder;
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{KEY, customer_key, denied, judged, only};

    fn cluster(encrypted: fn(DbClusterBuilder) -> DbClusterBuilder) -> Rule {
        mock!(aws_sdk_rds::Client::describe_db_clusters).then_output(move || {
            let cluster = DbCluster::builder().db_cluster_identifier("records");
            DescribeDbClustersOutput::builder().db_clusters(encrypted(cluster).build()).build()
        })
    }

    #[tokio::test]
    async fn a_customer_key_is_wanted() {
        let mut rules = customer_key();
        rules.push(cluster(|it| it.storage_encrypted(true).kms_key_id(KEY)));
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(only(&found), (Status::Pass, "the storage is encrypted with a customer key"));
    }

    #[tokio::test]
    async fn storage_in_plain_fails_and_so_does_a_key_of_aws() {
        let plain = cluster(|it| it.storage_encrypted(false));
        let found = judged(&CONTROL, &[plain]).await;
        assert_eq!(only(&found), (Status::Fail, "the storage is not encrypted"));

        // The account has no customer key, so this one is AWS's.
        let managed = cluster(|it| it.storage_encrypted(true).kms_key_id(KEY));
        let found = judged(&CONTROL, &[managed]).await;
        assert_eq!(only(&found).0, Status::Fail);
    }

    #[tokio::test]
    async fn clusters_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_rds, describe_db_clusters, DescribeDBClustersError);
        let found = judged(&CONTROL, &[denied]).await;
        let (status, message) = only(&found);
        assert_eq!(status, Status::Unknown);
        assert!(message.contains("allow rds:DescribeDBClusters"), "{message}");
    }
}

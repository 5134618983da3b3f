//! FERPA-ENC-13: DynamoDB tables and OpenSearch domains are encrypted with a customer key.

use account::{SearchDomain, Table};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::keys::AtRest;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-13",
    title: "Tables and search domains are encrypted with a customer key",
    statement: "Every DynamoDB table and every OpenSearch domain is encrypted with a customer-managed KMS key.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.16"],
    why: "Records that are copied into a table or an index beside the database need the same protection as in it.",
    reads: &[&[
        "dynamodb.table.kms_key",
        "opensearch.domain.encrypted",
        "opensearch.domain.kms_key",
        "kms.key",
    ]],
    remedy: Remedy {
        stack: "the stack has no tables and no search domains; encrypt or remove those beside it",
        api: "dynamodb:UpdateTable with SSESpecification (Enabled, SSEType KMS, KMSMasterKeyId); es:UpdateDomainConfig with EncryptionAtRestOptions (Enabled, KmsKeyId)",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let tables = facts.each::<Table>(|table| {
        let key = table.read(&["kms_key"])?.kms_key.as_deref();
        let verdict = AtRest::with(facts, key)?.verdict("the table");
        Ok(verdict.with("dynamodb:DescribeTable", "SSEDescription.KMSMasterKeyArn", key))
    });
    let domains = facts.each::<SearchDomain>(|domain| {
        let spec = domain.read(&["encrypted", "kms_key"])?;
        let key = spec.kms_key.as_deref();
        let verdict = match spec.encrypted {
            true => AtRest::with(facts, key)?.verdict("the domain"),
            false => Verdict::fail("the domain is not encrypted at rest"),
        };
        let call = "es:DescribeDomains";
        Ok(verdict
            .with(call, "EncryptionAtRestOptions.Enabled", spec.encrypted)
            .with(call, "EncryptionAtRestOptions.KmsKeyId", key))
    });
    tables.into_iter().chain(domains).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_opensearch::types::EncryptionAtRestOptions;
    use aws_smithy_mocks::Rule;

    use super::CONTROL;
    use crate::finding::{Judgement, Status};
    use crate::testing::{KEY, beside, customer_key, denied, judged, only};

    /// The verdict of the first resource; what is not mocked fails or is empty.
    async fn of(kind: &str, rules: Vec<Rule>) -> Status {
        let found = judged(&CONTROL, &[customer_key(), rules].concat()).await;
        let of_kind = |one: &&Judgement| one.resource.kind == kind;
        found.iter().find(of_kind).unwrap().status
    }

    #[tokio::test]
    async fn tables_need_a_customer_key() {
        let table = |key| beside::table(key, &[]);
        assert_eq!(of("dynamodb.table", table(Some(KEY))).await, Status::Pass);
        assert_eq!(of("dynamodb.table", table(None)).await, Status::Fail);
        let aws = Some("arn:aws:kms:us-east-1:123456789012:key/of-aws");
        assert_eq!(of("dynamodb.table", table(aws)).await, Status::Fail);
    }

    #[tokio::test]
    async fn domains_need_a_customer_key() {
        let good = beside::domain(|it| {
            let rest = EncryptionAtRestOptions::builder().enabled(true).kms_key_id(KEY);
            it.encryption_at_rest_options(rest.build())
        });
        assert_eq!(of("opensearch.domain", good).await, Status::Pass);
        assert_eq!(of("opensearch.domain", beside::domain(|it| it)).await, Status::Fail);
    }

    #[tokio::test]
    async fn what_cannot_be_listed_is_unknown() {
        let rules = vec![
            denied!(aws_sdk_dynamodb, list_tables, ListTablesError),
            denied!(aws_sdk_opensearch, list_domain_names, ListDomainNamesError),
        ];
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(found.iter().filter(|one| one.status == Status::Unknown).count(), 2);
        assert!(only(&found[..1]).1.contains("allow dynamodb:ListTables"));
    }
}

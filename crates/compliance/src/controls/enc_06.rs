//! FERPA-ENC-06: secrets are encrypted with a customer key.

use security::Secret;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::Facts;
use crate::finding::Judgement;
use crate::keys::AtRest;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-06",
    title: "Secrets are encrypted with a customer key",
    statement: "Every secret is encrypted with a customer-managed KMS key.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.16"],
    why: "A secret opens a store of records; only a customer key lets its owner decide, and see, who reads it.",
    reads: &[&["secretsmanager.secret.kms_key", "kms.key.alias"]],
    remedy: Remedy {
        stack: "`deploy`: every secret has the stack's own key",
        api: "secretsmanager:UpdateSecret with KmsKeyId",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Secret>(|secret| {
        let key = secret.read(&["kms_key"])?.kms_key.as_ref().map(ToString::to_string);
        let verdict = AtRest::with(facts, key.as_deref())?.verdict("the secret");
        Ok(verdict.with("secretsmanager:ListSecrets", "KmsKeyId", key))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::secrets::secret;
    use crate::testing::{KEY, customer_key, denied, judged, only};

    #[tokio::test]
    async fn a_customer_key_is_wanted() {
        let ours = [customer_key(), secret(|it| it.kms_key_id(KEY))].concat();
        let found = judged(&CONTROL, &ours).await;
        assert_eq!(only(&found), (Status::Pass, "the secret is encrypted with a customer key"));
        let found = judged(&CONTROL, &[customer_key(), secret(|it| it)].concat()).await;
        assert_eq!(only(&found).0, Status::Fail, "it is AWS's own key then");
        let theirs = "arn:aws:kms:us-east-1:999999999999:key/1";
        let theirs = [customer_key(), secret(move |it| it.kms_key_id(theirs))].concat();
        let found = judged(&CONTROL, &theirs).await;
        assert_eq!(only(&found).0, Status::Fail);
    }

    #[tokio::test]
    async fn what_cannot_be_listed_is_unknown() {
        let denied = denied!(aws_sdk_secretsmanager, list_secrets, ListSecretsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
        let denied = denied!(aws_sdk_kms, list_keys, ListKeysError);
        let rules = [vec![denied], secret(|it| it.kms_key_id(KEY))].concat();
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}

//! FERPA-ENC-07: log groups are encrypted with a customer key.

use compute::LogGroup;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::Facts;
use crate::finding::Judgement;
use crate::keys::AtRest;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-07",
    title: "Log groups are encrypted with a customer key",
    statement: "Every CloudWatch Logs group is encrypted with a customer-managed KMS key.",
    severity: Severity::Medium,
    citations: &[
        "34 CFR 99.31(a)(1)(ii)",
        "NIST SP 800-171r2 3.3.8",
        "NIST SP 800-171r2 3.13.16",
    ],
    why: "Logs say who asked for which record; with a customer key, only those whom the key admits can read them.",
    reads: &[&["logs.log_group.kms_key", "kms.key.alias"]],
    remedy: Remedy {
        stack: "`deploy`: every log group has the stack's logs key",
        api: "logs:AssociateKmsKey with kmsKeyId",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<LogGroup>(|group| {
        let key = group.read(&["kms_key"])?.kms_key.as_ref().map(|key| key.as_str());
        let verdict = AtRest::with(facts, key)?.verdict("the log group");
        Ok(verdict.with("logs:DescribeLogGroups", "kmsKeyId", key))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{KEY, customer_key, denied, judged, log_group, only};

    #[tokio::test]
    async fn a_customer_key_is_wanted() {
        let mut rules = customer_key();
        rules.extend(log_group(|it| it.kms_key_id(KEY)));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn no_key_or_a_key_of_aws_or_of_others_fails() {
        let rules = log_group(|it| it);
        let found = judged(&CONTROL, &rules).await;
        let message = "the log group is encrypted with a key that AWS manages, not with a customer key";
        assert_eq!(only(&found), (Status::Fail, message));

        let foreign = "arn:aws:kms:us-east-1:210987654321:key/1";
        let rules = log_group(move |it| it.kms_key_id(foreign));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn groups_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_cloudwatchlogs, describe_log_groups, DescribeLogGroupsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}

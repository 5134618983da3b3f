//! FERPA-TLS-06: buckets deny plain transport.

use security::Bucket;

use crate::buckets::arn;
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::policy::Document;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-TLS-06",
    title: "Buckets deny plain transport",
    statement: "Every bucket's policy denies everybody every request without TLS, to the bucket and to its objects.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.8"],
    why: "S3 answers plain HTTP unless it is told not to, and a record that travels so can be read on the way.",
    reads: &[&["s3.bucket.policy", "s3.bucket.name"]],
    remedy: Remedy {
        stack: "`deploy`: it writes the buckets' policies",
        api: "s3:PutBucketPolicy with a Deny of s3:* on the bucket and its objects where aws:SecureTransport is false",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Bucket>(|bucket| {
        let spec = bucket.read(&["policy"])?;
        let arn = arn(facts, spec);
        let objects = format!("{arn}/*");
        let verdict = match &spec.policy {
            None => Verdict::fail("the bucket has no policy, so nothing denies plain transport"),
            Some(policy) => {
                let policy = Document::of(policy);
                let denies = |resource: &str| policy.denies_plain_transport_to("s3", &[resource]);
                let partly = |here: &str, there: &str| {
                    Verdict::fail(format!("plain transport is denied for {here}, not for {there}"))
                };
                match (denies(&arn), denies(&objects)) {
                    (true, true) => Verdict::pass("the bucket's policy denies plain transport"),
                    (true, false) => partly("the bucket", "its objects"),
                    (false, true) => partly("the objects", "the bucket"),
                    (false, false) => {
                        Verdict::fail("the bucket's policy does not deny plain transport")
                    }
                }
            }
        };
        let policy = spec.policy.as_ref().map(|policy| policy.document().clone());
        Ok(verdict.with("s3:GetBucketPolicy", "Policy", policy))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyOutput;
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::buckets::{bucket, bucket_policy, tls_only};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn plain_transport_is_denied_for_all_of_the_bucket() {
        let found = judged(&CONTROL, &bucket(vec![])).await;
        assert_eq!(only(&found).0, Status::Pass, "{found:#?}");
        for (field, value) in [
            ("Resource", json!("arn:aws:s3:::records/*")),
            ("Resource", json!(["arn:aws:s3:::another", "arn:aws:s3:::another/*"])),
            ("Action", json!("s3:GetObject")),
            ("Principal", json!({"AWS": "123456789012"})),
            ("Effect", json!("Allow")),
            ("Condition", json!({"Bool": {"aws:SecureTransport": "true"}})),
        ] {
            let mut statement = tls_only();
            statement[field] = value;
            let found = judged(&CONTROL, &bucket(vec![bucket_policy(statement.clone())])).await;
            assert_eq!(only(&found).0, Status::Fail, "{statement}");
        }
    }

    #[tokio::test]
    async fn no_policy_denies_nothing_and_an_unread_one_is_unknown() {
        let none = mock!(aws_sdk_s3::Client::get_bucket_policy)
            .then_output(|| GetBucketPolicyOutput::builder().build());
        assert_eq!(only(&judged(&CONTROL, &bucket(vec![none])).await).0, Status::Fail);
        let denied = denied!(aws_sdk_s3, get_bucket_policy, GetBucketPolicyError);
        assert_eq!(only(&judged(&CONTROL, &bucket(vec![denied])).await).0, Status::Unknown);
        let denied = denied!(aws_sdk_s3, list_buckets, ListBucketsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}

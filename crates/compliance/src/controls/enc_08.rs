//! FERPA-ENC-08: buckets encrypt with a customer key.

use security::{Bucket, Encryption};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::key_uses::bucket_key;
use crate::keys::AtRest;
use crate::log_buckets::{LogBuckets, LogWriter};
use crate::records::{Holding, holding};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-08",
    title: "Buckets encrypt with a customer key",
    statement: "Every bucket encrypts new objects with a customer-managed KMS key, but for those without records into which AWS delivers logs with SSE-S3 only.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.16"],
    why: "With a key of S3's, whoever may read the bucket may read the records; a customer key is a second door with a record of who went through.",
    reads: &[&[
        "s3.bucket.encryption",
        "s3.bucket.tags",
        "s3.bucket.access_log",
        "elbv2.load_balancer.access_logs",
        "elbv2.load_balancer.load_balancer_type",
        "cloudtrail.trail.bucket",
        "kms.key.alias",
    ]],
    remedy: Remedy {
        stack: "`deploy`: the buckets have the stack's key for logs",
        api: "s3:PutEncryptionConfiguration with SSEAlgorithm aws:kms and KMSMasterKeyID",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Bucket>(|bucket| {
        let algorithm = match &bucket.read(&["encryption"])?.encryption {
            Encryption::None => None,
            Encryption::SseS3 => Some("AES256"),
            Encryption::SseKms { .. } => Some("aws:kms"),
            Encryption::DsseKms { .. } => Some("aws:kms:dsse"),
        };
        let call = "s3:GetEncryptionConfiguration";
        Ok(verdict(facts, bucket)?.with(call, "SSEAlgorithm", algorithm))
    })
}

fn verdict(facts: &Facts<'_>, bucket: &Seen<'_, Bucket>) -> Result<Verdict, Unread> {
    match &bucket.read(&["encryption"])?.encryption {
        Encryption::None => Ok(Verdict::fail("the bucket does not encrypt new objects")),
        Encryption::SseS3 => {
            bucket.read(&["tags"])?;
            if holding(&bucket.live().tags) == Holding::Records {
                let why = "the bucket holds records, and new objects are encrypted with keys of S3's, not with a customer key";
                return Ok(Verdict::fail(why));
            }
            let logs = facts.derived::<LogBuckets>(LogBuckets::of);
            let writers = logs.writers(bucket.live())?;
            let by = if writers.contains(&LogWriter::LoadBalancer) {
                "a load balancer delivers its access log into the bucket"
            } else if writers.contains(&LogWriter::ServerAccessLog) {
                "S3 delivers the access log of a bucket into this one"
            } else {
                let why = "new objects are encrypted with keys of S3's, not with a customer key";
                return Ok(Verdict::fail(why));
            };
            Ok(Verdict::not_applicable(format!("{by}, and AWS delivers only into one with SSE-S3")))
        }
        Encryption::SseKms { .. } | Encryption::DsseKms { .. } => {
            let key = bucket_key(bucket)?;
            Ok(AtRest::with(facts, key.as_deref())?.verdict("what the bucket takes in"))
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::ServerSideEncryption;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::buckets::{bucket, classified, encryption};
    use crate::testing::logging::balancer_that_logs;
    use crate::testing::{KEY, customer_key, denied, judged, only};

    #[tokio::test]
    async fn a_customer_key_is_wanted() {
        let with = |algorithm, key| {
            [bucket(vec![encryption(algorithm, key)]), customer_key()].concat()
        };
        let found = judged(&CONTROL, &with(ServerSideEncryption::AwsKms, Some(KEY))).await;
        assert_eq!(only(&found).0, Status::Pass, "{found:#?}");
        let found = judged(&CONTROL, &with(ServerSideEncryption::AwsKmsDsse, Some(KEY))).await;
        assert_eq!(only(&found).0, Status::Pass);
        let found = judged(&CONTROL, &with(ServerSideEncryption::AwsKms, None)).await;
        assert_eq!(only(&found).0, Status::Fail, "it is AWS's own key then");
        let found = judged(&CONTROL, &with(ServerSideEncryption::Aes256, None)).await;
        assert_eq!(only(&found).0, Status::Fail);
    }

    #[tokio::test]
    async fn a_load_balancer_delivers_only_into_sse_s3() {
        let holding = |what| {
            let changed = vec![encryption(ServerSideEncryption::Aes256, None), classified(what)];
            bucket(changed)
        };
        let plain = || holding(None);
        let rules = [plain(), balancer_that_logs(Some("records"))].concat();
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(only(&found).0, Status::NotApplicable);
        assert!(only(&found).1.contains("AWS delivers only into one with SSE-S3"));
        let rules = [holding(Some("access-log")), balancer_that_logs(Some("records"))].concat();
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::NotApplicable);
        let records = holding(Some("education-records"));
        let rules = [records, balancer_that_logs(Some("records"))].concat();
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(only(&found).0, Status::Fail, "the log has no business beside records");
        let rules = [plain(), balancer_that_logs(Some("another"))].concat();
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);
        let denied = denied!(aws_sdk_elasticloadbalancingv2, describe_load_balancers, DescribeLoadBalancersError);
        let rules = [vec![denied], plain()].concat();
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }

    #[tokio::test]
    async fn encryption_that_cannot_be_read_is_unknown() {
        let denied = denied!(aws_sdk_s3, get_bucket_encryption, GetBucketEncryptionError);
        let found = judged(&CONTROL, &bucket(vec![denied])).await;
        assert!(only(&found).1.contains("allow s3:GetEncryptionConfiguration"), "{found:#?}");
    }
}

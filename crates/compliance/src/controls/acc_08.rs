//! FERPA-ACC-08: buckets are closed to the public.

use security::Bucket;

use crate::buckets::exposure;
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-08",
    title: "Buckets are closed to the public",
    statement: "Every bucket blocks public access, by its own switches or the account's, and neither its policy nor its ACL is public.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.1.22"],
    why: "A public bucket shows its records to everybody who guesses a name, and nobody notices.",
    reads: &[&[
        "s3.bucket.public_access_block",
        "s3.bucket.policy",
        "s3.bucket.object_ownership",
        "s3.bucket.acl",
        "s3.account_public_access_block.block",
    ]],
    remedy: Remedy {
        stack: "`deploy`: every bucket blocks public access",
        api: "s3:PutBucketPublicAccessBlock with all four switches on; s3:PutBucketPolicy and s3:PutBucketAcl without the public",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Bucket>(|bucket| {
        let verdict = match exposure(facts, bucket)? {
            Some(way) => Verdict::fail(format!("the bucket is open to the public: {way}")),
            None => Verdict::pass("public access is blocked, and neither policy nor ACL is public"),
        };
        let open = crate::buckets::open_switches(bucket.live().spec.public_access_block);
        let open: Vec<&str> = open.into_iter().collect();
        Ok(verdict.with("s3:GetBucketPublicAccessBlock", "switches that are off", open))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::get_bucket_acl::GetBucketAclOutput;
    use aws_sdk_s3::types::{Grant, Grantee, ObjectOwnership, Permission, Type};
    use aws_sdk_s3control::operation::get_public_access_block::GetPublicAccessBlockOutput;
    use aws_sdk_s3control::types::PublicAccessBlockConfiguration;
    use aws_smithy_mocks::{Rule, mock};
    use serde_json::json;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::buckets::{bucket, bucket_policy, ownership, public_access_block};
    use crate::testing::{denied, judged, only};

    fn everybody_reads() -> Rule {
        mock!(aws_sdk_s3::Client::get_bucket_acl).then_output(|| {
            let all = Grantee::builder()
                .r#type(Type::Group)
                .uri("http://acs.amazonaws.com/groups/global/AllUsers")
                .build()
                .unwrap();
            let grant = Grant::builder().grantee(all).permission(Permission::Read).build();
            GetBucketAclOutput::builder().grants(grant).build()
        })
    }

    fn account_blocks() -> Rule {
        mock!(aws_sdk_s3control::Client::get_public_access_block).then_output(|| {
            let all = PublicAccessBlockConfiguration::builder()
                .block_public_acls(true)
                .ignore_public_acls(true)
                .block_public_policy(true)
                .restrict_public_buckets(true);
            GetPublicAccessBlockOutput::builder()
                .public_access_block_configuration(all.build())
                .build()
        })
    }

    #[tokio::test]
    async fn a_bucket_is_blocked_by_itself_or_by_the_account() {
        assert_eq!(only(&judged(&CONTROL, &bucket(vec![])).await).0, Status::Pass);
        let open = || public_access_block(false);
        let found = judged(&CONTROL, &bucket(vec![open()])).await;
        assert_eq!(only(&found).0, Status::Fail);
        let found = judged(&CONTROL, &bucket(vec![open(), account_blocks()])).await;
        assert_eq!(only(&found).0, Status::Pass, "{found:#?}");
    }

    #[tokio::test]
    async fn a_public_policy_or_acl_fails_all_the_same() {
        let public = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:Get*", "Resource": "*"});
        let found = judged(&CONTROL, &bucket(vec![bucket_policy(public)])).await;
        let why = "the bucket is open to the public: its policy admits everybody";
        assert_eq!(only(&found), (Status::Fail, why));
        let cloudfront = json!({"Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject", "Resource": "*"});
        let found = judged(&CONTROL, &bucket(vec![bucket_policy(cloudfront)])).await;
        let why = "the bucket is open to the public: its policy admits cloudfront.amazonaws.com on behalf of anybody";
        assert_eq!(only(&found), (Status::Fail, why));
        let acl = vec![ownership(ObjectOwnership::ObjectWriter), everybody_reads()];
        assert_eq!(only(&judged(&CONTROL, &bucket(acl)).await).0, Status::Fail);
        let without_acls = bucket(vec![everybody_reads()]);
        assert_eq!(only(&judged(&CONTROL, &without_acls).await).0, Status::Pass, "ACLs are off");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown_unless_it_fails_anyway() {
        let denied = || denied!(aws_sdk_s3, get_bucket_policy, GetBucketPolicyError);
        let found = judged(&CONTROL, &bucket(vec![denied()])).await;
        assert_eq!(only(&found).0, Status::Unknown);
        let found = judged(&CONTROL, &bucket(vec![denied(), public_access_block(false)])).await;
        assert_eq!(only(&found).0, Status::Fail);
        let denied = denied!(aws_sdk_s3, get_bucket_tagging, GetBucketTaggingError);
        let found = judged(&CONTROL, &bucket(vec![denied])).await;
        assert_eq!(only(&found).0, Status::Pass, "the tags do not matter here");
    }
}

//! FERPA-DIS-03: buckets admit nobody who is not declared.

use security::Bucket;

use crate::buckets::undeclared;
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::parties;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-DIS-03",
    title: "Buckets admit nobody who is not declared",
    statement: "No bucket's policy or ACL admits an account that is not declared, an organisation as a whole, or everybody, neither by themselves nor through a service.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.33(a)", "34 CFR 99.31(a)(1)(i)(B)", "NIST SP 800-171r2 3.1.1"],
    why: "Whoever reads the bucket from another account has had records disclosed to them.",
    reads: &[
        &["s3.bucket.policy", "s3.bucket.object_ownership", "s3.bucket.acl"],
        parties::READS,
    ],
    remedy: Remedy {
        stack: "`deploy`: it writes the buckets' policies; declare who may share records in `declared_accounts`",
        api: "s3:PutBucketPolicy without that principal; s3:PutBucketOwnershipControls with BucketOwnerEnforced",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Bucket>(|bucket| {
        let others = undeclared(facts, bucket)?;
        let verdict = Verdict::of(
            others.is_empty(),
            "the bucket admits only the account and those that are declared",
            format!("the bucket admits {}", others.join(", ")),
        );
        let policy = bucket.live().spec.policy.as_ref().map(|policy| policy.document().clone());
        Ok(verdict.with("s3:GetBucketPolicy", "Policy", policy))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::operation::describe_vpc_endpoints::DescribeVpcEndpointsOutput;
    use aws_sdk_ec2::types::{VpcEndpoint, VpcEndpointType};
    use aws_sdk_s3::operation::get_bucket_acl::GetBucketAclOutput;
    use aws_sdk_s3::types::{Grant, Grantee, ObjectOwnership, Permission, Type};
    use aws_smithy_mocks::mock;
    use serde_json::{Value, json};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::settings::Settings;
    use crate::testing::buckets::{bucket, bucket_policy, ownership};
    use crate::testing::{denied, judged, judged_with, only};

    fn admits(principal: Value, condition: Value) -> Vec<aws_smithy_mocks::Rule> {
        bucket(vec![bucket_policy(json!({"Effect": "Allow", "Principal": principal,
            "Action": "s3:GetObject", "Resource": "*", "Condition": condition}))])
    }

    #[tokio::test]
    async fn only_those_who_are_declared_are_admitted() {
        assert_eq!(only(&judged(&CONTROL, &bucket(vec![])).await).0, Status::Pass);
        let partner = || admits(json!({"AWS": "arn:aws:iam::999999999999:root"}), json!({}));
        let found = judged(&CONTROL, &partner()).await;
        assert_eq!(only(&found), (Status::Fail, "the bucket admits the account 999999999999"));
        let accounts = ["999999999999".into()].into();
        let declared = Settings { declared_accounts: accounts, ..Settings::default() };
        assert_eq!(only(&judged_with(&CONTROL, &partner(), &declared).await).0, Status::Pass);
        let found = judged(&CONTROL, &admits(json!("*"), json!({}))).await;
        assert_eq!(only(&found).0, Status::Fail);
        let organisation = json!({"StringEquals": {"aws:PrincipalOrgID": "o-abc"}});
        let found = judged(&CONTROL, &admits(json!("*"), organisation)).await;
        assert_eq!(only(&found), (Status::Fail, "the bucket admits every account of o-abc"));
        let all_but = bucket(vec![bucket_policy(json!([
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"},
            {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
             "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-abc"}}},
        ]))]);
        let found = judged(&CONTROL, &all_but).await;
        assert_eq!(only(&found), (Status::Fail, "the bucket admits every account of o-abc"));
    }

    #[tokio::test]
    async fn load_balancers_deliver_and_do_nothing_else() {
        let balancers = async |action: &str| {
            let statement = json!({"Effect": "Allow", "Principal": {"AWS": "127311923021"},
                "Action": action, "Resource": "arn:aws:s3:::records/*"});
            let found = judged(&CONTROL, &bucket(vec![bucket_policy(statement)])).await;
            only(&found).0
        };
        assert_eq!(balancers("s3:PutObject").await, Status::Pass, "that is AWS");
        assert_eq!(balancers("s3:GetObject").await, Status::Fail);
        assert_eq!(balancers("s3:*").await, Status::Fail);
    }

    #[tokio::test]
    async fn a_service_reads_for_the_account_only() {
        let distribution = |account: &str| json!({"StringEquals": {"aws:SourceArn": format!("arn:aws:cloudfront::{account}:distribution/E1")}});
        let cloudfront = || json!({"Service": "cloudfront.amazonaws.com"});
        let ours = admits(cloudfront(), distribution("123456789012"));
        assert_eq!(only(&judged(&CONTROL, &ours).await).0, Status::Pass);
        let theirs = admits(cloudfront(), distribution("999999999999"));
        let found = judged(&CONTROL, &theirs).await;
        assert_eq!(only(&found), (Status::Fail, "the bucket admits the account 999999999999"));
        let found = judged(&CONTROL, &admits(cloudfront(), json!({}))).await;
        let why = "the bucket admits cloudfront.amazonaws.com on behalf of anybody";
        assert_eq!(only(&found), (Status::Fail, why));
    }

    #[tokio::test]
    async fn only_an_endpoint_of_the_account_narrows() {
        let through = |endpoint: &str| {
            let mut rules =
                admits(json!("*"), json!({"StringEquals": {"aws:SourceVpce": endpoint}}));
            rules.push(mock!(aws_sdk_ec2::Client::describe_vpc_endpoints).then_output(|| {
                let one = VpcEndpoint::builder()
                    .vpc_endpoint_id("vpce-1")
                    .vpc_id("vpc-1")
                    .vpc_endpoint_type(VpcEndpointType::Interface)
                    .service_name("com.amazonaws.us-east-1.s3")
                    .policy_document("{}");
                DescribeVpcEndpointsOutput::builder().vpc_endpoints(one.build()).build()
            }));
            rules
        };
        let found = judged(&CONTROL, &through("vpce-1")).await;
        assert_eq!(only(&found).0, Status::Pass, "{found:#?}");
        let found = judged(&CONTROL, &through("vpce-of-a-stranger")).await;
        assert_eq!(only(&found), (Status::Fail, "the bucket admits everybody"));
        let denied = denied!(aws_sdk_ec2, describe_vpc_endpoints, DescribeVpcEndpointsError);
        let unread = [vec![denied], through("vpce-1")].concat();
        assert_eq!(only(&judged(&CONTROL, &unread).await).0, Status::Unknown);
    }

    #[tokio::test]
    async fn an_acl_admits_too() {
        let acl = mock!(aws_sdk_s3::Client::get_bucket_acl).then_output(|| {
            let who = Grantee::builder().r#type(Type::CanonicalUser).id("abc").build().unwrap();
            let grant = Grant::builder().grantee(who).permission(Permission::Read).build();
            GetBucketAclOutput::builder().grants(grant).build()
        });
        let rules = bucket(vec![ownership(ObjectOwnership::ObjectWriter), acl]);
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(only(&found), (Status::Fail, "the bucket admits abc (by ACL)"));
    }

    #[tokio::test]
    async fn a_policy_that_cannot_be_read_is_unknown() {
        let denied = denied!(aws_sdk_s3, get_bucket_policy, GetBucketPolicyError);
        assert_eq!(only(&judged(&CONTROL, &bucket(vec![denied])).await).0, Status::Unknown);
    }
}

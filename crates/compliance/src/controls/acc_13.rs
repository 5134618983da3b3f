//! FERPA-ACC-13: the account blocks public access to S3.

use security::AccountPublicAccessBlock;

use crate::buckets::open_switches;
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-13",
    title: "The account blocks public access to S3",
    statement: "All four switches against public access are on for the whole account.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.1.22"],
    why: "The next bucket, made in a hurry, is closed too.",
    reads: &[&["s3.account_public_access_block.block"]],
    remedy: Remedy {
        stack: "`guards.s3_public_access_block = true`",
        api: "s3:PutAccountPublicAccessBlock with all four switches on",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<AccountPublicAccessBlock>(|account| {
        let open: Vec<&str> = open_switches(account.read(&["block"])?.block).into_iter().collect();
        let verdict = Verdict::of(
            open.is_empty(),
            "the account blocks public access",
            format!("the account does not block public access: {} off", open.join(", ")),
        );
        Ok(verdict.with("s3:GetAccountPublicAccessBlock", "switches that are off", open))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3control::operation::get_public_access_block::GetPublicAccessBlockOutput;
    use aws_sdk_s3control::types::PublicAccessBlockConfiguration;
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only};

    fn block(restrict: bool) -> Rule {
        mock!(aws_sdk_s3control::Client::get_public_access_block).then_output(move || {
            let block = PublicAccessBlockConfiguration::builder()
                .block_public_acls(true)
                .ignore_public_acls(true)
                .block_public_policy(true)
                .restrict_public_buckets(restrict);
            GetPublicAccessBlockOutput::builder()
                .public_access_block_configuration(block.build())
                .build()
        })
    }

    #[tokio::test]
    async fn all_four_switches_are_wanted() {
        assert_eq!(only(&judged(&CONTROL, &[block(true)]).await).0, Status::Pass);
        let found = judged(&CONTROL, &[block(false)]).await;
        let why = "the account does not block public access: RestrictPublicBuckets off";
        assert_eq!(only(&found), (Status::Fail, why));
        assert_eq!(only(&judged(&CONTROL, &[]).await).0, Status::Fail, "nothing is set");
        let denied = denied!(aws_sdk_s3control, get_public_access_block, GetPublicAccessBlockError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}

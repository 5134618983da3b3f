//! FERPA-IDN-02: root has no access key.

use account::AccountSummary;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-IDN-02",
    title: "Root has no access key",
    statement: "The root user has no access key.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.31(c)", "NIST SP 800-171r2 3.1.5"],
    why: "A key of root's is a password in a file: it needs no second factor, and no policy holds it back.",
    reads: &[&["iam.account_summary.root_access_keys"]],
    remedy: Remedy {
        stack: "no stack sets this: sign in as root and delete the key under Security credentials",
        api: "iam:DeleteAccessKey with AccessKeyId, as root",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<AccountSummary>(|summary| {
        let keys = summary.read(&["root_access_keys"])?.root_access_keys;
        let verdict = Verdict::of(
            keys == 0,
            "the root user has no access key",
            "the root user has an access key",
        );
        Ok(verdict.with("iam:GetAccountSummary", "AccountAccessKeysPresent", keys))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::iam::summary;
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn root_has_no_key() {
        // The embedded account is well kept.
        assert_eq!(only(&judged(&CONTROL, &[]).await).0, Status::Pass);
        let found = judged(&CONTROL, &[summary(1, 1, 0)]).await;
        assert_eq!(only(&found), (Status::Pass, "the root user has no access key"));
        let found = judged(&CONTROL, &[summary(1, 1, 1)]).await;
        assert_eq!(only(&found), (Status::Fail, "the root user has an access key"));
        let denied = denied!(aws_sdk_iam, get_account_summary, GetAccountSummaryError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}

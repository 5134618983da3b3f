//! FERPA-IDN-01: root signs in with a second factor.

use account::AccountSummary;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-IDN-01",
    title: "Root has MFA",
    statement: "The root user has an MFA device, or nothing to sign in with at all.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.31(c)", "NIST SP 800-171r2 3.5.3"],
    why: "No policy holds root back: whoever has its password has every record.",
    reads: &[&[
        "iam.account_summary.root_mfa",
        "iam.account_summary.root_password",
        "iam.account_summary.root_access_keys",
    ]],
    remedy: Remedy {
        stack: "no stack sets this: sign in as root and add an MFA device under Security credentials",
        api: "iam:EnableMFADevice as root, or iam:EnableOrganizationsRootCredentialsManagement to take root's credentials away",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<AccountSummary>(|summary| {
        let spec = summary.read(&["root_mfa", "root_password", "root_access_keys"])?;
        let verdict = if spec.root_mfa {
            Verdict::pass("the root user has an MFA device")
        } else if spec.root_password == Some(false) && spec.root_access_keys == 0 {
            Verdict::pass("the root user has neither a password nor an access key")
        } else {
            Verdict::fail("the root user has no MFA device")
        };
        let call = "iam:GetAccountSummary";
        Ok(verdict
            .with(call, "AccountMFAEnabled", i32::from(spec.root_mfa))
            .with(call, "AccountPasswordPresent", spec.root_password.map(i32::from)))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::iam::summary;
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn root_has_mfa_or_no_credentials() {
        // The embedded account is well kept.
        assert_eq!(only(&judged(&CONTROL, &[]).await).0, Status::Pass);
        let found = judged(&CONTROL, &[summary(1, 1, 0)]).await;
        assert_eq!(only(&found), (Status::Pass, "the root user has an MFA device"));
        let found = judged(&CONTROL, &[summary(0, 0, 0)]).await;
        assert_eq!(only(&found).0, Status::Pass);
        let found = judged(&CONTROL, &[summary(0, 1, 0)]).await;
        assert_eq!(only(&found), (Status::Fail, "the root user has no MFA device"));
        let found = judged(&CONTROL, &[summary(0, 0, 1)]).await;
        assert_eq!(only(&found).0, Status::Fail);
    }

    #[tokio::test]
    async fn a_denied_summary_is_unknown() {
        let denied = denied!(aws_sdk_iam, get_account_summary, GetAccountSummaryError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}

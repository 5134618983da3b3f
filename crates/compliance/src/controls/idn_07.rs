//! FERPA-IDN-07: Cognito pools require MFA.

use account::UserPool;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-IDN-07",
    title: "Cognito pools require MFA",
    statement: "Every Cognito user pool requires a second factor of all its users.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(c)", "NIST SP 800-171r2 3.5.3"],
    why: "A password alone does not identify the person whom records are disclosed to.",
    reads: &[&["cognito.user_pool.mfa"]],
    remedy: Remedy {
        stack: "nothing: the stack makes no user pool",
        api: "cognito-idp:SetUserPoolMfaConfig with MfaConfiguration=ON",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<UserPool>(|pool| {
        let mfa = pool.read(&["mfa"])?.mfa.as_str();
        let verdict = match mfa {
            "ON" => Verdict::pass("signing in takes a second factor"),
            "OPTIONAL" => Verdict::fail("a second factor is left to each user"),
            _ => Verdict::fail("signing in takes a password alone"),
        };
        Ok(verdict.with("cognito-idp:DescribeUserPool", "MfaConfiguration", mfa))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_cognitoidentityprovider::operation::describe_user_pool::DescribeUserPoolOutput;
    use aws_sdk_cognitoidentityprovider::operation::list_user_pools::ListUserPoolsOutput;
    use aws_sdk_cognitoidentityprovider::types::{
        UserPoolDescriptionType, UserPoolMfaType, UserPoolType,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only};

    fn listed() -> Rule {
        mock!(aws_sdk_cognitoidentityprovider::Client::list_user_pools).then_output(|| {
            let pool = UserPoolDescriptionType::builder().id("us-east-1_a").name("students");
            ListUserPoolsOutput::builder().user_pools(pool.build()).build()
        })
    }

    #[tokio::test]
    async fn a_second_factor_is_wanted_of_everybody() {
        for (mfa, status) in [
            (UserPoolMfaType::On, Status::Pass),
            (UserPoolMfaType::Optional, Status::Fail),
            (UserPoolMfaType::Off, Status::Fail),
        ] {
            let pool = UserPoolType::builder().mfa_configuration(mfa).build();
            let described = mock!(aws_sdk_cognitoidentityprovider::Client::describe_user_pool)
                .then_output(move || {
                    DescribeUserPoolOutput::builder().user_pool(pool.clone()).build()
                });
            let found = judged(&CONTROL, &[listed(), described]).await;
            assert_eq!(only(&found).0, status);
        }
    }

    #[tokio::test]
    async fn a_pool_that_cannot_be_described_is_unknown() {
        let denied =
            denied!(aws_sdk_cognitoidentityprovider, describe_user_pool, DescribeUserPoolError);
        let found = judged(&CONTROL, &[listed(), denied]).await;
        assert_eq!(only(&found).0, Status::Unknown);
        let denied = denied!(aws_sdk_cognitoidentityprovider, list_user_pools, ListUserPoolsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
        assert_eq!(only(&judged(&CONTROL, &[]).await).0, Status::NotApplicable);
    }
}

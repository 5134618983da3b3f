//! FERPA-IDN-04: passwords are long, mixed and new.

use compute::PasswordPolicy;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-IDN-04",
    title: "The password policy is strict",
    statement: "The account's password policy asks for 14 characters of all four sorts, and remembers 10 passwords.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(c)", "NIST SP 800-171r2 3.5.7", "NIST SP 800-171r2 3.5.8"],
    why: "A password that can be guessed identifies nobody.",
    reads: &[&[
        "iam.password_policy.minimum_length",
        "iam.password_policy.reuse_prevention",
        "iam.password_policy.lowercase",
        "iam.password_policy.uppercase",
        "iam.password_policy.numbers",
        "iam.password_policy.symbols",
    ]],
    remedy: Remedy {
        stack: "`guards.password_policy = true`",
        api: "iam:UpdateAccountPasswordPolicy with MinimumPasswordLength, PasswordReusePrevention and the four Require… parameters",
    },
    reach: Reach::Account,
    judge,
};

const LENGTH: i32 = 14;
const REMEMBERED: i32 = 10;

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<PasswordPolicy>(|policy| {
        let spec = policy.read(&[
            "minimum_length",
            "reuse_prevention",
            "lowercase",
            "uppercase",
            "numbers",
            "symbols",
        ])?;
        let mut lacks = Vec::new();
        if spec.minimum_length < LENGTH {
            lacks.push(format!("takes passwords of {} characters", spec.minimum_length));
        }
        let remembered = spec.reuse_prevention.unwrap_or(0);
        if remembered < REMEMBERED {
            lacks.push(format!("remembers {remembered} passwords"));
        }
        let sorts = [
            ("lower-case letters", spec.lowercase),
            ("upper-case letters", spec.uppercase),
            ("digits", spec.numbers),
            ("symbols", spec.symbols),
        ];
        let missing: Vec<&str> =
            sorts.iter().filter(|(_, asked)| !asked).map(|(sort, _)| *sort).collect();
        if !missing.is_empty() {
            lacks.push(format!("does not ask for {}", missing.join(", ")));
        }
        let verdict = Verdict::of(
            lacks.is_empty(),
            format!(
                "the policy asks for {} characters of all sorts and remembers {remembered} passwords",
                spec.minimum_length
            ),
            format!("the policy {}", lacks.join(", ")),
        );
        let call = "iam:GetAccountPasswordPolicy";
        Ok(verdict
            .with(call, "MinimumPasswordLength", spec.minimum_length)
            .with(call, "PasswordReusePrevention", spec.reuse_prevention))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::operation::get_account_password_policy::GetAccountPasswordPolicyOutput;
    use aws_sdk_iam::types::PasswordPolicy;
    use aws_sdk_iam::types::builders::PasswordPolicyBuilder;
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only};

    fn policy(change: fn(PasswordPolicyBuilder) -> PasswordPolicyBuilder) -> Rule {
        mock!(aws_sdk_iam::Client::get_account_password_policy).then_output(move || {
            let policy = PasswordPolicy::builder()
                .minimum_password_length(14)
                .password_reuse_prevention(10)
                .require_lowercase_characters(true)
                .require_uppercase_characters(true)
                .require_numbers(true)
                .require_symbols(true);
            let policy = change(policy).build();
            GetAccountPasswordPolicyOutput::builder().password_policy(policy).build()
        })
    }

    #[tokio::test]
    async fn each_weakness_is_named() {
        assert_eq!(only(&judged(&CONTROL, &[policy(|it| it)]).await).0, Status::Pass);
        let weak = policy(|it| {
            it.minimum_password_length(8).set_password_reuse_prevention(None).require_symbols(false)
        });
        let found = judged(&CONTROL, &[weak]).await;
        let bad = "the policy takes passwords of 8 characters, remembers 0 passwords, does not ask for symbols";
        assert_eq!(only(&found), (Status::Fail, bad));
    }

    #[tokio::test]
    async fn no_policy_at_all_fails_and_a_denied_one_is_unknown() {
        assert_eq!(only(&judged(&CONTROL, &[]).await).0, Status::Fail);
        let denied =
            denied!(aws_sdk_iam, get_account_password_policy, GetAccountPasswordPolicyError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}

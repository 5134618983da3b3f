//! FERPA-ACC-04: nobody may pass any role.

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::Facts;
use crate::finding::Judgement;
use crate::grants;
use crate::policy::Document;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-04",
    title: "Nobody may pass any role",
    statement: "No role, user, group or customer-managed policy allows iam:PassRole on every role, unless to a named service.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.1.5"],
    why: "Whoever may hand any role to a service may do, through that service, all that any role may do.",
    reads: &[grants::READS],
    remedy: Remedy {
        stack: "`deploy`: no role of the stack may pass roles, except AWS Backup's, to EC2",
        api: "iam:PutRolePolicy with a PolicyDocument that names the roles, or the service by iam:PassedToService",
    },
    reach: Reach::Stack,
    judge: |facts: &Facts<'_>| -> Vec<Judgement> {
        grants::judge(facts, Document::allows_passing_any_role, "passing any role to any service")
    },
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::iam::{attached, details, inline, managed, role};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn a_named_role_may_be_passed() {
        let rule = details(|it| {
            let pass = inline("pass", "iam:PassRole", "arn:aws:iam::123456789012:role/task");
            it.role_detail_list(role("deployer").role_policy_list(pass).build())
        });
        let found = judged(&CONTROL, &[rule]).await;
        let good = "none of its policies allows passing any role to any service";
        assert_eq!(only(&found), (Status::Pass, good));
    }

    #[tokio::test]
    async fn any_role_may_not_in_whatever_words() {
        let rule = details(|it| {
            let full = "arn:aws:iam::aws:policy/IAMFullAccess";
            let roles = "arn:aws:iam::123456789012:role/*";
            let iam = json!({"Effect": "Allow", "Action": "iam:*", "Resource": "*"});
            it.role_detail_list(role("a").attached_managed_policies(attached(full)).build())
                .role_detail_list(role("b").role_policy_list(inline("x", "iam:Pass*", roles)).build())
                .role_detail_list(role("c").role_policy_list(inline("x", "*", "*")).build())
                .policies(managed(full, iam))
        });
        let found = judged(&CONTROL, &[rule]).await;
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|one| one.status == Status::Fail), "{found:#?}");
    }

    #[tokio::test]
    async fn roles_that_cannot_be_listed_are_unknown() {
        let denied = denied!(
            aws_sdk_iam,
            get_account_authorization_details,
            GetAccountAuthorizationDetailsError
        );
        let found = judged(&CONTROL, &[denied]).await;
        assert!(found.iter().all(|one| one.status == Status::Unknown), "{found:#?}");
    }
}

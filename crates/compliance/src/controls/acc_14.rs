//! FERPA-ACC-14: no role stays unused.

use compute::Role;

use crate::age::days_since;
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-14",
    title: "No role unused for 90 days",
    statement: "Every role that is older than 90 days was used within the last 90.",
    severity: Severity::Low,
    citations: &["NIST SP 800-171r2 3.5.6"],
    why: "Nobody watches a role that nobody uses, and it opens the same doors as on the day it was made.",
    reads: &[&["iam.role.last_used_at", "iam.role.created_at", "iam.role.path"]],
    remedy: Remedy {
        stack: "`destroy` of a stack that is no longer used",
        api: "iam:DeleteRole with RoleName",
    },
    reach: Reach::Account,
    judge,
};

/// After how many days an identity counts as unused.
const DAYS: i64 = 90;

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each_where::<Role>(
        // AWS keeps its own, and they can often not be deleted.
        |role| !role.spec.is_service_linked(),
        |role| {
            let spec = role.read(&["created_at", "last_used_at"])?;
            let used = spec.last_used_at.as_deref();
            let created = spec.created_at.as_deref();
            let verdict = match used {
                Some(used) => {
                    let days = days_since(facts, used)?;
                    let message = format!("it was last used {days} days ago");
                    Verdict::of(days <= DAYS, message.clone(), message)
                }
                None => {
                    let unread = || Unread { what: "when it was made".into(), error: None };
                    let days = days_since(facts, created.ok_or_else(unread)?)?;
                    let message = format!("it was made {days} days ago and never used since");
                    Verdict::of(days <= DAYS, message.clone(), message)
                }
            };
            let call = "iam:GetAccountAuthorizationDetails";
            Ok(verdict.with(call, "RoleLastUsed", used).with(call, "CreateDate", created))
        },
    )
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::RoleLastUsed;
    use aws_smithy_types::DateTime;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::iam::{details, role};
    use crate::testing::{denied, judged, only};

    const DAY: i64 = 86_400;
    const NOW: i64 = 1_789_000_000;

    #[tokio::test]
    async fn roles_are_used_or_new() {
        let rule = details(|it| {
            let ago = |days: i64| DateTime::from_secs(NOW - days * DAY);
            let used = |days| RoleLastUsed::builder().last_used_date(ago(days)).build();
            it.role_detail_list(role("a-used").role_last_used(used(90)).build())
                .role_detail_list(role("b-new").create_date(ago(3)).build())
                .role_detail_list(role("c-idle").role_last_used(used(91)).build())
                .role_detail_list(role("d-never").build())
                .role_detail_list(role("e-linked").path("/aws-service-role/x/").build())
        });
        let found = judged(&CONTROL, &[rule]).await;
        let statuses: Vec<Status> = found.iter().map(|one| one.status).collect();
        assert_eq!(statuses, [Status::Pass, Status::Pass, Status::Fail, Status::Fail]);
        assert_eq!(found[2].message, "it was last used 91 days ago");
        assert!(found[3].message.ends_with("and never used since"));
    }

    #[tokio::test]
    async fn roles_that_cannot_be_listed_are_unknown() {
        let denied = denied!(
            aws_sdk_iam,
            get_account_authorization_details,
            GetAccountAuthorizationDetailsError
        );
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}

//! FERPA-IDN-05: access keys are renewed.

use account::User;

use crate::age::days_since;
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-IDN-05",
    title: "Access keys are at most 90 days old",
    statement: "Every active access key of an IAM user was made within the last 90 days.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(c)", "NIST SP 800-171r2 3.5.8"],
    why: "A key gets copied in the course of time, into files and other hands; one that was renewed is worth nothing there.",
    reads: &[&["iam.user.access_keys"]],
    remedy: Remedy {
        stack: "no stack makes users or keys: its workloads have roles",
        api: "iam:CreateAccessKey, then iam:UpdateAccessKey with Status Inactive for the old one",
    },
    reach: Reach::Account,
    judge,
};

const DAYS: i64 = 90;

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each_where::<User>(
        |user| {
            user.spec.access_keys.iter().any(|key| key.active)
                || user.unreadable.contains_key("access_keys")
        },
        |user| {
            let spec = user.read(&["access_keys"])?;
            let mut oldest = 0;
            for key in spec.access_keys.iter().filter(|key| key.active) {
                let unread = || Unread {
                    what: format!("when an access key of {} was made", spec.name),
                    error: None,
                };
                let created = key.created_at.as_deref().ok_or_else(unread)?;
                oldest = oldest.max(days_since(facts, created)?);
            }
            let message = format!("its oldest active access key was made {oldest} days ago");
            let times: Vec<_> = spec.access_keys.iter().map(|key| key.created_at.clone()).collect();
            let verdict = Verdict::of(oldest <= DAYS, message.clone(), message);
            Ok(verdict.with("iam:ListAccessKeys", "CreateDate", times))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::iam::{Credentials, Key, NOBODY, users};
    use crate::testing::{denied, judged, only};

    fn owner(name: &'static str, active: bool, created: Option<&'static str>) -> Credentials {
        Credentials { name, key: Some(Key { active, created, used: None }), ..NOBODY }
    }

    #[tokio::test]
    async fn active_keys_are_young() {
        let rules = users([
            owner("a", true, Some("2026-09-01T00:00:00Z")),
            owner("b", true, Some("2026-06-01T00:00:00Z")),
            owner("c", false, Some("2020-01-01T00:00:00Z")),
            Credentials { name: "d", ..NOBODY },
        ]);
        let found = judged(&CONTROL, &rules).await;
        let statuses: Vec<Status> = found.iter().map(|one| one.status).collect();
        assert_eq!(statuses, [Status::Pass, Status::Fail], "an inactive key opens nothing");
        assert_eq!(found[1].message, "its oldest active access key was made 101 days ago");
        let evidence = &found[1].evidence[0];
        assert_eq!((&*evidence.call, &*evidence.field), ("iam:ListAccessKeys", "CreateDate"));
        assert_eq!(evidence.value, serde_json::json!(["2026-06-01T00:00:00Z"]));
    }

    #[tokio::test]
    async fn an_age_that_is_not_told_is_unknown() {
        let rules = users([owner("a", true, None)]);
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }

    #[tokio::test]
    async fn keys_must_be_listed_and_their_use_need_not_be_known() {
        let key = || users([owner("a", true, Some("2026-09-01T00:00:00Z"))]);
        let mut rules = key();
        rules.insert(0, denied!(aws_sdk_iam, get_access_key_last_used, GetAccessKeyLastUsedError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Pass);
        let mut rules = key();
        rules.insert(0, denied!(aws_sdk_iam, list_access_keys, ListAccessKeysError));
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        assert_eq!(status, Status::Unknown);
        assert!(message.contains("allow iam:ListAccessKeys"), "{message}");
    }
}

//! FERPA-IDN-06: a user is one person or program, and still there.

use account::User;

use crate::age::days_since;
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-IDN-06",
    title: "No user is idle for 90 days, or shared",
    statement: "Every IAM user that can sign in did so within 90 days, and none has a name that several people share.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(c)", "NIST SP 800-171r2 3.5.1", "NIST SP 800-171r2 3.5.6"],
    why: "A disclosure must be traced to a person: a shared user is nobody in particular, and an idle one may be anybody.",
    reads: &[&[
        "iam.user.name",
        "iam.user.created_at",
        "iam.user.has_password",
        "iam.user.password_last_used_at",
        "iam.user.access_keys",
        "iam.user.access_keys_last_used_at",
    ]],
    remedy: Remedy {
        stack: "no stack makes users: people come through Identity Center, workloads have roles",
        api: "iam:DeleteLoginProfile and iam:UpdateAccessKey with Status Inactive, or iam:DeleteUser with UserName",
    },
    reach: Reach::Account,
    judge,
};

const DAYS: i64 = 90;

/// A name with one of these in it belongs to several people.
const SHARED: &[&str] = &["shared", "team", "group", "common", "generic", "everyone", "everybody"];

/// A name of nothing but these says nobody's.
const NOBODY: &[&str] = &[
    "administrator",
    "admin",
    "root",
    "superuser",
    "power",
    "users",
    "user",
    "testing",
    "test",
    "temporary",
    "temp",
    "tmp",
    "demo",
    "guest",
    "default",
    "developers",
    "developer",
    "dev",
    "ops",
    "operations",
    "operator",
    "prod",
    "staging",
    "office",
    "staff",
    "support",
    "helpdesk",
    "it",
    "aws",
    "account",
    "iam",
];

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<User>(|user| {
        let name = &user.read(&["name"])?.name;
        if is_shared(name) {
            let message = format!("the name {name} is not that of one person or program");
            let call = "iam:GetAccountAuthorizationDetails";
            return Ok(Verdict::fail(message).with(call, "UserName", name.as_str()));
        }
        activity(facts, user)
    })
}

fn activity(facts: &Facts<'_>, user: &Seen<'_, User>) -> Result<Verdict, Unread> {
    let spec = user.read(&["has_password", "access_keys"])?;
    if !spec.has_password && !spec.access_keys.iter().any(|key| key.active) {
        return Ok(Verdict::pass("it has neither a password nor an active access key")
            .with("iam:GetLoginProfile", "LoginProfile", false)
            .with("iam:ListAccessKeys", "Status", vec!["Inactive"; spec.access_keys.len()]));
    }
    user.read(&["created_at", "password_last_used_at", "access_keys_last_used_at"])?;
    let signed_in = spec.password_last_used_at.as_deref();
    let signed = spec.access_keys_last_used_at.as_deref();
    let mut used: Option<i64> = None;
    for time in signed_in.into_iter().chain(signed) {
        let days = days_since(facts, time)?;
        used = Some(used.map_or(days, |known| known.min(days)));
    }
    let (days, message) = match used {
        Some(days) => (days, format!("it was last active {days} days ago")),
        None => {
            let unread =
                || Unread { what: format!("when {} was made", spec.name), error: None };
            let days = days_since(facts, spec.created_at.as_deref().ok_or_else(unread)?)?;
            (days, format!("it was made {days} days ago and never active since"))
        }
    };
    let verdict = Verdict::of(days <= DAYS, message.clone(), message);
    Ok(verdict
        .with("iam:ListUsers", "PasswordLastUsed", signed_in)
        .with("iam:GetAccessKeyLastUsed", "LastUsedDate", signed))
}

/// Whether a name is one that several people use: `admin`, `test-user2`, `registrar_team`. A person's
/// own `registrar.admin` is not.
fn is_shared(name: &str) -> bool {
    let name = name.split('@').next().unwrap_or_default().to_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphabetic());
    if words.any(|word| SHARED.contains(&word)) {
        return true;
    }
    let letters: String = name.chars().filter(char::is_ascii_alphabetic).collect();
    !letters.is_empty() && is_made_of_nobody(&letters)
}

fn is_made_of_nobody(letters: &str) -> bool {
    let mut words = NOBODY.iter().chain(SHARED);
    letters.is_empty()
        || words.any(|word| letters.strip_prefix(word).is_some_and(is_made_of_nobody))
}

#[cfg(test)]
mod tests {
    use super::{CONTROL, is_shared};
    use crate::finding::Status;
    use crate::testing::iam::{Credentials, Key, NOBODY, users};
    use crate::testing::{denied, judged, only};

    #[test]
    fn names_of_nobody_are_told_from_names() {
        for shared in [
            "admin", "Administrator", "test", "test-user2", "testuser", "shared-reports",
            "registrar_team", "team", "dev", "admin@example.edu", "DevOps", "aws.admin",
        ] {
            assert!(is_shared(shared), "{shared}");
        }
        for own in ["registrar.admin", "svc-backup", "steam", "ci-deployer", "attest", "42", "usher"] {
            assert!(!is_shared(own), "{own}");
        }
    }

    fn person(name: &'static str, signed_in: Option<&'static str>) -> Credentials {
        Credentials { name, password: true, signed_in, ..NOBODY }
    }

    #[tokio::test]
    async fn users_are_active_or_cannot_sign_in() {
        let created = Some("2020-01-01T00:00:00Z");
        let used = Some("2026-09-09T00:00:00Z");
        let key = Key { active: true, created, used };
        let old = Key { active: false, created, used: None };
        let rules = users([
            person("a", Some("2026-09-01T00:00:00Z")),
            person("b", Some("2026-01-01T00:00:00Z")),
            person("c", None),
            Credentials { key: Some(key), ..person("d", None) },
            Credentials { name: "e", key: Some(old), ..NOBODY },
            person("shared", Some("2026-09-01T00:00:00Z")),
        ]);
        let found = judged(&CONTROL, &rules).await;
        let statuses: Vec<Status> = found.iter().map(|one| one.status).collect();
        use Status::{Fail, Pass};
        assert_eq!(statuses, [Pass, Fail, Fail, Pass, Pass, Fail], "{found:#?}");
        assert_eq!(found[1].message, "it was last active 252 days ago");
        let [signed_in, signed] = &found[3].evidence[..] else { panic!("{found:#?}") };
        assert_eq!((&*signed_in.call, &*signed_in.field), ("iam:ListUsers", "PasswordLastUsed"));
        assert!(signed_in.value.is_null());
        assert_eq!((&*signed.call, &*signed.field), ("iam:GetAccessKeyLastUsed", "LastUsedDate"));
        assert_eq!(signed.value, "2026-09-09T00:00:00Z");
    }

    #[tokio::test]
    async fn a_denied_call_makes_it_unknown_unless_the_name_says_enough() {
        let key = Key { active: true, created: None, used: None };
        let denied = [
            denied!(aws_sdk_iam, list_users, ListUsersError),
            denied!(aws_sdk_iam, get_login_profile, GetLoginProfileError),
            denied!(aws_sdk_iam, list_access_keys, ListAccessKeysError),
            denied!(aws_sdk_iam, get_access_key_last_used, GetAccessKeyLastUsedError),
        ];
        for denied in denied {
            let registrar = person("registrar", Some("2026-09-01T00:00:00Z"));
            let mut rules =
                users([Credentials { key: Some(key), ..registrar }, person("admin", None)]);
            rules.insert(0, denied);
            let found = judged(&CONTROL, &rules).await;
            let statuses: Vec<Status> = found.iter().map(|one| one.status).collect();
            assert_eq!(statuses, [Status::Fail, Status::Unknown], "{found:#?}");
        }
        let denied = denied!(
            aws_sdk_iam,
            get_account_authorization_details,
            GetAccountAuthorizationDetailsError
        );
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}

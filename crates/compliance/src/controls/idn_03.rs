//! FERPA-IDN-03: users of the console sign in with a second factor.

use account::User;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-IDN-03",
    title: "Console users have MFA",
    statement: "Every IAM user with a password has an MFA device.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(c)", "NIST SP 800-171r2 3.5.3"],
    why: "A password that was guessed or phished opens the console to anybody, unless it takes a second factor.",
    reads: &[&["iam.user.has_mfa", "iam.user.has_password"]],
    remedy: Remedy {
        stack: "no stack makes users: people come through Identity Center, or add a device by themselves",
        api: "iam:EnableMFADevice with UserName and SerialNumber, or iam:DeleteLoginProfile with UserName",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each_where::<User>(
        |user| user.spec.has_password || user.unreadable.contains_key("has_password"),
        |user| {
            let spec = user.read(&["has_password", "has_mfa"])?;
            let verdict = Verdict::of(
                spec.has_mfa,
                "it has a password and an MFA device",
                "it has a password and no MFA device",
            );
            Ok(verdict
                .with("iam:GetLoginProfile", "LoginProfile", spec.has_password)
                .with("iam:ListMFADevices", "MFADevices", spec.has_mfa))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::iam::{Credentials, NOBODY, users};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn a_password_takes_a_device() {
        let rules = users([
            Credentials { name: "a", password: true, mfa: true, ..NOBODY },
            Credentials { name: "b", password: true, ..NOBODY },
            Credentials { name: "c", ..NOBODY },
        ]);
        let found = judged(&CONTROL, &rules).await;
        let statuses: Vec<Status> = found.iter().map(|one| one.status).collect();
        assert_eq!(statuses, [Status::Pass, Status::Fail], "c has no password");
        assert_eq!(found[1].message, "it has a password and no MFA device");
        let [profile, devices] = &found[1].evidence[..] else { panic!("{found:#?}") };
        assert_eq!((&*profile.call, &*profile.field), ("iam:GetLoginProfile", "LoginProfile"));
        assert_eq!((&*devices.call, &*devices.field), ("iam:ListMFADevices", "MFADevices"));
        assert_eq!((&profile.value, &devices.value), (&true.into(), &false.into()));
    }

    #[tokio::test]
    async fn a_denied_call_makes_it_unknown() {
        let denied = [
            denied!(aws_sdk_iam, get_login_profile, GetLoginProfileError),
            denied!(aws_sdk_iam, list_mfa_devices, ListMFADevicesError),
        ];
        for (denied, action) in denied.into_iter().zip(["GetLoginProfile", "ListMFADevices"]) {
            let mut rules = users([Credentials { password: true, mfa: true, ..NOBODY }]);
            rules.insert(0, denied);
            let found = judged(&CONTROL, &rules).await;
            let (status, message) = only(&found);
            assert_eq!(status, Status::Unknown);
            assert!(message.contains(&format!("allow iam:{action}")), "{message}");
        }
    }
}

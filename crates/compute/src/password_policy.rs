//! `iam.password_policy`: what the account asks of the passwords of its IAM users. A setting of the
//! whole account: opt-in, because other stacks share it.

use aws_sdk_iam::types::PasswordPolicy as Found;
use engine::vocabulary::{Arn, Id};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Identity, Live, New, Permissions, Resource, Result,
    Scope, Traits, client,
};
use serde::{Deserialize, Serialize};

/// The account's password policy. Its id is `password-policy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordPolicy {
    /// The shortest password: 6 to 128 characters.
    pub minimum_length: i32,
    /// How many earlier passwords must not come back, 1 to 24; `None`: any may.
    pub reuse_prevention: Option<i32>,
    /// After how many days a password expires, 1 to 1,095; `None`: never.
    pub max_age_days: Option<i32>,
    /// Whether a lower-case letter must be in it.
    pub lowercase: bool,
    /// Whether an upper-case letter must be in it.
    pub uppercase: bool,
    /// Whether a digit must be in it.
    pub numbers: bool,
    /// Whether a character other than letters and digits must be in it.
    pub symbols: bool,
    /// Whether users may change their own.
    pub users_may_change: bool,
    /// Whether only an administrator can set an expired one.
    pub hard_expiry: bool,
}

impl Default for PasswordPolicy {
    /// 14 characters of all sorts, 24 remembered, 90 days: CIS's and NIST SP 800-171's measure.
    fn default() -> Self {
        Self {
            minimum_length: 14,
            reuse_prevention: Some(24),
            max_age_days: Some(90),
            lowercase: true,
            uppercase: true,
            numbers: true,
            symbols: true,
            users_may_change: true,
            hard_expiry: false,
        }
    }
}

impl PasswordPolicy {
    /// What AWS asks where no policy is set.
    fn unset() -> Self {
        Self {
            minimum_length: 8,
            reuse_prevention: None,
            max_age_days: None,
            lowercase: false,
            uppercase: false,
            numbers: false,
            symbols: false,
            users_may_change: true,
            hard_expiry: false,
        }
    }
}

impl Resource for PasswordPolicy {
    const TRAITS: Traits = Traits {
        identity: Identity::Setting,
        optional: true,
        permissions: Permissions {
            read: &[Allow::to(&["iam:GetAccountPasswordPolicy"])],
            make: &[Allow::to(&["iam:UpdateAccountPasswordPolicy"])],
            remove: &[],
        },
        ..Traits::of("iam.password_policy")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        let call = client!(aws, aws_sdk_iam).get_account_password_policy();
        let found = aws.find("iam:GetAccountPasswordPolicy", call.send()).await;
        Collected::from_result(found.map(|found| {
            let policy = found.and_then(|found| found.password_policy);
            vec![live(policy.map_or_else(PasswordPolicy::unset, spec))]
        }))
    }

    async fn create(&self, aws: &Aws, _: &New) -> Result<Live<Self>> {
        self.put(aws).await?;
        Ok(live(self.clone()))
    }

    async fn update(&self, aws: &Aws, _: &Live<Self>, _: &Changes) -> Result<()> {
        self.put(aws).await
    }

    /// Stays: others share the account.
    async fn delete(_: &Aws, _: &Live<Self>, _: &Deletion) -> Result<()> {
        Ok(())
    }
}

impl PasswordPolicy {
    /// The call sets all of it: what it does not name goes back to AWS's default.
    async fn put(&self, aws: &Aws) -> Result<()> {
        let call = client!(aws, aws_sdk_iam)
            .update_account_password_policy()
            .minimum_password_length(self.minimum_length)
            .set_password_reuse_prevention(self.reuse_prevention)
            .set_max_password_age(self.max_age_days)
            .require_lowercase_characters(self.lowercase)
            .require_uppercase_characters(self.uppercase)
            .require_numbers(self.numbers)
            .require_symbols(self.symbols)
            .allow_users_to_change_password(self.users_may_change)
            .hard_expiry(self.hard_expiry);
        aws.call("iam:UpdateAccountPasswordPolicy", call.send()).await?;
        Ok(())
    }
}

fn live(spec: PasswordPolicy) -> Live<PasswordPolicy> {
    Live::new("password-policy", spec)
}

fn spec(found: Found) -> PasswordPolicy {
    PasswordPolicy {
        minimum_length: found.minimum_password_length.unwrap_or(6),
        // Some servers say 0 where AWS says nothing.
        reuse_prevention: found.password_reuse_prevention.filter(|count| *count > 0),
        max_age_days: found.max_password_age.filter(|days| *days > 0),
        lowercase: found.require_lowercase_characters,
        uppercase: found.require_uppercase_characters,
        numbers: found.require_numbers,
        symbols: found.require_symbols,
        users_may_change: found.allow_users_to_change_password,
        hard_expiry: found.hard_expiry.unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_leaves_out_is_not_asked() {
        let found = Found::builder().minimum_password_length(14).require_numbers(true).build();
        let spec = spec(found);
        assert_eq!((spec.minimum_length, spec.numbers, spec.symbols), (14, true, false));
        assert_eq!((spec.reuse_prevention, spec.max_age_days), (None, None));
    }
}

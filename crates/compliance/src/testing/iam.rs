//! IAM, as it describes itself.

use aws_sdk_iam::operation::get_access_key_last_used::GetAccessKeyLastUsedOutput;
use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput as Details;
use aws_sdk_iam::operation::get_account_authorization_details::builders::GetAccountAuthorizationDetailsOutputBuilder as DetailsBuilder;
use aws_sdk_iam::operation::get_account_summary::GetAccountSummaryOutput;
use aws_sdk_iam::operation::get_login_profile::GetLoginProfileOutput;
use aws_sdk_iam::operation::list_access_keys::ListAccessKeysOutput;
use aws_sdk_iam::operation::list_mfa_devices::ListMfaDevicesOutput;
use aws_sdk_iam::operation::list_users::ListUsersOutput;
use aws_sdk_iam::types::builders::RoleDetailBuilder;
use aws_sdk_iam::types::{
    AccessKeyLastUsed, AccessKeyMetadata, AttachedPolicy, GroupDetail, LoginProfile,
    ManagedPolicyDetail, MfaDevice, PolicyDetail, PolicyVersion, RoleDetail, StatusType,
    SummaryKeyType, User, UserDetail,
};
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Value, json};

fn long_ago() -> DateTime {
    DateTime::from_secs(1_700_000_000)
}

/// The answer of the call that describes roles, users, groups and policies.
pub(crate) fn details(
    build: impl Fn(DetailsBuilder) -> DetailsBuilder + Send + Sync + 'static,
) -> Rule {
    mock!(aws_sdk_iam::Client::get_account_authorization_details)
        .then_output(move || build(Details::builder()).build())
}

/// A role of ECS tasks of this account that was made long ago and may do nothing.
pub(crate) fn role(name: &str) -> RoleDetailBuilder {
    trusting(
        name,
        json!({
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }),
    )
}

/// A role with this statement of trust.
pub(crate) fn trusting(name: &str, statement: Value) -> RoleDetailBuilder {
    RoleDetail::builder()
        .role_name(name)
        .path("/")
        .arn(format!("arn:aws:iam::123456789012:role/{name}"))
        .create_date(long_ago())
        .assume_role_policy_document(policy(statement))
}

/// A policy of one statement, as IAM gives it.
pub(crate) fn policy(statement: Value) -> String {
    // IAM encodes the whole; this is the only sign that has to be.
    json!({ "Statement": statement }).to_string().replace('%', "%25")
}

/// An inline policy.
pub(crate) fn inline(name: &str, action: &str, resource: &str) -> PolicyDetail {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": resource});
    PolicyDetail::builder().policy_name(name).policy_document(policy(statement)).build()
}

/// An attachment.
pub(crate) fn attached(arn: &str) -> AttachedPolicy {
    AttachedPolicy::builder().policy_arn(arn).build()
}

/// A managed policy whose default version is this statement, and that had another before.
pub(crate) fn managed(arn: &str, statement: Value) -> ManagedPolicyDetail {
    let version = |default: bool, statement: Value| {
        PolicyVersion::builder().is_default_version(default).document(policy(statement)).build()
    };
    ManagedPolicyDetail::builder()
        .arn(arn)
        .policy_name(arn.rsplit('/').next().unwrap())
        .policy_version_list(version(false, json!([])))
        .policy_version_list(version(true, statement))
        .build()
}

/// A user who was made long ago.
pub(crate) fn user(name: &str) -> aws_sdk_iam::types::builders::UserDetailBuilder {
    UserDetail::builder()
        .user_name(name)
        .arn(format!("arn:aws:iam::123456789012:user/{name}"))
        .create_date(long_ago())
}

/// A group.
pub(crate) fn group(name: &str) -> aws_sdk_iam::types::builders::GroupDetailBuilder {
    GroupDetail::builder().group_name(name).arn(format!("arn:aws:iam::123456789012:group/{name}"))
}

/// What a user signs in with. Times are in RFC 3339.
#[derive(Clone, Copy)]
pub(crate) struct Credentials {
    pub(crate) name: &'static str,
    pub(crate) password: bool,
    pub(crate) signed_in: Option<&'static str>,
    pub(crate) mfa: bool,
    pub(crate) key: Option<Key>,
}

/// A user's access key.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub(crate) active: bool,
    pub(crate) created: Option<&'static str>,
    pub(crate) used: Option<&'static str>,
}

/// Somebody who cannot sign in.
pub(crate) const NOBODY: Credentials =
    Credentials { name: "nobody", password: false, signed_in: None, mfa: false, key: None };

/// Users with their credentials. A user without a password is left to the embedded account, which
/// has no login profiles.
pub(crate) fn users<const N: usize>(users: [Credentials; N]) -> Vec<Rule> {
    let of = move |name: Option<&str>| users.into_iter().find(|user| Some(user.name) == name);
    let described = details(move |it| {
        it.set_user_detail_list(Some(users.map(|it| user(it.name).build()).into()))
    });
    let listed = mock!(aws_sdk_iam::Client::list_users).then_output(move || {
        ListUsersOutput::builder().set_users(Some(users.map(listed).into())).build().unwrap()
    });
    let profile = mock!(aws_sdk_iam::Client::get_login_profile)
        .match_requests(move |asked| of(asked.user_name()).is_some_and(|user| user.password))
        .then_compute_output(|asked| {
            let profile = LoginProfile::builder().create_date(long_ago());
            let profile = profile.set_user_name(asked.user_name.clone()).build().unwrap();
            GetLoginProfileOutput::builder().login_profile(profile).build()
        });
    let devices = mock!(aws_sdk_iam::Client::list_mfa_devices).then_compute_output(move |asked| {
        let user = of(asked.user_name()).filter(|user| user.mfa);
        let devices = user.into_iter().map(|user| device(user.name)).collect();
        ListMfaDevicesOutput::builder().set_mfa_devices(Some(devices)).build().unwrap()
    });
    let keys = mock!(aws_sdk_iam::Client::list_access_keys).then_compute_output(move |asked| {
        let user = of(asked.user_name()).into_iter();
        let keys = user.filter_map(|user| Some(metadata(user.name, user.key?))).collect();
        ListAccessKeysOutput::builder().set_access_key_metadata(Some(keys)).build().unwrap()
    });
    let used =
        mock!(aws_sdk_iam::Client::get_access_key_last_used).then_compute_output(move |asked| {
            let key = of(asked.access_key_id()).and_then(|user| user.key);
            let used = AccessKeyLastUsed::builder().service_name("N/A").region("N/A");
            let used = used.set_last_used_date(key.and_then(|key| key.used).map(time));
            GetAccessKeyLastUsedOutput::builder()
                .access_key_last_used(used.build().unwrap())
                .build()
        });
    vec![described, listed, profile, devices, keys, used]
}

fn time(text: &str) -> DateTime {
    DateTime::from_str(text, Format::DateTime).unwrap()
}

fn listed(user: Credentials) -> User {
    User::builder()
        .user_name(user.name)
        .user_id(user.name)
        .path("/")
        .arn(format!("arn:aws:iam::123456789012:user/{}", user.name))
        .create_date(long_ago())
        .set_password_last_used(user.signed_in.map(time))
        .build()
        .unwrap()
}

fn device(user: &str) -> MfaDevice {
    let serial = format!("arn:aws:iam::123456789012:mfa/{user}");
    MfaDevice::builder()
        .user_name(user)
        .serial_number(serial)
        .enable_date(long_ago())
        .build()
        .unwrap()
}

/// A user's key, which has the user's name for an id.
fn metadata(user: &str, key: Key) -> AccessKeyMetadata {
    AccessKeyMetadata::builder()
        .user_name(user)
        .access_key_id(user)
        .status(if key.active { StatusType::Active } else { StatusType::Inactive })
        .set_create_date(key.created.map(time))
        .build()
}

/// The root user: MFA devices, password, access keys.
pub(crate) fn summary(mfa: i32, password: i32, keys: i32) -> Rule {
    mock!(aws_sdk_iam::Client::get_account_summary).then_output(move || {
        GetAccountSummaryOutput::builder()
            .summary_map(SummaryKeyType::AccountMfaEnabled, mfa)
            .summary_map(SummaryKeyType::AccountPasswordPresent, password)
            .summary_map(SummaryKeyType::AccountAccessKeysPresent, keys)
            .build()
    })
}

//! `iam.user`: a user with its credentials and all that it may do.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{AccessKeyMetadata, EntityType, StatusType, UserDetail};
use aws_smithy_types::DateTime;
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Policy, Result, Scope, client};
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::iam::{DETAILS, arns, details, documents, tags};

const USERS: &str = "iam:ListUsers";
const KEYS: &str = "iam:ListAccessKeys";
const KEY_LAST_USED: &str = "iam:GetAccessKeyLastUsed";

/// How many users are read at a time.
const CONCURRENT: usize = 8;

/// An IAM user. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its name, unique in the account.
    pub name: String,
    /// When it was made (RFC 3339).
    pub created_at: Option<String>,
    /// Whether it has a password for the console.
    pub has_password: bool,
    /// When it last signed in to the console (RFC 3339); `None`: never, or it has no password.
    pub password_last_used_at: Option<String>,
    /// Whether it has an MFA device.
    pub has_mfa: bool,
    /// Its access keys, two at most.
    pub access_keys: Vec<AccessKey>,
    /// When a request was last signed with any of its access keys (RFC 3339); `None`: never.
    pub access_keys_last_used_at: Option<String>,
    /// The names of the groups that it is in.
    pub groups: BTreeSet<String>,
    /// The ARNs of the managed policies that are attached.
    pub managed_policies: BTreeSet<String>,
    /// The policies that exist only in this user, by name.
    pub inline_policies: BTreeMap<String, Policy>,
    /// The ARN of the policy that bounds what the others may grant.
    pub permissions_boundary: Option<String>,
}

/// An access key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// Whether it works.
    pub active: bool,
    /// When it was made (RFC 3339).
    pub created_at: Option<String>,
}

impl Inspected for User {
    const KIND: &'static str = "iam.user";
    const READ: &'static [Allow] = &[Allow::to(&[
        "iam:ListUsers",
        "iam:GetAccountAuthorizationDetails",
        "iam:ListAccessKeys",
        "iam:GetAccessKeyLastUsed",
        "iam:GetLoginProfile",
        "iam:ListMFADevices",
    ])];
    const COSTLY: bool = true;

    async fn inspect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        match scope {
            Scope::Account => Collected::from_result(list(aws).await),
            // No user belongs to a stack.
            Scope::Stack(_) | Scope::Attached(_) => Collected::default(),
        }
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<User>>> {
    let types = [EntityType::User];
    let (pages, sign_ins) = futures::join!(details(aws, &types), sign_ins(aws));
    let users = pages?.into_iter().flat_map(|page| page.user_detail_list.unwrap_or_default());
    let reads = users.map(|user| read(aws, user, &sign_ins));
    futures::stream::iter(reads).buffered(CONCURRENT).try_collect().await
}

async fn read(aws: &Aws, user: UserDetail, sign_ins: &Result<SignIns>) -> Result<Live<User>> {
    let name = user.user_name.ok_or_else(|| Error::incomplete(DETAILS, "a user's name"))?;
    let arn = user.arn.ok_or_else(|| Error::incomplete(DETAILS, "a user's ARN"))?;
    let sign_in = sign_ins.as_ref().map_err(Clone::clone).and_then(|users| {
        let known = users.get(&name).cloned();
        known.ok_or_else(|| Error::incomplete(USERS, &format!("the user {name}")))
    });
    let ((keys, keys_last_used), has_password, has_mfa) =
        futures::join!(access_keys(aws, &name), has_password(aws, &name), has_mfa(aws, &name));
    let inline = documents(&name, user.user_policy_list);
    let boundary = user.permissions_boundary;
    let spec = User {
        name: name.clone(),
        created_at: user.create_date.map(|date| date.to_string()),
        has_password: false,
        password_last_used_at: None,
        has_mfa: false,
        access_keys: Vec::new(),
        access_keys_last_used_at: None,
        groups: user.group_list.unwrap_or_default().into_iter().collect(),
        managed_policies: arns(user.attached_managed_policies),
        inline_policies: BTreeMap::new(),
        permissions_boundary: boundary.and_then(|boundary| boundary.permissions_boundary_arn),
    };
    let mut live = Live::new(name, spec).with_arn(arn).with_tags(tags(user.tags));
    live.read("inline_policies", inline, |spec, inline| spec.inline_policies = inline);
    live.read("has_password", has_password, |spec, has| spec.has_password = has);
    live.read("password_last_used_at", sign_in, |spec, time| spec.password_last_used_at = time);
    live.read("has_mfa", has_mfa, |spec, has| spec.has_mfa = has);
    live.read("access_keys", keys, |spec, keys| spec.access_keys = keys);
    live.read("access_keys_last_used_at", keys_last_used, |spec, time| {
        spec.access_keys_last_used_at = time;
    });
    Ok(live)
}

/// When each user last signed in to the console, by their names.
type SignIns = BTreeMap<String, Option<String>>;

async fn sign_ins(aws: &Aws) -> Result<SignIns> {
    let users = client!(aws, aws_sdk_iam).list_users().max_items(1000).into_paginator().items();
    let users: Vec<_> = aws.call(USERS, users.send().try_collect()).await?;
    let time = |time: DateTime| time.to_string();
    Ok(users.into_iter().map(|user| (user.user_name, user.password_last_used.map(time))).collect())
}

async fn has_password(aws: &Aws, user: &str) -> Result<bool> {
    let profile = client!(aws, aws_sdk_iam).get_login_profile().user_name(user);
    Ok(aws.find("iam:GetLoginProfile", profile.send()).await?.is_some())
}

async fn has_mfa(aws: &Aws, user: &str) -> Result<bool> {
    let devices = client!(aws, aws_sdk_iam).list_mfa_devices().user_name(user);
    let devices = devices.into_paginator().items().send().try_collect();
    let devices: Vec<_> = aws.call("iam:ListMFADevices", devices).await?;
    Ok(!devices.is_empty())
}

/// The keys of a user, and when any of them was last used.
async fn access_keys(aws: &Aws, user: &str) -> (Result<Vec<AccessKey>>, Result<Option<String>>) {
    let keys = client!(aws, aws_sdk_iam).list_access_keys().user_name(user);
    let keys = keys.into_paginator().items().send().try_collect();
    match aws.call(KEYS, keys).await {
        Ok(keys) => {
            let keys: Vec<AccessKeyMetadata> = keys;
            let last_used = keys_last_used(aws, &keys).await;
            (keys.into_iter().map(access_key).collect(), last_used)
        }
        Err(error) => (Err(error.clone()), Err(error)),
    }
}

fn access_key(key: AccessKeyMetadata) -> Result<AccessKey> {
    let status = key.status.ok_or_else(|| Error::incomplete(KEYS, "a key's status"))?;
    let created_at = key.create_date.map(|date| date.to_string());
    Ok(AccessKey { active: status == StatusType::Active, created_at })
}

async fn keys_last_used(aws: &Aws, keys: &[AccessKeyMetadata]) -> Result<Option<String>> {
    let iam = &client!(aws, aws_sdk_iam);
    let times = keys.iter().map(|key| async move {
        let id = key.access_key_id.as_ref().ok_or_else(|| Error::incomplete(KEYS, "a key's id"))?;
        let call = iam.get_access_key_last_used().access_key_id(id);
        let answer = aws.call(KEY_LAST_USED, call.send()).await?;
        let used = answer.access_key_last_used;
        // Of a key that was never used there is no date.
        let used = used.ok_or_else(|| Error::incomplete(KEY_LAST_USED, "the last use of a key"))?;
        Ok::<_, Error>(used.last_used_date)
    });
    let latest = try_join_all(times).await?.into_iter().flatten().max();
    Ok(latest.map(|time| time.to_string()))
}

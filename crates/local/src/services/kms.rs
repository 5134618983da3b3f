//! KMS: keys, their policies, aliases, rotation and deletion. It encrypts nothing.

use std::collections::BTreeMap;

use jiff::ToSpan;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use winterbaume_core::MockResponse;
use winterbaume_kms::{model, wire};

use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::policy::{Document, Principal};

/// What KMS holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By key id.
    pub keys: BTreeMap<String, Key>,
    /// By name, `alias/` included.
    pub aliases: BTreeMap<String, model::AliasListEntry>,
}

/// A key and what belongs to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Key {
    /// What DescribeKey says.
    pub metadata: model::KeyMetadata,
    /// The key policy, as it was put.
    pub policy: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// The days between two rotations; `None` when rotation is off.
    pub rotation_days: Option<i32>,
    /// When rotation was last switched on, in seconds since the epoch.
    pub rotation_since: f64,
    /// By grant id.
    pub grants: BTreeMap<String, model::GrantListEntry>,
}

impl Key {
    fn arn(&self) -> &str {
        self.metadata.arn.as_deref().unwrap_or_default()
    }

    fn state(&self) -> &str {
        self.metadata.key_state.as_deref().unwrap_or_default()
    }
}

/// The ARN of a key that exists and is enabled. The key may be given as id, ARN, alias or alias ARN.
pub(crate) fn require_usable(call: &Call<'_>, key: &str) -> Result<String, Fault> {
    let found = find(call, key)?;
    match found.state() {
        "Enabled" => Ok(found.arn().to_owned()),
        "Disabled" => Err(Fault::new("DisabledException", format!("{} is disabled.", found.arn()))),
        state => Err(wrong_state(found.arn(), state)),
    }
}

/// As [`require_usable`], and the key's policy lets a service do all of these actions
/// (`kms:GenerateDataKey`). `context` has the condition keys that the service sends along
/// (`kms:EncryptionContext:aws:logs:arn`).
pub(crate) fn require_service_principal_with(
    call: &Call<'_>,
    key: &str,
    principal: &str,
    actions: &[&str],
    context: &[(&str, &str)],
) -> Result<String, Fault> {
    let arn = require_usable(call, key)?;
    let found = find(call, key)?;
    let policy = Document::parse(&found.policy).map_err(malformed)?;
    let mut known = BTreeMap::from([("aws:SourceAccount", call.account_id())]);
    known.extend(context.iter().map(|(key, value)| (*key, (*value).to_owned())));
    for action in actions {
        if !policy.allows(Principal::Service(principal), action, &arn, &known) {
            return Err(Fault::new(
                "AccessDeniedException",
                format!("{principal} is not authorized to perform: {action} on resource: {arn}"),
            ));
        }
    }
    Ok(arn)
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let body = call.request.body.clone();
    match call.target() {
        "CreateKey" => create_key(call, wire::deserialize_create_key_request(&body)?),
        "DescribeKey" => {
            let input = wire::deserialize_describe_key_request(&body)?;
            let key = find(call, &input.key_id)?;
            Ok(wire::serialize_describe_key_response(&model::DescribeKeyResponse {
                key_metadata: Some(key.metadata),
            }))
        }
        "ListKeys" => {
            let input = wire::deserialize_list_keys_request(&body)?;
            let all = held(call)
                .map(|kms| kms.keys.values())
                .into_iter()
                .flatten()
                .map(|key| model::KeyListEntry {
                    key_arn: key.metadata.arn.clone(),
                    key_id: key.metadata.key_id.clone(),
                })
                .collect();
            let (keys, next) = paged(all, input.marker.as_deref(), input.limit, 100)?;
            Ok(wire::serialize_list_keys_response(&model::ListKeysResponse {
                keys: Some(keys),
                truncated: Some(next.is_some()),
                next_marker: next,
            }))
        }
        "CreateAlias" => create_alias(call, wire::deserialize_create_alias_request(&body)?),
        "UpdateAlias" => update_alias(call, wire::deserialize_update_alias_request(&body)?),
        "DeleteAlias" => {
            let input = wire::deserialize_delete_alias_request(&body)?;
            alias_entry(call, &input.alias_name)?;
            call.region().kms.aliases.remove(&input.alias_name);
            Ok(wire::serialize_delete_alias_response())
        }
        "ListAliases" => list_aliases(call, wire::deserialize_list_aliases_request(&body)?),
        "GetKeyPolicy" => {
            let input = wire::deserialize_get_key_policy_request(&body)?;
            only_default(input.policy_name.as_deref())?;
            let key = find_by_key(call, &input.key_id)?;
            Ok(wire::serialize_get_key_policy_response(&model::GetKeyPolicyResponse {
                policy: Some(key.policy),
                policy_name: Some("default".into()),
            }))
        }
        "PutKeyPolicy" => {
            let input = wire::deserialize_put_key_policy_request(&body)?;
            only_default(input.policy_name.as_deref())?;
            let bypass = input.bypass_policy_lockout_safety_check == Some(true);
            check_policy(call, &input.policy, bypass)?;
            changeable(call, &input.key_id)?.policy = input.policy;
            Ok(wire::serialize_put_key_policy_response())
        }
        "ListKeyPolicies" => {
            let input = wire::deserialize_list_key_policies_request(&body)?;
            find_by_key(call, &input.key_id)?;
            Ok(wire::serialize_list_key_policies_response(&model::ListKeyPoliciesResponse {
                policy_names: Some(vec!["default".into()]),
                truncated: Some(false),
                next_marker: None,
            }))
        }
        "EnableKeyRotation" => {
            enable_rotation(call, wire::deserialize_enable_key_rotation_request(&body)?)
        }
        "DisableKeyRotation" => {
            let input = wire::deserialize_disable_key_rotation_request(&body)?;
            enabled(call, &input.key_id)?.rotation_days = None;
            Ok(wire::serialize_disable_key_rotation_response())
        }
        "GetKeyRotationStatus" => {
            let input = wire::deserialize_get_key_rotation_status_request(&body)?;
            rotation_status(call, &input.key_id)
        }
        "EnableKey" => {
            let input = wire::deserialize_enable_key_request(&body)?;
            switch(call, &input.key_id, true)?;
            Ok(wire::serialize_enable_key_response())
        }
        "DisableKey" => {
            let input = wire::deserialize_disable_key_request(&body)?;
            switch(call, &input.key_id, false)?;
            Ok(wire::serialize_disable_key_response())
        }
        "ScheduleKeyDeletion" => {
            schedule_deletion(call, wire::deserialize_schedule_key_deletion_request(&body)?)
        }
        "CancelKeyDeletion" => {
            let input = wire::deserialize_cancel_key_deletion_request(&body)?;
            cancel_deletion(call, &input.key_id)
        }
        "UpdateKeyDescription" => {
            let input = wire::deserialize_update_key_description_request(&body)?;
            changeable(call, &input.key_id)?.metadata.description = Some(input.description);
            Ok(wire::serialize_update_key_description_response())
        }
        "TagResource" => {
            let input = wire::deserialize_tag_resource_request(&body)?;
            let tags = checked_tags(&input.tags)?;
            let key = changeable(call, &input.key_id)?;
            key.tags.extend(tags);
            Ok(wire::serialize_tag_resource_response())
        }
        "UntagResource" => {
            let input = wire::deserialize_untag_resource_request(&body)?;
            let key = changeable(call, &input.key_id)?;
            key.tags.retain(|name, _| !input.tag_keys.contains(name));
            Ok(wire::serialize_untag_resource_response())
        }
        "ListResourceTags" => {
            let input = wire::deserialize_list_resource_tags_request(&body)?;
            let key = find_by_key(call, &input.key_id)?;
            let all = key
                .tags
                .into_iter()
                .map(|(tag_key, tag_value)| model::Tag { tag_key, tag_value })
                .collect();
            let (tags, next) = paged(all, input.marker.as_deref(), input.limit, 50)?;
            Ok(wire::serialize_list_resource_tags_response(&model::ListResourceTagsResponse {
                tags: Some(tags),
                truncated: Some(next.is_some()),
                next_marker: next,
            }))
        }
        "CreateGrant" => create_grant(call, wire::deserialize_create_grant_request(&body)?),
        "ListGrants" => {
            let input = wire::deserialize_list_grants_request(&body)?;
            let key = find_by_key(call, &input.key_id)?;
            let wanted = |grant: &model::GrantListEntry| {
                (input.grant_id.is_none() || grant.grant_id == input.grant_id)
                    && (input.grantee_principal.is_none()
                        || grant.grantee_principal == input.grantee_principal)
            };
            let all = key.grants.into_values().filter(wanted).collect();
            let (grants, next) = paged(all, input.marker.as_deref(), input.limit, 50)?;
            Ok(wire::serialize_list_grants_response(&model::ListGrantsResponse {
                grants: Some(grants),
                truncated: Some(next.is_some()),
                next_marker: next,
            }))
        }
        "RevokeGrant" => {
            let input = wire::deserialize_revoke_grant_request(&body)?;
            let key = changeable(call, &input.key_id)?;
            match key.grants.remove(&input.grant_id) {
                Some(_) => Ok(wire::serialize_revoke_grant_response()),
                None => Err(Fault::new(
                    "NotFoundException",
                    format!("Grant ID {} not found", input.grant_id),
                )),
            }
        }
        other => Err(Fault::unknown_operation("kms", other)),
    }
}

fn create_key(call: &mut Call<'_>, input: model::CreateKeyRequest) -> Result<MockResponse, Fault> {
    let description = input.description.unwrap_or_default();
    if description.chars().count() > 8192 {
        return Err(too_long("description", 8192));
    }
    let spec = input.key_spec.or(input.customer_master_key_spec);
    let spec = spec.unwrap_or_else(|| "SYMMETRIC_DEFAULT".into());
    let usage = input.key_usage.unwrap_or_else(|| "ENCRYPT_DECRYPT".into());
    if spec == "SYMMETRIC_DEFAULT" && usage != "ENCRYPT_DECRYPT" {
        return Err(invalid(format!("KeyUsage {usage} is not compatible with KeySpec {spec}")));
    }
    let tags = checked_tags(&input.tags.unwrap_or_default())?;
    let policy = match input.policy {
        None => default_policy(&call.account_id()),
        Some(policy) => {
            check_policy(call, &policy, input.bypass_policy_lockout_safety_check == Some(true))?;
            policy
        }
    };
    let multi_region = input.multi_region == Some(true);
    let id = match multi_region {
        true => format!("mrk-{}", call.random_hex(32)),
        false => call.new_uuid(),
    };
    let metadata = model::KeyMetadata {
        a_w_s_account_id: Some(call.account_id()),
        arn: Some(call.arn("kms", &format!("key/{id}"))),
        creation_date: Some(call.epoch()),
        customer_master_key_spec: Some(spec.clone()),
        description: Some(description),
        enabled: Some(true),
        encryption_algorithms: (spec == "SYMMETRIC_DEFAULT").then(|| vec![spec.clone()]),
        key_id: Some(id.clone()),
        key_manager: Some("CUSTOMER".into()),
        key_spec: Some(spec),
        key_state: Some("Enabled".into()),
        key_usage: Some(usage),
        multi_region: Some(multi_region),
        origin: Some(input.origin.unwrap_or_else(|| "AWS_KMS".into())),
        ..Default::default()
    };
    let key = Key { metadata: metadata.clone(), policy, tags, ..Default::default() };
    call.region().kms.keys.insert(id, key);
    Ok(wire::serialize_create_key_response(&model::CreateKeyResponse {
        key_metadata: Some(metadata),
    }))
}

fn create_alias(
    call: &mut Call<'_>,
    input: model::CreateAliasRequest,
) -> Result<MockResponse, Fault> {
    let name = input.alias_name;
    check_alias_name(&name)?;
    let arn = call.arn("kms", &name);
    if held(call).is_some_and(|kms| kms.aliases.contains_key(&name)) {
        return Err(Fault::new(
            "AlreadyExistsException",
            format!("An alias with the name {arn} already exists"),
        ));
    }
    let target = alias_target(call, &input.target_key_id)?;
    let entry = model::AliasListEntry {
        alias_arn: Some(arn),
        alias_name: Some(name.clone()),
        creation_date: Some(call.epoch()),
        last_updated_date: Some(call.epoch()),
        target_key_id: Some(target),
    };
    call.region().kms.aliases.insert(name, entry);
    Ok(wire::serialize_create_alias_response())
}

fn update_alias(
    call: &mut Call<'_>,
    input: model::UpdateAliasRequest,
) -> Result<MockResponse, Fault> {
    alias_entry(call, &input.alias_name)?;
    let target = alias_target(call, &input.target_key_id)?;
    let now = call.epoch();
    if let Some(entry) = call.region().kms.aliases.get_mut(&input.alias_name) {
        entry.target_key_id = Some(target);
        entry.last_updated_date = Some(now);
    }
    Ok(wire::serialize_update_alias_response())
}

fn alias_target(call: &Call<'_>, target: &str) -> Result<String, Fault> {
    if target.contains("alias/") {
        return Err(invalid("Aliases must refer to keys. Not aliases"));
    }
    let key = find(call, target)?;
    if key.state() == "PendingDeletion" {
        return Err(wrong_state(key.arn(), "PendingDeletion"));
    }
    Ok(key.metadata.key_id.unwrap_or_default())
}

fn check_alias_name(name: &str) -> Result<(), Fault> {
    let Some(rest) = name.strip_prefix("alias/") else {
        return Err(invalid("Invalid identifier"));
    };
    if rest.starts_with("aws/") {
        return Err(Fault::new("NotAuthorizedException", ""));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
    if rest.is_empty() || !rest.chars().all(fits) {
        return Err(Fault::new(
            "InvalidAliasNameException",
            format!("{name} contains invalid characters for an alias"),
        ));
    }
    match name.len() > 256 {
        true => Err(too_long("aliasName", 256)),
        false => Ok(()),
    }
}

fn list_aliases(
    call: &mut Call<'_>,
    input: model::ListAliasesRequest,
) -> Result<MockResponse, Fault> {
    let of = match &input.key_id {
        Some(key) => find_by_key(call, key)?.metadata.key_id,
        None => None,
    };
    let all = held(call)
        .map(|kms| kms.aliases.values())
        .into_iter()
        .flatten()
        .filter(|entry| of.is_none() || entry.target_key_id == of)
        .cloned()
        .collect();
    let (aliases, next) = paged(all, input.marker.as_deref(), input.limit, 50)?;
    Ok(wire::serialize_list_aliases_response(&model::ListAliasesResponse {
        aliases: Some(aliases),
        truncated: Some(next.is_some()),
        next_marker: next,
    }))
}

fn enable_rotation(
    call: &mut Call<'_>,
    input: model::EnableKeyRotationRequest,
) -> Result<MockResponse, Fault> {
    let now = call.epoch();
    let days = input.rotation_period_in_days;
    if days.is_some_and(|days| !(90..=2560).contains(&days)) {
        return Err(invalid(
            "1 validation error detected: Value at 'rotationPeriodInDays' failed to satisfy \
             constraint: Member must have value between 90 and 2560",
        ));
    }
    let key = enabled(call, &input.key_id)?;
    let symmetric = key.metadata.key_spec.as_deref() == Some("SYMMETRIC_DEFAULT");
    if !symmetric || key.metadata.origin.as_deref() != Some("AWS_KMS") {
        return Err(Fault::new("UnsupportedOperationException", ""));
    }
    // Without a period, a key that rotates keeps the one it has.
    key.rotation_days = days.or(key.rotation_days).or(Some(365));
    key.rotation_since = now;
    Ok(wire::serialize_enable_key_rotation_response())
}

fn rotation_status(call: &Call<'_>, key: &str) -> Result<MockResponse, Fault> {
    let key = find_by_key(call, key)?;
    // While a key waits for its deletion, AWS reports no rotation.
    let days = key.rotation_days.filter(|_| key.state() != "PendingDeletion");
    Ok(wire::serialize_get_key_rotation_status_response(&model::GetKeyRotationStatusResponse {
        key_id: key.metadata.arn,
        key_rotation_enabled: Some(days.is_some()),
        next_rotation_date: days.map(|days| key.rotation_since + f64::from(days) * 86_400.0),
        rotation_period_in_days: days,
        on_demand_rotation_start_date: None,
    }))
}

fn switch(call: &mut Call<'_>, key: &str, on: bool) -> Result<(), Fault> {
    let key = changeable(call, key)?;
    key.metadata.enabled = Some(on);
    key.metadata.key_state = Some(if on { "Enabled" } else { "Disabled" }.into());
    Ok(())
}

fn schedule_deletion(
    call: &mut Call<'_>,
    input: model::ScheduleKeyDeletionRequest,
) -> Result<MockResponse, Fault> {
    let days = input.pending_window_in_days.unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(invalid(
            "1 validation error detected: Value at 'pendingWindowInDays' failed to satisfy \
             constraint: Member must have value between 7 and 30",
        ));
    }
    let at = call.now.checked_add((i64::from(days) * 24).hours()).unwrap_or(call.now);
    let at = at.as_second() as f64;
    let key = changeable(call, &input.key_id)?;
    key.metadata.enabled = Some(false);
    key.metadata.key_state = Some("PendingDeletion".into());
    key.metadata.deletion_date = Some(at);
    Ok(wire::serialize_schedule_key_deletion_response(&model::ScheduleKeyDeletionResponse {
        deletion_date: Some(at),
        key_id: key.metadata.arn.clone(),
        key_state: key.metadata.key_state.clone(),
        pending_window_in_days: Some(days),
    }))
}

fn cancel_deletion(call: &mut Call<'_>, key: &str) -> Result<MockResponse, Fault> {
    let found = find_by_key(call, key)?;
    if found.state() != "PendingDeletion" {
        let message = format!("{} is not pending deletion.", found.arn());
        return Err(Fault::new("KMSInvalidStateException", message));
    }
    let id = found.metadata.key_id.unwrap_or_default();
    if let Some(key) = call.region().kms.keys.get_mut(&id) {
        // A key that comes back is disabled.
        key.metadata.key_state = Some("Disabled".into());
        key.metadata.deletion_date = None;
    }
    Ok(wire::serialize_cancel_key_deletion_response(&model::CancelKeyDeletionResponse {
        key_id: found.metadata.arn,
    }))
}

fn create_grant(
    call: &mut Call<'_>,
    input: model::CreateGrantRequest,
) -> Result<MockResponse, Fault> {
    if input.operations.is_empty() {
        return Err(invalid("Operations must not be empty"));
    }
    let grant_id = call.random_hex(64);
    let now = call.epoch();
    let issuer = format!("arn:aws:iam::{}:root", call.account_id());
    let key = enabled(call, &input.key_id)?;
    let grant = model::GrantListEntry {
        constraints: input.constraints,
        creation_date: Some(now),
        grant_id: Some(grant_id.clone()),
        grantee_principal: Some(input.grantee_principal),
        issuing_account: Some(issuer),
        key_id: key.metadata.arn.clone(),
        name: input.name,
        operations: Some(input.operations),
        retiring_principal: input.retiring_principal,
    };
    key.grants.insert(grant_id.clone(), grant);
    Ok(wire::serialize_create_grant_response(&model::CreateGrantResponse {
        grant_token: Some(format!("token-{grant_id}")),
        grant_id: Some(grant_id),
    }))
}

/// What KMS holds in the call's region.
fn held<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.region_if_any(call.region_name).map(|region| &*region.kms)
}

/// A key by id, ARN, alias or alias ARN. Keys are looked up in the region of the call: KMS takes no
/// ARN of another region.
fn find(call: &Call<'_>, key: &str) -> Result<Key, Fault> {
    let name = local_name(call, key)?;
    if name.starts_with("alias/") {
        if let Some(managed) = managed_key(call, |alias, _| alias == name) {
            return Ok(managed);
        }
        let entry = held(call).and_then(|kms| kms.aliases.get(&name));
        let target = entry.and_then(|entry| entry.target_key_id.clone());
        return match target {
            Some(id) => find(call, &id),
            None => Err(no_alias(call, &name)),
        };
    }
    let id = name.strip_prefix("key/").unwrap_or(&name);
    let found = held(call).and_then(|kms| kms.keys.get(id));
    // Deletion happens when its time has come.
    let found = found
        .filter(|key| key.metadata.deletion_date.is_none_or(|at| at > call.now.as_second() as f64));
    if let Some(found) = found {
        return Ok(found.clone());
    }
    managed_key(call, |_, managed| managed == id).ok_or_else(|| no_key(call, id))
}

/// As [`find`], for the operations that take no alias.
fn find_by_key(call: &Call<'_>, key: &str) -> Result<Key, Fault> {
    if key.starts_with("alias/") || key.contains(":alias/") {
        return Err(Fault::new("NotFoundException", format!("Invalid keyId '{key}'")));
    }
    find(call, key)
}

/// A customer's key, to change it: not one that waits for its deletion, and not one of AWS's.
fn changeable<'a>(call: &'a mut Call<'_>, key: &str) -> Result<&'a mut Key, Fault> {
    let found = find_by_key(call, key)?;
    if found.state() == "PendingDeletion" {
        return Err(wrong_state(found.arn(), "PendingDeletion"));
    }
    let id = found.metadata.key_id.clone().unwrap_or_default();
    let denied = || {
        Fault::new(
            "AccessDeniedException",
            format!("{} is an AWS managed key; it cannot be changed", found.arn()),
        )
    };
    call.region().kms.keys.get_mut(&id).ok_or_else(denied)
}

/// As [`changeable`], and the key is enabled.
fn enabled<'a>(call: &'a mut Call<'_>, key: &str) -> Result<&'a mut Key, Fault> {
    let key = changeable(call, key)?;
    match key.state() {
        "Disabled" => Err(Fault::new("DisabledException", format!("{} is disabled.", key.arn()))),
        _ => Ok(key),
    }
}

/// The part of a key's name that is unique in the region: an id, `key/id` or `alias/name`.
fn local_name(call: &Call<'_>, key: &str) -> Result<String, Fault> {
    if !key.starts_with("arn:") {
        return Ok(key.to_owned());
    }
    let parts: Vec<&str> = key.splitn(6, ':').collect();
    match parts.as_slice() {
        [_, _, "kms", region, _, _] if *region != call.region_name => {
            Err(Fault::new("NotFoundException", format!("Invalid arn {region}")))
        }
        [_, _, "kms", _, account, name] if *account == call.account.id => Ok((*name).to_owned()),
        [_, _, "kms", _, account, _] => Err(Fault::new(
            "AccessDeniedException",
            format!("the key belongs to account {account}, which does not share it"),
        )),
        _ => Err(Fault::new("InvalidArnException", format!("Invalid arn {key}"))),
    }
}

fn alias_entry(call: &Call<'_>, name: &str) -> Result<(), Fault> {
    check_alias_name(name)?;
    match held(call).is_some_and(|kms| kms.aliases.contains_key(name)) {
        true => Ok(()),
        false => Err(no_alias(call, name)),
    }
}

/// The keys that AWS makes for a service at its first use. They are the same whenever they are asked
/// for, so they need no state.
fn managed_key(call: &Call<'_>, is_it: impl Fn(&str, &str) -> bool) -> Option<Key> {
    const SERVICES: &[&str] = &[
        "acm",
        "backup",
        "ebs",
        "elasticfilesystem",
        "kinesis",
        "lambda",
        "rds",
        "s3",
        "secretsmanager",
        "sns",
        "ssm",
    ];
    SERVICES.iter().find_map(|service| {
        let alias = format!("alias/aws/{service}");
        let id = managed_id(&format!("{}/{}/{alias}", call.account.id, call.region_name));
        is_it(&alias, &id).then(|| {
            let metadata = model::KeyMetadata {
                a_w_s_account_id: Some(call.account_id()),
                arn: Some(call.arn("kms", &format!("key/{id}"))),
                creation_date: Some(0.0),
                customer_master_key_spec: Some("SYMMETRIC_DEFAULT".into()),
                description: Some(format!("Default key that protects my {service} data")),
                enabled: Some(true),
                encryption_algorithms: Some(vec!["SYMMETRIC_DEFAULT".into()]),
                key_id: Some(id),
                key_manager: Some("AWS".into()),
                key_spec: Some("SYMMETRIC_DEFAULT".into()),
                key_state: Some("Enabled".into()),
                key_usage: Some("ENCRYPT_DECRYPT".into()),
                multi_region: Some(false),
                origin: Some("AWS_KMS".into()),
                ..Default::default()
            };
            let policy = default_policy(&call.account_id());
            Key { metadata, policy, rotation_days: Some(365), ..Default::default() }
        })
    })
}

fn managed_id(seed: &str) -> String {
    let digest = Sha256::digest(seed.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

fn default_policy(account: &str) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:aws:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
}

/// A key policy parses, names principals that exist, and leaves the caller able to change it.
fn check_policy(call: &Call<'_>, text: &str, bypass: bool) -> Result<(), Fault> {
    if text.is_empty() || text.len() > 32_768 {
        return Err(Fault::new("LimitExceededException", "The policy is longer than 32768 bytes"));
    }
    let policy = Document::parse(text).map_err(malformed)?;
    if !policy.every_statement_has("Principal") {
        return Err(malformed("A statement of a key policy must have a principal"));
    }
    if !policy.every_statement_has("Resource") {
        return Err(malformed("A statement of a key policy must have a resource"));
    }
    for principal in policy.principals("AWS") {
        if !call.principal_exists(&principal) {
            return Err(malformed(
                "Policy contains a statement with one or more invalid principals.",
            ));
        }
    }
    let caller = call.caller_arn();
    let known = BTreeMap::from([
        ("aws:PrincipalAccount", call.account_id()),
        ("aws:PrincipalArn", caller.clone()),
        ("kms:CallerAccount", call.account_id()),
    ]);
    let who = Principal::Arn(&caller);
    match bypass || policy.allows(who, "kms:PutKeyPolicy", "*", &known) {
        true => Ok(()),
        false => Err(malformed(
            "The new key policy will not allow you to update the key policy in the future.",
        )),
    }
}

fn only_default(name: Option<&str>) -> Result<(), Fault> {
    match name {
        None | Some("default") => Ok(()),
        Some(_) => Err(Fault::new("NotFoundException", "No such policy exists")),
    }
}

fn checked_tags(tags: &[model::Tag]) -> Result<BTreeMap<String, String>, Fault> {
    if tags.len() > 50 {
        return Err(Fault::new("LimitExceededException", "A key can have at most 50 tags"));
    }
    let mut out = BTreeMap::new();
    for tag in tags {
        if tag.tag_key.is_empty() || tag.tag_key.chars().count() > 128 {
            return Err(Fault::new("TagException", "Tag key length must be 1 to 128"));
        }
        if tag.tag_value.chars().count() > 256 {
            return Err(Fault::new("TagException", "Tag value length must be at most 256"));
        }
        if tag.tag_key.to_lowercase().starts_with("aws:") {
            return Err(Fault::new("TagException", "aws: prefixed tag keys are reserved"));
        }
        if out.insert(tag.tag_key.clone(), tag.tag_value.clone()).is_some() {
            return Err(Fault::new("TagException", "Duplicate tag keys"));
        }
    }
    Ok(out)
}

fn paged<T>(
    items: Vec<T>,
    marker: Option<&str>,
    limit: Option<i32>,
    default: usize,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(default);
    page(items, marker, limit)
        .ok_or_else(|| Fault::new("InvalidMarkerException", "Could not deserialize marker"))
}

fn no_key(call: &Call<'_>, id: &str) -> Fault {
    let arn = call.arn("kms", &format!("key/{id}"));
    Fault::new("NotFoundException", format!("Key '{arn}' does not exist"))
}

fn no_alias(call: &Call<'_>, name: &str) -> Fault {
    let arn = call.arn("kms", name);
    Fault::new("NotFoundException", format!("Alias {arn} is not found."))
}

fn wrong_state(arn: &str, state: &str) -> Fault {
    let state = match state {
        "PendingDeletion" => "pending deletion",
        other => other,
    };
    Fault::new("KMSInvalidStateException", format!("{arn} is {state}."))
}

fn malformed(message: impl Into<String>) -> Fault {
    Fault::new("MalformedPolicyDocumentException", message)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}

fn too_long(field: &str, limit: usize) -> Fault {
    invalid(format!(
        "1 validation error detected: Value at '{field}' failed to satisfy constraint: Member must \
         have length less than or equal to {limit}"
    ))
}

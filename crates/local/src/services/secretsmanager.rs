//! Secrets Manager: secrets, their versions and stages, resource policies, rotation settings and
//! deletion with a recovery window. Rotation functions are not run.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use jiff::ToSpan;
use serde::{Deserialize, Serialize};
use winterbaume_core::MockResponse;
use winterbaume_secretsmanager::{model, wire};

use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::policy::Document;
use crate::services::{kms, lambda};

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// What Secrets Manager holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub secrets: BTreeMap<String, Secret>,
}

/// A secret and what belongs to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Secret {
    /// What DescribeSecret says, tags and versions left out.
    pub about: model::DescribeSecretResponse,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// The resource policy, as it was put.
    pub policy: Option<String>,
    /// By version id.
    pub versions: BTreeMap<String, Version>,
}

/// A version of a secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    string: Option<String>,
    binary: Option<String>,
    stages: Vec<String>,
    /// Seconds since the epoch.
    created: i64,
}

// A secret is not for logs, not even an imitated one.
impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version").field("stages", &self.stages).finish_non_exhaustive()
    }
}

impl Version {
    fn same_value(&self, string: Option<&str>, binary: Option<&str>) -> bool {
        self.string.as_deref() == string && self.binary.as_deref() == binary
    }
}

impl Secret {
    fn arn(&self) -> Option<String> {
        self.about.a_r_n.clone()
    }

    fn name(&self) -> Option<String> {
        self.about.name.clone()
    }

    fn stages(&self) -> std::collections::HashMap<String, Vec<String>> {
        let staged = self.versions.iter().filter(|(_, version)| !version.stages.is_empty());
        staged.map(|(id, version)| (id.clone(), version.stages.clone())).collect()
    }

    fn tag_list(&self) -> Vec<model::Tag> {
        let tags = self.tags.iter();
        tags.map(|(key, value)| model::Tag { key: Some(key.clone()), value: Some(value.clone()) })
            .collect()
    }

    fn staged(&self, stage: &str) -> Option<(&String, &Version)> {
        self.versions.iter().find(|(_, version)| version.stages.iter().any(|s| s == stage))
    }

    /// Adds a version and moves its stages to it, as AWS does: what was current becomes previous.
    fn add(&mut self, id: String, version: Version) {
        if version.stages.iter().any(|stage| stage == CURRENT)
            && let Some((current, _)) = self.staged(CURRENT)
        {
            let current = current.clone();
            for (id, other) in &mut self.versions {
                other.stages.retain(|stage| stage != PREVIOUS && stage != CURRENT);
                if *id == current {
                    other.stages.push(PREVIOUS.into());
                }
            }
        }
        for other in self.versions.values_mut() {
            other.stages.retain(|stage| !version.stages.contains(stage));
        }
        self.versions.insert(id, version);
    }
}

/// Whether a secret exists and is not about to be deleted. A container's reference may go on behind
/// the ARN with `:json-key:stage:version`.
pub(crate) fn require_readable(call: &Call<'_>, secret: &str) -> Result<String, Fault> {
    let id = match secret.starts_with("arn:") {
        true => secret.splitn(8, ':').take(7).collect::<Vec<_>>().join(":"),
        false => secret.to_owned(),
    };
    Ok(find(call, &id)?.arn().unwrap_or_default())
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let body = call.request.body.clone();
    match call.target() {
        "CreateSecret" => create(call, wire::deserialize_create_secret_request(&body)?),
        "DescribeSecret" => {
            let input = wire::deserialize_describe_secret_request(&body)?;
            let secret = find_any(call, &input.secret_id)?;
            Ok(wire::serialize_describe_secret_response(&model::DescribeSecretResponse {
                tags: Some(secret.tag_list()),
                version_ids_to_stages: Some(secret.stages()),
                ..secret.about
            }))
        }
        "ListSecrets" => list(call, wire::deserialize_list_secrets_request(&body)?),
        "GetSecretValue" => get_value(call, wire::deserialize_get_secret_value_request(&body)?),
        "PutSecretValue" => put_value(call, wire::deserialize_put_secret_value_request(&body)?),
        "UpdateSecret" => update(call, wire::deserialize_update_secret_request(&body)?),
        "UpdateSecretVersionStage" => {
            move_stage(call, wire::deserialize_update_secret_version_stage_request(&body)?)
        }
        "ListSecretVersionIds" => {
            list_versions(call, wire::deserialize_list_secret_version_ids_request(&body)?)
        }
        "DeleteSecret" => delete(call, wire::deserialize_delete_secret_request(&body)?),
        "RestoreSecret" => {
            let input = wire::deserialize_restore_secret_request(&body)?;
            let secret = find_any(call, &input.secret_id)?;
            let (arn, name) = (secret.arn(), secret.name());
            stored(call, &secret)?.about.deleted_date = None;
            Ok(wire::serialize_restore_secret_response(&model::RestoreSecretResponse {
                a_r_n: arn,
                name,
            }))
        }
        "PutResourcePolicy" => {
            put_policy(call, wire::deserialize_put_resource_policy_request(&body)?)
        }
        "GetResourcePolicy" => {
            let input = wire::deserialize_get_resource_policy_request(&body)?;
            let secret = find_any(call, &input.secret_id)?;
            Ok(wire::serialize_get_resource_policy_response(&model::GetResourcePolicyResponse {
                a_r_n: secret.arn(),
                name: secret.name(),
                resource_policy: secret.policy,
            }))
        }
        "DeleteResourcePolicy" => {
            let input = wire::deserialize_delete_resource_policy_request(&body)?;
            let secret = find(call, &input.secret_id)?;
            stored(call, &secret)?.policy = None;
            Ok(wire::serialize_delete_resource_policy_response(
                &model::DeleteResourcePolicyResponse { a_r_n: secret.arn(), name: secret.name() },
            ))
        }
        "RotateSecret" => rotate(call, wire::deserialize_rotate_secret_request(&body)?),
        "CancelRotateSecret" => {
            let input = wire::deserialize_cancel_rotate_secret_request(&body)?;
            let secret = find(call, &input.secret_id)?;
            let held = stored(call, &secret)?;
            held.about.rotation_enabled = Some(false);
            held.about.next_rotation_date = None;
            Ok(wire::serialize_cancel_rotate_secret_response(&model::CancelRotateSecretResponse {
                a_r_n: secret.arn(),
                name: secret.name(),
                version_id: None,
            }))
        }
        "TagResource" => {
            let input = wire::deserialize_tag_resource_request(&body)?;
            let tags = checked_tags(&input.tags)?;
            let secret = find(call, &input.secret_id)?;
            stored(call, &secret)?.tags.extend(tags);
            Ok(wire::serialize_tag_resource_response())
        }
        "UntagResource" => {
            let input = wire::deserialize_untag_resource_request(&body)?;
            let secret = find(call, &input.secret_id)?;
            stored(call, &secret)?.tags.retain(|name, _| !input.tag_keys.contains(name));
            Ok(wire::serialize_untag_resource_response())
        }
        "GetRandomPassword" => {
            let input = wire::deserialize_get_random_password_request(&body)?;
            Ok(wire::serialize_get_random_password_response(&model::GetRandomPasswordResponse {
                random_password: Some(random_password(call, &input)?),
            }))
        }
        other => Err(Fault::unknown_operation("secretsmanager", other)),
    }
}

fn create(call: &mut Call<'_>, input: model::CreateSecretRequest) -> Result<MockResponse, Fault> {
    let name = input.name;
    let fits = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-!".contains(c);
    if name.is_empty() || !name.chars().all(fits) {
        return Err(Fault::new(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the \
             following: -/_+=.@!",
        ));
    }
    if name.len() > 512 {
        return Err(invalid("The name must be at most 512 characters long."));
    }
    check_description(input.description.as_deref())?;
    let tags = checked_tags(&input.tags.unwrap_or_default())?;
    let (string, binary) = value(input.secret_string, input.secret_binary)?;
    let token = check_token(input.client_request_token)?;
    if let Ok(found) = find_any(call, &name) {
        if found.about.deleted_date.is_some() {
            return Err(Fault::new(
                "InvalidRequestException",
                "You can't create this secret because a secret with this name is already scheduled \
                 for deletion.",
            ));
        }
        // The same request again gets the same answer.
        let before = token.as_ref().and_then(|token| found.versions.get(token));
        if before.is_some_and(|v| v.same_value(string.as_deref(), binary.as_deref())) {
            return Ok(wire::serialize_create_secret_response(&model::CreateSecretResponse {
                a_r_n: found.arn(),
                name: found.name(),
                version_id: token,
                replication_status: None,
            }));
        }
        return Err(Fault::new(
            "ResourceExistsException",
            format!("The operation failed because the secret {name} already exists."),
        ));
    }
    if let Some(key) = &input.kms_key_id {
        require_key(call, key)?;
    }
    let now = call.epoch();
    let arn = call.arn("secretsmanager", &format!("secret:{name}-{}", suffix(call)));
    let mut secret = Secret { tags, ..Default::default() };
    secret.about = model::DescribeSecretResponse {
        a_r_n: Some(arn.clone()),
        name: Some(name.clone()),
        description: input.description.filter(|text| !text.is_empty()),
        kms_key_id: input.kms_key_id,
        created_date: Some(now),
        last_changed_date: Some(now),
        ..Default::default()
    };
    let mut version_id = None;
    if string.is_some() || binary.is_some() {
        let id = token.unwrap_or_else(|| call.new_uuid());
        let stages = vec![CURRENT.into()];
        let created = call.now.as_second();
        secret.add(id.clone(), Version { string, binary, stages, created });
        version_id = Some(id);
    }
    call.region().secretsmanager.secrets.insert(name.clone(), secret);
    Ok(wire::serialize_create_secret_response(&model::CreateSecretResponse {
        a_r_n: Some(arn),
        name: Some(name),
        version_id,
        replication_status: None,
    }))
}

fn list(call: &mut Call<'_>, input: model::ListSecretsRequest) -> Result<MockResponse, Fault> {
    let filters = input.filters.unwrap_or_default();
    const KEYS: &[&str] =
        &["description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all"];
    for filter in &filters {
        if !KEYS.contains(&filter.key.as_deref().unwrap_or_default()) {
            return Err(Fault::new("ValidationException", "Invalid filter key"));
        }
    }
    let planned = input.include_planned_deletion == Some(true);
    let all: Vec<model::SecretListEntry> = held(call)
        .map(|state| state.secrets.values())
        .into_iter()
        .flatten()
        .filter(|secret| !is_gone(call, secret))
        .filter(|secret| planned || secret.about.deleted_date.is_none())
        .filter(|secret| filters.iter().all(|filter| passes(secret, filter)))
        .map(|secret| list_entry(secret.clone()))
        .collect();
    let limit = input.max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(100);
    let (secret_list, next_token) =
        page(all, input.next_token.as_deref(), limit).ok_or_else(|| {
            Fault::new("InvalidNextTokenException", "The NextToken value is invalid.")
        })?;
    Ok(wire::serialize_list_secrets_response(&model::ListSecretsResponse {
        next_token,
        secret_list: Some(secret_list),
    }))
}

fn passes(secret: &Secret, filter: &model::Filter) -> bool {
    let about = &secret.about;
    let starts = |text: Option<&str>, value: &str| text.is_some_and(|text| text.starts_with(value));
    let matches = |value: &str| {
        let (keys, values) = (secret.tags.keys(), secret.tags.values());
        match filter.key.as_deref() {
            Some("name") => starts(about.name.as_deref(), value),
            Some("description") => {
                let words = about.description.as_deref().unwrap_or_default().to_lowercase();
                words.split_whitespace().any(|word| word.starts_with(&value.to_lowercase()))
            }
            Some("tag-key") => keys.into_iter().any(|key| key.starts_with(value)),
            Some("tag-value") => values.into_iter().any(|tag| tag.starts_with(value)),
            Some("owning-service") => starts(about.owning_service.as_deref(), value),
            Some("primary-region") => starts(about.primary_region.as_deref(), value),
            _ => {
                starts(about.name.as_deref(), value)
                    || starts(about.description.as_deref(), value)
                    || keys.chain(values).any(|tag| tag.starts_with(value))
            }
        }
    };
    filter.values.iter().flatten().any(|value| match value.strip_prefix('!') {
        Some(unwanted) => !matches(unwanted),
        None => matches(value),
    })
}

fn list_entry(secret: Secret) -> model::SecretListEntry {
    let (tags, stages) = (secret.tag_list(), secret.stages());
    let about = secret.about;
    model::SecretListEntry {
        a_r_n: about.a_r_n,
        created_date: about.created_date,
        deleted_date: about.deleted_date,
        description: about.description,
        kms_key_id: about.kms_key_id,
        last_accessed_date: about.last_accessed_date,
        last_changed_date: about.last_changed_date,
        last_rotated_date: about.last_rotated_date,
        name: about.name,
        next_rotation_date: about.next_rotation_date,
        owning_service: about.owning_service,
        primary_region: about.primary_region,
        rotation_enabled: about.rotation_enabled,
        rotation_lambda_a_r_n: about.rotation_lambda_a_r_n,
        rotation_rules: about.rotation_rules,
        secret_versions_to_stages: Some(stages),
        tags: Some(tags),
        ..Default::default()
    }
}

fn get_value(
    call: &mut Call<'_>,
    input: model::GetSecretValueRequest,
) -> Result<MockResponse, Fault> {
    let secret = find(call, &input.secret_id)?;
    let stage = input.version_stage.as_deref();
    let found = match &input.version_id {
        Some(id) => secret.versions.get_key_value(id).filter(|(_, version)| {
            stage.is_none_or(|stage| version.stages.iter().any(|s| s == stage))
        }),
        None => secret.staged(stage.unwrap_or(CURRENT)),
    };
    let Some((id, version)) = found else {
        let what = match &input.version_id {
            Some(id) => format!("VersionId: {id}"),
            None => format!("staging label: {}", stage.unwrap_or(CURRENT)),
        };
        return Err(Fault::new(
            "ResourceNotFoundException",
            format!("Secrets Manager can't find the specified secret value for {what}"),
        ));
    };
    if let Some(key) = &secret.about.kms_key_id
        && kms::require_usable(call, key).is_err()
    {
        return Err(Fault::new(
            "DecryptionFailure",
            "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
        ));
    }
    Ok(wire::serialize_get_secret_value_response(&model::GetSecretValueResponse {
        a_r_n: secret.arn(),
        name: secret.name(),
        created_date: Some(version.created as f64),
        secret_string: version.string.clone(),
        secret_binary: version.binary.clone(),
        version_id: Some(id.clone()),
        version_stages: Some(version.stages.clone()),
    }))
}

fn put_value(
    call: &mut Call<'_>,
    input: model::PutSecretValueRequest,
) -> Result<MockResponse, Fault> {
    let secret = find(call, &input.secret_id)?;
    let (string, binary) = value(input.secret_string, input.secret_binary)?;
    if string.is_none() && binary.is_none() {
        return Err(Fault::new(
            "InvalidRequestException",
            "You must provide either SecretString or SecretBinary.",
        ));
    }
    let stages = input.version_stages.unwrap_or_else(|| vec![CURRENT.into()]);
    let token = check_token(input.client_request_token)?;
    let version = Version { string, binary, stages, created: call.now.as_second() };
    let (id, stages) = put_version(call, &secret, token, version)?;
    Ok(wire::serialize_put_secret_value_response(&model::PutSecretValueResponse {
        a_r_n: secret.arn(),
        name: secret.name(),
        version_id: Some(id),
        version_stages: Some(stages),
    }))
}

fn put_version(
    call: &mut Call<'_>,
    secret: &Secret,
    token: Option<String>,
    mut version: Version,
) -> Result<(String, Vec<String>), Fault> {
    let id = token.unwrap_or_else(|| call.new_uuid());
    if let Some(before) = secret.versions.get(&id) {
        return match before.same_value(version.string.as_deref(), version.binary.as_deref()) {
            true => Ok((id, before.stages.clone())),
            false => Err(Fault::new(
                "ResourceExistsException",
                format!(
                    "You can't use ClientRequestToken {id} because that value is already in \
                         use for a version of secret {}.",
                    secret.arn().unwrap_or_default()
                ),
            )),
        };
    }
    if let Some(key) = &secret.about.kms_key_id {
        require_key(call, key)?;
    }
    // A secret's first version is current whatever it is called.
    if secret.versions.is_empty() && !version.stages.iter().any(|stage| stage == CURRENT) {
        version.stages.push(CURRENT.into());
    }
    let stages = version.stages.clone();
    let now = call.epoch();
    let held = stored(call, secret)?;
    held.add(id.clone(), version);
    held.about.last_changed_date = Some(now);
    Ok((id, stages))
}

fn update(call: &mut Call<'_>, input: model::UpdateSecretRequest) -> Result<MockResponse, Fault> {
    let secret = find(call, &input.secret_id)?;
    check_description(input.description.as_deref())?;
    if let Some(key) = &input.kms_key_id {
        require_key(call, key)?;
    }
    let (string, binary) = value(input.secret_string, input.secret_binary)?;
    let token = check_token(input.client_request_token)?;
    let mut version_id = None;
    if string.is_some() || binary.is_some() {
        let stages = vec![CURRENT.into()];
        let version = Version { string, binary, stages, created: call.now.as_second() };
        version_id = Some(put_version(call, &secret, token, version)?.0);
    }
    let now = call.epoch();
    let held = stored(call, &secret)?;
    if let Some(description) = input.description {
        held.about.description = Some(description).filter(|text| !text.is_empty());
    }
    if let Some(key) = input.kms_key_id {
        held.about.kms_key_id = Some(key);
    }
    held.about.last_changed_date = Some(now);
    Ok(wire::serialize_update_secret_response(&model::UpdateSecretResponse {
        a_r_n: secret.arn(),
        name: secret.name(),
        version_id,
    }))
}

fn move_stage(
    call: &mut Call<'_>,
    input: model::UpdateSecretVersionStageRequest,
) -> Result<MockResponse, Fault> {
    let secret = find(call, &input.secret_id)?;
    let stage = input.version_stage;
    let holder = secret.staged(&stage).map(|(id, _)| id.clone());
    if holder.is_some() && holder != input.remove_from_version_id {
        return Err(invalid(format!(
            "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently \
             attached to version {}, so you must explicitly reference that version in \
             RemoveFromVersionId.",
            holder.unwrap_or_default()
        )));
    }
    for id in [&input.move_to_version_id, &input.remove_from_version_id].into_iter().flatten() {
        if !secret.versions.contains_key(id) {
            return Err(Fault::new(
                "ResourceNotFoundException",
                format!("Secrets Manager can't find the specified secret version {id}."),
            ));
        }
    }
    let held = stored(call, &secret)?;
    if let Some(id) = input.remove_from_version_id {
        if stage == CURRENT {
            for version in held.versions.values_mut() {
                version.stages.retain(|stage| stage != PREVIOUS);
            }
        }
        if let Some(version) = held.versions.get_mut(&id) {
            version.stages.retain(|s| *s != stage);
            if stage == CURRENT {
                version.stages.push(PREVIOUS.into());
            }
        }
    }
    if let Some(version) = input.move_to_version_id.and_then(|id| held.versions.get_mut(&id)) {
        version.stages.push(stage);
    }
    Ok(wire::serialize_update_secret_version_stage_response(
        &model::UpdateSecretVersionStageResponse { a_r_n: secret.arn(), name: secret.name() },
    ))
}

fn list_versions(
    call: &mut Call<'_>,
    input: model::ListSecretVersionIdsRequest,
) -> Result<MockResponse, Fault> {
    let secret = find_any(call, &input.secret_id)?;
    let deprecated = input.include_deprecated == Some(true);
    let versions = secret
        .versions
        .iter()
        .filter(|(_, version)| deprecated || !version.stages.is_empty())
        .map(|(id, version)| model::SecretVersionsListEntry {
            version_id: Some(id.clone()),
            version_stages: Some(version.stages.clone()),
            created_date: Some(version.created as f64),
            ..Default::default()
        })
        .collect();
    Ok(wire::serialize_list_secret_version_ids_response(&model::ListSecretVersionIdsResponse {
        a_r_n: secret.arn(),
        name: secret.name(),
        versions: Some(versions),
        next_token: None,
    }))
}

fn delete(call: &mut Call<'_>, input: model::DeleteSecretRequest) -> Result<MockResponse, Fault> {
    let force = input.force_delete_without_recovery == Some(true);
    let days = match (force, input.recovery_window_in_days) {
        (true, Some(_)) => {
            return Err(invalid(
                "You can't use ForceDeleteWithoutRecovery in conjunction with \
                 RecoveryWindowInDays.",
            ));
        }
        (true, None) => 0,
        (false, days) => days.unwrap_or(30),
    };
    if !force && !(7..=30).contains(&days) {
        return Err(invalid(
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        ));
    }
    let secret = match find_any(call, &input.secret_id) {
        Ok(secret) => secret,
        // To force the deletion of what does not exist is no error.
        Err(_) if force => {
            let name = input.secret_id;
            let arn = call.arn("secretsmanager", &format!("secret:{name}-{}", suffix(call)));
            return Ok(wire::serialize_delete_secret_response(&model::DeleteSecretResponse {
                a_r_n: Some(arn),
                name: Some(name),
                deletion_date: Some(call.epoch()),
            }));
        }
        Err(fault) => return Err(fault),
    };
    if let Some(owner) = &secret.about.owning_service {
        return Err(Fault::new(
            "InvalidRequestException",
            format!("You can't delete a secret that is managed by {owner}."),
        ));
    }
    if secret.about.deleted_date.is_some() && !force {
        return Err(marked());
    }
    let at = call.now.checked_add((days * 24).hours()).unwrap_or(call.now).as_second() as f64;
    match force {
        true => {
            let name = secret.name().unwrap_or_default();
            call.region().secretsmanager.secrets.remove(&name);
        }
        false => stored(call, &secret)?.about.deleted_date = Some(at),
    }
    Ok(wire::serialize_delete_secret_response(&model::DeleteSecretResponse {
        a_r_n: secret.arn(),
        name: secret.name(),
        deletion_date: Some(at),
    }))
}

fn put_policy(
    call: &mut Call<'_>,
    input: model::PutResourcePolicyRequest,
) -> Result<MockResponse, Fault> {
    let secret = find(call, &input.secret_id)?;
    let malformed = |why: String| {
        Fault::new(
            "MalformedPolicyDocumentException",
            format!("This resource policy contains invalid Json or syntax: {why}"),
        )
    };
    if input.resource_policy.len() > 20_480 {
        return Err(invalid("The resource policy must be at most 20480 characters long."));
    }
    let policy = Document::parse(&input.resource_policy).map_err(malformed)?;
    for field in ["Principal", "Resource"] {
        if !policy.every_statement_has(field) {
            return Err(malformed(format!("a statement has no {field}")));
        }
    }
    if input.block_public_policy == Some(true) && policy.is_public() {
        return Err(Fault::new(
            "PublicPolicyException",
            "You can't use this policy because it allows broad access to the secret.",
        ));
    }
    stored(call, &secret)?.policy = Some(input.resource_policy);
    Ok(wire::serialize_put_resource_policy_response(&model::PutResourcePolicyResponse {
        a_r_n: secret.arn(),
        name: secret.name(),
    }))
}

fn rotate(call: &mut Call<'_>, input: model::RotateSecretRequest) -> Result<MockResponse, Fault> {
    let secret = find(call, &input.secret_id)?;
    let about = &secret.about;
    let function = input.rotation_lambda_a_r_n.or_else(|| about.rotation_lambda_a_r_n.clone());
    match &function {
        Some(function) => require_function(call, function, &secret)?,
        None if about.owning_service.is_some() => {}
        None => {
            return Err(Fault::new(
                "InvalidRequestException",
                "No Lambda rotation function ARN is associated with this secret.",
            ));
        }
    }
    let rules = match input.rotation_rules {
        Some(rules) => Some(checked_rules(rules)?),
        None => about.rotation_rules.clone(),
    };
    let Some(rules) = rules else {
        return Err(invalid("You must specify RotationRules when you turn rotation on."));
    };
    if secret.versions.is_empty() {
        return Err(Fault::new(
            "InvalidRequestException",
            "You can't rotate a secret that has no version.",
        ));
    }
    let now = call.epoch();
    let token = check_token(input.client_request_token)?;
    let days = rules.automatically_after_days;
    let held = stored(call, &secret)?;
    held.about.rotation_enabled = Some(true);
    held.about.rotation_lambda_a_r_n = function;
    held.about.rotation_rules = Some(rules);
    held.about.next_rotation_date = days.map(|days| now + days as f64 * 86_400.0);
    // Functions are not run, so a rotation at once leaves the value as it is.
    if input.rotate_immediately != Some(false) {
        held.about.last_rotated_date = Some(now);
    }
    Ok(wire::serialize_rotate_secret_response(&model::RotateSecretResponse {
        a_r_n: secret.arn(),
        name: secret.name(),
        version_id: token,
    }))
}

fn checked_rules(mut rules: model::RotationRulesType) -> Result<model::RotationRulesType, Fault> {
    match (rules.automatically_after_days, rules.schedule_expression.as_deref()) {
        (Some(_), Some(_)) => {
            Err(invalid("You can't specify both AutomaticallyAfterDays and ScheduleExpression."))
        }
        (None, None) => {
            Err(invalid("You must specify AutomaticallyAfterDays or ScheduleExpression."))
        }
        (Some(days), None) if !(1..=1000).contains(&days) => {
            Err(invalid("AutomaticallyAfterDays must be between 1 and 1000."))
        }
        (None, Some(expression)) => {
            // AWS reports a rate in days in both forms.
            rules.automatically_after_days = rate_in_days(expression)?;
            Ok(rules)
        }
        _ => Ok(rules),
    }
}

fn rate_in_days(expression: &str) -> Result<Option<i64>, Fault> {
    let wrong = || invalid(format!("The schedule expression {expression} is invalid."));
    let inside = |name: &str| {
        expression.strip_prefix(name).and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'))
    };
    if inside("cron").is_some_and(|fields| fields.split_whitespace().count() == 6) {
        return Ok(None);
    }
    let rate = inside("rate").ok_or_else(wrong)?;
    let (count, unit) = rate.split_once(' ').ok_or_else(wrong)?;
    let count: i64 = count.parse().map_err(|_| wrong())?;
    match unit {
        "day" | "days" if (1..=999).contains(&count) => Ok(Some(count)),
        "hour" | "hours" if count >= 4 => Ok(None),
        _ => Err(wrong()),
    }
}

/// A rotation function that exists and that Secrets Manager may call for this secret.
fn require_function(call: &Call<'_>, function: &str, secret: &Secret) -> Result<(), Fault> {
    if !function.starts_with("arn:aws:lambda:") {
        return Err(invalid("The RotationLambdaARN is not a valid ARN of a Lambda function."));
    }
    let arn = secret.about.a_r_n.as_deref();
    lambda::require_callable(call, function, "secretsmanager.amazonaws.com", arn).map_err(|why| {
        match why.code.as_str() {
            "AccessDeniedException" => Fault::new(
                "AccessDeniedException",
                "Secrets Manager cannot invoke the specified Lambda function. Ensure that the \
                 function policy grants access to the principal secretsmanager.amazonaws.com.",
            ),
            _ => why,
        }
    })
}

fn require_key(call: &Call<'_>, key: &str) -> Result<(), Fault> {
    kms::require_usable(call, key).map(drop).map_err(|why| {
        Fault::new(
            "EncryptionFailure",
            format!(
                "Secrets Manager can't encrypt the protected secret text using the provided KMS \
                 key. Check that the KMS key is available, enabled, and not in an invalid state. \
                 ({})",
                why.message
            ),
        )
    })
}

fn value(
    string: Option<String>,
    binary: Option<String>,
) -> Result<(Option<String>, Option<String>), Fault> {
    if string.is_some() && binary.is_some() {
        return Err(invalid("You can't specify both a binary secret value and a string one."));
    }
    let length = match (&string, &binary) {
        (Some(text), _) => text.len(),
        (None, Some(text)) => match base64::engine::general_purpose::STANDARD.decode(text) {
            Ok(bytes) => bytes.len(),
            Err(_) => return Err(invalid("SecretBinary is not base64.")),
        },
        (None, None) => 0,
    };
    match length > 65_536 {
        true => Err(invalid("The secret value must be at most 65536 bytes long.")),
        false => Ok((string, binary)),
    }
}

fn check_description(text: Option<&str>) -> Result<(), Fault> {
    match text.is_some_and(|text| text.chars().count() > 2048) {
        true => Err(invalid("The description must be at most 2048 characters long.")),
        false => Ok(()),
    }
}

/// A client token becomes the version's id.
fn check_token(token: Option<String>) -> Result<Option<String>, Fault> {
    match token.as_ref().is_some_and(|token| !(32..=64).contains(&token.len())) {
        true => Err(invalid("ClientRequestToken must be 32-64 characters long.")),
        false => Ok(token),
    }
}

fn checked_tags(tags: &[model::Tag]) -> Result<BTreeMap<String, String>, Fault> {
    let mut out = BTreeMap::new();
    for tag in tags {
        let key = tag.key.clone().unwrap_or_default();
        let value = tag.value.clone().unwrap_or_default();
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid("Tag keys have 1 to 128 characters, values at most 256."));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys must not start with aws:."));
        }
        out.insert(key, value);
    }
    match out.len() > 50 {
        true => Err(invalid("A secret can have at most 50 tags.")),
        false => Ok(out),
    }
}

fn random_password(
    call: &Call<'_>,
    input: &model::GetRandomPasswordRequest,
) -> Result<String, Fault> {
    let length = usize::try_from(input.password_length.unwrap_or(32)).unwrap_or(0);
    if !(1..=4096).contains(&length) {
        return Err(invalid("PasswordLength must be between 1 and 4096."));
    }
    let mut alphabet = String::new();
    for (excluded, letters) in [
        (input.exclude_lowercase, "abcdefghijklmnopqrstuvwxyz"),
        (input.exclude_uppercase, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        (input.exclude_numbers, "0123456789"),
        (input.exclude_punctuation, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
        (input.include_space.map(|include| !include).or(Some(true)), " "),
    ] {
        if excluded != Some(true) {
            alphabet.push_str(letters);
        }
    }
    let unwanted = input.exclude_characters.as_deref().unwrap_or_default();
    let alphabet: Vec<char> = alphabet.chars().filter(|c| !unwanted.contains(*c)).collect();
    if alphabet.is_empty() {
        return Err(invalid("The exclusions leave no characters for a password."));
    }
    let pick = |_| {
        let number = usize::from_str_radix(&call.random_hex(8), 16).unwrap_or_default();
        alphabet[number % alphabet.len()]
    };
    Ok((0..length).map(pick).collect())
}

/// The six characters behind a secret's name in its ARN.
fn suffix(call: &Call<'_>) -> String {
    call.random_alphanumeric(6)
}

fn held<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.region_if_any(call.region_name).map(|region| &*region.secretsmanager)
}

fn is_gone(call: &Call<'_>, secret: &Secret) -> bool {
    secret.about.deleted_date.is_some_and(|at| at <= call.now.as_second() as f64)
}

/// A secret by name, ARN, or ARN without its suffix, even one that is scheduled for deletion.
fn find_any(call: &Call<'_>, id: &str) -> Result<Secret, Fault> {
    let secrets = held(call).map(|state| &state.secrets);
    let found = match id.starts_with("arn:") {
        true => secrets.and_then(|secrets| {
            secrets.values().find(|secret| {
                let arn = secret.about.a_r_n.as_deref().unwrap_or_default();
                let short = arn.rsplit_once('-').map_or(arn, |(short, _)| short);
                id == arn || id == short
            })
        }),
        false => secrets.and_then(|secrets| secrets.get(id)),
    };
    found.filter(|secret| !is_gone(call, secret)).cloned().ok_or_else(|| {
        Fault::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    })
}

/// As [`find_any`], but not one that is scheduled for deletion.
fn find(call: &Call<'_>, id: &str) -> Result<Secret, Fault> {
    let secret = find_any(call, id)?;
    match secret.about.deleted_date {
        Some(_) => Err(marked()),
        None => Ok(secret),
    }
}

fn stored<'a>(call: &'a mut Call<'_>, secret: &Secret) -> Result<&'a mut Secret, Fault> {
    let name = secret.about.name.as_deref().unwrap_or_default();
    call.region()
        .secretsmanager
        .secrets
        .get_mut(name)
        .ok_or_else(|| Fault::new("InternalServiceError", "The secret disappeared.").status(500))
}

fn marked() -> Fault {
    Fault::new(
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    )
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

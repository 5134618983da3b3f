//! Objects, their versions, and the locks on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use winterbaume_core::MockResponse;
use winterbaume_s3::{model, wire};

use super::bucket::no_content;
use super::{Address, Bucket, find, find_mut, header, invalid, malformed_xml, parse};
use crate::call::Call;
use crate::fault::Fault;
use crate::services::kms;

/// A version of an object, or a delete marker.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Version {
    /// `null` where the bucket keeps no versions.
    pub id: String,
    /// When it was put.
    pub put_at: Timestamp,
    /// Whether it marks a deletion.
    pub is_marker: bool,
    /// The content.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub content: Vec<u8>,
    /// The headers that a GET gives back.
    pub headers: BTreeMap<String, String>,
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub lock_mode: Option<String>,
    /// Until when the version is locked.
    pub lock_until: Option<Timestamp>,
    /// Whether a legal hold is on.
    pub legal_hold: bool,
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version").field("id", &self.id).finish_non_exhaustive()
    }
}

fn to_base64<S: Serializer>(content: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(content))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

impl Version {
    fn etag(&self) -> String {
        // Opaque to clients: with KMS encryption it is no checksum on AWS either.
        let digest = Sha256::digest(&self.content);
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("\"{hex}\"")
    }

    fn modified(&self) -> String {
        self.put_at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
    }

    /// Why the version must stay, if it must.
    fn is_locked(&self, now: Timestamp, bypass_governance: bool) -> bool {
        let retained = self.lock_until.is_some_and(|until| until > now)
            && !(bypass_governance && self.lock_mode.as_deref() == Some("GOVERNANCE"));
        retained || self.legal_hold
    }
}

pub(super) fn handle(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    match (call.request.method.as_str(), address.part()) {
        ("PUT", "") if call.request.headers.contains_key("x-amz-copy-source") => {
            Err(Fault::unknown_operation("s3", "CopyObject"))
        }
        ("PUT", "") => put(call, address),
        ("GET", "") => get(call, address, true),
        ("HEAD", "") => get(call, address, false),
        ("DELETE", "") => {
            let input = parse!(call, address, deserialize_delete_object_request);
            let bypass = input.bypass_governance_retention == Some(true);
            let gone =
                delete(call, &input.bucket, &input.key, input.version_id.as_deref(), bypass)?;
            let mut response = no_content(wire::serialize_delete_object_response());
            if let Some(id) = gone.delete_marker_version_id.or(gone.version_id) {
                header(&mut response, "x-amz-version-id", &id);
            }
            if gone.delete_marker == Some(true) {
                header(&mut response, "x-amz-delete-marker", "true");
            }
            Ok(response)
        }
        ("GET", "retention") => {
            let version = wanted(call, address)?;
            match (version.lock_mode, version.lock_until) {
                (Some(mode), Some(until)) => {
                    Ok(wire::serialize_get_object_retention_response(&model::ObjectLockRetention {
                        mode: Some(mode),
                        retain_until_date: Some(until.to_string()),
                    }))
                }
                _ => Err(Fault::new(
                    "NoSuchObjectLockConfiguration",
                    "The specified object does not have a ObjectLock configuration",
                )
                .status(404)),
            }
        }
        ("PUT", "retention") => put_retention(call, address),
        ("PUT", "legal-hold") => {
            let input = parse!(call, address, deserialize_put_object_legal_hold_request);
            let on = match input.legal_hold.and_then(|hold| hold.status).as_deref() {
                Some("ON") => true,
                Some("OFF") => false,
                _ => return Err(malformed_xml(String::new())),
            };
            lockable(call, address)?;
            wanted_mut(call, address)?.legal_hold = on;
            Ok(wire::serialize_put_object_legal_hold_response())
        }
        (method, part) => Err(Fault::unknown_operation("s3", &format!("{method} object?{part}"))),
    }
}

fn put(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_put_object_request);
    let bucket = find(call, &input.bucket)?;
    if input.key.len() > 1024 {
        return Err(Fault::new("KeyTooLongError", "Your key is too long"));
    }
    let current = bucket.objects.get(&input.key).and_then(|versions| versions.last());
    if input.if_none_match.as_deref() == Some("*") && current.is_some_and(|v| !v.is_marker) {
        return Err(Fault::new(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
        .status(412));
    }
    let mut headers = BTreeMap::new();
    let kept = [
        ("content-type", Some(input.content_type.unwrap_or("application/octet-stream".into()))),
        ("cache-control", input.cache_control),
        ("content-disposition", input.content_disposition),
        ("content-language", input.content_language),
    ];
    headers.extend(kept.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    for (name, value) in input.metadata.unwrap_or_default() {
        headers.insert(format!("x-amz-meta-{name}"), value);
    }
    let default = bucket.encryption.rules.first();
    let by_default = default.and_then(|r| r.apply_server_side_encryption_by_default.clone());
    let (algorithm, key) = match (input.server_side_encryption, by_default) {
        (Some(algorithm), _) => (algorithm, input.s_s_e_k_m_s_key_id),
        (None, Some(default)) => (default.s_s_e_algorithm, default.k_m_s_master_key_i_d),
        (None, None) => ("AES256".into(), None),
    };
    let bucket_key = default.and_then(|rule| rule.bucket_key_enabled) == Some(true);
    if algorithm.starts_with("aws:kms") {
        let key = key.unwrap_or_else(|| "alias/aws/s3".into());
        let arn = kms::require_usable(call, &key)
            .map_err(|why| Fault::new(&format!("KMS.{}", why.code), why.message))?;
        headers.insert("x-amz-server-side-encryption-aws-kms-key-id".into(), arn);
        if bucket_key {
            headers.insert("x-amz-server-side-encryption-bucket-key-enabled".into(), "true".into());
        }
    }
    headers.insert("x-amz-server-side-encryption".into(), algorithm);
    let (mode, until) = match (input.object_lock_mode, input.object_lock_retain_until_date) {
        (Some(mode), Some(until)) => (Some(mode), Some(date(&until)?)),
        (None, None) => default_retention(bucket, call.now),
        _ => {
            return Err(invalid(
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be \
                 supplied",
            ));
        }
    };
    if mode.is_some() && bucket.object_lock.is_none() {
        return Err(Fault::new("InvalidRequest", "Bucket is missing Object Lock Configuration"));
    }
    let version = Version {
        id: new_version_id(call, bucket),
        put_at: call.now,
        content: input.body.unwrap_or_default().to_vec(),
        headers,
        lock_mode: mode,
        lock_until: until,
        legal_hold: input.object_lock_legal_hold_status.as_deref() == Some("ON"),
        is_marker: false,
    };
    let mut response = wire::serialize_put_object_response();
    header(&mut response, "etag", &version.etag());
    if version.id != "null" {
        header(&mut response, "x-amz-version-id", &version.id);
    }
    add_encryption_headers(&mut response, &version);
    push(find_mut(call, &input.bucket)?, &input.key, version);
    Ok(response)
}

fn add_encryption_headers(response: &mut MockResponse, version: &Version) {
    for name in [
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-bucket-key-enabled",
    ] {
        if let Some(value) = version.headers.get(name) {
            header(response, name, value);
        }
    }
}

fn default_retention(bucket: &Bucket, now: Timestamp) -> (Option<String>, Option<Timestamp>) {
    let rule = bucket.object_lock.as_ref().and_then(|lock| lock.rule.as_ref());
    let Some(retention) = rule.and_then(|rule| rule.default_retention.as_ref()) else {
        return (None, None);
    };
    let days = retention.days.or(retention.years.map(|years| years.saturating_mul(365)));
    let until = now.checked_add((i64::from(days.unwrap_or(0)) * 24).hours()).ok();
    (retention.mode.clone(), until)
}

fn new_version_id(call: &Call<'_>, bucket: &Bucket) -> String {
    match bucket.versioning.as_deref() {
        Some("Enabled") => call.random_alphanumeric(32),
        _ => "null".into(),
    }
}

/// Adds a version; the null version there is only once.
fn push(bucket: &mut Bucket, key: &str, version: Version) {
    let versions = bucket.objects.entry(key.to_owned()).or_default();
    if version.id == "null" {
        versions.retain(|other| other.id != "null");
    }
    versions.push(version);
}

fn get(call: &mut Call<'_>, address: &Address, with_body: bool) -> Result<MockResponse, Fault> {
    let version = wanted(call, address)?;
    let mut response = wire::serialize_get_object_response();
    header(&mut response, "content-type", "application/octet-stream");
    for (name, value) in &version.headers {
        let name = http::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value.parse()) {
            response.headers.insert(name, value);
        }
    }
    header(&mut response, "etag", &version.etag());
    header(&mut response, "accept-ranges", "bytes");
    header(&mut response, "content-length", &version.content.len().to_string());
    let modified = version.put_at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    header(&mut response, "last-modified", &modified);
    if version.id != "null" {
        header(&mut response, "x-amz-version-id", &version.id);
    }
    if let (Some(mode), Some(until)) = (&version.lock_mode, version.lock_until) {
        header(&mut response, "x-amz-object-lock-mode", mode);
        header(&mut response, "x-amz-object-lock-retain-until-date", &until.to_string());
    }
    if version.legal_hold {
        header(&mut response, "x-amz-object-lock-legal-hold", "ON");
    }
    if with_body {
        response.body = version.content.into();
    }
    Ok(response)
}

/// The version that a request names, or the current one.
fn wanted(call: &Call<'_>, address: &Address) -> Result<Version, Fault> {
    let bucket = find(call, address.bucket.as_deref().unwrap_or_default())?;
    let versions = address.key.as_ref().and_then(|key| bucket.objects.get(key));
    let no_key = || Fault::new("NoSuchKey", "The specified key does not exist.").status(404);
    match address.query.get("versionId") {
        Some(id) => {
            let found = versions.and_then(|all| all.iter().find(|version| version.id == *id));
            let found = found.ok_or_else(|| {
                Fault::new("NoSuchVersion", "The specified version does not exist.").status(404)
            })?;
            match found.is_marker {
                true => Err(Fault::new(
                    "MethodNotAllowed",
                    "The specified method is not allowed against this resource.",
                )
                .status(405)),
                false => Ok(found.clone()),
            }
        }
        None => versions
            .and_then(|all| all.last())
            .filter(|version| !version.is_marker)
            .cloned()
            .ok_or_else(no_key),
    }
}

fn wanted_mut<'a>(call: &'a mut Call<'_>, address: &Address) -> Result<&'a mut Version, Fault> {
    let id = wanted(call, address)?.id;
    let key = address.key.as_deref().unwrap_or_default();
    find_mut(call, address.bucket.as_deref().unwrap_or_default())?
        .objects
        .get_mut(key)
        .and_then(|all| all.iter_mut().find(|version| version.id == id))
        .ok_or_else(|| Fault::new("NoSuchKey", "The specified key does not exist.").status(404))
}

fn lockable(call: &Call<'_>, address: &Address) -> Result<(), Fault> {
    match find(call, address.bucket.as_deref().unwrap_or_default())?.object_lock {
        Some(_) => Ok(()),
        None => Err(Fault::new("InvalidRequest", "Bucket is missing Object Lock Configuration")),
    }
}

fn put_retention(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_put_object_retention_request);
    lockable(call, address)?;
    let before = wanted(call, address)?;
    let asked = input.retention.unwrap_or_default();
    let until = asked.retain_until_date.as_deref().map(date).transpose()?;
    if asked.mode.is_some() != until.is_some() {
        return Err(malformed_xml(String::new()));
    }
    // A lock can be made longer by anyone, and shorter only in governance mode, with the bypass.
    let weaker = until < before.lock_until
        || (before.lock_mode.as_deref() == Some("COMPLIANCE")
            && asked.mode.as_deref() != Some("COMPLIANCE"));
    let bypass = input.bypass_governance_retention == Some(true);
    if weaker && before.is_locked(call.now, bypass) {
        return Err(protected());
    }
    let version = wanted_mut(call, address)?;
    version.lock_mode = asked.mode;
    version.lock_until = until;
    Ok(wire::serialize_put_object_retention_response())
}

fn date(text: &str) -> Result<Timestamp, Fault> {
    text.parse().map_err(|_| invalid("The retain until date must be provided in ISO 8601 format"))
}

fn protected() -> Fault {
    Fault::new("AccessDenied", "Access Denied because object protected by object lock.").status(403)
}

/// Deletes a version, or marks the object as deleted where the bucket keeps versions.
fn delete(
    call: &mut Call<'_>,
    name: &str,
    key: &str,
    version: Option<&str>,
    bypass: bool,
) -> Result<model::DeletedObject, Fault> {
    let now = call.now;
    let bucket = find(call, name)?;
    let marker_id = new_version_id(call, bucket);
    let versioned = bucket.versioning.is_some();
    let mut gone = model::DeletedObject { key: Some(key.to_owned()), ..Default::default() };
    if let Some(id) = version {
        let found = bucket.objects.get(key).and_then(|all| all.iter().find(|v| v.id == id));
        if found.is_some_and(|version| version.is_locked(now, bypass)) {
            return Err(protected());
        }
        gone.version_id = Some(id.to_owned());
        if found.is_some_and(|version| version.is_marker) {
            gone.delete_marker = Some(true);
            gone.delete_marker_version_id = Some(id.to_owned());
        }
        let bucket = find_mut(call, name)?;
        if let Some(all) = bucket.objects.get_mut(key) {
            all.retain(|version| version.id != id);
            if all.is_empty() {
                bucket.objects.remove(key);
            }
        }
        return Ok(gone);
    }
    let bucket = find_mut(call, name)?;
    if versioned {
        gone.delete_marker = Some(true);
        gone.delete_marker_version_id = Some(marker_id.clone());
        let marker = Version { id: marker_id, put_at: now, is_marker: true, ..Default::default() };
        push(bucket, key, marker);
    } else {
        bucket.objects.remove(key);
    }
    Ok(gone)
}

pub(super) fn delete_many(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_delete_objects_request);
    if input.delete.objects.is_empty() || input.delete.objects.len() > 1000 {
        return Err(malformed_xml(String::new()));
    }
    find(call, &input.bucket)?;
    let bypass = input.bypass_governance_retention == Some(true);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in input.delete.objects {
        let version = object.version_id.as_deref();
        match delete(call, &input.bucket, &object.key, version, bypass) {
            Ok(gone) => deleted.push(gone),
            Err(fault) => errors.push(model::Error {
                code: Some(fault.code),
                message: Some(fault.message),
                key: Some(object.key),
                version_id: object.version_id,
            }),
        }
    }
    let quiet = input.delete.quiet == Some(true);
    Ok(wire::serialize_delete_objects_response(&model::DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: Some(errors).filter(|errors| !errors.is_empty()),
    }))
}

pub(super) fn list(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_list_objects_v2_request);
    let bucket = find(call, &input.bucket)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    // The token of the next page is the last key of this one; version 1 of the call has a marker.
    let marker = address.query.get("marker").cloned();
    let after = input.continuation_token.clone().or(input.start_after.clone()).or(marker);
    let after = after.unwrap_or_default();
    let limit = input.max_keys.and_then(|max| usize::try_from(max).ok()).unwrap_or(1000).min(1000);
    let (mut contents, mut prefixes) = (Vec::new(), BTreeSet::new());
    let mut last = None;
    let mut truncated = false;
    for (key, versions) in &bucket.objects {
        let Some(version) = versions.last().filter(|version| !version.is_marker) else { continue };
        if !key.starts_with(&prefix) || (!after.is_empty() && *key <= after) {
            continue;
        }
        let folder = folder(key, &prefix, input.delimiter.as_deref());
        let counted = folder.as_ref().is_some_and(|folder| prefixes.contains(folder));
        if counted || folder.as_ref().is_some_and(|folder| after.starts_with(folder.as_str())) {
            last = Some(key.clone());
            continue;
        }
        if contents.len() + prefixes.len() >= limit {
            truncated = true;
            break;
        }
        last = Some(key.clone());
        match folder {
            Some(folder) => {
                prefixes.insert(folder);
            }
            None => contents.push(model::Object {
                key: Some(key.clone()),
                e_tag: Some(version.etag()),
                last_modified: Some(version.modified()),
                size: Some(version.content.len() as i64),
                storage_class: Some("STANDARD".into()),
                ..Default::default()
            }),
        }
    }
    Ok(wire::serialize_list_objects_v2_response(&model::ListObjectsV2Output {
        key_count: i32::try_from(contents.len() + prefixes.len()).ok(),
        contents: Some(contents),
        common_prefixes: Some(common(prefixes)),
        continuation_token: input.continuation_token,
        delimiter: input.delimiter,
        encoding_type: None,
        is_truncated: Some(truncated),
        max_keys: i32::try_from(limit).ok(),
        name: Some(input.bucket),
        next_continuation_token: last.filter(|_| truncated),
        prefix: Some(prefix),
        start_after: input.start_after,
    }))
}

pub(super) fn list_versions(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_list_object_versions_request);
    let bucket = find(call, &input.bucket)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let limit = input.max_keys.and_then(|max| usize::try_from(max).ok()).unwrap_or(1000).min(1000);
    let all: Vec<(&String, &Version, bool)> = bucket
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix))
        .flat_map(|(key, versions)| {
            let newest = versions.len().saturating_sub(1);
            versions.iter().enumerate().rev().map(move |(i, version)| (key, version, i == newest))
        })
        .collect();
    let start = match (&input.key_marker, &input.version_id_marker) {
        (None, _) => 0,
        (Some(key), None) => all.iter().filter(|(other, ..)| *other <= key).count(),
        (Some(key), Some(id)) => all
            .iter()
            .position(|(other, version, _)| *other == key && version.id == *id)
            .map_or(0, |at| at + 1),
    };
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    let shown: Vec<_> = all.iter().skip(start).take(limit).collect();
    for (key, version, latest) in &shown {
        if version.is_marker {
            markers.push(model::DeleteMarkerEntry {
                key: Some((*key).clone()),
                version_id: Some(version.id.clone()),
                is_latest: Some(*latest),
                last_modified: Some(version.modified()),
                owner: None,
            });
        } else {
            versions.push(model::ObjectVersion {
                key: Some((*key).clone()),
                version_id: Some(version.id.clone()),
                is_latest: Some(*latest),
                last_modified: Some(version.modified()),
                e_tag: Some(version.etag()),
                size: Some(version.content.len() as i64),
                storage_class: Some("STANDARD".into()),
                ..Default::default()
            });
        }
    }
    let more = start + shown.len() < all.len();
    let last = shown.last().filter(|_| more);
    Ok(wire::serialize_list_object_versions_response(&model::ListObjectVersionsOutput {
        versions: Some(versions),
        delete_markers: Some(markers),
        is_truncated: Some(more),
        next_key_marker: last.map(|(key, ..)| (*key).clone()),
        next_version_id_marker: last.map(|(_, version, _)| version.id.clone()),
        key_marker: input.key_marker,
        version_id_marker: input.version_id_marker,
        max_keys: i32::try_from(limit).ok(),
        name: Some(input.bucket),
        prefix: Some(prefix),
        ..Default::default()
    }))
}

/// The common prefix that a key falls under, up to the delimiter.
fn folder(key: &str, prefix: &str, delimiter: Option<&str>) -> Option<String> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.strip_prefix(prefix)?;
    let end = rest.find(delimiter)? + delimiter.len();
    Some(format!("{prefix}{}", &rest[..end]))
}

fn common(prefixes: BTreeSet<String>) -> Vec<model::CommonPrefix> {
    prefixes.into_iter().map(|prefix| model::CommonPrefix { prefix: Some(prefix) }).collect()
}

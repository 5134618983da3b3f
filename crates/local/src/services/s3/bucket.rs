//! Buckets and their settings.

use std::collections::{BTreeMap, BTreeSet};

use winterbaume_core::{MockResponse, xml_escape};
use winterbaume_s3::{model, wire};

use super::{
    Address, Bucket, find, find_mut, header, invalid, malformed_xml, object, owner, parse,
};
use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::policy::Document;
use crate::services::s3control;

pub(super) fn list(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_list_buckets_request);
    let asked = input.prefix.is_some()
        || input.bucket_region.is_some()
        || input.max_buckets.is_some()
        || input.continuation_token.is_some();
    let all: Vec<model::Bucket> = call
        .account
        .global
        .s3
        .buckets
        .iter()
        .filter(|(name, _)| input.prefix.as_deref().is_none_or(|want| name.starts_with(want)))
        .filter(|(_, it)| input.bucket_region.as_ref().is_none_or(|want| it.region == *want))
        .map(|(name, bucket)| model::Bucket {
            name: Some(name.clone()),
            creation_date: Some(bucket.created.clone()),
            // Only a request with parameters is told the region.
            bucket_region: asked.then(|| bucket.region.clone()),
            ..Default::default()
        })
        .collect();
    let limit = input.max_buckets.and_then(|max| usize::try_from(max).ok()).unwrap_or(10_000);
    let (items, continuation_token) = page(all, input.continuation_token.as_deref(), limit)
        .ok_or_else(|| invalid("The continuation token provided is incorrect"))?;
    Ok(wire::serialize_list_buckets_response(&model::ListBucketsOutput {
        buckets: Some(model::Buckets { items }),
        continuation_token,
        owner: Some(owner(call)),
        prefix: input.prefix,
    }))
}

pub(super) fn handle(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let name = address.bucket.as_deref().unwrap_or_default();
    match (call.request.method.as_str(), address.part()) {
        ("PUT", "") => create(call, address),
        ("HEAD", "") => {
            let region = find(call, name)?.region.clone();
            let mut response = wire::serialize_head_bucket_response();
            header(&mut response, "x-amz-bucket-region", &region);
            header(&mut response, "x-amz-bucket-arn", &format!("arn:aws:s3:::{name}"));
            Ok(response)
        }
        ("DELETE", "") => {
            if find(call, name)?.objects.values().any(|versions| !versions.is_empty()) {
                return Err(Fault::new(
                    "BucketNotEmpty",
                    match find(call, name)?.versioning {
                        Some(_) => {
                            "The bucket you tried to delete is not empty. You must delete all \
                             versions in the bucket."
                        }
                        None => "The bucket you tried to delete is not empty",
                    },
                )
                .status(409));
            }
            call.account.global.s3.buckets.remove(name);
            Ok(no_content(wire::serialize_delete_bucket_response()))
        }
        ("GET", "location") => {
            let region = &find(call, name)?.region;
            // The root element holds the text itself, which winterbaume's type does not say.
            let text = if region == "us-east-1" { "" } else { region };
            Ok(MockResponse::xml(
                200,
                format!(
                    "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}\
                     </LocationConstraint>",
                    xml_escape(text)
                ),
            ))
        }
        ("GET", "versioning") => {
            let status = find(call, name)?.versioning.clone();
            Ok(wire::serialize_get_bucket_versioning_response(&model::GetBucketVersioningOutput {
                status,
                m_f_a_delete: None,
            }))
        }
        ("PUT", "versioning") => put_versioning(call, address),
        ("GET", "encryption") => {
            Ok(wire::serialize_get_bucket_encryption_response(&find(call, name)?.encryption))
        }
        ("PUT", "encryption") => put_encryption(call, address),
        ("DELETE", "encryption") => {
            find_mut(call, name)?.encryption = default_encryption();
            Ok(no_content(wire::serialize_delete_bucket_encryption_response()))
        }
        ("GET", "publicAccessBlock") => match &find(call, name)?.public_access {
            Some(block) => Ok(wire::serialize_get_public_access_block_response(block)),
            None => Err(Fault::new(
                "NoSuchPublicAccessBlockConfiguration",
                "The public access block configuration was not found",
            )
            .status(404)),
        },
        ("PUT", "publicAccessBlock") => {
            let input = parse!(call, address, deserialize_put_public_access_block_request);
            let block = filled(input.public_access_block_configuration);
            find_mut(call, name)?.public_access = Some(block);
            Ok(wire::serialize_put_public_access_block_response())
        }
        ("DELETE", "publicAccessBlock") => {
            find_mut(call, name)?.public_access = None;
            Ok(no_content(wire::serialize_delete_public_access_block_response()))
        }
        ("GET", "policy") => {
            let mut response = wire::serialize_get_bucket_policy_response();
            response.body = policy(call, name)?.into();
            header(&mut response, "content-type", "application/json");
            Ok(response)
        }
        ("PUT", "policy") => put_policy(call, address),
        ("DELETE", "policy") => {
            find_mut(call, name)?.policy = None;
            Ok(no_content(wire::serialize_delete_bucket_policy_response()))
        }
        ("GET", "policyStatus") => {
            let text = policy(call, name)?;
            let public = Document::parse(&text).is_ok_and(|policy| policy.is_public());
            Ok(wire::serialize_get_bucket_policy_status_response(&model::PolicyStatus {
                is_public: Some(public),
            }))
        }
        ("GET", "lifecycle") => {
            let bucket = find(call, name)?;
            let Some(rules) = bucket.lifecycle.clone() else {
                return Err(Fault::new(
                    "NoSuchLifecycleConfiguration",
                    "The lifecycle configuration does not exist",
                )
                .status(404));
            };
            let minimum = bucket.transition_minimum.clone();
            let mut response = wire::serialize_get_bucket_lifecycle_configuration_response(
                &model::GetBucketLifecycleConfigurationOutput { rules: Some(rules) },
            );
            let minimum = minimum.as_deref().unwrap_or("all_storage_classes_128K");
            header(&mut response, "x-amz-transition-default-minimum-object-size", minimum);
            Ok(response)
        }
        ("PUT", "lifecycle") => put_lifecycle(call, address),
        ("DELETE", "lifecycle") => {
            find_mut(call, name)?.lifecycle = None;
            Ok(no_content(wire::serialize_delete_bucket_lifecycle_response()))
        }
        ("GET", "ownershipControls") => match &find(call, name)?.ownership {
            Some(controls) => Ok(wire::serialize_get_bucket_ownership_controls_response(controls)),
            None => Err(Fault::new(
                "OwnershipControlsNotFoundError",
                "The bucket ownership controls were not found",
            )
            .status(404)),
        },
        ("PUT", "ownershipControls") => {
            let input = parse!(call, address, deserialize_put_bucket_ownership_controls_request);
            check_ownership(&input.ownership_controls)?;
            find_mut(call, name)?.ownership = Some(input.ownership_controls);
            Ok(wire::serialize_put_bucket_ownership_controls_response())
        }
        ("DELETE", "ownershipControls") => {
            find_mut(call, name)?.ownership = None;
            Ok(no_content(wire::serialize_delete_bucket_ownership_controls_response()))
        }
        ("GET", "tagging") => {
            let tags = &find(call, name)?.tags;
            if tags.is_empty() {
                return Err(Fault::new("NoSuchTagSet", "The TagSet does not exist").status(404));
            }
            let items = tags
                .iter()
                .map(|(key, value)| model::Tag { key: key.clone(), value: value.clone() })
                .collect();
            Ok(wire::serialize_get_bucket_tagging_response(&model::GetBucketTaggingOutput {
                tag_set: Some(model::TagSet { items }),
            }))
        }
        ("PUT", "tagging") => {
            let input = parse!(call, address, deserialize_put_bucket_tagging_request);
            let tags = checked_tags(input.tagging.tag_set.items)?;
            find_mut(call, name)?.tags = tags;
            Ok(no_content(wire::serialize_put_bucket_tagging_response()))
        }
        ("DELETE", "tagging") => {
            find_mut(call, name)?.tags.clear();
            Ok(no_content(wire::serialize_delete_bucket_tagging_response()))
        }
        ("GET", "logging") => {
            let logging_enabled = find(call, name)?.logging.clone();
            Ok(wire::serialize_get_bucket_logging_response(&model::GetBucketLoggingOutput {
                logging_enabled,
            }))
        }
        ("PUT", "logging") => put_logging(call, address),
        ("GET", "object-lock") => match &find(call, name)?.object_lock {
            Some(lock) => Ok(wire::serialize_get_object_lock_configuration_response(lock)),
            None => Err(Fault::new(
                "ObjectLockConfigurationNotFoundError",
                "Object Lock configuration does not exist for this bucket",
            )
            .status(404)),
        },
        ("PUT", "object-lock") => put_object_lock(call, address),
        ("GET", "acl") => {
            find(call, name)?;
            let owner = owner(call);
            // winterbaume's grantee has no `xsi:type`, which clients want.
            Ok(MockResponse::xml(
                200,
                format!(
                    "<AccessControlPolicy xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                     <Owner><ID>{id}</ID></Owner><AccessControlList><Grant>\
                     <Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                     xsi:type=\"CanonicalUser\"><ID>{id}</ID></Grantee>\
                     <Permission>FULL_CONTROL</Permission></Grant></AccessControlList>\
                     </AccessControlPolicy>",
                    id = owner.i_d.unwrap_or_default()
                ),
            ))
        }
        ("PUT", "acl") => {
            let input = parse!(call, address, deserialize_put_bucket_acl_request);
            let owned = find(call, name)?.ownership.as_ref().is_some_and(|controls| {
                controls.rules.iter().any(|rule| rule.object_ownership == "BucketOwnerEnforced")
            });
            match input.a_c_l.as_deref() {
                Some("private" | "bucket-owner-full-control") => {
                    Ok(wire::serialize_put_bucket_acl_response())
                }
                _ if owned => Err(Fault::new(
                    "AccessControlListNotSupported",
                    "The bucket does not allow ACLs",
                )),
                _ => Err(Fault::unknown_operation("s3", "PutBucketAcl with grants")),
            }
        }
        // What a bucket does not have unless it is set, and this plane does not let be set.
        ("GET", "website") => Err(Fault::new(
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        )
        .status(404)),
        ("GET", "cors") => {
            Err(Fault::new("NoSuchCORSConfiguration", "The CORS configuration does not exist")
                .status(404))
        }
        ("GET", "replication") => Err(Fault::new(
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        )
        .status(404)),
        ("GET", "") => object::list(call, address),
        ("GET", "versions") => object::list_versions(call, address),
        ("POST", "delete") => object::delete_many(call, address),
        (method, part) => Err(Fault::unknown_operation("s3", &format!("{method} bucket?{part}"))),
    }
}

fn create(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_create_bucket_request);
    let name = input.bucket;
    check_name(&name)?;
    let configuration = input.create_bucket_configuration.unwrap_or_default();
    let region = call.region_name;
    match configuration.location_constraint.as_deref().filter(|place| !place.is_empty()) {
        None if region != "us-east-1" => {
            return Err(Fault::new(
                "IllegalLocationConstraintException",
                "The unspecified location constraint is incompatible for the region specific \
                 endpoint this request was sent to.",
            ));
        }
        Some("us-east-1") => {
            return Err(Fault::new(
                "InvalidLocationConstraint",
                "The specified location-constraint is not valid",
            ));
        }
        Some(place) if place != region => {
            return Err(Fault::new(
                "IllegalLocationConstraintException",
                format!(
                    "The {place} location constraint is incompatible for the region specific \
                     endpoint this request was sent to."
                ),
            ));
        }
        _ => {}
    }
    let tags = checked_tags(configuration.tags.unwrap_or_default().items)?;
    let ownership = model::OwnershipControls {
        rules: vec![model::OwnershipControlsRule {
            object_ownership: input
                .object_ownership
                .unwrap_or_else(|| "BucketOwnerEnforced".into()),
        }],
    };
    check_ownership(&ownership)?;
    let exists = call.account.global.s3.buckets.get(&name).map(|bucket| bucket.region.clone());
    match exists.as_deref() {
        // For the sake of old clients, us-east-1 says yes to the owner of an existing bucket.
        Some("us-east-1") if region == "us-east-1" => {}
        Some(_) => {
            return Err(Fault::new(
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
            )
            .status(409));
        }
        None => {
            let locked = input.object_lock_enabled_for_bucket == Some(true);
            let bucket = Bucket {
                region: region.into(),
                created: call.iso8601(),
                versioning: locked.then(|| "Enabled".into()),
                encryption: default_encryption(),
                public_access: Some(model::PublicAccessBlockConfiguration {
                    block_public_acls: Some(true),
                    ignore_public_acls: Some(true),
                    block_public_policy: Some(true),
                    restrict_public_buckets: Some(true),
                }),
                ownership: Some(ownership),
                object_lock: locked.then(|| model::ObjectLockConfiguration {
                    object_lock_enabled: Some("Enabled".into()),
                    rule: None,
                }),
                tags,
                ..Default::default()
            };
            call.account.global.s3.buckets.insert(name.clone(), bucket);
        }
    }
    let mut response = wire::serialize_create_bucket_response();
    header(&mut response, "location", &format!("/{name}"));
    header(&mut response, "x-amz-bucket-arn", &format!("arn:aws:s3:::{name}"));
    Ok(response)
}

fn check_name(name: &str) -> Result<(), Fault> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let valid = (3..=63).contains(&name.len())
        && name.chars().all(fits)
        && ends(name.chars().next())
        && ends(name.chars().last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3"].iter().any(|end| name.ends_with(end));
    match valid {
        true => Ok(()),
        false => Err(Fault::new("InvalidBucketName", "The specified bucket is not valid.")),
    }
}

fn default_encryption() -> model::ServerSideEncryptionConfiguration {
    model::ServerSideEncryptionConfiguration {
        rules: vec![model::ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(model::ServerSideEncryptionByDefault {
                s_s_e_algorithm: "AES256".into(),
                k_m_s_master_key_i_d: None,
            }),
            bucket_key_enabled: Some(false),
            ..Default::default()
        }],
    }
}

fn put_versioning(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_put_bucket_versioning_request);
    let status = input.versioning_configuration.status;
    if !matches!(status.as_deref(), Some("Enabled" | "Suspended")) {
        return Err(Fault::new(
            "IllegalVersioningConfigurationException",
            "The Versioning element must be specified",
        ));
    }
    let bucket = find_mut(call, &input.bucket)?;
    if bucket.object_lock.is_some() && status.as_deref() == Some("Suspended") {
        return Err(Fault::new(
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state \
             cannot be changed.",
        )
        .status(409));
    }
    bucket.versioning = status;
    Ok(wire::serialize_put_bucket_versioning_response())
}

fn put_encryption(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_put_bucket_encryption_request);
    let mut configuration = input.server_side_encryption_configuration;
    let [rule] = configuration.rules.as_mut_slice() else {
        return Err(malformed_xml(String::new()));
    };
    if let Some(by_default) = &rule.apply_server_side_encryption_by_default {
        match (by_default.s_s_e_algorithm.as_str(), &by_default.k_m_s_master_key_i_d) {
            ("AES256", Some(_)) => {
                return Err(invalid(
                    "a KMSMasterKeyID is not applicable if the default sse algorithm is not \
                     aws:kms or aws:kms:dsse",
                ));
            }
            ("AES256" | "aws:kms" | "aws:kms:dsse", _) => {}
            _ => return Err(malformed_xml(String::new())),
        }
    }
    rule.bucket_key_enabled.get_or_insert(false);
    find_mut(call, &input.bucket)?.encryption = configuration;
    Ok(wire::serialize_put_bucket_encryption_response())
}

/// What a request leaves out is off.
fn filled(block: model::PublicAccessBlockConfiguration) -> model::PublicAccessBlockConfiguration {
    model::PublicAccessBlockConfiguration {
        block_public_acls: Some(block.block_public_acls == Some(true)),
        ignore_public_acls: Some(block.ignore_public_acls == Some(true)),
        block_public_policy: Some(block.block_public_policy == Some(true)),
        restrict_public_buckets: Some(block.restrict_public_buckets == Some(true)),
    }
}

fn policy(call: &Call<'_>, name: &str) -> Result<String, Fault> {
    find(call, name)?.policy.clone().ok_or_else(|| {
        Fault::new("NoSuchBucketPolicy", "The bucket policy does not exist").status(404)
    })
}

fn put_policy(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_put_bucket_policy_request);
    let name = input.bucket;
    let malformed = |why: String| Fault::new("MalformedPolicy", why);
    let bucket = find(call, &name)?;
    if input.policy.len() > 20_480 {
        return Err(Fault::new("PolicyTooLarge", "The policy is larger than 20 KB."));
    }
    let document = Document::parse(&input.policy).map_err(malformed)?;
    if !document.every_statement_has("Principal") {
        return Err(malformed("Missing required field Principal".into()));
    }
    if !document.every_statement_has("Resource") {
        return Err(malformed("Missing required field Resource".into()));
    }
    let arn = format!("arn:aws:s3:::{name}");
    let ours = |resource: &String| {
        *resource == arn || resource.strip_prefix(&arn).is_some_and(|rest| rest.starts_with('/'))
    };
    if !document.resources().iter().all(ours) {
        return Err(malformed("Policy has invalid resource".into()));
    }
    if !document.principals("AWS").iter().all(|who| call.principal_exists(who)) {
        return Err(malformed("Invalid principal in policy".into()));
    }
    let blocks = bucket.public_access.as_ref().is_some_and(|b| b.block_public_policy == Some(true))
        || s3control::blocks_public_policy(call);
    if blocks && document.is_public() {
        return Err(Fault::new(
            "AccessDenied",
            format!(
                "User: {} is not authorized to perform: s3:PutBucketPolicy on resource: \"{arn}\" \
                 because public policies are prevented by the BlockPublicPolicy setting in S3 \
                 Block Public Access.",
                call.caller_arn()
            ),
        )
        .status(403));
    }
    find_mut(call, &name)?.policy = Some(input.policy);
    Ok(no_content(wire::serialize_put_bucket_policy_response()))
}

fn put_lifecycle(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_put_bucket_lifecycle_configuration_request);
    let mut rules = input.lifecycle_configuration.unwrap_or_default().rules;
    if rules.is_empty() {
        return Err(malformed_xml(String::new()));
    }
    let mut ids = BTreeSet::new();
    for rule in &mut rules {
        check_rule(rule)?;
        let id = rule.i_d.get_or_insert_with(|| call.new_uuid());
        if id.chars().count() > 255 {
            return Err(invalid("ID length should not exceed allowed limit of 255"));
        }
        if !ids.insert(id.clone()) {
            return Err(invalid("Rule ID must be unique. Found same ID for more than one rule"));
        }
    }
    let bucket = find_mut(call, &input.bucket)?;
    bucket.lifecycle = Some(rules);
    bucket.transition_minimum = input.transition_default_minimum_object_size;
    Ok(wire::serialize_put_bucket_lifecycle_configuration_response())
}

fn check_rule(rule: &model::LifecycleRule) -> Result<(), Fault> {
    if !matches!(rule.status.as_str(), "Enabled" | "Disabled") {
        return Err(malformed_xml(String::new()));
    }
    if rule.filter.is_none() && rule.prefix.is_none() {
        return Err(malformed_xml(String::new()));
    }
    let transitions = rule.transitions.as_deref().unwrap_or_default();
    let later = rule.noncurrent_version_transitions.as_deref().unwrap_or_default();
    let acts = rule.expiration.is_some()
        || rule.noncurrent_version_expiration.is_some()
        || rule.abort_incomplete_multipart_upload.is_some()
        || !transitions.is_empty()
        || !later.is_empty();
    if !acts {
        return Err(Fault::new(
            "InvalidRequest",
            "At least one action needs to be specified in a rule",
        ));
    }
    let expires = rule.expiration.as_ref().and_then(|expiration| expiration.days);
    if expires.is_some_and(|days| days < 1) {
        return Err(invalid("'Days' for Expiration action must be a positive integer"));
    }
    for transition in transitions {
        let class = transition.storage_class.as_deref().unwrap_or_default();
        let days = transition.days.unwrap_or(0);
        if matches!(class, "STANDARD_IA" | "ONEZONE_IA") && transition.date.is_none() && days < 30 {
            return Err(invalid(format!(
                "'Days' in Transition action must be greater than or equal to 30 for storageClass \
                 '{class}'"
            )));
        }
        if expires.is_some_and(|expires| expires <= days) {
            return Err(invalid(
                "'Days' in the Expiration action for filter must be greater than 'Days' in the \
                 Transition action",
            ));
        }
    }
    Ok(())
}

fn check_ownership(controls: &model::OwnershipControls) -> Result<(), Fault> {
    match controls.rules.as_slice() {
        [rule]
            if ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]
                .contains(&rule.object_ownership.as_str()) =>
        {
            Ok(())
        }
        _ => Err(malformed_xml(String::new())),
    }
}

fn put_logging(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_put_bucket_logging_request);
    find(call, &input.bucket)?;
    let logging = input.bucket_logging_status.logging_enabled;
    if let Some(logging) = &logging
        && find(call, &logging.target_bucket).is_err()
    {
        return Err(Fault::new(
            "InvalidTargetBucketForLogging",
            "The target bucket for logging does not exist",
        ));
    }
    find_mut(call, &input.bucket)?.logging = logging;
    Ok(wire::serialize_put_bucket_logging_response())
}

fn put_object_lock(call: &mut Call<'_>, address: &Address) -> Result<MockResponse, Fault> {
    let input = parse!(call, address, deserialize_put_object_lock_configuration_request);
    let lock = input.object_lock_configuration.unwrap_or_default();
    if lock.object_lock_enabled.as_deref() != Some("Enabled") {
        return Err(malformed_xml(String::new()));
    }
    if let Some(retention) = lock.rule.as_ref().and_then(|rule| rule.default_retention.as_ref()) {
        let mode = retention.mode.as_deref();
        let period = match (retention.days, retention.years) {
            (Some(period), None) | (None, Some(period)) => period,
            _ => return Err(malformed_xml(String::new())),
        };
        if !matches!(mode, Some("GOVERNANCE" | "COMPLIANCE")) {
            return Err(malformed_xml(String::new()));
        }
        if period < 1 {
            return Err(invalid("Default retention period must be a positive integer value."));
        }
    }
    let bucket = find_mut(call, &input.bucket)?;
    if bucket.versioning.as_deref() != Some("Enabled") {
        return Err(Fault::new(
            "InvalidBucketState",
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        )
        .status(409));
    }
    bucket.object_lock = Some(lock);
    Ok(wire::serialize_put_object_lock_configuration_response())
}

fn checked_tags(tags: Vec<model::Tag>) -> Result<BTreeMap<String, String>, Fault> {
    let invalid = |why: &str| Fault::new("InvalidTag", why);
    if tags.len() > 50 {
        return Err(Fault::new("BadRequest", "Bucket tag count cannot be greater than 50"));
    }
    let mut out = BTreeMap::new();
    for tag in tags {
        if tag.key.is_empty() || tag.key.chars().count() > 128 {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if tag.value.chars().count() > 256 {
            return Err(invalid("The TagValue you have provided is invalid"));
        }
        if tag.key.to_lowercase().starts_with("aws:") {
            return Err(invalid("System tags cannot be added/updated by requester"));
        }
        if out.insert(tag.key, tag.value).is_some() {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(out)
}

/// As 204, which S3 answers where winterbaume's wire says 200.
pub(super) fn no_content(mut response: MockResponse) -> MockResponse {
    response.status = 204;
    response.body = bytes::Bytes::new();
    response
}

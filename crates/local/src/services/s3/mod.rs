//! S3: buckets with their settings, and enough of objects for versions and object lock to mean
//! something. A bucket's name is unique in the account; a bucket answers in its region only.

mod bucket;
mod object;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use winterbaume_core::{MockRequest, MockResponse, extract_path};
use winterbaume_s3::model;

use crate::call::{Call, decode};
use crate::fault::{Fault, Protocol};
use crate::policy::{Document, Principal};
use crate::services::s3control;

/// What S3 holds in the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub buckets: BTreeMap<String, Bucket>,
}

/// A bucket: its settings and its objects.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Bucket {
    /// Where it lies.
    pub region: String,
    /// When it was made, as ListBuckets says it.
    pub created: String,
    /// `Enabled` or `Suspended`; `None` as long as it never was set.
    pub versioning: Option<String>,
    /// Default encryption.
    pub encryption: model::ServerSideEncryptionConfiguration,
    /// The public access block; new buckets block everything.
    pub public_access: Option<model::PublicAccessBlockConfiguration>,
    /// The policy, as it was put.
    pub policy: Option<String>,
    /// Lifecycle rules.
    pub lifecycle: Option<Vec<model::LifecycleRule>>,
    /// The smallest object that transitions move by default.
    pub transition_minimum: Option<String>,
    /// Who owns objects; new buckets have no ACLs.
    pub ownership: Option<model::OwnershipControls>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Where access logs go.
    pub logging: Option<model::LoggingEnabled>,
    /// Object lock, once it is on.
    pub object_lock: Option<model::ObjectLockConfiguration>,
    /// The versions of each object, the newest last.
    pub objects: BTreeMap<String, Vec<object::Version>>,
}

/// What a request is about.
struct Address {
    bucket: Option<String>,
    key: Option<String>,
    query: HashMap<String, String>,
}

impl Address {
    fn labels(&self) -> Vec<(&str, &str)> {
        let bucket = self.bucket.as_deref().map(|bucket| ("Bucket", bucket));
        let key = self.key.as_deref().map(|key| ("Key", key));
        bucket.into_iter().chain(key).collect()
    }

    /// The part of the bucket or object that the request is about: `versioning`, `retention`.
    fn part(&self) -> &str {
        const PARTS: &[&str] = &[
            "accelerate",
            "acl",
            "cors",
            "delete",
            "encryption",
            "legal-hold",
            "lifecycle",
            "location",
            "logging",
            "notification",
            "object-lock",
            "ownershipControls",
            "policy",
            "policyStatus",
            "publicAccessBlock",
            "replication",
            "requestPayment",
            "retention",
            "tagging",
            "uploads",
            "versioning",
            "versions",
            "website",
        ];
        PARTS.iter().find(|part| self.query.contains_key(**part)).copied().unwrap_or_default()
    }
}

/// A request, parsed by winterbaume's wire.
macro_rules! parse {
    ($call:expr, $address:expr, $parser:ident) => {
        wire::$parser($call.request, &$address.labels(), &$address.query)
            .map_err($crate::services::s3::malformed_xml)?
    };
}
use parse;

/// Whether a bucket exists in the region of the call.
pub(crate) fn require_bucket(call: &Call<'_>, name: &str) -> Result<(), Fault> {
    find(call, name).map(drop)
}

/// Whether a bucket's policy lets a service do something to `key` (empty for the bucket itself).
pub(crate) fn policy_allows(
    call: &Call<'_>,
    bucket: &str,
    who: Principal<'_>,
    action: &str,
    key: &str,
    context: &BTreeMap<&str, String>,
) -> bool {
    let resource = match key {
        "" => format!("arn:aws:s3:::{bucket}"),
        key => format!("arn:aws:s3:::{bucket}/{key}"),
    };
    call.account
        .global
        .s3
        .buckets
        .get(bucket)
        .and_then(|bucket| Document::parse(bucket.policy.as_deref()?).ok())
        .is_some_and(|policy| policy.allows(who, action, &resource, context))
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    // S3 Control signs as S3 does; its paths start with the version of its API.
    if extract_path(&call.request.uri).starts_with("/v20180820/")
        && call.request.headers.contains_key("x-amz-account-id")
    {
        // Its errors have the envelope of the query protocol.
        return s3control::handle(call).or_else(|fault| Ok(fault.response(Protocol::Query)));
    }
    let address = address(call);
    // What the SDK sends in chunks is read here, so that parsers see the body itself.
    let plain = MockRequest { body: unchunked(call.request), ..call.request.clone() };
    let mut call = Call {
        account: &mut *call.account,
        region_name: call.region_name,
        request: &plain,
        now: call.now,
        delays: call.delays,
        draws: call.draws,
    };
    let call = &mut call;
    let answer = match (&address.bucket, &address.key) {
        (None, _) => match call.request.method.as_str() {
            "GET" => bucket::list(call, &address),
            other => Err(Fault::unknown_operation("s3", other)),
        },
        (Some(_), None) => bucket::handle(call, &address),
        (Some(_), Some(_)) => object::handle(call, &address),
    };
    // The answer to HEAD has no body.
    match answer {
        Err(fault) if call.request.method == "HEAD" => {
            let mut response = MockResponse::xml(fault.status, "");
            if fault.status == 301
                && let Some(found) = address.bucket.and_then(|name| {
                    call.account.global.s3.buckets.get(&name).map(|bucket| bucket.region.clone())
                })
            {
                header(&mut response, "x-amz-bucket-region", &found);
            }
            Ok(response)
        }
        other => other,
    }
}

/// Bucket and key, from host and path: `bucket.s3.region.amazonaws.com/key` or `/bucket/key`.
fn address(call: &Call<'_>) -> Address {
    let uri = &call.request.uri;
    let host = uri.split_once("://").map_or("", |(_, rest)| rest);
    let host = host.split(['/', '?']).next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let in_host = match host.strip_suffix(".localhost") {
        Some(bucket) => Some(bucket),
        None if host.ends_with(".amazonaws.com") => {
            host.find(".s3.").or_else(|| host.find(".s3-")).map(|end| &host[..end])
        }
        None => None,
    };
    let path = extract_path(uri);
    let path = path.trim_start_matches('/');
    let (bucket, key) = match in_host {
        Some(bucket) => (bucket.to_owned(), path),
        None => match path.split_once('/') {
            Some((bucket, key)) => (decode(bucket), key),
            None => (decode(path), ""),
        },
    };
    let full = |text: String| Some(text).filter(|text| !text.is_empty());
    Address { bucket: full(bucket), key: full(decode(key)), query: call.query() }
}

/// The body without the framing of `aws-chunked`: `size;signature`, data, and trailers at the end.
fn unchunked(request: &MockRequest) -> Bytes {
    let says = |name: &str, what: &str| {
        let value = request.headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.contains(what))
    };
    if !says("content-encoding", "aws-chunked") && !says("x-amz-content-sha256", "STREAMING-") {
        return request.body.clone();
    }
    let mut rest: &[u8] = &request.body;
    let mut out = Vec::new();
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let line = String::from_utf8_lossy(&rest[..end]);
        let size = line.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        rest = &rest[end + 2..];
        if size == 0 || size > rest.len() {
            break;
        }
        out.extend_from_slice(&rest[..size]);
        rest = rest.get(size + 2..).unwrap_or_default();
    }
    out.into()
}

/// A bucket that exists in this region.
fn find<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Bucket, Fault> {
    let bucket = call.account.global.s3.buckets.get(name).ok_or_else(|| {
        Fault::new("NoSuchBucket", "The specified bucket does not exist").status(404)
    })?;
    match bucket.region == call.region_name {
        true => Ok(bucket),
        false => Err(Fault::new(
            "PermanentRedirect",
            format!(
                "The bucket you are attempting to access must be addressed using the specified \
                 endpoint. Please send all future requests to this endpoint. ({})",
                bucket.region
            ),
        )
        .status(301)),
    }
}

/// As [`find`], to change it.
fn find_mut<'a>(call: &'a mut Call<'_>, name: &str) -> Result<&'a mut Bucket, Fault> {
    find(call, name)?;
    call.account.global.s3.buckets.get_mut(name).ok_or_else(|| {
        Fault::new("NoSuchBucket", "The specified bucket does not exist").status(404)
    })
}

/// The id of the account's owner, as S3 writes it.
fn owner(call: &Call<'_>) -> model::Owner {
    let id = call.account_id().repeat(6).chars().take(64).collect();
    model::Owner { i_d: Some(id), ..Default::default() }
}

fn header(response: &mut MockResponse, name: &'static str, value: &str) {
    if let Ok(value) = value.parse() {
        response.headers.insert(name, value);
    }
}

fn malformed_xml(_why: String) -> Fault {
    Fault::new(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidArgument", message)
}

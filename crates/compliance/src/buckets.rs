//! What a bucket gives to others.

use std::collections::BTreeSet;

use engine::Place;
use security::{AccountPublicAccessBlock, Bucket, PublicAccessBlock};

use crate::facts::{Facts, Seen};
use crate::finding::Unread;
use crate::parties::strangers;
use crate::policy::{Document, Principal};

/// The groups of an ACL that are everybody, with an AWS account or without.
const PUBLIC_GROUPS: &[&str] = &["/groups/global/AllUsers", "/groups/global/AuthenticatedUsers"];
/// The group in whose name S3 delivers its own logs.
const LOG_DELIVERY: &str = "/groups/s3/LogDelivery";
/// The canonical id in whose name CloudFront delivers its logs.
const CLOUDFRONT_LOGS: &str = "c4c1ede66af53448b93c283ce9448c4ba468c9432aa01d700d3878632f77d2d0";

/// The accounts from which load balancers delivered their logs before there was a service principal for
/// it. They are AWS's.
const LOAD_BALANCER_ACCOUNTS: &[&str] = &[
    "009996457667",
    "027434742980",
    "033677994240",
    "048591011584",
    "054676820928",
    "076674570225",
    "098369216593",
    "114774131450",
    "127311923021",
    "156460612806",
    "190560391635",
    "507241528517",
    "582318560864",
    "589379963580",
    "600734575887",
    "635631232127",
    "652711504416",
    "718504428378",
    "754344448648",
    "783225319266",
    "797873946194",
    "897822967062",
    "985666609251",
];

/// The ARN of a bucket, which is known before the bucket is made.
pub fn arn(facts: &Facts<'_>, bucket: &Bucket) -> String {
    let place = Place::new(facts.account_id(), facts.region());
    format!("arn:{}:s3:::{}", place.partition(), bucket.name)
}

/// How the public could get at a bucket; `None` if it cannot.
///
/// # Errors
/// When no way is known, and one of them could not be read.
pub fn exposure(facts: &Facts<'_>, bucket: &Seen<'_, Bucket>) -> Result<Option<String>, Unread> {
    let ways = [public_policy(bucket), public_acl(bucket), open_block(facts, bucket)];
    let (known, unknown): (Vec<_>, Vec<_>) = ways.into_iter().partition(Result::is_ok);
    match (known.into_iter().flatten().flatten().next(), unknown.into_iter().next()) {
        (Some(way), _) => Ok(Some(way)),
        (None, Some(unread)) => unread,
        (None, None) => Ok(None),
    }
}

fn public_policy(bucket: &Seen<'_, Bucket>) -> Result<Option<String>, Unread> {
    let policy = bucket.read(&["policy"])?.policy.as_ref().map(Document::of);
    // Which accounts and places are trusted is another question. A service that shows what it reads to
    // whoever asks it is as public as no service at all.
    let admitted = policy.map(|policy| policy.outsiders(|_| true)).unwrap_or_default();
    let is_public = |who: &Principal| matches!(who, Principal::Everybody | Principal::Service(_));
    Ok(admitted.into_iter().find(is_public).map(|who| format!("its policy admits {who}")))
}

fn public_acl(bucket: &Seen<'_, Bucket>) -> Result<Option<String>, Unread> {
    let public = |group: &str| PUBLIC_GROUPS.iter().any(|all| group.ends_with(all));
    let grant = acl(bucket)?.into_iter().find(|grant| public(&grant.grantee));
    Ok(grant.map(|grant| format!("its ACL gives {} to {}", grant.permission, grant.grantee)))
}

fn open_block(facts: &Facts<'_>, bucket: &Seen<'_, Bucket>) -> Result<Option<String>, Unread> {
    let open = open_switches(bucket.read(&["public_access_block"])?.public_access_block);
    if open.is_empty() {
        return Ok(None);
    }
    // What the account blocks is blocked for every bucket.
    let all = facts.all::<AccountPublicAccessBlock>()?;
    let account = match all.first() {
        Some(live) => open_switches(Seen::of(live).read(&["block"])?.block),
        None => open_switches(PublicAccessBlock::default()),
    };
    let open: Vec<&str> = open.intersection(&account).copied().collect();
    Ok((!open.is_empty())
        .then(|| format!("it does not block public access: {} off", open.join(", "))))
}

/// The switches that are off, in AWS's spelling.
pub fn open_switches(block: PublicAccessBlock) -> BTreeSet<&'static str> {
    [
        (block.block_public_acls, "BlockPublicAcls"),
        (block.ignore_public_acls, "IgnorePublicAcls"),
        (block.block_public_policy, "BlockPublicPolicy"),
        (block.restrict_public_buckets, "RestrictPublicBuckets"),
    ]
    .into_iter()
    .filter_map(|(on, name)| (!on).then_some(name))
    .collect()
}

/// Whom a bucket admits who is neither of the account nor declared.
///
/// # Errors
/// When that could not be read.
pub fn undeclared(facts: &Facts<'_>, bucket: &Seen<'_, Bucket>) -> Result<Vec<String>, Unread> {
    let by_policy = undeclared_by_policy(facts, bucket);
    let delivery = |who: &str| who.ends_with(LOG_DELIVERY) || who == CLOUDFRONT_LOGS;
    let by_acl = acl(bucket).map(|grants| {
        let grants = grants.into_iter().filter(|grant| !delivery(&grant.grantee));
        grants.map(|grant| format!("{} (by ACL)", grant.grantee)).collect::<Vec<_>>()
    });
    match (by_policy, by_acl) {
        (Ok(some), Ok(others)) => Ok([some, others].concat()),
        (Ok(known), Err(_)) | (Err(_), Ok(known)) if !known.is_empty() => Ok(known),
        (Err(unread), _) | (_, Err(unread)) => Err(unread),
    }
}

fn undeclared_by_policy(
    facts: &Facts<'_>,
    bucket: &Seen<'_, Bucket>,
) -> Result<Vec<String>, Unread> {
    let Some(policy) = bucket.read(&["policy"])?.policy.as_ref().map(Document::of) else {
        return Ok(Vec::new());
    };
    let declared = |account: &str| facts.is_declared_account(account);
    let delivers = |account: &str| LOAD_BALANCER_ACCOUNTS.contains(&account);
    let admitted = strangers(facts, &policy, |account| declared(account) || delivers(account))?;
    // Load balancers put their logs there, and have no business with anything else.
    let beyond = strangers(facts, &policy.beyond("s3:PutObject"), declared)?;
    let all: BTreeSet<Principal> = admitted.into_iter().chain(beyond).collect();
    Ok(all.iter().map(ToString::to_string).collect())
}

/// What the ACL gives to others, where ACLs count at all.
fn acl(bucket: &Seen<'_, Bucket>) -> Result<BTreeSet<security::AclGrant>, Unread> {
    if bucket.read(&["object_ownership"])?.object_ownership == "BucketOwnerEnforced" {
        return Ok(BTreeSet::new());
    }
    Ok(bucket.read(&["acl"])?.acl.clone())
}

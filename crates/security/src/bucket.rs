//! `s3.bucket`: a bucket, with everything that S3 keeps as a configuration of its own beside it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::operation::get_bucket_versioning::GetBucketVersioningOutput;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, Bucket as S3Bucket, BucketLifecycleConfiguration,
    BucketLocationConstraint, BucketLoggingStatus, BucketVersioningStatus,
    CreateBucketConfiguration, DefaultRetention, Delete, Error as Refused, ExpirationStatus,
    LifecycleExpiration, LifecycleRule as S3LifecycleRule, LifecycleRuleFilter, LoggingEnabled,
    NoncurrentVersionExpiration, ObjectIdentifier, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockRetentionMode, ObjectLockRule, ObjectOwnership, OwnershipControls,
    OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    Tag, Tagging, Transition as S3Transition, TransitionStorageClass, VersioningConfiguration,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use engine::stack::{RESOURCE_TAG, STACK_TAG};
use engine::vocabulary::{BucketArn, BucketName, ForLogs, KeyArn};
use engine::{
    Allow, ApiError, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Policy, Ref,
    Resource, Result, Scope, StackName, Tags, Traits,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::s3::s3;

/// The tag that collection adds to a bucket that is ours by its name and has no tags at all: the
/// process that made it was killed before it could tag it, on a server that ignores the tags in the
/// create call, or somebody removed them. The next deploy sees it, and writes the tags.
pub const UNFINISHED_TAG: &str = "ferpa-stack:unfinished";

/// A bucket. Its id is its name.
///
/// AWS takes the tags in the create call; some servers that imitate it ignore them there, so they
/// are read back and, where they are missing, written by a second call. The name says whose the bucket
/// is for the moment in between: [`Bucket::name_of`] builds it from the stack, account and region, and
/// its logical id is `security/{thing}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// The name, unique in the whole partition: 3 to 63 lower-case letters, digits and dashes.
    pub name: String,
    /// Whether objects can be locked. It cannot be taken back.
    pub object_lock: bool,
    /// How long each new object is locked; `None` is not by default. Needs `object_lock`.
    pub retention: Option<Retention>,
    /// Whether former versions are kept. Objects can only be locked with it.
    pub versioning: bool,
    /// How new objects are encrypted.
    pub encryption: Encryption,
    /// What is public in spite of all policies and ACLs.
    pub public_access_block: PublicAccessBlock,
    /// The bucket policy; `None` is none.
    pub policy: Option<Policy>,
    /// When objects move to another class of storage, and go. By the name of the rule.
    pub lifecycle: BTreeMap<String, LifecycleRule>,
    /// Who owns objects that others write: `BucketOwnerEnforced` (ACLs are off),
    /// `BucketOwnerPreferred` or `ObjectWriter`.
    pub object_ownership: String,
    /// Where requests are logged; `None` is nowhere.
    pub access_log: Option<AccessLog>,
    /// What the bucket's ACL gives to others than its owner. Only ever read: with
    /// `BucketOwnerEnforced` there is nothing in it.
    #[serde(default)]
    pub acl: BTreeSet<AclGrant>,
}

/// What an ACL gives to one grantee.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AclGrant {
    /// The canonical id of an account, its e-mail address, or the URI of a group:
    /// `http://acs.amazonaws.com/groups/global/AllUsers`.
    pub grantee: String,
    /// `FULL_CONTROL`, `READ`, `WRITE`, `READ_ACP` or `WRITE_ACP`.
    pub permission: String,
}

/// The default lock of new objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Who may still remove a locked object.
    pub mode: LockMode,
    /// For how many days.
    pub days: u32,
}

/// Who may still remove a locked object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    /// Those who have `s3:BypassGovernanceRetention`.
    Governance,
    /// Nobody, not even root, and nobody can shorten it.
    Compliance,
}

/// How new objects are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm")]
pub enum Encryption {
    /// There is no configuration (servers that imitate AWS; AWS always has one).
    #[serde(rename = "none")]
    None,
    /// With keys that S3 manages.
    #[serde(rename = "AES256")]
    SseS3,
    /// With a KMS key.
    #[serde(rename = "aws:kms")]
    SseKms {
        /// The key; `None` is AWS's own.
        key: Option<Ref<KeyArn<ForLogs>>>,
        /// Whether S3 derives a bucket key, which saves most calls to KMS.
        bucket_key: bool,
    },
    /// Twice, with a KMS key.
    #[serde(rename = "aws:kms:dsse")]
    DsseKms {
        /// The key; `None` is AWS's own.
        key: Option<Ref<KeyArn<ForLogs>>>,
    },
}

/// The four switches against public access, of a bucket or of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PublicAccessBlock {
    /// New public ACLs are refused.
    pub block_public_acls: bool,
    /// Public ACLs that exist are ignored.
    pub ignore_public_acls: bool,
    /// New public policies are refused.
    pub block_public_policy: bool,
    /// Public policies that exist admit only the account and AWS's services.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All four on.
    pub const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
}

/// When objects move, and go.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LifecycleRule {
    /// Whether it works.
    pub enabled: bool,
    /// What the names of the objects begin with; empty means all.
    pub prefix: String,
    /// Whether it is only for some of those, by their tags or size. Only ever read.
    #[serde(default)]
    pub narrowed: bool,
    /// The moves to other classes of storage.
    pub transitions: BTreeSet<Transition>,
    /// Days until an object expires. With versioning, it becomes a former version then.
    pub expire_after_days: Option<u32>,
    /// The moment from which objects expire, however young they are. Only ever read.
    #[serde(default)]
    pub expire_on: Option<String>,
    /// Days until a former version is removed for good. A locked one stays until its lock ends.
    pub remove_former_versions_after_days: Option<u32>,
    /// Days until an upload that was never finished is removed.
    pub abort_uploads_after_days: Option<u32>,
}

/// A move to another class of storage.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Transition {
    /// Days after creation.
    pub days: u32,
    /// `STANDARD_IA`, `GLACIER`, `DEEP_ARCHIVE`…
    pub storage_class: String,
}

/// Where requests to a bucket are logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLog {
    /// The bucket that holds the log. S3 delivers only into one that is encrypted with SSE-S3 and
    /// has no default retention.
    pub bucket: Ref<BucketName>,
    /// What the names of the log objects begin with.
    pub prefix: String,
}

impl Bucket {
    /// The name of a stack's bucket: `student-trail-dev-123456789012-us-east-1`. It belongs to the
    /// logical id `security/trail`.
    pub fn name_of(stack: &StackName, thing: &str, account_id: &str, region: &str) -> String {
        format!("{}-{account_id}-{region}", stack.of(thing))
    }

    /// A private, versioned bucket whose objects are encrypted with a key.
    pub fn private(name: impl Into<String>, key: Ref<KeyArn<ForLogs>>) -> Self {
        Self {
            name: name.into(),
            object_lock: false,
            retention: None,
            versioning: true,
            encryption: Encryption::SseKms { key: Some(key), bucket_key: true },
            public_access_block: PublicAccessBlock::ALL,
            policy: None,
            lifecycle: BTreeMap::new(),
            object_ownership: "BucketOwnerEnforced".into(),
            access_log: None,
            acl: BTreeSet::new(),
        }
    }
}

impl Resource for Bucket {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name", "object_lock"],
        late: &[
            "retention",
            "versioning",
            "encryption",
            "public_access_block",
            "policy",
            "lifecycle",
            "access_log",
        ],
        write_only: &["acl"],
        protected: true,
        not_yet: &[
            // A bucket of that name was deleted a moment ago, or another call is still at work on it.
            ("OperationAborted", ""),
            // S3 does not see the bucket everywhere yet.
            ("NoSuchBucket", ""),
            // A principal of the policy is not seen everywhere yet.
            ("MalformedPolicy", "nvalid principal"),
            // The log bucket's policy is not seen everywhere yet.
            ("InvalidTargetBucketForLogging", ""),
        ],
        costly: true,
        permissions: Permissions {
            read: &[
                Allow::to(&["s3:ListAllMyBuckets"]),
                Allow::to(&[
                    "s3:GetBucketTagging",
                    "s3:GetBucketObjectLockConfiguration",
                    "s3:GetBucketVersioning",
                    "s3:GetEncryptionConfiguration",
                    "s3:GetBucketPublicAccessBlock",
                    "s3:GetBucketPolicy",
                    "s3:GetLifecycleConfiguration",
                    "s3:GetBucketOwnershipControls",
                    "s3:GetBucketLogging",
                    "s3:GetBucketAcl",
                ])
                .on(&["s3:::{perhaps}"]),
            ],
            make: &[
                Allow::to(&[
                    "s3:CreateBucket",
                    "s3:PutBucketTagging",
                    "s3:PutBucketPublicAccessBlock",
                    "s3:PutBucketOwnershipControls",
                    "s3:PutEncryptionConfiguration",
                    "s3:PutBucketVersioning",
                    "s3:PutBucketObjectLockConfiguration",
                    "s3:PutLifecycleConfiguration",
                    "s3:PutBucketPolicy",
                    "s3:DeleteBucketPolicy",
                    "s3:PutBucketLogging",
                ])
                .on(&["s3:::{name}-{digits}-{region}"]),
                // For the tags of CreateBucket:
                // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
                Allow::to(&["s3:TagResource"]).on(&["s3:::{name}-{digits}-{region}"]),
            ],
            remove: &[
                Allow::to(&[
                    "s3:PutBucketLogging",
                    "s3:DeleteBucketPolicy",
                    "s3:ListBucketVersions",
                    "s3:DeleteBucket",
                ])
                .on(&["s3:::{name}-{digits}-{region}"]),
                // To remove what is locked in governance mode takes both:
                // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
                Allow::to(&["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"])
                    .on(&["s3:::{name}-{digits}-{region}/*"]),
            ],
        },
        ..Traits::of("s3.bucket")
    };
    type Id = BucketName;
    type Arn = BucketArn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        list(aws, scope).await.unwrap_or_else(Collected::failed)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        // The region with no name of its own takes none.
        let place =
            (aws.region() != "us-east-1").then(|| BucketLocationConstraint::from(aws.region()));
        let configuration = CreateBucketConfiguration::builder()
            .set_location_constraint(place)
            .set_tags(Some(to_s3(&new.tags)?))
            .build();
        let call = s3(aws)
            .create_bucket()
            .bucket(&self.name)
            .create_bucket_configuration(configuration)
            .object_lock_enabled_for_bucket(self.object_lock)
            .object_ownership(ObjectOwnership::from(self.object_ownership.as_str()));
        aws.call("s3:CreateBucket", call.send()).await?;
        if tags_of(aws, &self.name).await? != new.tags {
            put_tags(aws, &self.name, &new.tags).await?;
        }
        // AWS blocks public access to a new bucket and encrypts it with SSE-S3; to say the least that
        // any server does only means that all is set.
        let spec = Self {
            retention: None,
            versioning: self.object_lock,
            encryption: Encryption::None,
            public_access_block: PublicAccessBlock::default(),
            policy: None,
            lifecycle: BTreeMap::new(),
            access_log: None,
            ..self.clone()
        };
        Ok(live(aws, spec).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let bucket = live.id.as_str();
        // Closed before anything else, and before a policy could open it.
        if changes.has("public_access_block") {
            let call = s3(aws)
                .put_public_access_block()
                .bucket(bucket)
                .public_access_block_configuration(self.public_access_block.to_s3());
            aws.call("s3:PutBucketPublicAccessBlock", call.send()).await?;
        }
        if changes.has("object_ownership") {
            set_ownership(aws, bucket, &self.object_ownership).await?;
        }
        if changes.has("encryption") {
            set_encryption(aws, bucket, &self.encryption).await?;
        }
        if changes.has("versioning") {
            let status = if self.versioning {
                BucketVersioningStatus::Enabled
            } else {
                BucketVersioningStatus::Suspended
            };
            let call = s3(aws).put_bucket_versioning().bucket(bucket).versioning_configuration(
                VersioningConfiguration::builder().status(status).build(),
            );
            aws.call("s3:PutBucketVersioning", call.send()).await?;
        }
        if changes.has("retention") {
            set_retention(aws, bucket, self.retention.as_ref()).await?;
        }
        if changes.has("lifecycle") {
            set_lifecycle(aws, bucket, &self.lifecycle).await?;
        }
        if changes.has("policy") {
            match &self.policy {
                Some(policy) => {
                    let call = s3(aws).put_bucket_policy().bucket(bucket);
                    let call = call.policy(policy.to_string());
                    aws.call("s3:PutBucketPolicy", call.send()).await?;
                }
                None => drop_policy(aws, bucket).await?,
            }
        }
        if changes.has("access_log") {
            set_access_log(aws, bucket, self.access_log.as_ref()).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        // S3 knows only the whole set.
        let mut tags = live.tags.clone();
        tags.retain(|key, _| !remove.contains(key));
        tags.extend(put.clone());
        put_tags(aws, &live.id, &tags).await
    }

    async fn detach(aws: &Aws, live: &Live<Self>) -> Result<()> {
        if live.spec.access_log.is_some() {
            set_access_log(aws, &live.id, None).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, deletion: &Deletion) -> Result<()> {
        if deletion.allow_data_loss {
            // It denies going around the lock.
            drop_policy(aws, &live.id).await?;
            empty(aws, &live.id, &live.spec).await?;
        }
        let call = s3(aws).delete_bucket().bucket(&live.id);
        match aws.call("s3:DeleteBucket", call.send()).await {
            Err(Error::Api(error)) if error.code == "BucketNotEmpty" => Err(Error::Kept {
                what: format!("bucket {}", live.id),
                why: if deletion.allow_data_loss {
                    "something still writes to it; run the command again".into()
                } else {
                    "it is not empty".into()
                },
            }),
            other => other.map(|_| ()),
        }
    }
}

impl PublicAccessBlock {
    fn to_s3(self) -> PublicAccessBlockConfiguration {
        PublicAccessBlockConfiguration::builder()
            .block_public_acls(self.block_public_acls)
            .ignore_public_acls(self.ignore_public_acls)
            .block_public_policy(self.block_public_policy)
            .restrict_public_buckets(self.restrict_public_buckets)
            .build()
    }
}

fn live(aws: &Aws, spec: Bucket) -> Live<Bucket> {
    let arn = format!("arn:{}:s3:::{}", aws.partition(), spec.name);
    Live::new(spec.name.clone(), spec).with_arn(arn)
}

async fn list(aws: &Aws, scope: &Scope) -> Result<Collected<Bucket>> {
    let call = s3(aws).list_buckets().bucket_region(aws.region()).into_paginator();
    let pages: Vec<_> = aws.call("s3:ListAllMyBuckets", call.send().try_collect()).await?;
    let buckets = pages.into_iter().flat_map(|page| page.buckets.unwrap_or_default());
    // Some servers show the buckets of all regions.
    let here = |bucket: &S3Bucket| {
        bucket.bucket_region.as_deref().is_none_or(|region| region == aws.region())
    };
    let reads = buckets
        .filter(here)
        .filter_map(|bucket| bucket.name)
        .map(|name| async move { read(aws, scope, name).await });
    let read: Vec<_> = futures::stream::iter(reads).buffer_unordered(8).collect().await;
    let mut found = Collected::default();
    for one in read {
        match one {
            Ok(live) => found.live.push(live),
            // It went between the listing and now.
            Err(Error::Api(error)) if error.is_not_found() => {}
            Err(Error::Api(error)) => found.errors.push(error),
            Err(other) => return Err(other),
        }
    }
    Ok(found)
}

async fn read(aws: &Aws, scope: &Scope, name: String) -> Result<Live<Bucket>> {
    let spec = Bucket {
        name: name.clone(),
        object_lock: false,
        retention: None,
        versioning: false,
        encryption: Encryption::None,
        public_access_block: PublicAccessBlock::default(),
        policy: None,
        lifecycle: BTreeMap::new(),
        object_ownership: "ObjectWriter".into(),
        access_log: None,
        acl: BTreeSet::new(),
    };
    let mut live = live(aws, spec);
    if !scope.may_be_ours(&name) {
        live.leave_out(&["tags"], "s3:GetBucketTagging", FOREIGN);
        live.leave_out(DETAILS, "s3:GetBucketPolicy", FOREIGN);
        return Ok(live);
    }
    match tags_of(aws, &name).await {
        // A stranger may shut its bucket against everybody; a bucket of ours could be behind this one.
        Err(Error::Api(error)) if error.is_denied() && matches!(scope, Scope::Account) => {
            live.read("tags", Err::<(), _>(error.into()), |_, ()| ());
        }
        tags => live.tags = tags?,
    }
    // AWS writes the tags of the create call with the bucket: there, one without tags is a stranger's.
    if live.tags.is_empty()
        && aws.may_drop_tags()
        && let Scope::Stack(stack) = scope
        && let Some(thing) = thing_of(stack, &name, aws.account_id(), aws.region())
    {
        live.tags.insert(STACK_TAG.into(), stack.to_string());
        live.tags.insert(RESOURCE_TAG.into(), format!("security/{thing}"));
        live.tags.insert(UNFINISHED_TAG.into(), "true".into());
    }
    if !scope.wants(&live.tags) {
        live.leave_out(DETAILS, "s3:GetBucketPolicy", FOREIGN);
        return Ok(live);
    }
    let (lock, versioning, encryption, block, policy, lifecycle, ownership, log, acl) = futures::join!(
        lock(aws, &name),
        versioning(aws, &name),
        encryption(aws, &name),
        public_access_block(aws, &name),
        policy(aws, &name),
        lifecycle(aws, &name),
        ownership(aws, &name),
        access_log(aws, &name),
        acl(aws, &name),
    );
    let retention = lock.clone().map(|(_, retention)| retention);
    live.read("object_lock", lock, |spec, (on, _)| spec.object_lock = on);
    live.read("retention", retention, |spec, retention| spec.retention = retention);
    live.read("versioning", versioning, |spec, on| spec.versioning = on);
    live.read("encryption", encryption, |spec, encryption| spec.encryption = encryption);
    live.read("public_access_block", block, |spec, block| spec.public_access_block = block);
    live.read("policy", policy, |spec, policy| spec.policy = policy);
    live.read("lifecycle", lifecycle, |spec, lifecycle| spec.lifecycle = lifecycle);
    live.read("object_ownership", ownership, |spec, who| spec.object_ownership = who);
    live.read("access_log", log, |spec, log| spec.access_log = log);
    live.read("acl", acl, |spec, acl| spec.acl = acl);
    Ok(live)
}

/// Why a bucket's configuration was not asked for.
const FOREIGN: &str = "the bucket is not of the stack";

/// The fields that cost calls of their own.
const DETAILS: &[&str] = &[
    "object_lock",
    "retention",
    "versioning",
    "encryption",
    "public_access_block",
    "policy",
    "lifecycle",
    "object_ownership",
    "access_log",
    "acl",
];

/// The thing in a name that [`Bucket::name_of`] has built for this stack.
fn thing_of<'a>(stack: &StackName, name: &'a str, account: &str, region: &str) -> Option<&'a str> {
    let thing = name
        .strip_suffix(&format!("-{}-{account}-{region}", stack.environment))?
        .strip_prefix(&format!("{}-", stack.project))?;
    (!thing.is_empty()).then_some(thing)
}

/// No tags are no error.
async fn tags_of(aws: &Aws, bucket: &str) -> Result<Tags> {
    let call = s3(aws).get_bucket_tagging().bucket(bucket);
    let answer = aws.call("s3:GetBucketTagging", call.send()).await;
    let set = match answer {
        Ok(answer) => answer.tag_set,
        Err(Error::Api(error)) if error.code == "NoSuchTagSet" => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(set.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

async fn put_tags(aws: &Aws, bucket: &str, tags: &Tags) -> Result<()> {
    let tagging = Tagging::builder().set_tag_set(Some(to_s3(tags)?)).build();
    let tagging = tagging.map_err(|why| Error::invalid("the tags of a bucket", why))?;
    let call = s3(aws).put_bucket_tagging().bucket(bucket).tagging(tagging);
    aws.call("s3:PutBucketTagging", call.send()).await?;
    Ok(())
}

fn to_s3(tags: &Tags) -> Result<Vec<Tag>> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build();
    let tags: std::result::Result<_, _> = tags.iter().map(tag).collect();
    tags.map_err(|why| Error::invalid("the tags of a bucket", why))
}

async fn lock(aws: &Aws, bucket: &str) -> Result<(bool, Option<Retention>)> {
    let call = s3(aws).get_object_lock_configuration().bucket(bucket);
    let answer = aws.find("s3:GetBucketObjectLockConfiguration", call.send()).await?;
    let Some(lock) = answer.and_then(|answer| answer.object_lock_configuration) else {
        return Ok((false, None));
    };
    let on = lock.object_lock_enabled == Some(ObjectLockEnabled::Enabled);
    let retention = lock.rule.and_then(|rule| rule.default_retention).and_then(|default| {
        let days = default.days.or_else(|| Some(default.years? * 365))?;
        let mode = match default.mode? {
            ObjectLockRetentionMode::Compliance => LockMode::Compliance,
            _ => LockMode::Governance,
        };
        Some(Retention { mode, days: u32::try_from(days).ok().filter(|days| *days > 0)? })
    });
    Ok((on, retention))
}

async fn set_retention(aws: &Aws, bucket: &str, retention: Option<&Retention>) -> Result<()> {
    let rule = retention.map(|retention| {
        let mode = match retention.mode {
            LockMode::Governance => ObjectLockRetentionMode::Governance,
            LockMode::Compliance => ObjectLockRetentionMode::Compliance,
        };
        let default = DefaultRetention::builder().mode(mode).days(days(retention.days)).build();
        ObjectLockRule::builder().default_retention(default).build()
    });
    let lock = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .set_rule(rule)
        .build();
    let call =
        s3(aws).put_object_lock_configuration().bucket(bucket).object_lock_configuration(lock);
    aws.call("s3:PutBucketObjectLockConfiguration", call.send()).await?;
    Ok(())
}

async fn versioning(aws: &Aws, bucket: &str) -> Result<bool> {
    let call = s3(aws).get_bucket_versioning().bucket(bucket).send();
    let call = async {
        match call.await {
            // moto puts the answer into an element that S3 does not have, and the SDK takes it for an
            // error; the answer itself is right.
            Err(error) if aws.may_misname_answers() => match misnamed(error.raw_response()) {
                Some(status) => Ok(GetBucketVersioningOutput::builder().status(status).build()),
                None => Err(error),
            },
            other => other,
        }
    };
    let answer = aws.call("s3:GetBucketVersioning", call).await?;
    Ok(answer.status == Some(BucketVersioningStatus::Enabled))
}

/// The status in a successful answer that the SDK did not understand.
fn misnamed(answer: Option<&HttpResponse>) -> Option<BucketVersioningStatus> {
    let answer = answer.filter(|answer| answer.status().is_success())?;
    let text = std::str::from_utf8(answer.body().bytes()?).ok()?;
    let inside = text.split_once("<GetBucketVersioningResponse")?.1;
    let status = inside.split_once("<Status>").and_then(|(_, rest)| rest.split_once("</Status>"));
    Some(BucketVersioningStatus::from(status.map_or("Suspended", |(status, _)| status)))
}

async fn encryption(aws: &Aws, bucket: &str) -> Result<Encryption> {
    let call = s3(aws).get_bucket_encryption().bucket(bucket);
    let answer = aws.find("s3:GetEncryptionConfiguration", call.send()).await?;
    let rules = answer.and_then(|answer| answer.server_side_encryption_configuration);
    let rule = rules.and_then(|configuration| configuration.rules.into_iter().next());
    let bucket_key = rule.as_ref().and_then(|rule| rule.bucket_key_enabled).unwrap_or(false);
    let default = rule.and_then(|rule| rule.apply_server_side_encryption_by_default);
    Ok(default.map_or(Encryption::None, |default| {
        let key = default.kms_master_key_id.map(Ref::known);
        match default.sse_algorithm {
            ServerSideEncryption::AwsKms => Encryption::SseKms { key, bucket_key },
            ServerSideEncryption::AwsKmsDsse => Encryption::DsseKms { key },
            _ => Encryption::SseS3,
        }
    }))
}

async fn set_encryption(aws: &Aws, bucket: &str, encryption: &Encryption) -> Result<()> {
    let (algorithm, key, bucket_key) = match encryption {
        Encryption::None => {
            let call = s3(aws).delete_bucket_encryption().bucket(bucket);
            aws.call("s3:PutEncryptionConfiguration", call.send()).await?;
            return Ok(());
        }
        Encryption::SseS3 => (ServerSideEncryption::Aes256, None, false),
        Encryption::SseKms { key, bucket_key } => {
            (ServerSideEncryption::AwsKms, key.as_ref(), *bucket_key)
        }
        Encryption::DsseKms { key } => (ServerSideEncryption::AwsKmsDsse, key.as_ref(), false),
    };
    let invalid = |why| Error::invalid(format!("the encryption of bucket {bucket}"), why);
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(algorithm)
        .set_kms_master_key_id(key.map(ToString::to_string))
        .build()
        .map_err(invalid)?;
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default)
        .bucket_key_enabled(bucket_key)
        .build();
    let configuration =
        ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(invalid)?;
    let call = s3(aws)
        .put_bucket_encryption()
        .bucket(bucket)
        .server_side_encryption_configuration(configuration);
    aws.call("s3:PutEncryptionConfiguration", call.send()).await?;
    Ok(())
}

async fn public_access_block(aws: &Aws, bucket: &str) -> Result<PublicAccessBlock> {
    let call = s3(aws).get_public_access_block().bucket(bucket);
    let answer = aws.find("s3:GetBucketPublicAccessBlock", call.send()).await?;
    let block = answer.and_then(|answer| answer.public_access_block_configuration);
    Ok(block.map_or_else(PublicAccessBlock::default, |block| PublicAccessBlock {
        block_public_acls: block.block_public_acls.unwrap_or(false),
        ignore_public_acls: block.ignore_public_acls.unwrap_or(false),
        block_public_policy: block.block_public_policy.unwrap_or(false),
        restrict_public_buckets: block.restrict_public_buckets.unwrap_or(false),
    }))
}

async fn policy(aws: &Aws, bucket: &str) -> Result<Option<Policy>> {
    let call = s3(aws).get_bucket_policy().bucket(bucket);
    let answer = aws.find("s3:GetBucketPolicy", call.send()).await?;
    let Some(text) = answer.and_then(|answer| answer.policy).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let policy = Policy::parse(&text);
    policy.map(Some).map_err(|why| Error::invalid(format!("the policy of bucket {bucket}"), why))
}

async fn drop_policy(aws: &Aws, bucket: &str) -> Result<()> {
    let call = s3(aws).delete_bucket_policy().bucket(bucket);
    aws.find("s3:DeleteBucketPolicy", call.send()).await?;
    Ok(())
}

async fn lifecycle(aws: &Aws, bucket: &str) -> Result<BTreeMap<String, LifecycleRule>> {
    let call = s3(aws).get_bucket_lifecycle_configuration().bucket(bucket);
    let answer = aws.find("s3:GetLifecycleConfiguration", call.send()).await?;
    let rules = answer.and_then(|answer| answer.rules).unwrap_or_default();
    Ok(rules
        .into_iter()
        .map(|rule| (rule.id.clone().unwrap_or_default(), from_rule(rule)))
        .collect())
}

fn from_rule(rule: S3LifecycleRule) -> LifecycleRule {
    let count = |days: Option<i32>| days.and_then(|d| u32::try_from(d).ok()).filter(|d| *d > 0);
    let narrowed = rule.filter.as_ref().is_some_and(|filter| {
        let tags = filter.and.as_ref().and_then(|and| and.tags.as_ref());
        let sizes = [
            filter.object_size_greater_than,
            filter.object_size_less_than,
            filter.and.as_ref().and_then(|and| and.object_size_greater_than),
            filter.and.as_ref().and_then(|and| and.object_size_less_than),
        ];
        filter.tag.is_some()
            || tags.is_some_and(|tags| !tags.is_empty())
            || sizes.iter().any(Option::is_some)
    });
    let from_filter = rule
        .filter
        .and_then(|filter| filter.prefix.or_else(|| filter.and.and_then(|and| and.prefix)));
    #[allow(deprecated)] // Rules made long ago still have their prefix here.
    let prefix = from_filter.or(rule.prefix).unwrap_or_default();
    let transitions = rule.transitions.unwrap_or_default().into_iter().filter_map(|to| {
        let storage_class = to.storage_class?.as_str().to_owned();
        Some(Transition { days: u32::try_from(to.days?).ok()?, storage_class })
    });
    LifecycleRule {
        enabled: rule.status == ExpirationStatus::Enabled,
        prefix,
        narrowed,
        transitions: transitions.collect(),
        expire_after_days: count(rule.expiration.as_ref().and_then(|at| at.days)),
        expire_on: rule.expiration.and_then(|at| at.date).map(rfc3339),
        remove_former_versions_after_days: count(
            rule.noncurrent_version_expiration.and_then(|at| at.noncurrent_days),
        ),
        abort_uploads_after_days: count(
            rule.abort_incomplete_multipart_upload.and_then(|at| at.days_after_initiation),
        ),
    }
}

fn rfc3339(at: DateTime) -> String {
    // Only years beyond 9999 cannot be written.
    at.fmt(Format::DateTime).unwrap_or_else(|_| at.secs().to_string())
}

async fn set_lifecycle(
    aws: &Aws,
    bucket: &str,
    rules: &BTreeMap<String, LifecycleRule>,
) -> Result<()> {
    if rules.is_empty() {
        let call = s3(aws).delete_bucket_lifecycle().bucket(bucket);
        aws.call("s3:PutLifecycleConfiguration", call.send()).await?;
        return Ok(());
    }
    let invalid = |why| Error::invalid(format!("the lifecycle of bucket {bucket}"), why);
    let rules: std::result::Result<Vec<_>, _> =
        rules.iter().map(|(id, rule)| to_rule(id, rule)).collect();
    let configuration = BucketLifecycleConfiguration::builder()
        .set_rules(Some(rules.map_err(invalid)?))
        .build()
        .map_err(invalid)?;
    let call = s3(aws)
        .put_bucket_lifecycle_configuration()
        .bucket(bucket)
        .lifecycle_configuration(configuration);
    aws.call("s3:PutLifecycleConfiguration", call.send()).await?;
    Ok(())
}

fn to_rule(
    id: &str,
    rule: &LifecycleRule,
) -> std::result::Result<S3LifecycleRule, aws_smithy_types::error::operation::BuildError> {
    let status = if rule.enabled { ExpirationStatus::Enabled } else { ExpirationStatus::Disabled };
    let transitions: Vec<_> = rule
        .transitions
        .iter()
        .map(|to| {
            S3Transition::builder()
                .days(days(to.days))
                .storage_class(TransitionStorageClass::from(to.storage_class.as_str()))
                .build()
        })
        .collect();
    let expire = |count| LifecycleExpiration::builder().days(days(count)).build();
    let remove =
        |count| NoncurrentVersionExpiration::builder().noncurrent_days(days(count)).build();
    let abort = |count| {
        AbortIncompleteMultipartUpload::builder().days_after_initiation(days(count)).build()
    };
    S3LifecycleRule::builder()
        .id(id)
        .status(status)
        .filter(LifecycleRuleFilter::builder().prefix(&rule.prefix).build())
        .set_transitions((!transitions.is_empty()).then_some(transitions))
        .set_expiration(rule.expire_after_days.map(expire))
        .set_noncurrent_version_expiration(rule.remove_former_versions_after_days.map(remove))
        .set_abort_incomplete_multipart_upload(rule.abort_uploads_after_days.map(abort))
        .build()
}

fn days(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A bucket without ownership controls is as buckets were before there were any.
async fn ownership(aws: &Aws, bucket: &str) -> Result<String> {
    let call = s3(aws).get_bucket_ownership_controls().bucket(bucket);
    let answer = aws.find("s3:GetBucketOwnershipControls", call.send()).await?;
    let controls = answer.and_then(|answer| answer.ownership_controls);
    let rule = controls.and_then(|controls| controls.rules.into_iter().next());
    Ok(rule.map_or_else(|| "ObjectWriter".into(), |rule| rule.object_ownership.as_str().into()))
}

async fn set_ownership(aws: &Aws, bucket: &str, ownership: &str) -> Result<()> {
    let invalid = |why| Error::invalid(format!("the ownership controls of bucket {bucket}"), why);
    let rule = OwnershipControlsRule::builder()
        .object_ownership(ObjectOwnership::from(ownership))
        .build()
        .map_err(invalid)?;
    let controls = OwnershipControls::builder().rules(rule).build().map_err(invalid)?;
    let call = s3(aws).put_bucket_ownership_controls().bucket(bucket).ownership_controls(controls);
    aws.call("s3:PutBucketOwnershipControls", call.send()).await?;
    Ok(())
}

async fn access_log(aws: &Aws, bucket: &str) -> Result<Option<AccessLog>> {
    let call = s3(aws).get_bucket_logging().bucket(bucket);
    let answer = aws.call("s3:GetBucketLogging", call.send()).await?;
    let log = answer.logging_enabled;
    Ok(log.map(|log| AccessLog { bucket: log.target_bucket.into(), prefix: log.target_prefix }))
}

async fn acl(aws: &Aws, bucket: &str) -> Result<BTreeSet<AclGrant>> {
    let call = s3(aws).get_bucket_acl().bucket(bucket);
    let answer = aws.call("s3:GetBucketAcl", call.send()).await?;
    let owner = answer.owner.and_then(|owner| owner.id);
    let grants = answer.grants.unwrap_or_default().into_iter().filter_map(|grant| {
        let grantee = grant.grantee?;
        let grantee = grantee.uri.or(grantee.id).or(grantee.email_address).unwrap_or_default();
        let permission = grant.permission?.as_str().to_owned();
        (owner.as_ref() != Some(&grantee)).then_some(AclGrant { grantee, permission })
    });
    Ok(grants.collect())
}

async fn set_access_log(aws: &Aws, bucket: &str, log: Option<&AccessLog>) -> Result<()> {
    let enabled = log.map(|log| {
        LoggingEnabled::builder()
            .target_bucket(log.bucket.as_str())
            .target_prefix(&log.prefix)
            .build()
    });
    let enabled = enabled.transpose();
    let enabled =
        enabled.map_err(|why| Error::invalid(format!("the access log of bucket {bucket}"), why))?;
    let status = BucketLoggingStatus::builder().set_logging_enabled(enabled).build();
    let call = s3(aws).put_bucket_logging().bucket(bucket).bucket_logging_status(status);
    aws.call("s3:PutBucketLogging", call.send()).await?;
    Ok(())
}

/// Removes every version of every object, locks under governance notwithstanding.
async fn empty(aws: &Aws, bucket: &str, spec: &Bucket) -> Result<()> {
    let mut refused = Vec::new();
    let (mut key, mut version) = (None, None);
    loop {
        let call = s3(aws)
            .list_object_versions()
            .bucket(bucket)
            .set_key_marker(key)
            .set_version_id_marker(version);
        let page = aws.call("s3:ListBucketVersions", call.send()).await?;
        let versions = page.versions.unwrap_or_default().into_iter();
        let versions = versions.map(|version| (version.key, version.version_id));
        let markers = page.delete_markers.unwrap_or_default().into_iter();
        let markers = markers.map(|marker| (marker.key, marker.version_id));
        let objects: Vec<ObjectIdentifier> = versions
            .chain(markers)
            .filter_map(|(key, version)| {
                let object = ObjectIdentifier::builder().key(key?).set_version_id(version);
                object.build().ok()
            })
            .collect();
        if !objects.is_empty() {
            refused.extend(remove(aws, bucket, objects, spec.object_lock).await?);
        }
        if page.is_truncated != Some(true) {
            break;
        }
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
    }
    refusal(bucket, spec, &refused).map_or(Ok(()), Err)
}

/// Why some versions stay, if any do.
///
/// S3 says `AccessDenied` to who lacks a permission and to who meets a lock in compliance mode, which no
/// permission lifts. Only the mode tells them apart; the bucket's is that of its objects, unless somebody has
/// changed it since.
fn refusal(bucket: &str, spec: &Bucket, refused: &[Refused]) -> Option<Error> {
    let first = refused.first()?;
    let why = first.message.clone().or(first.code.clone()).unwrap_or_default();
    let mode = spec.retention.as_ref().map(|retention| retention.mode);
    if first.code() == Some("AccessDenied") && mode != Some(LockMode::Compliance) {
        let action = if spec.object_lock {
            "s3:BypassGovernanceRetention"
        } else {
            "s3:DeleteObjectVersion"
        };
        return Some(Error::Api(ApiError {
            action: action.into(),
            code: "AccessDenied".into(),
            message: format!("{} versions of objects in {bucket}: {why}", refused.len()),
            status: None,
        }));
    }
    Some(Error::Kept {
        what: format!("bucket {bucket}"),
        why: format!("{} versions of its objects cannot be removed yet: {why}", refused.len()),
    })
}

/// Removes up to a thousand versions. The answer says which stay, and why.
async fn remove(
    aws: &Aws,
    bucket: &str,
    objects: Vec<ObjectIdentifier>,
    object_lock: bool,
) -> Result<Vec<Refused>> {
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
    let delete = delete.map_err(|why| Error::invalid("the objects to delete", why))?;
    let call = s3(aws)
        .delete_objects()
        .bucket(bucket)
        .delete(delete)
        .set_bypass_governance_retention(object_lock.then_some(true));
    let answer = aws.call("s3:DeleteObjectVersion", call.send()).await?;
    Ok(answer.errors.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_thing_of_which_stack_it_is() {
        let stack = StackName::new("student", "dev");
        let name = Bucket::name_of(&stack, "trail-logs", "123456789012", "us-east-1");
        assert_eq!(name, "student-trail-logs-dev-123456789012-us-east-1");
        let thing = |stack| thing_of(stack, &name, "123456789012", "us-east-1");
        assert_eq!(thing(&stack), Some("trail-logs"));
        assert_eq!(thing(&StackName::new("student", "prod")), None);
        assert_eq!(thing_of(&stack, &name, "210987654321", "us-east-1"), None);
    }

    #[test]
    fn what_cannot_be_removed_names_the_permission_unless_none_would_help() {
        let refused = |code: &str| {
            let message = "Access Denied because object protected by object lock.";
            vec![Refused::builder().code(code).message(message).build()]
        };
        let mut bucket = Bucket::private("b", "key".into());
        let denied = |bucket: &Bucket, code: &str| match refusal("b", bucket, &refused(code)) {
            Some(Error::Api(error)) => Some(error.denied_action().to_owned()),
            Some(Error::Kept { .. }) => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(denied(&bucket, "AccessDenied").as_deref(), Some("s3:DeleteObjectVersion"));
        bucket.object_lock = true;
        bucket.retention = Some(Retention { mode: LockMode::Governance, days: 1 });
        assert_eq!(
            denied(&bucket, "AccessDenied").as_deref(),
            Some("s3:BypassGovernanceRetention")
        );
        assert_eq!(denied(&bucket, "InternalError"), None);
        bucket.retention = Some(Retention { mode: LockMode::Compliance, days: 1 });
        assert_eq!(denied(&bucket, "AccessDenied"), None);
        assert!(refusal("b", &bucket, &[]).is_none());
    }

    #[test]
    fn a_lifecycle_rule_survives_the_way_to_s3_and_back() {
        let rule = LifecycleRule {
            enabled: true,
            prefix: "logs/".into(),
            narrowed: false,
            transitions: [Transition { days: 90, storage_class: "GLACIER".into() }].into(),
            expire_after_days: Some(365),
            expire_on: None,
            remove_former_versions_after_days: Some(30),
            abort_uploads_after_days: Some(7),
        };
        assert_eq!(from_rule(to_rule("a", &rule).unwrap()), rule);
        let bare = LifecycleRule { enabled: false, ..LifecycleRule::default() };
        assert_eq!(from_rule(to_rule("b", &bare).unwrap()), bare);
    }

    #[test]
    fn a_day_on_which_everything_goes_is_seen() {
        let day = LifecycleExpiration::builder().date(DateTime::from_secs(0)).build();
        let rule = S3LifecycleRule::builder().status(ExpirationStatus::Enabled).expiration(day);
        let rule = from_rule(rule.build().unwrap());
        assert_eq!(rule.expire_on.as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(rule.expire_after_days, None);
    }

    #[test]
    fn a_rule_for_some_objects_does_not_look_like_one_for_all() {
        let tag = Tag::builder().key("scratch").value("yes").build().unwrap();
        let filter = LifecycleRuleFilter::builder().tag(tag).build();
        let rule = S3LifecycleRule::builder().status(ExpirationStatus::Enabled).filter(filter);
        assert!(from_rule(rule.build().unwrap()).narrowed);
        let filter = LifecycleRuleFilter::builder().object_size_greater_than(1).build();
        let rule = S3LifecycleRule::builder().status(ExpirationStatus::Enabled).filter(filter);
        assert!(from_rule(rule.build().unwrap()).narrowed);
    }
}

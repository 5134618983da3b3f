//! The audit trail and the buckets that evidence is kept in.
//!
//! Three buckets. `trail` has the CloudTrail log files and `disclosures` the record that
//! 34 CFR 99.32 asks for; both are locked, encrypted with the logs key and closed to all but their
//! writer. `lb-logs` has the load balancer's access logs. An Application Load Balancer delivers only into
//! a bucket that is encrypted with SSE-S3 (AWS documents no other way, and delivery into one with a
//! customer key fails), so this one bucket cannot have a customer key: an audit that asks every bucket for
//! one has to except it. It holds addresses and paths of requests, never bodies.

use std::collections::{BTreeMap, BTreeSet};

use engine::vocabulary::{Arn, BucketArn, BucketName, ForLogs, KeyArn, Name};
use engine::{Handle, Place, Policy, Ref, Stack, StackName};
use serde_json::{Value, json};

use crate::bucket::{Bucket, Encryption, LifecycleRule, LockMode, Retention};
use crate::trail::{EventSelector, Trail, TrailLogGroup};

/// What is recorded, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailSpec {
    /// Whose calls, and where the records are.
    pub place: Place,
    /// The key that encrypts log files and buckets.
    pub kms_key: Ref<KeyArn<ForLogs>>,
    /// How the trail's log files are locked. They expire when the lock ends.
    pub retention: Retention,
    /// How disclosure records are locked. They expire when the lock ends.
    pub disclosure_retention: Retention,
    /// After how many days the load balancer's access logs expire.
    pub load_balancer_log_days: u32,
    /// The log group that gets the events too, for alarms.
    pub log_group: Option<TrailLogGroup>,
    /// Data events beside those of the disclosure bucket: ARNs by `AWS::S3::Object`,
    /// `AWS::Lambda::Function`.
    pub data_events: BTreeMap<String, BTreeSet<String>>,
}

impl TrailSpec {
    /// A year for logs, seven years for disclosure records, both under governance: whoever may bypass
    /// it can still remove the stack. Production wants [`LockMode::Compliance`].
    pub fn new(place: Place, kms_key: Ref<KeyArn<ForLogs>>) -> Self {
        Self {
            place,
            kms_key,
            retention: Retention { mode: LockMode::Governance, days: 365 },
            disclosure_retention: Retention { mode: LockMode::Governance, days: 2557 },
            load_balancer_log_days: 365,
            log_group: None,
            data_events: BTreeMap::new(),
        }
    }
}

/// The trail and its buckets. References to a bucket wait until its policy lets its writer in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditTrail {
    /// The trail's name.
    pub trail: Ref<Name>,
    /// Its ARN.
    pub trail_arn: Ref<Arn>,
    /// The bucket with its log files.
    pub trail_bucket: Ref<BucketName>,
    /// The bucket for the record of disclosures.
    pub disclosure_bucket: Ref<BucketName>,
    /// Its ARN.
    pub disclosure_bucket_arn: Ref<BucketArn>,
    /// The bucket for the load balancer's access logs.
    pub load_balancer_log_bucket: Ref<BucketName>,
}

/// Declares `security/trail-logs`, `security/disclosures`, `security/lb-logs` and `security/trail`.
pub fn declare_trail(stack: &mut Stack, spec: &TrailSpec) -> AuditTrail {
    let place = &spec.place;
    let trail_name = stack.name().of("trail");
    let trails = trails_of(stack.name(), place);
    let log_files = LockedBucket {
        thing: "trail-logs",
        classification: "audit-log",
        retention: spec.retention.clone(),
        writers: &|bucket| trail_writes(bucket, &place.account_id, &trails),
    };
    let trail_bucket = declare_locked_bucket(stack, place, &spec.kms_key, log_files).ready();
    let record = LockedBucket {
        thing: "disclosures",
        classification: "disclosure-record",
        retention: spec.disclosure_retention.clone(),
        writers: &|_| Vec::new(),
    };
    let disclosures = declare_locked_bucket(stack, place, &spec.kms_key, record).ready();
    let load_balancer_logs = declare_load_balancer_bucket(stack, spec).ready();

    let mut data_resources = spec.data_events.clone();
    data_resources
        .entry("AWS::S3::Object".into())
        .or_default()
        .insert(format!("{}/", disclosures.arn()));
    let trail = Trail {
        name: trail_name.clone(),
        bucket: trail_bucket.id(),
        key_prefix: None,
        multi_region: true,
        include_global_services: true,
        log_file_validation: true,
        kms_key: Some(spec.kms_key.clone()),
        log_group: spec.log_group.clone(),
        event_selectors: [EventSelector { data_resources, ..EventSelector::management() }].into(),
        logging: true,
        delivery_error: None,
    };
    let tags = BTreeMap::from([("Name".to_owned(), trail_name)]);
    let trail = stack.add_tagged("security/trail", trail, tags);
    AuditTrail {
        trail: trail.id(),
        trail_arn: trail.arn(),
        trail_bucket: trail_bucket.id(),
        disclosure_bucket: disclosures.id(),
        disclosure_bucket_arn: disclosures.arn(),
        load_balancer_log_bucket: load_balancer_logs.id(),
    }
}

/// A bucket for evidence.
pub struct LockedBucket<'a> {
    /// What it is called within the stack; its logical id is `security/{thing}`.
    pub thing: &'a str,
    /// The value of its tag `DataClassification`.
    pub classification: &'a str,
    /// How each new object is locked. It expires when the lock ends.
    pub retention: Retention,
    /// The policy statements that let its writers in, given the bucket's ARN.
    pub writers: &'a dyn Fn(&str) -> Vec<Value>,
}

/// Declares a bucket for evidence: locked, versioned, encrypted with the key, closed to the public, to
/// plain transport and to those who would go around the lock.
pub fn declare_locked_bucket(
    stack: &mut Stack,
    place: &Place,
    kms_key: &Ref<KeyArn<ForLogs>>,
    bucket: LockedBucket<'_>,
) -> Handle<Bucket> {
    let name = Bucket::name_of(stack.name(), bucket.thing, &place.account_id, &place.region);
    let arn = format!("arn:{}:s3:::{name}", place.partition());
    let mut statements = refusals(&arn);
    statements.push(json!({
        "Sid": "NobodyGoesAroundTheLock",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:BypassGovernanceRetention",
        "Resource": format!("{arn}/*"),
    }));
    statements.extend((bucket.writers)(&arn));
    let tags = BTreeMap::from([
        ("Name".to_owned(), name.clone()),
        ("DataClassification".to_owned(), bucket.classification.to_owned()),
        ("RetentionDays".to_owned(), bucket.retention.days.to_string()),
    ]);
    let spec = Bucket {
        object_lock: true,
        policy: Some(Policy::new(statements)),
        lifecycle: expiry(bucket.retention.days),
        retention: Some(bucket.retention),
        ..Bucket::private(name, kms_key.clone())
    };
    stack.add_tagged(format!("security/{}", bucket.thing), spec, tags)
}

fn declare_load_balancer_bucket(stack: &mut Stack, spec: &TrailSpec) -> Handle<Bucket> {
    let place = &spec.place;
    let name = Bucket::name_of(stack.name(), "lb-logs", &place.account_id, &place.region);
    let arn = format!("arn:{}:s3:::{name}", place.partition());
    let mut statements = refusals(&arn);
    statements.push(json!({
        "Sid": "LoadBalancersWrite",
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        // Whatever prefix the load balancer has.
        "Resource": format!("{arn}/*AWSLogs/{}/*", place.account_id),
        "Condition": {
            "ArnLike": {"aws:SourceArn": place.arn("elasticloadbalancing", "loadbalancer/*")},
            "StringEquals": {"aws:SourceAccount": place.account_id},
        },
    }));
    let tags = BTreeMap::from([
        ("Name".to_owned(), name.clone()),
        ("DataClassification".to_owned(), "access-log".to_owned()),
        ("RetentionDays".to_owned(), spec.load_balancer_log_days.to_string()),
    ]);
    let bucket = Bucket {
        encryption: Encryption::SseS3,
        policy: Some(Policy::new(statements)),
        lifecycle: expiry(spec.load_balancer_log_days),
        ..Bucket::private(name, spec.kms_key.clone())
    };
    stack.add_tagged("security/lb-logs", bucket, tags)
}

/// What every bucket refuses.
fn refusals(arn: &str) -> Vec<Value> {
    let everything = [arn.to_owned(), format!("{arn}/*")];
    let deny = |sid: &str, condition: Value| {
        json!({
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": everything,
            "Condition": condition,
        })
    };
    vec![
        deny("NoPlainTransport", json!({"Bool": {"aws:SecureTransport": "false"}})),
        deny("NoOldTls", json!({"NumericLessThan": {"s3:TlsVersion": "1.2"}})),
    ]
}

/// The trails of this project in this account and region, as a pattern. Keys and buckets outlive the
/// trail, so their policies do not name it.
pub(crate) fn trails_of(name: &StackName, place: &Place) -> String {
    place.arn("cloudtrail", &format!("trail/{}-*", name.project))
}

fn trail_writes(bucket: &str, account_id: &str, trails: &str) -> Vec<Value> {
    vec![
        json!({
            "Sid": "TrailLooksAtTheBucket",
            "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": "s3:GetBucketAcl",
            "Resource": bucket,
            "Condition": {"ArnLike": {"aws:SourceArn": trails}},
        }),
        json!({
            "Sid": "TrailWrites",
            "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": format!("{bucket}/AWSLogs/{account_id}/*"),
            "Condition": {
                "ArnLike": {"aws:SourceArn": trails},
                "StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"},
            },
        }),
    ]
}

/// Objects go after so many days; what was overwritten or deleted before, a month after that.
fn expiry(days: u32) -> BTreeMap<String, LifecycleRule> {
    let rule = LifecycleRule {
        enabled: true,
        expire_after_days: Some(days),
        remove_former_versions_after_days: Some(30),
        abort_uploads_after_days: Some(7),
        ..LifecycleRule::default()
    };
    BTreeMap::from([("expire".to_owned(), rule)])
}

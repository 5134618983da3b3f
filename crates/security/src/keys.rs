//! The six keys: one for each store of records, so that deleting a key destroys that store and no
//! other, and one for the logs.
//!
//! No statement of their policies gives everything. The account administers a key without being able to
//! use it; using it takes an IAM policy of the caller *and* the way through the one service that the
//! key is for. So a role with `kms:*` that is not meant to read records cannot decrypt them with a call
//! of its own, and KMS still sees an administrator who can mend the policy.

use std::collections::{BTreeMap, BTreeSet};

use engine::vocabulary::{
    Arn, ForEfs, ForElastiCache, ForKinesis, ForLogs, ForRds, ForSecrets, KeyArn,
};
use engine::{Place, Policy, Ref, Stack};
use serde_json::{Value, json};

use crate::audit_trail::trails_of;
use crate::key::{DELETION_WINDOW_TAG, Key, LONGEST_DELETION_WINDOW};

/// How the keys are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysSpec {
    /// Whose keys, and where.
    pub place: Place,
    /// Days between rotations, 90 to 2560.
    pub rotation_period_days: u32,
    /// Days in which a deletion can be taken back, 7 to 30.
    pub deletion_window_days: u32,
    /// Whether the key for logs also encrypts the sessions of people who enter tasks (ECS execute-command).
    pub sessions: bool,
}

impl KeysSpec {
    /// Yearly rotation, the longest deletion window.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            rotation_period_days: 365,
            deletion_window_days: LONGEST_DELETION_WINDOW,
            sessions: false,
        }
    }
}

/// The keys, by what they are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Aurora: storage, snapshots, performance insights, backups.
    pub rds: Ref<KeyArn<ForRds>>,
    /// ElastiCache.
    pub elasticache: Ref<KeyArn<ForElastiCache>>,
    /// Kinesis.
    pub kinesis: Ref<KeyArn<ForKinesis>>,
    /// EFS, and its backups.
    pub efs: Ref<KeyArn<ForEfs>>,
    /// Secrets Manager.
    pub secrets: Ref<KeyArn<ForSecrets>>,
    /// CloudWatch Logs, CloudTrail, the log buckets and the alarm topic.
    pub logs: Ref<KeyArn<ForLogs>>,
}

/// Declares the keys: `security/key-rds`, `-elasticache`, `-kinesis`, `-efs`, `-secrets`, `-logs`, with
/// the aliases `alias/student-rds-dev`…
pub fn declare_keys(stack: &mut Stack, spec: &KeysSpec) -> Keys {
    let place = &spec.place;
    let store = |services: &[&str], grants| store_policy(place, services, grants);
    let logs = logs_policy(spec, &trails_of(stack.name(), place));
    Keys {
        rds: add(stack, spec, "rds", "Aurora", store(&["rds", "backup"], true)).cast(),
        elasticache: add(stack, spec, "elasticache", "ElastiCache", store(&["elasticache"], true))
            .cast(),
        kinesis: add(stack, spec, "kinesis", "Kinesis", store(&["kinesis"], false)).cast(),
        efs: add(stack, spec, "efs", "EFS", store(&["elasticfilesystem", "backup"], true)).cast(),
        secrets: add(stack, spec, "secrets", "Secrets Manager", store(&["secretsmanager"], false))
            .cast(),
        logs: add(stack, spec, "logs", "logs, the audit trail and its alarms", logs).cast(),
    }
}

fn add(stack: &mut Stack, spec: &KeysSpec, thing: &str, what: &str, policy: Policy) -> Ref<Arn> {
    let name = stack.name().of(thing);
    let key = Key {
        description: format!("{}: {what}", stack.name()),
        alias: Some(format!("alias/{name}")),
        policy,
        rotation_enabled: true,
        rotation_period_days: spec.rotation_period_days,
        enabled: true,
        deletion_window_days: spec.deletion_window_days,
        grants: BTreeSet::new(),
        key_spec: None,
        origin: None,
    };
    let tags = BTreeMap::from([
        ("Name".to_owned(), name),
        (DELETION_WINDOW_TAG.to_owned(), spec.deletion_window_days.to_string()),
    ]);
    stack.add_tagged(format!("security/key-{thing}"), key, tags).arn()
}

/// The policy of a key for one kind of store.
fn store_policy(place: &Place, services: &[&str], grants: bool) -> Policy {
    let mut statements = vec![administration(place), use_through(place, services)];
    if grants {
        statements.push(grants_through(place, services));
    }
    Policy::new(statements)
}

/// The policy of the key for logs.
fn logs_policy(spec: &KeysSpec, ours: &str) -> Policy {
    let place = &spec.place;
    let account = &place.account_id;
    let log_groups = place.arn("logs", "log-group:*");
    let trails = format!("arn:{}:cloudtrail:*:{account}:trail/*", place.partition());
    let mut statements = vec![
        administration(place),
        use_through(place, &["s3", "sns", "firehose"]),
        grants_through(place, &["firehose"]),
        json!({
            "Sid": "LogGroups",
            "Effect": "Allow",
            "Principal": {"Service": format!("logs.{}.amazonaws.com", place.region)},
            "Action": [
                "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*",
                "kms:DescribeKey",
            ],
            "Resource": "*",
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
        }),
        json!({
            "Sid": "TrailWrites",
            "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
            "Resource": "*",
            "Condition": {
                "ArnLike": {"aws:SourceArn": ours},
                "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": trails},
            },
        }),
        json!({
            "Sid": "TrailLooksAtTheKey",
            "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": "kms:DescribeKey",
            "Resource": "*",
            "Condition": {"ArnLike": {"aws:SourceArn": ours}},
        }),
        json!({
            "Sid": "AlarmsReachTheTopic",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }),
    ];
    statements.extend(spec.sessions.then(|| sessions(place)));
    Policy::new(statements)
}

/// Both ends of a session in a task, the one who starts it and the agent in the task, call KMS themselves,
/// with the session in the encryption context.
fn sessions(place: &Place) -> Value {
    json!({
        "Sid": "Sessions",
        "Effect": "Allow",
        "Principal": {"AWS": place.root()},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": "*",
        "Condition": {
            "StringEquals": {"kms:CallerAccount": place.account_id},
            "StringLike": {"kms:EncryptionContext:aws:ssm:SessionId": "*"},
        },
    })
}

/// The account administers the key: everything but using it, and handing out its use by grants. KMS
/// refuses a policy that nobody could change afterwards; `kms:PutKeyPolicy` is here.
fn administration(place: &Place) -> Value {
    json!({
        "Sid": "AccountAdministers",
        "Effect": "Allow",
        "Principal": {"AWS": place.root()},
        "Action": [
            "kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias",
            "kms:DescribeKey", "kms:ListAliases", "kms:ListGrants", "kms:ListKeyPolicies",
            "kms:ListKeyRotations", "kms:ListResourceTags",
            "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:PutKeyPolicy",
            "kms:EnableKey", "kms:DisableKey", "kms:EnableKeyRotation", "kms:DisableKeyRotation",
            "kms:RotateKeyOnDemand", "kms:UpdateKeyDescription",
            "kms:TagResource", "kms:UntagResource",
            "kms:RevokeGrant", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion",
        ],
        "Resource": "*",
    })
}

/// Whoever the account's IAM policies let, but only through these services.
fn use_through(place: &Place, services: &[&str]) -> Value {
    json!({
        "Sid": "UseThroughTheService",
        "Effect": "Allow",
        "Principal": {"AWS": place.root()},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {"StringEquals": through(place, services)},
    })
}

/// Services that work with the key while nobody is calling take a grant for that.
fn grants_through(place: &Place, services: &[&str]) -> Value {
    json!({
        "Sid": "GrantsToTheService",
        "Effect": "Allow",
        "Principal": {"AWS": place.root()},
        "Action": "kms:CreateGrant",
        "Resource": "*",
        "Condition": {
            "Bool": {"kms:GrantIsForAWSResource": "true"},
            "StringEquals": through(place, services),
        },
    })
}

fn through(place: &Place, services: &[&str]) -> Value {
    let services: Vec<String> = services.iter().map(|name| place.via(name)).collect();
    json!({"kms:CallerAccount": place.account_id, "kms:ViaService": services})
}

#[cfg(test)]
mod tests {
    use engine::StackName;

    use super::*;

    fn policies() -> BTreeMap<String, Value> {
        let mut stack = Stack::new(StackName::new("student", "dev"), BTreeMap::new());
        declare_keys(&mut stack, &KeysSpec::new(Place::new("123456789012", "us-east-1")));
        stack.nodes().map(|node| (node.id.to_string(), node.spec["policy"].clone())).collect()
    }

    fn statements(policy: &Value) -> impl Iterator<Item = &Value> {
        policy["Statement"].as_array().unwrap().iter()
    }

    fn actions(statement: &Value) -> Vec<&str> {
        statement["Action"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect()
    }

    #[test]
    fn whoever_uses_a_key_comes_through_a_service_or_an_encryption_context() {
        let all = policies();
        assert_eq!(all.len(), 6);
        for (id, policy) in &all {
            for statement in statements(policy) {
                let uses = actions(statement).iter().any(|action| {
                    ["Encrypt", "Decrypt", "DataKey", "CreateGrant", "*"]
                        .iter()
                        .any(|part| action.contains(part))
                });
                assert!(!uses || statement.get("Condition").is_some(), "{id}: {statement}");
                assert_ne!(statement["Principal"]["AWS"][0], "*", "{id}: {statement}");
            }
        }
    }

    #[test]
    fn sessions_use_the_key_for_logs_only_where_they_are_wanted() {
        let place = Place::new("123456789012", "us-east-1");
        for sessions in [false, true] {
            let spec = KeysSpec { sessions, ..KeysSpec::new(place.clone()) };
            let policy = logs_policy(&spec, "arn:trail").to_string();
            assert_eq!(policy.contains("aws:ssm:SessionId"), sessions);
        }
    }

    #[test]
    fn kms_takes_the_policies_and_the_account_is_not_locked_out() {
        for (id, policy) in &policies() {
            let root = statements(policy).find(|one| one["Sid"] == "AccountAdministers").unwrap();
            assert!(root.get("Condition").is_none());
            for needed in ["kms:PutKeyPolicy", "kms:CancelKeyDeletion", "kms:EnableKeyRotation"] {
                assert!(actions(root).contains(&needed), "{id} lacks {needed}");
            }
            assert!(policy.to_string().len() < 32 * 1024, "KMS takes 32 KiB");
        }
    }
}

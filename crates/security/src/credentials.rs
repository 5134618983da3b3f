//! The credentials of the stores: the database's and the cache's, generated on creation.

use std::collections::BTreeMap;

use engine::vocabulary::{ForSecrets, KeyArn, SecretArn};
use engine::{Place, Policy, Ref, Stack};
use serde_json::json;

use crate::secret::{Content, LONGEST_RECOVERY_WINDOW, RECOVERY_WINDOW_TAG, Rotation, Secret};

/// Which credentials, and how they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsSpec {
    /// Whose secrets, and where.
    pub place: Place,
    /// The key that encrypts them.
    pub kms_key: Ref<KeyArn<ForSecrets>>,
    /// The database user.
    pub username: String,
    /// The database.
    pub database: String,
    /// The database's port.
    pub port: u16,
    /// Who changes the database password, and how often. Without it nobody does.
    pub rotation: Option<Rotation>,
    /// Days in which a deletion can be taken back, 7 to 30.
    pub recovery_window_days: u32,
}

impl CredentialsSpec {
    /// The user `studentadmin` of the database `studentrecords`, no rotation.
    pub fn new(place: Place, kms_key: Ref<KeyArn<ForSecrets>>) -> Self {
        Self {
            place,
            kms_key,
            username: "studentadmin".into(),
            database: "studentrecords".into(),
            port: 5432,
            rotation: None,
            recovery_window_days: LONGEST_RECOVERY_WINDOW,
        }
    }
}

/// The secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The database's: JSON with `username`, `password`, `engine`, `port` and `dbname`.
    pub database: Ref<SecretArn>,
    /// The cache's AUTH token, as plain text.
    pub cache: Ref<SecretArn>,
}

/// Declares `security/db-credentials` (`student-db-credentials-dev`) and `security/cache-auth-token`.
pub fn declare_credentials(stack: &mut Stack, spec: &CredentialsSpec) -> Credentials {
    let database = Secret {
        name: stack.name().of("db-credentials"),
        description: "Credentials of the student records database".into(),
        rotation: spec.rotation.clone(),
        content: Content::DatabaseCredentials {
            username: spec.username.clone(),
            engine: "postgres".into(),
            port: spec.port,
            dbname: Some(spec.database.clone()),
        },
        ..kept(spec)
    };
    let cache = Secret {
        name: stack.name().of("cache-auth-token"),
        description: "AUTH token of the student records cache".into(),
        content: Content::AuthToken { length: 64 },
        ..kept(spec)
    };
    Credentials {
        database: add(stack, "security/db-credentials", database),
        cache: add(stack, "security/cache-auth-token", cache),
    }
}

fn add(stack: &mut Stack, id: &str, secret: Secret) -> Ref<SecretArn> {
    let tags = BTreeMap::from([
        ("Name".to_owned(), secret.name.clone()),
        (RECOVERY_WINDOW_TAG.to_owned(), secret.recovery_window_days.to_string()),
    ]);
    stack.add_tagged(id, secret, tags).arn()
}

/// What both secrets have in common.
fn kept(spec: &CredentialsSpec) -> Secret {
    Secret {
        name: String::new(),
        description: String::new(),
        kms_key: Some(spec.kms_key.clone()),
        policy: Some(nobody_else(&spec.place)),
        rotation: None,
        has_value: true,
        content: Content::Unknown,
        recovery_window_days: spec.recovery_window_days,
    }
}

/// Whatever other policies say, other accounts are kept out. AWS's own services have no account and
/// are let in by nothing here.
fn nobody_else(place: &Place) -> Policy {
    Policy::new(vec![json!({
        "Sid": "NoOtherAccount",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:*",
        "Resource": "*",
        "Condition": {
            "StringNotEquals": {"aws:PrincipalAccount": place.account_id},
            "Bool": {"aws:PrincipalIsAWSService": "false"},
        },
    })])
}

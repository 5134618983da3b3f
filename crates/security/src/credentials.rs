//! The credentials of the stores: the database's and the cache's, generated on creation.

use engine::vocabulary::{ForSecrets, KeyArn, SecretArn};
use engine::{Place, Policy, Ref, Stack, Tags};
use serde_json::json;

use crate::secret::{
    Content, DATABASE_TAG, LONGEST_RECOVERY_WINDOW, RECOVERY_WINDOW_TAG, Rotation, Secret,
};

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
    /// The cluster or instance that has the database: it goes into [`DATABASE_TAG`].
    pub database_identifier: Option<String>,
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
            database_identifier: None,
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
        content: Content::postgres(&spec.username, spec.port, Some(&spec.database)),
        ..kept(spec)
    };
    let cache = Secret {
        name: stack.name().of("cache-auth-token"),
        description: "AUTH token of the student records cache".into(),
        content: Content::AUTH_TOKEN,
        ..kept(spec)
    };
    let identifier = spec.database_identifier.iter();
    let of = identifier.map(|id| (DATABASE_TAG.to_owned(), id.clone())).collect();
    Credentials {
        database: add(stack, "security/db-credentials", database, of),
        cache: add(stack, "security/cache-auth-token", cache, Tags::new()),
    }
}

fn add(stack: &mut Stack, id: &str, secret: Secret, mut tags: Tags) -> Ref<SecretArn> {
    tags.extend([
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

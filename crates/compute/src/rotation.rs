//! Rotation of the database's secret: a function that Secrets Manager calls, its role and its log group.
//!
//! The function sets passwords through the RDS API and never connects to the database, so it needs no
//! place in the network. Its program is `rotation.py`.

use std::collections::BTreeMap;

use engine::vocabulary::{ForLogs, ForSecrets, FunctionArn, KeyArn, LogGroupArn, SecretArn};
use engine::{Place, Ref, Stack};

use crate::function::{Function, Permission};
use crate::log_group::{LogGroupSpec, declare_log_group};
use crate::roles::RotationRole;

/// The program, as it runs.
pub const PROGRAM: &str = include_str!("rotation.py");

/// What the rotation of a database secret needs.
#[derive(Debug, Clone)]
pub struct RotationSpec {
    /// The secret, JSON with `username` and `password` of the cluster's master user.
    pub secret: Ref<SecretArn>,
    /// The key that encrypts it.
    pub secrets_key: Ref<KeyArn<ForSecrets>>,
    /// The cluster's identifier. Names are ours to choose: no reference is needed, and there is no cycle.
    pub cluster_id: String,
    /// The key that encrypts the function's log.
    pub logs_key: Ref<KeyArn<ForLogs>>,
    /// How long its log is kept, in days.
    pub log_retention_days: i32,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The function, once Secrets Manager may call it.
    pub function: Ref<FunctionArn>,
    /// Its log group.
    pub log_group: Ref<LogGroupArn>,
}

/// Declares the function (`compute/rotation`), its role (`compute/rotation-role`) and its log group
/// (`compute/rotation-log`).
pub fn declare(stack: &mut Stack, place: &Place, spec: &RotationSpec) -> Rotation {
    let name = stack.name().of("rotation");
    // The name that Lambda would choose by itself.
    let group = LogGroupSpec::new(format!("/aws/lambda/{name}"), spec.logs_key.clone());
    let group = group.kept_for(spec.log_retention_days);
    let group = declare_log_group(stack, "compute/rotation-log", &group);
    let role = RotationRole {
        function_name: name.clone(),
        secret: spec.secret.clone(),
        secrets_key: spec.secrets_key.clone(),
        cluster_id: spec.cluster_id.clone(),
        log_group: group.arn(),
    };
    let role = role.declare(stack, place);
    let secrets_manager = Permission {
        action: "lambda:InvokeFunction".into(),
        principal: "secretsmanager.amazonaws.com".into(),
        source_account: Some(place.account_id.clone()),
        source_arn: Some(spec.secret.cast()),
    };
    let function = Function {
        description: "Rotates the password of the database's master user".into(),
        environment: BTreeMap::from([("CLUSTER_ID".into(), spec.cluster_id.clone())]),
        // A step waits for up to four minutes.
        timeout_seconds: 300,
        permissions: BTreeMap::from([("secrets-manager".into(), secrets_manager)]),
        ..Function::python(name, role, group.id(), ("rotation", PROGRAM))
    };
    let function = stack.add("compute/rotation", function);
    Rotation { function: function.ready().arn(), log_group: group.arn() }
}

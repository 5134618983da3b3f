//! A secret.

use aws_sdk_secretsmanager::operation::get_resource_policy::GetResourcePolicyOutput;
use aws_sdk_secretsmanager::operation::list_secrets::ListSecretsOutput;
use aws_sdk_secretsmanager::types::SecretListEntry;
use aws_sdk_secretsmanager::types::builders::SecretListEntryBuilder;
use aws_smithy_mocks::{Rule, mock};
use serde_json::{Value, json};

/// The secret `password`, encrypted with AWS's own key, changed.
pub(crate) fn secret(
    change: impl Fn(SecretListEntryBuilder) -> SecretListEntryBuilder + Send + Sync + 'static,
) -> Vec<Rule> {
    vec![mock!(aws_sdk_secretsmanager::Client::list_secrets).then_output(move || {
        let entry = SecretListEntry::builder()
            .arn("arn:aws:secretsmanager:us-east-1:123456789012:secret:password-a1b2c3")
            .name("password");
        ListSecretsOutput::builder().secret_list(change(entry).build()).build()
    })]
}

/// A policy of one statement, or none.
pub(crate) fn secret_policy(statement: Option<Value>) -> Rule {
    mock!(aws_sdk_secretsmanager::Client::get_resource_policy).then_output(move || {
        let policy =
            |statement| json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        let policy = statement.clone().map(policy);
        GetResourcePolicyOutput::builder().set_resource_policy(policy).build()
    })
}

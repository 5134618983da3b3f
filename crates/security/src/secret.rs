//! `secretsmanager.secret`: credentials that nobody has seen, generated on creation, with their policy
//! and their rotation.

use aws_sdk_secretsmanager::types::{RotationRulesType, SecretListEntry, Tag};
pub use engine::credential::Content;
use engine::kind::REVIVE;
use engine::vocabulary::{ForSecrets, FunctionArn, KeyArn, SecretArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Policy, Ref, Resource,
    Result, Scope, Status, Tags, Traits, When, client,
};
use futures::StreamExt;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

/// The tag that keeps [`Secret::recovery_window_days`], which AWS does not show.
pub const RECOVERY_WINDOW_TAG: &str = "ferpa-stack:recovery-window-days";

/// The tag that names the database (its identifier) whose credentials a secret holds. AWS shows that of no
/// secret but those that RDS makes itself.
pub const DATABASE_TAG: &str = "ferpa-stack:database";

/// The longest recovery window, and AWS's default, in days.
pub const LONGEST_RECOVERY_WINDOW: u32 = 30;

/// A secret. Its id is its ARN; the output `name` is its name.
///
/// The value is part of the create call and of nothing else: it is in no field, so no plan, snapshot
/// or log can hold it. Deletion is scheduled; a deploy within the window takes it back, value included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// The name, unique in account and region.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The key that encrypts it; `None` is AWS's own key.
    pub kms_key: Option<Ref<KeyArn<ForSecrets>>>,
    /// The resource policy; `None` is none.
    pub policy: Option<Policy>,
    /// Who changes the value, and how often; `None` is nobody.
    pub rotation: Option<Rotation>,
    /// Whether it has a current value. Without one there is nothing that could be lost, and only then
    /// a value is generated again.
    pub has_value: bool,
    /// What is generated.
    pub content: Content,
    /// How long a deletion can be taken back, in days, 7 to 30. Kept in [`RECOVERY_WINDOW_TAG`].
    pub recovery_window_days: u32,
}

/// Regular change of the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The function that changes it, here and in the store.
    pub function: Ref<FunctionArn>,
    /// Days between changes, 1 to 1000.
    pub days: u32,
}

impl Resource for Secret {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name"],
        late: &["policy", "rotation", "has_value"],
        write_only: &["content", "recovery_window_days"],
        revivable: true,
        not_yet: &[
            // The function's permission for Secrets Manager is not seen everywhere yet.
            ("AccessDeniedException", "cannot invoke the specified Lambda"),
            ("MalformedPolicyDocumentException", "invalid principal"),
        ],
        // The only copy of a store's password: it stays as long as the store does.
        protected: true,
        costly: true,
        permissions: Permissions {
            read: &[
                Allow::to(&["secretsmanager:ListSecrets"]),
                Allow::to(&["secretsmanager:GetResourcePolicy"])
                    .on(&["secretsmanager:{here}:secret:{perhaps}"]),
            ],
            make: &[
                Allow::to(&["secretsmanager:CreateSecret"])
                    .on(&["secretsmanager:{here}:secret:{name}-??????"])
                    .for_stack(),
                Allow::to(&[
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:PutResourcePolicy",
                    "secretsmanager:RotateSecret",
                    "secretsmanager:TagResource",
                ])
                .on(&["secretsmanager:{here}:secret:{name}-??????"]),
                Allow::to(&[
                    "secretsmanager:UpdateSecret",
                    "secretsmanager:DeleteResourcePolicy",
                    "secretsmanager:CancelRotateSecret",
                    "secretsmanager:RestoreSecret",
                    "secretsmanager:UntagResource",
                ])
                .on(&["secretsmanager:{here}:secret:{name}-??????"])
                .of_stack(),
                // Secrets Manager encrypts what it is given in the name of who gives it:
                // https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
                Allow::to(&["kms:GenerateDataKey", "kms:Decrypt"])
                    .on(&["kms:{here}:key/*"])
                    .of_stack()
                    .under(&[When::equals(
                        "kms:ViaService",
                        &["secretsmanager.{region}.amazonaws.com"],
                    )]),
                // Whoever sets a rotation has to be allowed to call its function:
                // https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
                Allow::to(&["lambda:InvokeFunction"]).on(&["lambda:{here}:function:{name}"]),
            ],
            remove: &[Allow::to(&["secretsmanager:DeleteSecret"])
                .on(&["secretsmanager:{here}:secret:{name}-??????"])
                .of_stack()],
        },
        ..Traits::of("secretsmanager.secret")
    };
    type Id = SecretArn;
    type Arn = SecretArn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws, scope).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "secretsmanager:CreateSecret";
        let value = self
            .content
            .generate()
            .ok_or_else(|| Error::invalid(&self.name, "it is not said what the secret holds"))?;
        let call = client!(aws, aws_sdk_secretsmanager)
            .create_secret()
            .name(&self.name)
            .description(&self.description)
            .set_kms_key_id(self.kms_key.as_ref().map(ToString::to_string))
            .secret_string(value.expose_secret())
            .client_request_token(&new.token)
            .set_tags(Some(to_secrets(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let arn = made.arn.ok_or_else(|| Error::incomplete(action, "the secret's ARN"))?;
        let spec = Self { policy: None, rotation: None, has_value: true, ..self.clone() };
        let live = Live::new(arn.clone(), spec).with_arn(arn).with_tags(new.tags.clone());
        Ok(live.with_output("name", Some(&self.name)))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let secrets = client!(aws, aws_sdk_secretsmanager);
        if changes.has(REVIVE) {
            let call = secrets.restore_secret().secret_id(&live.id);
            aws.call("secretsmanager:RestoreSecret", call.send()).await?;
        }
        if changes.any(&["description", "kms_key"]) {
            // Both in one call: a call without one of them would leave it as it is on AWS only.
            let default_key = || "alias/aws/secretsmanager".to_owned();
            let key = self.kms_key.as_ref().map_or_else(default_key, ToString::to_string);
            let call = secrets
                .update_secret()
                .secret_id(&live.id)
                .description(&self.description)
                .kms_key_id(key);
            aws.call("secretsmanager:UpdateSecret", call.send()).await?;
        }
        if changes.has("has_value")
            && let Some(value) = self.content.generate()
        {
            let call =
                secrets.put_secret_value().secret_id(&live.id).secret_string(value.expose_secret());
            aws.call("secretsmanager:PutSecretValue", call.send()).await?;
        }
        // A deletion that is taken back leaves the policy as it was, but it could not be read.
        if changes.any(&["policy", REVIVE]) {
            match &self.policy {
                Some(policy) => {
                    let call = secrets
                        .put_resource_policy()
                        .secret_id(&live.id)
                        .resource_policy(policy.to_string())
                        .block_public_policy(true);
                    aws.call("secretsmanager:PutResourcePolicy", call.send()).await?;
                }
                None => {
                    let call = secrets.delete_resource_policy().secret_id(&live.id);
                    aws.find("secretsmanager:DeleteResourcePolicy", call.send()).await?;
                }
            }
        }
        if changes.has("rotation") {
            match &self.rotation {
                Some(rotation) => {
                    let days = i64::from(rotation.days);
                    // Not now: the store that the function would log in to may not exist yet.
                    let call = secrets
                        .rotate_secret()
                        .secret_id(&live.id)
                        .rotation_lambda_arn(rotation.function.as_str())
                        .rotation_rules(
                            RotationRulesType::builder().automatically_after_days(days).build(),
                        )
                        .rotate_immediately(false);
                    aws.call("secretsmanager:RotateSecret", call.send()).await?;
                }
                None => {
                    let call = secrets.cancel_rotate_secret().secret_id(&live.id);
                    aws.call("secretsmanager:CancelRotateSecret", call.send()).await?;
                }
            }
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let secrets = client!(aws, aws_sdk_secretsmanager);
        if !put.is_empty() {
            let call = secrets.tag_resource().secret_id(&live.id).set_tags(Some(to_secrets(put)));
            aws.call("secretsmanager:TagResource", call.send()).await?;
        }
        if !remove.is_empty() {
            let call =
                secrets.untag_resource().secret_id(&live.id).set_tag_keys(Some(remove.to_vec()));
            aws.call("secretsmanager:UntagResource", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_secretsmanager)
            .delete_secret()
            .secret_id(&live.id)
            .recovery_window_in_days(i64::from(live.spec.recovery_window_days));
        match aws.call("secretsmanager:DeleteSecret", call.send()).await {
            // It is scheduled already.
            Err(Error::Api(error))
                if error.code == "InvalidRequestException"
                    && error.message.contains("deletion") =>
            {
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }
}

async fn list(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Secret>>> {
    let action = "secretsmanager:ListSecrets";
    let call = client!(aws, aws_sdk_secretsmanager)
        .list_secrets()
        .include_planned_deletion(true)
        .into_paginator();
    let pages: Vec<_> = aws.call(action, call.send().try_collect()).await?;
    let secrets = pages.into_iter().flat_map(|page| page.secret_list.unwrap_or_default());
    let reads = secrets.map(|entry| async move {
        let mut live = live(action, entry)?;
        // AWS does not show the policy of a secret that is being deleted.
        if scope.wants(&live.tags) && live.status == Status::Ready {
            let policy = policy(aws, &live.id).await;
            live.read("policy", policy, |spec, policy| spec.policy = policy);
        } else {
            let why = match live.status {
                Status::Deleting => "AWS does not show it while the secret is being deleted",
                _ => "the secret is not of the stack",
            };
            live.leave_out(&["policy"], "secretsmanager:GetResourcePolicy", why);
        }
        Ok(live)
    });
    let found: Vec<Result<_>> = futures::stream::iter(reads).buffer_unordered(8).collect().await;
    found.into_iter().collect()
}

fn live(action: &str, entry: SecretListEntry) -> Result<Live<Secret>> {
    let missing = || Error::incomplete(action, "a secret's ARN and name");
    let arn = entry.arn.ok_or_else(missing)?;
    let name = entry.name.ok_or_else(missing)?;
    let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
    let tags: Tags = entry.tags.unwrap_or_default().into_iter().filter_map(pair).collect();
    let window = tags.get(RECOVERY_WINDOW_TAG).and_then(|days| days.parse().ok());
    let rules = entry.rotation_rules.and_then(|rules| rules.automatically_after_days);
    // AWS goes on showing the function of a rotation that was cancelled.
    let rotation = match (entry.rotation_enabled, entry.rotation_lambda_arn) {
        (Some(true), function) => Some(Rotation {
            function: function.unwrap_or_default().into(),
            days: rules.and_then(|days| u32::try_from(days).ok()).unwrap_or_default(),
        }),
        _ => None,
    };
    let stages = entry.secret_versions_to_stages.unwrap_or_default();
    let spec = Secret {
        description: entry.description.unwrap_or_default(),
        kms_key: entry.kms_key_id.filter(|key| key != "alias/aws/secretsmanager").map(Ref::known),
        policy: None,
        rotation,
        has_value: stages.values().flatten().any(|stage| stage == "AWSCURRENT"),
        content: Content::Unknown,
        recovery_window_days: window.unwrap_or(LONGEST_RECOVERY_WINDOW),
        name: name.clone(),
    };
    let status = if entry.deleted_date.is_some() { Status::Deleting } else { Status::Ready };
    let live = Live::new(arn.clone(), spec).with_arn(arn).with_tags(tags).with_status(status);
    Ok(live.with_output("name", Some(name)))
}

async fn policy(aws: &Aws, id: &str) -> Result<Option<Policy>> {
    let call = client!(aws, aws_sdk_secretsmanager).get_resource_policy().secret_id(id);
    let answer = aws.call("secretsmanager:GetResourcePolicy", call.send()).await?;
    let Some(text) = answer.resource_policy.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let policy = Policy::parse(&text);
    policy.map(Some).map_err(|why| Error::invalid(format!("the policy of secret {id}"), why))
}

fn to_secrets(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_rotation_and_a_lost_value_are_seen() {
        let entry = SecretListEntry::builder()
            .arn("arn:s")
            .name("s")
            .rotation_enabled(false)
            .rotation_lambda_arn("arn:f")
            .secret_versions_to_stages("v", vec!["AWSPENDING".into()])
            .build();
        let found = live("secretsmanager:ListSecrets", entry).unwrap();
        assert_eq!(found.spec.rotation, None);
        assert!(!found.spec.has_value, "a pending version is not a current one");
        assert_eq!(found.status, Status::Ready);
        assert!(live("x", SecretListEntry::builder().name("s").build()).is_err());
    }
}

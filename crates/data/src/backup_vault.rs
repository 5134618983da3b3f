//! `backup.vault`: where AWS Backup keeps recovery points.

use aws_sdk_backup::types::BackupVaultListMember;
use engine::vocabulary::{Arn, ForEfs, KeyArn, Name};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Policy, Poll,
    Readiness, Ref, Resource, Result, Scope, Tags, Traits, When, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::key_arn::key_arn;

/// A backup vault. Its id is its name.
///
/// Outputs: `recovery_points`, how many it holds; `lock_date`, from when on its lock can never be
/// lifted, where somebody has made it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupVault {
    /// The name: 2 to 50 letters, digits, `_` and `-`.
    pub name: String,
    /// The key that encrypts the recovery points of file systems; those of a database keep the key of
    /// the database. AWS's own key where there is none.
    pub key: Option<Ref<KeyArn<ForEfs>>>,
    /// For how long recovery points must be kept, whoever wants to delete them.
    pub lock: Option<VaultLock>,
    /// Who may do what with the vault, beside what IAM allows.
    pub access_policy: Option<Policy>,
}

/// A vault lock in governance mode: those may lift it whom IAM allows to
/// (`backup:DeleteBackupVaultLockConfiguration`). Compliance mode, which nobody can ever lift, is not
/// for a program to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultLock {
    /// Days that a recovery point is kept at least. A rule that keeps them for less fails.
    pub min_retention_days: Option<i64>,
    /// Days that a recovery point is kept at most.
    pub max_retention_days: Option<i64>,
}

impl Resource for BackupVault {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name", "key"],
        late: &["lock", "access_policy"],
        protected: true,
        gone: Poll::MINUTES,
        not_yet: &[
            // Recovery points go one by one before the vault can.
            ("InvalidRequestException", "recovery points"),
        ],
        permissions: Permissions {
            read: &[
                Allow::to(&["backup:ListBackupVaults"]),
                Allow::to(&[
                    "backup:DescribeBackupVault",
                    "backup:GetBackupVaultAccessPolicy",
                    "backup:ListTags",
                ])
                .on(&["backup:{here}:backup-vault:{perhaps}"]),
            ],
            make: &[
                Allow::to(&["backup:CreateBackupVault"])
                    .on(&["backup:{here}:backup-vault:{name}"])
                    .for_stack(),
                Allow::to(&[
                    "backup:PutBackupVaultLockConfiguration",
                    "backup:PutBackupVaultAccessPolicy",
                    "backup:TagResource",
                ])
                .on(&["backup:{here}:backup-vault:{name}"]),
                Allow::to(&[
                    "backup:DeleteBackupVaultLockConfiguration",
                    "backup:DeleteBackupVaultAccessPolicy",
                    "backup:UntagResource",
                ])
                .on(&["backup:{here}:backup-vault:{name}"])
                .of_stack(),
                // https://docs.aws.amazon.com/aws-backup/latest/devguide/create-a-vault.html
                Allow::to(&["backup-storage:MountCapsule"]),
                // https://docs.aws.amazon.com/aws-backup/latest/devguide/using-service-linked-roles-AWSServiceRoleForBackup.html
                Allow::to(&["iam:CreateServiceLinkedRole"])
                    .on(&["iam::{account}:role/aws-service-role/*"])
                    .under(&[When::equals("iam:AWSServiceName", &["backup.amazonaws.com"])]),
                Allow::to(&["kms:CreateGrant"]).on(&["kms:{here}:key/*"]).of_stack().under(&[
                    When::equals("kms:ViaService", &["backup.{region}.amazonaws.com"]),
                    When::is_true("kms:GrantIsForAWSResource"),
                ]),
                Allow::to(&["kms:GenerateDataKey", "kms:Decrypt"])
                    .on(&["kms:{here}:key/*"])
                    .of_stack()
                    .under(&[When::equals("kms:ViaService", &["backup.{region}.amazonaws.com"])]),
                Allow::to(&["kms:RetireGrant"])
                    .on(&["kms:{here}:key/*"])
                    .of_stack()
                    .under(&[When::equals("kms:ViaService", &["backup.{region}.amazonaws.com"])]),
            ],
            remove: &[
                Allow::to(&[
                    "backup:DeleteBackupVaultLockConfiguration",
                    "backup:DeleteBackupVaultAccessPolicy",
                    "backup:ListRecoveryPointsByBackupVault",
                    "backup:DeleteBackupVault",
                ])
                .on(&["backup:{here}:backup-vault:{name}"])
                .of_stack(),
                // Recovery points are ARNs of the services that are backed up. They have the tags that the
                // plan gives them (see `backup`).
                Allow::to(&["backup:DeleteRecoveryPoint"])
                    .on(&[
                        "rds:{here}:cluster-snapshot:awsbackup:*",
                        "backup:{here}:recovery-point:*",
                    ])
                    .of_stack(),
                // Those of Aurora are deleted in the name of the caller:
                // https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupFullAccess.html
                Allow::to(&["rds:DeleteDBClusterSnapshot"])
                    .on(&["rds:{here}:cluster-snapshot:awsbackup:*"])
                    .of_stack()
                    .under(&[When::called_via(&["backup.amazonaws.com"])]),
            ],
        },
        ..Traits::of("backup.vault")
    };
    type Id = Name;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        let call = client!(aws, aws_sdk_backup).list_backup_vaults().into_paginator().items();
        let listed = aws.call("backup:ListBackupVaults", call.send().try_collect()).await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return Collected::failed(error),
        };
        let mut found = Collected::default();
        let mut reads = futures::stream::iter(listed)
            .map(|one| async move { read(aws, scope, &one).await })
            .buffer_unordered(8);
        while let Some(one) = reads.next().await {
            match one {
                Ok(live) => found.live.push(live),
                Err(error) => found.errors.extend(Collected::<Self>::failed(error).errors),
            }
        }
        found
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let call = client!(aws, aws_sdk_backup)
            .create_backup_vault()
            .backup_vault_name(&self.name)
            .set_encryption_key_arn(self.key.as_ref().map(|key| key.as_str().to_owned()))
            .creator_request_id(&new.token)
            .set_backup_vault_tags(Some(new.tags.clone().into_iter().collect()));
        let made = aws.call("backup:CreateBackupVault", call.send()).await?;
        let spec = Self { lock: None, access_policy: None, ..self.clone() };
        let arn = made.backup_vault_arn.unwrap_or_else(|| arn(aws, &self.name));
        Ok(Live::new(&self.name, spec).with_arn(arn).with_tags(new.tags.clone()))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let call = client!(aws, aws_sdk_backup).describe_backup_vault().backup_vault_name(&live.id);
        let vault = aws.call("backup:DescribeBackupVault", call.send()).await?;
        // Vaults of this type had no state before AWS gave them one.
        let word = vault.vault_state.as_ref().map_or("AVAILABLE", |state| state.as_str());
        Ok(Readiness::by_status(word, &["AVAILABLE"], &["FAILED"]))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let backup = client!(aws, aws_sdk_backup);
        if changes.has("lock") {
            match self.lock {
                Some(lock) => {
                    let call = backup
                        .put_backup_vault_lock_configuration()
                        .backup_vault_name(&live.id)
                        .set_min_retention_days(lock.min_retention_days)
                        .set_max_retention_days(lock.max_retention_days);
                    aws.call("backup:PutBackupVaultLockConfiguration", call.send()).await?;
                }
                None => unlock(aws, &live.id).await?,
            }
        }
        if changes.has("access_policy") {
            match &self.access_policy {
                Some(policy) => {
                    let call = backup
                        .put_backup_vault_access_policy()
                        .backup_vault_name(&live.id)
                        .policy(policy.to_string());
                    aws.call("backup:PutBackupVaultAccessPolicy", call.send()).await?;
                }
                None => open(aws, &live.id).await?,
            }
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, live.require_arn("backup:ListBackupVaults")?, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, deletion: &Deletion) -> Result<()> {
        if deletion.allow_data_loss {
            if live.spec.lock.is_some() {
                unlock(aws, &live.id).await?;
            }
            if live.spec.access_policy.is_some() {
                open(aws, &live.id).await?;
            }
            empty(aws, &live.id).await?;
        }
        let call = client!(aws, aws_sdk_backup).delete_backup_vault().backup_vault_name(&live.id);
        aws.call("backup:DeleteBackupVault", call.send()).await?;
        Ok(())
    }
}

fn arn(aws: &Aws, name: &str) -> String {
    aws.arn("backup", &format!("backup-vault:{name}"))
}

async fn unlock(aws: &Aws, vault: &str) -> Result<()> {
    let call = client!(aws, aws_sdk_backup)
        .delete_backup_vault_lock_configuration()
        .backup_vault_name(vault);
    aws.call("backup:DeleteBackupVaultLockConfiguration", call.send()).await?;
    Ok(())
}

/// Takes the access policy away.
async fn open(aws: &Aws, vault: &str) -> Result<()> {
    let call =
        client!(aws, aws_sdk_backup).delete_backup_vault_access_policy().backup_vault_name(vault);
    aws.call("backup:DeleteBackupVaultAccessPolicy", call.send()).await?;
    Ok(())
}

/// Deletes every recovery point. They stay listed until they are gone.
async fn empty(aws: &Aws, vault: &str) -> Result<()> {
    let backup = client!(aws, aws_sdk_backup);
    let call = backup
        .list_recovery_points_by_backup_vault()
        .backup_vault_name(vault)
        .into_paginator()
        .items();
    let action = "backup:ListRecoveryPointsByBackupVault";
    let points = aws.find(action, call.send().try_collect()).await?;
    for point in points.into_iter().flatten() {
        let deleting = point.status.as_ref().is_some_and(|status| status.as_str() == "DELETING");
        let Some(arn) = point.recovery_point_arn.filter(|_| !deleting) else { continue };
        let call = backup.delete_recovery_point().backup_vault_name(vault).recovery_point_arn(arn);
        aws.find("backup:DeleteRecoveryPoint", call.send()).await?;
    }
    Ok(())
}

async fn read(aws: &Aws, scope: &Scope, one: &BackupVaultListMember) -> Result<Live<BackupVault>> {
    let mut live = described(aws, one)?;
    if !scope.may_be_ours(&live.id) {
        return Ok(live);
    }
    live.tags = tags_of(aws, live.require_arn("backup:ListBackupVaults")?).await?;
    if scope.wants(&live.tags) {
        let call = client!(aws, aws_sdk_backup)
            .get_backup_vault_access_policy()
            .backup_vault_name(&live.id);
        let policy = aws.find("backup:GetBackupVaultAccessPolicy", call.send()).await;
        let policy = policy.and_then(|answer| {
            let text = answer.and_then(|answer| answer.policy);
            let policy = text.map(|text| Policy::parse(&text)).transpose();
            policy.map_err(|why| Error::invalid(format!("the policy of {}", live.id), why))
        });
        live.read("access_policy", policy, |spec, policy| spec.access_policy = policy);
    }
    Ok(live)
}

fn described(aws: &Aws, one: &BackupVaultListMember) -> Result<Live<BackupVault>> {
    let name = one.backup_vault_name();
    let name =
        name.ok_or_else(|| Error::incomplete("backup:ListBackupVaults", "a vault's name"))?;
    let lock = VaultLock {
        min_retention_days: one.min_retention_days(),
        max_retention_days: one.max_retention_days(),
    };
    let spec = BackupVault {
        name: name.to_owned(),
        key: one.encryption_key_arn().map(|key| key_arn(aws, key)),
        lock: (one.locked() == Some(true)).then_some(lock),
        access_policy: None,
    };
    let arn = one.backup_vault_arn().map_or_else(|| arn(aws, name), str::to_owned);
    Ok(Live::new(name, spec)
        .with_arn(arn)
        .with_output("recovery_points", Some(one.number_of_recovery_points().to_string()))
        .with_output("lock_date", one.lock_date().map(ToString::to_string)))
}

/// The tags of a vault or a plan.
pub(crate) async fn tags_of(aws: &Aws, arn: &str) -> Result<Tags> {
    let mut tags = Tags::new();
    let mut next = None;
    loop {
        let call = client!(aws, aws_sdk_backup).list_tags().resource_arn(arn).set_next_token(next);
        let call = call.customize().mutate_request(|request| {
            // The API's address ends in a slash, which the SDK leaves out; not every server forgives that.
            let (path, query) = match request.uri().split_once('?') {
                Some((path, query)) => (path, format!("?{query}")),
                None => (request.uri(), String::new()),
            };
            let uri = format!("{}/{query}", path.trim_end_matches('/'));
            // What was an address stays one with a slash in it.
            let _ = request.set_uri(uri);
        });
        let page = aws.call("backup:ListTags", call.send()).await?;
        tags.extend(page.tags.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            return Ok(tags);
        }
    }
}

/// Sets and removes tags of a vault or a plan.
pub(crate) async fn retag(aws: &Aws, arn: &str, put: &Tags, remove: &[String]) -> Result<()> {
    let backup = client!(aws, aws_sdk_backup);
    if !put.is_empty() {
        let tags = put.clone().into_iter().collect();
        let call = backup.tag_resource().resource_arn(arn).set_tags(Some(tags));
        aws.call("backup:TagResource", call.send()).await?;
    }
    if !remove.is_empty() {
        let keys = remove.to_vec();
        let call = backup.untag_resource().resource_arn(arn).set_tag_key_list(Some(keys));
        aws.call("backup:UntagResource", call.send()).await?;
    }
    Ok(())
}

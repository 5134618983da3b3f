//! `efs.file_system`: a file system, with its lifecycle, its policy and its backups.

use aws_sdk_efs::types::{
    BackupPolicy, FileSystemDescription, LifecyclePolicy, PerformanceMode, Status as BackupStatus,
    Tag, ThroughputMode, TransitionToArchiveRules, TransitionToIaRules,
    TransitionToPrimaryStorageClassRules,
};
use engine::vocabulary::{FileSystemArn, FileSystemId, ForEfs, HostName, KeyArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Handle, Live, New, Permissions, Policy, Poll,
    Readiness, Ref, Resource, Result, Scope, Status, Tags, Traits, When, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::exists::told_apart;
use crate::key_arn::key_arn;

/// A file system.
///
/// Outputs: `dns_name`, the host name to mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// The creation token: a name that AWS takes once, 1 to 64 characters.
    pub creation_token: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The key that encrypts it.
    pub key: Option<Ref<KeyArn<ForEfs>>>,
    /// `generalPurpose` or `maxIO`.
    pub performance_mode: String,
    /// How throughput is granted.
    pub throughput: Throughput,
    /// When files move to cheaper storage, and back.
    pub lifecycle: Lifecycle,
    /// Who may mount it and how; `None` lets everybody mount it who reaches it. Statements are about
    /// this file system: they have no `Resource`, which is filled in on the way to AWS.
    pub policy: Option<Policy>,
    /// Whether AWS Backup backs it up daily, beside any plan of ours.
    pub backups: bool,
}

/// How throughput is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Throughput {
    /// By use.
    Elastic,
    /// By size, with credits.
    Bursting,
    /// As much as this, in MiB per second.
    Provisioned(u32),
}

/// When files move to cheaper storage. Days of no access: 1, 7, 14, 30, 60, 90, 180, 270 or 365.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifecycle {
    /// Days until files move to infrequent access.
    pub infrequent_access_after_days: Option<u16>,
    /// Days until files move to the archive.
    pub archive_after_days: Option<u16>,
    /// Whether files move back when they are read.
    pub back_on_access: bool,
}

/// The file system's host name.
pub fn dns_name(file_system: &Handle<FileSystem>) -> Ref<HostName> {
    file_system.output("dns_name")
}

impl Resource for FileSystem {
    const TRAITS: Traits = Traits {
        name: Some("creation_token"),
        immutable: &["creation_token", "encrypted", "key", "performance_mode"],
        late: &["lifecycle", "policy"],
        late_when_ready: true,
        protected: true,
        ready: Poll::MINUTES.expecting(10),
        gone: Poll::MINUTES.expecting(5),
        not_yet: &[("IncorrectFileSystemLifeCycleState", "")],
        permissions: Permissions {
            read: &[
                Allow::to(&["elasticfilesystem:DescribeFileSystems"]),
                Allow::to(&[
                    "elasticfilesystem:DescribeLifecycleConfiguration",
                    "elasticfilesystem:DescribeFileSystemPolicy",
                    "elasticfilesystem:DescribeBackupPolicy",
                ])
                .on(&["elasticfilesystem:{here}:file-system/*"])
                .of_stack(),
            ],
            make: &[
                Allow::to(&["elasticfilesystem:CreateFileSystem"])
                    .for_stack()
                    .under(&[When::is_true("elasticfilesystem:Encrypted")]),
                Allow::to(&["elasticfilesystem:TagResource"])
                    .on(&["elasticfilesystem:{here}:*/*"])
                    .for_stack()
                    .under(&[When::equals(
                        "elasticfilesystem:CreateAction",
                        &["CreateFileSystem"],
                    )]),
                // EFS works with the key by a grant: https://docs.aws.amazon.com/efs/latest/ug/EFSKMS.html
                Allow::to(&["kms:CreateGrant"]).on(&["kms:{here}:key/*"]).of_stack().under(&[
                    When::equals("kms:ViaService", &["elasticfilesystem.{region}.amazonaws.com"]),
                    When::is_true("kms:GrantIsForAWSResource"),
                ]),
                Allow::to(&["kms:GenerateDataKey", "kms:Decrypt"])
                    .on(&["kms:{here}:key/*"])
                    .of_stack()
                    .under(&[When::equals(
                        "kms:ViaService",
                        &["elasticfilesystem.{region}.amazonaws.com"],
                    )]),
                Allow::to(&["iam:CreateServiceLinkedRole"])
                    .on(&["iam::{account}:role/aws-service-role/*"])
                    .under(&[When::equals(
                        "iam:AWSServiceName",
                        &["elasticfilesystem.amazonaws.com"],
                    )]),
                Allow::to(&[
                    "elasticfilesystem:UpdateFileSystem",
                    "elasticfilesystem:PutLifecycleConfiguration",
                    "elasticfilesystem:PutBackupPolicy",
                    "elasticfilesystem:PutFileSystemPolicy",
                    "elasticfilesystem:DeleteFileSystemPolicy",
                ])
                .on(&["elasticfilesystem:{here}:file-system/*"])
                .of_stack(),
                Allow::to(&["elasticfilesystem:TagResource", "elasticfilesystem:UntagResource"])
                    .on(&["elasticfilesystem:{here}:*/*"])
                    .of_stack(),
            ],
            remove: &[Allow::to(&["elasticfilesystem:DeleteFileSystem"])
                .on(&["elasticfilesystem:{here}:file-system/*"])
                .of_stack()],
        },
        ..Traits::of("efs.file_system")
    };
    type Id = FileSystemId;
    type Arn = FileSystemArn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        let all = match list(aws).await {
            Ok(all) => all,
            Err(error) => return Collected::failed(error),
        };
        let live = futures::stream::iter(all)
            .map(|one| async move {
                let live = described(aws, &one);
                // Three requests for each file system: only where the answers matter.
                if scope.wants(&live.tags) { with_details(aws, live).await } else { live }
            })
            .buffer_unordered(8)
            .collect()
            .await;
        Collected::of(live)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let call = client!(aws, aws_sdk_efs)
            .create_file_system()
            .creation_token(&self.creation_token)
            .encrypted(self.encrypted)
            .set_kms_key_id(self.key.as_ref().map(|key| key.as_str().to_owned()))
            .performance_mode(PerformanceMode::from(self.performance_mode.as_str()))
            .throughput_mode(self.throughput.mode())
            .set_provisioned_throughput_in_mibps(self.throughput.provisioned())
            .backup(self.backups)
            .set_tags(Some(tags(&new.tags)?));
        let made = aws.call("elasticfilesystem:CreateFileSystem", call.send()).await;
        let made = made.map_err(told_apart)?;
        // What AWS sets on a new file system.
        let spec = Self { lifecycle: Lifecycle::default(), policy: None, ..self.clone() };
        let arn = made.file_system_arn.unwrap_or_else(|| arn(aws, &made.file_system_id));
        let dns_name = host(aws, &made.file_system_id);
        Ok(Live::new(made.file_system_id, spec)
            .with_arn(arn)
            .with_tags(new.tags.clone())
            .with_output("dns_name", Some(dns_name))
            .with_status(Status::Pending("creating".into())))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let word = find(aws, &live.id).await?.life_cycle_state;
        Ok(Readiness::by_status(word.as_str(), &["available"], &["error"]))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let efs = client!(aws, aws_sdk_efs);
        if changes.has("throughput") {
            let call = efs
                .update_file_system()
                .file_system_id(&live.id)
                .throughput_mode(self.throughput.mode())
                .set_provisioned_throughput_in_mibps(self.throughput.provisioned());
            aws.call("elasticfilesystem:UpdateFileSystem", call.send()).await?;
        }
        if changes.has("lifecycle") {
            let call = efs
                .put_lifecycle_configuration()
                .file_system_id(&live.id)
                .set_lifecycle_policies(Some(self.lifecycle.to_sdk()));
            aws.call("elasticfilesystem:PutLifecycleConfiguration", call.send()).await?;
        }
        if changes.has("policy") {
            self.guard(aws, live).await?;
        }
        if changes.has("backups") {
            let status = if self.backups { BackupStatus::Enabled } else { BackupStatus::Disabled };
            let policy = BackupPolicy::builder().status(status).build();
            let policy = policy.map_err(|why| Error::invalid("the backup policy", why))?;
            let call = efs.put_backup_policy().file_system_id(&live.id).backup_policy(policy);
            aws.call("elasticfilesystem:PutBackupPolicy", call.send()).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_efs).delete_file_system().file_system_id(&live.id);
        aws.call("elasticfilesystem:DeleteFileSystem", call.send()).await?;
        Ok(())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        Ok(find(aws, &live.id).await?.life_cycle_state.as_str() == "deleted")
    }
}

impl FileSystem {
    async fn guard(&self, aws: &Aws, live: &Live<Self>) -> Result<()> {
        let efs = client!(aws, aws_sdk_efs);
        let Some(policy) = &self.policy else {
            let call = efs.delete_file_system_policy().file_system_id(&live.id);
            aws.call("elasticfilesystem:DeleteFileSystemPolicy", call.send()).await?;
            return Ok(());
        };
        let policy = about(policy, live.require_arn("elasticfilesystem:DescribeFileSystems")?);
        let call = efs.put_file_system_policy().file_system_id(&live.id).policy(policy.to_string());
        aws.call("elasticfilesystem:PutFileSystemPolicy", call.send()).await?;
        Ok(())
    }
}

impl Throughput {
    fn mode(self) -> ThroughputMode {
        match self {
            Self::Elastic => ThroughputMode::Elastic,
            Self::Bursting => ThroughputMode::Bursting,
            Self::Provisioned(_) => ThroughputMode::Provisioned,
        }
    }

    fn provisioned(self) -> Option<f64> {
        match self {
            Self::Provisioned(mibps) => Some(f64::from(mibps)),
            _ => None,
        }
    }

    fn of(file_system: &FileSystemDescription) -> Self {
        match file_system.throughput_mode() {
            Some(ThroughputMode::Elastic) => Self::Elastic,
            Some(ThroughputMode::Provisioned) => {
                // Whole numbers are all that we set; AWS allows fractions.
                let mibps = file_system.provisioned_throughput_in_mibps().unwrap_or_default();
                Self::Provisioned(mibps.round() as u32)
            }
            _ => Self::Bursting,
        }
    }
}

impl Lifecycle {
    /// AWS wants each rule in an object of its own.
    fn to_sdk(self) -> Vec<LifecyclePolicy> {
        let mut rules = Vec::new();
        if let Some(days) = self.infrequent_access_after_days {
            let rule = TransitionToIaRules::from(after(days).as_str());
            rules.push(LifecyclePolicy::builder().transition_to_ia(rule).build());
        }
        if let Some(days) = self.archive_after_days {
            let rule = TransitionToArchiveRules::from(after(days).as_str());
            rules.push(LifecyclePolicy::builder().transition_to_archive(rule).build());
        }
        if self.back_on_access {
            let rule = TransitionToPrimaryStorageClassRules::After1Access;
            rules
                .push(LifecyclePolicy::builder().transition_to_primary_storage_class(rule).build());
        }
        rules
    }

    fn of(rules: &[LifecyclePolicy]) -> Self {
        let mut lifecycle = Self::default();
        for rule in rules {
            if let Some(rule) = rule.transition_to_ia() {
                lifecycle.infrequent_access_after_days = days(rule.as_str());
            }
            if let Some(rule) = rule.transition_to_archive() {
                lifecycle.archive_after_days = days(rule.as_str());
            }
            lifecycle.back_on_access |= rule.transition_to_primary_storage_class().is_some();
        }
        lifecycle
    }
}

fn after(days: u16) -> String {
    if days == 1 { "AFTER_1_DAY".into() } else { format!("AFTER_{days}_DAYS") }
}

fn days(rule: &str) -> Option<u16> {
    rule.strip_prefix("AFTER_")?.split('_').next()?.parse().ok()
}

/// The policy with its statements about this file system.
fn about(policy: &Policy, arn: &str) -> Policy {
    each_statement(policy, |statement| {
        if !statement.contains_key("Resource") && !statement.contains_key("NotResource") {
            statement.insert("Resource".into(), json!([arn]));
        }
    })
}

/// The inverse of [`about`]: AWS shows the resource even where none was given.
fn without_own(policy: &Policy, arn: &str) -> Policy {
    each_statement(policy, |statement| {
        if statement.get("Resource") == Some(&json!([arn])) {
            statement.remove("Resource");
        }
    })
}

fn each_statement(policy: &Policy, change: impl Fn(&mut serde_json::Map<String, Value>)) -> Policy {
    let mut document = policy.document().clone();
    if let Some(statements) = document.get_mut("Statement").and_then(Value::as_array_mut) {
        statements.iter_mut().filter_map(Value::as_object_mut).for_each(change);
    }
    Policy::from(document)
}

/// Tags as EFS wants them.
pub(crate) fn tags(tags: &Tags) -> Result<Vec<Tag>> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter()
        .map(tag)
        .collect::<std::result::Result<_, _>>()
        .map_err(|why| Error::invalid("a tag", why))
}

/// The tags that a describe call gave.
pub(crate) fn from_efs(tags: &[Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

/// Sets and removes tags of a file system or an access point.
pub(crate) async fn retag(aws: &Aws, id: &str, put: &Tags, remove: &[String]) -> Result<()> {
    let efs = client!(aws, aws_sdk_efs);
    if !put.is_empty() {
        let call = efs.tag_resource().resource_id(id).set_tags(Some(tags(put)?));
        aws.call("elasticfilesystem:TagResource", call.send()).await?;
    }
    if !remove.is_empty() {
        let call = efs.untag_resource().resource_id(id).set_tag_keys(Some(remove.to_vec()));
        aws.call("elasticfilesystem:UntagResource", call.send()).await?;
    }
    Ok(())
}

fn arn(aws: &Aws, id: &str) -> String {
    aws.arn("elasticfilesystem", &format!("file-system/{id}"))
}

fn host(aws: &Aws, id: &str) -> String {
    let suffix = if aws.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("{id}.efs.{}.{suffix}", aws.region())
}

/// Every file system, without details.
pub(crate) async fn list(aws: &Aws) -> Result<Vec<FileSystemDescription>> {
    let call = client!(aws, aws_sdk_efs).describe_file_systems().into_paginator().items();
    let action = "elasticfilesystem:DescribeFileSystems";
    aws.once(action, aws.call(action, call.send().try_collect())).await
}

async fn find(aws: &Aws, id: &str) -> Result<FileSystemDescription> {
    let action = "elasticfilesystem:DescribeFileSystems";
    let call = client!(aws, aws_sdk_efs).describe_file_systems().file_system_id(id);
    let answer = aws.call(action, call.send()).await?;
    let first = answer.file_systems.and_then(|found| found.into_iter().next());
    first.ok_or_else(|| Error::incomplete(action, "the file system"))
}

fn described(aws: &Aws, one: &FileSystemDescription) -> Live<FileSystem> {
    let spec = FileSystem {
        creation_token: one.creation_token().to_owned(),
        encrypted: one.encrypted() == Some(true),
        key: one.kms_key_id().map(|key| key_arn(aws, key)),
        performance_mode: one.performance_mode().as_str().to_owned(),
        throughput: Throughput::of(one),
        lifecycle: Lifecycle::default(),
        policy: None,
        backups: false,
    };
    let id = one.file_system_id();
    let arn = one.file_system_arn().map_or_else(|| arn(aws, id), str::to_owned);
    let word = one.life_cycle_state().as_str();
    // While an attribute changes, or one zone is out, it works.
    let good = &["available", "updating"];
    Live::new(id, spec)
        .with_arn(arn)
        .with_tags(from_efs(one.tags()))
        .with_status(Status::by_word(word, good, &["error"], &["deleting", "deleted"]))
        .with_output("dns_name", Some(host(aws, id)))
}

async fn with_details(aws: &Aws, mut live: Live<FileSystem>) -> Live<FileSystem> {
    let efs = client!(aws, aws_sdk_efs);
    let id = live.id.clone();
    let lifecycle = efs.describe_lifecycle_configuration().file_system_id(&id);
    let policy = efs.describe_file_system_policy().file_system_id(&id);
    let backups = efs.describe_backup_policy().file_system_id(&id);
    let (lifecycle, policy, backups) = futures::join!(
        aws.call("elasticfilesystem:DescribeLifecycleConfiguration", lifecycle.send()),
        aws.find("elasticfilesystem:DescribeFileSystemPolicy", policy.send()),
        aws.find("elasticfilesystem:DescribeBackupPolicy", backups.send()),
    );
    live.read("lifecycle", lifecycle, |spec, answer| {
        spec.lifecycle = Lifecycle::of(answer.lifecycle_policies());
    });
    let arn = live.arn.clone().unwrap_or_default();
    let policy = policy.and_then(|answer| {
        let text = answer.and_then(|answer| answer.policy);
        let policy = text.map(|text| Policy::parse(&text)).transpose();
        let policy = policy.map_err(|why| Error::invalid(format!("the policy of {id}"), why))?;
        Ok(policy.map(|policy| without_own(&policy, &arn)))
    });
    live.read("policy", policy, |spec, policy| spec.policy = policy);
    live.read("backups", backups, |spec, answer| {
        let policy = answer.and_then(|answer| answer.backup_policy);
        let on = [BackupStatus::Enabled, BackupStatus::Enabling];
        spec.backups = policy.is_some_and(|policy| on.contains(policy.status()));
    });
    live
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifecycle_rules_are_read_as_they_were_written() {
        let lifecycle = Lifecycle {
            infrequent_access_after_days: Some(1),
            archive_after_days: Some(90),
            back_on_access: true,
        };
        assert_eq!(lifecycle.to_sdk().len(), 3, "AWS takes one rule an object");
        assert_eq!(Lifecycle::of(&lifecycle.to_sdk()), lifecycle);
    }

    #[test]
    fn a_policy_names_its_file_system_only_on_the_way() {
        let policy =
            Policy::new(vec![json!({"Effect": "Deny", "Principal": "*", "Action": "x:Y"})]);
        let sent = about(&policy, "arn:fs");
        assert_eq!(sent.document()["Statement"][0]["Resource"], json!(["arn:fs"]));
        assert_eq!(without_own(&sent, "arn:fs"), policy);
        assert_ne!(without_own(&sent, "arn:other"), policy, "another file system is a difference");
    }
}

//! `rds.cluster`: an Aurora cluster: the storage, its backups, its keys and its endpoints. Its
//! instances are kinds of their own.

use std::collections::BTreeSet;

use aws_sdk_rds::types::{
    CloudwatchLogsExportConfiguration, DbCluster as Described, ServerlessV2ScalingConfiguration,
};
use engine::credential::Content;
use engine::vocabulary::{
    DbClusterArn, DbClusterId, ForRds, HostName, Id, KeyArn, LogGroupName, Name, SecretArn,
    SecurityGroupId,
};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Handle, Live, New, Permissions, Poll,
    Readiness, Ref, Resource, Result, Scope, Status, Tags, Traits, When, client, wait,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::db_instance;
use crate::exists::already;
use crate::rds::{from_rds, managed_secret, retag, to_rds};
use crate::secret;
use crate::version::{is_same_or_newer_minor, major};

/// AWS's words for a cluster that works.
const GOOD: &[&str] = &["available", "backing-up"];
/// AWS's words for a cluster that will not work by itself. Its data may still be there.
const BAD: &[&str] = &[
    "failed",
    "cloning-failed",
    "migration-failed",
    "inaccessible-encryption-credentials",
    "inaccessible-encryption-credentials-recoverable",
];

/// A DB cluster.
///
/// Outputs: `endpoint` (of the writer), `reader_endpoint`, `port`, `resource_id` (`cluster-…`, which
/// IAM policies for database users name).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DbCluster {
    /// Its name: 1 to 63 lower-case letters, digits and single hyphens, a letter first, no hyphen
    /// last.
    pub identifier: String,
    /// `aurora-postgresql`.
    pub engine: String,
    /// The engine's version: `17`, or `17.6`. AWS completes a major version, and moves minor ones on.
    pub engine_version: String,
    /// The database that the cluster begins with.
    pub database_name: Option<String>,
    /// The user that may do everything but be superuser.
    pub master_username: String,
    /// The secret with that user's password, in its field `password`. Needed when the cluster is made,
    /// and never kept.
    pub master_secret: Option<Ref<SecretArn>>,
    /// The port.
    pub port: i32,
    /// The subnet group.
    pub subnet_group: Ref<Name>,
    /// The security groups.
    pub security_groups: BTreeSet<Ref<SecurityGroupId>>,
    /// Whether data, logs, backups and snapshots are encrypted.
    pub storage_encrypted: bool,
    /// The key for that.
    pub kms_key: Option<Ref<KeyArn<ForRds>>>,
    /// How long automatic backups are kept, in days: 1 to 35.
    pub backup_retention_days: i32,
    /// When automatic backups are taken, in UTC: `hh:mm-hh:mm`.
    pub backup_window: String,
    /// When AWS may maintain it, in UTC: `ddd:hh:mm-ddd:hh:mm`.
    pub maintenance_window: String,
    /// The capacity of serverless instances.
    pub scaling: Option<ServerlessScaling>,
    /// The logs that go to CloudWatch: `postgresql`.
    pub log_exports: BTreeSet<String>,
    /// The log group that they go to, which AWS derives from the identifier. To be given by whoever
    /// makes the log group (with its key and retention), so that AWS does not make one without.
    pub log_group: Option<Ref<LogGroupName>>,
    /// Whether database users may sign in with IAM.
    pub iam_authentication: bool,
    /// Whether AWS refuses to delete it.
    pub deletion_protection: bool,
    /// Whether snapshots get the cluster's tags.
    pub copy_tags_to_snapshot: bool,
    /// The parameter group.
    pub parameter_group: Ref<Name>,
    /// Its instances, as AWS lists them. Not to be set: an instance names its cluster. Here it keeps
    /// the instances of a cluster that stays when the rest of a stack is destroyed.
    #[serde(default)]
    pub members: BTreeSet<String>,
    /// The ARN of the secret in which RDS itself keeps and rotates the master user's password. Read
    /// for who inspects it; this project's clusters have a [`master_secret`](Self::master_secret).
    #[serde(default)]
    pub managed_secret: Option<String>,
    /// The instances that have to restart before the parameter group's values hold. Read for who
    /// inspects it: it is the [parameter group](crate::DbClusterParameterGroup) that restarts them.
    #[serde(default)]
    pub restart_pending: BTreeSet<String>,
    /// Whether somebody has stopped it. (AWS starts it again by itself after seven days.) Not to be asked for: what is
    /// found stopped is started.
    #[serde(default)]
    pub stopped: bool,
}

/// What serverless instances may use, in Aurora capacity units (2 GiB of memory each).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ServerlessScaling {
    /// At least, in steps of 0.5.
    pub min_capacity: f64,
    /// At most, in steps of 0.5.
    pub max_capacity: f64,
}

/// The host name of the writer.
pub fn endpoint(cluster: &Handle<DbCluster>) -> Ref<HostName> {
    cluster.output("endpoint")
}

/// The host name behind which the readers are.
pub fn reader_endpoint(cluster: &Handle<DbCluster>) -> Ref<HostName> {
    cluster.output("reader_endpoint")
}

/// The id by which IAM policies know the cluster: `cluster-…`.
pub fn resource_id(cluster: &Handle<DbCluster>) -> Ref<Id> {
    cluster.output("resource_id")
}

impl Resource for DbCluster {
    const TRAITS: Traits = Traits {
        name: Some("identifier"),
        immutable: &[
            "identifier",
            "engine",
            "database_name",
            "master_username",
            "subnet_group",
            "storage_encrypted",
            "kms_key",
        ],
        // Not set at all; late is what lets go before deletion.
        late: &["members", "restart_pending"],
        write_only: &["master_secret", "log_group", "members", "managed_secret", "restart_pending"],
        protected: true,
        ready: Poll::LONG.expecting(60),
        gone: Poll::LONG.expecting(120),
        not_yet: &[
            ("DBSubnetGroupNotFoundFault", ""),
            ("DBClusterParameterGroupNotFound", ""),
            ("DBClusterParameterGroupNotFoundFault", ""),
            ("InvalidParameterValue", "Invalid security group"),
            // The key's policy is not everywhere yet.
            ("KMSKeyNotAccessibleFault", ""),
            // Another change is under way, or instances are on their way out.
            ("InvalidDBClusterStateFault", ""),
        ],
        attached_by: &[("subnet_group", "rds.subnet_group")],
        permissions: Permissions {
            read: &[Allow::to(&["rds:DescribeDBClusters"])],
            make: &[
                Allow::to(&["rds:CreateDBCluster"]).on(&[
                    "rds:{here}:cluster:{name}",
                    "rds:{here}:cluster-pg:{name}",
                    "rds:{here}:cluster-pg:{successor}",
                    "rds:{here}:subgrp:{name}",
                    "rds:{here}:og:default:*",
                ]),
                Allow::to(&["rds:ModifyDBCluster"]).on(&[
                    "rds:{here}:cluster:{name}",
                    "rds:{here}:cluster-pg:{name}",
                    "rds:{here}:cluster-pg:{successor}",
                    "rds:{here}:og:default:*",
                ]),
                Allow::to(&["rds:AddTagsToResource"]).on(&["rds:{here}:cluster:{name}"]),
                Allow::to(&["rds:RemoveTagsFromResource", "rds:StartDBCluster"])
                    .on(&["rds:{here}:cluster:{name}"])
                    .of_stack(),
                Allow::to(&["rds:RebootDBInstance"])
                    .on(&["rds:{here}:db:{name}", "rds:{here}:db:{successor}"])
                    .of_stack(),
                Allow::to(&["iam:CreateServiceLinkedRole"])
                    .on(&["iam::{account}:role/aws-service-role/*"])
                    .under(&[When::equals("iam:AWSServiceName", &["rds.amazonaws.com"])]),
                // RDS works with the key in the name of who makes the cluster:
                // https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html
                Allow::to(&["kms:CreateGrant"]).on(&["kms:{here}:key/*"]).of_stack().under(&[
                    When::equals("kms:ViaService", &["rds.{region}.amazonaws.com"]),
                    When::is_true("kms:GrantIsForAWSResource"),
                ]),
                Allow::to(&["kms:GenerateDataKey", "kms:Decrypt"])
                    .on(&["kms:{here}:key/*"])
                    .of_stack()
                    .under(&[When::equals("kms:ViaService", &["rds.{region}.amazonaws.com"])]),
                // Its password is generated anew when it is made (see `secret`).
                Allow::to(&["secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue"])
                    .on(&["secretsmanager:{here}:secret:{name}-??????"]),
                Allow::to(&["kms:GenerateDataKey", "kms:Decrypt"])
                    .on(&["kms:{here}:key/*"])
                    .of_stack()
                    .under(&[When::equals(
                        "kms:ViaService",
                        &["secretsmanager.{region}.amazonaws.com"],
                    )]),
            ],
            remove: &[
                Allow::to(&["rds:ModifyDBCluster", "rds:DeleteDBCluster"])
                    .on(&["rds:{here}:cluster:{name}"])
                    .of_stack(),
                // The final snapshot, whose name is cut where it is long, takes the tags of the cluster:
                // https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html
                Allow::to(&[
                    "rds:DeleteDBCluster",
                    "rds:CreateDBClusterSnapshot",
                    "rds:AddTagsToResource",
                ])
                .on(&["rds:{here}:cluster-snapshot:{project}-*-final-*"]),
                Allow::to(&["rds:CreateDBClusterSnapshot"])
                    .on(&["rds:{here}:cluster:{name}"])
                    .of_stack(),
            ],
        },
        ..Traits::of("rds.cluster")
    };
    type Id = DbClusterId;
    type Arn = DbClusterArn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        let found = all(aws).await;
        Collected::from_result(found.and_then(|clusters| {
            clusters.into_iter().map(|cluster| live("rds:DescribeDBClusters", cluster)).collect()
        }))
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "rds:CreateDBCluster";
        let Some(secret) = &self.master_secret else {
            return Err(Error::invalid(&self.identifier, "a new cluster needs a master secret"));
        };
        // The value in the secret of a cluster that exists is not to change.
        if describe(aws, &self.identifier).await?.is_some() {
            return Err(already(action, "DBClusterAlreadyExistsFault", &self.identifier));
        }
        let content = self.content()?;
        let password =
            secret::for_new_store(aws, secret.as_str(), &["password"], &content, new).await?;
        let call = client!(aws, aws_sdk_rds)
            .create_db_cluster()
            .db_cluster_identifier(&self.identifier)
            .engine(&self.engine)
            .engine_version(&self.engine_version)
            .set_database_name(self.database_name.clone())
            .master_username(&self.master_username)
            .master_user_password(password.expose_secret())
            .port(self.port)
            .db_subnet_group_name(self.subnet_group.as_str())
            .set_vpc_security_group_ids(Some(strings(&self.security_groups)))
            .storage_encrypted(self.storage_encrypted)
            .set_kms_key_id(self.kms_key.as_ref().map(ToString::to_string))
            .backup_retention_period(self.backup_retention_days)
            .preferred_backup_window(&self.backup_window)
            .preferred_maintenance_window(&self.maintenance_window)
            .set_serverless_v2_scaling_configuration(self.scaling.map(scaling))
            .set_enable_cloudwatch_logs_exports(Some(strings(&self.log_exports)))
            .enable_iam_database_authentication(self.iam_authentication)
            .deletion_protection(self.deletion_protection)
            .copy_tags_to_snapshot(self.copy_tags_to_snapshot)
            .db_cluster_parameter_group_name(self.parameter_group.as_str())
            .set_tags(Some(to_rds(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let made = made.db_cluster.ok_or_else(|| Error::incomplete(action, "the cluster"))?;
        // The answer shows some attributes only later; all of them were part of the call.
        let mut live = live(action, made)?.with_tags(new.tags.clone());
        live.spec = self.clone();
        Ok(live)
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let Some(cluster) = describe(aws, &live.id).await? else {
            return Ok(Readiness::Pending("AWS to show it".into()));
        };
        let word = cluster.status().unwrap_or_default();
        Ok(match Readiness::by_status(word, GOOD, BAD) {
            Readiness::Ready(_) => {
                Readiness::Ready(outputs(Live::new(&live.id, ()), &cluster).outputs)
            }
            other => other,
        })
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.has("stopped") {
            start(aws, &live.id).await?;
        }
        if changes.0.iter().all(|change| change.field() == "stopped") {
            return Ok(());
        }
        let has = |field| changes.has(field);
        let major_upgrade = major(&self.engine_version) != major(&live.spec.engine_version);
        let call = client!(aws, aws_sdk_rds)
            .modify_db_cluster()
            .db_cluster_identifier(&live.id)
            // Drift is mended now, not in the next maintenance window.
            .apply_immediately(true)
            .set_engine_version(has("engine_version").then(|| self.engine_version.clone()))
            .set_allow_major_version_upgrade(
                (has("engine_version") && major_upgrade).then_some(true),
            )
            .set_port(has("port").then_some(self.port))
            .set_vpc_security_group_ids(
                has("security_groups").then(|| strings(&self.security_groups)),
            )
            .set_backup_retention_period(
                has("backup_retention_days").then_some(self.backup_retention_days),
            )
            .set_preferred_backup_window(has("backup_window").then(|| self.backup_window.clone()))
            .set_preferred_maintenance_window(
                has("maintenance_window").then(|| self.maintenance_window.clone()),
            )
            .set_serverless_v2_scaling_configuration(
                self.scaling.filter(|_| has("scaling")).map(scaling),
            )
            .set_cloudwatch_logs_export_configuration(has("log_exports").then(|| {
                CloudwatchLogsExportConfiguration::builder()
                    .set_enable_log_types(Some(beyond(&self.log_exports, &live.spec.log_exports)))
                    .set_disable_log_types(Some(beyond(&live.spec.log_exports, &self.log_exports)))
                    .build()
            }))
            .set_enable_iam_database_authentication(
                has("iam_authentication").then_some(self.iam_authentication),
            )
            .set_deletion_protection(has("deletion_protection").then_some(self.deletion_protection))
            .set_copy_tags_to_snapshot(
                has("copy_tags_to_snapshot").then_some(self.copy_tags_to_snapshot),
            )
            .set_db_cluster_parameter_group_name(
                has("parameter_group").then(|| self.parameter_group.to_string()),
            );
        let password = match &self.master_secret {
            Some(secret) if has("port") => Some(self.password_for_port(aws, live, secret).await?),
            _ => None,
        };
        let call = call.set_master_user_password(
            password.as_ref().map(|password| password.expose_secret().to_owned()),
        );
        aws.call("rds:ModifyDBCluster", call.send()).await?;
        // An upgrade restarts the instances by itself.
        if has("parameter_group") && !major_upgrade {
            until_available(aws, &live.id).await?;
            db_instance::restart(aws, &live.spec.members).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, live.require_arn("rds:DescribeDBClusters")?, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, deletion: &Deletion) -> Result<()> {
        if live.spec.deletion_protection {
            if !deletion.allow_data_loss {
                return Err(Error::Kept {
                    what: format!("rds.cluster {}", live.id),
                    why: "it is protected from deletion".into(),
                });
            }
            let call = client!(aws, aws_sdk_rds)
                .modify_db_cluster()
                .db_cluster_identifier(&live.id)
                .deletion_protection(false)
                .apply_immediately(true);
            aws.call("rds:ModifyDBCluster", call.send()).await?;
        }
        let call = client!(aws, aws_sdk_rds)
            .delete_db_cluster()
            .db_cluster_identifier(&live.id)
            .skip_final_snapshot(false)
            .final_db_snapshot_identifier(final_snapshot(live));
        aws.call("rds:DeleteDBCluster", call.send()).await?;
        Ok(())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        Ok(describe(aws, &live.id).await?.is_none())
    }

    fn settled(field: &str, desired: &Value, live: &Value) -> bool {
        field == "engine_version" && is_same_or_newer_minor(desired, live)
    }
}

/// Every cluster, as the listing gives it.
pub(crate) async fn all(aws: &Aws) -> Result<Vec<Described>> {
    let action = "rds:DescribeDBClusters";
    let call = client!(aws, aws_sdk_rds).describe_db_clusters().into_paginator().items();
    aws.once(action, aws.call(action, call.send().try_collect())).await
}

/// Starts a cluster that somebody has stopped or is stopping, and waits until it takes other changes: AWS makes none to a
/// stopped one.
pub(crate) async fn start(aws: &Aws, id: &str) -> Result<()> {
    let stopping = || async {
        Ok(match status(aws, id).await?.as_str() {
            word @ "stopping" => Readiness::Pending(format!("status {word}")),
            _ => Readiness::ready(),
        })
    };
    wait::until(&format!("rds.cluster {id}"), DbCluster::TRAITS.ready, stopping).await?;
    if status(aws, id).await? == "stopped" {
        let call = client!(aws, aws_sdk_rds).start_db_cluster().db_cluster_identifier(id);
        match aws.call("rds:StartDBCluster", call.send()).await {
            // Somebody else has started it meanwhile.
            Err(Error::Api(error)) if error.code == "InvalidDBClusterStateFault" => {}
            answer => drop(answer?),
        }
    }
    until_available(aws, id).await
}

/// AWS's word for how a cluster is; empty when it is gone.
async fn status(aws: &Aws, id: &str) -> Result<String> {
    Ok(describe(aws, id).await?.and_then(|cluster| cluster.status).unwrap_or_default())
}

async fn until_available(aws: &Aws, id: &str) -> Result<()> {
    let look = || async {
        let Some(cluster) = describe(aws, id).await? else { return Ok(Readiness::ready()) };
        Ok(Readiness::by_status(cluster.status().unwrap_or_default(), GOOD, BAD))
    };
    wait::until(&format!("rds.cluster {id}"), DbCluster::TRAITS.ready, look).await
}

impl DbCluster {
    /// A secret says which port its password is for. Whoever deploys may write secrets and not read them, so a new port
    /// gets a new password with it.
    async fn password_for_port(
        &self,
        aws: &Aws,
        live: &Live<Self>,
        secret: &Ref<SecretArn>,
    ) -> Result<SecretString> {
        let new =
            New { tags: live.tags.clone(), token: format!("port {} of {}", self.port, live.id) };
        secret::for_new_store(aws, secret.as_str(), &["password"], &self.content()?, &new).await
    }

    fn content(&self) -> Result<Content> {
        let port = u16::try_from(self.port).map_err(|why| Error::invalid("the port", why))?;
        Ok(Content::postgres(&self.master_username, port, self.database_name.as_deref()))
    }
}

async fn describe(aws: &Aws, id: &str) -> Result<Option<Described>> {
    let call = client!(aws, aws_sdk_rds).describe_db_clusters().db_cluster_identifier(id);
    let found = aws.find("rds:DescribeDBClusters", call.send()).await?;
    Ok(found.and_then(|found| found.db_clusters.unwrap_or_default().into_iter().next()))
}

/// The same for the same cluster, so that a run that is repeated takes no second snapshot; another
/// one for a later cluster of the same name. At most 63 characters.
fn final_snapshot(live: &Live<DbCluster>) -> String {
    let unique = live.output("resource_id").unwrap_or_default();
    let unique = unique.strip_prefix("cluster-").unwrap_or(unique).to_lowercase();
    let name: String = live.id.chars().take(28).collect();
    let name = format!("{}-final-{unique}", name.trim_end_matches('-'));
    name.trim_end_matches('-').chars().take(63).collect()
}

fn live(action: &str, cluster: Described) -> Result<Live<DbCluster>> {
    let missing = |what| Error::incomplete(action, what);
    let id = cluster.db_cluster_identifier.clone().ok_or_else(|| missing("a cluster's name"))?;
    let log_exports: BTreeSet<String> =
        cluster.enabled_cloudwatch_logs_exports().iter().cloned().collect();
    let groups = cluster.vpc_security_groups().iter();
    let members = cluster.db_cluster_members().iter();
    let scaling = cluster.serverless_v2_scaling_configuration().and_then(|scaling| {
        Some(ServerlessScaling {
            min_capacity: scaling.min_capacity?,
            max_capacity: scaling.max_capacity?,
        })
    });
    let spec = DbCluster {
        identifier: id.clone(),
        engine: cluster.engine().unwrap_or_default().into(),
        engine_version: cluster.engine_version().unwrap_or_default().into(),
        database_name: cluster.database_name.clone(),
        master_username: cluster.master_username().unwrap_or_default().into(),
        master_secret: None,
        port: cluster.port.unwrap_or_default(),
        subnet_group: cluster.db_subnet_group().unwrap_or_default().into(),
        security_groups: groups
            .filter_map(|group| group.vpc_security_group_id())
            .map(Ref::from)
            .collect(),
        storage_encrypted: cluster.storage_encrypted.unwrap_or_default(),
        kms_key: cluster.kms_key_id().map(Ref::from),
        backup_retention_days: cluster.backup_retention_period.unwrap_or_default(),
        backup_window: cluster.preferred_backup_window().unwrap_or_default().into(),
        maintenance_window: cluster.preferred_maintenance_window().unwrap_or_default().into(),
        scaling,
        log_group: log_exports.contains("postgresql").then(|| log_group_name(&id).into()),
        log_exports,
        iam_authentication: cluster.iam_database_authentication_enabled.unwrap_or_default(),
        deletion_protection: cluster.deletion_protection.unwrap_or_default(),
        copy_tags_to_snapshot: cluster.copy_tags_to_snapshot.unwrap_or_default(),
        parameter_group: cluster.db_cluster_parameter_group().unwrap_or_default().into(),
        members: members
            .filter_map(|one| one.db_instance_identifier())
            .map(str::to_owned)
            .collect(),
        managed_secret: managed_secret(cluster.master_user_secret()),
        restart_pending: restart_pending(&cluster).collect(),
        stopped: matches!(cluster.status(), Some("stopped" | "stopping")),
    };
    let status = match cluster.status().unwrap_or_default() {
        // The key can be given back; the cluster must not be replaced for it.
        word if word.starts_with("inaccessible") => Status::Pending(word.into()),
        word => Status::by_word(word, GOOD, BAD, &["deleting"]),
    };
    let mut live = outputs(Live::new(id, spec), &cluster).with_status(status);
    live.arn = cluster.db_cluster_arn;
    Ok(live.with_tags(from_rds(cluster.tag_list)))
}

/// The instances of a cluster that have yet to restart for the values of its parameter group to hold.
pub(crate) fn restart_pending(cluster: &Described) -> impl Iterator<Item = String> {
    let pending = cluster
        .db_cluster_members()
        .iter()
        .filter(|one| one.db_cluster_parameter_group_status() == Some("pending-reboot"));
    pending.filter_map(|one| one.db_instance_identifier.clone())
}

/// The log group that AWS writes a cluster's PostgreSQL log to.
pub(crate) fn log_group_name(cluster: &str) -> String {
    format!("/aws/rds/cluster/{cluster}/postgresql")
}

fn outputs<T>(live: Live<T>, cluster: &Described) -> Live<T> {
    live.with_output("endpoint", cluster.endpoint())
        .with_output("reader_endpoint", cluster.reader_endpoint())
        .with_output("port", cluster.port.map(|port| port.to_string()))
        .with_output("resource_id", cluster.db_cluster_resource_id())
}

fn scaling(of: ServerlessScaling) -> ServerlessV2ScalingConfiguration {
    ServerlessV2ScalingConfiguration::builder()
        .min_capacity(of.min_capacity)
        .max_capacity(of.max_capacity)
        .build()
}

fn strings(items: &BTreeSet<impl ToString>) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn beyond(these: &BTreeSet<String>, those: &BTreeSet<String>) -> Vec<String> {
    these.difference(those).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn described() -> aws_sdk_rds::types::builders::DbClusterBuilder {
        Described::builder()
            .db_cluster_identifier("student-records-dev")
            .status("available")
            .db_cluster_resource_id("cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    }

    fn read(cluster: Described) -> Live<DbCluster> {
        live("rds:DescribeDBClusters", cluster).unwrap()
    }

    #[test]
    fn what_aws_does_not_say_is_never_taken_for_granted() {
        let bare = read(described().build()).spec;
        assert!(!bare.storage_encrypted && !bare.deletion_protection && !bare.iam_authentication);
        assert_eq!((bare.kms_key, bare.scaling, bare.backup_retention_days), (None, None, 0));
        assert!(live("rds:DescribeDBClusters", Described::builder().build()).is_err());
    }

    #[test]
    fn an_instance_that_has_yet_to_restart_is_named() {
        let member = |name: &str, status: &str| {
            aws_sdk_rds::types::DbClusterMember::builder()
                .db_instance_identifier(name)
                .db_cluster_parameter_group_status(status)
                .build()
        };
        let cluster = described()
            .db_cluster_members(member("one", "in-sync"))
            .db_cluster_members(member("two", "pending-reboot"));
        assert_eq!(read(cluster.build()).spec.restart_pending, ["two".to_owned()].into());
    }

    #[test]
    fn a_cluster_whose_key_is_out_of_reach_is_not_to_be_replaced() {
        let word = "inaccessible-encryption-credentials";
        assert_eq!(read(described().status(word).build()).status, Status::Pending(word.into()));
        assert_eq!(read(described().status("deleting").build()).status, Status::Deleting);
    }

    #[test]
    fn a_stopped_cluster_is_drift() {
        for word in ["stopped", "stopping"] {
            assert!(read(described().status(word).build()).spec.stopped, "{word}");
        }
        assert!(!read(described().status("starting").build()).spec.stopped);
    }

    #[test]
    fn the_final_snapshot_is_named_after_this_very_cluster() {
        let one = final_snapshot(&read(described().build()));
        assert_eq!(one, "student-records-dev-final-abcdefghijklmnopqrstuvwxyz");
        let later = described().db_cluster_resource_id("cluster-Z").build();
        assert_ne!(one, final_snapshot(&read(later)));
        let long = described().db_cluster_identifier("a".repeat(63)).build();
        assert!(final_snapshot(&read(long)).len() <= 63);
    }

    #[test]
    fn aws_may_move_minor_versions_on() {
        assert!(DbCluster::settled("engine_version", &json!("17"), &json!("17.6")));
        assert!(!DbCluster::settled("engine_version", &json!("17"), &json!("18.1")));
        assert!(!DbCluster::settled("port", &json!("17"), &json!("17.6")));
    }
}

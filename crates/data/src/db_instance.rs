//! `rds.instance`: a database instance: the compute of an Aurora cluster.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_rds::types::DbInstance as Described;
use engine::vocabulary::{Arn, DbClusterId, ForRds, Id, KeyArn, RoleArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll, Readiness, Ref,
    Replacement, Resource, Result, Scope, Status, Tags, Traits, When, client, wait,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::db_cluster;
use crate::rds::{from_rds, managed_secret, retag, to_rds};

/// AWS's words for an instance that works.
const GOOD: &[&str] =
    &["available", "backing-up", "storage-optimization", "storage-config-upgrade"];
/// AWS's words for an instance that will not work by itself.
const BAD: &[&str] = &[
    "failed",
    "incompatible-network",
    "incompatible-option-group",
    "incompatible-parameters",
    "incompatible-create",
    "insufficient-capacity",
    "inaccessible-encryption-credentials",
];
/// Those of them that only another instance helps against.
const LOST: &[&str] = &["failed", "incompatible-create", "insufficient-capacity"];

/// A DB instance. Which instance of a cluster writes is not an attribute: after a failover it is
/// another one.
///
/// It holds no data of its own, so it is replaced without further ado; the cluster stays reachable
/// when a stack is destroyed around it, because a cluster keeps its members
/// ([`DbCluster::members`](crate::DbCluster::members)).
///
/// Outputs: `performance_insights`, `true` or `false`, where AWS says whether they are on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbInstance {
    /// Its name: 1 to 63 lower-case letters, digits and single hyphens, a letter first, no hyphen
    /// last.
    pub identifier: String,
    /// The cluster that it belongs to; `None` for an instance that stands alone.
    pub cluster: Option<Ref<DbClusterId>>,
    /// The port of an instance that stands alone; others have their cluster's. So it is with the subnets
    /// and groups: such instances are read and not made.
    #[serde(default)]
    pub port: Option<i32>,
    /// The subnets that an instance that stands alone may lie in.
    #[serde(default)]
    pub subnets: BTreeSet<String>,
    /// The security groups of an instance that stands alone.
    #[serde(default)]
    pub security_groups: BTreeSet<String>,
    /// `aurora-postgresql`.
    pub engine: String,
    /// `db.serverless`, or an instance class.
    pub class: String,
    /// The availability zone.
    pub availability_zone: String,
    /// Whether it has a public address.
    pub publicly_accessible: bool,
    /// Whether its storage (its cluster's) is encrypted.
    pub storage_encrypted: bool,
    /// The key for that.
    pub kms_key: Option<Ref<KeyArn<ForRds>>>,
    /// What AWS keeps of its load and statements; `None` when that is off.
    pub performance_insights: Option<PerformanceInsights>,
    /// Whether AWS upgrades minor versions in the maintenance window.
    pub auto_minor_version_upgrade: bool,
    /// When AWS may maintain it, in UTC: `ddd:hh:mm-ddd:hh:mm`.
    pub maintenance_window: String,
    /// Who takes over first when the writer fails: 0 to 15, lowest first.
    pub promotion_tier: i32,
    /// What the operating system reports; `None` when that is off.
    pub monitoring: Option<Monitoring>,
    /// Its parameter groups, with whether their values hold: `in-sync`, `pending-reboot`. They go
    /// before the cluster's. Read for who inspects it.
    #[serde(default)]
    pub parameter_groups: BTreeMap<String, String>,
    /// What an instance of a cluster has of its cluster; `None` for such a one. Read for who inspects
    /// it, because only instances of clusters are made here.
    #[serde(default)]
    pub standalone: Option<Standalone>,
}

/// What an instance has that belongs to no cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standalone {
    /// The engine's version: `17.6`.
    pub engine_version: String,
    /// Whether a standby in another availability zone takes over.
    pub multi_az: bool,
    /// The instance (or, from another region, its ARN) that it is a read replica of.
    pub replica_of: Option<String>,
    /// How long automatic backups are kept, in days; 0 for none.
    pub backup_retention_days: i32,
    /// Whether snapshots get the instance's tags.
    pub copy_tags_to_snapshot: bool,
    /// Whether AWS refuses to delete it.
    pub deletion_protection: bool,
    /// Whether database users may sign in with IAM.
    pub iam_authentication: bool,
    /// The logs that go to CloudWatch: `postgresql`.
    pub log_exports: BTreeSet<String>,
    /// The ARN of the secret in which RDS itself keeps and rotates the master user's password.
    pub managed_secret: Option<String>,
}

/// Performance insights of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerformanceInsights {
    /// The key that encrypts what is kept: statements may hold records. `None` is AWS's own.
    pub kms_key: Option<Ref<KeyArn<ForRds>>>,
    /// How long it is kept, in days: 7, a multiple of 31, or 731.
    pub retention_days: i32,
}

/// Enhanced monitoring of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitoring {
    /// How often, in seconds: 1, 5, 10, 15, 30 or 60.
    pub interval_seconds: i32,
    /// The role that delivers it to CloudWatch Logs.
    pub role: Ref<RoleArn>,
}

impl Resource for DbInstance {
    const TRAITS: Traits = Traits {
        name: Some("identifier"),
        immutable: &[
            "identifier",
            "cluster",
            "engine",
            "availability_zone",
            "storage_encrypted",
            "kms_key",
        ],
        write_only: &["parameter_groups", "standalone"],
        // The successor joins the cluster before the predecessor leaves it.
        replacement: Replacement::CreateFirst,
        ready: Poll::LONG.expecting(480),
        gone: Poll::LONG.expecting(300),
        not_yet: &[
            ("DBClusterNotFoundFault", ""),
            // The cluster is being made or changed.
            ("InvalidDBClusterStateFault", ""),
            ("InvalidDBInstanceState", ""),
            ("KMSKeyNotAccessibleFault", ""),
            ("InvalidParameterValue", "IAM role ARN value is invalid"),
        ],
        attached_by: &[("cluster", "rds.cluster"), ("subnets", "ec2.subnet")],
        permissions: Permissions {
            read: &[Allow::to(&["rds:DescribeDBInstances"])],
            make: &[
                Allow::to(&["rds:CreateDBInstance"]).on(&[
                    "rds:{here}:db:{name}",
                    "rds:{here}:db:{successor}",
                    "rds:{here}:cluster:{name}",
                    "rds:{here}:subgrp:{name}",
                    "rds:{here}:og:default:*",
                    "rds:{here}:pg:default.*",
                ]),
                Allow::to(&["rds:ModifyDBInstance"]).on(&[
                    "rds:{here}:db:{name}",
                    "rds:{here}:db:{successor}",
                    "rds:{here}:og:default:*",
                    "rds:{here}:pg:default.*",
                ]),
                Allow::to(&["rds:AddTagsToResource"])
                    .on(&["rds:{here}:db:{name}", "rds:{here}:db:{successor}"]),
                Allow::to(&["rds:RemoveTagsFromResource"])
                    .on(&["rds:{here}:db:{name}", "rds:{here}:db:{successor}"])
                    .of_stack(),
                // The role of enhanced monitoring:
                // https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Monitoring.OS.Enabling.html
                Allow::to(&["iam:PassRole"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                    .under(&[When::equals(
                        "iam:PassedToService",
                        &["monitoring.rds.amazonaws.com"],
                    )]),
                Allow::to(&["kms:CreateGrant"]).on(&["kms:{here}:key/*"]).of_stack().under(&[
                    When::equals("kms:ViaService", &["rds.{region}.amazonaws.com"]),
                    When::is_true("kms:GrantIsForAWSResource"),
                ]),
                Allow::to(&["kms:GenerateDataKey", "kms:Decrypt"])
                    .on(&["kms:{here}:key/*"])
                    .of_stack()
                    .under(&[When::equals("kms:ViaService", &["rds.{region}.amazonaws.com"])]),
            ],
            remove: &[
                Allow::to(&["rds:DeleteDBInstance"])
                    .on(&["rds:{here}:db:{name}", "rds:{here}:db:{successor}"])
                    .of_stack(),
                Allow::to(&["rds:StartDBCluster"]).on(&["rds:{here}:cluster:{name}"]).of_stack(),
            ],
        },
        ..Traits::of("rds.instance")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        let action = "rds:DescribeDBInstances";
        let call = client!(aws, aws_sdk_rds).describe_db_instances().into_paginator().items();
        let found = aws.call(action, call.send().try_collect()).await;
        Collected::from_result(found.and_then(|instances: Vec<_>| {
            instances.into_iter().map(|instance| live(action, instance)).collect()
        }))
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "rds:CreateDBInstance";
        let Some(cluster) = &self.cluster else {
            return Err(Error::invalid(&self.identifier, "only instances of a cluster are made"));
        };
        let insights = self.performance_insights.as_ref();
        let call = client!(aws, aws_sdk_rds)
            .create_db_instance()
            .db_instance_identifier(&self.identifier)
            .db_cluster_identifier(cluster.as_str())
            .engine(&self.engine)
            .db_instance_class(&self.class)
            .availability_zone(&self.availability_zone)
            .publicly_accessible(self.publicly_accessible)
            .enable_performance_insights(insights.is_some())
            .set_performance_insights_kms_key_id(insights_key(insights))
            .set_performance_insights_retention_period(insights.map(|on| on.retention_days))
            .auto_minor_version_upgrade(self.auto_minor_version_upgrade)
            .preferred_maintenance_window(&self.maintenance_window)
            .promotion_tier(self.promotion_tier)
            .set_monitoring_interval(self.monitoring.as_ref().map(|on| on.interval_seconds))
            .set_monitoring_role_arn(self.monitoring.as_ref().map(|on| on.role.to_string()))
            .set_tags(Some(to_rds(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let made = made.db_instance.ok_or_else(|| Error::incomplete(action, "the instance"))?;
        // The answer shows some attributes only later; all of them were part of the call.
        let mut live = live(action, made)?.with_tags(new.tags.clone());
        live.spec = self.clone();
        Ok(live)
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let instance = describe(aws, &live.id).await?;
        let word = instance.as_ref().and_then(|found| found.db_instance_status());
        Ok(Readiness::by_status(word.unwrap_or_default(), GOOD, BAD))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let has = |field| changes.has(field);
        let insights = self.performance_insights.as_ref();
        let mut call = client!(aws, aws_sdk_rds)
            .modify_db_instance()
            .db_instance_identifier(&live.id)
            // Drift is mended now, not in the next maintenance window.
            .apply_immediately(true)
            .set_db_instance_class(has("class").then(|| self.class.clone()))
            .set_publicly_accessible(has("publicly_accessible").then_some(self.publicly_accessible))
            .set_auto_minor_version_upgrade(
                has("auto_minor_version_upgrade").then_some(self.auto_minor_version_upgrade),
            )
            .set_preferred_maintenance_window(
                has("maintenance_window").then(|| self.maintenance_window.clone()),
            )
            .set_promotion_tier(has("promotion_tier").then_some(self.promotion_tier));
        if has("performance_insights") {
            call = call
                .enable_performance_insights(insights.is_some())
                .set_performance_insights_kms_key_id(insights_key(insights))
                .set_performance_insights_retention_period(insights.map(|on| on.retention_days));
        }
        if has("monitoring") {
            let monitoring = self.monitoring.as_ref();
            call = call
                .monitoring_interval(monitoring.map_or(0, |on| on.interval_seconds))
                .set_monitoring_role_arn(monitoring.map(|on| on.role.to_string()));
        }
        aws.call("rds:ModifyDBInstance", call.send()).await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, live.require_arn("rds:DescribeDBInstances")?, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        // AWS removes no instance of a stopped cluster.
        if live.status == Status::Pending("stopped".into())
            && let Some(cluster) = &live.spec.cluster
        {
            db_cluster::start(aws, cluster.as_str()).await?;
        }
        // Backups and snapshots are the cluster's.
        let call = client!(aws, aws_sdk_rds).delete_db_instance().db_instance_identifier(&live.id);
        aws.call("rds:DeleteDBInstance", call.send()).await?;
        Ok(())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        Ok(describe(aws, &live.id).await?.is_none())
    }

    fn is_fixed(path: &str, _: &Value, live: &Value) -> bool {
        // What insights have kept is encrypted once: with another key there is nothing to read.
        let other_key = path == "performance_insights.kms_key" && !live.is_null();
        other_key || Self::TRAITS.immutable.contains(&path)
    }
}

/// Restarts instances one after the other, writers last: a reader that is up again can take over.
pub(crate) async fn restart(aws: &Aws, instances: &BTreeSet<String>) -> Result<()> {
    if instances.is_empty() {
        return Ok(());
    }
    let clusters = db_cluster::all(aws).await?;
    let members = clusters.iter().flat_map(|cluster| cluster.db_cluster_members());
    let writers = members.filter(|one| one.is_cluster_writer == Some(true));
    let writers: BTreeSet<&str> =
        writers.filter_map(|one| one.db_instance_identifier.as_deref()).collect();
    let (last, first): (Vec<&String>, Vec<&String>) =
        instances.iter().partition(|id| writers.contains(id.as_str()));
    for id in first.into_iter().chain(last) {
        // It may still be on its way, or be restarted already by an earlier run.
        until_available(aws, id).await?;
        let call = client!(aws, aws_sdk_rds).reboot_db_instance().db_instance_identifier(id);
        aws.find("rds:RebootDBInstance", call.send()).await?;
        until_available(aws, id).await?;
    }
    Ok(())
}

/// Waits until an instance works (again), or is gone.
async fn until_available(aws: &Aws, id: &str) -> Result<()> {
    let look = || async {
        let Some(instance) = describe(aws, id).await? else { return Ok(Readiness::ready()) };
        Ok(Readiness::by_status(instance.db_instance_status().unwrap_or_default(), GOOD, BAD))
    };
    wait::until(&format!("rds.instance {id}"), DbInstance::TRAITS.ready, look).await
}

fn insights_key(insights: Option<&PerformanceInsights>) -> Option<String> {
    insights?.kms_key.as_ref().map(ToString::to_string)
}

async fn describe(aws: &Aws, id: &str) -> Result<Option<Described>> {
    let call = client!(aws, aws_sdk_rds).describe_db_instances().db_instance_identifier(id);
    let found = aws.find("rds:DescribeDBInstances", call.send()).await?;
    Ok(found.and_then(|found| found.db_instances.unwrap_or_default().into_iter().next()))
}

fn live(action: &str, instance: Described) -> Result<Live<DbInstance>> {
    let id = instance.db_instance_identifier.clone();
    let id = id.ok_or_else(|| Error::incomplete(action, "an instance's name"))?;
    let insights = instance.performance_insights_enabled.unwrap_or_default();
    let monitoring = match (instance.monitoring_interval, instance.monitoring_role_arn()) {
        (Some(interval_seconds), Some(role)) if interval_seconds > 0 => {
            Some(Monitoring { interval_seconds, role: role.into() })
        }
        _ => None,
    };
    let (port, subnets, security_groups) = own_place(&instance);
    let spec = DbInstance {
        identifier: id.clone(),
        cluster: instance.db_cluster_identifier().map(Ref::from),
        port,
        subnets,
        security_groups,
        engine: instance.engine().unwrap_or_default().into(),
        class: instance.db_instance_class().unwrap_or_default().into(),
        availability_zone: instance.availability_zone().unwrap_or_default().into(),
        // What AWS does not say is taken for the worse.
        publicly_accessible: instance.publicly_accessible.unwrap_or(true),
        storage_encrypted: instance.storage_encrypted.unwrap_or_default(),
        kms_key: instance.kms_key_id().map(Ref::from),
        performance_insights: insights.then(|| PerformanceInsights {
            kms_key: instance.performance_insights_kms_key_id().map(Ref::from),
            retention_days: instance.performance_insights_retention_period.unwrap_or_default(),
        }),
        auto_minor_version_upgrade: instance.auto_minor_version_upgrade.unwrap_or_default(),
        maintenance_window: instance.preferred_maintenance_window().unwrap_or_default().into(),
        promotion_tier: instance.promotion_tier.unwrap_or_default(),
        monitoring,
        parameter_groups: instance
            .db_parameter_groups()
            .iter()
            .filter_map(|group| {
                let status = group.parameter_apply_status().unwrap_or_default();
                Some((group.db_parameter_group_name()?.to_owned(), status.to_owned()))
            })
            .collect(),
        standalone: instance.db_cluster_identifier().is_none().then(|| standalone(&instance)),
    };
    let word = instance.db_instance_status().unwrap_or_default();
    let mut live =
        Live::new(id, spec).with_status(Status::by_word(word, GOOD, LOST, &["deleting"]));
    live.arn = instance.db_instance_arn;
    if live.spec.availability_zone.is_empty() {
        let why = "AWS does not show it while the instance is being made";
        live.leave_out(&["availability_zone"], action, why);
    }
    let insights = instance.performance_insights_enabled.map(|on| on.to_string());
    let live = live.with_output("performance_insights", insights);
    Ok(live.with_tags(from_rds(instance.tag_list)))
}

/// What AWS does not say is taken for the worse.
fn standalone(instance: &Described) -> Standalone {
    let source = instance
        .read_replica_source_db_instance_identifier()
        .or(instance.read_replica_source_db_cluster_identifier());
    Standalone {
        engine_version: instance.engine_version().unwrap_or_default().into(),
        multi_az: instance.multi_az.unwrap_or_default(),
        replica_of: source.map(str::to_owned),
        backup_retention_days: instance.backup_retention_period.unwrap_or_default(),
        copy_tags_to_snapshot: instance.copy_tags_to_snapshot.unwrap_or_default(),
        deletion_protection: instance.deletion_protection.unwrap_or_default(),
        iam_authentication: instance.iam_database_authentication_enabled.unwrap_or_default(),
        log_exports: instance.enabled_cloudwatch_logs_exports().iter().cloned().collect(),
        managed_secret: managed_secret(instance.master_user_secret()),
    }
}

/// The port, subnets and security groups that an instance has of its own.
fn own_place(instance: &Described) -> (Option<i32>, BTreeSet<String>, BTreeSet<String>) {
    if instance.db_cluster_identifier().is_some() {
        return Default::default();
    }
    // Until there is an endpoint, the port is beside it.
    let port = instance.endpoint().and_then(|endpoint| endpoint.port());
    let port = port.or(instance.db_instance_port).filter(|port| *port > 0);
    let subnets = instance.db_subnet_group().map_or(&[][..], |group| group.subnets());
    let subnets = subnets.iter().filter_map(|one| one.subnet_identifier.clone());
    let groups = instance.vpc_security_groups().iter();
    let groups = groups.filter_map(|one| one.vpc_security_group_id.clone());
    (port, subnets.collect(), groups.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described() -> aws_sdk_rds::types::builders::DbInstanceBuilder {
        Described::builder().db_instance_identifier("student-records-1-dev")
    }

    fn read(instance: Described) -> Live<DbInstance> {
        live("rds:DescribeDBInstances", instance).unwrap()
    }

    #[test]
    fn what_aws_does_not_say_is_never_taken_for_granted() {
        let bare = read(described().build()).spec;
        assert!(bare.publicly_accessible && !bare.storage_encrypted);
        assert_eq!((bare.performance_insights, bare.monitoring), (None, None));
        let alone = bare.standalone.unwrap();
        assert!(!alone.multi_az && !alone.deletion_protection && !alone.iam_authentication);
        let member = described().db_cluster_identifier("student-records-dev").build();
        assert_eq!(read(member).spec.standalone, None, "that is the cluster's");
    }

    #[test]
    fn only_an_instance_that_is_lost_is_replaced() {
        let status = |word: &str| read(described().db_instance_status(word).build()).status;
        assert_eq!(status("available"), Status::Ready);
        assert_eq!(status("insufficient-capacity"), Status::Failed("insufficient-capacity".into()));
        let parameters = "incompatible-parameters";
        assert_eq!(
            status(parameters),
            Status::Pending(parameters.into()),
            "another would not help"
        );
        assert_eq!(status("deleting"), Status::Deleting);
    }

    #[test]
    fn an_instance_without_a_zone_yet_is_not_in_the_wrong_one() {
        let unreadable = |instance: Described| read(instance).unreadable;
        let making = described().db_instance_status("creating");
        assert!(unreadable(making.clone().build())["availability_zone"].is_not_asked());
        assert!(unreadable(making.availability_zone("us-east-1a").build()).is_empty());
    }

    #[test]
    fn insights_keep_the_key_that_they_began_with() {
        let (path, key) = ("performance_insights.kms_key", serde_json::json!("arn:key/1"));
        assert!(DbInstance::is_fixed(path, &key, &serde_json::json!("arn:key/2")));
        assert!(!DbInstance::is_fixed(path, &key, &Value::Null));
        assert!(!DbInstance::is_fixed("performance_insights", &Value::Null, &key));
    }

    #[test]
    fn only_an_instance_that_stands_alone_has_a_place_of_its_own() {
        let group = |id: &str| {
            let group = aws_sdk_rds::types::VpcSecurityGroupMembership::builder();
            group.vpc_security_group_id(id).build()
        };
        let alone = described().db_instance_port(5432).vpc_security_groups(group("sg-1"));
        let member = alone.clone().db_cluster_identifier("records");
        let spec = read(alone.build()).spec;
        assert_eq!((spec.port, spec.security_groups.len()), (Some(5432), 1));
        assert!(read(member.build()).spec.security_groups.is_empty());
    }

    #[test]
    fn insights_are_on_only_if_aws_says_so() {
        let key = "arn:aws:kms:us-east-1:123456789012:key/1";
        let off = described().performance_insights_kms_key_id(key).build();
        assert_eq!(read(off).spec.performance_insights, None);
        let on = described()
            .performance_insights_enabled(true)
            .performance_insights_kms_key_id(key)
            .performance_insights_retention_period(7)
            .build();
        let insights = read(on).spec.performance_insights.unwrap();
        assert_eq!((insights.kms_key, insights.retention_days), (Some(key.into()), 7));
    }
}

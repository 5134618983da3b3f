//! `elasticache.replication_group`: a Redis or Valkey primary with its replicas.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticache::types::{
    AuthTokenUpdateStrategyType, AuthenticationType, AutomaticFailoverStatus, CacheCluster,
    CloudWatchLogsDestinationDetails, DestinationDetails, DestinationType,
    LogDeliveryConfigurationRequest, LogDeliveryConfigurationStatus, LogFormat, LogType,
    MultiAzStatus, ReplicationGroup as Described, TransitEncryptionMode, User, UserGroup,
};
use engine::credential::Content;
use engine::vocabulary::{
    Arn, ForElastiCache, HostName, KeyArn, LogGroupName, Name, ReplicationGroupId, SecretArn,
    SecurityGroupId,
};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Handle, Live, New, Permissions, Poll,
    Readiness, Ref, Resource, Result, Scope, Status, Tags, Traits, When, client, wait,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::elasticache::{retag, tags_of, to_elasticache};
use crate::exists::already;
use crate::secret;
use crate::tagged::with_tags;
use crate::version::is_same_or_newer_minor;

/// AWS's words for a group that works.
const GOOD: &[&str] = &["available", "snapshotting"];
/// AWS's words for a group that never will.
const BAD: &[&str] = &["create-failed"];

/// How long a group stays busy with one change: another node type takes longest.
const BUSY: Poll = Poll::within(45, 1, 15);

/// A replication group without sharding (cluster mode disabled).
///
/// Outputs, known once it is ready: `primary_endpoint`, `reader_endpoint`, `port`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationGroup {
    /// Its name: 1 to 40 lower-case letters, digits and single hyphens, a letter first, no hyphen
    /// last.
    pub id: String,
    /// What it is for.
    pub description: String,
    /// `redis` or `valkey`.
    pub engine: String,
    /// The node type: `cache.t4g.medium`.
    pub node_type: String,
    /// How many nodes, the primary included: 1 to 6.
    pub node_count: i32,
    /// Whether the nodes lie in different availability zones.
    pub multi_az: bool,
    /// Whether a replica takes over when the primary fails.
    pub automatic_failover: bool,
    /// The port.
    pub port: i32,
    /// The subnet group. It cannot change, so it is read for who inspects it and never compared.
    /// `None` where AWS shows no node.
    pub subnet_group: Option<Ref<Name>>,
    /// What AWS shows on the group's nodes and not on the group; `None` where it shows no node.
    pub nodes: Option<NodeSettings>,
    /// Whether data and snapshots are encrypted.
    pub at_rest_encryption: bool,
    /// The key for that.
    pub kms_key: Option<Ref<KeyArn<ForElastiCache>>>,
    /// Whether the nodes speak TLS.
    pub transit_encryption: bool,
    /// Whether they speak nothing else: `required`, or `preferred`.
    pub transit_encryption_mode: Option<String>,
    /// Whether clients have to present a token.
    pub auth_token: bool,
    /// The secret with that token: all of it, or its field `auth_token` or `password`. Needed when the
    /// group is made, and never kept.
    pub auth_secret: Option<Ref<SecretArn>>,
    /// The user groups whose users may sign in.
    pub user_groups: BTreeSet<String>,
    /// How long automatic snapshots are kept, in days; 0 for none.
    pub snapshot_retention_days: i32,
    /// When they are taken, in UTC: `hh:mm-hh:mm`.
    pub snapshot_window: String,
    /// Whether AWS upgrades minor versions in the maintenance window.
    pub auto_minor_version_upgrade: bool,
    /// Where logs go, by log: `slow-log`, `engine-log`.
    pub logs: BTreeMap<String, LogDelivery>,
    /// The logs that AWS fails to deliver, with what it says of that. Read for who inspects it.
    #[serde(default)]
    pub log_errors: BTreeMap<String, String>,
    /// The users of its user groups who sign in without a password. Read for who inspects it.
    #[serde(default)]
    pub open_users: BTreeSet<String>,
}

/// What AWS shows on the nodes of a replication group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSettings {
    /// The engine's version: `7.1`. AWS moves minor versions on.
    pub engine_version: String,
    /// The parameter group: `default.redis7`.
    pub parameter_group: String,
    /// The security groups.
    pub security_groups: BTreeSet<Ref<SecurityGroupId>>,
    /// When AWS may maintain them, in UTC: `ddd:hh:mm-ddd:hh:mm`.
    pub maintenance_window: String,
}

/// A log that goes to CloudWatch Logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogDelivery {
    /// The log group, or the delivery stream of Firehose.
    pub log_group: Ref<LogGroupName>,
    /// `json` or `text`.
    pub format: String,
}

/// The host name of the primary, once there is one.
pub fn primary_endpoint(group: &Handle<ReplicationGroup>) -> Ref<HostName> {
    group.ready().output("primary_endpoint")
}

/// The host name behind which the replicas are, once there are any.
pub fn reader_endpoint(group: &Handle<ReplicationGroup>) -> Ref<HostName> {
    group.ready().output("reader_endpoint")
}

impl Resource for ReplicationGroup {
    const TRAITS: Traits = Traits {
        name: Some("id"),
        // A token can be asked for on an existing group (see `is_fixed`), and not be done without again.
        immutable: &["id", "port", "at_rest_encryption", "kms_key", "auth_token"],
        write_only: &["auth_secret", "subnet_group", "log_errors", "open_users"],
        protected: true,
        ready: Poll::LONG.expecting(600),
        gone: Poll::LONG.expecting(300),
        not_yet: &[
            ("CacheSubnetGroupNotFoundFault", ""),
            ("InvalidParameterValue", "security group"),
            // The key's policy is not everywhere yet.
            ("InvalidKMSKeyFault", ""),
            // Another change is under way.
            ("InvalidReplicationGroupState", ""),
            ("InvalidCacheClusterState", ""),
        ],
        attached_by: &[("subnet_group", "elasticache.subnet_group")],
        permissions: Permissions {
            read: &[
                Allow::to(&[
                    "elasticache:DescribeReplicationGroups",
                    "elasticache:DescribeCacheClusters",
                    "elasticache:DescribeUserGroups",
                    "elasticache:DescribeUsers",
                ]),
                Allow::to(&["elasticache:ListTagsForResource"])
                    .on(&["elasticache:{here}:replicationgroup:{perhaps}"]),
            ],
            make: &[
                Allow::to(&["elasticache:CreateReplicationGroup"]).on(&[
                    "elasticache:{here}:replicationgroup:{name}",
                    "elasticache:{here}:subnetgroup:{name}",
                    "elasticache:{here}:parametergroup:default.*",
                    "elasticache:{here}:cluster:{name}-*",
                ]),
                Allow::to(&["elasticache:ModifyReplicationGroup"]).on(&[
                    "elasticache:{here}:replicationgroup:{name}",
                    "elasticache:{here}:parametergroup:default.*",
                ]),
                Allow::to(&["elasticache:AddTagsToResource"])
                    .on(&["elasticache:{here}:replicationgroup:{name}"]),
                Allow::to(&[
                    "elasticache:IncreaseReplicaCount",
                    "elasticache:DecreaseReplicaCount",
                    "elasticache:RemoveTagsFromResource",
                ])
                .on(&["elasticache:{here}:replicationgroup:{name}"])
                .of_stack(),
                Allow::to(&["iam:CreateServiceLinkedRole"])
                    .on(&["iam::{account}:role/aws-service-role/*"])
                    .under(&[When::equals("iam:AWSServiceName", &["elasticache.amazonaws.com"])]),
                // https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/at-rest-encryption.html
                Allow::to(&["kms:CreateGrant"]).on(&["kms:{here}:key/*"]).of_stack().under(&[
                    When::equals("kms:ViaService", &["elasticache.{region}.amazonaws.com"]),
                    When::is_true("kms:GrantIsForAWSResource"),
                ]),
                Allow::to(&["kms:GenerateDataKey", "kms:Decrypt"])
                    .on(&["kms:{here}:key/*"])
                    .of_stack()
                    .under(&[When::equals(
                        "kms:ViaService",
                        &["elasticache.{region}.amazonaws.com"],
                    )]),
                // Logs are delivered by a subscription of CloudWatch Logs:
                // https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Log_Delivery.html
                Allow::to(&[
                    "logs:CreateLogDelivery",
                    "logs:GetLogDelivery",
                    "logs:UpdateLogDelivery",
                    "logs:DeleteLogDelivery",
                    "logs:ListLogDeliveries",
                    "logs:PutResourcePolicy",
                    "logs:DescribeResourcePolicies",
                    "logs:DescribeLogGroups",
                ]),
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
                Allow::to(&["elasticache:DeleteReplicationGroup"])
                    .on(&["elasticache:{here}:replicationgroup:{name}"])
                    .of_stack(),
                // The final snapshot, whose name is cut where it is long.
                Allow::to(&["elasticache:DeleteReplicationGroup"])
                    .on(&["elasticache:{here}:snapshot:{project}-*-final-*"]),
            ],
        },
        ..Traits::of("elasticache.replication_group")
    };
    type Id = ReplicationGroupId;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        let action = "elasticache:DescribeReplicationGroups";
        let elasticache = client!(aws, aws_sdk_elasticache);
        let groups = match settled(aws, scope).await {
            Ok(groups) if groups.is_empty() => return Collected::default(),
            groups => groups,
        };
        let nodes = elasticache.describe_cache_clusters().into_paginator().items();
        let nodes = nodes.send().try_collect();
        let nodes = aws.call("elasticache:DescribeCacheClusters", nodes).await;
        let found = groups.and_then(|groups| {
            groups.into_iter().map(|group| live(action, group, &nodes)).collect::<Result<Vec<_>>>()
        });
        match found {
            Ok(mut found) => {
                read_users(aws, &mut found).await;
                let patient = matches!(scope, Scope::Stack(_));
                with_tags(scope, found, |arn| async move { tags(aws, &arn, patient).await }).await
            }
            Err(error) => Collected::failed(error),
        }
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "elasticache:CreateReplicationGroup";
        let token = match (&self.auth_secret, self.auth_token) {
            (Some(secret), true) => {
                // The value in the secret of a group that exists is not to change.
                if describe(aws, &self.id).await?.is_some() {
                    return Err(already(action, "ReplicationGroupAlreadyExists", &self.id));
                }
                let (fields, content) = (&["auth_token", "password"], Content::AUTH_TOKEN);
                let token = secret::for_new_store(aws, secret.as_str(), fields, &content, new);
                Some(token.await?)
            }
            (None, true) => return Err(Error::invalid(&self.id, "a token needs its secret")),
            (_, false) => None,
        };
        let nodes = self.nodes.as_ref();
        let nodes = nodes.ok_or_else(|| Error::invalid(&self.id, "a new group needs its nodes"))?;
        let call = client!(aws, aws_sdk_elasticache)
            .create_replication_group()
            .replication_group_id(&self.id)
            .replication_group_description(&self.description)
            .engine(&self.engine)
            .engine_version(&nodes.engine_version)
            .cache_node_type(&self.node_type)
            .num_node_groups(1)
            .replicas_per_node_group(self.node_count - 1)
            .multi_az_enabled(self.multi_az)
            .automatic_failover_enabled(self.automatic_failover)
            .port(self.port)
            .cache_parameter_group_name(&nodes.parameter_group)
            .set_cache_subnet_group_name(self.subnet_group.as_ref().map(ToString::to_string))
            .set_security_group_ids(Some(strings(&nodes.security_groups)))
            .at_rest_encryption_enabled(self.at_rest_encryption)
            .set_kms_key_id(self.kms_key.as_ref().map(ToString::to_string))
            .transit_encryption_enabled(self.transit_encryption)
            .set_transit_encryption_mode(self.transit_encryption_mode.as_deref().map(mode))
            .set_auth_token(token.as_ref().map(|token| token.expose_secret().to_owned()))
            .set_user_group_ids((!self.user_groups.is_empty()).then(|| strings(&self.user_groups)))
            .snapshot_retention_limit(self.snapshot_retention_days)
            .snapshot_window(&self.snapshot_window)
            .preferred_maintenance_window(&nodes.maintenance_window)
            .auto_minor_version_upgrade(self.auto_minor_version_upgrade)
            .set_log_delivery_configurations(Some(
                self.logs.iter().map(|(log, delivery)| deliver(log, delivery)).collect(),
            ))
            .set_tags(Some(to_elasticache(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let made = made.replication_group.ok_or_else(|| Error::incomplete(action, "the group"))?;
        // The answer shows some attributes only later; all of them were part of the call.
        let mut live = live(action, made, &Ok(Vec::new()))?.with_tags(new.tags.clone());
        live.spec = self.clone();
        live.unreadable.clear();
        Ok(live)
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let Some(group) = describe(aws, &live.id).await? else {
            return Ok(Readiness::Pending("AWS to show it".into()));
        };
        Ok(match Readiness::by_status(group.status().unwrap_or_default(), GOOD, BAD) {
            Readiness::Ready(_) => {
                Readiness::Ready(outputs(Live::new(&live.id, ()), &group).outputs)
            }
            other => other,
        })
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        // AWS takes one change at a time.
        quiet(aws, &live.id).await?;
        if changes.any(&MODIFIABLE) {
            self.modify(aws, live, changes).await?;
        }
        if changes.has("transit_encryption")
            && self.transit_encryption
            && self.transit_encryption_mode.as_deref() == Some("required")
        {
            quiet(aws, &live.id).await?;
            let call = client!(aws, aws_sdk_elasticache)
                .modify_replication_group()
                .replication_group_id(&live.id)
                .apply_immediately(true)
                .transit_encryption_enabled(true)
                .transit_encryption_mode(TransitEncryptionMode::Required);
            aws.call("elasticache:ModifyReplicationGroup", call.send()).await?;
        }
        if changes.has("auth_token") && self.auth_token {
            self.ask_for_token(aws, live).await?;
        }
        if changes.has("node_count") {
            quiet(aws, &live.id).await?;
        }
        let replicas = self.node_count - 1;
        let elasticache = client!(aws, aws_sdk_elasticache);
        if self.node_count > live.spec.node_count {
            let call = elasticache
                .increase_replica_count()
                .replication_group_id(&live.id)
                .new_replica_count(replicas)
                .apply_immediately(true);
            aws.call("elasticache:IncreaseReplicaCount", call.send()).await?;
        } else if self.node_count < live.spec.node_count {
            let call = elasticache
                .decrease_replica_count()
                .replication_group_id(&live.id)
                .new_replica_count(replicas)
                .apply_immediately(true);
            aws.call("elasticache:DecreaseReplicaCount", call.send()).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        quiet(aws, &live.id).await?;
        retag(aws, live.require_arn("elasticache:DescribeReplicationGroups")?, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let Some(group) = describe(aws, &live.id).await? else { return Ok(()) };
        let call = client!(aws, aws_sdk_elasticache)
            .delete_replication_group()
            .replication_group_id(&live.id)
            .retain_primary_cluster(false)
            .final_snapshot_identifier(final_snapshot(&live.id, &group));
        aws.call("elasticache:DeleteReplicationGroup", call.send()).await?;
        Ok(())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        let left = describe(aws, &live.id).await?;
        let deleting =
            |status: Option<&str>| aws.may_never_finish_deleting() && status == Some("deleting");
        Ok(left.is_none_or(|group| deleting(group.status())))
    }

    fn is_fixed(path: &str, desired: &Value, _: &Value) -> bool {
        Self::TRAITS.immutable.contains(&path) && !(path == "auth_token" && desired == true)
    }

    fn settled(field: &str, desired: &Value, live: &Value) -> bool {
        field == "nodes.engine_version" && is_same_or_newer_minor(desired, live)
    }
}

/// The fields that one call changes in place; the number of nodes has calls of its own.
const MODIFIABLE: [&str; 13] = [
    "description",
    "engine",
    "node_type",
    "multi_az",
    "automatic_failover",
    "nodes",
    "transit_encryption",
    "transit_encryption_mode",
    "user_groups",
    "snapshot_retention_days",
    "snapshot_window",
    "auto_minor_version_upgrade",
    "logs",
];

impl ReplicationGroup {
    async fn modify(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let has = |field| changes.has(field);
        let old = live.spec.nodes.as_ref();
        // Of the nodes' settings only those that differ: a version that AWS has moved on stays.
        let differs = |what: fn(&NodeSettings) -> String| {
            let new = self.nodes.as_ref().map(what);
            new.filter(|new| Some(new) != old.map(what).as_ref())
        };
        let version = |nodes: &NodeSettings| Value::from(nodes.engine_version.clone());
        let settled = match (self.nodes.as_ref(), old) {
            (Some(new), Some(old)) => is_same_or_newer_minor(&version(new), &version(old)),
            _ => false,
        };
        let security_groups = self.nodes.as_ref().map(|nodes| &nodes.security_groups);
        let security_groups =
            security_groups.filter(|new| Some(*new) != old.map(|old| &old.security_groups));
        let mode_now = match (live.spec.transit_encryption, self.transit_encryption_mode.as_deref())
        {
            // AWS goes from plain to required TLS by way of `preferred`.
            (false, Some(_)) if self.transit_encryption => Some(TransitEncryptionMode::Preferred),
            (_, wanted) => wanted.map(mode),
        };
        let call = client!(aws, aws_sdk_elasticache)
            .modify_replication_group()
            .replication_group_id(&live.id)
            // Drift is mended now, not in the next maintenance window.
            .apply_immediately(true)
            .set_replication_group_description(has("description").then(|| self.description.clone()))
            .set_engine(has("engine").then(|| self.engine.clone()))
            .set_engine_version(differs(|nodes| nodes.engine_version.clone()).filter(|_| !settled))
            .set_cache_node_type(has("node_type").then(|| self.node_type.clone()))
            .set_multi_az_enabled(has("multi_az").then_some(self.multi_az))
            .set_automatic_failover_enabled(
                has("automatic_failover").then_some(self.automatic_failover),
            )
            .set_cache_parameter_group_name(differs(|nodes| nodes.parameter_group.clone()))
            .set_security_group_ids(security_groups.map(strings))
            .set_preferred_maintenance_window(differs(|nodes| nodes.maintenance_window.clone()))
            .set_transit_encryption_enabled(
                has("transit_encryption").then_some(self.transit_encryption),
            )
            .set_transit_encryption_mode(
                mode_now
                    .filter(|_| changes.any(&["transit_encryption", "transit_encryption_mode"])),
            )
            .set_user_group_ids_to_add(beyond(&self.user_groups, &live.spec.user_groups))
            .set_user_group_ids_to_remove(beyond(&live.spec.user_groups, &self.user_groups))
            .set_snapshot_retention_limit(
                has("snapshot_retention_days").then_some(self.snapshot_retention_days),
            )
            .set_snapshot_window(has("snapshot_window").then(|| self.snapshot_window.clone()))
            .set_auto_minor_version_upgrade(
                has("auto_minor_version_upgrade").then_some(self.auto_minor_version_upgrade),
            )
            .set_log_delivery_configurations(
                has("logs").then(|| deliveries(&live.spec.logs, &self.logs)),
            );
        aws.call("elasticache:ModifyReplicationGroup", call.send()).await?;
        Ok(())
    }

    /// Has clients present a token from now on, a new one. AWS takes a token beside what was good before, and only
    /// then instead of it:
    /// <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html>.
    async fn ask_for_token(&self, aws: &Aws, live: &Live<Self>) -> Result<()> {
        let Some(secret) = &self.auth_secret else {
            return Err(Error::invalid(&self.id, "a token needs its secret"));
        };
        // Tried again, this goes on with the token that it has set.
        let new = New { tags: live.tags.clone(), token: format!("token of {}", live.id) };
        let (fields, content) = (&["auth_token", "password"], Content::AUTH_TOKEN);
        let token = secret::for_new_store(aws, secret.as_str(), fields, &content, &new).await?;
        for strategy in [AuthTokenUpdateStrategyType::Rotate, AuthTokenUpdateStrategyType::Set] {
            quiet(aws, &live.id).await?;
            let call = client!(aws, aws_sdk_elasticache)
                .modify_replication_group()
                .replication_group_id(&live.id)
                .apply_immediately(true)
                .auth_token(token.expose_secret())
                .auth_token_update_strategy(strategy);
            aws.call("elasticache:ModifyReplicationGroup", call.send()).await?;
        }
        Ok(())
    }
}

/// The members of one set that another has not; `None` where there are none, which is what AWS wants to hear.
fn beyond(these: &BTreeSet<String>, those: &BTreeSet<String>) -> Option<Vec<String>> {
    let beyond: Vec<String> = these.difference(those).cloned().collect();
    (!beyond.is_empty()).then_some(beyond)
}

fn mode(word: &str) -> TransitEncryptionMode {
    TransitEncryptionMode::from(word)
}

fn deliver(log: &str, delivery: &LogDelivery) -> LogDeliveryConfigurationRequest {
    let log_group =
        CloudWatchLogsDestinationDetails::builder().log_group(delivery.log_group.as_str());
    let to = DestinationDetails::builder().cloud_watch_logs_details(log_group.build());
    LogDeliveryConfigurationRequest::builder()
        .log_type(LogType::from(log))
        .destination_type(DestinationType::CloudWatchLogs)
        .destination_details(to.build())
        .log_format(LogFormat::from(delivery.format.as_str()))
        .enabled(true)
        .build()
}

/// What leads from one set of deliveries to another.
fn deliveries(
    old: &BTreeMap<String, LogDelivery>,
    new: &BTreeMap<String, LogDelivery>,
) -> Vec<LogDeliveryConfigurationRequest> {
    let on = new.iter().filter(|(log, to)| old.get(*log) != Some(*to));
    let on = on.map(|(log, to)| deliver(log, to));
    let off = old.keys().filter(|log| !new.contains_key(*log)).map(|log| {
        let log = LogType::from(log.as_str());
        LogDeliveryConfigurationRequest::builder().log_type(log).enabled(false).build()
    });
    on.chain(off).collect()
}

async fn describe(aws: &Aws, id: &str) -> Result<Option<Described>> {
    let call =
        client!(aws, aws_sdk_elasticache).describe_replication_groups().replication_group_id(id);
    let found = aws.find("elasticache:DescribeReplicationGroups", call.send()).await?;
    Ok(found.and_then(|found| found.replication_groups.unwrap_or_default().into_iter().next()))
}

/// The tags of a group. AWS does not tell them while a change is under way, and without them nobody
/// knows whose group it is; where that matters, this waits.
async fn tags(aws: &Aws, arn: &str, patient: bool) -> Result<Tags> {
    match tags_of(aws, arn).await {
        Err(Error::Api(error)) if patient && error.code == "InvalidReplicationGroupState" => {
            let id = arn.rsplit(':').next().unwrap_or(arn);
            quiet(aws, id).await?;
            tags_of(aws, arn).await
        }
        answer => answer,
    }
}

/// Every group. One that is being made shows neither its tags nor its port: in the scope of a stack, whose
/// next step would be to wait for it anyway, this waits until it does.
async fn settled(aws: &Aws, scope: &Scope) -> Result<Vec<Described>> {
    let all = || async {
        let call = client!(aws, aws_sdk_elasticache).describe_replication_groups();
        let groups = call.into_paginator().items().send().try_collect();
        aws.call("elasticache:DescribeReplicationGroups", groups).await
    };
    let groups: Vec<Described> = all().await?;
    let being_made = |group: &&Described| {
        matches!(scope, Scope::Stack(_))
            && group.status() == Some("creating")
            && scope.may_be_ours(group.replication_group_id().unwrap_or_default())
    };
    let ids: Vec<&str> =
        groups.iter().filter(being_made).filter_map(|group| group.replication_group_id()).collect();
    if ids.is_empty() {
        return Ok(groups);
    }
    for id in ids {
        // That it failed is for the plan to see.
        match quiet(aws, id).await {
            Ok(()) | Err(Error::Failed { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    all().await
}

/// Waits until no change of a group is under way, or the group is gone.
async fn quiet(aws: &Aws, id: &str) -> Result<()> {
    let look = || async {
        let Some(group) = describe(aws, id).await? else { return Ok(Readiness::ready()) };
        Ok(Readiness::by_status(group.status().unwrap_or_default(), &["available"], BAD))
    };
    wait::until(&format!("elasticache.replication_group {id}"), BUSY, look).await
}

/// The same for the same group, so that a run that is repeated takes no second snapshot; another one
/// for a later group of the same name.
fn final_snapshot(id: &str, group: &Described) -> String {
    let born = group.replication_group_create_time().map_or(0, |time| time.secs());
    let name: String = id.chars().take(30).collect();
    format!("{}-final-{born:x}", name.trim_end_matches('-'))
}

fn live(
    action: &str,
    group: Described,
    nodes: &Result<Vec<CacheCluster>>,
) -> Result<Live<ReplicationGroup>> {
    let id = group.replication_group_id.clone();
    let id = id.ok_or_else(|| Error::incomplete(action, "a group's name"))?;
    let logs = group.log_delivery_configurations().iter().filter_map(|log| {
        let details = log.destination_details()?;
        let log_group = match details.cloud_watch_logs_details() {
            Some(details) => details.log_group(),
            None => details.kinesis_firehose_details()?.delivery_stream(),
        };
        let format = log.log_format().map_or("", |format| format.as_str()).to_owned();
        Some((log.log_type()?.to_string(), LogDelivery { log_group: log_group?.into(), format }))
    });
    let primary = group.node_groups().first().and_then(|shard| shard.primary_endpoint());
    // A group of shards has one endpoint for all of them.
    let port = primary.or(group.configuration_endpoint()).and_then(|endpoint| endpoint.port());
    let port = port.ok_or_else(|| Error::incomplete(action, "the primary endpoint"));
    let spec = ReplicationGroup {
        id: id.clone(),
        description: group.description().unwrap_or_default().into(),
        engine: group.engine().unwrap_or_default().into(),
        node_type: group.cache_node_type().unwrap_or_default().into(),
        node_count: i32::try_from(group.member_clusters().len()).unwrap_or(i32::MAX),
        multi_az: group.multi_az() == Some(&MultiAzStatus::Enabled),
        automatic_failover: matches!(
            group.automatic_failover(),
            Some(AutomaticFailoverStatus::Enabled | AutomaticFailoverStatus::Enabling)
        ),
        port: 0,
        subnet_group: None,
        nodes: None,
        at_rest_encryption: group.at_rest_encryption_enabled.unwrap_or_default(),
        kms_key: group.kms_key_id().map(Ref::from),
        transit_encryption: group.transit_encryption_enabled.unwrap_or_default(),
        transit_encryption_mode: group.transit_encryption_mode().map(ToString::to_string),
        auth_token: group.auth_token_enabled.unwrap_or_default(),
        auth_secret: None,
        user_groups: group.user_group_ids().iter().cloned().collect(),
        snapshot_retention_days: group.snapshot_retention_limit.unwrap_or_default(),
        snapshot_window: group.snapshot_window().unwrap_or_default().into(),
        auto_minor_version_upgrade: group.auto_minor_version_upgrade.unwrap_or_default(),
        logs: logs.collect(),
        log_errors: group
            .log_delivery_configurations()
            .iter()
            .filter(|log| log.status() == Some(&LogDeliveryConfigurationStatus::Error))
            .filter_map(|log| {
                let why = log.message().unwrap_or("AWS does not say why");
                Some((log.log_type()?.to_string(), why.to_owned()))
            })
            .collect(),
        open_users: BTreeSet::new(),
    };
    let word = group.status().unwrap_or_default();
    let status = Status::by_word(word, GOOD, BAD, &["deleting"]);
    let mut live = outputs(Live::new(&id, spec), &group).with_status(status);
    live.arn = group.arn;
    live.read("port", port, |spec, port| spec.port = port);
    let node = nodes.as_ref().map_err(Clone::clone).map(|nodes| {
        let mut members: Vec<&CacheCluster> =
            nodes.iter().filter(|node| node.replication_group_id() == Some(&id)).collect();
        members.sort_by_key(|node| node.cache_cluster_id());
        members.first().copied()
    });
    live.read("subnet_group", node.clone(), |spec, node| {
        spec.subnet_group = node.and_then(|node| node.cache_subnet_group_name()).map(Ref::from);
    });
    live.read("nodes", node, |spec, node| spec.nodes = node.map(node_settings));
    Ok(live)
}

/// Who signs in to each group without a password: two listings, and only where a group has users.
async fn read_users(aws: &Aws, groups: &mut [Live<ReplicationGroup>]) {
    if groups.iter().all(|group| group.spec.user_groups.is_empty()) {
        return;
    }
    let elasticache = client!(aws, aws_sdk_elasticache);
    let user_groups = elasticache.describe_user_groups().into_paginator().items();
    let users = elasticache.describe_users().into_paginator().items();
    let (user_groups, users) = futures::join!(
        aws.call("elasticache:DescribeUserGroups", user_groups.send().try_collect()),
        aws.call("elasticache:DescribeUsers", users.send().try_collect()),
    );
    let open = user_groups.and_then(|user_groups| Ok((user_groups, open_users(users?))));
    for group in groups.iter_mut().filter(|group| !group.spec.user_groups.is_empty()) {
        let found = open.clone().map(|(user_groups, open)| {
            let own = &group.spec.user_groups;
            let own = user_groups
                .iter()
                .filter(|of| of.user_group_id().is_some_and(|id| own.contains(id)));
            own.flat_map(UserGroup::user_ids).filter(|id| open.contains(*id)).cloned().collect()
        });
        group.read("open_users", found, |spec, found| spec.open_users = found);
    }
}

/// Of these users those who are switched on and need no password.
fn open_users(users: Vec<User>) -> BTreeSet<String> {
    let is_open = |user: &User| {
        let kind = user.authentication().and_then(|how| how.r#type());
        let guarded = matches!(kind, Some(AuthenticationType::Password | AuthenticationType::Iam));
        let rules = user.access_string().unwrap_or("on");
        !guarded && rules.split_whitespace().any(|word| word == "on")
    };
    users.into_iter().filter(is_open).filter_map(|user| user.user_id).collect()
}

fn node_settings(node: &CacheCluster) -> NodeSettings {
    let parameters = node.cache_parameter_group().and_then(|of| of.cache_parameter_group_name());
    let groups = node.security_groups().iter();
    NodeSettings {
        engine_version: node.engine_version().unwrap_or_default().into(),
        parameter_group: parameters.unwrap_or_default().into(),
        security_groups: groups.filter_map(|of| of.security_group_id()).map(Ref::from).collect(),
        maintenance_window: node.preferred_maintenance_window().unwrap_or_default().into(),
    }
}

fn outputs<T>(live: Live<T>, group: &Described) -> Live<T> {
    let shard = group.node_groups().first();
    let primary = shard.and_then(|shard| shard.primary_endpoint());
    let reader = shard.and_then(|shard| shard.reader_endpoint());
    live.with_output("primary_endpoint", primary.and_then(|endpoint| endpoint.address()))
        .with_output("reader_endpoint", reader.and_then(|endpoint| endpoint.address()))
        .with_output(
            "port",
            primary.and_then(|endpoint| endpoint.port()).map(|port| port.to_string()),
        )
}

fn strings(items: &BTreeSet<impl ToString>) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticache::types::{CacheParameterGroupStatus, SecurityGroupMembership};
    use engine::ApiError;
    use serde_json::json;

    use super::*;

    fn read(group: Described, nodes: &Result<Vec<CacheCluster>>) -> Live<ReplicationGroup> {
        live("elasticache:DescribeReplicationGroups", group, nodes).unwrap()
    }

    fn described() -> Described {
        Described::builder().replication_group_id("student-cache-dev").status("available").build()
    }

    #[test]
    fn what_aws_does_not_say_is_never_taken_for_granted() {
        let bare = read(described(), &Ok(Vec::new())).spec;
        assert!(!bare.transit_encryption && !bare.at_rest_encryption && !bare.auth_token);
        assert!(!bare.multi_az && !bare.automatic_failover);
        assert_eq!((bare.nodes, bare.subnet_group), (None, None));
    }

    #[test]
    fn the_nodes_say_what_the_group_does_not() {
        let node = |of: &str, groups: &str| {
            CacheCluster::builder()
                .cache_cluster_id(format!("{of}-001"))
                .replication_group_id(of)
                .engine_version("7.1.0")
                .cache_subnet_group_name("student-cache-subnets-dev")
                .cache_parameter_group(
                    CacheParameterGroupStatus::builder()
                        .cache_parameter_group_name("default.redis7")
                        .build(),
                )
                .security_groups(
                    SecurityGroupMembership::builder().security_group_id(groups).build(),
                )
                .build()
        };
        let nodes = Ok(vec![node("other", "sg-2"), node("student-cache-dev", "sg-1")]);
        let spec = read(described(), &nodes).spec;
        let settings = spec.nodes.unwrap();
        assert_eq!(settings.security_groups, [Ref::from("sg-1")].into());
        assert_eq!(spec.subnet_group, Some("student-cache-subnets-dev".into()));
        let field = "nodes.engine_version";
        assert!(ReplicationGroup::settled(field, &json!("7.1"), &json!(settings.engine_version)));
    }

    #[test]
    fn nodes_that_may_not_be_listed_are_unknown() {
        let denied = Err(Error::Api(ApiError {
            action: "elasticache:DescribeCacheClusters".into(),
            code: "AccessDenied".into(),
            message: String::new(),
            status: Some(403),
        }));
        let live = read(described(), &denied);
        let unreadable: Vec<&str> = live.unreadable.keys().map(String::as_str).collect();
        assert_eq!(unreadable, ["nodes", "port", "subnet_group"], "nor is there an endpoint yet");
    }

    #[test]
    fn a_user_is_open_unless_a_password_or_iam_is_asked_for() {
        let user = |id: &str, kind: Option<AuthenticationType>, rules: &str| {
            let how = aws_sdk_elasticache::types::Authentication::builder().set_type(kind).build();
            User::builder().user_id(id).authentication(how).access_string(rules).build()
        };
        let users = vec![
            user("default", Some(AuthenticationType::NoPassword), "on ~* +@all"),
            user("unsaid", None, "on ~app::* +@read"),
            user("off", Some(AuthenticationType::NoPassword), "off -@all"),
            user("application", Some(AuthenticationType::Password), "on ~* +@all"),
            user("role", Some(AuthenticationType::Iam), "on ~* +@all"),
        ];
        assert_eq!(open_users(users), ["default".to_owned(), "unsaid".to_owned()].into());
    }

    #[test]
    fn a_log_that_is_no_longer_wanted_is_switched_off() {
        let delivery = LogDelivery { log_group: "g".into(), format: "json".into() };
        let old = BTreeMap::from([
            ("slow-log".to_owned(), delivery.clone()),
            ("engine-log".to_owned(), delivery.clone()),
        ]);
        let new = BTreeMap::from([("slow-log".to_owned(), delivery)]);
        let calls = deliveries(&old, &new);
        assert_eq!(calls.len(), 1);
        assert_eq!(
            (calls[0].log_type(), calls[0].enabled()),
            (Some(&LogType::EngineLog), Some(false))
        );
    }
}

//! The cache: Redis or Valkey with a replica in another availability zone.

use std::collections::{BTreeMap, BTreeSet};

use engine::deploy::resolve;
use engine::vocabulary::{
    ForElastiCache, HostName, Isolated, KeyArn, LogGroupName, ReplicationGroupId, SecretArn,
    SecurityGroupId, SubnetId,
};
use engine::{Deployed, Handle, Kind, Mistake, Ref, Result, Stack, StackName, Tags};
use serde::{Deserialize, Serialize};

use crate::cache_subnet_group::CacheSubnetGroup;
use crate::checks::{Checks, is_identifier};
use crate::classification::Classification;
use crate::replication_group::{
    LogDelivery, NodeSettings, ReplicationGroup, primary_endpoint, reader_endpoint,
};
use crate::version::major;
use crate::window::Window;

/// The kinds of a cache.
pub const KINDS: &[Kind] = &[Kind::of::<CacheSubnetGroup>(), Kind::of::<ReplicationGroup>()];

/// A cache, and what it rests on.
#[derive(Debug, Clone)]
pub struct CacheSpec {
    /// The subnets: one in each availability zone, two or more.
    pub subnets: Vec<Ref<SubnetId<Isolated>>>,
    /// The security group.
    pub security_group: Ref<SecurityGroupId>,
    /// The key for data and snapshots.
    pub key: Ref<KeyArn<ForElastiCache>>,
    /// The secret with the token that clients present: 16 to 128 printable characters without `/`,
    /// `"` and `@`; all of the secret, or its field `auth_token` or `password`.
    pub secret: Ref<SecretArn>,
    /// The log group for slow commands.
    pub slow_log: Ref<LogGroupName>,
    /// The log group for what the engine reports.
    pub engine_log: Ref<LogGroupName>,
    /// What an operator chooses.
    pub settings: CacheSettings,
}

/// What an operator chooses of a cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSettings {
    /// `redis` or `valkey`.
    pub engine: String,
    /// The engine's version: `7.1`.
    pub engine_version: String,
    /// The node type.
    pub node_type: String,
    /// How many nodes, the primary included: 2 to 6.
    pub nodes: u8,
    /// The port.
    pub port: u16,
    /// Whether clients must speak TLS, and with it present the token. Without, records cross the network in
    /// plain.
    pub transit_encryption: bool,
    /// How long automatic snapshots are kept, in days: 1 to 35.
    pub snapshot_retention_days: u8,
    /// When they are taken, in UTC.
    pub snapshot_window: String,
    /// When AWS may maintain the nodes, in UTC.
    pub maintenance_window: String,
    /// What the cache says of the records in it.
    pub classification: Classification,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            engine: "redis".into(),
            engine_version: "7.1".into(),
            node_type: "cache.t4g.medium".into(),
            nodes: 2,
            port: 6379,
            transit_encryption: true,
            snapshot_retention_days: 5,
            snapshot_window: "03:00-05:00".into(),
            maintenance_window: "mon:05:00-mon:07:00".into(),
            classification: Classification::default(),
        }
    }
}

/// A declared cache.
#[derive(Debug, Clone)]
pub struct Cache {
    /// The replication group's id.
    pub replication_group: Ref<ReplicationGroupId>,
    /// The host name of the primary, once there is one.
    pub endpoint: Ref<HostName>,
    /// The host name behind which the replicas are, once there are any.
    pub reader_endpoint: Ref<HostName>,
    /// The port. TLS only.
    pub port: u16,
    /// The replication group, to order others by.
    pub handle: Handle<ReplicationGroup>,
}

/// A cache that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CacheOutputs {
    /// The replication group's id.
    pub replication_group_id: String,
    /// The host name of the primary.
    pub endpoint: String,
    /// The host name behind which the replicas are.
    pub reader_endpoint: String,
    /// The port. TLS only.
    pub port: u16,
}

impl Cache {
    /// What the references stand for.
    ///
    /// # Errors
    /// When the cache is not part of what was deployed.
    pub fn resolve(&self, deployed: &Deployed) -> Result<CacheOutputs> {
        let live = &deployed.live;
        Ok(CacheOutputs {
            replication_group_id: resolve(live, &self.replication_group)?,
            endpoint: resolve(live, &self.endpoint)?,
            reader_endpoint: resolve(live, &self.reader_endpoint)?,
            port: self.port,
        })
    }
}

/// What the stack's replication group is called.
fn group_name(name: &StackName) -> String {
    name.of("cache")
}

/// Declares a cache: subnet group and replication group.
pub fn declare(stack: &mut Stack, spec: &CacheSpec) -> Cache {
    let settings = &spec.settings;
    let name = stack.name().clone();
    let subnets_name = name.of("cache-subnets");
    let subnet_group = stack.add_tagged(
        "data/cache-subnets",
        CacheSubnetGroup {
            name: subnets_name.clone(),
            description: "Subnets of the student records cache".into(),
            subnets: spec.subnets.iter().cloned().collect(),
        },
        Tags::from([("Name".into(), subnets_name)]),
    );
    let mut tags = settings.classification.tags();
    tags.insert("Name".into(), group_name(&name));
    let json = |log_group: &Ref<LogGroupName>| LogDelivery {
        log_group: log_group.clone(),
        format: "json".into(),
    };
    let group = stack.add_tagged(
        "data/cache",
        ReplicationGroup {
            id: group_name(&name),
            description: "Cache of student records".into(),
            engine: settings.engine.clone(),
            node_type: settings.node_type.clone(),
            node_count: settings.nodes.into(),
            multi_az: true,
            automatic_failover: true,
            port: settings.port.into(),
            subnet_group: Some(subnet_group.id()),
            nodes: Some(NodeSettings {
                engine_version: settings.engine_version.clone(),
                parameter_group: format!(
                    "default.{}{}",
                    settings.engine,
                    major(&settings.engine_version)
                ),
                security_groups: BTreeSet::from([spec.security_group.clone()]),
                maintenance_window: settings.maintenance_window.clone(),
            }),
            at_rest_encryption: true,
            kms_key: Some(spec.key.clone()),
            transit_encryption: settings.transit_encryption,
            transit_encryption_mode: settings.transit_encryption.then(|| "required".into()),
            // AWS takes a token only where it does not travel in plain.
            auth_token: settings.transit_encryption,
            auth_secret: settings.transit_encryption.then(|| spec.secret.clone()),
            user_groups: BTreeSet::new(),
            snapshot_retention_days: settings.snapshot_retention_days.into(),
            snapshot_window: settings.snapshot_window.clone(),
            auto_minor_version_upgrade: true,
            logs: BTreeMap::from([
                ("engine-log".into(), json(&spec.engine_log)),
                ("slow-log".into(), json(&spec.slow_log)),
            ]),
            log_errors: BTreeMap::new(),
            open_users: BTreeSet::new(),
        },
        tags,
    );
    Cache {
        replication_group: group.id(),
        endpoint: primary_endpoint(&group),
        reader_endpoint: reader_endpoint(&group),
        port: settings.port,
        handle: group,
    }
}

/// What AWS would refuse, or what would not be a safe home for records.
pub fn validate(name: &StackName, spec: &CacheSpec) -> Vec<Mistake> {
    let settings = &spec.settings;
    let mut problems = Checks::of("cache");
    let id = group_name(name);
    problems.unless(
        is_identifier(&id, 40),
        "id",
        format!(
            "{id} is not a name that ElastiCache takes: at most 40 small letters, digits and single hyphens, a letter first"
        ),
    );
    problems.unless(spec.subnets.len() >= 2, "subnets", "a cache needs subnets in two zones");
    problems.unless(
        ["redis", "valkey"].contains(&settings.engine.as_str()),
        "engine",
        "the engine is redis or valkey",
    );
    let version: Option<Vec<u32>> =
        settings.engine_version.split('.').map(|part| part.parse().ok()).collect();
    problems.unless(
        version.is_some_and(|version| version.len() >= 2 && version[0] >= 7),
        "engine_version",
        "TLS can be required from version 7.0 on: 7.1",
    );
    problems.unless(
        (2..=6).contains(&settings.nodes),
        "nodes",
        "a cache that fails over has 2 to 6 nodes",
    );
    problems.unless(
        (1..=35).contains(&settings.snapshot_retention_days),
        "snapshot_retention_days",
        "ElastiCache keeps snapshots for 1 to 35 days",
    );
    let snapshot = Window::daily(&settings.snapshot_window);
    let maintenance = Window::weekly(&settings.maintenance_window);
    problems.unless(
        snapshot.is_some_and(|window| window.minutes() >= 60),
        "snapshot_window",
        "a window is hh:mm-hh:mm in UTC, of an hour or more",
    );
    problems.unless(
        maintenance.is_some_and(|window| window.minutes() >= 60),
        "maintenance_window",
        "a window is ddd:hh:mm-ddd:hh:mm in UTC, of an hour or more",
    );
    if let (Some(snapshot), Some(maintenance)) = (snapshot, maintenance) {
        problems.unless(
            !snapshot.overlaps(maintenance),
            "maintenance_window",
            "it overlaps the snapshot window",
        );
    }
    let old = ["cache.t1.", "cache.t2.", "cache.m1.", "cache.m2.", "cache.m3.", "cache.r3."];
    problems.unless(
        settings.node_type.starts_with("cache.")
            && !old.iter().any(|family| settings.node_type.starts_with(family)),
        "node_type",
        "a node type of a current generation is wanted: cache.t4g.medium",
    );
    problems.found()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(environment: &str, settings: CacheSettings) -> Vec<String> {
        let spec = CacheSpec {
            subnets: vec!["subnet-a".into(), "subnet-b".into()],
            security_group: "sg-1".into(),
            key: "arn:aws:kms:us-east-1:123456789012:key/1".into(),
            secret: "arn:aws:secretsmanager:us-east-1:123456789012:secret:s".into(),
            slow_log: "slow".into(),
            engine_log: "engine".into(),
            settings,
        };
        let problems = validate(&StackName::new("student", environment), &spec);
        problems.into_iter().map(|mistake| mistake.field).collect()
    }

    #[test]
    fn the_defaults_are_fine() {
        assert_eq!(fields("dev", CacheSettings::default()), Vec::<String>::new());
    }

    #[test]
    fn each_mistake_is_named_by_its_field() {
        type Mistake = fn(&mut CacheSettings);
        let mistakes: [(&str, Mistake); 6] = [
            ("cache.engine", |s| s.engine = "memcached".into()),
            ("cache.engine_version", |s| s.engine_version = "6.2".into()),
            ("cache.nodes", |s| s.nodes = 1),
            ("cache.snapshot_retention_days", |s| s.snapshot_retention_days = 0),
            ("cache.maintenance_window", |s| s.snapshot_window = "04:00-06:00".into()),
            ("cache.node_type", |s| s.node_type = "cache.t2.micro".into()),
        ];
        for (field, mistake) in mistakes {
            let mut settings = CacheSettings::default();
            mistake(&mut settings);
            assert_eq!(fields("dev", settings), [field]);
        }
        assert_eq!(fields(&"e".repeat(40), CacheSettings::default()), ["cache.id"]);
    }
}

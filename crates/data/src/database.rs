//! The database: Aurora PostgreSQL with a writer and readers in different availability zones.

use std::collections::{BTreeMap, BTreeSet};

use engine::deploy::resolve;
use engine::vocabulary::{
    DbClusterArn, DbClusterId, ForRds, HostName, Id, Isolated, KeyArn, LogGroupName, SecretArn,
    SecurityGroupId, SubnetId,
};
use engine::{Deployed, Handle, Kind, Mistake, Ref, Result, Stack, StackName, Tags};
use serde::{Deserialize, Serialize};

use crate::checks::{Checks, is_identifier};
use crate::classification::Classification;
use crate::db_cluster::{
    self, DbCluster, ServerlessScaling, endpoint, reader_endpoint, resource_id,
};
use crate::db_cluster_parameter_group::DbClusterParameterGroup;
use crate::db_instance::{DbInstance, PerformanceInsights};
use crate::db_subnet_group::DbSubnetGroup;
use crate::version::major;
use crate::window::Window;

const ENGINE: &str = "aurora-postgresql";

/// The kinds of a database.
pub const KINDS: &[Kind] = &[
    Kind::of::<DbClusterParameterGroup>(),
    Kind::of::<DbSubnetGroup>(),
    Kind::of::<DbCluster>(),
    Kind::of::<DbInstance>(),
];

/// A database, and what it rests on.
#[derive(Debug, Clone)]
pub struct DatabaseSpec {
    /// The subnets: one in each availability zone, two or more.
    pub subnets: Vec<Ref<SubnetId<Isolated>>>,
    /// The availability zones of those subnets. Instances are spread over them.
    pub zones: Vec<String>,
    /// The security group.
    pub security_group: Ref<SecurityGroupId>,
    /// The key for storage, backups, snapshots and performance insights.
    pub key: Ref<KeyArn<ForRds>>,
    /// The secret with the master user's password, in its field `password`.
    pub secret: Ref<SecretArn>,
    /// The log group with the name that [`log_group_name`] gives. The cluster is made after it.
    pub log_group: Option<Ref<LogGroupName>>,
    /// What an operator chooses.
    pub settings: DatabaseSettings,
}

/// What an operator chooses of a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    /// The version of Aurora PostgreSQL: `17`, or `17.6`. AWS completes a major version with its
    /// default minor one.
    pub engine_version: String,
    /// The database that the cluster begins with.
    pub database_name: String,
    /// The master user.
    pub master_username: String,
    /// The port.
    pub port: u16,
    /// The least capacity, in Aurora capacity units, in steps of 0.5.
    pub min_capacity: f64,
    /// The greatest capacity, in Aurora capacity units, in steps of 0.5.
    pub max_capacity: f64,
    /// How many instances: a writer and its readers.
    pub instances: u8,
    /// How long automatic backups are kept, in days: 1 to 35.
    pub backup_retention_days: u8,
    /// When they are taken, in UTC.
    pub backup_window: String,
    /// When AWS may maintain cluster and instances, in UTC.
    pub maintenance_window: String,
    /// Whether AWS refuses to delete it.
    pub deletion_protection: bool,
    /// How long performance insights are kept, in days: 7, a multiple of 31, or 731.
    pub performance_insights_days: u16,
    /// Parameters of the engine, beside (or instead of) those that compliance asks for.
    pub parameters: BTreeMap<String, String>,
    /// What the database says of the records in it.
    pub classification: Classification,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            engine_version: "17".into(),
            database_name: "studentrecords".into(),
            master_username: "studentadmin".into(),
            port: 5432,
            min_capacity: 0.5,
            max_capacity: 4.0,
            instances: 2,
            backup_retention_days: 35,
            backup_window: "03:00-04:00".into(),
            // Half an hour for a backup that runs late.
            maintenance_window: "mon:04:30-mon:05:30".into(),
            deletion_protection: true,
            performance_insights_days: 7,
            parameters: BTreeMap::new(),
            classification: Classification::default(),
        }
    }
}

impl DatabaseSettings {
    /// TLS only; who signs in and out, every change of the schema, of a role or of data, and every
    /// read of it, in the log. What statements carry as parameters stays out of it: that would be
    /// records.
    fn parameters(&self) -> BTreeMap<String, String> {
        let demanded = [
            ("rds.force_ssl", "1"),
            ("shared_preload_libraries", "pg_stat_statements,pgaudit"),
            ("pgaudit.log", "ddl,read,role,write"),
            ("pgaudit.log_parameter", "0"),
            ("log_connections", "1"),
            ("log_disconnections", "1"),
            ("password_encryption", "scram-sha-256"),
        ];
        let mut parameters: BTreeMap<String, String> =
            demanded.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        parameters.extend(self.parameters.clone());
        parameters
    }
}

/// A declared database.
#[derive(Debug, Clone)]
pub struct Database {
    /// The cluster's identifier.
    pub cluster: Ref<DbClusterId>,
    /// The cluster's ARN.
    pub arn: Ref<DbClusterArn>,
    /// The host name of the writer.
    pub endpoint: Ref<HostName>,
    /// The host name behind which the readers are.
    pub reader_endpoint: Ref<HostName>,
    /// The id by which IAM policies for database users know the cluster.
    pub resource_id: Ref<Id>,
    /// The port.
    pub port: u16,
    /// The cluster, to order others by.
    pub handle: Handle<DbCluster>,
    /// The instances, to order others by: the database answers once one is ready.
    pub instances: Vec<Handle<DbInstance>>,
}

/// A database that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseOutputs {
    /// The cluster's identifier.
    pub cluster_id: String,
    /// The cluster's ARN.
    pub cluster_arn: String,
    /// The host name of the writer.
    pub endpoint: String,
    /// The host name behind which the readers are.
    pub reader_endpoint: String,
    /// The id by which IAM policies for database users know the cluster.
    pub resource_id: String,
    /// The port.
    pub port: u16,
}

impl Database {
    /// What the references stand for.
    ///
    /// # Errors
    /// When the database is not part of what was deployed.
    pub fn resolve(&self, deployed: &Deployed) -> Result<DatabaseOutputs> {
        let live = &deployed.live;
        Ok(DatabaseOutputs {
            cluster_id: resolve(live, &self.cluster)?,
            cluster_arn: resolve(live, &self.arn)?,
            endpoint: resolve(live, &self.endpoint)?,
            reader_endpoint: resolve(live, &self.reader_endpoint)?,
            resource_id: resolve(live, &self.resource_id)?,
            port: self.port,
        })
    }
}

/// What the stack's cluster is called.
pub fn cluster_name(name: &StackName) -> String {
    name.of("records")
}

fn instance_name(name: &StackName, number: usize) -> String {
    name.of(&format!("records-{number}"))
}

/// The log group that AWS writes the stack's PostgreSQL log to. Whoever makes it beforehand chooses
/// its key and retention.
pub fn log_group_name(name: &StackName) -> String {
    db_cluster::log_group_name(&cluster_name(name))
}

/// Declares a database: parameter group, subnet group, cluster, and its instances, which are made
/// side by side as soon as the cluster exists.
pub fn declare(stack: &mut Stack, spec: &DatabaseSpec) -> Database {
    let settings = &spec.settings;
    let name = stack.name().clone();
    let named = |thing: String| Tags::from([("Name".to_owned(), thing)]);
    let record_store = |thing: String| {
        let mut tags = settings.classification.tags();
        tags.extend(named(thing));
        tags
    };
    let parameter_group = stack.add_tagged(
        "data/cluster-parameters",
        DbClusterParameterGroup {
            name: name.of("aurora"),
            family: format!("{ENGINE}{}", major(&settings.engine_version)),
            description: "TLS only, statements audited".into(),
            parameters: settings.parameters(),
            restart_pending: BTreeSet::new(),
        },
        named(name.of("aurora")),
    );
    let subnet_group = stack.add_tagged(
        "data/database-subnets",
        DbSubnetGroup {
            name: name.of("database-subnets"),
            description: "Subnets of the student records database".into(),
            subnets: spec.subnets.iter().cloned().collect(),
        },
        named(name.of("database-subnets")),
    );
    let cluster = stack.add_tagged(
        "data/cluster",
        DbCluster {
            identifier: cluster_name(&name),
            engine: ENGINE.into(),
            engine_version: settings.engine_version.clone(),
            database_name: Some(settings.database_name.clone()),
            master_username: settings.master_username.clone(),
            master_secret: Some(spec.secret.clone()),
            port: settings.port.into(),
            subnet_group: subnet_group.id(),
            security_groups: BTreeSet::from([spec.security_group.clone()]),
            storage_encrypted: true,
            kms_key: Some(spec.key.clone()),
            backup_retention_days: settings.backup_retention_days.into(),
            backup_window: settings.backup_window.clone(),
            maintenance_window: settings.maintenance_window.clone(),
            scaling: Some(ServerlessScaling {
                min_capacity: settings.min_capacity,
                max_capacity: settings.max_capacity,
            }),
            log_exports: BTreeSet::from(["postgresql".to_owned()]),
            log_group: spec.log_group.clone(),
            iam_authentication: true,
            deletion_protection: settings.deletion_protection,
            copy_tags_to_snapshot: true,
            // Once its parameters are set: libraries are loaded when an instance first starts.
            parameter_group: parameter_group.ready().id(),
            members: BTreeSet::new(),
            managed_secret: None,
            restart_pending: BTreeSet::new(),
            stopped: false,
        },
        record_store(cluster_name(&name)),
    );
    let instances = (0..usize::from(settings.instances))
        .zip(spec.zones.iter().cycle())
        .map(|(at, zone)| {
            let number = at + 1;
            stack.add_tagged(
                format!("data/instance-{number}"),
                DbInstance {
                    identifier: instance_name(&name, number),
                    cluster: Some(cluster.id()),
                    port: None,
                    subnets: BTreeSet::new(),
                    security_groups: BTreeSet::new(),
                    engine: ENGINE.into(),
                    class: "db.serverless".into(),
                    availability_zone: zone.clone(),
                    publicly_accessible: false,
                    storage_encrypted: true,
                    kms_key: Some(spec.key.clone()),
                    performance_insights: Some(PerformanceInsights {
                        kms_key: Some(spec.key.clone()),
                        retention_days: settings.performance_insights_days.into(),
                    }),
                    auto_minor_version_upgrade: true,
                    maintenance_window: settings.maintenance_window.clone(),
                    promotion_tier: 1,
                    monitoring: None,
                    parameter_groups: BTreeMap::new(),
                    standalone: None,
                },
                record_store(instance_name(&name, number)),
            )
        })
        .collect();
    Database {
        cluster: cluster.id(),
        arn: cluster.arn(),
        endpoint: endpoint(&cluster),
        reader_endpoint: reader_endpoint(&cluster),
        resource_id: resource_id(&cluster),
        port: settings.port,
        handle: cluster,
        instances,
    }
}

/// What AWS would refuse, or what would not be a safe home for records.
pub fn validate(name: &StackName, spec: &DatabaseSpec) -> Vec<Mistake> {
    let settings = &spec.settings;
    let mut problems = Checks::of("database");
    let identifier = instance_name(name, settings.instances.into());
    problems.unless(
        is_identifier(&identifier, 63),
        "identifier",
        format!(
            "{identifier} is not a name that RDS takes: at most 63 small letters, digits and single hyphens, a letter first"
        ),
    );
    problems.unless(spec.subnets.len() >= 2, "subnets", "a database needs subnets in two zones");
    let zones: BTreeSet<&String> = spec.zones.iter().collect();
    problems.unless(zones.len() >= 2, "zones", "writer and reader need zones of their own");
    problems.unless(
        (1..=15).contains(&settings.instances),
        "instances",
        "a cluster has 1 to 15 instances",
    );
    let version: Option<Vec<u32>> =
        settings.engine_version.split('.').map(|part| part.parse().ok()).collect();
    problems.unless(
        version.is_some_and(|version| version.len() <= 2 && version[0] >= 13),
        "engine_version",
        "a version is a major one (17) or a minor one (17.6), and 13 or later for serverless",
    );
    problems.unless(
        (1..=35).contains(&settings.backup_retention_days),
        "backup_retention_days",
        "Aurora keeps backups for 1 to 35 days",
    );
    for (field, capacity, least) in
        [("min_capacity", settings.min_capacity, 0.0), ("max_capacity", settings.max_capacity, 1.0)]
    {
        let fits = (least..=256.0).contains(&capacity) && (capacity * 2.0).fract() == 0.0;
        problems.unless(
            fits,
            field,
            format!("capacity lies between {least} and 256, in steps of 0.5"),
        );
    }
    problems.unless(
        settings.min_capacity <= settings.max_capacity,
        "min_capacity",
        "the least capacity is more than the greatest",
    );
    let backup = Window::daily(&settings.backup_window);
    let maintenance = Window::weekly(&settings.maintenance_window);
    problems.unless(
        backup.is_some_and(|window| window.minutes() >= 30),
        "backup_window",
        "a window is hh:mm-hh:mm in UTC, of half an hour or more",
    );
    problems.unless(
        maintenance.is_some_and(|window| (30..24 * 60).contains(&window.minutes())),
        "maintenance_window",
        "a window is ddd:hh:mm-ddd:hh:mm in UTC, of half an hour to a day",
    );
    if let (Some(backup), Some(maintenance)) = (backup, maintenance) {
        problems.unless(
            !backup.overlaps(maintenance),
            "maintenance_window",
            "it overlaps the backup window",
        );
    }
    let days = settings.performance_insights_days;
    problems.unless(
        days == 7 || days == 731 || (days > 0 && days.is_multiple_of(31) && days <= 23 * 31),
        "performance_insights_days",
        "performance insights are kept for 7 days, a multiple of 31, or 731",
    );
    let word = |text: &str, longest: usize| {
        text.len() <= longest
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    problems.unless(
        word(&settings.database_name, 63),
        "database_name",
        "a database name is at most 63 letters, digits and underscores, a letter first",
    );
    let reserved = ["admin", "postgres", "rdsadmin", "root"];
    problems.unless(
        word(&settings.master_username, 16) && !reserved.contains(&settings.master_username.as_str()),
        "master_username",
        "a master user is at most 16 letters, digits and underscores, a letter first, and no reserved word",
    );
    problems.unless(settings.port >= 1150, "port", "Aurora takes ports from 1150 on");
    problems.found()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(settings: DatabaseSettings) -> DatabaseSpec {
        DatabaseSpec {
            subnets: vec!["subnet-a".into(), "subnet-b".into()],
            zones: vec!["us-east-1a".into(), "us-east-1b".into()],
            security_group: "sg-1".into(),
            key: "arn:aws:kms:us-east-1:123456789012:key/1".into(),
            secret: "arn:aws:secretsmanager:us-east-1:123456789012:secret:s".into(),
            log_group: None,
            settings,
        }
    }

    fn fields(settings: DatabaseSettings) -> Vec<String> {
        let problems = validate(&StackName::new("student", "dev"), &spec(settings));
        problems.into_iter().map(|mistake| mistake.field).collect()
    }

    #[test]
    fn the_defaults_are_fine() {
        assert_eq!(fields(DatabaseSettings::default()), Vec::<String>::new());
    }

    #[test]
    fn each_mistake_is_named_by_its_field() {
        type Mistake = fn(&mut DatabaseSettings);
        let mistakes: [(&str, Mistake); 10] = [
            ("database.backup_retention_days", |s| s.backup_retention_days = 36),
            ("database.backup_retention_days", |s| s.backup_retention_days = 0),
            ("database.min_capacity", |s| s.min_capacity = 0.75),
            ("database.max_capacity", |s| s.max_capacity = 256.5),
            ("database.min_capacity", |s| s.min_capacity = 8.0),
            ("database.backup_window", |s| s.backup_window = "3am".into()),
            ("database.maintenance_window", |s| s.backup_window = "05:00-06:00".into()),
            ("database.engine_version", |s| s.engine_version = "latest".into()),
            ("database.performance_insights_days", |s| s.performance_insights_days = 30),
            ("database.master_username", |s| s.master_username = "admin".into()),
        ];
        for (field, mistake) in mistakes {
            let mut settings = DatabaseSettings::default();
            mistake(&mut settings);
            assert_eq!(fields(settings), [field]);
        }
    }

    #[test]
    fn an_environment_must_give_names_that_rds_takes() {
        let problems = |environment: &str| {
            let name = StackName::new("student", environment);
            validate(&name, &spec(DatabaseSettings::default())).len()
        };
        assert_eq!(problems("prod-2"), 0);
        assert_eq!(problems("Prod"), 1);
        assert_eq!(problems("a--b"), 1);
        assert_eq!(problems(&"x".repeat(60)), 1);
    }

    #[test]
    fn writer_and_reader_lie_in_different_zones() {
        let mut stack = Stack::new(StackName::new("student", "dev"), Tags::new());
        declare(&mut stack, &spec(DatabaseSettings { instances: 3, ..Default::default() }));
        let zone = |n: u8| {
            let node = stack.nodes().find(|n_| n_.id.as_str() == format!("data/instance-{n}"));
            node.unwrap().spec["availability_zone"].clone()
        };
        assert_ne!(zone(1), zone(2));
        assert_eq!(zone(1), zone(3));
    }

    #[test]
    fn an_operator_adds_parameters_and_keeps_the_demanded_ones() {
        let own = BTreeMap::from([("work_mem".to_owned(), "65536".to_owned())]);
        let parameters = DatabaseSettings { parameters: own, ..Default::default() }.parameters();
        assert_eq!(parameters["rds.force_ssl"], "1");
        assert_eq!(parameters["work_mem"], "65536");
    }
}

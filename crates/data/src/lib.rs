//! Aurora PostgreSQL, ElastiCache, Kinesis, Firehose, EFS and backups.
//!
//! Each part can be had on its own. A part takes references to what it rests on: handles of another
//! layer, or the ids of what exists already. So another team can put a database into a VPC that it
//! has:
//!
//! ```
//! use data::{DataSpec, DatabaseSettings, DatabaseSpec, database};
//! use engine::{Aws, StackName, Target, client};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let target = Target::Embedded(local::ControlPlane::in_memory().http_client());
//! let aws = Aws::connect(target, Some("us-east-1")).await?;
//!
//! // What the team has: two subnets and a security group, a key, a secret, a log group.
//! # let ec2 = client!(aws, aws_sdk_ec2);
//! # let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await?;
//! # let vpc = vpc.vpc.and_then(|vpc| vpc.vpc_id).unwrap_or_default();
//! # let mut subnets = Vec::new();
//! # for (zone, range) in [("us-east-1a", "10.0.1.0/24"), ("us-east-1b", "10.0.2.0/24")] {
//! #     let call = ec2.create_subnet().vpc_id(&vpc).cidr_block(range).availability_zone(zone);
//! #     subnets.push(call.send().await?.subnet.and_then(|it| it.subnet_id).unwrap_or_default());
//! # }
//! # let call = ec2.create_security_group().vpc_id(&vpc).group_name("db").description("Database");
//! # let security_group = call.send().await?.group_id.unwrap_or_default();
//! # let key = client!(aws, aws_sdk_kms).create_key().send().await?;
//! # let key = key.key_metadata.and_then(|key| key.arn).unwrap_or_default();
//! # let call = client!(aws, aws_sdk_secretsmanager).create_secret().name("registrar-db");
//! # let secret = call.secret_string(r#"{"password":"not-a-real-one"}"#).send().await?;
//! # let secret = secret.arn.unwrap_or_default();
//! let name = StackName::new("registrar", "test");
//! let log_group = database::log_group_name(&name);
//! # let logs = client!(aws, aws_sdk_cloudwatchlogs);
//! # logs.create_log_group().log_group_name(&log_group).send().await?;
//!
//! let spec = DatabaseSpec {
//!     subnets: subnets.into_iter().map(Into::into).collect(),
//!     zones: vec!["us-east-1a".into(), "us-east-1b".into()],
//!     security_group: security_group.into(),
//!     key: key.into(),
//!     secret: secret.into(),
//!     log_group: Some(log_group.into()),
//!     settings: DatabaseSettings { max_capacity: 2.0, ..Default::default() },
//! };
//! let spec = DataSpec { database: Some(spec), ..Default::default() };
//! let made = data::provision(&aws, name, &spec).await?;
//! let database = made.database.ok_or("it was asked for")?;
//! assert_eq!(database.cluster_id, "registrar-records-test");
//! assert!(database.endpoint.starts_with("registrar-records-test.cluster-"));
//! # Ok(())
//! # }
//! ```
//!
//! Or [`declare`] a part in one stack with other layers, whose references it takes:
//!
//! ```
//! use data::{DataSpec, FilesSettings, FilesSpec};
//! use engine::plan::Options;
//! use engine::{Aws, Place, Stack, StackName, Tags, Target, deploy};
//! use network::NetworkSpec;
//! use security::{KeysSpec, declare_keys};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let target = Target::Embedded(local::ControlPlane::in_memory().http_client());
//! # let aws = Aws::connect(target, Some("us-east-1")).await?;
//! let place = Place::of(&aws);
//! let mut stack = Stack::new(StackName::new("registrar", "dev"), Tags::new());
//! let keys = declare_keys(&mut stack, &KeysSpec::new(place.clone()));
//! let spec = NetworkSpec::in_zones(["us-east-1a", "us-east-1b"]);
//! let network = network::declare(&mut stack, &spec, &place);
//!
//! let files = FilesSpec {
//!     subnets: network.isolated_subnets,
//!     security_group: network.file_system,
//!     key: keys.efs,
//!     settings: FilesSettings::default(),
//! };
//! let spec = DataSpec { files: Some(files), ..Default::default() };
//! assert_eq!(data::validate(stack.name(), &spec), []);
//! let data = data::declare(&mut stack, &spec);
//!
//! let kinds = [security::KINDS, network::KINDS, data::KINDS].concat();
//! let deployed = deploy::up(&aws, &stack, &kinds, Options::default()).await?;
//! let files = data.files.ok_or("they were asked for")?.resolve(&deployed)?;
//! assert!(files.file_system_id.starts_with("fs-"));
//! # Ok(())
//! # }
//! ```

pub mod access_point;
pub mod backup;
pub mod backup_plan;
pub mod backup_vault;
pub mod cache;
mod cache_subnet_group;
mod checks;
mod classification;
mod cron;
pub mod database;
pub mod db_cluster;
mod db_cluster_parameter_group;
mod db_instance;
mod db_subnet_group;
pub mod delivery_stream;
pub mod disclosure;
mod elasticache;
mod exists;
pub mod file_system;
pub mod files;
mod key_arn;
pub mod kinesis_stream;
pub mod mount_target;
mod rds;
pub mod replication_group;
mod secret;
pub mod stream;
mod tagged;
mod version;
mod window;

use engine::deploy::{self, DeployError};
use engine::plan::Options;
use engine::{Aws, Kind, Mistake, Stack, StackName, Tags};
use serde::Serialize;

pub use access_point::{AccessPoint, Creation, PosixUser, RootDirectory};
pub use backup::{Backup, BackupOutputs, BackupSettings, BackupSpec, RuleSettings};
pub use backup_plan::{BackupPlan, BackupRule, BackupSelection, TagCondition, TagTest};
pub use backup_vault::{BackupVault, VaultLock};
pub use cache::{Cache, CacheOutputs, CacheSettings, CacheSpec};
pub use cache_subnet_group::CacheSubnetGroup;
pub use classification::Classification;
pub use database::{Database, DatabaseOutputs, DatabaseSettings, DatabaseSpec};
pub use db_cluster::{DbCluster, ServerlessScaling};
pub use db_cluster_parameter_group::DbClusterParameterGroup;
pub use db_instance::{DbInstance, Monitoring, PerformanceInsights, Standalone};
pub use db_subnet_group::DbSubnetGroup;
pub use delivery_stream::{Compression, DeliveryStream, ErrorLog};
pub use disclosure::{Disclosure, DisclosureOutputs, DisclosureSettings, DisclosureSpec};
pub use file_system::{FileSystem, Lifecycle, Throughput};
pub use files::{Files, FilesOutputs, FilesSettings, FilesSpec};
pub use kinesis_stream::{KinesisStream, StreamMode};
pub use mount_target::MountTarget;
pub use replication_group::{LogDelivery, NodeSettings, ReplicationGroup};
pub use stream::{Stream as RecordStream, StreamOutputs, StreamSettings, StreamSpec};

/// The kinds of this layer.
pub const KINDS: &[Kind] = &[
    Kind::of::<DbClusterParameterGroup>(),
    Kind::of::<DbSubnetGroup>(),
    Kind::of::<DbCluster>(),
    Kind::of::<DbInstance>(),
    Kind::of::<CacheSubnetGroup>(),
    Kind::of::<ReplicationGroup>(),
    Kind::of::<KinesisStream>(),
    Kind::of::<DeliveryStream>(),
    Kind::of::<FileSystem>(),
    Kind::of::<MountTarget>(),
    Kind::of::<AccessPoint>(),
    Kind::of::<BackupVault>(),
    Kind::of::<BackupPlan>(),
];

/// What the layer is to make: any of its parts.
#[derive(Debug, Clone, Default)]
pub struct DataSpec {
    /// Aurora PostgreSQL.
    pub database: Option<DatabaseSpec>,
    /// Redis or Valkey.
    pub cache: Option<CacheSpec>,
    /// The stream of record events.
    pub stream: Option<StreamSpec>,
    /// The record of disclosures.
    pub disclosure: Option<DisclosureSpec>,
    /// The shared files.
    pub files: Option<FilesSpec>,
    /// Backups.
    pub backup: Option<BackupSpec>,
}

/// What the layer declares.
#[derive(Debug, Clone)]
pub struct Data {
    /// Aurora PostgreSQL.
    pub database: Option<Database>,
    /// Redis or Valkey.
    pub cache: Option<Cache>,
    /// The stream of record events.
    pub stream: Option<RecordStream>,
    /// The record of disclosures.
    pub disclosure: Option<Disclosure>,
    /// The shared files.
    pub files: Option<Files>,
    /// Backups.
    pub backup: Option<Backup>,
}

/// What the layer has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataOutputs {
    /// Aurora PostgreSQL.
    pub database: Option<DatabaseOutputs>,
    /// Redis or Valkey.
    pub cache: Option<CacheOutputs>,
    /// The stream of record events.
    pub stream: Option<StreamOutputs>,
    /// The record of disclosures.
    pub disclosure: Option<DisclosureOutputs>,
    /// The shared files.
    pub files: Option<FilesOutputs>,
    /// Backups.
    pub backup: Option<BackupOutputs>,
}

/// Declares the layer's parts.
pub fn declare(stack: &mut Stack, spec: &DataSpec) -> Data {
    Data {
        database: spec.database.as_ref().map(|spec| database::declare(stack, spec)),
        cache: spec.cache.as_ref().map(|spec| cache::declare(stack, spec)),
        stream: spec.stream.as_ref().map(|spec| stream::declare(stack, spec)),
        disclosure: spec.disclosure.as_ref().map(|spec| disclosure::declare(stack, spec)),
        files: spec.files.as_ref().map(|spec| files::declare(stack, spec)),
        backup: spec.backup.as_ref().map(|spec| backup::declare(stack, spec)),
    }
}

/// What AWS would refuse, or what would not be a safe home for records. Nothing is asked of AWS.
pub fn validate(name: &StackName, spec: &DataSpec) -> Vec<Mistake> {
    let mut problems = Vec::new();
    problems.extend(spec.database.iter().flat_map(|spec| database::validate(name, spec)));
    problems.extend(spec.cache.iter().flat_map(|spec| cache::validate(name, spec)));
    problems.extend(spec.stream.iter().flat_map(|spec| stream::validate(name, spec)));
    problems.extend(spec.disclosure.iter().flat_map(|spec| disclosure::validate(name, spec)));
    problems.extend(spec.files.iter().flat_map(|spec| files::validate(name, spec)));
    problems.extend(spec.backup.iter().flat_map(|spec| backup::validate(name, spec)));
    problems
}

/// Why the layer is not up.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The specification has mistakes.
    #[error("the specification has mistakes: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Mistake>),
    /// The stack could not be brought up.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// AWS did not give an output.
    #[error(transparent)]
    Output(#[from] engine::Error),
}

/// Makes the layer a stack of its own, and waits until it works.
///
/// # Errors
/// When the specification has mistakes or the stack cannot be brought up.
pub async fn provision(
    aws: &Aws,
    name: StackName,
    spec: &DataSpec,
) -> Result<DataOutputs, ProvisionError> {
    let problems = validate(&name, spec);
    if !problems.is_empty() {
        return Err(ProvisionError::Invalid(problems));
    }
    let mut stack = Stack::new(name, Tags::new());
    let data = declare(&mut stack, spec);
    let deployed = deploy::up(aws, &stack, KINDS, Options::default()).await?;
    Ok(DataOutputs {
        database: data.database.map(|part| part.resolve(&deployed)).transpose()?,
        cache: data.cache.map(|part| part.resolve(&deployed)).transpose()?,
        stream: data.stream.map(|part| part.resolve(&deployed)).transpose()?,
        disclosure: data.disclosure.map(|part| part.resolve(&deployed)).transpose()?,
        files: data.files.map(|part| part.resolve(&deployed)).transpose()?,
        backup: data.backup.map(|part| part.resolve(&deployed)).transpose()?,
    })
}

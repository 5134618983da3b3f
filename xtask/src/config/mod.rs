//! `ferpa.toml`: everything that an operator would want to choose.
//!
//! Reading it reports all faults at once, each with its place underlined: unknown keys, values of the
//! wrong type, and (see [`check`]) values that AWS or the stack cannot have.

mod check;
mod read;

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

pub use read::{BadConfig, Fault, Source};

/// The whole configuration. Every key has a default; the defaults are a complete stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The first part of every name.
    pub project: String,
    /// The environment, the last part of every name. `--env` overrides it.
    pub environment: String,
    /// The region. `--region` overrides it.
    pub region: Option<String>,
    /// Tags for every resource, beside those of ownership.
    pub tags: BTreeMap<String, String>,
    /// The network.
    pub network: Network,
    /// Keys, secrets, the trail and alarms.
    pub security: Security,
    /// Log groups.
    pub logs: Logs,
    /// Aurora PostgreSQL.
    pub database: Database,
    /// ElastiCache.
    pub cache: Cache,
    /// The Kinesis stream.
    pub stream: Stream,
    /// The EFS file system.
    pub files: Files,
    /// AWS Backup.
    pub backup: Backup,
    /// The ECS service and its tasks.
    pub service: Service,
    /// The load balancer before it.
    pub load_balancer: LoadBalancer,
    /// The REST API.
    pub api: Api,
    /// What guards the whole account.
    pub guards: Guards,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            project: "student".into(),
            environment: "dev".into(),
            region: None,
            tags: BTreeMap::from([
                ("Project".into(), "StudentRecords".into()),
                ("Compliance".into(), "FERPA".into()),
            ]),
            network: Network::default(),
            security: Security::default(),
            logs: Logs::default(),
            database: Database::default(),
            cache: Cache::default(),
            stream: Stream::default(),
            files: Files::default(),
            backup: Backup::default(),
            service: Service::default(),
            load_balancer: LoadBalancer::default(),
            api: Api::default(),
            guards: Guards::default(),
        }
    }
}

/// How many availability zones, or which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Zones {
    /// That many, the first that the region offers.
    Count(usize),
    /// These.
    Named(Vec<String>),
}

impl Zones {
    /// How many.
    pub fn count(&self) -> usize {
        match self {
            Self::Count(count) => *count,
            Self::Named(names) => names.len(),
        }
    }
}

/// The network.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// The VPC's address range.
    pub cidr: Ipv4Net,
    /// Two to four availability zones: a number, or names.
    pub availability_zones: Zones,
    /// Public subnets, one for each zone: only NAT gateways live there.
    pub public_cidrs: Vec<Ipv4Net>,
    /// Private subnets, one for each zone: tasks, the load balancer, endpoints.
    pub private_cidrs: Vec<Ipv4Net>,
    /// Data subnets, one for each zone, without a route to the internet.
    pub data_cidrs: Vec<Ipv4Net>,
    /// Whether public subnets hand out public addresses.
    pub public_ip_on_launch: bool,
    /// Whether the VPC's traffic is logged.
    pub flow_logs: bool,
    /// The AWS services that are reached without leaving the network: `s3`, `kms`, `secretsmanager`,
    /// `logs`, `ecr`, `kinesis`.
    pub endpoints: Vec<String>,
}

impl Default for Network {
    fn default() -> Self {
        let cidrs = |third: [u8; 2]| -> Vec<Ipv4Net> {
            third
                .iter()
                .map(|third| {
                    Ipv4Net::new_assert([10, 0, *third, 0].into(), 24)
                })
                .collect()
        };
        Self {
            cidr: Ipv4Net::new_assert([10, 0, 0, 0].into(), 16),
            availability_zones: Zones::Count(2),
            public_cidrs: cidrs([1, 2]),
            private_cidrs: cidrs([11, 12]),
            data_cidrs: cidrs([21, 22]),
            public_ip_on_launch: false,
            flow_logs: true,
            endpoints: ["s3", "kms", "secretsmanager", "logs", "ecr", "kinesis"].map(Into::into).into(),
        }
    }
}

/// Keys, secrets, the trail and alarms.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// Days between two rotations of a key's material (90 to 2560).
    pub key_rotation_days: u32,
    /// Days between scheduling a key's deletion and its end (7 to 30).
    pub key_deletion_days: u32,
    /// Days in which a deleted secret can be restored (7 to 30).
    pub secret_recovery_days: u32,
    /// Days between two rotations of the database password (1 to 1000).
    pub secret_rotation_days: u32,
    /// How trail and disclosure logs are locked: `governance` (an administrator with a special
    /// permission can lift it) or `compliance` (nobody can).
    pub object_lock: ObjectLock,
    /// Days for which trail logs are locked.
    pub object_lock_days: u32,
    /// Days after which trail logs are deleted. At least as long as they are locked.
    pub trail_retention_days: u32,
    /// Where alarms are sent: e-mail addresses.
    pub alarm_emails: Vec<String>,
}

impl Default for Security {
    fn default() -> Self {
        Self {
            key_rotation_days: 365,
            key_deletion_days: 30,
            secret_recovery_days: 30,
            secret_rotation_days: 30,
            object_lock: ObjectLock::Governance,
            object_lock_days: 365,
            trail_retention_days: 2557,
            alarm_emails: Vec::new(),
        }
    }
}

/// How objects are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectLock {
    /// An administrator with a special permission can lift it.
    Governance,
    /// Nobody can.
    Compliance,
}

/// Log groups.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Logs {
    /// Days for which logs are kept. One of the periods that CloudWatch Logs has, at least 365.
    pub retention_days: i32,
    /// Days for which the record of disclosures is kept (34 CFR 99.32(a)(2): as long as the
    /// education record). One of the periods that CloudWatch Logs has.
    pub disclosure_retention_days: i32,
}

impl Default for Logs {
    fn default() -> Self {
        Self { retention_days: 365, disclosure_retention_days: 2557 }
    }
}

/// Aurora PostgreSQL.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Database {
    /// The engine version, `major.minor`. Newer minor versions that AWS moves to by itself are no drift.
    pub engine_version: String,
    /// The database that is created.
    pub name: String,
    /// The master user.
    pub username: String,
    /// The least capacity, in Aurora capacity units (steps of 0.5).
    pub min_capacity: f64,
    /// The greatest capacity.
    pub max_capacity: f64,
    /// Reader instances, each in another zone than the writer.
    pub readers: usize,
    /// Days of backups (1 to 35).
    pub backup_retention_days: i32,
    /// When backups are made: `hh:mm-hh:mm`, UTC.
    pub backup_window: String,
    /// When AWS may maintain it: `ddd:hh:mm-ddd:hh:mm`, UTC.
    pub maintenance_window: String,
    /// Whether it is protected from deletion.
    pub deletion_protection: bool,
    /// Days for which performance insights are kept (7, or a multiple of 31 up to 713, or 731).
    pub performance_insights_days: i32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            engine_version: "16.6".into(),
            name: "studentrecords".into(),
            username: "studentadmin".into(),
            min_capacity: 0.5,
            max_capacity: 4.0,
            readers: 1,
            backup_retention_days: 35,
            backup_window: "03:00-04:00".into(),
            maintenance_window: "mon:04:00-mon:05:00".into(),
            deletion_protection: true,
            performance_insights_days: 7,
        }
    }
}

/// ElastiCache.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Cache {
    /// The engine version.
    pub engine_version: String,
    /// The node type.
    pub node_type: String,
    /// Nodes, the primary included (2 to 6).
    pub nodes: i32,
    /// Whether clients must use TLS.
    pub transit_encryption: bool,
    /// Days for which snapshots are kept (1 to 35).
    pub snapshot_retention_days: i32,
    /// When snapshots are made: `hh:mm-hh:mm`, UTC.
    pub snapshot_window: String,
    /// When AWS may maintain it: `ddd:hh:mm-ddd:hh:mm`, UTC.
    pub maintenance_window: String,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            engine_version: "7.1".into(),
            node_type: "cache.t4g.medium".into(),
            nodes: 2,
            transit_encryption: true,
            snapshot_retention_days: 5,
            snapshot_window: "03:00-05:00".into(),
            maintenance_window: "mon:05:00-mon:07:00".into(),
        }
    }
}

/// The Kinesis stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Stream {
    /// Shards.
    pub shards: i32,
    /// Hours for which records are kept (24 to 8760).
    pub retention_hours: i32,
}

impl Default for Stream {
    fn default() -> Self {
        Self { shards: 2, retention_hours: 24 }
    }
}

/// The EFS file system.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Files {
    /// Days without access after which a file moves to the infrequent-access class.
    pub infrequent_access_days: u32,
    /// The POSIX user and group that the service writes as. Not 0.
    pub posix_id: i64,
    /// The directory that the service sees as its root.
    pub path: String,
}

impl Default for Files {
    fn default() -> Self {
        Self { infrequent_access_days: 30, posix_id: 1000, path: "/student-records".into() }
    }
}

/// AWS Backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Backup {
    /// Whether database and file system are backed up by a plan.
    pub enabled: bool,
    /// When, as AWS's `cron(…)` expression, UTC.
    pub schedule: String,
    /// Days for which recovery points are kept.
    pub retention_days: i64,
}

impl Default for Backup {
    fn default() -> Self {
        Self { enabled: true, schedule: "cron(0 5 * * ? *)".into(), retention_days: 35 }
    }
}

/// The ECS service and its tasks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// The image; pin it by digest.
    pub image: String,
    /// The port on which the container listens.
    pub port: u16,
    /// The path that answers health checks with 200.
    pub health_path: String,
    /// The container's command, where the image's own is not wanted.
    pub command: Vec<String>,
    /// The user that the container runs as: `uid:gid`, not root.
    pub user: String,
    /// CPU units (1024 are one vCPU).
    pub cpu: i32,
    /// Memory in MiB.
    pub memory: i32,
    /// Tasks to start with.
    pub desired_count: i32,
    /// The least number of tasks.
    pub min_count: i32,
    /// The greatest number of tasks.
    pub max_count: i32,
    /// The CPU use, in percent, at which tasks are added.
    pub target_cpu_percent: f64,
    /// The memory use, in percent, at which tasks are added.
    pub target_memory_percent: f64,
    /// Further environment variables. Never secrets.
    pub environment: BTreeMap<String, String>,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            image: "public.ecr.aws/nginx/nginx-unprivileged:1.29.3-alpine".into(),
            port: 8080,
            health_path: "/health".into(),
            command: Vec::new(),
            user: "1000:1000".into(),
            cpu: 512,
            memory: 1024,
            desired_count: 2,
            min_count: 2,
            max_count: 10,
            target_cpu_percent: 60.0,
            target_memory_percent: 70.0,
            environment: BTreeMap::new(),
        }
    }
}

/// The load balancer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadBalancer {
    /// The ACM certificate's ARN. Without one, the embedded and endpoint targets import a self-signed
    /// certificate; on AWS it is required.
    pub certificate_arn: Option<String>,
    /// The TLS policy of the listener.
    pub tls_policy: String,
    /// Whether it is protected from deletion.
    pub deletion_protection: bool,
    /// Whether port 80 answers with a redirect to HTTPS.
    pub redirect_http: bool,
}

impl Default for LoadBalancer {
    fn default() -> Self {
        Self {
            certificate_arn: None,
            tls_policy: "ELBSecurityPolicy-TLS13-1-2-2021-06".into(),
            deletion_protection: true,
            redirect_http: false,
        }
    }
}

/// The REST API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Api {
    /// The stage's name.
    pub stage: String,
    /// Paths and their methods. `authorization = "none"` is for health probes only.
    pub routes: BTreeMap<String, Vec<String>>,
    /// Paths that need no authorisation: health probes.
    pub open_paths: Vec<String>,
    /// Who may call: `iam`, `cognito` or `lambda`.
    pub authorizer: Authorizer,
    /// The Cognito user pools' ARNs, for `authorizer = "cognito"`.
    pub user_pool_arns: Vec<String>,
    /// The Lambda authoriser's function ARN, for `authorizer = "lambda"`.
    pub authorizer_function_arn: Option<String>,
    /// Requests per second.
    pub throttling_rate: f64,
    /// Requests at once.
    pub throttling_burst: i32,
    /// Whether a web ACL stands before it.
    pub waf: bool,
    /// Requests that one address may send in five minutes.
    pub waf_rate_limit: i64,
    /// Whether API Gateway takes the load balancer's certificate as it is. A self-signed certificate
    /// needs it; one from a public authority does not.
    pub trust_any_certificate: Option<bool>,
}

/// Who may call the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Authorizer {
    /// AWS signatures.
    Iam,
    /// Cognito user pools.
    Cognito,
    /// A Lambda function.
    Lambda,
}

impl Default for Api {
    fn default() -> Self {
        let get = || vec!["GET".to_owned()];
        Self {
            stage: "prod".into(),
            routes: BTreeMap::from([
                ("/students".into(), get()),
                ("/students/{id}".into(), get()),
                ("/health".into(), get()),
            ]),
            open_paths: vec!["/health".into()],
            authorizer: Authorizer::Iam,
            user_pool_arns: Vec::new(),
            authorizer_function_arn: None,
            throttling_rate: 100.0,
            throttling_burst: 200,
            waf: true,
            waf_rate_limit: 2000,
            trust_any_certificate: None,
        }
    }
}

/// What guards the whole account. Off by default, because other stacks share the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Guards {
    /// GuardDuty.
    pub guardduty: bool,
    /// IAM Access Analyzer.
    pub access_analyzer: bool,
    /// S3's public-access block for the account.
    pub s3_public_access_block: bool,
    /// EBS encryption by default.
    pub ebs_encryption: bool,
    /// The password policy for IAM users.
    pub password_policy: bool,
}

//! `ferpa.toml`: everything that an operator would want to choose.
//!
//! Reading it reports all faults at once, each with its place underlined: unknown keys, values of the
//! wrong type, and (see `check.rs`) values that AWS or the stack cannot have.

mod check;
mod read;
mod sample;

use std::collections::BTreeMap;

use api::Route;
use compute::Workload;
use data::{
    BackupSettings, CacheSettings, DatabaseSettings, DisclosureSettings, FilesSettings,
    StreamSettings,
};
use ipnet::Ipv4Net;
use network::Admission;
use serde::{Deserialize, Serialize};

pub use read::{BadConfig, Fault, Source};

/// The whole configuration. Every key has a default; the defaults are a complete stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
    pub database: DatabaseSettings,
    /// ElastiCache.
    pub cache: CacheSettings,
    /// The Kinesis stream.
    pub stream: StreamSettings,
    /// The record of disclosures.
    pub disclosure: DisclosureSettings,
    /// The EFS file system.
    pub files: FilesSettings,
    /// Whether database and file system are backed up by a plan of AWS Backup.
    pub backups: bool,
    /// That plan.
    pub backup: BackupSettings,
    /// The ECS service, its tasks, and the load balancer before them.
    pub service: Workload,
    /// The load balancer's certificate.
    pub certificate: Certificate,
    /// The REST API.
    pub api: Api,
    /// What guards the whole account.
    pub guards: Guards,
    /// What the audit measures against.
    pub audit: compliance::Settings,
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
            database: DatabaseSettings::default(),
            cache: CacheSettings::default(),
            stream: StreamSettings::default(),
            disclosure: DisclosureSettings::default(),
            files: FilesSettings::default(),
            backups: true,
            backup: BackupSettings::default(),
            service: placeholder_workload(),
            certificate: Certificate::default(),
            api: Api::default(),
            guards: Guards::default(),
            audit: compliance::Settings::default(),
        }
    }
}

impl Config {
    /// With the placeholder program where a file that speaks of the service names no image.
    fn filled_in(mut self) -> Self {
        if self.service.image.is_empty() {
            let Workload { image, command, .. } = placeholder_workload();
            self.service.image = image;
            if self.service.command.is_empty() {
                self.service.command = command;
            }
        }
        self
    }
}

/// How many availability zones, or which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number, or a list of names")]
pub enum Zones {
    /// That many, the first that the region offers.
    Count(usize),
    /// These.
    Named(Vec<String>),
}

impl Zones {
    /// The names; where only a number is known, stand-ins for as many.
    pub fn names_or_stand_ins(&self) -> Vec<String> {
        match self {
            Self::Count(count) => (1..=*count).map(|number| format!("zone-{number}")).collect(),
            Self::Named(names) => names.clone(),
        }
    }

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
#[serde(default, deny_unknown_fields)]
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
    /// Whether tasks may open HTTPS connections to anywhere (through the NAT gateways), and not only to
    /// the stores and the endpoints. Needed for images that do not come from ECR in this region.
    pub service_https_egress: bool,
    /// Whether the VPC's traffic is logged.
    pub flow_logs: bool,
    /// Addresses that groups admit beside the stack's own groups: a campus network behind a VPN.
    pub admit: Vec<Admission>,
    /// The AWS services that are reached without leaving the network: `s3`, `dynamodb`, `kms`,
    /// `secretsmanager`, `logs`, `ecr`, `kinesis`.
    pub endpoints: Vec<String>,
}

impl Default for Network {
    fn default() -> Self {
        let cidrs = |third: [u8; 2]| -> Vec<Ipv4Net> {
            third.iter().map(|third| Ipv4Net::new_assert([10, 0, *third, 0].into(), 24)).collect()
        };
        Self {
            cidr: Ipv4Net::new_assert([10, 0, 0, 0].into(), 16),
            availability_zones: Zones::Count(2),
            public_cidrs: cidrs([1, 2]),
            private_cidrs: cidrs([11, 12]),
            data_cidrs: cidrs([21, 22]),
            public_ip_on_launch: false,
            service_https_egress: false,
            flow_logs: true,
            admit: Vec::new(),
            endpoints: ["s3", "kms", "secretsmanager", "logs", "ecr", "kinesis"]
                .map(Into::into)
                .into(),
        }
    }
}

/// Keys, secrets, the trail and alarms.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
    /// Days for which trail logs are locked. They expire when the lock ends.
    pub trail_lock_days: u32,
    /// Days for which disclosure records are locked. They expire when the lock ends.
    pub disclosure_lock_days: u32,
    /// Days after which the load balancer's access logs expire.
    pub load_balancer_log_days: u32,
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
            trail_lock_days: 365,
            disclosure_lock_days: 2557,
            load_balancer_log_days: 365,
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
#[serde(default, deny_unknown_fields)]
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

/// The load balancer's certificate.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Certificate {
    /// The ACM certificate's ARN. Without one, the embedded and endpoint targets import a self-signed
    /// certificate; on AWS it is required.
    pub arn: Option<String>,
    /// The host name in it, which API Gateway checks. Needed where it is not the load balancer's own DNS
    /// name, which it never is for a certificate from a public authority.
    pub host: Option<String>,
}

/// A program that answers health checks and nothing else, so that the stack comes up before there is a
/// student API. Production sets `service.image` (and with it `service.command`).
fn placeholder_workload() -> Workload {
    let program = [
        "import http.server as h",
        "class Answer(h.BaseHTTPRequestHandler):",
        " def do_GET(self):",
        "  self.send_response(200 if self.path == '/health' else 503)",
        "  self.end_headers()",
        "h.ThreadingHTTPServer(('', 8080), Answer).serve_forever()",
    ];
    Workload {
        image: PLACEHOLDER_IMAGE.into(),
        command: vec!["python3".into(), "-c".into(), program.join("\n")],
        ..Workload::default()
    }
}

/// The image of the placeholder.
pub const PLACEHOLDER_IMAGE: &str = "public.ecr.aws/docker/library/python:3.13.1-slim";

/// The REST API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// The stage's name.
    pub stage: String,
    /// What can be asked for. `open = true` (no authorisation) is for health probes only.
    pub routes: Vec<Route>,
    /// Who may call: `iam`, `cognito` or `lambda`.
    pub authorizer: Authorizer,
    /// The Cognito user pools' ARNs, for `authorizer = "cognito"`.
    pub user_pool_arns: Vec<String>,
    /// The OAuth scopes of which a token needs one, for `authorizer = "cognito"`. Empty: identity tokens.
    pub oauth_scopes: Vec<String>,
    /// The Lambda authoriser's function ARN, for `authorizer = "lambda"`.
    pub authorizer_function_arn: Option<String>,
    /// Requests per second.
    pub throttling_rate: f64,
    /// Requests at once.
    pub throttling_burst: i32,
    /// Whether requests are traced with X-Ray.
    pub tracing: bool,
    /// Execution logs: `OFF`, `ERROR` or `INFO`. Bodies are never logged.
    pub logging_level: String,
    /// Whether a web ACL stands before it.
    pub waf: bool,
    /// Requests that one address may send in five minutes.
    pub waf_rate_limit: i64,
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
        Self {
            stage: "prod".into(),
            routes: vec![
                Route::new("GET", "/students"),
                Route::new("GET", "/students/{id}"),
                Route::open("GET", "/health"),
            ],
            authorizer: Authorizer::Iam,
            user_pool_arns: Vec::new(),
            oauth_scopes: Vec::new(),
            authorizer_function_arn: None,
            throttling_rate: 100.0,
            throttling_burst: 200,
            tracing: true,
            logging_level: "INFO".into(),
            waf: true,
            waf_rate_limit: 2000,
        }
    }
}

/// What guards the whole account. Off by default, because other stacks share the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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

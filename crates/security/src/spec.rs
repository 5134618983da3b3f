//! The whole layer in one declaration, and what it takes.

use std::collections::{BTreeMap, BTreeSet};

use engine::plan::Options;
use engine::{Aws, DeployError, Deployed, Error, Mistake, Place, Stack, StackName, deploy};

use crate::KINDS;
use crate::alarms::{Alarms, AlarmsSpec, MetricFilter, declare_alarms};
use crate::audit_trail::{AuditTrail, TrailSpec, declare_trail};
use crate::bucket::{Bucket, LockMode, Retention};
use crate::credentials::{Credentials, CredentialsSpec, declare_credentials};
use crate::guards::{GuardsSpec, declare_guards};
use crate::key::LONGEST_DELETION_WINDOW;
use crate::keys::{Keys, KeysSpec, declare_keys};
use crate::secret::{LONGEST_RECOVERY_WINDOW, Rotation};
use crate::topic::Subscription;
use crate::trail::TrailLogGroup;

/// What an operator chooses of this layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecuritySpec {
    /// Whose account, and where.
    pub place: Place,
    /// Days between rotations of the keys, 90 to 2560.
    pub rotation_period_days: u32,
    /// Days in which the deletion of a key can be taken back, 7 to 30.
    pub deletion_window_days: u32,
    /// Days in which the deletion of a secret can be taken back, 7 to 30.
    pub recovery_window_days: u32,
    /// The database user.
    pub database_username: String,
    /// The database.
    pub database_name: String,
    /// The database's port.
    pub database_port: u16,
    /// The cluster or instance that has the database, where that is known.
    pub database_identifier: Option<String>,
    /// Who changes the database password, and how often.
    pub database_rotation: Option<Rotation>,
    /// How the trail's log files are locked.
    pub trail_retention: Retention,
    /// How the record of disclosures is locked.
    pub disclosure_retention: Retention,
    /// After how many days the load balancer's access logs expire.
    pub load_balancer_log_days: u32,
    /// The log group that the trail delivers to as well. The alarms rest on it.
    pub trail_log_group: Option<TrailLogGroup>,
    /// Data events to record beside those of the disclosure bucket: ARNs by type of resource.
    pub data_events: BTreeMap<String, BTreeSet<String>>,
    /// Who is told of alarms.
    pub subscriptions: BTreeSet<Subscription>,
    /// What guards the whole account.
    pub guards: GuardsSpec,
}

impl SecuritySpec {
    /// The defaults: yearly rotation, the longest windows, a year of logs and seven of disclosure
    /// records under governance, nobody told, no account guards.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            rotation_period_days: 365,
            deletion_window_days: LONGEST_DELETION_WINDOW,
            recovery_window_days: LONGEST_RECOVERY_WINDOW,
            database_username: "studentadmin".into(),
            database_name: "studentrecords".into(),
            database_port: 5432,
            database_identifier: None,
            database_rotation: None,
            trail_retention: Retention { mode: LockMode::Governance, days: 365 },
            disclosure_retention: Retention { mode: LockMode::Governance, days: 2557 },
            load_balancer_log_days: 365,
            trail_log_group: None,
            data_events: BTreeMap::new(),
            subscriptions: BTreeSet::new(),
            guards: GuardsSpec::default(),
        }
    }

    /// The part about keys.
    pub fn keys(&self) -> KeysSpec {
        KeysSpec {
            rotation_period_days: self.rotation_period_days,
            deletion_window_days: self.deletion_window_days,
            ..KeysSpec::new(self.place.clone())
        }
    }

    /// The part about credentials.
    pub fn credentials(&self, keys: &Keys) -> CredentialsSpec {
        CredentialsSpec {
            place: self.place.clone(),
            kms_key: keys.secrets.clone(),
            username: self.database_username.clone(),
            database: self.database_name.clone(),
            port: self.database_port,
            database_identifier: self.database_identifier.clone(),
            rotation: self.database_rotation.clone(),
            recovery_window_days: self.recovery_window_days,
        }
    }

    /// The part about the audit trail.
    pub fn trail(&self, keys: &Keys) -> TrailSpec {
        TrailSpec {
            place: self.place.clone(),
            kms_key: keys.logs.clone(),
            retention: self.trail_retention.clone(),
            disclosure_retention: self.disclosure_retention.clone(),
            load_balancer_log_days: self.load_balancer_log_days,
            log_group: self.trail_log_group.clone(),
            data_events: self.data_events.clone(),
        }
    }

    /// The part about alarms.
    pub fn alarms(&self, keys: &Keys) -> AlarmsSpec {
        AlarmsSpec {
            place: self.place.clone(),
            kms_key: keys.logs.clone(),
            subscriptions: self.subscriptions.clone(),
        }
    }

    /// What AWS would refuse, found without asking it. Empty for a good one. What is wrong with a name
    /// that is built from the environment is named as `environment`.
    pub fn validate(&self, name: &StackName) -> Vec<Mistake> {
        let mut faults = Vec::new();
        let mut check = |field: &str, good: bool, why: String| {
            if !good {
                faults.push(Mistake::new(field, why));
            }
        };
        let within = |days: u32, least: u32, most: u32| (least..=most).contains(&days);
        let range = |days: u32, least: u32, most: u32| {
            format!("{days} days is not within {least} to {most}")
        };
        for (field, days, least, most) in [
            ("rotation_period_days", self.rotation_period_days, 90, 2560),
            ("deletion_window_days", self.deletion_window_days, 7, 30),
            ("recovery_window_days", self.recovery_window_days, 7, 30),
            ("trail_retention", self.trail_retention.days, 1, 36_500),
            ("disclosure_retention", self.disclosure_retention.days, 1, 36_500),
            ("load_balancer_log_days", self.load_balancer_log_days, 1, 36_500),
        ] {
            check(field, within(days, least, most), range(days, least, most));
        }
        if let Some(rotation) = &self.database_rotation {
            let days = rotation.days;
            check("database_rotation", within(days, 1, 1000), range(days, 1, 1000));
        }
        let username = &self.database_username;
        check(
            "database_username",
            is_database_name(username, 63) && username != "rdsadmin" && username != "admin",
            format!("{username:?} is not a user name that Aurora takes"),
        );
        let database = &self.database_name;
        check(
            "database_name",
            is_database_name(database, 63),
            format!("{database:?} is not a database name that Aurora takes"),
        );
        check("database_port", self.database_port >= 1150, "Aurora takes ports from 1150".into());
        for thing in ["trail-logs", "disclosures", "lb-logs"] {
            let bucket = Bucket::name_of(name, thing, &self.place.account_id, &self.place.region);
            if let Err(why) = bucket_name(&bucket) {
                check("environment", false, format!("the bucket name {bucket} {why}"));
            }
        }
        for one in &self.subscriptions {
            let good = match one.protocol.as_str() {
                "email" | "email-json" => one.endpoint.contains('@'),
                "https" => one.endpoint.starts_with("https://"),
                // Alarms say what is being attacked: not over plain HTTP.
                "http" => false,
                _ => !one.endpoint.is_empty(),
            };
            let why = format!("{} is no endpoint for {}", one.endpoint, one.protocol);
            check("subscriptions", good, why);
        }
        faults
    }
}

/// A letter, then letters, digits and underscores.
fn is_database_name(name: &str, longest: usize) -> bool {
    name.len() <= longest
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The rules of S3 for names of buckets, without dots: those break TLS.
///
/// # Errors
/// Which rule the name breaks.
pub fn bucket_name(name: &str) -> Result<(), String> {
    if !(3..=63).contains(&name.len()) {
        return Err(format!("has {} characters; S3 takes 3 to 63", name.len()));
    }
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !name.chars().all(|c| edge(c) || c == '-') {
        return Err("has other characters than lower-case letters, digits and dashes".into());
    }
    if !(name.starts_with(edge) && name.ends_with(edge)) {
        return Err("begins or ends with a dash".into());
    }
    let reserved = name.starts_with("xn--")
        || name.starts_with("sthree-")
        || name.starts_with("amzn-s3-demo-")
        || ["-s3alias", "--ol-s3", "--x-s3", "--table-s3"].iter().any(|end| name.ends_with(end));
    if reserved { Err("is reserved by S3".into()) } else { Ok(()) }
}

/// What the layer offers to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// The keys.
    pub keys: Keys,
    /// The secrets.
    pub credentials: Credentials,
    /// The trail and the buckets.
    pub trail: AuditTrail,
    /// The topic, and the metric filters that belong onto the trail's log group.
    pub alarms: Alarms,
}

/// Declares the layer. A stack that has the trail's log group in another layer, which needs a key of
/// this one, declares the parts one by one instead.
pub fn declare(stack: &mut Stack, spec: &SecuritySpec) -> Security {
    let keys = declare_keys(stack, &spec.keys());
    let credentials = declare_credentials(stack, &spec.credentials(&keys));
    let trail = declare_trail(stack, &spec.trail(&keys));
    let alarms = declare_alarms(stack, &spec.alarms(&keys));
    declare_guards(stack, &spec.guards);
    Security { keys, credentials, trail, alarms }
}

/// What is known once the layer is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outputs {
    /// The ARNs of the keys, by `rds`, `elasticache`, `kinesis`, `efs`, `secrets` and `logs`.
    pub kms_key_arns: BTreeMap<String, String>,
    /// The ARN of the database's secret.
    pub db_secret_arn: String,
    /// The ARN of the cache's secret.
    pub cache_secret_arn: String,
    /// The trail's name.
    pub trail_name: String,
    /// The bucket with the trail's log files.
    pub trail_bucket: String,
    /// The bucket for the record of disclosures.
    pub disclosure_bucket: String,
    /// The bucket for the load balancer's access logs.
    pub load_balancer_log_bucket: String,
    /// The ARN of the alarm topic.
    pub alarm_topic_arn: String,
    /// What the trail's log group has to count.
    pub metric_filters: Vec<MetricFilter>,
}

impl Security {
    /// What the references stand for.
    ///
    /// # Errors
    /// When the layer is not deployed.
    pub fn resolve(&self, deployed: &Deployed) -> Result<Outputs, Error> {
        let Self { keys, credentials, trail, alarms } = self;
        let kms_key_arns = [
            ("rds", deployed.resolve(&keys.rds)?),
            ("elasticache", deployed.resolve(&keys.elasticache)?),
            ("kinesis", deployed.resolve(&keys.kinesis)?),
            ("efs", deployed.resolve(&keys.efs)?),
            ("secrets", deployed.resolve(&keys.secrets)?),
            ("logs", deployed.resolve(&keys.logs)?),
        ];
        Ok(Outputs {
            kms_key_arns: kms_key_arns.map(|(of, arn)| (of.to_owned(), arn)).into(),
            db_secret_arn: deployed.resolve(&credentials.database)?,
            cache_secret_arn: deployed.resolve(&credentials.cache)?,
            trail_name: deployed.resolve(&trail.trail)?,
            trail_bucket: deployed.resolve(&trail.trail_bucket)?,
            disclosure_bucket: deployed.resolve(&trail.disclosure_bucket)?,
            load_balancer_log_bucket: deployed.resolve(&trail.load_balancer_log_bucket)?,
            alarm_topic_arn: deployed.resolve(&alarms.topic)?,
            metric_filters: alarms.metric_filters.clone(),
        })
    }
}

/// Why the layer could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// AWS would refuse what is asked for.
    #[error("the specification is not valid: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Mistake>),
    /// The deployment was refused, or a step of it failed.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// An output is missing.
    #[error(transparent)]
    Output(#[from] Error),
}

/// Brings up this layer as a stack of its own.
///
/// # Errors
/// When the specification is not valid, the plan is refused or a step fails. Calling again goes on
/// from there.
pub async fn provision(
    aws: &Aws,
    name: StackName,
    spec: &SecuritySpec,
) -> Result<Outputs, ProvisionError> {
    let faults = spec.validate(&name);
    if !faults.is_empty() {
        return Err(ProvisionError::Invalid(faults));
    }
    let mut stack = Stack::new(name, BTreeMap::new());
    let security = declare(&mut stack, spec);
    let options = Options { imitation: !aws.is_real(), ..Options::default() };
    let deployed = deploy::up(aws, &stack, KINDS, options).await?;
    Ok(security.resolve(&deployed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(change: impl FnOnce(&mut SecuritySpec), environment: &str) -> Vec<String> {
        let mut spec = SecuritySpec::new(Place::new("123456789012", "us-east-1"));
        change(&mut spec);
        let name = StackName::new("student", environment);
        spec.validate(&name).into_iter().map(|mistake| mistake.field).collect()
    }

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(faults(|_| (), "dev"), [] as [&str; 0]);
    }

    #[test]
    fn what_aws_refuses_is_named_by_field() {
        assert_eq!(faults(|spec| spec.rotation_period_days = 89, "dev"), ["rotation_period_days"]);
        assert_eq!(
            faults(|spec| spec.rotation_period_days = 2561, "dev"),
            ["rotation_period_days"]
        );
        assert_eq!(faults(|spec| spec.deletion_window_days = 6, "dev"), ["deletion_window_days"]);
        assert_eq!(faults(|spec| spec.recovery_window_days = 31, "dev"), ["recovery_window_days"]);
        assert_eq!(faults(|spec| spec.trail_retention.days = 0, "dev"), ["trail_retention"]);
        assert_eq!(faults(|spec| spec.database_name = "1st".into(), "dev"), ["database_name"]);
        let plain = Subscription::to("http", "http://a");
        assert_eq!(faults(|spec| spec.subscriptions = [plain].into(), "dev"), ["subscriptions"]);
    }

    #[test]
    fn an_environment_that_makes_bucket_names_too_long_is_refused() {
        assert_eq!(faults(|_| (), "a-very-long-environment"), ["environment"; 2]);
        assert!(bucket_name("Student").is_err());
        assert!(bucket_name("ab").is_err());
        assert!(bucket_name("-abc").is_err());
        assert!(bucket_name("xn--abc").is_err());
        assert!(bucket_name("student-trail-dev").is_ok());
    }
}

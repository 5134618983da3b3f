//! The roles of a stack: each for one service, each with what its service needs and nothing else.
//!
//! Each is a struct of references with a method `declare` that adds the role to a stack and gives a
//! reference to it that waits until its policies are in place. Data actions name their resources; keys
//! may be used only by way of the service whose data they encrypt.

use std::collections::BTreeMap;

use engine::vocabulary::{
    AccessPointArn, BucketArn, DeliveryStreamArn, FileSystemArn, ForKinesis, ForLogs, ForSecrets,
    Id, KeyArn, LogGroupArn, RoleArn, SecretArn, StreamArn,
};
use engine::{Place, Policy, Ref, Stack};
use serde_json::{Value, json};

use crate::role::Role;
use crate::trust::Trust;

/// What the ECS agent does on behalf of tasks before they run: pull images, write logs, read the
/// secrets that become environment variables.
#[derive(Debug, Clone)]
pub struct ExecutionRole {
    /// The secrets that task definitions name.
    pub secrets: Vec<Ref<SecretArn>>,
    /// The key that encrypts them.
    pub secrets_key: Ref<KeyArn<ForSecrets>>,
}

impl ExecutionRole {
    /// Declares `compute/execution-role`.
    pub fn declare(&self, stack: &mut Stack, place: &Place) -> Ref<RoleArn> {
        let role = Role::for_service(
            stack.name().of("ecs-execution"),
            "ECS: pulls images, writes logs and reads secrets for the tasks",
            &Trust::ecs_tasks(place),
        )
        .attach(place.managed_policy("service-role/AmazonECSTaskExecutionRolePolicy"))
        .allow("secrets", secrets(place, &self.secrets, &self.secrets_key));
        add(stack, "compute/execution-role", role)
    }
}

/// What the application in the tasks may do.
#[derive(Debug, Clone)]
pub struct TaskRole {
    /// The secrets that the application reads by itself.
    pub secrets: Vec<Ref<SecretArn>>,
    /// The key that encrypts them.
    pub secrets_key: Ref<KeyArn<ForSecrets>>,
    /// The stream that it writes events to.
    pub stream: Ref<StreamArn>,
    /// The key that encrypts the stream.
    pub stream_key: Ref<KeyArn<ForKinesis>>,
    /// The file system that it mounts.
    pub file_system: Ref<FileSystemArn>,
    /// The access point through which it mounts it, and only through that.
    pub access_point: Ref<AccessPointArn>,
    /// The database user as which it may log in with IAM, where it does.
    pub database: Option<DatabaseLogin>,
    /// How people may enter the tasks, where they may.
    pub sessions: Option<Sessions>,
    /// Further inline policies, by name.
    pub more: BTreeMap<String, Policy>,
}

/// Sessions of people inside tasks (`ecs execute-command`): the agent in the task holds the task's role.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// Where they are logged.
    pub log_group: Ref<LogGroupArn>,
    /// What encrypts them.
    pub key: Ref<KeyArn<ForLogs>>,
}

/// Login to a database with IAM instead of a password.
#[derive(Debug, Clone)]
pub struct DatabaseLogin {
    /// The cluster's resource id, `cluster-…` (not its identifier).
    pub cluster_resource_id: Ref<Id>,
    /// The database user.
    pub user: String,
}

impl TaskRole {
    /// Declares `compute/task-role`.
    pub fn declare(&self, stack: &mut Stack, place: &Place) -> Ref<RoleArn> {
        let name = stack.name().of("ecs-task");
        let mut role = Role::for_service(
            name,
            "ECS: what the application in the tasks may do",
            &Trust::ecs_tasks(place),
        )
        .allow("secrets", secrets(place, &self.secrets, &self.secrets_key))
        .allow("stream", self.stream_policy(place))
        .allow("files", self.files_policy());
        if let Some(login) = &self.database {
            role = role.allow("database", login.policy(place));
        }
        if let Some(sessions) = &self.sessions {
            role = role.allow("sessions", sessions.policy(place));
        }
        role.inline_policies.extend(self.more.clone());
        add(stack, "compute/task-role", role)
    }

    fn stream_policy(&self, place: &Place) -> Policy {
        Policy::new(vec![
            allow(
                &["kinesis:PutRecord", "kinesis:PutRecords", "kinesis:DescribeStreamSummary"],
                &[self.stream.as_str()],
            ),
            // Kinesis encrypts with a data key that it asks for in the writer's name.
            via(place, "kinesis", allow(&["kms:GenerateDataKey"], &[self.stream_key.as_str()])),
        ])
    }

    fn files_policy(&self) -> Policy {
        let mut mount = allow(
            &["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            &[self.file_system.as_str()],
        );
        mount["Condition"] = json!({
            "StringEquals": {"elasticfilesystem:AccessPointArn": self.access_point.as_str()},
        });
        Policy::new(vec![mount])
    }
}

impl Sessions {
    fn policy(&self, place: &Place) -> Policy {
        let mut decrypt = allow(&["kms:Decrypt"], &[self.key.as_str()]);
        decrypt["Condition"] =
            json!({"StringLike": {"kms:EncryptionContext:aws:ssm:SessionId": "*"}});
        Policy::new(vec![
            // AWS knows no resources for these.
            allow(SESSION_CHANNELS, &["*"]),
            allow(
                &["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                &[self.log_group.as_str(), &format!("{}:*", self.log_group)],
            ),
            allow(&["logs:DescribeLogGroups"], &[&place.arn("logs", "log-group:*")]),
            decrypt,
        ])
    }
}

/// What the agent in a task does to be reached.
const SESSION_CHANNELS: &[&str] = &[
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
];

impl DatabaseLogin {
    fn policy(&self, place: &Place) -> Policy {
        let user = format!("dbuser:{}/{}", self.cluster_resource_id, self.user);
        Policy::new(vec![allow(&["rds-db:connect"], &[&place.arn("rds-db", &user)])])
    }
}

/// Delivers VPC flow logs to their log group.
#[derive(Debug, Clone)]
pub struct FlowLogRole {
    /// The log group.
    pub log_group: Ref<LogGroupArn>,
}

impl FlowLogRole {
    /// Declares `compute/flow-log-role`.
    pub fn declare(&self, stack: &mut Stack, place: &Place) -> Ref<RoleArn> {
        let policy = Policy::new(vec![
            allow(
                &["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                &[self.log_group.as_str(), &format!("{}:*", self.log_group)],
            ),
            allow(&["logs:DescribeLogGroups"], &[&place.arn("logs", "log-group:*")]),
        ]);
        let role = Role::for_service(
            stack.name().of("flow-logs"),
            "VPC flow logs: writes to their log group",
            &Trust::vpc_flow_logs(place),
        );
        add(stack, "compute/flow-log-role", role.allow("log-group", policy))
    }
}

/// Delivers a trail's events to its log group.
#[derive(Debug, Clone)]
pub struct TrailRole {
    /// The log group.
    pub log_group: Ref<LogGroupArn>,
}

impl TrailRole {
    /// Declares `compute/trail-role`.
    pub fn declare(&self, stack: &mut Stack, place: &Place) -> Ref<RoleArn> {
        // CloudTrail names its streams like this.
        let stream = format!("{}_CloudTrail_{}*", place.account_id, place.region);
        let policy = Policy::new(vec![allow(
            &["logs:CreateLogStream", "logs:PutLogEvents"],
            &[&format!("{}:log-stream:{stream}", self.log_group)],
        )]);
        let role = Role::for_service(
            stack.name().of("trail"),
            "CloudTrail: writes to its log group",
            &Trust::unnarrowed("cloudtrail.amazonaws.com"),
        );
        add(stack, "compute/trail-role", role.allow("log-group", policy))
    }
}

/// Delivers a Firehose stream's records to its bucket.
#[derive(Debug, Clone)]
pub struct FirehoseRole {
    /// What the stream carries, a part of the role's name: `disclosures`.
    pub thing: String,
    /// The bucket.
    pub bucket: Ref<BucketArn>,
    /// The key that encrypts the bucket.
    pub bucket_key: Ref<KeyArn<ForLogs>>,
    /// Where Firehose writes down what it could not deliver.
    pub log_group: Ref<LogGroupArn>,
}

impl FirehoseRole {
    /// Declares `compute/firehose-{thing}-role`.
    pub fn declare(&self, stack: &mut Stack, place: &Place) -> Ref<RoleArn> {
        let objects = format!("{}/*", self.bucket);
        let policy = Policy::new(vec![
            allow(
                &["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
                &[self.bucket.as_str()],
            ),
            allow(&["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], &[&objects]),
            via(
                place,
                "s3",
                allow(&["kms:Decrypt", "kms:GenerateDataKey"], &[self.bucket_key.as_str()]),
            ),
            allow(&["logs:PutLogEvents"], &[&format!("{}:log-stream:*", self.log_group)]),
        ]);
        let role = Role::for_service(
            stack.name().of(&format!("firehose-{}", self.thing)),
            "Firehose: writes records to their bucket",
            &Trust::firehose(place),
        );
        let id = format!("compute/firehose-{}-role", self.thing);
        add(stack, &id, role.allow("bucket", policy))
    }
}

/// Feeds a Firehose stream from a log group's subscription.
#[derive(Debug, Clone)]
pub struct SubscriptionRole {
    /// What the stream carries, a part of the role's name: `disclosures`.
    pub thing: String,
    /// The stream.
    pub stream: Ref<DeliveryStreamArn>,
}

impl SubscriptionRole {
    /// Declares `compute/subscription-{thing}-role`.
    pub fn declare(&self, stack: &mut Stack, place: &Place) -> Ref<RoleArn> {
        let policy = Policy::new(vec![allow(
            &["firehose:PutRecord", "firehose:PutRecordBatch"],
            &[self.stream.as_str()],
        )]);
        let role = Role::for_service(
            stack.name().of(&format!("subscription-{}", self.thing)),
            "CloudWatch Logs: sends events to a delivery stream",
            &Trust::logs(place),
        );
        let id = format!("compute/subscription-{}-role", self.thing);
        add(stack, &id, role.allow("stream", policy))
    }
}

/// Makes backups and restores them.
#[derive(Debug, Clone, Copy)]
pub struct BackupRole;

impl BackupRole {
    /// Declares `compute/backup-role`.
    pub fn declare(&self, stack: &mut Stack, place: &Place) -> Ref<RoleArn> {
        let role = Role::for_service(
            stack.name().of("backup"),
            "AWS Backup: makes and restores backups",
            &Trust::unnarrowed("backup.amazonaws.com"),
        )
        .attach(place.managed_policy("service-role/AWSBackupServiceRolePolicyForBackup"))
        .attach(place.managed_policy("service-role/AWSBackupServiceRolePolicyForRestores"));
        add(stack, "compute/backup-role", role)
    }
}

/// Writes the execution logs of REST APIs: a setting of the whole account and region.
#[derive(Debug, Clone, Copy)]
pub struct ApiGatewayLogRole;

impl ApiGatewayLogRole {
    /// Declares `compute/api-log-role`.
    pub fn declare(&self, stack: &mut Stack, place: &Place) -> Ref<RoleArn> {
        let role = Role::for_service(
            stack.name().of("api-logs"),
            "API Gateway: writes execution logs",
            &Trust::unnarrowed("apigateway.amazonaws.com"),
        )
        .attach(place.managed_policy("service-role/AmazonAPIGatewayPushToCloudWatchLogs"));
        add(stack, "compute/api-log-role", role)
    }
}

/// What the function that rotates the database's secret may do.
#[derive(Debug, Clone)]
pub struct RotationRole {
    /// The function's name. What the role grants, it grants to this function only.
    pub function_name: String,
    /// The secret.
    pub secret: Ref<SecretArn>,
    /// The key that encrypts it.
    pub secrets_key: Ref<KeyArn<ForSecrets>>,
    /// The identifier of the cluster whose password it sets.
    pub cluster_id: String,
    /// Where it logs.
    pub log_group: Ref<LogGroupArn>,
}

impl RotationRole {
    /// Declares `compute/rotation-role`.
    pub fn declare(&self, stack: &mut Stack, place: &Place) -> Ref<RoleArn> {
        let cluster = place.arn("rds", &format!("cluster:{}", self.cluster_id));
        let rotate = vec![
            self.only(
                place,
                allow(
                    &[
                        "secretsmanager:DescribeSecret",
                        "secretsmanager:GetSecretValue",
                        "secretsmanager:PutSecretValue",
                        "secretsmanager:UpdateSecretVersionStage",
                    ],
                    &[self.secret.as_str()],
                ),
            ),
            // Makes up a password and touches nothing: the action knows no resources.
            self.only(place, allow(&["secretsmanager:GetRandomPassword"], &["*"])),
            via(
                place,
                "secretsmanager",
                allow(&["kms:Decrypt", "kms:GenerateDataKey"], &[self.secrets_key.as_str()]),
            ),
            self.only(
                place,
                allow(&["rds:DescribeDBClusters", "rds:ModifyDBCluster"], &[&cluster]),
            ),
        ];
        // Lambda itself writes the log: not in the function's name.
        let log = vec![allow(
            &["logs:CreateLogStream", "logs:PutLogEvents"],
            &[&format!("{}:*", self.log_group)],
        )];
        let role = Role::for_service(
            stack.name().of("rotation"),
            "Lambda: rotates the password of the database's master user",
            &Trust::unnarrowed("lambda.amazonaws.com"),
        )
        .allow("rotate", Policy::new(rotate))
        .allow("log", Policy::new(log));
        add(stack, "compute/rotation-role", role)
    }

    /// The statement, for calls of this function only: the trust policy cannot say so, because Lambda
    /// does not say for which function it assumes a role.
    fn only(&self, place: &Place, mut statement: Value) -> Value {
        let function = place.arn("lambda", &format!("function:{}", self.function_name));
        statement["Condition"] = json!({"ArnEquals": {"lambda:SourceFunctionArn": function}});
        statement
    }
}

fn add(stack: &mut Stack, id: &str, role: Role) -> Ref<RoleArn> {
    stack.add(id, role).ready().arn()
}

fn allow(actions: &[&str], resources: &[&str]) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

/// The statement, for calls by way of a service only.
fn via(place: &Place, service: &str, mut statement: Value) -> Value {
    statement["Condition"] = json!({"StringEquals": {"kms:ViaService": place.via(service)}});
    statement
}

/// To read secrets, and to use their key for that.
fn secrets(place: &Place, secrets: &[Ref<SecretArn>], key: &Ref<KeyArn<ForSecrets>>) -> Policy {
    let arns: Vec<&str> = secrets.iter().map(Ref::as_str).collect();
    let read = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"];
    Policy::new(vec![
        allow(&read, &arns),
        via(place, "secretsmanager", allow(&["kms:Decrypt"], &[key.as_str()])),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::StackName;

    fn place() -> Place {
        Place::new("123456789012", "us-east-1")
    }

    fn declared(declare: impl FnOnce(&mut Stack, &Place) -> Ref<RoleArn>) -> Role {
        let mut stack = Stack::new(StackName::new("student", "dev"), BTreeMap::new());
        declare(&mut stack, &place());
        let node = stack.nodes().next().unwrap();
        serde_json::from_value(node.spec.clone()).unwrap()
    }

    fn all() -> Vec<Role> {
        let log_group: Ref<LogGroupArn> = "arn:aws:logs:us-east-1:123456789012:log-group:g".into();
        let secret: Ref<SecretArn> =
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:s".into();
        let secrets_key: Ref<KeyArn<ForSecrets>> =
            "arn:aws:kms:us-east-1:123456789012:key/1".into();
        let execution =
            ExecutionRole { secrets: vec![secret.clone()], secrets_key: secrets_key.clone() };
        let task = TaskRole {
            secrets: vec![secret.clone()],
            secrets_key: secrets_key.clone(),
            stream: "arn:aws:kinesis:us-east-1:123456789012:stream/s".into(),
            stream_key: "arn:aws:kms:us-east-1:123456789012:key/2".into(),
            file_system: "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-1".into(),
            access_point: "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-1"
                .into(),
            database: Some(DatabaseLogin {
                cluster_resource_id: "cluster-ABC".into(),
                user: "app".into(),
            }),
            sessions: Some(Sessions {
                log_group: log_group.clone(),
                key: "arn:aws:kms:us-east-1:123456789012:key/3".into(),
            }),
            more: BTreeMap::new(),
        };
        let firehose = FirehoseRole {
            thing: "disclosures".into(),
            bucket: "arn:aws:s3:::b".into(),
            bucket_key: "arn:aws:kms:us-east-1:123456789012:key/3".into(),
            log_group: log_group.clone(),
        };
        let subscription = SubscriptionRole {
            thing: "disclosures".into(),
            stream: "arn:aws:firehose:us-east-1:123456789012:deliverystream/d".into(),
        };
        let rotation = RotationRole {
            function_name: "student-rotation-dev".into(),
            secret,
            secrets_key,
            cluster_id: "student-db-dev".into(),
            log_group: log_group.clone(),
        };
        vec![
            declared(|stack, place| execution.declare(stack, place)),
            declared(|stack, place| task.declare(stack, place)),
            declared(|stack, place| {
                FlowLogRole { log_group: log_group.clone() }.declare(stack, place)
            }),
            declared(|stack, place| {
                TrailRole { log_group: log_group.clone() }.declare(stack, place)
            }),
            declared(|stack, place| firehose.declare(stack, place)),
            declared(|stack, place| subscription.declare(stack, place)),
            declared(|stack, place| BackupRole.declare(stack, place)),
            declared(|stack, place| ApiGatewayLogRole.declare(stack, place)),
            declared(|stack, place| rotation.declare(stack, place)),
        ]
    }

    #[test]
    fn no_role_may_do_anything_to_everything() {
        for role in all() {
            for (name, policy) in &role.inline_policies {
                for statement in policy.document()["Statement"].as_array().unwrap() {
                    let actions = statement["Action"].as_array().unwrap();
                    let whole = |value: &Value| value.as_str().unwrap().contains('*');
                    assert!(!actions.iter().any(whole), "{} {name}: {statement}", role.name);
                    let everywhere = statement["Resource"] == json!(["*"]);
                    let harmless = *actions == [json!("secretsmanager:GetRandomPassword")]
                        || statement["Action"] == json!(SESSION_CHANNELS);
                    assert!(!everywhere || harmless, "{} {name}: {statement}", role.name);
                }
            }
        }
    }

    #[test]
    fn every_role_trusts_one_service_on_behalf_of_this_account_where_it_says_so() {
        for role in all() {
            let statements = &role.assume_role_policy.document()["Statement"];
            assert_eq!(statements.as_array().unwrap().len(), 1, "{}", role.name);
            let service = statements[0]["Principal"]["Service"][0].as_str().unwrap();
            let condition = statements[0]["Condition"].to_string();
            assert_eq!(
                condition.contains("123456789012"),
                !crate::trust::SAY_NO_SOURCE.contains(&service),
                "{}: {condition}",
                role.name
            );
        }
    }

    #[test]
    fn tasks_mount_through_the_access_point_and_not_as_root() {
        let files = all()[1].inline_policies["files"].to_string();
        assert!(files.contains("elasticfilesystem:AccessPointArn"));
        assert!(!files.contains("ClientRootAccess"));
    }

    #[test]
    fn writers_of_the_stream_may_use_its_key() {
        let stream = all()[1].inline_policies["stream"].to_string();
        assert!(stream.contains("kms:GenerateDataKey"));
        assert!(stream.contains("kinesis.us-east-1.amazonaws.com"));
    }
}

//! The policies that `policy` prints: what they allow is what AWS knows, what the commands call, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compliance::Reach;
use compliance::policy::matches;
use engine::inventory::collect;
use engine::kind::Identity;
use engine::plan::Options;
use engine::{Allow, Aws, Journal, Lease, Leases, Scope, Stack, deploy};
use serde::Deserialize;
use serde_json::Value;

use crate::audit_test::{account, default_stack};
use crate::policy::{self, MANAGED_POLICY_SIZE, bounds, document, documents, size};
use crate::stack::kinds;

/// What AWS's Service Authorization Reference says of the actions in our policies: the kinds of resources that
/// they can be narrowed to, the condition keys that count for them, and their access level. A new
/// action needs a line from <https://docs.aws.amazon.com/service-authorization/latest/reference/>.
const REFERENCE: &str = include_str!("service_authorization.json");

#[derive(Deserialize)]
struct Known {
    /// `None`: it can only be allowed on everything.
    on: Option<Vec<String>>,
    keys: Vec<String>,
    level: String,
}

fn reference() -> BTreeMap<String, Known> {
    serde_json::from_str(REFERENCE).unwrap()
}

/// Every policy, by the command's name.
fn policies(stack: &Stack) -> Vec<(&'static str, Vec<Allow>)> {
    vec![
        ("deploy", policy::deploy(stack)),
        ("destroy", policy::destroy()),
        ("audit", policy::audit(Reach::Stack)),
        ("audit --scope account", policy::audit(Reach::Account)),
    ]
}

fn of(permissions: &[Allow], stack: &Stack) -> Value {
    document(permissions, &bounds(stack, "us-east-1", Some("123456789012")))
}

fn statements(policy: &Value) -> &Vec<Value> {
    policy["Statement"].as_array().unwrap()
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap())
}

fn actions(permissions: &[Allow]) -> BTreeSet<&'static str> {
    permissions.iter().flat_map(|allow| allow.actions).copied().collect()
}

#[test]
fn every_kind_says_what_its_calls_need() {
    for kind in kinds() {
        let declared = kind.traits.permissions;
        assert!(!declared.read.is_empty(), "{kind:?} reads");
        assert!(!declared.make.is_empty(), "{kind:?} makes");
        let stays = kind.traits.identity == Identity::Setting && kind.traits.lent.is_none();
        assert_eq!(declared.remove.is_empty(), stays, "{kind:?} removes");
    }
    for reader in compliance::readers() {
        assert!(!reader.read.is_empty(), "{reader:?}");
    }
}

#[tokio::test]
async fn every_action_exists_and_takes_its_resources_and_conditions() {
    let stack = default_stack(&account().await).graph;
    let reference = reference();
    for (name, permissions) in policies(&stack) {
        for statement in statements(&of(&permissions, &stack)) {
            for action in texts(&statement["Action"]) {
                let known = reference.get(action);
                let known = known.unwrap_or_else(|| panic!("{action} is not in the reference"));
                for resource in texts(&statement["Resource"]).filter(|it| *it != "*") {
                    let formats = known.on.as_ref().unwrap_or_else(|| panic!("{action} is for *"));
                    // A pattern within a format, or one for all types of a service's resources.
                    let fits = formats.iter().any(|format| {
                        matches(format, resource) || matches(resource, &example(format))
                    });
                    assert!(fits, "{name}: {action} cannot be narrowed to {resource}");
                }
                let conditions = statement.get("Condition").and_then(Value::as_object);
                for key in conditions
                    .into_iter()
                    .flatten()
                    .flat_map(|(_, keys)| keys.as_object().unwrap().keys())
                {
                    let fits = known.keys.iter().any(|known| matches(known, key));
                    assert!(fits, "{name}: {key} says nothing about {action}: {statement}");
                }
            }
        }
    }
}

/// An ARN of a format: `arn:*:ec2:*:*:vpc/*` to `arn:aws:ec2:us-east-1:123456789012:vpc/x`.
fn example(format: &str) -> String {
    let mut parts: Vec<&str> = format.splitn(6, ':').collect();
    for (part, value) in parts.iter_mut().zip(["arn", "aws", "", "us-east-1", "123456789012"]) {
        if *part == "*" {
            *part = value;
        }
    }
    parts.join(":").replace('*', "x")
}

/// What would read records or secret values.
const RECORDS_AND_SECRETS: &[&str] = &[
    "secretsmanager:GetSecretValue",
    "secretsmanager:BatchGetSecretValue",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:SubscribeToShard",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ReplicateObject",
    "rds-data:ExecuteStatement",
    "rds-data:BatchExecuteStatement",
    "rds-db:connect",
    "rds:DownloadDBLogFilePortion",
    "rds:DownloadCompleteDBLogFile",
    "elasticache:Connect",
    "elasticfilesystem:ClientMount",
    "elasticfilesystem:ClientRootAccess",
    "elasticfilesystem:ClientWrite",
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:PartiQLSelect",
    "es:ESHttpGet",
    "logs:GetLogEvents",
    "logs:FilterLogEvents",
    "logs:StartQuery",
    "logs:GetQueryResults",
    "logs:Unmask",
    "ebs:GetSnapshotBlock",
    "backup:StartRestoreJob",
    "rds:RestoreDBClusterFromSnapshot",
    "rds:StartExportTask",
    "sqs:ReceiveMessage",
];

#[tokio::test]
async fn no_policy_reads_records_or_secret_values() {
    let stack = default_stack(&account().await).graph;
    for (name, permissions) in policies(&stack) {
        for statement in statements(&of(&permissions, &stack)) {
            for action in texts(&statement["Action"]) {
                assert!(!action.contains('*'), "{name}: {action} stands for itself alone");
                assert!(!RECORDS_AND_SECRETS.contains(&action), "{name}: {action}");
                // A key only works for a service that works for us.
                if ["kms:Decrypt", "kms:GenerateDataKey", "kms:CreateGrant"].contains(&action) {
                    let via = &statement["Condition"]["StringEquals"]["kms:ViaService"];
                    assert!(via.is_array(), "{name}: {statement}");
                }
                if action == "iam:PassRole" {
                    let to = &statement["Condition"]["StringEquals"]["iam:PassedToService"];
                    assert!(to.is_array(), "{name}: {statement}");
                    let ours = |role: &str| role.contains("role/student-*-dev");
                    assert!(texts(&statement["Resource"]).all(ours), "{name}: {statement}");
                }
            }
        }
    }
}

#[test]
fn an_audit_only_describes_lists_and_gets() {
    let reference = reference();
    for action in actions(&policy::audit(Reach::Account)) {
        let verb = action.split_once(':').unwrap().1;
        let reads = ["Describe", "List", "Get", "GET"].iter().any(|word| verb.starts_with(word));
        assert!(reads, "{action}");
        assert!(["Read", "List"].contains(&reference[action].level.as_str()), "{action}");
    }
    let (stack, all) = (policy::audit(Reach::Stack), policy::audit(Reach::Account));
    assert!(actions(&stack).is_subset(&actions(&all)));
    assert!(actions(&stack).len() < actions(&all).len(), "an audit of a stack asks for less");
}

#[tokio::test]
async fn what_is_written_is_on_the_stack_alone_wherever_that_can_be_said() {
    let stack = default_stack(&account().await).graph;
    let mut open = BTreeSet::new();
    for (_, permissions) in policies(&stack) {
        open.extend(beyond_the_stack(&of(&permissions, &stack), |known| !reads(known)));
    }
    let expected = OPEN.iter().flat_map(|(_, actions)| *actions);
    assert_eq!(open, expected.map(|action| (*action).to_owned()).collect());
}

/// What may be done to others than the stack, and why that cannot be said more narrowly: to all of it, or to one of
/// the kinds of resources that a call works on.
const OPEN: &[(&str, &[&str])] = &[
    ("takes tags off any REST API, stage or VPC link: tags have no tags", &["apigateway:DELETE"]),
    ("a setting of the account and region, and its default", &["apigateway:PATCH"]),
    (
        "only while an API is made: what exists needs the stack's tag",
        &["apigateway:UpdateRestApiPolicy"],
    ),
    (
        "AWS keeps tags on scalable targets and imitations do not, so we set none: the service says whose they are. \
         To register one takes ecs:UpdateService on it",
        &[
            "application-autoscaling:DeleteScalingPolicy",
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:RegisterScalableTarget",
        ],
    ),
    ("knows no resources", &["backup-storage:MountCapsule"]),
    (
        "EFS makes, changes and deletes interfaces in our name, and gives them no tags of ours",
        &[
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:ModifyNetworkInterfaceAttribute",
        ],
    ),
    (
        "a VPC's default group comes without tags",
        &["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"],
    ),
    ("knows no resources", &["ecs:DeregisterTaskDefinition"]),
    (
        "refers to AWS's default parameter groups",
        &["elasticache:CreateReplicationGroup", "elasticache:ModifyReplicationGroup"],
    ),
    ("a service's role, under the service's name", &["iam:CreateServiceLinkedRole"]),
    (
        "knows no resources",
        &[
            "kinesis:DisableEnhancedMonitoring",
            "kinesis:EnableEnhancedMonitoring",
            "kinesis:UpdateShardCount",
            "kinesis:UpdateStreamMode",
        ],
    ),
    (
        "knows no resources",
        &[
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
        ],
    ),
    (
        "refers to AWS's default option and parameter groups",
        &[
            "rds:CreateDBCluster",
            "rds:CreateDBInstance",
            "rds:ModifyDBCluster",
            "rds:ModifyDBInstance",
        ],
    ),
    ("the zone is AWS's", &["route53:AssociateVPCWithHostedZone"]),
    ("knows no resources", &["sns:Unsubscribe"]),
    (
        "WAF knows no tags of a stage, and needs apigateway:SetWebACL on it, which does",
        &["wafv2:AssociateWebACL", "wafv2:DisassociateWebACL"],
    ),
    ("refers to AWS's rule sets", &["wafv2:CreateWebACL", "wafv2:UpdateWebACL"]),
];

/// The actions of a policy that are allowed on more than the stack's own, as far as names or tags can say that.
fn beyond_the_stack(policy: &Value, counts: impl Fn(&Known) -> bool) -> BTreeSet<String> {
    let reference = reference();
    let ours = |statement: &Value| {
        statement["Condition"].to_string().contains("ferpa-stack:stack")
            || texts(&statement["Resource"]).all(|resource| resource.contains("student-"))
    };
    let open = statements(policy).iter().filter(|statement| !ours(statement));
    let actions = open.flat_map(|statement| texts(&statement["Action"]));
    actions.filter(|action| counts(&reference[*action])).map(str::to_owned).collect()
}

fn reads(known: &Known) -> bool {
    ["Read", "List"].contains(&known.level.as_str())
}

#[tokio::test]
async fn what_is_read_is_of_the_stack_alone_wherever_that_can_be_said() {
    let stack = default_stack(&account().await).graph;
    let listed: BTreeSet<String> = READ_OF_ALL
        .iter()
        .flat_map(|(_, actions)| *actions)
        .map(|action| (*action).to_owned())
        .collect();
    for permissions in [policy::deploy(&stack), policy::destroy()] {
        let open =
            beyond_the_stack(&of(&permissions, &stack), |known| reads(known) && known.on.is_some());
        assert_eq!(open, listed);
    }
}

/// What deploy and destroy read of others than the stack, although AWS could narrow it, and why. Audits read everything of
/// everybody: that is what they are for.
const READ_OF_ALL: &[(&str, &[&str])] = &[
    (
        "a listing, with the tags or without: it is how it is found out what belongs to the stack",
        &[
            "apigateway:GET",
            "cloudwatch:DescribeAlarms",
            "ecs:DescribeClusters",
            "ecs:DescribeServices",
            "ecs:ListTasks",
            "elasticache:DescribeCacheClusters",
            "elasticache:DescribeCacheSubnetGroups",
            "elasticache:DescribeReplicationGroups",
            "elasticache:DescribeUserGroups",
            "elasticache:DescribeUsers",
            "elasticfilesystem:DescribeAccessPoints",
            "elasticfilesystem:DescribeFileSystems",
            "guardduty:GetDetector",
            "logs:DescribeMetricFilters",
            "rds:DescribeDBClusterParameterGroups",
            "rds:DescribeDBClusters",
            "rds:DescribeDBInstances",
            "rds:DescribeDBSubnetGroups",
        ],
    ),
    (
        "the tags themselves, of what has an id and no name, or is asked for in one call with the others'",
        &[
            "acm:ListTagsForCertificate",
            "backup:ListTags",
            "cloudtrail:ListTags",
            "kms:ListResourceTags",
        ],
    ),
    (
        "a key has no name, and KMS takes up to five minutes to go by its tags: a deploy reads what it has just made",
        &["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListGrants"],
    ),
];

/// What deploy and destroy may read of the stack alone is not asked of anybody else, or a stranger's refusal would stop them.
#[tokio::test]
async fn nothing_that_is_read_of_the_stack_alone_is_asked_of_strangers() {
    let aws = account().await;
    let stack = default_stack(&aws).graph;
    let options = Options { imitation: true, ..Options::default() };
    deploy::up(&aws, &stack, &kinds(), options).await.unwrap();
    let aws = &aws;
    let read = |stack: engine::StackName| async move {
        let before = aws.calls();
        collect(aws, &kinds(), &Scope::Stack(stack), &Journal::in_memory()).await;
        let after = aws.calls().into_iter();
        let news = after.filter(|(call, count)| before.get(call) != Some(count));
        news.filter_map(|(call, _)| iam_actions(&call)).collect::<BTreeSet<_>>()
    };
    let own = read(stack.name().clone()).await;
    let stranger = read(engine::StackName::new("pupil", "test")).await;
    let policy = of(&policy::deploy(&stack), &stack);
    let of_anybody = beyond_the_stack(&policy, reads);
    assert_eq!(stranger.difference(&of_anybody).collect::<Vec<_>>(), Vec::<&String>::new());
    let only_own: Vec<&String> = own.difference(&of_anybody).collect();
    assert!(only_own.len() > 30, "{only_own:?}");
}

#[tokio::test]
async fn what_changes_something_that_exists_is_for_what_carries_the_stacks_tag() {
    let stack = default_stack(&account().await).graph;
    let reference = reference();
    let policy = of(&policy::deploy(&stack), &stack);
    let untagged = statements(&policy)
        .iter()
        .filter(|statement| !statement["Condition"].to_string().contains("ferpa-stack:stack"));
    let by_name: BTreeSet<&str> = untagged
        .flat_map(|statement| texts(&statement["Action"]))
        .filter(|action| {
            let known = &reference[*action];
            let open = OPEN.iter().any(|(_, list)| list.contains(action));
            !reads(known) && !open && known.keys.iter().any(|key| key == "aws:ResourceTag/*")
        })
        .collect();
    let expected = BY_NAME.iter().flat_map(|(_, actions)| *actions).copied();
    assert_eq!(by_name, expected.collect());
}

/// What is allowed on what has a name of the stack's, whatever its tags, and why. (For all of them, AWS knows tags.)
const BY_NAME: &[(&str, &[&str])] = &[
    (
        "called on what has just been made, when its tags may not count yet",
        &[
            "backup:PutBackupVaultAccessPolicy",
            "backup:PutBackupVaultLockConfiguration",
            "cloudtrail:PutEventSelectors",
            "cloudtrail:StartLogging",
            "ecs:PutClusterCapacityProviders",
            "elasticloadbalancing:ModifyLoadBalancerAttributes",
            "elasticloadbalancing:ModifyTargetGroupAttributes",
            "firehose:StartDeliveryStreamEncryption",
            "iam:AttachRolePolicy",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
            "kinesis:IncreaseStreamRetentionPeriod",
            "kinesis:StartStreamEncryption",
            "lambda:AddPermission",
            "lambda:PutFunctionConcurrency",
            "logs:AssociateKmsKey",
            "logs:PutMetricFilter",
            "logs:PutRetentionPolicy",
            "logs:PutSubscriptionFilter",
            "rds:ModifyDBClusterParameterGroup",
            "secretsmanager:PutResourcePolicy",
            "secretsmanager:PutSecretValue",
            "secretsmanager:RotateSecret",
            "sns:Subscribe",
            "wafv2:PutLoggingConfiguration",
        ],
    ),
    (
        "passed to or called by a service that has just been told of it",
        &["iam:PassRole", "lambda:InvokeFunction"],
    ),
    (
        "sets tags: in the act of creation, and later",
        &[
            "backup:TagResource",
            "cloudtrail:AddTags",
            "cloudwatch:TagResource",
            "ecs:TagResource",
            "elasticache:AddTagsToResource",
            "elasticloadbalancing:AddTags",
            "firehose:TagDeliveryStream",
            "iam:TagRole",
            "kinesis:AddTagsToStream",
            "lambda:TagResource",
            "logs:TagResource",
            "rds:AddTagsToResource",
            "s3:PutBucketTagging",
            "s3:TagResource",
            "secretsmanager:TagResource",
            "sns:TagResource",
            "ssm:AddTagsToResource",
            "wafv2:TagResource",
        ],
    ),
    (
        "one call makes and changes",
        &["cloudwatch:PutMetricAlarm", "ssm:DeleteParameters", "ssm:PutParameter"],
    ),
    (
        "Application Auto Scaling calls it in our name, on alarms and services that it knows by name",
        &["cloudwatch:DeleteAlarms", "ecs:UpdateService"],
    ),
    (
        "an alias has no tags; what it is for has to have the stack's",
        &["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"],
    ),
    (
        "the final snapshot that it makes; what is deleted has to have the stack's tag",
        &[
            "elasticache:DeleteReplicationGroup",
            "rds:CreateDBClusterSnapshot",
            "rds:DeleteDBCluster",
        ],
    ),
    (
        "IAM does not go by the tags of a bucket unless the bucket is set up for it",
        &[
            "s3:BypassGovernanceRetention",
            "s3:CreateBucket",
            "s3:DeleteBucket",
            "s3:DeleteBucketPolicy",
            "s3:DeleteObjectVersion",
            "s3:PutBucketLogging",
            "s3:PutBucketObjectLockConfiguration",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
        ],
    ),
];

#[tokio::test]
async fn parts_fit_into_managed_policies_and_allow_the_same_together() {
    let stack = default_stack(&account().await).graph;
    let allowed = |policy: &Value| -> BTreeSet<String> {
        let each = statements(policy).iter().flat_map(|statement| {
            texts(&statement["Action"]).flat_map(move |action| {
                texts(&statement["Resource"])
                    .map(move |resource| format!("{action} {resource} {}", statement["Condition"]))
            })
        });
        each.collect()
    };
    for (name, permissions) in policies(&stack) {
        let bounds = bounds(&stack, "us-east-1", Some("123456789012"));
        let parts = documents(&permissions, &bounds);
        assert!(parts.iter().all(|part| size(part) <= MANAGED_POLICY_SIZE), "{name}");
        // A role takes ten: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
        assert!(parts.len() <= 10, "{name}: {}", parts.len());
        let together: BTreeSet<_> = parts.iter().flat_map(allowed).collect();
        assert_eq!(together, allowed(&document(&permissions, &bounds)), "{name}");
    }
}

#[tokio::test]
async fn the_document_says_how_long_the_policies_are() {
    let stack = default_stack(&account().await).graph;
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/permissions.md");
    let page = std::fs::read_to_string(page).unwrap();
    let bounds = bounds(&stack, "us-east-1", None);
    let said = |(name, permissions): (&str, Vec<Allow>)| {
        let hundreds = size(&document(&permissions, &bounds)).div_ceil(100);
        format!("{name} {},{}00", hundreds / 10, hundreds % 10)
    };
    let all: Vec<_> = policies(&stack).into_iter().map(said).collect();
    assert!(page.contains(&all.join("; ")), "{all:?}");
    assert!(page.contains("seven for deploy"));
    assert_eq!(documents(&policy::deploy(&stack), &bounds).len(), 7);
}

#[test]
fn statements_that_differ_in_more_than_one_thing_stay_apart() {
    const ONE: Allow = Allow::to(&["ec2:CreateSubnet"]).on(&["ec2:{here}:subnet/*"]).for_stack();
    const OTHER: Allow = Allow::to(&["ec2:CreateSubnet"]).on(&["ec2:{here}:vpc/*"]).of_stack();
    let stack = Stack::new(engine::StackName::new("student", "dev"), BTreeMap::new());
    let policy = of(&[ONE, OTHER, ONE], &stack);
    assert_eq!(statements(&policy).len(), 2, "{policy}");
}

/// The IAM actions of an operation, by the SDK's names for service and operation.
fn iam_actions(call: &str) -> Option<String> {
    let (service, operation) = call.split_once('.').unwrap();
    let prefix = match service {
        // Whoever calls it may: there is nothing to allow.
        "STS" => return None,
        "API Gateway" | "ApiGatewayV2" => {
            let verb = match operation {
                "TagResource" if service == "API Gateway" => "PUT",
                "TagResource" => "POST",
                "UntagResource" => "DELETE",
                _ => ["Get", "Create", "Put", "Update", "Delete"]
                    .iter()
                    .zip(["GET", "POST", "PUT", "PATCH", "DELETE"])
                    .find_map(|(word, verb)| operation.starts_with(word).then_some(verb))
                    .unwrap_or_else(|| panic!("{call} is no verb")),
            };
            return Some(format!("apigateway:{verb}"));
        }
        "S3" => {
            let action = match operation {
                "ListBuckets" => "ListAllMyBuckets",
                "ListObjectVersions" => "ListBucketVersions",
                "DeleteObjects" => "DeleteObjectVersion",
                "GetBucketEncryption" => "GetEncryptionConfiguration",
                "PutBucketEncryption" | "DeleteBucketEncryption" => "PutEncryptionConfiguration",
                "GetBucketLifecycleConfiguration" => "GetLifecycleConfiguration",
                "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => {
                    "PutLifecycleConfiguration"
                }
                "GetPublicAccessBlock" => "GetBucketPublicAccessBlock",
                "PutPublicAccessBlock" => "PutBucketPublicAccessBlock",
                "GetObjectLockConfiguration" => "GetBucketObjectLockConfiguration",
                "PutObjectLockConfiguration" => "PutBucketObjectLockConfiguration",
                same => same,
            };
            return Some(format!("s3:{action}"));
        }
        "S3 Control" => {
            let action = operation.replace("PublicAccessBlock", "AccountPublicAccessBlock");
            return Some(format!("s3:{action}"));
        }
        "AccessAnalyzer" => "access-analyzer",
        "ACM" => "acm",
        "Application Auto Scaling" => "application-autoscaling",
        "CloudWatch Logs" => "logs",
        "Cognito Identity Provider" => "cognito-idp",
        "Config Service" => "config",
        "EFS" => "elasticfilesystem",
        "Elastic Load Balancing v2" => "elasticloadbalancing",
        "OpenSearch" => "es",
        "SSO Admin" => "sso",
        "Secrets Manager" => "secretsmanager",
        other => return Some(format!("{}:{operation}", other.to_ascii_lowercase())),
    };
    Some(format!("{prefix}:{operation}"))
}

fn called(aws: &Aws) -> BTreeSet<String> {
    aws.calls().keys().filter_map(|call| iam_actions(call)).collect()
}

fn uncovered<'a>(called: &'a BTreeSet<String>, policy: &[Allow]) -> Vec<&'a String> {
    let allowed = actions(policy);
    called.iter().filter(|action| !allowed.contains(action.as_str())).collect()
}

#[tokio::test]
async fn every_call_is_allowed_and_what_is_allowed_is_called_or_listed() {
    let options = Options { imitation: true, allow_data_loss: true };
    let embedded = local::ControlPlane::in_memory().http_client();
    let connect = || async {
        let target = engine::Target::Embedded(embedded.clone());
        Aws::connect(target, Some("us-east-1")).await.unwrap()
    };
    let aws = connect().await;
    network::availability_zones(&aws, 2).await.unwrap();
    let stack = default_stack(&aws).graph;
    let lease = take_lease(&aws, &stack, "deploy").await;
    deploy::up(&aws, &stack, &kinds(), options).await.unwrap();
    deploy::up(&aws, &stack, &kinds(), options).await.unwrap();
    lease.release().await.unwrap();
    let deploys = called(&aws);
    assert_eq!(uncovered(&deploys, &policy::deploy(&stack)), Vec::<&String>::new());

    let aws = connect().await;
    let scope = Scope::Attached(stack.name().clone());
    collect(&aws, &compliance::readers_for(Reach::Stack), &scope, &Journal::in_memory()).await;
    let audits = called(&aws);
    assert_eq!(uncovered(&audits, &policy::audit(Reach::Stack)), Vec::<&String>::new());
    let aws = connect().await;
    collect(&aws, &compliance::readers(), &Scope::Account, &Journal::in_memory()).await;
    let audits_all = called(&aws);
    assert_eq!(uncovered(&audits_all, &policy::audit(Reach::Account)), Vec::<&String>::new());

    let aws = connect().await;
    let lease = take_lease(&aws, &stack, "destroy").await;
    deploy::down(&aws, stack.name(), &kinds(), options).await.unwrap();
    lease.end().await.unwrap();
    let destroys = called(&aws);
    assert_eq!(uncovered(&destroys, &policy::destroy()), Vec::<&String>::new());

    // The other direction: what these runs do not call is in the code for another day (something has
    // changed, or somebody else has it), or AWS does it in our name.
    let all: BTreeSet<String> = [deploys, audits, audits_all, destroys]
        .into_iter()
        .flatten()
        .chain(named_in_code())
        .collect();
    let in_our_name: BTreeSet<&str> = policies(&stack)
        .iter()
        .flat_map(|(_, permissions)| actions(permissions))
        .filter(|action| !all.contains(*action))
        .collect();
    let expected: BTreeSet<&str> = IN_OUR_NAME.iter().map(|(action, _)| *action).collect();
    assert_eq!(in_our_name, expected);
}

/// What no code of ours calls, and why it is allowed all the same. The kinds cite AWS's pages.
const IN_OUR_NAME: &[(&str, &str)] = &[
    ("apigateway:SetWebACL", "WAF puts a web ACL on a stage"),
    ("apigateway:UpdateRestApiPolicy", "API Gateway sets an API's own policy"),
    ("backup-storage:MountCapsule", "AWS Backup makes a vault"),
    ("ec2:CreateNetworkInterface", "EFS makes a mount target"),
    ("ec2:DescribeAccountAttributes", "Elastic Load Balancing looks at the account"),
    ("ec2:DeleteNetworkInterface", "EFS deletes a mount target"),
    ("ec2:DescribeNetworkInterfaceAttribute", "EFS shows a mount target's security groups"),
    ("ec2:ModifyNetworkInterfaceAttribute", "EFS changes a mount target's security groups"),
    ("iam:CreateServiceLinkedRole", "services make their own roles when they are first used"),
    ("iam:PassRole", "services take the roles that they are given"),
    ("kms:CreateGrant", "stores work with their key by a grant"),
    ("kms:Decrypt", "services encrypt what they are given"),
    ("kms:GenerateDataKey", "services encrypt what they are given"),
    ("kms:RetireGrant", "AWS Backup makes a vault"),
    ("lambda:InvokeFunction", "Secrets Manager sets a rotation"),
    ("logs:CreateLogDelivery", "ElastiCache and WAF deliver logs"),
    ("logs:DeleteLogDelivery", "ElastiCache and WAF stop delivering logs"),
    ("logs:DescribeResourcePolicies", "ElastiCache and WAF deliver logs"),
    ("logs:GetLogDelivery", "ElastiCache changes its log delivery"),
    ("logs:ListLogDeliveries", "ElastiCache changes its log delivery"),
    ("logs:PutResourcePolicy", "ElastiCache and WAF deliver logs"),
    ("logs:UpdateLogDelivery", "ElastiCache changes its log delivery"),
    ("rds:CreateDBClusterSnapshot", "RDS takes a final snapshot"),
    ("rds:DeleteDBClusterSnapshot", "AWS Backup deletes a recovery point of Aurora"),
    ("route53:AssociateVPCWithHostedZone", "EC2 gives an interface endpoint its private name"),
    ("s3:TagResource", "S3 tags a bucket when it is created"),
    ("ssm:AddTagsToResource", "Parameter Store tags an entry of the lease when it is created"),
];

async fn take_lease(aws: &Aws, stack: &Stack, command: &str) -> Lease {
    let leases = Leases::of(aws, stack.name(), command, None);
    let turn = leases.turn(Duration::ZERO, &|_| {}).await.unwrap();
    leases.take(&turn, Duration::ZERO, &|_| {}).await.unwrap().0
}

/// Every action that the layers' code names beside a call: whatever looks like one, outside the
/// declarations themselves.
fn named_in_code() -> BTreeSet<String> {
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let layers = ["network", "security", "data", "compute", "api", "account"];
    let layers = layers.map(|layer| crates.join(layer).join("src"));
    // The lease is the engine's own.
    let folders = layers.into_iter().chain([crates.join("engine/src/lease")]);
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut found = BTreeSet::new();
    for file in files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&file).unwrap();
        let text = without(&text, "permissions: Permissions {", "..Traits::of(");
        let text = without(&text, "const READ:", ";\n");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for literal in code.split('"').skip(1).step_by(2) {
            let is_action = literal.split_once(':').is_some_and(|(service, name)| {
                service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                    && name.bytes().all(|b| b.is_ascii_alphanumeric())
            });
            found.extend(is_action.then(|| literal.to_owned()));
        }
    }
    // The policies of keys and roles name actions that others take.
    let for_others = |action: &String| {
        ["kms:Decrypt", "kms:CreateGrant", "kms:GenerateDataKey", "lambda:InvokeFunction"]
            .contains(&action.as_str())
    };
    found.retain(|action| !for_others(action));
    found
}

/// The text without what stands between two marks, wherever the first of them is.
fn without(text: &str, from: &str, to: &str) -> String {
    let mut pieces = text.split(from);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |before, piece| before + piece.split_once(to).map_or("", |(_, after)| after))
}

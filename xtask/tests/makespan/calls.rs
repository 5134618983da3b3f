//! The calls of a deploy: none that writes when there is nothing to do, and few that read.

use std::collections::BTreeMap;

use crate::run::{Rates, World};

/// What AWS tells of one resource per call: the operation, the kind that it is called for, and how often for each
/// resource of ours. There is no batch for any of these; leaving one out would be drift that a deploy does not see.
const DETAILS: &[(&str, &str, u64)] = &[
    ("ACM.ListTagsForCertificate", "acm.certificate", 1),
    ("API Gateway.GetAuthorizers", "apigateway.rest_api", 1),
    ("API Gateway.GetResources", "apigateway.rest_api", 1),
    ("API Gateway.GetStages", "apigateway.rest_api", 1),
    ("API Gateway.GetDeployment", "apigateway.stage", 1),
    ("Backup.GetBackupPlan", "backup.plan", 1),
    ("Backup.GetBackupSelection", "backup.plan", 1),
    ("Backup.ListBackupSelections", "backup.plan", 1),
    ("Backup.GetBackupVaultAccessPolicy", "backup.vault", 1),
    // Of vaults and of plans.
    ("Backup.ListTags", "backup.vault", 2),
    ("CloudTrail.GetEventSelectors", "cloudtrail.trail", 1),
    ("CloudTrail.GetTrailStatus", "cloudtrail.trail", 1),
    ("CloudWatch Logs.DescribeSubscriptionFilters", "logs.log_group", 1),
    ("CloudWatch Logs.ListTagsForResource", "logs.log_group", 1),
    ("CloudWatch.ListTagsForResource", "cloudwatch.alarm", 1),
    ("EC2.DescribeVpcAttribute", "ec2.vpc", 2),
    ("ECS.DescribeTaskDefinition", "ecs.task_definition", 1),
    ("ECS.ListServices", "ecs.cluster", 1),
    ("EFS.DescribeBackupPolicy", "efs.file_system", 1),
    ("EFS.DescribeFileSystemPolicy", "efs.file_system", 1),
    ("EFS.DescribeLifecycleConfiguration", "efs.file_system", 1),
    ("EFS.DescribeMountTargets", "efs.file_system", 1),
    ("EFS.DescribeMountTargetSecurityGroups", "efs.mount_target", 1),
    // Of replication groups and of subnet groups.
    ("ElastiCache.ListTagsForResource", "elasticache.replication_group", 2),
    ("Elastic Load Balancing v2.DescribeListeners", "elbv2.load_balancer", 1),
    ("Elastic Load Balancing v2.DescribeLoadBalancerAttributes", "elbv2.load_balancer", 1),
    ("Elastic Load Balancing v2.DescribeTargetGroupAttributes", "elbv2.target_group", 1),
    ("Firehose.DescribeDeliveryStream", "firehose.delivery_stream", 1),
    ("Firehose.ListTagsForDeliveryStream", "firehose.delivery_stream", 1),
    ("KMS.DescribeKey", "kms.key", 1),
    ("KMS.GetKeyPolicy", "kms.key", 1),
    ("KMS.GetKeyRotationStatus", "kms.key", 1),
    ("KMS.ListGrants", "kms.key", 1),
    ("KMS.ListResourceTags", "kms.key", 1),
    ("Kinesis.DescribeStreamSummary", "kinesis.stream", 1),
    ("Kinesis.ListTagsForStream", "kinesis.stream", 1),
    ("Lambda.GetFunction", "lambda.function", 1),
    ("Lambda.GetPolicy", "lambda.function", 1),
    ("RDS.DescribeDBClusterParameters", "rds.cluster_parameter_group", 1),
    // Of parameter groups and of subnet groups.
    ("RDS.ListTagsForResource", "rds.subnet_group", 2),
    ("S3.GetBucketAcl", "s3.bucket", 1),
    ("S3.GetBucketEncryption", "s3.bucket", 1),
    ("S3.GetBucketLifecycleConfiguration", "s3.bucket", 1),
    ("S3.GetBucketLogging", "s3.bucket", 1),
    ("S3.GetBucketOwnershipControls", "s3.bucket", 1),
    ("S3.GetBucketPolicy", "s3.bucket", 1),
    ("S3.GetBucketTagging", "s3.bucket", 1),
    ("S3.GetBucketVersioning", "s3.bucket", 1),
    ("S3.GetObjectLockConfiguration", "s3.bucket", 1),
    ("S3.GetPublicAccessBlock", "s3.bucket", 1),
    ("SNS.GetTopicAttributes", "sns.topic", 1),
    ("SNS.ListSubscriptionsByTopic", "sns.topic", 1),
    ("SNS.ListTagsForResource", "sns.topic", 1),
    ("Secrets Manager.GetResourcePolicy", "secretsmanager.secret", 1),
    ("WAFV2.GetLoggingConfiguration", "wafv2.web_acl", 1),
    ("WAFV2.GetWebACL", "wafv2.web_acl", 1),
    ("WAFV2.ListTagsForResource", "wafv2.web_acl", 1),
];

fn is_read(operation: &str) -> bool {
    let verb = operation.rsplit('.').next().unwrap_or_default();
    ["Describe", "Get", "List"].iter().any(|beginning| verb.starts_with(beginning))
}

/// The calls that are lists and batches; the others are details, each of a resource of ours.
fn lists(calls: &BTreeMap<String, u64>, ours: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut lists = calls.clone();
    // The zones are no kind's.
    lists.remove("EC2.DescribeAvailabilityZones");
    for (operation, kind, each) in DETAILS {
        let Some(count) = lists.remove(*operation) else { continue };
        let most = ours.get(*kind).copied().unwrap_or_default() * each;
        assert!(count <= most, "{operation} is called {count} times for {most} resources");
    }
    lists
}

#[tokio::test(start_paused = true)]
async fn a_deploy_with_nothing_to_do_writes_nothing_and_reads_little() {
    let world = World::new(Rates::Unlimited, 1.0).await;
    let first = world.deploy().await;
    assert!(first.outcome.is_complete(), "{:#?}", first.outcome.failed);
    let again = world.deploy().await;
    assert!(again.plan.actions.is_empty(), "{:#?}", again.plan.actions);

    let writes: Vec<&String> = again.calls.keys().filter(|call| !is_read(call)).collect();
    assert!(writes.is_empty(), "{writes:?}");

    let mut ours: BTreeMap<String, u64> = BTreeMap::new();
    for node in world.stack().await.graph.nodes() {
        *ours.entry(node.kind.name().into()).or_default() += 1;
    }
    let kinds = xtask::stack::kinds().len();
    let lists = lists(&again.calls, &ours);
    let (all, listed): (u64, u64) = (again.calls.values().sum(), lists.values().sum());
    let each = listed as f64 / kinds as f64;
    println!(
        "{all} calls for {} resources of {kinds} kinds, of these {listed} lists and batches ({each:.2} a kind)\n{lists:#?}",
        ours.values().sum::<u64>()
    );
    assert!(each <= 1.2, "{listed} lists and batches for {kinds} kinds");
}

#[tokio::test(start_paused = true)]
async fn a_fresh_deploy_reads_one_list_of_each_kind_and_then_only_what_it_waits_for() {
    let world = World::new(Rates::Unlimited, 1.0).await;
    let stack = world.stack().await;
    let before: u64 = world.aws.calls().values().sum();
    let inventory = world.inventory(stack.graph.name()).await;
    let read = world.aws.calls().values().sum::<u64>() - before;
    let kinds = xtask::stack::kinds();
    assert!(inventory.errors.is_empty(), "{:?}", inventory.errors);
    println!("{read} calls find out that nothing of {} kinds is there", kinds.len());
    assert!(read <= kinds.len() as u64, "{read} calls for {} kinds", kinds.len());

    // Waiting for ten minutes costs a look every ten seconds on the average, or less.
    let deploy = world.deploy().await;
    let took = deploy.took.as_secs_f64();
    for (operation, count) in &deploy.calls {
        if is_read(operation) {
            println!("{count:4} {operation}");
        }
    }
    let looks = deploy.calls["ElastiCache.DescribeReplicationGroups"];
    assert!((looks as f64) < took / 10.0, "{looks} looks at the replication group in {took:.0} s");
}

// What the compute layer stands on, made with plain SDK calls: other layers make it in a real stack.
// The documentation's example includes this file too, which is why this is no `//!` comment.

use aws_smithy_types::Blob;
use compute::composition::{CacheSecret, Inputs};
use engine::vocabulary::SecretArn;
use engine::{Aws, Ref, client};

/// A VPC with two subnets and two security groups, roles, a log group, a certificate, a bucket and a
/// file system.
pub async fn inputs(aws: &Aws, label: &str) -> Inputs {
    let (vpc, subnets, groups) = network(aws).await;
    let (file_system, access_point) = files(aws, label, &subnets).await;
    let [load_balancer_group, task_group] = groups;
    Inputs {
        region: aws.region().to_owned(),
        vpc: Ref::known(vpc),
        subnets: subnets.iter().map(|id| Ref::known(id.as_str())).collect(),
        load_balancer_security_group: Ref::known(load_balancer_group),
        task_security_group: Ref::known(task_group),
        certificate: Ref::known(certificate(aws).await),
        access_log_bucket: Ref::known(bucket(aws, label).await),
        execution_role: Ref::known(role(aws, &format!("execution-{label}")).await),
        task_role: Ref::known(role(aws, &format!("task-{label}")).await),
        log_group: Ref::known(log_group(aws, label).await),
        file_system: Ref::known(file_system),
        access_point: Ref::known(access_point),
        database_endpoint: Ref::known("student.cluster-x.us-east-1.rds.amazonaws.com"),
        cache_endpoint: Ref::known("master.student.x.use1.cache.amazonaws.com"),
        stream: Ref::known(format!("student-stream-{label}")),
        database_secret: secret(aws, &format!("database-{label}")).await,
        cache_secret: Some(CacheSecret {
            secret: secret(aws, &format!("cache-{label}")).await,
            key: None,
        }),
        execute_command: None,
    }
}

async fn network(aws: &Aws) -> (String, Vec<String>, [String; 2]) {
    let ec2 = client!(aws, aws_sdk_ec2);
    let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    let vpc = vpc.vpc.unwrap().vpc_id.unwrap();
    let mut subnets = Vec::new();
    for (zone, third) in [("a", 11), ("b", 12)] {
        let call = ec2
            .create_subnet()
            .vpc_id(&vpc)
            .cidr_block(format!("10.0.{third}.0/24"))
            .availability_zone(format!("{}{zone}", aws.region()));
        subnets.push(call.send().await.unwrap().subnet.unwrap().subnet_id.unwrap());
    }
    let mut groups = Vec::new();
    for name in ["load-balancer", "tasks"] {
        let call = ec2.create_security_group().vpc_id(&vpc).group_name(name).description(name);
        groups.push(call.send().await.unwrap().group_id.unwrap());
    }
    (vpc, subnets, groups.try_into().unwrap())
}

async fn files(aws: &Aws, label: &str, subnets: &[String]) -> (String, String) {
    let efs = client!(aws, aws_sdk_efs);
    let made = efs.create_file_system().creation_token(label).encrypted(true).send().await.unwrap();
    let file_system = made.file_system_id;
    for subnet in subnets {
        let call = efs.create_mount_target().file_system_id(&file_system).subnet_id(subnet);
        call.send().await.unwrap();
    }
    let call = efs.create_access_point().client_token(label).file_system_id(&file_system);
    let access_point = call.send().await.unwrap().access_point_id.unwrap();
    (file_system, access_point)
}

async fn certificate(aws: &Aws) -> String {
    let names = vec!["api.student.internal".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let call = client!(aws, aws_sdk_acm)
        .import_certificate()
        .certificate(Blob::new(made.cert.pem()))
        .private_key(Blob::new(made.signing_key.serialize_pem()));
    let made = call.send().await.unwrap();
    made.certificate_arn.unwrap()
}

async fn bucket(aws: &Aws, label: &str) -> String {
    let name = format!("student-access-logs-{label}");
    client!(aws, aws_sdk_s3).create_bucket().bucket(&name).send().await.unwrap();
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": format!("arn:aws:s3:::{name}/*"),
    }]});
    let call =
        client!(aws, aws_sdk_s3).put_bucket_policy().bucket(&name).policy(policy.to_string());
    call.send().await.unwrap();
    name
}

async fn role(aws: &Aws, name: &str) -> String {
    let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }]});
    let call = client!(aws, aws_sdk_iam)
        .create_role()
        .role_name(name)
        .assume_role_policy_document(trust.to_string());
    call.send().await.unwrap().role.unwrap().arn
}

async fn secret(aws: &Aws, name: &str) -> Ref<SecretArn> {
    let call = client!(aws, aws_sdk_secretsmanager)
        .create_secret()
        .name(name)
        .secret_string(r#"{"username":"student","password":"only for this test"}"#);
    Ref::known(call.send().await.unwrap().arn.unwrap())
}

async fn log_group(aws: &Aws, label: &str) -> String {
    let name = format!("/ecs/student-api-{label}");
    let call = client!(aws, aws_sdk_cloudwatchlogs).create_log_group().log_group_name(&name);
    call.send().await.unwrap();
    name
}

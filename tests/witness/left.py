"""Prints, as a JSON list, what a server still holds of a stack. Keys and secrets that are scheduled for deletion count as
gone. usage: left.py STACK"""

import json
import sys

import boto3

stack = sys.argv[1]
project, environment = stack.rsplit("-", 1)
left = []


def ours(name):
    return project in name and environment in name


def client(service):
    return boto3.client(service)


def page(service, operation, key, **arguments):
    return client(service).get_paginator(operation).paginate(**arguments).build_full_result().get(key, [])


ec2 = client("ec2")
tagged = [{"Name": "tag:ferpa-stack:stack", "Values": [stack]}]
for operation, key, identifier in [
    ("describe_vpcs", "Vpcs", "VpcId"),
    ("describe_subnets", "Subnets", "SubnetId"),
    ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("describe_nat_gateways", "NatGateways", "NatGatewayId"),
    ("describe_route_tables", "RouteTables", "RouteTableId"),
    ("describe_security_groups", "SecurityGroups", "GroupId"),
    ("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    ("describe_flow_logs", "FlowLogs", "FlowLogId"),
]:
    for found in getattr(ec2, operation)(Filters=tagged)[key]:
        if str(found.get("State", "")).lower() not in ("deleted", "deleting"):
            left.append(found[identifier])
left += [a["AllocationId"] for a in ec2.describe_addresses(Filters=tagged)["Addresses"]]

kms = client("kms")
for key in page("kms", "list_keys", "Keys"):
    metadata = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
    if metadata["KeyManager"] == "CUSTOMER" and metadata["KeyState"] != "PendingDeletion":
        left.append(metadata["Arn"])
left += [s["ARN"] for s in page("secretsmanager", "list_secrets", "SecretList")]
left += [b["Name"] for b in client("s3").list_buckets()["Buckets"] if ours(b["Name"])]
left += [t["Name"] for t in page("cloudtrail", "list_trails", "Trails")]
left += [t["TopicArn"] for t in page("sns", "list_topics", "Topics")]
left += [a["AlarmName"] for a in page("cloudwatch", "describe_alarms", "MetricAlarms") if ours(a["AlarmName"])]
left += [r["RoleName"] for r in page("iam", "list_roles", "Roles") if ours(r["RoleName"])]
left += [g["logGroupName"] for g in page("logs", "describe_log_groups", "logGroups") if ours(g["logGroupName"])]
left += [f["FunctionName"] for f in page("lambda", "list_functions", "Functions")]
left += [c["DBClusterIdentifier"] for c in page("rds", "describe_db_clusters", "DBClusters")]
left += [i["DBInstanceIdentifier"] for i in page("rds", "describe_db_instances", "DBInstances")]
left += [g["DBSubnetGroupName"] for g in page("rds", "describe_db_subnet_groups", "DBSubnetGroups")]
groups = page("rds", "describe_db_cluster_parameter_groups", "DBClusterParameterGroups")
left += [g["DBClusterParameterGroupName"] for g in groups if not g["DBClusterParameterGroupName"].startswith("default")]
groups = page("elasticache", "describe_replication_groups", "ReplicationGroups")
# Some servers never get further than "deleting".
left += [g["ReplicationGroupId"] for g in groups if g["Status"] != "deleting"]
left += [g["CacheSubnetGroupName"] for g in page("elasticache", "describe_cache_subnet_groups", "CacheSubnetGroups") if ours(g["CacheSubnetGroupName"])]
left += client("kinesis").list_streams()["StreamNames"]
left += client("firehose").list_delivery_streams()["DeliveryStreamNames"]
left += [f["FileSystemId"] for f in page("efs", "describe_file_systems", "FileSystems")]
left += [v["BackupVaultName"] for v in client("backup").list_backup_vaults()["BackupVaultList"] if ours(v["BackupVaultName"])]
left += [p["BackupPlanName"] for p in client("backup").list_backup_plans()["BackupPlansList"]]
ecs = client("ecs")
for arn in ecs.list_clusters()["clusterArns"]:
    if ecs.describe_clusters(clusters=[arn])["clusters"][0]["status"] != "INACTIVE":
        left.append(arn)
left += ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
elb = client("elbv2")
left += [b["LoadBalancerArn"] for b in elb.describe_load_balancers()["LoadBalancers"]]
left += [g["TargetGroupArn"] for g in elb.describe_target_groups()["TargetGroups"]]
left += [t["ResourceId"] for t in client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]]
left += [c["CertificateArn"] for c in page("acm", "list_certificates", "CertificateSummaryList")]
left += [a["id"] for a in client("apigateway").get_rest_apis()["items"]]
role = client("apigateway").get_account().get("cloudwatchRoleArn") or ""
left += [role] if ours(role) else []
left += [link["VpcLinkId"] for link in client("apigatewayv2").get_vpc_links()["Items"]]
left += [a["Name"] for a in client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]]
left += [p["Name"] for p in page("ssm", "get_parameters_by_path", "Parameters", Path=f"/ferpa-stack/{stack}", Recursive=True)]

print(json.dumps(left))

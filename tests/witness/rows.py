"""Reads a deployed stack back with boto3, row by row, and says what is not as it should be.

usage: rows.py OUTPUTS.json ENVIRONMENT

OUTPUTS.json is what `cargo xtask outputs --json` printed. The endpoint, region and credentials come from the
environment. Prints `name: what` for each check that fails; the exit code is their number (0: all agree).
"""

import json
import sys

import boto3

CHECKS = []
FAILED = []


def check(name):
    def register(function):
        CHECKS.append((name, function))
        return function

    return register


def want(name, what, condition, found=None):
    if not condition:
        FAILED.append(f"{name}: {what}" + (f" (found {found!r})" if found is not None else ""))


def equal(name, what, found, wanted):
    want(name, f"{what}: expected {wanted!r}", found == wanted, found)


class World:
    def __init__(self, outputs, environment):
        self.out = outputs
        self.env = environment
        self.region = outputs["region"]
        self.account = outputs["account_id"]

    def client(self, service):
        return boto3.client(service, region_name=self.region)


def tags(pairs):
    return {pair.get("Key", pair.get("key")): pair.get("Value", pair.get("value")) for pair in pairs}


def listed(value):
    return value if isinstance(value, list) else [value]


def statements(policy):
    policy = json.loads(policy) if isinstance(policy, str) else policy
    return listed(policy["Statement"])


def actions(policy):
    return {a for s in statements(policy) if s["Effect"] == "Allow" for a in listed(s.get("Action", []))}


# How a key's policy names the service that the key is for.
SERVICES = {
    "rds": "rds.",
    "elasticache": "elasticache.",
    "kinesis": "kinesis.",
    "efs": "elasticfilesystem.",
    "secrets": "secretsmanager.",
    "logs": "logs.",
}


@check("keys")
def keys(w):
    kms = w.client("kms")
    aliases = {a.get("TargetKeyId"): a["AliasName"] for a in kms.get_paginator("list_aliases").paginate().build_full_result()["Aliases"]}
    purposes = {"rds", "elasticache", "kinesis", "efs", "secrets", "logs"}
    equal("keys", "purposes", set(w.out["kms_key_arns"]) & purposes, purposes)
    want("keys", "a key of its own for each store", len(set(w.out["kms_key_arns"].values())) == len(w.out["kms_key_arns"]))
    for purpose, arn in w.out["kms_key_arns"].items():
        key = kms.describe_key(KeyId=arn)["KeyMetadata"]
        name = f"keys.{purpose}"
        equal(name, "state", key["KeyState"], "Enabled")
        equal(name, "manager", key["KeyManager"], "CUSTOMER")
        rotation = kms.get_key_rotation_status(KeyId=arn)
        equal(name, "rotation", rotation["KeyRotationEnabled"], True)
        equal("rotation-period", purpose, rotation.get("RotationPeriodInDays"), 365)
        want(name, "an alias", key["KeyId"] in aliases, aliases)
        marks = {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=arn)["Tags"]}
        equal(name, "environment tag", marks.get("Environment"), w.env)
        named = json.dumps(statements(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]))
        want(name, "its own service in its policy", SERVICES[purpose] in named, named)
        for statement in statements(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]):
            principal = statement.get("Principal")
            if statement["Effect"] == "Allow" and (principal == "*" or principal == {"AWS": "*"}):
                want(name, "a condition on a statement for everybody", statement.get("Condition"), statement)
    logs = json.dumps(statements(kms.get_key_policy(KeyId=w.out["kms_key_arns"]["logs"], PolicyName="default")["Policy"]))
    want("keys.logs", "CloudWatch Logs may use it", f"logs.{w.region}.amazonaws.com" in logs, logs)
    want("keys.logs", "by encryption context", "kms:EncryptionContext:aws:logs:arn" in logs, logs)


@check("vpc")
def vpc(w):
    ec2 = w.client("ec2")
    vpc_id = w.out["vpc_id"]
    found = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]
    equal("vpc", "CIDR", found["CidrBlock"], "10.0.0.0/16")
    equal("vpc", "environment tag", tags(found["Tags"]).get("Environment"), w.env)
    for attribute in ("enableDnsHostnames", "enableDnsSupport"):
        answer = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)
        equal("vpc", attribute, answer[attribute[0].upper() + attribute[1:]]["Value"], True)
    default = ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"][0]
    equal("vpc", "ingress of the default group", default["IpPermissions"], [])
    equal("vpc", "egress of the default group", default["IpPermissionsEgress"], [])
    gateways = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc_id]}])["InternetGateways"]
    equal("igw", "internet gateways", len(gateways), 1)


@check("subnets")
def subnets(w):
    ec2 = w.client("ec2")
    by_id = {
        s["SubnetId"]: s
        for s in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [w.out["vpc_id"]]}])["Subnets"]
    }
    for tier, cidrs in (
        ("public_subnet_ids", ["10.0.1.0/24", "10.0.2.0/24"]),
        ("private_subnet_ids", ["10.0.11.0/24", "10.0.12.0/24"]),
    ):
        ids = w.out[tier]
        equal("subnets", tier, [by_id[i]["CidrBlock"] for i in ids], cidrs)
        equal("subnets", f"zones of {tier}", len({by_id[i]["AvailabilityZone"] for i in ids}), 2)
    for subnet in by_id.values():
        equal("subnets", f"public addresses in {subnet['CidrBlock']}", subnet["MapPublicIpOnLaunch"], False)
    equal("subnets", "data subnets of their own", len(set(by_id) - set(w.out["public_subnet_ids"]) - set(w.out["private_subnet_ids"])), 2)


@check("routes")
def routes(w):
    ec2 = w.client("ec2")
    here = [{"Name": "vpc-id", "Values": [w.out["vpc_id"]]}]
    nats = {
        n["NatGatewayId"]: n
        for n in ec2.describe_nat_gateways(Filters=here)["NatGateways"]
        if n["State"] != "deleted"
    }
    equal("nat", "NAT gateways", len(nats), 2)
    equal("nat", "a zone each", {n["SubnetId"] for n in nats.values()}, set(w.out["public_subnet_ids"]))
    want("nat", "an elastic IP each", all(n["NatGatewayAddresses"][0].get("AllocationId") for n in nats.values()))
    defaults = {}
    for table in ec2.describe_route_tables(Filters=here)["RouteTables"]:
        target = None
        for route in table["Routes"]:
            if route.get("DestinationCidrBlock") == "0.0.0.0/0":
                target = route.get("NatGatewayId") or route.get("GatewayId")
        for association in table["Associations"]:
            if association.get("SubnetId"):
                defaults[association["SubnetId"]] = target
    for subnet in w.out["public_subnet_ids"]:
        want("routes", "public subnets route to the internet gateway", (defaults.get(subnet) or "").startswith("igw-"), defaults)
    private = [defaults.get(subnet) for subnet in w.out["private_subnet_ids"]]
    want("routes", "private subnets route to a NAT gateway of their own", len(set(private)) == 2 and set(private) <= set(nats), defaults)
    others = {s: t for s, t in defaults.items() if s not in w.out["public_subnet_ids"] + w.out["private_subnet_ids"]}
    equal("routes", "data subnets are associated and have no way out", set(others.values()), {None})


@check("groups")
def groups(w):
    ec2 = w.client("ec2")
    found = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [w.out["vpc_id"]]}])["SecurityGroups"]
    for group in found:
        for direction in ("IpPermissions", "IpPermissionsEgress"):
            for rule in group[direction]:
                for cidr in rule.get("IpRanges", []):
                    if cidr["CidrIp"] == "0.0.0.0/0":
                        port = (direction, rule.get("FromPort"), rule.get("ToPort"))
                        equal("groups", f"{group['GroupName']} opens only HTTPS egress to the world", port, ("IpPermissionsEgress", 443, 443))
    ports = {}
    for group in found:
        for rule in group["IpPermissions"]:
            peers = {pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])}
            ports.setdefault(rule.get("FromPort"), []).append((group["GroupId"], peers, group))
    for port in (443, 8080, 5432, 6379, 2049):
        want("groups", f"a group for port {port}", port in ports, sorted(map(str, ports)))
    want("groups", "port 80 is closed", 80 not in ports)
    service = ports[8080][0][0]
    for port in (5432, 6379, 2049):
        for group_id, peers, group in ports.get(port, []):
            equal("groups", f"who reaches {port}", peers, {service})
            equal("groups", f"egress of {group['GroupName']}", group["IpPermissionsEgress"], [])
    want("groups", "the service does not admit itself", service not in ports[8080][0][1])
    balancer = w.client("elbv2").describe_load_balancers(LoadBalancerArns=[w.out["alb_arn"]])["LoadBalancers"][0]
    equal("groups", "who reaches 8080", ports[8080][0][1], set(balancer["SecurityGroups"]))
    stores = {group_id for port in (5432, 6379, 2049) for group_id, _, _ in ports[port]}
    for rule in ports[8080][0][2]["IpPermissionsEgress"]:
        port, peers = rule.get("FromPort"), {pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])}
        equal("groups", f"the service's egress is one port ({port})", rule.get("ToPort"), port)
        want("groups", f"the service's egress to {port}", port == 443 or (port in (5432, 6379, 2049) and peers <= stores), rule)


@check("secret")
def secret(w):
    manager = w.client("secretsmanager")
    arn = w.out["db_secret_arn"]
    found = manager.describe_secret(SecretId=arn)
    want("secret", "the secrets key", w.out["kms_key_arns"]["secrets"].rsplit("/")[-1] in found.get("KmsKeyId", ""), found.get("KmsKeyId"))
    value = json.loads(manager.get_secret_value(SecretId=arn)["SecretString"])
    equal("secret", "user", value["username"], "studentadmin")
    equal("secret", "engine and port", (value["engine"], value["port"]), ("postgres", 5432))
    want("secret", "a generated password", len(value["password"]) >= 24 and "ChangeMe" not in value["password"])
    equal("secret", "rotation", found.get("RotationEnabled"), True)
    policy = statements(manager.get_resource_policy(SecretId=arn)["ResourcePolicy"])
    denials = json.dumps([s for s in policy if s["Effect"] == "Deny"])
    want("secret", "a policy that denies other accounts", "aws:PrincipalAccount" in denials and w.account in denials, policy)


@check("aurora")
def aurora(w):
    rds = w.client("rds")
    cluster = rds.describe_db_clusters(DBClusterIdentifier=w.out["aurora_cluster_id"])["DBClusters"][0]
    equal("aurora", "engine", cluster["Engine"], "aurora-postgresql")
    want("aurora", "a supported major version", int(cluster["EngineVersion"].split(".")[0]) >= 16, cluster["EngineVersion"])
    for field, wanted in {
        "DatabaseName": "studentrecords",
        "MasterUsername": "studentadmin",
        "StorageEncrypted": True,
        "KmsKeyId": w.out["kms_key_arns"]["rds"],
        "BackupRetentionPeriod": 35,
        "DeletionProtection": True,
        "IAMDatabaseAuthenticationEnabled": True,
        "CopyTagsToSnapshot": True,
        "EnabledCloudwatchLogsExports": ["postgresql"],
        "Endpoint": w.out["aurora_cluster_endpoint"],
        "ReaderEndpoint": w.out["aurora_reader_endpoint"],
    }.items():
        equal("aurora", field, cluster.get(field), wanted)
    scaling = cluster["ServerlessV2ScalingConfiguration"]
    equal("aurora", "capacity", (scaling["MinCapacity"], scaling["MaxCapacity"]), (0.5, 4.0))
    parameters = rds.get_paginator("describe_db_cluster_parameters").paginate(
        DBClusterParameterGroupName=cluster["DBClusterParameterGroup"], Source="user"
    ).build_full_result()["Parameters"]
    parameters = {p["ParameterName"]: p.get("ParameterValue") for p in parameters}
    equal("aurora", "rds.force_ssl", parameters.get("rds.force_ssl"), "1")
    want("aurora", "pgaudit", "pgaudit" in parameters.get("shared_preload_libraries", ""), parameters)
    group = rds.describe_db_subnet_groups(DBSubnetGroupName=cluster["DBSubnetGroup"])["DBSubnetGroups"][0]
    members = {s["SubnetIdentifier"] for s in group["Subnets"]}
    want("aurora", "in data subnets", members.isdisjoint(w.out["public_subnet_ids"] + w.out["private_subnet_ids"]), members)
    ids = [m["DBInstanceIdentifier"] for m in cluster["DBClusterMembers"]]
    equal("aurora.instances", "instances", len(ids), 2)
    zones = set()
    for identifier in ids:
        instance = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
        zones.add(instance["AvailabilityZone"])
        equal("aurora.instances", "class", instance["DBInstanceClass"], "db.serverless")
        equal("aurora.instances", "public", instance["PubliclyAccessible"], False)
        equal("aurora.instances", "minor upgrades", instance["AutoMinorVersionUpgrade"], True)
        equal("performance-insights", "on", instance.get("PerformanceInsightsEnabled"), True)
        equal("performance-insights", "key", instance.get("PerformanceInsightsKMSKeyId"), w.out["kms_key_arns"]["rds"])
    equal("aurora.instances", "zones", len(zones), 2)
    name = f"/aws/rds/cluster/{w.out['aurora_cluster_id']}/postgresql"
    for group in w.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"] or [{}]:
        want("aurora", "a year of logs", group.get("retentionInDays", 0) >= 365, group)
        equal("aurora", "the logs' key", group.get("kmsKeyId"), w.out["kms_key_arns"]["logs"])


@check("cache")
def cache(w):
    elasticache = w.client("elasticache")
    group = elasticache.describe_replication_groups(ReplicationGroupId=w.out["redis_replication_group_id"])["ReplicationGroups"][0]
    for field, wanted in {
        "AtRestEncryptionEnabled": True,
        "KmsKeyId": w.out["kms_key_arns"]["elasticache"],
        "TransitEncryptionEnabled": True,
        "TransitEncryptionMode": "required",
        "AuthTokenEnabled": True,
        "SnapshotRetentionLimit": 5,
        "AutomaticFailover": "enabled",
        "MultiAZ": "enabled",
    }.items():
        equal("cache", field, group.get(field), wanted)
    equal("cache", "nodes", len(group["MemberClusters"]), 2)
    want("cache", "a current node type", not group.get("CacheNodeType", "").startswith(("cache.t2", "cache.t3", "cache.m3")), group.get("CacheNodeType"))
    kinds = {entry["LogType"] for entry in group.get("LogDeliveryConfigurations", [])}
    equal("cache", "logs", kinds, {"slow-log", "engine-log"})
    primary = group["NodeGroups"][0]["PrimaryEndpoint"]["Address"]
    equal("cache", "endpoint", primary, w.out["redis_endpoint"])
    nodes = elasticache.get_paginator("describe_cache_clusters").paginate().build_full_result()["CacheClusters"]
    versions = {n["EngineVersion"] for n in nodes if n.get("ReplicationGroupId") == group["ReplicationGroupId"]}
    want("cache-version", "Redis 7", len(versions) == 1 and min(versions).startswith("7."), versions)
    public = set(w.out["public_subnet_ids"] + w.out["private_subnet_ids"])
    groups = elasticache.describe_cache_subnet_groups()["CacheSubnetGroups"]
    ours = [one for one in groups if one.get("VpcId") == w.out["vpc_id"]]
    equal("cache", "subnet groups", len(ours), 1)
    for one in ours:
        want("cache", "in data subnets", public.isdisjoint(s["SubnetIdentifier"] for s in one["Subnets"]), one)
    manager = w.client("secretsmanager")
    secrets = manager.get_paginator("list_secrets").paginate().build_full_result()["SecretList"]
    tokens = [s for s in secrets if "auth-token" in s["Name"]]
    equal("cache", "a secret that holds the token", len(tokens), 1)
    for token in tokens:
        key = w.out["kms_key_arns"]["secrets"].rsplit("/")[-1]
        want("cache", "the token's key", key in token.get("KmsKeyId", ""), token.get("KmsKeyId"))


@check("stream")
def stream(w):
    kinesis = w.client("kinesis")
    found = kinesis.describe_stream_summary(StreamName=w.out["kinesis_stream_name"])["StreamDescriptionSummary"]
    equal("stream", "shards", found["OpenShardCount"], 2)
    want("stream", "retention", found["RetentionPeriodHours"] >= 24, found["RetentionPeriodHours"])
    equal("stream", "encryption", found.get("EncryptionType"), "KMS")
    want("stream", "key", w.out["kms_key_arns"]["kinesis"].rsplit("/")[-1] in found.get("KeyId", ""), found.get("KeyId"))
    metrics = set(found["EnhancedMonitoring"][0]["ShardLevelMetrics"])
    want("stream", "shard metrics", {"IncomingBytes", "IncomingRecords", "OutgoingBytes", "OutgoingRecords"} <= metrics, metrics)


@check("files")
def files(w):
    efs = w.client("efs")
    file_system_id = w.out["efs_file_system_id"]
    found = efs.describe_file_systems(FileSystemId=file_system_id)["FileSystems"][0]
    equal("files", "encrypted", found["Encrypted"], True)
    equal("files", "key", found["KmsKeyId"], w.out["kms_key_arns"]["efs"])
    lifecycle = efs.describe_lifecycle_configuration(FileSystemId=file_system_id)["LifecyclePolicies"]
    want("files", "infrequent access after 30 days", {"TransitionToIA": "AFTER_30_DAYS"} in lifecycle, lifecycle)
    policy = statements(efs.describe_file_system_policy(FileSystemId=file_system_id)["Policy"])
    for statement in policy:
        everybody = statement.get("Principal") in ("*", {"AWS": "*"})
        if statement["Effect"] == "Allow" and everybody:
            want("files", "nobody mounts anonymously", "AccessedViaMountTarget" not in json.dumps(statement) and statement.get("Condition"), statement)
    want("files", "denies plain transport", any(s["Effect"] == "Deny" and "SecureTransport" in json.dumps(s) for s in policy), policy)
    equal("files", "backups", efs.describe_backup_policy(FileSystemId=file_system_id)["BackupPolicy"]["Status"] in ("ENABLED", "ENABLING"), True)
    targets = efs.describe_mount_targets(FileSystemId=file_system_id)["MountTargets"]
    equal("files", "mount targets", len(targets), 2)
    equal("files", "zones of mount targets", len({t["AvailabilityZoneName"] for t in targets}), 2)
    reachable = set(w.out["public_subnet_ids"] + w.out["private_subnet_ids"])
    want("files", "mount targets in data subnets", reachable.isdisjoint(t["SubnetId"] for t in targets))
    points = efs.describe_access_points(FileSystemId=file_system_id)["AccessPoints"]
    want("files", "an access point that is not root", len(points) == 1 and points[0]["PosixUser"]["Uid"] != 0, points)


def task_definition(w):
    ecs = w.client("ecs")
    service = ecs.describe_services(cluster=w.out["ecs_cluster_name"], services=[w.out["ecs_service_name"]])["services"][0]
    return service, ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]


@check("roles")
def roles(w):
    iam = w.client("iam")
    _, task = task_definition(w)
    for field in ("executionRoleArn", "taskRoleArn"):
        role = iam.get_role(RoleName=task[field].rsplit("/")[-1])["Role"]
        trust = statements(role["AssumeRolePolicyDocument"])
        equal("roles", f"{field} trusts", listed(trust[0]["Principal"]["Service"]), ["ecs-tasks.amazonaws.com"])
        want("roles", f"{field} is narrowed", "aws:SourceAccount" in json.dumps(trust), trust)
    execution = task["executionRoleArn"].rsplit("/")[-1]
    attached = {p["PolicyName"] for p in iam.list_attached_role_policies(RoleName=execution)["AttachedPolicies"]}
    want("roles", "the execution role's managed policy", "AmazonECSTaskExecutionRolePolicy" in attached, attached)
    secrets = set()
    for policy in iam.list_role_policies(RoleName=execution)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=execution, PolicyName=policy)["PolicyDocument"]
        for statement in statements(document):
            if "secretsmanager:GetSecretValue" in listed(statement.get("Action", [])):
                secrets |= set(listed(statement["Resource"]))
    want("roles", "the execution role reads the stack's secrets", w.out["db_secret_arn"] in secrets, secrets)
    want("roles", "and no others", all(f":{w.account}:secret:student-" in arn for arn in secrets), secrets)
    name = task["taskRoleArn"].rsplit("/")[-1]
    allowed = set()
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        allowed |= actions(document)
        for statement in statements(document):
            want("roles", "no wildcard resource for the task", "*" not in listed(statement["Resource"]), statement)
            if "elasticfilesystem:ClientMount" in listed(statement.get("Action", [])):
                of = {arn.rsplit("/")[-1] for arn in listed(statement["Resource"])}
                equal("roles", "the file system that the task mounts", of, {w.out["efs_file_system_id"]})
                want("roles", "through the access point", "elasticfilesystem:AccessPointArn" in json.dumps(statement.get("Condition")), statement)
            if "kms:GenerateDataKey" in listed(statement.get("Action", [])):
                want("roles", "the stream's key", w.out["kms_key_arns"]["kinesis"] in listed(statement["Resource"]), statement)
    for action in ("kinesis:PutRecord", "kinesis:PutRecords", "kms:GenerateDataKey", "elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"):
        want("roles", f"the task may {action}", action in allowed, sorted(allowed))
    want("roles", "the task is not root on the file system", "elasticfilesystem:ClientRootAccess" not in allowed)


@check("cluster")
def cluster(w):
    ecs = w.client("ecs")
    found = ecs.describe_clusters(clusters=[w.out["ecs_cluster_name"]], include=["SETTINGS", "CONFIGURATIONS"])["clusters"][0]
    command = found.get("configuration", {}).get("executeCommandConfiguration", {})
    logged = command.get("logging") == "OVERRIDE" and command.get("kmsKeyId")
    enabled = task_definition(w)[0].get("enableExecuteCommand", False)
    want("cluster", "commands in containers are logged and encrypted, or off", logged or not enabled, (command, enabled))
    want("cluster", "container insights", {s["name"]: s["value"] for s in found["settings"]}.get("containerInsights") in ("enabled", "enhanced"), found["settings"])


@check("task")
def task(w):
    service, found = task_definition(w)
    equal("task", "cpu and memory", (found["cpu"], found["memory"]), ("512", "1024"))
    equal("task", "launch type", found["requiresCompatibilities"], ["FARGATE"])
    equal("task", "network mode", found["networkMode"], "awsvpc")
    container = found["containerDefinitions"][0]
    equal("task", "port", container["portMappings"][0]["containerPort"], 8080)
    environment = {e["name"]: e["value"] for e in container["environment"]}
    equal("task", "DB_ENDPOINT", environment.get("DB_ENDPOINT"), w.out["aurora_cluster_endpoint"])
    equal("task", "REDIS_ENDPOINT", environment.get("REDIS_ENDPOINT"), w.out["redis_endpoint"])
    equal("task", "KINESIS_STREAM", environment.get("KINESIS_STREAM"), w.out["kinesis_stream_name"])
    want("task", "no secret in the environment", not any("PASSWORD" in name.upper() or "TOKEN" in name.upper() for name in environment), sorted(environment))
    want("task", "secrets by reference", container.get("secrets"), container.get("secrets"))
    equal("task", "read-only root", container.get("readonlyRootFilesystem"), True)
    want("task", "not root", container.get("user", "0").split(":")[0] not in ("0", "root", ""), container.get("user"))
    want("task", "a pinned image", not container["image"].endswith(":latest"), container["image"])
    equal("task", "log region", container["logConfiguration"]["options"]["awslogs-region"], w.region)
    volume = found["volumes"][0]["efsVolumeConfiguration"]
    equal("task", "file system", volume["fileSystemId"], w.out["efs_file_system_id"])
    equal("task", "transit encryption", volume["transitEncryption"], "ENABLED")
    equal("task", "IAM", volume["authorizationConfig"]["iam"], "ENABLED")
    want("task", "through the access point", volume["authorizationConfig"].get("accessPointId"), volume)
    group = container["logConfiguration"]["options"]["awslogs-group"]
    logs = w.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    want("logs", "a year of retention", logs.get("retentionInDays", 0) >= 365, logs.get("retentionInDays"))
    equal("logs", "key", logs.get("kmsKeyId"), w.out["kms_key_arns"]["logs"])
    equal("service", "desired tasks", service["desiredCount"], 2)
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    equal("service", "subnets", set(network["subnets"]), set(w.out["private_subnet_ids"]))
    equal("service", "public addresses", network["assignPublicIp"], "DISABLED")
    equal("service", "grace period", service.get("healthCheckGracePeriodSeconds"), 60)
    breaker = service.get("deploymentConfiguration", {}).get("deploymentCircuitBreaker", {})
    equal("circuit-breaker", "with rollback", (breaker.get("enable"), breaker.get("rollback")), (True, True))


@check("load-balancer")
def load_balancer(w):
    elb = w.client("elbv2")
    found = elb.describe_load_balancers(LoadBalancerArns=[w.out["alb_arn"]])["LoadBalancers"][0]
    equal("load-balancer", "scheme", found["Scheme"], "internal")
    equal("load-balancer", "type", found["Type"], "application")
    equal("load-balancer", "subnets", {z["SubnetId"] for z in found["AvailabilityZones"]}, set(w.out["private_subnet_ids"]))
    equal("load-balancer", "DNS name", found["DNSName"], w.out["alb_dns_name"])
    attributes = {a["Key"]: a["Value"] for a in elb.describe_load_balancer_attributes(LoadBalancerArn=w.out["alb_arn"])["Attributes"]}
    for name in ("deletion_protection.enabled", "routing.http.drop_invalid_header_fields.enabled", "access_logs.s3.enabled"):
        equal("load-balancer", name, attributes.get(name), "true")
    group = elb.describe_target_groups(LoadBalancerArn=w.out["alb_arn"])["TargetGroups"][0]
    for field, wanted in {
        "Port": 8080,
        "Protocol": "HTTP",
        "TargetType": "ip",
        "HealthCheckPath": "/health",
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2,
    }.items():
        equal("target-group", field, group.get(field), wanted)
    listeners = elb.describe_listeners(LoadBalancerArn=w.out["alb_arn"])["Listeners"]
    for listener in listeners:
        if listener["Protocol"] == "HTTP":
            equal("listener", "plain HTTP only redirects", listener["DefaultActions"][0]["Type"], "redirect")
    secure = [listener for listener in listeners if listener["Port"] == 443]
    equal("listener", "HTTPS", [listener["Protocol"] for listener in secure], ["HTTPS"])
    want("listener", "a current TLS policy", "TLS13" in secure[0]["SslPolicy"] or "FS-1-2" in secure[0]["SslPolicy"], secure[0]["SslPolicy"])
    want("listener", "a certificate", secure[0]["Certificates"][0]["CertificateArn"])
    equal("listener", "forwards", secure[0]["DefaultActions"][0]["Type"], "forward")


@check("autoscaling")
def autoscaling(w):
    scaling = w.client("application-autoscaling")
    resource = f"service/{w.out['ecs_cluster_name']}/{w.out['ecs_service_name']}"
    target = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])["ScalableTargets"][0]
    equal("autoscaling", "bounds", (target["MinCapacity"], target["MaxCapacity"]), (2, 10))
    policies = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)["ScalingPolicies"]
    metrics = {p["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]["PredefinedMetricType"] for p in policies}
    equal("autoscaling", "metrics", metrics, {"ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization"})


@check("api")
def api(w):
    gateway = w.client("apigateway")
    api_id = w.out["rest_api_id"]
    found = gateway.get_rest_api(restApiId=api_id)
    equal("api", "endpoint", found["endpointConfiguration"]["types"], ["REGIONAL"])
    links = {link["VpcLinkId"]: link for link in w.client("apigatewayv2").get_vpc_links()["Items"]}
    security = found.get("securityPolicy")
    want("security-policy", "TLS 1.2 or later", security == "TLS_1_2" or (security or "").startswith("SecurityPolicy_TLS13_1_"), security)
    equal("vpc-link", "a v2 link", len(links), 1)
    for link in links.values():
        want("vpc-link", "subnets of the VPC", link["SubnetIds"] and set(link["SubnetIds"]) <= set(w.out["private_subnet_ids"]), link)
        balancer = w.client("elbv2").describe_load_balancers(LoadBalancerArns=[w.out["alb_arn"]])["LoadBalancers"][0]
        want("vpc-link", "a group of its own", link["SecurityGroupIds"] and set(link["SecurityGroupIds"]).isdisjoint(balancer["SecurityGroups"]), link)
    equal("vpc-link", "no v1 link", gateway.get_vpc_links().get("items", []), [])
    resources = {r["path"]: r for r in gateway.get_resources(restApiId=api_id, embed=["methods"])["items"]}
    for path in ("/students", "/students/{id}", "/health"):
        want("api", f"GET {path}", "GET" in resources.get(path, {}).get("resourceMethods", {}), sorted(resources))
    for path, resource in resources.items():
        for verb in resource.get("resourceMethods", {}):
            method = gateway.get_method(restApiId=api_id, resourceId=resource["id"], httpMethod=verb)
            if path == "/health":
                equal("api", f"{verb} {path}", method["authorizationType"], "NONE")
            else:
                equal("api", f"{verb} {path}", method["authorizationType"], "AWS_IAM")
            integration = method["methodIntegration"]
            equal("integration", "type", integration["type"], "HTTP_PROXY")
            equal("integration", "connection", integration.get("connectionType"), "VPC_LINK")
            want("integration-link", "through the v2 link", integration.get("connectionId") in links, integration.get("connectionId"))
            want("integration", "HTTPS", integration["uri"].startswith("https://"), integration["uri"])
            equal("integration-target", "the load balancer", integration.get("integrationTarget"), w.out["alb_arn"])
    stage = gateway.get_stage(restApiId=api_id, stageName=w.out["api_stage_name"])
    equal("stage", "name", stage["stageName"], "prod")
    access = stage.get("accessLogSettings", {})
    want("stage", "access logs", access.get("destinationArn"), access)
    want("stage", "a record as JSON", isinstance(json.loads(access.get("format", "null")), dict), access)
    want("stage", "that name the caller", "caller" in access.get("format", "").lower() or "userArn" in access.get("format", ""), access.get("format"))
    settings = stage.get("methodSettings", {}).get("*/*", {})
    want("stage", "execution logs", settings.get("loggingLevel") in ("INFO", "ERROR"), settings)
    equal("stage", "without bodies", settings.get("dataTraceEnabled"), False)
    want("stage", "throttling", 0 < settings.get("throttlingRateLimit", -1) < 10000, settings)
    equal("stage", "tracing", stage.get("tracingEnabled"), True)
    want("api", "URL", api_id in w.out["api_gateway_url"] and w.out["api_gateway_url"].endswith("/prod"), w.out["api_gateway_url"])
    stage_arn = f"arn:aws:apigateway:{w.region}::/restapis/{api_id}/stages/prod"
    acl = w.client("wafv2").get_web_acl_for_resource(ResourceArn=stage_arn).get("WebACL")
    want("waf", "a web ACL before the stage", acl and acl["Rules"], acl)


@check("trail")
def trail(w):
    cloudtrail = w.client("cloudtrail")
    found = cloudtrail.get_trail(Name=w.out["trail_name"])["Trail"]
    equal("trail", "multi-region", found["IsMultiRegionTrail"], True)
    equal("trail", "validation", found["LogFileValidationEnabled"], True)
    want("trail", "key", found.get("KmsKeyId"), found.get("KmsKeyId"))
    equal("trail", "logging", cloudtrail.get_trail_status(Name=w.out["trail_name"])["IsLogging"], True)
    s3 = w.client("s3")
    bucket = found["S3BucketName"]
    equal("trail-bucket", "versioning", s3.get_bucket_versioning(Bucket=bucket).get("Status"), "Enabled")
    lock = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    want("trail-bucket", "object lock by default", lock.get("Rule"), lock)
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    want("trail-bucket", "public access blocked", all(block.values()), block)
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    equal("trail-bucket", "encryption", rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "aws:kms")
    policy = statements(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    want("trail-bucket", "TLS only", any(s["Effect"] == "Deny" and "SecureTransport" in json.dumps(s) for s in policy), policy)


@check("promises")
def promises(w):
    ec2 = w.client("ec2")
    logs = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [w.out["vpc_id"]]}])["FlowLogs"]
    want("flow-logs", "all traffic", any(log["TrafficType"] == "ALL" for log in logs), logs)
    endpoints = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [w.out["vpc_id"]]}])["VpcEndpoints"]
    services = {e["ServiceName"].replace(f"com.amazonaws.{w.region}.", "") for e in endpoints}
    equal("endpoints", "services", services, {"s3", "kms", "secretsmanager", "logs", "ecr.api", "ecr.dkr", "kinesis-streams"})


@check("backup")
def backups(w):
    backup = w.client("backup")
    plans = backup.list_backup_plans()["BackupPlansList"]
    covered = set()
    for plan in plans:
        for selection in backup.list_backup_selections(BackupPlanId=plan["BackupPlanId"])["BackupSelectionsList"]:
            detail = backup.get_backup_selection(BackupPlanId=plan["BackupPlanId"], SelectionId=selection["SelectionId"])
            covered |= set(detail["BackupSelection"].get("Resources", []))
    want("backup", "database and file system", any(":cluster:" in c for c in covered) and any("file-system" in c for c in covered), covered)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        outputs = json.load(file)
    world = World(outputs, sys.argv[2])
    for name, function in CHECKS:
        try:
            function(world)
        except Exception as error:  # a check that cannot run is a check that failed
            want(name, f"{type(error).__name__}: {error}", False)
    for failure in FAILED:
        print(failure.splitlines()[0])
    print(f"{len(CHECKS)} groups of checks, {len(FAILED)} failures")
    sys.exit(min(len(FAILED), 100))


if __name__ == "__main__":
    main()

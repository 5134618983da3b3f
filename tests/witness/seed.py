"""Builds, on a server that imitates AWS, a platform with everything that ours does better: sixty resources of an
ordinary student-records stack as it might be written in an afternoon. An audit has to find its mistakes;
seed-expected.toml says which.

usage: seed.py ENDPOINT_URL [ENVIRONMENT]

The region and credentials come from the environment. Prints, as JSON, the ids of what was made by the names that
seed-expected.toml has for them. The database's password is
generated and said nowhere.

What the mistakes are is said in comments that begin with "Mistake". What moto 5.2.5 cannot hold:

- mount targets and tasks have no addresses, and nothing runs: a health check that can never succeed (nginx answers on
  another port) is not seen;
- ElastiCache shows no transit mode, no AUTH token and no log delivery of a replication group;
- it takes a VPC link (REST) to an application load balancer, which AWS refuses;
- it makes no log group for the database's export, which AWS makes without a key and without an end; the script does;
- RDS cluster parameters cannot be told from the engine's defaults;
- Access Analyzer is not there at all.
"""

import json
import secrets
import sys

import boto3

endpoint = sys.argv[1]
environment = sys.argv[2] if len(sys.argv) > 2 else "dev"
session = boto3.session.Session()
region = session.region_name or "us-east-1"
zones = [f"{region}a", f"{region}b"]
made = {}


def client(service):
    return session.client(service, region_name=region, endpoint_url=endpoint)


def named(thing):
    return f"student-{thing}-{environment}"


def tags(thing):
    """Who it belongs to. Mistake: nothing says what kind of records it holds, or for how long they are kept."""
    return {
        "Name": named(thing),
        "Environment": environment,
        "Project": "StudentRecords",
        "Compliance": "FERPA",
    }


def listed(thing, key="Key", value="Value"):
    return [{key: name, value: text} for name, text in tags(thing).items()]


def specified(kind, thing):
    return [{"ResourceType": kind, "Tags": listed(thing)}]


def keys():
    """Five keys, a key for each store. Mistakes: none has a policy of its own, there is none for logs, and one has an alias."""
    kms = client("kms")
    found = {}
    for store in ("rds", "cache", "kinesis", "efs", "secrets"):
        key = kms.create_key(
            Description=f"{store} of the student records platform",
            Tags=listed(f"{store}-key", "TagKey", "TagValue"),
        )["KeyMetadata"]
        kms.enable_key_rotation(KeyId=key["KeyId"])
        found[store] = key["Arn"]
    kms.create_alias(AliasName=f"alias/{named('rds')}", TargetKeyId=found["rds"].rsplit("/", 1)[1])
    return found


def network():
    """A VPC with public and private subnets. Mistakes: no flow log, no endpoints, a default security group that admits itself,
    public subnets that hand out addresses, and none without a way to the internet for the stores."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specified("vpc", "vpc"))["Vpc"]["VpcId"]
    for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc, **{attribute: {"Value": True}})
    gateway = ec2.create_internet_gateway(TagSpecifications=specified("internet-gateway", "igw"))
    gateway = gateway["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)

    def subnet(thing, third, zone):
        return ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.0.{third}.0/24",
            AvailabilityZone=zone,
            TagSpecifications=specified("subnet", thing),
        )["Subnet"]["SubnetId"]

    def table(thing, subnets, **route):
        table = ec2.create_route_table(VpcId=vpc, TagSpecifications=specified("route-table", thing))
        table = table["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **route)
        for subnet in subnets:
            ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return table

    public = [subnet(f"public-subnet-{n}", n, zone) for n, zone in enumerate(zones, 1)]
    private = [subnet(f"private-subnet-{n}", 10 + n, zone) for n, zone in enumerate(zones, 1)]
    for one in public:
        ec2.modify_subnet_attribute(SubnetId=one, MapPublicIpOnLaunch={"Value": True})
    table("public-rt", public, GatewayId=gateway)
    for n, (outside, inside) in enumerate(zip(public, private), 1):
        address = ec2.allocate_address(
            Domain="vpc", TagSpecifications=specified("elastic-ip", f"nat-eip-{n}")
        )
        nat = ec2.create_nat_gateway(
            SubnetId=outside,
            AllocationId=address["AllocationId"],
            TagSpecifications=specified("natgateway", f"nat-{n}"),
        )["NatGateway"]["NatGatewayId"]
        table(f"private-rt-{n}", [inside], NatGatewayId=nat)

    default = ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"][0]
    if not default["IpPermissions"]:
        # AWS makes it so; moto does not.
        everything = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": default["GroupId"]}]}
        ec2.authorize_security_group_ingress(GroupId=default["GroupId"], IpPermissions=[everything])
    made["vpc"] = vpc
    for n, (outside, inside) in enumerate(zip(public, private), 1):
        made.update({f"public_subnet_{n}": outside, f"private_subnet_{n}": inside})
    return vpc, public, private


def security_groups(vpc):
    """Five groups. Mistakes: port 80 is open, all may reach the whole internet (AWS's default for a new group), and the service's
    group admits itself and not the load balancer's."""
    ec2 = client("ec2")

    def group(thing, *rules):
        made_group = ec2.create_security_group(
            VpcId=vpc,
            GroupName=named(f"{thing}-sg"),
            Description=f"{thing} of the student records platform",
            TagSpecifications=specified("security-group", f"{thing}-sg"),
        )["GroupId"]
        for port, source in rules:
            rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
            if "/" in source:
                rule["IpRanges"] = [{"CidrIp": source}]
            else:
                rule["UserIdGroupPairs"] = [{"GroupId": source if source != "itself" else made_group}]
            ec2.authorize_security_group_ingress(GroupId=made_group, IpPermissions=[rule])
        made[f"{thing}_security_group"] = made_group
        return made_group

    balancer = group("alb", (443, "0.0.0.0/0"), (80, "0.0.0.0/0"))
    service = group("ecs", (8080, "itself"))
    return {
        "alb": balancer,
        "ecs": service,
        "rds": group("rds", (5432, service)),
        "cache": group("cache", (6379, service)),
        "efs": group("efs", (2049, service)),
    }


def secret(keys, password):
    """Mistakes: the secret has no resource policy and is never rotated."""
    content = {"username": "studentadmin", "password": password, "engine": "postgres", "port": 5432}
    return client("secretsmanager").create_secret(
        Name=named("db-credentials"),
        Description="login of the records database",
        KmsKeyId=keys["secrets"],
        SecretString=json.dumps(content),
        Tags=listed("db-secret"),
    )["ARN"]


def database(keys, groups, subnets, password):
    """Aurora. Mistakes: an engine past its support, a password instead of a managed or IAM login, a week of backups, no protection
    from deletion, snapshots without tags, the engine's default parameters (plain connections, no pgaudit), no performance
    insights, an exported log without a key."""
    rds = client("rds")
    rds.create_db_subnet_group(
        DBSubnetGroupName=named("db-subnet-group"),
        DBSubnetGroupDescription="records database",
        SubnetIds=subnets,
        Tags=listed("db-subnet-group"),
    )
    name = f"student-records-{environment}"
    cluster = rds.create_db_cluster(
        DBClusterIdentifier=name,
        Engine="aurora-postgresql",
        EngineMode="provisioned",
        EngineVersion="15.4",
        DatabaseName="studentrecords",
        MasterUsername="studentadmin",
        MasterUserPassword=password,
        DBSubnetGroupName=named("db-subnet-group"),
        VpcSecurityGroupIds=[groups["rds"]],
        StorageEncrypted=True,
        KmsKeyId=keys["rds"],
        BackupRetentionPeriod=7,
        PreferredBackupWindow="03:00-04:00",
        PreferredMaintenanceWindow="mon:04:00-mon:05:00",
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 4.0},
        EnableCloudwatchLogsExports=["postgresql"],
        Tags=listed("aurora-cluster"),
    )["DBCluster"]
    for number in (1, 2):
        rds.create_db_instance(
            DBInstanceIdentifier=f"student-records-instance-{number}-{environment}",
            DBClusterIdentifier=name,
            DBInstanceClass="db.serverless",
            Engine="aurora-postgresql",
            EngineVersion="15.4",
            PubliclyAccessible=False,
            Tags=listed(f"aurora-instance-{number}"),
        )
    client("logs").create_log_group(logGroupName=f"/aws/rds/cluster/{name}/postgresql")
    made["cluster"] = name
    return cluster["Endpoint"]


def cache(keys, groups, subnets):
    """Redis. Mistakes: nobody has to log in, plain connections are not ruled out, no slow or engine log, a node type of a former
    generation."""
    elasticache = client("elasticache")
    elasticache.create_cache_subnet_group(
        CacheSubnetGroupName=named("cache-subnet-group"),
        CacheSubnetGroupDescription="records cache",
        SubnetIds=subnets,
        Tags=listed("cache-subnet-group"),
    )
    group = elasticache.create_replication_group(
        ReplicationGroupId=named("cache"),
        ReplicationGroupDescription="records cache",
        Engine="redis",
        EngineVersion="7.0",
        CacheNodeType="cache.t3.medium",
        CacheParameterGroupName="default.redis7",
        NumCacheClusters=2,
        AutomaticFailoverEnabled=True,
        MultiAZEnabled=True,
        Port=6379,
        CacheSubnetGroupName=named("cache-subnet-group"),
        SecurityGroupIds=[groups["cache"]],
        AtRestEncryptionEnabled=True,
        TransitEncryptionEnabled=True,
        KmsKeyId=keys["cache"],
        SnapshotRetentionLimit=5,
        SnapshotWindow="03:00-05:00",
        PreferredMaintenanceWindow="mon:05:00-mon:07:00",
        AutoMinorVersionUpgrade=True,
        Tags=listed("cache"),
    )["ReplicationGroup"]
    made["replication_group"] = named("cache")
    nodes = group.get("NodeGroups") or [{}]
    return nodes[0].get("PrimaryEndpoint", {}).get("Address", f"{named('cache')}.cache.amazonaws.com")


def stream(keys):
    kinesis = client("kinesis")
    name = f"student-records-stream-{environment}"
    kinesis.create_stream(StreamName=name, ShardCount=2, StreamModeDetails={"StreamMode": "PROVISIONED"})
    kinesis.add_tags_to_stream(StreamName=name, Tags=tags("records-stream"))
    kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=keys["kinesis"])
    metrics = ["IncomingBytes", "IncomingRecords", "OutgoingBytes", "OutgoingRecords"]
    kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=metrics)
    made["stream"] = name
    return kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]


def files(keys, groups, subnets):
    """EFS. Mistakes: no policy (plain transport, anonymous mounts, root), no access point, no backups."""
    efs = client("efs")
    system = efs.create_file_system(
        CreationToken=named("efs"),
        PerformanceMode="generalPurpose",
        ThroughputMode="bursting",
        Encrypted=True,
        KmsKeyId=keys["efs"],
        Tags=listed("efs"),
    )["FileSystemId"]
    efs.put_lifecycle_configuration(
        FileSystemId=system, LifecyclePolicies=[{"TransitionToIA": "AFTER_30_DAYS"}]
    )
    for n, subnet in enumerate(subnets, 1):
        target = efs.create_mount_target(
            FileSystemId=system, SubnetId=subnet, SecurityGroups=[groups["efs"]]
        )
        made[f"mount_target_{n}"] = target["MountTargetId"]
    made["file_system"] = system
    return system


def roles(keys, secret_arn, stream_arn):
    """Mistakes: both roles may be assumed for any task of any account that confuses ECS; the task's may be root on every file system,
    and may not make data keys for the stream it writes to."""
    iam = client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }

    def role(thing):
        return iam.create_role(
            RoleName=named(thing), AssumeRolePolicyDocument=json.dumps(trust), Tags=listed(thing)
        )["Role"]["Arn"]

    execution, task = role("ecs-execution-role"), role("ecs-task-role")
    managed = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    try:
        iam.attach_role_policy(RoleName=named("ecs-execution-role"), PolicyArn=managed)
    except iam.exceptions.NoSuchEntityException:
        # moto knows AWS's own policies only if it is started so.
        pass

    def allow(resource, *actions):
        return {"Effect": "Allow", "Action": list(actions), "Resource": resource}

    policy = [
        allow(secret_arn, "secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"),
        allow(stream_arn, "kinesis:PutRecord", "kinesis:PutRecords", "kinesis:DescribeStream"),
        allow([keys["rds"], keys["secrets"]], "kms:Decrypt", "kms:DescribeKey"),
        allow(
            "*",
            "elasticfilesystem:ClientMount",
            "elasticfilesystem:ClientWrite",
            "elasticfilesystem:ClientRootAccess",
        ),
    ]
    iam.put_role_policy(
        RoleName=named("ecs-task-role"),
        PolicyName=named("ecs-task-policy"),
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": policy}),
    )
    return execution, task


def balancer(groups, subnets, vpc):
    """Mistakes: on the internet, without a WAF, plain HTTP, invalid headers are passed on, no access log, can be deleted by one call."""
    elb = client("elbv2")
    arn = elb.create_load_balancer(
        Name=named("alb"),
        Scheme="internet-facing",
        Type="application",
        SecurityGroups=[groups["alb"]],
        Subnets=subnets,
        Tags=listed("alb"),
    )["LoadBalancers"][0]
    target = elb.create_target_group(
        Name=named("tg"),
        Port=8080,
        Protocol="HTTP",
        VpcId=vpc,
        TargetType="ip",
        HealthCheckEnabled=True,
        HealthCheckProtocol="HTTP",
        HealthCheckPath="/health",
        HealthCheckPort="traffic-port",
        HealthCheckIntervalSeconds=30,
        HealthCheckTimeoutSeconds=5,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
        Matcher={"HttpCode": "200"},
        Tags=listed("tg"),
    )["TargetGroups"][0]["TargetGroupArn"]
    listener = elb.create_listener(
        LoadBalancerArn=arn["LoadBalancerArn"],
        Port=80,
        Protocol="HTTP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target}],
    )["Listeners"][0]["ListenerArn"]
    made.update(load_balancer=arn["LoadBalancerArn"], listener=listener)
    return arn, target


def service(groups, subnets, target, execution, task, file_system, endpoints):
    """Mistakes: a log that is gone after a week and has no key, an image that moves, a container that is root and can write to its
    own file system, a volume without an access point, no circuit breaker, no autoscaling."""
    ecs, group = client("ecs"), f"/ecs/student-api-{environment}"
    logs = client("logs")
    logs.create_log_group(logGroupName=group, tags=tags("ecs-logs"))
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    cluster = ecs.create_cluster(
        clusterName=f"student-api-cluster-{environment}",
        settings=[{"name": "containerInsights", "value": "enabled"}],
        tags=listed("ecs-cluster", "key", "value"),
    )["cluster"]["clusterArn"]
    container = {
        "name": "student-api",
        "image": "nginx:latest",
        "cpu": 512,
        "memory": 1024,
        "essential": True,
        "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
        "environment": [{"name": name, "value": value} for name, value in endpoints.items()],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": group,
                "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "ecs",
            },
        },
        "mountPoints": [{"sourceVolume": "shared", "containerPath": "/mnt/efs", "readOnly": False}],
    }
    volume = {
        "fileSystemId": file_system,
        "transitEncryption": "ENABLED",
        "authorizationConfig": {"iam": "ENABLED"},
    }
    definition = ecs.register_task_definition(
        family=f"student-api-{environment}",
        cpu="512",
        memory="1024",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        executionRoleArn=execution,
        taskRoleArn=task,
        containerDefinitions=[container],
        volumes=[{"name": "shared", "efsVolumeConfiguration": volume}],
        tags=listed("api-task", "key", "value"),
    )["taskDefinition"]["taskDefinitionArn"]
    service = ecs.create_service(
        cluster=cluster,
        serviceName=f"student-api-service-{environment}",
        taskDefinition=definition,
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": subnets,
                "securityGroups": [groups["ecs"]],
                "assignPublicIp": "DISABLED",
            }
        },
        loadBalancers=[{"targetGroupArn": target, "containerName": "student-api", "containerPort": 8080}],
        healthCheckGracePeriodSeconds=60,
        tags=listed("api-service", "key", "value"),
    )["service"]["serviceArn"]
    made.update(task_definition=definition, service=service)


def api(load_balancer):
    """Mistakes: anybody may call it, it speaks plain HTTP to a load balancer that its kind of link cannot reach, it takes old TLS, and
    its stage has no access log, no execution log, no WAF and no throttling."""
    gateway = client("apigateway")
    rest = gateway.create_rest_api(
        name=f"student-records-api-{environment}",
        description="student records",
        endpointConfiguration={"types": ["REGIONAL"]},
        tags=tags("api-gateway"),
    )["id"]
    link = gateway.create_vpc_link(
        name=named("vpc-link"), targetArns=[load_balancer["LoadBalancerArn"]], tags=tags("vpc-link")
    )["id"]
    root = gateway.get_resources(restApiId=rest)["items"][0]["id"]
    students = gateway.create_resource(restApiId=rest, parentId=root, pathPart="students")["id"]
    at = {"restApiId": rest, "resourceId": students, "httpMethod": "GET"}
    gateway.put_method(**at, authorizationType="NONE")
    gateway.put_integration(
        **at,
        type="HTTP_PROXY",
        integrationHttpMethod="GET",
        connectionType="VPC_LINK",
        connectionId=link,
        uri=f"http://{load_balancer['DNSName']}/students",
    )
    gateway.create_deployment(restApiId=rest, stageName="prod")
    made.update(rest_api=rest, vpc_link=link)


def build():
    # Nobody needs to know it again.
    password = secrets.token_urlsafe(24)
    own_keys = keys()
    vpc, public, private = network()
    groups = security_groups(vpc)
    secret_arn = secret(own_keys, password)
    database_host = database(own_keys, groups, private, password)
    cache_host = cache(own_keys, groups, private)
    stream_arn = stream(own_keys)
    file_system = files(own_keys, groups, private)
    execution, task = roles(own_keys, secret_arn, stream_arn)
    load_balancer, target = balancer(groups, public, vpc)
    endpoints = {
        "DB_ENDPOINT": database_host,
        "REDIS_ENDPOINT": cache_host,
        "KINESIS_STREAM": made["stream"],
    }
    service(groups, private, target, execution, task, file_system, endpoints)
    api(load_balancer)
    # Mistakes by omission, of the account: no trail, so no alarms; no GuardDuty, no Config, no Access Analyzer; public buckets and
    # plain disks are possible; no rules for passwords; no backup plan.
    made.update({f"{store}_key": arn.rsplit("/", 1)[1] for store, arn in own_keys.items()}, secret=secret_arn)
    print(json.dumps(made, indent=2))


build()

"""Changes a deployed stack behind its back: opens a group, turns a key's rotation off, edits a bucket policy, removes a
route. usage: sabotage.py OUTPUTS.json"""

import json
import sys

import boto3

with open(sys.argv[1], encoding="utf-8") as file:
    outputs = json.load(file)

ec2, kms, s3, trail = (boto3.client(name) for name in ("ec2", "kms", "s3", "cloudtrail"))
here = [{"Name": "vpc-id", "Values": [outputs["vpc_id"]]}]

for group in ec2.describe_security_groups(Filters=here)["SecurityGroups"]:
    if any(rule.get("FromPort") == 5432 for rule in group["IpPermissions"]):
        ec2.authorize_security_group_ingress(
            GroupId=group["GroupId"],
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
        )

kms.disable_key_rotation(KeyId=outputs["kms_key_arns"]["rds"])

bucket = trail.get_trail(Name=outputs["trail_name"])["Trail"]["S3BucketName"]
policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
policy["Statement"] = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

private = outputs["private_subnet_ids"][0]
table = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [private]}])["RouteTables"][0]
ec2.delete_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")

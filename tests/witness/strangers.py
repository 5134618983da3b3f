"""Puts an open security group and a public subnet into a deployed stack's VPC, without any tag, and prints what it made.
usage: strangers.py OUTPUTS.json"""

import json
import sys

import boto3

with open(sys.argv[1], encoding="utf-8") as file:
    outputs = json.load(file)

ec2 = boto3.client("ec2")
vpc = outputs["vpc_id"]
group = ec2.create_security_group(VpcId=vpc, GroupName="rogue", Description="not of the stack")["GroupId"]
ec2.authorize_security_group_ingress(
    GroupId=group,
    IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
)
subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.99.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
print(json.dumps({"group": group, "subnet": subnet}))

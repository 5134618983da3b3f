"""An IAM user with access keys and one policy. Prints the keys as JSON.

usage: iam_user.py NAME < policy.json
"""

import json
import sys

import boto3

iam = boto3.client("iam")
name = sys.argv[1]
if name not in [user["UserName"] for user in iam.list_users()["Users"]]:
    iam.create_user(UserName=name)
iam.put_user_policy(UserName=name, PolicyName="printed", PolicyDocument=sys.stdin.read())
for old in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
    iam.delete_access_key(UserName=name, AccessKeyId=old["AccessKeyId"])
key = iam.create_access_key(UserName=name)["AccessKey"]
json.dump({"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}, sys.stdout)

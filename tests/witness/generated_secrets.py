"""Prints what is secret in every version of the stack's generated secrets, as JSON, by the secret's name: a test looks for
them elsewhere. usage: generated_secrets.py PREFIX"""

import json
import sys

import boto3

prefix = sys.argv[1]
client = boto3.client("secretsmanager")
found = {}


def keep(name, text):
    try:
        fields = json.loads(text)
    except json.JSONDecodeError:
        fields = {"password": text}
    kept = found.setdefault(name, [])
    kept.extend(fields[field] for field in ("password", "auth_token") if field in fields)


secrets = client.get_paginator("list_secrets").paginate().build_full_result()["SecretList"]
for secret in secrets:
    if secret["Name"].startswith(prefix):
        # The one in use, the one before, and one that a rotation has begun with.
        for version in client.list_secret_version_ids(SecretId=secret["ARN"], IncludeDeprecated=True)["Versions"]:
            value = client.get_secret_value(SecretId=secret["ARN"], VersionId=version["VersionId"])
            keep(secret["Name"], value["SecretString"])
print(json.dumps(found))

"""Prints every generated secret of the stack, as a JSON list of strings: a test looks for them elsewhere."""

import json
import sys

import boto3

prefix = sys.argv[1]
client = boto3.client("secretsmanager")
found = []
for page in client.get_paginator("list_secrets").paginate():
    for secret in page["SecretList"]:
        if not secret["Name"].startswith(prefix):
            continue
        text = client.get_secret_value(SecretId=secret["ARN"])["SecretString"]
        try:
            fields = json.loads(text)
        except json.JSONDecodeError:
            fields = {"password": text}
        for field in ("password", "auth_token"):
            if field in fields:
                found.append(fields[field])
print(json.dumps(found))

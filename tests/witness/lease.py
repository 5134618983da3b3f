"""The lease of a stack as another machine's run would have left it. usage: lease.py STACK held | list

held: writes the next entry of the log, as a run of another machine that holds the stack.
list: prints the names of the log's entries, as a JSON list."""

import json
import sys

import boto3

stack, verb = sys.argv[1:3]
ssm = boto3.client("ssm")
path = f"/ferpa-stack/{stack}/lease"
pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path)
names = sorted(one["Name"] for one in pages.build_full_result()["Parameters"])
if verb == "held":
    number = int(names[-1].rsplit("/", 1)[1]) + 1 if names else 1
    value = {
        "state": "held",
        "name": "ana@elsewhere, process 7",
        "run": "11111111-2222-4333-8444-555555555555",
        "command": "destroy",
        "since": "2026-01-02T03:04:05Z",
        "expires": "2026-01-02T03:06:05Z",
    }
    ssm.put_parameter(Name=f"{path}/{number:08}", Value=json.dumps(value), Type="String")
    names.append(f"{path}/{number:08}")
print(json.dumps(names))

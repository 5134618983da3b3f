"""Ends a recording of moto's and prints the calls in it that may change something, with their numbers, as JSON. Whatever
does not begin as a reading call does counts."""

import base64
import json
import os
import re
import sys
import urllib.request
from collections import Counter
from urllib.parse import parse_qs, urlsplit

recorder = os.environ["AWS_ENDPOINT_URL"] + "/moto-api/recorder"
urllib.request.urlopen(urllib.request.Request(f"{recorder}/stop-recording", method="POST"))
with urllib.request.urlopen(f"{recorder}/download-recording") as answer:
    requests = [json.loads(line) for line in answer.read().splitlines()]
assert requests, "nothing was recorded"


def call(request):
    headers = {name.lower(): value for name, value in request["headers"].items()}
    body = request["body"]
    if request["body_encoded"]:
        body = base64.b64decode(body).decode(errors="replace")
    service = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("authorization", ""))
    if "x-amz-target" in headers:
        name = headers["x-amz-target"].rsplit(".", 1)[-1]
    elif "Action" in (fields := parse_qs(body)):
        name = fields["Action"][0]
    else:
        # moto's ids of ten letters and digits differ from run to run.
        path = re.sub(r"/[a-z0-9]{10}(?=/|$)", "/*", urlsplit(request["url"]).path)
        name = f"{request['method']} {path}"
    return f"{service.group(1) if service else '?'} {name}"


calls = Counter(map(call, requests))
reads = re.compile(r"\S+ (Describe|List|Get|GET |HEAD )")
json.dump({name: count for name, count in calls.items() if not reads.match(name)}, sys.stdout)

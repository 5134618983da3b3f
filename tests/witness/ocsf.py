"""Checks a report in OCSF against the schema of its version, as ocsf-json-schema has it. usage: ocsf.py REPORT.json"""

import json
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema


def wrong(events: list) -> list:
    """What is wrong with the events, in words."""
    validators, found = {}, []
    for at, event in enumerate(events):
        key = (event["metadata"]["version"], event["class_uid"], *event["metadata"]["profiles"])
        if key not in validators:
            version, class_uid, *profiles = key
            schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
            name = schema.lookup_class_name_from_uid(class_uid=class_uid)
            schema = schema.get_class_schema(class_name=name, profiles=list(profiles))
            validators[key] = Draft202012Validator(schema)
        for error in validators[key].iter_errors(event):
            found.append(f"event {at}, {error.json_path}: {error.message}")
        if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
            found.append(f"event {at}: type_uid does not belong to class and activity")
    uids = [event["metadata"]["uid"] for event in events]
    if len(set(uids)) != len(uids):
        found.append("two events have the same metadata.uid")
    return found


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        events = json.load(file)
    faults = wrong(events)
    print("\n".join(faults) or f"{len(events)} events are what the schema wants")
    sys.exit(1 if faults else 0)

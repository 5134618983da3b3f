"""Checks a report in JUnit XML against the schema that Jenkins reads such reports by. usage: junit.py REPORT.xml"""

import sys
from pathlib import Path

import xmlschema

SCHEMA = Path(__file__).parents[2] / "crates/compliance/tests/schemas/junit-10.xsd"

faults = [f"{error.path}: {error.reason}" for error in xmlschema.XMLSchema(SCHEMA).iter_errors(sys.argv[1])]
print("\n".join(faults) or "the report is what the schema wants")
sys.exit(1 if faults else 0)

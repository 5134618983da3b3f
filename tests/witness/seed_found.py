"""Says which of the mistakes in seed-expected.toml an audit has not found.

usage: seed_found.py MADE.json AUDIT.json

MADE.json is what seed.py printed, AUDIT.json what `cargo xtask audit --scope account --format json` printed. The exit code
is the number of mistakes that were not found.
"""

import json
import pathlib
import sys
import tomllib

made = json.loads(pathlib.Path(sys.argv[1]).read_text())
audit = json.loads(pathlib.Path(sys.argv[2]).read_text())
expected = tomllib.loads(pathlib.Path(__file__).with_name("seed-expected.toml").read_text())

failing = {
    (finding["control"], finding["resource"]["kind"], finding["resource"]["id"])
    for finding in audit["findings"]
    if finding["status"] == "fail"
}
missing = [
    mistake
    for mistake in expected["mistake"]
    if (mistake["control"], mistake["kind"], mistake["id"].format(**made)) not in failing
]
for mistake in missing:
    at = mistake["id"].format(**made)
    print(f"{mistake['row']}: {mistake['control']} does not fail on {mistake['kind']} {at}: {mistake['what']}")
sys.exit(len(missing))

"""What the rotation function does in each step, with boto3 replaced by what it would answer.

Run with: python3 -m unittest discover -s crates/compute/tests -p '*_test.py'
"""

import contextlib
import importlib.util
import io
import json
import os
import pathlib
import sys
import types
import unittest

SOURCE = pathlib.Path(__file__).parent.parent / "src" / "rotation.py"


class NotFound(Exception):
    pass


class Secrets:
    exceptions = types.SimpleNamespace(ResourceNotFoundException=NotFound)

    def __init__(self):
        self.values = {"old": {"username": "app", "password": "first-secret"}}
        self.stages = {"old": ["AWSCURRENT"], "new": ["AWSPENDING"]}

    def describe_secret(self, SecretId):
        return {"RotationEnabled": True, "VersionIdsToStages": self.stages}

    def get_secret_value(self, SecretId, VersionStage, VersionId=None):
        for version, stages in self.stages.items():
            if VersionStage in stages and version in self.values and VersionId in (None, version):
                return {"SecretString": json.dumps(self.values[version])}
        raise NotFound

    def get_random_password(self, **_):
        return {"RandomPassword": "second-secret"}

    def put_secret_value(self, SecretId, ClientRequestToken, SecretString, VersionStages):
        self.values[ClientRequestToken] = json.loads(SecretString)

    def update_secret_version_stage(self, SecretId, VersionStage, MoveToVersionId, RemoveFromVersionId):
        self.stages[RemoveFromVersionId].remove(VersionStage)
        self.stages[MoveToVersionId].append(VersionStage)


class Rds:
    def __init__(self):
        self.password = None
        self.looks_until_settled = 0

    def describe_db_clusters(self, DBClusterIdentifier):
        self.looks_until_settled -= 1
        pending = {"MasterUserPassword": "****"} if self.looks_until_settled >= 0 else {}
        cluster = {"Status": "available", "MasterUsername": "app", "PendingModifiedValues": pending}
        return {"DBClusters": [cluster]}

    def modify_db_cluster(self, DBClusterIdentifier, MasterUserPassword, ApplyImmediately):
        self.password = MasterUserPassword
        self.looks_until_settled = 2


class Rotation(unittest.TestCase):
    def setUp(self):
        self.secrets, self.rds = Secrets(), Rds()
        clients = {"secretsmanager": self.secrets, "rds": self.rds}
        sys.modules["boto3"] = types.SimpleNamespace(client=clients.__getitem__)
        os.environ["CLUSTER_ID"] = "student-db-dev"
        spec = importlib.util.spec_from_file_location("rotation", SOURCE)
        self.rotation = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.rotation)
        self.rotation.PAUSE = 0
        self.printed = io.StringIO()

    def step(self, step):
        with contextlib.redirect_stdout(self.printed):
            event = {"SecretId": "s", "ClientRequestToken": "new", "Step": step}
            self.rotation.handler(event, None)

    def test_four_steps_move_the_password(self):
        for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
            self.step(step)
        self.assertEqual(self.rds.password, "second-secret")
        self.assertEqual(self.secrets.values["new"], {"username": "app", "password": "second-secret"})
        self.assertIn("AWSCURRENT", self.secrets.stages["new"])
        self.assertNotIn("AWSCURRENT", self.secrets.stages["old"])
        self.assertLess(self.rds.looks_until_settled, 0, "the test waited for the cluster")

    def test_nothing_secret_is_printed(self):
        self.step("createSecret")
        self.step("setSecret")
        for password in ("first-secret", "second-secret"):
            self.assertNotIn(password, self.printed.getvalue())

    def test_a_repeated_step_changes_nothing(self):
        self.step("createSecret")
        self.secrets.get_random_password = lambda **_: self.fail("a password exists")
        self.step("createSecret")
        self.step("setSecret")
        self.step("setSecret")
        self.step("finishSecret")
        self.step("finishSecret")
        self.assertEqual(self.rds.password, "second-secret")

    def test_the_trial_run_needs_no_cluster(self):
        self.secrets.values["new"] = dict(self.secrets.values["old"])
        self.rds.describe_db_clusters = lambda **_: self.fail("there is no cluster yet")
        self.step("testSecret")

    def test_another_user_s_secret_is_refused(self):
        self.secrets.values["old"]["username"] = "somebody"
        self.step("createSecret")
        with self.assertRaises(ValueError) as refused:
            self.step("setSecret")
        self.assertNotIn("secret-", str(refused.exception))
        self.assertIsNone(self.rds.password)

    def test_a_cluster_that_does_not_settle_fails_the_test(self):
        self.step("createSecret")
        self.rds.looks_until_settled = 10**6
        self.rotation.PATIENCE = 0
        with self.assertRaises(TimeoutError):
            self.step("testSecret")


if __name__ == "__main__":
    unittest.main()

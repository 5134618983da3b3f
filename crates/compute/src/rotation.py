"""Rotates the password of an Aurora cluster's master user.

Secrets Manager calls this function once for each of the four steps of a rotation. It never connects
to the database: the new password is set through the RDS API, so the function needs no network path to
the cluster and no driver. The runtime's own boto3 is all that it uses.

Every step may be called again after it has succeeded. Nothing here prints or raises a secret's value.

Environment: CLUSTER_ID, the cluster's identifier.
"""

import json
import os
import time

import boto3

secrets = boto3.client("secretsmanager")
rds = boto3.client("rds")

# How long a password is. Aurora PostgreSQL takes 8 to 128 characters.
PASSWORD_LENGTH = 40
# Aurora takes no "/", "@", quotation mark or space. No punctuation at all also keeps the password fit for
# connection strings.
CHARACTERS = {"ExcludePunctuation": True, "IncludeSpace": False}
# How long a step waits for the cluster, in seconds, and how long between two looks.
PATIENCE = 240
PAUSE = 5


def handler(event, _context):
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    print(json.dumps({"step": step, "version": token}))
    metadata = secrets.describe_secret(SecretId=secret)
    if metadata.get("RotationEnabled") is False:
        raise ValueError("the secret is not set up for rotation")
    stages = metadata["VersionIdsToStages"].get(token)
    if stages is None:
        raise ValueError("the secret has no such version")
    if "AWSCURRENT" in stages:
        return
    if "AWSPENDING" not in stages:
        raise ValueError("the version is not the pending one")
    steps = {
        "createSecret": create_secret,
        "setSecret": set_secret,
        "testSecret": test_secret,
        "finishSecret": finish_secret,
    }
    if step not in steps:
        raise ValueError("no such step")
    steps[step](secret, token, metadata)


def create_secret(secret, token, _metadata):
    """Puts a pending version that differs from the current one in its password only."""
    current = read(secret, "AWSCURRENT")
    try:
        read(secret, "AWSPENDING", token)
        return
    except secrets.exceptions.ResourceNotFoundException:
        pass
    answer = secrets.get_random_password(PasswordLength=PASSWORD_LENGTH, **CHARACTERS)
    current["password"] = answer["RandomPassword"]
    secrets.put_secret_value(
        SecretId=secret,
        ClientRequestToken=token,
        SecretString=json.dumps(current),
        VersionStages=["AWSPENDING"],
    )


def set_secret(secret, token, _metadata):
    """Gives the cluster the pending password."""
    pending = read(secret, "AWSPENDING", token)
    cluster = settled()
    if cluster["MasterUsername"] != pending["username"]:
        raise ValueError("the secret is not that of the cluster's master user")
    rds.modify_db_cluster(
        DBClusterIdentifier=os.environ["CLUSTER_ID"],
        MasterUserPassword=pending["password"],
        ApplyImmediately=True,
    )


def test_secret(secret, token, _metadata):
    """Waits until the cluster has taken the password.

    When rotation is switched on without rotating at once, Secrets Manager calls this step alone, with a
    pending version that repeats the current one. Nothing was set then, and the cluster may not even
    exist yet: that the secret could be read is all there is to test.
    """
    if read(secret, "AWSPENDING", token) == read(secret, "AWSCURRENT"):
        return
    settled()


def finish_secret(secret, token, metadata):
    """Makes the pending version the current one."""
    current = next(
        (version for version, stages in metadata["VersionIdsToStages"].items() if "AWSCURRENT" in stages),
        None,
    )
    if current == token:
        return
    arguments = {"SecretId": secret, "VersionStage": "AWSCURRENT", "MoveToVersionId": token}
    if current is not None:
        arguments["RemoveFromVersionId"] = current
    secrets.update_secret_version_stage(**arguments)


def read(secret, stage, token=None):
    """The secret's value in a stage."""
    version = {"VersionId": token} if token else {}
    value = secrets.get_secret_value(SecretId=secret, VersionStage=stage, **version)
    try:
        return json.loads(value["SecretString"])
    except ValueError:
        # The parser's own message would quote the value.
        raise ValueError("the secret is not JSON") from None


def settled():
    """The cluster, once it is available and has no password on its way."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = rds.describe_db_clusters(DBClusterIdentifier=os.environ["CLUSTER_ID"])
        cluster = found["DBClusters"][0]
        pending = (cluster.get("PendingModifiedValues") or {}).get("MasterUserPassword")
        if cluster["Status"] == "available" and not pending:
            return cluster
        if time.monotonic() >= deadline:
            raise TimeoutError(f"the cluster is {cluster['Status']}")
        time.sleep(PAUSE)

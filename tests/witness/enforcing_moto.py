"""A moto server that enforces IAM policies without checking signatures.

moto checks the signature of every request that it enforces a policy on, and gets it wrong for the REST
services (EFS, Backup, Lambda, API Gateway), boto3's requests included. Signatures are not what the tests
of policies are about.
"""

import sys

from moto.iam.access_control import IAMRequestBase
from moto.server import main

IAMRequestBase.check_signature = lambda request: None

main(sys.argv[1:])

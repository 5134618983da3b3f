"""A moto server that can be asked what it holds, and that enforces IAM policies without checking signatures.

`GET /moto-api/held` names every object that any of moto's services holds: whatever a service keeps, under whatever name, so
that nothing has to be thought of. Keys of the answer are `service.Class`, values the names under which they are held.

moto checks the signature of every request that it enforces a policy on, and gets it wrong for the REST services (EFS,
Backup, Lambda, API Gateway), boto3's requests included. Signatures are not what the tests of policies are about.
"""

import json
import sys
from collections.abc import Mapping, MutableSequence, Set

from moto.core.base_backend import BackendDict, BaseBackend
from moto.iam.access_control import IAMRequestBase
from moto.moto_api._internal import urls
from moto.server import main


CONTAINERS = (Mapping, MutableSequence, Set, tuple)


def entries(value):
    """The keys of what a container holds, and of what its containers hold. What is within an object is the object's."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, item in list(items):
        if isinstance(item, CONTAINERS):
            yield from entries(item)
        elif not isinstance(item, BaseBackend):
            yield str(key)


def held(request, full_url, headers):
    found = {}
    for service in list(BackendDict._instances):
        for _, _, backend in service.iter_backends():
            for field, value in list(vars(backend).items()):
                if isinstance(value, CONTAINERS):
                    found.setdefault(f"{service.service_name}.{field}", []).extend(entries(value))
    return 200, {"Content-Type": "application/json"}, json.dumps(found)


urls.url_paths["{0}/moto-api/held"] = held
IAMRequestBase.check_signature = lambda request: None

main(sys.argv[1:])

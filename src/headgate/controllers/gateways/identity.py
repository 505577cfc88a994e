"""The controller's authority and the certificates of its Envoys, kept in Secrets.

The authority is one Secret in the controller's namespace; every replica uses the same. The client certificate of a
Gateway's Envoys is in the Gateway's namespace and is read by path, so that a renewal restarts nothing.
"""

import base64
from collections.abc import Mapping
from typing import Any

import structlog

from headgate import pki
from headgate.api import core, tls
from headgate.api.meta import Key, ObjectMeta
from headgate.envoy import bootstrap
from headgate.kube.client import ApiError, Client

_log = structlog.get_logger("headgate.controllers.gateways")

#: The Secret with the authority, in the controller's namespace.
AUTHORITY = "headgate-xds-authority"


async def authority(client: Client, namespace: str, now: float) -> pki.Authority:
    """The authority as stored; made when there is none, succeeded when it is due.

    Raises:
        ApiError: the API refuses.
        tls.TlsError: the Secret holds something else; delete it to get a new authority.
    """
    while True:
        try:
            secret = await client.get(core.Secret, AUTHORITY, namespace)
        except ApiError as error:
            if error.status != 404:
                raise
            if await _create(client, namespace, pki.create_authority(now)):
                _log.info("made an authority for the certificates of Envoys", secret=f"{namespace}/{AUTHORITY}")
            continue
        found = pki.load_authority(secret.data)
        if not pki.authority_due(found, now):
            return found
        await _replace(client, secret, pki.succeed_authority(found, now))


async def _create(client: Client, namespace: str, made: pki.Authority) -> bool:
    secret = core.Secret(
        metadata=ObjectMeta(name=AUTHORITY, namespace=namespace, labels={"app.kubernetes.io/managed-by": "headgate"}),
        type="Opaque",
        data=pki.authority_data(made),
    )
    try:
        await client.create(secret)
    except ApiError as error:
        if error.reason == "AlreadyExists":  # another replica was faster; its authority is ours
            return False
        if error.status == 404:
            await _create_namespace(client, namespace)
            return False
        raise
    return True


async def _create_namespace(client: Client, namespace: str) -> None:
    try:
        await client.create(core.Namespace(metadata=ObjectMeta(name=namespace)))
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise


async def _replace(client: Client, secret: core.Secret, made: pki.Authority) -> None:
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": secret.metadata.resource_version},
        {"op": "replace", "path": "/data", "value": pki.authority_data(made)},
    ]
    try:
        await client.json_patch(core.Secret, AUTHORITY, secret.metadata.namespace, operations)
    except ApiError as error:
        if error.status not in (409, 422):  # somebody else did the same
            raise


def envoy_files(
    authority: pki.Authority, gateway: Key, present: Mapping[str, str], now: float
) -> tuple[dict[str, bytes], float]:
    """The files of a Gateway's Envoys and when to look at them again: those that are there while they are good.

    `present` is the `data` of their Secret, base64 as on the wire; empty if there is none.
    """
    name = pki.gateway_id(gateway)
    try:
        held = pki.load_certified(present)
    except tls.TlsError:
        held = None
    if held is None or pki.due(held, authority, [name], now):
        held = pki.issue_client(authority, name, now)
    documents = bootstrap.identity_documents(held.authority, held.certificate, held.key)
    files = {key: base64.b64decode(value) for key, value in pki.certified_data(held).items()} | documents
    return files, pki.renewal_of(held.certificate)

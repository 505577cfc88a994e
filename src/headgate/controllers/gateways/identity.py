"""The CA of the controller and the certificates that it signs, kept in Secrets.

The CA is one Secret in the controller's namespace; every replica uses the same. The client certificate of a Gateway's
Envoys is a Secret in the Gateway's namespace. Envoy reads it from files, so a renewal restarts nothing.
"""

import base64
from collections.abc import Mapping
from typing import Any, Self

import structlog

from headgate import pki
from headgate.api import core, tls
from headgate.api.meta import Key, ObjectMeta
from headgate.envoy import bootstrap
from headgate.envoy.names import XDS_SERVER
from headgate.kube.client import ApiError, Client

_log = structlog.get_logger("headgate.controllers.gateways")

#: The Secret with the CA, in the controller's namespace.
CA_SECRET = "headgate-xds-authority"  # noqa: S105


class XdsIdentity:
    """The CA of the controller, and the certificate of its xDS server."""

    def __init__(self, client: Client, namespace: str, ca: pki.CertificateAuthority, now: float) -> None:
        self._client = client
        self._namespace = namespace
        self.ca = ca
        self.certificate = _server_certificate(ca, now)

    @classmethod
    async def load(cls, client: Client, namespace: str, now: float) -> Self:
        """With the CA of the namespace, which is created if there is none. Raises as `load_ca`."""
        return cls(client, namespace, await load_ca(client, namespace, now), now)

    async def reload_ca(self, now: float) -> bool:
        """Read the CA again, and succeed it when that is due; whether it is another one now. Raises as `load_ca`."""
        ca = await load_ca(self._client, self._namespace, now)
        changed = ca != self.ca
        self.ca = ca
        return changed

    def renew_certificate(self, now: float) -> bool:
        """Issue another certificate when that is due; whether it was."""
        if not pki.renewal_due(self.certificate, self.ca, [XDS_SERVER], now):
            return False
        self.certificate = _server_certificate(self.ca, now)
        return True


def _server_certificate(ca: pki.CertificateAuthority, now: float) -> pki.IssuedCertificate:
    """A certificate for one fixed name, which Envoys check whatever address they connect to."""
    return pki.issue_server(ca, [XDS_SERVER], now)


async def load_ca(client: Client, namespace: str, now: float) -> pki.CertificateAuthority:
    """The CA as stored; created when there is none, succeeded when that is due.

    Raises:
        ApiError: the API server refuses.
        tls.TlsError: the Secret holds something else; delete it to get a new CA.
    """
    while True:
        try:
            secret = await client.get(core.Secret, CA_SECRET, namespace)
        except ApiError as error:
            if error.status != 404:
                raise
            if await _create(client, namespace, pki.create_ca(now)):
                _log.info("created the CA for certificates of Envoys", secret=f"{namespace}/{CA_SECRET}")
            continue
        ca = pki.load_ca(secret.data)
        if not pki.ca_renewal_due(ca, now):
            return ca
        await _replace(client, secret, pki.rotate_ca(ca, now))


async def _create(client: Client, namespace: str, ca: pki.CertificateAuthority) -> bool:
    secret = core.Secret(
        metadata=ObjectMeta(name=CA_SECRET, namespace=namespace, labels={"app.kubernetes.io/managed-by": "headgate"}),
        type="Opaque",
        data=pki.ca_data(ca),
    )
    try:
        await client.create(secret)
    except ApiError as error:
        if error.reason == "AlreadyExists":  # by another replica; its CA is used
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


async def _replace(client: Client, secret: core.Secret, ca: pki.CertificateAuthority) -> None:
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": secret.metadata.resource_version},
        {"op": "replace", "path": "/data", "value": pki.ca_data(ca)},
    ]
    try:
        await client.json_patch(core.Secret, CA_SECRET, secret.metadata.namespace, operations)
    except ApiError as error:
        if error.status not in (409, 422):  # another replica has replaced it
            raise


def envoy_files(
    ca: pki.CertificateAuthority, gateway: Key, present: Mapping[str, str], now: float
) -> tuple[dict[str, bytes], float]:
    """The identity files of a Gateway's Envoys, and when to renew them (seconds since 1970).

    Args:
        ca: signs the certificate when the present one is missing or due.
        gateway: the Gateway that the certificate names.
        present: the `data` of the present Secret, in base64; empty if there is none.
        now: seconds since 1970.
    """
    name = pki.spiffe_id(gateway)
    try:
        held = pki.load_certificate(present)
    except tls.TlsError:
        held = None
    if held is None or pki.renewal_due(held, ca, [name], now):
        held = pki.issue_client(ca, name, now)
    documents = bootstrap.sds_files(held.ca_certificates, held.certificate, held.key)
    files = {key: base64.b64decode(value) for key, value in pki.certificate_data(held).items()} | documents
    return files, pki.renewal_time(held.certificate)

"""Certificates in Secrets of type kubernetes.io/tls."""

import msgspec

from headgate.api import core, tls
from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.ir.routing import Certificate
from headgate.world import World


class TLSSecret(msgspec.Struct, frozen=True, gc=False):
    """The certificate in a Secret of type kubernetes.io/tls, or its problem."""

    certificate: Certificate | None
    problem: str = ""


def declare(world: World) -> Collection[Key, TLSSecret]:
    """The certificates of all Secrets of type kubernetes.io/tls."""
    return world.engine.map("certificates in Secrets", world.secrets, _tls_secret)


def _tls_secret(_read: Read, key: Key, secret: core.Secret) -> TLSSecret | None:
    if secret.type != "kubernetes.io/tls":
        return None
    try:
        pair = tls.of_secret(secret)
    except tls.TlsError as error:
        return TLSSecret(None, str(error))
    return TLSSecret(Certificate(key, pair.digest, pair.names))

"""Certificates in Secrets of type kubernetes.io/tls."""

import msgspec

from headgate.api import core, tls
from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.ir.routing import Certificate
from headgate.world import World


class TLSSecret(msgspec.Struct, frozen=True, gc=False):
    """A Secret of type kubernetes.io/tls: its certificate, or what is wrong with it."""

    certificate: Certificate | None
    problem: str = ""


def declare(world: World) -> Collection[Key, TLSSecret]:
    """All of them."""
    return world.engine.map("certificates", world.secrets, _certificate)


def _certificate(_read: Read, key: Key, found: core.Secret) -> TLSSecret | None:
    if found.type != "kubernetes.io/tls":
        return None
    try:
        pair = tls.of_secret(found)
    except tls.TlsError as error:
        return TLSSecret(None, str(error))
    return TLSSecret(Certificate(key, pair.digest, pair.names))

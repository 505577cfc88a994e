"""Certificates that Envoy shows, handed out by SDS."""

from collections.abc import Sequence

from headgate.api.meta import Key

from . import protos
from .names import SECRET
from .resources import Resource, resource


def tls_certificate(name: str, certificate: bytes, key: bytes, *, origins: Sequence[Key] = ()) -> Resource:
    """A certificate chain and its private key, both PEM. The resource's `repr` shows neither."""
    message = protos.Secret(name=name)
    message.tls_certificate.certificate_chain.inline_bytes = certificate
    message.tls_certificate.private_key.inline_bytes = key
    return resource(SECRET, name, protos.serialise(message), origins)

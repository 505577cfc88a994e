"""Certificates of Envoy, and the validation of its peers' certificates (SDS)."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from headgate.api.meta import Ref

from . import protos
from .names import SECRET
from .resources import Resource, resource

#: The CA certificates of the system, in Envoy's image as in most Linux distributions.
SYSTEM_CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
#: The SHA-256 of no certificate. A validation context without CA certificates would accept every certificate.
_NO_CERTIFICATE = "0" * 64


class SubjectAltName(msgspec.Struct, frozen=True):
    """A subject alternative name. A DNS name also matches a wildcard in the certificate."""

    kind: Literal["DNS", "URI"]
    value: str


def tls_certificate(name: str, certificate: bytes, key: bytes, *, origins: Sequence[Ref] = ()) -> Resource:
    """A certificate chain and its private key, both PEM. The `repr` of the resource has neither."""
    message = protos.Secret(name=name)
    message.tls_certificate.certificate_chain.inline_bytes = certificate
    message.tls_certificate.private_key.inline_bytes = key
    return resource(SECRET, name, protos.serialise(message), origins)


def validation_context(
    name: str,
    ca_certificates: bytes = b"",
    *,
    system_ca_file: str | None = None,
    subject_alt_names: Sequence[SubjectAltName] = (),
    accept_untrusted: bool = False,
) -> Resource:
    """The validation of a peer's certificate: it must be signed by one of `ca_certificates` (PEM), or by one in
    `system_ca_file` (empty: the default file of Envoy's image), and have one of the `subject_alt_names`.

    Without CA certificates every certificate is rejected. `accept_untrusted` accepts those that fail as well.
    """
    message = protos.Secret(name=name)
    context = message.validation_context
    if system_ca_file is not None:
        context.trusted_ca.filename = system_ca_file or SYSTEM_CA_FILE
    elif ca_certificates:
        context.trusted_ca.inline_bytes = ca_certificates
    else:
        context.verify_certificate_hash.append(_NO_CERTIFICATE)
        subject_alt_names = ()  # Envoy rejects names without a CA that the certificate is verified against
    for each in subject_alt_names:
        matcher = context.match_typed_subject_alt_names.add()
        matcher.san_type = matcher.DNS if each.kind == "DNS" else matcher.URI
        matcher.matcher.exact = each.value
    if accept_untrusted:
        context.trust_chain_verification = context.ACCEPT_UNTRUSTED
    return resource(SECRET, name, protos.serialise(message))

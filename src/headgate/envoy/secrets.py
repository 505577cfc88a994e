"""Certificates that Envoy shows, and how it judges those that it is shown; handed out by SDS."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from headgate.api.meta import Ref

from . import protos
from .names import SECRET
from .resources import Resource, resource

#: Where a Linux distribution keeps the authorities that it comes with; so does Envoy's image.
SYSTEM_CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
#: SHA-256 of no certificate: a validation without authorities must not be one that believes everybody.
_NOBODY = "0" * 64


class SubjectAltName(msgspec.Struct, frozen=True):
    """A name of a certificate. A DNS name is matched by a wildcard in the certificate as well."""

    kind: Literal["DNS", "URI"]
    value: str


def tls_certificate(name: str, certificate: bytes, key: bytes, *, origins: Sequence[Ref] = ()) -> Resource:
    """A certificate chain and its private key, both PEM. The resource's `repr` shows neither."""
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
    """How a certificate is judged: by `authorities` (PEM), or by those of the `system` (the file that has them; empty:
    where images of Envoy have it), and it must carry one of `names`.

    Without either nobody is believed. With `accept_untrusted` a certificate that fails is taken all the same.
    """
    message = protos.Secret(name=name)
    context = message.validation_context
    if system_ca_file is not None:
        context.trusted_ca.filename = system_ca_file or SYSTEM_CA_FILE
    elif ca_certificates:
        context.trusted_ca.inline_bytes = ca_certificates
    else:
        context.verify_certificate_hash.append(_NOBODY)
        subject_alt_names = ()  # Envoy refuses to look at names of certificates that nobody vouches for
    for each in subject_alt_names:
        matcher = context.match_typed_subject_alt_names.add()
        matcher.san_type = matcher.DNS if each.kind == "DNS" else matcher.URI
        matcher.matcher.exact = each.value
    if accept_untrusted:
        context.trust_chain_verification = context.ACCEPT_UNTRUSTED
    return resource(SECRET, name, protos.serialise(message))

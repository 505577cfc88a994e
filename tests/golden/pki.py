"""Authorities and certificates of golden cases: made when they are first asked for, the same for a whole run.

An authority is a name in a case. Certificates of the same authority and names are the same.
"""

from __future__ import annotations

import datetime
import functools
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@functools.cache
def authority(name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A root of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"authority {name}")
    certificate = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def authority_pem(name: str) -> str:
    """Its certificate."""
    return authority(name)[0].public_bytes(serialization.Encoding.PEM).decode()


@functools.cache
def issue(
    of: str,
    names: tuple[str, ...],
    uris: tuple[str, ...] = (),
    kind: str = "ecdsa",
    days: tuple[int, int] = (-1, 30),
) -> tuple[bytes, bytes]:
    """A certificate for these DNS names and URIs, valid from and until so many days from now, and its key, both PEM."""
    root, root_key = authority(of)
    key: Key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    carried = [*map(x509.DNSName, names), *map(x509.UniformResourceIdentifier, uris)]
    certificate = (
        _builder(_subject((*names, *uris)[0]), root.subject, key, days)
        .add_extension(x509.SubjectAlternativeName(carried), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def certificate(text: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """As it stands in a case: `authority`, `names`, `uris`, `kind` (ecdsa or rsa)."""
    return issue(
        str(text["authority"]),
        tuple(text.get("names", ())),
        tuple(text.get("uris", ())),
        str(text.get("kind", "ecdsa")),
    )


def serving(text: Mapping[str, Any]) -> ssl.SSLContext:
    """What a backend serves with: its certificate, and with `clients` only those whom that authority has signed.

    Each connection's `asked` is the server name that the client sent.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, certificate(text))
    context.set_alpn_protocols(["h2", "http/1.1"] if text.get("h2") else ["http/1.1"])
    if clients := text.get("clients"):
        context.load_verify_locations(cadata=authority_pem(str(clients)))
        context.verify_mode = ssl.CERT_REQUIRED
    context.sni_callback = _remember
    return context


def asking(text: Mapping[str, Any] | None) -> ssl.SSLContext:
    """The TLS context of a client that trusts every server and has this certificate, if any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if text:
        _load(context, certificate(text))
    return context


def _remember(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
    connection.asked = name  # type: ignore[attr-defined]


def _load(context: ssl.SSLContext, pair: tuple[bytes, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pair.pem"
        path.write_bytes(b"".join(pair))
        context.load_cert_chain(path)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, days: tuple[int, int] = (-1, 30)
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
    )

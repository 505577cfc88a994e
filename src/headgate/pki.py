"""The controller's CA, and the certificates for mutual TLS between Envoys and the xDS server.

The client certificate identifies an Envoy. It has exactly one URI,
`spiffe://headgate.dev/ns/<namespace>/gateway/<name>`, and an xDS stream with it gets that Gateway's resources.

Pure except for the random numbers in keys and serials; times are seconds since 1970, and parameters. Keys are ECDSA on
P-256. Leaf certificates are valid for 90 days, CA certificates for ten years; both are renewed after two thirds of it.
"""

import base64
import ipaddress
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from headgate.api import tls
from headgate.api.meta import Key
from headgate.api.times import rfc3339

TRUST_DOMAIN = "headgate.dev"
CA_LIFETIME = 3650 * 86_400.0
LEAF_LIFETIME = 90 * 86_400.0
#: The tolerated clock difference between two machines, in seconds.
_SKEW = 600.0

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
#: Between the dots of an object's name Kubernetes allows more than the 63 characters of DNS.
_PART = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_GATEWAY = re.compile(rf"spiffe://{re.escape(TRUST_DOMAIN)}/ns/({_LABEL})/gateway/({_PART}(?:\.{_PART})*)")


class IssuedCertificate(msgspec.Struct, frozen=True):
    """A certificate, its key, and the CA certificates that its owner verifies peers with; all PEM."""

    certificate: bytes
    key: bytes
    ca_certificates: bytes

    def __repr__(self) -> str:
        return f"IssuedCertificate({len(self.certificate)} bytes of certificate)"


class CertificateAuthority(msgspec.Struct, frozen=True):
    """A CA: its bundle of certificates, the one that signs first, then older ones that are still trusted; its key."""

    certificates: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"CertificateAuthority({self.certificates.count(b'BEGIN CERTIFICATE')} certificates)"


# ── the CA ───────────────────────────────────────────────────────────────────


def create_ca(now: float) -> CertificateAuthority:
    """A new CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Two CAs that are trusted at the same time need different names.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"headgate {rfc3339(now)}")])
    usage = _usage(key_cert_sign=True, crl_sign=True)
    certificate = (
        _builder(name, name, key.public_key(), now, CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return CertificateAuthority(_pem(certificate), _key_pem(key))


def rotate_ca(old: CertificateAuthority, now: float) -> CertificateAuthority:
    """A new CA; the certificates of the old one stay in its bundle until they expire."""
    new = create_ca(now)
    trusted = [
        certificate
        for certificate in tls.certificates(old.certificates)
        if certificate.not_valid_after_utc.timestamp() > now
    ]
    return CertificateAuthority(b"".join([new.certificates, *map(_pem, trusted)]), new.key)


def ca_renewal_due(ca: CertificateAuthority, now: float) -> bool:
    """Whether the CA should be rotated: after two thirds of its lifetime."""
    return now >= _renewal(tls.certificates(ca.certificates)[0])


def ca_data(ca: CertificateAuthority) -> dict[str, str]:
    """The CA as the `data` of a Secret: `tls.crt` and `tls.key`."""
    return {tls.CERTIFICATE: _base64(ca.certificates), tls.KEY: _base64(ca.key)}


def load_ca(data: Mapping[str, str]) -> CertificateAuthority:
    """The CA in a Secret's `data`. Raises `tls.TlsError`."""
    certificate, key = (_value(data, name) for name in (tls.CERTIFICATE, tls.KEY))
    tls.pair(certificate, key)
    if not _is_ca(tls.certificates(certificate)[0]):
        raise tls.TlsError(f"data[{tls.CERTIFICATE}]", "is not a CA certificate")
    return CertificateAuthority(certificate, key)


# ── issued certificates ──────────────────────────────────────────────────────


def issue_server(
    ca: CertificateAuthority, names: Sequence[str], now: float, *, lifetime: float = LEAF_LIFETIME
) -> IssuedCertificate:
    """A server certificate for DNS names and IP addresses."""
    return _issue(ca, [_general_name(name) for name in names], ExtendedKeyUsageOID.SERVER_AUTH, now, lifetime)


def issue_client(
    ca: CertificateAuthority, identity: str, now: float, *, lifetime: float = LEAF_LIFETIME
) -> IssuedCertificate:
    """A client certificate with one identity, a SPIFFE ID (see `spiffe_id`)."""
    name = x509.UniformResourceIdentifier(identity)
    return _issue(ca, [name], ExtendedKeyUsageOID.CLIENT_AUTH, now, lifetime)


def certificate_data(issued: IssuedCertificate) -> dict[str, str]:
    """A certificate as the `data` of a Secret: `ca.crt`, `tls.crt` and `tls.key`."""
    return {
        tls.AUTHORITY: _base64(issued.ca_certificates),
        tls.CERTIFICATE: _base64(issued.certificate),
        tls.KEY: _base64(issued.key),
    }


def load_certificate(data: Mapping[str, str]) -> IssuedCertificate:
    """The certificate in a Secret's `data`. Raises `tls.TlsError`."""
    certificate, key, ca_certificates = (_value(data, name) for name in (tls.CERTIFICATE, tls.KEY, tls.AUTHORITY))
    tls.pair(certificate, key)
    tls.certificates(ca_certificates)
    return IssuedCertificate(certificate, key, ca_certificates)


def renewal_due(issued: IssuedCertificate, ca: CertificateAuthority, names: Sequence[str], now: float) -> bool:
    """Whether a certificate must be issued again.

    That is after two thirds of its lifetime, when the CA or its bundle has changed, and when the certificate is for
    other names than `names` (DNS names, IP addresses, or one SPIFFE ID).
    """
    try:
        leaf = tls.certificates(issued.certificate)[0]
    except tls.TlsError:
        return True
    return (
        now >= _renewal(leaf)
        or now < leaf.not_valid_before_utc.timestamp()
        or issued.ca_certificates != ca.certificates
        or not _signed_by(leaf, tls.certificates(ca.certificates)[0])
        or _identities(leaf) != frozenset(str(_general_name(name).value) for name in names)
    )


def renewal_time(certificate: bytes) -> float:
    """When a PEM certificate should be renewed, in seconds since 1970. Raises `tls.TlsError`."""
    return _renewal(tls.certificates(certificate, tls.CERTIFICATE)[0])


# ── identities of Envoys ─────────────────────────────────────────────────────


def spiffe_id(gateway: Key) -> str:
    """The SPIFFE ID of a Gateway's Envoys."""
    return f"spiffe://{TRUST_DOMAIN}/ns/{gateway.namespace}/gateway/{gateway.name}"


def gateway_of(certificate: bytes) -> Key | None:
    """The Gateway that a peer's certificate (PEM or DER) identifies, or None.

    The certificate must have one URI and no other name, in the form of `spiffe_id`, must be for client authentication,
    and must not be a CA certificate. TLS has already verified its signature.
    """
    try:
        pem = certificate.lstrip().startswith(b"-----BEGIN")
        leaf = x509.load_pem_x509_certificate(certificate) if pem else x509.load_der_x509_certificate(certificate)
        extensions = leaf.extensions
        san = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (ValueError, x509.DuplicateExtension, x509.ExtensionNotFound):
        return None
    if len(san) != 1 or ExtendedKeyUsageOID.CLIENT_AUTH not in uses or _is_ca(leaf):
        return None
    uris = san.get_values_for_type(x509.UniformResourceIdentifier)
    match = _GATEWAY.fullmatch(uris[0]) if uris else None
    if match is None or len(match[2]) > 253:
        return None
    return Key(match[1], match[2])


# ── inside ───────────────────────────────────────────────────────────────────


def _issue(
    ca: CertificateAuthority,
    names: Sequence[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
    now: float,
    lifetime: float,
) -> IssuedCertificate:
    if not names:
        raise ValueError("a certificate needs at least one name")
    signer = tls.certificates(ca.certificates)[0]
    signing_key = load_pem_private_key(ca.key, password=None)
    if not isinstance(signing_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key of the CA is not ECDSA")
    key = ec.generate_private_key(ec.SECP256R1())
    expires = min(now + lifetime, signer.not_valid_after_utc.timestamp())
    certificate = (
        # The subject is empty, so that no peer can rely on it. RFC 5280 then requires a critical SAN.
        _builder(x509.Name([]), signer.subject, key.public_key(), now, expires - now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(_authority_key_identifier(signer), critical=False)
        .sign(signing_key, hashes.SHA256())
    )
    return IssuedCertificate(_pem(certificate), _key_pem(key), ca.certificates)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: float, lifetime: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(int(now - _SKEW), UTC))
        .not_valid_after(datetime.fromtimestamp(int(now + lifetime), UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key_identifier(signer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _general_name(name: str) -> x509.DNSName | x509.IPAddress | x509.UniformResourceIdentifier:
    if name.startswith("spiffe://"):
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _identities(leaf: x509.Certificate) -> frozenset[str]:
    try:
        san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(str(name.value) for name in san)


def _renewal(certificate: x509.Certificate) -> float:
    start, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    return start + (end - start) * 2 / 3


def _signed_by(leaf: x509.Certificate, signer: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _value(data: Mapping[str, str], name: str) -> bytes:
    try:
        return base64.b64decode(data[name], validate=True)
    except KeyError:
        raise tls.TlsError(f"data[{name}]", "is missing") from None
    except ValueError:
        raise tls.TlsError(f"data[{name}]", "is not base64") from None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

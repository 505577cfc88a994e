"""The controller's certificate authority, and the certificates that Envoys and the xDS server show each other.

An Envoy is whoever its certificate says: a client certificate carries exactly one URI,
`spiffe://headgate.dev/ns/<namespace>/gateway/<name>`, and a stream with it gets that Gateway's resources.

Pure but for the random numbers in keys and serials; times are seconds since 1970, and parameters. Keys are ECDSA on
P-256. Leaf certificates live for 90 days, the authority for ten years; both are renewed after two thirds of their life.
"""

import base64
import binascii
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
#: Clocks of two machines may differ by this much.
_SKEW = 600.0

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
#: Between the dots of an object's name Kubernetes allows more than the 63 characters of DNS.
_PART = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_GATEWAY = re.compile(rf"spiffe://{re.escape(TRUST_DOMAIN)}/ns/({_LABEL})/gateway/({_PART}(?:\.{_PART})*)")


class IssuedCertificate(msgspec.Struct, frozen=True):
    """A certificate and its key with the authorities that its bearer trusts, all PEM."""

    certificate: bytes
    key: bytes
    ca_certificates: bytes

    def __repr__(self) -> str:
        return f"Certified({len(self.certificate)} bytes of certificate)"


class CertificateAuthority(msgspec.Struct, frozen=True):
    """What signs. `certificates` is a bundle: the one that signs first, then older ones that are still trusted."""

    certificates: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"Authority({self.certificates.count(b'BEGIN CERTIFICATE')} certificates)"


# ── the authority ────────────────────────────────────────────────────────────


def create_ca(now: float) -> CertificateAuthority:
    """A new authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Two authorities that are trusted side by side need two names.
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
    """A new authority beside the old one, whose certificates stay trusted until they end."""
    new = create_ca(now)
    trusted = [each for each in tls.certificates(old.certificates) if each.not_valid_after_utc.timestamp() > now]
    return CertificateAuthority(b"".join([new.certificates, *map(_pem, trusted)]), new.key)


def ca_renewal_due(ca: CertificateAuthority, now: float) -> bool:
    """Whether the authority should be succeeded: after two thirds of its life."""
    return now >= _renewal(tls.certificates(ca.certificates)[0])


def ca_data(ca: CertificateAuthority) -> dict[str, str]:
    """The authority as the `data` of the Secret that the controller keeps in its own namespace."""
    return {tls.CERTIFICATE: _base64(ca.certificates), tls.KEY: _base64(ca.key)}


def load_ca(data: Mapping[str, str]) -> CertificateAuthority:
    """The authority in a Secret's `data`. Raises `tls.TlsError`."""
    certificate, key = (_value(data, name) for name in (tls.CERTIFICATE, tls.KEY))
    tls.pair(certificate, key)
    if not _may_sign(tls.certificates(certificate)[0]):
        raise tls.TlsError(f"data[{tls.CERTIFICATE}]", "is not the certificate of an authority")
    return CertificateAuthority(certificate, key)


# ── what it issues ───────────────────────────────────────────────────────────


def issue_server(
    ca: CertificateAuthority, names: Sequence[str], now: float, *, life: float = LEAF_LIFETIME
) -> IssuedCertificate:
    """A server certificate for DNS names and addresses."""
    return _issue(ca, [_general_name(name) for name in names], ExtendedKeyUsageOID.SERVER_AUTH, now, life)


def issue_client(
    ca: CertificateAuthority, identity: str, now: float, *, life: float = LEAF_LIFETIME
) -> IssuedCertificate:
    """A client certificate whose one identity is a SPIFFE id (see `gateway_id`)."""
    name = x509.UniformResourceIdentifier(identity)
    return _issue(ca, [name], ExtendedKeyUsageOID.CLIENT_AUTH, now, life)


def certificate_data(issued: IssuedCertificate) -> dict[str, str]:
    """A certificate as the `data` of a Secret: `ca.crt`, `tls.crt`, `tls.key`."""
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
    """Whether a certificate must be issued anew.

    So it is after two thirds of its life, when the authority or the set of authorities to trust is another one, and
    when it is for other `names` (DNS names, addresses, or one SPIFFE id).
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
    """The moment from which a PEM certificate should be renewed. Raises `tls.TlsError`."""
    return _renewal(tls.certificates(certificate, tls.CERTIFICATE)[0])


# ── who is this Envoy ────────────────────────────────────────────────────────


def spiffe_id(gateway: Key) -> str:
    """The SPIFFE id of a Gateway's Envoys."""
    return f"spiffe://{TRUST_DOMAIN}/ns/{gateway.namespace}/gateway/{gateway.name}"


def gateway_of(certificate: bytes) -> Key | None:
    """The Gateway that a peer's certificate (PEM or DER) speaks for, or None.

    Strict: one URI and no other name, in our trust domain, in the one form that `gateway_id` writes, for a client and
    not for an authority. That our authority signed it, TLS has checked.
    """
    try:
        pem = certificate.lstrip().startswith(b"-----BEGIN")
        leaf = x509.load_pem_x509_certificate(certificate) if pem else x509.load_der_x509_certificate(certificate)
        extensions = leaf.extensions
        san = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (ValueError, x509.DuplicateExtension, x509.ExtensionNotFound):
        return None
    if len(san) != 1 or ExtendedKeyUsageOID.CLIENT_AUTH not in uses or _may_sign(leaf):
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
    life: float,
) -> IssuedCertificate:
    if not names:
        raise ValueError("a certificate needs at least one name")
    signer = tls.certificates(ca.certificates)[0]
    signing_key = load_pem_private_key(ca.key, password=None)
    if not isinstance(signing_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is not ECDSA")
    key = ec.generate_private_key(ec.SECP256R1())
    ends = min(now + life, signer.not_valid_after_utc.timestamp())
    certificate = (
        # The subject is empty, so that nobody is tempted to believe it; RFC 5280 then wants a critical SAN.
        _builder(x509.Name([]), signer.subject, key.public_key(), now, ends - now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(_authority_key_identifier(signer), critical=False)
        .sign(signing_key, hashes.SHA256())
    )
    return IssuedCertificate(_pem(certificate), _key_pem(key), ca.certificates)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: float, life: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(int(now - _SKEW), UTC))
        .not_valid_after(datetime.fromtimestamp(int(now + life), UTC))
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
    return frozenset(str(each.value) for each in san)


def _renewal(certificate: x509.Certificate) -> float:
    begins, ends = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    return begins + (ends - begins) * 2 / 3


def _signed_by(leaf: x509.Certificate, signer: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _value(data: Mapping[str, str], name: str) -> bytes:
    try:
        return base64.b64decode(data[name], validate=True)
    except KeyError:
        raise tls.TlsError(f"data[{name}]", "is missing") from None
    except binascii.Error:
        raise tls.TlsError(f"data[{name}]", "is not base64") from None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

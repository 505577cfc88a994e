"""Certificates and keys of TLS Secrets: parsing and validation.

An expired certificate is not an error here. Gateways serve it, and clients reject it with a precise message.
"""

import base64
import hashlib
import re

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import PublicKeyAlgorithmOID

from .certificates import ClusterTrustBundle
from .core import ConfigMap, Secret
from .times import rfc3339

CERTIFICATE = "tls.crt"
KEY = "tls.key"
AUTHORITY = "ca.crt"

#: The smallest RSA key size that Envoy accepts, in bits.
_RSA_BITS = 2048
#: The identifier of an RSA key for PSS signatures only, in DER (RFC 4055).
_RSA_PSS = bytes.fromhex("06092a864886f70d01010a")
_PLAIN_RSA = "Envoy takes plain RSA keys, which sign with PSS as well"
#: The curves that Envoy accepts.
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class TlsError(ValueError):
    """A problem of a Secret's certificate or key. `path` is the field; `message` contains no secret."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


class KeyPair(msgspec.Struct, frozen=True):
    """A certificate chain (leaf first) and its key, both PEM. `digest` identifies these bytes."""

    certificate: bytes
    key: bytes
    digest: str
    #: DNS names and addresses of the leaf, in lower case.
    names: tuple[str, ...]
    #: Seconds since 1970.
    not_before: float
    not_after: float

    def __repr__(self) -> str:
        return f"KeyPair(names={self.names}, not_after={rfc3339(self.not_after)}, digest={self.digest[:12]!r})"


def of_secret(secret: Secret) -> KeyPair:
    """The key pair in a Secret of type `kubernetes.io/tls`. Raises `TlsError`."""
    if secret.type != "kubernetes.io/tls":
        raise TlsError("type", f"{secret.type!r} holds no certificate; a listener needs 'kubernetes.io/tls'")
    return pair(secret_bytes(secret, CERTIFICATE), secret_bytes(secret, KEY))


def secret_bytes(secret: Secret, name: str) -> bytes:
    """One decoded value of a Secret. Raises `TlsError`, also if it is empty."""
    try:
        found = base64.b64decode(secret.data[name], validate=True)
    except KeyError:
        raise TlsError(f"data[{name}]", "is missing") from None
    except ValueError:
        raise TlsError(f"data[{name}]", "is not base64") from None
    if not found.strip():
        raise TlsError(f"data[{name}]", "is empty")
    return found


def pair(certificate: bytes, key: bytes) -> KeyPair:
    """Check that the PEM bytes are a certificate chain and the key of its first certificate. Raises `TlsError`."""
    chain = certificates(certificate, f"data[{CERTIFICATE}]")
    leaf = chain[0]
    _check_encoding(leaf)
    public = _public_key(key)
    try:
        theirs = _encoded(leaf.public_key())
    except (UnsupportedAlgorithm, ValueError):
        raise TlsError(f"data[{CERTIFICATE}]", "has a kind of public key that is not known") from None
    if theirs != _encoded(public):
        others = [number for number, each in enumerate(chain[1:], 2) if _encoded(each.public_key()) == _encoded(public)]
        hint = f"; certificate {others[0]} of the chain has it, the leaf must come first" if others else ""
        raise TlsError(f"data[{KEY}]", f"is not the key of the certificate in {CERTIFICATE}{hint}")
    return KeyPair(
        certificate=certificate,
        key=key,
        digest=hashlib.sha256(certificate + b"\0" + key).hexdigest(),
        names=names_of(leaf),
        not_before=leaf.not_valid_before_utc.timestamp(),
        not_after=leaf.not_valid_after_utc.timestamp(),
    )


def certificates(pem: bytes, path: str = AUTHORITY) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM bundle, at least one. Raises `TlsError` with `path`."""
    if pem.count(b"-----BEGIN ") != pem.count(b"-----END "):
        raise TlsError(path, "is not a PEM certificate (a block has no end or no beginning)")
    try:
        found = x509.load_pem_x509_certificates(pem)
        for each in found:
            each.not_valid_after_utc  # noqa: B018 - the parts are parsed when they are asked for
            each.extensions  # noqa: B018
    except (ValueError, x509.DuplicateExtension) as error:
        why = _short(error) if b"-----END CERTIFICATE-----" in pem else "no whole block of CERTIFICATE is in it"
        raise TlsError(path, f"is not a PEM certificate ({why})") from None
    return tuple(found)


def authorities(found: ConfigMap | ClusterTrustBundle) -> bytes:
    """The authorities in an object, PEM: certificates and nothing else. Raises `TlsError`."""
    if isinstance(found, ConfigMap):
        path, text = f"data[{AUTHORITY}]", found.data.get(AUTHORITY)
        if text is None:
            raise TlsError(path, "is missing")
    else:
        path, text = "spec.trustBundle", found.spec.trust_bundle
    if not text.strip():
        raise TlsError(path, "is empty")
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates(text.encode(), path))


def _check_encoding(leaf: x509.Certificate) -> None:
    """Reject two encodings of public keys that BoringSSL, and so Envoy, does not support."""
    if leaf.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
        raise TlsError(f"data[{CERTIFICATE}]", f"has an RSA-PSS key; {_PLAIN_RSA}")
    try:
        public = leaf.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return  # reported by the caller
    if isinstance(public, ec.EllipticCurvePublicKey) and _encoded(public) not in leaf.public_bytes(Encoding.DER):
        raise TlsError(f"data[{CERTIFICATE}]", "spells out the curve of its key; Envoy takes curves by name")


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """DNS names and addresses of a certificate."""
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = [str(each) for each in san.get_values_for_type(x509.IPAddress)]
    return (*(name.lower() for name in san.get_values_for_type(x509.DNSName)), *addresses)


def _public_key(pem: bytes) -> PublicKeyTypes:
    path = f"data[{KEY}]"
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise TlsError(path, "is encrypted; it must be stored without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        # OpenSSL's message may contain the input.
        raise TlsError(path, "is not a PEM private key") from None
    if isinstance(key, rsa.RSAPrivateKey):
        if _RSA_PSS in _decoded(pem):
            raise TlsError(path, f"is an RSA-PSS key; {_PLAIN_RSA}")
        if key.key_size < _RSA_BITS:
            raise TlsError(path, f"is an RSA key of {key.key_size} bits; Envoy takes {_RSA_BITS} or more")
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        if not isinstance(key.curve, _CURVES):
            raise TlsError(path, f"is on the curve {key.curve.name}; Envoy takes P-256, P-384 and P-521")
    elif not isinstance(key, ed25519.Ed25519PrivateKey):
        raise TlsError(path, "is neither an RSA, an ECDSA nor an Ed25519 key; Envoy takes those")
    return key.public_key()


def _decoded(pem: bytes) -> bytes:
    """The first private key of the PEM data."""
    found = re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----([A-Za-z0-9+/=\s]*)-----END", pem)
    return base64.b64decode(found[1]) if found else b""


def _encoded(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__

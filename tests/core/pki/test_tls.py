"""What `headgate.api.tls` says about the certificates in Secrets."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from headgate.api import tls
from headgate.api.core import Secret
from headgate.api.meta import ObjectMeta


def certificate(key: CertificateIssuerPrivateKeyTypes, *names: str, ends: int = 2040) -> bytes:
    subject = x509.Name([])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(ends, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=True)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )


def pem(key: CertificateIssuerPrivateKeyTypes, passphrase: bytes = b"") -> bytes:
    how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
CERTIFICATE = certificate(KEY, "Shop.example.com", "*.example.com")


def secret(crt: bytes = CERTIFICATE, key: bytes | None = None, kind: str = "kubernetes.io/tls") -> Secret:
    data = {"tls.crt": crt, "tls.key": pem(KEY) if key is None else key}
    encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
    return Secret(metadata=ObjectMeta(name="cert", namespace="shop"), type=kind, data=encoded)


def refusal(wrong: Secret) -> str:
    with pytest.raises(tls.TlsError) as caught:
        tls.of_secret(wrong)
    return str(caught.value)


def test_a_secret_gives_its_pair_with_names_in_lower_case() -> None:
    found = tls.of_secret(secret())
    assert found.certificate == CERTIFICATE
    assert found.names == ("shop.example.com", "*.example.com")


def test_an_expired_certificate_is_accepted() -> None:
    found = tls.of_secret(secret(certificate(KEY, "a.example", ends=2021)))
    assert found.not_after == datetime(2021, 1, 1, tzinfo=UTC).timestamp()


def test_equal_bytes_have_equal_digests_and_others_have_not() -> None:
    same, again = tls.of_secret(secret()), tls.of_secret(secret())
    other = tls.of_secret(secret(certificate(KEY, "b.example")))
    assert same.digest == again.digest != other.digest


def test_a_pair_never_shows_its_key() -> None:
    assert "BEGIN" not in repr(tls.of_secret(secret()))


def test_the_error_for_another_type_of_secret_names_the_needed_type() -> None:
    assert refusal(secret(kind="Opaque")) == (
        "type: 'Opaque' holds no certificate; a listener needs 'kubernetes.io/tls'"
    )


def test_a_missing_key_is_named() -> None:
    wrong = Secret(type="kubernetes.io/tls", data={"tls.crt": base64.b64encode(CERTIFICATE).decode()})
    assert refusal(wrong) == "data[tls.key]: is missing"


def test_an_empty_certificate_is_named() -> None:
    assert refusal(secret(crt=b"")) == "data[tls.crt]: is empty"


@pytest.mark.parametrize("value", ["%%%", "é"])
def test_what_is_not_base64_is_named(value: str) -> None:
    wrong = Secret(type="kubernetes.io/tls", data={"tls.crt": value, "tls.key": ""})
    assert refusal(wrong) == "data[tls.crt]: is not base64"


def test_a_certificate_that_is_no_pem_is_named() -> None:
    assert refusal(secret(crt=b"not PEM")).startswith("data[tls.crt]: is not a PEM certificate")


def test_a_certificate_with_broken_insides_is_named() -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert refusal(secret(crt=broken)).startswith("data[tls.crt]: is not a PEM certificate")


def test_a_key_that_is_no_pem_is_named_and_not_quoted() -> None:
    assert refusal(secret(key=b"hunter2")) == "data[tls.key]: is not a PEM private key"


def test_the_key_of_another_certificate_is_rejected() -> None:
    assert refusal(secret(key=pem(OTHER))) == "data[tls.key]: is not the key of the certificate in tls.crt"


def test_the_error_for_a_chain_in_the_wrong_order_names_the_certificate_of_the_key() -> None:
    said = refusal(secret(crt=certificate(OTHER, "ca.example") + CERTIFICATE))
    assert "certificate 2 of the chain has it, the leaf must come first" in said


def test_a_chain_with_the_leaf_first_is_accepted() -> None:
    assert tls.of_secret(secret(crt=CERTIFICATE + certificate(OTHER, "ca.example"))).names[0] == "shop.example.com"


def test_text_between_the_certificates_is_accepted() -> None:
    crt = b"subject: shop\n" + CERTIFICATE + b"\nissuer: somebody\n" + certificate(OTHER, "ca.example")
    assert tls.of_secret(secret(crt=crt)).certificate == crt


def test_an_encrypted_key_is_rejected() -> None:
    assert "stored without a passphrase" in refusal(secret(key=pem(KEY, b"hunter2")))


def test_a_short_rsa_key_is_rejected_because_envoy_rejects_it() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - the point
    assert "1024 bits; Envoy takes 2048 or more" in refusal(secret(certificate(short, "a.example"), pem(short)))


def test_a_curve_that_envoy_rejects_is_rejected() -> None:
    odd = ec.generate_private_key(ec.SECP256K1())
    assert "Envoy takes P-256, P-384 and P-521" in refusal(secret(certificate(odd, "a.example"), pem(odd)))


def test_a_type_of_key_that_envoy_rejects_is_rejected() -> None:
    odd = ed448.Ed448PrivateKey.generate()
    assert "Envoy takes those" in refusal(secret(certificate(odd, "a.example"), pem(odd)))


def test_an_ed25519_pair_is_accepted() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    assert tls.of_secret(secret(certificate(key, "ed.example"), pem(key))).names == ("ed.example",)


def test_an_rsa_pair_is_accepted() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert tls.of_secret(secret(certificate(key, "rsa.example"), pem(key))).names == ("rsa.example",)

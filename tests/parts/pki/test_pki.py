"""The controller's authority, what it issues, and whom a certificate speaks for."""

import asyncio
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from headgate import pki
from headgate.api import tls
from headgate.api.meta import Key

NOW = 1_800_000_000.0
DAY = 86_400.0
GATEWAY = Key("shop", "public")


@pytest.fixture(scope="module")
def authority() -> pki.CertificateAuthority:
    return pki.create_ca(NOW)


@pytest.fixture(scope="module")
def client(authority: pki.CertificateAuthority) -> pki.IssuedCertificate:
    return pki.issue_client(authority, pki.spiffe_id(GATEWAY), NOW)


def test_a_ca_is_valid_for_ten_years(authority: pki.CertificateAuthority) -> None:
    (certificate,) = tls.certificates(authority.certificates)
    assert certificate.not_valid_after_utc.timestamp() == NOW + 3650 * DAY


def test_a_ca_can_be_loaded_from_its_secret(authority: pki.CertificateAuthority) -> None:
    assert pki.load_ca(pki.ca_data(authority)) == authority


def test_a_certificate_can_be_loaded_from_its_secret(client: pki.IssuedCertificate) -> None:
    data = pki.certificate_data(client)
    assert sorted(data) == ["ca.crt", "tls.crt", "tls.key"]
    assert pki.load_certificate(data) == client


def test_a_leaf_is_not_a_ca(client: pki.IssuedCertificate) -> None:
    with pytest.raises(tls.TlsError, match="is not a CA certificate"):
        pki.load_ca(pki.certificate_data(client))


def test_a_secret_without_key_names_the_key() -> None:
    with pytest.raises(tls.TlsError, match=r"data\[tls.key\]: is missing"):
        pki.load_ca({"tls.crt": "eA=="})


def test_keys_are_in_no_repr(authority: pki.CertificateAuthority, client: pki.IssuedCertificate) -> None:
    assert "KEY" not in repr(authority) + repr(client) + str(authority) + str(client)


def test_a_server_certificate_is_for_names_and_addresses(authority: pki.CertificateAuthority) -> None:
    server = pki.issue_server(authority, ["headgate.system.svc", "127.0.0.1"], NOW)
    assert tls.names_of(tls.certificates(server.certificate)[0]) == ("headgate.system.svc", "127.0.0.1")


def test_issuing_a_certificate_without_names_is_an_error(authority: pki.CertificateAuthority) -> None:
    with pytest.raises(ValueError, match="at least one name"):
        pki.issue_server(authority, [], NOW)


def test_a_leaf_never_outlives_its_ca(authority: pki.CertificateAuthority) -> None:
    late = NOW + 3640 * DAY
    leaf = tls.certificates(pki.issue_client(authority, pki.spiffe_id(GATEWAY), late).certificate)[0]
    assert leaf.not_valid_after_utc.timestamp() == NOW + 3650 * DAY


# ── renewal ──────────────────────────────────────────────────────────────────


def test_a_fresh_certificate_is_not_due(authority: pki.CertificateAuthority, client: pki.IssuedCertificate) -> None:
    assert not pki.renewal_due(client, authority, [pki.spiffe_id(GATEWAY)], NOW)


def test_a_certificate_is_due_after_two_thirds_of_its_lifetime(
    authority: pki.CertificateAuthority, client: pki.IssuedCertificate
) -> None:
    names = [pki.spiffe_id(GATEWAY)]
    assert not pki.renewal_due(client, authority, names, NOW + 59 * DAY)
    assert pki.renewal_due(client, authority, names, NOW + 60 * DAY)


def test_the_renewal_time_of_a_certificate_is_known(client: pki.IssuedCertificate) -> None:
    assert NOW + 59 * DAY < pki.renewal_time(client.certificate) < NOW + 60 * DAY


def test_a_certificate_for_other_names_is_due(
    authority: pki.CertificateAuthority, client: pki.IssuedCertificate
) -> None:
    assert pki.renewal_due(client, authority, [pki.spiffe_id(Key("shop", "other"))], NOW)


def test_a_certificate_of_another_ca_is_due(client: pki.IssuedCertificate) -> None:
    assert pki.renewal_due(client, pki.create_ca(NOW), [pki.spiffe_id(GATEWAY)], NOW)


def test_a_certificate_that_cannot_be_read_is_due(
    authority: pki.CertificateAuthority, client: pki.IssuedCertificate
) -> None:
    broken = pki.IssuedCertificate(b"nonsense", client.key, client.ca_certificates)
    assert pki.renewal_due(broken, authority, [pki.spiffe_id(GATEWAY)], NOW)


def test_a_ca_is_due_after_two_thirds_of_its_lifetime(authority: pki.CertificateAuthority) -> None:
    assert not pki.ca_renewal_due(authority, NOW + 2400 * DAY)
    assert pki.ca_renewal_due(authority, NOW + 2434 * DAY)


def test_a_rotated_ca_trusts_certificates_of_the_old_one(
    authority: pki.CertificateAuthority, client: pki.IssuedCertificate
) -> None:
    successor = pki.rotate_ca(authority, NOW + DAY)
    new, old = tls.certificates(successor.certificates)
    tls.certificates(client.certificate)[0].verify_directly_issued_by(old)
    issued = pki.issue_client(successor, pki.spiffe_id(GATEWAY), NOW + DAY)
    tls.certificates(issued.certificate)[0].verify_directly_issued_by(new)


def test_after_a_rotation_every_certificate_is_due(
    authority: pki.CertificateAuthority, client: pki.IssuedCertificate
) -> None:
    successor = pki.rotate_ca(authority, NOW + DAY)
    assert pki.renewal_due(client, successor, [pki.spiffe_id(GATEWAY)], NOW + DAY)


def test_a_rotated_ca_drops_expired_certificates(authority: pki.CertificateAuthority) -> None:
    successor = pki.rotate_ca(authority, NOW + 3651 * DAY)
    assert len(tls.certificates(successor.certificates)) == 1


# ── who is this Envoy ────────────────────────────────────────────────────────


def test_a_client_certificate_identifies_its_gateway(client: pki.IssuedCertificate) -> None:
    assert pki.gateway_of(client.certificate) == GATEWAY


def test_a_certificate_in_der_identifies_its_gateway(client: pki.IssuedCertificate) -> None:
    assert pki.gateway_of(tls.certificates(client.certificate)[0].public_bytes(Encoding.DER)) == GATEWAY


@pytest.mark.parametrize("gateway", ["a.b-c.d1", "long-" * 50 + "end", "1." * 126 + "1"])
def test_a_gateway_name_may_have_dots_and_253_characters(authority: pki.CertificateAuthority, gateway: str) -> None:
    name = Key("shop", gateway)
    assert pki.gateway_of(pki.issue_client(authority, pki.spiffe_id(name), NOW).certificate) == name


@pytest.mark.parametrize(
    "identity",
    [
        "spiffe://other.dev/ns/shop/gateway/public",
        "spiffe://headgate.dev/ns/shop/sa/public",
        "spiffe://headgate.dev/ns/shop/gateway/public/",
        "spiffe://headgate.dev/ns/shop/gateway/",
        "spiffe://headgate.dev/ns//gateway/public",
        "spiffe://headgate.dev/ns/shop/gateway/public?x=1",
        "spiffe://headgate.dev/ns/SHOP/gateway/public",
        "spiffe://headgate.dev/ns/shop/other/gateway/public",
        "spiffe://headgate.dev/ns/sh.op/gateway/public",
        "spiffe://headgate.dev/ns/shop/gateway/public\n",
        "spiffe://headgate.dev.evil/ns/shop/gateway/public",
        "https://headgate.dev/ns/shop/gateway/public",
    ],
)
def test_only_the_exact_form_of_a_spiffe_id_identifies_a_gateway(
    authority: pki.CertificateAuthority, identity: str
) -> None:
    assert pki.gateway_of(_forged(authority, [x509.UniformResourceIdentifier(identity)])) is None


def test_two_identities_identify_no_gateway(authority: pki.CertificateAuthority) -> None:
    both = [x509.UniformResourceIdentifier(pki.spiffe_id(Key("shop", name))) for name in ("a", "b")]
    assert pki.gateway_of(_forged(authority, both)) is None


def test_an_identity_beside_a_dns_name_identifies_no_gateway(authority: pki.CertificateAuthority) -> None:
    names = [x509.UniformResourceIdentifier(pki.spiffe_id(GATEWAY)), x509.DNSName("example.com")]
    assert pki.gateway_of(_forged(authority, names)) is None


def test_an_identity_in_a_dns_name_identifies_no_gateway(authority: pki.CertificateAuthority) -> None:
    assert pki.gateway_of(_forged(authority, [x509.DNSName(pki.spiffe_id(GATEWAY))])) is None


def test_a_server_certificate_identifies_no_gateway(authority: pki.CertificateAuthority) -> None:
    names = [x509.UniformResourceIdentifier(pki.spiffe_id(GATEWAY))]
    assert pki.gateway_of(_forged(authority, names, ExtendedKeyUsageOID.SERVER_AUTH)) is None


def test_a_certificate_without_names_identifies_no_gateway(authority: pki.CertificateAuthority) -> None:
    assert pki.gateway_of(authority.certificates) is None


@pytest.mark.parametrize("junk", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_bytes_that_are_not_a_certificate_identify_no_gateway(junk: bytes) -> None:
    assert pki.gateway_of(junk) is None


def _forged(
    authority: pki.CertificateAuthority,
    names: list[x509.UniformResourceIdentifier] | list[x509.DNSName] | list[x509.GeneralName],
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> bytes:
    """A certificate with whatever names."""
    template = tls.certificates(authority.certificates)[0]
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(template.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(template.not_valid_before_utc)
        .not_valid_after(template.not_valid_after_utc)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM)


# ── TLS itself takes them ────────────────────────────────────────────────────


def _context(side: int, mine: pki.IssuedCertificate, folder: Path) -> ssl.SSLContext:
    file = folder / f"{side}.pem"
    file.write_bytes(mine.certificate + mine.key)
    context = ssl.SSLContext(side)
    context.load_cert_chain(file)
    context.load_verify_locations(cadata=mine.ca_certificates.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


async def test_with_mutual_tls_the_server_knows_the_gateway_of_its_client(tmp_path: Path) -> None:
    import time  # noqa: PLC0415

    now = time.time()
    authority = pki.create_ca(now)
    server = pki.issue_server(authority, ["127.0.0.1"], now)
    client = pki.issue_client(authority, pki.spiffe_id(GATEWAY), now)
    seen: list[Key | None] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        seen.append(pki.gateway_of(peer))
        writer.write(b"!")
        writer.close()

    listener = await asyncio.start_server(
        connected, "127.0.0.1", 0, ssl=_context(ssl.PROTOCOL_TLS_SERVER, server, tmp_path)
    )
    port = listener.sockets[0].getsockname()[1]
    mine = _context(ssl.PROTOCOL_TLS_CLIENT, client, tmp_path)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=mine)
    assert await reader.read() == b"!"
    writer.close()
    listener.close()
    assert seen == [GATEWAY]

"""TLS to backends, and validation of client certificates."""

from typing import Literal

import msgspec

from headgate.api.meta import Key


class SubjectAltName(msgspec.Struct, frozen=True, gc=False, order=True):
    """A name that a certificate must have."""

    kind: Literal["DNS", "URI"]
    value: str


class UpstreamTLS(msgspec.Struct, frozen=True, gc=False, order=True):
    """TLS to a backend (Gateway API: `BackendTLSPolicy.spec.validation`).

    `server_name` is the SNI. The backend's certificate must be signed by one of `ca_certificates` (ConfigMaps, key
    `ca.crt`) or of the system's (`system_ca_certificates`), and have one of `subject_alt_names`. Without any CA
    certificate no backend is trusted and nothing is sent.
    """

    server_name: str
    subject_alt_names: tuple[SubjectAltName, ...]
    ca_certificates: tuple[Key, ...] = ()
    system_ca_certificates: bool = False
    #: Whether the backend declares its client certificate (`client_certificate`, a Secret; None: no certificate).
    #: Otherwise it is the Gateway's.
    own_client_certificate: bool = False
    client_certificate: Key | None = None

    def __str__(self) -> str:
        return f"TLS to {self.server_name}"


class ClientValidation(msgspec.Struct, frozen=True, gc=False):
    """Validation of client certificates (`Gateway.spec.tls.frontend`).

    `ca_certificates` are ConfigMaps with a key `ca.crt`, at least one. Without `required` a client may have no
    certificate, or one that no CA signed.
    """

    ca_certificates: tuple[Key, ...]
    required: bool = True

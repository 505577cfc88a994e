"""TLS beside the certificates of listeners: towards backends, and certificates of clients."""

from typing import Literal

import msgspec

from headgate.api.meta import Key


class SubjectAltName(msgspec.Struct, frozen=True, gc=False, order=True):
    """A name that a certificate must carry."""

    kind: Literal["DNS", "URI"]
    value: str


class UpstreamTLS(msgspec.Struct, frozen=True, gc=False, order=True):
    """How a backend is spoken to (Gateway API: `BackendTLSPolicy.spec.validation`).

    `server_name` is sent in the handshake. The backend's certificate must come from one of `authorities` (ConfigMaps,
    key `ca.crt`) or of those of the `system`, and carry one of `names`. With neither kind of authority nobody is
    believed, so nothing can be sent.
    """

    server_name: str
    subject_alt_names: tuple[SubjectAltName, ...]
    ca_certificates: tuple[Key, ...] = ()
    system_ca_certificates: bool = False
    #: Whether the backend itself says which certificate is shown to it (`certificate`, a Secret; None: none). Otherwise
    #: it is the Gateway's.
    own_client_certificate: bool = False
    client_certificate: Key | None = None

    def __str__(self) -> str:
        return f"TLS to {self.server_name}"


class ClientValidation(msgspec.Struct, frozen=True, gc=False):
    """How certificates of clients are judged (`Gateway.spec.tls.frontend`).

    `authorities` are ConfigMaps with a key `ca.crt`, at least one. Without `required` a client may show nothing, or
    something that nobody signed.
    """

    ca_certificates: tuple[Key, ...]
    required: bool = True

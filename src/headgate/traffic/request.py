"""What is sent where, and what came of it."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: How a request failed without an answer: no connection; a connection that broke; no answer in time; an answer that
#: is not HTTP; never sent because the load ended first.
Failure = Literal["", "connect", "reset", "timeout", "protocol", "unsent"]


@dataclass(frozen=True)
class Request:
    """An HTTP/1.1 request; the Host header comes from the target."""

    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __post_init__(self) -> None:
        """Refuse HEAD, whose answers announce a body that does not come."""
        if self.method == "HEAD":
            raise ValueError("HEAD is not supported")

    def render(self, authority: str) -> bytes:
        """The bytes on the wire."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {authority}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body or self.method not in ("GET", "HEAD", "DELETE", "OPTIONS"):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join((*lines, "", "")).encode("latin-1") + self.body


@dataclass(frozen=True)
class Target:
    """Where requests go: an address, and the name that is asked for there (curl's `--resolve`).

    Args:
        address: IP address or host name to connect to.
        port: TCP port.
        host: the Host header's name and the TLS server name; the address unless told.
        tls: speak TLS; the context says whom to trust.
    """

    address: str
    port: int
    host: str = ""
    tls: ssl.SSLContext | None = None

    @property
    def authority(self) -> str:
        """The Host header: with the port, unless it is the scheme's own."""
        name = self.host or (f"[{self.address}]" if ":" in self.address else self.address)
        return name if self.host or self.port == (443 if self.tls else 80) else f"{name}:{self.port}"

    @property
    def server_name(self) -> str | None:
        """The TLS server name (SNI)."""
        return (self.host or self.address) if self.tls else None


@dataclass(slots=True)
class RequestResult:
    """What came of one request. Made for every request, so it is kept small and nobody should hold on to it.

    Args:
        due: seconds from the start of the load to when the request was due.
        latency: seconds from `due` to the end of the answer or of the attempt.
        status: the HTTP status; 0 without an answer.
        failure: why there is no answer; empty when there is one.
        headers: of the answer, names in lower case.
        body: of the answer.
    """

    due: float
    latency: float
    status: int = 0
    failure: Failure = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def succeeded(self) -> bool:
        """An answer came and it is no server error."""
        return not self.failure and self.status < 500


def trusting_anyone() -> ssl.SSLContext:
    """A TLS context that looks at no certificate: curl's `-k`, for self-signed Gateways."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

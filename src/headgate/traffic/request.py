"""Requests, their target, and their results."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: Why a request has no response: no connection; a broken connection; a timeout; a response that is not HTTP; never sent
#: because the load ended first. Empty: it has one.
Failure = Literal["", "connect", "reset", "timeout", "protocol", "unsent"]


@dataclass(frozen=True)
class Request:
    """An HTTP/1.1 request; the Host header comes from the target."""

    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __post_init__(self) -> None:
        """Reject HEAD, whose responses announce a body that does not follow. Raises ValueError."""
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
    """The server: an address, and the host name for its requests (as with curl's `--resolve`).

    Args:
        address: IP address or host name to connect to.
        port: TCP port.
        host: the name in the Host header and the TLS server name; empty: the address.
        tls: the context for TLS; None: plain HTTP.
    """

    address: str
    port: int
    host: str = ""
    tls: ssl.SSLContext | None = None

    @property
    def authority(self) -> str:
        """The Host header: with the port, unless it is the default port of the scheme."""
        name = self.host or (f"[{self.address}]" if ":" in self.address else self.address)
        return name if self.host or self.port == (443 if self.tls else 80) else f"{name}:{self.port}"

    @property
    def server_name(self) -> str | None:
        """The TLS server name (SNI)."""
        return (self.host or self.address) if self.tls else None


@dataclass(slots=True)
class RequestResult:
    """The result of one request. There is one for every request, so do not keep them.

    Args:
        due: seconds from the start of the load to when the request was due.
        latency: seconds from `due` to the end of the response or of the attempt.
        status: the HTTP status; 0 without a response.
        failure: why there is no response; empty if there is one.
        headers: of the response, with names in lower case.
        body: of the response.
    """

    due: float
    latency: float
    status: int = 0
    failure: Failure = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def succeeded(self) -> bool:
        """Whether there is a response, other than a server error (5xx)."""
        return not self.failure and self.status < 500

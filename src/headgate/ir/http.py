"""Requests and responses as filters see them, for `simulate`."""

import msgspec

Headers = tuple[tuple[str, str], ...]


class Request(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One HTTP request. `target` is path and query as on the wire; header names are in lower case.

    `port` is the listener's port, `sni` the server name of the TLS handshake (None: plain HTTP).
    """

    host: str
    target: str = "/"
    method: str = "GET"
    headers: Headers = ()
    port: int = 80
    sni: str | None = None
    #: Whether the client has a certificate that the listener trusts.
    client_certificate_valid: bool = False

    @property
    def path(self) -> str:
        """The path without query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """Query parameters in order, not decoded: Envoy matches them as they were sent."""
        pairs = (part.partition("=") for part in self.target.partition("?")[2].split("&") if part)
        return tuple((name, value) for name, _, value in pairs)

    def header_lines(self, name: str) -> tuple[str, ...]:
        """All lines of a header. The Host header is one of them."""
        if name.lower() == "host":
            return (self.host,)
        return tuple(value for key, value in self.headers if key == name.lower())

    def header(self, name: str) -> str | None:
        """The value of a header, several lines joined with a comma; None without any."""
        found = self.header_lines(name)
        return ",".join(found) if found else None


class Exchange(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A request on its way through filters.

    `request` is what the backend will see, `original` what the client sent. `response_changes` are applied to the
    response in this order. A filter that answers itself sets `answer`, and no filter after it applies. `mirrors` are
    backends that get a copy.
    """

    request: Request
    original: Request
    #: The hostname of the virtual host: perhaps a wildcard, or empty.
    hostname: str = ""
    #: The part of the path that the route's prefix matched, for rewrites.
    matched_prefix: str = ""
    secure: bool = False
    response_changes: tuple["HeaderChanges", ...] = ()
    answer: "LocalResponse | None" = None
    mirrors: tuple["MirrorShare", ...] = ()


class HeaderChanges(msgspec.Struct, frozen=True, gc=False):
    """Headers to remove, to set (replacing what is there) and to add, in this order. Names are in lower case."""

    set: Headers = ()
    add: Headers = ()
    remove: tuple[str, ...] = ()

    def apply(self, headers: Headers) -> Headers:
        """Headers after the changes."""
        for name in self.remove:
            headers = remove_header(headers, name)
        for name, value in self.set:
            headers = set_header(headers, name, value)
        for name, value in self.add:
            headers = add_header(headers, name, value)
        return headers


class LocalResponse(msgspec.Struct, frozen=True, gc=False):
    """A response of the Gateway itself."""

    status: int
    headers: Headers = ()


class MirrorShare(msgspec.Struct, frozen=True, gc=False):
    """A copy of a share of the requests: `numerator` of `denominator` go to `backend` as well."""

    backend: str
    numerator: int = 100
    denominator: int = 100


def set_header(headers: Headers, name: str, value: str) -> Headers:
    """Replace all lines of a header by one."""
    return (*(pair for pair in headers if pair[0] != name.lower()), (name.lower(), value))


def add_header(headers: Headers, name: str, value: str) -> Headers:
    """One more line."""
    return (*headers, (name.lower(), value))


def remove_header(headers: Headers, name: str) -> Headers:
    """Drop all lines of a header."""
    return tuple(pair for pair in headers if pair[0] != name.lower())

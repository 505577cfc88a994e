"""Listeners, virtual hosts, routes and backends of Gateways."""

from typing import Literal, Protocol, TypeVar

import msgspec

from headgate.api.meta import Key, Ref

from .hostnames import covers
from .http import Exchange
from .limits import Limits, RetryBudget
from .matching import Match
from .precedence import Order
from .sessions import SessionPersistence
from .tls import ClientValidation, UpstreamTLS

ListenerProtocol = Literal["HTTP", "HTTPS", "TLS", "TCP", "UDP"]
Transport = Literal["TCP", "UDP"]

#: Families of protocols that can share a port: TLS and HTTPS are both selected by server name.
FAMILIES: dict[str, Literal["HTTP", "TLS", "TCP", "UDP"]] = {
    "HTTP": "HTTP",
    "HTTPS": "TLS",
    "TLS": "TLS",
    "TCP": "TCP",
    "UDP": "UDP",
}


def transport(protocol: str) -> Transport:
    """The transport protocol below a listener's protocol."""
    return "UDP" if protocol == "UDP" else "TCP"


class Filter(Protocol):
    """A filter of a rule, of a backendRef or of a listener: a frozen value that simulates itself.

    Rendering needs Envoy's nouns, which the IR does not have: `headgate.rendering.RouteModifier` adds it. `translate`
    fails on a filter that is none.
    """

    @property
    def backends(self) -> tuple["Backend", ...]:
        """Backends that the filter itself sends something to."""

    def simulate(self, exchange: Exchange) -> Exchange:
        """What the filter does to a request."""


class Certificate(msgspec.Struct, frozen=True, gc=False, order=True):
    """A Secret with a certificate and its key: its name and a hash, without the bytes."""

    secret: Key
    digest: str
    #: DNS names of the certificate.
    names: tuple[str, ...] = ()


S = TypeVar("S", bound=msgspec.Struct)


def overlay(base: S, other: S) -> S:
    """The settings of `base` with those that `other` sets. Fields that are None are not set."""
    changes = {name: value for name in other.__struct_fields__ if (value := getattr(other, name)) is not None}
    return msgspec.structs.replace(base, **changes) if changes else base


class ClientTraffic(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, cache_hash=True):
    """Settings for the clients of a listener. `translate` renders every field that is set, or fails.

    `client_validation` is how client certificates are verified (HTTPS only; None: the listener requests none).
    """

    client_validation: ClientValidation | None = None

    def overlay(self, other: "ClientTraffic") -> "ClientTraffic":
        """These settings with those that `other` sets."""
        return overlay(self, other)


class Listener(msgspec.Struct, frozen=True, gc=False):
    """A valid listener. `name` is unique within its Gateway (`namespace/set/section` for one of a ListenerSet).

    `hostname` is empty for every host; HTTPS, and TLS that terminates, have at least one certificate.
    """

    name: str
    port: int
    protocol: ListenerProtocol
    hostname: str = ""
    certificates: tuple[Certificate, ...] = ()
    #: The mode of a listener of protocol TLS; HTTPS always terminates.
    mode: Literal["Terminate", "Passthrough"] = "Terminate"
    client_traffic: ClientTraffic = ClientTraffic()
    #: Filters of all requests, in this order, before a route is selected.
    filters: tuple[Filter, ...] = ()
    #: The answer to all requests, if a reference of one of the filters does not resolve.
    direct_response: "DirectResponse | None" = None


class Port(msgspec.Struct, frozen=True, gc=False):
    """All valid listeners of a Gateway on one port, sorted by hostname (the most specific first).

    Their protocols are of one family: HTTP; HTTPS and TLS, selected by server name; or one listener of TCP or UDP.
    """

    gateway: Key
    number: int
    family: Literal["HTTP", "TLS", "TCP", "UDP"]
    listeners: tuple[Listener, ...]


class Binding(msgspec.Struct, frozen=True, gc=False):
    """The addresses that the Envoys of a Gateway bind, as they report it.

    `pod`: the wildcard address, since the pod has its own network. `service`: the `address` of the Gateway's Service;
    `offset` is added to ports below 1024 if those cannot be bound. `system_ca_file` has the CA certificates of the
    system (empty: the default file of Envoy's image).
    """

    bind: Literal["pod", "service"]
    address: str = ""
    offset: int = 0
    system_ca_file: str = ""

    def port(self, number: int) -> int:
        """The port that is bound for a listener's port."""
        return number + self.offset if number < 1024 else number


class BackendTraffic(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, cache_hash=True):
    """Settings for the traffic to a backend: all that its cluster depends on besides its address and protocol.

    The value is hashed as a whole into the cluster's name, so another value is another cluster, which is warm before
    the old one is removed. `translate` renders every field that is set, or fails; None is Headgate's default.
    """

    #: TLS to the endpoints (None: plain text).
    tls: UpstreamTLS | None = None
    #: The limit of concurrent retries (None: 1,024).
    retry_budget: RetryBudget | None = None

    def overlay(self, other: "BackendTraffic") -> "BackendTraffic":
        """These settings with those that `other` sets."""
        return overlay(self, other)

    def encoded(self) -> bytes:
        """The settings as bytes, to be hashed or compared; empty if none is set. Fields that are not set have no part
        in it, so a new field renames no cluster.
        """
        return b"" if self == BackendTraffic() else msgspec.json.encode(self)


class Backend(msgspec.Struct, frozen=True, gc=False):
    """One port of a Service, or an XBackend. `protocol` is the protocol to it (`tcp`: whatever the client sends)."""

    service: Key
    port: int
    protocol: Literal["http1", "http2", "tcp", "udp"] = "http1"
    traffic: BackendTraffic = BackendTraffic()
    #: A host outside of the cluster, resolved by DNS; then `service` is only a name.
    host: str = ""
    #: The XBackend that declares it; None: a Service.
    x_backend: Key | None = None

    def __str__(self) -> str:
        return f"{self.service}:{self.port}"

    @property
    def transport(self) -> Transport:
        """The transport protocol of the port: a Service may have one number for TCP and for UDP."""
        return "UDP" if self.protocol == "udp" else "TCP"

    def __lt__(self, other: "Backend") -> bool:
        """A total order; a backend without settings comes first."""
        return self._rank < other._rank

    @property
    def _rank(self) -> tuple[Key, int, str, bytes, str]:
        return self.service, self.port, self.protocol, self.traffic.encoded(), self.host


class Endpoint(msgspec.Struct, frozen=True, gc=False, order=True):
    """An address of a backend."""

    address: str
    port: int


class Target(msgspec.Struct, frozen=True, gc=False):
    """One backendRef of a rule. Without a backend the reference is unresolved, and its share is answered with
    `unresolved_status` (503 is UNAVAILABLE of gRPC).
    """

    backend: Backend | None
    filters: tuple[Filter, ...] = ()
    unresolved_status: Literal[500, 503] = 500
    #: How the requests of a session get the same endpoint of the backend.
    session_persistence: SessionPersistence | None = None


class Forward(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Forwards to one of the targets by weight. The weights are another value (`Shares`), under `weights_key`.

    With a single target there are no weights, and the key is empty.
    """

    targets: tuple[Target, ...]
    weights_key: str = ""


class DirectResponse(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Answers with this status, for this reason (a text for people)."""

    status: int
    reason: str


class Rule(msgspec.Struct, frozen=True, gc=False):
    """One rule of a route, resolved, without its weights. Invalid matches are not in it.

    `matches` have their index in the manifest. `backends` are all that the rule may send something to.
    """

    matches: tuple[tuple[int, Match], ...]
    filters: tuple[Filter, ...]
    action: Forward | DirectResponse
    limits: Limits = Limits()
    name: str = ""
    backends: tuple[Backend, ...] = ()


class Origin(msgspec.Struct, frozen=True, gc=False, order=True):
    """A match of a rule of a route, by its indexes in the manifest."""

    route: Ref
    rule: int
    match: int

    def __str__(self) -> str:
        return f"{self.route} rules[{self.rule}].matches[{self.match}]"


class RouteSecurity(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """What policies demand of the requests of a route before anything else applies to them. `translate` renders every
    field that is set, or fails.

    `filters` are passed before those of the rule. `closed` answers every request: a policy that secures the route
    cannot be applied. It closes connections where there are no requests.
    """

    filters: tuple[Filter, ...] = ()
    closed: DirectResponse | None = None

    def overlay(self, other: "RouteSecurity") -> "RouteSecurity":
        """Both: a request must pass the filters of each."""
        return RouteSecurity((*self.filters, *other.filters), self.closed or other.closed)


class Route(msgspec.Struct, frozen=True, gc=False):
    """One match of one rule of one route on one listener. `order` is its precedence (`headgate.ir.precedence`)."""

    origin: Origin
    order: Order
    match: Match
    filters: tuple[Filter, ...]
    action: Forward | DirectResponse
    limits: Limits = Limits()
    #: The listener's port and whether it is TLS: redirects without a port of their own depend on it.
    port: int = 80
    secure: bool = False
    security: RouteSecurity = RouteSecurity()


class VirtualHost(msgspec.Struct, frozen=True, gc=False):
    """All routes for a hostname on a listener, in order of precedence; the first that matches is selected.

    `configuration` is the name of its RouteConfiguration, `filters` are the listener's. `direct_response` answers every
    request: the hostname belongs to another listener of the port (`Listener.hostname`: 421), or a reference of a filter
    of the listener does not resolve (500).
    """

    gateway: Key
    configuration: str
    listener: str
    hostname: str
    routes: tuple[Route, ...] = ()
    direct_response: DirectResponse | None = None
    filters: tuple[Filter, ...] = ()


class Shares(msgspec.Struct, frozen=True, gc=False):
    """The weights of one rule's targets, in their order; the sum is never 0."""

    targets: tuple[Target, ...]
    weights: tuple[int, ...]


class Endpoints(msgspec.Struct, frozen=True, gc=False):
    """The endpoints of a backend, sorted."""

    backend: Backend
    endpoints: tuple[Endpoint, ...] = ()


def configuration_name(listener: Listener) -> str:
    """The RouteConfiguration of a listener: one for all HTTP listeners of a port, one for each HTTPS listener."""
    if listener.protocol == "HTTP":
        return f"http-{listener.port}"
    return f"https-{listener.port}-{listener.name}"


def select_listener(listeners: tuple[Listener, ...], host: str) -> Listener | None:
    """The listener for a host: the most specific hostname that covers it (listener isolation)."""
    return next((each for each in listeners if covers(each.hostname, host)), None)

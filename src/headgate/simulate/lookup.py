"""What a simulation reads: the IR, by key. A program's `Routing` is one, and so are dicts of values made by hand."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from headgate.api.meta import Key
from headgate.ir import routing as ir
from headgate.ir.streams import ListenerStreams, WeightedBackends, WeightedBackendsKey

K = TypeVar("K")
V_co = TypeVar("V_co", covariant=True)
K_contra = TypeVar("K_contra", contravariant=True)


class Lookup(Protocol[K_contra, V_co]):
    """Values by key."""

    def get(self, key: K_contra, /) -> V_co | None:
        """The value of a key, or None."""


class Listing(Protocol[K, V_co]):
    """Values by key, and all of them."""

    def get(self, key: K, /) -> V_co | None:
        """The value of a key, or None."""

    def items(self) -> Iterable[tuple[K, V_co]]:
        """All keys and values."""


#: Gateway, RouteConfiguration, listener, hostname (empty: every host).
HostKey = tuple[Key, str, str, str]
#: Gateway, transport, port.
PortKey = tuple[Key, ir.Transport, int]


class RoutingTables(Protocol):
    """The IR of one or more Gateways. `headgate.world.Routing` documents the tables."""

    @property
    def ports(self) -> Lookup[PortKey, ir.Port]:
        """Valid listeners by port."""

    @property
    def hosts(self) -> Listing[HostKey, ir.VirtualHost]:
        """Virtual hosts."""

    @property
    def shares(self) -> Lookup[tuple[Key, str], ir.Shares]:
        """Weights by Gateway and weights key."""

    @property
    def endpoints(self) -> Lookup[ir.Backend, ir.Endpoints]:
        """Endpoints of backends."""

    @property
    def streams(self) -> Lookup[PortKey, tuple[ListenerStreams, ...]]:
        """Listeners of TLS, TCP and UDP by port."""

    @property
    def weighted_backends(self) -> Lookup[tuple[Key, WeightedBackendsKey], WeightedBackends]:
        """Backends of routes of TLS, TCP and UDP."""

    @property
    def client_certificates(self) -> Lookup[Key, ir.Certificate]:
        """The client certificate of a Gateway for backends with TLS."""

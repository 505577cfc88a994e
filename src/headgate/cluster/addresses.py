"""The networks and ports of a local cluster.

They follow from the index of the cluster's name (`registry`). Clusters with different indexes share no address and no
port, so they can run side by side.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

#: Indexes of clusters: each has two /16 networks out of 127.10.0.0 to 127.63.255.255.
INDEXES = range(27)
_FIRST_NETWORK = 10
_FIRST_PORT = 16443
_PORTS_EACH = 10


@dataclass(frozen=True)
class Networks:
    """Networks that were set by flags; None: the loopback network of the index."""

    pods: IPv4Network | None = None
    load_balancers: IPv4Network | None = None


@dataclass(frozen=True)
class ClusterAddresses:
    """The networks and ports of one cluster. Without flags the networks are on loopback."""

    index: int
    api_port: int
    networks: Networks = Networks()

    @classmethod
    def of(cls, index: int, api_port: int | None = None, networks: Networks | None = None) -> "ClusterAddresses":
        """The addresses of an index; `api_port` replaces the port of the API only."""
        return cls(index, api_port or _FIRST_PORT + _PORTS_EACH * index, networks or Networks())

    @property
    def pods(self) -> IPv4Network:
        """Addresses of pods."""
        return self.networks.pods or self._loopback_network(0)

    @property
    def load_balancers(self) -> IPv4Network:
        """Addresses of Services of type LoadBalancer."""
        return self.networks.load_balancers or self._loopback_network(1)

    def _loopback_network(self, number: int) -> IPv4Network:
        return IPv4Network(f"127.{_FIRST_NETWORK + 2 * self.index + number}.0.0/16")

    @property
    def reservation(self) -> tuple[IPv4Address, int]:
        """The socket address that a running cluster binds, so that no other one uses its networks."""
        return self._loopback_network(0).broadcast_address - 1, _FIRST_PORT - 1

    def port(self, offset: int) -> int:
        """Port 1 to 9 after that of the API: xDS and health endpoints."""
        return _FIRST_PORT + _PORTS_EACH * self.index + offset

    @property
    def xds_port(self) -> int:
        """The port of the xDS server."""
        return self.port(1)

    @property
    def controller_health_port(self) -> int:
        """/readyz of `headgate controller`."""
        return self.port(2)

    @property
    def node_port(self) -> int:
        """/healthz and /containerLogs of `headgate node`."""
        return self.port(3)

    @property
    def workloads_health_port(self) -> int:
        """/readyz of `headgate workloads`."""
        return self.port(4)

    @property
    def ports(self) -> tuple[int, ...]:
        """All TCP ports of 127.0.0.1 that the cluster uses."""
        return (self.api_port, self.xds_port, self.controller_health_port, self.node_port, self.workloads_health_port)

"""Where a local cluster keeps its files, and which addresses and ports are its own.

Everything derives from two values: the data folder and the index of the cluster's name (`registry`). Clusters with
different indexes share neither an address nor a port, so they live side by side.
"""

import os
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from headgate.cluster.errors import ClusterError

#: Clusters that fit into 127.10.0.0 to 127.63.255.255, two /16 networks each.
INDEXES = range(27)
_FIRST_NETWORK = 10
_FIRST_PORT = 16443
_PORTS_EACH = 10
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Networks:
    """Networks that the caller chose; None where the cluster's own loopback network will do."""

    pods: IPv4Network | None = None
    load_balancers: IPv4Network | None = None


@dataclass(frozen=True)
class ClusterAddresses:
    """The networks and ports of one cluster; loopback ones, unless others were chosen."""

    index: int
    api_port: int
    networks: Networks = Networks()

    @classmethod
    def of(cls, index: int, api_port: int | None = None, chosen: Networks | None = None) -> "ClusterAddresses":
        """Those of an index; `api_port` overrules the API's port only."""
        return cls(index, api_port or _FIRST_PORT + _PORTS_EACH * index, chosen or Networks())

    @property
    def pods(self) -> IPv4Network:
        """Addresses of pods."""
        return self.networks.pods or self._own(0)

    @property
    def load_balancers(self) -> IPv4Network:
        """Addresses of Services of type LoadBalancer."""
        return self.networks.load_balancers or self._own(1)

    def _own(self, place: int) -> IPv4Network:
        return IPv4Network(f"127.{_FIRST_NETWORK + 2 * self.index + place}.0.0/16")

    @property
    def reservation(self) -> tuple[IPv4Address, int]:
        """The socket address that a running cluster holds, so that no second one uses its networks."""
        return self._own(0).broadcast_address - 1, _FIRST_PORT - 1

    def port(self, place: int) -> int:
        """One of the cluster's further ports, 1 to 9: xDS and health endpoints."""
        return _FIRST_PORT + _PORTS_EACH * self.index + place

    @property
    def xds_port(self) -> int:
        """Where Envoys get their configuration."""
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
        """Every TCP port on 127.0.0.1 that the cluster needs."""
        return (self.api_port, self.xds_port, self.controller_health_port, self.node_port, self.workloads_health_port)


@dataclass(frozen=True)
class DataFolder:
    """The data folder of one cluster."""

    path: Path

    @property
    def kubeconfig(self) -> Path:
        """What kubectl needs; it carries a token, hence mode 0600."""
        return self.path / "kubeconfig"

    @property
    def lock(self) -> Path:
        """Held by the running `headgate up`."""
        return self.path / "lock"

    @property
    def supervisor(self) -> Path:
        """Which process is the running `headgate up`, and whether everything is ready."""
        return self.path / "up.json"

    @property
    def processes(self) -> Path:
        """One file per supervised process."""
        return self.path / "processes"

    @property
    def node_processes(self) -> Path:
        """One file per process of a pod, written by the node."""
        return self.node / "processes"

    @property
    def short_path(self) -> Path:
        """Where the node notes its link to a folder that is too deep for Unix sockets."""
        return self.node / "short-path"

    @property
    def logs(self) -> Path:
        """One log per supervised process."""
        return self.path / "logs"

    @property
    def api(self) -> Path:
        """The API's objects and certificates."""
        return self.path / "api"

    @property
    def node(self) -> Path:
        """The node's volumes, logs and process records."""
        return self.path / "node"

    @property
    def log_of_up(self) -> Path:
        """What a detached `headgate up` says."""
        return self.path / "up.log"

    def log(self, component: str) -> Path:
        """The log of one supervised process."""
        return self.logs / f"{component}.log"

    def create(self) -> None:
        """Create what is missing; the folder holds keys and tokens, so it is the user's alone."""
        try:
            for folder in (self.path, self.processes, self.logs, self.api, self.node):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ClusterError(f"the data folder {self.path} cannot be made: {error.strerror}") from None


def state_home() -> Path:
    """`$XDG_STATE_HOME/headgate`, else `~/.local/state/headgate`."""
    configured = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(configured) if configured.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError:
        raise ClusterError("there is no home directory: set HOME or XDG_STATE_HOME, or pass --data") from None
    return base / "headgate"


def check_name(name: str) -> str:
    """The name, if it can be one: a DNS label of at most 40 characters."""
    if not _NAME.fullmatch(name):
        raise ClusterError(
            f"{name!r} cannot be the name of a cluster: use lower-case letters, digits and dashes, 40 at most"
        )
    return name

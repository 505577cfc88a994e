"""The files of a local cluster, and the folder in which all clusters of a user are by default."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from headgate.cluster.errors import ClusterError

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class DataFolder:
    """The data folder of one cluster."""

    path: Path

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig for kubectl. Its mode is 0600, because it contains a token."""
        return self.path / "kubeconfig"

    @property
    def lock(self) -> Path:
        """The lock of the running `headgate up`."""
        return self.path / "lock"

    @property
    def supervisor(self) -> Path:
        """The process of the running `headgate up`, and whether all components are ready."""
        return self.path / "up.json"

    @property
    def processes(self) -> Path:
        """The records of supervised processes."""
        return self.path / "processes"

    @property
    def node_processes(self) -> Path:
        """The records of processes of pods, written by the node."""
        return self.node / "processes"

    @property
    def short_path(self) -> Path:
        """The node's note of a short link to its folder, see `headgate.host.socket_paths`."""
        return self.node / "short-path"

    @property
    def logs(self) -> Path:
        """The logs of supervised processes."""
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
        """The output of a detached `headgate up`."""
        return self.path / "up.log"

    def log(self, component: str) -> Path:
        """The log of one supervised process."""
        return self.logs / f"{component}.log"

    def create(self) -> None:
        """Create missing folders with mode 0700, because they hold keys and tokens. Raises `ClusterError`."""
        try:
            for folder in (self.path, self.processes, self.logs, self.api, self.node):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ClusterError(f"the data folder {self.path} cannot be created: {error.strerror}") from None


def state_home() -> Path:
    """`$XDG_STATE_HOME/headgate`, else `~/.local/state/headgate`."""
    configured = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(configured) if configured.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError:
        raise ClusterError("no home directory is set: set HOME or XDG_STATE_HOME, or pass --data") from None
    return base / "headgate"


def check_name(name: str) -> str:
    """The name, if it is valid: a DNS label of at most 40 characters. Raises `ClusterError`."""
    if not _NAME.fullmatch(name):
        raise ClusterError(
            f"{name!r} is not a valid cluster name: use at most 40 lower-case letters, digits and dashes"
        )
    return name

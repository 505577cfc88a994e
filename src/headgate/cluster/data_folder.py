"""The files of a local cluster, and the folder in which all clusters of a user are by default."""

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from headgate.cluster.errors import ClusterError
from headgate.host.files import write_atomically

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


class Marker(msgspec.Struct, frozen=True):
    """The content of `.headgate.json`: Headgate created everything that has a name of `DataFolder` in this folder.

    Attributes:
        created: whether Headgate created the folder itself, too.
    """

    created: bool


@dataclass(frozen=True)
class DataFolder:
    """The data folder of one cluster. It may contain files of others; their names differ from the names here."""

    path: Path

    @property
    def marker(self) -> Path:
        """Marks a folder whose files Headgate may remove, see `Marker`."""
        return self.path / ".headgate.json"

    @property
    def objects(self) -> Path:
        """The API's database."""
        return self.api / "objects.sqlite"

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

    @property
    def is_unused(self) -> bool:
        """Whether no program has been started in it."""
        return not self.objects.exists() and not any(self.logs.glob("*"))

    def create(self) -> None:
        """Create and mark the folder, with mode 0700, because it holds keys and tokens.

        Raises:
            ClusterError: it cannot be created, or it contains files of others with names that Headgate needs.
        """
        try:
            created = not self.path.exists()
            if not created and not self.path.is_dir():
                raise ClusterError(f"the data folder {self.path} is a file: choose a folder with --data")
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self.marker.exists():
                self._mark(created)
            for folder in self._folders:
                folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise ClusterError(f"the data folder {self.path} cannot be created: {error.strerror}") from None

    def remove(self) -> bool:
        """Remove what Headgate created; whether the folder is marked, or does not exist. Other files stay."""
        if not self.path.is_dir():
            return True
        try:
            marker = msgspec.json.decode(self.marker.read_bytes(), type=Marker)
        except (FileNotFoundError, msgspec.DecodeError):
            return False
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        for file in (*self._files, self.marker):
            file.unlink(missing_ok=True)
        if marker.created:
            with contextlib.suppress(OSError):  # it contains other files
                self.path.rmdir()
        return True

    @property
    def _folders(self) -> tuple[Path, ...]:
        return (self.processes, self.logs, self.api, self.node)

    @property
    def _files(self) -> tuple[Path, ...]:
        return (self.kubeconfig, self.lock, self.supervisor, self.log_of_up)

    def _mark(self, created: bool) -> None:
        if self.objects.exists():
            return  # of a version without markers: which files are Headgate's is unknown, so it removes none
        if names := [path.name for path in (*self._folders, *self._files) if os.path.lexists(path)]:
            raise ClusterError(
                f"the folder {self.path} contains {', '.join(names)}, which Headgate did not create: "
                "choose another folder with --data"
            )
        write_atomically(self.marker, msgspec.json.encode(Marker(created)))


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

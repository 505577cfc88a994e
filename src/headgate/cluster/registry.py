"""The clusters of this user by name, in one file under a lock."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from headgate.cluster.addresses import INDEXES
from headgate.cluster.data_folder import check_name, state_home
from headgate.cluster.errors import ClusterError
from headgate.host.files import write_atomically
from headgate.host.process_records import ProcessRecord


class Entry(msgspec.Struct, frozen=True):
    """A registered cluster.

    Attributes:
        index: gives its networks and ports, see `ClusterAddresses`.
        data: its data folder.
        owner: the process with which an ephemeral cluster ends (the demo's).
    """

    index: int
    data: str
    owner: ProcessRecord | None = None


class Registry:
    """The file of clusters. Every method reads it again, because other commands write it too."""

    def __init__(self, home: Path | None = None) -> None:
        self._home = home or state_home()
        self._file = self._home / "clusters.json"

    def find(self, name: str) -> Entry | None:
        """The entry of a name; None if there is none."""
        return self.all().get(name)

    def all(self) -> dict[str, Entry]:
        """Every cluster by name."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, Entry])
        except FileNotFoundError:
            return {}
        except msgspec.DecodeError as error:
            raise ClusterError(f"{self._file} is not a valid list of clusters ({error}): repair or delete it") from None

    def register(
        self, name: str, data: Path | None, *, taken: frozenset[int] = frozenset(), owner: ProcessRecord | None = None
    ) -> Entry:
        """The entry of a name; it is made if there is none, and `data` replaces its data folder.

        Args:
            taken: indexes that a new entry must not get, because clusters of others use them.
            owner: the process with which the cluster ends.

        Raises:
            ClusterError: the name is invalid, or no index is free.
        """
        check_name(name)
        with self._locked():
            entries = self.all()
            known = entries.get(name)
            used = {entry.index for entry in entries.values()} | taken
            index = known.index if known else next((i for i in INDEXES if i not in used), None)
            if index is None:
                raise ClusterError(
                    f"all {len(INDEXES)} networks for clusters are in use: delete a cluster with "
                    "`headgate down --name … --delete`"
                )
            default = known.data if known else str(self._home / name)
            entry = Entry(index, str(data.absolute()) if data else default, owner)
            self._write(entries | {name: entry})
        return entry

    def unregister(self, name: str) -> None:
        """Remove an entry; its index is free again."""
        with self._locked():
            self._write({known: entry for known, entry in self.all().items() if known != name})

    def restore(self, name: str, entry: Entry | None, replaced: Entry) -> None:
        """Undo a `register`: the name has its earlier entry again, or none, unless another command changed it."""
        with self._locked():
            entries = self.all()
            if entries.get(name) == replaced:
                del entries[name]
                self._write(entries if entry is None else entries | {name: entry})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ClusterError(f"the folder {self._home} cannot be made: {error.strerror}") from None
        with (self._home / "clusters.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, entries: dict[str, Entry]) -> None:
        write_atomically(self._file, json.dumps(msgspec.to_builtins(entries), indent=2).encode() + b"\n")

"""A local cluster from start to end: orphans of an earlier run, preflight, supervision, stop."""

import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from headgate.cluster import orphans, preflight
from headgate.cluster.addresses import ClusterAddresses, Networks
from headgate.cluster.components import ClusterOptions, default_components
from headgate.cluster.data_folder import DataFolder
from headgate.cluster.errors import ClusterError
from headgate.cluster.registry import Entry, Registry
from headgate.cluster.supervisor import Component, ComponentEvent, Supervisor
from headgate.host import process_records, socket_paths
from headgate.host.files import write_atomically
from headgate.host.process_records import ProcessRecord
from headgate.host.python import module_path

EventHandler = Callable[[ComponentEvent], None]
#: Seconds for a supervisor to stop all components, including the grace periods of pods.
_STOP_DEADLINE = 90.0


class SupervisorState(msgspec.Struct, frozen=True):
    """The running supervisor; the content of `up.json`.

    Attributes:
        ready: whether all components are ready.
    """

    supervisor: ProcessRecord
    name: str
    ready: bool


class Cluster(msgspec.Struct, frozen=True):
    """A local cluster's name, files and addresses."""

    name: str
    folder: DataFolder
    addresses: ClusterAddresses

    @property
    def low_ports(self) -> bool:
        """Whether Gateways can listen on ports below 1024 on this machine."""
        return preflight.low_ports_allowed(self.addresses)


def find_or_register(
    registry: Registry,
    name: str,
    data: Path | None,
    port: int | None = None,
    networks: Networks | None = None,
    *,
    ephemeral: bool = False,
) -> Cluster:
    """The cluster of a name; it is registered if it is new.

    Args:
        data: its data folder, if it is not the one that is registered or the default.
        port: the port of the API, instead of the one that the index gives.
        ephemeral: delete the cluster once this process has ended, see `delete_abandoned`.

    Raises:
        ClusterError: it cannot be registered, or it runs with another data folder.
    """
    delete_abandoned(registry)
    known = registry.find(name)
    if known is not None and data is not None:
        _check_data(name, known, data)
    taken = frozenset() if known else preflight.reserved_indexes()
    owner = process_records.record_of(os.getpid()) if ephemeral else None
    return _cluster(name, registry.register(name, data, taken=taken, owner=owner), port, networks)


def _check_data(name: str, known: Entry, data: Path) -> None:
    folder = DataFolder(Path(known.data))
    if folder.path.resolve() != data.resolve() and _is_running(folder):
        raise ClusterError(
            f"the cluster {name} is running with the data folder {folder.path}: "
            f"end it with `headgate down --name {name}`, or choose another --name for {data}"
        )


def _is_running(folder: DataFolder) -> bool:
    return read_state(folder) is not None or orphans.has_processes(folder)


@dataclass
class Registration:
    """The registration of a cluster for one start.

    Attributes:
        kept: whether the cluster became ready, so that the registration stays.
    """

    cluster: Cluster
    kept: bool = False


@contextlib.contextmanager
def registered(
    registry: Registry, name: str, data: Path | None, port: int | None = None, networks: Networks | None = None
) -> Iterator[Registration]:
    """Register a cluster for a start, as `find_or_register` does.

    If the block ends before the registration is `kept`, the start has failed: the name has its earlier entry again,
    so its index (networks and ports) is free again. A new data folder in which nothing was started is removed.
    """
    delete_abandoned(registry)
    before = registry.find(name)
    registration = Registration(find_or_register(registry, name, data, port, networks))
    replaced = registry.find(name)
    try:
        yield registration
    finally:
        folder = registration.cluster.folder
        if replaced is not None and not registration.kept and not _is_running(folder):
            registry.restore(name, before, replaced)
            with contextlib.suppress(OSError):  # it could not be created
                if before != replaced and folder.is_unused:
                    folder.remove()


def delete_abandoned(registry: Registry) -> None:
    """End and delete ephemeral clusters whose process has ended without doing so."""
    for name, entry in registry.all().items():
        if entry.owner is not None and not process_records.is_running(entry.owner):
            cluster = _cluster(name, entry, None)
            stop_cluster(cluster)
            delete_cluster(registry, cluster)
            with contextlib.suppress(OSError):  # a temporary folder
                cluster.folder.path.rmdir()


def find_cluster(registry: Registry, name: str) -> Cluster | None:
    """The cluster of a name; None if it is not registered."""
    entry = registry.find(name)
    return None if entry is None else _cluster(name, entry, None)


def _cluster(name: str, entry: Entry, port: int | None, networks: Networks | None = None) -> Cluster:
    return Cluster(name, DataFolder(Path(entry.data)), ClusterAddresses.of(entry.index, port, networks))


@contextlib.asynccontextmanager
async def run_cluster(
    cluster: Cluster, options: ClusterOptions, on_event: EventHandler, *, components: Sequence[Component] | None = None
) -> AsyncIterator[Supervisor]:
    """Run a cluster: it is ready when the block begins, and is stopped when the block ends.

    Args:
        components: other components than the default ones, for tests.

    Raises:
        ClusterError: it cannot be started. All processes that had been started have ended.
    """
    folder = cluster.folder
    folder.create()
    with preflight.lock_data_folder(cluster.name, folder):
        orphans.end_orphans(folder)
        addresses = cluster.addresses
        shared = (addresses.pods[1],) if options.pod_network == "shared" else ()
        preflight.check_loopback(preflight.LOOPBACK, *shared, addresses.load_balancers[1])
        preflight.check_envoy(preflight.envoy_binary())
        with preflight.reserve_networks(addresses):
            preflight.check_ports(addresses)
            supervisor = Supervisor(
                components if components is not None else default_components(folder, addresses, options),
                records=folder.processes,
                log=folder.log,
                on_event=on_event,
                environment={orphans.MARK: str(folder.path), **module_path()},
            )
            _write_state(cluster, ready=False)
            try:
                await supervisor.start()
                _write_state(cluster, ready=True)
                yield supervisor
            finally:
                await supervisor.stop()
                orphans.end_orphans(folder)
                folder.supervisor.unlink(missing_ok=True)


def read_state(folder: DataFolder) -> SupervisorState | None:
    """The running supervisor of a data folder; None if none runs."""
    try:
        state = msgspec.json.decode(folder.supervisor.read_bytes(), type=SupervisorState)
    except (OSError, msgspec.DecodeError):
        return None
    return state if process_records.is_running(state.supervisor) else None


def _write_state(cluster: Cluster, *, ready: bool) -> None:
    me = process_records.record_of(os.getpid())
    write_atomically(cluster.folder.supervisor, msgspec.json.encode(SupervisorState(me, cluster.name, ready)))


def stop_cluster(cluster: Cluster) -> bool:
    """Stop a cluster, also one whose supervisor was killed; whether any process had to be ended."""
    state = read_state(cluster.folder)
    if state is not None:
        _stop_supervisor(state.supervisor)
    ended = orphans.end_orphans(cluster.folder)
    with contextlib.suppress(NotADirectoryError):
        cluster.folder.supervisor.unlink(missing_ok=True)
    return state is not None or ended > 0


def _stop_supervisor(record: ProcessRecord) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_DEADLINE
    while process_records.is_running(record):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGKILL)
        time.sleep(0.05)


def delete_cluster(registry: Registry, cluster: Cluster) -> bool:
    """Remove a stopped cluster from the registry, and what Headgate created in its data folder. Other files stay.

    Returns:
        False if the data folder has no marker, so that nothing was removed from it.

    Raises:
        ClusterError: the cluster runs.
    """
    folder = cluster.folder
    if read_state(folder) is not None:
        raise ClusterError(f"the cluster {cluster.name} is running: stop it first")
    if folder.path.is_dir():
        socket_paths.remove_link(folder.short_path)
    removed = folder.remove()
    registry.unregister(cluster.name)
    return removed

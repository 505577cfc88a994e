"""A local cluster from start to end: preflight, what an earlier one left, supervision, orderly stop."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec

from headgate.cluster import orphans, preflight
from headgate.cluster.components import ClusterOptions, default_components
from headgate.cluster.errors import ClusterError
from headgate.cluster.places import ClusterAddresses, DataFolder, Networks
from headgate.cluster.registry import Entry, Registry
from headgate.cluster.supervisor import Component, ComponentEvent, Supervisor
from headgate.host import process_records, socket_paths
from headgate.host.files import write_atomically
from headgate.host.process_records import ProcessRecord

EventHandler = Callable[[ComponentEvent], None]
#: Seconds for a supervisor that was asked to stop: the node's pods and everything else, with their graces.
_STOP_DEADLINE = 90.0


class SupervisorState(msgspec.Struct, frozen=True):
    """The running supervisor, as it stands in `up.json`."""

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
        """Whether Gateways can listen below port 1024 here."""
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
    """The cluster of a name, entered into the registry if it is new.

    Args:
        only_for_us: nobody wants it any more when this process has ended, see `sweep`.
    """
    delete_abandoned(registry)
    taken = frozenset() if registry.find(name) else preflight.reserved_indexes()
    owner = process_records.record_of(os.getpid()) if ephemeral else None
    return _cluster(name, registry.register(name, data, taken=taken, owner=owner), port, networks)


def delete_abandoned(registry: Registry) -> None:
    """End and delete clusters whose owner was killed before it could do so itself."""
    for name, entry in registry.all().items():
        if entry.owner is not None and not process_records.is_running(entry.owner):
            cluster = _cluster(name, entry, None)
            stop_cluster(cluster)
            delete_cluster(registry, cluster)


def find_cluster(registry: Registry, name: str) -> Cluster | None:
    """The cluster of a name, if there is one."""
    entry = registry.find(name)
    return None if entry is None else _cluster(name, entry, None)


def _cluster(name: str, entry: Entry, port: int | None, networks: Networks | None = None) -> Cluster:
    return Cluster(name, DataFolder(Path(entry.data)), ClusterAddresses.of(entry.index, port, networks))


@contextlib.asynccontextmanager
async def run_cluster(
    cluster: Cluster, options: ClusterOptions, on_event: EventHandler, *, components: Sequence[Component] | None = None
) -> AsyncIterator[Supervisor]:
    """The cluster, up and ready; leaving the block stops it in order.

    Args:
        parts: other components than those of `components.components`, for tests of this room.

    Raises:
        ClusterError: before anything started, or after everything that had started was ended again.
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
                environment={orphans.MARK: str(folder.path)},
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
    """The running supervisor of a data folder; None when none runs."""
    try:
        found = msgspec.json.decode(folder.supervisor.read_bytes(), type=SupervisorState)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return found if process_records.is_running(found.supervisor) else None


def _write_state(cluster: Cluster, *, ready: bool) -> None:
    me = process_records.record_of(os.getpid())
    write_atomically(cluster.folder.supervisor, msgspec.json.encode(SupervisorState(me, cluster.name, ready)))


def stop_cluster(cluster: Cluster) -> bool:
    """Stop the cluster, running or killed; whether there was anything to stop."""
    running_now = read_state(cluster.folder)
    if running_now is not None:
        _stop_supervisor(running_now.supervisor)
    left = orphans.end_orphans(cluster.folder)
    cluster.folder.supervisor.unlink(missing_ok=True)
    return running_now is not None or left > 0


def _stop_supervisor(record: ProcessRecord) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_DEADLINE
    while process_records.is_running(record):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGKILL)
        time.sleep(0.05)


def delete_cluster(registry: Registry, cluster: Cluster) -> None:
    """Remove a stopped cluster's name and what it wrote into its data folder, and nothing else of that folder."""
    if read_state(cluster.folder) is not None:
        raise ClusterError(f"the cluster {cluster.name} runs: stop it first")
    folder = cluster.folder
    socket_paths.remove_link(folder.short_path)
    for part in (folder.processes, folder.logs, folder.api, folder.node):
        shutil.rmtree(part, ignore_errors=True)
    for file in (folder.kubeconfig, folder.lock, folder.supervisor, folder.log_of_up):
        file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # what somebody else put there stays
        folder.path.rmdir()
    registry.unregister(cluster.name)

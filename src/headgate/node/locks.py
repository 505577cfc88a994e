"""Locks: two nodes must not share a data folder or a pod network."""

import contextlib
import fcntl
import ipaddress
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from headgate.host.files import private_folder


class InUseError(Exception):
    """Another node uses it; the text says what."""


@contextlib.contextmanager
def lock_node(data: Path, pods: ipaddress.IPv4Network) -> Iterator[None]:
    """Lock the data folder and the pod network until the end of the block or of the process. Raises `InUseError`."""
    with contextlib.ExitStack() as held:
        try:
            lock = held.enter_context((private_folder(data) / "lock").open("w"))
        except OSError as error:
            raise InUseError(f"the data folder {data} cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUseError(f"the data folder {data} is used by another running node") from None
        if sys.platform == "linux":
            _lock_network(held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)), pods)
        yield


def _lock_network(name: socket.socket, pods: ipaddress.IPv4Network) -> None:
    """Bind a name of the abstract namespace (unix(7)): one per network namespace, released with the process."""
    try:
        name.bind(f"\0headgate-pods-{pods}")
    except OSError:
        raise InUseError(f"the pod network {pods} is used by another running node; choose another --pod-cidr") from None


def is_local(server: str) -> bool:
    """Whether all addresses of an API server's host name are loopback addresses."""
    host = urlsplit(server).hostname or ""
    try:
        addresses = {result[4][0] for result in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in addresses)

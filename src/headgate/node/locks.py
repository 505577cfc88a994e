"""Two nodes must not share a data folder, nor the addresses of their pods."""

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
    """Another node has it; the text says what."""


@contextlib.contextmanager
def lock_node(data: Path, pods: ipaddress.IPv4Network) -> Iterator[None]:
    """Holds the data folder and the pod network until the end of the block, or of the process. Raises `TakenError`."""
    with contextlib.ExitStack() as held:
        try:
            lock = held.enter_context((private_folder(data) / "lock").open("w"))
        except OSError as error:
            raise InUseError(f"the data folder {data} cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUseError(f"the data folder {data} belongs to another node that runs now") from None
        if sys.platform == "linux":
            _take_network(held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)), pods)
        yield


def _take_network(name: socket.socket, pods: ipaddress.IPv4Network) -> None:
    """A name in the abstract namespace: of this network stack, and gone with its process."""
    try:
        name.bind(f"\0headgate-pods-{pods}")
    except OSError:
        raise InUseError(
            f"the pod network {pods} belongs to another node that runs now; choose another --pod-cidr"
        ) from None


def is_local(server: str) -> bool:
    """Whether an API server's URL leads to this machine, by every address that its name has."""
    host = urlsplit(server).hostname or ""
    try:
        found = {each[4][0] for each in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in found)

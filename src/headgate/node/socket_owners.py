"""The owner of the other end of a loopback connection.

Loopback excludes other machines, but not other users of this one. Linux names the owner of each socket in
/proc/net/tcp, so logs can be limited to this user and root.
"""

import os
import socket
import struct
from pathlib import Path

_TABLE = Path("/proc/net/tcp")


def is_trusted_peer(peer: tuple[str, int], here: tuple[str, int]) -> bool:
    """Whether the peer's socket belongs to this user or root; True where the system has no /proc/net/tcp."""
    if not _TABLE.exists():
        return True
    return owner(_TABLE.read_text(), peer, here) in (0, os.getuid())


def owner(table: str, peer: tuple[str, int], here: tuple[str, int]) -> int | None:
    """The uid of the socket `peer` that is connected to `here`, from the text of /proc/net/tcp."""
    wanted = [_hexadecimal(*peer), _hexadecimal(*here)]
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == wanted:
            return int(fields[7])
    return None


def _hexadecimal(address: str, port: int) -> str:
    (number,) = struct.unpack("=I", socket.inet_aton(address))
    return f"{number:08X}:{port:04X}"

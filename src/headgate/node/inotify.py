"""inotify instances, which the kernel limits per user (`fs.inotify.max_user_instances`, often 128).

An Envoy opens some when it starts, and ends at once if there are none left.
"""

import ctypes
import os
from pathlib import Path

_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")


def available(count: int) -> bool:
    """Whether this user may open `count` more; True where there is no such limit."""
    if not _LIMIT.exists():
        return True
    libc = ctypes.CDLL(None, use_errno=True)
    opened: list[int] = []
    try:
        while len(opened) < count and (descriptor := libc.inotify_init1(os.O_CLOEXEC)) >= 0:
            opened.append(descriptor)
        return len(opened) == count
    finally:
        for descriptor in opened:
            os.close(descriptor)


def limit() -> int:
    """How many a user may open."""
    return int(_LIMIT.read_text())

"""Watchers of files: the kernel gives each user only so many (`fs.inotify.max_user_instances`, often 128).

An Envoy takes a few of them when it starts, and ends at once when there are none left.
"""

import ctypes
import os
from pathlib import Path

_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")


def available(count: int) -> bool:
    """Whether this user may have so many more; True where there is no such limit."""
    if not _LIMIT.exists():
        return True
    libc = ctypes.CDLL(None, use_errno=True)
    taken: list[int] = []
    try:
        while len(taken) < count and (descriptor := libc.inotify_init1(os.O_CLOEXEC)) >= 0:
            taken.append(descriptor)
        return len(taken) == count
    finally:
        for descriptor in taken:
            os.close(descriptor)


def limit() -> int:
    """How many a user may have."""
    return int(_LIMIT.read_text())

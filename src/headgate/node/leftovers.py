"""Ends what a killed node left: its pods' processes have no parent then and would run for ever.

The records say which they were. A pid that was given to somebody else since is told by its start time, and left alone.
"""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

import structlog

from . import identity
from .processes import MARK

_log = structlog.get_logger("headgate.node")

#: Seconds between SIGTERM and SIGKILL: nobody waits for a pod without a node.
PATIENCE = 1.0


def end_leftovers(records: Path, mark: str) -> int:
    """Ends every recorded process group that still is what it was; how many there were."""
    alive = {
        pid: started for pid, started in _recorded(records).items() if started and identity.started(pid) == started
    }
    # Started, but not yet written down when the node died; or gone from its group.
    alive |= {pid: started for pid in identity.marked(MARK, mark) if (started := identity.started(pid))}
    alive.pop(os.getpid(), None)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid, started in alive.items():
            _signal(pid, started, number)
        _until_gone(alive, PATIENCE)
    for record in records.glob("*.json"):
        record.unlink(missing_ok=True)
    if alive:
        _log.warning("ended processes that a killed node left", count=len(alive))
    return len(alive)


def _recorded(records: Path) -> dict[int, str]:
    found: dict[int, str] = {}
    for record in records.glob("*.json"):
        with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
            about = json.loads(record.read_bytes())
            found[int(about["pid"])] = str(about["started"])
    return found


def _signal(pid: int, started: str, number: signal.Signals) -> None:
    if identity.started(pid) != started:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def _until_gone(alive: dict[int, str], patience: float) -> None:
    end = time.monotonic() + patience
    while any(identity.started(pid) == started for pid, started in alive.items()) and time.monotonic() < end:
        time.sleep(0.02)

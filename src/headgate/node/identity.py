"""Which process is it really: a pid alone says nothing once it was given again.

A process is known by its pid and the moment it was started. The moment is text of the operating system's own kind;
it is only ever compared.
"""

import subprocess
from pathlib import Path

_PROC = Path("/proc")


def started(pid: int) -> str | None:
    """When the process with this pid was started; None if there is none (or only its exit code is left)."""
    if (_PROC / "self/stat").exists():
        return _started_linux(pid)
    told = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if len(told) < 2 or told[0].startswith("Z") else told[1].strip()


def _started_linux(pid: int) -> str | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold anything; what follows is state, ppid, pgrp, … and as 20th the start time.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"


def marked(variable: str, value: str) -> list[int]:
    """The processes of ours whose environment says so; none where the operating system does not tell."""
    wanted = f"{variable}={value}".encode()
    found = []
    for entry in _PROC.glob("[0-9]*"):
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found

"""Processes that survive their supervisor: recorded with their start times, found again, ended.

A process id alone may belong to somebody else by now, hence the start time. A record is a JSON file
`{"pid": …, "start_time": …, "pgid": …}`; `start_time` is field 22 of /proc/PID/stat on Linux (clock ticks since boot)
and what `ps -o lstart=` says elsewhere, as text.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec


class Record(msgspec.Struct, frozen=True):
    """A process and the group that it leads."""

    pid: int
    start_time: str | int | float
    pgid: int


def start_time(pid: int) -> str | None:
    """When the process started; None when it has ended (a zombie has)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return _start_time_by_ps(pid) if not Path("/proc/self/stat").exists() else None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and parentheses
    state, started = fields[0], fields[19]
    return None if state in "ZX" else started


def _start_time_by_ps(pid: int) -> str | None:
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def write(file: Path, pid: int) -> Record:
    """Record a child that leads a process group of its own."""
    record = Record(pid, start_time(pid) or "", pid)
    temporary = file.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(record))
    temporary.replace(file)
    return record


def read(file: Path) -> Record | None:
    """The record in a file; None if there is none, it is half-written, or the machine was started again since."""
    try:
        if file.stat().st_mtime < _boot_time():
            return None
        return msgspec.json.decode(file.read_bytes(), type=Record)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _boot_time() -> float:
    """When the machine started, as wall-clock time; ticks since boot mean nothing across it."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except FileNotFoundError:
        return 0.0
    return next((float(line.split()[1]) for line in lines if line.startswith("btime ")), 0.0)


def read_all(folder: Path) -> dict[Path, Record]:
    """Every record of a folder by its file."""
    found = {file: read(file) for file in sorted(folder.glob("*.json"))}
    return {file: record for file, record in found.items() if record is not None}


def runs(record: Record) -> bool:
    """Whether this very process, not a later one with its id, runs."""
    return start_time(record.pid) == str(record.start_time)


def group_runs(record: Record) -> bool:
    """Whether any process of the group runs: the leader, or a child that outlived it."""
    if runs(record):
        return True
    if start_time(record.pid) is not None:
        return False  # the id belongs to a stranger now, so it cannot be the id of our group
    return any(_group_of(pid) == record.pgid for pid in _pids())


def _pids() -> list[int]:
    proc = Path("/proc")
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()] if proc.is_dir() else []


def _group_of(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[2])


def end(records: Iterable[Record], *, grace: float) -> None:
    """SIGTERM to each leader, SIGKILL to each group that is left after `grace` seconds; returns when all ended."""
    left = [record for record in records if group_runs(record)]
    for record in left:
        _signal(record, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while (left := [record for record in left if group_runs(record)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    while left := [record for record in left if group_runs(record)]:
        for record in left:
            _signal(record, signal.SIGKILL)
        time.sleep(0.02)


def _signal(record: Record, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if number is signal.SIGTERM and runs(record):
            os.kill(record.pid, number)
        else:
            os.killpg(record.pgid, number)

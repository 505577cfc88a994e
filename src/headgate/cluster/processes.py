"""Processes that survive their supervisor: recorded with their start times, found again, ended.

A process id alone may belong to somebody else by now, hence the moment of its start. A record is a JSON file
`{"pid": …, "started": …}`, the node writes the same for pods; every recorded process leads a group of its own number.
`started` is text that is only ever compared: boot id and clock ticks on Linux, what `ps -o lstart=` says elsewhere.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

#: In the environment of every supervised process: finds those that were started, but not yet recorded.
MARK = "HEADGATE_CLUSTER"

_PROC = Path("/proc")


class Record(msgspec.Struct, frozen=True):
    """A process that leads a group."""

    pid: int
    started: str


def started(pid: int) -> str | None:
    """When the process was started; None when it has ended (a zombie has)."""
    if not (_PROC / "self/stat").exists():
        told = subprocess.run(
            ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.split(maxsplit=1)
        return None if len(told) < 2 or told[0].startswith("Z") else told[1].strip()
    fields = _stat(pid)
    # Counted from the third field of proc(5): state, ppid, pgrp, … and as 20th the start time.
    return None if fields is None else f"{_boot()} {fields[19]}"


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name; None when the process has ended."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces and parentheses
    return None if fields[0] in "ZX" else fields


def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except FileNotFoundError:
        return ""


def record(pid: int) -> Record:
    """The record of a process that runs (or has just ended: then of nothing)."""
    return Record(pid, started(pid) or "")


def write(file: Path, pid: int) -> Record:
    """Record a child that leads a process group of its own."""
    made = record(pid)
    temporary = file.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(made))
    temporary.replace(file)
    return made


def read(file: Path) -> Record | None:
    """The record in a file; None if there is none or it is half-written."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Record)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def read_all(folder: Path) -> dict[Path, Record]:
    """Every record of a folder by its file."""
    found = {file: read(file) for file in sorted(folder.glob("*.json"))}
    return {file: record for file, record in found.items() if record is not None}


def marked(value: str) -> list[Record]:
    """Processes whose environment bears the mark with this value; none where the operating system does not tell."""
    wanted = f"{MARK}={value}".encode()
    return [record(pid) for pid in _pids() if wanted in _environment(pid)]


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def runs(record: Record) -> bool:
    """Whether this very process, not a later one with its id, runs."""
    return started(record.pid) == record.started


def group_runs(record: Record) -> bool:
    """Whether any process of the group runs: the leader, or a child that outlived it."""
    if runs(record):
        return True
    if started(record.pid) is not None or record.started.split()[:1] != [_boot()]:
        return False  # the number belongs to a stranger, or was given before the machine was started again
    return any((fields := _stat(pid)) is not None and int(fields[2]) == record.pid for pid in _pids())


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()] if _PROC.is_dir() else []


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
    alone = runs(record) and _group_of(record.pid) != record.pid  # found by its mark, within another's group
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if alone or (number is signal.SIGTERM and runs(record)):
            os.kill(record.pid, number)
        else:
            os.killpg(record.pid, number)


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None

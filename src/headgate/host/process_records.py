"""Records of processes on disk: find and end what an earlier run of a supervisor left.

A process id alone does not identify a process, because the system gives ids again. A record holds the id and the time
at which the process was started: boot id and clock ticks on Linux (`starttime` of proc(5)), the output of
`ps -o lstart=` elsewhere. That time is text which is only compared.

A record is a JSON file. Every recorded process leads a process group, whose id is its own.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from .files import write_atomically

_PROC = Path("/proc")
#: Seconds between two looks at whether processes have ended.
_POLL = 0.02


class ProcessRecord(msgspec.Struct, frozen=True):
    """A process that leads a group.

    Attributes:
        started: its start time as text; empty if it had ended when it was recorded.
        program: path or name of the program, for people.
        owner: what it runs for, as its supervisor names that.
    """

    pid: int
    started: str
    program: str = ""
    owner: str = ""


def start_time(pid: int) -> str | None:
    """When the process was started; None if it has ended (a zombie has)."""
    if not (_PROC / "self/stat").exists():
        output = subprocess.run(
            ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.split(maxsplit=1)
        return None if len(output) < 2 or output[0].startswith("Z") else output[1].strip()
    fields = _stat(pid)
    # Counted from the third field of proc(5): state, ppid, pgrp, … and as 20th the start time.
    return None if fields is None else f"{_boot_id()} {fields[19]}"


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name; None if the process has ended."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may contain spaces and parentheses
    return None if fields[0] in "ZX" else fields


def _boot_id() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except FileNotFoundError:
        return ""


def record_of(pid: int, program: str = "", owner: str = "") -> ProcessRecord:
    """The record of a running process. If it has just ended, the record matches no process."""
    return ProcessRecord(pid, start_time(pid) or "", program, owner)


def write(file: Path, record: ProcessRecord) -> None:
    """Write a record. Raises `OSError`."""
    write_atomically(file, msgspec.json.encode(record))


def read(file: Path) -> ProcessRecord | None:
    """The record in a file; None if there is no such file or it is not a record."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=ProcessRecord)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def read_all(folder: Path) -> dict[Path, ProcessRecord]:
    """Every record of a folder by its file."""
    records = {file: read(file) for file in sorted(folder.glob("*.json"))}
    return {file: record for file, record in records.items() if record is not None}


def marked(variable: str, value: str) -> list[ProcessRecord]:
    """Running processes whose environment has this variable; none where the system has no /proc.

    Finds processes that were started but not recorded yet when their supervisor died, and those that left their group.
    """
    wanted = f"{variable}={value}".encode()
    records = (record_of(pid) for pid in _pids() if wanted in _environment(pid))
    return [record for record in records if record.started]


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _pids() -> Iterator[int]:
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdigit():
            yield int(entry.name)


def is_running(record: ProcessRecord) -> bool:
    """Whether the process itself runs, and not a later one with its id."""
    return bool(record.started) and start_time(record.pid) == record.started


def is_group_running(record: ProcessRecord) -> bool:
    """Whether any process of the group runs: the leader, or a child that outlived it."""
    if is_running(record):
        return True
    if start_time(record.pid) is not None or record.started.split()[:1] != [_boot_id()]:
        return False  # the id belongs to another process now, or was given before the last boot
    return any((fields := _stat(pid)) is not None and int(fields[2]) == record.pid for pid in _pids())


def end(records: Iterable[ProcessRecord], *, grace: float) -> None:
    """Send SIGTERM to each group and SIGKILL to what is left of it after `grace` seconds.

    Returns when all have ended. A process that leads no group (it was found by its environment) is ended alone.
    """
    left = [record for record in records if is_group_running(record)]
    for record in left:
        _signal(record, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while (left := [record for record in left if is_group_running(record)]) and time.monotonic() < deadline:
        time.sleep(_POLL)
    while left := [record for record in left if is_group_running(record)]:
        for record in left:
            _signal(record, signal.SIGKILL)
        time.sleep(_POLL)


def _signal(record: ProcessRecord, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if is_running(record) and os.getpgid(record.pid) != record.pid:
            os.kill(record.pid, number)
        else:
            os.killpg(record.pid, number)

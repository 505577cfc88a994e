"""Processes: started as groups, recorded until they have ended."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from headgate.host import process_records
from headgate.host.processes import Processes, ProcessSpec, StartError, run
from support import waiting

SLEEP = "import time; time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); {SLEEP}"
WITH_CHILD = (
    f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); print(child.pid, flush=True)"
)


def spec(folder: Path, code: str) -> ProcessSpec:
    return ProcessSpec((sys.executable, "-c", code), dict(os.environ), folder / "log", owner="a-uid/app")


def printed(folder: Path) -> str:
    return waiting.until((folder / "log").read_text, what="the program prints")


async def test_a_process_is_recorded_until_it_has_ended(tmp_path: Path) -> None:
    process = Processes(tmp_path / "records").start(spec(tmp_path, SLEEP), "app")
    file = tmp_path / "records" / "app.json"
    record = process_records.read(file)
    assert record == process.record
    assert (process.record.pid, process.record.owner) == (process.pid, "a-uid/app")
    assert await process.end(5.0) < 0
    assert not file.exists()


async def test_a_process_that_cannot_be_recorded_is_ended(tmp_path: Path) -> None:
    (tmp_path / "app.json" / "in the way").mkdir(parents=True)
    mark = {**os.environ, "HEADGATE_TEST": str(tmp_path)}
    unrecordable = ProcessSpec((sys.executable, "-c", SLEEP), mark, tmp_path / "log")
    with pytest.raises(StartError, match=r"its record .* cannot be written"):
        Processes(tmp_path).start(unrecordable, "app")
    assert process_records.marked("HEADGATE_TEST", str(tmp_path)) == []


async def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    process = Processes(tmp_path).start(spec(tmp_path, STUBBORN))
    printed(tmp_path)
    assert await process.end(0.05) == -9


async def test_children_end_with_the_leader_of_their_group(tmp_path: Path) -> None:
    process = Processes(tmp_path).start(spec(tmp_path, WITH_CHILD))
    assert await process.wait() == 0
    child = int(printed(tmp_path))
    waiting.until(lambda: process_records.start_time(child) is None, what="the child has ended")


async def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    missing = ProcessSpec(("/nonexistent/program",), {}, tmp_path / "log")
    with pytest.raises(StartError, match="/nonexistent/program: No such file or directory"):
        Processes(tmp_path).start(missing)


async def test_a_short_program_returns_its_exit_code_and_its_output(tmp_path: Path) -> None:
    assert await run((sys.executable, "-c", "print('no'); exit(3)"), os.environ, tmp_path, 30.0) == (3, "no")


async def test_a_short_program_that_takes_too_long_is_ended_and_has_no_exit_code(tmp_path: Path) -> None:
    code, output = await run((sys.executable, "-c", SLEEP), os.environ, tmp_path, 0.1)
    assert code is None
    assert "timed out after 0.1s" in output


def test_variables_are_not_in_the_representation(tmp_path: Path) -> None:
    assert "secret" not in repr(ProcessSpec(("program",), {"TOKEN": "secret"}, tmp_path / "log"))

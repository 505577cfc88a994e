"""The tests' own library: programs end as a whole, waiting says what it waited for, addresses are apart."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from support.addresses import accepts, free_port, loopback_network
from support.processes import Program
from support.waiting import DeadlineError, until

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_stopping_a_program_ends_the_children_it_left(tmp_path: Path) -> None:
    with Program([sys.executable, "-c", PARENT], log=tmp_path / "log") as program:
        child = int(until(program.output, what="the child's process id", running=program))
    state = Path(f"/proc/{child}/stat")
    until(lambda: not state.exists() or ") Z " in state.read_text(), what="the end of the child")


def test_a_late_condition_says_what_was_waited_for_and_the_last_answer() -> None:
    with pytest.raises(DeadlineError, match=r"not within 0\.1 s: the sun; last: 0"):
        until(lambda: 0, deadline=0.1, what="the sun")


def test_waiting_on_a_program_that_ended_shows_its_log(tmp_path: Path) -> None:
    with Program([sys.executable, "-c", "raise SystemExit('no port left')"], log=tmp_path / "log") as program:
        program.wait()
        with pytest.raises(DeadlineError, match="no port left"):
            until(lambda: False, what="an answer", running=program)


def test_a_program_gets_added_variables_beside_the_environment(tmp_path: Path) -> None:
    code = "import os; print(os.environ['ADDED'], os.environ['PATH'])"
    with Program([sys.executable, "-c", code], log=tmp_path / "log", env={"ADDED": "yes"}) as program:
        assert program.wait() == 0
    assert program.output().split() == ["yes", os.environ["PATH"]]


def test_a_free_port_has_no_listener() -> None:
    assert not accepts("127.0.0.1", free_port())


def test_two_loopback_networks_do_not_overlap() -> None:
    assert not loopback_network().overlaps(loopback_network())

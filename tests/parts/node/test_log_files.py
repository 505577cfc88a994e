"""Logs of containers: their size and the times of their lines."""

from __future__ import annotations

from pathlib import Path

from headgate.node.log_files import trim
from headgate.node.log_times import MAX_NOTES, LogTimes


def test_a_long_log_keeps_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "app.0.log"
    log.write_text("".join(f"line {number}\n" for number in range(1000)))
    trim(tmp_path, max_size=1000, kept=100)
    lines = log.read_text().splitlines()
    assert lines[-1] == "line 999"
    assert lines[0].startswith("line 98")


def test_a_writer_goes_on_at_the_end_of_a_log_that_was_cut(tmp_path: Path) -> None:
    log = tmp_path / "app.0.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 1000)
        trim(tmp_path, max_size=1000, kept=10)
        writer.write(b"new\n")
    assert log.read_bytes() == b"old\nold\nnew\n"


def test_a_small_log_stays(tmp_path: Path) -> None:
    (tmp_path / "app.0.log").write_text("a\n")
    trim(tmp_path)
    assert (tmp_path / "app.0.log").read_text() == "a\n"


def test_what_was_written_since_a_moment_begins_at_the_last_look_before_it() -> None:
    times = LogTimes()
    for moment, size in ((1.0, 100), (2.0, 100), (3.0, 250)):
        times.look(moment, size)
    assert [times.offset(moment) for moment in (0.5, 2.5, 3.5)] == [0, 100, 250]


def test_the_times_of_a_log_move_when_it_is_cut() -> None:
    times = LogTimes()
    for moment, size in ((1.0, 100), (2.0, 250), (3.0, 50)):
        times.look(moment, size)
    assert [times.offset(moment) for moment in (1.5, 2.5)] == [0, 50]


def test_the_times_of_a_log_that_grew_for_long_leave_nothing_out() -> None:
    times = LogTimes()
    for number in range(10 * MAX_NOTES):
        times.look(float(number), number + 1)
    assert all(times.offset(float(moment)) <= moment + 1 for moment in range(0, 10 * MAX_NOTES, 97))


def test_the_times_of_a_log_are_exact_for_the_last_minutes() -> None:
    times = LogTimes()
    for number in range(10 * MAX_NOTES):
        times.look(float(number), number + 1)
    recent = 10 * MAX_NOTES - 500
    assert times.offset(float(recent)) == recent + 1

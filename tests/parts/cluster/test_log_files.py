"""Logs that commands append to and the supervisor rotates."""

from pathlib import Path

from headgate.cluster.log_files import last_lines, rotate


def test_a_log_that_is_small_enough_stays(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("one\n")
    assert not rotate(log, max_size=100)
    assert log.read_text() == "one\n"


def test_a_log_that_is_too_large_becomes_the_older_part(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("old line\n" * 100)
    assert rotate(log, max_size=100)
    assert log.read_text() == ""
    assert (tmp_path / "api.log.1").read_text() == "old line\n" * 100


def test_a_writer_in_append_mode_goes_on_at_the_beginning_after_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"before\n" * 100)
        rotate(log, max_size=10)
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n"


def test_the_last_words_are_those_of_this_run(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("an earlier run failed\n")
    start = log.stat().st_size
    with log.open("a") as writer:
        writer.write("this run\n\n")
    assert last_lines(log, since=start) == ["this run"]


def test_a_log_that_does_not_exist_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none.log") == []

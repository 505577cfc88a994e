"""Records of processes: found again after a crash, ended, never confused with strangers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headgate.host import process_records
from headgate.host.process_records import ProcessRecord
from support import waiting


@contextmanager
def sleeping(code: str = "import time; time.sleep(600)") -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_record_that_was_written_is_read_again(tmp_path: Path) -> None:
    with sleeping() as process:
        written = process_records.record_of(process.pid, "sleep", "api")
        process_records.write(tmp_path / "api.json", written)
        assert process_records.read(tmp_path / "api.json") == written


def test_a_half_written_record_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text('{"pid": 1')
    assert process_records.read(tmp_path / "api.json") is None


def test_a_record_from_before_the_last_boot_is_of_nobody() -> None:
    record = ProcessRecord(os.getpid(), "00000000-an-earlier-boot 1")
    assert not process_records.is_running(record)
    assert not process_records.is_group_running(record)


def test_end_ends_a_process_that_leads_no_group() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        process_records.end([process_records.record_of(process.pid)], grace=0.0)
        assert process.wait(10) < 0
    finally:
        process.kill()


def test_a_process_is_found_by_the_mark_in_its_environment(tmp_path: Path) -> None:
    environment = {**os.environ, "HEADGATE_TEST": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=environment)
    try:
        assert process.pid in [record.pid for record in process_records.marked("HEADGATE_TEST", str(tmp_path))]
    finally:
        process.kill()
        process.wait()


def test_a_process_with_the_id_but_another_start_time_is_a_stranger() -> None:
    with sleeping() as process:
        record = ProcessRecord(process.pid, "another moment")
        process_records.end([record], grace=0.0)
        assert process.poll() is None


def test_a_process_that_ended_but_was_not_waited_for_does_not_run() -> None:
    with sleeping() as process:
        record = process_records.record_of(process.pid)
        process.send_signal(signal.SIGKILL)
        waiting.until(lambda: not process_records.is_running(record), what="the zombie counts as ended")


def test_end_ends_the_children_that_outlived_their_leader(tmp_path: Path) -> None:
    child = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    with sleeping(child + "print(p.pid, flush=True); import time; time.sleep(600)") as process:
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        record = process_records.record_of(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert process_records.is_group_running(record)
        process_records.end([record], grace=5.0)
        assert process_records.start_time(grandchild) is None


def test_end_kills_what_ignores_sigterm(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    )
    with sleeping(stubborn) as process:
        assert process.stdout is not None
        process.stdout.readline()
        record = process_records.record_of(process.pid)
        process_records.end([record], grace=0.1)
        assert not process_records.is_running(record)

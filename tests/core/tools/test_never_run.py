"""The list of lines that no core test runs."""

from __future__ import annotations

from pathlib import Path

from tools import never_run

ROOT = Path(__file__).parents[3]


def test_lines_in_a_row_are_a_range() -> None:
    assert never_run.ranges([9, 3, 4, 5]) == "3-5, 9"


def test_the_report_lists_the_missing_lines_of_each_file_below_its_room() -> None:
    summary = {"num_statements": 4, "covered_lines": 3}
    files = {
        "src/headgate/ir/limits.py": {"summary": summary, "missing_lines": [7]},
        "src/headgate/cli/up.py": {"summary": summary, "missing_lines": [1]},
    }
    lines = list(never_run.report(files))
    assert "ir: 1 of 4 statements never run (75 % run)" in lines
    assert "    ir/limits.py: 7" in lines
    assert not any("cli" in line for line in lines)


def test_every_room_of_the_report_exists() -> None:
    assert [room for room in never_run.ROOMS if not (ROOT / "src/headgate" / room).is_dir()] == []

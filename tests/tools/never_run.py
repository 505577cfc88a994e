"""Lists the lines of each pure room that no core test runs. Started by `make coverage`, after the tests.

A line in the list is dead code, or lacks a test in tests/core or tests/golden. The list is for reading; it fails
nothing.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

ROOMS = (
    "api",
    "conditions",
    "envoy",
    "filters",
    "fleet",
    "incremental",
    "ir",
    "policies",
    "resolve",
    "rollout",
    "simulate",
    "translate",
    "workloads",
    "world",
)
"""The rooms of the core, which have no input and output: the core ring can run every line of them."""


def ranges(lines: Iterable[int]) -> str:
    """`[3, 4, 5, 9]` as "3-5, 9"."""
    runs = (list(run) for _, run in groupby(enumerate(sorted(lines)), key=lambda pair: pair[1] - pair[0]))
    return ", ".join(str(run[0][1]) if len(run) == 1 else f"{run[0][1]}-{run[-1][1]}" for run in runs)


def report(files: Mapping[str, Any]) -> Iterator[str]:
    """The text, line by line; `files` is the part of that name of coverage's JSON report."""
    by_room: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for path, data in files.items():
        parts = PurePosixPath(path).parts
        if "headgate" in parts and (room := parts[parts.index("headgate") + 1]) in ROOMS:
            by_room[room]["/".join(parts[parts.index("headgate") + 1 :])] = data
    for room in ROOMS:
        summaries = [data["summary"] for data in by_room[room].values()]
        lines = sum(summary["num_statements"] for summary in summaries)
        run = sum(summary["covered_lines"] for summary in summaries)
        yield f"{room}: {lines - run} of {lines} statements never run ({100 * run / max(lines, 1):.0f} % run)"
        for path, data in sorted(by_room[room].items()):
            if data["missing_lines"]:
                yield f"    {path}: {ranges(data['missing_lines'])}"


def main() -> None:
    """Print the report of the JSON file that is the only argument."""
    for line in report(json.loads(Path(sys.argv[1]).read_text())["files"]):
        print(line)


if __name__ == "__main__":
    main()

"""What the suite says while it runs (`go test -v`): one verdict per test, with the reason of a failure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Result = Literal["pass", "fail", "skip"]

_NAME = re.compile(r"^=== (?:RUN|NAME|CONT|PAUSE)\s+(\S+)")
_BEGUN = re.compile(r": Running (\w+), relying on")
_END = re.compile(r"^\s*--- (PASS|FAIL|SKIP): (\S+) \(([\d.]+)s\)")
#: `    helpers.go:12: 2026-11-21T10:00:00.123456789Z: text`; testify writes no time.
_LINE = re.compile(r"^\s+\w+\.go:\d+:\s*(?:\d{4}-\d\d-\d\dT[\d:.]+\S* )?(.*)")
#: testify writes `Error:      \tReceived unexpected error:` and goes on in the next lines.
_FIELD = re.compile(r"^\s+\t?(Error Trace|Error|Test|Messages):\s*(.*)")


@dataclass(frozen=True)
class Verdict:
    """The result of one test of the suite, which has subtests; `reason` is the last error that one of them said."""

    test: str
    result: Result
    seconds: float
    reason: str = ""


class Reader:
    """Reads the lines of one run.

    What a test says comes at once; how it ended comes after the last test, since all are parts of one.
    """

    def __init__(self) -> None:
        self.verdicts: dict[str, Verdict] = {}
        self._now = ""
        self._field = ""
        self._said: dict[str, dict[str, str]] = {}
        self._last: dict[str, str] = {}

    def read(self, line: str) -> Verdict | None:
        """Take one line; the verdict, if it is one."""
        if (verdict := self._line(line.rstrip("\n"))) is not None:
            self.verdicts[verdict.test] = verdict
        return verdict

    def _line(self, line: str) -> Verdict | None:
        if found := _NAME.match(line):
            self._now, self._field = found[1], ""
        elif found := _END.match(line):
            return self._end(found[1], found[2], float(found[3]))
        elif found := _FIELD.match(line):
            self._field = found[1]
            said = self._said.setdefault(self._now, {})
            said[self._field] = found[2].strip()
        elif found := _LINE.match(line):
            self._field = ""
            if text := found[1].strip():
                self._last[self._now] = text
        elif self._field and line.strip():
            said = self._said[self._now]
            said[self._field] = f"{said[self._field]} {line.strip()}".strip()
        return None

    def _end(self, word: str, name: str, seconds: float) -> Verdict | None:
        _suite, _, test = name.partition("/")
        if not test or "/" in test:
            return None
        result: Result = "pass" if word == "PASS" else "fail" if word == "FAIL" else "skip"
        return Verdict(test, result, seconds, "" if result == "pass" else self._reason(name))

    def _reason(self, name: str) -> str:
        """Of the test's own parts, in the order of their beginning, the first that failed by an assertion."""
        within = [each for each in {**self._said, **self._last} if each == name or each.startswith(f"{name}/")]
        for each in within:
            if error := self._said.get(each):
                text = "; ".join(error[field] for field in ("Messages", "Error") if error.get(field))
                return (
                    f"{_part(each, name)}{text} ({self._last[each]})"
                    if each in self._last
                    else _part(each, name) + text
                )
        return "; ".join(_part(each, name) + self._last[each] for each in within[-1:] if each in self._last)


def _part(name: str, test: str) -> str:
    part = name.removeprefix(test).strip("/").replace("_", " ")
    return f"{part}: " if part else ""


def begun(line: str) -> str:
    """The test that begins with this line; empty if none does."""
    found = _BEGUN.search(line)
    return found[1] if found else ""


@dataclass(frozen=True)
class Counts:
    """How many tests of a kind ended how."""

    passed: int
    failed: int
    skipped: int


def counts(verdicts: Iterable[Verdict]) -> Counts:
    """Of all tests of some kind."""
    found = Counter(each.result for each in verdicts)
    return Counts(found["pass"], found["fail"], found["skip"])


def of_gateways(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Without the tests of meshes, which are called so."""
    return [each for each in verdicts if not each.test.startswith("Mesh")]


def table(verdicts: Iterable[Verdict]) -> str:
    """What ran, failures last; why the others did not; the counts."""
    every = sorted(verdicts, key=lambda each: (each.result == "fail", each.test))
    ran = [each for each in every if each.result != "skip"]
    width = max((len(each.test) for each in ran), default=0)
    lines = [f"{each.result}  {each.test:{width}} {each.seconds:6.1f} s  {each.reason}".rstrip() for each in ran]
    skipped = Counter(each.reason.partition(": ")[2] for each in every if each.result == "skip")
    lines += [f"skip  {reason}: {count} tests" for reason, count in sorted(skipped.items())]
    counts = Counter(each.result for each in every)
    return "\n".join([*lines, f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped"])

"""Pages that are programs: their `console` blocks are run in one shell, and what they print is what the page shows.

In a block `$ ` begins a command and `> ` continues it; the other lines are its output. In the output `...` on a line of
its own stands for any lines, `…` for any text within a line; a command without output lines may print what it likes.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK = "\x1eheadgate-page"


@dataclass(frozen=True)
class Command:
    """A command of a page, and the output that the page shows for it."""

    text: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """What a command really did."""

    command: Command
    output: str
    code: int

    @property
    def as_shown(self) -> bool:
        """Whether it went well and printed what the page shows."""
        return self.code == 0 and matches(self.command.shown, self.output.rstrip("\n").split("\n"))


def commands(page: str) -> list[Command]:
    """All commands of a page, in order."""
    found: list[Command] = []
    for block in _BLOCK.findall(page):
        text, shown = "", list[str]()
        for line in block.splitlines():
            if line.startswith("$ "):
                if text:
                    found.append(Command(text, tuple(shown)))
                text, shown = line[2:], []
            elif line.startswith("> "):
                text += "\n" + line[2:]
            else:
                shown.append(line)
        if text:
            found.append(Command(text, tuple(shown)))
    return found


def matches(shown: tuple[str, ...], printed: list[str]) -> bool:
    """Whether output is what the page shows; runs of blanks count as one."""
    if not shown:
        return True
    parts = [".*" if line.strip() == "..." else _line(line) for line in shown]
    pattern = "\n".join(parts).replace(".*\n", "(?:.*\n)?").replace("\n.*", "(?:\n.*)?")
    return re.fullmatch(pattern, "\n".join(_squeezed(line) for line in printed), re.DOTALL) is not None


def _line(shown: str) -> str:
    return "[^\n]*".join(re.escape(part) for part in _squeezed(shown).split("…"))


def _squeezed(line: str) -> str:
    return " ".join(line.split())


def run(page: Path, *, folder: Path, environment: Mapping[str, str], timeout: float) -> list[Done]:
    """Run a page's commands in `folder`, in one shell; stops after the first that fails."""
    todo = commands(page.read_text())
    lines = [f"{command.text}\ncode=$?; printf '\\n{_MARK} %s\\n' $code; [ $code = 0 ] || exit" for command in todo]
    done = subprocess.run(
        ["bash", "-c", "exec 2>&1\n" + "\n".join(lines)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=folder,
        env=dict(environment),
    )
    parts = re.split(rf"\n{_MARK} (\d+)\n", done.stdout)
    outputs = zip(todo, parts[::2], parts[1::2], strict=False)
    return [Done(command, output, int(code)) for command, output, code in outputs]

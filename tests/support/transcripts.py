"""Pages of shell transcripts that are checked line by line: what a command prints, also when it must fail.

A fence ```` ```yaml file=NAME ```` writes a file. A fence ```` ```console ```` is a transcript: a line with `$ ` is run
by bash, the lines below it are all that it prints (stdout and stderr). `…` stands for any text, a line of nothing else
for any lines; `(exit code N)` says how the command ends when that is not with 0. `$NS` and the like are replaced in
files and expected lines too. (`support.pages` runs the tutorials of the documentation, where every command succeeds.)
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from support import tools

_FENCE = re.compile(r"^```(\S*)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"^\(exit code (\d+)\)$")


class TranscriptError(AssertionError):
    """A command of a page did something else than the page says."""


@dataclass(frozen=True)
class Command:
    """One command, what it prints and how it ends."""

    text: str
    expected: tuple[str, ...]
    exit_code: int = 0


def commands(transcript: str) -> Iterator[Command]:
    """The commands of a transcript."""
    for block in re.split(r"^\$ ", transcript, flags=re.MULTILINE)[1:]:
        text, *expected = block.rstrip("\n").split("\n")
        code = 0
        if expected and (found := _EXIT.match(expected[-1])):
            code = int(found[1])
            expected.pop()
        yield Command(text, tuple(expected), code)


def run(page: Path, folder: Path, variables: Mapping[str, str]) -> None:
    """Run a page in a folder; raises `TranscriptError` at the first command that differs."""
    environment = {**os.environ, "PATH": tools.search_path(), **variables}
    for kind, name, body in _FENCE.findall(page.read_text(encoding="utf-8")):
        if name:
            (folder / name).write_text(_filled(body, variables), encoding="utf-8")
        elif kind == "console":
            for command in commands(body):
                _run(page, command, folder, environment, variables)


def _filled(text: str, variables: Mapping[str, str]) -> str:
    return Template(text).safe_substitute({k: v for k, v in variables.items() if k == k.upper()})


def _run(
    page: Path, command: Command, folder: Path, environment: Mapping[str, str], variables: Mapping[str, str]
) -> None:
    done = subprocess.run(
        ["bash", "-c", command.text],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    expected = [_filled(line, variables) for line in command.expected]
    if done.returncode != command.exit_code or not matches(expected, done.stdout.rstrip("\n")):
        wanted = "\n".join(expected)
        raise TranscriptError(
            f"{page.name}: $ {command.text}\nprinted (exit code {done.returncode}):\n{done.stdout}\n"
            f"the page says (exit code {command.exit_code}):\n{wanted}"
        )


def matches(expected: list[str], printed: str) -> bool:
    """Whether the expected lines are what was printed."""
    parts = []
    for line in expected:
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            # How wide a column is depends on what else is in it.
            words = [re.escape(word).replace("…", r".*?") for word in line.split(" ")]
            parts.append(" ".join(words).replace(" ", r" +").replace(r" + +", r" +") + r" *\n")
    return re.fullmatch("".join(parts), f"{printed}\n" if printed else "") is not None

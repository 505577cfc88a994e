"""What `up` and `demo` say while a local cluster starts and runs: one line per happening, coloured on a terminal."""

import os
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # a verb that is not called must cost nothing
    from headgate.cluster.supervisor import Happening

_COLOURS = {"ready": typer.colors.GREEN, "ended": typer.colors.RED}


class Progress:
    """Prints what the supervisor tells. On a terminal a line that waits is replaced by the one that follows it."""

    def __init__(self, *, quiet: bool = False) -> None:
        """`quiet`: say only what goes wrong."""
        self._quiet = quiet
        self._terminal = sys.stdout.isatty()
        self._colours = self._terminal and "NO_COLOR" not in os.environ
        self._stopping = False

    def __call__(self, happening: "Happening") -> None:
        """Tell people about one happening."""
        if happening.what == "stopped" and not self._stopping:
            return  # the end of a run that "ended" is about to report
        if self._quiet and happening.what != "ended":
            return
        detail = f"  {happening.detail}" if happening.detail else ""
        self.line(f"{happening.component:<12} {happening.what}{detail}", _COLOURS.get(happening.what))

    def stopping(self) -> None:
        """From now on "stopped" is worth a line."""
        self._stopping = True

    def line(self, text: str, colour: str | None = None) -> None:
        """One line, at once also when stdout is a file or a pipe."""
        typer.secho(text, fg=colour if self._colours else None)
        sys.stdout.flush()

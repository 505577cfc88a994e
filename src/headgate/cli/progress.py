"""What `up` and `demo` say while a local cluster starts and runs: a spinner on a terminal, plain lines elsewhere."""

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from headgate.cluster.supervisor import Happening

_STYLES = {"ready": "green", "ended": "red"}


class Progress:
    """Prints what the supervisor tells; on a terminal it shows what is still being waited for."""

    def __init__(self) -> None:
        self._stopping = False
        self._waiting: list[str] = []
        self._console: Console | None = None
        self._status: Status | None = None
        if sys.stdout.isatty():
            from rich import console  # noqa: PLC0415

            self._console = console.Console(highlight=False)

    def __call__(self, happening: "Happening") -> None:
        """Tell people about one happening."""
        if happening.what == "stopped" and not self._stopping:
            return  # the end of a run that "ended" is about to report
        if happening.what == "starting":
            self._waiting.append(happening.component)
        elif happening.component in self._waiting:
            self._waiting.remove(happening.component)
        if happening.what != "starting" or self._console is None:
            detail = f"  {happening.detail}" if happening.detail else ""
            self.line(f"{happening.component:<12} {happening.what}{detail}", _STYLES.get(happening.what, ""))
        self._spin()

    def stopping(self) -> None:
        """From now on "stopped" is worth a line."""
        self._stopping = True

    def line(self, text: str, style: str = "") -> None:
        """One line, at once also when stdout is a file or a pipe."""
        if self._console is not None:
            self._console.print(text, style=style or None, markup=False)
            return
        typer.echo(text)
        sys.stdout.flush()

    def _spin(self) -> None:
        """Show what is waited for, or stop showing it."""
        if self._console is None:
            return
        if not self._waiting:
            if self._status is not None:
                self._status.stop()
                self._status = None
            return
        text = f"starting {', '.join(self._waiting)}"
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._status.update(text)

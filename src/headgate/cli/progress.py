"""Output of `up` and `demo` while a local cluster starts and runs: a spinner on a terminal, plain lines elsewhere."""

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from headgate.cluster.supervisor import ComponentEvent

_STYLES = {"ready": "green", "ended": "red"}


class Progress:
    """Prints the supervisor's events; on a terminal it also shows which components are starting."""

    def __init__(self) -> None:
        self._stopping = False
        self._waiting: list[str] = []
        self._console: Console | None = None
        self._status: Status | None = None
        if sys.stdout.isatty():
            from rich import console  # noqa: PLC0415

            self._console = console.Console(highlight=False)

    def __call__(self, event: "ComponentEvent") -> None:
        """Show one event."""
        if event.type == "stopped" and not self._stopping:
            return  # the event "ended" follows and reports it
        if event.type == "starting":
            self._waiting.append(event.component)
        elif event.component in self._waiting:
            self._waiting.remove(event.component)
        if event.type != "starting" or self._console is None:
            detail = f"  {event.detail}" if event.detail else ""
            self.line(f"{event.component:<12} {event.type}{detail}", _STYLES.get(event.type, ""))
        self._spin()

    def stopping(self) -> None:
        """Print "stopped" events from now on."""
        self._stopping = True

    def line(self, text: str, style: str = "") -> None:
        """Print one line, without delay also when stdout is a file or a pipe."""
        if self._console is not None:
            self._console.print(text, style=style or None, markup=False)
            return
        typer.echo(text)
        sys.stdout.flush()

    def _spin(self) -> None:
        """Show which components are starting, or stop showing it."""
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

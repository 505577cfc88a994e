"""How the demo looks: a live table on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

from headgate.cli.demo.report import milliseconds, percent
from headgate.cli.demo.scene import phase
from headgate.cli.demo.seen import SAMPLE_EVERY, SAMPLES, Seen

if TYPE_CHECKING:
    from rich.table import Table

_EVENTS_SHOWN = 8


@contextlib.contextmanager
def showing(seen: Seen) -> Iterator[Callable[[], None]]:
    """Show what is seen while the block runs; call what it yields several times a second."""
    with _live(seen) if sys.stdout.isatty() else _plain(seen) as refresh:
        yield refresh


@contextlib.contextmanager
def _live(seen: Seen) -> Iterator[Callable[[], None]]:
    from rich.live import Live  # noqa: PLC0415

    with Live(_table(seen), refresh_per_second=4, transient=False) as live:
        seen.listeners.append(lambda text: live.console.print(f"[dim]{_clock()}[/dim] {text}", highlight=False))
        yield lambda: live.update(_table(seen))


def _table(seen: Seen) -> "Table":
    from rich.table import Table  # noqa: PLC0415

    weights = seen.weights or (None, None)
    recent = seen.recent
    status = f"{phase(seen.canary) or 'starting'}"
    if seen.canary is not None and seen.canary.status.failed_checks:
        status += f", failed checks {seen.canary.status.failed_checks}"
    shown = Table(title=f"shop: {status}", title_justify="left", caption_justify="left")
    shown.caption = f"{seen.tally.all.sent} requests sent, {seen.tally.all.failed} failed"
    for column in ("", "weight set", "share measured", "requests/s", "success", "p50", "p99"):
        shown.add_column(column, justify="left" if not column else "right")
    for name, weight in zip(("primary", "canary"), weights, strict=True):
        counts = recent.group(name)
        shown.add_row(
            name,
            "-" if weight is None else str(weight),
            percent(recent.share(name)),
            f"{counts.sent / (SAMPLES * SAMPLE_EVERY):.0f}",
            percent(counts.success_rate),
            milliseconds(counts.latency.quantile(0.5)),
            milliseconds(counts.latency.quantile(0.99)),
        )
    return shown


@contextlib.contextmanager
def _plain(seen: Seen) -> Iterator[Callable[[], None]]:
    seen.listeners.append(lambda text: line(f"{_clock()} {text}"))
    last = [time.monotonic()]

    def refresh() -> None:
        if time.monotonic() - last[0] >= 2.0 and seen.tally.all.sent:
            last[0] = time.monotonic()
            line(f"{_clock()} {summary(seen)}")

    yield refresh


def summary(seen: Seen) -> str:
    """One line about the last seconds."""
    recent = seen.recent
    weights = "{} / {}".format(*seen.weights) if seen.weights else "-"
    parts = [f"weights {weights}"]
    for name in ("primary", "canary"):
        counts = recent.group(name)
        if counts.sent:
            parts.append(
                f"{name} {percent(recent.share(name))} of requests, {percent(counts.success_rate)} ok, "
                f"p99 {milliseconds(counts.latency.quantile(0.99))}"
            )
    return "; ".join(parts)


def line(text: str) -> None:
    """One line, at once."""
    typer.echo(text)
    sys.stdout.flush()


def _clock() -> str:
    return time.strftime("%H:%M:%S")

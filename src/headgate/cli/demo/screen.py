"""The display of the demo: a live table on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

from headgate.cli.demo.observations import SAMPLE_EVERY, SAMPLES, Observations
from headgate.cli.demo.report import milliseconds, percent
from headgate.cli.demo.scenario import phase

if TYPE_CHECKING:
    from rich.table import Table


@contextlib.contextmanager
def display(observations: Observations) -> Iterator[Callable[[], None]]:
    """Display the observations while the block runs. The yielded function refreshes the display."""
    with _live(observations) if sys.stdout.isatty() else _plain(observations) as refresh:
        yield refresh


@contextlib.contextmanager
def _live(observations: Observations) -> Iterator[Callable[[], None]]:
    from rich.live import Live  # noqa: PLC0415

    with Live(_table(observations), refresh_per_second=4, transient=False) as live:
        observations.listeners.append(lambda text: live.console.print(f"[dim]{_clock()}[/dim] {text}", highlight=False))
        yield lambda: live.update(_table(observations))


def _table(observations: Observations) -> "Table":
    from rich.table import Table  # noqa: PLC0415

    weights = observations.weights or (None, None)
    recent = observations.recent
    status = f"{phase(observations.canary) or 'starting'}"
    if observations.canary is not None and observations.canary.status.failed_checks:
        status += f", failed checks {observations.canary.status.failed_checks}"
    view = Table(title=f"shop: {status}", title_justify="left", caption_justify="left")
    view.caption = f"{observations.tally.all.sent} requests sent, {observations.tally.all.failed} failed"
    for column in ("", "weight set", "share measured", "requests/s", "success", "p50", "p99"):
        view.add_column(column, justify="left" if not column else "right")
    for name, weight in zip(("primary", "canary"), weights, strict=True):
        counts = recent.group(name)
        view.add_row(
            name,
            "-" if weight is None else str(weight),
            percent(recent.share(name)),
            f"{counts.sent / (SAMPLES * SAMPLE_EVERY):.0f}",
            percent(counts.success_rate),
            milliseconds(counts.latency.quantile(0.5)),
            milliseconds(counts.latency.quantile(0.99)),
        )
    return view


@contextlib.contextmanager
def _plain(observations: Observations) -> Iterator[Callable[[], None]]:
    observations.listeners.append(lambda text: line(f"{_clock()} {text}"))
    last = [time.monotonic()]

    def refresh() -> None:
        if time.monotonic() - last[0] >= 2.0 and observations.tally.all.sent:
            last[0] = time.monotonic()
            line(f"{_clock()} {summary(observations)}")

    yield refresh


def summary(observations: Observations) -> str:
    """One line about the last seconds of traffic."""
    recent = observations.recent
    weights = "{} / {}".format(*observations.weights) if observations.weights else "-"
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
    """Print one line and flush."""
    typer.echo(text)
    sys.stdout.flush()


def _clock() -> str:
    return time.strftime("%H:%M:%S")

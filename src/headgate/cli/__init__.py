"""The command `headgate`: one file per verb.

A verb is a module of this package with `register(app)`, which adds its command or its group of commands to the Typer
app. Nothing lists the verbs: a new file is a new verb. A verb imports what it works with inside of its functions, so
that `headgate --version` and shell completion need nothing but this frame.

Exit codes: 0 it went well; 1 what was asked for failed (`exits.Failed`); 2 bad usage or a bad environment, told in one
sentence (`exits.BadEnvironment`). Results go to stdout, logs and complaints to stderr.
"""

import importlib
import pkgutil
import sys
from typing import Annotated, NoReturn

import typer

from headgate.cli import exits, logs


def application() -> typer.Typer:
    """The Typer app with every verb of this package."""
    app = typer.Typer(
        name="headgate",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Progressive delivery on the Kubernetes Gateway API: the gateway, the rollout, the migration, the proof.",
    )
    app.callback()(_frame)
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        register = getattr(importlib.import_module(f"{__name__}.{found.name}"), "register", None)
        if register is not None:
            register(app)
    return app


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    try:
        application()(prog_name="headgate")
    except exits.Failed as failed:
        _end(str(failed), 1)
    except exits.BadEnvironment as bad:
        _end(str(bad), 2)
    sys.exit(0)


def _end(sentence: str, code: int) -> NoReturn:
    if sentence:
        sys.stderr.write(f"headgate: {sentence}\n")
    sys.exit(code)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"headgate {version('headgate')}")
        raise typer.Exit


def _frame(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    log_level: Annotated[
        logs.Level, typer.Option("--log-level", envvar="HEADGATE_LOG_LEVEL", help="The least severe log line to write.")
    ] = logs.Level.INFO,
) -> None:
    del version
    logs.configure(log_level)

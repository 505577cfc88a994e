"""The command `headgate`: one file per verb.

A verb is a module of this package with a function `register(app)` that adds its command or command group to the Typer
app. The verbs are found by their modules: a new file is a new verb. A verb imports its dependencies inside of its
functions, so that `headgate --version` and shell completion start quickly.

Exit codes: 0 success; 1 the operation failed (`exits.Failed`); 2 invalid usage or environment
(`exits.BadEnvironment`). Results go to stdout, logs and errors to stderr.
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
        help="Progressive delivery on the Kubernetes Gateway API.",
    )
    app.callback()(_frame)
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        register = getattr(importlib.import_module(f"{__name__}.{module.name}"), "register", None)
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
        logs.Level, typer.Option("--log-level", envvar="HEADGATE_LOG_LEVEL", help="The lowest log level to write.")
    ] = logs.Level.INFO,
) -> None:
    del version
    logs.configure(log_level)

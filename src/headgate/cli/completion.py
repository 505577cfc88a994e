"""`headgate completion SHELL`: prints a completion script."""

import enum
from typing import Annotated

import typer


class Shell(enum.StrEnum):
    """The supported shells."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("completion")(completion)


def completion(shell: Annotated[Shell, typer.Argument(help="The shell to print the script for.")]) -> None:
    """Print a completion script: `source <(headgate completion bash)`."""
    from typer._completion_shared import get_completion_script  # noqa: PLC0415

    typer.echo(get_completion_script(prog_name="headgate", complete_var="_HEADGATE_COMPLETE", shell=shell))

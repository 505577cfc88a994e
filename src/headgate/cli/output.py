"""Output of results: a table for people, JSON or YAML (`-o`) for programs."""

import enum
import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer


class Format(enum.StrEnum):
    """The values of `-o`."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


#: The type of a verb's parameter: `output: OutputOption = Format.TABLE`.
OutputOption = Annotated[Format, typer.Option("--output", "-o", help="Output format.")]


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Aligned columns, separated by three spaces, like kubectl's."""
    lines = [[column.upper() for column in columns], *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def render(value: Any, form: Format, *, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Format `value` (built-in types only) as JSON or YAML, or the rows as a table."""
    if form is Format.JSON:
        return json.dumps(value, indent=2)
    if form is Format.YAML:
        import yaml  # noqa: PLC0415

        return str(yaml.safe_dump(value, sort_keys=False)).rstrip("\n")
    return table(columns, rows)


def show(value: Any, form: Format, *, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print `render(…)` to stdout."""
    typer.echo(render(value, form, columns=columns, rows=rows))

"""The frame of the command line: verbs, exit codes, output, completion."""

import json
import subprocess
import sys

import pytest

from headgate.cli.output import Format, render


def headgate(*arguments: str, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headgate", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )


def test_version_is_printed_and_the_exit_code_is_0() -> None:
    done = headgate("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("headgate ")


def test_version_needs_no_heavy_module() -> None:
    code = (
        "import sys\nimport headgate.cli as c\nsys.argv=['headgate','--version']\n"
        "try: c.main()\nexcept SystemExit: pass\n"
        "print(sorted({'grpc','aiohttp','uvicorn','google','lightkube','msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_unknown_verb_is_bad_usage_with_exit_code_2() -> None:
    assert headgate("frobnicate").returncode == 2


def test_every_verb_has_a_help_text() -> None:
    listing = headgate("--help").stdout
    assert "completion" in listing
    assert headgate("completion", "--help").returncode == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_names_the_command(shell: str) -> None:
    assert "headgate" in headgate("completion", shell).stdout


def test_json_output_is_json() -> None:
    assert json.loads(headgate("version", "-o", "json").stdout)["headgate"]


def test_a_table_aligns_its_columns_with_three_spaces() -> None:
    text = render({}, Format.TABLE, columns=("name", "weight"), rows=[("shop-primary", 90), ("x", 10)])
    assert text.splitlines() == ["NAME           WEIGHT", "shop-primary   90", "x              10"]


def test_yaml_output_keeps_the_order_of_the_fields() -> None:
    assert render({"b": 1, "a": 2}, Format.YAML, columns=(), rows=()) == "b: 1\na: 2"

"""Commands that run a module: no file of the working directory is executed in the place of an imported module."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

import headgate
from headgate.host.python import module_command

SOURCES = Path(headgate.__file__).parent
RUN_XDS = "from headgate.envoy import protos"


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder with modules that report that they were executed."""
    for name in ("xds", "json", "typing", "envoy", "headgate"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(f'executed {__file__}')")
    return tmp_path


def run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_a_module_of_the_working_directory_is_not_executed(planted: Path) -> None:
    python, *options, module = module_command("headgate")
    unsafe = run([python, "-m", module, "--help"], planted)
    assert unsafe.stderr.startswith("executed ")
    safe = run([python, *options, module, "--help"], planted)
    assert safe.returncode == 0, safe.stderr
    protos = run([python, *options[:-1], "-c", RUN_XDS], planted)
    assert protos.returncode == 0, protos.stderr


def test_every_module_is_started_by_that_command() -> None:
    unsafe = [
        str(file.relative_to(SOURCES))
        for file in SOURCES.rglob("*.py")
        if re.search(r"sys\.executable", file.read_text()) and file.name != "python.py"
    ]
    assert unsafe == []


@pytest.mark.parametrize(
    ("configured", "passed"),
    [
        (None, {}),
        ("", {"PYTHONPATH": ""}),
        (":", {"PYTHONPATH": ""}),
        (os.pathsep.join(("", "/opt/lib", "src", "/opt/more")), {"PYTHONPATH": "/opt/lib:{folder}/src:/opt/more"}),
    ],
)
def test_the_module_path_is_passed_on_without_the_working_directory(
    configured: str | None, passed: dict[str, str], tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if configured is not None:
        environment["PYTHONPATH"] = configured
    command = [*module_command("headgate")[:2], "-c", "from headgate.host.python import *; print(module_path())"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str({name: value.format(folder=tmp_path) for name, value in passed.items()})

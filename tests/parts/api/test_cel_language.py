"""The library of CEL is found whichever of two packages has written `cel/__init__.py`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ASK = "from headgate.api.cel.language import cel, stdlib; print(cel.compile('1 + 1').execute({}), len(stdlib.__name__))"


@pytest.mark.parametrize("written", ["", "from . import cli, stdlib\nfrom .cel import *\n"], ids=["empty", "its own"])
def test_the_library_is_found_whatever_stands_in_its_init(tmp_path: Path, written: str) -> None:
    found = importlib.util.find_spec("cel")
    assert found is not None
    assert found.submodule_search_locations
    folder = shutil.copytree(found.submodule_search_locations[0], tmp_path / "cel")
    (folder / "__init__.py").write_text(written)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["2", str(len("cel.stdlib"))], done.stderr

"""The tutorials of docs/, run as they stand there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import pages, tools

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/tutorial-*.md")), ids=lambda page: page.stem)
def test_a_tutorial_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{tools.path('kubectl').parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "no_proxy": "*",
    }
    try:
        done = pages.run(page, folder=tmp_path, environment=environment, timeout=280)
    finally:
        for name in ("tutorial", "gateway"):
            subprocess.run(
                [sys.executable, "-m", "headgate", "down", "--name", name], env=environment, check=False, timeout=100
            )
    wrong = next((each for each in done if not each.as_shown), None)
    assert wrong is None, f"{wrong.command.text}\nexit code {wrong.code}, printed:\n{wrong.output}"
    assert len(done) == len(pages.commands(page.read_text()))

"""`headgate demo --fast`, whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headgate", "demo", "--fast"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "XDG_STATE_HOME": str(home), "TMPDIR": str(home)},
    )


def test_a_good_release_is_promoted_and_a_bad_one_rolled_back(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr


def test_events_are_shown_in_the_words_of_flagger(demo: subprocess.CompletedProcess[str]) -> None:
    for words in (
        "Advance shop.shop canary weight 25",
        "Promotion completed!",
        "Canary failed! Scaling down shop.shop",
    ):
        assert words in demo.stdout


def test_only_the_bad_canary_failed_requests(demo: subprocess.CompletedProcess[str]) -> None:
    (total,) = [line for line in demo.stdout.splitlines() if "requests sent" in line and " failed in " in line]
    assert total.endswith(").")
    assert total.rpartition("(")[2].startswith("canary: ")


def test_nothing_of_its_cluster_is_left(demo: subprocess.CompletedProcess[str], home: Path) -> None:
    assert demo.returncode == 0
    assert not list(home.glob("headgate-demo-*"))
    assert (home / "headgate" / "clusters.json").read_text().strip() == "{}"
    assert str(home) not in _command_lines()


def _command_lines() -> str:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found.append((entry / "cmdline").read_text())
        except OSError:
            continue
    return "\n".join(found)

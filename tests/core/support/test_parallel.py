"""Which tests run in one process, and which start first."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import parallel

TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize("path", [*(file for files in parallel.SHARED.values() for file in files), *parallel.LONGEST])
def test_each_file_that_is_named_exists(path: str) -> None:
    assert (TESTS / path).exists()


def test_each_file_that_uses_the_cluster_of_the_session_is_in_a_group() -> None:
    grouped = {file for files in parallel.SHARED.values() for file in files}
    using = {
        path.relative_to(TESTS).as_posix()
        for folder in ("real", "kubectl")
        for path in (TESTS / folder).glob("test_*.py")
        if "kubernetes: ControlPlane" in path.read_text() or "installed: Installed" in path.read_text()
    }
    own = {"real/test_definitions_come_and_go.py", "real/test_flagger_releases.py"}
    assert using - own <= grouped

"""What files of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from golden import stage


@pytest.fixture(scope="module")
def on_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stage.Stage]:
    """An Envoy on which worlds are played, one after the other."""
    with stage.Stage(tmp_path_factory.mktemp("stage")) as found:
        yield found

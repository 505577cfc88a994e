"""What files of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from golden import harness


@pytest.fixture(scope="module")
def envoy_harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.EnvoyHarness]:
    """An Envoy on which worlds are played, one after the other."""
    with harness.EnvoyHarness(tmp_path_factory.mktemp("envoy")) as found:
        yield found

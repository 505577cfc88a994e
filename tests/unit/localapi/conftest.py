"""A desk for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.local_api import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """The API without HTTP, over an empty store."""
    with Desk(tmp_path / "objects.sqlite") as desk:
        yield desk

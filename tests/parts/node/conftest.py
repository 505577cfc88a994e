"""One local API and one node for the tests of a module; each test has a namespace of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.local_node import PYTHON_IMAGE, Api, LocalNode, local_api, local_node

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, LocalNode]]:
    folder: Path = tmp_path_factory.mktemp("machine")
    with local_api(folder) as api, local_node(api, folder, *PYTHON_IMAGE) as node:
        yield api, node


@pytest.fixture
def node(machine: tuple[Api, LocalNode]) -> LocalNode:
    return machine[1]


@pytest.fixture
def api(machine: tuple[Api, LocalNode]) -> Api:
    return machine[0].within(f"test-{next(_numbers)}")

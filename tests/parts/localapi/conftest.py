"""A desk for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.local_api import Http, InProcessApi, LocalApi


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[InProcessApi]:
    """The API without HTTP, over an empty store."""
    with InProcessApi(tmp_path / "objects.sqlite") as desk:
        yield desk


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalApi]:
    """`headgate api` as a program; one for all tests, which use namespaces of their own."""
    with LocalApi(tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture(scope="session")
def http(started: LocalApi) -> Iterator[Http]:
    """A client of it."""
    http = Http(started.kubeconfig)
    yield http
    http.close()


@pytest.fixture
def namespace(http: Http) -> str:
    """A namespace of this test's own."""
    return http.namespace()

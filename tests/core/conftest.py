"""The core ring opens no connection and starts no process: a test here that does fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

FORBIDDEN = frozenset(
    ("socket.bind", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork")
)
"""Audit events of Python (PEP 578)."""

_current: list[str] = []
_offences: list[str] = []


def _audit(event: str, _arguments: tuple[object, ...]) -> None:
    if _current and event in FORBIDDEN:
        _offences.append(event)


sys.addaudithook(_audit)


@pytest.fixture(autouse=True)
def no_input_or_output(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that uses the network or starts a program; it belongs into tests/parts."""
    _current.append(request.node.nodeid)
    yield
    _current.clear()
    offences = sorted(set(_offences))
    _offences.clear()
    assert not offences, f"a test of the core ring did {', '.join(offences)}; move it to tests/parts"

"""Weights hold however requests come: on one connection, over several workers of Envoy, over HTTP/2; and also where
each backendRef is a route of its own, because of its filters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from golden import cases as golden
from golden import harness
from headgate.api.meta import Key
from headgate.ir.http import Request
from support import h2c

GATEWAY = Key("shop", "shared")
REQUESTS = 1000
#: A right split misses this margin once in 10⁵ runs.
MARGIN = 0.07

SPLITS = [
    ("weights", "split.example.com", "/", {"shop/web:80": 0.7, "shop/canary:80": 0.3}),
    ("backend-filters", "b.example.com", "/three/x", {"shop/web:80": 0.5, "shop/canary:80": 0.3, "shop/third:80": 0.2}),
]


@dataclass
class Split:
    """A case in Envoy: where it listens, a host and path with weights, and the shares that are right."""

    envoy_harness: harness.EnvoyHarness
    case: golden.Case
    host: str
    path: str
    shares: dict[str, float]

    @property
    def address(self) -> str:
        return self.case.address_of(GATEWAY)

    def holds(self, found: Counter[str]) -> None:
        assert found.keys() == self.shares.keys()
        for name, share in self.shares.items():
            assert abs(found[name] / found.total() - share) < MARGIN, found


@pytest.fixture(scope="module")
def envoy_harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.EnvoyHarness]:
    """An Envoy with two workers."""
    with harness.EnvoyHarness(tmp_path_factory.mktemp("weights"), workers=2) as found:
        yield found


@pytest.fixture(scope="module", params=SPLITS, ids=lambda each: each[0])
def split(envoy_harness: harness.EnvoyHarness, request: pytest.FixtureRequest) -> Split:
    name, host, path, shares = request.param
    case = golden.read(golden.FOLDER / "serve" / f"{name}.in.yaml", envoy_harness.addresses())
    envoy_harness.serve(case.backends)
    envoy_harness.load(golden.running(case).outputs, GATEWAY)
    return Split(envoy_harness, case, host, path, shares)


def test_they_hold_on_one_connection(split: Split) -> None:
    answers = harness.asks(split.address, Request(host=split.host, target=split.path), REQUESTS)
    split.holds(harness.tally(answers, split.case.backends))


def test_they_hold_over_two_workers(split: Split) -> None:
    request, connections = Request(host=split.host, target=split.path), 40
    before = _worked(split.envoy_harness.envoy.pid)
    with ThreadPoolExecutor(8) as pool:
        asked = pool.map(lambda _: harness.asks(split.address, request, REQUESTS // connections), range(connections))
        split.holds(harness.tally((answer for answers in asked for answer in answers), split.case.backends))
    work = _worked(split.envoy_harness.envoy.pid) - before
    assert len(work) == 2, work
    assert min(work.values()) > 0.1 * work.total(), work


def _worked(pid: int) -> Counter[str]:
    """How long each worker of an Envoy has run, in nanoseconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    times = {(each / "comm").read_text().strip(): int((each / "schedstat").read_text().split()[0]) for each in tasks}
    return Counter({name: time for name, time in times.items() if name.startswith("wrk:worker")})


def test_they_hold_over_http2(split: Split) -> None:
    answers = h2c.asks(split.address, harness.real_port(80), split.host, split.path, REQUESTS)
    services = {each.address: each.service for each in split.case.backends}
    split.holds(Counter(services[_address(each.body)] for each in answers))


def _address(body: str) -> str:
    return body.partition('"address": "')[2].partition('"')[0]

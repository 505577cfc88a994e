"""How many tries a budget leaves, on a real Envoy: twenty requests fail at once, and all may be tried again."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

import pytest

from golden import cases as golden
from golden import harness
from golden.cases import Backend, Case
from headgate.api.meta import Key
from headgate.ir.http import Request
from support.waiting import until
from support.web import QuietHandler, serving

GATEWAY = Key("shop", "shared")
MANY = 20
WORLD = """
services: [shop/careful:80, shop/other:80]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shared, namespace: shop, generation: 1}
spec:
  gatewayClassName: headgate
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: {name: careful, namespace: shop, generation: 1}
spec:
  targetRefs: [{group: "", kind: Service, name: careful}]
  retryConstraint: {budget: {percent: 10, interval: 10s}, minRetryRate: {count: 1, interval: 1s}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop, uid: u, generation: 1}
spec:
  parentRefs: [{name: shared}]
  rules:
  - matches: [{path: {value: /careful}}]
    retry: {attempts: 1, codes: [503]}
    backendRefs: [{name: careful, port: 80}]
  - matches: [{path: {value: /other}}]
    retry: {attempts: 1, codes: [503]}
    backendRefs: [{name: other, port: 80}]
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("retry-budget")
    path = folder / "world.in.yaml"
    path.write_text(WORLD)
    with harness.EnvoyHarness(folder) as envoy_harness:
        case = golden.read(path, envoy_harness.addresses())
        envoy_harness.load(golden.running(case).outputs, GATEWAY)
        yield case


class Failing:
    """A server whose first try of every request fails, once all are there; later ones wait until they are let go."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.all_there = threading.Barrier(MANY)
        self.let_go = threading.Event()

    @property
    def again(self) -> int:
        return sum(times - 1 for times in self.tried.values())

    def status(self, number: str) -> int:
        self.tried[number] += 1
        if self.tried[number] == 1:
            self.all_there.wait(30)
            return 503
        self.let_go.wait(30)
        return 200


@contextmanager
def failing(where: Backend) -> Iterator[Failing]:
    found = Failing()

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(found.status(self.headers["x-number"]))
            self.send_header("content-length", "0")
            self.end_headers()

    class Server(ThreadingHTTPServer):
        request_queue_size = 2 * MANY
        daemon_threads = True

    with serving(Server((where.address, where.port), Handler)):
        try:
            yield found
        finally:
            found.let_go.set()


@pytest.mark.parametrize(("service", "again"), [("careful", 2), ("other", MANY)])
def test_a_tenth_of_the_requests_may_be_retries_where_a_policy_says_so(played: Case, service: str, again: int) -> None:
    (where,) = [each for each in played.backends if each.service == f"shop/{service}:80"]
    address = played.address_of(GATEWAY)

    def ask(number: int) -> int | None:
        asked = Request(host="shop.example.com", target=f"/{service}", headers=(("x-number", str(number)),))
        return harness.asks(address, asked, 1)[0].status

    with failing(where) as server, ThreadPoolExecutor(MANY) as clients:
        answers = [clients.submit(ask, number) for number in range(MANY)]
        until(lambda: server.again + sum(each.done() for each in answers) == MANY, what="all failed or are tried again")
        assert server.again == again
        server.let_go.set()
        assert Counter(each.result() for each in answers) == Counter({200: again, 503: MANY - again})

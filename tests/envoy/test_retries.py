"""A backend that cannot be reached, on a real Envoy: what is tried again, and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from golden import cases as golden
from golden import harness
from headgate.api.meta import Key
from headgate.ir.http import Request

CASE = """
services: [{name: shop/web:80, endpoints: 2}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shared, namespace: shop}
spec:
  gatewayClassName: headgate
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: retries, namespace: shop, uid: u}
spec:
  parentRefs: [{name: shared}]
  rules:
  - matches: [{path: {value: /many}}]
    retry: {attempts: 100}
    backendRefs: [{name: web, port: 80}]
  - matches: [{path: {value: /never}}]
    retry: {attempts: 0}
    backendRefs: [{name: web, port: 80}]
  - matches: [{path: {value: /silent}}]
    backendRefs: [{name: web, port: 80}]
"""


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Requester]:
    """A Gateway whose Service has one endpoint that serves, and one where nobody listens."""
    path = tmp_path_factory.mktemp("case") / "refusing.in.yaml"
    path.write_text(CASE)
    with harness.EnvoyHarness(tmp_path_factory.mktemp("envoy")) as envoy_harness:
        case = golden.read(path, envoy_harness.addresses())
        envoy_harness.serve(case.backends[:1])
        envoy_harness.load(golden.running(case).outputs, Key("shop", "shared"))
        yield Requester(case)


class Requester:
    def __init__(self, case: golden.Case) -> None:
        self._case = case

    def __call__(self, target: str) -> Counter[str]:
        """Who answers 60 requests."""
        address = self._case.address_of(Key("shop", "shared"))
        answers = harness.asks(address, Request(host="any.example.com", target=target), 60)
        return harness.tally(answers, self._case.backends)


def test_a_connection_that_is_refused_is_tried_elsewhere(ask: Requester) -> None:
    assert ask("/many") == {"shop/web:80": 60}


def test_without_a_word_about_retries_too_for_nothing_was_sent(ask: Requester) -> None:
    assert ask("/silent") == {"shop/web:80": 60}


def test_zero_attempts_are_no_retries_at_all(ask: Requester) -> None:
    found = ask("/never")
    assert found.keys() == {"shop/web:80", "503"}

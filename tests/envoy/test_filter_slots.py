"""The first use of an HTTP filter, on connections that are open: with a slot in advance, and without one."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from golden import authorization, harness, pki
from golden.live_gateway import LiveGateway
from headgate.ir.routing import Listener, configuration_name
from headgate.translate.tiers import chosen
from support.waiting import until

#: More filter chains than have slots in advance.
NAMES = [f"h{number}" for number in range(20)]
_CHAINS = {name: configuration_name(Listener(name, 443, "HTTPS")) for name in NAMES}
IN_ADVANCE = [name for name in NAMES if _CHAINS[name] in chosen(_CHAINS.values())]
LEAN = [name for name in NAMES if name not in IN_ADVANCE]

HEAD = """
services: [shop/web:80, shop/auth:80]
certificates: {shop/any: {authority: servers, names: ["*.example.com"]}}
"""
GATEWAY = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate, namespace: shop, generation: GENERATION}
spec:
  gatewayClassName: headgate
  listeners:
"""
LISTENER = """
  - name: NAME
    port: 443
    protocol: HTTPS
    hostname: NAME.example.com
    tls: {certificateRefs: [{name: any}]}
    filters: {requests: [FILTERS]}
"""
ROUTE = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: NAME, namespace: shop, generation: GENERATION}
spec:
  parentRefs: [{name: gate, sectionName: NAME}]
  rules:
  - matches: [{path: {value: /guarded}}]
    backendRefs: [{name: web, port: 80}]
    filters: [FILTERS]
  - backendRefs: [{name: web, port: 80}]
"""
GUARDED = "{type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: auth, port: 80}}}"

#: By a server that says yes: backends of these tests answer 200 to everything.
ALLOWED = GUARDED.replace("name: auth", "name: web")


def gateway(generation: int = 1, **filters: str) -> str:
    listeners = (LISTENER.replace("NAME", name).replace("FILTERS", filters.get(name, "")) for name in NAMES)
    return GATEWAY.replace("GENERATION", str(generation)) + "".join(listeners)


def route(name: str, *filters: str, generation: int = 1) -> str:
    text = ROUTE.replace("GENERATION", str(generation)).replace("NAME", name)
    return text.replace("FILTERS", ", ".join(filters))


class Connection:
    """A connection to one listener that stays open: HTTP/1.1 over TLS."""

    def __init__(self, live: LiveGateway, name: str) -> None:
        self._host = f"{name}.example.com"
        self._inner = http.client.HTTPConnection(live.address, harness.real_port(443), timeout=20)
        self._inner.connect()
        self._inner.sock = pki.asking(None).wrap_socket(self._inner.sock, server_hostname=self._host)
        self._inner.auto_open = 0

    def ask(self, path: str) -> tuple[int, bool]:
        """The status, and whether Envoy announces that it closes the connection."""
        self._inner.request("GET", path, headers={"host": self._host})
        answer = self._inner.getresponse()
        answer.read()
        return answer.status, answer.getheader("connection") == "close"

    def ask_until_closed(self, path: str) -> set[int]:
        """All statuses until Envoy closes the connection, announced or not."""
        statuses = set()
        with contextlib.suppress(OSError, http.client.HTTPException):
            closed = False
            while not closed:
                status, closed = self.ask(path)
                statuses.add(status)
        return statuses

    def close(self) -> None:
        self._inner.close()


@pytest.fixture(scope="module")
def envoy_harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.EnvoyHarness]:
    """An Envoy that drains connections soon."""
    with harness.EnvoyHarness(tmp_path_factory.mktemp("envoy"), drain=2) as made:
        yield made


@pytest.fixture
def live(envoy_harness: harness.EnvoyHarness, tmp_path: Path) -> Iterator[LiveGateway]:
    path = tmp_path / "world.in.yaml"
    path.write_text("".join((HEAD, gateway(), *map(route, NAMES))))
    found = LiveGateway(envoy_harness, path)
    for name in NAMES:
        found.awaits(f"https://{name}.example.com/", 200)
    yield found
    found.end()
    until(lambda: found.ask(f"https://{NAMES[0]}.example.com/").status is None, what="everything is gone")


@contextlib.contextmanager
def open_to(live: LiveGateway, *names: str) -> Iterator[list[Connection]]:
    connections = [Connection(live, name) for name in names]
    try:
        yield connections
    finally:
        for each in connections:
            each.close()


@contextlib.contextmanager
def denying(live: LiveGateway, envoy_harness: harness.EnvoyHarness) -> Iterator[None]:
    """An authorization server that denies everything."""
    (server,) = [each for each in live.case.backends if each.service == "shop/auth:80"]
    envoy_harness.serve([each for each in live.case.backends if each != server])
    with authorization.over_http(server, 403):
        yield


def test_a_first_use_of_a_slot_in_advance_drains_nothing_and_binds_open_connections(
    live: LiveGateway, envoy_harness: harness.EnvoyHarness
) -> None:
    name = IN_ADVANCE[0]
    with denying(live, envoy_harness), open_to(live, name, LEAN[0]) as (used, other):
        assert used.ask("/guarded") == other.ask("/guarded") == (200, False)
        live.put(route(name, GUARDED, generation=2))
        until(lambda: used.ask("/guarded") == (403, False), what="the open connection is denied")
        assert used.ask("/") == other.ask("/guarded") == (200, False)


def test_a_first_use_without_a_slot_closes_the_route_on_open_connections_until_they_are_drained(
    live: LiveGateway, envoy_harness: harness.EnvoyHarness
) -> None:
    name, *others = LEAN
    with denying(live, envoy_harness), open_to(live, name, name, *others, IN_ADVANCE[0]) as (guarded, free, *rest):
        for each in (guarded, free, *rest):
            assert each.ask("/guarded") == (200, False)
        live.put(route(name, GUARDED, generation=2))
        live.awaits(f"https://{name}.example.com/guarded", 403)
        assert guarded.ask_until_closed("/guarded") == {503}
        assert free.ask_until_closed("/") <= {200}
        assert [each.ask("/guarded") for each in rest] == [(200, False)] * len(rest)


def test_a_first_filter_of_a_listener_closes_open_connections_of_its_chain_and_no_others(
    live: LiveGateway, envoy_harness: harness.EnvoyHarness
) -> None:
    name, other = LEAN[:2]
    with denying(live, envoy_harness), open_to(live, name, other) as (guarded, free):
        assert guarded.ask("/") == free.ask("/") == (200, False)
        live.put(gateway(2, **{name: GUARDED}))
        live.awaits(f"https://{name}.example.com/", 403)
        assert guarded.ask_until_closed("/") == {503}
        assert free.ask("/") == (200, False)


def test_a_third_filter_of_a_listener_closes_open_connections_too(
    live: LiveGateway, envoy_harness: harness.EnvoyHarness
) -> None:
    name = IN_ADVANCE[0]
    with denying(live, envoy_harness), open_to(live, name) as (guarded,):
        assert guarded.ask("/") == (200, False)
        live.put(gateway(2, **{name: ", ".join((ALLOWED, ALLOWED, GUARDED))}))
        live.awaits(f"https://{name}.example.com/", 403)
        assert guarded.ask_until_closed("/") == {503}


def test_the_last_use_gives_the_slots_back_and_no_request_is_lost(
    live: LiveGateway, envoy_harness: harness.EnvoyHarness
) -> None:
    name = LEAN[0]
    with denying(live, envoy_harness):
        live.put(route(name, GUARDED, generation=2))
        live.awaits(f"https://{name}.example.com/guarded", 403)
    url = f"https://{name}.example.com/"
    with live.traffic(url) as statuses:
        for generation in range(3, 7):
            before = len(statuses)
            live.put(route(name, *[GUARDED][: generation % 2], generation=generation))
            until(lambda before=before: len(statuses) > before + 20)  # type: ignore[misc]
    assert set(statuses) == {200}

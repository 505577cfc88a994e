"""The simulation and a real Envoy send every request to the same place: over random listeners, routes and requests."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golden import expectations, harness
from headgate.api.meta import Object
from headgate.ir.http import Request
from headgate.simulate import RequestOutcome, TrafficShare, ask
from laws import routing_worlds as worlds
from laws.envoy_law import GATEWAY, EnvoyLaw, envoy_law

__all__ = ["envoy_law"]

#: Enough that a share of one half is hardly ever missed, few enough to be fast.
REQUESTS = 8


def _agrees(envoy_law: EnvoyLaw, outcome: RequestOutcome, request: Request, *, secure: bool) -> None:
    wanted = expectations.simulated(outcome)
    answers = harness.asks(envoy_law.gateway, request, REQUESTS if len(wanted) > 1 else 1, secure=secure)
    found = harness.tally(answers, envoy_law.backends)
    assert found.keys() <= wanted.keys(), f"{request}: Envoy {found}, simulation {outcome}"
    for answer in answers:
        (who,) = harness.tally([answer], envoy_law.backends)
        shares = [share for share in outcome.shares if who in (str(share.status), str(share.backend))]
        told = {name: answer.headers.get(name) for name in TOLD}
        possible = [(_seen(share), _told(outcome, share)) for share in shares] or [(None, dict.fromkeys(TOLD))]
        assert (_saw(answer), told) in possible, f"{request}: {outcome}"


#: Headers of answers that filters decide on.
TOLD = (
    "location",
    "access-control-max-age",
    "access-control-expose-headers",
    *(f"access-control-allow-{name}" for name in ("origin", "credentials", "methods", "headers")),
)


def _told(outcome: RequestOutcome, share: TrafficShare) -> dict[str, str | None]:
    headers = outcome.answer.headers if outcome.answer else ()
    for each in share.response_changes:
        headers = each.apply(headers)
    return {name: dict(headers).get(name) for name in TOLD}


def _seen(share: TrafficShare) -> tuple[str | None, ...] | None:
    """What the backend sees of the request, by the simulation."""
    found = share.request
    if found is None:
        return None
    return (found.method, found.target, found.host, *(found.header(name) for name in ("h-1", "h-2", "h-3")))


def _saw(answer: harness.Response) -> tuple[str | None, ...] | None:
    """The same, as it was."""
    if answer.seen is None:
        return None
    named = (answer.saw(name) for name in ("host", "h-1", "h-2", "h-3"))
    return (answer.seen["method"], answer.seen["target"], *named)


Requests = list[tuple[Request, str | None]]
ROUTES: st.SearchStrategy[Any] = worlds.routes(["g0"], ["r1", "r2", "r3", "r4"])


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(ROUTES, min_size=1, max_size=4),
    st.none() | worlds.gateways(["g0"]),
    st.lists(st.tuples(worlds.requests, st.none() | st.sampled_from(worlds.HOSTS)), min_size=4, max_size=12),
    st.booleans(),
)
def test_the_simulation_and_envoy_give_every_request_to_the_same(
    envoy_law: EnvoyLaw, routes: list[Object], gateway: Object | None, requests: Requests, crowded: bool
) -> None:
    made = envoy_law.load([*routes, *([gateway] if gateway else []), *([worlds.crowd()] if crowded else [])])
    for request, server_name in requests:
        port = made.outputs.routing.ports.get((GATEWAY, "TCP", request.port))
        secure = port is not None and port.family == "TLS"
        asked = msgspec.structs.replace(request, sni=server_name if secure else None)
        _agrees(envoy_law, ask(made.outputs.routing, GATEWAY, asked), asked, secure=secure)

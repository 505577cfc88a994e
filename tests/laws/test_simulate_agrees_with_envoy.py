"""The simulation and a real Envoy send every request to the same place: over random listeners, routes and requests."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golden import expecting, stage
from headgate.api.meta import Object
from headgate.ir.http import Request
from headgate.simulate import Outcome, ask
from laws import routing_worlds as worlds
from laws.theatre import GATEWAY, Theatre, theatre

__all__ = ["theatre"]

#: Enough that a share of one half is hardly ever missed, few enough to be fast.
REQUESTS = 8


def _agrees(theatre: Theatre, outcome: Outcome, request: Request, *, secure: bool) -> None:
    wanted = expecting.simulated(outcome)
    answers = stage.asks(theatre.gateway, request, REQUESTS if len(wanted) > 1 else 1, secure=secure)
    found = stage.tally(answers, theatre.backends)
    assert found.keys() <= wanted.keys(), f"{request}: Envoy {found}, simulation {outcome}"
    if outcome.answer is not None:
        assert answers[0].headers.get("location") == dict(outcome.answer.headers).get("location"), (
            f"{request}: {outcome}"
        )
    seen = {str(share.backend): share.request for share in outcome.shares if share.request is not None}
    for answer in answers:
        if answer.seen is not None:
            (service,) = stage.tally([answer], theatre.backends)
            _same_request(seen[service], answer)


def _same_request(simulated: Request | None, answer: stage.Answer) -> None:
    assert simulated is not None
    assert answer.seen is not None
    for name in ("h-1", "h-2", "h-3"):
        assert answer.saw(name) == simulated.header(name)
    assert answer.seen["target"] == simulated.target
    assert answer.saw("host") == simulated.host
    assert answer.seen["method"] == simulated.method


ROUTES: st.SearchStrategy[Any] = worlds.routes(["g0"], ["r1", "r2", "r3", "r4"])


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(ROUTES, min_size=1, max_size=4),
    st.none() | worlds.gateways(["g0"]),
    st.lists(st.tuples(worlds.requests, st.none() | st.sampled_from(worlds.HOSTS)), min_size=4, max_size=12),
)
def test_the_simulation_and_envoy_give_every_request_to_the_same(
    theatre: Theatre, routes: list[Object], gateway: Object | None, requests: list[tuple[Request, str | None]]
) -> None:
    made = theatre.play([*routes, *([gateway] if gateway else [])])
    for request, server_name in requests:
        port = made.outputs.routing.ports.get((GATEWAY, "TCP", request.port))
        secure = port is not None and port.family == "TLS"
        asked = msgspec.structs.replace(request, sni=server_name if secure else None)
        _agrees(theatre, ask(made.outputs.routing, GATEWAY, asked), asked, secure=secure)

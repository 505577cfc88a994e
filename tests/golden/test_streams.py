"""The cases of `stream/`, answered from the IR, and what stands beside them. On a real Envoy: tests/envoy."""

import pytest

from golden import cases as golden
from golden import expecting, streaming
from headgate.simulate import connect

CASES = golden.cases("stream")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_simulation_sends_connections_where_the_case_says(case: golden.Case) -> None:
    routing = golden.running(case).outputs.routing
    for each in case.expectations:
        reached = connect(routing, case.gateway(each), streaming.arriving(each))
        assert streaming.simulated(reached) == expecting.wanted(each), f"{each}: {reached}"
        assert reached.shares or reached.reason


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_simulation_shows_the_tls_that_backends_see(case: golden.Case) -> None:
    routing = golden.running(case).outputs.routing
    for each in case.expectations:
        if sees := streaming.wanted_sight(each.text):
            reached = connect(routing, case.gateway(each), streaming.arriving(each))
            assert {line.sni or streaming.PLAIN for line in reached.shares if line.backend} == {sees}, f"{each}"

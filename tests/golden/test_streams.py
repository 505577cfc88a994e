"""The cases of `stream/`, answered by the simulation: one test for each connection. By a real Envoy: tests/envoy."""

import pytest

from golden import cases as golden
from golden import expectations, streaming
from headgate.simulate import connect

ARGUMENTS = ("case", "expectation")
CONNECTIONS = golden.expectations("stream")
WITH_TLS = golden.expectations("stream", having=("sees",))


@pytest.mark.parametrize(ARGUMENTS, CONNECTIONS)
def test_the_simulation_sends_a_connection_where_the_case_says(
    case: golden.Case, expectation: golden.Expectation
) -> None:
    outcome = connect(golden.routing(case), case.gateway(expectation), streaming.arriving(expectation))
    assert streaming.simulated(outcome) == expectations.wanted(expectation), outcome
    assert outcome.shares or outcome.reason


@pytest.mark.parametrize(ARGUMENTS, WITH_TLS)
def test_the_simulation_shows_the_tls_that_backends_see(case: golden.Case, expectation: golden.Expectation) -> None:
    outcome = connect(golden.routing(case), case.gateway(expectation), streaming.arriving(expectation))
    seen = {share.sni or streaming.PLAIN for share in outcome.shares if share.backend}
    assert seen == {streaming.wanted_sight(expectation.text)}

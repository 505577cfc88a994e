"""The cases of `serve/`, answered from the IR, and what stands beside them. On a real Envoy: tests/envoy."""

import pytest

from golden import cases as golden
from golden import expecting
from headgate.simulate import ask, explain

CASES = golden.cases("serve")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_simulation_sends_requests_where_the_case_says(case: golden.Case) -> None:
    routing = golden.running(case).outputs.routing
    for each in case.expectations:
        outcome = ask(routing, case.gateway(each), expecting.request(each))
        distrusted = bool(each.text.get("distrusted"))
        found = expecting.simulated(outcome, expecting.tries(each), distrusted=distrusted)
        assert found == expecting.wanted(each), f"{each}: {outcome}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_simulation_shows_the_headers_that_the_case_says(case: golden.Case) -> None:
    routing = golden.running(case).outputs.routing
    for each in case.expectations:
        outcome = ask(routing, case.gateway(each), expecting.request(each))
        for share in outcome.shares:
            for name, value in each.text.get("sees", {}).items():
                assert expecting.seen(share, name) == value, f"{each}: {name}"
            answered = outcome.answer.headers if outcome.answer else (("x-echo", "1"),)
            for changes in share.response_changes:
                answered = changes.apply(answered)
            for name, value in each.text.get("answers", {}).items():
                assert dict(answered).get(name) == value, f"{each}: {name}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_simulation_mirrors_what_the_case_says(case: golden.Case) -> None:
    routing = golden.running(case).outputs.routing
    for each in case.expectations:
        outcome = ask(routing, case.gateway(each), expecting.request(each))
        assert expecting.mirrored(outcome) == expecting.wanted_copies(each), f"{each}: {outcome}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_loser_has_a_reason(case: golden.Case) -> None:
    routing = golden.running(case).outputs.routing
    for each in case.expectations:
        explanation = explain(routing, case.gateway(each), expecting.request(each))
        assert all(loser.reason for loser in explanation.rejected), explanation
        assert explanation.outcome.winner not in [loser.origin for loser in explanation.rejected]

"""The cases of `serve/`, answered by the simulation: one test for each request. By a real Envoy: tests/envoy."""

import pytest

from golden import cases as golden
from golden import expectations
from headgate.simulate import ask, explain

ARGUMENTS = ("case", "expectation")
REQUESTS = golden.expectations("serve")
WITH_HEADERS = golden.expectations("serve", having=("sees", "answers"))


@pytest.mark.parametrize(ARGUMENTS, REQUESTS)
def test_the_simulation_sends_a_request_where_the_case_says(case: golden.Case, expectation: golden.Expectation) -> None:
    outcome = ask(golden.routing(case), case.gateway(expectation), expectations.request(expectation))
    distrusted = bool(expectation.text.get("distrusted"))
    answered = expectations.simulated(outcome, expectations.tries(expectation), distrusted=distrusted)
    assert answered == expectations.wanted(expectation), outcome


@pytest.mark.parametrize(ARGUMENTS, WITH_HEADERS)
def test_the_simulation_shows_the_headers_that_the_case_says(
    case: golden.Case, expectation: golden.Expectation
) -> None:
    outcome = ask(golden.routing(case), case.gateway(expectation), expectations.request(expectation))
    for share in outcome.shares:
        for name, value in expectation.text.get("sees", {}).items():
            assert expectations.seen(share, name) == value, name
        answered = outcome.answer.headers if outcome.answer else (("x-echo", "1"),)
        for changes in share.response_changes:
            answered = changes.apply(answered)
        for name, value in expectation.text.get("answers", {}).items():
            assert dict(answered).get(name) == value, name


@pytest.mark.parametrize(ARGUMENTS, REQUESTS)
def test_the_simulation_mirrors_what_the_case_says(case: golden.Case, expectation: golden.Expectation) -> None:
    outcome = ask(golden.routing(case), case.gateway(expectation), expectations.request(expectation))
    assert expectations.mirrored(outcome) == expectations.wanted_copies(expectation), outcome


@pytest.mark.parametrize(ARGUMENTS, REQUESTS)
def test_every_match_that_is_passed_over_has_a_reason(case: golden.Case, expectation: golden.Expectation) -> None:
    explanation = explain(golden.routing(case), case.gateway(expectation), expectations.request(expectation))
    assert all(rejected.reason for rejected in explanation.rejected), explanation
    assert explanation.outcome.selected not in [rejected.origin for rejected in explanation.rejected]

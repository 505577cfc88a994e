"""The cases of `tests/golden/serve`, answered by a real Envoy that has the generated resources: one test a request."""

from collections.abc import Iterator
from fractions import Fraction

import pytest

from golden import cases as golden
from golden import expectations, harness
from support.waiting import until

#: A right split misses this margin once in 10⁵ runs.
REQUESTS, MARGIN = 1000, 0.07


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.LoadedCase]:
    """One Envoy for all cases."""
    with harness.EnvoyHarness(tmp_path_factory.mktemp("envoy")) as envoy_harness:
        yield harness.LoadedCase(envoy_harness)


@pytest.mark.parametrize(("case", "expectation"), golden.expectations("serve"))
def test_envoy_sends_a_request_where_the_case_says(
    case: golden.Case, expectation: golden.Expectation, played: harness.LoadedCase
) -> None:
    case = played.load(case.path, expectation)
    request, wanted = expectations.request(expectation), expectations.wanted(expectation)
    copies = expectations.wanted_copies(expectation)
    uneven = len(wanted) > 1 or any(share != 1 for share in copies.values())
    played.harness.heard.clear()
    answers = harness.asks(
        case.address_of(case.gateway(expectation)),
        request,
        REQUESTS if uneven else 1,
        client=expectation.text.get("client"),
    )
    _check_copies(played.harness, case, copies, len(answers))
    answered = harness.tally(answers, case.backends)
    assert answered.keys() <= wanted.keys()
    for name, share in wanted.items():
        assert abs(answered[name] / len(answers) - share) < MARGIN, answered
    for name, value in expectation.text.get("sees", {}).items():
        assert answers[0].saw(name) == value, name
    for name, value in expectation.text.get("answers", {}).items():
        assert answers[0].headers.get(name) == value, name
    if certificate := expectation.text.get("certificate"):
        assert answers[0].certificate == (certificate,)


def _check_copies(
    envoy_harness: harness.EnvoyHarness, case: golden.Case, copies: dict[str, Fraction], requests: int
) -> None:
    """Each mirror gets its share of the requests, each request once."""
    for name, share in copies.items():
        (address,) = [backend.address for backend in case.backends if backend.service == name]
        least, most = (requests, requests) if share == 1 else (requests * (share - MARGIN), requests * (share + MARGIN))
        until(lambda at=address, least=least: envoy_harness.heard[at] >= least)  # type: ignore[misc]
        assert envoy_harness.heard[address] <= most

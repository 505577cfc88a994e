"""The cases of `tests/golden/stream`, answered by a real Envoy: one test for each connection."""

from collections.abc import Iterator
from fractions import Fraction

import pytest

from golden import cases as golden
from golden import expectations, harness, streaming

#: Each of Envoy's workers shares by turns, not by chance: a right split is nearer than this.
CONNECTIONS, MARGIN = 200, 0.03


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.LoadedCase]:
    """One Envoy for all cases."""
    with streaming.StreamHarness(tmp_path_factory.mktemp("streams"), workers=2) as envoy_harness:
        yield harness.LoadedCase(envoy_harness)


@pytest.mark.parametrize(("case", "expectation"), golden.expectations("stream"))
def test_envoy_sends_a_connection_where_the_case_says(
    case: golden.Case, expectation: golden.Expectation, played: harness.LoadedCase
) -> None:
    case = played.load(case.path, expectation)
    wanted = (
        {expectations.CLOSED: Fraction(1)} if streaming.distrusted(expectation) else expectations.wanted(expectation)
    )
    answers = streaming.answers(case, expectation, CONNECTIONS if len(wanted) > 1 else 3)
    answered = streaming.tally(answers, case.backends)
    assert answered.keys() <= wanted.keys()
    for name, share in wanted.items():
        assert abs(answered[name] / len(answers) - share) < MARGIN, answered
    if sees := streaming.wanted_sight(expectation.text):
        assert {answer.sees for answer in answers if answer.backend} == {sees}
    if certificate := expectation.text.get("certificate"):
        assert answers[0].certificate == (certificate,)

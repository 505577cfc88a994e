"""The cases of `tests/golden/stream`, answered by a real Envoy that was given the generated resources."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from golden import cases as golden
from golden import expecting, streaming

PATHS = sorted((golden.FOLDER / "stream").glob("*.in.yaml"))

#: Each of Envoy's workers shares by turns, not by chance: a right split is nearer than this.
CONNECTIONS, MARGIN = 200, 0.03


@pytest.fixture(scope="module")
def on_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[streaming.StreamStage]:
    with streaming.StreamStage(tmp_path_factory.mktemp("streams"), workers=2) as found:
        yield found


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name.removesuffix(".in.yaml"))
def test_envoy_sends_connections_where_the_case_says(path: Path, on_stage: streaming.StreamStage) -> None:
    case = golden.read(path, on_stage.addresses())
    outputs = golden.running(case).outputs
    on_stage.serve(case.backends)
    for gateway in sorted({case.gateway(each) for each in case.expectations}):
        on_stage.load(outputs, gateway)
        for each in case.expectations:
            if case.gateway(each) == gateway:
                _check(case, each)


def _check(case: golden.Case, expectation: golden.Expectation) -> None:
    wanted = {expecting.CLOSED: Fraction(1)} if streaming.distrusted(expectation) else expecting.wanted(expectation)
    answers = streaming.answers(case, expectation, CONNECTIONS if len(wanted) > 1 else 3)
    found = streaming.tally(answers, case.backends)
    assert found.keys() <= wanted.keys(), f"{expectation}: {found}, wanted {wanted}"
    for name, share in wanted.items():
        assert abs(found[name] / len(answers) - share) < MARGIN, f"{expectation}: {found}, wanted {wanted}"
    if sees := streaming.wanted_sight(expectation.text):
        assert {each.sees for each in answers if each.backend} == {sees}, expectation
    if certificate := expectation.text.get("certificate"):
        assert answers[0].certificate == (certificate,), expectation

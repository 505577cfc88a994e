"""The cases of `tests/golden/serve`, answered by a real Envoy that was given the generated resources."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from golden import cases as golden
from golden import expecting, stage

PATHS = sorted((golden.FOLDER / "serve").glob("*.in.yaml"))

#: A right split misses this margin once in 10⁵ runs.
REQUESTS, MARGIN = 1000, 0.07


@pytest.fixture(scope="module")
def on_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stage.Stage]:
    with stage.Stage(tmp_path_factory.mktemp("golden")) as found:
        yield found


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name.removesuffix(".in.yaml"))
def test_envoy_sends_requests_where_the_case_says(path: Path, on_stage: stage.Stage) -> None:
    case = golden.read(path, on_stage.addresses())
    outputs = golden.running(case).outputs
    on_stage.serve(case.backends)
    for gateway in sorted({case.gateway(each) for each in case.expectations}):
        on_stage.load(outputs, gateway)
        for each in case.expectations:
            if case.gateway(each) == gateway:
                _check(case, each)


def _check(case: golden.Case, expectation: golden.Expectation) -> None:
    request, wanted = expecting.request(expectation), expecting.wanted(expectation)
    answers = stage.asks(case.address_of(case.gateway(expectation)), request, REQUESTS if len(wanted) > 1 else 1)
    found = stage.tally(answers, case.backends)
    assert found.keys() <= wanted.keys(), f"{expectation}: {found}, wanted {wanted}"
    for name, share in wanted.items():
        assert abs(found[name] / len(answers) - share) < MARGIN, f"{expectation}: {found}, wanted {wanted}"
    for name, value in expectation.text.get("sees", {}).items():
        assert answers[0].saw(name) == value, f"{expectation}: {name}"
    for name, value in expectation.text.get("answers", {}).items():
        assert answers[0].headers.get(name) == value, f"{expectation}: {name}"
    if certificate := expectation.text.get("certificate"):
        assert answers[0].certificate == (certificate,), expectation

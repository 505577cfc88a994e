"""The cases of `tests/golden/serve`, answered by a real Envoy that was given the generated resources."""

from fractions import Fraction
from pathlib import Path

import pytest

from golden import cases as golden
from golden import expecting, stage
from support.waiting import until

PATHS = sorted((golden.FOLDER / "serve").glob("*.in.yaml"))

#: A right split misses this margin once in 10⁵ runs.
REQUESTS, MARGIN = 1000, 0.07


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name.removesuffix(".in.yaml"))
def test_envoy_sends_requests_where_the_case_says(path: Path, on_stage: stage.Stage) -> None:
    case = golden.read(path, on_stage.addresses())
    outputs = golden.running(case).outputs
    on_stage.serve(case.backends)
    for gateway in sorted({case.gateway(each) for each in case.expectations}):
        on_stage.load(outputs, gateway, case.head.get("probers"))
        for each in case.expectations:
            if case.gateway(each) == gateway:
                _check(on_stage, case, each)


def _check(on_stage: stage.Stage, case: golden.Case, expectation: golden.Expectation) -> None:
    request, wanted = expecting.request(expectation), expecting.wanted(expectation)
    copies = expecting.wanted_copies(expectation)
    uneven = len(wanted) > 1 or any(share != 1 for share in copies.values())
    on_stage.heard.clear()
    answers = stage.asks(
        case.address_of(case.gateway(expectation)),
        request,
        REQUESTS if uneven else 1,
        client=expectation.text.get("client"),
    )
    _check_copies(on_stage, case, copies, len(answers))
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


def _check_copies(on_stage: stage.Stage, case: golden.Case, copies: dict[str, Fraction], asked: int) -> None:
    """Mirrors hear of their share of the requests, each once."""
    for name, share in copies.items():
        (backend,) = [each for each in case.backends if each.service == name]
        least, most = (asked, asked) if share == 1 else (asked * (float(share) - MARGIN), asked * (share + MARGIN))
        until(lambda at=backend.address, least=least: on_stage.heard[at] >= least)  # type: ignore[misc]
        assert on_stage.heard[backend.address] <= most

"""The cases of `stream/`, answered from the IR, and what stands beside them. On a real Envoy: tests/envoy."""

import os

import pytest

from golden import cases as golden
from golden import expecting, streaming
from headgate.simulate import connect

CASES = golden.cases("stream")
SHOWN = [(case, output) for case in CASES for output in case.shown]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_simulation_sends_connections_where_the_case_says(case: golden.Case) -> None:
    routing = golden.running(case).outputs.routing
    for each in case.expectations:
        reached = connect(routing, case.gateway(each), streaming.arriving(each))
        assert streaming.simulated(reached) == expecting.wanted(each), f"{each}: {reached}"
        assert reached.lines or reached.why


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_simulation_shows_the_tls_that_backends_see(case: golden.Case) -> None:
    routing = golden.running(case).outputs.routing
    for each in case.expectations:
        if sees := streaming.wanted_sight(each.text):
            reached = connect(routing, case.gateway(each), streaming.arriving(each))
            assert {line.sni or streaming.PLAIN for line in reached.lines if line.backend} == {sees}, f"{each}"


@pytest.mark.parametrize(("case", "output"), SHOWN, ids=lambda each: getattr(each, "name", each))
def test_what_stands_beside_a_case_is_what_comes_out(case: golden.Case, output: str) -> None:
    shown = golden.show(golden.running(case), output)
    beside = case.beside(output)
    if os.environ.get("HEADGATE_BLESS"):
        beside.write_text(shown)
    assert beside.exists(), f"run `make bless` and look at {beside.name}"
    assert shown == beside.read_text(), "if this is meant, run `make bless` and look at the difference"


def test_no_output_is_left_of_a_case_that_is_gone() -> None:
    expected = {case.path for case in CASES} | {case.beside(output) for case, output in SHOWN}
    assert set((golden.FOLDER / "stream").glob("*.yaml")) == expected

"""What stands beside the golden cases: statuses, routes and Envoy's resources as they come out of them."""

import os

import pytest

from golden import cases as golden

CASES = [*golden.cases("serve"), *golden.cases("stream")]
SHOWN = [(case, output) for case in CASES for output in case.shown]


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
    assert set(golden.FOLDER.glob("*/*.yaml")) == expected

"""The observer of a release: which weights may have been declared while its watch did not run."""

from __future__ import annotations

from pathlib import Path

from support.kubectl import Kubectl
from support.observer import Answer, Gap, Observer, Weight
from support.shop import CANARY, Shop, analysis


def observer(*canary_answers: float, gaps: tuple[Gap, ...] = ()) -> Observer:
    """It saw 25 % declared at 10.0, and an answer of the canary at each of these times."""
    kubectl = Kubectl(Path("/nonexistent"), binary=Path("/nonexistent"))
    seen = Observer(Shop(kubectl, "shop", analysis()), traffic=False)
    seen.declared = [Weight(0.0, 0.0), Weight(10.0, 25.0)]
    seen.gaps = list(gaps)
    seen.answers = [Answer(at, at + 0.01, 200, "", CANARY, "1.1.0") for at in canary_answers]
    return seen


def test_a_canary_that_answers_before_its_weight_is_declared_is_reported() -> None:
    assert observer(5.0).canary_answers_beyond_declared_weights() is not None


def test_a_weight_that_shows_when_the_watch_is_back_may_have_been_declared_when_it_was_lost() -> None:
    seen = observer(5.0, gaps=(Gap(4.9, 9.5),))
    assert seen.canary_answers_beyond_declared_weights() is None


def test_a_weight_that_shows_long_after_the_watch_is_back_was_declared_when_it_showed() -> None:
    seen = observer(5.0, gaps=(Gap(4.9, 8.0),))
    assert seen.canary_answers_beyond_declared_weights() is not None


def test_an_answer_before_the_watch_was_lost_is_reported() -> None:
    seen = observer(2.0, gaps=(Gap(4.9, 9.5),))
    assert seen.canary_answers_beyond_declared_weights() is not None

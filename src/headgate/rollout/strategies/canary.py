"""The canary strategy: the canary's weight rises in steps.

1. `stepWeight` adds the same each time up to `maxWeight` (100 without one); the last step is cut at it.
2. `stepWeights` are taken from the smallest to the largest, which is the maximum.
3. The next weight depends on the weight that the canary has, not on a count of steps: if the steps are edited during
   a rollout, the next larger one follows.
"""

from collections.abc import Iterator

from headgate.api.delivery import Canary, CanaryAnalysis
from headgate.api.problems import Problem

from ..problem import invalid, unsupported
from ..split import Split
from . import Progress

NAME = "canary"


def validate(canary: Canary) -> Iterator[Problem]:
    """Steps that never reach the maximum; fields of other strategies."""
    analysis = canary.spec.analysis
    if analysis.match:
        message = "chooses an A/B test, which also needs a number of checks; set spec.analysis.iterations or remove it"
        yield unsupported("spec.analysis.match", message)
    if canary.spec.skip_analysis or analysis.step_weight > 0:
        return
    if not analysis.step_weights:
        message = f"is {analysis.step_weight}; a positive step, or stepWeights, is needed to ever finish"
        yield invalid("spec.analysis.stepWeight", message)
    elif not any(weight > 0 for weight in analysis.step_weights):
        yield invalid("spec.analysis.stepWeights", "has no positive weight; [10, 50] would work")


def split(canary: Canary, progress: Progress) -> Split:
    """The weight in percent of all requests."""
    del canary
    return Split.percent(progress.weight)


def advance(canary: Canary, progress: Progress) -> Progress | None:
    """The next step; None at the maximum."""
    analysis = canary.spec.analysis
    if progress.weight >= maximum(analysis):
        return None
    return Progress(next_weight(analysis, progress.weight))


def within_spec(canary: Canary, progress: Progress) -> Progress:
    """At most the maximum, which an edit may have lowered."""
    return Progress(min(progress.weight, maximum(canary.spec.analysis)))


def recede(canary: Canary, progress: Progress) -> Progress:
    """`stepWeightPromotion` less, or nothing at once."""
    step = canary.spec.analysis.step_weight_promotion
    return Progress(max(0, progress.weight - step) if step > 0 else 0)


def summary(canary: Canary) -> str:
    """`Weight step: 10 max: 50`, or `Weight steps: 1,10 max: 50`."""
    analysis = canary.spec.analysis
    if analysis.step_weight > 0:
        return f"Weight step: {analysis.step_weight} max: {maximum(analysis)}"
    return f"Weight steps: {','.join(map(str, analysis.step_weights))} max: {maximum(analysis)}"


def describe(canary: Canary, progress: Progress) -> str:
    """`weight 20`."""
    del canary
    return f"weight {progress.weight}"


def maximum(analysis: CanaryAnalysis) -> int:
    """The weight at which promotion begins."""
    if analysis.step_weights:
        return min(100, max(analysis.step_weights))
    return min(100, analysis.max_weight) if analysis.max_weight > 0 else 100


def next_weight(analysis: CanaryAnalysis, weight: int) -> int:
    """The weight after `weight`: larger than it, or the maximum."""
    most = maximum(analysis)
    if analysis.step_weight > 0:
        return min(most, weight + analysis.step_weight)
    return min([most, *(step for step in analysis.step_weights if step > weight)])

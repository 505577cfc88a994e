"""The canary strategy: the next weight.

1. `stepWeight` adds the same each time up to `maxWeight` (100 without one); the last step is clipped, never beyond it.
2. `stepWeights` are gone through from the smallest to the largest, which is the maximum.
3. The next weight depends on the weight that the canary has, not on a count of steps: after an edit of the steps in
   mid-release the next larger one follows.
"""

from headgate.api.delivery import CanaryAnalysis

NAME = "canary"


def maximum(analysis: CanaryAnalysis) -> int:
    """The weight at which promotion begins."""
    if analysis.step_weights:
        return min(100, max(analysis.step_weights))
    return min(100, analysis.max_weight) if analysis.max_weight > 0 else 100


def following(analysis: CanaryAnalysis, weight: int) -> int:
    """The weight after `weight`: larger than it, or the maximum."""
    most = maximum(analysis)
    if analysis.step_weight > 0:
        return min(most, weight + analysis.step_weight)
    return min([most, *(step for step in analysis.step_weights if step > weight)])


def receding(analysis: CanaryAnalysis, weight: int) -> int:
    """The weight after `weight` on the way back to the primary during promotion."""
    step = analysis.step_weight_promotion
    return max(0, weight - step) if step > 0 else 0

"""A/B testing: requests that meet a condition of `analysis.match` go to the canary for `analysis.iterations` checks.

1. The conditions are on headers (cookies: a regular expression on the header `Cookie`) and on query parameters. All
   other requests stay with the primary throughout the test.
2. The status counts checks, not weight, as Flagger's does. A weight is only there while traffic goes back in steps of
   `stepWeightPromotion`, and after a failed promotion, when the canary serves every request.
3. A condition that an HTTPRoute cannot express is not accepted before anything is routed.
"""

from collections.abc import Iterator
from fractions import Fraction

from headgate.api.delivery import Canary
from headgate.api.problems import Problem

from .. import istio_match, routes
from ..split import Split
from . import Progress

NAME = "ab-testing"


def validate(canary: Canary) -> Iterator[Problem]:
    """Conditions that cannot be expressed, or that exclude `spec.service.match`. Raises `NotAcceptedError`."""
    service = canary.spec.service
    if service is not None:
        routes.merged_matches(istio_match.matches(service), _split(canary, Fraction(0)), "spec.service.match")
    yield from ()


def split(canary: Canary, progress: Progress) -> Split:
    """All requests that meet a condition, from the first check on."""
    if progress.iterations == 0 and progress.weight > 0:
        return Split.percent(progress.weight)
    weight = (progress.weight or 100) if progress.iterations else 0
    return _split(canary, Fraction(weight, 100))


def advance(canary: Canary, progress: Progress) -> Progress | None:
    """One more check; None after the last."""
    if progress.iterations >= canary.spec.analysis.iterations:
        return None
    return Progress(iterations=progress.iterations + 1)


def within_spec(canary: Canary, progress: Progress) -> Progress:
    """Without a weight, which a rollout has that began with another strategy."""
    del canary
    return Progress(iterations=progress.iterations)


def recede(canary: Canary, progress: Progress) -> Progress:
    """`stepWeightPromotion` less of the requests that meet a condition, or nothing at once."""
    step = canary.spec.analysis.step_weight_promotion
    weight = (progress.weight or 100) - step if step > 0 and progress.started else 0
    return Progress(weight, progress.iterations) if weight > 0 else Progress()


def summary(canary: Canary) -> str:
    """`A/B Testing`."""
    del canary
    return "A/B Testing"


def describe(canary: Canary, progress: Progress) -> str:
    """`iteration 3/10`."""
    return f"iteration {progress.iterations}/{canary.spec.analysis.iterations}"


def _split(canary: Canary, share: Fraction) -> Split:
    return Split(share, istio_match.conditions(canary.spec.analysis))

"""Release strategies: one module each, found by its `NAME` (Flagger's `deployment_strategy`).

A strategy determines the split of the route at each point of a rollout, and the next point. It is a set of pure
functions of the Canary and its `Progress`; the rules of the state machine do the rest. `ab_testing.py` is the one to
copy.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from headgate.api.delivery import Canary, CanaryAnalysis, CanaryStatus
from headgate.api.problems import Problem

from ..problem import NotAcceptedError
from ..registry import known, modules
from ..split import Split


class Progress(msgspec.Struct, frozen=True):
    """How far a rollout is: what the status of a Canary has of it.

    Attributes:
        weight: `status.canaryWeight`, percent.
        iterations: `status.iterations`, the checks that an A/B test has begun.
    """

    weight: int = 0
    iterations: int = 0

    @property
    def started(self) -> bool:
        """Whether the first step was taken."""
        return self.weight > 0 or self.iterations > 0


class Strategy(Protocol):
    """What a module of this package has."""

    #: The value of the label `deployment_strategy` of the exported counters.
    NAME: str

    def validate(self, canary: Canary) -> Iterator[Problem]:
        """The fields of the strategy that contradict each other or cannot be followed. May raise `NotAcceptedError`."""

    def split(self, canary: Canary, progress: Progress) -> Split:
        """The split that the route has at this point. Raises `NotAcceptedError` if it cannot be expressed."""

    def advance(self, canary: Canary, progress: Progress) -> Progress | None:
        """The point after a tick without a failed check; None if the revision is to be promoted."""

    def within_spec(self, canary: Canary, progress: Progress) -> Progress:
        """The nearest point that the spec allows, if it was edited during the rollout."""

    def recede(self, canary: Canary, progress: Progress) -> Progress:
        """The point after this one while traffic goes back to the updated primary."""

    def summary(self, canary: Canary) -> str:
        """The strategy and its settings, for alerts (`Traffic routing`)."""

    def describe(self, canary: Canary, progress: Progress) -> str:
        """The end of the event `Advance <name>.<namespace> canary …` for a point that `advance` returned."""


#: The strategies by name.
KNOWN: Mapping[str, Strategy] = modules(__name__, __path__, "NAME")

#: The field that decides for each of Flagger's strategies.
_FIELDS = {"ab-testing": "spec.analysis.match", "blue-green": "spec.analysis.iterations", "canary": "spec.analysis"}


def name(analysis: CanaryAnalysis) -> str:
    """The strategy that the fields of an analysis choose, by Flagger's rule."""
    if analysis.iterations > 0:
        return "ab-testing" if analysis.match else "blue-green"
    return "canary"


def of(canary: Canary) -> Strategy:
    """The strategy of a Canary. Raises `NotAcceptedError` for one that has no module, with the known ones."""
    chosen = name(canary.spec.analysis)
    if chosen not in KNOWN:
        message = f"chooses the strategy {chosen}, which is not supported; supported: {known(KNOWN)}"
        raise NotAcceptedError(_FIELDS[chosen], message, "Unsupported")
    return KNOWN[chosen]


def progress(status: CanaryStatus) -> Progress:
    """How far the rollout is."""
    return Progress(status.canary_weight, status.iterations)


def split_at(canary: Canary, at: Progress) -> Split:
    """The split that the route of a Canary has at a point of its rollout.

    If the spec was edited so that its strategy cannot express the split, the canary only gets what needs no strategy:
    all requests by weight, as after a failed promotion.
    """
    try:
        return of(canary).split(canary, at)
    except NotAcceptedError:
        return Split.percent(0 if at.iterations else at.weight)


def recede(canary: Canary, at: Progress) -> Progress:
    """The next point on the way back to the primary; at once if the strategy of the spec is not supported."""
    try:
        return of(canary).recede(canary, at)
    except NotAcceptedError:
        return Progress()

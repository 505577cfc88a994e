"""How a route divides requests between primary and canary."""

from fractions import Fraction
from typing import Any

import msgspec


class Split(msgspec.Struct, frozen=True):
    """What a strategy wants of the route. `routes.express` makes the patch.

    Attributes:
        canary: the canary's share of the requests, 0 to 1.
        matches: conditions in the form of `HTTPRouteMatch` (`headers`, `queryParams`). With any, the canary gets its
            share only of requests that meet one of them, and all others go to the primary.
        mirror: whether the canary is sent a copy of every request.
    """

    canary: Fraction = Fraction(0)
    matches: tuple[dict[str, Any], ...] = ()
    mirror: bool = False

    @classmethod
    def percent(cls, weight: int) -> "Split":
        """`weight` percent of all requests."""
        return cls(Fraction(weight, 100))

    @property
    def unmatched(self) -> Fraction:
        """The canary's share of requests that meet none of the conditions."""
        return Fraction(0) if self.matches else self.canary

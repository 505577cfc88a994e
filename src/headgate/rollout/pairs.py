"""Finds the rules of an HTTPRoute that split traffic between the primary and the canary Service."""

from collections.abc import Iterator
from fractions import Fraction

import msgspec

from .effects import Json
from .names import Names


class Pair(msgspec.Struct, frozen=True):
    """A rule with backendRefs to both Services: the indexes of the rule and of the backendRefs, and their weights."""

    rule: int
    primary: int
    canary: int
    primary_weight: int
    canary_weight: int
    #: Whether the rule has no other backends.
    alone: bool

    def has_share(self, share: Fraction) -> bool:
        """Whether the canary has this share of the pair's traffic."""
        return self.weights(share) == (self.primary_weight, self.canary_weight) or (
            self.total > 0 and Fraction(self.canary_weight, self.total) == share
        )

    def weights(self, share: Fraction) -> tuple[int, int]:
        """The weights that give the canary this share. Beside other backends, rounded in the primary's favour."""
        total = self.total
        if self.alone:
            total = 100 if (100 * share).denominator == 1 else share.denominator
        canary = int(total * share)
        return total - canary, canary

    @property
    def total(self) -> int:
        """The pair's weight among the backends of the rule."""
        return self.primary_weight + self.canary_weight


def pairs(rules: list[Json], names: Names) -> Iterator[Pair]:
    """The rules that refer to both Services."""
    for number, rule in enumerate(rules):
        refs = rule.get("backendRefs") or ()
        primary = _index(refs, names.primary_service, names.namespace)
        canary = _index(refs, names.canary_service, names.namespace)
        if primary is not None and canary is not None:
            weights = weight_of(refs[primary]), weight_of(refs[canary])
            yield Pair(number, primary, canary, *weights, alone=len(refs) == 2)


def refers_to(ref: Json, name: str, namespace: str) -> bool:
    """Whether a backendRef names this Service."""
    return (
        ref.get("name") == name
        and (ref.get("group") or "") == ""
        and (ref.get("kind") or "Service") == "Service"
        and (ref.get("namespace") or namespace) == namespace
    )


def weight_of(ref: Json) -> int:
    """The weight of a backendRef; the API's default is 1."""
    return int(ref.get("weight", 1))


def rules_of(route: Json) -> list[Json]:
    """`spec.rules`."""
    rules: list[Json] = (route.get("spec") or {}).get("rules") or []
    return rules


def _index(refs: list[Json] | tuple[Json, ...], name: str, namespace: str) -> int | None:
    return next((index for index, ref in enumerate(refs) if refers_to(ref, name, namespace)), None)

"""The smallest edit of an HTTPRoute that sets the weights of a primary and a canary.

1. The rules that count are those with a backendRef to *both* Services; all others, and all other fields, are the
   user's.
2. A rule with just these two gets `100 - weight` and `weight`. In a rule with more backends the sum of the two stays
   what it is, rounded in the primary's favour, so nobody else's share changes.
3. Weights that say the same already (90/10 is 900/100) are left as they are.
4. Each edit tests the names that it counted on: if somebody reordered the rules meanwhile it fails, and we look again.
"""

from collections.abc import Iterator

import msgspec

from headgate.api.gateway import HTTPRoute
from headgate.api.meta import Key

from .effects import Json, Patch, pointer
from .seen import Names


class Pair(msgspec.Struct, frozen=True):
    """A rule that splits between primary and canary: where the two stand, and their weights."""

    rule: int
    primary: int
    canary: int
    primary_weight: int
    canary_weight: int
    #: Whether the rule has no other backends.
    alone: bool

    def shows(self, weight: int) -> bool:
        """Whether the canary has `weight` percent of the pair's traffic."""
        return self.target(weight) == (self.primary_weight, self.canary_weight) or (
            self.total > 0 and self.canary_weight * 100 == weight * self.total
        )

    def target(self, weight: int) -> tuple[int, int]:
        """The weights that give the canary `weight` percent."""
        if self.alone:
            return 100 - weight, weight
        canary = self.total * weight // 100
        return self.total - canary, canary

    @property
    def total(self) -> int:
        """The pair's weight among the backends of the rule."""
        return self.primary_weight + self.canary_weight


def pairs(route: Json, names: Names) -> tuple[Pair, ...]:
    """The rules that refer to both Services."""
    return tuple(_pairs(route, names))


def set_weights(route: Json, names: Names, weight: int) -> Patch | None:
    """The patch after which every pair gives the canary `weight` percent; None if they do already."""
    operations: list[Json] = []
    for pair in pairs(route, names):
        if pair.shows(weight):
            continue
        primary, canary = pair.target(weight)
        operations += _set(pair.rule, pair.primary, names.primary_service, primary)
        operations += _set(pair.rule, pair.canary, names.canary_service, canary)
    return Patch(HTTPRoute, names.key(names.apex), tuple(operations)) if operations else None


def refers_to(ref: Json, name: str, namespace: str) -> bool:
    """Whether a backendRef names this Service."""
    return (
        ref.get("name") == name
        and (ref.get("group") or "") == ""
        and (ref.get("kind") or "Service") == "Service"
        and (ref.get("namespace") or namespace) == namespace
    )


def weight_of(ref: Json) -> int:
    """The weight of a backendRef; without one it is 1."""
    return int(ref.get("weight", 1))


def unsettled(route: Json) -> str | None:
    """Flagger's sentence when a parent has not accepted the route as it is now; None when all have, or none has
    spoken."""
    metadata, parents = route["metadata"], (route.get("status") or {}).get("parents") or ()
    generation = metadata.get("generation", 0)
    for reference in (route.get("spec") or {}).get("parentRefs") or ():
        for parent in parents:
            if _parent(parent.get("parentRef") or {}) != _parent(reference):
                continue
            accepted = next((c for c in parent.get("conditions") or () if c.get("type") == "Accepted"), None)
            status = (accepted or {}).get("status", "Unknown")
            observed = (accepted or {}).get("observedGeneration", 0)
            if status != "True" or observed < generation:
                name = f"{metadata['name']}.{metadata.get('namespace', '')}"
                return (
                    f"HTTPRoute {name} parent {reference.get('name')} is not ready (status: {status}, "
                    f"observed generation: {observed}, current generation: {generation})"
                )
    return None


def parent_gateways(route: Json) -> tuple[Key, ...]:
    """The Gateways that a route wants to attach to."""
    namespace = route["metadata"].get("namespace", "")
    return tuple(
        Key(reference.get("namespace") or namespace, str(reference.get("name")))
        for reference in (route.get("spec") or {}).get("parentRefs") or ()
        if (reference.get("kind") or "Gateway") == "Gateway"
    )


def _parent(reference: Json) -> tuple[object, ...]:
    return (
        reference.get("group", "gateway.networking.k8s.io"),
        reference.get("kind") or "Gateway",
        reference.get("namespace"),
        reference.get("name"),
        reference.get("sectionName"),
        reference.get("port"),
    )


def _pairs(route: Json, names: Names) -> Iterator[Pair]:
    namespace = names.namespace
    for number, rule in enumerate((route.get("spec") or {}).get("rules") or ()):
        refs = rule.get("backendRefs") or ()
        primary = next((i for i, ref in enumerate(refs) if refers_to(ref, names.primary_service, namespace)), None)
        canary = next((i for i, ref in enumerate(refs) if refers_to(ref, names.canary_service, namespace)), None)
        if primary is not None and canary is not None:
            weights = weight_of(refs[primary]), weight_of(refs[canary])
            yield Pair(number, primary, canary, *weights, alone=len(refs) == 2)


def _set(rule: int, index: int, name: str, weight: int) -> list[Json]:
    ref = ("spec", "rules", rule, "backendRefs", index)
    return [
        {"op": "test", "path": pointer(*ref, "name"), "value": name},
        {"op": "add", "path": pointer(*ref, "weight"), "value": weight},
    ]

"""What a Canary's `service` asks of its HTTPRoute, apart from weights, and how an existing route gets it.

1. No route of that name: it is created in Flagger's shape.
2. A route that is there, whoever made it, keeps everything that the spec does not ask for. What we last asked for
   stands in an annotation on the route; only what changed since is patched. So neither an API default nor a user's own
   edit is ever taken for a difference, and weights are never part of it.
3. In a route that we have not touched yet, rules that send traffic to `<apex>` are given the pair of primary and
   canary in its place. A route with neither is refused, never overwritten.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from headgate.api.delivery import CanaryService
from headgate.api.gateway import HTTPRoute, HTTPRouteFilter, HTTPRouteMatch, ParentReference

from . import istio_words, routes
from .effects import Create, Effect, Json, Patch, merge_map, pointer
from .ownership import FLUX_OPT_OUT, owner_reference
from .problems import RefusedError
from .seen import Names

ANNOTATION = "headgate.dev/last-applied-intent"

#: Weights above this are refused by the API.
_MOST = 1_000_000


class Intent(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The fields of a route that a Canary asks for. None: it asks for nothing there."""

    port: int
    parent_refs: list[Json] | None = None
    hostnames: list[str] | None = None
    matches: list[Json] | None = None
    filters: list[Json] | None = None
    timeouts: Json | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    def text(self) -> str:
        """The value of the annotation."""
        return json.dumps(msgspec.to_builtins(self), sort_keys=True, separators=(",", ":"))


def intent(service: CanaryService) -> Intent:
    """Reads `spec.service`. Raises `RefusedError`."""
    timeouts = {
        name: value
        for name, value in (("request", service.timeout), ("backendRequest", service.backend_timeout))
        if value
    }
    apex = service.apex
    return Intent(
        port=service.port,
        parent_refs=[msgspec.to_builtins(reference) for reference in service.gateway_refs] or None,
        hostnames=list(service.hosts) or None,
        matches=istio_words.matches(service) or None,
        filters=istio_words.filters(service) or None,
        timeouts=timeouts or None,
        labels=dict(apex.labels) if apex else {},
        annotations=dict(apex.annotations) if apex else {},
    )


def remembered(route: Json) -> Intent | None:
    """What we last asked of a route; None if never, or if the annotation is not ours any more."""
    text = (route["metadata"].get("annotations") or {}).get(ANNOTATION)
    try:
        return msgspec.json.decode(text, type=Intent) if text else None
    except msgspec.MsgspecError:
        return None


def ensure(route: Json | None, service: CanaryService, canary: Json, names: Names, weight: int) -> tuple[Effect, ...]:
    """What makes the route what the spec asks for. Raises `RefusedError`."""
    wanted = intent(service)
    if route is None:
        if not wanted.parent_refs:
            message = "GatewayRefs must be specified when using Gateway API as a provider."
            raise RefusedError("spec.service.gatewayRefs", message)
        return (_create(wanted, canary, names, weight),)
    before = remembered(route)
    rules: list[Json] = (route.get("spec") or {}).get("rules") or []
    operations = list(_adopt(rules, names, weight))
    if before != wanted and not operations:  # a route that was just given the pair is looked at again first
        operations += _change(route, rules, before, wanted, names)
        annotations = {**wanted.annotations, ANNOTATION: wanted.text()}
        operations += merge_map(("metadata", "annotations"), route["metadata"].get("annotations"), annotations)
    return (Patch(HTTPRoute, names.key(names.apex), tuple(operations)),) if operations else ()


def _create(wanted: Intent, canary: Json, names: Names, weight: int) -> Create:
    rule: Json = {"matches": wanted.matches or [{"path": {"type": "PathPrefix", "value": "/"}}]}
    if wanted.filters:
        rule["filters"] = wanted.filters
    if wanted.timeouts:
        rule["timeouts"] = wanted.timeouts
    rule["backendRefs"] = _backends(names, wanted.port, 100 - weight, weight)
    spec: Json = {"parentRefs": wanted.parent_refs, "rules": [rule]}
    if wanted.hostnames:
        spec["hostnames"] = wanted.hostnames
    metadata = {
        "name": names.apex,
        "namespace": names.namespace,
        "labels": wanted.labels,
        "annotations": {**wanted.annotations, **FLUX_OPT_OUT, ANNOTATION: wanted.text()},
        "ownerReferences": [owner_reference(canary)],
    }
    return Create(HTTPRoute, {"metadata": metadata, "spec": spec})


def _backends(names: Names, port: int, primary: int, canary: int) -> list[Json]:
    return [
        {"group": "", "kind": "Service", "name": name, "port": port, "weight": weight}
        for name, weight in ((names.primary_service, primary), (names.canary_service, canary))
    ]


# ── a route that is there ────────────────────────────────────────────────────


def _adopt(rules: list[Json], names: Names, weight: int) -> Iterator[Json]:
    """Puts the pair where `<apex>` stands, if no rule has the pair yet."""
    if routes.pairs({"metadata": {}, "spec": {"rules": rules}}, names):
        return
    found = False
    for number, rule in enumerate(rules):
        refs: list[Json] = rule.get("backendRefs") or []
        index = next((i for i, ref in enumerate(refs) if routes.refers_to(ref, names.apex, names.namespace)), None)
        if index is not None:
            found = True
            at = pointer("spec", "rules", number, "backendRefs")
            yield {"op": "test", "path": f"{at}/{index}/name", "value": names.apex}
            yield {"op": "replace", "path": at, "value": _with_pair(refs, index, names, weight)}
    if not found:
        message = (
            f"HTTPRoute {names.apex}.{names.namespace} has no rule with backendRefs to {names.primary_service} and "
            f"{names.canary_service}, nor one to {names.apex}; add them to the rules that the release should steer"
        )
        raise RefusedError("spec.service.name", message, "RouteNotManageable")


def _with_pair(refs: list[Json], index: int, names: Names, weight: int) -> list[Json]:
    apex = refs[index]
    total = routes.weight_of(apex)
    factor = 1
    if len(refs) == 1:
        total = 100
    elif total < 100 and all(routes.weight_of(ref) * 100 <= _MOST for ref in refs):
        factor = 100  # so that percents of the pair are whole numbers; proportions stay
    total *= factor
    canary = total * weight // 100
    pair = [
        {**apex, "name": name, "weight": share}
        for name, share in ((names.primary_service, total - canary), (names.canary_service, canary))
    ]
    others = [{**ref, "weight": routes.weight_of(ref) * factor} if factor > 1 else ref for ref in refs]
    return [*others[:index], *pair, *others[index + 1 :]]


def _change(route: Json, rules: list[Json], before: Intent | None, wanted: Intent, names: Names) -> Iterator[Json]:
    spec = route.get("spec") or {}
    old = before or Intent(port=wanted.port)
    if _differs(old.parent_refs, wanted.parent_refs, before) and not _same(
        ParentReference, spec.get("parentRefs"), wanted.parent_refs
    ):
        yield {"op": "add", "path": "/spec/parentRefs", "value": wanted.parent_refs or []}
    if _differs(old.hostnames, wanted.hostnames, before) and (spec.get("hostnames") or None) != wanted.hostnames:
        yield {"op": "add", "path": "/spec/hostnames", "value": wanted.hostnames or []}
    yield from merge_map(("metadata", "labels"), route["metadata"].get("labels"), wanted.labels)
    pairs = routes.pairs(route, names)
    if before is None and len(pairs) > 1:  # several rules of somebody's own: their matches are what tells them apart
        wanted = msgspec.structs.replace(wanted, matches=None)
    for pair in pairs:
        yield from _change_rule(pair, rules[pair.rule], before, wanted, names)


def _change_rule(pair: routes.Pair, rule: Json, before: Intent | None, wanted: Intent, names: Names) -> Iterator[Json]:
    old = before or Intent(port=wanted.port)
    at = ("spec", "rules", pair.rule)
    edits: list[Json] = []
    if _differs(old.matches, wanted.matches, before) and not _same(HTTPRouteMatch, rule.get("matches"), wanted.matches):
        default = [{"path": {"type": "PathPrefix", "value": "/"}}]
        edits.append({"op": "add", "path": pointer(*at, "matches"), "value": wanted.matches or default})
    if _differs(old.filters, wanted.filters, before):
        filters = _merged_filters(rule.get("filters") or [], old.filters or [], wanted.filters or [])
        if not _same(HTTPRouteFilter, rule.get("filters"), filters):
            edits.append({"op": "add", "path": pointer(*at, "filters"), "value": filters})
    if _differs(old.timeouts, wanted.timeouts, before) and (rule.get("timeouts") or None) != wanted.timeouts:
        timeouts: Json = {"op": "add", "path": pointer(*at, "timeouts"), "value": wanted.timeouts}
        edits.append(timeouts if wanted.timeouts else {"op": "remove", "path": pointer(*at, "timeouts")})
    if before and before.port != wanted.port:
        for index in (pair.primary, pair.canary):
            edits.append({"op": "add", "path": pointer(*at, "backendRefs", index, "port"), "value": wanted.port})
    if edits:
        test = {
            "op": "test",
            "path": pointer(*at, "backendRefs", pair.primary, "name"),
            "value": names.primary_service,
        }
        yield from (test, *edits)


def _differs(old: object, new: object, before: Intent | None) -> bool:
    """What changed since we last asked; on a route that we never touched, what is asked for at all."""
    return old != new if before else new is not None


def _same(cls: type[Any], there: object, wanted: object) -> bool:
    """Equal once both have the API's defaults."""
    try:
        many: Any = tuple[cls, ...]  # type: ignore[valid-type]
        return bool(msgspec.convert(there or [], many) == msgspec.convert(wanted or [], many))
    except msgspec.ValidationError:
        return False


def _merged_filters(there: list[Json], old: list[Json], new: list[Json]) -> list[Json]:
    """Our filters exchanged, the user's own kept behind them."""
    ours = {item["type"] for item in (*old, *new)}
    return [*new, *(item for item in there if item.get("type") not in ours)]

"""What `spec.service` of a Canary wants of its HTTPRoute, apart from the split, and how an existing route gets it.

1. Without a route of that name, it is created in Flagger's shape.
2. An existing route, also one of the user, keeps everything that the spec does not name. The annotation
   `headgate.dev/last-applied-intent` has what the spec wanted last; only what changed since is patched. So neither a
   default of the API nor an edit of the user is taken for a difference.
3. Canary rules are not changed here. They, weights and mirrors belong to `routes.express`.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from headgate.api.delivery import CanaryService
from headgate.api.gateway import HTTPRouteFilter, HTTPRouteMatch, ParentReference
from headgate.api.json_pointer import pointer

from . import istio_match, routes
from .effects import Json, merge_map
from .names import Names
from .ownership import FLUX_OPT_OUT, owner_reference
from .pairs import Pair, rules_of
from .problem import NotAcceptedError
from .split import Split

ANNOTATION = "headgate.dev/last-applied-intent"

_ALL_PATHS: Json = {"path": {"type": "PathPrefix", "value": "/"}}


class Intent(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The fields of a route that a Canary wants. None: it wants nothing there."""

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
    """Reads `spec.service`. Raises `NotAcceptedError`."""
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
        matches=istio_match.matches(service) or None,
        filters=istio_match.filters(service) or None,
        timeouts=timeouts or None,
        labels=dict(apex.labels) if apex else {},
        annotations=dict(apex.annotations) if apex else {},
    )


def create(service: CanaryService, canary: Json, names: Names) -> Json:
    """The route, new, with the canary at weight 0. Raises `NotAcceptedError`."""
    desired = intent(service)
    if not desired.parent_refs:
        message = "GatewayRefs must be specified when using Gateway API as a provider."
        raise NotAcceptedError("spec.service.gatewayRefs", message)
    rule: Json = {"matches": desired.matches or [_ALL_PATHS]}
    if desired.filters:
        rule["filters"] = desired.filters
    if desired.timeouts:
        rule["timeouts"] = desired.timeouts
    rule["backendRefs"] = [
        {"group": "", "kind": "Service", "name": name, "port": desired.port, "weight": weight}
        for name, weight in ((names.primary_service, 100), (names.canary_service, 0))
    ]
    spec: Json = {"parentRefs": desired.parent_refs, "rules": [rule]}
    if desired.hostnames:
        spec["hostnames"] = desired.hostnames
    metadata = {
        "name": names.apex,
        "namespace": names.namespace,
        "labels": desired.labels,
        "annotations": {**desired.annotations, **FLUX_OPT_OUT, ANNOTATION: desired.text()},
        "ownerReferences": [owner_reference(canary)],
    }
    return {"metadata": metadata, "spec": spec}


def changes(route: Json, service: CanaryService, names: Names, split: Split) -> list[Json]:
    """The operations after which a route that has the pair is what the spec wants. Raises `NotAcceptedError`."""
    desired = intent(service)
    before = last_applied(route)
    if before == desired:
        return []
    annotations = {**desired.annotations, ANNOTATION: desired.text()}
    return [
        *_changes(route, before, desired, names, split),
        *merge_map(("metadata", "annotations"), route["metadata"].get("annotations"), annotations),
    ]


def last_applied(route: Json) -> Intent | None:
    """What the spec wanted last of a route; None if there is no annotation, or if it is not ours any more."""
    text = (route["metadata"].get("annotations") or {}).get(ANNOTATION)
    try:
        return msgspec.json.decode(text, type=Intent) if text else None
    except msgspec.MsgspecError:
        return None


def _changes(route: Json, before: Intent | None, desired: Intent, names: Names, split: Split) -> Iterator[Json]:
    spec = route.get("spec") or {}
    old = before or Intent(port=desired.port)
    if _differs(old.parent_refs, desired.parent_refs, before) and not _same(
        ParentReference, spec.get("parentRefs"), desired.parent_refs
    ):
        yield {"op": "add", "path": "/spec/parentRefs", "value": desired.parent_refs or []}
    if _differs(old.hostnames, desired.hostnames, before) and (spec.get("hostnames") or None) != desired.hostnames:
        yield {"op": "add", "path": "/spec/hostnames", "value": desired.hostnames or []}
    yield from merge_map(("metadata", "labels"), route["metadata"].get("labels"), desired.labels)
    rules = routes.split_rules(route, names, split)
    if before is None and len(rules) > 1:  # several rules of the user: their matches tell them apart
        desired = msgspec.structs.replace(desired, matches=None)
    for rule in rules:
        yield from _rule_changes(rule.pair, rules_of(route)[rule.pair.rule], before, desired, names)


def _rule_changes(pair: Pair, rule: Json, before: Intent | None, desired: Intent, names: Names) -> Iterator[Json]:
    old = before or Intent(port=desired.port)
    at = ("spec", "rules", pair.rule)
    edits: list[Json] = []
    if _differs(old.matches, desired.matches, before) and not _same(
        HTTPRouteMatch, rule.get("matches"), desired.matches
    ):
        edits.append({"op": "add", "path": pointer(*at, "matches"), "value": desired.matches or [_ALL_PATHS]})
    if _differs(old.filters, desired.filters, before):
        filters = _merged_filters(rule.get("filters") or [], old.filters or [], desired.filters or [])
        if not _same(HTTPRouteFilter, rule.get("filters"), filters):
            edits.append({"op": "add", "path": pointer(*at, "filters"), "value": filters})
    if _differs(old.timeouts, desired.timeouts, before) and (rule.get("timeouts") or None) != desired.timeouts:
        timeouts: Json = {"op": "add", "path": pointer(*at, "timeouts"), "value": desired.timeouts}
        edits.append(timeouts if desired.timeouts else {"op": "remove", "path": pointer(*at, "timeouts")})
    if before and before.port != desired.port:
        for index in (pair.primary, pair.canary):
            edits.append({"op": "add", "path": pointer(*at, "backendRefs", index, "port"), "value": desired.port})
    if edits:
        test = {
            "op": "test",
            "path": pointer(*at, "backendRefs", pair.primary, "name"),
            "value": names.primary_service,
        }
        yield from (test, *edits)


def _differs(old: object, new: object, before: Intent | None) -> bool:
    """Whether the spec changed since it was applied last; on a route that is new to us, whether it wants anything."""
    return old != new if before else new is not None


def _same(cls: type[Any], current: object, desired: object) -> bool:
    """Whether two lists are equal once both have the API's defaults."""
    try:
        many: Any = tuple[cls, ...]  # type: ignore[valid-type]
        return bool(msgspec.convert(current or [], many) == msgspec.convert(desired or [], many))
    except msgspec.ValidationError:
        return False


def _merged_filters(current: list[Json], old: list[Json], new: list[Json]) -> list[Json]:
    """The new filters of the spec instead of the old ones; the user's own filters stay behind them."""
    ours = {item["type"] for item in (*old, *new)}
    return [*new, *(item for item in current if item.get("type") not in ours)]

"""Expresses a `Split` on an HTTPRoute with the smallest patch.

1. Rules with backendRefs to *both* Services take part; all other rules, and all other fields, are the user's.
2. A rule with only these two backendRefs gets their weights in percent. In a rule with more backends the sum of the
   two weights stays, rounded in the primary's favour, so that the share of every other backend stays.
3. Weights in the right proportion (900/100 for 90/10) are left as they are.
4. For a split with conditions each of these rules gets a *canary rule* in front of it: its copy, for requests that meet
   the rule's matches and one of the conditions. The canary's share is in the canary rule; the rule itself keeps the
   canary at weight 0. The annotation `headgate.dev/canary-rules` has the matches of the canary rules, so that they are
   recognized whatever else changes.
5. Each edit tests what it relies on. If the rules were reordered in between, the patch fails and we decide again.
"""

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import msgspec

from headgate.api.gateway import HTTPRoute, HTTPRouteMatch, HTTPRouteRule
from headgate.api.json_pointer import pointer

from .effects import Json, Patch, merge_map
from .names import Names
from .pairs import Pair, pairs, refers_to, rules_of, weight_of
from .problem import NotAcceptedError
from .split import Split

ANNOTATION = "headgate.dev/canary-rules"

#: Matches of one rule, headers of one match, that the API accepts.
_MAX_MATCHES, _MAX_CONDITIONS = 64, 16


class SplitRule(msgspec.Struct, frozen=True):
    """A rule of the user, or of `spec.service`, that takes part, and the canary rule in front of it."""

    pair: Pair
    canary_rule: Pair | None


def split_rules(route: Json, names: Names, split: Split | None = None) -> tuple[SplitRule, ...]:
    """The rules that take part, in their order.

    Args:
        split: if the route has no annotation (Flagger made it), a rule for the conditions of this split is its canary
            rule.
    """
    all_rules = rules_of(route)
    by_rule = {pair.rule: pair for pair in pairs(all_rules, names)}
    known = _annotated(route)
    found: list[SplitRule] = []
    canary_rule: Pair | None = None
    for number in sorted(by_rule):
        pair = by_rule[number]
        is_before_base = canary_rule is None or canary_rule.rule != number - 1
        if is_before_base and number + 1 in by_rule and _is_canary_rule(all_rules, number, known, split):
            canary_rule = pair
            continue
        before = canary_rule if canary_rule is not None and canary_rule.rule == number - 1 else None
        found.append(SplitRule(pair, before))
    return tuple(found)


def express(route: Json, names: Names, split: Split) -> Patch | None:
    """The patch after which the route has this split; None if it has it.

    Raises:
        NotAcceptedError: a condition of the split and a match of a rule exclude each other.
    """
    all_rules = rules_of(route)
    operations: list[Json] = []
    matches: list[Any] = []
    for split_rule in reversed(split_rules(route, names, split)):  # from the last: earlier indexes stay valid
        pair, rule = split_rule.pair, all_rules[split_rule.pair.rule]
        operations += _weights(pair, names, split.unmatched)
        mirrored = _mirrored(rule, names, split.mirror)
        if mirrored is not rule:
            operations += _set_filters(pair, names, rule, mirrored)
        if split.matches:
            desired = _canary_rule(mirrored, pair, split)
            matches.insert(0, desired["matches"])
            operations += _ensure_canary_rule(all_rules, split_rule, desired, names, split.canary)
        elif split_rule.canary_rule is not None:
            operations += _remove_canary_rule(all_rules, split_rule.canary_rule)
    operations += _annotate(route, matches)
    return Patch(HTTPRoute, names.key(names.apex), tuple(operations)) if operations else None


def restore(route: Json, names: Names) -> Iterator[Json]:
    """The operations after which the rules name `<apex>` again, as before the Canary."""
    all_rules = rules_of(route)
    for split_rule in reversed(split_rules(route, names)):
        pair = split_rule.pair
        refs = all_rules[pair.rule]["backendRefs"]
        apex = {**refs[pair.primary], "name": names.apex, "weight": pair.total}
        others = [ref for index, ref in enumerate(refs) if index not in (pair.primary, pair.canary)]
        at = pointer("spec", "rules", pair.rule, "backendRefs")
        yield {"op": "test", "path": f"{at}/{pair.primary}/name", "value": names.primary_service}
        yield {"op": "replace", "path": at, "value": [apex, *others]}
        if split_rule.canary_rule is not None:
            yield from _remove_canary_rule(all_rules, split_rule.canary_rule)
    yield from _annotate(route, [])


# ── weights and mirrors ──────────────────────────────────────────────────────


def _weights(pair: Pair, names: Names, share: Fraction) -> list[Json]:
    if pair.has_share(share):
        return []
    primary, canary = pair.weights(share)
    return [
        *_set_weight(pair.rule, pair.primary, names.primary_service, primary),
        *_set_weight(pair.rule, pair.canary, names.canary_service, canary),
    ]


def _set_weight(rule: int, index: int, name: str, weight: int) -> list[Json]:
    ref = ("spec", "rules", rule, "backendRefs", index)
    return [
        {"op": "test", "path": pointer(*ref, "name"), "value": name},
        {"op": "add", "path": pointer(*ref, "weight"), "value": weight},
    ]


def _mirrored(rule: Json, names: Names, mirror: bool) -> Json:
    """The rule with or without the filter that mirrors to the canary; the same object if nothing changes."""
    filters: list[Json] = rule.get("filters") or []
    others = [item for item in filters if not _mirrors_to_canary(item, names)]
    if mirror == (len(others) < len(filters)):
        return rule
    if not mirror:
        return {**rule, "filters": others}
    refs = rule["backendRefs"]
    canary = next(ref for ref in refs if refers_to(ref, names.canary_service, names.namespace))
    backend = {field: canary[field] for field in ("group", "kind", "name", "namespace", "port") if field in canary}
    return {**rule, "filters": [*others, {"type": "RequestMirror", "requestMirror": {"backendRef": backend}}]}


def _mirrors_to_canary(item: Json, names: Names) -> bool:
    backend = (item.get("requestMirror") or {}).get("backendRef") or {}
    return item.get("type") == "RequestMirror" and refers_to(backend, names.canary_service, names.namespace)


def _set_filters(pair: Pair, names: Names, before: Json, after: Json) -> list[Json]:
    at = ("spec", "rules", pair.rule)
    test = {"op": "test", "path": pointer(*at, "backendRefs", pair.primary, "name"), "value": names.primary_service}
    path = pointer(*at, "filters")
    if after["filters"]:
        return [test, {"op": "add", "path": path, "value": after["filters"]}]
    return [test, {"op": "remove", "path": path}] if "filters" in before else []


# ── canary rules ─────────────────────────────────────────────────────────────


def merged_matches(matches: list[Json], split: Split, rule: str) -> list[Json]:
    """Each match with each condition of the split: both must hold.

    Args:
        rule: where `matches` is, for the message.

    Raises:
        NotAcceptedError: they exclude each other, or are more than the API accepts.
    """
    merged = [_both(match, condition, rule) for condition in split.matches for match in matches or [{}]]
    if len(merged) > _MAX_MATCHES:
        message = f"with the matches of {rule} these are {len(merged)} matches, an HTTPRoute rule has at most 64"
        raise NotAcceptedError("spec.analysis.match", f"{message}; use fewer entries", "Unsupported")
    return merged


def _both(match: Json, condition: Json, rule: str) -> Json:
    result = dict(match)
    for field, word in (("headers", "header"), ("queryParams", "query parameter")):
        there: list[Json] = match.get(field) or []
        values = {_key(field, item["name"]): item for item in there}
        for item in condition.get(field) or ():
            other = values.setdefault(_key(field, item["name"]), item)
            if (other.get("type", "Exact"), other["value"]) != (item.get("type", "Exact"), item["value"]):
                message = f"{rule} matches {word} {item['name']} with another value, a request cannot meet both"
                raise NotAcceptedError("spec.analysis.match", f"{message}; use another {word}", "Unsupported")
        if len(values) > _MAX_CONDITIONS:
            message = f"with the matches of {rule} these are {len(values)} entries in {field}, at most 16 are accepted"
            raise NotAcceptedError("spec.analysis.match", f"{message}; use fewer", "Unsupported")
        if values:
            result[field] = list(values.values())
    return result


def _key(field: str, name: str) -> str:
    return name.lower() if field == "headers" else name


def _canary_rule(rule: Json, pair: Pair, split: Split) -> Json:
    """The copy of a rule for requests that meet a condition. The name of a rule is unique, so it is left out."""
    matches = merged_matches(rule.get("matches") or [], split, f"rule {pair.rule} of the HTTPRoute")
    refs = [dict(ref) for ref in rule["backendRefs"]]
    refs[pair.primary]["weight"], refs[pair.canary]["weight"] = pair.weights(split.canary)
    kept = {field: value for field, value in rule.items() if field != "name"}
    return {**kept, "matches": matches, "backendRefs": refs}


def _ensure_canary_rule(
    all_rules: list[Json], rule: SplitRule, desired: Json, names: Names, share: Fraction
) -> list[Json]:
    pair, there = rule.pair, rule.canary_rule
    if there is None:
        path = pointer("spec", "rules", pair.rule)
        test = {"op": "test", "path": f"{path}/backendRefs/{pair.primary}/name", "value": names.primary_service}
        return [test, {"op": "add", "path": path, "value": desired}]
    current = all_rules[there.rule]
    same_total = pair.alone or there.total == pair.total
    if not same_total or not _same_but_weights(current, desired, pair):
        return [
            _test_matches(there.rule, current),
            {"op": "replace", "path": pointer("spec", "rules", there.rule), "value": desired},
        ]
    return _weights(there, names, share)


def _remove_canary_rule(all_rules: list[Json], there: Pair) -> list[Json]:
    remove = {"op": "remove", "path": pointer("spec", "rules", there.rule)}
    return [_test_matches(there.rule, all_rules[there.rule]), remove]


def _test_matches(number: int, rule: Json) -> Json:
    return {"op": "test", "path": pointer("spec", "rules", number, "matches"), "value": rule["matches"]}


def _is_canary_rule(all_rules: list[Json], number: int, known: list[Any] | None, split: Split | None) -> bool:
    matches = all_rules[number].get("matches") or []
    if known is not None:
        return any(_same(matches, entry) for entry in known)
    if split is None or not split.matches:
        return False
    try:
        following = all_rules[number + 1].get("matches") or []
        return _same(matches, merged_matches(following, split, f"rule {number + 1} of the HTTPRoute"))
    except NotAcceptedError:
        return False


def _same(left: Any, right: Any) -> bool:
    """Whether two lists of matches are equal once both have the API's defaults."""
    try:
        return _defaulted(left) == _defaulted(right)
    except msgspec.ValidationError:
        return False


def _defaulted(matches: Any) -> tuple[HTTPRouteMatch, ...]:
    return msgspec.convert(matches, tuple[HTTPRouteMatch, ...])


def _same_but_weights(current: Json, desired: Json, pair: Pair) -> bool:
    """Whether two rules are equal once both have the API's defaults, but for the weights of the pair."""
    try:
        return _without_weights(current, pair) == _without_weights(desired, pair)
    except msgspec.ValidationError:
        return False


def _without_weights(rule: Json, pair: Pair) -> HTTPRouteRule:
    typed = msgspec.convert({field: value for field, value in rule.items() if field != "name"}, HTTPRouteRule)
    refs = tuple(
        msgspec.structs.replace(ref, weight=1) if index in (pair.primary, pair.canary) else ref
        for index, ref in enumerate(typed.backend_refs)
    )
    return msgspec.structs.replace(typed, backend_refs=refs)


def _annotated(route: Json) -> list[Any] | None:
    """The matches of the canary rules; None if there is no annotation, or if it is not ours any more."""
    text = (route["metadata"].get("annotations") or {}).get(ANNOTATION)
    try:
        return msgspec.json.decode(text, type=list[Any]) if text else None
    except msgspec.MsgspecError:
        return None


def _annotate(route: Json, matches: list[Any]) -> list[Json]:
    annotations = route["metadata"].get("annotations") or {}
    if matches:
        text = json.dumps(matches, sort_keys=True, separators=(",", ":"))
        return merge_map(("metadata", "annotations"), annotations, {ANNOTATION: text})
    return (
        [{"op": "remove", "path": pointer("metadata", "annotations", ANNOTATION)}] if ANNOTATION in annotations else []
    )


# ── a route without the pair ─────────────────────────────────────────────────

#: Weights above this are refused by the API.
_MAX_WEIGHT = 1_000_000


def adopt(route: Json, names: Names, split: Split) -> list[Json]:
    """The operations that put the pair into a route that does not have it; the canary has weight 0.

    Rules with a backendRef to `<apex>` get the pair in its place. The second rule of an A/B test that Flagger made,
    which only has the primary, gets the canary beside it.

    Raises:
        NotAcceptedError: there is no such rule.
    """
    all_rules = rules_of(route)
    if operations := list(_adopt_flaggers(all_rules, names, split)):
        return operations
    if any(True for _ in pairs(all_rules, names)):
        return []
    for number, rule in enumerate(all_rules):
        refs: list[Json] = rule.get("backendRefs") or []
        index = next((i for i, ref in enumerate(refs) if refers_to(ref, names.apex, names.namespace)), None)
        if index is not None:
            at = pointer("spec", "rules", number, "backendRefs")
            operations.append({"op": "test", "path": f"{at}/{index}/name", "value": names.apex})
            operations.append({"op": "replace", "path": at, "value": _with_pair(refs, index, names)})
    if not operations:
        message = (
            f"HTTPRoute {names.apex}.{names.namespace} has no rule with backendRefs to {names.primary_service} and "
            f"{names.canary_service}, nor one to {names.apex}; add them to the rules that the release should steer"
        )
        raise NotAcceptedError("spec.service.name", message, "RouteNotManageable")
    return operations


def _adopt_flaggers(all_rules: list[Json], names: Names, split: Split) -> Iterator[Json]:
    if not split.matches:
        return
    for pair in pairs(all_rules, names):
        number = pair.rule + 1
        refs = (all_rules[number].get("backendRefs") or []) if number < len(all_rules) else []
        is_base = len(refs) == 1 and refers_to(refs[0], names.primary_service, names.namespace)
        if is_base and _is_canary_rule(all_rules, pair.rule, None, split):
            at = pointer("spec", "rules", number, "backendRefs")
            yield {"op": "test", "path": f"{at}/0/name", "value": names.primary_service}
            yield {"op": "add", "path": f"{at}/-", "value": {**refs[0], "name": names.canary_service, "weight": 0}}


def _with_pair(refs: list[Json], index: int, names: Names) -> list[Json]:
    apex = refs[index]
    total, factor = weight_of(apex), 1
    if len(refs) == 1:
        total = 100
    elif total < 100 and all(weight_of(ref) * 100 <= _MAX_WEIGHT for ref in refs):
        factor = 100  # so that percents of the pair are whole numbers; proportions stay
    pair = [{**apex, "name": names.primary_service, "weight": total * factor}]
    pair.append({**apex, "name": names.canary_service, "weight": 0})
    others = [{**ref, "weight": weight_of(ref) * factor} if factor > 1 else ref for ref in refs]
    return [*others[:index], *pair, *others[index + 1 :]]

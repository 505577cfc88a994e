"""`x-kubernetes-validations` of a whole schema: compiled once, applied to an object and the one that it replaces.

The sentences and the order of things are Kubernetes' (`k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from headgate.api.problems import Problem
from headgate.api.schema import at, correlated

from .library import SIZE
from .programs import EvaluationError, ExpressionError, Program, compiled, optional, scope
from .values import Conversion, conversion

Schema = Mapping[str, Any]

RULES = "x-kubernetes-validations"
#: Items that each node remembers.
_REMEMBERED = 1024
_OLD = re.compile(r"\boldSelf\b")
_FIELD = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\['([^']*)'\]")
_SCALARS = ("string", "boolean", "integer", "number")
_REASONS = {
    "FieldValueForbidden": "Forbidden: {detail}",
    "FieldValueRequired": "Required value: {detail}",
    "FieldValueDuplicate": "Duplicate value{value}: {detail}",
    "FieldValueInvalid": "Invalid value{value}: {detail}",
}


class Rule(msgspec.Struct, frozen=True):
    """One rule. One that speaks of the value before (`old`) is asked when there is one, always if it is `optional`."""

    program: Program
    message: str
    told: Program | None
    reason: str
    field: str
    old: bool
    optional: bool

    @property
    def name(self) -> str:
        """What stands for the rule in sentences about it."""
        return self.message or self.program.source.strip()

    def read(self, *, wide: bool) -> "Rule":
        """The rule as it is asked of texts beyond ASCII, if `wide`."""
        if not wide:
            return self
        told = self.told and compiled(self.told.source, wide=True)
        return msgspec.structs.replace(self, program=compiled(self.program.source, wide=True), told=told)


class Node(msgspec.Struct, frozen=True):
    """The rules of a schema and of what is in it; parts without rules are left out."""

    schema: Schema
    rules: tuple[Rule, ...] = ()
    functions: frozenset[str] = frozenset()
    convert: Conversion | None = None
    properties: Mapping[str, "Node"] = {}
    more: "Node | None" = None
    items: "Node | None" = None
    #: Whether a rule in here speaks of the value before: then what has not changed is looked at as well.
    old: bool = False
    #: Items of lists that broke no rule, see `_in_list`.
    fine: set[bytes] = msgspec.field(default_factory=set)


# --- compiling --------------------------------------------------------------------------------------------------------


def read(schema: Schema, unread: list[tuple[str, ExpressionError]], path: str = "") -> Node | None:
    """The rules of a schema, None when it has none. Rules that cannot be read are added to `unread` with their path."""
    properties = {
        name: node
        for name, child in (schema.get("properties") or {}).items()
        if (node := read(child, unread, at(at(path, "properties"), name))) is not None
    }
    more, items = (
        read(child, unread, at(path, name)) if isinstance(child := schema.get(name), Mapping) else None
        for name in ("additionalProperties", "items")
    )
    rules = tuple(_rules(schema.get(RULES) or (), unread, at(path, RULES)))
    if not (rules or properties or more or items):
        return None
    return Node(
        schema,
        rules,
        frozenset().union(*(program.functions for rule in rules for program in (rule.program, rule.told) if program)),
        conversion(schema) if rules else None,
        properties,
        more,
        items,
        any(rule.old for rule in rules) or any(node.old for node in (*properties.values(), more, items) if node),
    )


def _rules(said: Any, unread: list[tuple[str, ExpressionError]], path: str) -> Iterator[Rule]:
    for index, words in enumerate(said):
        where = at(path, index)
        try:
            yield _rule(words)
        except ExpressionError as problem:
            unread.append((where, problem))


def _rule(words: Mapping[str, Any]) -> Rule:
    source, told = str(words.get("rule", "")), words.get("messageExpression")
    return Rule(
        program=compiled(source),
        message=str(words.get("message", "")).strip(),
        told=compiled(told) if told else None,
        reason=words.get("reason") or "FieldValueInvalid",
        field=str(words.get("fieldPath", "")),
        old=_OLD.search(source) is not None,
        optional=bool(words.get("optionalOldSelf")),
    )


# --- asking -----------------------------------------------------------------------------------------------------------


def problems(node: Node, value: Any, old: Any = None, path: str = "") -> Iterator[Problem]:
    """What breaks a rule. A part that is as it was before is not judged again, except by rules about changes."""
    same = old is not None and value == old
    if (same and not node.old) or value is None:
        return
    yield from _asked(node, value, old, path, same=same)
    if isinstance(value, Mapping):
        yield from _in_object(node, value, old, path)
    elif isinstance(value, list) and node.items is not None:
        before = correlated(node.schema, old)
        for index, item in enumerate(value):
            if before is not None or node.items.old:
                yield from problems(node.items, item, before(item) if before else None, at(path, index))
            else:
                yield from _in_list(node.items, item, at(path, index))


def _in_list(node: Node, item: Any, path: str) -> Iterator[Problem]:
    """The problems of an item that nothing is compared with; one that had none is remembered.

    A change of one weight sends all rules of a route, and all but one are as they were.
    """
    key = msgspec.json.encode(item)
    if key in node.fine:
        return
    found = list(problems(node, item, None, path))
    if not found:
        if len(node.fine) >= _REMEMBERED:
            node.fine.clear()
        node.fine.add(key)
    yield from found


def _in_object(node: Node, value: Mapping[str, Any], old: Any, path: str) -> Iterator[Problem]:
    olds = old if isinstance(old, Mapping) else {}
    for name, child in value.items():
        if name in (node.schema.get("properties") or {}):
            inner, where = node.properties.get(name), at(path, name)
        else:
            inner, where = node.more, f"{path}[{name}]"
        if inner is not None:
            yield from problems(inner, child, olds.get(name), where)


def _asked(node: Node, value: Any, old: Any, path: str, *, same: bool) -> Iterator[Problem]:
    """The node's own rules."""
    rules = [rule for rule in node.rules if _concerns(rule, same=same, new=old is None)]
    if not rules:
        return
    plain = node.convert or _as_it_is
    now, before = plain(value), None if old is None else plain(old)
    wide = not msgspec.json.encode((value, old)).isascii()
    functions = node.functions | {SIZE} if wide else node.functions
    for wrapped in (False, True):
        asked = [rule.read(wide=wide) for rule in rules if rule.optional is wrapped]
        if asked:
            seen = scope({"self": now, "oldSelf": optional(before) if wrapped else before}, functions)
            yield from (problem for rule in asked if (problem := _problem(rule, seen, node, value, path)) is not None)


def _concerns(rule: Rule, *, same: bool, new: bool) -> bool:
    if rule.old:
        return rule.optional or not new
    return not same


def _as_it_is(value: Any) -> Any:
    return value


def _problem(rule: Rule, seen: Any, node: Node, value: Any, path: str) -> Problem | None:
    try:
        if rule.program(seen) is True:
            return None
    except EvaluationError as error:
        return Problem(path or "<nil>", "FieldValueInvalid", _not_evaluated(rule, str(error), node))
    detail = _told(rule, seen) or rule.message or f"failed rule: {rule.name}"
    shown = f": {msgspec.json.encode(value).decode()}" if _is_scalar(node) else ""
    sentence = _REASONS.get(rule.reason, _REASONS["FieldValueInvalid"]).format(detail=detail, value=shown)
    return Problem(_below(path, rule.field) or "<nil>", rule.reason, sentence)


def _not_evaluated(rule: Rule, error: str, node: Node) -> str:
    shown = msgspec.json.encode(node.schema.get("type", "")).decode()
    if error == "no such overload":
        why = f"'{error}': call arguments did not match a supported operator, function or macro signature for rule: "
        return f"Invalid value: {shown}: {why}{rule.name}"
    return f"Invalid value: {shown}: {error} evaluating rule: {rule.name}"


def _is_scalar(node: Node) -> bool:
    return node.schema.get("type") in _SCALARS or bool(node.schema.get("x-kubernetes-int-or-string"))


def _told(rule: Rule, seen: Any) -> str:
    """What the rule's own expression says, if it says one line of text."""
    if rule.told is None:
        return ""
    try:
        said = rule.told(seen)
    except EvaluationError:
        return ""
    return said.strip() if isinstance(said, str) and "\n" not in said.strip() else ""


def _below(path: str, field: str) -> str:
    """A path and a rule's `fieldPath` (`.spec['a.b'].c`) behind it."""
    for match in _FIELD.finditer(field):
        path = at(path, match[1] or match[2])
    return path

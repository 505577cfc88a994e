"""`x-kubernetes-validations` of a schema: compiled once, evaluated for an object and its previous version.

Messages and order are those of Kubernetes (`k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel`).
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
#: The number of cached items of each node.
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
    """One rule. A transition rule (with `oldSelf`) is evaluated if there is an old value, or always if it is
    `optional`.
    """

    program: Program
    message: str
    message_expression: Program | None
    reason: str
    field: str
    old: bool
    optional: bool

    @property
    def name(self) -> str:
        """The name of the rule in messages about it."""
        return self.message or self.program.source.strip()

    def read(self, *, wide: bool) -> "Rule":
        """The rule as it is asked of texts beyond ASCII, if `wide`."""
        if not wide:
            return self
        expression = self.message_expression and compiled(self.message_expression.source, wide=True)
        program = compiled(self.program.source, wide=True)
        return msgspec.structs.replace(self, program=program, message_expression=expression)


class Node(msgspec.Struct, frozen=True):
    """The rules of a schema and of its parts; parts without rules are left out."""

    schema: Schema
    rules: tuple[Rule, ...] = ()
    functions: frozenset[str] = frozenset()
    convert: Conversion | None = None
    properties: Mapping[str, "Node"] = {}
    more: "Node | None" = None
    items: "Node | None" = None
    #: Whether the subtree has transition rules; then unchanged parts are evaluated too.
    old: bool = False
    #: List items without problems, see `_in_list`.
    fine: set[bytes] = msgspec.field(default_factory=set)


# --- compiling --------------------------------------------------------------------------------------------------------


def read(schema: Schema, unread: list[tuple[str, ExpressionError]], path: str = "") -> Node | None:
    """The rules of a schema, or None. Rules that do not parse are added to `unread` with their path."""
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
        frozenset().union(
            *(program.functions for rule in rules for program in (rule.program, rule.message_expression) if program)
        ),
        conversion(schema) if rules else None,
        properties,
        more,
        items,
        any(rule.old for rule in rules) or any(node.old for node in (*properties.values(), more, items) if node),
    )


def _rules(declared: Any, unread: list[tuple[str, ExpressionError]], path: str) -> Iterator[Rule]:
    for index, words in enumerate(declared):
        where = at(path, index)
        try:
            yield _rule(words)
        except ExpressionError as problem:
            unread.append((where, problem))


def _rule(words: Mapping[str, Any]) -> Rule:
    source, message_expression = str(words.get("rule", "")), words.get("messageExpression")
    return Rule(
        program=compiled(source),
        message=str(words.get("message", "")).strip(),
        message_expression=compiled(message_expression) if message_expression else None,
        reason=words.get("reason") or "FieldValueInvalid",
        field=str(words.get("fieldPath", "")),
        old=_OLD.search(source) is not None,
        optional=bool(words.get("optionalOldSelf")),
    )


# --- asking -----------------------------------------------------------------------------------------------------------


def problems(node: Node, value: Any, old: Any = None, path: str = "") -> Iterator[Problem]:
    """The violated rules. Unchanged parts are not evaluated again, except by transition rules."""
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
    """The problems of a list item without an old value. An item without problems is cached.

    A change of one weight sends all rules of a route, and all but one are unchanged.
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
    detail = _message(rule, seen) or rule.message or f"failed rule: {rule.name}"
    text = f": {msgspec.json.encode(value).decode()}" if _is_scalar(node) else ""
    sentence = _REASONS.get(rule.reason, _REASONS["FieldValueInvalid"]).format(detail=detail, value=text)
    return Problem(_below(path, rule.field) or "<nil>", rule.reason, sentence)


def _not_evaluated(rule: Rule, error: str, node: Node) -> str:
    text = msgspec.json.encode(node.schema.get("type", "")).decode()
    if error == "no such overload":
        why = f"'{error}': call arguments did not match a supported operator, function or macro signature for rule: "
        return f"Invalid value: {text}: {why}{rule.name}"
    return f"Invalid value: {text}: {error} evaluating rule: {rule.name}"


def _is_scalar(node: Node) -> bool:
    return node.schema.get("type") in _SCALARS or bool(node.schema.get("x-kubernetes-int-or-string"))


def _message(rule: Rule, seen: Any) -> str:
    """The message of the rule's `messageExpression`, if its value is one line of text."""
    if rule.message_expression is None:
        return ""
    try:
        message = rule.message_expression(seen)
    except EvaluationError:
        return ""
    return message.strip() if isinstance(message, str) and "\n" not in message.strip() else ""


def _below(path: str, field: str) -> str:
    """A path, followed by the `fieldPath` of a rule (`.spec['a.b'].c`)."""
    for match in _FIELD.finditer(field):
        path = at(path, match[1] or match[2])
    return path

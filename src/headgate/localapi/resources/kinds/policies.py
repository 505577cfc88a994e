"""ValidatingAdmissionPolicies and their bindings."""

from collections.abc import Iterator
from typing import Any

from headgate.api.cel.programs import ExpressionError, compiled
from headgate.api.problems import Problem
from headgate.api.schema import at
from headgate.localapi.http import tables
from headgate.localapi.resources.served import Column, Object, Strategy


def _fill_matching(matching: Object | None) -> None:
    if matching is None:
        return
    matching.setdefault("namespaceSelector", {})
    matching.setdefault("objectSelector", {})
    matching["matchPolicy"] = matching.get("matchPolicy") or "Equivalent"
    for rule in (*(matching.get("resourceRules") or ()), *(matching.get("excludeResourceRules") or ())):
        rule["scope"] = rule.get("scope") or "*"


def _prepare_policy(new: Object, old: Object | None) -> None:
    spec = new.setdefault("spec", {})
    spec["failurePolicy"] = spec.get("failurePolicy") or "Fail"
    _fill_matching(spec.get("matchConstraints"))


def _prepare_binding(new: Object, old: Object | None) -> None:
    _fill_matching((new.get("spec") or {}).get("matchResources"))


def _policy_problems(new: Object, old: Object | None) -> Iterator[Problem]:
    spec = new["spec"]
    if not (spec.get("matchConstraints") or {}).get("resourceRules"):
        yield Problem("spec.matchConstraints.resourceRules", "FieldValueRequired", "Required value")
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        why = "Required value: validations or auditAnnotations must contain at least one item"
        yield from (Problem(f"spec.{name}", "FieldValueRequired", why) for name in ("validations", "auditAnnotations"))
    if spec["failurePolicy"] not in {"Fail", "Ignore"}:
        yield _unsupported("spec.failurePolicy", spec["failurePolicy"], "Fail", "Ignore")
    for path, expression in _expressions(spec):
        try:
            compiled(expression)
        except ExpressionError as error:
            yield Problem(path, "FieldValueInvalid", f'Invalid value: "{expression}": compilation failed: {error}')


def _expressions(spec: Object) -> Iterator[tuple[str, str]]:
    """Every expression of a policy with its path."""
    places = (("variables", "expression"), ("matchConditions", "expression"), ("validations", "expression"))
    for name, field in (*places, ("validations", "messageExpression")):
        for index, entry in enumerate(spec.get(name) or ()):
            if entry.get(field):
                yield at(at(at("spec", name), index), field), entry[field]


def _binding_problems(new: Object, old: Object | None) -> Iterator[Problem]:
    spec = new["spec"]
    actions = spec.get("validationActions") or ()
    if not actions:
        yield Problem("spec.validationActions", "FieldValueRequired", "Required value: at least one validation action")
    for index, action in enumerate(actions):
        if action not in {"Audit", "Deny", "Warn"}:
            yield _unsupported(f"spec.validationActions[{index}]", action, "Audit", "Deny", "Warn")
    if {"Deny", "Warn"} <= set(actions):
        listed = "[" + ", ".join(f'"{action}"' for action in actions) + "]"
        why = "repeating the same validation failure information in the API response and headers"
        sentence = f"Invalid value: {listed}: must not contain both Deny and Warn ({why})"
        yield Problem("spec.validationActions", "FieldValueInvalid", sentence)


def _unsupported(path: str, value: Any, *choices: str) -> Problem:
    supported = ", ".join(f'"{choice}"' for choice in choices)
    return Problem(path, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {supported}')


def _param_kind(obj: Object, now: float) -> str:
    kind = (obj.get("spec") or {}).get("paramKind")
    return f"{kind.get('apiVersion')}/{kind.get('kind')}" if kind else "<unset>"


def _param(obj: Object, now: float) -> str:
    reference = (obj.get("spec") or {}).get("paramRef")
    if not reference:
        return "<unset>"
    name = reference.get("name") or "*"
    return f"{reference['namespace']}/{name}" if reference.get("namespace") else str(name)


POLICY = Strategy(prepare=_prepare_policy, validate=_policy_problems, counts_generation=True)
POLICY_COLUMNS = (
    Column("Validations", lambda obj, now: len((obj.get("spec") or {}).get("validations") or ()), "integer"),
    Column("ParamKind", _param_kind),
    tables.AGE,
)
BINDING = Strategy(prepare=_prepare_binding, validate=_binding_problems, counts_generation=True)
BINDING_COLUMNS = (
    Column("PolicyName", lambda obj, now: (obj.get("spec") or {}).get("policyName", "")),
    Column("ParamRef", _param),
    tables.AGE,
)

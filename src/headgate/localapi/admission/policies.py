"""Evaluates ValidatingAdmissionPolicies before a write.

The messages are those of Kubernetes (`k8s.io/apiserver/pkg/admission/plugin/policy/validating`). Policies take effect
at once, and `authorizer` allows everything, as in the rest of this API.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from headgate.api.cel.programs import EvaluationError, ExpressionError, compiled, scope
from headgate.api.meta import Key
from headgate.api.problems import Problem
from headgate.localapi.http.reviews import who
from headgate.localapi.registry import status_errors
from headgate.localapi.resources.served import Object, Registry
from headgate.localapi.storage.cache import Cache, Record

from .matching import AdmissionRequest, matches, selects

GROUP = "admissionregistration.k8s.io"
POLICIES, BINDINGS = (f"validatingadmissionpolic{ending}.{GROUP}" for ending in ("ies", "ybindings"))

_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}
_VARIABLE = re.compile(r"\bvariables\.([A-Za-z_]\w*)")


class FailedValidation(msgspec.Struct, frozen=True):
    """A validation that failed: the reason and the message for the client."""

    reason: str
    message: str


class AdmissionPolicies:
    """The stored policies; they review every write of a client."""

    def __init__(self, cache: Cache, registry: Registry) -> None:
        self._cache = cache
        self._registry = registry

    def review(self, review: AdmissionRequest) -> list[str]:
        """Warnings for the client. Raises `StatusError` if a policy denies the write."""
        bindings = self._cache.collection(BINDINGS)
        if not bindings.records or review.resource.group == GROUP:
            return []
        namespace = self._namespace(review)
        warnings: list[str] = []
        for record in bindings:
            binding = _decoded(record)
            policy = self._cache.collection(POLICIES).records.get(Key("", binding["spec"].get("policyName", "")))
            if policy is not None:
                warnings += self._bound(_decoded(policy), binding, review, namespace)
        return warnings

    def _namespace(self, review: AdmissionRequest) -> Object | None:
        if not review.resource.namespaced:
            return None
        record = self._cache.collection("namespaces").records.get(Key("", review.namespace))
        return None if record is None else _decoded(record)

    def _bound(
        self, policy: Object, binding: Object, review: AdmissionRequest, namespace: Object | None
    ) -> Iterator[str]:
        """Evaluate one policy for one binding."""
        spec, bound = policy["spec"], binding["spec"]
        if not matches(spec["matchConstraints"], review, namespace):
            return
        if not matches(bound.get("matchResources"), review, namespace):
            return
        for failure in self._failures(spec, bound, review, namespace):
            names = f"ValidatingAdmissionPolicy '{policy['metadata']['name']}' with binding "
            names += f"'{binding['metadata']['name']}'"
            if "Deny" in bound["validationActions"]:
                raise _denial(review, failure, f"{names} denied request: {failure.message}")
            if "Warn" in bound["validationActions"]:
                yield f"Validation failed for {names}: {failure.message}"

    def _failures(
        self, spec: Object, bound: Object, review: AdmissionRequest, namespace: Object | None
    ) -> Iterator[FailedValidation]:
        params = self._params(spec, bound, review)
        if not params and bound["paramRef"].get("parameterNotFoundAction") == "Deny":
            why = "no params found for policy binding with `Deny` parameterNotFoundAction"
            yield from _on_error(spec, f"failed to configure binding: {why}")
        for param in params:
            yield from _validated(spec, _variables(review, namespace, param))

    def _params(self, spec: Object, bound: Object, review: AdmissionRequest) -> list[Object | None]:
        """The parameter objects of a binding, in order; a single None without parameters."""
        kind, reference = spec.get("paramKind"), bound.get("paramRef")
        if not kind or not reference:
            return [None]
        resource = self._registry.of_kind(kind.get("apiVersion", "").rpartition("/")[0], kind.get("kind", ""))
        if resource is None:
            return []
        namespace = (reference.get("namespace") or review.namespace) if resource.namespaced else ""
        collection = self._cache.collection(resource.id)
        if name := reference.get("name"):
            record = collection.records.get(Key(namespace, name))
            return [] if record is None else [_decoded(record)]
        found = collection.after(Key(namespace, ""), namespace)
        return [_decoded(record) for record in found if selects(reference.get("selector"), record.labels)]


@functools.lru_cache(maxsize=256)
def _of_body(body: bytes) -> Object:
    found: Object = msgspec.json.decode(body)
    return found


def _decoded(record: Record) -> Object:
    """A decoded object, for reading only."""
    return _of_body(record.body)


def _denial(review: AdmissionRequest, failure: FailedValidation, message: str) -> status_errors.StatusError:
    resource = review.resource
    refusal = status_errors.forbidden(resource.group, resource.plural, review.name, message, [Problem("", "", message)])
    refusal.reason, refusal.code = failure.reason, _CODES.get(failure.reason, 422)
    refusal.details["causes"] = [{"message": message}]
    return refusal


# --- one policy and one request ---------------------------------------------------------------------------------------


def _variables(review: AdmissionRequest, namespace: Object | None, param: Object | None) -> dict[str, Any]:
    """The variables of a policy's expressions."""
    resource = review.resource
    kind = {"group": resource.group, "version": review.version, "kind": resource.kind}
    plural = {"group": resource.group, "version": review.version, "resource": resource.plural}
    request = {
        "kind": kind,
        "resource": plural,
        "subResource": review.subresource,
        "requestKind": kind,
        "requestResource": plural,
        "requestSubResource": review.subresource,
        "name": review.name,
        "namespace": review.namespace,
        "operation": review.operation,
        "userInfo": who(review.user),
        "dryRun": review.dry_run,
        "options": {},
    }
    about = {"apiVersion": resource.api_version(review.version), "kind": resource.kind}
    return {
        "object": None if review.new is None else about | review.new,
        "oldObject": None if review.old is None else about | review.old,
        "request": request,
        "params": param,
        "namespaceObject": namespace,
        "authorizer": {"requestResource": {}},
    }


def _validated(spec: Object, seen: dict[str, Any]) -> Iterator[FailedValidation]:
    """The failed validations; none if a match condition excludes the request."""
    variables = _Composed(spec, seen)
    for condition in spec.get("matchConditions") or ():
        try:
            if variables.value(condition["expression"]) is not True:
                return
        except EvaluationError as error:
            yield from _on_error(spec, f"{error}")
            return
    for validation in spec.get("validations") or ():
        try:
            if variables.value(validation["expression"]) is not True:
                yield FailedValidation(validation.get("reason") or "Invalid", _message(validation, variables))
        except EvaluationError as error:
            sentence = f"expression '{validation['expression'].strip()}' resulted in error: {error}"
            yield from _on_error(spec, sentence)


def _on_error(spec: Object, sentence: str) -> Iterator[FailedValidation]:
    if spec.get("failurePolicy") != "Ignore":
        yield FailedValidation("Invalid", sentence)


def _message(validation: Mapping[str, Any], variables: "_Composed") -> str:
    if expression := validation.get("messageExpression"):
        try:
            message = variables.value(expression)
        except EvaluationError:
            message = None
        if isinstance(message, str) and message.strip() and "\n" not in message.strip():
            return message.strip()
    if text := validation.get("message"):
        return str(text).strip()
    return f"failed expression: {validation['expression'].strip()}"


class _Composed:
    """The expressions of a policy with its variables; each variable is evaluated once."""

    def __init__(self, spec: Object, seen: dict[str, Any]) -> None:
        self._seen = seen
        self._wanted = {variable["name"]: variable["expression"] for variable in spec.get("variables") or ()}
        self._known: dict[str, Any] = {}

    def value(self, expression: str) -> Any:
        """The value of an expression. Raises `EvaluationError`."""
        composed = {name: self._variable(name) for name in _VARIABLE.findall(expression) if name in self._wanted}
        try:
            program = compiled(expression, wide=True)
        except ExpressionError as error:
            raise EvaluationError(f"compilation failed: {error}") from None
        return program(scope({**self._seen, "variables": composed}, program.functions))

    def _variable(self, name: str) -> Any:
        if name not in self._known:
            try:
                self._known[name] = self.value(self._wanted[name])
            except EvaluationError as error:
                raise EvaluationError(f'composited variable "{name}" fails to evaluate: {error}') from None
        return self._known[name]

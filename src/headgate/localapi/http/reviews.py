"""Review resources (access reviews, self subject reviews, token reviews). They are answered, not stored.

The API has no authorization: every valid token may do everything, and the reviews say so.
"""

from collections.abc import Callable
from typing import Any

from headgate.api.times import rfc3339
from headgate.localapi.registry import status_errors
from headgate.localapi.resources.served import Object, Resource
from headgate.localapi.tokens import Tokens

from . import write_handlers
from .messages import Request, Response, json_response

_ALLOWED = {"allowed": True, "reason": "every valid token may do everything"}
_EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


def respond(request: Request, resource: Resource, version: str, user: str, tokens: Tokens, now: float) -> Response:
    """The review with its status."""
    if request.method != "POST":
        raise status_errors.method_not_allowed()
    asked = write_handlers.body(request)
    if not isinstance(asked, dict):
        raise status_errors.bad_request(f"expected a {resource.kind} object")
    status = _STATUS[resource.kind](asked.get("spec") or {}, user, tokens)
    metadata = {**(asked.get("metadata") or {}), "creationTimestamp": rfc3339(now)}
    body = {"kind": resource.kind, "apiVersion": resource.api_version(version), "metadata": metadata}
    return json_response(body | ({"spec": asked["spec"]} if "spec" in asked else {}) | {"status": status}, 201)


def who(user: str) -> dict[str, Any]:
    """A user as reviews describe it."""
    parts = user.split(":")
    groups = ["system:authenticated"]
    if parts[:2] == ["system", "serviceaccount"]:
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{parts[2]}", *groups]
    return {"username": user, "groups": groups}


def _token(spec: Object, tokens: Tokens) -> Object:
    user = tokens.user(str(spec.get("token", "")))
    if user is None:
        return {"authenticated": False, "error": "this token was not issued here, or its time is over"}
    return {"authenticated": True, "user": who(user)}


_STATUS: dict[str, Callable[[Object, str, Tokens], Object]] = {
    "SelfSubjectAccessReview": lambda spec, user, tokens: _ALLOWED,
    "SubjectAccessReview": lambda spec, user, tokens: _ALLOWED,
    "SelfSubjectRulesReview": lambda spec, user, tokens: _EVERYTHING,
    "SelfSubjectReview": lambda spec, user, tokens: {"userInfo": who(user)},
    "TokenReview": lambda spec, user, tokens: _token(spec, tokens),
}

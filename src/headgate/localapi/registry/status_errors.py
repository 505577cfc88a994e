"""Errors that the API returns, as Kubernetes' `Status` objects."""

from collections.abc import Sequence
from typing import Any

from headgate.api.problems import Problem


class StatusError(Exception):
    """A request that failed. `code` is the HTTP status, `reason` the machine-readable reason."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        causes: Sequence[Problem] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details or {})
        #: Warnings that the response also contains.
        self.warnings: list[str] = []
        if causes:
            self.details["causes"] = [
                {"reason": cause.reason, "message": cause.message, "field": cause.path} for cause in causes
            ]

    def body(self) -> dict[str, Any]:
        """The `Status` object."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details:
            body["details"] = self.details
        return body | {"code": self.code}


def _thing(group: str, plural: str, name: str = "") -> tuple[str, dict[str, Any]]:
    """`httproutes.gateway.networking.k8s.io "shop"` and its details."""
    qualified = f"{plural}.{group}" if group else plural
    details = {"name": name} if name else {}
    if group:
        details["group"] = group
    return (f'{qualified} "{name}"' if name else qualified), details | {"kind": plural}


def not_found(group: str, plural: str, name: str) -> StatusError:
    """The object does not exist."""
    text, details = _thing(group, plural, name)
    return StatusError(404, "NotFound", f"{text} not found", details=details)


def no_such_path() -> StatusError:
    """The API does not serve this path."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(group: str, plural: str, name: str) -> StatusError:
    """An object with this name exists."""
    text, details = _thing(group, plural, name)
    return StatusError(409, "AlreadyExists", f"{text} already exists", details=details)


def conflict(group: str, plural: str, name: str, why: str) -> StatusError:
    """The object has changed since the client read it."""
    text, details = _thing(group, plural, name)
    return StatusError(409, "Conflict", f"Operation cannot be fulfilled on {text}: {why}", details=details)


def forbidden(group: str, plural: str, name: str, why: str, causes: Sequence[Problem] = ()) -> StatusError:
    """The request is not allowed in this state."""
    text, details = _thing(group, plural, name)
    return StatusError(403, "Forbidden", f"{text} is forbidden: {why}", details=details, causes=causes)


def invalid(group: str, kind: str, name: str, problems: Sequence[Problem]) -> StatusError:
    """The object is invalid. The error lists every problem with its field path."""
    qualified = f"{kind}.{group}" if group else kind
    sentences = [f"{problem.path}: {problem.message}" if problem.path else problem.message for problem in problems]
    text = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    details: dict[str, Any] = {"name": name} if name else {}
    details |= ({"group": group} if group else {}) | {"kind": kind}
    return StatusError(422, "Invalid", f'{qualified} "{name}" is invalid: {text}', details=details, causes=problems)


def bad_request(message: str) -> StatusError:
    """The request is malformed."""
    return StatusError(400, "BadRequest", message)


def too_large(message: str) -> StatusError:
    """The body, or the object that it would make, is larger than the limit."""
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: {message}")


def expired(message: str) -> StatusError:
    """The resource version or the continue token is too old."""
    return StatusError(410, "Expired", message)


def unsupported_media(message: str) -> StatusError:
    """The content type of the body is not supported."""
    return StatusError(415, "UnsupportedMediaType", message)


def method_not_allowed() -> StatusError:
    """The path does not support this method."""
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

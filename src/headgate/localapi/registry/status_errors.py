"""What the API answers when it does not do what was asked: Kubernetes' `Status`."""

from collections.abc import Sequence
from typing import Any

from headgate.api.problems import Problem


class StatusError(Exception):
    """A request that is not carried out. `code` is HTTP's, `reason` the word clients decide by."""

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
        #: What the client should be told besides.
        self.warnings: list[str] = []
        if causes:
            self.details["causes"] = [
                {"reason": cause.reason, "message": cause.message, "field": cause.path} for cause in causes
            ]

    def body(self) -> dict[str, Any]:
        """The body of the answer."""
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
    """`httproutes.gateway.networking.k8s.io "shop"` and the details that go with it."""
    qualified = f"{plural}.{group}" if group else plural
    details = {"name": name} if name else {}
    if group:
        details["group"] = group
    return (f'{qualified} "{name}"' if name else qualified), details | {"kind": plural}


def not_found(group: str, plural: str, name: str) -> StatusError:
    """The object is not there."""
    text, details = _thing(group, plural, name)
    return StatusError(404, "NotFound", f"{text} not found", details=details)


def no_such_path() -> StatusError:
    """Nothing is served there."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(group: str, plural: str, name: str) -> StatusError:
    """An object of that name is there."""
    text, details = _thing(group, plural, name)
    return StatusError(409, "AlreadyExists", f"{text} already exists", details=details)


def conflict(group: str, plural: str, name: str, why: str) -> StatusError:
    """The object is not the one that the client means."""
    text, details = _thing(group, plural, name)
    return StatusError(409, "Conflict", f"Operation cannot be fulfilled on {text}: {why}", details=details)


def forbidden(group: str, plural: str, name: str, why: str, causes: Sequence[Problem] = ()) -> StatusError:
    """Not allowed in this state."""
    text, details = _thing(group, plural, name)
    return StatusError(403, "Forbidden", f"{text} is forbidden: {why}", details=details, causes=causes)


def invalid(group: str, kind: str, name: str, problems: Sequence[Problem]) -> StatusError:
    """The object does not fit; every problem with its path."""
    qualified = f"{kind}.{group}" if group else kind
    sentences = [f"{problem.path}: {problem.message}" if problem.path else problem.message for problem in problems]
    text = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    details: dict[str, Any] = {"name": name} if name else {}
    details |= ({"group": group} if group else {}) | {"kind": kind}
    return StatusError(422, "Invalid", f'{qualified} "{name}" is invalid: {text}', details=details, causes=problems)


def bad_request(message: str) -> StatusError:
    """The request cannot be read."""
    return StatusError(400, "BadRequest", message)


def expired(message: str) -> StatusError:
    """The revision is too old (or the continue token is)."""
    return StatusError(410, "Expired", message)


def unsupported_media(message: str) -> StatusError:
    """The body comes in a form that is not taken."""
    return StatusError(415, "UnsupportedMediaType", message)


def method_not_allowed() -> StatusError:
    """The path is right, the method is not."""
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

"""Errors of requests to an API::

ApiError               the API returned an error: status, reason and message of its Status
└── UnreachableError   there was no response: no connection, a broken one, a timeout (status 0)
"""

import msgspec


class ApiError(Exception):
    """The API returned an error: `status` is the HTTP status, `reason` and `message` are those of the Status object.

    Reasons are those of Kubernetes: NotFound, Conflict, AlreadyExists, Invalid, Forbidden, Expired, Gone, …
    """

    def __init__(self, status: int, reason: str, message: str, body: bytes = b"") -> None:
        super().__init__(f"{reason} ({status}): {message}" if status else f"{reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.body = body


class UnreachableError(ApiError):
    """No response: connection refused or lost, or a timeout. Whether the request took effect is unknown."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "Unreachable", message)


class _Status(msgspec.Struct):
    reason: str | None = None
    message: str | None = None
    code: int | None = None


_status_decoder = msgspec.json.Decoder(_Status)


def status_error(body: bytes, status: int = 0) -> ApiError:
    """The error of a response body: a Status object, or any other text."""
    try:
        decoded = _status_decoder.decode(body)
    except (msgspec.DecodeError, RecursionError):
        text = body.decode(errors="replace").strip()[:300]
        return ApiError(status, _REASONS.get(status, "Unknown"), text or "no message", body)
    code = status or decoded.code or 500
    return ApiError(code, decoded.reason or _REASONS.get(code, "Unknown"), decoded.message or "no message", body)


_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Gone",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}

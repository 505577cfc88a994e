"""`SessionPersistence` (Gateway API v1.7, experimental; GEP-1619): the same in routes, XBackends and policies."""

from headgate.api import durations
from headgate.api.gateway import SessionPersistence
from headgate.conditions import Invalid
from headgate.conditions import http_route as conditions
from headgate.ir import sessions as ir


def read(path: str, declared: SessionPersistence) -> ir.SessionPersistence:
    """The session persistence at a path; raises `Invalid`."""
    if declared.type == "Header":
        if declared.header is None:
            raise conditions.missing_value(f"{path}.header", "set its name for type Header")
        if declared.absolute_timeout is not None:
            raise _unsupported_timeout(f"{path}.absoluteTimeout", declared.absolute_timeout)
        return ir.SessionPersistence("header", declared.header.name.lower())
    if declared.type != "Cookie":
        raise conditions.unsupported_value(f"{path}.type", declared.type, "use Cookie or Header")
    if declared.cookie is None:
        raise conditions.missing_value(f"{path}.cookie", "set it for type Cookie; {} is enough")
    cookie = declared.cookie
    return ir.SessionPersistence("cookie", cookie.name or "", cookie.path or "/", _lifetime(path, declared))


def _lifetime(path: str, declared: SessionPersistence) -> float | None:
    """The lifetime of the cookie in seconds; None for a cookie of the browser session."""
    lifetime_type = declared.cookie.lifetime_type if declared.cookie else "Session"
    field = f"{path}.absoluteTimeout"
    if lifetime_type == "Session":
        if declared.absolute_timeout is not None:
            raise _unsupported_timeout(field, declared.absolute_timeout)
        return None
    if lifetime_type != "Permanent":
        raise conditions.unsupported_value(f"{path}.cookie.lifetimeType", lifetime_type, "use Session or Permanent")
    if declared.absolute_timeout is None:
        raise conditions.missing_value(field, "set it for lifetimeType Permanent, for example to 24h")
    seconds = durations.seconds(declared.absolute_timeout)
    if not seconds:
        raise conditions.invalid_value(field, declared.absolute_timeout, "use a positive duration like 24h")
    return seconds


def _unsupported_timeout(path: str, timeout: str) -> Invalid:
    remedy = "use it with a cookie of lifetimeType Permanent: Envoy keeps no sessions, so only a cookie can expire"
    return conditions.unsupported_value(path, timeout, remedy)

"""`SessionPersistence` (Gateway API v1.7, experimental; GEP-1619): the same in routes, XBackends and policies."""

from headgate.api import durations
from headgate.api.gateway import SessionPersistence
from headgate.conditions import Invalid
from headgate.conditions import http_route as say
from headgate.ir import sessions as ir


def read(path: str, found: SessionPersistence) -> ir.SessionPersistence:
    """What is asked for at a path; raises `Invalid`."""
    if found.type == "Header":
        if found.header is None:
            raise say.invalid_value(f"{path}.header", "nothing", "type Header needs the name of one")
        if found.absolute_timeout is not None:
            raise _without_end(f"{path}.absoluteTimeout", found.absolute_timeout)
        return ir.SessionPersistence("header", found.header.name.lower())
    if found.type != "Cookie":
        raise say.unsupported_value(f"{path}.type", found.type, "Cookie and Header are")
    if found.cookie is None:
        raise say.invalid_value(f"{path}.cookie", "nothing", "type Cookie needs this field; {} is enough")
    return ir.SessionPersistence("cookie", found.cookie.name or "", found.cookie.path or "/", _lifetime(path, found))


def _lifetime(path: str, found: SessionPersistence) -> float | None:
    kind = found.cookie.lifetime_type if found.cookie else "Session"
    where = f"{path}.absoluteTimeout"
    if kind == "Session":
        if found.absolute_timeout is not None:
            raise _without_end(where, found.absolute_timeout)
        return None
    if kind != "Permanent":
        raise say.unsupported_value(f"{path}.cookie.lifetimeType", kind, "Session and Permanent are")
    seconds = durations.seconds(found.absolute_timeout or "")
    if not seconds:
        raise say.invalid_value(
            where, found.absolute_timeout or "nothing", "lifetimeType Permanent needs one, like 24h"
        )
    return seconds


def _without_end(path: str, text: str) -> Invalid:
    works = "it is with a cookie of lifetimeType Permanent; Envoy keeps no sessions, so nothing else ends one"
    return say.unsupported_value(path, text, works)

"""Header changes of RequestHeaderModifier and ResponseHeaderModifier."""

import re
from collections.abc import Iterable

from headgate.api.gateway import HTTPHeader, HTTPHeaderFilter
from headgate.conditions import http_route as conditions
from headgate.envoy import routes as envoy
from headgate.ir.http import HeaderChanges

#: `HTTPHeaderName`: a token of RFC 7230.
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}")
#: A header value has no control characters.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def changes(path: str, kind: str, declared: HTTPHeaderFilter | None) -> HeaderChanges:
    """The field as a value; raises `Invalid`."""
    if declared is None:
        raise conditions.missing_value(path, f"set it for a filter of type {kind}")
    removed = tuple(dict.fromkeys(_name(f"{path}.remove", name) for name in declared.remove))
    # Envoy removes first, the Gateway API removes last: a removed header is neither set nor added.
    return HeaderChanges(
        set=tuple(pair for pair in _pairs(f"{path}.set", declared.set) if pair[0] not in removed),
        add=tuple(pair for pair in _pairs(f"{path}.add", declared.add) if pair[0] not in removed),
        remove=removed,
    )


def rendered(changes: HeaderChanges) -> envoy.HeaderChanges:
    """The same changes for an Envoy route."""
    return envoy.HeaderChanges(set=changes.set, add=changes.add, remove=changes.remove)


def _pairs(path: str, declared: Iterable[HTTPHeader]) -> tuple[tuple[str, str], ...]:
    first: dict[str, str] = {}
    for at, header in enumerate(declared):
        if _CONTROL.search(header.value):
            raise conditions.invalid_value(
                f"{path}[{at}].value", header.value, "use a value without control characters"
            )
        first.setdefault(_name(f"{path}[{at}].name", header.name), header.value)
    return tuple(first.items())


def _name(path: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise conditions.invalid_value(path, name, "use letters, digits and !#$%&'*+-.^_`|~ only")
    if name.lower() == "host":
        raise conditions.invalid_value(path, name, "use hostname of the filter URLRewrite to change the Host header")
    return name.lower()

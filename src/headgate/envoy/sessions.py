"""Sessions: which endpoint of a cluster is asked is in a cookie or a header of the request.

The mark is Envoy's: the endpoint's address. An endpoint that is gone is replaced by another one, with a new mark.
"""

from typing import Any

from . import protos
from .listeners import HttpFilter

NAME = "envoy.filters.http.stateful_session"

#: What every listener has, disabled.
FILTER = HttpFilter(NAME, protos.pack(protos.StatefulSession()).SerializeToString())
#: For a virtual host whose routes have sessions: the filter is there, and does nothing unless the route says so.
OFF = {NAME: bytes(protos.pack(protos.StatefulSessionPerRoute(disabled=True)).SerializeToString(deterministic=True))}


def cookie(name: str, path: str, lifetime: float | None) -> bytes:
    """The configuration of a weighted cluster; `lifetime` in seconds, None for that of the browser."""
    state = protos.CookieBasedSessionState(cookie={"name": name, "path": path})
    if lifetime is not None:
        state.cookie.ttl.FromMilliseconds(round(lifetime * 1000))
    return _per_cluster("envoy.http.stateful_session.cookie", state)


def header(name: str) -> bytes:
    """The same with a header."""
    return _per_cluster("envoy.http.stateful_session.header", protos.HeaderBasedSessionState(name=name))


def _per_cluster(name: str, state: Any) -> bytes:
    found = protos.StatefulSessionPerRoute()
    found.stateful_session.session_state.name = name
    found.stateful_session.session_state.typed_config.CopyFrom(protos.pack(state))
    return bytes(protos.pack(found).SerializeToString(deterministic=True))

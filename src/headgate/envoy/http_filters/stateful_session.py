"""Session persistence (`envoy.filters.http.stateful_session`): a cookie or a header selects the endpoint of a cluster.

Envoy writes the endpoint's address into it. If that endpoint is gone, Envoy selects another one and writes its address.
"""

from typing import Any

from headgate.envoy import protos

from .slot import FilterOrder, Slot

SLOT = Slot(
    name="envoy.filters.http.stateful_session",
    order=FilterOrder.STATEFUL_SESSION,
    config=protos.packed(protos.StatefulSession()),
    off=protos.packed(protos.StatefulSessionPerRoute(disabled=True)),
)
SLOTS = (SLOT,)


def cookie(name: str, path: str, ttl: float | None) -> bytes:
    """The message of a weighted cluster. `ttl` is in seconds; None: the cookie ends with the browser session."""
    state = protos.CookieBasedSessionState(cookie={"name": name, "path": path})
    if ttl is not None:
        state.cookie.ttl.FromMilliseconds(round(ttl * 1000))
    return _message("envoy.http.stateful_session.cookie", state)


def header(name: str) -> bytes:
    """The message of a weighted cluster whose sessions are in a header."""
    return _message("envoy.http.stateful_session.header", protos.HeaderBasedSessionState(name=name))


def _message(name: str, state: Any) -> bytes:
    message = protos.StatefulSessionPerRoute()
    message.stateful_session.session_state.name = name
    message.stateful_session.session_state.typed_config.CopyFrom(protos.pack(state))
    return protos.packed(message)

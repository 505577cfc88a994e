"""Session persistence of a backendRef to the HTTP filter that keeps sessions."""

from headgate.envoy.http_filters import stateful_session
from headgate.envoy.names import digest
from headgate.ir.sessions import SessionPersistence
from headgate.rendering import PerRoute, Rendering


def render(session: SessionPersistence, into: Rendering, cluster: str, *, several: bool) -> Rendering:
    """The filter, configured for the cluster of a backendRef. With `several` backendRefs each cluster has a cookie of
    its own, since the session of one names no endpoint of another.
    """
    if session.type == "header":
        message = stateful_session.header(session.name)
    else:
        own = several or not session.name
        name = f"{session.name or 'headgate-session'}-{digest(cluster)[:8]}" if own else session.name
        message = stateful_session.cookie(name, session.path, session.absolute_timeout)
    return into.with_filter(stateful_session.SLOT.name, PerRoute(message))

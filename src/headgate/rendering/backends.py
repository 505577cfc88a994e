"""How Envoy refers to a backend of the IR."""

from headgate.envoy import names
from headgate.ir.routing import Backend


def cluster_name(backend: Backend) -> str:
    """The cluster of a backend: its Service port, and a digest of all else that the cluster depends on. With another
    protocol, host or traffic it is another cluster, so that one is warm before the other goes.
    """
    settings: list[bytes | str] = [] if backend.protocol == "http1" else [backend.protocol]
    if backend.host:
        settings.append(f"host {backend.host}")
    if traffic := backend.traffic.encoded():
        settings.append(traffic)
    return names.cluster_name(backend.service.namespace, backend.service.name, backend.port, *settings)


def host_and_port(backend: Backend) -> str:
    """HTTP's `:authority` of the calls that Envoy itself makes to a backend."""
    host = backend.host or f"{backend.service.name}.{backend.service.namespace}"
    return f"{host}:{backend.port}"

"""How the IR's nouns are called in Envoy. Names live within one Gateway: its Envoys see no others."""

from collections.abc import Iterable

import msgspec

from headgate.api.meta import Key
from headgate.envoy import names
from headgate.ir.routing import Backend, Target, Transport
from headgate.ir.streams import WeightedBackendsKey
from headgate.ir.tls import ClientValidation, UpstreamTLS


def cluster(backend: Backend) -> str:
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
    """What our own calls to a backend are for."""
    host = backend.host or f"{backend.service.name}.{backend.service.namespace}"
    return f"{host}:{backend.port}"


def target(found: Target) -> str:
    """Where a backendRef's share goes; without a backend its status is the answer."""
    if found.backend is None:
        return names.INVALID_BACKEND if found.unresolved_status == 500 else names.UNAVAILABLE_BACKEND
    return cluster(found.backend)


def weights_key(key: str, targets: tuple[Target, ...]) -> str:
    """The runtime key of a rule's weights."""
    return names.weights_key(key, map(target, targets))


def listener(transport: Transport, port: int) -> str:
    """The listener of a port."""
    return f"{transport.lower()}-{port}"


def stream_cluster(name: WeightedBackendsKey, policies: Iterable[str] = ()) -> str:
    """The cluster of a route's connections. It cannot be a Service port's, since no namespace has upper case letters.
    With other TLS it is another cluster, so that no endpoint is spoken to otherwise than was meant for it.
    """
    plain = f"{name.route.kind}/{name.route.namespace}/{name.route.name}"
    return f"{plain}#{names.digest(*policies)}" if name.originates_tls else plain


def secret(key: Key) -> str:
    """The certificate in a Secret."""
    return str(key)


def backend_validation(found: UpstreamTLS) -> str:
    """How backends are judged: one for each way, whatever the number of clusters."""
    return f"backends/{found.server_name}#{names.digest(msgspec.json.encode(found))}"


def client_validation(found: ClientValidation) -> str:
    """How clients are judged."""
    return f"clients/{found.ca_certificates[0]}#{names.digest(msgspec.json.encode(found))}"


def virtual_host(listener: str, hostname: str) -> str:
    """The virtual host of a hostname on a listener of the API."""
    return f"{listener}/{hostname or '*'}"

"""How the IR's nouns are called in Envoy. Names live within one Gateway: its Envoys see no others."""

from collections.abc import Iterable

import msgspec

from headgate.api.meta import Key
from headgate.envoy import names
from headgate.ir.routing import Transport
from headgate.ir.streams import WeightedBackendsKey
from headgate.ir.tls import ClientValidation, UpstreamTLS


def closed(status: int) -> str:
    """The cluster of the bootstrap that answers every request with 500, or with 503 (UNAVAILABLE of gRPC)."""
    return names.UNAVAILABLE_BACKEND if status == 503 else names.INVALID_BACKEND


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

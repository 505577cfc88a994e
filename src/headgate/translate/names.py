"""Names of Envoy's resources for values of the IR. They are unique within a Gateway, whose Envoys see no others."""

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


def stream_cluster(key: WeightedBackendsKey, policies: Iterable[str] = ()) -> str:
    """The cluster of a route's connections. No Service port's cluster has this name, since no namespace has upper-case
    letters. With other TLS settings it is another cluster, so that no endpoint gets traffic with the old ones.
    """
    plain = f"{key.route.kind}/{key.route.namespace}/{key.route.name}"
    return f"{plain}#{names.digest(*policies)}" if key.originates_tls else plain


def secret(key: Key) -> str:
    """The certificate in a Secret."""
    return str(key)


def backend_validation(tls: UpstreamTLS) -> str:
    """The validation context for backends; clusters with equal TLS share one."""
    return f"backends/{tls.server_name}#{names.digest(msgspec.json.encode(tls))}"


def client_validation(validation: ClientValidation) -> str:
    """The validation context for client certificates."""
    return f"clients/{validation.ca_certificates[0]}#{names.digest(msgspec.json.encode(validation))}"


def virtual_host(listener: str, hostname: str) -> str:
    """The virtual host of a hostname on a listener of a Gateway."""
    return f"{listener}/{hostname or '*'}"

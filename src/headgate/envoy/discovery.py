"""The bytes of the delta xDS protocol: requests in, responses out.

Responses are joined from resources that are already serialised (`wire`), so no large message is built as an object.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from . import protos, wire
from .resources import Resource

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
METHOD = "DeltaAggregatedResources"


class DiscoveryRequest(msgspec.Struct, frozen=True):
    """A DeltaDiscoveryRequest of an Envoy, which may subscribe and acknowledge at the same time. `error` is Envoy's
    message if it rejects the response of `nonce` (NACK), else None. Only the first request has node and metadata.
    """

    type_url: str
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: Mapping[str, str] = {}
    nonce: str = ""
    error: str | None = None
    node_id: str = ""
    metadata: Mapping[str, Any] = {}


def read_request(body: bytes) -> DiscoveryRequest:
    """Parse a DeltaDiscoveryRequest. Raises ValueError."""
    message = protos.parse(protos.DeltaDiscoveryRequest, body)
    return DiscoveryRequest(
        type_url=message.type_url,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial_versions=dict(message.initial_resource_versions),
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
        node_id=message.node.id,
        metadata=protos.to_dict(message.node.metadata) if message.node.HasField("metadata") else {},
    )


def write_response(type_url: str, nonce: str, resources: Iterable[Resource], removed: Iterable[str] = ()) -> bytes:
    """A DeltaDiscoveryResponse."""
    parts: list[bytes] = []
    for each in resources:
        about = wire.field(1, each.version) + wire.field(3, each.name)
        of_any = wire.field(1, each.type_url) + wire.head(2, len(each.body))
        size = len(of_any) + len(each.body)
        of_resource = about + wire.head(2, size)
        parts += (wire.head(2, len(of_resource) + size), of_resource, of_any, each.body)
    parts.append(wire.field(4, type_url))
    parts.append(wire.field(5, nonce))
    parts.extend(wire.field(6, name) for name in removed)
    return b"".join(parts)

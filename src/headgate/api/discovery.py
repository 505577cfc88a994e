"""Kinds of the group `discovery.k8s.io/v1`: EndpointSlice."""

import msgspec

from .core import ObjectReference
from .meta import Object, Value

#: The label of an EndpointSlice that names its Service.
SERVICE_NAME = "kubernetes.io/service-name"


class EndpointConditions(Value):
    """State of an endpoint; a missing `ready` or `serving` counts as true, a missing `terminating` as false."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Value):
    """One backend; consumers use `addresses[0]`."""

    addresses: tuple[str, ...]
    conditions: EndpointConditions = EndpointConditions()
    hostname: str | None = None
    node_name: str | None = None
    target_ref: ObjectReference | None = None
    zone: str | None = None


class EndpointPort(Value):
    """A port that all endpoints of the slice have."""

    name: str = ""
    port: int | None = None
    protocol: str = "TCP"
    app_protocol: str | None = None


class EndpointSlice(Object):
    """Some endpoints of a Service, which the label `SERVICE_NAME` names."""

    api_version: str = "discovery.k8s.io/v1"
    kind: str = "EndpointSlice"
    # Required by the API: a factory's value is encoded even when it is the default.
    address_type: str = msgspec.field(default_factory=lambda: "IPv4")
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()

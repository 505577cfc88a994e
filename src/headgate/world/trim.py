"""Trims watched objects to the fields that the program reads, and interns equal parts, to save memory.

A cluster has thousands of Services, EndpointSlices and routes, and the program reads few fields of each. Most of what
remains is the same in many objects (ports, parents, conditions of healthy routes). Values are frozen, so equal parts of
different objects can be one object.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import msgspec

from headgate.api import core, discovery, gateway
from headgate.api.discovery import SERVICE_NAME, Endpoint
from headgate.api.meta import ObjectMeta

V = TypeVar("V")
R = TypeVar("R", bound=gateway.Route)

#: Values that are remembered to be shared. Above it all are forgotten, and sharing begins anew.
_LIMIT = 4_096
#: The one key of a ConfigMap that the program reads: CA certificates.
_CA_CERTIFICATES = "ca.crt"

replace = msgspec.structs.replace


class Interner:
    """Gives one object for equal values."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._values: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        return len(self._values)

    def intern(self, value: V) -> V:
        """The value, or an equal one that was interned before. It must be hashable."""
        self._make_room()
        interned: V = self._values.setdefault(value, value)
        return interned

    def remembered(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value that was made for an equal key before, or a new one."""
        value: V | None = self._values.get(key)
        if value is None:
            self._make_room()
            value = self._values[key] = make()
        return value

    def _make_room(self) -> None:
        if len(self._values) >= self._limit:
            self._values.clear()


def config_map(whole: core.ConfigMap, interner: Interner) -> core.ConfigMap:
    """Name, and CA certificates."""
    data = {name: text for name, text in whole.data.items() if name == _CA_CERTIFICATES}
    return replace(whole, metadata=_name(whole.metadata, interner), data=data)


def namespace(whole: core.Namespace, interner: Interner) -> core.Namespace:
    """Name and labels."""
    return replace(whole, metadata=_name(whole.metadata, interner, labels=whole.metadata.labels))


def secret(whole: core.Secret, interner: Interner) -> core.Secret:
    """Name, type and data."""
    return replace(whole, metadata=_name(whole.metadata, interner))


def service(whole: core.Service, interner: Interner) -> core.Service:
    """Name, type, and what the ports offer."""
    ports = tuple(replace(port, node_port=None, target_port=None) for port in whole.spec.ports)
    spec = interner.remembered(
        ("Service", whole.spec.type, ports), lambda: core.ServiceSpec(type=whole.spec.type, ports=ports)
    )
    return core.Service(metadata=_name(whole.metadata, interner), spec=spec)


def endpoint_slice(whole: discovery.EndpointSlice, interner: Interner) -> discovery.EndpointSlice:
    """Service, addresses, conditions and ports."""
    labels = {name: text for name, text in whole.metadata.labels.items() if name == SERVICE_NAME}
    return discovery.EndpointSlice(
        metadata=_name(whole.metadata, interner, labels=labels),
        address_type=interner.intern(whole.address_type),
        endpoints=tuple(
            Endpoint(addresses=endpoint.addresses[:1], conditions=interner.intern(endpoint.conditions))
            for endpoint in whole.endpoints
        ),
        ports=interner.intern(whole.ports),
    )


def route(whole: R, interner: Interner) -> R:
    """Identity, age, spec, and the status without times."""
    parents = interner.intern(tuple(map(_timeless, whole.status.parents)))
    return replace(
        whole,
        metadata=_version(whole.metadata, interner),
        spec=replace(whole.spec, parent_refs=interner.intern(whole.spec.parent_refs)),
        status=interner.intern(gateway.RouteStatus(parents=parents)),
    )


def _name(meta: ObjectMeta, interner: Interner, **more: Any) -> ObjectMeta:
    return ObjectMeta(name=meta.name, namespace=interner.intern(meta.namespace), **more)


def _version(meta: ObjectMeta, interner: Interner) -> ObjectMeta:
    return _name(
        meta,
        interner,
        uid=meta.uid,
        generation=meta.generation,
        creation_timestamp=interner.intern(meta.creation_timestamp),
        deletion_timestamp=meta.deletion_timestamp,
    )


def _timeless(entry: gateway.RouteParentStatus) -> gateway.RouteParentStatus:
    """An entry of `status.parents` without transition times, which nothing compares."""
    conditions = tuple(replace(condition, last_transition_time="") for condition in entry.conditions)
    return replace(entry, conditions=conditions)

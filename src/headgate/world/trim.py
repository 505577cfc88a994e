"""What is kept of an object that was read: what the program looks at, and equal parts of objects only once.

A cluster has thousands of Services, EndpointSlices and routes, of each of which a few fields matter here. Most of what
remains is the same in all of them (ports, parents, conditions of healthy routes), so it is shared: everything here is
frozen, and equal values can stand for one another.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from headgate.api import core, discovery, gateway
from headgate.api.discovery import Endpoint
from headgate.api.meta import Object, ObjectMeta

from .objects import SERVICE_NAME

T = TypeVar("T", bound=Object)

#: Values that are remembered to be shared; beyond it all are forgotten, and sharing begins anew.
_SHARED = 4_096
#: The one key of a ConfigMap that is anybody's business here: certificates of authorities.
_AUTHORITIES = "ca.crt"

replace = msgspec.structs.replace


class Trimmer:
    """Reduces objects, of any kind, to what is kept of them."""

    def __init__(self) -> None:
        self._shared: dict[Any, Any] = {}
        self._by_kind: dict[type[Object], Callable[[Any], Object]] = {
            core.ConfigMap: self._config_map,
            core.Namespace: self._namespace,
            core.Secret: self._secret,
            core.Service: self._service,
            discovery.EndpointSlice: self._slice,
            gateway.HTTPRoute: self._route,
            gateway.GRPCRoute: self._route,
            gateway.TLSRoute: self._route,
            gateway.TCPRoute: self._route,
            gateway.UDPRoute: self._route,
        }

    def trim(self, found: T) -> T:
        """What is kept of an object: of its kind, and equal to it in everything that the program reads."""
        keep = self._by_kind.get(type(found))
        return found if keep is None else keep(found)  # type: ignore[return-value]

    def _share(self, value: Any) -> Any:
        """The same value, the same object."""
        if len(self._shared) >= _SHARED:
            self._shared.clear()
        return self._shared.setdefault(value, value)

    def _about(self, found: ObjectMeta) -> ObjectMeta:
        """Who it is and which version."""
        return ObjectMeta(
            name=found.name,
            namespace=self._share(found.namespace),
            uid=found.uid,
            generation=found.generation,
            creation_timestamp=self._share(found.creation_timestamp),
            deletion_timestamp=found.deletion_timestamp,
        )

    def _name(self, found: ObjectMeta, **more: Any) -> ObjectMeta:
        """Who it is."""
        return ObjectMeta(name=found.name, namespace=self._share(found.namespace), **more)

    def _config_map(self, found: core.ConfigMap) -> core.ConfigMap:
        data = {name: text for name, text in found.data.items() if name == _AUTHORITIES}
        return replace(found, metadata=self._name(found.metadata), data=data)

    def _namespace(self, found: core.Namespace) -> core.Namespace:
        return replace(found, metadata=self._name(found.metadata, labels=found.metadata.labels))

    def _secret(self, found: core.Secret) -> core.Secret:
        return replace(found, metadata=self._name(found.metadata))

    def _service(self, found: core.Service) -> core.Service:
        ports = tuple(replace(port, node_port=None, target_port=None) for port in found.spec.ports)
        ordinary = self._shared.get(("Service", found.spec.type, ports))
        if ordinary is None:
            ordinary = core.ServiceSpec(type=found.spec.type, ports=ports)
            self._shared["Service", found.spec.type, ports] = ordinary
        return core.Service(metadata=self._name(found.metadata), spec=ordinary)

    def _slice(self, found: discovery.EndpointSlice) -> discovery.EndpointSlice:
        labels = {name: text for name, text in found.metadata.labels.items() if name == SERVICE_NAME}
        return discovery.EndpointSlice(
            metadata=self._name(found.metadata, labels=labels),
            address_type=self._share(found.address_type),
            endpoints=tuple(
                Endpoint(addresses=each.addresses[:1], conditions=self._share(each.conditions))
                for each in found.endpoints
            ),
            ports=self._share(found.ports),
        )

    def _route(self, found: gateway.HTTPRoute) -> gateway.HTTPRoute:
        parents = self._share(tuple(map(_timeless, found.status.parents)))
        return replace(
            found,
            metadata=self._about(found.metadata),
            spec=replace(found.spec, parent_refs=self._share(found.spec.parent_refs)),
            status=self._share(gateway.RouteStatus(parents=parents)),
        )


def _timeless(entry: gateway.RouteParentStatus) -> gateway.RouteParentStatus:
    """An entry of a status without its times, which nobody compares."""
    conditions = tuple(replace(condition, last_transition_time="") for condition in entry.conditions)
    return replace(entry, conditions=conditions)

"""Services and EndpointSlices."""

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

from headgate.api.problems import Problem
from headgate.api.schema import at
from headgate.localapi.http import tables
from headgate.localapi.registry import status_errors
from headgate.localapi.resources.served import Column, Object, Strategy

from .pods import port_problems

#: The default network of ClusterIPs.
NETWORK = ipaddress.IPv4Network("127.20.0.0/16")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


class Addresses:
    """Allocates the ClusterIPs of a network. `taken` returns the addresses in use."""

    def __init__(self, network: ipaddress.IPv4Network, taken: Callable[[], set[str]]) -> None:
        self._network = network
        self._taken = taken
        self._next = 0

    def allocate(self) -> str:
        """A free address."""
        taken, size = self._taken(), self._network.num_addresses - 2
        for _ in range(size):
            address = str(self._network[1 + self._next % size])
            self._next += 1
            if address not in taken:
                return address
        raise status_errors.StatusError(500, "InternalError", f"every address of {self._network} is taken by a Service")


def behaviour(addresses: Addresses) -> Strategy:
    """The strategy of Services with ClusterIPs from `addresses`."""

    def prepare(new: Object, old: Object | None) -> None:
        _prepare(new, old, addresses)

    return Strategy(prepare=prepare, validate=_problems, initial_status=lambda new: {"loadBalancer": {}})


def _prepare(new: Object, old: Object | None, addresses: Addresses) -> None:
    spec = new.setdefault("spec", {})
    spec["type"] = spec.get("type") or "ClusterIP"
    spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
    for port in spec.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port")
    if spec["type"] == "ExternalName":
        return
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] in {"LoadBalancer", "NodePort"}:
        spec["externalTrafficPolicy"] = spec.get("externalTrafficPolicy") or "Cluster"
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    before = (old or {}).get("spec") or {}
    if not spec.get("clusterIP"):
        spec["clusterIP"] = before.get("clusterIP") or addresses.allocate()
    spec["clusterIPs"] = spec.get("clusterIPs") or [spec["clusterIP"]]
    spec["ipFamilies"] = spec.get("ipFamilies") or ["IPv4"]
    spec["ipFamilyPolicy"] = spec.get("ipFamilyPolicy") or "SingleStack"


def _problems(new: Object, old: Object | None) -> Iterator[Problem]:
    spec = new["spec"]
    if spec["type"] not in _TYPES:
        supported = ", ".join(f'"{name}"' for name in _TYPES)
        yield Problem(
            "spec.type", "FieldValueNotSupported", f'Unsupported value: "{spec["type"]}": supported values: {supported}'
        )
    if spec["type"] == "ExternalName":
        if not spec.get("externalName"):
            yield Problem("spec.externalName", "FieldValueRequired", "Required value")
        return
    ports = spec.get("ports") or []
    if not ports and spec.get("clusterIP") != "None":
        yield Problem("spec.ports", "FieldValueRequired", "Required value")
    yield from _port_problems(ports)
    before = ((old or {}).get("spec") or {}).get("clusterIP")
    if before and (old or {})["spec"].get("type") != "ExternalName" and spec["clusterIP"] != before:
        yield Problem(
            "spec.clusterIP", "FieldValueInvalid", f'Invalid value: "{spec["clusterIP"]}": field is immutable'
        )


def _port_problems(ports: list[Object]) -> Iterator[Problem]:
    seen: set[Any] = set()
    for index, port in enumerate(ports):
        path = at("spec.ports", index)
        yield from port_problems(port.get("port"), at(path, "port"))
        if len(ports) > 1 and not port.get("name"):
            yield Problem(at(path, "name"), "FieldValueRequired", "Required value")
        if port["protocol"] not in {"TCP", "UDP", "SCTP"}:
            choices = '"SCTP", "TCP", "UDP"'
            yield Problem(
                at(path, "protocol"),
                "FieldValueNotSupported",
                f'Unsupported value: "{port["protocol"]}": supported values: {choices}',
            )
        if isinstance(port["targetPort"], int):
            yield from port_problems(port["targetPort"], at(path, "targetPort"))
        for key in (("name", port.get("name")), ("port", port.get("port"), port["protocol"])):
            if key[1] and key in seen:
                yield Problem(
                    path if key[0] == "port" else at(path, "name"), "FieldValueDuplicate", f"Duplicate value: {key[1]}"
                )
            seen.add(key)


# --- columns ----------------------------------------------------------------------------------------------------------


def _external(service: Object, now: float) -> str:
    spec = service["spec"]
    fixed = spec.get("externalIPs") or []
    if spec["type"] == "ExternalName":
        return str(spec.get("externalName") or "<none>")
    if spec["type"] == "LoadBalancer":
        balancer = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        found = [entry.get("ip") or entry.get("hostname") for entry in balancer] + fixed
        return ",".join(found) if found else "<pending>"
    return ",".join(fixed) or "<none>"


def _ports(service: Object, now: float) -> str:
    texts = []
    for port in service["spec"].get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(texts) or "<none>"


def _selector(service: Object, now: float) -> str:
    return (
        ",".join(f"{key}={value}" for key, value in sorted((service["spec"].get("selector") or {}).items())) or "<none>"
    )


COLUMNS = (
    Column("Type", lambda service, now: service["spec"]["type"]),
    Column("Cluster-IP", lambda service, now: service["spec"].get("clusterIP") or "<none>"),
    Column("External-IP", _external),
    Column("Port(s)", _ports),
    tables.AGE,
    Column("Selector", _selector, priority=1),
)

_LISTED = 3


def _slice_ports(obj: Object, now: float) -> str:
    found = [str(port.get("port", "*")) for port in obj.get("ports") or ()]
    return _some(found) if found else "<unset>"


def _slice_endpoints(obj: Object, now: float) -> str:
    found = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return _some(found) if found else "<unset>"


def _some(found: list[str]) -> str:
    more = f" + {len(found) - _LISTED} more..." if len(found) > _LISTED else ""
    return ",".join(found[:_LISTED]) + more


SLICE_COLUMNS = (
    Column("AddressType", lambda obj, now: obj["addressType"]),
    Column("Ports", _slice_ports),
    Column("Endpoints", _slice_endpoints),
    tables.AGE,
)


def _prepare_slice(new: Object, old: Object | None) -> None:
    for port in new.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
        port.setdefault("name", "")


def _slice_problems(new: Object, old: Object | None) -> Iterator[Problem]:
    family = new["addressType"]
    if family not in {"IPv4", "IPv6", "FQDN"}:
        yield Problem(
            "addressType",
            "FieldValueNotSupported",
            f'Unsupported value: "{family}": supported values: "FQDN", "IPv4", "IPv6"',
        )
    if old is not None and family != old["addressType"]:
        yield Problem("addressType", "FieldValueInvalid", f'Invalid value: "{family}": field is immutable')
    for index, endpoint in enumerate(new.get("endpoints") or ()):
        for position, address in enumerate(endpoint.get("addresses") or ()):
            if family != "FQDN" and not _is_address(address, family):
                path = f"endpoints[{index}].addresses[{position}]"
                yield Problem(
                    path, "FieldValueInvalid", f'Invalid value: "{address}": must be a valid {family} address'
                )


def _is_address(text: str, family: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == (4 if family == "IPv4" else 6)
    except ValueError:
        return False


SLICE = Strategy(prepare=_prepare_slice, validate=_slice_problems, counts_generation=True)

"""The GatewayClasses and Gateways that this controller manages."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.conditions import Problem
from headgate.conditions import gateway as conditions
from headgate.conditions import gateway_class as class_conditions
from headgate.incremental import Collection, Index, Read
from headgate.ir.routing import Transport
from headgate.world import EnvoyFleetSpec, Settings, World
from headgate.world.objects import SETTINGS

from . import routability

#: The key of the default Gateways in their index.
DEFAULT_SCOPE = "All"


class ManagedClass(msgspec.Struct, frozen=True, gc=False):
    """A GatewayClass with a controller name of this controller."""

    controller: str
    generation: int
    problems: tuple[Problem, ...]


class ManagedGateway(msgspec.Struct, frozen=True, gc=False):
    """A Gateway of an accepted GatewayClass, with the fields that anything depends on."""

    uid: str
    generation: int
    api_version: str
    controller: str
    spec: api.GatewaySpec


@dataclass(frozen=True, slots=True)
class ManagedGateways:
    """The GatewayClasses and Gateways of this controller."""

    classes: Collection[Key, ManagedClass]
    managed: Collection[Key, ManagedGateway]
    #: Per Gateway: the controller name for its statuses.
    controllers: Collection[Key, str]
    #: The Gateways that routes may attach to without a parentRef, all under the key `DEFAULT_SCOPE`
    #: (`spec.defaultScope`, GEP-3793).
    defaults: Index[str, Key]


def declare(world: World) -> ManagedGateways:
    """Select classes by controller name, and Gateways by class."""
    engine = world.engine

    def managed_class(read: Read, key: Key, gateway_class: api.GatewayClass) -> ManagedClass | None:
        spec = gateway_class.spec
        settings = read(world.settings, SETTINGS) or Settings()
        if spec.controller_name not in settings.controller_names:
            return None
        return ManagedClass(spec.controller_name, gateway_class.metadata.generation, tuple(_class_problems(key, spec)))

    classes = engine.map("managed GatewayClasses", world.gateway_classes, managed_class)

    def managed_gateway(read: Read, _key: Key, gateway: api.Gateway) -> ManagedGateway | None:
        of_class = read(classes, Key("", gateway.spec.gateway_class_name))
        if of_class is None or of_class.problems:
            return None
        meta = gateway.metadata
        return ManagedGateway(meta.uid, meta.generation, gateway.api_version, of_class.controller, gateway.spec)

    managed = engine.map("managed Gateways", world.gateways, managed_gateway)
    return ManagedGateways(
        classes=classes,
        managed=managed,
        controllers=engine.map("controllers of Gateways", managed, lambda _read, _key, gateway: gateway.controller),
        defaults=engine.index(
            "default Gateways", managed, lambda _key, gateway: (DEFAULT_SCOPE,) if _is_default(gateway.spec) else ()
        ),
    )


def _is_default(spec: api.GatewaySpec) -> bool:
    return spec.default_scope == "All"


def _class_problems(key: Key, spec: api.GatewayClassSpec) -> Iterable[Problem]:
    if (ref := spec.parameters_ref) is not None:
        problem = class_conditions.invalid_parameters(Ref(ref.kind, ref.namespace or "", ref.name))
        yield msgspec.structs.replace(problem, subject=Ref("GatewayClass", "", key.name))


def problems(key: Key, spec: api.GatewaySpec) -> tuple[Problem, ...]:
    """The problems of a Gateway as a whole. With any of them it is not accepted, whatever its listeners are."""
    infrastructure = spec.infrastructure
    of_whole = []
    if infrastructure is not None and (ref := infrastructure.parameters_ref) is not None:
        of_whole.append(conditions.invalid_parameters(Ref(ref.kind, key.namespace, ref.name)))
    for index, address in enumerate(spec.addresses):
        if address.type != "IPAddress":
            of_whole.append(conditions.unsupported_address(index, address.type))
    subject = Ref("Gateway", key.namespace, key.name)
    return tuple(msgspec.structs.replace(problem, subject=subject) for problem in of_whole)


def requested_addresses(spec: api.GatewaySpec) -> tuple[str, ...]:
    """The addresses that the load balancer must assign; an address without a value may be any."""
    return tuple(
        address.value for address in spec.addresses if address.value and routability.from_load_balancer(address)
    )


def fleet_specs(
    world: World, gateways: ManagedGateways, ports: Collection[Key, tuple[tuple[Transport, int], ...]]
) -> Collection[Key, EnvoyFleetSpec]:
    """Per accepted Gateway: the inputs of its Deployment and Service; `ports` are those of its accepted listeners."""

    def fleet_spec(read: Read, key: Key, gateway: ManagedGateway) -> EnvoyFleetSpec | None:
        spec = gateway.spec
        if problems(key, spec):
            return None
        infrastructure = spec.infrastructure or api.GatewayInfrastructure()
        return EnvoyFleetSpec(
            uid=gateway.uid,
            class_name=spec.gateway_class_name,
            ports=read(ports, key) or (),
            labels=infrastructure.labels,
            annotations=infrastructure.annotations,
            addresses=requested_addresses(spec),
            internal=routability.cluster_only(spec),
        )

    return world.engine.map("fleets of Gateways", gateways.managed, fleet_spec)

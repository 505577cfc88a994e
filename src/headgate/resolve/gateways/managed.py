"""Which classes and Gateways are ours."""

from dataclasses import dataclass

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Key
from headgate.incremental import Collection, Index, Read
from headgate.ir.routing import Transport
from headgate.world import EnvoyFleetSpec, Settings, World
from headgate.world.objects import SETTINGS

from . import routability

#: The group of the default Gateways.
DEFAULT_SCOPE = "All"


class ManagedClass(msgspec.Struct, frozen=True, gc=False):
    """A GatewayClass with one of our controller names."""

    controller: str
    generation: int
    parameters: api.ParametersReference | None


class ManagedGateway(msgspec.Struct, frozen=True, gc=False):
    """A Gateway of an accepted class of ours: all of it that anything depends on."""

    uid: str
    generation: int
    api_version: str
    controller: str
    spec: api.GatewaySpec


@dataclass(frozen=True, slots=True)
class ManagedGateways:
    """Ours."""

    classes: Collection[Key, ManagedClass]
    managed: Collection[Key, ManagedGateway]
    #: The controller name under which we speak of a Gateway.
    controllers: Collection[Key, str]
    #: Those that routes may want without naming them, under the one group `DEFAULT` (`spec.defaultScope`, GEP-3793).
    defaults: Index[str, Key]


def declare(world: World) -> ManagedGateways:
    """Classes by controller name, Gateways by class."""
    engine = world.engine

    def class_(read: Read, _key: Key, found: api.GatewayClass) -> ManagedClass | None:
        settings = read(world.settings, SETTINGS) or Settings()
        if found.spec.controller_name not in settings.controller_names:
            return None
        return ManagedClass(found.spec.controller_name, found.metadata.generation, found.spec.parameters_ref)

    classes = engine.map("classes of ours", world.gateway_classes, class_)

    def owned(read: Read, _key: Key, found: api.Gateway) -> ManagedGateway | None:
        of = read(classes, Key("", found.spec.gateway_class_name))
        if of is None or of.parameters is not None:
            return None
        return ManagedGateway(
            found.metadata.uid, found.metadata.generation, found.api_version, of.controller, found.spec
        )

    ours = engine.map("gateways of ours", world.gateways, owned)
    return ManagedGateways(
        classes=classes,
        managed=ours,
        controllers=engine.map("controller of a gateway", ours, lambda _read, _key, found: found.controller),
        defaults=engine.index(
            "default gateways", ours, lambda _key, found: (DEFAULT_SCOPE,) if found.spec.default_scope == "All" else ()
        ),
    )


def is_rejected(spec: api.GatewaySpec) -> bool:
    """Whether a Gateway as a whole cannot be accepted, whatever its listeners are."""
    return unsupported_parameters(spec) is not None or unsupported_address(spec) is not None


def unsupported_parameters(spec: api.GatewaySpec) -> api.LocalParametersReference | None:
    """The parameters that it refers to; we read none."""
    return spec.infrastructure.parameters_ref if spec.infrastructure else None


def unsupported_address(spec: api.GatewaySpec) -> int | None:
    """The index of an address that we cannot give."""
    return next((at for at, address in enumerate(spec.addresses) if address.type != "IPAddress"), None)


def requested_addresses(spec: api.GatewaySpec) -> tuple[str, ...]:
    """The addresses that the load balancer must give; those without a value may be any."""
    return tuple(each.value for each in spec.addresses if each.value and routability.from_load_balancer(each))


def fleet_specs(
    world: World, gateways: ManagedGateways, ports: Collection[Key, tuple[tuple[Transport, int], ...]]
) -> Collection[Key, EnvoyFleetSpec]:
    """What each Gateway asks of its fleet."""

    def needs_of(read: Read, key: Key, found: ManagedGateway) -> EnvoyFleetSpec | None:
        infrastructure = found.spec.infrastructure or api.GatewayInfrastructure()
        if is_rejected(found.spec):
            return None
        return EnvoyFleetSpec(
            uid=found.uid,
            class_name=found.spec.gateway_class_name,
            ports=read(ports, key) or (),
            labels=infrastructure.labels,
            annotations=infrastructure.annotations,
            addresses=requested_addresses(found.spec),
            internal=routability.cluster_only(found.spec),
        )

    return world.engine.map("needs", gateways.managed, needs_of)

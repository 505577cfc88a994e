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
DEFAULT = "All"


class Class(msgspec.Struct, frozen=True, gc=False):
    """A GatewayClass with one of our controller names."""

    controller: str
    generation: int
    parameters: api.ParametersReference | None


class Owned(msgspec.Struct, frozen=True, gc=False):
    """A Gateway of an accepted class of ours: all of it that anything depends on."""

    uid: str
    generation: int
    api_version: str
    controller: str
    spec: api.GatewaySpec


@dataclass(frozen=True, slots=True)
class Gateways:
    """Ours."""

    classes: Collection[Key, Class]
    owned: Collection[Key, Owned]
    #: The controller name under which we speak of a Gateway.
    controllers: Collection[Key, str]
    #: Those that routes may want without naming them, under the one group `DEFAULT` (`spec.defaultScope`, GEP-3793).
    defaults: Index[str, Key]


def declare(world: World) -> Gateways:
    """Classes by controller name, Gateways by class."""
    engine = world.engine

    def class_(read: Read, _key: Key, found: api.GatewayClass) -> Class | None:
        settings = read(world.settings, SETTINGS) or Settings()
        if found.spec.controller_name not in settings.controller_names:
            return None
        return Class(found.spec.controller_name, found.metadata.generation, found.spec.parameters_ref)

    classes = engine.map("classes of ours", world.gateway_classes, class_)

    def owned(read: Read, _key: Key, found: api.Gateway) -> Owned | None:
        of = read(classes, Key("", found.spec.gateway_class_name))
        if of is None or of.parameters is not None:
            return None
        return Owned(found.metadata.uid, found.metadata.generation, found.api_version, of.controller, found.spec)

    ours = engine.map("gateways of ours", world.gateways, owned)
    return Gateways(
        classes=classes,
        owned=ours,
        controllers=engine.map("controller of a gateway", ours, lambda _read, _key, found: found.controller),
        defaults=engine.index(
            "default gateways", ours, lambda _key, found: (DEFAULT,) if found.spec.default_scope == "All" else ()
        ),
    )


def refused(spec: api.GatewaySpec) -> bool:
    """Whether a Gateway as a whole cannot be accepted, whatever its listeners are."""
    return parameters(spec) is not None or unsupported_address(spec) is not None


def parameters(spec: api.GatewaySpec) -> api.LocalParametersReference | None:
    """The parameters that it refers to; we read none."""
    return spec.infrastructure.parameters_ref if spec.infrastructure else None


def unsupported_address(spec: api.GatewaySpec) -> int | None:
    """The index of an address that we cannot give."""
    return next((at for at, address in enumerate(spec.addresses) if address.type != "IPAddress"), None)


def wanted_addresses(spec: api.GatewaySpec) -> tuple[str, ...]:
    """The addresses that the load balancer must give; those without a value may be any."""
    return tuple(each.value for each in spec.addresses if each.value and routability.outside(each))


def needs(
    world: World, gateways: Gateways, ports: Collection[Key, tuple[tuple[Transport, int], ...]]
) -> Collection[Key, EnvoyFleetSpec]:
    """What each Gateway asks of its fleet."""

    def needs_of(read: Read, key: Key, found: Owned) -> EnvoyFleetSpec | None:
        infrastructure = found.spec.infrastructure or api.GatewayInfrastructure()
        if refused(found.spec):
            return None
        return EnvoyFleetSpec(
            uid=found.uid,
            class_name=found.spec.gateway_class_name,
            ports=read(ports, key) or (),
            labels=infrastructure.labels,
            annotations=infrastructure.annotations,
            addresses=wanted_addresses(found.spec),
            internal=routability.internal(found.spec),
        )

    return world.engine.map("needs", gateways.owned, needs_of)

"""Gateway."""

import ipaddress
from collections.abc import Sequence

from headgate.api import gateway as api
from headgate.api.meta import Condition, Key
from headgate.conditions import first, stamp
from headgate.conditions import gateway as say
from headgate.conditions.listener import RESOLVED_REFS
from headgate.incremental import Collection, Read
from headgate.ir.routing import Binding
from headgate.world import EnvoyFleetStatus

from ..attachment.listeners import Judged
from ..gateways import frontend_validation, routability
from ..gateways import managed as ours
from ..gateways.client_certificates import Shown
from ..gateways.managed import Owned
from .inputs import Grounds
from .listener_sets import attached
from .listeners import WAITING, WHOLE, Listening, Told


def declare(grounds: Grounds, listening: Listening) -> Collection[Key, api.GatewayStatus]:
    """Per Gateway of ours."""
    world = grounds.world

    def status(read: Read, key: Key, found: Owned) -> api.GatewayStatus:
        every = read(listening.told, key) or ()
        own = [each for each in every if each.judged.owner.kind == "Gateway"]
        fleet = read(world.fleet_statuses, key) or EnvoyFleetStatus()
        binding = read(world.bindings, key)
        reported = WHOLE in (read(listening.reported, key) or ())
        whole = (
            accepted(found.spec, [each.judged for each in own]),
            programmed(found.spec, own, every, fleet, binding, reported=reported),
            refs(read(grounds.client_certificates, key), own),
            *insecure_frontend(found.spec),
            *addresses_assigned(found.spec, fleet, binding),
        )
        return api.GatewayStatus(
            addresses=addresses(found.spec, fleet, binding, told=routability.told(read, world, found.spec)),
            attached_listener_sets=attached(every) if found.spec.allowed_listeners else None,
            conditions=stamp(whole, found.generation),
            listeners=tuple(each.status(found.generation) for each in own),
        )

    return world.engine.map("gateway statuses", grounds.gateways.owned, status)


def accepted(spec: api.GatewaySpec, judged: Sequence[Judged]) -> Condition:
    """Accepted: as a whole, then by its own listeners."""
    if (parameters := ours.parameters(spec)) is not None:
        return say.invalid_parameters(parameters.kind, parameters.name)
    if (at := ours.unsupported_address(spec)) is not None:
        return say.unsupported_address(at, spec.addresses[at].type)
    bad = [each.section for each in judged if not each.accepted]
    if not bad:
        return say.accepted()
    if len(bad) == len(judged):
        return say.no_valid_listener(bad)
    return say.some_listeners_not_valid(bad)


def refs(shown: Shown | None, own: Sequence[Told]) -> Condition:
    """ResolvedRefs: the Gateway's own reference, then those of its listeners."""
    if shown is not None and shown.problem is not None:
        return say.refs_not_resolved(shown.problem)
    bad = [each.judged.section for each in own if first(each.judged.problems, RESOLVED_REFS) is not None]
    return say.listeners_not_resolved(bad) if bad else say.refs_resolved()


def insecure_frontend(spec: api.GatewaySpec) -> Sequence[Condition]:
    """InsecureFrontendValidationMode, while it is so."""
    paths = frontend_validation.insecure(spec)
    return (say.insecure_frontend(paths),) if paths else ()


def programmed(
    spec: api.GatewaySpec,
    own: Sequence[Told],
    every: Sequence[Told],
    fleet: EnvoyFleetStatus,
    binding: Binding | None,
    *,
    reported: bool,
) -> Condition:
    """Programmed: it has an address, and an Envoy has taken at least one listener.

    A Gateway none of whose listeners can serve yet, because references are not resolved, is programmed as soon as an
    Envoy is there.
    """
    if accepted(spec, [each.judged for each in own]).status != "True":
        return say.not_accepted()
    if (waits := _no_address(spec, fleet, binding)) is not None:
        return waits
    idle = not any(each.judged.listener for each in every)
    if any(each.serving for each in every) or (idle and (binding is not None or reported)):
        moved = () if binding is None else _moved(every, binding)
        return say.programmed([each.value for each in addresses(spec, fleet, binding)], moved)
    return say.pending(fleet.reason_unavailable or WAITING)


def _no_address(spec: api.GatewaySpec, fleet: EnvoyFleetStatus, binding: Binding | None) -> Condition | None:
    """Why nothing can be sent to it; None: it has an address."""
    if routability.asked(spec):
        if binding is None:
            return say.pending(fleet.reason_unavailable or WAITING)
        return None if routability.assigned(spec, fleet, binding).addresses else say.no_address_assigned()
    wanted = [(index, address.value) for index, address in enumerate(spec.addresses) if address.value]
    if missing := [(index, value) for index, value in wanted if value not in fleet.addresses]:
        return say.address_not_usable(missing, len(wanted))
    if not fleet.addresses:
        return (
            say.pending(fleet.reason_unavailable)
            if fleet.reason_unavailable
            else say.address_not_assigned(fleet.service or "of the Envoys")
        )
    return None


def _moved(every: Sequence[Told], binding: Binding) -> tuple[tuple[int, int], ...]:
    ports = sorted({each.judged.listener.port for each in every if each.judged.listener})
    return tuple((port, binding.port(port)) for port in ports if binding.port(port) != port)


def addresses_assigned(spec: api.GatewaySpec, fleet: EnvoyFleetStatus, binding: Binding | None) -> Sequence[Condition]:
    """AddressesAssigned, once it can be judged, where somebody asked for more than an address."""
    if not routability.asked(spec) or binding is None:
        return ()
    found = routability.assigned(spec, fleet, binding)
    return (say.addresses_assigned([address for address, _ in found.addresses], found.missing),)


def addresses(
    spec: api.GatewaySpec, fleet: EnvoyFleetStatus, binding: Binding | None = None, *, told: bool = False
) -> tuple[api.GatewayStatusAddress, ...]:
    """The addresses that were assigned; of those only the ones that were asked for, if any were. With `told` each says
    from where it can be reached.
    """
    if routability.asked(spec):
        had = routability.assigned(spec, fleet, binding).addresses if binding else ()
    else:
        wanted = ours.wanted_addresses(spec)
        had = tuple((each, "") for each in fleet.addresses if not wanted or each in wanted)
    return tuple(_address(value, scope if told else None) for value, scope in had)


def _address(value: str, scope: str | None) -> api.GatewayStatusAddress:
    return api.GatewayStatusAddress(value=value, type="IPAddress" if _is_ip(value) else "Hostname", routability=scope)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

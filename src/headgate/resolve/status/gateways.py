"""Gateway."""

import ipaddress
from collections.abc import Sequence

from headgate.api import gateway as api
from headgate.api.meta import Condition, Key
from headgate.conditions import first_problem, stamp
from headgate.conditions import gateway as conditions
from headgate.conditions.listener import RESOLVED_REFS
from headgate.incremental import Collection, Read
from headgate.ir.routing import Binding
from headgate.world import EnvoyFleetStatus

from ..attachment.listeners import ValidatedListener
from ..gateways import frontend_validation, routability
from ..gateways import managed as ours
from ..gateways.client_certificates import ClientCertificate
from ..gateways.managed import ManagedGateway
from .inputs import StatusInputs
from .listener_sets import attached
from .listeners import GATEWAY, WAITING_FOR_ENVOY, ListenerConditions, ListenerStatuses


def declare(grounds: StatusInputs, listening: ListenerStatuses) -> Collection[Key, api.GatewayStatus]:
    """Per Gateway of ours."""
    world = grounds.world

    def status(read: Read, key: Key, found: ManagedGateway) -> api.GatewayStatus:
        every = read(listening.conditions, key) or ()
        own = [each for each in every if each.listener.owner.kind == "Gateway"]
        fleet = read(world.fleet_statuses, key) or EnvoyFleetStatus()
        binding = read(world.bindings, key)
        reported = GATEWAY in (read(listening.reported, key) or ())
        whole = (
            accepted(found.spec, [each.listener for each in own]),
            programmed(found.spec, own, every, fleet, binding, reported=reported),
            refs(read(grounds.client_certificates, key), own),
            *insecure_frontend(found.spec),
            *addresses_assigned(found.spec, fleet, binding),
        )
        return api.GatewayStatus(
            addresses=addresses(
                found.spec, fleet, binding, told=routability.status_has_routability(read, world, found.spec)
            ),
            attached_listener_sets=attached(every) if found.spec.allowed_listeners else None,
            conditions=stamp(whole, found.generation),
            listeners=tuple(each.status(found.generation) for each in own),
        )

    return world.engine.map("gateway statuses", grounds.gateways.managed, status)


def accepted(spec: api.GatewaySpec, judged: Sequence[ValidatedListener]) -> Condition:
    """Accepted: as a whole, then by its own listeners."""
    if (parameters := ours.unsupported_parameters(spec)) is not None:
        return conditions.invalid_parameters(parameters.kind, parameters.name)
    if (at := ours.unsupported_address(spec)) is not None:
        return conditions.unsupported_address(at, spec.addresses[at].type)
    bad = [each.section for each in judged if not each.accepted]
    if not bad:
        return conditions.accepted()
    if len(bad) == len(judged):
        return conditions.no_valid_listener(bad)
    return conditions.listeners_not_valid(bad)


def refs(shown: ClientCertificate | None, own: Sequence[ListenerConditions]) -> Condition:
    """ResolvedRefs: the Gateway's own reference, then those of its listeners."""
    if shown is not None and shown.problem is not None:
        return conditions.refs_not_resolved(shown.problem)
    bad = [each.listener.section for each in own if first_problem(each.listener.problems, RESOLVED_REFS) is not None]
    return conditions.listener_refs_not_resolved(bad) if bad else conditions.refs_resolved()


def insecure_frontend(spec: api.GatewaySpec) -> Sequence[Condition]:
    """InsecureFrontendValidationMode, while it is so."""
    paths = frontend_validation.insecure(spec)
    return (conditions.insecure_frontend_validation_mode(paths),) if paths else ()


def programmed(
    spec: api.GatewaySpec,
    own: Sequence[ListenerConditions],
    every: Sequence[ListenerConditions],
    fleet: EnvoyFleetStatus,
    binding: Binding | None,
    *,
    reported: bool,
) -> Condition:
    """Programmed: it has an address, and an Envoy has taken at least one listener.

    A Gateway none of whose listeners can serve yet, because references are not resolved, is programmed as soon as an
    Envoy is there.
    """
    if accepted(spec, [each.listener for each in own]).status != "True":
        return conditions.not_accepted()
    if (waits := _no_address(spec, fleet, binding)) is not None:
        return waits
    idle = not any(each.listener.listener for each in every)
    if any(each.serving for each in every) or (idle and (binding is not None or reported)):
        moved = () if binding is None else _moved(every, binding)
        return conditions.programmed([each.value for each in addresses(spec, fleet, binding)], moved)
    return conditions.pending(fleet.reason_unavailable or WAITING_FOR_ENVOY)


def _no_address(spec: api.GatewaySpec, fleet: EnvoyFleetStatus, binding: Binding | None) -> Condition | None:
    """Why nothing can be sent to it; None: it has an address."""
    if routability.is_requested(spec):
        if binding is None:
            return conditions.pending(fleet.reason_unavailable or WAITING_FOR_ENVOY)
        return (
            None if routability.assigned_addresses(spec, fleet, binding).addresses else conditions.no_address_assigned()
        )
    wanted = [(index, address.value) for index, address in enumerate(spec.addresses) if address.value]
    if missing := [(index, value) for index, value in wanted if value not in fleet.addresses]:
        return conditions.address_not_usable(missing, len(wanted))
    if not fleet.addresses:
        return (
            conditions.pending(fleet.reason_unavailable)
            if fleet.reason_unavailable
            else conditions.address_not_assigned(fleet.service or "of the Envoys")
        )
    return None


def _moved(every: Sequence[ListenerConditions], binding: Binding) -> tuple[tuple[int, int], ...]:
    ports = sorted({each.listener.listener.port for each in every if each.listener.listener})
    return tuple((port, binding.port(port)) for port in ports if binding.port(port) != port)


def addresses_assigned(spec: api.GatewaySpec, fleet: EnvoyFleetStatus, binding: Binding | None) -> Sequence[Condition]:
    """AddressesAssigned, once it can be judged, where somebody asked for more than an address."""
    if not routability.is_requested(spec) or binding is None:
        return ()
    found = routability.assigned_addresses(spec, fleet, binding)
    return (conditions.addresses_assigned([address for address, _ in found.addresses], found.missing),)


def addresses(
    spec: api.GatewaySpec, fleet: EnvoyFleetStatus, binding: Binding | None = None, *, told: bool = False
) -> tuple[api.GatewayStatusAddress, ...]:
    """The addresses that were assigned; of those only the ones that were asked for, if any were. With `told` each says
    from where it can be reached.
    """
    if routability.is_requested(spec):
        had = routability.assigned_addresses(spec, fleet, binding).addresses if binding else ()
    else:
        wanted = ours.requested_addresses(spec)
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

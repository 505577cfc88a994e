"""Status of a Gateway."""

import ipaddress
from collections.abc import Sequence

from headgate.api import gateway as api
from headgate.api.meta import Condition, Key
from headgate.conditions import Problem, condition_from, first_problem, stamp
from headgate.conditions import gateway as conditions
from headgate.incremental import Collection, Read
from headgate.ir.routing import Binding
from headgate.world import EnvoyFleetStatus

from ..gateways import frontend_validation, managed, routability
from ..gateways.client_certificates import ClientCertificate
from ..gateways.managed import ManagedGateway
from .inputs import StatusInputs
from .listener_sets import attached_listener_sets
from .listeners import GATEWAY, WAITING_FOR_ENVOY, ListenerConditions, ListenerStatuses


def declare(inputs: StatusInputs, listener_statuses: ListenerStatuses) -> Collection[Key, api.GatewayStatus]:
    """The status of every managed Gateway."""
    world = inputs.world

    def status(read: Read, key: Key, gateway: ManagedGateway) -> api.GatewayStatus:
        spec = gateway.spec
        listeners = read(listener_statuses.conditions, key) or ()
        own = [listener for listener in listeners if listener.validated.owner.kind == "Gateway"]
        fleet = read(world.fleet_statuses, key) or EnvoyFleetStatus()
        binding = read(world.bindings, key)
        was_programmed = GATEWAY in (read(listener_statuses.reported, key) or ())
        accepted = _accepted(managed.problems(key, spec), own)
        every = (
            accepted,
            _programmed(spec, listeners, fleet, binding, was_programmed)
            if accepted.status == "True"
            else conditions.not_accepted(),
            _resolved_refs(read(inputs.client_certificates, key), own),
            *_insecure_frontend(key, spec),
            *_addresses_assigned(spec, fleet, binding),
        )
        with_routability = routability.status_has_routability(read, world, spec)
        return api.GatewayStatus(
            addresses=_addresses(spec, fleet, binding, with_routability=with_routability),
            attached_listener_sets=attached_listener_sets(listeners) if spec.allowed_listeners else None,
            conditions=stamp(every, gateway.generation),
            listeners=tuple(listener.status(gateway.generation) for listener in own),
        )

    return world.engine.map("statuses of Gateways", inputs.gateways.managed, status)


def _accepted(problems: Sequence[Problem], own: Sequence[ListenerConditions]) -> Condition:
    """Accepted: the problems of the Gateway as a whole, then those of its own listeners."""
    accepted = condition_from(conditions.accepted(), problems)
    if accepted.status != "True":
        return accepted
    invalid = [listener.validated.section for listener in own if not listener.validated.accepted]
    if not invalid:
        return accepted
    if len(invalid) == len(own):
        return conditions.no_valid_listener(invalid)
    return conditions.listeners_not_valid(invalid)


def _resolved_refs(certificate: ClientCertificate | None, own: Sequence[ListenerConditions]) -> Condition:
    """ResolvedRefs: the Gateway's own reference, then those of its listeners."""
    if certificate is not None and certificate.problem is not None:
        return condition_from(conditions.refs_resolved(), [certificate.problem])
    unresolved = [
        listener.validated.section
        for listener in own
        if first_problem(listener.validated.problems, conditions.RESOLVED_REFS) is not None
    ]
    return conditions.listener_refs_not_resolved(unresolved) if unresolved else conditions.refs_resolved()


def _insecure_frontend(key: Key, spec: api.GatewaySpec) -> Sequence[Condition]:
    """InsecureFrontendValidationMode, while a field has that mode."""
    warnings = frontend_validation.insecure_modes(key, spec)
    return (conditions.insecure_frontend_validation_mode(warnings),) if warnings else ()


def _programmed(
    spec: api.GatewaySpec,
    listeners: Sequence[ListenerConditions],
    fleet: EnvoyFleetStatus,
    binding: Binding | None,
    was_programmed: bool,
) -> Condition:
    """Programmed: the Gateway has an address, and an Envoy has accepted at least one listener.

    A Gateway without a valid listener, because references do not resolve, is programmed once an Envoy has connected.
    """
    if (no_address := _no_address(spec, fleet, binding)) is not None:
        return no_address
    has_valid = any(listener.validated.listener for listener in listeners)
    is_idle = not has_valid and (binding is not None or was_programmed)
    if is_idle or any(listener.serving for listener in listeners):
        moved = () if binding is None else _moved_ports(listeners, binding)
        return conditions.programmed([address.value for address in _addresses(spec, fleet, binding)], moved)
    return conditions.pending(fleet.reason_unavailable or WAITING_FOR_ENVOY)


def _no_address(spec: api.GatewaySpec, fleet: EnvoyFleetStatus, binding: Binding | None) -> Condition | None:
    """Programmed, if the Gateway has no address; otherwise None."""
    if routability.is_requested(spec):
        if binding is None:
            return conditions.pending(fleet.reason_unavailable or WAITING_FOR_ENVOY)
        assigned = routability.assigned_addresses(spec, fleet, binding).addresses
        return None if assigned else conditions.no_address_assigned()
    requested = [(index, address.value) for index, address in enumerate(spec.addresses) if address.value]
    if missing := [(index, value) for index, value in requested if value not in fleet.addresses]:
        return conditions.address_not_usable(missing, len(requested))
    if fleet.addresses:
        return None
    if fleet.reason_unavailable:
        return conditions.pending(fleet.reason_unavailable)
    return conditions.address_not_assigned(fleet.service or "of the Envoys")


def _moved_ports(listeners: Sequence[ListenerConditions], binding: Binding) -> tuple[tuple[int, int], ...]:
    ports = sorted({each.validated.listener.port for each in listeners if each.validated.listener})
    return tuple((port, binding.port(port)) for port in ports if binding.port(port) != port)


def _addresses_assigned(spec: api.GatewaySpec, fleet: EnvoyFleetStatus, binding: Binding | None) -> Sequence[Condition]:
    """AddressesAssigned, if an address has a routability and an Envoy has connected."""
    if not routability.is_requested(spec) or binding is None:
        return ()
    assigned = routability.assigned_addresses(spec, fleet, binding)
    return (conditions.addresses_assigned([address for address, _ in assigned.addresses], assigned.missing),)


def _addresses(
    spec: api.GatewaySpec, fleet: EnvoyFleetStatus, binding: Binding | None = None, *, with_routability: bool = False
) -> tuple[api.GatewayStatusAddress, ...]:
    """The assigned addresses; only the requested ones, if the spec requests any."""
    if routability.is_requested(spec):
        assigned = routability.assigned_addresses(spec, fleet, binding).addresses if binding else ()
    else:
        requested = managed.requested_addresses(spec)
        assigned = tuple((address, "") for address in fleet.addresses if not requested or address in requested)
    return tuple(_address(value, scope if with_routability else None) for value, scope in assigned)


def _address(value: str, scope: str | None) -> api.GatewayStatusAddress:
    return api.GatewayStatusAddress(value=value, type="IPAddress" if _is_ip(value) else "Hostname", routability=scope)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

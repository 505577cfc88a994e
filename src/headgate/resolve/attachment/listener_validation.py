"""Validation of one listener: protocol, port, hostname, certificates, client validation, filters and route kinds.

A listener of a ListenerSet follows the rules of its owner: references are resolved from the namespace of the
ListenerSet, with ReferenceGrants for a ListenerSet.
"""

from collections.abc import Iterable, Sequence
from typing import cast

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Ref
from headgate.conditions import Invalid, Problem, about
from headgate.conditions import listener as conditions
from headgate.filters import HTTPFilter
from headgate.ir import routing as ir
from headgate.ir.hostnames import is_hostname, normalize
from headgate.world.objects import KINDS_OF_PROTOCOL

from ..gateways.frontend_validation import Frontend
from ..references.resolver import Resolver
from .listener_filters import filters_of
from .merged_listeners import ListenerEntry


class ValidatedListener(msgspec.Struct, frozen=True, gc=False):
    """A listener and all its problems. `listener` is None if it cannot be served; `name` is unique within the Gateway,
    `section` within the owner.
    """

    owner: Ref
    section: str
    name: str
    port: tuple[ir.Transport, int]
    kinds: tuple[str, ...]
    problems: tuple[Problem, ...]
    listener: ir.Listener | None

    @property
    def accepted(self) -> bool:
        """Whether it may bind its port. It may, even if it cannot serve because a reference does not resolve."""
        return not _is_rejected(self.problems)


def _is_rejected(problems: Iterable[Problem]) -> bool:
    return any(problem.condition in (conditions.ACCEPTED, conditions.CONFLICTED) for problem in problems)


class PortCheck:
    """Checks that Envoy can bind a port: it is not reserved for Envoy itself, and no other listener was moved to it.

    Where ports below 1024 cannot be bound, a listener on port 80 is moved to 80 + `binding.offset`.
    """

    def __init__(self, listeners: Iterable[api.Listener], reserved: Iterable[int], binding: ir.Binding | None) -> None:
        self._reserved = frozenset(reserved)
        self._binding = binding
        self._declared = frozenset((ir.transport(listener.protocol), listener.port) for listener in listeners)

    def check(self, path: str, transport: ir.Transport, port: int) -> None:
        """Raises `Invalid` if the port is not available."""
        if port in self._reserved and transport == "TCP":
            raise conditions.port_unavailable(path, port, "is reserved for Envoy's readiness and metrics endpoint")
        if self._binding is None or not self._binding.offset:
            return
        bound = self._binding.port(port)
        if bound in self._reserved and transport == "TCP":
            raise conditions.port_unavailable(
                path, port, f"would be bound as {bound}, which is reserved for Envoy's readiness and metrics endpoint"
            )
        moved_here = port - self._binding.offset
        if bound == port and (transport, moved_here) in self._declared and self._binding.port(moved_here) == port:
            raise conditions.port_unavailable(
                path,
                port,
                f"is bound for the listener on port {moved_here}, since ports below 1024 cannot be bound here",
            )


def validate(
    resolver: Resolver,
    entry: ListenerEntry,
    conflict: Problem | None,
    port_check: PortCheck,
    frontend: Frontend,
    of_policies: ir.ClientTraffic,
) -> ValidatedListener:
    """Validate one listener. `conflict` is its conflict with others, `frontend` the client validation of its port,
    `of_policies` what policies set for its clients.
    """
    path, listener = entry.path, entry.listener
    problems = [conflict] if conflict else []
    kinds, kind_problems = supported_kinds(path, listener)
    filters, filter_problems = filters_of(resolver, entry)
    problems += [*kind_problems, *frontend.problems, *filter_problems]
    certificates: tuple[ir.Certificate, ...] = ()
    terminates = False
    try:
        if listener.protocol not in KINDS_OF_PROTOCOL:
            raise conditions.unsupported_protocol(path, listener.protocol)
        if listener.hostname and not is_hostname(normalize(listener.hostname)):
            raise conditions.invalid_hostname(path, listener.hostname)
        port_check.check(path, ir.transport(listener.protocol), listener.port)
        if terminates := _terminates(path, listener):
            certificates, certificate_problems = _certificates(resolver, entry)
            problems += certificate_problems
    except Invalid as error:
        problems.append(error.problem)
    traffic = of_policies.overlay(ir.ClientTraffic(frontend.validation))
    is_served = not _is_rejected(problems) and (not terminates or bool(certificates))
    return ValidatedListener(
        owner=entry.owner,
        section=listener.name,
        name=entry.name,
        port=(ir.transport(listener.protocol), listener.port),
        kinds=kinds,
        problems=about(entry.owner, problems),
        listener=_valid(entry, certificates, traffic, filters) if is_served else None,
    )


def _valid(
    entry: ListenerEntry,
    certificates: tuple[ir.Certificate, ...],
    client_traffic: ir.ClientTraffic,
    filters: Sequence[HTTPFilter],
) -> ir.Listener:
    listener = entry.listener
    unresolved = next((problem for filter_ in filters for problem in filter_.problems), None)
    return ir.Listener(
        name=entry.name,
        port=listener.port,
        protocol=cast(ir.ListenerProtocol, listener.protocol),
        hostname=normalize(listener.hostname),
        certificates=certificates,
        mode="Terminate" if certificates or listener.protocol != "TLS" else "Passthrough",
        client_traffic=client_traffic,
        filters=tuple(filters),
        direct_response=ir.DirectResponse(500, str(unresolved)) if unresolved else None,
    )


def supported_kinds(path: str, listener: api.Listener) -> tuple[tuple[str, ...], list[Problem]]:
    """The route kinds that a listener admits: those of its protocol, limited to `allowedRoutes.kinds`."""
    of_protocol = KINDS_OF_PROTOCOL.get(listener.protocol, ())
    if not listener.allowed_routes.kinds:
        return of_protocol, []
    supported: list[str] = []
    problems = []
    for index, allowed in enumerate(listener.allowed_routes.kinds):
        if allowed.group == api.GROUP and allowed.kind in of_protocol:
            supported.append(allowed.kind)
        else:
            field = f"{path}.allowedRoutes.kinds[{index}]"
            problems.append(conditions.invalid_route_kind(field, allowed.group, allowed.kind, of_protocol))
    return tuple(dict.fromkeys(supported)), problems


def _terminates(path: str, listener: api.Listener) -> bool:
    """Whether the listener terminates TLS, so that it needs certificates."""
    if listener.protocol not in ("HTTPS", "TLS"):
        return False
    mode = listener.tls.mode if listener.tls else "Terminate"
    if mode == "Passthrough" and listener.protocol == "TLS":
        return False
    if mode != "Terminate":
        raise conditions.unsupported_tls_mode(path, listener.protocol, mode)
    return True


def _certificates(resolver: Resolver, entry: ListenerEntry) -> tuple[tuple[ir.Certificate, ...], list[Problem]]:
    """The certificates that resolve, and the problems of the others."""
    path, listener = entry.path, entry.listener
    config = listener.tls or api.GatewayTLSConfig()
    if not config.certificate_refs:
        raise conditions.certificate_refs_missing(path, listener.protocol)
    certificates: list[ir.Certificate] = []
    problems = []
    for index, ref in enumerate(config.certificate_refs):
        try:
            certificates.append(resolver.certificate(f"{path}.tls.certificateRefs[{index}]", ref))
        except Invalid as error:
            problems.append(error.problem)
    return tuple(dict.fromkeys(certificates)), problems

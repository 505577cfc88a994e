"""The problems of GatewayClasses, Gateways, ListenerSets, routes and policies as an output: per object, each with its
subject.

Statuses are made from the same values. What only Envoy knows (a rejected resource) is not among them.
"""

from collections.abc import Iterable
from typing import Any

from headgate.api.meta import Key, Ref
from headgate.conditions import Problem, about
from headgate.incremental import Collection, Read
from headgate.world import World

from .attachment.listeners import Listeners
from .attachment.merged_listeners import ManagedListenerSet, MergedListeners
from .attachment.routes import AttachedRoutes, ParentResult
from .gateways import frontend_validation, managed
from .gateways.client_certificates import ClientCertificate
from .gateways.managed import ManagedClass, ManagedGateway, ManagedGateways
from .policies.attachment import AttachedPolicies, Policy
from .references.xbackends import KIND as XBACKEND
from .references.xbackends import ExternalBackend
from .routing.rules import Rules

#: Per object; an object without problems is absent.
Problems = Collection[Ref, tuple[Problem, ...]]
_Keyed = Iterable[tuple[Ref, tuple[Problem, ...]]]


def of_gateways(
    world: World,
    gateways: ManagedGateways,
    merged: MergedListeners,
    listeners: Listeners,
    client_certificates: Collection[Key, ClientCertificate],
) -> Problems:
    """The problems of GatewayClasses, of Gateways with their listeners, and of ListenerSets with theirs."""
    engine = world.engine

    def of_listeners(read: Read, gateway: Key, owner: Ref) -> Iterable[Problem]:
        for listener in read(listeners.validated, gateway) or ():
            if listener.owner == owner:
                yield from listener.problems

    def of_class(_read: Read, key: Key, gateway_class: ManagedClass) -> _Keyed:
        yield from _keyed(Ref("GatewayClass", "", key.name), gateway_class.problems)

    def of_gateway(read: Read, key: Key, gateway: ManagedGateway) -> _Keyed:
        subject = Ref("Gateway", key.namespace, key.name)
        certificate = read(client_certificates, key)
        of_certificate = [certificate.problem] if certificate is not None and certificate.problem is not None else []
        of_whole = managed.problems(key, gateway.spec)
        warnings = frontend_validation.insecure_modes(key, gateway.spec)
        yield from _keyed(subject, (*of_whole, *of_certificate, *of_listeners(read, key, subject), *warnings))

    def of_listener_set(read: Read, key: Key, listener_set: ManagedListenerSet) -> _Keyed:
        subject = Ref("ListenerSet", key.namespace, key.name)
        if listener_set.problem is not None:
            yield subject, (listener_set.problem,)
        else:
            yield from _keyed(subject, of_listeners(read, listener_set.gateway, subject))

    return engine.union(
        "problems of Gateways and ListenerSets",
        engine.flat_map("problems of GatewayClasses", gateways.classes, of_class),
        engine.flat_map("problems of Gateways", gateways.managed, of_gateway),
        engine.flat_map("problems of ListenerSets", merged.listener_sets, of_listener_set),
    )


def of_routes(world: World, attached: AttachedRoutes, rules: Rules) -> Problems:
    """The problems of routes: of their parentRefs, then of their hostnames and rules."""

    def of_route(read: Read, route: Ref, parents: tuple[ParentResult, ...]) -> _Keyed:
        of_parents = (parent.problem for parent in parents if parent.problem is not None)
        yield from _keyed(route, (*of_parents, *(read(rules.problems, route) or ())))

    return world.engine.flat_map("problems of routes", attached.parents, of_route)


def of_policies(
    world: World, policies: Iterable[AttachedPolicies[Any]], xbackends: Collection[Key, ExternalBackend]
) -> Problems:
    """The problems of policies and XBackends by themselves. A conflict with another policy is not among them: it
    depends on the Gateway that uses the target.
    """
    engine = world.engine

    def of(kind: str, source: Collection[Key, Any]) -> Problems:
        def of_object(_read: Read, key: Key, declared: Policy | ExternalBackend) -> _Keyed:
            subject = Ref(kind, key.namespace, key.name)
            yield from _keyed(subject, about(subject, declared.problems))

        return engine.flat_map(f"problems of {kind}", source, of_object)

    return engine.union(
        "problems of policies",
        of(XBACKEND, xbackends),
        *(of(attached.kind.name, attached.policies) for attached in policies),
    )


def _keyed(subject: Ref, problems: Iterable[Problem]) -> _Keyed:
    if distinct := tuple(dict.fromkeys(problems)):
        yield subject, distinct

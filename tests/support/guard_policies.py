"""A policy kind that exists only in tests, to show the mechanism with targets of every kind.

A GuardPolicy secures routes: each of its demands is a request header without which requests are denied.
"""

from __future__ import annotations

from typing import Any

import msgspec

from golden import cases
from headgate import policies
from headgate.api import gateway
from headgate.api.gateway import LocalPolicyTargetReferenceWithSectionName, PolicyStatus, RouteNamespaces
from headgate.api.meta import Key, LabelSelectorRequirement, Object, ObjectMeta, Ref, Value
from headgate.conditions import new_problem
from headgate.conditions.build import new_condition
from headgate.incremental import Engine
from headgate.ir import routing as ir
from headgate.ir.http import Exchange, LocalResponse
from headgate.policies import PolicyKind, PolicySettings, ReferenceResolver
from headgate.policies.base import (
    GATEWAY,
    GRPC_ROUTE,
    HTTP_ROUTE,
    LISTENER_SET,
    TCP_ROUTE,
    TLS_ROUTE,
)
from headgate.program import program
from headgate.rendering import Rendering, RouteModifier
from headgate.world import Settings, World
from headgate.world.facts import Facts
from headgate.world.objects import SETTINGS

GROUP = "guard.example.com"


class GuardTargetSelector(Value):
    """Targets by labels."""

    kind: str
    group: str = gateway.GROUP
    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()
    namespaces: RouteNamespaces | None = None


class GuardPolicySpec(Value):
    """What requests must have."""

    target_refs: tuple[LocalPolicyTargetReferenceWithSectionName, ...] = ()
    target_selectors: tuple[GuardTargetSelector, ...] = ()
    merge_type: str = ""
    demands: tuple[str, ...] = ()


class GuardPolicy(Object, kw_only=True):
    """Denies requests without certain headers."""

    api_version: str = f"{GROUP}/v1"
    kind: str = "GuardPolicy"
    spec: GuardPolicySpec = GuardPolicySpec()
    status: PolicyStatus = PolicyStatus()


class Demand(RouteModifier, frozen=True):
    """A header that requests must have."""

    header: str

    def simulate(self, exchange: Exchange) -> Exchange:
        if exchange.request.header(self.header) is not None:
            return exchange
        return msgspec.structs.replace(exchange, answer=LocalResponse(403))

    def render(self, into: Rendering) -> Rendering:
        return into


def _read(policy: GuardPolicy, _references: ReferenceResolver) -> PolicySettings[ir.RouteSecurity]:
    if "" in policy.spec.demands:
        problem = new_problem("Accepted", "Invalid", "spec.demands", "a demand is empty; name a header")
        closed = ir.RouteSecurity(closed=ir.DirectResponse(500, str(problem)))
        return PolicySettings(closed, (problem,), policy.spec.merge_type)
    security = ir.RouteSecurity(tuple(map(Demand, policy.spec.demands)))
    return PolicySettings(security, merge_type=policy.spec.merge_type)


def _merge(child: ir.RouteSecurity, parent: ir.RouteSecurity, _merge_type: str) -> ir.RouteSecurity:
    return parent.overlay(child)


GUARD = PolicyKind(
    object_type=GuardPolicy,
    targets=(GATEWAY, LISTENER_SET, HTTP_ROUTE, GRPC_ROUTE, TCP_ROUTE, TLS_ROUTE),
    settings=ir.RouteSecurity,
    read=_read,
    conditions=(new_condition("Accepted", True, "Accepted", "the routes are guarded"),),
    merge=_merge,
    inherited=True,
    fails_closed=True,
)


def guard(name: str, *targets: str, demands: str | None = None, namespace: str = "shop", **fields: Any) -> GuardPolicy:
    """A policy with targets like `HTTPRoute/web` or `HTTPRoute/web/rule`, which demands the header of its name.

    `created` is its age (default: all of the same), `selectors` are its targetSelectors, `merge_type` its mergeType.
    """
    refs = []
    for target in targets:
        kind, object_name, *section = target.split("/")
        group = "" if kind == "Service" else gateway.GROUP
        refs.append(
            LocalPolicyTargetReferenceWithSectionName(
                group=group, kind=kind, name=object_name, section_name=section[0] if section else None
            )
        )
    return GuardPolicy(
        metadata=ObjectMeta(name=name, namespace=namespace, creation_timestamp=fields.pop("created", ""), generation=1),
        spec=GuardPolicySpec(
            target_refs=tuple(refs),
            target_selectors=fields.pop("selectors", ()),
            merge_type=fields.pop("merge_type", ""),
            demands=(name if demands is None else demands,),
        ),
    )


def empty() -> cases.Running:
    """A world that has GuardPolicies as well."""
    engine = Engine()
    world, facts = World(engine), Facts(engine)
    world.sources = {**world.sources, GuardPolicy: engine.source("GuardPolicy")}
    world.settings.set(SETTINGS, Settings())
    return cases.Running(engine, world, facts, program(world, facts, (*policies.KINDS, GUARD)))


def running(*objects: Object) -> cases.Running:
    """The world with these objects and the class of all golden cases."""
    made = empty()
    for each in (cases.gateway_class(), *objects):
        made.put(each)
    return made.run()


def demanded(made: cases.Running, path: str = "/", *, listener: str | None = None) -> list[str]:
    """The headers that the route with this path prefix demands, on a listener (None: the only one)."""
    found = {
        tuple(each.header for each in route.security.filters if isinstance(each, Demand))
        for _, host in made.outputs.routing.hosts.items()
        for route in host.routes
        if (route.match.path.value or "/") == path and listener in (None, host.listener)
    }
    (only,) = found
    return list(only)


def conditions(made: cases.Running, name: str, namespace: str = "shop") -> dict[str, dict[str, str]]:
    """Of a policy: reason by condition type, by ancestor (like `Gateway edge http`)."""
    entries = made.outputs.policy_statuses.get(Ref("GuardPolicy", namespace, name)) or ()
    return {
        " ".join(filter(None, (entry.ancestor_ref.kind, entry.ancestor_ref.name, entry.ancestor_ref.section_name))): {
            each.type: each.reason for each in entry.conditions
        }
        for entry in entries
    }


def message(made: cases.Running, name: str, condition: str, namespace: str = "shop") -> str:
    """The message of a condition of a policy at its first ancestor; empty without one."""
    entries = made.outputs.policy_statuses.get(Ref("GuardPolicy", namespace, name)) or ()
    return next((each.message for each in entries[0].conditions if each.type == condition), "") if entries else ""


def policy_key(name: str) -> Key:
    """The key of a policy in the namespace of all of them."""
    return Key("shop", name)

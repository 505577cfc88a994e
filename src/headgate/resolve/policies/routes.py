"""What policies demand of routes: all policy kinds with `ir.RouteSecurity`, per rule and listener."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from headgate import policies
from headgate.api.meta import Key, Ref
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.policies.base import PolicyKind
from headgate.world import World

from ..attachment.merged_listeners import owner_and_section
from ..attachment.routes import AttachedRoutes, Attachment
from . import attachment, chains
from .attachment import AttachedPolicies, ObjectLabels, Resolvers

#: Gateway, listener and route.
AttachmentKey = tuple[Key, str, Ref]
#: By the names of rules; the first is of the rules without a name.
SecurityByRule = tuple[tuple[str, ir.RouteSecurity], ...]

NONE = ir.RouteSecurity()


@dataclass(frozen=True, slots=True)
class RoutePolicies:
    """The attached policies of every kind for routes, and what they come to."""

    kinds: tuple[AttachedPolicies[ir.RouteSecurity], ...]
    #: Per listener of a route, if a policy applies there.
    security: Collection[AttachmentKey, SecurityByRule]

    def of_rules(self, read: Read, key: AttachmentKey) -> Callable[[str], ir.RouteSecurity]:
        """What each rule gets, by its name."""
        security = read(self.security, key) if self.kinds else None
        by_rule = dict(security or ())
        return lambda name: by_rule.get(name) or by_rule.get("", NONE)

    def of_stream(self, read: Read, key: AttachmentKey) -> ir.RouteSecurity:
        """What the one rule of a route of connections gets."""
        by_rule = read(self.security, key) if self.kinds else None
        return by_rule[-1][1] if by_rule else NONE


def declare(
    world: World,
    kinds: Iterable[PolicyKind[Any]],
    resolvers: Resolvers,
    labels: ObjectLabels,
    routes: AttachedRoutes,
) -> RoutePolicies:
    """Attach every policy for routes, and find out what each rule gets on each listener."""
    attached = tuple(
        attachment.declare(world, kind, resolvers, labels) for kind in policies.of_settings(kinds, ir.RouteSecurity)
    )
    if not attached:
        return RoutePolicies((), world.engine.union("route security"))

    def security(read: Read, key: AttachmentKey, _attachment: Attachment) -> SecurityByRule | None:
        gateway, name, route = key
        listener = chains.of_listener(gateway, *owner_and_section(gateway, name))
        parent_refs = read(routes.parent_refs, route)
        names = dict.fromkeys(("", *(parent_refs.rule_names if parent_refs else ())))
        by_rule = tuple((rule, _settings(read, attached, chains.of_rule(route, rule, listener))) for rule in names)
        return by_rule if any(settings != NONE for _, settings in by_rule) else None

    return RoutePolicies(attached, world.engine.map("route security", routes.attachments, security))


def _settings(
    read: Read, attached: Iterable[AttachedPolicies[ir.RouteSecurity]], chain: chains.Chain
) -> ir.RouteSecurity:
    result = NONE
    for kind in attached:
        own = kind.precedence.settings_of(read, chain)
        result = result if own is None else result.overlay(own)
    return result

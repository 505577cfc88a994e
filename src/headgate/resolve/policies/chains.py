"""Chains of targets: by which targets policies apply to something, the most specific first (GEP-713)."""

from headgate.api.meta import Key, Ref
from headgate.policies.base import GATEWAY, SERVICE, XBACKEND, Target

Chain = tuple[Target, ...]


def of_service(service: Key, port_name: str) -> Chain:
    """A port of a Service (without a name: no target itself), and the Service."""
    return _with_section(Target.of(SERVICE.kind, service), port_name)


def of_xbackend(xbackend: Key) -> Chain:
    """An XBackend."""
    return (Target.of(XBACKEND.kind, xbackend),)


def of_gateway(gateway: Key) -> Chain:
    """A Gateway as a whole."""
    return (Target.of(GATEWAY.kind, gateway),)


def of_listener(gateway: Key, owner: Ref, section: str) -> Chain:
    """A listener (empty: all of the owner's) and its owner. Above a ListenerSet is its Gateway, but no listener of the
    Gateway's own.
    """
    own = _with_section(Target.of(owner.kind, owner.key), section)
    return own if owner.kind == GATEWAY.kind else (*own, *of_gateway(gateway))


def of_rule(route: Ref, rule_name: str, listener: Chain) -> Chain:
    """A rule of a route (without a name: no target itself), the route, and the listener to which it is attached."""
    return (*_with_section(Target.of(route.kind, route.key), rule_name), *listener)


def _with_section(whole: Target, section: str) -> Chain:
    return (Target(whole.kind, whole.namespace, whole.name, section), whole) if section else (whole,)

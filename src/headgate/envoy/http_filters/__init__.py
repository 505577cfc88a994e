"""HTTP filters of Envoy, one file each, in one ordered registry.

A file of this package defines `SLOTS`, the places of its filter in a filter chain, and functions that make the
per-route messages; it is found by being here. `stateful_session` is the one to copy. A slot is disabled until a route
enables it, so using a filter changes routes and no listener: no connection is drained, and connections that are open
pass it too.

A chain has the slots of its tier (`Tier`). Where it lacks a slot that a route uses, a guard closes the route (`guard`).
"""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import msgspec

from . import guard
from .slot import Delivery, FilterOrder, Slot, Tier

__all__ = ["SLOTS", "Delivery", "FilterOrder", "Slot", "Tier", "before_routing", "chain", "guarded", "off", "tier_of"]

#: The most filters of a listener that run before a route is selected (`ListenerFilters.requests`).
MAX_BEFORE_ROUTING = 16
#: How many of them the standard tier has room for.
STANDARD_BEFORE_ROUTING = 2


def _declared() -> Iterator[Slot]:
    for module in pkgutil.iter_modules(__path__):
        for slot in getattr(importlib.import_module(f"{__name__}.{module.name}"), "SLOTS", ()):
            yield slot
            if slot.before_routing:
                yield from _copies(slot)


def _copies(slot: Slot) -> Iterator[Slot]:
    """The copies of a slot that run before routing, one for each place in a listener's list of filters."""
    for at in range(MAX_BEFORE_ROUTING):
        yield msgspec.structs.replace(
            slot,
            name=_before_routing(slot.name, at),
            order=FilterOrder.BEFORE_ROUTING,
            config=slot.before_routing,
            before_routing=b"",
            tier=Tier.STANDARD if at < STANDARD_BEFORE_ROUTING else Tier.EXTENDED,
            position=at,
        )


def _before_routing(name: str, at: int) -> str:
    return f"headgate.before.{at}.{name.rpartition('.')[2]}"


def _registry() -> Mapping[str, Slot]:
    slots: dict[str, Slot] = {}
    for slot in sorted(_declared(), key=lambda slot: (slot.order, slot.position, slot.name)):
        if slot.name in slots:
            raise ValueError(f"two HTTP filters are named {slot.name}")
        slots[slot.name] = slot
    return MappingProxyType(slots)


#: Every slot by its name, in the order in which a request passes them.
SLOTS = _registry()


def before_routing(name: str, at: int) -> str:
    """The copy of a slot for the filter at this place (from 0) in a listener's list. Raises LookupError for a filter
    that cannot run before routing, or a place that does not exist.
    """
    copy = _before_routing(name, at)
    if not SLOTS[name].before_routing or copy not in SLOTS:
        raise LookupError(f"HTTP filter {name} has no slot before routing at place {at}")
    return copy


def chain(tier: Tier) -> tuple[Slot, ...]:
    """The slots of a filter chain of this tier, in order."""
    return tuple(slot for slot in SLOTS.values() if (slot.guards > tier if slot.guards else slot.tier <= tier))


def tier_of(names: Iterable[str]) -> Tier:
    """The lowest tier that has these slots. Raises KeyError for a name that is no slot: Envoy would ignore it."""
    return max((SLOTS[name].tier for name in names), default=Tier.NONE)


def guarded(per_route: Mapping[str, bytes]) -> dict[str, bytes]:
    """Per-route messages by slot, and with them the guards of the tiers that they need."""
    tiers = {SLOTS[name].tier for name in per_route}
    return dict(per_route) | {slot.name: guard.CLOSED for slot in guard.SLOTS if slot.guards in tiers}


def off() -> dict[str, bytes]:
    """For a virtual host whose filters may change the route: every slot that its routes may enable, in the chain of
    each request and doing nothing. Envoy decides by the first route which filters a request passes.
    """
    return {slot.name: slot.off for slot in SLOTS.values() if slot.order is not FilterOrder.BEFORE_ROUTING}

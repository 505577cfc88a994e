"""Guards: they close a route on connections whose filter chain lacks a filter that the route needs.

Envoy accepts per-route configuration of a filter that is not in the filter chain, and ignores it: the request would
pass unchecked. A connection keeps the chain that it began with, so this happens on every open connection when a chain
gets its first use of a slot. Therefore a chain without the slots of a tier has a guard instead, and each route that
uses a slot of the tier also configures the guard, to answer 503 to everything. In a chain that has the slots the guard
is missing, and its configuration is what Envoy ignores. It takes 2 KiB per chain and 1 KiB per route.

The guard is an instance of Envoy's fault filter: it is the one whose status can be chosen per route (503 may be
retried, 403 may not; gRPC clients get UNAVAILABLE).
"""

from headgate.envoy import protos

from .slot import FilterOrder, Slot, Tier

#: What a request gets that must not pass without the missing filter.
STATUS = 503


def _slot(tier: Tier) -> Slot:
    return Slot(
        name=f"headgate.guard.{tier.name.lower()}",
        order=FilterOrder.GUARD,
        config=protos.packed(protos.HTTPFault(disable_downstream_cluster_stats=True)),
        off=protos.packed(protos.HTTPFault()),
        tier=Tier.NONE,
        position=tier,
        guards=tier,
    )


def _closed() -> bytes:
    message = protos.HTTPFault(disable_downstream_cluster_stats=True)
    message.abort.http_status = STATUS
    message.abort.percentage.numerator = 100
    return protos.packed(message)


#: The per-route message that closes a route.
CLOSED = _closed()
SLOTS = (_slot(Tier.STANDARD), _slot(Tier.EXTENDED))

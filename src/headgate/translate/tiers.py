"""Which HTTP filters each filter chain has.

On a Gateway of few filter chains all have the standard slots, so that the first use of a filter changes no listener.
A slot costs Envoy 1 to 8 kB in each chain (`bench.filter_slots`), so of many chains only a fixed number have them in
advance, and the others get them with the first use. That use changes the chain: Envoy drains its connections, and no
others. Until a connection is drained, the guard answers its requests to the new route with 503
(`headgate.envoy.http_filters.guard`); its other requests continue.
"""

from collections.abc import Iterable

from headgate.api.meta import Key
from headgate.envoy.http_filters import Tier
from headgate.envoy.names import digest
from headgate.envoy.resources import VirtualHost
from headgate.incremental import Collection, Engine, Index, Read

#: So many filter chains of a Gateway have the standard slots in advance.
IN_ADVANCE = 16


def declare(
    engine: Engine,
    configurations: Collection[tuple[Key, str], str],
    hosts: Collection[tuple[Key, str, str], VirtualHost],
) -> Collection[tuple[Key, str], Tier]:
    """The tier of each filter chain of HTTP, by Gateway and RouteConfiguration (each chain has its own)."""
    uses: Collection[tuple[Key, str, Tier], int] = engine.count(
        "virtual hosts by tier", hosts, lambda key, host: (key[0], key[1], host.tier) if host.tier else None
    )
    by_gateway: Index[Key, tuple[Key, str]] = engine.index(
        "filter chains of a gateway", configurations, lambda key, _name: (key[0],)
    )
    counts: Collection[Key, int] = engine.count("number of filter chains", configurations, lambda key, _name: key[0])

    def in_advance(read: Read, gateway: Key, _count: int) -> frozenset[str]:
        return chosen(name for _, name in read.group(by_gateway, gateway))

    standard = engine.map("filter chains with standard slots", counts, in_advance)

    def tier(read: Read, key: tuple[Key, str], name: str) -> Tier:
        if read(uses, (*key, Tier.EXTENDED)):
            return Tier.EXTENDED
        if read(uses, (*key, Tier.STANDARD)) or name in (read(standard, key[0]) or ()):
            return Tier.STANDARD
        return Tier.NONE

    return engine.map("tiers of filter chains", configurations, tier)


def chosen(names: Iterable[str]) -> frozenset[str]:
    """The chains that have the standard slots in advance: those of the smallest digests, so that one more chain takes
    the place of one other at most.
    """
    return frozenset(sorted(names, key=digest)[:IN_ADVANCE])

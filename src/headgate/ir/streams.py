"""Whole connections and datagrams: which route gets them on a listener, and among whom they are shared.

A listener of TCP or UDP has one winner: the oldest of its routes. A listener of TLS has one per server name. Everything
behind a route is a `Pool` of its own, so that backends and weights come and go without a word to the listener: a change
of the listener would end the connections that stand (Envoy drains the chain that changed).
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Literal

import msgspec

from headgate.api.meta import Key, Ref

from .hostnames import covering_hostnames
from .routing import Backend, Endpoint, RouteSecurity

#: What an Envoy's endpoint may weigh, all of its neighbours included: they are added up in 32 bits.
MAX_TOTAL_WEIGHT = 2**31


class Connection(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A connection, or a datagram, that arrives. `sni` is the server name of a TLS handshake; None: there is none."""

    port: int
    transport: Literal["TCP", "UDP"] = "TCP"
    sni: str | None = None


class WeightedBackendsKey(msgspec.Struct, frozen=True, gc=False, order=True):
    """The pool of a route. One that originates TLS as its backends ask for stands beside the plain one: the route may
    be terminated on one listener and passed through on another.
    """

    route: Ref
    originates_tls: bool = False


class StreamFilterChain(msgspec.Struct, frozen=True, gc=False):
    """What happens to connections with one of these server names (none: to all). Without a pool they are closed, and
    datagrams are dropped.
    """

    name: str
    backends: WeightedBackendsKey | None
    server_names: tuple[str, ...] = ()
    #: What policies demand of the connections.
    security: RouteSecurity = RouteSecurity()


class ListenerStreams(msgspec.Struct, frozen=True, gc=False):
    """What a listener of protocol TLS, TCP or UDP does. No server name stands in two chains of one port."""

    gateway: Key
    listener: str
    chains: tuple[StreamFilterChain, ...]

    def chain(self, sni: str | None) -> StreamFilterChain | None:
        """The chain for a server name: the most specific one that covers it."""
        by_name = {name: chain for chain in self.chains for name in chain.server_names or ("",)}
        wanted = covering_hostnames(sni.lower()) if sni is not None else ("",)
        return next((by_name[name] for name in wanted if name in by_name), None)


class WeightedBackends(msgspec.Struct, frozen=True, gc=False):
    """The backends of a route with their weights. None stands for a reference that leads nowhere: what falls to its
    share is closed (UDP: dropped).
    """

    key: WeightedBackendsKey
    backends: tuple[Backend | None, ...]
    weights: tuple[int, ...]


class WeightedLocality(msgspec.Struct, frozen=True, gc=False, order=True):
    """Endpoints that share a weight evenly. None at all: what falls to the part is closed."""

    backend: Backend | None
    endpoints: tuple[Endpoint, ...]
    weight: int


def localities(pool: WeightedBackends, served: Mapping[Backend, Sequence[Endpoint]]) -> tuple[WeightedLocality, ...]:
    """How a pool is divided. An endpoint that serves several targets stands in one part only, with its shares of all of
    them, since Envoy knows an address once in a cluster. (If those ask for different TLS, what is not the first one's
    is closed: it must not be sent otherwise than it was asked for.)
    """
    shares: dict[Endpoint, dict[Backend, Fraction]] = defaultdict(dict)
    closed = Fraction(0)
    for target, weight in zip(pool.backends, pool.weights, strict=True):
        endpoints = served.get(target, ()) if target is not None else ()
        if target is None or not endpoints:
            closed += weight
            continue
        for each in endpoints if weight else ():
            before = shares[each]
            if any(other.traffic != target.traffic for other in before):
                closed += Fraction(weight, len(endpoints))
            else:
                before[target] = before.get(target, Fraction(0)) + Fraction(weight, len(endpoints))
    return _whole(_groups(shares), closed)


_Groups = Mapping[tuple[Backend, ...], tuple[list[Endpoint], Fraction]]


def _groups(shares: Mapping[Endpoint, Mapping[Backend, Fraction]]) -> _Groups:
    """Endpoints that serve the same targets, and what they get together."""
    found: dict[tuple[Backend, ...], tuple[list[Endpoint], Fraction]] = {}
    for endpoint, by_target in shares.items():
        group = tuple(by_target)
        members, share = found.get(group, ([], Fraction(0)))
        found[group] = ([*members, endpoint], share + sum(by_target.values()))
    return found


def _whole(groups: _Groups, closed: Fraction) -> tuple[WeightedLocality, ...]:
    """Shares as whole numbers, exact as long as they fit."""
    every = [share for _, share in groups.values()] + [closed]
    scale = Fraction(math.lcm(*(share.denominator for share in every)))
    scale /= math.gcd(*(int(share * scale) for share in every)) or 1
    if (total := sum(every) * scale) > MAX_TOTAL_WEIGHT:
        scale *= Fraction(MAX_TOTAL_WEIGHT, total) / 2
    found = [
        WeightedLocality(group[0], tuple(sorted(members)), max(1, round(share * scale)))
        for group, (members, share) in groups.items()
    ]
    if closed:
        found.append(WeightedLocality(None, (), max(1, round(closed * scale))))
    return tuple(found)

"""Connections and datagrams: which route gets them on a listener, and how they are shared among its backends.

A listener of TCP or UDP has one route: the oldest that attaches. A listener of TLS has one per server name. The
backends of a route are one value (`WeightedBackends`), so that backends and weights change without a change of the
listener, which would close open connections (Envoy drains the filter chain that changed).
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

#: The maximum sum of the weights of a cluster's localities, which Envoy adds up in 32 bits.
MAX_TOTAL_WEIGHT = 2**31


class Connection(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A connection, or a datagram, of a client. `sni` is the server name of the TLS handshake; None: there is none."""

    port: int
    transport: Literal["TCP", "UDP"] = "TCP"
    sni: str | None = None


class WeightedBackendsKey(msgspec.Struct, frozen=True, gc=False, order=True):
    """Identifies the backends of a route. A route that one listener terminates and another passes through has two
    values: one that `originates_tls` as the policies of its backends declare, and one that does not.
    """

    route: Ref
    originates_tls: bool = False


class StreamFilterChain(msgspec.Struct, frozen=True, gc=False):
    """The chain for connections with one of these server names (none: for all). Without backends they are closed, and
    datagrams are dropped.
    """

    name: str
    backends: WeightedBackendsKey | None
    server_names: tuple[str, ...] = ()
    #: What policies demand of the connections.
    security: RouteSecurity = RouteSecurity()


class ListenerStreams(msgspec.Struct, frozen=True, gc=False):
    """The chains of a listener of TLS, TCP or UDP. No server name is in two chains of one port."""

    gateway: Key
    listener: str
    chains: tuple[StreamFilterChain, ...]

    def chain(self, sni: str | None) -> StreamFilterChain | None:
        """The chain for a server name: the most specific one that covers it."""
        by_name = {name: chain for chain in self.chains for name in chain.server_names or ("",)}
        wanted = covering_hostnames(sni.lower()) if sni is not None else ("",)
        return next((by_name[name] for name in wanted if name in by_name), None)


class WeightedBackends(msgspec.Struct, frozen=True, gc=False):
    """The backends of a route with their weights. None is an unresolved reference: its share of the connections is
    closed (UDP: dropped).
    """

    key: WeightedBackendsKey
    backends: tuple[Backend | None, ...]
    weights: tuple[int, ...]


class WeightedLocality(msgspec.Struct, frozen=True, gc=False, order=True):
    """Endpoints that share a weight evenly. Without endpoints its share of the connections is closed."""

    backend: Backend | None
    endpoints: tuple[Endpoint, ...]
    weight: int


def localities(
    weighted: WeightedBackends, served: Mapping[Backend, Sequence[Endpoint]]
) -> tuple[WeightedLocality, ...]:
    """The localities of a cluster. An endpoint of several backends is in one locality, with its shares of all of them,
    since Envoy knows an address once per cluster. If these backends need different TLS, only the first one's share is
    sent, and the others are closed: nothing may be sent with other TLS than declared.
    """
    shares: dict[Endpoint, dict[Backend, Fraction]] = defaultdict(dict)
    closed = Fraction(0)
    for target, weight in zip(weighted.backends, weighted.weights, strict=True):
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
    """Endpoints of the same backends, and their share together."""
    grouped: dict[tuple[Backend, ...], tuple[list[Endpoint], Fraction]] = {}
    for endpoint, by_target in shares.items():
        group = tuple(by_target)
        members, share = grouped.get(group, ([], Fraction(0)))
        grouped[group] = ([*members, endpoint], share + sum(by_target.values()))
    return grouped


def _whole(groups: _Groups, closed: Fraction) -> tuple[WeightedLocality, ...]:
    """Shares as integers, exact unless they exceed the maximum."""
    every = [share for _, share in groups.values()] + [closed]
    scale = Fraction(math.lcm(*(share.denominator for share in every)))
    scale /= math.gcd(*(int(share * scale) for share in every)) or 1
    if (total := sum(every) * scale) > MAX_TOTAL_WEIGHT:
        scale *= Fraction(MAX_TOTAL_WEIGHT, total) / 2
    whole = [
        WeightedLocality(group[0], tuple(sorted(members)), max(1, round(share * scale)))
        for group, (members, share) in groups.items()
    ]
    if closed:
        whole.append(WeightedLocality(None, (), max(1, round(closed * scale))))
    return tuple(whole)

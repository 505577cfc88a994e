"""The virtual hosts of a route configuration as they are sent, in blocks: a change among thousands touches a few dozen.

Everything here is a value: what an Envoy took, what it is getting and what it should have share the blocks in which
they do not differ.
"""

import functools
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from headgate.envoy import names
from headgate.envoy.resources import VirtualHost, Weights, clusters_of, framed, keys_of, render

#: Into how many blocks virtual hosts fall, by a hash of their names.
_NUMBER = 128


class RenderedVirtualHost(msgspec.Struct, frozen=True, eq=False):
    """A virtual host as it is or was sent: its shape, the weights that stand in it, its framed bytes and their hash."""

    host: VirtualHost
    weights: Mapping[str, Weights]
    body: bytes
    digest: str


def render_virtual_host(host: VirtualHost, weights: Mapping[str, Weights]) -> RenderedVirtualHost:
    """Render a virtual host."""
    body = framed(render(host, weights))
    return RenderedVirtualHost(host, {key: weights[key] for key in keys_of(host)}, body, names.digest(body))


class _Block:
    """Virtual hosts in the order of their names. Their bytes stand here once more: to join those of 5,000 hosts one by
    one takes a millisecond longer at every change.
    """

    def __init__(self, hosts: Mapping[str, RenderedVirtualHost]) -> None:
        self.hosts = {name: hosts[name] for name in sorted(hosts)}
        self.body = b"".join([each.body for each in self.hosts.values()])
        self.digest = names.digest(*(each.digest for each in self.hosts.values()))

    @functools.cached_property
    def clusters(self) -> frozenset[str]:
        return frozenset().union(*(clusters_of(each.host) for each in self.hosts.values()))


class VirtualHosts:
    """Virtual hosts by name."""

    def __init__(self, blocks: Mapping[int, _Block] | None = None) -> None:
        self._blocks = {number: blocks[number] for number in sorted(blocks)} if blocks else {}

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def get(self, name: str) -> RenderedVirtualHost | None:
        """One of them."""
        block = self._blocks.get(_number(name))
        return None if block is None else block.hosts.get(name)

    def items(self) -> Iterator[tuple[str, RenderedVirtualHost]]:
        """All of them, in the order in which they are sent."""
        for block in self._blocks.values():
            yield from block.hosts.items()

    def with_changes(self, changes: Mapping[str, RenderedVirtualHost | None]) -> "VirtualHosts":
        """The same with these; None takes one away."""
        by_block: dict[int, dict[str, RenderedVirtualHost | None]] = defaultdict(dict)
        for name, each in changes.items():
            by_block[_number(name)][name] = each
        if not by_block:
            return self
        blocks = dict(self._blocks)
        for number, own in by_block.items():
            before = blocks[number].hosts if number in blocks else {}
            hosts = {name: each for name, each in (before | own).items() if each is not None}
            if hosts:
                blocks[number] = _Block(hosts)
            else:
                blocks.pop(number, None)
        return VirtualHosts(blocks)

    def differing_from(self, other: "VirtualHosts") -> Iterator[str]:
        """The names of those that are not the same in another, or not there at all."""
        for number in self._blocks.keys() | other._blocks.keys():
            ours, theirs = self._blocks.get(number), other._blocks.get(number)
            if ours is theirs:
                continue
            mine, its = ours.hosts if ours else {}, theirs.hosts if theirs else {}
            for name in mine.keys() | its.keys():
                if name not in mine or name not in its or mine[name].digest != its[name].digest:
                    yield name

    def bodies(self) -> list[bytes]:
        """What is sent of them, in parts."""
        return [block.body for block in self._blocks.values()]

    def refers_to(self, cluster: str) -> bool:
        """Whether one of them refers to a cluster."""
        return any(cluster in block.clusters for block in self._blocks.values())

    @functools.cached_property
    def digest(self) -> str:
        """A hash of what is sent of them."""
        return names.digest(*(block.digest for block in self._blocks.values()))


def _number(name: str) -> int:
    return zlib.crc32(name.encode()) % _NUMBER

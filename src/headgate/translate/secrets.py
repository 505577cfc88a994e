"""Certificates of listeners. The IR carries names and hashes only; here the bytes are read, once per certificate."""

from collections.abc import Iterable

from headgate.api import tls
from headgate.api.meta import Key
from headgate.envoy import secrets as envoy
from headgate.envoy.names import SECRET
from headgate.envoy.resources import Resource
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.world import Routing, World

from . import names


def declare(world: World, routing: Routing) -> Collection[tuple[Key, str, str], Resource]:
    """Per Gateway: those that its listeners show."""
    engine = world.engine

    def uses(
        _read: Read, key: tuple[Key, ir.Transport, int], port: ir.Port
    ) -> Iterable[tuple[tuple[Key, ir.Certificate, int], ir.Certificate]]:
        for listener in port.listeners:
            for certificate in listener.certificates:
                yield (key[0], certificate, port.number), certificate

    every = engine.flat_map("uses of certificates", routing.ports, uses)
    shown: Collection[tuple[Key, Key], ir.Certificate] = engine.least(
        "certificates in use", every, lambda key, _found: (key[0], key[1].secret), lambda _key, _found: 0
    )

    def secret(
        read: Read, key: tuple[Key, Key], found: ir.Certificate
    ) -> Iterable[tuple[tuple[Key, str, str], Resource]]:
        held = read(world.secrets, found.secret)
        if held is not None:
            pair = tls.of_secret(held)
            name = names.secret(found.secret)
            yield (key[0], SECRET, name), envoy.tls_certificate(name, pair.certificate, pair.key)

    return engine.flat_map("secrets of listeners", shown, secret)

"""Authorities in ConfigMaps: `ca.crt`, one or more certificates in PEM."""

from collections.abc import Iterable

import msgspec

from headgate.api import core, tls
from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.world import World

#: What is said of a ConfigMap that is not there.
MISSING = "is missing; create it with a key ca.crt"


class Bundle(msgspec.Struct, frozen=True, gc=False):
    """Whether a ConfigMap holds authorities; `trouble` is empty if it does.

    The certificates themselves are no part of it: whoever depends on this runs again when they come or go, and stays
    as it is when they are renewed.
    """

    trouble: str = ""


def declare(world: World) -> Collection[Key, Bundle]:
    """Every ConfigMap that may be one: it has a key `ca.crt`, or somebody could expect it to."""
    return world.engine.map("authorities", world.config_maps, _bundle)


def _bundle(_read: Read, _key: Key, found: core.ConfigMap) -> Bundle:
    try:
        tls.of_config_map(found)
    except tls.TlsError as error:
        return Bundle(str(error))
    return Bundle()


def trouble(read: Read, bundles: Collection[Key, Bundle], config_map: Key) -> str:
    """What is wrong with a ConfigMap as a source of authorities; empty: nothing."""
    found = read(bundles, config_map)
    return MISSING if found is None else found.trouble


def usable(read: Read, bundles: Collection[Key, Bundle], config_maps: Iterable[Key]) -> bool:
    """Whether any of them holds authorities."""
    return any(not trouble(read, bundles, each) for each in config_maps)

"""Authorities: certificates in PEM, one or more, in ConfigMaps (`ca.crt`) and in ClusterTrustBundles.

A key without a namespace is a ClusterTrustBundle's.
"""

from collections.abc import Iterable

import msgspec

from headgate.api import certificates, core, tls
from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.world import World
from headgate.world.objects import SETTINGS

#: What is said of a ConfigMap that is not there.
MISSING = "is missing; create it with a key ca.crt"
#: The same of a ClusterTrustBundle.
MISSING_BUNDLE = "is missing; create it"
CLUSTER_TRUST_BUNDLE = "ClusterTrustBundle"


class CABundle(msgspec.Struct, frozen=True, gc=False):
    """Whether an object holds authorities; `trouble` is empty if it does.

    The certificates themselves are no part of it: whoever depends on this runs again when they come or go, and stays
    as it is when they are renewed.
    """

    problem: str = ""


def declare(world: World) -> Collection[Key, CABundle]:
    """Every object that may be one: it holds authorities, or somebody could expect it to."""
    engine = world.engine
    return engine.union(
        "authorities",
        engine.map("authorities in config maps", world.config_maps, lambda _read, _key, found: _bundle(found)),
        engine.map(
            "authorities in trust bundles", world.cluster_trust_bundles, lambda _read, _key, found: _bundle(found)
        ),
    )


def _bundle(found: core.ConfigMap | certificates.ClusterTrustBundle) -> CABundle:
    try:
        tls.authorities(found)
    except tls.TlsError as error:
        return CABundle(str(error))
    return CABundle()


def problem(read: Read, bundles: Collection[Key, CABundle], key: Key) -> str:
    """What is wrong with an object as a source of authorities; empty: nothing."""
    found = read(bundles, key)
    if found is None:
        return MISSING if key.namespace else MISSING_BUNDLE
    return found.problem


def any_usable(read: Read, bundles: Collection[Key, CABundle], keys: Iterable[Key]) -> bool:
    """Whether any of them holds authorities."""
    return any(not problem(read, bundles, each) for each in keys)


def is_kind_served(read: Read, world: World, key: Key) -> bool:
    """Whether the API has objects of that kind: not every one has ClusterTrustBundles."""
    definitions = read(world.definitions, SETTINGS)
    return bool(key.namespace) or definitions is None or CLUSTER_TRUST_BUNDLE in definitions.fields

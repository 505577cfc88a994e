"""CA certificates: one or more certificates in PEM, in ConfigMaps (key `ca.crt`) and in ClusterTrustBundles.

A key without a namespace is that of a ClusterTrustBundle.
"""

from collections.abc import Iterable

import msgspec

from headgate.api import certificates, core, tls
from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.world import World
from headgate.world.objects import SETTINGS

#: The problem of a ConfigMap that does not exist.
MISSING = "does not exist; create it with a key ca.crt"
#: The problem of a ClusterTrustBundle that does not exist.
MISSING_BUNDLE = "does not exist; create it"
CLUSTER_TRUST_BUNDLE = "ClusterTrustBundle"


class CABundle(msgspec.Struct, frozen=True, gc=False):
    """Whether an object has CA certificates; `problem` is empty if it does.

    The certificates are not part of the value, so what depends on it does not run again when they are renewed.
    """

    problem: str = ""


def declare(world: World) -> Collection[Key, CABundle]:
    """All ConfigMaps and ClusterTrustBundles."""
    engine = world.engine
    return engine.union(
        "CA certificates",
        engine.map("CA certificates in ConfigMaps", world.config_maps, _bundle),
        engine.map("CA certificates in ClusterTrustBundles", world.cluster_trust_bundles, _bundle),
    )


def _bundle(_read: Read, _key: Key, found: core.ConfigMap | certificates.ClusterTrustBundle) -> CABundle:
    try:
        tls.authorities(found)
    except tls.TlsError as error:
        return CABundle(str(error))
    return CABundle()


def problem(read: Read, bundles: Collection[Key, CABundle], key: Key) -> str:
    """Why an object has no usable CA certificates; empty if it has."""
    bundle = read(bundles, key)
    if bundle is None:
        return MISSING if key.namespace else MISSING_BUNDLE
    return bundle.problem


def any_usable(read: Read, bundles: Collection[Key, CABundle], keys: Iterable[Key]) -> bool:
    """Whether any of the objects has CA certificates."""
    return any(not problem(read, bundles, key) for key in keys)


def is_kind_served(read: Read, world: World, key: Key) -> bool:
    """Whether the API serves the kind of the object; ClusterTrustBundles are not served everywhere."""
    definitions = read(world.definitions, SETTINGS)
    return bool(key.namespace) or definitions is None or CLUSTER_TRUST_BUNDLE in definitions.fields

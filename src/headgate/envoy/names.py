"""Names that two sides must spell alike: type URLs, clusters, statistics, runtime keys.

Cluster names may hold any character; names in statistics may not hold a dot, since Envoy's own expressions, which take
the cluster's name out of a statistic, end at the first one.
"""

import hashlib
from collections.abc import Iterable

from headgate.api.meta import Key

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105
RUNTIME = "type.googleapis.com/envoy.service.runtime.v3.Runtime"

#: The one runtime layer that every Envoy of ours subscribes to: the weight lane.
RUNTIME_LAYER = "headgate"
#: The name that the xDS server's certificate must carry and that every Envoy checks.
XDS_SERVER = "xds.headgate.dev"
#: A cluster of the bootstrap that answers every request with 500: the share of an invalid backend.
INVALID_BACKEND = "headgate_invalid_backend"
#: A cluster of the bootstrap without endpoints: 503 to every request, UNAVAILABLE to every call, and a connection is
#: closed.
UNAVAILABLE_BACKEND = "headgate_unavailable_backend"
#: Clusters that every Envoy has from its bootstrap, so no route has to wait for them.
BUILT_IN_CLUSTERS = frozenset({INVALID_BACKEND, UNAVAILABLE_BACKEND})


def digest(*parts: bytes | str) -> str:
    """A short content hash; parts cannot run into each other."""
    state = hashlib.blake2b(digest_size=10)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


def cluster_name(namespace: str, service: str, port: int, *policy: bytes | str) -> str:
    """The name of a Service port's cluster. `policy` is what else its configuration depends on: another policy is
    another cluster, so a change never warms a cluster again under routes that use it.

    >>> cluster_name("shop", "web", 80)
    'shop/web/80'
    """
    plain = f"{namespace}/{service}/{port}"
    return f"{plain}#{digest(*policy)}" if policy else plain


def secret_of(name: str) -> Key:
    """The Secret that an SDS resource of this name was made from: the names of certificates are `namespace/name`.

    The names of validation contexts contain a slash as well; they belong to no Secret and match none.
    """
    namespace, _, plain = name.partition("/")
    return Key(namespace, plain)


def stat_name(namespace: str, service: str, port: int) -> str:
    """The name under which a Service port's cluster reports, as people's queries for Envoy gateways expect it.

    >>> stat_name("shop", "web", 80)
    'shop_web_80'
    """
    return f"{namespace}_{service}_{port}".replace(".", "_")


def weights_key(prefix: str, clusters: Iterable[str]) -> str:
    """The runtime key of a route's weights. It contains a hash of the clusters in their order, so a key never changes
    its meaning: when a backend comes or goes, the old and the new route can stand side by side in flight.
    """
    return f"w.{prefix}.{digest(*clusters)}"

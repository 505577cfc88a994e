"""Names that several packages share: type URLs, clusters, statistics, runtime keys.

A cluster's name may have any character. Its name in statistics may not have a dot, since Envoy's tag extraction takes
the name up to the first dot.
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

#: The runtime layer that every Envoy subscribes to (RTDS): the weight overlay.
RUNTIME_LAYER = "headgate"
#: The DNS name in the xDS server's certificate, which every Envoy verifies.
XDS_SERVER = "xds.headgate.dev"
#: A cluster of the bootstrap that answers every request with 500: for the share of an invalid backendRef.
INVALID_BACKEND = "headgate_invalid_backend"
#: A cluster of the bootstrap without endpoints: requests get 503, gRPC calls UNAVAILABLE, and connections are closed.
UNAVAILABLE_BACKEND = "headgate_unavailable_backend"
#: Clusters of the bootstrap. No route has to wait for them.
BUILT_IN_CLUSTERS = frozenset({INVALID_BACKEND, UNAVAILABLE_BACKEND})


def digest(*parts: bytes | str) -> str:
    """A short content hash of the parts, each with its length."""
    state = hashlib.blake2b(digest_size=10)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


def cluster_name(namespace: str, service: str, port: int, *policy: bytes | str) -> str:
    """The name of a Service port's cluster. `policy` is all else that its configuration depends on. Another policy is
    another cluster, so no cluster that routes use is warmed again.

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
    """The name of a Service port's cluster in statistics, as existing queries for Envoy gateways expect it.

    >>> stat_name("shop", "web", 80)
    'shop_web_80'
    """
    return f"{namespace}_{service}_{port}".replace(".", "_")


def weights_key(prefix: str, clusters: Iterable[str]) -> str:
    """The runtime key of a route's weights. It contains a hash of the clusters in their order, so a key never changes
    its meaning: if a backend is added or removed, entries for the old and the new route do not conflict.
    """
    return f"w.{prefix}.{digest(*clusters)}"

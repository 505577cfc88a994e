"""Backends to clusters and their endpoints: one of each per backend that a Gateway uses."""

from collections.abc import Callable, Iterable, Mapping

from headgate.api.meta import Key
from headgate.envoy import clusters as envoy
from headgate.envoy.names import CLUSTER, ENDPOINTS, stat_name
from headgate.envoy.resources import Resource
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.limits import RetryBudget
from headgate.ir.tls import UpstreamTLS
from headgate.rendering import cluster_name
from headgate.world import Routing, World

from . import names, settings

Keyed = tuple[tuple[Key, str, str], Resource]


def clusters(world: World, routing: Routing) -> Collection[tuple[Key, str, str], Resource]:
    """Clusters per Gateway."""

    def keyed(read: Read, key: tuple[Key, ir.Backend], backend: ir.Backend) -> Iterable[Keyed]:
        tls = backend.traffic.tls
        of_gateway = tls is not None and not tls.own_client_certificate
        resource = cluster(backend, read(routing.client_certificates, key[0]) if of_gateway else None)
        yield (key[0], CLUSTER, resource.name), resource

    return world.engine.flat_map("clusters", routing.backends, keyed)


def endpoints(world: World, routing: Routing) -> Collection[tuple[Key, str, str], Resource]:
    """Their endpoints, rendered once for all Gateways that use them."""
    assignments = world.engine.map(
        "load assignments", routing.endpoints, lambda _read, _key, endpoints: assignment(endpoints)
    )

    def keyed(read: Read, key: tuple[Key, ir.Backend], backend: ir.Backend) -> Iterable[Keyed]:
        resource = read(assignments, backend)
        if resource is not None and not backend.host:
            yield (key[0], ENDPOINTS, resource.name), resource

    return world.engine.flat_map("endpoints of clusters", routing.backends, keyed)


def cluster(backend: ir.Backend, gateway_certificate: ir.Certificate | None = None) -> Resource:
    """The cluster of a backend; `gateway_certificate` is the Gateway's client certificate for backends with TLS."""
    named = backend.x_backend or backend.service
    return envoy.cluster(
        cluster_name(backend),
        stat_name(named.namespace, named.name, backend.port),
        protocol=backend.protocol,
        host=envoy.Endpoint(backend.host, backend.port) if backend.host else None,
        settings=settings.render(backend.traffic, _RENDERERS, gateway_certificate),
    )


def retry_budget(budget: RetryBudget, _gateway_certificate: ir.Certificate | None) -> envoy.RetryBudget:
    """The limit of concurrent retries."""
    return envoy.RetryBudget(
        percent=budget.percent, interval=budget.interval, min_retry_concurrency=budget.min_retry_concurrency
    )


def upstream_tls(tls: UpstreamTLS, gateway_certificate: ir.Certificate | None) -> envoy.UpstreamTLS:
    """TLS to the endpoints. The client certificate is the backend's own, or else the Gateway's."""
    own, gateway = tls.client_certificate, gateway_certificate.secret if gateway_certificate else None
    secret = own if tls.own_client_certificate else gateway
    return envoy.UpstreamTLS(
        server_name=tls.server_name,
        validation=names.backend_validation(tls),
        certificate=names.secret(secret) if secret else "",
    )


#: By field of `ir.BackendTraffic`.
_RENDERERS: Mapping[str, Callable[..., envoy.ClusterSetting]] = {"tls": upstream_tls, "retry_budget": retry_budget}


def assignment(served: ir.Endpoints) -> Resource:
    """The endpoints of a backend."""
    endpoints = [envoy.Endpoint(endpoint.address, endpoint.port) for endpoint in served.endpoints]
    return envoy.cluster_load_assignment(cluster_name(served.backend), endpoints)

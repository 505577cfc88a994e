"""Backends to clusters, and who serves them: one of each per Service port that a Gateway uses."""

from collections.abc import Iterable

from headgate.api.meta import Key
from headgate.envoy import clusters as envoy
from headgate.envoy.names import CLUSTER, ENDPOINTS, stat_name
from headgate.envoy.resources import Resource
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.limits import RetryBudget
from headgate.ir.tls import UpstreamTLS
from headgate.world import Routing, World

from . import names

Keyed = tuple[tuple[Key, str, str], Resource]


def clusters(world: World, routing: Routing) -> Collection[tuple[Key, str, str], Resource]:
    """Clusters per Gateway."""

    def keyed(read: Read, key: tuple[Key, ir.Backend], backend: ir.Backend) -> Iterable[Keyed]:
        gateways = (
            read(routing.client_certificates, key[0])
            if backend.tls and not backend.tls.own_client_certificate
            else None
        )
        found = cluster(backend, gateways)
        yield (key[0], CLUSTER, found.name), found

    return world.engine.flat_map("clusters", routing.backends, keyed)


def endpoints(world: World, routing: Routing) -> Collection[tuple[Key, str, str], Resource]:
    """Their endpoints; each is made once, whatever the number of Gateways that use it."""
    made = world.engine.map("load assignments", routing.endpoints, lambda _read, _key, found: assignment(found))

    def keyed(read: Read, key: tuple[Key, ir.Backend], backend: ir.Backend) -> Iterable[Keyed]:
        found = read(made, backend)
        if found is not None and not backend.host:
            yield (key[0], ENDPOINTS, found.name), found

    return world.engine.flat_map("endpoints of clusters", routing.backends, keyed)


def cluster(backend: ir.Backend, shown: ir.Certificate | None = None) -> Resource:
    """The cluster of a Service port; `shown` is the Gateway's certificate for backends with TLS."""
    named = backend.x_backend or backend.service
    return envoy.cluster(
        names.cluster(backend),
        stat_name(named.namespace, named.name, backend.port),
        protocol=backend.protocol,
        host=envoy.Endpoint(backend.host, backend.port) if backend.host else None,
        retry_budget=None if backend.retry_budget is None else retry_budget(backend.retry_budget),
        tls=None if backend.tls is None else upstream_tls(backend.tls, shown),
    )


def retry_budget(found: RetryBudget) -> envoy.RetryBudget:
    """How retries to a backend are limited."""
    return envoy.RetryBudget(
        percent=found.percent, interval=found.interval, min_retry_concurrency=found.min_retry_concurrency
    )


def upstream_tls(found: UpstreamTLS, shown: ir.Certificate | None) -> envoy.UpstreamTLS:
    """How a backend with a policy is spoken to."""
    secret = found.client_certificate if found.own_client_certificate else shown.secret if shown else None
    return envoy.UpstreamTLS(
        server_name=found.server_name,
        validation=names.backend_validation(found),
        certificate=names.secret(secret) if secret else "",
    )


def assignment(found: ir.Endpoints) -> Resource:
    """The endpoints of a Service port."""
    return envoy.cluster_load_assignment(
        names.cluster(found.backend), [envoy.Endpoint(each.address, each.port) for each in found.endpoints]
    )

"""Translates the IR to Envoy resources. Pure and incremental per resource; one file per kind of resource.

Routes are returned as two values, shape and weights, so that a change of weights changes one small value and no virtual
host.
"""

from dataclasses import dataclass

from headgate.api.meta import Key
from headgate.envoy.resources import Resource, VirtualHost, Weights
from headgate.incremental import Collection
from headgate.ir.routing import Transport
from headgate.world import Routing, World

from . import clusters, listeners, routes, secrets, streams

__all__ = ["Translated", "declare"]


@dataclass(frozen=True, slots=True)
class Translated:
    """The resources of all Gateways' Envoys."""

    resources: Collection[tuple[Key, str, str], Resource]
    configurations: Collection[tuple[Key, str], str]
    hosts: Collection[tuple[Key, str, str], VirtualHost]
    weights: Collection[tuple[Key, str], Weights]
    #: Per Gateway and port: name and version of the listener resource.
    listener_versions: Collection[tuple[Key, Transport, int], tuple[str, str]]


def declare(world: World, routing: Routing) -> Translated:
    """Declare the collections."""
    hosts = routes.hosts(world.engine, routing.hosts)
    listening = listeners.declare(world, routing, hosts)
    return Translated(
        resources=world.engine.union(
            "resources",
            listening.resources,
            clusters.clusters(world, routing),
            clusters.endpoints(world, routing),
            streams.stream_clusters(world, routing),
            streams.endpoints(world, routing),
            secrets.declare(world, routing),
        ),
        configurations=listening.configurations,
        hosts=hosts,
        weights=routes.weights(world, routing),
        listener_versions=listening.versions,
    )

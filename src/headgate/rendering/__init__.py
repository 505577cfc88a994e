"""Changes of a route's requests, by filters of routes and by policies.

`RouteModifier` is their protocol: a frozen value that renders itself for Envoy and simulates itself. What it renders
goes into one `Rendering`, from which `translate` makes an Envoy route. `cluster_name` names the cluster of a backend.
"""

from .backends import cluster_name, host_and_port
from .base import ConditionalRoute, PerRoute, Rendering, RouteModifier, UnknownModifierError, modifiers

__all__ = [
    "ConditionalRoute",
    "PerRoute",
    "Rendering",
    "RouteModifier",
    "UnknownModifierError",
    "cluster_name",
    "host_and_port",
    "modifiers",
]

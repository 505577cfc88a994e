"""What the program makes: the IR, problems, statuses, and everything that the controllers send or write."""

from dataclasses import dataclass

from headgate.api import gateway
from headgate.api.meta import Key, Ref
from headgate.api.problems import Problem
from headgate.envoy.resources import Resource, VirtualHost, Weights
from headgate.incremental import Collection
from headgate.ir import routing as ir
from headgate.ir.streams import ListenerStreams, WeightedBackends, WeightedBackendsKey
from headgate.ir.tracing import Tracing

from .fleets import EnvoyFleetSpec, PodSelection


@dataclass(frozen=True, slots=True)
class Routing:
    """The IR. `translate` renders it, `simulate` answers from it."""

    #: Per Gateway and port.
    ports: Collection[tuple[Key, ir.Transport, int], ir.Port]
    #: Per Gateway, RouteConfiguration, listener and hostname (empty: every host).
    hosts: Collection[tuple[Key, str, str, str], ir.VirtualHost]
    #: Per Gateway and weights key.
    shares: Collection[tuple[Key, str], ir.Shares]
    #: Per Gateway: the backends of its HTTPRoutes and GRPCRoutes; each has a cluster.
    backends: Collection[tuple[Key, ir.Backend], ir.Backend]
    #: Per Gateway: the backends of all its routes. Those of weighted backends have no cluster of their own.
    used: Collection[tuple[Key, ir.Backend], ir.Backend]
    #: The endpoints of every backend that is used.
    endpoints: Collection[ir.Backend, ir.Endpoints]
    #: Per Gateway and port: its listeners of TLS, TCP and UDP.
    streams: Collection[tuple[Key, ir.Transport, int], tuple[ListenerStreams, ...]]
    #: Per Gateway: the backends that those send connections and datagrams to.
    weighted_backends: Collection[tuple[Key, WeightedBackendsKey], WeightedBackends]
    #: Per Gateway: the client certificate of its connections to backends with TLS.
    client_certificates: Collection[Key, ir.Certificate]
    #: Per Gateway with tracing.
    tracing: Collection[Key, Tracing]


@dataclass(frozen=True, slots=True)
class Outputs:
    """The program's outputs, for `Engine.collect`. Keys begin with the Gateway where there is one.

    Statuses have conditions without times, for the generation that they were computed from. Only objects of Gateways
    that the controller serves have one.
    """

    routing: Routing

    #: Per object: what is wrong with it, whether or not its status reports it. Objects without problems are absent.
    problems: Collection[Ref, tuple[Problem, ...]]

    gateway_class_statuses: Collection[Key, gateway.GatewayClassStatus]
    gateway_statuses: Collection[Key, gateway.GatewayStatus]
    listener_set_statuses: Collection[Key, gateway.ListenerSetStatus]
    #: The controller's entries of `status.parents`, one per parentRef to a Gateway or ListenerSet that it serves, in
    #: the order of `spec.parentRefs`. A route without such a parentRef is absent.
    route_statuses: Collection[Ref, tuple[gateway.RouteParentStatus, ...]]
    #: The controller's entries of `status.ancestors`, one per Gateway that uses a target of the policy.
    policy_statuses: Collection[Ref, tuple[gateway.PolicyAncestorStatus, ...]]

    #: XBackends with a selector that attached routes reference.
    pod_selections: Collection[Key, PodSelection]
    #: Gateways of the controller's classes.
    fleet_specs: Collection[Key, EnvoyFleetSpec]

    #: By Gateway, type URL and name: listeners, clusters, endpoints, secrets.
    resources: Collection[tuple[Key, str, str], Resource]
    #: By Gateway and name: RouteConfigurations, which exist without virtual hosts too.
    configurations: Collection[tuple[Key, str], str]
    #: By Gateway, RouteConfiguration and name of the virtual host.
    hosts: Collection[tuple[Key, str, str], VirtualHost]
    #: By Gateway and weights key.
    weights: Collection[tuple[Key, str], Weights]

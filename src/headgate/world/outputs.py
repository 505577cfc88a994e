"""What the program makes: the IR for whoever asks where a request goes, and everything the shell applies."""

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
    """The IR: what `translate` renders and `simulate` answers from."""

    #: Per Gateway and port.
    ports: Collection[tuple[Key, ir.Transport, int], ir.Port]
    #: Per Gateway, RouteConfiguration, listener and hostname (empty: every host).
    hosts: Collection[tuple[Key, str, str, str], ir.VirtualHost]
    #: Per Gateway and weights key.
    shares: Collection[tuple[Key, str], ir.Shares]
    #: Per Gateway: the backends of its routes of requests; each has a cluster.
    backends: Collection[tuple[Key, ir.Backend], ir.Backend]
    #: Per Gateway: the backends of all its routes; those of pools have no cluster of their own.
    used: Collection[tuple[Key, ir.Backend], ir.Backend]
    #: Who serves a backend, for each that is used.
    endpoints: Collection[ir.Backend, ir.Endpoints]
    #: Per Gateway and port: what its listeners of TLS, TCP and UDP do.
    streams: Collection[tuple[Key, ir.Transport, int], tuple[ListenerStreams, ...]]
    #: Per Gateway: where they send connections and datagrams.
    weighted_backends: Collection[tuple[Key, WeightedBackendsKey], WeightedBackends]
    #: Per Gateway: the certificate that it shows to backends with TLS.
    client_certificates: Collection[Key, ir.Certificate]
    #: Per Gateway whose requests are traced.
    tracing: Collection[Key, Tracing]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Collections for `Engine.collect`. Keys begin with the Gateway where there is one.

    Statuses hold conditions without time, stamped with the generation they judge; only kinds and parents that are ours
    have one. `route_statuses` are our own entries of `status.parents`, one per parentRef to a Gateway of ours or to a
    ListenerSet of one, in the order of `spec.parentRefs` (a route without one has no value).
    """

    routing: Routing

    #: Per object: what is wrong with it, whether or not its status reports it. Objects without problems are absent.
    problems: Collection[Ref, tuple[Problem, ...]]

    gateway_class_statuses: Collection[Key, gateway.GatewayClassStatus]
    gateway_statuses: Collection[Key, gateway.GatewayStatus]
    listener_set_statuses: Collection[Key, gateway.ListenerSetStatus]
    route_statuses: Collection[Ref, tuple[gateway.RouteParentStatus, ...]]
    #: Policies: our own entries of `status.ancestors`, one per Gateway of ours that uses a target.
    policy_statuses: Collection[Ref, tuple[gateway.PolicyAncestorStatus, ...]]

    #: XBackends with a selector that routes of ours name.
    pod_selections: Collection[Key, PodSelection]
    #: Gateways of our classes; what their Deployment and Service depend on.
    fleet_specs: Collection[Key, EnvoyFleetSpec]

    #: (Gateway, type URL, name): listeners, clusters, endpoints, secrets. `Resource.name` is the key's last part.
    resources: Collection[tuple[Key, str, str], Resource]
    #: (Gateway, RouteConfiguration): those that must exist, also without virtual hosts.
    configurations: Collection[tuple[Key, str], str]
    #: (Gateway, RouteConfiguration, name of the virtual host).
    hosts: Collection[tuple[Key, str, str], VirtualHost]
    #: (Gateway, weights key).
    weights: Collection[tuple[Key, str], Weights]

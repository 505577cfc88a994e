"""One pass: run the program, hand what changed for each Gateway's Envoys to xDS, say whose statuses and needs changed.

No API and no clock here: a benchmark or a test feeds the world by hand and steps.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from headgate.api import gateway
from headgate.api.meta import Key, Object
from headgate.envoy.names import LISTENER, SECRET
from headgate.incremental import Collector, Engine
from headgate.program import program
from headgate.translate import names
from headgate.world import Outputs, World
from headgate.world.facts import Facts
from headgate.world.objects import SETTINGS, Settings
from headgate.xds.desired import Update

from .statuses import POLICY_KINDS

_log = structlog.get_logger("headgate.controllers.gateways")

#: Kinds whose statuses are told under `Ref`s.
_NAMED: tuple[type[Object], ...] = (
    gateway.HTTPRoute,
    gateway.GRPCRoute,
    gateway.TLSRoute,
    gateway.TCPRoute,
    gateway.UDPRoute,
    *POLICY_KINDS,
)
NAMED_KINDS = {cls.__name__: cls for cls in _NAMED}


@dataclass(slots=True)
class _Parts:
    """An `Update` in the making."""

    resources: dict[tuple[str, str], Any] = field(default_factory=dict)
    removed_resources: set[tuple[str, str]] = field(default_factory=set)
    hosts: dict[tuple[str, str], Any] = field(default_factory=dict)
    removed_hosts: set[tuple[str, str]] = field(default_factory=set)
    weights: dict[str, Any] = field(default_factory=dict)
    removed_weights: set[str] = field(default_factory=set)
    configurations: set[str] = field(default_factory=set)
    removed_configurations: set[str] = field(default_factory=set)

    def update(self) -> Update:
        return Update(
            resources=self.resources,
            removed_resources=self.removed_resources,
            hosts=self.hosts,
            removed_hosts=self.removed_hosts,
            weights=self.weights,
            removed_weights=self.removed_weights,
            route_configurations=self.configurations,
            removed_route_configurations=self.removed_configurations,
        )


@dataclass(frozen=True, slots=True)
class PassResult:
    """What a pass changed for the API: statuses by kind and key, Gateways whose needs changed, and those that went;
    XBackends whose pods are selected otherwise, or no more.
    """

    statuses: tuple[tuple[type[Object], Key], ...]
    fleet_specs: tuple[Key, ...]
    removed_gateways: tuple[Key, ...]
    pod_selections: tuple[Key, ...] = ()


class Pipeline:
    """The world, the program over it and the collectors of what it makes.

    Args:
        send: takes what changed for one Gateway's Envoys.
        drop: takes a Gateway that is no longer ours.
    """

    def __init__(self, settings: Settings, send: Callable[[Key, Update], None], drop: Callable[[Key], None]) -> None:
        self.engine = Engine()
        self.world = World.over(self.engine)
        self.facts = Facts.over(self.engine)
        self.outputs: Outputs = program(self.world, self.facts)
        self.world.settings.set(SETTINGS, settings)
        self._send = send
        self._drop = drop
        collect = self.engine.collect
        self._resources = collect(self.outputs.resources)
        self._hosts = collect(self.outputs.hosts)
        self._weights = collect(self.outputs.weights)
        self._configurations = collect(self.outputs.configurations)
        self._needs = collect(self.outputs.fleet_specs)
        self._selections = collect(self.outputs.pod_selections)
        self._statuses: tuple[tuple[type[Object], Collector[Key, Any]], ...] = (
            (gateway.GatewayClass, collect(self.outputs.class_statuses)),
            (gateway.Gateway, collect(self.outputs.gateway_statuses)),
            (gateway.ListenerSet, collect(self.outputs.listener_set_statuses)),
        )
        self._named = (collect(self.outputs.route_statuses), collect(self.outputs.policy_statuses))
        self._failed: set[Any] = set()
        #: Gateways that were dropped and are there all the same: refused as they are now.
        self._dropped: set[Key] = set()

    def run_pass(self) -> PassResult:
        """Bring everything up to date; what is to be sent is sent before this returns."""
        self.engine.run()
        self._report_failures()
        needs = self._needs.take()
        changed = self._changed()
        for key in needs.set:
            changed.setdefault(key, _Parts())  # its Envoys wait for an answer when they start, if only an empty one
        for key in self._dropped & needs.set.keys():
            changed[key] = self._everything(key)
        self._dropped = {key for key in (self._dropped - needs.set.keys()).union(needs.removed) if self._exists(key)}
        for key, parts in changed.items():
            if key not in self._dropped and key not in needs.removed:
                self._send(key, parts.update())
        for key in needs.removed:
            self._drop(key)
        statuses: list[tuple[type[Object], Key]] = [
            (cls, key)
            for cls, collector in self._statuses
            for delta in (collector.take(),)
            for key in (*delta.set, *delta.removed)
        ]
        for collector in self._named:
            named = collector.take()
            statuses += [(NAMED_KINDS[ref.kind], ref.key) for ref in (*named.set, *named.removed)]
        selected = self._selections.take()
        selections = (*selected.set, *selected.removed)
        return PassResult(tuple(statuses), tuple(needs.set), tuple(needs.removed), selections)

    def _exists(self, gateway: Key) -> bool:
        return self.world.gateways.get(gateway) is not None

    def _everything(self, gateway: Key) -> _Parts:
        """All that a Gateway's Envoys should have: it was dropped, and nothing is known of it any more."""
        outputs = self.outputs
        return _Parts(
            resources={at[1:]: found for at, found in outputs.resources.items() if at[0] == gateway},
            hosts={at[1:]: found for at, found in outputs.hosts.items() if at[0] == gateway},
            weights={at[1]: found for at, found in outputs.weights.items() if at[0] == gateway},
            configurations={at[1] for at, _ in outputs.configurations.items() if at[0] == gateway},
        )

    def _changed(self) -> dict[Key, _Parts]:
        parts: dict[Key, _Parts] = defaultdict(_Parts)
        resources, hosts = self._resources.take(), self._hosts.take()
        weights, configurations = self._weights.take(), self._configurations.take()
        for (owner, type_url, name), resource in resources.set.items():
            parts[owner].resources[type_url, name] = resource
        for owner, type_url, name in resources.removed:
            parts[owner].removed_resources.add((type_url, name))
            if type_url == LISTENER:  # what Envoys said of it holds for no later listener of that name
                self.facts.listeners.delete((owner, name))
            elif type_url == SECRET:
                self.facts.refused_secrets.delete((owner, names.secret_of(name)))
        for (owner, configuration, name), host in hosts.set.items():
            parts[owner].hosts[configuration, name] = host
        for owner, configuration, name in hosts.removed:
            parts[owner].removed_hosts.add((configuration, name))
        for (owner, key), value in weights.set.items():
            parts[owner].weights[key] = value
        for owner, key in weights.removed:
            parts[owner].removed_weights.add(key)
        for owner, name in configurations.set:
            parts[owner].configurations.add(name)
        for owner, name in configurations.removed:
            parts[owner].removed_configurations.add(name)
        return parts

    def _report_failures(self) -> None:
        failures = self.engine.failures
        for at in failures.keys() - self._failed:
            failure = failures[at]
            _log.error(
                "a bug: the last good result is kept",
                collection=failure.collection,
                key=str(failure.key),
                error=f"{type(failure.error).__name__}: {failure.error}",
                exc_info=failure.error,
            )
        self._failed = set(failures)

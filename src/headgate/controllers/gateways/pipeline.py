"""One pass: runs the program, hands what changed for each Gateway's Envoys to xDS, and returns what the API needs.

There is no API server and no clock here: a benchmark or a test can set objects in the world and run a pass.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import structlog

from headgate.api.meta import Key, Object, Ref
from headgate.envoy.resources import Resource, VirtualHost, Weights
from headgate.incremental import Collector, Engine
from headgate.program import program
from headgate.world import Outputs, World, facts
from headgate.world.objects import KIND_NAMED, KINDS, SETTINGS, Settings
from headgate.xds.desired import Update

_log = structlog.get_logger("headgate.controllers.gateways")


@dataclass(slots=True)
class _Changes:
    """An `Update` in the making."""

    resources: dict[tuple[str, str], Resource] = field(default_factory=dict)
    removed_resources: set[tuple[str, str]] = field(default_factory=set)
    hosts: dict[tuple[str, str], VirtualHost] = field(default_factory=dict)
    removed_hosts: set[tuple[str, str]] = field(default_factory=set)
    weights: dict[str, Weights] = field(default_factory=dict)
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
    """What a pass changed that is written to the API server."""

    #: Objects whose desired status changed, by kind and key.
    statuses: tuple[tuple[type[Object], Key], ...]
    #: Gateways whose `EnvoyFleetSpec` changed, and those that have none any more.
    fleet_specs: tuple[Key, ...]
    removed_gateways: tuple[Key, ...]
    #: XBackends whose `PodSelection` changed or went.
    pod_selections: tuple[Key, ...] = ()


class Pipeline:
    """The world, the program over it, and collectors of the program's outputs.

    Args:
        settings: of the program.
        send: called with what changed for one Gateway's Envoys.
        drop: called with a Gateway that is no longer served.
    """

    def __init__(self, settings: Settings, send: Callable[[Key, Update], None], drop: Callable[[Key], None]) -> None:
        self.engine = Engine()
        self.world = World(self.engine)
        self.facts = facts.Facts(self.engine)
        self.outputs: Outputs = program(self.world, self.facts)
        self.world.settings.set(SETTINGS, settings)
        self._send = send
        self._drop = drop
        collect = self.engine.collect
        self._resources = collect(self.outputs.resources)
        self._hosts = collect(self.outputs.hosts)
        self._weights = collect(self.outputs.weights)
        self._configurations = collect(self.outputs.configurations)
        self._fleet_specs = collect(self.outputs.fleet_specs)
        self._pod_selections = collect(self.outputs.pod_selections)
        self._statuses = _StatusCollectors(self.engine, self.outputs)
        self._failed: set[tuple[str, Hashable]] = set()
        #: Gateways that still exist but are no longer served, for example because of an invalid parametersRef.
        self._dropped: set[Key] = set()

    def run_pass(self) -> PassResult:
        """Bring everything up to date; what is to be sent to Envoys is sent before this returns."""
        self.engine.run()
        self._report_failures()
        specs = self._fleet_specs.take()
        changes = self._changes()
        for gateway in specs.set:
            changes.setdefault(gateway, _Changes())  # its Envoys wait for a first answer, even an empty one
        for gateway in self._dropped & specs.set.keys():
            changes[gateway] = self._everything(gateway)
        self._dropped = {key for key in (self._dropped - specs.set.keys()).union(specs.removed) if self._exists(key)}
        for gateway, changed in changes.items():
            if gateway not in self._dropped and gateway not in specs.removed:
                self._send(gateway, changed.update())
        for gateway in specs.removed:
            self._drop(gateway)
        selections = self._pod_selections.take()
        return PassResult(
            self._statuses.take(),
            tuple(specs.set),
            tuple(specs.removed),
            (*selections.set, *selections.removed),
        )

    def _exists(self, gateway: Key) -> bool:
        return self.world.gateways.get(gateway) is not None

    def _everything(self, gateway: Key) -> _Changes:
        """All resources of a Gateway that is served again: the xDS server has forgotten what it had."""
        outputs = self.outputs
        return _Changes(
            resources={key[1:]: resource for key, resource in outputs.resources.items() if key[0] == gateway},
            hosts={key[1:]: host for key, host in outputs.hosts.items() if key[0] == gateway},
            weights={key[1]: weights for key, weights in outputs.weights.items() if key[0] == gateway},
            configurations={key[1] for key, _ in outputs.configurations.items() if key[0] == gateway},
        )

    def _changes(self) -> dict[Key, _Changes]:
        """What changed since the last pass, by Gateway."""
        changes: dict[Key, _Changes] = defaultdict(_Changes)
        resources, hosts = self._resources.take(), self._hosts.take()
        weights, configurations = self._weights.take(), self._configurations.take()
        for (gateway, type_url, name), resource in resources.set.items():
            changes[gateway].resources[type_url, name] = resource
        for gateway, type_url, name in resources.removed:
            changes[gateway].removed_resources.add((type_url, name))
            facts.forget(self.facts, gateway, type_url, name)
        for (gateway, configuration, name), host in hosts.set.items():
            changes[gateway].hosts[configuration, name] = host
        for gateway, configuration, name in hosts.removed:
            changes[gateway].removed_hosts.add((configuration, name))
        for (gateway, key), value in weights.set.items():
            changes[gateway].weights[key] = value
        for gateway, key in weights.removed:
            changes[gateway].removed_weights.add(key)
        for gateway, name in configurations.set:
            changes[gateway].configurations.add(name)
        for gateway, name in configurations.removed:
            changes[gateway].removed_configurations.add(name)
        return changes

    def _report_failures(self) -> None:
        failures = self.engine.failures
        for key in failures.keys() - self._failed:
            failure = failures[key]
            _log.error(
                "pipeline function failed; keeping its last good result",
                collection=failure.collection,
                key=str(failure.key),
                error=f"{type(failure.error).__name__}: {failure.error}",
                exc_info=failure.error,
            )
        self._failed = set(failures)


class _StatusCollectors:
    """Which objects' desired statuses changed, over all collections that the rows of `World` name."""

    def __init__(self, engine: Engine, outputs: Outputs) -> None:
        #: Collections with whole statuses of one kind.
        self._whole: list[tuple[type[Object], Collector[Key, object]]] = []
        #: Collections with entries of several kinds; by name, because kinds share them.
        entries: dict[str, Collector[Ref, object]] = {}
        for kind in KINDS:
            if kind.status is None:
                continue
            collection = kind.status.collection(outputs)
            if kind.status.of_entries is None:
                self._whole.append((kind.type, engine.collect(collection)))
            elif collection.name not in entries:
                entries[collection.name] = engine.collect(collection)
        self._entries = tuple(entries.values())

    def take(self) -> tuple[tuple[type[Object], Key], ...]:
        changed: list[tuple[type[Object], Key]] = []
        for cls, whole in self._whole:
            statuses = whole.take()
            changed += [(cls, key) for key in (*statuses.set, *statuses.removed)]
        for collector in self._entries:
            entries = collector.take()
            changed += [(KIND_NAMED[ref.kind].type, ref.key) for ref in (*entries.set, *entries.removed)]
        return tuple(changed)

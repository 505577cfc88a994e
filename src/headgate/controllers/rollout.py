"""The rollout controller: reads a Canary and the objects around it, lets the machine decide, performs the effects.

1. A watch only queues the Canary that an object belongs to; a decision is made on a snapshot read at that moment.
2. Effects are performed in order, up to the first that fails. Then everything is read again: at once after a write
   conflict, after a back-off if the API refuses, with an event that says so. Notifications are sent beside that.
3. Canaries are independent: each is worked on by one task at a time, and a failure of one does not affect the others.
4. Before every write the controller checks that this replica holds the lease.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Never

import aiohttp
import msgspec
import structlog
from prometheus_client import REGISTRY, CollectorRegistry

from headgate.api import codec
from headgate.api.core import ObjectReference, Secret
from headgate.api.delivery import Canary
from headgate.api.json_pointer import lookup, parts
from headgate.api.meta import Key, Object, Ref
from headgate.kube.client import ApiError, Client
from headgate.kube.events import EventRecorder, reference_of
from headgate.kube.served_kinds import ServedKinds, follow_served
from headgate.kube.watch import Batch, follow
from headgate.rollout import snapshot as snapshots
from headgate.rollout.effects import (
    CountRollout,
    Create,
    Decision,
    Effect,
    EmitEvent,
    Json,
    Memory,
    Notify,
    ObserveMetric,
    Patch,
)
from headgate.rollout.machine import decide
from headgate.rollout.queries import ProxyTelemetry, Query, QueryResult
from headgate.rollout.settings import Settings
from headgate.rollout.snapshot import Snapshot
from headgate.rollout.validation import is_ours

from .rollout_metrics import RolloutMetrics
from .rollout_notifications import REASON, Notifier, Recorder
from .rollout_queries import NoTelemetry, QueryRunner
from .work_queue import WorkQueue

_log = structlog.get_logger("headgate.controllers.rollout")

#: Canaries worked on at the same time.
WORKERS = 16
#: Decisions in a row before a Canary is queued again. A step needs about a dozen; more means that another controller
#: writes the same fields.
ROUNDS = 24
#: Seconds between two checks of the lease, while another replica holds it.
_LEASE_CHECK = 0.5
#: Secrets are read by name and never watched.
_WATCHED: tuple[type[Object], ...] = tuple(cls for cls in snapshots.TYPES if cls is not Secret)
_TYPES = {codec.kind_of(cls).kind: cls for cls in snapshots.TYPES}

#: The component of the events, as dashboards and scripts for Flagger expect it.
COMPONENT = "flagger"


class NotHoldingError(Exception):
    """Another replica holds the lease now."""


async def run(
    client: Client,
    *,
    metrics: ProxyTelemetry | None = None,
    settings: Settings | None = None,
    holding: Callable[[], bool] = lambda: True,
    namespace: str | None = None,
    clock: Callable[[], float] = time.time,
    registry: CollectorRegistry = REGISTRY,
    synced: Callable[[], None] = lambda: None,
    defined: ServedKinds | None = None,
) -> Never:
    """Releases Canaries until cancelled.

    Args:
        metrics: the statistics of the Envoys that this process controls.
        holding: whether this replica may write.
        namespace: only the Canaries of this namespace.
        synced: called once, when every watch has its first complete list.
        defined: knows which kinds the API serves (the caller runs it); without it every kind is watched.
    """
    exported = RolloutMetrics(registry)
    settings = settings or Settings()
    exported.started(settings.mesh_provider)
    async with (
        EventRecorder(client, COMPONENT, clock=clock) as recorder,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        runner = QueryRunner(session, metrics or NoTelemetry(), clock)
        async with asyncio.TaskGroup() as tasks:
            notifier = Notifier(runner, recorder, tasks)
            rollouts = Rollouts(client, runner, notifier, recorder, exported, settings, holding, clock)
            followed: tuple[type[Object], ...] = (Canary, *_WATCHED)
            for cls in followed:
                sink = rollouts.sink(cls, synced)
                if defined is not None and cls in defined:
                    tasks.create_task(follow_served(defined, client, cls, sink, namespace=namespace))
                else:
                    tasks.create_task(follow(client, cls, sink, namespace=namespace))
            tasks.create_task(rollouts.run())
            tasks.create_task(rollouts.watch_lease())
    raise AssertionError("watches do not end")


class Rollouts:
    """All Canaries: which exist, which objects each depends on, when each is worked on next."""

    def __init__(
        self,
        client: Client,
        runner: QueryRunner,
        notifier: Notifier,
        recorder: Recorder,
        exported: RolloutMetrics,
        settings: Settings,
        holding: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._runner = runner
        self._notifier = notifier
        self._recorder = recorder
        self._exported = exported
        self._settings = settings
        self._holding = holding
        self._clock = clock
        self._queue: WorkQueue[Key] = WorkQueue("rollout", self._work, workers=WORKERS)
        self._canaries: dict[Key, Canary] = {}
        self._broken: set[Key] = set()
        self._memories: dict[Key, Memory] = {}
        self._references: dict[Key, frozenset[Ref]] = {}
        self._referenced_by: dict[Ref, set[Key]] = {}
        self._unsynced: set[type[Object]] = {Canary, *_WATCHED}

    async def run(self) -> None:
        """Work until cancelled."""
        await self._queue.run()

    async def watch_lease(self) -> Never:
        """Queues every Canary as soon as this replica holds the lease."""
        held = False
        while True:
            if self._holding() and not held:
                for key in (*self._canaries, *self._broken):
                    self._queue.add(key)
            held = self._holding()
            await asyncio.sleep(_LEASE_CHECK)

    # ── watches ──────────────────────────────────────────────────────────────

    def sink(self, cls: type[Object], synced: Callable[[], None]) -> Callable[[Batch[Any]], None]:
        """Takes the batches of the watch of a kind."""

        kind = codec.kind_of(cls).kind

        def take(batch: Batch[Any]) -> None:
            for change in batch.changes:
                if cls is Canary:
                    self._canary_changed(change.key, change.object)
                else:
                    self._object_changed(kind, change.key)
            for key, _ in batch.broken:
                if cls is Canary:
                    self._broken.add(key)
                    self._queue.add(key)
                else:
                    self._object_changed(kind, key)
            if batch.synced and cls in self._unsynced:
                self._unsynced.discard(cls)
                if not self._unsynced:
                    synced()

        return take

    def _object_changed(self, kind: str, key: Key) -> None:
        for canary in self._referenced_by.get(Ref(kind, key.namespace, key.name), ()):
            self._queue.add(canary)

    def _canary_changed(self, key: Key, canary: Canary | None) -> None:
        before = self._canaries.pop(key, None)
        self._broken.discard(key)
        if canary is not None:
            self._canaries[key] = canary
        elif before is not None:
            self._exported.forget(before)
        if before is None or canary is None or before.spec.target_ref != canary.spec.target_ref:
            for other in self._same_target(before or canary):
                if other.key != key:
                    self._queue.add(other.key)
            namespaces = [other.namespace for other in self._canaries]
            self._exported.total.labels(key.namespace).set(namespaces.count(key.namespace))
        self._queue.add(key)

    def _same_target(self, canary: Canary | None) -> list[Canary]:
        """The Canaries with the same target, the oldest first."""
        if canary is None:
            return []
        same = [
            other
            for other in self._canaries.values()
            if other.metadata.namespace == canary.metadata.namespace
            and other.spec.target_ref == canary.spec.target_ref
            and is_ours(other, self._settings)
        ]
        return sorted(same, key=lambda other: (other.metadata.creation_timestamp, other.metadata.name))

    # ── one Canary ───────────────────────────────────────────────────────────

    async def _work(self, key: Key) -> None:
        if not self._holding():
            return  # watch_lease queues it again
        try:
            requeue_at = await self._reconcile(key)
        except NotHoldingError:
            return
        if requeue_at is not None:
            self._queue.add_after(key, requeue_at - self._clock())

    async def _reconcile(self, key: Key) -> float | None:
        """Decides and performs until there is nothing to do; returns when to decide again."""
        for _ in range(ROUNDS):
            began = time.perf_counter()
            raw = await self._read(Canary, key)
            if raw is None:
                self._forget(key)
                return None
            canary = self._decode(raw)
            decision = await self._decide(await self._snapshot(canary, raw))
            if is_ours(canary, self._settings):
                self._exported.observe(canary)
            if not decision.effects:
                self._memories[key] = decision.memory
                return decision.requeue_at
            _log.debug("decided", canary=str(key), rule=decision.rule, effects=[repr(e) for e in decision.effects])
            if await self._perform_all(canary, decision.effects):
                self._memories[key] = decision.memory
            self._exported.duration.labels(canary.spec.target_ref.name, key.namespace).observe(
                time.perf_counter() - began
            )
        _log.warning("reconcile did not converge, requeueing", canary=str(key), rule=decision.rule)
        return self._clock() + 1.0

    async def _decide(self, snapshot: Snapshot) -> Decision:
        """The decision, with the results of every query that it needs."""
        now = self._clock()  # one moment for all: queries depend on it
        results: dict[Query, QueryResult] = {}
        decision = decide(snapshot, now, self._settings)
        while decision.queries:
            results |= await self._runner.run(decision.queries)
            decision = decide(msgspec.structs.replace(snapshot, query_results=results), now, self._settings)
        return decision

    def _decode(self, raw: Json) -> Canary:
        try:
            return codec.convert(Canary, raw)
        except codec.DecodeError as error:
            about = ObjectReference(
                api_version="flagger.app/v1beta1",
                kind="Canary",
                name=raw["metadata"]["name"],
                namespace=raw["metadata"].get("namespace", ""),
                uid=raw["metadata"].get("uid", ""),
            )
            self._recorder.event(about, "Warning", REASON, str(error))
            raise

    async def _snapshot(self, canary: Canary, raw: Json) -> Snapshot:
        objects: dict[Ref, Json | None] = {}
        if is_ours(canary, self._settings):
            while missing := {
                ref for ref in snapshots.references(canary, objects, self._settings) if ref not in objects
            }:
                self._note_references(canary.key, frozenset(objects) | missing)
                found = await asyncio.gather(*(self._read(_TYPES[ref.kind], ref.key) for ref in missing))
                objects |= dict(zip(missing, found, strict=True))
        oldest = next(iter(self._same_target(canary)), None)
        conflicting = oldest.metadata.name if oldest is not None and oldest.key != canary.key else ""
        memory = self._memories.get(canary.key, Memory())
        return Snapshot(raw, objects, memory=memory, conflicting_canary=conflicting)

    def _note_references(self, key: Key, refs: frozenset[Ref]) -> None:
        """A change of these queues the Canary. Noted before they are read, so that no change in between is missed."""
        for ref in self._references.get(key, frozenset()) - refs:
            self._referenced_by[ref].discard(key)
            if not self._referenced_by[ref]:
                del self._referenced_by[ref]
        for ref in refs:
            self._referenced_by.setdefault(ref, set()).add(key)
        self._references[key] = refs

    def _forget(self, key: Key) -> None:
        self._memories.pop(key, None)
        self._broken.discard(key)
        self._note_references(key, frozenset())
        del self._references[key]

    async def _read(self, cls: type[Object], key: Key) -> Json | None:
        try:
            return await self._client.get_raw(cls, key.name, key.namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    # ── effects ──────────────────────────────────────────────────────────────

    async def _perform_all(self, canary: Canary, effects: tuple[Effect, ...]) -> bool:
        """Performs in order and hands over notifications; False after a write conflict: everything is to be read again.

        Raises:
            ApiError: the API refuses; there is an event about it, and the next try comes after a back-off.
        """
        for effect in effects:
            if isinstance(effect, Notify):
                continue
            if not self._holding():
                raise NotHoldingError
            try:
                await self._perform(canary, effect)
            except ApiError as error:
                if error.reason in ("Conflict", "AlreadyExists") or await self._is_outdated(effect, error):
                    _log.debug(
                        "write conflict, re-reading", canary=str(canary.key), effect=repr(effect), error=str(error)
                    )
                    return False
                if error.status:
                    self._recorder.event(canary, "Warning", REASON, f"{_title(effect)} error: {error.message}")
                raise
        self._notifier.send(canary, tuple(effect for effect in effects if isinstance(effect, Notify)))
        return True

    async def _is_outdated(self, effect: Effect, error: ApiError) -> bool:
        """Whether a patch failed because a precondition (`test`) no longer holds, and not for what it sets."""
        if not isinstance(effect, Patch) or error.status not in (404, 422):
            return False
        if error.status == 404:
            return True
        current = await self._read(effect.type, effect.key)
        return current is None or not all(
            lookup(current, parts(operation["path"])) == operation["value"]
            for operation in effect.operations
            if operation["op"] == "test"
        )

    async def _perform(self, canary: Canary, effect: Effect) -> None:
        match effect:
            case EmitEvent():
                self._recorder.event(reference_of(canary), effect.type, REASON, effect.message)
                _log.info(effect.message, canary=str(canary.key))
            case Create():
                kind = codec.kind_of(effect.type)
                body = {"apiVersion": kind.api_version, "kind": kind.kind} | effect.object
                path = self._client.path(effect.type, effect.key.namespace)
                await self._client.request("POST", path, body=msgspec.json.encode(body))
            case Patch():
                await self._client.json_patch(
                    effect.type,
                    effect.key.name,
                    effect.key.namespace,
                    effect.operations,
                    subresource=effect.subresource,
                )
            case CountRollout():
                self._exported.count_rollout(canary, effect)
            case ObserveMetric():
                self._exported.observe_metric(canary, effect)


def _title(effect: Effect) -> str:
    """`service podinfo-canary.test create`."""
    if not isinstance(effect, Create | Patch):
        return type(effect).__name__
    verb = "create" if isinstance(effect, Create) else "update"
    return f"{codec.kind_of(effect.type).kind.lower()} {effect.key.name}.{effect.key.namespace} {verb}"

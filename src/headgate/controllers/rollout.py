"""The rollout controller: looks at a Canary and the objects around it, asks the machine, does what it says.

1. Watches only say that a Canary should be looked at; a decision is made from objects read afresh.
2. Effects are performed in order, up to the first that fails. Then everything is looked at again: at once if somebody
   was faster, after a pause that doubles if the API refuses, with an event that says so.
3. Canaries are independent: each is worked on by one task at a time, a failure of one is not seen by the others.
4. Before every write it is asked whether this replica (still) holds the lease.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Never, Protocol

import aiohttp
import msgspec
import structlog
from prometheus_client import REGISTRY, CollectorRegistry

from headgate.api import codec
from headgate.api.apps import Deployment
from headgate.api.core import ConfigMap, ObjectReference, Service
from headgate.api.delivery import Canary, MetricTemplate
from headgate.api.gateway import HTTPRoute
from headgate.api.json_pointer import lookup, parts
from headgate.api.meta import Key, Object
from headgate.kube.client import ApiError, Client
from headgate.kube.defined import Defined, follow_defined
from headgate.kube.events import EventRecorder, reference_of
from headgate.kube.watch import Batch, follow
from headgate.rollout import seen as seeing
from headgate.rollout.analysis.readings import ProxyCounts
from headgate.rollout.effects import Count, Create, Effect, Json, Measured, Memory, Patch, Record
from headgate.rollout.machine import decide
from headgate.rollout.problems import is_ours
from headgate.rollout.seen import Ref, Seen
from headgate.rollout.settings import Settings

from .rollout_asking import Asker, NoProxies
from .rollout_metrics import RolloutMetrics
from .work import WorkQueue

_log = structlog.get_logger("headgate.controllers.rollout")

#: Canaries worked on at the same time.
WORKERS = 16
#: Decisions in a row before a Canary has to queue again: a rollout is a dozen, more is a quarrel with somebody.
ROUNDS = 24
#: Seconds between two looks at whether we hold the lease, while we do not.
_HOLDING = 0.5
#: What changes for a Canary; Secrets are read by name, never watched.
_WATCHED: tuple[type[Object], ...] = (MetricTemplate, Deployment, Service, HTTPRoute, ConfigMap)

#: Component and reason of the events, as dashboards and scripts for Flagger expect them.
COMPONENT, REASON = "flagger", "Synced"


class NotHoldingError(Exception):
    """Another replica holds the lease now."""


class _Recorder(Protocol):
    def event(self, about: ObjectReference | Object, type: Any, reason: str, message: str) -> None: ...


async def run(
    client: Client,
    *,
    metrics: ProxyCounts | None = None,
    settings: Settings | None = None,
    holding: Callable[[], bool] = lambda: True,
    namespace: str | None = None,
    clock: Callable[[], float] = time.time,
    registry: CollectorRegistry = REGISTRY,
    synced: Callable[[], None] = lambda: None,
    defined: Defined | None = None,
) -> Never:
    """Releases Canaries until cancelled.

    Args:
        metrics: the telemetry of the Envoys that this process controls.
        holding: whether this replica may write.
        namespace: only the Canaries of this namespace.
        synced: called once, when every watch has its first complete list.
        defined: knows which kinds are served (somebody else runs it); without it every kind is asked for.
    """
    exported = RolloutMetrics(registry)
    settings = settings or Settings()
    exported.started(settings.mesh_provider)
    async with (
        EventRecorder(client, COMPONENT, clock=clock) as recorder,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        rollouts = Rollouts(
            client, Asker(session, metrics or NoProxies(), clock), recorder, exported, settings, holding, clock
        )
        async with asyncio.TaskGroup() as tasks:
            followed: tuple[type[Object], ...] = (Canary, *_WATCHED)
            for cls in followed:
                sink = rollouts.sink(cls, synced)
                if defined is not None and cls in defined:
                    tasks.create_task(follow_defined(defined, client, cls, sink, namespace=namespace))
                else:
                    tasks.create_task(follow(client, cls, sink, namespace=namespace))
            tasks.create_task(rollouts.run())
            tasks.create_task(rollouts.watch_lease())
    raise AssertionError("watches do not end")


class Rollouts:
    """All Canaries: which are there, on what each depends, when each is looked at next."""

    def __init__(
        self,
        client: Client,
        asker: Asker,
        recorder: _Recorder,
        exported: RolloutMetrics,
        settings: Settings,
        holding: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._asker = asker
        self._recorder = recorder
        self._exported = exported
        self._settings = settings
        self._holding = holding
        self._clock = clock
        self._queue: WorkQueue[Key] = WorkQueue("rollout", self._work, workers=WORKERS)
        self._canaries: dict[Key, Canary] = {}
        self._broken: set[Key] = set()
        self._memories: dict[Key, Memory] = {}
        self._needs: dict[Key, frozenset[Ref]] = {}
        self._needed_by: dict[Ref, set[Key]] = {}
        self._unsynced: set[type[Object]] = {Canary, *_WATCHED}

    async def run(self) -> None:
        """Work until cancelled."""
        await self._queue.run()

    async def watch_lease(self) -> Never:
        """Looks at every Canary as soon as this replica holds the lease."""
        held = False
        while True:
            if self._holding() and not held:
                for key in (*self._canaries, *self._broken):
                    self._queue.add(key)
            held = self._holding()
            await asyncio.sleep(_HOLDING)

    # ── what the watches tell ────────────────────────────────────────────────

    def sink(self, cls: type[Object], synced: Callable[[], None]) -> Callable[[Batch[Any]], None]:
        """Takes what the watch of a kind brings."""

        def take(batch: Batch[Any]) -> None:
            for change in batch.changes:
                if cls is Canary:
                    self._canary(change.key, change.object)
                else:
                    self._look_at(self._needed_by.get(Ref(cls, change.key), ()))
            for key, _ in batch.broken:
                if cls is Canary:
                    self._broken.add(key)
                    self._queue.add(key)
                else:
                    self._look_at(self._needed_by.get(Ref(cls, key), ()))
            if batch.synced and cls in self._unsynced:
                self._unsynced.discard(cls)
                if not self._unsynced:
                    synced()

        return take

    def _look_at(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._queue.add(key)

    def _canary(self, key: Key, canary: Canary | None) -> None:
        before = self._canaries.pop(key, None)
        self._broken.discard(key)
        if canary is not None:
            self._canaries[key] = canary
        elif before is not None:
            self._exported.gone(before)
        if before is None or canary is None or before.spec.target_ref != canary.spec.target_ref:
            self._look_at(other.key for other in self._rivals(before or canary) if other.key != key)
            namespaces = [each.namespace for each in self._canaries]
            self._exported.total.labels(key.namespace).set(namespaces.count(key.namespace))
        self._queue.add(key)

    def _rivals(self, canary: Canary | None) -> list[Canary]:
        """The Canaries with the same target, the one that came first in front."""
        if canary is None:
            return []
        found = [
            other
            for other in self._canaries.values()
            if other.metadata.namespace == canary.metadata.namespace
            and other.spec.target_ref == canary.spec.target_ref
            and is_ours(other, self._settings)
        ]
        return sorted(found, key=lambda each: (each.metadata.creation_timestamp, each.metadata.name))

    # ── one Canary ───────────────────────────────────────────────────────────

    async def _work(self, key: Key) -> None:
        if not self._holding():
            return  # watch_lease calls again
        try:
            wake = await self._rounds(key)
        except NotHoldingError:
            return
        if wake is not None:
            self._queue.add_after(key, wake - self._clock())

    async def _rounds(self, key: Key) -> float | None:
        """Decides and does until there is nothing to do; when to look again."""
        for _ in range(ROUNDS):
            began = time.perf_counter()
            raw = await self._read(Canary, key)
            if raw is None:
                self._forget(key)
                return None
            canary = self._decode(raw)
            seen = await self._see(canary, raw)
            now = self._clock()  # one moment for both: what is asked depends on it
            decision = decide(seen, now, self._settings)
            if decision.questions:
                answers = await self._asker.ask(decision.questions)
                decision = decide(msgspec.structs.replace(seen, answers=answers), now, self._settings)
            if is_ours(canary, self._settings):
                self._exported.seen(canary)
            if not decision.effects:
                self._memories[key] = decision.memory
                return decision.wake
            _log.debug("decided", canary=str(key), rule=decision.rule, effects=[repr(e) for e in decision.effects])
            if await self._perform_all(canary, decision.effects):
                self._memories[key] = decision.memory
            self._exported.duration.labels(canary.spec.target_ref.name, key.namespace).observe(
                time.perf_counter() - began
            )
        _log.warning("does not come to rest", canary=str(key), rule=decision.rule)
        return self._clock() + 1.0

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

    async def _see(self, canary: Canary, raw: Json) -> Seen:
        objects: dict[Ref, Json | None] = {}
        if is_ours(canary, self._settings):
            while missing := {ref for ref in seeing.wanted(canary, objects, self._settings) if ref not in objects}:
                self._note_needs(canary.key, frozenset(objects) | missing)
                found = await asyncio.gather(*(self._read(ref.type, ref.key) for ref in missing))
                objects |= dict(zip(missing, found, strict=True))
        first = next(iter(self._rivals(canary)), None)
        rival = first.metadata.name if first is not None and first.key != canary.key else ""
        return Seen(raw, objects, memory=self._memories.get(canary.key, Memory()), rival=rival)

    def _note_needs(self, key: Key, refs: frozenset[Ref]) -> None:
        """A change of these makes us look again. Noted before they are read, so that no change falls in between."""
        for ref in self._needs.get(key, frozenset()) - refs:
            self._needed_by[ref].discard(key)
            if not self._needed_by[ref]:
                del self._needed_by[ref]
        for ref in refs:
            self._needed_by.setdefault(ref, set()).add(key)
        self._needs[key] = refs

    def _forget(self, key: Key) -> None:
        self._memories.pop(key, None)
        self._broken.discard(key)
        self._note_needs(key, frozenset())
        del self._needs[key]

    async def _read(self, cls: type[Object], key: Key) -> Json | None:
        try:
            return await self._client.get_raw(cls, key.name, key.namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    # ── doing ────────────────────────────────────────────────────────────────

    async def _perform_all(self, canary: Canary, effects: tuple[Effect, ...]) -> bool:
        """Performs in order; False if somebody was faster and everything has to be looked at again.

        Raises:
            ApiError: the API refuses; it was said in an event, and the pause until the next try grows.
        """
        for effect in effects:
            if not self._holding():
                raise NotHoldingError
            try:
                await self._perform(canary, effect)
            except ApiError as error:
                if error.reason in ("Conflict", "AlreadyExists") or await self._is_outdated(effect, error):
                    _log.debug("somebody was faster", canary=str(canary.key), effect=repr(effect), error=str(error))
                    return False
                if error.status:
                    self._recorder.event(canary, "Warning", REASON, f"{_title(effect)} error: {error.message}")
                raise
        return True

    async def _is_outdated(self, effect: Effect, error: ApiError) -> bool:
        """Whether a patch failed because what it tests is no longer so, rather than for what it wants."""
        if not isinstance(effect, Patch) or error.status not in (404, 422):
            return False
        if error.status == 404:
            return True
        now = await self._read(effect.type, effect.key)
        return now is None or not all(
            lookup(now, parts(operation["path"])) == operation["value"]
            for operation in effect.operations
            if operation["op"] == "test"
        )

    async def _perform(self, canary: Canary, effect: Effect) -> None:
        match effect:
            case Record():
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
            case Count():
                self._exported.counted(canary, effect)
            case Measured():
                self._exported.measured(canary, effect)


def _title(effect: Effect) -> str:
    """`service podinfo-canary.test create`."""
    if not isinstance(effect, Create | Patch):
        return type(effect).__name__
    verb = "create" if isinstance(effect, Create) else "update"
    return f"{codec.kind_of(effect.type).kind.lower()} {effect.key.name}.{effect.key.namespace} {verb}"

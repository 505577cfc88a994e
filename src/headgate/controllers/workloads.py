"""The controllers of kube-controller-manager that the local API needs: Deployments, ReplicaSets, EndpointSlices.

Watches fill caches. For every object that a change may concern, `headgate.workloads` decides anew, and the effects are
written one after the other. When the API server refuses an effect, the rest is dropped: the next decision is made with
newer objects.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Never, TypeVar

import structlog

from headgate.api import codec
from headgate.api.core import Pod, Service
from headgate.api.discovery import EndpointSlice
from headgate.api.meta import Key, Object
from headgate.kube.client import ApiError, Client
from headgate.kube.watch import Batch, follow
from headgate.workloads import deployments, effects, endpoints, owners, replicasets
from headgate.workloads.views import Deployment, ReplicaSet

from .watch_cache import WatchCache
from .work_queue import WorkQueue

T = TypeVar("T", bound=Object)
_Task = tuple[type[Object], Key]

_log = structlog.get_logger("headgate.workloads")

_KINDS: tuple[type[Object], ...] = (Deployment, ReplicaSet, Pod, Service, EndpointSlice)
_WORKERS = 4


class Workloads:
    """The controllers; the module's docstring has the rules.

    Args:
        emit: records an event.
        clock: seconds since 1970.
    """

    def __init__(
        self, client: Client, emit: Callable[[effects.EmitEvent], None], clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._emit = emit
        self._clock = clock
        self._deployments: WatchCache[Deployment] = WatchCache()
        self._replica_sets: WatchCache[ReplicaSet] = WatchCache()
        self._pods: WatchCache[Pod] = WatchCache()
        self._services: WatchCache[Service] = WatchCache()
        self._slices: WatchCache[EndpointSlice] = WatchCache()
        self._queue: WorkQueue[_Task] = WorkQueue("workloads", self._work, workers=_WORKERS)
        self._early: set[_Task] | None = set()
        self.synced = asyncio.Event()

    async def run(self) -> Never:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for cls in _KINDS:
                tasks.create_task(follow(self._client, cls, self._sink(cls)))
            tasks.create_task(self._queue.run())
        raise AssertionError("neither watches nor the queue end by themselves")

    # ── watching ─────────────────────────────────────────────────────────────

    def _cache(self, cls: type[T]) -> WatchCache[T]:
        caches: dict[type[Object], WatchCache[Any]] = {
            Deployment: self._deployments,
            ReplicaSet: self._replica_sets,
            Pod: self._pods,
            Service: self._services,
            EndpointSlice: self._slices,
        }
        return caches[cls]

    def _sink(self, cls: type[T]) -> Callable[[Batch[T]], None]:
        cache = self._cache(cls)

        def sink(batch: Batch[T]) -> None:
            for was, now in cache.apply(batch):
                self._changed(was, now)
            if self._early is not None and all(self._cache(kind).synced for kind in _KINDS):
                early, self._early = self._early, None
                self.synced.set()
                for task in early:
                    self._queue.add(task)

        return sink

    def _changed(self, was: Object | None, now: Object | None) -> None:
        for task in {task for obj in (was, now) if obj is not None for task in self._concerns(obj)}:
            self._ask(*task)

    def _ask(self, cls: type[Object], key: Key) -> None:
        if self._early is not None:
            self._early.add((cls, key))
        else:
            self._queue.add((cls, key))

    def _concerns(self, obj: Object) -> Iterable[_Task]:
        """The objects whose decision may change when this object does."""
        namespace = obj.metadata.namespace
        match obj:
            case Deployment() | Service():
                yield type(obj), obj.key
            case EndpointSlice():
                yield Service, Key(namespace, obj.metadata.labels.get(endpoints.SERVICE_LABEL, ""))
            case ReplicaSet():
                yield ReplicaSet, obj.key
                yield from self._owners(obj, Deployment, self._deployments)
            case Pod():
                yield from self._owners(obj, ReplicaSet, self._replica_sets)
                yield from self._recreating(obj)
                for service in self._services.in_namespace(namespace):
                    if service.spec.selector and service.spec.selector.items() <= obj.metadata.labels.items():
                        yield Service, service.key

    def _owners(self, obj: Object, cls: type[Object], cache: WatchCache[Any]) -> Iterable[_Task]:
        """The object's controller; for an orphan, every object that would adopt it."""
        controller = owners.controller_of(obj)
        if controller is not None:
            if controller.kind == codec.kind_of(cls).kind:
                yield cls, Key(obj.metadata.namespace, controller.name)
            return
        for owner in cache.in_namespace(obj.metadata.namespace):
            selector = owners.selector_of(owner.spec.selector)
            if selector and selector.matches(obj.metadata.labels):
                yield cls, owner.key

    def _recreating(self, pod: Pod) -> Iterable[_Task]:
        """The Deployment of a pod, if it has the strategy Recreate: it waits until its old pods have ended."""
        controller = owners.controller_of(pod)
        owner = self._replica_sets.get(Key(pod.metadata.namespace, controller.name)) if controller else None
        top = owners.controller_of(owner) if owner else None
        deployment = self._deployments.get(Key(pod.metadata.namespace, top.name)) if top else None
        if deployment is not None and deployment.spec.strategy.type == "Recreate":
            yield Deployment, deployment.key

    # ── deciding and writing ─────────────────────────────────────────────────

    def _decide(self, cls: type[Object], key: Key) -> effects.Decision:
        now, pods = self._clock(), self._pods.in_namespace(key.namespace)
        if cls is Deployment and (deployment := self._deployments.get(key)):
            return deployments.decide(deployment, self._replica_sets.in_namespace(key.namespace), pods, now)
        if cls is ReplicaSet and (replica_set := self._replica_sets.get(key)):
            return replicasets.decide(replica_set, pods, now)
        if cls is Service and (service := self._services.get(key)):
            return endpoints.decide(service, pods, self._slices.in_namespace(key.namespace))
        return effects.Decision()

    async def _work(self, task: _Task) -> None:
        decision = self._decide(*task)
        if decision.requeue_at is not None:
            # A little later than that time: timestamps have whole seconds.
            self._queue.add_after(task, decision.requeue_at - self._clock() + 0.05)
        for effect in decision.effects:
            try:
                await self._perform(effect)
            except ApiError as error:
                if error.reason not in ("Conflict", "NotFound", "AlreadyExists"):
                    raise
                # Another client wrote the object. Its watch event brings the next decision, unless it came already.
                _log.debug("write conflict, deciding again", task=str(task[1]), error=str(error))
                self._queue.add_after(task, 0.25)
                return

    async def _perform(self, effect: effects.Effect) -> None:
        match effect:
            case effects.EmitEvent():
                self._emit(effect)
            case effects.Create():
                answer = await self._client.create_raw(effect.type, effect.object)
                self._note(codec.convert(effect.type, answer))
            case effects.Patch():
                answer = await self._client.merge_patch(
                    effect.type, effect.key.name, effect.key.namespace, effect.patch, subresource=effect.subresource
                )
                self._note(codec.convert(effect.type, answer))
            case effects.Delete():
                await self._delete(effect)

    async def _delete(self, effect: effects.Delete) -> None:
        key = effect.key
        await self._client.delete(effect.type, key.name, key.namespace, uid=effect.uid)
        try:
            left = await self._client.get(effect.type, key.name, key.namespace)
        except ApiError as error:
            if error.status != 404:
                raise
        else:
            self._note(left)  # a pod stays for its grace period, with a deletionTimestamp

    def _note(self, written: Object) -> None:
        cache: WatchCache[Any] = self._cache(type(written))
        was = cache.get(written.key)
        if cache.record_write(written):
            self._changed(was, written)

"""Deletes what depends on a deleted object: dependents, the content of a namespace, the objects of a definition.

The collector receives every write and processes its queue in the background, one object at a time between other
requests. Each step reads the current state, so repeating a step, or resuming after a restart, is harmless.
"""

import asyncio
from collections import deque

import msgspec
import structlog

from headgate.api.meta import Key
from headgate.localapi.registry.api import Api, decode
from headgate.localapi.resources.served import Object, Resource

from .registry import status_errors, strategy

log = structlog.get_logger("headgate.localapi.garbage")

#: The finalizer that holds a CustomResourceDefinition until its objects are deleted.
DEFINITION_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_CASCADES = frozenset({strategy.FOREGROUND, strategy.ORPHAN, DEFINITION_FINALIZER})


class WorkItem(msgspec.Struct, frozen=True):
    """An entry of the queue: an `object`, the `dependents` of a uid, or a `namespace`."""

    kind: str
    name: str
    key: Key = Key("", "")


class GarbageCollector:
    """Follows the writes of an API and deletes objects whose owner, namespace or definition is deleted."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._queue: deque[WorkItem] = deque()
        self._waiting: set[WorkItem] = set()
        self._wake = asyncio.Event()
        api.written.append(self._written)
        for resource in tuple(api.registry):
            for record in api.cache.collection(resource.id):
                self._look_at(resource, decode(record))

    async def run(self) -> None:
        """Process the queue until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.step():  # noqa: ASYNC110 - it lets requests in between and waits for nothing
                await asyncio.sleep(0)

    def settle(self) -> None:
        """Process the queue until it is empty."""
        while self.step():
            pass

    def step(self) -> bool:
        """Process one item. Returns False if the queue is empty."""
        if not self._queue:
            return False
        task = self._queue.popleft()
        self._waiting.discard(task)
        try:
            self._do(task)
        except status_errors.StatusError as refusal:
            log.warning("garbage collection", task=task.kind, name=task.name, key=str(task.key), error=refusal.message)
        except Exception:
            # One invalid object must not block the collection of all others.
            log.exception("garbage collection", task=task.kind, name=task.name, key=str(task.key))
        return True

    def _add(self, task: WorkItem) -> None:
        if task not in self._waiting:
            self._waiting.add(task)
            self._queue.append(task)
            self._wake.set()

    def _written(self, resource: Resource, new: Object | None, old: Object | None) -> None:
        if new is not None:
            self._look_at(resource, new)
            return
        if old is None:
            return
        metadata = old["metadata"]
        self._add(WorkItem("dependents", metadata["uid"]))
        for owner in metadata.get("ownerReferences") or ():
            self._look_at_owner(owner, metadata.get("namespace", ""))
        if namespace := metadata.get("namespace"):
            self._add(WorkItem("namespace", namespace))
        if resource.custom:
            self._add(WorkItem("object", "customresourcedefinitions.apiextensions.k8s.io", Key("", resource.id)))

    def _look_at(self, resource: Resource, obj: Object) -> None:
        """Queue an object that may have to be deleted, or that blocks the deletion of another."""
        metadata = obj["metadata"]
        cascading = "deletionTimestamp" in metadata and _CASCADES.intersection(metadata.get("finalizers") or ())
        if metadata.get("ownerReferences") or cascading:
            self._add(WorkItem("object", resource.id, Key(metadata.get("namespace", ""), metadata["name"])))
        if resource.id == "namespaces" and "deletionTimestamp" in metadata:
            self._add(WorkItem("namespace", metadata["name"]))

    def _look_at_owner(self, reference: Object, namespace: str) -> None:
        """Queue an owner that waits for its dependents: its last dependent may be gone."""
        resource = self._api.registry.of_kind(reference["apiVersion"].rpartition("/")[0], reference["kind"])
        if resource is not None:
            self._add(WorkItem("object", resource.id, Key(namespace if resource.namespaced else "", reference["name"])))

    # --- tasks --------------------------------------------------------------------------------------------------------

    def _do(self, task: WorkItem) -> None:
        match task.kind:
            case "dependents":
                for resource_id, key in self._api.cache.owned_by(task.name):
                    self._add(WorkItem("object", resource_id, key))
            case "namespace":
                self._namespace(task.name)
            case _:
                resource = self._api.registry.get(task.name)
                record = self._api.record(resource, task.key.namespace, task.key.name) if resource else None
                if resource is not None and record is not None:
                    self._object(resource, decode(record))

    def _object(self, resource: Resource, obj: Object) -> None:
        finalizers = obj["metadata"].get("finalizers") or ()
        if "deletionTimestamp" in obj["metadata"]:
            if strategy.FOREGROUND in finalizers:
                self._foreground(resource, obj)
            elif strategy.ORPHAN in finalizers:
                self._orphan(resource, obj)
            elif DEFINITION_FINALIZER in finalizers:
                self._definition(resource, obj)
        if obj["metadata"].get("ownerReferences"):
            self._owned(resource, obj)

    def _owned(self, resource: Resource, obj: Object) -> None:
        """Delete an object whose owners are all gone. Remove the references to missing owners from an object with
        others.
        """
        metadata = obj["metadata"]
        references = metadata["ownerReferences"]
        namespace = metadata.get("namespace", "")
        states = [self._owner_state(reference, namespace) for reference in references]
        if "gone" not in states and not all(state == "waiting" for state in states):
            return
        if all(state in {"gone", "waiting"} for state in states):
            if "deletionTimestamp" not in metadata:
                policy = "Foreground" if "waiting" in states else "Background"
                how = strategy.DeleteOptions(propagation=policy, uid=metadata["uid"])
                self._api.delete(resource, namespace, metadata["name"], how)
            return
        left = [reference for reference, state in zip(references, states, strict=True) if state != "gone"]
        self._write(resource, obj, {**metadata, "ownerReferences": left})

    def _owner_state(self, reference: Object, namespace: str) -> str:
        """`there`, `gone`, or `waiting` (foreground deletion, waiting for its dependents)."""
        group = str(reference.get("apiVersion", "")).rpartition("/")[0]
        resource = self._api.registry.of_kind(group, reference.get("kind", ""))
        if resource is None:
            return "there"
        record = self._api.record(resource, namespace, reference.get("name", ""))
        if record is None or record.uid != reference.get("uid"):
            return "gone"
        metadata = decode(record)["metadata"]
        waits = "deletionTimestamp" in metadata and strategy.FOREGROUND in (metadata.get("finalizers") or ())
        return "waiting" if waits else "there"

    def _foreground(self, resource: Resource, obj: Object) -> None:
        """Delete the dependents first. The owner is deleted when no blocking dependent is left."""
        blocked = False
        uid = obj["metadata"]["uid"]
        for resource_id, key in self._api.cache.owned_by(uid):
            self._add(WorkItem("object", resource_id, key))
            owned = self._api.registry.get(resource_id)
            if owned is not None and (record := self._api.record(owned, key.namespace, key.name)):
                blocked |= any(r.get("uid") == uid and r.get("blockOwnerDeletion") for r in _owners(decode(record)))
        if not blocked:
            self._release(resource, obj, strategy.FOREGROUND)

    def _orphan(self, resource: Resource, obj: Object) -> None:
        """Remove this owner from its dependents, then delete it."""
        uid = obj["metadata"]["uid"]
        for resource_id, key in self._api.cache.owned_by(uid):
            owned = self._api.registry.get(resource_id)
            if owned is not None and (record := self._api.record(owned, key.namespace, key.name)):
                dependent = decode(record)
                left = [reference for reference in _owners(dependent) if reference.get("uid") != uid]
                self._write(owned, dependent, {**dependent["metadata"], "ownerReferences": left})
        self._release(resource, obj, strategy.ORPHAN)

    def _definition(self, resource: Resource, obj: Object) -> None:
        """Delete the objects of a definition, then the definition."""
        custom = self._api.registry.get(obj["metadata"]["name"])
        if custom is not None and self._empty(custom, "") > 0:
            return
        self._release(resource, obj, DEFINITION_FINALIZER)

    def _namespace(self, name: str) -> None:
        """Delete the content of a terminating namespace, and the namespace when it is empty."""
        namespaces = self._api.registry.get("namespaces")
        record = self._api.record(namespaces, "", name) if namespaces else None
        if namespaces is None or record is None:
            return
        obj = decode(record)
        if "deletionTimestamp" not in obj["metadata"]:
            return
        left = sum(self._empty(resource, name) for resource in tuple(self._api.registry) if resource.namespaced)
        if left == 0 and (obj.get("spec") or {}).get("finalizers"):
            self._api.write(namespaces, obj, {**obj, "spec": {**obj["spec"], "finalizers": []}})

    def _empty(self, resource: Resource, namespace: str) -> int:
        """Delete all objects of a resource (in a namespace). Returns how many finalizers still hold."""
        left = 0
        for record in list(self._api.cache.collection(resource.id).after(Key(namespace, ""), namespace)):
            if "deletionTimestamp" in decode(record)["metadata"]:
                left += 1
                continue
            how = strategy.DeleteOptions(propagation="Background", uid=record.uid)
            left += not self._api.delete(resource, record.key.namespace, record.key.name, how)[1]
        return left

    def _release(self, resource: Resource, obj: Object, finalizer: str) -> None:
        left = [name for name in obj["metadata"]["finalizers"] if name != finalizer]
        self._write(resource, obj, {**obj["metadata"], "finalizers": left})

    def _write(self, resource: Resource, obj: Object, metadata: Object) -> None:
        metadata = {k: v for k, v in metadata.items() if not (k in {"ownerReferences", "finalizers"} and not v)}
        self._api.write(resource, obj, {**obj, "metadata": metadata})


def _owners(obj: Object) -> list[Object]:
    found: list[Object] = obj["metadata"].get("ownerReferences") or []
    return found

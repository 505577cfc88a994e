"""A cache of the objects of a kind, filled by a watch and by the controller's own writes.

The watch event of a write arrives a moment after the write's response. A controller that decided in between without the
response would write twice: a second pod for the one that was just created. So responses to writes are stored as well,
and a watch event with an older version than the stored one is ignored.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, TypeVar

from headgate.api.meta import Key, Object
from headgate.kube.watch import Batch

T = TypeVar("T", bound=Object)

#: The maximum number of deleted objects whose uid is remembered, for responses that arrive after the deletion.
_MAX_TOMBSTONES = 1000


class WatchCache(Generic[T]):
    """The objects of one kind by key. `synced` from the first complete list on."""

    def __init__(self) -> None:
        self.synced = False
        self._by_namespace: dict[str, dict[str, T]] = {}
        self._tombstones: OrderedDict[str, None] = OrderedDict()

    def get(self, key: Key) -> T | None:
        """The object of a key, or None."""
        return self._by_namespace.get(key.namespace, {}).get(key.name)

    def in_namespace(self, namespace: str) -> Iterable[T]:
        """All objects of a namespace."""
        return self._by_namespace.get(namespace, {}).values()

    def apply(self, batch: Batch[T]) -> list[tuple[T | None, T | None]]:
        """Record what a watch delivered; the old and the new object of each change."""
        changed: list[tuple[T | None, T | None]] = []
        for change in batch.changes:
            old = self.get(change.key)
            if change.object is None:
                self._remove(old)
                changed.append((old, None))
            elif self._set(change.object):
                changed.append((old, change.object))
        self.synced = self.synced or batch.synced
        return changed

    def record_write(self, written: T) -> bool:
        """Record the response to a write; False if a newer version, or the deletion, is known already."""
        return written.metadata.uid not in self._tombstones and self._set(written)

    def _set(self, new: T) -> bool:
        old = self.get(new.key)
        if old is not None and old.metadata.uid == new.metadata.uid and _version(old) >= _version(new):
            return False
        if old is not None and old.metadata.uid != new.metadata.uid:
            self._remove(old)
        self._by_namespace.setdefault(new.metadata.namespace, {})[new.metadata.name] = new
        return True

    def _remove(self, deleted: T | None) -> None:
        if deleted is None:
            return
        self._by_namespace[deleted.metadata.namespace].pop(deleted.metadata.name, None)
        self._tombstones[deleted.metadata.uid] = None
        while len(self._tombstones) > _MAX_TOMBSTONES:
            self._tombstones.popitem(last=False)


def _version(obj: Object) -> int:
    """The resourceVersion as a number: Kubernetes promises since 1.35 that those of one collection are ordered."""
    try:
        return int(obj.metadata.resource_version)
    except ValueError:
        return 0

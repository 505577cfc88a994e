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

#: How many deleted objects are remembered, to tell an answer that arrives after the deletion.
_MAX_TOMBSTONES = 1000


class WatchCache(Generic[T]):
    """The objects of one kind, by namespace and name."""

    def __init__(self) -> None:
        self.synced = False
        self._by_namespace: dict[str, dict[str, T]] = {}
        self._tombstones: OrderedDict[str, None] = OrderedDict()

    def get(self, key: Key) -> T | None:
        """The object, if there is one."""
        return self._by_namespace.get(key.namespace, {}).get(key.name)

    def in_namespace(self, namespace: str) -> Iterable[T]:
        """All objects of a namespace."""
        return self._by_namespace.get(namespace, {}).values()

    def apply(self, batch: Batch[T]) -> list[tuple[T | None, T | None]]:
        """Notes what a watch brought; what was and what is now, for each object that changed."""
        changed: list[tuple[T | None, T | None]] = []
        for change in batch.changes:
            was = self.get(change.key)
            if change.object is None:
                self._remove(was)
                changed.append((was, None))
            elif self._put(change.object):
                changed.append((was, change.object))
        self.synced = self.synced or batch.synced
        return changed

    def record_write(self, written: T) -> bool:
        """Notes the answer to a write; False when something newer is known already."""
        return written.metadata.uid not in self._tombstones and self._put(written)

    def _put(self, new: T) -> bool:
        was = self.get(new.key)
        if was is not None and was.metadata.uid == new.metadata.uid and _version(was) >= _version(new):
            return False
        if was is not None and was.metadata.uid != new.metadata.uid:
            self._remove(was)
        self._by_namespace.setdefault(new.metadata.namespace, {})[new.metadata.name] = new
        return True

    def _remove(self, gone: T | None) -> None:
        if gone is None:
            return
        self._by_namespace[gone.metadata.namespace].pop(gone.metadata.name, None)
        self._tombstones[gone.metadata.uid] = None
        while len(self._tombstones) > _MAX_TOMBSTONES:
            self._tombstones.popitem(last=False)


def _version(obj: Object) -> int:
    """resourceVersions of one collection grow (Kubernetes promises it since 1.35, and it always was so)."""
    try:
        return int(obj.metadata.resource_version)
    except ValueError:
        return 0

"""Writing: what a pure function computed goes to the API, again with fresh eyes when somebody else was faster.

Every patch carries `test` operations on what it was computed from (see `patches`), so a stale one changes nothing.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Literal

from headgate.api import codec
from headgate.api.meta import Key, Object

from .backoff import Backoff
from .client import ApiError, Client
from .ownership import NotOwnedError, desired_json, desired_patch
from .patches import Operation, fields_patch, optimistic_lock
from .statuses import conditions_patch, entries_patch, merge_conditions, status_patch

Compute = Callable[[dict[str, Any]], list[Operation]]

#: How often a write is computed anew before we give up; each time the object had changed in between.
ATTEMPTS = 20
#: Between two attempts, from the third on: several writers of one object should not meet again.
BACKOFF = Backoff(first=0.02, limit=0.32, jitter=1.0)


async def patch_with_retry(
    client: Client,
    cls: type[Object],
    key: Key,
    compute: Compute,
    *,
    subresource: str = "",
    cached_raw: dict[str, Any] | None = None,
    attempts: int = ATTEMPTS,
) -> bool:
    """Patches an object with what `compute` makes of it; True if something was written.

    `compute` gets the object as it is and gives JSON Patch operations, none if all is well. It is called again with
    the object read afresh when a test failed (422) or the API saw a conflict (409); whatever must hold before every
    write (a lease) may be checked in it. An object that is gone is not written.

    Args:
        cached_raw: the object as it was last seen; saves the first read.

    Raises:
        ApiError: the API refuses for another reason: also when it refuses what was computed from the very object that
            it still has.
    """
    raw = cached_raw or await _read(client, cls, key)
    for attempt in range(1, attempts + 1):
        if raw is None or not (operations := compute(raw)):
            return False
        try:
            await client.json_patch(cls, key.name, key.namespace or None, operations, subresource=subresource)
        except ApiError as error:
            if error.status not in (404, 409, 422) or attempt == attempts:
                raise
            if attempt > 1:
                await asyncio.sleep(BACKOFF.delay(attempt - 1))
            refused, raw = raw, await _read(client, cls, key)
            if raw is not None and _version(raw) == _version(refused):
                raise  # nobody was faster: it is what we want that the API refuses
        else:
            return True
    raise AssertionError("the last attempt returns or raises")


async def create_or_patch(
    client: Client, desired: Object, *, owned: Collection[str] = ()
) -> Literal["created", "patched", "unchanged"]:
    """Makes an object that we own as a whole be as desired: creates it, or changes exactly what differs.

    Fields that we do not set, defaults of the API and other people's labels stay; what we set the last time and no
    longer do goes (see `ownership`).

    Args:
        owned: JSON pointers of fields that are ours even where we leave them at their default: `/spec/replicas`.

    Raises:
        NotOursError: an object of this name belongs to somebody else.
        ApiError: the API refuses.
    """
    wanted = desired_json(desired, owned)
    cls, key = type(desired), desired.key
    for _ in range(ATTEMPTS):
        raw = await _read(client, cls, key)
        if raw is None:
            try:
                await client.create_raw(cls, wanted)
            except ApiError as refusal:
                if refusal.reason != "AlreadyExists":
                    raise
                continue
            return "created"
        wrote = await patch_with_retry(client, cls, key, lambda raw: desired_patch(raw, wanted), cached_raw=raw)
        return "patched" if wrote else "unchanged"
    raise ApiError(409, "Conflict", f"{codec.kind_of(cls).kind} {key} comes and goes")


async def _read(client: Client, cls: type[Object], key: Key) -> dict[str, Any] | None:
    try:
        return await client.get_raw(cls, key.name, key.namespace or None)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def _version(raw: dict[str, Any]) -> str:
    return str(raw["metadata"].get("resourceVersion", ""))


__all__ = [
    "ATTEMPTS",
    "NotOwnedError",
    "Operation",
    "conditions_patch",
    "create_or_patch",
    "entries_patch",
    "fields_patch",
    "merge_conditions",
    "optimistic_lock",
    "patch_with_retry",
    "status_patch",
]

"""Writes patches to the API; on a conflict, reads the object again and computes a new patch.

Every patch has `test` operations on the fields that it was computed from (`patches`), so a stale patch changes nothing.
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

#: Attempts of a write; before each further one the object had changed.
ATTEMPTS = 20
#: Between two attempts, from the third on; the jitter separates several writers of one object.
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
    """Patch an object with the operations that `compute` returns; True if the object was written.

    `compute` gets the undecoded object and returns JSON Patch operations, none if nothing is to change. It is called
    again with the object read again after a failed `test` (422) or a conflict (409). It may also check what must hold
    before every write, such as a lease. An object that does not exist is not written.

    Args:
        cached_raw: the object as it was last read; saves the first read.

    Raises:
        ApiError: the API rejects the patch for another reason, or although the object has not changed.
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
            before, raw = raw, await _read(client, cls, key)
            if raw is not None and _version(raw) == _version(before):
                raise  # the object has not changed: the API rejects the content of the patch
        else:
            return True
    raise AssertionError("the last attempt returns or raises")


async def create_or_patch(
    client: Client, desired: Object, *, owned: Collection[str] = ()
) -> Literal["created", "patched", "unchanged"]:
    """Create an object that the controller owns, or patch exactly the fields that differ.

    Fields that `desired` does not set stay: defaults of the API, labels of users. Fields that the controller set the
    last time and no longer sets are removed (`ownership`).

    Args:
        owned: JSON pointers of fields that are owned even at their default, such as `/spec/replicas`.

    Raises:
        NotOwnedError: an object of this name exists that the controller does not own.
        ApiError: the API returned an error.
    """
    wanted = desired_json(desired, owned)
    cls, key = type(desired), desired.key
    for _ in range(ATTEMPTS):
        raw = await _read(client, cls, key)
        if raw is None:
            try:
                await client.create_raw(cls, wanted)
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise
                continue
            return "created"
        written = await patch_with_retry(client, cls, key, lambda raw: desired_patch(raw, wanted), cached_raw=raw)
        return "patched" if written else "unchanged"
    raise ApiError(409, "Conflict", f"{codec.kind_of(cls).kind} {key} is deleted and created again and again")


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

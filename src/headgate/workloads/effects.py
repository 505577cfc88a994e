"""Effects of decisions, as data; `headgate.controllers.workloads` performs them.

They are not the effects of `headgate.rollout`. A rollout decides on objects that were just read, so its JSON Patches
test the single fields that they depend on. These decisions are made from caches, so a merge patch is bound to the uid
or to the resourceVersion that was seen.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from headgate.api.meta import Key, Object

T = TypeVar("T", bound=Object)


class Create(msgspec.Struct, frozen=True):
    """Create an object. It is undecoded, so that no field of a template is lost."""

    type: type[Object]
    object: dict[str, Any]


class Patch(msgspec.Struct, frozen=True):
    """A merge patch of an object as it was seen. If it has changed (409), the next decision is made with the new one.

    `patch` has `metadata.uid` or, if the change depends on the rest of the object, `metadata.resourceVersion`.
    """

    type: type[Object]
    key: Key
    patch: dict[str, Any]
    subresource: str = ""


class Delete(msgspec.Struct, frozen=True):
    """Delete the object with this uid; what it owns is deleted in the background."""

    type: type[Object]
    key: Key
    uid: str


class EmitEvent(msgspec.Struct, frozen=True):
    """An event about an object."""

    about: Object
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


Effect = Create | Patch | Delete | EmitEvent


class Decision(msgspec.Struct, frozen=True):
    """Effects to perform in order, and when to decide again if nothing changes, in seconds since 1970."""

    effects: tuple[Effect, ...] = ()
    requeue_at: float | None = None


def patch(obj: Object, change: Mapping[str, Any], subresource: str = "") -> Patch:
    """A patch of `obj` in exactly the version that was seen."""
    return _patch(obj, change, subresource, {"resourceVersion": obj.metadata.resource_version})


def patch_status(obj: Object, status: Mapping[str, Any]) -> Patch:
    """A patch of the status of `obj` in any version, because only this controller writes these fields."""
    return _patch(obj, {"status": status}, "status", {"uid": obj.metadata.uid})


def annotate(obj: Object, annotations: Mapping[str, str]) -> Patch:
    """A patch of annotations of `obj` in any version, because only this controller writes them."""
    return _patch(obj, {"metadata": {"annotations": annotations}}, "", {"uid": obj.metadata.uid})


def _patch(obj: Object, change: Mapping[str, Any], subresource: str, identity: dict[str, str]) -> Patch:
    return Patch(type(obj), obj.key, {**change, "metadata": {**change.get("metadata", {}), **identity}}, subresource)


def delete(obj: Object) -> Delete:
    """The deletion of this object, not of a later one of its name."""
    return Delete(type(obj), obj.key, obj.metadata.uid)


def earliest(times: Iterable[float | None]) -> float | None:
    """The earliest time that is not None; None if there is none."""
    return min((time for time in times if time is not None), default=None)

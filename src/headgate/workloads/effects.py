"""What a decision wants done, as data."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from headgate.api.meta import Key, Object

T = TypeVar("T", bound=Object)


class Create(msgspec.Struct, frozen=True):
    """Create this object (undecoded, so that nothing of a template is lost)."""

    type: type[Object]
    namespace: str
    body: dict[str, Any]


class Patch(msgspec.Struct, frozen=True):
    """Merge-patch an object if it is still the one that was seen; otherwise (409) the next decision knows better.

    `patch` carries `metadata.uid` or, where the change depends on the rest of the object, `metadata.resourceVersion`.
    """

    type: type[Object]
    key: Key
    patch: dict[str, Any]
    subresource: str = ""


class Delete(msgspec.Struct, frozen=True):
    """Delete the object with this uid, and in the background what it owns."""

    type: type[Object]
    key: Key
    uid: str


class Say(msgspec.Struct, frozen=True):
    """An event about an object."""

    about: Object
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


Effect = Create | Patch | Delete | Say


class Decision(msgspec.Struct, frozen=True):
    """What to do now, and the time (seconds since 1970) at which to decide again though nothing changed."""

    effects: tuple[Effect, ...] = ()
    again: float | None = None


def patch(obj: Object, change: Mapping[str, Any], subresource: str = "") -> Patch:
    """A patch of exactly the version of `obj` that was seen."""
    return _patch(obj, change, subresource, {"resourceVersion": obj.metadata.resource_version})


def report(obj: Object, status: Mapping[str, Any]) -> Patch:
    """A patch of the status of `obj`, in whatever version it is by now: nobody else writes these fields."""
    return _patch(obj, {"status": status}, "status", {"uid": obj.metadata.uid})


def mark(obj: Object, annotations: Mapping[str, str]) -> Patch:
    """A patch of annotations that nobody else writes."""
    return _patch(obj, {"metadata": {"annotations": annotations}}, "", {"uid": obj.metadata.uid})


def _patch(obj: Object, change: Mapping[str, Any], subresource: str, identity: dict[str, str]) -> Patch:
    return Patch(type(obj), obj.key, {**change, "metadata": {**change.get("metadata", {}), **identity}}, subresource)


def delete(obj: Object) -> Delete:
    """A deletion of exactly this object."""
    return Delete(type(obj), obj.key, obj.metadata.uid)


def earliest(times: Iterable[float | None]) -> float | None:
    """The first of the times that there are."""
    return min((time for time in times if time is not None), default=None)

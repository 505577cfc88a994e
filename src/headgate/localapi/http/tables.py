"""Tables for `kubectl get` (`Accept: application/json;as=Table`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from headgate.localapi.resources.served import Column, Object, Resource

META_VERSION = "meta.k8s.io/v1"

_NAME = Column("Name", lambda obj, now: obj["metadata"]["name"], description="Name of the object")


def age(seconds: float) -> str:  # noqa: PLR0911 - a ladder
    """A duration as kubectl prints it: at most two units, coarser the longer it is."""
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole >= -1 else "<invalid>"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large}{unit}" + (f"{small}{small_unit}" if small else "")


def columns(resource: Resource, version: str) -> tuple[Column, ...]:
    """The columns of a resource: the name, then its own."""
    return (_NAME, *resource.versions[version].columns)


def definitions(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The column definitions."""
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": "name" if column.name == "Name" else "",
            "description": column.description,
            "priority": column.priority,
        }
        for column in columns
    ]


def partial(obj: Object, api_version: str = META_VERSION) -> Object:
    """The metadata of an object."""
    return {"kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": obj["metadata"]}


def row(columns: Sequence[Column], obj: Object, include: str, now: float) -> dict[str, Any]:
    """One row. `include` selects what it contains of the object: Metadata (the default), Object or None."""
    found: dict[str, Any] = {"cells": [column.read(obj, now) for column in columns]}
    if include == "Object":
        found["object"] = obj
    elif include != "None":
        found["object"] = partial(obj)
    return found


def table(columns: Sequence[Column], rows: list[dict[str, Any]], metadata: dict[str, Any]) -> dict[str, Any]:
    """A complete table."""
    return {
        "kind": "Table",
        "apiVersion": META_VERSION,
        "metadata": metadata,
        "columnDefinitions": definitions(columns),
        "rows": rows,
    }


def since(moment: str | None, now: float) -> str:
    """The time since a timestamp, as kubectl prints it."""
    if not moment:
        return "<unknown>"
    return age(now - datetime.fromisoformat(moment).timestamp())


AGE = Column("Age", lambda obj, now: since(obj["metadata"].get("creationTimestamp"), now))

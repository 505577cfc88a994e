"""Manifests as objects."""

from __future__ import annotations

from typing import Any

from headgate.api import codec
from headgate.api.meta import Object


def decode_manifest(document: dict[str, Any]) -> Object:
    """A plain object as the type of its kind, which must be known."""
    kind = codec.find_kind(str(document.get("apiVersion", "")), str(document.get("kind", "")))
    assert kind is not None, document
    return codec.convert(kind.type, document)

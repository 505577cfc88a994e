"""Renders values of the IR field by field, and fails on a field that has no renderer.

A setting that is left out would be a policy that is accepted and not enforced.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class NotRenderedError(Exception):
    """The IR sets something that `translate` does not render."""


def render(value: msgspec.Struct, renderers: Mapping[str, Callable[..., T]], *context: Any) -> Iterator[T]:
    """What the renderers make of the fields that are set, in the order of the fields.

    `value` is a struct whose fields have defaults; `renderers` are by the field's name and get the field's value and
    the context. Raises `NotRenderedError` for a field that is set and has no renderer.
    """
    unset = type(value)()
    for name in value.__struct_fields__:
        setting = getattr(value, name)
        if setting == getattr(unset, name):
            continue
        if name not in renderers:
            raise NotRenderedError(f"{type(value).__name__}.{name} is set and cannot be rendered here: {setting!r}")
        yield renderers[name](setting, *context)


def check_unset(value: msgspec.Struct) -> None:
    """Raises `NotRenderedError` if any field is set: here nothing of the value can be rendered."""
    for _ in render(value, {}):
        pass

"""JSON Pointer (RFC 6901): names one value in a JSON document, as `path` of a JSON Patch does."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def pointer(*parts: str | int) -> str:
    """The pointer of unescaped parts: `pointer("metadata", "labels", "a/b")` -> `/metadata/labels/a~1b`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def parts(text: str) -> list[str]:
    """The unescaped parts of a pointer; none for the whole document. Raises ValueError if it is not a pointer."""
    if text == "":
        return []
    if not text.startswith("/"):
        raise ValueError(f"path {text!r} must begin with '/'")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def lookup(document: Any, path: Iterable[str]) -> Any:
    """The value below these parts (names of members, indexes of lists), or None if there is none."""
    value = document
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, Sequence) and not isinstance(value, str) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value

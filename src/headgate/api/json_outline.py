"""The outer levels of a JSON text, for texts that are nested deeper than a recursive decoder can follow.

`msgspec` raises `RecursionError` for a text of about 1,000 levels, even where it would only skip the value. API servers
store such objects: `metadata.managedFields[].fieldsV1` may have 10,000 levels. This module reads brackets and strings
only, without recursion, in time linear in the size of the text.
"""

import re
from typing import NamedTuple

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_OPENING, _CLOSING = frozenset(b"[{"), frozenset(b"]}")


class Outline(NamedTuple):
    """A JSON text in which each object and list below a level is `null`, and these objects and lists in order."""

    text: bytes
    inner: tuple[bytes, ...]


def outline(text: bytes, levels: int) -> Outline:
    """The first `levels` levels of a JSON text; `{"a": {"b": 1}, "c": [2]}` with 1 is `{"a": null, "c": null}`.

    A text that is not JSON gives an outline that is not JSON either.
    """
    parts: list[bytes] = []
    inner: list[bytes] = []
    depth = kept = 0
    for token in _TOKEN.finditer(text):
        sign = token[0][0]
        if sign in _OPENING:
            depth += 1
            if depth == levels + 1:
                parts.append(text[kept : token.start()])
                kept = token.start()
        elif sign in _CLOSING:
            if depth == levels + 1:
                inner.append(text[kept : token.end()])
                parts.append(b"null")
                kept = token.end()
            depth -= 1
    parts.append(text[kept:])
    return Outline(b"".join(parts), tuple(inner))

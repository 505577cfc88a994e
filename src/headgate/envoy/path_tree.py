"""Many routes of one virtual host, found by their path: Envoy asks a list of routes one after the other, and 10,000 of
them take 0.3 ms per request.

The tree only finds candidates. It is a map from texts to lists of routes, of which Envoy takes the one with the longest
text that the request's path begins with; each route still looks at the whole request itself, and the first that matches
wins. So a list must hold every route that can match a path that leads to it, in the order of all routes:

* the texts are all exact paths and prefixes of the routes;
* a route with prefix P that matches a path whose longest text is Q has P = Q or Q begins with `P/`, for both are
  beginnings of the path, and after P there is a slash in it;
* a route with exact path E is only under E, since no text has a question mark and so none is longer;
* a regular expression may match anything: it is in every list.

Bytes are put together here (`wire`); they are those of `xds.type.matcher.v3.Matcher`.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from . import wire

#: Up to so many routes a list is as fast.
LINEAR = 50
#: How often a route may stand in the lists on average; beyond that (many regular expressions) one list is better.
_COPIES = 4


class PathTree(msgspec.Struct, frozen=True, gc=False):
    """Places of routes, by text; `rest` are asked for a path that begins with none of the texts."""

    leaves: tuple[tuple[str, tuple[int, ...]], ...]
    rest: tuple[int, ...]


def tree(paths: Sequence[tuple[str, str]], linear: int = LINEAR) -> PathTree | None:
    """The tree for routes with these paths, pairs of kind and value as in `routes.PathMatch`; None where it does not
    pay.
    """
    if len(paths) <= linear:
        return None
    exact, prefixes, anything = _sorted_by_kind(paths)
    rest = tuple(sorted([*anything, *prefixes.get("", ())]))
    leaves = []
    size = 0
    for text in sorted(exact.keys() | prefixes.keys() - {""}):
        found = [*anything, *exact.get(text, ())]
        for above in _beginnings(text):
            found += prefixes.get(above, ())
        size += len(found)
        if size > _COPIES * len(paths):
            return None
        leaves.append((text, tuple(sorted(found))))
    return PathTree(tuple(leaves), rest) if leaves else None


def _sorted_by_kind(paths: Iterable[tuple[str, str]]) -> tuple[dict[str, list[int]], dict[str, list[int]], list[int]]:
    exact: dict[str, list[int]] = {}
    prefixes: dict[str, list[int]] = {}
    anything: list[int] = []
    for at, (kind, value) in enumerate(paths):
        if kind == "exact":
            exact.setdefault(value, []).append(at)
        elif kind == "regex":
            anything.append(at)
        else:
            prefixes.setdefault("" if kind == "prefix" else value, []).append(at)
    return exact, prefixes, anything


def _beginnings(text: str) -> Iterator[str]:
    """All prefixes by segment that take a path of this text.

    >>> list(_beginnings("/a/b"))
    ['', '/a', '/a/b']
    """
    yield from (text[:at] for at, sign in enumerate(text) if sign == "/")
    if not text.endswith("/"):
        yield text


# ── bytes ────────────────────────────────────────────────────────────────────

_ANY = "type.googleapis.com/"
#: The action of a leaf, up to its routes.
_NAME, _ROUTE_LIST = wire.field(1, "routes"), wire.field(1, f"{_ANY}envoy.config.route.v3.RouteList")


def matcher(found: PathTree, routes: Sequence[bytes]) -> bytes:
    """The Matcher message over these rendered routes."""
    listed = [wire.field(1, each) for each in routes]
    entries = b"".join(
        [wire.field(1, wire.field(1, text) + wire.field(2, _on_match(places, listed))) for text, places in found.leaves]
    )
    kind = wire.field(1, f"{_ANY}envoy.type.matcher.v3.HttpRequestHeaderMatchInput")
    path = wire.field(1, "path") + wire.field(2, kind + wire.field(2, wire.field(1, ":path")))
    otherwise = wire.field(3, _on_match(found.rest, listed)) if found.rest else b""
    return wire.field(2, wire.field(1, path) + wire.field(3, entries)) + otherwise


def _on_match(places: Iterable[int], listed: Sequence[bytes]) -> bytes:
    chosen = wire.field(2, b"".join([listed[at] for at in places]))
    return wire.field(2, _NAME + wire.field(2, _ROUTE_LIST + chosen))

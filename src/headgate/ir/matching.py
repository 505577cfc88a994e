"""Matches of requests, and why a request does not match (Gateway API: `HTTPRouteMatch`).

`Match.mismatch` specifies the semantics. A law tests that Envoy agrees with it.
"""

import functools
from typing import Any, Literal

import msgspec
import re2

from .http import Request

#: An exact value, or an RE2 regular expression for the whole value.
StringMatchKind = Literal["Exact", "RegularExpression"]


@functools.lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """A pattern compiled by RE2, the library that Envoy uses; raises `re2.error`."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def regex_error(pattern: str) -> str | None:
    """Why RE2 rejects a pattern, or None."""
    try:
        compiled(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    return None


class StringMatch(msgspec.Struct, frozen=True, gc=False, order=True):
    """A value to match."""

    kind: StringMatchKind
    value: str

    def matches(self, value: str) -> bool:
        """Whether it matches the whole value; case-sensitive."""
        if self.kind == "Exact":
            return value == self.value
        return compiled(self.value).fullmatch(value) is not None

    def __str__(self) -> str:
        return self.value if self.kind == "Exact" else f"~{self.value}"


class PathMatch(msgspec.Struct, frozen=True, gc=False):
    """A path to match. A prefix is of whole segments and has no trailing slash; `/` is the empty prefix."""

    kind: Literal["Exact", "PathPrefix", "RegularExpression"]
    value: str

    def matches(self, path: str) -> bool:
        """Case-sensitive. The prefix `/foo` matches `/foo` and `/foo/…`, not `/foobar`."""
        match self.kind:
            case "Exact":
                return path == self.value
            case "RegularExpression":
                return compiled(self.value).fullmatch(path) is not None
        return not self.value or path == self.value or path.startswith(f"{self.value}/")

    def __str__(self) -> str:
        return f"{self.kind} {self.value or '/'}"


class GRPCMethod(msgspec.Struct, frozen=True, gc=False):
    """Service and method of a GRPCRoute's match, for its precedence: longer is more specific. Empty is any."""

    service: str = ""
    method: str = ""


class Match(msgspec.Struct, frozen=True, gc=False):
    """Conditions that must all hold. `headers` are by lower-case name, `query` by exact name; each name once, sorted.

    Matches of a GRPCRoute have `grpc`; their `path` is made from it.
    """

    path: PathMatch = PathMatch("PathPrefix", "")
    method: str | None = None
    headers: tuple[tuple[str, StringMatch], ...] = ()
    query: tuple[tuple[str, StringMatch], ...] = ()
    grpc: GRPCMethod | None = None

    def mismatch(self, request: Request) -> str | None:  # noqa: PLR0911 - one reason each
        """Why a request does not match, or None if it does."""
        if not self.path.matches(request.path):
            return f"path {request.path} is not {self.path}"
        if self.method is not None and request.method != self.method:
            return f"method {request.method} is not {self.method}"
        for name, wanted in self.headers:
            lines = request.header_lines(name)
            if not lines:
                return f"header {name} is missing"
            # One of several lines must match, as in Envoy. The specification leaves it open.
            if not any(map(wanted.matches, lines)):
                return f"header {name}: {', '.join(lines)} is not {wanted}"
        given = dict(reversed(request.query))  # the first of equal names is matched
        for name, wanted in self.query:
            if name not in given:
                return f"query parameter {name} is missing"
            if not wanted.matches(given[name]):
                return f"query parameter {name}={given[name]} is not {wanted}"
        return None

    def __str__(self) -> str:
        parts = [str(self.path)]
        if self.method:
            parts.append(f"method {self.method}")
        parts += [f"header {name}: {value}" for name, value in self.headers]
        parts += [f"query {name}={value}" for name, value in self.query]
        return ", ".join(parts)

"""What a request must look like, and why it does not (Gateway API: `HTTPRouteMatch`).

`Match.mismatch` is the specification of our semantics: Envoy must agree with it (a law tests that).
"""

import functools
from typing import Any, Literal

import msgspec
import re2

from .http import Request

#: Exact value, or a regular expression of RE2 that matches the whole.
StringMatchKind = Literal["Exact", "RegularExpression"]


@functools.lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """A pattern as RE2 reads it, the library that Envoy uses as well; raises `re2.error`."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def regex_error(pattern: str) -> str | None:
    """Why RE2 refuses a pattern, or None."""
    try:
        compiled(pattern)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return None


class StringMatch(msgspec.Struct, frozen=True, gc=False, order=True):
    """A value to match."""

    kind: StringMatchKind
    value: str

    def matches(self, found: str) -> bool:
        """Whole-value match; case matters."""
        if self.kind == "Exact":
            return found == self.value
        return compiled(self.value).fullmatch(found) is not None

    def __str__(self) -> str:
        return self.value if self.kind == "Exact" else f"~{self.value}"


class PathMatch(msgspec.Struct, frozen=True, gc=False):
    """A path to match. A prefix is by segment and has no trailing slash: `/` is the empty prefix."""

    kind: Literal["Exact", "PathPrefix", "RegularExpression"]
    value: str

    def matches(self, path: str) -> bool:
        """Case matters; `/foo` as a prefix takes `/foo` and `/foo/…`, not `/foobar`."""
        match self.kind:
            case "Exact":
                return path == self.value
            case "RegularExpression":
                return compiled(self.value).fullmatch(path) is not None
        return not self.value or path == self.value or path.startswith(f"{self.value}/")

    def __str__(self) -> str:
        return f"{self.kind} {self.value or '/'}"


class GRPCMethod(msgspec.Struct, frozen=True, gc=False):
    """What a match of a GRPCRoute says of service and method, for its precedence: longer is more specific.

    Empty: any.
    """

    service: str = ""
    method: str = ""


class Match(msgspec.Struct, frozen=True, gc=False):
    """All parts must hold. `headers` are by lower-case name, `query` by exact name; each name once, sorted.

    `grpc` is there for matches of a GRPCRoute, whose `path` says the same as a path.
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
            # Of several lines one must match: so does Envoy, and the specification leaves it open.
            if not any(map(wanted.matches, lines)):
                return f"header {name}: {', '.join(lines)} is not {wanted}"
        given = dict(reversed(request.query))  # the first of equal names counts
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

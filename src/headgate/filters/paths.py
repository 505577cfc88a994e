"""Path modifiers of redirects and rewrites (`HTTPPathModifier`).

The new prefix and the rest of the path are joined with exactly one slash; a prefix that is replaced by nothing becomes
`/`. Envoy's prefix rewrite does this only if neither of the two is `/`.
"""

import re
from typing import Literal

import msgspec

from headgate.api.gateway import HTTPPathModifier
from headgate.conditions import http_route as conditions
from headgate.envoy.routes import PathRewrite

from .base import ParseContext

_PATH = re.compile(r"/[^?#\x00-\x1f\x7f]*")


class PathModifier(msgspec.Struct, frozen=True):
    """`full` replaces the whole path, `prefix` the matched prefix. The value has no trailing slash."""

    kind: Literal["full", "prefix"]
    value: str

    def of(self, path: str, prefix: str) -> str:
        """The path after the change, if `prefix` is the matched prefix."""
        if self.kind == "full":
            return self.value
        rest = path[len(prefix) :]
        if not self.value or not prefix:
            return f"{self.value}/{rest.lstrip('/')}"
        return self.value + rest

    def rewrite(self, prefix: str) -> PathRewrite:
        """The change for an Envoy route with this prefix."""
        literal = self.value.replace("\\", "\\\\")
        if self.kind == "full":
            return PathRewrite("regex", literal, "^/.*")
        if not self.value or not prefix:
            return PathRewrite("regex", f"{literal}/", f"^{re.escape(prefix)}/*")
        return PathRewrite("prefix", self.value)


def path_modifier(field: str, declared: HTTPPathModifier | None, context: ParseContext) -> PathModifier | None:
    """The field as a value; raises `Invalid`."""
    if declared is None:
        return None
    if declared.type == "ReplaceFullPath":
        return PathModifier("full", _checked(f"{field}.replaceFullPath", declared.replace_full_path) or "/")
    if declared.type != "ReplacePrefixMatch":
        raise conditions.unsupported_value(f"{field}.type", declared.type, "use ReplaceFullPath or ReplacePrefixMatch")
    if not context.all_prefix_matches:
        raise conditions.invalid_value(
            f"{field}.type", declared.type, "use it in a rule whose matches are all of type PathPrefix"
        )
    return PathModifier("prefix", _checked(f"{field}.replacePrefixMatch", declared.replace_prefix_match).rstrip("/"))


def _checked(path: str, value: str | None) -> str:
    if value and not _PATH.fullmatch(value):
        raise conditions.invalid_value(
            path, value, "use a path that starts with / and contains no ?, # or control character"
        )
    return value or ""

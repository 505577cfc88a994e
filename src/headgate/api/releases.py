"""The CustomResourceDefinitions of the releases of the Gateway API, as far as our types know what came when.

The local API can serve what a cluster with older definitions serves: kinds, versions, fields and values that came later
are left out of the current definitions. The tables hold facts of the published definitions. Limits and patterns that
changed in between are those of today; the official files have the older ones.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from . import crd
from .codec import KINDS

Definition = dict[str, Any]

#: Releases whose standard definitions are known, the newest last.
RELEASES = ("v1.3.0", "v1.4.0", "v1.4.1", "v1.5.0", "v1.5.1", "v1.6.0", "v1.6.1", "v1.6.2", "v1.6.3", "v1.7.0")
NEWEST = RELEASES[-1]

_BUNDLE_VERSION = "gateway.networking.k8s.io/bundle-version"

#: The first release with a kind, for kinds that came after the first release known here.
_KINDS = {kind.kind: kind.since for kind in KINDS if kind.since}
#: The first release with a version of a kind that came before.
_VERSIONS = {("ReferenceGrant", "v1"): "v1.5.0"}
#: The first release with a field, by kind. A path names the fields of a list's items right after the list.
_FIELDS: dict[str, dict[str, str]] = {
    "GatewayClass": {"status.supportedFeatures": "v1.4.0"},
    "Gateway": {"spec.allowedListeners": "v1.5.0", "spec.tls": "v1.5.0", "status.attachedListenerSets": "v1.5.0"},
    "HTTPRoute": {
        "spec.rules.name": "v1.4.0",
        "spec.rules.filters.cors": "v1.5.0",
        "spec.rules.backendRefs.filters.cors": "v1.5.0",
        "spec.rules.retry": "v1.7.0",
    },
    "GRPCRoute": {"spec.rules.name": "v1.4.0"},
}
#: Values of an enumeration, and the first release with them.
_VALUES: dict[str, dict[str, tuple[frozenset[Any], str]]] = {
    "HTTPRoute": {
        f"spec.rules.{at}filters.{field}": (frozenset(values), "v1.5.0")
        for at in ("", "backendRefs.")
        for field, values in (("type", ("CORS",)), ("requestRedirect.statusCode", (303, 307, 308)))
    }
}


def definitions(version: str = NEWEST, channel: str = "standard") -> list[Definition]:
    """The CustomResourceDefinitions of a release and channel. Raises `ValueError` for one that is not known."""
    if version not in RELEASES:
        raise ValueError(f"unknown release {version!r} of the Gateway API; known: {', '.join(RELEASES)}")
    if channel == "experimental" and version == NEWEST:
        return [_without_former(definition) for definition in crd.definitions("experimental") if _is_known(definition)]
    if channel != "standard":
        raise ValueError(
            f"unknown channel {channel!r} of {version}; known: standard of every release, experimental of {NEWEST}"
        )
    of_release = (_of_release(definition, version) for definition in crd.definitions() if _is_known(definition))
    return [definition for definition in of_release if definition is not None]


def _is_known(definition: Definition) -> bool:
    """Whether a definition is of the Gateway API (the local API has definitions of rollouts as well)."""
    return str(definition["spec"]["group"]).startswith("gateway.networking.")


def _came_later(since: str, version: str) -> bool:
    return RELEASES.index(since) > RELEASES.index(version)


def _without_former(definition: Definition) -> Definition:
    """A copy without the versions that only the local API serves."""
    copied = copy.deepcopy(definition)
    copied["spec"]["versions"] = [served for served in copied["spec"]["versions"] if not served.get("deprecated")]
    return copied


def _of_release(definition: Definition, version: str) -> Definition | None:
    """A definition as a release had it; None if that had none."""
    kind = definition["spec"]["names"]["kind"]
    if _came_later(_KINDS.get(kind, RELEASES[0]), version):
        return None
    older = _without_former(definition)
    older["metadata"]["annotations"][_BUNDLE_VERSION] = version
    older["spec"]["versions"] = [
        served
        for served in older["spec"]["versions"]
        if not _came_later(_VERSIONS.get((kind, served["name"]), RELEASES[0]), version)
    ]
    for served in older["spec"]["versions"]:
        _remove_later_parts(served["schema"]["openAPIV3Schema"], kind, version)
    return older


def _remove_later_parts(schema: Mapping[str, Any], kind: str, version: str) -> None:
    """Remove the fields and values that came later from a schema, in place."""
    for path, since in _FIELDS.get(kind, {}).items():
        if _came_later(since, version):
            *above, name = path.split(".")
            for parent in _at(schema, above):
                parent["properties"].pop(name, None)
    for path, (values, since) in _VALUES.get(kind, {}).items():
        if _came_later(since, version):
            for field in _at(schema, path.split(".")):
                field["enum"] = [value for value in field["enum"] if value not in values]


def _at(schema: Mapping[str, Any], path: list[str]) -> Iterator[Any]:
    """The schema at a path, or nothing."""
    part: Any = schema
    for name in path:
        part = part.get("items", part).get("properties", {}).get(name)
        if part is None:
            return
    yield part.get("items", part)

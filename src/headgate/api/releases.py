"""The definitions of a release of the Gateway API, as far as our types know when something came.

A laptop may serve what a cluster with older definitions serves: kinds, versions, fields and values that came later are
left out of ours. The tables hold facts of the published definitions; limits and patterns that changed in between are as
they are today. Whoever needs an older release to the letter takes the official files.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from . import crd

Definition = dict[str, Any]

#: Releases whose standard definitions are known, the newest last.
RELEASES = ("v1.3.0", "v1.4.0", "v1.4.1", "v1.5.0", "v1.5.1", "v1.6.0", "v1.6.1", "v1.6.2", "v1.6.3", "v1.7.0")
NEWEST = RELEASES[-1]

_BUNDLE_VERSION = "gateway.networking.k8s.io/bundle-version"

#: Since which release the standard channel has a kind.
_KINDS = {
    "BackendTLSPolicy": "v1.4.0",
    "ListenerSet": "v1.5.0",
    "TLSRoute": "v1.5.0",
    "TCPRoute": "v1.6.0",
    "UDPRoute": "v1.6.0",
}
#: Since when a version is served of a kind that was there before.
_VERSIONS = {("ReferenceGrant", "v1"): "v1.5.0"}
#: Since when there is a field, by kind; entries of lists stand behind their list without a sign.
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
#: Since when an enumeration has values.
_VALUES: dict[str, dict[str, tuple[frozenset[Any], str]]] = {
    "HTTPRoute": {
        f"spec.rules.{at}filters.{field}": (frozenset(values), "v1.5.0")
        for at in ("", "backendRefs.")
        for field, values in (("type", ("CORS",)), ("requestRedirect.statusCode", (303, 307, 308)))
    }
}


def definitions(version: str = NEWEST, channel: str = "standard") -> list[Definition]:
    """The definitions of a release. Raises `ValueError` for one that is not known."""
    if version not in RELEASES:
        raise ValueError(f"the Gateway API {version} is not known here; known are {', '.join(RELEASES)}")
    if channel == "experimental" and version == NEWEST:
        return [_without_former(definition) for definition in crd.definitions("experimental") if _is_ours(definition)]
    if channel != "standard":
        raise ValueError(
            f"the channel {channel!r} of {version} is not known here; known are standard, and experimental of {NEWEST}"
        )
    return [found for each in crd.definitions() if _is_ours(each) and (found := _of_release(each, version)) is not None]


def _is_ours(definition: Definition) -> bool:
    return str(definition["spec"]["group"]).startswith("gateway.networking.")


def _came_later(since: str, version: str) -> bool:
    return RELEASES.index(since) > RELEASES.index(version)


def _without_former(definition: Definition) -> Definition:
    """A copy without the versions that only a laptop serves."""
    found = copy.deepcopy(definition)
    found["spec"]["versions"] = [each for each in found["spec"]["versions"] if not each.get("deprecated")]
    return found


def _of_release(definition: Definition, version: str) -> Definition | None:
    """A definition as that release had it, None when it had none."""
    kind = definition["spec"]["names"]["kind"]
    if _came_later(_KINDS.get(kind, RELEASES[0]), version):
        return None
    found = _without_former(definition)
    found["metadata"]["annotations"][_BUNDLE_VERSION] = version
    found["spec"]["versions"] = [
        each
        for each in found["spec"]["versions"]
        if not _came_later(_VERSIONS.get((kind, each["name"]), RELEASES[0]), version)
    ]
    for each in found["spec"]["versions"]:
        _cut(each["schema"]["openAPIV3Schema"], kind, version)
    return found


def _cut(schema: Mapping[str, Any], kind: str, version: str) -> None:
    """Take what came later out of a schema, in place."""
    for path, since in _FIELDS.get(kind, {}).items():
        if _came_later(since, version):
            *above, name = path.split(".")
            for place in _places(schema, above):
                place["properties"].pop(name, None)
    for path, (values, since) in _VALUES.get(kind, {}).items():
        if _came_later(since, version):
            for place in _places(schema, path.split(".")):
                place["enum"] = [value for value in place["enum"] if value not in values]


def _places(schema: Mapping[str, Any], path: list[str]) -> Iterator[Any]:
    """The schema at a path, if there is one."""
    place: Any = schema
    for name in path:
        place = place.get("items", place).get("properties", {}).get(name)
        if place is None:
            return
    yield place.get("items", place)

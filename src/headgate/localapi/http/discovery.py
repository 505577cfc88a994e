"""Discovery: aggregated, by group, and the version."""

from itertools import groupby
from typing import Any

from headgate.localapi.resources.served import Registry, Resource

from .messages import Request, Response, json_response

#: The version of Kubernetes whose behaviour this API follows.
VERSION = "v1.36.3"

_AGGREGATED = "apidiscovery.k8s.io"
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def version() -> Response:
    """/version."""
    major, minor, _ = VERSION[1:].split(".")
    return json_response(
        {
            "major": major,
            "minor": minor,
            "gitVersion": f"{VERSION}+headgate",
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": "CPython",
            "platform": "linux/amd64",
        }
    )


def _groups(registry: Registry, *, core: bool) -> dict[str, list[Resource]]:
    found = sorted((r for r in registry if (r.group == "") is core), key=lambda r: (r.group, r.plural))
    return {group: list(resources) for group, resources in groupby(found, key=lambda r: r.group)}


def _order(version: str) -> tuple[int, int, int]:
    """v1 before v1beta1 before v1alpha1, higher numbers first."""
    number = ""
    rest = version[1:]
    while rest and rest[0].isdigit():
        number, rest = number + rest[0], rest[1:]
    stage = 0 if not rest else 1 if rest.startswith("beta") else 2
    minor = "".join(c for c in rest if c.isdigit())
    return stage, -int(number or 0), -int(minor or 0)


def _versions(resources: list[Resource]) -> list[str]:
    return sorted({version for resource in resources for version in resource.versions}, key=_order)


def _subresources(resource: Resource) -> list[tuple[str, dict[str, str], list[str]]]:
    own = {"group": resource.group, "kind": resource.kind}
    found = []
    if resource.status:
        found.append(("status", own, ["get", "patch", "update"]))
    if resource.scale:
        scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        found.append(("scale", scale, ["get", "patch", "update"]))
    kinds = {
        "binding": ({"group": "", "version": "v1", "kind": "Binding"}, ["create"]),
        "eviction": ({"group": "policy", "version": "v1", "kind": "Eviction"}, ["create"]),
        "log": ({"group": "", "version": "v1", "kind": "Pod"}, ["get"]),
        "token": ({"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"}, ["create"]),
    }
    return found + [(name, *kinds[name]) for name in resource.subresource_names if name in kinds]


def _verbs(resource: Resource) -> list[str]:
    return ["create"] if resource.review else _VERBS


# --- aggregated -------------------------------------------------------------------------------------------------------


def aggregated(registry: Registry, *, core: bool) -> Response:
    """/api and /apis as one aggregated response."""
    items = []
    for group, resources in _groups(registry, core=core).items():
        versions = [
            {
                "version": version,
                "freshness": "Current",
                "resources": [_aggregated(r, version) for r in resources if version in r.versions],
            }
            for version in _versions(resources)
        ]
        items.append({"metadata": {"name": group} if group else {}, "versions": versions})
    answer = json_response(
        {"kind": "APIGroupDiscoveryList", "apiVersion": f"{_AGGREGATED}/v2", "metadata": {}, "items": items}
    )
    answer.content_type = f"application/json;g={_AGGREGATED};v=v2;as=APIGroupDiscoveryList"
    return answer


def _aggregated(resource: Resource, version: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    subresources = [
        {"subresource": name, "responseKind": {"version": version} | kind, "verbs": verbs}
        for name, kind, verbs in _subresources(resource)
    ]
    return found | ({"subresources": subresources} if subresources else {})


# --- per group --------------------------------------------------------------------------------------------------------


def wants_aggregated(request: Request) -> bool:
    """Whether the client accepts aggregated discovery v2."""
    accepted = request.headers.get("accept", "")
    return any(
        f"g={_AGGREGATED}" in choice and "v=v2;" in choice + ";" for choice in accepted.replace(" ", "").split(",")
    )


def core_versions() -> Response:
    """/api, not aggregated."""
    return json_response({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})


def _group(group: str, resources: list[Resource]) -> dict[str, Any]:
    versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in _versions(resources)]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def groups(registry: Registry) -> Response:
    """/apis, not aggregated."""
    found = [_group(group, resources) for group, resources in _groups(registry, core=False).items()]
    return json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": found})


def group(registry: Registry, name: str) -> Response | None:
    """/apis/GROUP."""
    resources = _groups(registry, core=False).get(name)
    if resources is None:
        return None
    return json_response({"kind": "APIGroup", "apiVersion": "v1"} | _group(name, resources))


def resource_list(registry: Registry, name: str, version: str) -> Response | None:
    """/api/v1 and /apis/GROUP/VERSION."""
    found = [r for r in registry if r.group == name and version in r.versions]
    if not found:
        return None
    entries = [entry for r in sorted(found, key=lambda r: r.plural) for entry in _entries(r, version)]
    group_version = f"{name}/{version}" if name else version
    return json_response(
        {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries}
    )


def _entries(resource: Resource, version: str) -> list[dict[str, Any]]:
    own: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        own["shortNames"] = list(resource.short_names)
    if resource.categories:
        own["categories"] = list(resource.categories)
    found = [own]
    for name, kind, verbs in _subresources(resource):
        entry = {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": kind["kind"],
            "verbs": verbs,
        }
        if "version" in kind:
            entry |= {"group": kind["group"], "version": kind["version"]}
        found.append(entry)
    return found

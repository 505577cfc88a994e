"""Discovers the kinds that an API serves: by aggregated discovery, or group by group if it does not support that."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from .client import Client

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


async def served(client: "Client") -> Mapping[tuple[str, str], tuple[str, ...]]:
    """(group, kind) -> versions, the preferred one first; the core group is the empty string."""
    kinds: dict[tuple[str, str], tuple[str, ...]] = {}
    for root in ("/api", "/apis"):
        document = msgspec.json.decode(await client.request("GET", root, accept=_AGGREGATED))
        aggregated = document.get("kind") == "APIGroupDiscoveryList"
        rows = list(_aggregated(document)) if aggregated else await _one_by_one(client, root, document)
        for group, kind, version in rows:
            versions = kinds.get((group, kind), ())
            if version not in versions:
                kinds[group, kind] = (*versions, version)
    return kinds


def _aggregated(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for group in document.get("items") or ():
        name = (group.get("metadata") or {}).get("name", "")
        for version in group.get("versions") or ():
            for resource in version.get("resources") or ():
                kind = (resource.get("responseKind") or {}).get("kind", "")
                yield name, kind, version["version"]


async def _one_by_one(client: "Client", root: str, document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    if root == "/api":
        versions = [("", version) for version in document.get("versions") or ()]
    else:
        versions = [
            (group["name"], version["version"])
            for group in document.get("groups") or ()
            for version in group.get("versions") or ()
        ]
    rows = []
    for group, version in versions:
        path = f"{root}/{group}/{version}" if group else f"{root}/{version}"
        resources = msgspec.json.decode(await client.request("GET", path)).get("resources") or ()
        rows += [(group, resource["kind"], version) for resource in resources if "/" not in resource["name"]]
    return rows

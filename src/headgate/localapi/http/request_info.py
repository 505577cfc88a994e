"""The resource, object and subresource of a request, from its URL."""

from collections.abc import Sequence

import msgspec

from headgate.localapi.resources.served import Registry, Resource


class RequestInfo(msgspec.Struct, frozen=True):
    """A collection, an object (`name`), or a subresource of an object."""

    resource: Resource
    version: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def parse(registry: Registry, parts: Sequence[str]) -> RequestInfo | None:
    """The request info of `/api/VERSION/…` or `/apis/GROUP/VERSION/…`; None if the API serves nothing there."""
    match parts:
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            return None
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and registry.find(group, version, rest[2]):
        _, namespace, *rest = rest
    if not 1 <= len(rest) <= 3:
        return None
    plural, name, subresource = [*rest, "", ""][:3]
    resource = registry.find(group, version, plural)
    if resource is None or (namespace and not resource.namespaced):
        return None
    if subresource and subresource not in resource.subresources:
        return None
    return RequestInfo(resource, version, namespace, name, subresource)

"""OpenAPI v3 and v2 of the served resources.

kubectl reads it before it applies. PATCH must have the parameter `fieldValidation`, or kubectl validates by itself.
PATCH must accept strategic merge patches, or kubectl computes a merge patch. The merge keys control how kubectl merges
lists. Schemas of built-in kinds are shared and written as references; those of custom kinds are written as their
definition has them.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from headgate.localapi.resources import schemas
from headgate.localapi.resources.served import Registry, Resource

from .discovery import VERSION
from .messages import Response, json_response

_PATCHES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


def component(message: str) -> str:
    """The published name of a message: `core.v1.Pod` -> `io.k8s.api.core.v1.Pod`."""
    if message.startswith("meta.v1."):
        return f"io.k8s.apimachinery.pkg.apis.{message}"
    return f"io.k8s.api.{message}"


def _component_of(resource: Resource, version: str) -> str:
    schema = resource.schema(version)
    if schemas.NAME in schema:
        return component(schema[schemas.NAME])
    reversed_group = ".".join(reversed(resource.group.split(".")))
    return f"{reversed_group}.{version}.{resource.kind}"


def index(registry: Registry) -> Response:
    """/openapi/v3: the URL of the document of each group and version. The hash in the URL changes with the content."""
    stamp = hashlib.sha256(f"{VERSION} {registry.generation}".encode()).hexdigest()[:32]
    paths = {}
    for group, version in sorted({(r.group, version) for r in registry for version in r.versions}):
        path = f"apis/{group}/{version}" if group else f"api/{version}"
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={stamp}"}
    return json_response({"paths": paths})


def document(registry: Registry, group: str, version: str) -> Response | None:
    """/openapi/v3/apis/GROUP/VERSION."""
    served = [r for r in registry if r.group == group and version in r.versions]
    if not served:
        return None
    components: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for resource in served:
        _add_components(components, resource, version)
        paths |= dict(_paths(resource, version))
    return json_response(
        {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": VERSION},
            "paths": paths,
            "components": {"schemas": components},
        }
    )


def _add_components(components: dict[str, Any], resource: Resource, version: str) -> None:
    kind = {"group": resource.group, "version": version, "kind": resource.kind}
    schema = resource.schema(version)
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"allOf": [{"$ref": _reference("meta.v1.ObjectMeta")}], "default": {}},
    }
    published = {name: value for name, value in schema.items() if name != schemas.NAME}
    own = {name: value for name, value in (schema.get("properties") or {}).items() if name not in properties}
    published["properties"] = properties | {name: _published(value, components) for name, value in own.items()}
    published["x-kubernetes-group-version-kind"] = [kind]
    name = _component_of(resource, version)
    components[name] = published
    _published(schemas.message("meta.v1.ObjectMeta"), components)
    components[f"{name}List"] = {
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}},
        },
        "x-kubernetes-group-version-kind": [{**kind, "kind": f"{resource.kind}List"}],
    }


def _reference(message: str) -> str:
    return f"#/components/schemas/{component(message)}"


def _published(schema: Any, components: dict[str, Any]) -> Any:
    """A linked schema with references. The messages that it refers to are added to the components."""
    if isinstance(schema, list):
        return [_published(part, components) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    message = schema.get(schemas.NAME)
    if isinstance(message, str):
        _add_message(message, components)
        extra = {name: value for name, value in schema.items() if name.startswith("x-kubernetes-patch")}
        reference = {"$ref": _reference(message)}
        return {"allOf": [reference], **extra} if extra else reference
    return {name: _published(value, components) for name, value in schema.items()}


def _add_message(message: str, components: dict[str, Any]) -> None:
    name = component(message)
    if name in components:
        return
    components[name] = {}
    schema = schemas.message(message)
    components[name] = {
        "type": "object",
        "properties": {key: _published(value, components) for key, value in schema["properties"].items()},
    } | ({"required": schema["required"]} if "required" in schema else {})


# --- paths ------------------------------------------------------------------------------------------------------------


def _paths(resource: Resource, version: str) -> Iterator[tuple[str, Any]]:
    root = f"/apis/{resource.group}/{version}" if resource.group else f"/api/{version}"
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    collection = f"{root}{scope}/{resource.plural}"
    yield collection, _operations(resource, version, {"get": "list", "post": "post", "delete": "deletecollection"})
    one = {"get": "get", "put": "put", "patch": "patch", "delete": "delete"}
    yield f"{collection}/{{name}}", _operations(resource, version, one)
    if resource.status:
        some = {"get": "get", "put": "put", "patch": "patch"}
        yield f"{collection}/{{name}}/status", _operations(resource, version, some)
    if resource.namespaced:
        yield f"{root}/{resource.plural}", _operations(resource, version, {"get": "list"})


def _operations(resource: Resource, version: str, actions: Mapping[str, str]) -> dict[str, Any]:
    kind = {"group": resource.group, "version": version, "kind": resource.kind}
    reference = {"$ref": f"#/components/schemas/{_component_of(resource, version)}"}
    found: dict[str, Any] = {}
    for method, action in actions.items():
        names = ["fieldValidation", "dryRun", "fieldManager"] if method in {"post", "put", "patch"} else []
        operation: dict[str, Any] = {
            "operationId": f"{action}-{resource.id}-{version}",
            "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names],
            "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind,
        }
        if method in {"post", "put"}:
            operation["requestBody"] = {"content": {"application/json": {"schema": reference}}, "required": True}
        elif method == "patch":
            taken = [media for media in _PATCHES if not (resource.custom and "strategic" in media)]
            operation["requestBody"] = {"content": {media: {"schema": {"type": "object"}} for media in taken}}
        found[method] = operation
    return found


def version_two(registry: Registry) -> Response:
    """/openapi/v2, for older clients: the same schemas under `definitions`."""
    components: dict[str, Any] = {}
    for resource in registry:
        for version in resource.versions:
            _add_components(components, resource, version)
    text = msgspec.json.encode({"definitions": components}).replace(b"#/components/schemas/", b"#/definitions/")
    head = msgspec.json.encode({"swagger": "2.0", "info": {"title": "Kubernetes", "version": VERSION}, "paths": {}})
    return Response(head[:-1] + b"," + text[1:])

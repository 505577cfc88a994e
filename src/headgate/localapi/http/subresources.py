"""Subresources other than status: scale, pods/binding, pods/eviction, pods/log, serviceaccounts/token."""

from typing import Any

import msgspec

from headgate.api.problems import Problem
from headgate.api.selectors import selector_text
from headgate.api.times import rfc3339
from headgate.localapi.registry import status_errors, strategy
from headgate.localapi.registry.api import Api
from headgate.localapi.resources.served import Object, Resource, Scale, lookup
from headgate.localapi.tokens import Tokens

from . import reviews, write_handlers
from .logs import logs
from .messages import Request, Response, StreamingResponse, json_response
from .request_info import RequestInfo


class Dependencies(msgspec.Struct):
    """What subresources need besides objects: tokens and a connection to nodes."""

    tokens: Tokens


async def handle(  # noqa: PLR0911 - one per subresource
    api: Api, outside: Dependencies, request: Request, target: RequestInfo, user: str
) -> Response | StreamingResponse:
    """The response to a request for a subresource."""
    where = (target.resource, target.namespace, target.name)
    if target.resource.review:
        return reviews.respond(request, target.resource, target.version, user, outside.tokens, api.clock())
    match request.method, target.subresource:
        case "GET", "log":
            return await logs(api, request, target.namespace, target.name)
        case "GET", "scale":
            return json_response(scale(target.resource, api.object(*where)))
        case (("PUT" | "PATCH"), "scale"):
            return _set_scale(api, request, target)
        case "POST", "binding":
            return bind(api, request, target)
        case "POST", "eviction":
            return _evict(api, request, target)
        case "POST", "token":
            return _token(api, outside, request, target)
    raise status_errors.method_not_allowed()


# --- scale ------------------------------------------------------------------------------------------------------------


def scale(resource: Resource, obj: Object) -> Object:
    """The Scale of an object."""
    paths = resource.scale or Scale("", "")
    metadata = {
        name: value
        for name, value in obj["metadata"].items()
        if name in {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}
    }
    selector = lookup(obj, paths.selector) if paths.selector else None
    status: dict[str, Any] = {"replicas": lookup(obj, paths.status_replicas) or 0}
    if selector:
        status["selector"] = selector if isinstance(selector, str) else selector_text(selector)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": lookup(obj, paths.replicas) or 0},
        "status": status,
    }


def _set_scale(api: Api, request: Request, target: RequestInfo) -> Response:
    resource, how = target.resource, write_handlers.write_options(request)
    path = (resource.scale or Scale("", "")).replicas.split(".")

    def edit(old: Object) -> Object:
        before = scale(resource, old)
        wanted = (
            write_handlers.body(request)
            if request.method == "PUT"
            else write_handlers.apply_patch(request, resource, target.version, before)
        )
        replicas = lookup(wanted, "spec.replicas")
        if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
            problem = Problem(
                "spec.replicas", "FieldValueInvalid", f"Invalid value: {replicas}: must be a number, 0 or more"
            )
            raise status_errors.invalid("autoscaling", "Scale", target.name, [problem])
        metadata = {**old["metadata"]}
        if asked := lookup(wanted, "metadata.resourceVersion"):
            metadata["resourceVersion"] = asked
        return _with({**old, "metadata": metadata}, path, replicas)

    record = api.change(resource, target.version, target.namespace, target.name, edit, how, subresource="scale")
    return write_handlers.with_warnings(json_response(scale(resource, msgspec.json.decode(record.body))), how.warnings)


def _with(obj: Object, path: list[str], value: Any) -> Object:
    head, *tail = path
    return {**obj, head: _with(obj.get(head) or {}, tail, value) if tail else value}


# --- pods -------------------------------------------------------------------------------------------------------------


def bind(api: Api, request: Request, target: RequestInfo) -> Response:
    """Bind a pod to a node, once."""
    how, binding = write_handlers.write_options(request), write_handlers.body(request)
    node = lookup(binding, "target.name")
    if not node:
        problem = Problem("target.name", "FieldValueRequired", "Required value: the name of a Node")
        raise status_errors.invalid("", "Binding", target.name, [problem])
    old = api.object(target.resource, target.namespace, target.name)
    if taken := (old.get("spec") or {}).get("nodeName"):
        raise status_errors.conflict(
            "", "pods/binding", target.name, f'pod {target.name} is already assigned to node "{taken}"'
        )
    if "deletionTimestamp" in old["metadata"]:
        raise status_errors.conflict(
            "", "pods/binding", target.name, f"pod {target.name} is being deleted, cannot be assigned to a host"
        )
    metadata = {**old["metadata"]}
    if extra := lookup(binding, "metadata.annotations"):
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **extra}
    status = dict(old.get("status") or {})
    others = [c for c in status.get("conditions") or () if c.get("type") != "PodScheduled"]
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": rfc3339(api.clock()),
    }
    status["conditions"] = [*others, scheduled]
    new = {**old, "metadata": metadata, "spec": {**old["spec"], "nodeName": node}, "status": status}
    api.write(target.resource, old, new, how)
    return json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201)


def _evict(api: Api, request: Request, target: RequestInfo) -> Response:
    sent, how = write_handlers.body(request), write_handlers.write_options(request)
    asked = sent.get("deleteOptions") or {}
    conditions = asked.get("preconditions") or {}
    deletion = strategy.DeleteOptions(
        grace=asked.get("gracePeriodSeconds"),
        propagation=asked.get("propagationPolicy") or "",
        uid=conditions.get("uid") or "",
        revision=conditions.get("resourceVersion") or "",
    )
    api.delete(target.resource, target.namespace, target.name, deletion, how)
    return json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201)


# --- service accounts -------------------------------------------------------------------------------------------------


def _token(api: Api, outside: Dependencies, request: Request, target: RequestInfo) -> Response:
    sent = write_handlers.body(request) if request.body else {}
    account = api.object(target.resource, target.namespace, target.name)
    spec = sent.get("spec") or {}
    seconds = int(spec.get("expirationSeconds") or 3600)
    if seconds < 600:
        problem = Problem(
            "spec.expirationSeconds",
            "FieldValueInvalid",
            f"Invalid value: {seconds}: may not specify a duration less than 10 minutes",
        )
        raise status_errors.invalid("authentication.k8s.io", "TokenRequest", target.name, [problem])
    expires = api.clock() + seconds
    token = outside.tokens.issue(target.namespace, target.name, account["metadata"]["uid"], expires)
    return json_response(
        {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": target.name,
                "namespace": target.namespace,
                "creationTimestamp": rfc3339(api.clock()),
            },
            "spec": {**spec, "expirationSeconds": seconds},
            "status": {"token": token, "expirationTimestamp": rfc3339(expires)},
        },
        201,
    )

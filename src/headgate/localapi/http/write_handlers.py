"""POST, PUT, PATCH and DELETE: bodies in JSON, YAML or protobuf, and three types of patches."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import yaml

from headgate.api import bounded
from headgate.api import patch as patches
from headgate.api.problems import Problem
from headgate.localapi.registry import status_errors, strategy
from headgate.localapi.registry.api import Api, WriteOptions, decode
from headgate.localapi.resources.served import Object, Resource
from headgate.localapi.storage.cache import Record

from . import protobuf, read_handlers
from .messages import JSON, Request, Response

_APPLY = frozenset({"application/apply-patch+yaml", "application/apply-patch+json"})
#: Warnings are headers, and clients limit the size of headers.
_MOST_WARNINGS, _LONGEST_WARNING = 16, 250
_YAML = frozenset({"application/yaml", "application/x-yaml", "text/yaml"})


def write_options(request: Request) -> WriteOptions:
    """The write options of a request."""
    validation = request.parameter("fieldValidation") or "Warn"
    if validation not in {"Strict", "Warn", "Ignore"}:
        raise status_errors.bad_request(f"fieldValidation is {validation!r}; Strict, Warn and Ignore exist")
    agent = request.headers.get("user-agent", "").partition("/")[0]
    return WriteOptions(
        dry_run=_dry_run(request.query.get("dryRun", [])),
        validation=validation,
        warnings=[],
        manager=request.parameter("fieldManager") or agent or "unknown",
        user=request.user,
    )


def _dry_run(values: list[Any]) -> bool:
    if any(value != "All" for value in values):
        raise status_errors.bad_request(f"dryRun is {values}; only All exists")
    return bool(values)


def body(request: Request) -> Any:
    """The body as JSON values, from JSON, YAML or protobuf."""
    media = request.content_type
    try:
        if media == protobuf.CONTENT_TYPE:
            return _checked(protobuf.decode(request.body))
        if media in _YAML:
            return bounded.decode_yaml(request.body)
        if media in {"", JSON} or media.startswith("text/"):
            return bounded.decode_json(request.body)
    except RecursionError:
        raise status_errors.bad_request("the body cannot be read: it is nested too deeply") from None
    except (ValueError, yaml.YAMLError) as error:
        raise status_errors.bad_request(f"the body cannot be read: {error}") from None
    raise status_errors.unsupported_media(
        f"the body of the request was in an unknown format ({media}); "
        f"{JSON}, {protobuf.CONTENT_TYPE} and application/yaml are read"
    )


def object_response(
    api: Api, request: Request, resource: Resource, version: str, record: Record, how: WriteOptions, status: int = 200
) -> Response:
    """The written object, with its warnings."""
    written = Response(read_handlers.representation(request, resource, version).one(record, api.clock()), status)
    return with_warnings(written, how.warnings)


def with_warnings(written: Response, warnings: Sequence[str]) -> Response:
    """Add warning headers as kubectl prints them: one line each, up to a limit."""
    for warning in list(dict.fromkeys(warnings))[:_MOST_WARNINGS]:
        line = "".join(c if c.isprintable() else " " for c in warning[:_LONGEST_WARNING])
        text = line.replace("\\", "\\\\").replace('"', '\\"').encode("ascii", "replace").decode()
        written.headers = [*written.headers, ("warning", f'299 - "{text}"')]
    return written


@contextlib.contextmanager
def _with_earlier_warnings(how: WriteOptions) -> Iterator[None]:
    """Add the warnings of the write to the errors of the block."""
    try:
        yield
    except status_errors.StatusError as refusal:
        refusal.warnings = how.warnings
        raise


def create(api: Api, request: Request, resource: Resource, version: str, namespace: str) -> Response:
    """POST on a collection."""
    how = write_options(request)
    with _with_earlier_warnings(how):
        record = api.create(resource, version, namespace, body(request), how)
    return object_response(api, request, resource, version, record, how, 201)


def replace(
    api: Api, request: Request, resource: Resource, version: str, namespace: str, name: str, subresource: str
) -> Response:
    """PUT on an object or its status."""
    how = write_options(request)
    with _with_earlier_warnings(how):
        record = api.replace(resource, version, namespace, name, body(request), how, subresource=subresource)
    return object_response(api, request, resource, version, record, how)


def patch(
    api: Api, request: Request, resource: Resource, version: str, namespace: str, name: str, subresource: str
) -> Response:
    """PATCH on an object or its status."""
    how = write_options(request)
    if request.content_type in _APPLY:
        return _apply(api, request, resource, version, namespace, name, subresource)

    def edit(old: Object) -> Any:
        return apply_patch(request, resource, version, old)

    with _with_earlier_warnings(how):
        record = api.change(resource, version, namespace, name, edit, how, subresource=subresource)
    return object_response(api, request, resource, version, record, how)


def _apply(
    api: Api, request: Request, resource: Resource, version: str, namespace: str, name: str, subresource: str
) -> Response:
    how = write_options(request)
    if not request.parameter("fieldManager"):
        problem = Problem("fieldManager", "FieldValueRequired", "Required value: is required for apply patch")
        raise status_errors.invalid("meta.k8s.io", "PatchOptions", "", [problem])
    try:
        config = bounded.decode_yaml(request.body)
    except (ValueError, yaml.YAMLError) as error:
        raise status_errors.bad_request(f"error decoding YAML: {error}") from None
    with _with_earlier_warnings(how):
        record, new = api.apply(
            resource,
            version,
            namespace,
            name,
            config,
            how,
            force=request.flag("force"),
            subresource=subresource,
        )
    return object_response(api, request, resource, version, record, how, 201 if new else 200)


def apply_patch(request: Request, resource: Resource, version: str, old: Object) -> Any:
    """The object after a patch. Raises `StatusError` if the patch is malformed or does not apply."""
    media = request.content_type
    try:
        if media == "application/json-patch+json":
            return _checked(patches.json_patch(old, bounded.decode_json(request.body)))
        if media == "application/merge-patch+json":
            return patches.merge_patch(old, _object(bounded.decode_json(request.body)))
        if media == "application/strategic-merge-patch+json" and not resource.custom:
            return patches.strategic_merge_patch(old, bounded.decode_json(request.body), resource.schema(version))
    except patches.PatchError as error:
        if error.too_large:
            raise status_errors.too_large(str(error)) from None
        if error.does_not_apply:
            message = f"the server rejected our request due to an error in our request: {error}"
            raise status_errors.StatusError(422, "Invalid", message) from None
        raise status_errors.bad_request(str(error)) from None
    except bounded.BoundsError as error:
        raise status_errors.bad_request(f"the patch, or the object after it, is {error}") from None
    except msgspec.DecodeError as error:
        raise status_errors.bad_request(f"the patch is not JSON: {error}") from None
    except RecursionError:
        raise status_errors.bad_request("the object after the patch is nested too deeply") from None
    taken = ["application/json-patch+json", "application/merge-patch+json", *sorted(_APPLY)]
    taken += [] if resource.custom else ["application/strategic-merge-patch+json"]
    raise status_errors.unsupported_media(
        f"the body of the request was in an unknown format ({media}) - accepted media types include: {', '.join(taken)}"
    )


def _checked(value: Any) -> Any:
    """The value. Raises `BoundsError` if it is nested too deeply."""
    bounded.check_levels(value)
    return value


def _object(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise status_errors.bad_request("a merge patch of an object is an object")
    return value


# --- deletion ---------------------------------------------------------------------------------------------------------


def delete_options(request: Request) -> tuple[strategy.DeleteOptions, WriteOptions]:
    """The options of a deletion: from the query, overridden by the body."""
    given: dict[str, Any] = {
        name: request.parameter(name)
        for name in ("gracePeriodSeconds", "propagationPolicy", "orphanDependents")
        if name in request.query
    }
    if request.body:
        sent = body(request)
        if not isinstance(sent, Mapping):
            raise status_errors.bad_request("the body of a deletion is a DeleteOptions object")
        given |= sent
    policy = given.get("propagationPolicy") or ""
    if policy not in {"", "Background", "Foreground", "Orphan"}:
        raise status_errors.bad_request(f"propagationPolicy is {policy!r}; Background, Foreground and Orphan exist")
    if "orphanDependents" in given and not policy:
        policy = "Orphan" if given["orphanDependents"] in (True, "true") else "Background"
    conditions = given.get("preconditions") or {}
    if not isinstance(conditions, Mapping):
        raise status_errors.bad_request("preconditions of a deletion are an object with uid and resourceVersion")
    grace = given.get("gracePeriodSeconds")
    how = strategy.DeleteOptions(
        grace=_seconds(grace),
        propagation=policy,
        uid=conditions.get("uid") or "",
        revision=conditions.get("resourceVersion") or "",
    )
    dry_run = _dry_run([*request.query.get("dryRun", []), *(given.get("dryRun") or [])])
    return how, WriteOptions(dry_run=dry_run, warnings=[], user=request.user)


def _seconds(grace: Any) -> int | None:
    """gracePeriodSeconds from a query (text) or a body (a number)."""
    number = int(grace) if isinstance(grace, str) and re.fullmatch(r"-?[0-9]{1,18}", grace) else grace
    if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
        raise status_errors.bad_request(f"gracePeriodSeconds is {str(grace)[:40]!r}; it must be a whole number")
    return number


def delete(api: Api, request: Request, resource: Resource, version: str, namespace: str, name: str) -> Response:
    """DELETE of one object: its last state while something holds it (and for pods), otherwise a Status."""
    how, wanted = delete_options(request)
    record, gone = api.delete(resource, namespace, name, how, wanted)
    if not gone or resource.id == "pods":
        return object_response(api, request, resource, version, record, wanted)
    details = {"name": name, "kind": resource.plural, "uid": record.uid} | (
        {"group": resource.group} if resource.group else {}
    )
    return _success(details)


def _success(details: dict[str, Any]) -> Response:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    return Response(msgspec.json.encode(status))


def delete_collection(api: Api, request: Request, resource: Resource, version: str, namespace: str) -> Response:
    """DELETE of all selected objects."""
    how, wanted = delete_options(request)
    selected = read_handlers.selection(resource, namespace, request)
    collection = api.cache.collection(resource.id)
    records = [record for record in collection if selected.takes(record)]
    for record in records:
        api.delete(resource, record.key.namespace, record.key.name, how, wanted)
    return Response(
        read_handlers.representation(request, resource, version).many(
            records, {"resourceVersion": str(api.cache.revision)}, api.clock()
        )
    )


def current(api: Api, resource: Resource, namespace: str, name: str) -> Object:
    """An object, for a subresource."""
    return decode(api.get(resource, namespace, name))

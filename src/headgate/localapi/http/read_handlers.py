"""GET: one object, a list or a watch; as JSON objects, tables or metadata."""

import base64
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from itertools import islice
from typing import Any

import msgspec

from headgate.api.meta import Key
from headgate.api.selectors import EVERYTHING, Selector, SelectorError, parse_fields, parse_labels
from headgate.localapi.registry import status_errors
from headgate.localapi.registry.api import Api, decode
from headgate.localapi.resources.served import Resource
from headgate.localapi.storage.cache import Event, Record, Watcher

from . import tables
from .messages import Request, Response, StreamingResponse

#: The seconds between two bookmarks.
BOOKMARK_EVERY = 30.0
_INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Selection(msgspec.Struct, frozen=True):
    """The label and field selectors of a request."""

    namespace: str = ""
    labels: Selector = EVERYTHING
    fields: Selector = EVERYTHING

    def takes(self, record: Record) -> bool:
        """Whether the selection matches an object."""
        if self.namespace and record.key.namespace != self.namespace:
            return False
        return self.labels.matches(record.labels) and self.fields.matches(record.fields)


def selection(resource: Resource, namespace: str, request: Request, name: str = "") -> Selection:
    """The selection of a request. Raises BadRequest for an invalid selector."""
    try:
        labels = parse_labels(request.parameter("labelSelector"))
        fields = parse_fields(request.parameter("fieldSelector"))
    except SelectorError as error:
        raise status_errors.bad_request(f"unable to parse the selector: {error}") from None
    known = {"metadata.name", "metadata.namespace", *resource.selectable}
    for requirement in fields.requirements:
        if requirement.key not in known:
            raise status_errors.bad_request(
                f"field label not supported: {requirement.key}; "
                f"{resource.plural} can be selected by {', '.join(sorted(known))}"
            )
    if name:
        fields = Selector((*fields.requirements, *parse_fields(f"metadata.name={name}").requirements))
    return Selection(namespace, labels, fields)


class Representation(msgspec.Struct, frozen=True):
    """The representation of objects in a response: `json`, `table` or `partial`."""

    kind: str
    resource: Resource
    version: str
    include: str = "Metadata"

    def one(self, record: Record, now: float) -> bytes:
        """One object."""
        if self.kind == "json":
            return self.resource.serialized(record, self.version)
        if self.kind == "partial":
            return msgspec.json.encode(tables.partial(decode(record)))
        columns = tables.columns(self.resource, self.version)
        row = tables.row(columns, self._object(record), self.include, now)
        metadata = {"resourceVersion": str(record.revision)}
        return msgspec.json.encode(tables.table(columns, [row], metadata))

    def many(self, records: list[Record], metadata: dict[str, Any], now: float) -> bytes:
        """A list."""
        if self.kind == "table":
            columns = tables.columns(self.resource, self.version)
            rows = [tables.row(columns, self._object(record), self.include, now) for record in records]
            return msgspec.json.encode(tables.table(columns, rows, metadata))
        kind, api_version = f"{self.resource.kind}List", self.resource.api_version(self.version)
        if self.kind == "partial":
            kind, api_version = "PartialObjectMetadataList", tables.META_VERSION
        head = msgspec.json.encode({"kind": kind, "apiVersion": api_version, "metadata": metadata})
        return head[:-1] + b',"items":[' + b",".join(self.one(record, now) for record in records) + b"]}"

    def event(self, type_: str, record: Record, now: float) -> bytes:
        """One line of a watch."""
        return b'{"type":"%s","object":%s}\n' % (type_.encode(), self.one(record, now))

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        """A line with the current revision of the watch."""
        metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial_end:
            metadata["annotations"] = {_INITIAL_EVENTS_END: "true"}
        about: dict[str, Any] = {
            "kind": self.resource.kind,
            "apiVersion": self.resource.api_version(self.version),
            "metadata": metadata,
        }
        if self.kind == "table":
            row = {"cells": [], "object": tables.partial(about)}
            about = tables.table((), [row], {"resourceVersion": str(revision)})
        elif self.kind == "partial":
            about = tables.partial(about)
        return msgspec.json.encode({"type": "BOOKMARK", "object": about}) + b"\n"

    def _object(self, record: Record) -> dict[str, Any]:
        decoded: dict[str, Any] = msgspec.json.decode(self.resource.serialized(record, self.version))
        return decoded


def representation(request: Request, resource: Resource, version: str) -> Representation:
    """The first supported representation in `Accept`; JSON by default."""
    for choice in request.headers.get("accept", "").split(","):
        media, *parameters = (part.strip() for part in choice.split(";"))
        wanted = dict(parameter.partition("=")[::2] for parameter in parameters)
        if media not in {"application/json", "*/*", "application/*"}:
            continue
        match wanted.get("as"):
            case None:
                break
            case "Table" if wanted.get("v") == "v1":
                return Representation("table", resource, version, request.parameter("includeObject", "Metadata"))
            case "PartialObjectMetadata" | "PartialObjectMetadataList" if wanted.get("v") == "v1":
                return Representation("partial", resource, version)
    return Representation("json", resource, version)


def get(api: Api, request: Request, resource: Resource, version: str, namespace: str, name: str) -> Response:
    """One object."""
    record = api.get(resource, namespace, name)
    return Response(representation(request, resource, version).one(record, api.clock()))


# --- lists ------------------------------------------------------------------------------------------------------------


def list_(api: Api, request: Request, resource: Resource, version: str, namespace: str) -> Response:
    """A list, or a page of it.

    Pages read the current state but carry the revision of the first page. A watch from that revision repeats the
    changes since then.
    """
    wanted = selection(resource, namespace, request)
    collection = api.cache.collection(resource.id)
    revision, start = api.cache.revision, Key("", "")
    if token := request.parameter("continue"):
        revision, start = _read_token(token)
    matching = (record for record in collection.after(start, namespace) if wanted.takes(record))
    limit = request.number("limit") or 0
    metadata: dict[str, Any] = {"resourceVersion": str(revision)}
    if limit > 0:
        records = list(islice(matching, limit))
        rest = sum(1 for _ in matching)
        if rest:
            metadata |= {"continue": _token(revision, records[-1].key)}
            if not wanted.labels.requirements and not wanted.fields.requirements:
                metadata["remainingItemCount"] = rest
    else:
        records = list(matching)
    return Response(representation(request, resource, version).many(records, metadata, api.clock()))


def _token(revision: int, last: Key) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([revision, last.namespace, last.name])).decode()


def _read_token(token: str) -> tuple[int, Key]:
    try:
        revision, namespace, name = msgspec.json.decode(base64.urlsafe_b64decode(token), type=tuple[int, str, str])
    except (ValueError, RecursionError):
        raise status_errors.bad_request(
            "continue key is not valid: use the one of the page before, unchanged"
        ) from None
    return revision, Key(namespace, name)


# --- watches ----------------------------------------------------------------------------------------------------------


class Watch(msgspec.Struct, frozen=True):
    """The options of a watch."""

    form: Representation
    selection: Selection
    #: None: begin with all current objects.
    revision: int | None
    bookmarks: bool
    initial_end: bool
    seconds: float

    def lines(self, events: list[Event], now: float) -> Iterator[bytes]:
        """The lines for events. An object that starts or stops to match is ADDED or DELETED."""
        for event in events:
            before = event.previous is not None and self.selection.takes(event.previous)
            after = event.type != "DELETED" and self.selection.takes(event.record)
            if before or after:
                type_ = "MODIFIED" if before and after else "ADDED" if after else "DELETED"
                yield self.form.event(type_, event.record, now)


def watch(
    api: Api, request: Request, resource: Resource, version: str, namespace: str, name: str = ""
) -> StreamingResponse:
    """Changes as they happen, one JSON object per line."""
    revision = request.number("resourceVersion")
    initial = request.flag("sendInitialEvents")
    if initial and (
        request.parameter("resourceVersionMatch") != "NotOlderThan" or not request.flag("allowWatchBookmarks")
    ):
        raise status_errors.bad_request(
            "sendInitialEvents needs resourceVersionMatch=NotOlderThan and allowWatchBookmarks=true"
        )
    seconds = request.number("timeoutSeconds")
    wanted = Watch(
        form=representation(request, resource, version),
        selection=selection(resource, namespace, request, name),
        revision=None if initial or not revision else revision,
        bookmarks=request.flag("allowWatchBookmarks"),
        initial_end=initial,
        seconds=float(seconds) if seconds else random.uniform(1800, 3600),  # noqa: S311 - spreads reconnects
    )
    return StreamingResponse(_follow(api, resource, wanted))


async def _follow(api: Api, resource: Resource, wanted: Watch) -> AsyncGenerator[bytes, None]:
    collection = api.cache.collection(resource.id)
    watcher = collection.watch()
    try:
        first = _first(api, resource, wanted)
        yield first
        if first.startswith(b'{"type":"ERROR"'):
            return
        async for chunk in _rest(api, wanted, watcher):
            yield chunk
    finally:
        collection.unwatch(watcher)


def _first(api: Api, resource: Resource, wanted: Watch) -> bytes:
    """The first events of a watch: all objects, the changes since a revision, or the error that the revision is too
    old.
    """
    collection, now = api.cache.collection(resource.id), api.clock()
    if wanted.revision is None:
        found = collection.after(Key("", ""), wanted.selection.namespace)
        lines = [wanted.form.event("ADDED", record, now) for record in found if wanted.selection.takes(record)]
        if wanted.initial_end:
            lines.append(wanted.form.bookmark(api.cache.revision, initial_end=True))
        return b"".join(lines)
    events = collection.since(wanted.revision) if wanted.revision <= api.cache.revision else None
    if events is None:
        refusal = status_errors.expired(
            f"too old resource version: {wanted.revision} ({collection.floor}); list again and watch from there"
        )
        return msgspec.json.encode({"type": "ERROR", "object": refusal.body()}) + b"\n"
    return b"".join(wanted.lines(events, now))


async def _rest(api: Api, wanted: Watch, watcher: Watcher) -> AsyncIterator[bytes]:
    ends = time.monotonic() + wanted.seconds
    bookmark = time.monotonic() + BOOKMARK_EVERY
    while not watcher.closed and (now := time.monotonic()) < ends:
        await watcher.wait(max(0.0, min(ends, bookmark) - now))
        chunk = b"".join(wanted.lines(watcher.drain(), api.clock()))
        if time.monotonic() >= bookmark:
            bookmark = time.monotonic() + BOOKMARK_EVERY
            if wanted.bookmarks:
                chunk += wanted.form.bookmark(api.cache.revision)
        if chunk:
            yield chunk


def get_or_list(
    api: Api, request: Request, resource: Resource, version: str, namespace: str, name: str
) -> Response | StreamingResponse:
    """The response to a GET on a resource."""
    if request.flag("watch"):
        return watch(api, request, resource, version, namespace, name)
    if name:
        return get(api, request, resource, version, namespace, name)
    return list_(api, request, resource, version, namespace)

"""The ASGI application: who may ask, what a URL means, what is answered when it fails."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from . import discovery, openapi, reading, refusals, subresources, targets, writing
from .api import Api
from .http import (
    Answer,
    Receive,
    Request,
    Scope,
    Send,
    Stream,
    TooLargeError,
    json_answer,
    read_request,
    send_answer,
    send_stream,
)
from .targets import Target

log = structlog.get_logger("headgate.localapi")

_OPEN = frozenset({"/healthz", "/readyz", "/livez", "/version"})


class App:
    """Answers requests. `authenticate` gives the user of a bearer token, or None."""

    def __init__(self, api: Api, authenticate: Callable[[str], str | None], outside: subresources.Outside) -> None:
        self.api = api
        self.outside = outside
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        if scope["type"] != "http":
            return
        try:
            request = await read_request(scope, receive)
        except TooLargeError:
            refusal = refusals.Refusal(413, "RequestEntityTooLarge", "the body is larger than 3 MiB")
            await send_answer(send, json_answer(refusal.status(), refusal.code))
            return
        if request is None:
            return
        answer = await self._answer(request)
        if isinstance(answer, Stream):
            await _until_gone(send_stream(send, answer), receive)
        else:
            await send_answer(send, answer)

    async def _answer(self, request: Request) -> Answer | Stream:
        try:
            return await self._route(msgspec.structs.replace(request, user=self._user(request)))
        except refusals.Refusal as refusal:
            return writing.with_warnings(json_answer(refusal.status(), refusal.code), refusal.warnings)
        except Exception as error:
            log.exception("request failed", method=request.method, path=request.path)
            failure = f"Internal error occurred: {type(error).__name__}: {error}"
            return json_answer(refusals.Refusal(500, "InternalError", failure).status(), 500)

    def _user(self, request: Request) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        user = self._authenticate(token.strip()) if scheme.lower() == "bearer" else None
        if user is None and request.path not in _OPEN:
            raise refusals.Refusal(401, "Unauthorized", "Unauthorized")
        return user or "system:anonymous"

    async def _route(self, request: Request) -> Answer | Stream:
        parts = [part for part in request.path.split("/") if part]
        fixed = self._fixed(request, parts)
        if fixed is not None:
            return fixed
        target = targets.find(self.api.registry, parts)
        if target is None:
            raise refusals.no_such_path()
        if target.subresource not in ("", "status") or target.resource.question:
            return await subresources.answer(self.api, self.outside, request, target, request.user)
        return _on_resource(self.api, request, target)

    def _fixed(self, request: Request, parts: list[str]) -> Answer | None:  # noqa: PLR0911 - one per path
        """Paths that are no resources."""
        registry = self.api.registry
        match parts:
            case ["healthz" | "readyz" | "livez", *_]:
                return Answer(b"ok", content_type="text/plain")
            case ["version"]:
                return discovery.version()
            case ["api"]:
                wanted = discovery.wants_aggregated(request)
                return discovery.aggregated(registry, core=True) if wanted else discovery.core_versions()
            case ["apis"]:
                wanted = discovery.wants_aggregated(request)
                return discovery.aggregated(registry, core=False) if wanted else discovery.groups(registry)
            case ["apis", group]:
                return discovery.group(registry, group)
            case ["openapi", "v3"]:
                return openapi.index(registry)
            case ["openapi", "v3", "api", version]:
                return openapi.document(registry, "", version)
            case ["openapi", "v3", "apis", group, version]:
                return openapi.document(registry, group, version)
            case ["openapi", "v2"] if "protobuf" not in request.headers.get("accept", ""):
                return openapi.version_two(registry)
            case ["api", version]:
                return discovery.resource_list(registry, "", version)
            case ["apis", group, version]:
                return discovery.resource_list(registry, group, version)
            case []:
                return json_answer(
                    {
                        "paths": [
                            "/api",
                            "/apis",
                            "/healthz",
                            "/livez",
                            "/openapi/v2",
                            "/openapi/v3",
                            "/readyz",
                            "/version",
                        ]
                    }
                )
        return None


def _on_resource(api: Api, request: Request, target: Target) -> Answer | Stream:
    """GET, POST, PUT, PATCH and DELETE of objects and collections."""
    where = (api, request, target.resource, target.version, target.namespace)
    one, needs_namespace = target.name, target.resource.namespaced and not target.namespace
    match request.method:
        case "GET" if one and needs_namespace:
            raise refusals.no_such_path()
        case "GET":
            return reading.answer(*where, one)
        case "POST" if not one and not needs_namespace:
            return writing.create(*where)
        case "PUT" if one and not needs_namespace:
            return writing.replace(*where, one, target.subresource)
        case "PATCH" if one and not needs_namespace:
            return writing.patch(*where, one, target.subresource)
        case "DELETE" if one and not needs_namespace and not target.subresource:
            return writing.delete(*where, one)
        case "DELETE" if not one and not needs_namespace:
            return writing.delete_collection(*where)
    raise refusals.method_not_allowed()


async def _until_gone(sending: Awaitable[None], receive: Receive) -> None:
    """Send until the answer ends or the client has gone; a stream to nobody would go on for its whole time."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(sending), asyncio.ensure_future(gone())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

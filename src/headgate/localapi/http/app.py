"""The ASGI application: authentication, routing of requests, errors."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from headgate.localapi.registry import status_errors
from headgate.localapi.registry.api import Api

from . import discovery, openapi, read_handlers, request_info, subresources, write_handlers
from .messages import (
    Receive,
    Request,
    Response,
    Scope,
    Send,
    StreamingResponse,
    TooLargeError,
    json_response,
    read_request,
    send_response,
    send_stream,
)
from .request_info import RequestInfo

log = structlog.get_logger("headgate.localapi")

_OPEN = frozenset({"/healthz", "/readyz", "/livez", "/version"})


class App:
    """Serves requests. `authenticate` returns the user of a bearer token, or None."""

    def __init__(self, api: Api, authenticate: Callable[[str], str | None], outside: subresources.Dependencies) -> None:
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
            refusal = status_errors.too_large("the body is larger than 3 MiB")
            await send_response(send, json_response(refusal.body(), refusal.code))
            return
        if request is None:
            return
        answer = await self._answer(request)
        if isinstance(answer, StreamingResponse):
            await _until_gone(send_stream(send, answer), receive)
        else:
            await send_response(send, answer)

    async def _answer(self, request: Request) -> Response | StreamingResponse:
        try:
            return await self._route(msgspec.structs.replace(request, user=self._user(request)))
        except status_errors.StatusError as refusal:
            return write_handlers.with_warnings(json_response(refusal.body(), refusal.code), refusal.warnings)
        except Exception as error:
            log.exception("request failed", method=request.method, path=request.path)
            failure = f"Internal error occurred: {type(error).__name__}: {error}"
            return json_response(status_errors.StatusError(500, "InternalError", failure).body(), 500)

    def _user(self, request: Request) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        user = self._authenticate(token.strip()) if scheme.lower() == "bearer" else None
        if user is None and request.path not in _OPEN:
            raise status_errors.StatusError(401, "Unauthorized", "Unauthorized")
        return user or "system:anonymous"

    async def _route(self, request: Request) -> Response | StreamingResponse:
        parts = [part for part in request.path.split("/") if part]
        fixed = self._fixed(request, parts)
        if fixed is not None:
            return fixed
        target = request_info.parse(self.api.registry, parts)
        if target is None:
            raise status_errors.no_such_path()
        if target.subresource not in ("", "status") or target.resource.review:
            return await subresources.handle(self.api, self.outside, request, target, request.user)
        return _on_resource(self.api, request, target)

    def _fixed(self, request: Request, parts: list[str]) -> Response | None:  # noqa: PLR0911 - one per path
        """Responses of paths that are not resources."""
        registry = self.api.registry
        match parts:
            case ["healthz" | "readyz" | "livez", *_]:
                return Response(b"ok", content_type="text/plain")
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
                return json_response(
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


def _on_resource(api: Api, request: Request, target: RequestInfo) -> Response | StreamingResponse:
    """GET, POST, PUT, PATCH and DELETE of objects and collections."""
    where = (api, request, target.resource, target.version, target.namespace)
    one, needs_namespace = target.name, target.resource.namespaced and not target.namespace
    match request.method:
        case "GET" if one and needs_namespace:
            raise status_errors.no_such_path()
        case "GET":
            return read_handlers.get_or_list(*where, one)
        case "POST" if not one and not needs_namespace:
            return write_handlers.create(*where)
        case "PUT" if one and not needs_namespace:
            return write_handlers.replace(*where, one, target.subresource)
        case "PATCH" if one and not needs_namespace:
            return write_handlers.patch(*where, one, target.subresource)
        case "DELETE" if one and not needs_namespace and not target.subresource:
            return write_handlers.delete(*where, one)
        case "DELETE" if not one and not needs_namespace:
            return write_handlers.delete_collection(*where)
    raise status_errors.method_not_allowed()


async def _until_gone(sending: Awaitable[None], receive: Receive) -> None:
    """Send until the response ends or the client disconnects. Without this, the server would keep sending a stream
    after the client has gone.
    """

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

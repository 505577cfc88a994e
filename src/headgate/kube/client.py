"""An asynchronous client of any Kubernetes API: bytes in, types out.

Responses are requested uncompressed: compression costs both ends more time than loopback or a data centre network takes
to transfer the bytes.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import aiohttp
import msgspec
import structlog

from headgate.api import codec
from headgate.api.json_outline import outline
from headgate.api.meta import Object

from . import access as accesses
from . import identity
from .access import Access
from .credentials import CredentialError
from .errors import ApiError, UnreachableError, status_error

__all__ = ["ApiError", "Client", "Listing", "Page", "UnreachableError", "selection", "status_error"]

T = TypeVar("T", bound=Object)

_log = structlog.get_logger("headgate.kube.client")

#: Requests in flight at once, without watches; more would only queue in the API server.
CONCURRENCY = 32
#: Objects per page of a list.
PAGE = 500
#: Seconds that an unused connection is kept; kube-apiserver keeps it for 90.
_KEEP_ALIVE = 75.0

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
#: Objects with their metadata only; an API that does not support that returns whole objects.
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """The objects of a collection and the version to watch from."""

    items: tuple[T, ...]
    resource_version: str


class Page(msgspec.Struct, frozen=True):
    """Undecoded objects of a collection; `more` is the continue token, empty on the last page."""

    items: tuple[msgspec.Raw, ...]
    resource_version: str
    more: str


class _ListMeta(msgspec.Struct, frozen=True, rename={"resource_version": "resourceVersion", "more": "continue"}):
    resource_version: str = ""
    more: str = ""


class _List(msgspec.Struct):
    metadata: _ListMeta = _ListMeta()
    items: tuple[msgspec.Raw, ...] | None = None


_list_decoder = msgspec.json.Decoder(_List)


class Client:
    """A connection to one API; an async context manager.

    Connections are opened on demand, kept alive, and shared by all tasks of one event loop.
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self.server = access.server
        self.namespace = access.namespace
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(CONCURRENCY)
        self._served_versions: dict[type[Object], str] = {}
        self._streams: set[aiohttp.StreamReader] = set()

    @classmethod
    def from_kubeconfig(cls, path: str | Path | None = None, *, context: str | None = None) -> Self:
        """A client of the API of a kubeconfig (None: `$KUBECONFIG`, else `~/.kube/config`)."""
        return cls(accesses.from_kubeconfig(path, context))

    @classmethod
    def from_environment(cls, kubeconfig: str | Path | None = None) -> Self:
        """A client of the given kubeconfig, else `$KUBECONFIG`, the pod's service account, or `~/.kube/config`."""
        return cls(accesses.from_environment(kubeconfig))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; watches end with `UnreachableError`."""
        session, self._session = self._session, None
        for stream in self._streams:  # aiohttp closes the sockets without waking the readers
            stream.set_exception(UnreachableError("the client was closed"))
        if session:
            await session.close()

    # ── where a kind is ──────────────────────────────────────────────────────

    def path(self, cls: type[Object], namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The URL path of a collection, an object or a subresource, in the version that this API serves."""
        kind = codec.kind_of(cls)
        path = kind.path(namespace, name, subresource)
        version = self._served_versions.get(cls)
        return path.replace(f"/apis/{kind.api_version}/", f"/apis/{kind.group}/{version}/", 1) if version else path

    def use_version(self, cls: type[Object], version: str) -> None:
        """Use this version of a kind in the paths of all requests from now on.

        Without a call it is the version of `codec`. An API may serve only another one (older releases serve
        ReferenceGrant as v1beta1). The client does not look for it: the watches of a kind do, because they are what
        starts first. `watch.follow` tries the versions after a 404, `served_kinds` reads them from the definition.
        Writes to the kind then use the same version.
        """
        self._served_versions[cls] = version

    # ── bytes ────────────────────────────────────────────────────────────────

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str | None = None,
        accept: str = JSON,
        timeout: float | None = None,
        repeatable: bool | None = None,
    ) -> bytes:
        """Send a request; the bytes of the response.

        Args:
            repeatable: whether the request may be sent again when a kept-alive connection turns out to be closed, which
                a server may do at any moment. None: every method except POST.
            timeout: seconds for the whole request; None: 30.

        Raises:
            ApiError: the API returned an error; or `UnreachableError`.
        """
        again = method != "POST" if repeatable is None else repeatable
        total = aiohttp.ClientTimeout(total=timeout or 30.0, sock_connect=10.0)
        headers = {"Content-Type": content_type or JSON} if body is not None else {}
        async with self._turns:
            for attempt in (1, 2):
                try:
                    async with self._send(method, path, params, body, headers, accept, total) as answer:
                        return await answer.read()
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    if attempt == 2 or not again or not _was_closed(error):
                        raise UnreachableError(f"{method} {self.server}{path}: {_error_text(error)}") from None
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
        idle_timeout: float | None = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """A GET with a streamed response (watch, log): an iterator over its chunks, as they arrive.

        Args:
            idle_timeout: seconds without a byte after which the connection is considered broken; None: never.

        Raises:
            ApiError: the API returned an error; or `UnreachableError`, also while reading.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=idle_timeout)
        try:
            async with self._send("GET", path, params, None, {}, accept, timeout) as answer:
                self._streams.add(answer.content)
                try:
                    yield answer.content.iter_any()
                finally:
                    self._streams.discard(answer.content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(f"GET {self.server}{path}: {_error_text(error)}") from None

    @asynccontextmanager
    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str],
        accept: str,
        timeout: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        session = self._open()
        credentials = self.access.credentials
        for attempt in (1, 2):
            try:
                header = await credentials.authorization()
            except CredentialError as error:
                raise ApiError(401, "Unauthorized", str(error)) from None
            sent = {**headers, "Accept": accept} | ({"Authorization": header} if header else {})
            async with session.request(
                method,
                self.server + path,
                params=params,
                data=body,
                headers=sent,
                timeout=timeout,
                proxy=self.access.proxy,
                server_hostname=self.access.server_name,
            ) as answer:
                if answer.status == 401 and attempt == 1 and await credentials.renew():
                    continue
                if answer.status >= 300:
                    raise status_error(await answer.read(), answer.status)
                yield answer
                return

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self.access.tls or True, limit=0, keepalive_timeout=_KEEP_ALIVE)
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "headgate", "Accept-Encoding": "identity"},
            )
        return self._session

    # ── types ────────────────────────────────────────────────────────────────

    async def get(self, cls: type[T], name: str, namespace: str | None = None) -> T:
        """One object. Raises `ApiError`, `DecodeError`."""
        return codec.decode(cls, await self.request("GET", self.path(cls, namespace, name)))

    async def get_raw(self, cls: type[Object], name: str, namespace: str | None = None) -> dict[str, Any]:
        """One undecoded object, with the fields that our types leave out. Raises `ApiError`, `DecodeError`."""
        return codec.plain(await self.request("GET", self.path(cls, namespace, name)))

    async def pages(
        self,
        cls: type[Object],
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        accept: str = JSON,
    ) -> AsyncIterator[Page]:
        """The pages of a collection.

        Raises:
            ApiError: the API returned an error; 410 when the continue token has expired, so that the list must begin
                again.
        """
        params = selection(label_selector, field_selector) | {"limit": str(PAGE)}
        while True:
            body = await self.request("GET", self.path(cls, namespace), params=params, accept=accept, timeout=60)
            try:
                page = _decoded_list(body)
            except msgspec.DecodeError as error:
                raise ApiError(0, "BadList", f"{self.path(cls, namespace)}: not a list: {error}") from None
            yield Page(page.items or (), page.metadata.resource_version, page.metadata.more)
            if not page.metadata.more:
                return
            params["continue"] = page.metadata.more

    async def list(
        self,
        cls: type[T],
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Listing[T]:
        """All objects of a collection (all namespaces without `namespace`). Raises `ApiError`.

        An object that does not decode is logged and left out.
        """
        items: list[T] = []
        version = ""
        async for page in self.pages(cls, namespace, label_selector=label_selector, field_selector=field_selector):
            for item in page.items:
                try:
                    items.append(codec.decode(cls, item))
                except codec.DecodeError as error:
                    key = identity.read(item).key
                    _log.warning("object does not decode", kind=codec.kind_of(cls).kind, key=str(key), error=str(error))
            version = page.resource_version
        return Listing(tuple(items), version)

    async def create(self, obj: T) -> T:
        """Create an object; the object as the API stored it. Raises `ApiError`, `DecodeError`."""
        # With a name, a second attempt fails with AlreadyExists at worst.
        repeatable = bool(obj.metadata.name)
        path = self.path(type(obj), obj.metadata.namespace or None)
        return codec.decode(type(obj), await self.request("POST", path, body=codec.encode(obj), repeatable=repeatable))

    async def create_raw(self, cls: type[Object], obj: Mapping[str, Any]) -> dict[str, Any]:
        """Create an undecoded object; the object as the API stored it. Raises `ApiError`, `DecodeError`."""
        metadata = obj["metadata"]
        path = self.path(cls, metadata.get("namespace"))
        body = msgspec.json.encode(obj)
        return codec.plain(await self.request("POST", path, body=body, repeatable=bool(metadata.get("name"))))

    async def json_patch(
        self,
        cls: type[Object],
        name: str,
        namespace: str | None,
        operations: Sequence[Mapping[str, Any]],
        *,
        subresource: str = "",
    ) -> dict[str, Any]:
        """Apply a JSON Patch (RFC 6902); the patched object. A failing `test` raises `ApiError` 422 (Invalid)."""
        return await self._patch(cls, name, namespace, operations, subresource, JSON_PATCH)

    async def merge_patch(
        self,
        cls: type[Object],
        name: str,
        namespace: str | None,
        patch: Mapping[str, Any],
        *,
        subresource: str = "",
    ) -> dict[str, Any]:
        """Apply a JSON Merge Patch (RFC 7386); the patched object. It replaces lists as a whole."""
        return await self._patch(cls, name, namespace, patch, subresource, MERGE_PATCH)

    async def _patch(
        self, cls: type[Object], name: str, namespace: str | None, patch: Any, subresource: str, content_type: str
    ) -> dict[str, Any]:
        path = self.path(cls, namespace, name, subresource)
        body = msgspec.json.encode(patch)
        return codec.plain(await self.request("PATCH", path, body=body, content_type=content_type))

    async def delete(
        self,
        cls: type[Object],
        name: str,
        namespace: str | None = None,
        *,
        propagation: str = "Background",
        grace_period: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        """Delete an object, if it still has this `uid` and `resource_version`. Raises `ApiError`."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "gracePeriodSeconds": grace_period,
            "preconditions": {name: value for name, value in preconditions.items() if value} or None,
        }
        body = msgspec.json.encode({name: value for name, value in options.items() if value is not None})
        await self.request("DELETE", self.path(cls, namespace, name), body=body)

    async def served(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """The kinds that this API serves: (group, kind) -> its versions, the preferred one first."""
        from .discovery import served  # noqa: PLC0415 - rarely needed

        return await served(self)


def selection(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    """The query parameters of selectors."""
    selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {name: value for name, value in selectors.items() if value}


def _decoded_list(body: bytes) -> _List:
    """A list with its items undecoded. Raises `msgspec.DecodeError`."""
    try:
        return _list_decoder.decode(body)
    except RecursionError:
        # An item is nested too deeply to be skipped. In the outline of two levels each item is null.
        shallow = outline(body, 2)
        page = _list_decoder.decode(shallow.text)
        if len(page.items or ()) != len(shallow.inner):
            raise msgspec.DecodeError("items that are no objects, beside one that is nested too deeply") from None
        return _List(page.metadata, tuple(msgspec.Raw(item) for item in shallow.inner))


def _was_closed(error: BaseException) -> bool:
    """Whether an established connection was closed, rather than that none could be established."""
    lost = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
    return lost and not isinstance(error, aiohttp.ClientConnectorError)


def _error_text(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return str(error) or type(error).__name__

"""Requests and responses on ASGI, as far as the API needs them."""

import contextlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from headgate.localapi.registry import status_errors

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = "application/json"

_NUMBER = re.compile(r"[0-9]{1,19}")

#: etcd's limit for one object is 1.5 MB and kube-apiserver reads 3 MB at most.
LARGEST_BODY = 3 * 1024 * 1024


class Request(msgspec.Struct, frozen=True):
    """A request with its body. Segments of `path` are unquoted; header names are lower case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes = b""
    #: The user of its token.
    user: str = ""

    def parameter(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.query.get(name, [default])[0]

    def number(self, name: str) -> int | None:
        """A query parameter that is a whole number of 64 bits, not below 0; None if it is absent or empty.

        Raises `StatusError` (400) for any other text.
        """
        text = self.parameter(name)
        if not text:
            return None
        if not _NUMBER.fullmatch(text) or int(text) >= 1 << 63:
            raise status_errors.bad_request(f"{name} is {text[:40]!r}; it must be a whole number, 0 or more")
        return int(text)

    def flag(self, name: str) -> bool:
        """Whether a query parameter is true; `?watch` without a value is."""
        return name in self.query and self.query[name][0].lower() in {"true", "1", "t", ""}

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Response(msgspec.Struct):
    """A response with a complete body."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: list[tuple[str, str]] = []


class StreamingResponse(msgspec.Struct):
    """A response whose body is sent in pieces until the iterator ends or the client disconnects."""

    chunks: AsyncGenerator[bytes, None]
    content_type: str = JSON


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON response."""
    return Response(msgspec.json.encode(value), status)


class TooLargeError(Exception):
    """The body is larger than the limit for objects."""


async def read_request(scope: Scope, receive: Receive) -> Request | None:
    """The request with its body; None if the client disconnected before the body was complete."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise TooLargeError
        if not message.get("more_body"):
            break
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=bytes(body),
    )


async def send_response(send: Send, answer: Response) -> None:
    """Send a complete response."""
    headers = [("content-type", answer.content_type), ("content-length", str(len(answer.body))), *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": answer.body})


async def send_stream(send: Send, stream: StreamingResponse) -> None:
    """Send pieces as they arrive. The first one tells the client that the watch is established."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": _encoded([("content-type", stream.content_type)])}
    )
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    # Closed as soon as the client disconnects, so that no watch is left behind.
    async with contextlib.aclosing(stream.chunks) as chunks:
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]

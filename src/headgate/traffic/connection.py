"""A kept-alive HTTP/1.1 connection that carries one request at a time.

A response ends by its length, by its last chunk, or because it has no body. One that only ends with the connection is
a reset, because it cannot be known whether it is complete.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from headgate.traffic.request import Failure

#: status, headers, body, why there is no response, whether the connection can carry another request
Done = Callable[[int, dict[str, str], bytes, Failure, bool], None]


class Connection(asyncio.Protocol):
    """Sends requests, and calls the `done` of each exactly once."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._done: Done | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    @property
    def usable(self) -> bool:
        """Whether a request can be sent now."""
        return self._done is None and self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, done: Done) -> None:
        """Send a request. Raises RuntimeError unless `usable`."""
        if self._transport is None or self._done is not None:
            raise RuntimeError("the connection is closed or busy")
        self._done = done
        self._parser = httptools.HttpResponseParser(self)
        self._headers = {}
        self._body = []
        self._transport.write(request)

    def give_up(self, failure: Failure) -> None:
        """Close at once; a request in flight ends with this failure."""
        if self._transport is not None:
            self._transport.abort()
        self._finish(0, failure, keep=False)

    def abandon(self) -> None:
        """Close at once and never call `done`."""
        self._done = None
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close the connection gracefully."""
        if self._transport is not None:
            self._transport.close()

    # ── asyncio ──────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called when the connection is established."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass of it

    def data_received(self, data: bytes) -> None:
        """Called with bytes of the response."""
        if self._done is None or self._parser is None:
            self.give_up("protocol")  # a response without a request, e.g. 408 before closing
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.give_up("protocol")

    def connection_lost(self, exc: Exception | None) -> None:
        """Called when the connection is closed, by either end."""
        self._transport = None
        self._finish(0, "reset", keep=False)

    # ── the parser's callbacks ───────────────────────────────────────────────

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of the response."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The end of the response; interim responses (1xx) are skipped."""
        parser = self._parser
        if parser is None:
            return
        status = parser.get_status_code()
        if status < 200:
            self._headers = {}
            return
        keep = bool(parser.should_keep_alive())
        if not keep and self._transport is not None:
            self._transport.close()
        self._finish(status, "", keep=keep)

    def _finish(self, status: int, failure: Failure, *, keep: bool) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(status, self._headers, b"".join(self._body), failure, keep)

"""A client of HTTP/2 without TLS that knows beforehand that it is spoken: many requests on one connection."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

#: Requests that are under way at a time.
_AT_ONCE = 50


@dataclass
class Response:
    """What came back."""

    status: str = ""
    body: str = ""


def asks(address: str, port: int, host: str, path: str, times: int = 1) -> list[Response]:
    """The same GET several times, on one connection; raises TimeoutError after 30 s."""
    return asyncio.run(asyncio.wait_for(_asks(address, port, host, path, times), 30))


async def _asks(address: str, port: int, host: str, path: str, times: int) -> list[Response]:
    reader, writer = await asyncio.open_connection(address, port)
    connection = H2Connection()
    connection.initiate_connection()
    pseudo = [(":method", "GET"), (":scheme", "http"), (":authority", host), (":path", path)]
    found: dict[int, Response] = {}
    under_way: set[int] = set()
    while len(found) < times or under_way:
        while len(found) < times and len(under_way) < _AT_ONCE:
            stream = connection.get_next_available_stream_id()
            connection.send_headers(stream, pseudo, end_stream=True)
            found[stream] = Response()
            under_way.add(stream)
        writer.write(connection.data_to_send())
        received = await reader.read(65536)
        if not received:
            raise ConnectionError(f"closed, with {len(under_way)} requests under way")
        for event in connection.receive_data(received):
            _take(connection, event, found, under_way)
    writer.close()
    return list(found.values())


def _take(connection: H2Connection, event: Any, found: dict[int, Response], under_way: set[int]) -> None:
    match event:
        case ResponseReceived(headers=headers, stream_id=int(stream)):
            found[stream].status = next(_text(value) for name, value in headers or () if _text(name) == ":status")
        case DataReceived(data=data, stream_id=int(stream), flow_controlled_length=length):
            found[stream].body += (data or b"").decode()
            connection.acknowledge_received_data(length or 0, stream)
        case StreamEnded(stream_id=int(stream)):
            under_way.discard(stream)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()

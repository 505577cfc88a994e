"""A backend of the harness that speaks HTTP/2 without TLS (h2c, prior knowledge): it says what it saw, in JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded

#: What a client with prior knowledge says first (RFC 9113, 3.4), as far as its first line goes.
PREFACE = b"PRI * HTTP/2.0\r\n"


async def serve(
    first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Callable[[dict[str, Any]], None]
) -> None:
    """Answer every request on a connection whose `first` bytes are read already; `heard` gets each of them."""
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    requests: dict[int, dict[str, Any]] = {}
    received = first
    while received:
        for event in connection.receive_data(received):
            match event:
                case RequestReceived(headers=headers, stream_id=stream) if headers and stream:
                    requests[stream] = _seen(headers, writer.get_extra_info("sockname")[0])
                case StreamEnded(stream_id=stream) if stream in requests:
                    seen = requests.pop(stream)
                    heard(seen)
                    _answer(connection, stream, json.dumps(seen).encode())
        writer.write(connection.data_to_send())
        await writer.drain()
        received = await reader.read(65536)


def _seen(headers: Any, address: str) -> dict[str, Any]:
    pairs = [(str(name), str(value)) for name, value in headers]
    pseudo = dict(pairs)
    plain = [("host", pseudo[":authority"]), *(pair for pair in pairs if not pair[0].startswith(":"))]
    return {
        "address": address,
        "method": pseudo[":method"],
        "target": pseudo[":path"],
        "headers": plain,
        "protocol": "HTTP/2",
    }


def _answer(connection: H2Connection, stream: int, body: bytes) -> None:
    headers = [(":status", "200"), ("content-type", "application/json"), ("x-echo", "1")]
    connection.send_headers(stream, headers)
    connection.send_data(stream, body, end_stream=True)

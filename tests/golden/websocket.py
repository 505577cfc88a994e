"""A backend of the harness for WebSocket (RFC 6455): it sends its address first, then everything that it receives."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping

_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE = 1, 8


async def serve(
    address: str, headers: Mapping[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """After the upgrade was asked for. Messages are short, each in one frame."""
    proof = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + _SALT).digest())  # noqa: S324
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n")
    writer.write(b"sec-websocket-accept: " + proof + b"\r\n\r\n" + _frame(_TEXT, address.encode()))
    while True:
        first, second = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(await reader.readexactly(second & 0x7F)))
        writer.write(_frame(first & 0xF, body))
        await writer.drain()
        if first & 0xF == _CLOSE:
            return


def _frame(opcode: int, body: bytes) -> bytes:
    return bytes([0x80 | opcode, len(body)]) + body

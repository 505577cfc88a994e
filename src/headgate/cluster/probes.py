"""Readiness of supervised commands: their health endpoints answer 200."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Probe(Protocol):
    """Asks whether a command is ready."""

    async def is_ready(self) -> bool:
        """Whether it is ready now."""
        ...


@dataclass(frozen=True)
class HealthProbe:
    """A command is ready if `GET path` on a port of 127.0.0.1 is answered with 200.

    Args:
        port: the TCP port.
        path: the path of the request.
        tls: use TLS without verifying the certificate: the connection is on loopback and carries no secret.
        file: a file that the command must have written as well.
        timeout: seconds for the request.
    """

    port: int
    path: str = "/readyz"
    tls: bool = False
    file: Path | None = None
    timeout: float = 2.0

    async def is_ready(self) -> bool:
        """Whether the endpoint answers 200 now."""
        if self.file is not None and not self.file.exists():
            return False
        try:
            async with asyncio.timeout(self.timeout):
                return await self._status() == 200
        except (OSError, TimeoutError, ValueError):  # ssl.SSLError is an OSError
            return False

    async def _status(self) -> int:
        context = _without_verification() if self.tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        try:
            writer.write(f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            line = (await reader.readline()).split()
            return int(line[1]) if len(line) > 1 and line[0].startswith(b"HTTP/1.") else 0
        finally:
            writer.close()


def _without_verification() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

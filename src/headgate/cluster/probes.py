"""How the supervisor knows that a command is ready: it answers 200 at its health endpoint."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Probe(Protocol):
    """Asks once whether a command is ready."""

    async def ready(self) -> bool:
        """Whether it is, now."""
        ...


@dataclass(frozen=True)
class HealthProbe:
    """`GET path` answers 200 on a port of 127.0.0.1.

    Args:
        port: the TCP port.
        path: the path to ask for.
        tls: ask over TLS, without looking at the certificate: loopback, and no secret is sent.
        file: a file that must exist as well, for what the command has to have written by then.
    """

    port: int
    path: str = "/readyz"
    tls: bool = False
    file: Path | None = None
    patience: float = 2.0

    async def ready(self) -> bool:
        """Whether it answers 200 now."""
        if self.file is not None and not self.file.exists():
            return False
        try:
            async with asyncio.timeout(self.patience):
                return await self._status() == 200
        except (OSError, TimeoutError, ValueError):  # ssl.SSLError is an OSError
            return False

    async def _status(self) -> int:
        context = _unverified() if self.tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        try:
            writer.write(f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            line = (await reader.readline()).split()
            return int(line[1]) if len(line) > 1 and line[0].startswith(b"HTTP/1.") else 0
        finally:
            writer.close()


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

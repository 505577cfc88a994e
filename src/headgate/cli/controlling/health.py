"""/healthz, /readyz and /metrics of a running command."""

import contextlib
import errno
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from headgate.cli.exits import BadEnvironment


@contextlib.asynccontextmanager
async def serving_health(
    address: str, port: int, unready: Callable[[], str], registry: CollectorRegistry = REGISTRY
) -> AsyncIterator[None]:
    """Serve the three paths while the block runs.

    Args:
        address: where to listen.
        port: the TCP port.
        unready: what the process waits for before it is ready; empty when it is ready.
        registry: the metrics of /metrics.

    Raises:
        BadEnvironment: the port is taken.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_: web.Request) -> web.Response:
        missing = unready()
        return web.Response(text=missing or "ok", status=503 if missing else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=_exposition(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address, port, shutdown_timeout=1.0).start()
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "is taken: choose another with --health-port" if taken else f"cannot be used: {error.strerror}"
            raise BadEnvironment(f"port {port} of {address} {why}") from None
        yield
    finally:
        await runner.cleanup()


def _exposition(registry: CollectorRegistry) -> bytes:
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text

"""The gRPC server that Envoys speak to, over mutual TLS: delta ADS, and their counters on the same port.

Who an Envoy is its certificate says, never `node.id`: a stream gets the resources of that Gateway and nothing else.
Nothing is answered before `open`, so an empty world never answers with removals, nor to a Gateway for which nothing is
desired yet.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # nothing here forks, and its handlers have hung children

import grpc
import structlog

from headgate import pki
from headgate.api.meta import Key
from headgate.envoy import discovery, otlp
from headgate.envoy.bootstrap import NODE_HEADER

from .ads_stream import GRACE, AdsStream
from .desired import Update
from .facts import Fact
from .gateway_state import GatewayState

_log = structlog.get_logger(__name__)

_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", 64 << 20),
    # Two servers on one port would share its connections silently.
    ("grpc.so_reuseport", 0),
    # Envoys ask every 10 s whether we are alive (see the bootstrap); an Envoy that is gone is noticed as fast.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)


class XdsServer:
    """Brings updates to Envoys, and what Envoys say to `on_fact` and `on_metrics`. All on one event loop.

    `on_metrics` gets the Gateway, the Envoy's name and an OTLP message (see `headgate.envoy.otlp`).
    """

    def __init__(
        self,
        address: str,
        port: int,
        certified: pki.Certified,
        *,
        on_fact: Callable[[Fact], None],
        on_metrics: Callable[[Key, str, bytes], None],
        grace: float = GRACE,
    ) -> None:
        self.port = port
        self._address = address
        self._certificate = _server_certificate(certified)
        self._renewed = False
        self._on_fact = on_fact
        self._on_metrics = on_metrics
        self._grace = grace
        self._opened = asyncio.Event()
        self._gateways: dict[Key, GatewayState] = {}
        self._streams: dict[AdsStream, asyncio.Event] = {}
        self._first_update: dict[Key, asyncio.Event] = {}
        self._server: Any = None

    # ── life ─────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Bind and listen; port 0 takes a free one (`port` says which). Raises OSError when the address is taken."""
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    discovery.SERVICE, {discovery.METHOD: grpc.stream_stream_rpc_method_handler(self._stream)}
                ),
                grpc.method_handlers_generic_handler(
                    otlp.SERVICE, {otlp.METHOD: grpc.unary_unary_rpc_method_handler(self._export)}
                ),
            )
        )
        credentials = grpc.dynamic_ssl_server_credentials(self._certificate, self._current_certificate, True)
        try:
            self.port = server.add_secure_port(f"{self._address}:{self.port}", credentials)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._address}:{self.port} for Envoys: {error}") from None
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """End all streams; Envoys serve on with what they have."""
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    def open(self) -> None:
        """The first complete pass is in: from now on Envoys are answered."""
        self._opened.set()

    def renew(self, certified: pki.Certified) -> None:
        """Show another certificate to, and trust these authorities of, whoever connects from now on."""
        self._certificate, self._renewed = _server_certificate(certified), True

    # ── what is desired ──────────────────────────────────────────────────────

    def update(self, gateway: Key, update: Update) -> None:
        """Change what a Gateway's Envoys should have. Costs as much as what changes."""
        state = self._gateway(gateway)
        state.update(update)
        self._first_update[gateway].set()
        for proxy in state.streams:
            self._streams[proxy].set()

    def drop(self, gateway: Key) -> None:
        """A Gateway is gone: its streams end, and its Envoys are answered nothing more."""
        state = self._gateways.pop(gateway, None)
        if (waiting := self._first_update.pop(gateway, None)) is not None:
            waiting.set()
        for proxy in state.streams if state is not None else ():
            self._streams[proxy].set()

    def connected(self, gateway: Key) -> tuple[str, ...]:
        """The Envoys of a Gateway that have a stream, by name."""
        state = self._gateways.get(gateway)
        return tuple(sorted(set(state.streams.values()))) if state is not None else ()

    def _gateway(self, key: Key) -> GatewayState:
        state = self._gateways.get(key)
        if state is None:
            state = self._gateways[key] = GatewayState(key, grace=self._grace)
            self._first_update[key] = asyncio.Event()
        return state

    # ── streams ──────────────────────────────────────────────────────────────

    async def _stream(self, requests: AsyncIterator[bytes], context: Any) -> None:
        key = await self._authenticate(context)
        first = await _first(requests)
        if first is None:
            return
        gateway = self._gateway(key)
        proxy = gateway.connect(first.node_id, reconnecting=bool(first.initial_versions))
        woken = self._streams[proxy] = asyncio.Event()
        reader: asyncio.Task[None] | None = None
        log = _log.bind(gateway=str(key), envoy=first.node_id)
        log.info("envoy connected", peer=context.peer())
        try:
            self._report(gateway.on_connect(proxy, dict(first.metadata)))
            await self._opened.wait()
            await self._first_update[key].wait()
            proxy.on_request(first)
            reader = asyncio.create_task(self._read(requests, proxy, woken))
            await self._write_responses(gateway, proxy, woken, reader, context)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        finally:
            if reader is not None:
                reader.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await reader
            del self._streams[proxy]
            self._report(gateway.disconnect(proxy))
            log.info("envoy disconnected")

    async def _read(self, requests: AsyncIterator[bytes], proxy: AdsStream, woken: asyncio.Event) -> None:
        try:
            async for body in requests:
                proxy.on_request(discovery.read_request(body))
                woken.set()
        finally:
            woken.set()

    async def _write_responses(
        self, gateway: GatewayState, proxy: AdsStream, woken: asyncio.Event, reader: asyncio.Task[None], context: Any
    ) -> None:
        while self._gateways.get(gateway.key) is gateway:
            woken.clear()
            for body in proxy.pending_responses(time.monotonic()):
                await context.write(body)
            self._report(gateway.report(proxy))
            if reader.done():
                reader.result()
                return
            rest = None if proxy.wake_at is None else max(0.0, proxy.wake_at - time.monotonic())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await woken.wait()

    async def _export(self, body: bytes, context: Any) -> bytes:
        key = await self._authenticate(context)
        metadata = {each[0]: each[1] for each in context.invocation_metadata()}
        self._on_metrics(key, str(metadata.get(NODE_HEADER, "")), body)
        return b""

    async def _authenticate(self, context: Any) -> Key:
        """The Gateway of the peer's certificate, which TLS has checked; anybody else is sent away."""
        certificates = context.auth_context().get("x509_pem_cert", [])
        key = pki.gateway_of(bytes(certificates[0])) if certificates else None
        if key is None:
            _log.warning("a stranger was refused", peer=context.peer())
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "this certificate is not that of a Gateway's Envoy")
            raise AssertionError("abort returns never")
        return key

    def _report(self, facts: list[Fact]) -> None:
        for fact in facts:
            self._on_fact(fact)

    def _current_certificate(self) -> Any:
        """Called by gRPC at each handshake, on a thread of its own; None keeps what it has."""
        if not self._renewed:
            return None
        self._renewed = False
        return self._certificate


async def _first(requests: AsyncIterator[bytes]) -> discovery.Request | None:
    async for body in requests:
        return discovery.read_request(body)
    return None


def _server_certificate(certified: pki.Certified) -> Any:
    return grpc.ssl_server_certificate_configuration(
        [(certified.key, certified.certificate)], root_certificates=certified.authority
    )

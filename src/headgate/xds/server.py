"""The gRPC server of the Envoys, over mutual TLS: delta ADS, and OTLP metrics on the same port.

The client certificate names the Gateway of an Envoy, `node.id` does not: a stream gets the resources of that Gateway
and no others. No request is answered before `open`, so a controller that has not listed its objects never removes
resources; and none of a Gateway that has had no `update` yet.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

# gRPC reads this variable once, while it is imported, and has no other switch. Its fork handlers run in every child
# process that this one starts (exec credential plugins), where they have hung. No forked child of ours uses gRPC, so
# they are not needed; a value that the user sets wins.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import grpc
import structlog

from headgate import pki
from headgate.api.meta import Key
from headgate.envoy import discovery, otlp
from headgate.envoy.bootstrap import NODE_HEADER

from .ads_stream import AdsStream
from .cluster_removals import GRACE
from .desired import Update
from .facts import Fact
from .gateway_state import GatewayState

_log = structlog.get_logger(__name__)

_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", 64 << 20),
    # Two servers on one port would share its connections silently.
    ("grpc.so_reuseport", 0),
    # Envoys send a keepalive ping every 10 s (see the bootstrap). The server sends its own, so that it notices an Envoy
    # that is gone after 20 s.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)


class XdsServer:
    """Sends updates to Envoys. Everything runs on one event loop.

    Args:
        address: where to listen.
        port: 0 takes a free one.
        certified: the certificate of the server, and the CA certificates that clients are verified with.
        on_fact: called with each fact about an Envoy.
        on_metrics: called with the Gateway, the node id and the OTLP message of each export (`headgate.envoy.otlp`).
        grace: seconds that a cluster outlives the last route to it.
    """

    def __init__(
        self,
        address: str,
        port: int,
        certified: pki.IssuedCertificate,
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
        self._wake_events: dict[AdsStream, asyncio.Event] = {}
        self._first_update: dict[Key, asyncio.Event] = {}
        self._server: Any = None

    # ── life ─────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Bind and listen; `port` is then the port that was bound. Raises OSError when the address is in use."""
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
        """End all streams; Envoys continue with the resources that they have."""
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    def open(self) -> None:
        """Answer Envoys from now on: the first complete pass of the controllers has been applied."""
        self._opened.set()

    def renew(self, certified: pki.IssuedCertificate) -> None:
        """Use another server certificate, and other CA certificates, for connections made from now on."""
        self._certificate, self._renewed = _server_certificate(certified), True

    # ── what is desired ──────────────────────────────────────────────────────

    def update(self, gateway: Key, update: Update) -> None:
        """Change the resources of a Gateway's Envoys. The cost is proportional to the change."""
        state = self._gateway(gateway)
        state.update(update)
        self._first_update[gateway].set()
        for stream in state.streams:
            self._wake_events[stream].set()

    def drop(self, gateway: Key) -> None:
        """Remove a Gateway: its streams end, and later streams of its Envoys are not answered."""
        state = self._gateways.pop(gateway, None)
        if (updated := self._first_update.pop(gateway, None)) is not None:
            updated.set()
        for stream in state.streams if state is not None else ():
            self._wake_events[stream].set()

    def connected(self, gateway: Key) -> tuple[str, ...]:
        """The node ids of a Gateway's Envoys that have a stream."""
        state = self._gateways.get(gateway)
        return tuple(sorted(set(state.streams.values()))) if state is not None else ()

    def _gateway(self, key: Key) -> GatewayState:
        """The state of a Gateway; one that is not known yet is made, and waits for its first update."""
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
        gateway, updated = self._gateway(key), self._first_update[key]
        stream = gateway.connect(first.node_id, reconnecting=bool(first.initial_versions))
        woken = self._wake_events[stream] = asyncio.Event()
        reader: asyncio.Task[None] | None = None
        log = _log.bind(gateway=str(key), envoy=first.node_id)
        log.info("envoy connected", peer=context.peer())
        try:
            self._report(gateway.on_connect(stream, dict(first.metadata)))
            await self._opened.wait()
            await updated.wait()
            stream.on_request(first)
            reader = asyncio.create_task(self._read(requests, stream, woken))
            await self._write_responses(gateway, stream, woken, reader, context)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        finally:
            if reader is not None:
                reader.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await reader
            del self._wake_events[stream]
            self._report(gateway.disconnect(stream))
            log.info("envoy disconnected")

    async def _read(self, requests: AsyncIterator[bytes], stream: AdsStream, woken: asyncio.Event) -> None:
        try:
            async for body in requests:
                stream.on_request(discovery.read_request(body))
                woken.set()
        finally:
            woken.set()

    async def _write_responses(
        self, gateway: GatewayState, stream: AdsStream, woken: asyncio.Event, reader: asyncio.Task[None], context: Any
    ) -> None:
        while self._gateways.get(gateway.key) is gateway:
            woken.clear()
            for body in stream.pending_responses(time.monotonic()):
                await context.write(body)
            self._report(gateway.report(stream))
            if reader.done():
                reader.result()
                return
            remaining = None if stream.wake_at is None else max(0.0, stream.wake_at - time.monotonic())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await woken.wait()

    async def _export(self, body: bytes, context: Any) -> bytes:
        key = await self._authenticate(context)
        metadata = {entry[0]: entry[1] for entry in context.invocation_metadata()}
        self._on_metrics(key, str(metadata.get(NODE_HEADER, "")), body)
        return b""

    async def _authenticate(self, context: Any) -> Key:
        """The Gateway of the peer's certificate, which TLS has verified; aborts the call if it names none."""
        certificates = context.auth_context().get("x509_pem_cert", [])
        key = pki.gateway_of(bytes(certificates[0])) if certificates else None
        if key is None:
            _log.warning("rejected xDS client: not a Gateway's Envoy certificate", peer=context.peer())
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "the client certificate is not of a Gateway's Envoy")
            raise AssertionError("abort raises")
        return key

    def _report(self, facts: list[Fact]) -> None:
        for fact in facts:
            self._on_fact(fact)

    def _current_certificate(self) -> Any:
        """Called by gRPC at each handshake, on another thread; None keeps the certificate that it has."""
        if not self._renewed:
            return None
        self._renewed = False
        return self._certificate


async def _first(requests: AsyncIterator[bytes]) -> discovery.DiscoveryRequest | None:
    async for body in requests:
        return discovery.read_request(body)
    return None


def _server_certificate(certified: pki.IssuedCertificate) -> Any:
    return grpc.ssl_server_certificate_configuration(
        [(certified.key, certified.certificate)], root_certificates=certified.ca_certificates
    )

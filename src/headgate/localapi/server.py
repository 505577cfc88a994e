"""The API as a process: data folder, certificates, tokens, kubeconfig, start and stop."""

import asyncio
import contextlib
import errno
import gc
import ipaddress
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvicorn
import yaml

from headgate.localapi.admission.policies import AdmissionPolicies
from headgate.localapi.http.app import App
from headgate.localapi.http.subresources import Dependencies
from headgate.localapi.registry.api import Api
from headgate.localapi.resources.kinds.services import NETWORK, Addresses
from headgate.localapi.resources.served import Registry
from headgate.localapi.storage.store import Store

from . import maintenance
from .data_folder import DataFolder, StartError, write_secret
from .garbage_collector import GarbageCollector
from .resources import builtin, bundled, custom, definitions
from .tokens import Tokens

log = structlog.get_logger("headgate.localapi")


class Settings(msgspec.Struct, frozen=True):
    """The data folder and the address of an API."""

    data: Path
    address: str = "127.0.0.1"
    port: int = 0
    kubeconfig: Path | None = None
    #: The network of the ClusterIPs.
    services: ipaddress.IPv4Network = NETWORK
    #: The initial definitions, see `bundled.select`.
    crds: str = ""


def listen(address: str, port: int) -> socket.socket:
    """A listening socket on a loopback address. Raises `StartError`."""
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        raise StartError(f"--address {address} is no IP address; 127.0.0.1 is one that works") from None
    if not loopback:
        raise StartError(f"--address {address} is not a loopback address; this API is for one machine only")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((address, port))
        found.listen(1024)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"port {port} of {address} is taken; choose another one with --port, or 0 for any"
            ) from None
        raise StartError(f"cannot listen on {address}:{port}: {error.strerror}") from None
    return found


def kubeconfig(server: str, authority: bytes, token: str) -> str:
    """A kubeconfig with one cluster, one user, one context."""
    name = "headgate"
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": name, "cluster": {"server": server, "certificate-authority-data": _base64(authority)}}
            ],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
            "current-context": name,
        },
        sort_keys=False,
    )


def _base64(raw: bytes) -> str:
    import base64  # noqa: PLC0415

    return base64.b64encode(raw).decode()


class RunningApi(msgspec.Struct, frozen=True):
    """A running API."""

    url: str
    api: Api


@contextlib.asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[RunningApi]:
    """Run an API during the block. Raises `StartError`."""
    folder = DataFolder(settings.data)
    listener = listen(settings.address, settings.port)
    with contextlib.ExitStack() as undo:
        undo.callback(listener.close)
        store = _open_store(settings.data / "objects.sqlite")
        undo.callback(store.close)
        now = time.time()
        authority, token = folder.authority(now), folder.token()
        certificate, key = folder.certificate(authority, settings.address, now)
        try:
            api = open_api(store, settings.services, crds=settings.crds)
        except bundled.BundleError as error:
            raise StartError(f"--crds {settings.crds}: {error}") from None
        tokens = Tokens(token, folder.signing_key(), api.clock)
        app = App(api, tokens.user, Dependencies(tokens))
        host = f"[{settings.address}]" if ":" in settings.address else settings.address
        url = f"https://{host}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            http="httptools",
            loop="none",
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=75,
        )
        # The library logs every expression without a value; the client gets that error in the response.
        logging.getLogger("cel").setLevel(logging.ERROR)
        gc.collect()
        gc.freeze()
        async with _uvicorn(config, listener, api), _background(GarbageCollector(api).run(), maintenance.run(api)):
            if settings.kubeconfig is not None:
                settings.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
                write_secret(settings.kubeconfig, kubeconfig(url, authority.certificates, token).encode())
            log.info("kubernetes api", url=url, data=str(settings.data), revision=api.cache.revision)
            yield RunningApi(url, api)


def open_api(
    store: Store,
    services: ipaddress.IPv4Network = NETWORK,
    clock: Callable[[], float] = time.time,
    crds: str = "",
) -> Api:
    """The API over a store, with the initial definitions and every definition that is stored.

    Raises `BundleError` for definitions that cannot be served, see `bundled`.
    """

    def taken() -> set[str]:
        return {record.fields["spec.clusterIP"] for record in api.cache.collection("services")}

    addresses = Addresses(services, taken)
    registry = Registry([*builtin.resources(addresses), definitions.resource(), *custom.stored(store.rows())])
    api = Api(store, registry, clock)
    api.written.append(custom.follow(api))
    api.admission = AdmissionPolicies(api.cache, registry).review
    bundled.install(api, bundled.select(crds))
    api.written.append(maintenance.ensure_default_accounts(api))
    return api


def _open_store(path: Path) -> Store:
    import sqlite3  # noqa: PLC0415

    try:
        return Store(path)
    except sqlite3.OperationalError as error:
        raise StartError(f"{path} cannot be opened ({error}); does another API use this folder?") from None


class _ServerWithoutSignals(uvicorn.Server):
    """uvicorn without signal handlers: the caller decides when it stops."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Installs no handlers."""
        yield


@contextlib.asynccontextmanager
async def _uvicorn(config: uvicorn.Config, listener: socket.socket, api: Api) -> AsyncIterator[None]:
    server = _ServerWithoutSignals(config)
    running = asyncio.create_task(server.serve([listener]))
    try:
        while not server.started:
            if running.done():
                running.result()
                raise StartError("the HTTP server did not start")
            await asyncio.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        api.cache.close()
        await running


@contextlib.asynccontextmanager
async def _background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def run(settings: Settings) -> None:
    """Serve until cancelled."""
    async with serve(settings):
        await asyncio.Event().wait()

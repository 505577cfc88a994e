"""The controller as a process: gateways and rollouts beside each other, one Lease, one health endpoint."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog
from prometheus_client import REGISTRY

from headgate.api.core import Namespace
from headgate.api.delivery import AlertProvider, Canary, MetricTemplate
from headgate.api.meta import ObjectMeta
from headgate.cli.controlling.health import serving_health
from headgate.cli.controlling.leading import Always, ByLease
from headgate.cli.exits import BadEnvironment
from headgate.controllers import rollout
from headgate.controllers.gateways import GatewayController, gateway_api_kinds
from headgate.controllers.gateways import Settings as GatewaySettings
from headgate.controllers.telemetry import TelemetryStore
from headgate.kube.client import ApiError, Client
from headgate.kube.served_kinds import ServedKinds
from headgate.rollout.settings import Settings as RolloutSettings

_log = structlog.get_logger("headgate.controller")


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for. `gateways` and `rollouts` are None when they are switched off."""

    gateways: GatewaySettings | None
    rollouts: RolloutSettings | None
    namespace: str
    lease: bool
    pod: str
    health_address: str
    health_port: int


@dataclass
class _Readiness:
    """What has to happen before the process is ready."""

    waits_for: dict[str, asyncio.Event] = field(default_factory=dict)

    def missing(self) -> str:
        names = [name for name, event in self.waits_for.items() if not event.is_set()]
        return f"waiting for {', '.join(names)}" if names else ""


async def run(client: Client, wishes: Wishes) -> None:
    """Control until cancelled.

    Raises:
        BadEnvironment: a port is taken, the API is not there or refuses.
        Failed: another replica took the Lease.
    """
    try:
        await _own_namespace(client, wishes.namespace)
    except ApiError as error:
        raise BadEnvironment(f"the API at {client.server} does not serve us: {error}") from None
    readiness = _Readiness()
    leading = _leading(client, wishes)
    async with serving_health(wishes.health_address, wishes.health_port, readiness.missing):
        work = _Work(client, wishes, leading, readiness)
        await _first_error(work.parts())


def _leading(client: Client, wishes: Wishes) -> Always | ByLease:
    if not wishes.lease:
        return Always()
    identity = f"{wishes.pod or os.uname().nodename}_{secrets.token_hex(4)}"
    return ByLease(client, wishes.namespace, identity, wishes.pod)


async def _own_namespace(client: Client, name: str) -> None:
    """The namespace of the Lease and of the authority; made where nobody (Helm does) made it."""
    try:
        await client.get(Namespace, name)
    except ApiError as error:
        if error.status != 404:
            raise
        with contextlib.suppress(_AlreadyThere):
            await _create(client, Namespace(metadata=ObjectMeta(name=name)))


class _AlreadyThere(Exception):  # noqa: N818 - not an error: somebody was faster
    pass


async def _create(client: Client, namespace: Namespace) -> None:
    try:
        await client.create(namespace)
    except ApiError as error:
        if error.reason == "AlreadyExists":
            raise _AlreadyThere from None
        raise


class _Work:
    """The parts of the process, each a coroutine that ends only with an error."""

    def __init__(self, client: Client, wishes: Wishes, leading: Always | ByLease, readiness: _Readiness) -> None:
        self._client = client
        self._wishes = wishes
        self._leading = leading
        self._readiness = readiness
        self._controller: GatewayController | None = None
        self._leads = False
        self._counters = TelemetryStore()
        self._defined = ServedKinds(client, (*gateway_api_kinds(), Canary, MetricTemplate, AlertProvider))

    def parts(self) -> list[Coroutine[Any, Any, None]]:
        parts = [self._leading.work(self._on_leading), self._defined.run()]
        if self._wishes.gateways is not None:
            self._readiness.waits_for["gateways"] = asyncio.Event()
            parts.append(self._gateways(self._wishes.gateways))
        if self._wishes.rollouts is not None:
            self._readiness.waits_for["rollouts"] = asyncio.Event()
            parts.append(self._rollouts(self._wishes.rollouts))
        return parts

    def _on_leading(self) -> None:
        self._leads = True
        if self._controller is not None:
            self._controller.on_leading()

    def _is_leader(self) -> bool:
        return self._leads and self._leading.holding

    async def _gateways(self, settings: GatewaySettings) -> None:
        try:
            controller = await GatewayController.create(
                self._client,
                settings,
                counters=self._counters,
                defined=self._defined,
                is_leader=self._is_leader,
            )
            self._controller = controller
            self._readiness.waits_for["gateways"] = controller.ready
            await controller.run()
        except OSError as error:
            raise BadEnvironment(
                f"the xDS port {settings.xds_port} of {settings.xds_address} cannot be used ({error}): choose another "
                "with --xds-port"
            ) from None
        except ApiError as error:
            raise BadEnvironment(f"the API at {self._client.server} does not serve us: {error}") from None

    async def _rollouts(self, settings: RolloutSettings) -> None:
        await rollout.run(
            self._client,
            metrics=self._counters if self._wishes.gateways is not None else None,
            settings=settings,
            holding=self._is_leader,
            registry=REGISTRY,
            synced=self._readiness.waits_for["rollouts"].set,
            defined=self._defined,
        )


async def _first_error(parts: list[Coroutine[Any, Any, None]]) -> None:
    """All parts beside each other; the first that ends with an error ends the others, and its error is ours."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for part in parts:
                tasks.create_task(part)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None

"""The controller as a process: gateways and rollouts beside each other, one Lease, one health endpoint."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import REGISTRY

from headgate.api.core import Namespace
from headgate.api.delivery import AlertProvider, Canary, MetricTemplate
from headgate.api.meta import ObjectMeta
from headgate.cli.controlling.health import serving_health
from headgate.cli.controlling.leader_election import Leadership, SoleReplica
from headgate.cli.exits import BadEnvironment
from headgate.controllers import rollout
from headgate.controllers.gateways import GatewayController, gateway_api_kinds
from headgate.controllers.gateways import Settings as GatewaySettings
from headgate.controllers.telemetry import TelemetryStore
from headgate.kube.client import ApiError, Client
from headgate.kube.served_kinds import ServedKinds
from headgate.rollout.settings import Settings as RolloutSettings


@dataclass(frozen=True)
class Options:
    """Options from the command line. `gateways` and `rollouts` are None when they are switched off."""

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


async def run(client: Client, options: Options) -> None:
    """Run the controllers until cancelled.

    Raises:
        BadEnvironment: a port is taken, or the API server cannot be reached or refuses.
        Failed: another replica took the Lease.
    """
    async with _refusals(client):
        await _ensure_namespace(client, options.namespace)
    readiness = _Readiness()
    leadership = _leadership(client, options)
    telemetry = TelemetryStore()
    served_kinds = ServedKinds(client, (*gateway_api_kinds(), Canary, MetricTemplate, AlertProvider))
    async with serving_health(options.health_address, options.health_port, readiness.missing):
        parts: list[Coroutine[Any, Any, None]] = []
        on_started_leading = _nothing
        if options.rollouts is not None:
            synced = readiness.waits_for["rollouts"] = asyncio.Event()
        if options.gateways is not None:
            readiness.waits_for["gateways"] = asyncio.Event()
            async with _refusals(client):
                controller = await GatewayController.create(
                    client,
                    options.gateways,
                    telemetry=telemetry,
                    served_kinds=served_kinds,
                    is_leader=leadership.is_leader,
                )
            readiness.waits_for["gateways"] = controller.ready
            on_started_leading = controller.on_started_leading
            parts.append(_gateways(controller, client, options.gateways))
        if options.rollouts is not None:
            parts.append(
                rollout.run(
                    client,
                    metrics=telemetry if options.gateways is not None else None,
                    settings=options.rollouts,
                    holding=leadership.is_leader,
                    registry=REGISTRY,
                    synced=synced.set,
                    defined=served_kinds,
                )
            )
        await _until_one_fails([leadership.run(on_started_leading), served_kinds.run(), *parts])


def _nothing() -> None:
    """Without the gateway controller, nothing is to be done when this replica begins to lead."""


def _leadership(client: Client, options: Options) -> Leadership | SoleReplica:
    if not options.lease:
        return SoleReplica()
    identity = f"{options.pod or os.uname().nodename}_{secrets.token_hex(4)}"
    return Leadership(client, options.namespace, identity, options.pod)


async def _gateways(controller: GatewayController, client: Client, settings: GatewaySettings) -> None:
    async with _refusals(client):
        try:
            await controller.run()
        except OSError as error:
            raise BadEnvironment(
                f"the xDS port {settings.xds_port} of {settings.xds_address} cannot be used ({error}): choose another "
                "with --xds-port"
            ) from None


@contextlib.asynccontextmanager
async def _refusals(client: Client) -> AsyncIterator[None]:
    """Errors of the API server as errors for the user."""
    try:
        yield
    except ApiError as error:
        raise BadEnvironment(f"the API server at {client.server} refuses: {error}") from None


async def _ensure_namespace(client: Client, name: str) -> None:
    """Create the namespace of the Lease and of the CA if it does not exist (Helm creates it)."""
    try:
        await client.get(Namespace, name)
    except ApiError as error:
        if error.status != 404:
            raise
        try:
            await client.create(Namespace(metadata=ObjectMeta(name=name)))
        except ApiError as refused:
            if refused.reason != "AlreadyExists":  # another replica may have created it
                raise


async def _until_one_fails(parts: list[Coroutine[Any, Any, None]]) -> None:
    """Run all parts beside each other. The first error ends the others, and is raised."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for part in parts:
                tasks.create_task(part)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None

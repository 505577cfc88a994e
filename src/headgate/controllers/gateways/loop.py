"""The loop of the gateway controller: Kubernetes in, Envoys and statuses out.

    watches ──▶ world ──▶ one pass ──▶ xDS server
                  ▲          └───────▶ queues: statuses, fleets, pod selections ──▶ Kubernetes
                  └── facts and bindings of Envoys ◀── xDS server

A pass runs when a batch of watch events arrives, in the same turn of the event loop. Writes to the API server go
through queues beside it. Everything runs in one thread, so there are no locks.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

import structlog

from headgate import fleet
from headgate.api import gateway, gateway_x
from headgate.api.meta import Key, Object
from headgate.controllers.telemetry import TelemetryStore
from headgate.kube.client import Client
from headgate.kube.served_kinds import ServedKinds
from headgate.world import Settings as WorldSettings
from headgate.world import facts
from headgate.world.fleets import binding_from, current_binding
from headgate.world.objects import KIND_OF, KINDS
from headgate.xds.facts import Connected, Fact, Outcome
from headgate.xds.server import XdsServer

from . import memory
from .fleets import FleetReconciler
from .identity import XdsIdentity
from .pipeline import Pipeline
from .pod_selections import PodSelectionReconciler
from .statuses import StatusWriter
from .watches import WorldWatches

_log = structlog.get_logger("headgate.controllers.gateways")

#: Seconds after the first pass until memory that only the start needed is returned to the system.
SETTLE = 5.0
#: Seconds between two looks at the certificate of the xDS server.
CERTIFICATE_CHECK = 3600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings from the command line.

    `namespace` is the controller's own. The xDS server listens on `xds_address` and `xds_port`; Envoys connect to
    `advertise` (`HOST:PORT`; empty: the controller's Service).
    """

    namespace: str = "headgate-system"
    controller_names: tuple[str, ...] = ("headgate.dev/gateway-controller",)
    xds_address: str = "127.0.0.1"
    xds_port: int = 18000
    advertise: str = ""
    envoy_image: str = fleet.ENVOY_IMAGE

    @property
    def fleet(self) -> fleet.Settings:
        """What the Envoys of all Gateways have in common."""
        advertise = self.advertise or f"headgate.{self.namespace}.svc:{self.xds_port}"
        return fleet.Settings(xds_address=advertise, image=self.envoy_image)


class GatewayController:
    """The controller; the module's docstring has the parts. `ready` is set after the first complete pass.

    Args:
        identity: the CA and the certificate of the xDS server.
        telemetry: takes what Envoys report.
        served_kinds: which kinds the API server serves; the caller runs it.
        is_leader: whether this replica holds the Lease, or needs none. Other replicas watch; they neither write nor
            answer Envoys.
    """

    def __init__(
        self,
        client: Client,
        settings: Settings,
        identity: XdsIdentity,
        *,
        telemetry: TelemetryStore,
        served_kinds: ServedKinds,
        is_leader: Callable[[], bool],
    ) -> None:
        self.ready = asyncio.Event()
        self._identity = identity
        self._telemetry = telemetry
        self._is_leader = is_leader
        self._server = XdsServer(
            settings.xds_address,
            settings.xds_port,
            identity.certificate,
            on_fact=self._on_fact,
            on_metrics=telemetry.add_report,
        )
        names = settings.controller_names
        self._pipeline = Pipeline(WorldSettings(controller_names=names), self._server.update, self._drop)
        world, outputs = self._pipeline.world, self._pipeline.outputs
        self._statuses = StatusWriter(client, world, outputs, names, is_leader, served_kinds)
        self._fleets = FleetReconciler(
            client,
            world,
            outputs,
            settings.fleet,
            ca=lambda: identity.ca,
            is_leader=is_leader,
            world_changed=self._schedule_pass,
        )
        self._pod_selections = PodSelectionReconciler(client, outputs, is_leader=is_leader)
        self._watches = WorldWatches(
            client,
            world,
            served_kinds,
            observe=self._fleets.observe,
            on_changed=self._on_changed,
            run_pass=self._run_pass,
        )
        self._pass_scheduled = False

    @classmethod
    async def create(
        cls,
        client: Client,
        settings: Settings,
        *,
        telemetry: TelemetryStore,
        served_kinds: ServedKinds,
        is_leader: Callable[[], bool] = lambda: True,
    ) -> Self:
        """A controller with the identity that is stored in the API.

        Raises:
            ApiError: the API server refuses to read or to store the CA.
        """
        identity = await XdsIdentity.load(client, settings.namespace, time.time())
        return cls(client, settings, identity, telemetry=telemetry, served_kinds=served_kinds, is_leader=is_leader)

    async def run(self) -> None:
        """Serve Gateways until cancelled.

        Raises:
            OSError: the xDS port is taken.
        """
        await self._server.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watches.run())
                tasks.create_task(self._statuses.queue.run())
                tasks.create_task(self._fleets.queue.run())
                tasks.create_task(self._pod_selections.queue.run())
                tasks.create_task(self._renew_certificates())
        finally:
            await _stop(self._server.stop())

    def on_started_leading(self) -> None:
        """This replica leads now: write what the previous leader left, and answer Envoys."""
        if self.ready.is_set():
            self._write_all()
            self._fleets.reconcile_all()
            self._server.open()

    # ── in ───────────────────────────────────────────────────────────────────

    def _on_changed(self, cls: type[Object], keys: list[Key]) -> None:
        """Objects came or changed: their statuses may not be as desired."""
        if self.ready.is_set() and KIND_OF[cls].status is not None:
            for key in keys:
                self._statuses.add(cls, key)

    def _on_fact(self, fact: Fact) -> None:
        """An Envoy connected, disconnected, or answered."""
        self._telemetry.on_fact(fact)
        world = self._pipeline.world
        match fact:
            case Connected():
                binding = current_binding(binding_from(fact.metadata), world.fleet_statuses.get(fact.gateway))
                world.bindings.set(fact.gateway, binding)
            case Outcome():
                facts.apply(self._pipeline.facts, fact)
        self._schedule_pass()

    def _schedule_pass(self) -> None:
        """The world changed, and not by a watch: run a pass when this turn of the event loop is over."""
        if self.ready.is_set() and not self._pass_scheduled:
            self._pass_scheduled = True
            asyncio.get_running_loop().call_soon(self._run_scheduled_pass)

    def _run_scheduled_pass(self) -> None:
        self._pass_scheduled = False
        self._run_pass()

    # ── out ──────────────────────────────────────────────────────────────────

    def _run_pass(self) -> None:
        result = self._pipeline.run_pass()
        if not self.ready.is_set():
            self._finish_start()
            return
        for cls, key in result.statuses:
            self._statuses.add(cls, key)
        self._telemetry.serve(result.fleet_specs)
        for key in (*result.fleet_specs, *result.removed_gateways):
            self._fleets.enqueue(key)
        for key in result.pod_selections:
            self._pod_selections.queue.add(key)

    def _finish_start(self) -> None:
        """After the first complete pass. Fleets report first, so that no known address is reported as missing."""
        self._fleets.reconcile_all()
        self._pipeline.run_pass()
        self.ready.set()
        world, outputs = self._pipeline.world, self._pipeline.outputs
        self._telemetry.serve(key for key, _ in outputs.fleet_specs.items())
        _log.info("synced", gateways=len(outputs.fleet_specs), routes=len(world.http_routes))
        self._write_all()
        if self._is_leader():
            self._server.open()
        asyncio.get_running_loop().call_later(SETTLE, memory.settle)

    def _write_all(self) -> None:
        self._statuses.add_all()
        self._pod_selections.add_all()

    def _drop(self, gateway: Key) -> None:
        self._server.drop(gateway)
        self._telemetry.drop(gateway)

    # ── certificates ─────────────────────────────────────────────────────────

    async def _renew_certificates(self) -> None:
        while True:
            await asyncio.sleep(CERTIFICATE_CHECK)
            now = time.time()
            if self._is_leader() and await self._identity.reload_ca(now):
                self._fleets.reconcile_all()
            if self._identity.renew_certificate(now):
                self._server.renew(self._identity.certificate)


def gateway_api_kinds() -> tuple[type[Object], ...]:
    """The kinds of the Gateway API in the world; an API server serves some of them, in some version."""
    return tuple(kind.type for kind in KINDS if kind.group in (gateway.GROUP, gateway_x.GROUP))


async def _stop(stopping: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(5):
            await stopping
    except TimeoutError:
        _log.warning("the xDS server did not stop in time")

"""The loop: Kubernetes in, Envoys and statuses out.

    watch ──▶ world ──▶ one pass ──▶ xDS
                 ▲          └──────▶ queues: statuses, fleets ──▶ Kubernetes
                 └── facts of Envoys ◀── xDS

A pass runs in the moment a watch event arrives, in the same turn of the event loop. Writes to the API are queues beside
it. Everything is in one thread: there is nothing to lock.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from headgate import fleet, pki
from headgate.api import codec, gateway, gateway_x
from headgate.api.meta import Key, Object
from headgate.controllers.telemetry import Counters
from headgate.envoy.names import CLUSTER, ENDPOINTS, LISTENER, ROUTES, SECRET, XDS_SERVER
from headgate.ir.routing import Binding
from headgate.kube.client import Client
from headgate.kube.defined import Defined
from headgate.translate import names
from headgate.world import Settings as WorldSettings
from headgate.world.facts import ListenerFact
from headgate.xds.facts import Connected, Disconnected, Fact, Outcome
from headgate.xds.server import XdsServer

from . import identity, memory
from .fleets import FleetKeeper, bound
from .pipeline import Pipeline
from .pod_selections import PodSelectionReconciler
from .statuses import WRITTEN, StatusWriter
from .watches import WorldWatches

_log = structlog.get_logger("headgate.controllers.gateways")

#: Seconds after the first pass at which what the start left behind is given back.
SETTLE = 5.0
#: Seconds between two looks at our own certificate.
CERTIFICATE_CHECK = 3600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says.

    `namespace` is the controller's own; `xds_address` and `xds_port` are where Envoys' streams are taken, `advertise`
    (`HOST:PORT`) is how they are told to reach that.
    """

    namespace: str = "headgate-system"
    controller_names: tuple[str, ...] = ("headgate.dev/gateway-controller",)
    xds_address: str = "127.0.0.1"
    xds_port: int = 18000
    advertise: str = ""
    envoy_image: str = fleet.ENVOY_IMAGE

    @property
    def fleet(self) -> fleet.Settings:
        """What all Gateways' Envoys have in common."""
        advertise = self.advertise or f"headgate.{self.namespace}.svc:{self.xds_port}"
        return fleet.Settings(xds_address=advertise, image=self.envoy_image)


class GatewayController:
    """See the module's text. `run` until cancelled; `ready` is set after the first complete pass.

    Args:
        holding: whether we hold the lease (or need none): others watch, and neither write nor answer Envoys.
    """

    def __init__(
        self,
        client: Client,
        settings: Settings,
        authority: pki.Authority,
        certified: pki.Certified,
        server: XdsServer,
        counters: Counters,
        holding: Callable[[], bool],
        defined: Defined,
    ) -> None:
        self._client = client
        self._settings = settings
        self._authority = authority
        self._certified = certified
        self._server = server
        self._counters = counters
        self._holding = holding
        self.ready = asyncio.Event()
        self._stepping = False
        self._stepped_once = False
        self._nodes: dict[Key, dict[str, Binding]] = {}
        names = settings.controller_names
        self.pipeline = Pipeline(WorldSettings(controller_names=names), server.update, self._drop)
        world, outputs = self.pipeline.world, self.pipeline.outputs
        self.statuses = StatusWriter(client, world, outputs, names, holding, defined)
        self.fleets = FleetKeeper(
            client, world, outputs, settings.fleet, lambda: self._authority, holding, self._world_changed
        )
        self.selections = PodSelectionReconciler(client, outputs, holding)
        self.watching = WorldWatches(client, world, defined, self.fleets, self._seen, self._step)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.watching.run())
            tasks.create_task(self.statuses.queue.run())
            tasks.create_task(self.fleets.queue.run())
            tasks.create_task(self.selections.queue.run())
            tasks.create_task(self._keep_certificate())

    def on_leading(self) -> None:
        """The lease has become ours: write what others left, answer Envoys."""
        if self._stepped_once:
            self.statuses.add_all()
            self.fleets.tell_all()
            self.selections.add_all()
            self._server.open()

    # ── in ───────────────────────────────────────────────────────────────────

    def _seen(self, cls: type[Object], keys: list[Key]) -> None:
        """Objects came or changed: one of them may say of its status what it should not."""
        if self._stepped_once and cls in WRITTEN:
            for key in keys:
                self.statuses.add(cls, key)

    def on_fact(self, fact: Fact) -> None:
        """An Envoy said something."""
        facts, world = self.pipeline.facts, self.pipeline.world
        match fact:
            case Connected():
                binding = bound(binding_of(fact), world.fleet_statuses.get(fact.gateway))
                self._nodes.setdefault(fact.gateway, {})[fact.node_id] = binding
                world.bindings.set(fact.gateway, binding)
            case Disconnected():
                self._nodes.get(fact.gateway, {}).pop(fact.node_id, None)
            case Outcome(type_url=kind) if kind == LISTENER:
                old = facts.listeners.get((fact.gateway, fact.name)) or ListenerFact()
                new = (
                    ListenerFact(acked=old.acked, refused=fact.message, refused_version=fact.version)
                    if fact.message
                    else ListenerFact(acked=fact.version)
                )
                facts.listeners.set((fact.gateway, fact.name), new)
            case Outcome(type_url=kind) if kind == SECRET:
                secret = names.secret_of(fact.name)
                if fact.message:
                    facts.refused_secrets.set((fact.gateway, secret), fact.message)
                else:
                    facts.refused_secrets.delete((fact.gateway, secret))
            case Outcome(type_url=kind) if kind in (ROUTES, CLUSTER, ENDPOINTS):
                for origin in fact.origins:
                    if fact.message:
                        facts.refused_routes.set((fact.gateway, origin), fact.message)
                    else:
                        facts.refused_routes.delete((fact.gateway, origin))
        self._world_changed()

    def _world_changed(self) -> None:
        """Something besides a watch fed the world: step once this turn is over."""
        if self._stepped_once and not self._stepping:
            self._stepping = True
            asyncio.get_running_loop().call_soon(self._step_later)

    def _step_later(self) -> None:
        self._stepping = False
        self._step()

    # ── out ──────────────────────────────────────────────────────────────────

    def _step(self) -> None:
        stepped = self.pipeline.run_pass()
        if not self._stepped_once:
            self._begin()
            return
        for cls, key in stepped.statuses:
            self.statuses.add(cls, key)
        self._counters.serve(stepped.fleet_specs)
        for key in (*stepped.fleet_specs, *stepped.removed_gateways):
            self.fleets.need(key)
        for key in stepped.pod_selections:
            self.selections.queue.add(key)

    def _drop(self, gone: Key) -> None:
        self._server.drop(gone)
        self._counters.drop(gone)
        self._nodes.pop(gone, None)

    def _begin(self) -> None:
        """The first complete pass. The fleets are told first, so that no address that is known reads as missing."""
        self._stepped_once = True
        self.fleets.tell_all()
        self.pipeline.run_pass()
        self._counters.serve(key for key, _ in self.pipeline.outputs.fleet_specs.items())
        _log.info(
            "synced", gateways=len(self.pipeline.outputs.fleet_specs), routes=len(self.pipeline.world.http_routes)
        )
        self.statuses.add_all()
        self.selections.add_all()
        if self._holding():
            self._server.open()
        self.ready.set()
        asyncio.get_running_loop().call_later(SETTLE, memory.settle)

    # ── certificates ─────────────────────────────────────────────────────────

    async def _keep_certificate(self) -> None:
        while True:
            await asyncio.sleep(CERTIFICATE_CHECK)
            now = time.time()
            if self._holding():
                found = await identity.authority(self._client, self._settings.namespace, now)
                if found != self._authority:
                    self._authority = found
                    self.fleets.tell_all()
            if pki.due(self._certified, self._authority, [XDS_SERVER], now):
                self._certified = server_certificate(self._authority, now)
                self._server.renew(self._certified)


def server_certificate(authority: pki.Authority, now: float) -> pki.Certified:
    """The certificate of the xDS server: one fixed name, whatever address it is reached by."""
    return pki.issue_server(authority, [XDS_SERVER], now)


def binding_of(fact: Connected) -> Binding:
    """How an Envoy says that it binds. Without its word: as a pod with a network of its own."""
    authorities = str(fact.metadata.get("system_authorities", ""))
    if fact.metadata.get("bind") != "service":
        return Binding("pod", system_ca_file=authorities)
    offset = fact.metadata.get("port_offset", 0)
    return Binding(
        bind="service",
        address=str(fact.metadata.get("service_address", "")),
        offset=int(offset) if isinstance(offset, int | float) else 0,
        system_ca_file=authorities,
    )


async def run(
    client: Client,
    settings: Settings,
    *,
    holding: Callable[[], bool] = lambda: True,
    started: Callable[[GatewayController], None] = lambda _: None,
    counters: Counters | None = None,
    defined: Defined | None = None,
) -> None:
    """Serve Gateways until cancelled. `started` is given the controller, to ask whether it is ready; `counters` takes
    what Envoys report; `defined` (which somebody else runs) knows the kinds that are served.

    Raises:
        OSError: the xDS port is taken.
        ApiError: the API refuses what is needed to begin.
    """
    now = time.time()
    authority = await identity.authority(client, settings.namespace, now)
    certified = server_certificate(authority, now)
    controllers: list[GatewayController] = []

    counters = counters or Counters()

    def hear(fact: Fact) -> None:
        counters.hear(fact)
        controllers[0].on_fact(fact)

    server = XdsServer(
        settings.xds_address,
        settings.xds_port,
        certified,
        on_fact=hear,
        on_metrics=counters.take,
    )
    known = defined or Defined(client, custom_kinds())
    controller = GatewayController(client, settings, authority, certified, server, counters, holding, known)
    controllers.append(controller)
    await server.start()
    started(controller)
    try:
        async with asyncio.TaskGroup() as tasks:
            if defined is None:
                tasks.create_task(known.run())
            tasks.create_task(controller.run())
    finally:
        await _quietly(server.stop())


def custom_kinds() -> tuple[type[Object], ...]:
    """The kinds of the Gateway API that we know: an API serves some of them, in some version."""
    return tuple(kind.type for kind in codec.KINDS if kind.group in (gateway.GROUP, gateway_x.GROUP))


async def _quietly(stopping: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(5):
            await stopping
    except TimeoutError:
        _log.warning("the xDS server did not stop in time")

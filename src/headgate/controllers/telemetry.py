"""The statistics that the Envoys of this process report, for the analysis of rollouts."""

import math
import time
from collections.abc import Callable, Iterable

import structlog

from headgate.api.meta import Key
from headgate.envoy import otlp
from headgate.rollout.queries import RequestCounts
from headgate.telemetry.counter_store import CounterStore
from headgate.xds.facts import Connected, Disconnected, Fact

_log = structlog.get_logger("headgate.controllers.telemetry")


class TelemetryStore:
    """Reports of Envoys in, request counts out (`ProxyTelemetry`). `clock` must not go backwards."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._store = CounterStore()
        #: The Gateways whose Envoys this process controls; None until the first pass of the pipeline.
        self._served: set[Key] | None = None

    def serve(self, gateways: Iterable[Key]) -> None:
        """This process controls the Envoys of these Gateways, whether or not one is connected."""
        self._served = {*(self._served or ()), *gateways}

    def on_fact(self, fact: Fact) -> None:
        """Note which Envoys are connected: only their reports can be missing."""
        if isinstance(fact, Connected):
            self._store.connected(fact.gateway, fact.node_id, self._clock())
        elif isinstance(fact, Disconnected):
            self._store.disconnected(fact.gateway, fact.node_id, self._clock())

    def add_report(self, gateway: Key, node: str, body: bytes) -> None:
        """Add a report (OTLP) of an Envoy; one that cannot be decoded is logged and dropped."""
        try:
            report = otlp.read_report(body)
        except ValueError as error:
            _log.warning("report of an Envoy cannot be decoded", gateway=str(gateway), envoy=node, error=str(error))
            return
        self._store.add(gateway, node, report, self._clock())

    def drop(self, gateway: Key) -> None:
        """Forget a deleted Gateway."""
        if self._served is not None:
            self._served.discard(gateway)
        self._store.drop(gateway)

    def counts(self, gateways: tuple[Key, ...], stat_name: str, now: float, window: float) -> RequestCounts | None:
        """See `ProxyTelemetry.counts`. `now` is not used: reports are stamped with the clock of this object."""
        del now
        if self._served is None:
            return RequestCounts(coverage=0.0, requests=0, server_errors=0)
        at = self._clock()
        readings = [self._store.read(key, stat_name, at, window) for key in gateways if key in self._served]
        if not readings:
            return None
        buckets: dict[float, int] = {}
        for reading in readings:
            if reading.time is not None:
                for bound, count in zip((*reading.time.bounds, math.inf), reading.time.counts, strict=True):
                    buckets[bound] = buckets.get(bound, 0) + count
        return RequestCounts(
            coverage=min(reading.coverage for reading in readings),
            requests=sum(reading.total for reading in readings),
            server_errors=sum(reading.by_class.get("5", 0) for reading in readings),
            buckets=tuple(sorted(buckets.items())),
        )

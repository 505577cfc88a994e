"""Joins what Envoys report with those who ask: the xDS server and its facts in, readings for rollouts out."""

import time
from collections.abc import Callable

import structlog

from headgate.api.meta import Key
from headgate.envoy import otlp
from headgate.rollout.analysis.readings import Counts
from headgate.telemetry import Telemetry
from headgate.xds.facts import Connected, Disconnected, Fact

_log = structlog.get_logger("headgate.controllers.telemetry")


class Counters:
    """The counters of the Envoys of this process. `clock` must not go backwards."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._telemetry = Telemetry()

    def hear(self, fact: Fact) -> None:
        """Who is connected decides whose reports are missing."""
        if isinstance(fact, Connected):
            self._telemetry.connected(fact.gateway, fact.node_id, self._clock())
        elif isinstance(fact, Disconnected):
            self._telemetry.disconnected(fact.gateway, fact.node_id, self._clock())

    def take(self, gateway: Key, node: str, body: bytes) -> None:
        """A report of an Envoy, as it came."""
        try:
            report = otlp.read_report(body)
        except ValueError as error:
            _log.warning("a report of an Envoy cannot be read", gateway=str(gateway), envoy=node, error=str(error))
            return
        self._telemetry.take(gateway, node, report, self._clock())

    def drop(self, gateway: Key) -> None:
        """A Gateway is gone."""
        self._telemetry.drop(gateway)

    def counts(self, gateways: tuple[Key, ...], stat_name: str, now: float, window: float) -> Counts | None:
        """For `headgate.rollout`: see `ProxyCounts`. `now` is another clock's; the reports were stamped by ours."""
        del now
        reading = self._telemetry.read(gateways, stat_name, self._clock(), window)
        if reading is None:
            return None
        return Counts(reading.coverage, reading.requests, reading.server_errors, reading.buckets)

"""Leader election by a Lease, compatible with client-go's `leaderelection`.

The rules of client-go:

1. A Lease without a holder is free. One with a holder is free when it has not changed for its duration, measured by the
   local clock since it was observed: clocks of two machines are never compared.
2. A candidate writes its identity with a guard on the resourceVersion that it read; of two candidates, one gets a
   conflict.
3. The leader renews every `retry_period` seconds. If it cannot for `renew_deadline` seconds, it stops leading. That is
   before another candidate can take the Lease (`renew_deadline` < `lease_duration`).
4. A leader that ends releases the Lease, so that the next one need not wait. After a kill, the next container of the
   same pod knows that the holder is dead, and takes the Lease at once.

`LeaderElector.is_leader` is computed from the clock at each call, so it is right even if the event loop was blocked for
a minute. Check it before every write.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, Never

import msgspec
import structlog

from headgate.api import codec
from headgate.api.coordination import Lease, LeaseSpec
from headgate.api.meta import Key, ObjectMeta

from .client import ApiError, Client
from .patches import fields_patch

_log = structlog.get_logger("headgate.kube.leases")


class LeaseTiming(msgspec.Struct, frozen=True):
    """The times of an election in seconds, with the names and defaults of client-go."""

    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        if not self.lease_duration > self.renew_deadline > self.retry_period > 0:
            raise ValueError("a lease needs lease_duration > renew_deadline > retry_period > 0")


class ObservedLease(msgspec.Struct, frozen=True):
    """A Lease as it was read, and when its spec was first observed so, in seconds of the local monotonic clock."""

    lease: Lease | None
    observed_at: float


def observe(before: ObservedLease | None, lease: Lease | None, now: float) -> ObservedLease:
    """The observation of a Lease now; while its spec is unchanged, `observed_at` stays."""
    if before and lease and before.lease and before.lease.spec == lease.spec:
        return ObservedLease(lease, before.observed_at)
    return ObservedLease(lease, now)


def decide(
    observed: ObservedLease, identity: str, now: float, dead_prefix: str = ""
) -> Literal["create", "take", "renew", "wait"]:
    """What a candidate should do about a Lease (rules 1 and 4)."""
    if observed.lease is None:
        return "create"
    spec = observed.lease.spec
    if spec.holder_identity == identity:
        return "renew"
    if dead_prefix and (spec.holder_identity or "").startswith(dead_prefix):
        return "take"
    if not spec.holder_identity or now >= observed.observed_at + float(spec.lease_duration_seconds or 0):
        return "take"
    return "wait"


def held_by(old: LeaseSpec | None, identity: str, wall: float, terms: LeaseTiming) -> LeaseSpec:
    """The spec of a Lease held by `identity`; `wall` is in seconds since 1970, for its timestamps."""
    now = micro_time(wall)
    still_held = old is not None and old.holder_identity == identity
    transitions = old.lease_transitions or 0 if old else 0
    return LeaseSpec(
        holder_identity=identity,
        lease_duration_seconds=round(terms.lease_duration),
        acquire_time=old.acquire_time if old and still_held and old.acquire_time else now,
        renew_time=now,
        lease_transitions=transitions if still_held or old is None else transitions + 1,
    )


def released(old: LeaseSpec, wall: float) -> LeaseSpec:
    """The spec of a Lease without a holder."""
    now = micro_time(wall)
    return msgspec.structs.replace(old, holder_identity="", lease_duration_seconds=1, acquire_time=now, renew_time=now)


def micro_time(wall: float) -> str:
    """Seconds since 1970 as a MicroTime of Kubernetes."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class LeaderElector:
    """Tries to become the leader, and knows at every moment whether it is.

    Args:
        lease: namespace and name of the Lease.
        identity: unique among all candidates: the name of the pod and a random part.
        dead_prefix: the prefix of identities that cannot be alive: those of earlier containers of the same pod.
        changed: called with True on becoming the leader, and with False on losing that.
        clock: monotonic seconds.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        client: Client,
        lease: Key,
        identity: str,
        *,
        dead_prefix: str = "",
        timing: LeaseTiming | None = None,
        changed: Callable[[bool], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._key = lease
        self.identity = identity
        self._dead_prefix = dead_prefix
        self._timing = timing or LeaseTiming()
        self._changed = changed
        self._clock = clock
        self._wall = wall
        self._observed: ObservedLease | None = None
        self._renewed: float | None = None
        self._reported = False
        self._failing = ""
        self._held = asyncio.Event()
        self._not_held = asyncio.Event()
        self._not_held.set()

    @property
    def is_leader(self) -> bool:
        """Whether this candidate is the leader at this moment, by the clock."""
        return self._renewed is not None and self._clock() < self._renewed + self._timing.renew_deadline

    async def until_held(self) -> None:
        """Wait until this candidate is the leader."""
        await self._held.wait()

    async def until_lost(self) -> None:
        """Wait until this candidate is not the leader."""
        await self._not_held.wait()

    async def run(self) -> Never:
        """Take the Lease when it is free and renew it, again after a loss; release it when cancelled."""
        try:
            while True:
                await self._attempt()
                self._report()
                await asyncio.sleep(self._pause())
                self._report()
        finally:
            was_holding = self.is_leader
            self._renewed = None
            self._report()
            if was_holding:
                with contextlib.suppress(ApiError, TimeoutError):
                    async with asyncio.timeout(3.0):
                        await self._release()

    def _pause(self) -> float:
        if self._renewed is not None:
            left = self._renewed + self._timing.renew_deadline - self._clock()
            return max(0.0, min(self._timing.retry_period, left))
        return self._timing.retry_period * random.uniform(1.0, 1.2)  # noqa: S311 - keeps candidates out of step

    async def _attempt(self) -> None:
        # The time before the request: other candidates may observe the renewal that early.
        began = self._clock()
        try:
            async with asyncio.timeout(self._timing.renew_deadline):
                lease = await self._acquire_or_renew()
        except (ApiError, codec.DecodeError, TimeoutError) as error:
            self._log_failure(str(error) or "timed out")
            return
        self._log_failure("")
        if lease is not None:
            self._observed = observe(self._observed, lease, began)
            self._renewed = began

    async def _acquire_or_renew(self) -> Lease | None:
        """Read the Lease and, if the rules allow it, write it; the Lease that this candidate holds then, or None."""
        raw = await self._read()
        lease = codec.convert(Lease, raw) if raw is not None else None
        now = self._clock()
        self._observed = observe(self._observed, lease, now)
        action = decide(self._observed, self.identity, now, self._dead_prefix)
        if action == "wait":
            self._renewed = None
            return None
        spec = held_by(lease.spec if lease else None, self.identity, self._wall(), self._timing)
        try:
            return await (self._create(spec) if raw is None else self._write(raw, spec))
        except ApiError as error:
            if error.status in (404, 409, 422):
                return None  # another candidate wrote it first
            raise

    async def _read(self) -> dict[str, Any] | None:
        try:
            return await self._client.get_raw(Lease, self._key.name, self._key.namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def _create(self, spec: LeaseSpec) -> Lease:
        metadata = ObjectMeta(name=self._key.name, namespace=self._key.namespace)
        return await self._client.create(Lease(metadata=metadata, spec=spec))

    async def _write(self, raw: dict[str, Any], spec: LeaseSpec) -> Lease:
        operations = fields_patch(raw, ("spec",), msgspec.to_builtins(spec))
        patched = await self._client.json_patch(Lease, self._key.name, self._key.namespace, operations)
        return codec.convert(Lease, patched)

    async def _release(self) -> None:
        raw = await self._read()
        if raw is None:
            return
        spec = codec.convert(Lease, raw).spec
        if spec.holder_identity == self.identity:
            await self._write(raw, released(spec, self._wall()))

    def _log_failure(self, failing: str) -> None:
        if failing and failing != self._failing:
            _log.warning("lease cannot be reached", lease=str(self._key), why=failing)
        self._failing = failing

    def _report(self) -> None:
        """Log a change of leadership, and wake those that wait for it."""
        held = self.is_leader
        if not held:
            self._renewed = None
        if held == self._reported:
            return
        self._reported = held
        _log.info("lease held" if held else "lease not held", lease=str(self._key), identity=self.identity)
        (self._held if held else self._not_held).set()
        (self._not_held if held else self._held).clear()
        if self._changed:
            self._changed(held)

"""One holder at a time: leader election by a Lease, compatible with client-go's.

The rules, as client-go has them:

1. A Lease without holder is free. One with a holder is free when nothing in it changed for its duration, *by our
   clock, since we saw it*: clocks of two machines are never compared.
2. Whoever takes it writes itself in, guarded by the resourceVersion that was read; of two, one gets a conflict.
3. The holder renews every `retry` seconds. One that could not for `renew` seconds stops holding; that is before
   anybody else can take the Lease (`renew` < `duration`).
4. A holder that ends gives the Lease back, so that the next need not wait. One that was killed is known to be dead by
   the container that its pod runs next, which takes the Lease at once.

`Holder.holding` is computed from the clock whenever it is asked, so it is right even if our event loop was stopped
for a minute. Ask it before every write.
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
    """How long things take, in seconds; client-go's defaults."""

    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        if not self.lease_duration > self.renew_deadline > self.retry_period > 0:
            raise ValueError("a lease needs duration > renew > retry > 0")


class ObservedLease(msgspec.Struct, frozen=True):
    """A Lease as we saw it, and since when it has looked like that (by our monotonic clock)."""

    lease: Lease | None
    observed_at: float


def observe(before: ObservedLease | None, lease: Lease | None, now: float) -> ObservedLease:
    """What we see now; a Lease that looks as before has done so since then."""
    if before and lease and before.lease and before.lease.spec == lease.spec:
        return ObservedLease(lease, before.observed_at)
    return ObservedLease(lease, now)


def decide(
    observed: ObservedLease, identity: str, now: float, dead_prefix: str = ""
) -> Literal["create", "take", "renew", "wait"]:
    """What to do about a Lease (rules 1 and 3)."""
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
    """The Lease with us as its holder; `wall` is the time of day, for people to read."""
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
    """The Lease without a holder."""
    now = micro_time(wall)
    return msgspec.structs.replace(old, holder_identity="", lease_duration_seconds=1, acquire_time=now, renew_time=now)


def micro_time(wall: float) -> str:
    """Kubernetes' MicroTime."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class LeaderElector:
    """Tries to hold a Lease, and knows at every moment whether it does.

    Args:
        lease: namespace and name.
        identity: who we are, unlike everybody else's: the pod's name and something random.
        dead: how identities begin that are certainly dead: a container of our own pod that ran before us.
        changed: called with True when we became the holder and with False when we ceased to be.
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
        """Whether we hold the Lease right now, by the clock."""
        return self._renewed is not None and self._clock() < self._renewed + self._timing.renew_deadline

    async def until_held(self) -> None:
        """Waits until we hold the Lease."""
        await self._held.wait()

    async def until_lost(self) -> None:
        """Waits until we do not hold the Lease."""
        await self._not_held.wait()

    async def run(self) -> Never:
        """Takes the Lease when it is free, renews it, and again after a loss; gives it back when cancelled."""
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
        return self._timing.retry_period * random.uniform(1.0, 1.2)  # noqa: S311 - two candidates should not race in step

    async def _attempt(self) -> None:
        # Time counts from before the request: others may see our claim that early.
        began = self._clock()
        try:
            async with asyncio.timeout(self._timing.renew_deadline):
                lease = await self._acquire_or_renew()
        except (ApiError, TimeoutError) as error:
            self._log_failure(str(error) or "timed out")
            return
        self._log_failure("")
        if lease is not None:
            self._observed = observe(self._observed, lease, began)
            self._renewed = began

    async def _acquire_or_renew(self) -> Lease | None:
        """Reads and, if the rules let us, writes; the Lease that is ours then, or None."""
        raw = await self._read()
        found = codec.convert(Lease, raw) if raw is not None else None
        now = self._clock()
        self._observed = observe(self._observed, found, now)
        action = decide(self._observed, self.identity, now, self._dead_prefix)
        if action == "wait":
            self._renewed = None
            return None
        spec = held_by(found.spec if found else None, self.identity, self._wall(), self._timing)
        try:
            return await (self._create(spec) if raw is None else self._write(raw, spec))
        except ApiError as error:
            if error.status in (404, 409, 422):
                return None  # somebody was faster
            raise

    async def _read(self) -> dict[str, Any] | None:
        try:
            return await self._client.get_raw(Lease, self._key.name, self._key.namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def _create(self, spec: LeaseSpec) -> Lease:
        about = ObjectMeta(name=self._key.name, namespace=self._key.namespace)
        return await self._client.create(Lease(metadata=about, spec=spec))

    async def _write(self, raw: dict[str, Any], spec: LeaseSpec) -> Lease:
        operations = fields_patch(raw, ("spec",), msgspec.to_builtins(spec))
        answer = await self._client.json_patch(Lease, self._key.name, self._key.namespace, operations)
        return codec.convert(Lease, answer)

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
        """Says aloud what changed; `holding` itself needs no telling."""
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

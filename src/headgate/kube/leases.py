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


class Terms(msgspec.Struct, frozen=True):
    """How long things take, in seconds; client-go's defaults."""

    duration: float = 15.0
    renew: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not self.duration > self.renew > self.retry > 0:
            raise ValueError("a lease needs duration > renew > retry > 0")


class Sight(msgspec.Struct, frozen=True):
    """A Lease as we saw it, and since when it has looked like that (by our monotonic clock)."""

    lease: Lease | None
    since: float


def look(before: Sight | None, lease: Lease | None, now: float) -> Sight:
    """What we see now; a Lease that looks as before has done so since then."""
    if before and lease and before.lease and before.lease.spec == lease.spec:
        return Sight(lease, before.since)
    return Sight(lease, now)


def decide(sight: Sight, identity: str, now: float, dead: str = "") -> Literal["create", "take", "renew", "wait"]:
    """What to do about a Lease (rules 1 and 3)."""
    if sight.lease is None:
        return "create"
    spec = sight.lease.spec
    if spec.holder_identity == identity:
        return "renew"
    if dead and (spec.holder_identity or "").startswith(dead):
        return "take"
    if not spec.holder_identity or now >= sight.since + float(spec.lease_duration_seconds or 0):
        return "take"
    return "wait"


def claim(old: LeaseSpec | None, identity: str, wall: float, terms: Terms) -> LeaseSpec:
    """The Lease with us as its holder; `wall` is the time of day, for people to read."""
    now = micro_time(wall)
    same = old is not None and old.holder_identity == identity
    transitions = old.lease_transitions or 0 if old else 0
    return LeaseSpec(
        holder_identity=identity,
        lease_duration_seconds=round(terms.duration),
        acquire_time=old.acquire_time if old and same and old.acquire_time else now,
        renew_time=now,
        lease_transitions=transitions if same or old is None else transitions + 1,
    )


def released(old: LeaseSpec, wall: float) -> LeaseSpec:
    """The Lease without a holder."""
    now = micro_time(wall)
    return msgspec.structs.replace(old, holder_identity="", lease_duration_seconds=1, acquire_time=now, renew_time=now)


def micro_time(wall: float) -> str:
    """Kubernetes' MicroTime."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Holder:
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
        dead: str = "",
        terms: Terms | None = None,
        changed: Callable[[bool], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._key = lease
        self.identity = identity
        self._dead = dead
        self._terms = terms or Terms()
        self._changed = changed
        self._clock = clock
        self._wall = wall
        self._sight: Sight | None = None
        self._renewed: float | None = None
        self._told = False
        self._failing = ""
        self._held = asyncio.Event()
        self._not_held = asyncio.Event()
        self._not_held.set()

    @property
    def holding(self) -> bool:
        """Whether we hold the Lease right now, by the clock."""
        return self._renewed is not None and self._clock() < self._renewed + self._terms.renew

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
                self._tell()
                await asyncio.sleep(self._pause())
                self._tell()
        finally:
            was_holding = self.holding
            self._renewed = None
            self._tell()
            if was_holding:
                with contextlib.suppress(ApiError, TimeoutError):
                    async with asyncio.timeout(3.0):
                        await self._release()

    def _pause(self) -> float:
        if self._renewed is not None:
            left = self._renewed + self._terms.renew - self._clock()
            return max(0.0, min(self._terms.retry, left))
        return self._terms.retry * random.uniform(1.0, 1.2)  # noqa: S311 - two candidates should not race in step

    async def _attempt(self) -> None:
        # Time counts from before the request: others may see our claim that early.
        began = self._clock()
        try:
            async with asyncio.timeout(self._terms.renew):
                lease = await self._claim()
        except (ApiError, TimeoutError) as error:
            self._say(str(error) or "no answer in time")
            return
        self._say("")
        if lease is not None:
            self._sight = look(self._sight, lease, began)
            self._renewed = began

    async def _claim(self) -> Lease | None:
        """Reads and, if the rules let us, writes; the Lease that is ours then, or None."""
        raw = await self._read()
        found = codec.convert(Lease, raw) if raw is not None else None
        now = self._clock()
        self._sight = look(self._sight, found, now)
        action = decide(self._sight, self.identity, now, self._dead)
        if action == "wait":
            self._renewed = None
            return None
        spec = claim(found.spec if found else None, self.identity, self._wall(), self._terms)
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

    def _say(self, failing: str) -> None:
        if failing and failing != self._failing:
            _log.warning("lease cannot be reached", lease=str(self._key), why=failing)
        self._failing = failing

    def _tell(self) -> None:
        """Says aloud what changed; `holding` itself needs no telling."""
        held = self.holding
        if not held:
            self._renewed = None
        if held == self._told:
            return
        self._told = held
        _log.info("lease held" if held else "lease not held", lease=str(self._key), identity=self.identity)
        (self._held if held else self._not_held).set()
        (self._not_held if held else self._held).clear()
        if self._changed:
            self._changed(held)

"""How long a request may take, and how often it is tried (Gateway API: `HTTPRouteTimeouts`, `HTTPRouteRetry`)."""

from collections.abc import Iterable

import msgspec


class Retries(msgspec.Struct, frozen=True, gc=False):
    """At most `attempts` more tries after the first. A request that no backend has processed is tried again, and one
    that was answered with one of `codes`. `backoff` is the base of the pauses between, in seconds (None: a short one).
    """

    attempts: int = 1
    codes: tuple[int, ...] = ()
    backoff: float | None = None


class RetryBudget(msgspec.Struct, frozen=True, gc=False, order=True):
    """How many retries a backend gets at most, of all its Gateway's Envoys each: `percent` of the requests of the last
    `interval` seconds, and `least` at a time in any case (GEP-3388).
    """

    percent: int
    interval: float
    min_retry_concurrency: int


class Try(msgspec.Struct, frozen=True, gc=False):
    """What a backend does with one try: it answers `status` after `seconds`."""

    status: int = 200
    seconds: float = 0.0


class Limits(msgspec.Struct, frozen=True, gc=False):
    """Seconds; None is no limit. `timeout` is for the whole request with all its tries, `try_timeout` for each of them
    (it is only set together with `retries`; without them the two are one limit).

    Without `retries` a request that reached no backend is tried once more, and nothing else. `said` is whether the
    route speaks of time at all, if only as 0s: then nothing else limits it; otherwise five silent minutes do.
    """

    timeout: float | None = None
    try_timeout: float | None = None
    retries: Retries | None = None
    timeouts_declared: bool = False

    def status(self, tries: Iterable[Try]) -> int:
        """What the client is told when the backends do this, one try after the other, and 200 from then on; pauses are
        not counted.
        """
        retries = self.retries or Retries(attempts=0)
        spent, left = 0.0, retries.attempts
        for each in (*tries, Try()):
            late = self.try_timeout is not None and each.seconds > self.try_timeout
            spent += self.try_timeout if late and self.try_timeout is not None else each.seconds
            if self.timeout is not None and spent > self.timeout:
                return 504
            again = late or each.status in retries.codes
            if not again or not left:
                return 504 if late else each.status
            left -= 1
        return 200

"""Timeouts and retries of requests (Gateway API: `HTTPRouteTimeouts`, `HTTPRouteRetry`)."""

from collections.abc import Iterable

import msgspec


class Retries(msgspec.Struct, frozen=True, gc=False):
    """At most `attempts` retries after the first try: of a request that no backend has processed, or that was answered
    with one of `codes`. `backoff` is the base of the pauses between tries, in seconds (None: 25 ms).
    """

    attempts: int = 1
    codes: tuple[int, ...] = ()
    backoff: float | None = None


class RetryBudget(msgspec.Struct, frozen=True, gc=False, order=True):
    """The limit of concurrent retries of a backend in each Envoy: `percent` of the requests of the last `interval`
    seconds, and at least `min_retry_concurrency` (GEP-3388).
    """

    percent: int
    interval: float
    min_retry_concurrency: int


class Try(msgspec.Struct, frozen=True, gc=False):
    """The response of a backend to one try: `status` after `seconds`."""

    status: int = 200
    seconds: float = 0.0


class Limits(msgspec.Struct, frozen=True, gc=False):
    """Seconds; None is no limit. `timeout` is for the whole request with all its tries, `try_timeout` for each try (it
    is set only together with `retries`; without them the two are one limit).

    Without `retries` a request that reached no backend is retried once, and no other request. `timeouts_declared`: the
    route declares a timeout, also if it is 0s. Then nothing else limits it; otherwise Envoy's idle timeout of five
    minutes applies.
    """

    timeout: float | None = None
    try_timeout: float | None = None
    retries: Retries | None = None
    timeouts_declared: bool = False

    def status(self, tries: Iterable[Try]) -> int:
        """The status that the client gets if the backends answer the tries like this, and with 200 after them. Pauses
        between tries take no time.
        """
        retries = self.retries or Retries(attempts=0)
        spent, left = 0.0, retries.attempts
        for one_try in (*tries, Try()):
            late = self.try_timeout is not None and one_try.seconds > self.try_timeout
            spent += self.try_timeout if late and self.try_timeout is not None else one_try.seconds
            if self.timeout is not None and spent > self.timeout:
                return 504
            again = late or one_try.status in retries.codes
            if not again or not left:
                return 504 if late else one_try.status
            left -= 1
        return 200

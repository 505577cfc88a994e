"""How often a request is tried, and how long a try may take."""

from typing import Any

import msgspec

from . import protos

#: Failures after which no byte of the request has reached a backend, so that it may be tried elsewhere.
_SAFE = ("connect-failure", "refused-stream", "reset-before-request")
#: Choices before a host is asked that failed already: of two hosts each choice is the wrong one half of the time.
_OTHER_HOSTS = 20


class Retries(msgspec.Struct, frozen=True):
    """At most `attempts` more tries of a request that no backend has processed, or that was answered with one of
    `codes`. A try that takes longer than `try_timeout` seconds (None: any time) is given up for the next one; in Envoy
    that comes together with tries whose connection broke after the request was sent. `backoff` is the base of the
    pauses between, in seconds (None: 25 ms); Envoy doubles it each time, up to ten times of it, and takes a random
    part.
    """

    attempts: int = 1
    codes: tuple[int, ...] = ()
    try_timeout: float | None = None
    backoff: float | None = None


#: Without a word about retries: a request that reached no backend is tried once more.
DEFAULT_RETRIES = Retries()


def apply(message: Any, retries: Retries) -> None:
    """Into a RouteAction."""
    if not retries.attempts:
        return
    policy = message.retry_policy
    conditions = [*_SAFE, *(["retriable-status-codes"] if retries.codes else [])]
    if retries.try_timeout:
        policy.per_try_timeout.FromMilliseconds(round(retries.try_timeout * 1000))
        conditions.append("reset")  # a try that took too long is a reset for Envoy, and so far nothing else
    policy.retry_on = ",".join(conditions)
    policy.retriable_status_codes.extend(retries.codes)
    policy.num_retries.value = retries.attempts
    policy.host_selection_retry_max_attempts = _OTHER_HOSTS
    elsewhere = policy.retry_host_predicate.add(name="envoy.retry_host_predicates.previous_hosts")
    elsewhere.typed_config.CopyFrom(protos.pack(protos.PreviousHostsPredicate()))
    if retries.backoff is not None:
        policy.retry_back_off.base_interval.FromMilliseconds(max(1, round(retries.backoff * 1000)))

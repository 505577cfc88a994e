"""Retries: how often a request is tried, and how long each try may take."""

from typing import Any

import msgspec

from . import protos

#: Failures in which no byte of the request reached a backend, so that any request may be retried.
_SAFE = ("connect-failure", "refused-stream", "reset-before-request")
#: Attempts to select a host that has not failed yet: with two hosts, half of the attempts select the failed one.
_OTHER_HOSTS = 20


class Retries(msgspec.Struct, frozen=True):
    """At most `attempts` retries of a request that no backend has processed, or that was answered with one of `codes`.

    A try times out after `try_timeout` seconds (None: never), and is retried then; Envoy has this only together with
    retries of requests whose connection broke after they were sent. `backoff` is the base of the pauses between tries,
    in seconds (None: 25 ms). Envoy doubles it each time, up to ten times the base, and takes a random part.
    """

    attempts: int = 1
    codes: tuple[int, ...] = ()
    try_timeout: float | None = None
    backoff: float | None = None


#: If a route declares no retries: one retry of a request that reached no backend.
DEFAULT_RETRIES = Retries()


def apply(message: Any, retries: Retries) -> None:
    """Set them on a RouteAction message."""
    if not retries.attempts:
        return
    policy = message.retry_policy
    conditions = [*_SAFE, *(["retriable-status-codes"] if retries.codes else [])]
    if retries.try_timeout:
        policy.per_try_timeout.FromMilliseconds(round(retries.try_timeout * 1000))
        conditions.append("reset")  # Envoy treats a try that timed out as a reset
    policy.retry_on = ",".join(conditions)
    policy.retriable_status_codes.extend(retries.codes)
    policy.num_retries.value = retries.attempts
    policy.host_selection_retry_max_attempts = _OTHER_HOSTS
    elsewhere = policy.retry_host_predicate.add(name="envoy.retry_host_predicates.previous_hosts")
    elsewhere.typed_config.CopyFrom(protos.pack(protos.PreviousHostsPredicate()))
    if retries.backoff is not None:
        policy.retry_back_off.base_interval.FromMilliseconds(max(1, round(retries.backoff * 1000)))

"""Calls the webhooks of a Canary: gates as queries, event webhooks as notifications. The requests are Flagger's."""

import hashlib
import json
from collections.abc import Mapping

import msgspec

from headgate.api.delivery import CanaryWebhook
from headgate.api.durations import go_seconds

from . import webhooks
from .decision import query
from .effects import Decision, Effect, EmitEvent, Notify, normal
from .queries import HTTPRequest, HTTPResponse, NoResponse, QueryResult
from .release import Release
from .webhooks import event

#: Seconds of a webhook without `timeout`.
_TIMEOUT = 10.0
#: The last status of a response that passes; Flagger passes no others of 2xx.
_LAST_PASSING = 202


class Gate(msgspec.Struct, frozen=True):
    """The answers of all webhooks of a type.

    Attributes:
        events: what to tell, in order.
        halted: the event of the webhook that does not pass, None if all pass.
        mutes_alert: whether that webhook has `muteAlert`.
    """

    events: tuple[EmitEvent, ...] = ()
    halted: str | None = None
    mutes_alert: bool = False


def ask(release: Release, type: str) -> Decision | Gate:
    """Calls the webhooks of a type in order, up to the first that does not pass.

    Returns a decision while a result is missing.
    """
    events: list[EmitEvent] = []
    kind = webhooks.KNOWN[type]
    for webhook in release.canary.spec.analysis.webhooks:
        if webhooks.type_of(webhook) != type:
            continue
        call = request(release, webhook, release.phase)
        if asking := query(release, [call]):
            return asking
        error = _error(webhook, call, release.snapshot.query_results[call])
        if error is not None:
            message = kind.halted(release.name, webhook.name, error)
            return Gate(tuple(events), message, bool(webhook.mute_alert))
        if text := kind.passed(webhook.name):
            events.append(normal(text))
    return Gate(tuple(events))


def event_notifications(release: Release, effects: tuple[Effect, ...], phase: str) -> tuple[Notify, ...]:
    """The calls of event webhooks for the events among some effects.

    Args:
        phase: of the Canary after the effects.
    """
    hooks = [hook for hook in release.canary.spec.analysis.webhooks if webhooks.type_of(hook) == event.TYPE]
    notifications = []
    for effect in effects:
        if isinstance(effect, EmitEvent):
            metadata = {
                "eventMessage": effect.message,
                "eventType": effect.type,
                "timestamp": str(int(release.now * 1000)),
            }
            for hook in hooks:
                notifications.append(Notify(f"event webhook {hook.name}", request(release, hook, phase, metadata)))
    return tuple(notifications)


def request(
    release: Release, webhook: CanaryWebhook, phase: str, metadata: Mapping[str, str] | None = None
) -> HTTPRequest:
    """The call of a webhook.

    Args:
        metadata: takes precedence over the webhook's own.
    """
    canary = release.canary
    payload = {
        "name": canary.metadata.name,
        "namespace": canary.metadata.namespace,
        "phase": phase,
        "checksum": _checksum(release),
        "metadata": {**webhook.metadata, **(metadata or {})},
    }
    return HTTPRequest(
        webhook.url,
        (("Content-Type", "application/json"),),
        "POST",
        msgspec.json.encode(payload),
        verify=not webhook.disable_tls,
        timeout=go_seconds(webhook.timeout) if webhook.timeout else _TIMEOUT,
        retries=webhook.retries or 0,
    )


def _checksum(release: Release) -> str:
    """Opaque to the receiver; the same throughout the rollout of one revision."""
    status = release.status
    text = json.dumps([status.last_applied_spec, status.tracked_configs or {}], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _error(webhook: CanaryWebhook, call: HTTPRequest, result: QueryResult) -> str | None:
    if isinstance(result, NoResponse):
        return result.error
    if not isinstance(result, HTTPResponse):
        return "not an HTTP response"
    if 200 <= result.status <= _LAST_PASSING:
        return None
    if result.status >= 500:
        return f"POST {call.url} giving up after {(webhook.retries or 0) + 1} attempt(s)"
    return result.body.decode("utf-8", "replace").strip()[:300] or f"status {result.status}"

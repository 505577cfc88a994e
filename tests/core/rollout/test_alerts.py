"""Alerts: which of them reach which provider, and what is sent."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from headgate.rollout import alerts
from headgate.rollout.alerts import Alert, Receiver, slack
from headgate.rollout.queries import HTTPResponse
from support.rollout_world import RolloutWorld, canary, deployment

Plain = dict[str, Any]
_CLOSED = HTTPResponse(403, b"Forbidden")


def provider(type: str = "slack", **spec: Any) -> Plain:
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "AlertProvider",
        "metadata": {"name": "on-call", "namespace": "test"},
        "spec": {"type": type, **(spec or {"address": "https://hooks.example.com/T0/SECRET", "channel": "shop"})},
    }


def secret(**data: str) -> Plain:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "slack", "namespace": "test"},
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def alerting(*objects: Plain, severity: str | None = None, **analysis: Any) -> RolloutWorld:
    entry: Plain = {"name": "on-call", "providerRef": {"name": "on-call"}}
    if severity is not None:
        entry["severity"] = severity
    world = RolloutWorld(canary({"alerts": [entry], **analysis}), deployment(), *objects)
    world.run()
    assert world.phase == "Initialized", world.events
    return world


def texts(world: RolloutWorld) -> list[str]:
    return [json.loads(sent.request.body)["attachments"][0]["text"] for sent in world.notifications]


GOOD = [
    "New Deployment detected, initialization completed.",
    "New revision detected, progressing canary analysis.",
    "Canary analysis completed successfully, promotion finished.",
]
BAD = [*GOOD[:2], "Failed checks threshold reached 2"]


@pytest.mark.parametrize(
    ("severity", "good", "bad"),
    [
        (None, GOOD, BAD),
        ("", GOOD, BAD),
        ("info", GOOD, BAD),
        ("warn", [], BAD[2:]),
        ("error", [], BAD[2:]),
    ],
)
def test_alerts_are_sent_by_severity(severity: str | None, good: list[str], bad: list[str]) -> None:
    for rate, expected in ((100.0, good), (50.0, bad)):
        world = alerting(provider(), severity=severity)
        world.success_rate = rate
        world.release("app:2")
        world.run(100)
        assert texts(world) == expected


def test_an_alert_of_slack_is_flaggers() -> None:
    world = alerting(provider())
    (sent,) = world.notifications
    assert (sent.request.url, sent.request.method) == ("https://hooks.example.com/T0/SECRET", "POST")
    assert json.loads(sent.request.body) == {
        "channel": "shop",
        "username": "flagger",
        "icon_url": "",
        "icon_emoji": ":rocket:",
        "attachments": [
            {
                "color": "good",
                "author_name": "podinfo.test",
                "text": "New Deployment detected, initialization completed.",
                "mrkdwn_in": ["text"],
                "fields": [
                    {"title": "Target", "value": "Deployment/podinfo.test", "short": False},
                    {"title": "Failed checks threshold", "value": "2", "short": False},
                    {"title": "Progress deadline", "value": "60s", "short": False},
                    {"title": "Traffic routing", "value": "Weight step: 10 max: 50", "short": False},
                ],
            }
        ],
    }


def test_address_and_token_of_the_secret_take_precedence_and_are_in_no_repr() -> None:
    used = provider(secretRef={"name": "slack"})
    world = alerting(used, secret(address="https://slack.com/api/chat.postMessage\n", token="sesame"))
    (sent,) = world.notifications
    assert sent.request.url == "https://slack.com/api/chat.postMessage"
    assert ("Authorization", "Bearer sesame") in sent.request.headers
    assert "sesame" not in repr(sent) + repr(Receiver("https://slack.com", "sesame"))


@pytest.mark.parametrize(
    ("objects", "event"),
    [
        ((), 'alert provider on-call.test error: alertproviders.flagger.app "on-call" not found'),
        (
            (provider("msteams", address="https://teams"),),
            "alert provider on-call.test error: spec.type msteams is not supported; supported: slack",
        ),
        ((provider(secretRef={"name": "slack"}),), 'alert provider on-call.test error: secrets "slack" not found'),
        (
            (provider(secretRef={"name": "slack"}), secret(token="x")),
            "alert provider on-call.test error: spec.address, or the key address of the Secret, must be a URL",
        ),
    ],
)
def test_a_provider_that_cannot_be_used_is_an_event(objects: tuple[Plain, ...], event: str) -> None:
    world = alerting(*objects)
    assert f"Warning: {event}" in world.events
    world.release("app:2")
    world.run(100)
    assert (world.phase, world.notifications) == ("Succeeded", [])


def test_a_gate_alerts_once_unless_it_is_muted() -> None:
    for muted in (False, True):
        hook = {"name": "gate", "type": "confirm-rollout", "url": "http://gate/", "muteAlert": muted}
        world = alerting(provider(), severity="warn", webhooks=[hook])
        world.requests = 0
        healthy = world.answer
        world.answer = lambda query, healthy=healthy: healthy(query) if hasattr(query, "window") else _CLOSED  # type: ignore[misc]
        world.release("app:2")
        world.run(30)
        assert texts(world) == ([] if muted else ["Canary is waiting for approval."])


def test_an_error_is_red() -> None:
    sent = slack.request(Alert("podinfo.test", "error", "x"), Receiver("https://slack", proxy="http://proxy:3128"))
    assert json.loads(sent.body)["attachments"][0]["color"] == "danger"
    assert sent.proxy == "http://proxy:3128"


def test_the_types_are_found_by_name() -> None:
    assert set(alerts.KNOWN) == {"slack"}

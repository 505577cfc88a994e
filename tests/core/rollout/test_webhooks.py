"""Webhooks: gates that hold or fail a rollout, and calls for events, with Flagger's texts and payloads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.api.delivery import Canary
from headgate.rollout import webhooks
from headgate.rollout.queries import HTTPRequest, HTTPResponse, NoResponse, ProxyQuery, Query, QueryResult
from support.rollout_world import RolloutWorld, canary

Plain = dict[str, Any]
OPEN, CLOSED = HTTPResponse(200, b""), HTTPResponse(403, b"Forbidden\n")


class Hooked(RolloutWorld):
    """A world whose webhooks answer as a test wants, and remember their calls."""

    def __init__(self, *hooks: Plain, **analysis: Any) -> None:
        self.calls: list[Plain] = []
        self.responses: dict[str, QueryResult] = {}
        named = [{"name": hook["type"] or "load", "url": f"http://hooks/{hook['type']}", **hook} for hook in hooks]
        super().__init__(canary({"webhooks": named, **analysis}))
        self.answer = self._hook
        self.run()
        assert self.phase == "Initialized", self.events
        self.events.clear()
        self.notifications.clear()

    def _hook(self, query: Query) -> QueryResult:
        if isinstance(query, ProxyQuery):
            return self._healthy(query)
        assert isinstance(query, HTTPRequest)
        self.calls.append(json.loads(query.body))
        return self.responses.get(query.url.rpartition("/")[2], OPEN)


def released(world: Hooked) -> Hooked:
    world.release("app:2")
    world.run()
    return world


# ── confirm-rollout ──────────────────────────────────────────────────────────


def test_a_closed_gate_keeps_a_new_revision_waiting_and_is_asked_once_per_interval() -> None:
    world = Hooked({"type": "confirm-rollout"})
    world.responses["confirm-rollout"] = CLOSED
    released(world)
    assert (world.phase, len(world.calls)) == ("Waiting", 1)
    world.run(30)
    assert (world.phase, len(world.calls), world.weight) == ("Waiting", 4, 0)
    assert world.events == ["Warning: Halt podinfo.test advancement waiting for approval confirm-rollout"]


def test_an_open_gate_lets_the_rollout_begin() -> None:
    world = Hooked({"type": "confirm-rollout"})
    world.responses["confirm-rollout"] = CLOSED
    released(world)
    world.events.clear()
    world.responses.clear()
    world.run(10)
    assert (world.phase, world.weight) == ("Progressing", 10)
    assert world.events[:2] == [
        "Normal: Confirm-rollout check confirm-rollout passed",
        "Normal: New revision detected! Scaling up podinfo.test",
    ]


def test_every_gate_of_a_type_has_to_pass_in_order() -> None:
    world = Hooked(
        {"type": "confirm-rollout", "name": "first"},
        {"type": "confirm-rollout", "name": "second", "url": "http://hooks/second"},
    )
    world.responses["second"] = CLOSED
    released(world)
    assert world.events == [
        "Normal: Confirm-rollout check first passed",
        "Warning: Halt podinfo.test advancement waiting for approval second",
    ]


def test_a_revision_that_is_taken_back_waits_no_longer() -> None:
    world = Hooked({"type": "confirm-rollout"})
    world.responses["confirm-rollout"] = CLOSED
    released(world)
    world.release("app:1")
    world.run()
    assert world.phase == "Succeeded"


# ── pre-rollout and rollout ──────────────────────────────────────────────────


def test_a_pre_rollout_check_that_fails_counts_and_is_asked_again_before_the_first_step() -> None:
    world = Hooked({"type": "pre-rollout"}, threshold=3)
    world.responses["pre-rollout"] = HTTPResponse(500, b"no")
    released(world)
    assert (world.status["failedChecks"], world.weight) == (1, 0)
    assert world.events[-2:] == [
        "Normal: Starting canary analysis for podinfo.test",
        "Warning: Halt podinfo.test advancement pre-rollout check pre-rollout failed POST http://hooks/pre-rollout "
        "giving up after 1 attempt(s)",
    ]
    world.responses.clear()
    world.run(10)
    assert world.weight == 10
    assert "Normal: Pre-rollout check pre-rollout passed" in world.events


def test_pre_rollout_checks_that_go_on_failing_roll_back() -> None:
    world = Hooked({"type": "pre-rollout"})
    world.responses["pre-rollout"] = CLOSED
    released(world)
    world.run(60)
    assert (world.phase, world.weights[-1]) == ("Failed", 0)


@pytest.mark.parametrize("type", ["rollout", ""])
def test_a_rollout_check_is_asked_in_every_tick_before_the_metrics(type: str) -> None:
    world = Hooked({"type": type, "name": "load", "url": "http://hooks/load"})
    world.responses["load"] = NoResponse("connection refused")
    released(world)
    assert (world.calls, world.weight) == ([], 10)
    world.run(10)
    assert (len(world.calls), world.status["failedChecks"], world.observed) == (1, 1, [])
    assert world.events[-1] == ("Warning: Halt podinfo.test advancement external check load failed connection refused")
    world.responses.clear()
    world.run(10)
    assert (world.weight, max(world.query_rounds)) == (20, 2)


def test_only_the_statuses_that_pass_in_flagger_pass() -> None:
    for status, passes in ((200, True), (202, True), (204, False), (301, False), (404, False)):
        world = Hooked({"type": "pre-rollout"}, threshold=5)
        world.responses["pre-rollout"] = HTTPResponse(status, b"")
        released(world)
        assert (world.weight == 10) is passes, status


# ── requests ─────────────────────────────────────────────────────────────────


def test_the_payload_is_flaggers() -> None:
    world = released(Hooked({"type": "pre-rollout", "metadata": {"k": "v"}}))
    (call,) = world.calls
    checksum = call.pop("checksum")
    assert call == {"name": "podinfo", "namespace": "test", "phase": "Progressing", "metadata": {"k": "v"}}
    world.release("app:3")
    world.run()
    assert world.calls[-1]["checksum"] != checksum


def test_the_fields_of_a_webhook_become_those_of_its_request() -> None:
    world = Hooked({"type": "pre-rollout", "timeout": "1m", "retries": 3, "disableTLS": True})
    asked: list[Query] = []
    world.answer = lambda query: asked.append(query) or OPEN  # type: ignore[func-returns-value]
    released(world)
    request = asked[0]
    assert isinstance(request, HTTPRequest)
    assert (request.method, request.timeout, request.retries, request.verify) == ("POST", 60.0, 3, False)


# ── event ────────────────────────────────────────────────────────────────────


def test_every_event_is_sent_with_the_phase_that_follows() -> None:
    world = Hooked({"type": "event", "metadata": {"team": "shop", "eventType": "mine"}})
    released(world).run(100)
    sent = [json.loads(notification.request.body) for notification in world.notifications]
    sent_events = [f"{body['metadata']['eventType']}: {body['metadata']['eventMessage']}" for body in sent]
    assert sent_events == world.events
    assert [body["phase"] for body in sent] == [*["Progressing"] * 7, "Promoting", "Finalising", "Succeeded"]
    assert sent[0]["metadata"]["team"] == "shop"
    assert sent[0]["metadata"]["timestamp"].isdecimal()


def test_notifications_come_after_all_other_effects() -> None:
    world = Hooked({"type": "event"})
    world.release("app:2")
    world.settle()
    names = [type(effect).__name__ for effect in world.step().effects]
    assert names == sorted(names, key=lambda name: name == "Notify")
    assert names[-1] == "Notify"


def test_an_unknown_type_is_refused_by_its_name_with_the_known_ones() -> None:
    world = RolloutWorld(canary({"webhooks": [{"name": "gate", "url": "http://gate/", "type": "rollback"}]}))
    world.run()
    assert (
        f"rollback of webhook 'gate' is not supported; supported: {', '.join(sorted(webhooks.KNOWN))}"
        in (world.events[-1])
    )
    assert world.raw(Canary)["status"]["phase"] == ""

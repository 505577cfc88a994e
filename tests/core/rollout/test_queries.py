"""Queries accumulate: a decision is total whichever results it has, and several rules may query in one round."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from headgate.api.meta import Key
from headgate.rollout.decision import query, rest
from headgate.rollout.effects import Decision
from headgate.rollout.machine import Rule, decide
from headgate.rollout.queries import HTTPRequest, HTTPResponse, ProxyQuery, Query, QueryResult, RequestCounts
from headgate.rollout.release import Release
from headgate.rollout.settings import Settings
from support.rollout_world import RolloutWorld, canary

GATE, METRIC = HTTPRequest("http://gate"), ProxyQuery((Key("ingress", "gateway"),), "cluster", 60.0)
OK, COUNTS = HTTPResponse(200, b""), RequestCounts(1.0, 10, 0)


def asking(name: str, *queries: Query) -> Rule:
    """A rule that needs these queries and returns no decision once it has their results."""

    def apply(release: Release) -> Decision | None:
        return query(release, queries)

    return Rule(name, frozenset(), apply, frozenset())


TABLE = (asking("gate", GATE), asking("metric", METRIC), Rule("end", frozenset(), rest, frozenset()))


def test_two_rules_query_in_one_round() -> None:
    snapshot = RolloutWorld().snapshot()
    results: dict[Query, QueryResult] = {GATE: OK, METRIC: COUNTS}
    known: dict[Query, QueryResult] = {}
    asked: list[tuple[Query, ...]] = []
    while (now := decide(msgspec.structs.replace(snapshot, query_results=known), 0.0, Settings(), TABLE)).queries:
        asked.append(now.queries)
        known |= {item: results[item] for item in now.queries}
    assert asked == [(GATE,), (METRIC,)]
    assert now.rule == "end"


@pytest.mark.parametrize(
    "known", [dict(pairs) for n in range(3) for pairs in itertools.combinations(((GATE, OK), (METRIC, COUNTS)), n)]
)
def test_a_missing_result_is_asked_for_whatever_else_is_known(known: dict[Query, QueryResult]) -> None:
    snapshot = msgspec.structs.replace(RolloutWorld().snapshot(), query_results=known)
    decision = decide(snapshot, 0.0, Settings(), (asking("both", GATE, METRIC), *TABLE))
    assert set(decision.queries) == {GATE, METRIC} - known.keys()


def test_a_result_of_the_wrong_kind_is_a_failed_check_and_not_an_error() -> None:
    world = RolloutWorld(canary({"threshold": 5}))
    world.run()
    world.answer = lambda _: OK
    world.release("app:2")
    world.run(10)
    assert world.events[-1] == "Warning: Prometheus query failed: not the result of a proxy query"


def test_a_result_that_nothing_asked_for_changes_nothing() -> None:
    world = RolloutWorld()
    snapshot = world.snapshot()
    stray = msgspec.structs.replace(snapshot, query_results={HTTPRequest("http://other"): OK})
    assert decide(stray, world.now, world.settings) == decide(snapshot, world.now, world.settings)

"""Laws of the rollout: whatever happens, and wherever the controller is killed, traffic is where it should be."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from headgate.api import codec
from headgate.api.apps import Deployment
from headgate.api.delivery import Canary, CanaryAnalysis
from headgate.api.gateway import HTTPRoute
from headgate.rollout import strategies
from headgate.rollout.queries import HTTPRequest, HTTPResponse, Query, QueryResult, RequestCounts
from headgate.rollout.strategies import canary as strategy
from support.rollout_world import RolloutWorld, canary, deployment

Action = Callable[["CheckedWorld"], None]

RESTING = {"Initialized", "Succeeded", "Failed"}

USERS_ROUTE: dict[str, Any] = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "podinfo", "namespace": "test", "annotations": {"team": "shop"}},
    "spec": {
        "parentRefs": [{"name": "gateway", "namespace": "ingress"}],
        "hostnames": ["www.example.com"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/static"}}],
                "backendRefs": [{"name": "static", "port": 80, "weight": 3}],
            },
            {
                "filters": [
                    {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x", "value": "y"}]}}
                ],
                "backendRefs": [{"name": "podinfo", "port": 9898}],
            },
        ],
    },
}


class CheckedWorld(RolloutWorld):
    """A world in which the name of an image decides whether it is good, and every write to the route is checked."""

    def __init__(self, *others: dict[str, Any], **analysis: Any) -> None:
        self.images = 0
        self.foreign = False
        self.unmatched = 0
        super().__init__(canary(analysis), deployment("good:0"), *others)
        self.answer = self._by_image
        self.run()
        assert self.phase == "Initialized", self.events

    def _by_image(self, _: Query) -> QueryResult:
        errors = self.requests if self.image("podinfo").startswith("bad") else 0
        return RequestCounts(self.coverage, self.requests, errors, ((50.0, self.requests),))

    def _note(self, reference: Any) -> None:
        before, before_unmatched = self.weights[-1] if self.weights else 0, self.unmatched
        super()._note(reference)
        if reference.kind != "HTTPRoute":
            return
        self.unmatched = unmatched_percent(self.raw(HTTPRoute))
        if self.foreign:
            return
        canary = codec.convert(Canary, self.raw(Canary))
        split = strategies.split_at(canary, strategies.progress(canary.status))
        assert self.weights[-1] <= max(before, before_unmatched, float(100 * split.canary)), (before, split)
        assert self.unmatched <= max(before_unmatched, float(100 * split.unmatched)), (before_unmatched, split)


def unmatched_percent(route: dict[str, Any]) -> int:
    """The canary's share of requests that meet no condition: what the last rule with the canary gives it."""
    for rule in reversed(route["spec"]["rules"]):
        weights: dict[str, int] = {ref["name"]: ref.get("weight", 1) for ref in rule.get("backendRefs", ())}
        if "podinfo-canary" in weights:
            return round(100 * weights["podinfo-canary"] / (sum(weights.values()) or 1))
    return 0


def wait(seconds: int) -> Action:
    return lambda world: world.run(seconds)


def crash(effects: int) -> Action:
    """Killed after so many effects of a decision, whatever it was; then started again."""

    def act(world: CheckedWorld) -> None:
        world.settle()
        world.step(crash_after=effects)

    return act


def release(good: bool) -> Action:
    def act(world: CheckedWorld) -> None:
        world.images += 1
        world.release(f"{'good' if good else 'bad'}:{world.images}")

    return act


def back(world: CheckedWorld) -> None:
    world.release(world.image("podinfo-primary"))


def telemetry(coverage: float, requests: int) -> Action:
    def act(world: CheckedWorld) -> None:
        world.coverage, world.requests = coverage, requests

    return act


def make_unready(name: str, stuck: bool) -> Action:
    return lambda world: (world.stuck.add if stuck else world.stuck.discard)(name)


def another_writer_sets_weights(weight: int) -> Action:
    def act(world: CheckedWorld) -> None:
        if not world.has(HTTPRoute, "podinfo"):
            return
        spec = copy.deepcopy(world.raw(HTTPRoute)["spec"])
        for rule in spec["rules"]:
            for ref in rule["backendRefs"]:
                if ref["name"].startswith("podinfo-"):
                    ref["weight"] = weight if ref["name"] == "podinfo-canary" else 100 - weight
        world.foreign = True
        world.edit(HTTPRoute, spec=spec)
        world.foreign = False

    return act


def a_user_edits_matches(value: str) -> Action:
    """The last rule matches a header on which an A/B test may have another condition."""

    def act(world: CheckedWorld) -> None:
        if not world.has(HTTPRoute, "podinfo"):
            return
        spec = copy.deepcopy(world.raw(HTTPRoute)["spec"])
        spec["rules"][-1]["matches"] = [{"headers": [{"name": "x-user", "value": value}]}]
        world.foreign = True
        world.edit(HTTPRoute, spec=spec)
        world.foreign = False

    return act


def edit_service(**fields: Any) -> Action:
    def act(world: CheckedWorld) -> None:
        world.edit(Canary, spec__service={**world.raw(Canary)["spec"]["service"], **fields})

    return act


def edit_analysis(**fields: Any) -> Action:
    def act(world: CheckedWorld) -> None:
        world.edit(Canary, spec__analysis={**world.raw(Canary)["spec"]["analysis"], **fields})

    return act


def switch_to_ab_test(iterations: int, condition: str) -> Action:
    return edit_analysis(iterations=iterations, match=[{"headers": {"x-user": {"exact": condition}}}])


def switch_to_weights(world: CheckedWorld) -> None:
    edit_analysis(iterations=0, match=[])(world)


def a_user_deletes_the_route(world: CheckedWorld) -> None:
    if world.has(HTTPRoute, "podinfo") and "team" not in world.raw(HTTPRoute)["metadata"]["annotations"]:
        world.delete(HTTPRoute, "podinfo")
        world.weights.append(0)


ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(wait, st.integers(0, 25)),
    st.builds(crash, st.integers(0, 5)),
    st.builds(crash, st.integers(0, 5)),
    st.builds(release, st.booleans()),
    st.just(back),
    st.builds(telemetry, st.sampled_from([1.0, 1.0, 0.5]), st.sampled_from([1000, 1000, 0])),
    st.builds(make_unready, st.sampled_from(["podinfo", "podinfo-primary"]), st.booleans()),
    st.builds(another_writer_sets_weights, st.integers(0, 100)),
    st.builds(lambda value: edit_service(timeout=value), st.sampled_from(["5s", "10s"])),
    st.builds(lambda value: edit_service(match=[{"headers": {"x": {"exact": value}}}]), st.sampled_from("ab")),
    st.builds(lambda value: edit_analysis(stepWeight=value), st.sampled_from([5, 20, 100])),
    st.builds(lambda value: edit_analysis(maxWeight=value), st.sampled_from([10, 30, 100])),
    st.builds(lambda value: edit_analysis(stepWeightPromotion=value), st.sampled_from([0, 30])),
    st.builds(lambda value: edit_analysis(mirror=value), st.booleans()),
    st.just(a_user_deletes_the_route),
    st.builds(a_user_edits_matches, st.sampled_from("ac")),
    st.builds(switch_to_ab_test, st.integers(1, 4), st.sampled_from("ab")),
    st.just(switch_to_weights),
)
#: A release has begun some time ago; then things happen.
HISTORIES = st.builds(
    lambda ab, good, seconds, rest: [*ab, release(good), wait(seconds), *rest],
    st.sampled_from([[], [switch_to_ab_test(3, "a")]]),
    st.booleans(),
    st.integers(0, 65),
    st.lists(ACTIONS, max_size=12),
)


def after(history: list[Action], *others: dict[str, Any]) -> CheckedWorld:
    world = CheckedWorld(*others)
    for action in history:
        action(world)
    return world


def an_hour_after(history: list[Action], *others: dict[str, Any]) -> CheckedWorld:
    """The world an hour after its history; what was impossible in the spec was taken out."""
    world = after(history, *others)
    edit_analysis(mirror=False)(world)
    world.run(3600)
    return world


@settings(max_examples=40)
@given(HISTORIES)
def test_every_rollout_ends(history: list[Action]) -> None:
    world = an_hour_after(history)
    assert world.phase in RESTING


@settings(max_examples=40)
@given(HISTORIES)
def test_a_rollout_that_ended_leaves_traffic_on_the_primary_unless_only_the_canary_works(history: list[Action]) -> None:
    world = an_hour_after(history)
    promotion_failed = "Promotion failed" in world.status["conditions"][0]["message"]
    expected = (100, 100) if promotion_failed and world.unmatched else (0, 0)
    assert (world.unmatched, world.weight) == expected
    assert world.status["canaryWeight"] == expected[0]


@settings(max_examples=40)
@given(HISTORIES)
def test_a_revision_that_fails_its_checks_never_reaches_the_primary(history: list[Action]) -> None:
    world = an_hour_after(history)
    assert world.image("podinfo-primary").startswith("good")


@settings(max_examples=40)
@given(HISTORIES)
def test_the_route_never_exceeds_the_maximum_while_a_revision_is_judged(history: list[Action]) -> None:
    world = CheckedWorld()
    for action in history:
        action(world)
        world.run()
        if world.phase == "Progressing":
            analysis = world.raw(Canary)["spec"]["analysis"]
            assert world.unmatched <= (0 if analysis.get("iterations") else analysis["maxWeight"])


@settings(max_examples=40)
@given(HISTORIES)
def test_what_a_user_wrote_into_the_route_survives_every_rollout(history: list[Action]) -> None:
    world = an_hour_after(history, USERS_ROUTE)
    route = world.raw(HTTPRoute)
    assert route["spec"]["rules"][0] == {
        "matches": [{"path": {"type": "PathPrefix", "value": "/static"}}],
        "backendRefs": [{"name": "static", "port": 80, "weight": 3, "group": "", "kind": "Service"}],
    }
    assert route["spec"]["rules"][-1]["filters"] == USERS_ROUTE["spec"]["rules"][1]["filters"]
    assert route["metadata"]["annotations"]["team"] == "shop"


@settings(max_examples=40)
@given(HISTORIES, st.integers(0, 5))
def test_a_crash_anywhere_in_a_release_changes_nothing_of_its_end(history: list[Action], effects: int) -> None:
    """Two worlds with the same history; in one the controller is killed in every single decision of the rest."""
    smooth, bumpy = an_hour_after(history), after(history)
    for _ in range(40):
        bumpy.settle()
        bumpy.step(crash_after=effects)
    edit_analysis(mirror=False)(bumpy)
    bumpy.run(3600)
    assert bumpy.phase in RESTING
    assert bumpy.image("podinfo-primary").startswith("good")
    assert bumpy.image("podinfo") == smooth.image("podinfo")


GATES = ("pre-rollout", "confirm-rollout", "rollout")


class GatedWorld(CheckedWorld):
    """A world with a gate of each type. No revision gets traffic whose `pre-rollout` gate did not pass.

    As in Flagger, `confirm-rollout` is not asked again for a revision that comes during the analysis of another.
    """

    def __init__(self) -> None:
        self.open = True
        super().__init__(webhooks=[{"name": type, "type": type, "url": f"http://{type}/"} for type in GATES])
        self.passed: set[tuple[str, str]] = set()
        self.answer = self._gate

    def _gate(self, query: Query) -> QueryResult:
        if not isinstance(query, HTTPRequest):
            return self._by_image(query)
        if self.open:
            self.passed.add((query.url, self.image("podinfo")))
        return HTTPResponse(200 if self.open else 403, b"")

    def _note(self, reference: Any) -> None:
        super()._note(reference)
        if reference.kind == "HTTPRoute" and self.weights[-1] and not self.foreign and self.phase == "Progressing":
            missing = {(f"http://{type}/", self.image("podinfo")) for type in GATES[:1]} - self.passed
            assert not missing, f"{self.image('podinfo')} gets {self.weights[-1]} % without {missing}"


def toggle(world: CheckedWorld) -> None:
    if isinstance(world, GatedWorld):
        world.open = not world.open


@settings(max_examples=20)
@given(
    st.lists(
        st.one_of(
            st.just(toggle),
            st.just(release(True)),
            st.builds(wait, st.integers(0, 25)),
            st.builds(crash, st.integers(0, 5)),
        ),
        max_size=12,
    )
)
def test_no_gate_is_skipped_and_a_rollout_ends_once_its_gates_are_open(history: list[Action]) -> None:
    world = GatedWorld()
    for action in history:
        action(world)
    world.open = True
    world.run(3600)
    assert world.phase in RESTING


@given(st.lists(st.integers(-10, 120), min_size=1, max_size=6), st.integers(0, 100))
def test_any_list_of_steps_that_rises_at_all_reaches_its_maximum(steps: list[int], weight: int) -> None:
    analysis = CanaryAnalysis(step_weights=tuple(steps))
    most = strategy.maximum(analysis)
    for _ in range(len(steps) + 1):
        following = strategy.next_weight(analysis, min(weight, most) if most > 0 else 0)
        assert following <= max(most, 0)
        weight = following
    assert weight == most or most <= 0


@settings(max_examples=40)
@given(HISTORIES)
def test_the_target_rests_at_zero_after_a_rollout(history: list[Action]) -> None:
    world = an_hour_after(history)
    if "Promotion failed" not in world.status["conditions"][0]["message"]:
        assert world.raw(Deployment)["spec"]["replicas"] == 0

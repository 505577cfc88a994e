"""A/B tests: Flagger's events, statuses and ticks; requests that meet no condition never reach the canary."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from headgate.api.apps import Deployment
from headgate.api.delivery import Canary
from headgate.api.gateway import HTTPRoute
from support.rollout_world import RolloutWorld, canary, deployment

Plain = dict[str, Any]

INSIDER = {"headers": {"x-canary": {"exact": "insider"}}}
COOKIE = {"headers": {"cookie": {"regex": "^(.*?;)?(canary=always)(;.*)?$"}}}


def ab(*match: Plain, iterations: int = 3, **analysis: Any) -> Plain:
    """A Canary with an A/B test; its steps of weight have no meaning."""
    fields = {"match": list(match) or [INSIDER], "iterations": iterations, "stepWeight": 0, "maxWeight": 0}
    return canary({**fields, **analysis})


def initialized(manifest: Plain | None = None, *others: Plain) -> RolloutWorld:
    world = RolloutWorld(manifest or ab(), *others)
    world.run()
    assert world.phase == "Initialized", world.events
    world.events.clear()
    return world


def released(world: RolloutWorld) -> RolloutWorld:
    world.release("app:2")
    world.run()
    return world


def rules(world: RolloutWorld) -> list[Plain]:
    found: list[Plain] = world.raw(HTTPRoute)["spec"]["rules"]
    return found


def weights(rule: Plain) -> list[tuple[str, int]]:
    return [(ref["name"], ref["weight"]) for ref in rule["backendRefs"]]


# ── the way of a revision ────────────────────────────────────────────────────


def test_the_route_has_a_rule_for_the_conditions_in_front_of_the_rule_for_all_others() -> None:
    first, second = rules(initialized())
    path = {"type": "PathPrefix", "value": "/"}
    assert first["matches"] == [
        {"path": path, "headers": [{"name": "x-canary", "type": "Exact", "value": "insider"}]},
    ]
    assert second["matches"] == [{"path": path}]
    assert weights(first) == weights(second) == [("podinfo-primary", 100), ("podinfo-canary", 0)]


def test_requests_that_meet_a_condition_go_to_the_canary_and_all_others_to_the_primary() -> None:
    world = released(initialized(ab(INSIDER, COOKIE)))
    assert world.phase == "Progressing"
    assert world.share(x_canary="insider") == 100
    assert world.share(cookie="a=b;canary=always;c=d") == 100
    assert world.share(x_canary="outsider", cookie="canary=never") == 0
    assert world.share() == 0


TICKS = [
    # seconds after the first check, phase, iterations, share of requests that meet the condition
    (0, "Progressing", 1, 100),
    (10, "Progressing", 2, 100),
    (20, "Progressing", 3, 100),
    (30, "Finalising", 0, 0),
    (40, "Succeeded", 0, 0),
]


def test_a_good_revision_walks_through_the_tick_table() -> None:
    world = released(initialized())
    walked = []
    for seconds, *_ in TICKS:
        walked.append((seconds, world.phase, world.status["iterations"], world.share(x_canary="insider")))
        assert (world.share(), world.status["canaryWeight"]) == (0, 0)
        world.run(10)
    assert walked == TICKS


def test_a_good_revision_has_flaggers_events_in_order() -> None:
    world = released(initialized())
    world.run(100)
    assert world.events == [
        "Normal: New revision detected! Scaling up podinfo.test",
        "Normal: Starting canary analysis for podinfo.test",
        *(f"Normal: Advance podinfo.test canary iteration {number}/3" for number in (1, 2, 3)),
        "Normal: Copying podinfo.test template spec to podinfo-primary.test",
        "Normal: Routing all traffic to primary",
        "Normal: Promotion completed! Scaling down podinfo.test",
    ]
    assert world.image("podinfo-primary") == "app:2"
    assert [(count.outcome, count.strategy) for count in world.counts] == [("success", "ab-testing")]


def test_failed_checks_roll_back_at_the_threshold() -> None:
    world = initialized()
    world.success_rate = 90.0
    released(world).run(60)
    assert (world.phase, world.share(x_canary="insider"), world.status["iterations"]) == ("Failed", 0, 0)
    assert world.events[-2:] == [
        "Warning: Rolling back podinfo.test failed checks threshold reached 2",
        "Warning: Canary failed! Scaling down podinfo.test",
    ]
    assert world.image("podinfo-primary") == "app:1"
    assert [(count.outcome, count.strategy) for count in world.counts] == [("failure", "ab-testing")]


def test_promotion_in_steps_takes_the_requests_that_meet_a_condition_back_in_steps() -> None:
    world = released(initialized(ab(stepWeightPromotion=50)))
    world.run_to("Promoting")
    shares = []
    for _ in range(3):
        world.run(10)
        shares.append((world.share(x_canary="insider"), world.share(), world.status["canaryWeight"]))
    assert shares == [(50, 0, 50), (0, 0, 0), (0, 0, 0)]
    assert [event for event in world.events if "primary weight" in event] == [
        "Normal: Advance podinfo.test primary weight 50",
        "Normal: Advance podinfo.test primary weight 100",
    ]


def test_a_promotion_that_fails_leaves_every_request_on_the_canary_that_works() -> None:
    world = released(initialized())
    world.run_to("Promoting")
    world.given_up.add("podinfo-primary")
    world.run(10)
    assert (world.phase, world.share(x_canary="insider"), world.share()) == ("Failed", 100, 100)
    world.given_up.clear()
    world.run(30)
    assert (world.phase, world.share(x_canary="insider"), world.share()) == ("Succeeded", 0, 0)


def test_a_new_revision_in_the_middle_starts_again_with_the_first_check() -> None:
    world = released(initialized())
    world.run(15)
    world.release("app:3")
    world.step()
    assert (world.share(x_canary="insider"), world.status["iterations"]) == (0, 0)
    world.run(100)
    assert (world.phase, world.image("podinfo-primary")) == ("Succeeded", "app:3")


# ── conditions ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("condition", "meets", "fails"),
    [
        ({"exact": "insider"}, "insider", "insider2"),
        ({"prefix": "in.s"}, "in.sider", "insider"),
        ({"suffix": "+er"}, "insid+er", "insid+er2"),
        ({"regex": "in.*r"}, "insider", "outsider"),
    ],
)
def test_every_kind_of_condition_on_a_header_is_expressed(condition: Plain, meets: str, fails: str) -> None:
    world = released(initialized(ab({"headers": {"X-User": condition}})))
    assert (world.share(x_user=meets), world.share(x_user=fails)) == (100, 0)


def test_a_condition_on_a_query_parameter_is_expressed() -> None:
    (match,) = rules(initialized(ab({"queryParams": {"beta": {"exact": "1"}}})))[0]["matches"]
    assert match["queryParams"] == [{"name": "beta", "type": "Exact", "value": "1"}]


def test_the_matches_of_the_service_hold_beside_the_conditions() -> None:
    service = {"match": [{"headers": {"x-tenant": {"exact": "a"}}}, {"uri": {"prefix": "/api"}}]}
    manifest = ab(INSIDER, COOKIE)
    manifest["spec"]["service"] |= service
    world = released(initialized(manifest))
    assert len(rules(world)[0]["matches"]) == 4
    assert world.share(x_canary="insider", x_tenant="a") == 100
    tenant = next(match for match in rules(world)[1]["matches"] if match.get("headers"))
    assert tenant["headers"] == [{"name": "x-tenant", "type": "Exact", "value": "a"}]


@pytest.mark.parametrize(
    ("match", "path", "remedy"),
    [
        ({"sourceLabels": {"app": "web"}}, "spec.analysis.match[0].sourceLabels", "match on headers or queryParams"),
        ({}, "spec.analysis.match[0]", "name headers or queryParams"),
        ({"headers": {"x-canary": {}}}, "spec.analysis.match[0].headers[x-canary]", "exact, prefix, suffix or regex"),
    ],
)
def test_a_condition_that_cannot_be_expressed_stops_with_its_path_and_takes_no_traffic(
    match: Plain, path: str, remedy: str
) -> None:
    world = RolloutWorld(ab(INSIDER, match) if match else ab(match))
    world.run(60)
    path = path.replace("[0]", "[1]", 1) if match else path
    accepted = next(each for each in world.status["conditions"] if each["type"] == "Accepted")
    assert (accepted["status"], path in accepted["message"], remedy in accepted["message"]) == ("False", True, True)
    assert sum(path in event for event in world.events) == 1
    assert not world.has(HTTPRoute, "podinfo")


def test_a_condition_that_excludes_a_match_of_the_service_is_refused() -> None:
    manifest = ab()
    manifest["spec"]["service"]["match"] = [{"headers": {"X-Canary": {"exact": "other"}}}]
    world = RolloutWorld(manifest)
    world.run(60)
    assert "spec.analysis.match: spec.service.match matches header x-canary with another value" in world.events[-1]


@pytest.mark.parametrize("match", [{"sourceLabels": {"app": "web"}}, {}])
def test_a_condition_that_becomes_impossible_in_the_middle_rolls_back(match: Plain) -> None:
    world = released(initialized())
    world.apply(ab(match))
    world.run()
    assert (world.phase, world.share(x_canary="insider"), world.share()) == ("Failed", 0, 0)


# ── routes and edits ─────────────────────────────────────────────────────────

USERS_ROUTE: Plain = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "podinfo", "namespace": "test"},
    "spec": {
        "parentRefs": [{"name": "gateway", "namespace": "ingress"}],
        "hostnames": ["www.example.com"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/static"}}],
                "backendRefs": [{"name": "static", "port": 80}],
            },
            {
                "name": "shop",
                "matches": [{"path": {"type": "PathPrefix", "value": "/shop"}}, {"method": "POST"}],
                "timeouts": {"request": "3s"},
                "backendRefs": [{"name": "podinfo", "port": 9898}],
            },
        ],
    },
}


def test_a_route_of_the_users_gets_a_rule_in_front_of_the_one_that_names_the_service() -> None:
    world = released(initialized(ab(), deployment(), copy.deepcopy(USERS_ROUTE)))
    static, test, base = rules(world)
    assert static["backendRefs"][0]["name"] == "static"
    assert test["timeouts"] == base["timeouts"] == {"request": "3s"}
    assert [match["headers"][0]["value"] for match in test["matches"]] == ["insider", "insider"]
    assert "name" not in test
    assert weights(test) == [("podinfo-primary", 0), ("podinfo-canary", 100)]
    assert weights(base) == [("podinfo-primary", 100), ("podinfo-canary", 0)]


def test_an_edit_of_the_users_rule_reaches_the_rule_in_front_of_it() -> None:
    world = released(initialized(ab(), deployment(), copy.deepcopy(USERS_ROUTE)))
    spec = copy.deepcopy(world.raw(HTTPRoute)["spec"])
    spec["rules"][2]["timeouts"] = {"request": "9s"}
    spec["rules"][2]["matches"] = [{"path": {"type": "PathPrefix", "value": "/new"}}]
    world.edit(HTTPRoute, spec=spec)
    world.run()
    _, test, base = rules(world)
    assert (test["timeouts"], test["matches"][0]["path"]) == (base["timeouts"], base["matches"][0]["path"])
    assert weights(test) == [("podinfo-primary", 0), ("podinfo-canary", 100)]


def test_a_changed_condition_replaces_the_rule() -> None:
    world = released(initialized())
    world.apply(ab(COOKIE))
    world.run()
    assert len(rules(world)) == 2
    assert (world.share(x_canary="insider"), world.share(cookie="canary=always")) == (0, 100)


def test_a_canary_that_becomes_linear_has_one_rule_again() -> None:
    world = initialized()
    world.apply(canary())
    released(world)
    (rule,) = rules(world)
    assert weights(rule) == [("podinfo-primary", 90), ("podinfo-canary", 10)]
    assert "headgate.dev/canary-rules" not in world.raw(HTTPRoute)["metadata"]["annotations"]


def test_a_linear_rollout_that_becomes_an_ab_test_begins_with_the_first_check() -> None:
    world = released(initialized(canary()))
    world.run(15)
    assert world.share() == 20
    world.apply(ab())
    world.run()
    assert (world.share(), world.share(x_canary="insider"), world.status["iterations"]) == (0, 100, 1)


def test_a_route_of_flaggers_is_taken_over_with_its_two_rules() -> None:
    route = copy.deepcopy(USERS_ROUTE)
    backend = {"group": "", "kind": "Service", "port": 9898}
    primary, other = {**backend, "name": "podinfo-primary"}, {**backend, "name": "podinfo-canary"}
    path = {"path": {"type": "PathPrefix", "value": "/"}}
    header = {"name": "x-canary", "type": "Exact", "value": "insider"}
    route["spec"]["rules"] = [
        {"matches": [{**path, "headers": [header]}], "backendRefs": [primary | {"weight": 100}, other | {"weight": 0}]},
        {"matches": [path], "backendRefs": [primary | {"weight": 100}]},
    ]
    world = released(initialized(ab(), deployment(), route))
    test, base = rules(world)
    assert (len(rules(world)), test["matches"], base["matches"]) == (2, [{**path, "headers": [header]}], [path])
    assert (world.share(x_canary="insider"), world.share()) == (100, 0)


def test_revert_on_deletion_leaves_the_users_route_without_our_rule() -> None:
    manifest = ab()
    manifest["spec"]["revertOnDeletion"] = True
    world = released(initialized(manifest, deployment(), copy.deepcopy(USERS_ROUTE)))
    world.edit(Canary, metadata__deletionTimestamp="2027-01-15T08:00:00Z")
    world.run(30)
    assert [[ref["name"] for ref in rule["backendRefs"]] for rule in rules(world)] == [["static"], ["podinfo"]]
    assert world.raw(HTTPRoute)["metadata"].get("annotations", {}) == {}
    assert world.raw(Deployment)["spec"]["replicas"] == 2


def conflicting(world: RolloutWorld) -> None:
    """The user's rule matches the header of the test with another value."""
    spec = copy.deepcopy(world.raw(HTTPRoute)["spec"])
    for rule in spec["rules"][1:]:
        rule["matches"] = [{"headers": [{"name": "X-Canary", "type": "Exact", "value": "other"}]}]
    world.edit(HTTPRoute, spec=spec)


def test_a_route_that_excludes_the_conditions_is_named_and_the_canary_gets_nothing() -> None:
    world = initialized(ab(), deployment(), copy.deepcopy(USERS_ROUTE))
    conflicting(world)
    released(world).run(60)
    accepted = next(each for each in world.status["conditions"] if each["type"] == "Accepted")
    assert "of the HTTPRoute matches header x-canary with another value" in accepted["message"]
    assert "use another header" in accepted["message"]
    assert (world.phase, world.weight) == ("Initialized", 0)


def test_a_route_that_comes_to_exclude_the_conditions_rolls_back() -> None:
    world = released(initialized(ab(), deployment(), copy.deepcopy(USERS_ROUTE)))
    assert world.weight == 100
    conflicting(world)
    world.run()
    assert (world.phase, world.weight) == ("Failed", 0)

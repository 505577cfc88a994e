"""What a Canary wants of its route, and how little of a user's route is changed for it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from headgate.api import codec
from headgate.api.delivery import Canary
from headgate.api.gateway import HTTPRoute
from headgate.api.patch import json_patch
from headgate.rollout import intent, routes
from headgate.rollout.names import Names
from headgate.rollout.problem import NotAcceptedError
from headgate.rollout.split import Split
from support.rollout_world import canary

Plain = dict[str, Any]
NAMES = Names("test", "podinfo", "podinfo-primary", "podinfo", "podinfo-primary", "podinfo-canary")


def service(**fields: Any) -> Any:
    return codec.convert(Canary, canary(service=fields)).spec.service


def owner() -> Plain:
    return canary() | {"metadata": {"name": "podinfo", "namespace": "test", "uid": "1"}}


def created(**fields: Any) -> Plain:
    """The route that is made when there is none, with the API's defaults."""
    made = copy.deepcopy(intent.create(service(**fields), owner(), NAMES))
    for match in made["spec"]["rules"][0]["matches"]:
        match.setdefault("path", {"type": "PathPrefix", "value": "/"})
    return made


def edits(route: Plain, **fields: Any) -> list[Plain]:
    adopted = routes.adopt(route, NAMES, Split())
    return adopted or intent.changes(route, service(**fields), NAMES, Split())


def ensured(route: Plain, **fields: Any) -> Plain:
    """The route after as many looks as it takes."""
    for _ in range(5):
        operations = edits(route, **fields)
        if not operations:
            return route
        route = json_patch(route, operations)
    raise AssertionError(f"never at rest: {operations}")


def users_route(*refs: Plain, **rule: Any) -> Plain:
    return {
        "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": {
            "parentRefs": [{"name": "gateway", "namespace": "ingress"}],
            "hostnames": ["www.example.com"],
            "rules": [{**rule, "backendRefs": list(refs) or [{"name": "podinfo", "port": 9898}]}],
        },
    }


def test_a_missing_route_is_created_in_flaggers_shape() -> None:
    route = created()
    assert route["spec"] == {
        "parentRefs": [
            {"name": "gateway", "namespace": "ingress"},
        ],
        "hostnames": ["www.example.com"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [
                    {"group": "", "kind": "Service", "name": "podinfo-primary", "port": 9898, "weight": 100},
                    {"group": "", "kind": "Service", "name": "podinfo-canary", "port": 9898, "weight": 0},
                ],
            }
        ],
    }
    codec.convert(HTTPRoute, route)


@pytest.mark.parametrize(
    "fields",
    [
        {"match": [{"headers": {"x-b": {"exact": "1"}, "x-a": {"regex": "2"}}}]},
        {"corsPolicy": {"allowOrigin": ["https://example.com"]}},
        {"timeout": "5s", "rewrite": {"uri": "/"}},
    ],
)
def test_what_the_api_defaults_is_no_difference(fields: Plain) -> None:
    route = created(**fields)
    for item in route["spec"]["rules"][0].get("filters", ()):
        item.get("cors", {}).setdefault("maxAge", 5)
    assert edits(route, **fields) == []


def test_an_edit_of_the_service_leaves_the_weights_alone() -> None:
    route = created()
    route["spec"]["rules"][0]["backendRefs"][1]["weight"] = 40
    after = ensured(route, timeout="5s", hosts=["other.example.com"])
    assert after["spec"]["hostnames"] == ["other.example.com"]
    assert after["spec"]["rules"][0]["timeouts"] == {"request": "5s"}
    assert after["spec"]["rules"][0]["backendRefs"] == route["spec"]["rules"][0]["backendRefs"]


def test_what_a_user_changes_in_our_route_stays() -> None:
    route = created()
    route["spec"]["hostnames"] = ["mine.example.com"]
    assert edits(route) == []


def test_a_filter_of_the_users_survives_a_change_of_ours() -> None:
    route = created(headers={"request": {"set": {"a": "1"}}})
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shadow", "port": 80}}}
    route["spec"]["rules"][0]["filters"].append(mirror)
    filters = ensured(route, headers={"request": {"set": {"a": "2"}}})["spec"]["rules"][0]["filters"]
    assert [item["type"] for item in filters] == ["RequestHeaderModifier", "RequestMirror"]
    assert filters[0]["requestHeaderModifier"]["set"][0]["value"] == "2"


def test_a_new_port_reaches_both_backends() -> None:
    refs = ensured(created(), port=8080)["spec"]["rules"][0]["backendRefs"]
    assert [ref["port"] for ref in refs] == [8080, 8080]


def test_where_a_users_route_leads_to_the_apex_the_pair_takes_its_place() -> None:
    match = {"path": {"type": "Exact", "value": "/shop"}}
    route = ensured(users_route(matches=[match], timeouts={"request": "3s"}))
    rule = route["spec"]["rules"][0]
    assert [(ref["name"], ref["weight"]) for ref in rule["backendRefs"]] == [
        ("podinfo-primary", 100),
        ("podinfo-canary", 0),
    ]
    assert (rule["matches"], rule["timeouts"]) == ([match], {"request": "3s"})


def test_other_backends_beside_the_apex_keep_their_share() -> None:
    refs = [{"name": "podinfo", "port": 9898, "weight": 3}, {"name": "other", "port": 80, "weight": 1}]
    after = ensured(users_route(*refs))["spec"]["rules"][0]["backendRefs"]
    assert [(ref["name"], ref["weight"]) for ref in after] == [
        ("podinfo-primary", 300),
        ("podinfo-canary", 0),
        ("other", 100),
    ]


def test_a_pair_that_a_user_wrote_keeps_its_weights() -> None:
    refs = [{"name": "podinfo-primary", "port": 1, "weight": 1}, {"name": "podinfo-canary", "port": 1, "weight": 0}]
    assert ensured(users_route(*refs))["spec"]["rules"][0]["backendRefs"] == refs


def test_a_route_that_leads_elsewhere_is_refused_and_not_overwritten() -> None:
    with pytest.raises(NotAcceptedError, match="add them to the rules"):
        edits(users_route({"name": "elsewhere", "port": 80}))


def test_rules_that_their_matches_tell_apart_keep_them() -> None:
    route = users_route()
    second = {"matches": [{"path": {"type": "PathPrefix", "value": "/b"}}], "backendRefs": [{"name": "podinfo"}]}
    route["spec"]["rules"].append(second)
    rules = ensured(route, match=[{"uri": {"prefix": "/"}}])["spec"]["rules"]
    assert rules[1]["matches"] == second["matches"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"match": [{"headers": {"x": {"prefix": "a"}}}]}, r"spec\.service\.match\[0\]\.headers\[x\]"),
        ({"match": [{"method": {"regex": "G.*"}}]}, r"spec\.service\.match\[0\]\.method"),
        ({"match": [{"ignoreUriCase": True}]}, r"spec\.service\.match\[0\]\.ignoreUriCase"),
        ({"corsPolicy": {"allowOrigins": [{"exact": "x"}]}}, r"spec\.service\.corsPolicy\.allowOrigins"),
    ],
)
def test_what_a_route_cannot_say_is_refused_with_its_path(fields: Plain, path: str) -> None:
    with pytest.raises(NotAcceptedError, match=path):
        edits(created(), **fields)

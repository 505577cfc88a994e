"""Statuses of routes, and the number of attached routes of listeners."""

from __future__ import annotations

from typing import Any

from golden import cases as golden
from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from laws import routing_worlds as worlds

ROUTE = Ref("HTTPRoute", "one", "r")


def world(*rules: dict[str, Any], parents: list[dict[str, Any]] | None = None) -> golden.Running:
    """One route on the Gateway g0 of the furniture."""
    made = golden.empty()
    made.put(golden.gateway_class())
    for value in worlds.furniture():
        made.put(value)
    made.world.http_routes.delete(Key("one", "r0"))
    spec = {"parentRefs": parents or [{"name": "g0"}], "rules": list(rules) or [backend("s0")]}
    made.put(worlds.gateway_api("HTTPRoute", ROUTE.name, ROUTE.namespace, spec, generation=3, uid="u"))
    return made.run()


def backend(name: str, **match: Any) -> dict[str, Any]:
    return {"backendRefs": [{"name": name, "port": 80}], "matches": [match]}


def entries(made: golden.Running) -> tuple[api.RouteParentStatus, ...]:
    return made.outputs.route_statuses.get(ROUTE) or ()


def conditions(made: golden.Running) -> dict[str, tuple[str, str]]:
    (entry,) = entries(made)
    return {each.type: (each.status, each.reason) for each in entry.conditions}


def message(made: golden.Running, kind: str) -> str:
    (entry,) = entries(made)
    return next(each.message for each in entry.conditions if each.type == kind)


def attached(made: golden.Running) -> dict[str, int]:
    found = made.outputs.gateway_statuses.get(Key("one", "g0"))
    assert found is not None
    return {each.name: each.attached_routes for each in found.listeners}


def test_a_valid_route_is_accepted_and_its_references_are_resolved() -> None:
    assert conditions(world()) == {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("True", "ResolvedRefs")}


def test_the_parent_ref_is_copied_unchanged() -> None:
    ref = {"name": "g0", "namespace": "one", "sectionName": "l0", "port": 80}
    (entry,) = entries(world(parents=[ref]))
    assert entry.parent_ref == api.ParentReference(name="g0", namespace="one", section_name="l0", port=80)
    assert entry.controller_name == "headgate.dev/gateway-controller"


def test_there_is_an_entry_for_each_parent_ref_to_a_managed_gateway_and_none_for_others() -> None:
    parents = [{"name": "g0", "sectionName": "l0"}, {"name": "elsewhere"}, {"name": "g1"}]
    found = entries(world(parents=parents))
    assert [(each.parent_ref.name, each.parent_ref.section_name) for each in found] == [("g0", "l0"), ("g1", None)]


def test_a_route_without_a_managed_parent_has_no_status() -> None:
    assert has_no_status(world(parents=[{"name": "elsewhere"}]))


def has_no_status(made: golden.Running) -> bool:
    return made.outputs.route_statuses.get(ROUTE) is None


def test_all_problems_are_reported_at_once() -> None:
    made = world(
        backend("missing"),
        {**backend("s0"), "filters": [{"type": "Unheard-of"}]},
        backend("s0", path={"type": "RegularExpression", "value": "(a"}),
        backend("also-missing"),
    )
    assert conditions(made) == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("False", "BackendNotFound"),
        "PartiallyInvalid": ("True", "UnsupportedValue"),
    }
    assert "spec.rules[1].filters[0].type" in message(made, "PartiallyInvalid")
    assert "spec.rules[2].matches[0].path.value" in message(made, "PartiallyInvalid")
    assert "spec.rules[0].backendRefs[0]" in message(made, "ResolvedRefs")
    assert "spec.rules[3].backendRefs[0]" in message(made, "ResolvedRefs")


def test_a_route_that_envoy_rejected_is_not_accepted_and_not_counted() -> None:
    made = world()
    assert attached(made) == {"l0": 1, "l1": 1}
    made.facts.refused_routes.set((Key("one", "g0"), ROUTE), "bad header")
    made.run()
    assert conditions(made)["Accepted"] == ("False", "UnsupportedValue")
    assert "bad header" in message(made, "Accepted")
    assert attached(made) == {"l0": 0, "l1": 0}


def test_a_rejection_on_one_gateway_does_not_affect_another() -> None:
    made = world(parents=[{"name": "g0"}, {"name": "g1"}])
    made.facts.refused_routes.set((Key("one", "g0"), ROUTE), "bad header")
    made.run()
    accepted = [next(c.status for c in each.conditions if c.type == "Accepted") for each in entries(made)]
    assert accepted == ["False", "True"]


def test_a_route_without_a_valid_rule_is_not_accepted() -> None:
    odd = {**backend("s0"), "filters": [{"type": "Unheard-of"}]}
    assert conditions(world(odd, odd)) == {
        "Accepted": ("False", "UnsupportedValue"),
        "ResolvedRefs": ("True", "ResolvedRefs"),
    }


def test_a_route_with_some_invalid_rules_names_them_and_is_counted() -> None:
    made = world({**backend("s0"), "filters": [{"type": "Unheard-of"}]}, backend("s0"))
    assert message(made, "PartiallyInvalid").startswith("Dropped Rule")
    assert "spec.rules[0]" in message(made, "PartiallyInvalid")
    assert attached(made) == {"l0": 1, "l1": 1}


def test_an_invalid_hostname_makes_the_whole_route_invalid() -> None:
    made = golden.empty()
    for value in [golden.gateway_class(), *worlds.furniture()]:
        made.put(value)
    spec = {"parentRefs": [{"name": "g0"}], "hostnames": ["a..b", "a.example.com"], "rules": [backend("s0")]}
    made.put(worlds.gateway_api("HTTPRoute", ROUTE.name, ROUTE.namespace, spec, generation=3, uid="u"))
    assert conditions(made.run())["Accepted"] == ("False", "UnsupportedValue")


def test_a_route_that_is_not_accepted_is_not_counted() -> None:
    assert attached(world({**backend("s0"), "filters": [{"type": "Unheard-of"}]})) == {"l0": 0, "l1": 0}


def test_a_route_whose_backend_is_missing_is_counted() -> None:
    assert attached(world(backend("missing"))) == {"l0": 1, "l1": 1}


def test_every_condition_has_the_observed_generation() -> None:
    (entry,) = entries(world())
    assert {each.observed_generation for each in entry.conditions} == {3}


def test_an_invalid_duration_is_reported_with_a_remedy() -> None:
    made = world({**backend("s0"), "timeouts": {"request": "ten seconds"}})
    assert conditions(made)["Accepted"] == ("False", "UnsupportedValue")
    assert "use a duration like 10s" in message(made, "Accepted")

"""The policy mechanism, with a kind that targets Gateways, ListenerSets, routes, and sections of them."""

from __future__ import annotations

from typing import Any

import pytest

from golden import cases
from headgate.api.gateway import RouteNamespaces
from headgate.api.meta import LabelSelector, Object
from headgate.ir.http import Request
from headgate.ir.streams import Connection
from headgate.simulate import ask, connect
from support.guard_policies import (
    GuardPolicy,
    GuardTargetSelector,
    conditions,
    demanded,
    guard,
    message,
    running,
)
from support.manifests import decode_manifest

HEAD = "gateway.networking.k8s.io/v1"
ACCEPTED = {"Accepted": "Accepted"}
OVERRIDDEN = {"Accepted": "Accepted", "Overridden": "Overridden"}
MERGED = {"Accepted": "Accepted", "Merged": "Merged"}


def made(kind: str, name: str, spec: dict[str, Any], **meta: Any) -> Object:
    metadata = {"name": name, "namespace": "shop", "generation": 1, "uid": f"uid-{name}", **meta}
    return decode_manifest({"apiVersion": HEAD, "kind": kind, "metadata": metadata, "spec": spec})


def gateway(name: str = "edge", *listeners: str, **meta: Any) -> Object:
    found = [
        {"name": each, "port": 80, "protocol": "HTTP", "hostname": f"{each}.example.com"} for each in listeners
    ] or [{"name": "http", "port": 80, "protocol": "HTTP"}]
    spec = {
        "gatewayClassName": cases.CLASS,
        "listeners": found,
        "allowedListeners": {"namespaces": {"from": "All"}},
    }
    return made("Gateway", name, spec, **meta)


def route(name: str = "web", parents: tuple[dict[str, Any], ...] = ({"name": "edge"},), **meta: Any) -> Object:
    """One with a rule named `pay` for `/pay`, and one without a name for everything else."""
    backends = [{"name": "web", "port": 80}]
    rules = [
        {"name": "pay", "matches": [{"path": {"value": "/pay"}}], "backendRefs": backends},
        {"backendRefs": backends},
    ]
    return made("HTTPRoute", name, {"parentRefs": list(parents), "rules": rules}, **meta)


def listener_set(name: str = "team") -> Object:
    listeners = [{"name": "own", "port": 8080, "protocol": "HTTP"}]
    return made("ListenerSet", name, {"parentRef": {"name": "edge"}, "listeners": listeners})


TO_LISTENER_SET = {"kind": "ListenerSet", "name": "team"}


# Targets.


def test_a_policy_of_a_gateway_applies_to_its_routes() -> None:
    world = running(gateway(), route(), guard("a", "Gateway/edge"))
    assert demanded(world) == demanded(world, "/pay") == ["a"]
    assert conditions(world, "a") == {"Gateway edge": ACCEPTED}


def test_a_policy_of_a_listener_applies_to_routes_on_that_listener() -> None:
    world = running(gateway("edge", "one", "two"), route(), guard("a", "Gateway/edge/one"))
    assert demanded(world, listener="one") == ["a"]
    assert demanded(world, listener="two") == []
    assert conditions(world, "a") == {"Gateway edge one": ACCEPTED}


def test_a_policy_of_a_route_reports_to_the_parent_of_the_route() -> None:
    world = running(gateway(), route(parents=({"name": "edge", "sectionName": "http"},)), guard("a", "HTTPRoute/web"))
    assert demanded(world) == ["a"]
    assert conditions(world, "a") == {"Gateway edge http": ACCEPTED}


def test_a_policy_of_a_rule_applies_to_that_rule() -> None:
    world = running(gateway(), route(), guard("a", "HTTPRoute/web/pay"))
    assert demanded(world, "/pay") == ["a"]
    assert demanded(world) == []


@pytest.mark.parametrize("target", ["ListenerSet/team", "ListenerSet/team/own"])
def test_a_policy_of_a_listener_set_applies_to_routes_attached_to_it(target: str) -> None:
    world = running(gateway(), listener_set(), route(parents=(TO_LISTENER_SET,)), guard("a", target))
    assert demanded(world) == ["a"]
    assert conditions(world, "a") == {target.replace("/", " "): ACCEPTED}


def test_routes_of_a_listener_set_get_the_policies_of_the_gateway_and_not_of_its_listeners() -> None:
    policies = (guard("whole", "Gateway/edge"), guard("listener", "Gateway/edge/http"))
    world = running(gateway(), listener_set(), route(parents=(TO_LISTENER_SET,)), *policies)
    assert demanded(world) == ["whole"]


def test_connections_are_closed_where_a_policy_cannot_be_applied() -> None:
    listeners = [{"name": "tcp", "port": 9000, "protocol": "TCP"}]
    edge = made("Gateway", "edge", {"gatewayClassName": cases.CLASS, "listeners": listeners})
    rules = [{"backendRefs": [{"name": "web", "port": 80}]}]
    tcp = made("TCPRoute", "raw", {"parentRefs": [{"name": "edge"}], "rules": rules})
    world = running(edge, tcp, guard("a", "TCPRoute/raw", demands=""))
    assert conditions(world, "a") == {"Gateway edge": {"Accepted": "Invalid"}}
    outcome = connect(world.outputs.routing, edge.key, Connection(port=9000))
    assert (outcome.route, outcome.shares) == (None, ())


def test_an_unsupported_target_is_reported_to_the_ancestors_of_the_others() -> None:
    world = running(gateway(), route(), guard("a", "Service/web", "HTTPRoute/web"))
    assert conditions(world, "a") == {"Gateway edge": {"Accepted": "Invalid"}}
    assert message(world, "a", "Accepted").startswith(
        "spec.targetRefs[0]: core/Service cannot be the target of a Guard"
    )


@pytest.mark.parametrize(
    ("target", "known"),
    [
        ("Gateway/edge/none", "its listeners are 'http'"),
        ("HTTPRoute/web/none", "its rules are 'pay'"),
        ("ListenerSet/team/none", "its listeners are 'own'"),
    ],
)
def test_a_missing_section_is_reported_where_the_whole_object_would_be(target: str, known: str) -> None:
    world = running(gateway(), listener_set(), route(), guard("a", target))
    assert list(conditions(world, "a").values()) == [{"Accepted": "TargetNotFound"}]
    assert message(world, "a", "Accepted").endswith(known)
    assert demanded(world) == []


def test_a_policy_of_something_that_is_not_there_has_no_status() -> None:
    world = running(gateway(), route(), guard("a", "HTTPRoute/other"), guard("b", "Gateway/other"))
    assert conditions(world, "a") == conditions(world, "b") == {}


# Selectors.


def selector(
    kind: str = "HTTPRoute", *, namespaces: RouteNamespaces | None = None, **labels: str
) -> GuardTargetSelector:
    return GuardTargetSelector(kind=kind, match_labels=labels, namespaces=namespaces)


def test_a_selector_selects_objects_of_the_namespace_of_the_policy() -> None:
    paid, free = route("paid", labels={"tier": "paid"}), route("free", labels={"tier": "free"})
    world = running(gateway(), paid, free, guard("a", selectors=(selector(tier="paid"),)))
    by_route = {
        each.origin.route.name: len(each.security.filters)
        for _, host in world.outputs.routing.hosts.items()
        for each in host.routes
    }
    assert by_route == {"paid": 1, "free": 0}
    assert conditions(world, "a") == {"Gateway edge": ACCEPTED}


def test_labels_that_change_change_the_targets() -> None:
    world = running(gateway(), route(labels={"tier": "paid"}), guard("a", selectors=(selector(tier="paid"),)))
    world.put(route(labels={"tier": "free"}))
    world.run()
    assert demanded(world) == []
    assert conditions(world, "a") == {}


GRANT = made(
    "ReferenceGrant",
    "guards",
    {
        "from": [{"group": "guard.example.com", "kind": "GuardPolicy", "namespace": "platform"}],
        "to": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
    },
)


@pytest.mark.parametrize(
    ("namespaces", "objects", "selected"),
    [
        (RouteNamespaces(from_="All"), (GRANT,), True),
        (RouteNamespaces(from_="All"), (), False),
        (RouteNamespaces(from_="Same"), (GRANT,), False),
        (
            RouteNamespaces(from_="Selector", selector=LabelSelector(match_labels={"team": "shop"})),
            (GRANT,),
            True,
        ),
        (
            RouteNamespaces(from_="Selector", selector=LabelSelector(match_labels={"team": "bank"})),
            (GRANT,),
            False,
        ),
    ],
)
def test_objects_of_another_namespace_are_selected_with_a_reference_grant(
    namespaces: RouteNamespaces, objects: tuple[Object, ...], *, selected: bool
) -> None:
    namespace = decode_manifest(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "shop"}}}
    )
    policy = guard("a", namespace="platform", selectors=(selector(namespaces=namespaces),))
    world = running(gateway(), route(), namespace, policy, *objects)
    assert demanded(world) == (["a"] if selected else [])


# Precedence.


def test_of_two_policies_of_a_target_the_older_takes_effect_then_the_first_by_name() -> None:
    late = guard("a", "HTTPRoute/web", created="2026-01-02T00:00:00Z")
    policies = [guard(name, "HTTPRoute/web", created="2026-01-01T00:00:00Z") for name in ("c", "b")]
    world = running(gateway(), route(), late, *policies)
    assert demanded(world) == ["b"]
    assert conditions(world, "b") == {"Gateway edge": ACCEPTED}
    for name in ("a", "c"):
        assert conditions(world, name) == {"Gateway edge": {"Accepted": "Conflicted"}}
        assert "HTTPRoute shop/web is already targeted by GuardPolicy shop/b" in message(world, name, "Accepted")


def test_a_reference_and_a_selector_conflict_like_two_references() -> None:
    old = guard("old", selectors=(selector(),), created="2026-01-01T00:00:00Z")
    world = running(gateway(), route(), old, guard("new", "HTTPRoute/web", created="2026-01-02T00:00:00Z"))
    assert demanded(world) == ["old"]
    assert conditions(world, "new") == {"Gateway edge": {"Accepted": "Conflicted"}}


LEVELS = ["Gateway/edge", "ListenerSet/team", "ListenerSet/team/own", "HTTPRoute/web", "HTTPRoute/web/pay"]


@pytest.mark.parametrize("levels", range(1, len(LEVELS) + 1))
def test_the_most_specific_target_decides(levels: int) -> None:
    policies = [guard(f"p{at}", target) for at, target in enumerate(LEVELS[:levels])]
    world = running(gateway(), listener_set(), route(parents=(TO_LISTENER_SET,)), *policies)
    assert demanded(world, "/pay") == [f"p{levels - 1}"]


def test_a_policy_is_overridden_where_a_more_specific_one_is() -> None:
    policies = (guard("wide", "Gateway/edge"), guard("narrow", "HTTPRoute/web"))
    world = running(gateway(), route(), route("other"), *policies)
    assert conditions(world, "wide") == {"Gateway edge": OVERRIDDEN}
    assert conditions(world, "narrow") == {"Gateway edge": ACCEPTED}
    assert message(world, "wide", "Overridden").endswith("HTTPRoute shop/web (GuardPolicy shop/narrow)")


def test_it_is_no_longer_overridden_when_the_other_goes() -> None:
    narrow = guard("narrow", "HTTPRoute/web")
    world = running(gateway(), route(), guard("wide", "Gateway/edge"), narrow)
    world.world.sources[GuardPolicy].delete(narrow.key)
    world.run()
    assert conditions(world, "wide") == {"Gateway edge": ACCEPTED}
    assert demanded(world) == ["wide"]


def test_a_policy_of_a_rule_that_is_missing_overrides_nothing() -> None:
    world = running(gateway(), route(), guard("wide", "Gateway/edge"), guard("narrow", "HTTPRoute/web/none"))
    assert conditions(world, "wide") == {"Gateway edge": ACCEPTED}


def test_a_policy_of_a_listener_set_is_overridden_by_that_of_its_listener() -> None:
    policies = (guard("set", "ListenerSet/team"), guard("listener", "ListenerSet/team/own"))
    world = running(gateway(), listener_set(), *policies)
    assert conditions(world, "set") == {"ListenerSet team": OVERRIDDEN}


def test_many_overriding_policies_are_counted() -> None:
    names = [f"r{at:02}" for at in range(12)]
    policies = [guard(name, f"HTTPRoute/{name}") for name in names]
    world = running(gateway(), *map(route, names), *policies, guard("wide", "Gateway/edge"))
    assert message(world, "wide", "Overridden").endswith("(GuardPolicy shop/r09) and 2 more")


# Merge.


def test_a_policy_of_a_route_with_a_merge_type_is_merged_with_that_of_the_gateway() -> None:
    policies = (guard("wide", "Gateway/edge"), guard("narrow", "HTTPRoute/web", merge_type="StrategicMerge"))
    world = running(gateway(), route(), *policies)
    assert demanded(world) == ["wide", "narrow"]
    assert conditions(world, "wide") == conditions(world, "narrow") == {"Gateway edge": MERGED}
    assert message(world, "narrow", "Merged") == "merged with GuardPolicy shop/wide"


def test_it_is_merged_with_the_closest_parent_only() -> None:
    policies = (
        guard("wide", "Gateway/edge"),
        guard("listener", "Gateway/edge/http"),
        guard("narrow", "HTTPRoute/web", merge_type="StrategicMerge"),
    )
    world = running(gateway(), route(), *policies)
    assert demanded(world) == ["listener", "narrow"]
    assert conditions(world, "wide") == {"Gateway edge": OVERRIDDEN}


def test_a_rule_is_never_merged_with_its_route() -> None:
    policies = (
        guard("wide", "Gateway/edge"),
        guard("route", "HTTPRoute/web"),
        guard("rule", "HTTPRoute/web/pay", merge_type="StrategicMerge"),
    )
    world = running(gateway(), route(), *policies)
    assert demanded(world, "/pay") == ["wide", "rule"]
    assert demanded(world) == ["route"]
    assert conditions(world, "route") == {"Gateway edge": OVERRIDDEN}


def test_merging_differs_by_listener() -> None:
    policies = (guard("one", "Gateway/edge/one"), guard("narrow", "HTTPRoute/web", merge_type="JSONMerge"))
    world = running(gateway("edge", "one", "two"), route(), *policies)
    assert demanded(world, listener="one") == ["one", "narrow"]
    assert demanded(world, listener="two") == ["narrow"]


def test_a_merge_type_without_a_parent_changes_nothing() -> None:
    world = running(gateway(), route(), guard("narrow", "HTTPRoute/web", merge_type="JSONMerge"))
    assert demanded(world) == ["narrow"]
    assert conditions(world, "narrow") == {"Gateway edge": ACCEPTED}


# Ancestors and problems.


def test_a_policy_has_an_entry_for_every_parent_of_its_route() -> None:
    parents = ({"name": "edge"}, {"name": "other"})
    world = running(gateway(), gateway("other"), route(parents=parents), guard("a", "HTTPRoute/web"))
    assert conditions(world, "a") == {"Gateway edge": ACCEPTED, "Gateway other": ACCEPTED}


def test_there_are_sixteen_ancestors_at_most() -> None:
    names = [f"g{at:02}" for at in range(20)]
    parents = tuple({"name": name} for name in names)
    world = running(*map(gateway, names), route(parents=parents), guard("a", "HTTPRoute/web"))
    assert list(conditions(world, "a")) == [f"Gateway {name}" for name in names[:16]]


def test_a_gateway_of_another_controller_is_left_alone() -> None:
    foreign = made("Gateway", "edge", {"gatewayClassName": "foreign", "listeners": []})
    assert conditions(running(foreign, guard("a", "Gateway/edge")), "a") == {}


def test_an_invalid_policy_that_fails_closed_is_not_passed_over() -> None:
    edge = gateway()
    world = running(edge, route(), guard("wide", "Gateway/edge"), guard("narrow", "HTTPRoute/web", demands=""))
    assert conditions(world, "narrow") == {"Gateway edge": {"Accepted": "Invalid"}}
    assert ask(world.outputs.routing, edge.key, Request(host="a")).shares[0].status == 500


def test_a_request_must_pass_what_policies_demand() -> None:
    edge = gateway()
    world = running(edge, route(), guard("token", "Gateway/edge"))
    outcomes = [
        ask(world.outputs.routing, edge.key, Request(host="a", headers=headers))
        for headers in ((), (("token", "secret"),))
    ]
    denied, passed = ([share.status for share in outcome.shares] for outcome in outcomes)
    assert (denied, passed) == ([403], [500])  # there is no Service behind it


def test_a_change_of_weights_looks_at_labels_and_at_no_policy() -> None:
    backends = [{"name": "web", "port": 80}, {"name": "other", "port": 80}]

    def weighted(weight: int) -> Object:
        refs = [backend | {"weight": weight} for backend in backends]
        refs[0]["weight"] = 1
        return made("HTTPRoute", "web", {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": refs}]})

    world = running(gateway(), weighted(1), guard("a", "HTTPRoute/web"))
    before = world.engine.runs.copy()
    world.put(weighted(2))
    world.run()
    ran = set(world.engine.runs - before)
    assert {name for name in ran if "Guard" in name or "security" in name or "labels" in name} == {
        "labels of HTTPRoute"
    }

"""Statuses as patches; what holds for all of them stands in tests/laws."""

from typing import Any

from headgate.api.gateway import (
    GatewayStatus,
    GatewayStatusAddress,
    ListenerStatus,
    ParentReference,
    RouteGroupKind,
    RouteParentStatus,
    RouteStatus,
)
from headgate.api.meta import Condition
from headgate.api.patch import json_patch
from headgate.kube.statuses import conditions_patch, entries_patch, status_patch

OURS = "headgate.dev/gateway-controller"
NOW = 1_800_000_000.0
THEN = "2020-01-01T00:00:00Z"


def gateway(status: dict[str, Any] | None = None) -> dict[str, Any]:
    raw = {"kind": "Gateway", "metadata": {"name": "g", "namespace": "n", "resourceVersion": "5"}, "spec": {}}
    return raw if status is None else raw | {"status": status}


def accepted(status: str = "True", **more: Any) -> Condition:
    return Condition(type="Accepted", status=status, reason="Accepted", **more)


def condition(kind: str = "Accepted", **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": THEN} | more


def test_an_object_without_status_gets_one_guarded_by_its_version() -> None:
    operations = status_patch(gateway(), GatewayStatus(conditions=(accepted(),)), NOW)
    assert operations[:2] == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "5"},
        {"op": "add", "path": "/status", "value": {}},
    ]
    assert json_patch(gateway(), operations)["status"]["conditions"][0]["status"] == "True"


def test_a_status_with_nothing_to_say_is_not_written() -> None:
    assert status_patch(gateway(), GatewayStatus(), NOW) == []


def test_an_equal_condition_keeps_its_time_and_is_not_written() -> None:
    raw = gateway({"conditions": [condition(observedGeneration=3)]})
    assert conditions_patch(raw, [accepted(observed_generation=3)], NOW) == []


def test_a_new_message_is_written_with_the_old_time() -> None:
    raw = gateway({"conditions": [condition()]})
    written = json_patch(raw, conditions_patch(raw, [accepted(message="new")], NOW))["status"]["conditions"][0]
    assert (written["message"], written["lastTransitionTime"]) == ("new", THEN)


def test_a_new_status_is_written_with_a_new_time() -> None:
    raw = gateway({"conditions": [condition()]})
    written = json_patch(raw, conditions_patch(raw, [accepted("False")], NOW))["status"]["conditions"][0]
    assert written["lastTransitionTime"] == "2027-01-15T08:00:00Z"


def test_a_condition_of_ours_that_is_not_desired_goes() -> None:
    raw = gateway({"conditions": [condition("Programmed"), condition("example.com/Theirs"), condition()]})
    after = json_patch(raw, conditions_patch(raw, [accepted()], NOW, owned=("Accepted", "Programmed")))
    assert [each["type"] for each in after["status"]["conditions"]] == ["example.com/Theirs", "Accepted"]


def test_replacing_a_condition_tests_the_one_that_was_read() -> None:
    raw = gateway({"conditions": [condition("example.com/Theirs"), condition()]})
    operations = conditions_patch(raw, [accepted("False")], NOW)
    assert operations[0] == {"op": "test", "path": "/status/conditions/1", "value": condition()}


def test_adding_a_condition_tests_the_list_that_was_read() -> None:
    raw = gateway({"conditions": [condition("example.com/Theirs")]})
    operations = conditions_patch(raw, [accepted()], NOW)
    assert operations[0] == {"op": "test", "path": "/status/conditions", "value": raw["status"]["conditions"]}
    assert operations[1]["path"] == "/status/conditions/-"


def entry(name: str, controller: str, **more: Any) -> dict[str, Any]:
    return {"parentRef": {"name": name}, "controllerName": controller, "conditions": [condition()]} | more


def parent(name: str, *conditions: Condition) -> RouteParentStatus:
    return RouteParentStatus(
        parent_ref=ParentReference(name=name), controller_name=OURS, conditions=conditions or (accepted(),)
    )


def test_what_the_api_filled_in_of_a_parent_reference_is_no_difference() -> None:
    filled = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g"}
    raw = gateway({"parents": [entry("g", OURS, parentRef=filled)]})
    assert entries_patch(raw, ("status", "parents"), [parent("g")], controllers=(OURS,), now=NOW) == []


def test_entries_of_a_parent_that_we_left_go_and_others_stay() -> None:
    raw = gateway({"parents": [entry("old", OURS), entry("old", "example.com/other"), entry("g", OURS)]})
    operations = status_patch(raw, RouteStatus(parents=(parent("g"),)), NOW, controllers=(OURS,))
    assert operations == [
        {"op": "test", "path": "/status/parents/0", "value": entry("old", OURS)},
        {"op": "remove", "path": "/status/parents/0"},
    ]


def test_a_second_entry_of_ours_for_one_parent_goes() -> None:
    raw = gateway({"parents": [entry("g", OURS), entry("g", OURS, conditions=[])]})
    after = json_patch(raw, status_patch(raw, RouteStatus(parents=(parent("g"),)), NOW, controllers=(OURS,)))
    assert after["status"]["parents"] == [entry("g", OURS)]


def test_conditions_of_others_in_our_entry_stay() -> None:
    theirs = condition("example.com/Theirs")
    raw = gateway({"parents": [entry("g", OURS, conditions=[theirs, condition()])]})
    after = json_patch(
        raw, status_patch(raw, RouteStatus(parents=(parent("g", accepted("False")),)), NOW, controllers=(OURS,))
    )
    assert after["status"]["parents"][0]["conditions"][0] == theirs


def listener(attached: int, *, status: str = "True") -> ListenerStatus:
    kinds = (RouteGroupKind(kind="HTTPRoute"),)
    return ListenerStatus(name="http", attached_routes=attached, supported_kinds=kinds, conditions=(accepted(status),))


def test_a_listener_without_routes_has_attached_routes_0() -> None:
    after = json_patch(gateway(), status_patch(gateway(), GatewayStatus(listeners=(listener(0),)), NOW))
    assert after["status"]["listeners"][0]["attachedRoutes"] == 0


def test_a_listener_keeps_the_times_of_its_conditions() -> None:
    raw = json_patch(gateway(), status_patch(gateway(), GatewayStatus(listeners=(listener(0),)), NOW))
    after = json_patch(raw, status_patch(raw, GatewayStatus(listeners=(listener(3),)), NOW + 60))
    before, written = (each["status"]["listeners"][0]["conditions"] for each in (raw, after))
    assert before == written
    assert after["status"]["listeners"][0]["attachedRoutes"] == 3


def test_what_the_api_filled_in_of_a_listener_is_no_difference() -> None:
    desired = GatewayStatus(listeners=(listener(1),), addresses=(GatewayStatusAddress(value="10.0.0.1"),))
    raw = json_patch(gateway(), status_patch(gateway(), desired, NOW))
    raw["status"]["listeners"][0]["supportedKinds"][0]["group"] = "gateway.networking.k8s.io"
    raw["status"]["addresses"][0]["type"] = "IPAddress"
    assert status_patch(raw, desired, NOW) == []


def test_fields_that_are_not_asked_for_are_left_alone() -> None:
    raw = gateway({"addresses": [{"value": "10.0.0.1"}]})
    operations = status_patch(raw, GatewayStatus(conditions=(accepted(),)), NOW, fields=("conditions",))
    assert "addresses" in json_patch(raw, operations)["status"]


def test_fields_that_we_own_and_leave_empty_are_emptied() -> None:
    raw = gateway({"addresses": [{"value": "10.0.0.1"}]})
    assert json_patch(raw, status_patch(raw, GatewayStatus(), NOW))["status"]["addresses"] == []


def test_a_condition_of_ours_that_a_listener_no_longer_has_goes_and_foreign_ones_stay() -> None:
    theirs = condition("example.com/Theirs", observedGeneration=1)
    raw = json_patch(gateway(), status_patch(gateway(), GatewayStatus(listeners=(listener(0),)), NOW))
    raw["status"]["listeners"][0]["conditions"] += [theirs, condition("OverlappingTLSConfig")]
    owned = ("Accepted", "OverlappingTLSConfig")
    after = json_patch(raw, status_patch(raw, GatewayStatus(listeners=(listener(0),)), NOW, owned_in_items=owned))
    conditions = after["status"]["listeners"][0]["conditions"]
    assert [each["type"] for each in conditions] == ["Accepted", "example.com/Theirs"]
    assert conditions[1] == theirs


def test_where_foreign_conditions_leave_little_room_our_optional_ones_are_left_out() -> None:
    foreign = [condition(f"example.com/{number}") for number in range(6)]
    desired = [Condition(type=kind, status="True") for kind in ("OverlappingTLSConfig", "Accepted", "Programmed")]
    raw = gateway({"conditions": foreign})
    after = json_patch(raw, conditions_patch(raw, desired, NOW))["status"]["conditions"]
    assert after[:6] == foreign
    assert [each["type"] for each in after[6:]] == ["Accepted", "Programmed"]
    assert conditions_patch(gateway({"conditions": after}), desired, NOW) == []


def test_where_foreign_conditions_leave_no_room_nothing_is_written() -> None:
    raw = gateway({"conditions": [condition(f"example.com/{number}") for number in range(8)]})
    assert conditions_patch(raw, [accepted()], NOW) == []


def test_an_optional_condition_of_ours_gives_its_place_back_to_one_that_must_be_there() -> None:
    present = [*(condition(f"example.com/{number}") for number in range(7)), condition("OverlappingTLSConfig")]
    desired = [Condition(type="OverlappingTLSConfig", status="True"), accepted()]
    raw = gateway({"conditions": present})
    after = json_patch(raw, conditions_patch(raw, desired, NOW))["status"]["conditions"]
    assert [each["type"] for each in after[7:]] == ["Accepted"]


def test_where_foreign_entries_leave_little_room_the_first_of_ours_are_written() -> None:
    foreign = [entry(f"g-{number}", "example.com/other") for number in range(31)]
    raw = gateway({"parents": foreign})
    desired = [parent("first"), parent("second")]
    after = json_patch(raw, entries_patch(raw, ("status", "parents"), desired, controllers=(OURS,), now=NOW))
    parents = after["status"]["parents"]
    assert parents[:31] == foreign
    assert [each["parentRef"]["name"] for each in parents[31:]] == ["first"]


def test_entries_under_all_our_names_are_written_in_one_patch() -> None:
    second = "example.com/second-name"
    desired = [parent("a"), RouteParentStatus(parent_ref=ParentReference(name="a"), controller_name=second)]
    raw = gateway({"parents": [entry("a", "example.com/other"), entry("gone", second)]})
    after = json_patch(raw, entries_patch(raw, ("status", "parents"), desired, controllers=(OURS, second), now=NOW))
    found = [(each["controllerName"], each["parentRef"]["name"]) for each in after["status"]["parents"]]
    assert found == [("example.com/other", "a"), (OURS, "a"), (second, "a")]


def test_another_controllers_write_to_another_field_causes_no_write() -> None:
    raw = json_patch(gateway(), status_patch(gateway(), GatewayStatus(listeners=(listener(0),)), NOW))
    operations = status_patch(raw, GatewayStatus(listeners=(listener(3),)), NOW)
    raw["metadata"]["resourceVersion"] = "6"
    raw["status"]["conditions"] = [condition("example.com/Theirs")]
    assert json_patch(raw, operations)["status"]["listeners"][0]["attachedRoutes"] == 3

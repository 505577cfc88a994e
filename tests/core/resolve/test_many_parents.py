"""A route with the largest number of parentRefs that the API admits."""

from __future__ import annotations

from collections import Counter

from golden import cases as golden
from headgate.api.gateway import RouteParentStatus
from headgate.api.meta import Key, Ref

CASE = golden.read(golden.FOLDER / "serve" / "sixty-four-listeners.in.yaml")


def parents(route: str) -> tuple[RouteParentStatus, ...]:
    found = golden.running(CASE).outputs.route_statuses.get(Ref("HTTPRoute", "shop", route))
    assert found is not None
    return found


def reasons(entries: tuple[RouteParentStatus, ...]) -> Counter[str]:
    return Counter(each.reason for entry in entries for each in entry.conditions if each.type == "Accepted")


def test_each_of_32_parent_refs_has_an_entry_of_its_own() -> None:
    assert reasons(parents("web")) == {"Accepted": 30, "NoMatchingParent": 2}


def test_an_entry_without_a_matching_listener_names_its_field_and_the_listeners_that_exist() -> None:
    lost = [entry for entry in parents("web") if entry.parent_ref.section_name == "l65"]
    (message,) = [each.message for entry in lost for each in entry.conditions if each.type == "Accepted"]
    assert message.startswith("spec.parentRefs[30]: Gateway shop/large has no listener named 'l65'; it has 'l1' on ")


def test_a_parent_ref_to_64_listeners_has_one_entry() -> None:
    assert reasons(parents("all")) == {"Accepted": 1}


def test_each_of_64_listeners_counts_its_attached_routes() -> None:
    status = golden.running(CASE).outputs.gateway_statuses.get(Key("shop", "large"))
    assert status is not None
    assert [each.attached_routes for each in status.listeners] == [2] * 30 + [1] * 34

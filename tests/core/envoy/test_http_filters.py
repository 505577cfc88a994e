"""The registry of HTTP filters: their order, what a chain has of them, and the guards."""

from __future__ import annotations

import msgspec
import pytest

from headgate.envoy import http_filters, listeners, protos
from headgate.envoy.http_filters import SLOTS, FilterOrder, Tier, ext_authz, guard, stateful_session

GUARDS = {tier: next(slot for slot in guard.SLOTS if slot.guards is tier) for tier in (Tier.STANDARD, Tier.EXTENDED)}


def names(tier: Tier) -> list[str]:
    return [slot.name for slot in http_filters.chain(tier)]


def test_requests_pass_the_filters_in_the_order_of_the_registry() -> None:
    orders = [slot.order for slot in SLOTS.values()]
    assert orders == sorted(orders)
    assert orders[-1] is FilterOrder.GUARD


def test_there_is_an_early_and_a_late_place_for_rbac_and_for_the_local_rate_limit() -> None:
    assert FilterOrder.EARLY_RBAC < FilterOrder.EXT_AUTHZ < FilterOrder.JWT_AUTHN < FilterOrder.LATE_RBAC
    assert FilterOrder.EARLY_LOCAL_RATE_LIMIT < FilterOrder.BASIC_AUTH < FilterOrder.LATE_LOCAL_RATE_LIMIT


@pytest.mark.parametrize("tier", list(Tier))
def test_a_chain_has_the_guard_of_each_tier_that_it_lacks(tier: Tier) -> None:
    for guarded, slot in GUARDS.items():
        assert (slot.name in names(tier)) is (tier < guarded)


def test_a_chain_without_a_tier_has_guards_only() -> None:
    assert names(Tier.NONE) == [slot.name for slot in GUARDS.values()]


def test_the_standard_tier_has_two_filters_before_routing_and_the_extended_one_all_that_the_api_allows() -> None:
    for tier, most in ((Tier.STANDARD, 2), (Tier.EXTENDED, 16)):
        before = [slot for slot in http_filters.chain(tier) if slot.order is FilterOrder.BEFORE_ROUTING]
        assert len(before) == most * len(ext_authz.SLOTS)


@pytest.mark.parametrize("name", [name for name, slot in SLOTS.items() if not slot.guards])
def test_what_enables_a_slot_configures_the_guard_of_its_tier(name: str) -> None:
    tier = SLOTS[name].tier
    assert http_filters.guarded({name: b"x"}) == {name: b"x", GUARDS[tier].name: guard.CLOSED}
    assert http_filters.tier_of([name]) is tier


def test_a_name_that_is_no_slot_is_refused() -> None:
    """Envoy would ignore it, and the route would be open."""
    with pytest.raises(KeyError):
        http_filters.guarded({"headgate.ext_autz.http": b""})


def test_a_filter_that_cannot_run_before_routing_is_refused_there() -> None:
    with pytest.raises(LookupError):
        http_filters.before_routing(stateful_session.SLOT.name, 0)
    with pytest.raises(LookupError):
        http_filters.before_routing("headgate.ext_authz.http", 16)


def test_a_host_whose_filters_may_change_the_route_has_every_slot_of_routes() -> None:
    of_routes = {name for name, slot in SLOTS.items() if slot.order is not FilterOrder.BEFORE_ROUTING}
    assert set(http_filters.off()) == of_routes


def test_every_slot_is_disabled_in_a_chain() -> None:
    made = listeners.listener("l", "0.0.0.0", 80, [listeners.FilterChain("c", "routes", tier=Tier.STANDARD)])
    filters = _manager(made.body).http_filters
    assert [each.name for each in filters] == [*names(Tier.STANDARD), "envoy.filters.http.router"]
    assert all(each.disabled for each in filters[:-1])


def test_a_slot_by_ecds_names_its_type_and_has_a_default_until_the_resource_comes() -> None:
    slot = msgspec.structs.replace(stateful_session.SLOT, delivery=http_filters.Delivery.ECDS)
    message = protos.HttpConnectionManager().http_filters.add(name=slot.name)
    listeners.put_slot(slot, message)
    discovery = message.config_discovery
    assert list(discovery.type_urls) == [protos.AnyMessage.FromString(slot.config).type_url]
    assert discovery.default_config.SerializeToString() == slot.config
    assert discovery.apply_default_config_without_warming


def _manager(body: bytes) -> protos.HttpConnectionManager:
    (chain,) = protos.Listener.FromString(body).filter_chains
    return protos.HttpConnectionManager.FromString(chain.filters[0].typed_config.value)

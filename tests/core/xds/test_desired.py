"""The desired state of a Gateway, by small updates."""

import pytest

from headgate.envoy import names, routes
from headgate.envoy.resources import VirtualHost, Weights
from headgate.xds.desired import DesiredState, Update

KEY = names.weights_key("u", ("a", "b"))


def host(name: str = "x", key: str = KEY, clusters: tuple[str, ...] = ("a", "b")) -> VirtualHost:
    forward = routes.Forward(tuple(map(routes.Destination, clusters)), key)
    return routes.virtual_host(name, [name], [routes.route("r", routes.Match(), forward)])


def weights(*values: int) -> dict[str, Weights]:
    return {KEY: Weights(tuple(zip(("a", "b"), values, strict=True)))}


def filled() -> DesiredState:
    desired = DesiredState()
    desired.update(Update(hosts={("r", "x"): host(), ("r", "y"): host("y")}, weights=weights(1, 0)))
    return desired


def test_a_change_of_weights_changes_no_route_configuration() -> None:
    changes = filled().update(Update(weights=weights(0, 1)))
    assert (changes.keys, changes.configurations) == ({KEY}, set())


def test_equal_weights_change_nothing() -> None:
    changes = filled().update(Update(weights=weights(1, 0)))
    assert (changes.keys, changes.configurations) == (set(), set())


def test_weights_with_a_cluster_twice_change_their_route_configuration() -> None:
    key = names.weights_key("u", ("a", "a"))
    desired = DesiredState()
    both = {key: Weights((("a", 1), ("a", 2)))}
    desired.update(Update(hosts={("r", "x"): host(key=key, clusters=("a", "a"))}, weights=both))
    changes = desired.update(Update(weights={key: Weights((("a", 2), ("a", 1)))}))
    assert changes.configurations == {"r"}


def test_only_changed_virtual_hosts_are_rendered_again() -> None:
    desired = filled()
    before = desired.virtual_hosts("r")
    changed = routes.virtual_host("y", ["y"], [])
    desired.update(Update(hosts={("r", "y"): changed}))
    after = desired.virtual_hosts("r")
    assert after.get("x") is before.get("x")
    assert after.get("y") is not before.get("y")


def test_other_origins_change_no_route_configuration() -> None:
    changes = filled().update(Update(hosts={("r", "x"): host()}))
    assert changes.configurations == set()


def test_weights_that_are_all_zero_are_an_error_and_change_nothing() -> None:
    desired = filled()
    with pytest.raises(ValueError, match="not all 0"):
        desired.update(Update(weights=weights(0, 0), removed_hosts=frozenset({("r", "x")})))
    assert desired.host("r", "x") is not None


def test_a_virtual_host_without_its_weights_is_an_error() -> None:
    with pytest.raises(ValueError, match="do not exist"):
        DesiredState().update(Update(hosts={("r", "x"): host()}))


def test_a_weights_key_for_other_clusters_is_an_error() -> None:
    with pytest.raises(ValueError, match="other clusters"):
        filled().update(Update(weights={KEY: Weights((("a", 1), ("c", 1)))}))


def test_a_route_configuration_without_hosts_exists() -> None:
    desired = DesiredState()
    desired.update(Update(route_configurations=frozenset({"r"})))
    assert desired.has_configuration("r")

"""Names of clusters and what derives from them."""

from itertools import combinations
from pathlib import Path

import pytest

from headgate.cluster.addresses import INDEXES, ClusterAddresses
from headgate.cluster.data_folder import check_name
from headgate.cluster.errors import ClusterError
from headgate.cluster.registry import Registry


def test_a_name_keeps_its_index_and_its_data_folder(tmp_path: Path) -> None:
    first = Registry(tmp_path).register("shop", None)
    assert Registry(tmp_path).register("shop", None) == first


def test_a_second_name_gets_another_index(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    assert registry.register("a", None).index != registry.register("b", None).index


def test_an_index_that_somebody_else_uses_is_not_given(tmp_path: Path) -> None:
    assert Registry(tmp_path).register("a", None, taken=frozenset({0, 1})).index == 2


def test_the_index_of_a_forgotten_name_is_free_again(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    first = registry.register("a", None)
    registry.unregister("a")
    assert registry.find("a") is None
    assert registry.register("b", None).index == first.index


def test_data_lie_in_the_state_folder_unless_told(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    assert registry.register("a", None).data == str(tmp_path / "a")
    assert registry.register("a", tmp_path / "elsewhere").data == str(tmp_path / "elsewhere")


def test_a_damaged_registry_is_named_and_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "clusters.json").write_text("nonsense")
    with pytest.raises(ClusterError, match=r"clusters\.json is not a valid list of clusters"):
        Registry(tmp_path).register("a", None)
    assert (tmp_path / "clusters.json").read_text() == "nonsense"


def test_more_clusters_than_networks_are_refused(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    with pytest.raises(ClusterError, match="all 27 networks for clusters are in use"):
        registry.register("a", None, taken=frozenset(INDEXES))


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a" * 41, "../x"])
def test_a_name_that_is_no_dns_label_is_refused(name: str) -> None:
    with pytest.raises(ClusterError, match="is not a valid cluster name"):
        check_name(name)


def test_no_two_indexes_share_a_network_or_a_port() -> None:
    all_of_them = [ClusterAddresses.of(index) for index in INDEXES]
    for one, other in combinations(all_of_them, 2):
        networks = (one.pods, one.load_balancers, other.pods, other.load_balancers)
        assert not any(a.overlaps(b) for a, b in combinations(networks, 2))
        assert not set(one.ports) & set(other.ports)

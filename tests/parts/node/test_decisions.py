"""Addresses, scheduling, probing, restarts: what a node decides without asking anybody."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headgate.api.core import Pod, Probe, Service
from headgate.node import scheduling, socket_owners
from headgate.node.containers import RESTART_BACKOFF
from headgate.node.locks import InUseError, is_local, lock_node
from headgate.node.pod_addresses import AddressesExhaustedError, PodAddresses
from headgate.node.probe_thresholds import ProbeState

NETWORK = ipaddress.IPv4Network("127.30.0.0/28")


def balancer(name: str, address: str = "", **spec: Any) -> Service:
    status = {"loadBalancer": {"ingress": [{"ip": address}]}} if address else {}
    body = {"metadata": {"name": name}, "spec": {"type": "LoadBalancer", **spec}, "status": status}
    return msgspec.convert(body, Service)


def waiting(**spec: Any) -> Pod:
    return msgspec.convert({"metadata": {"name": "one"}, "spec": spec}, Pod)


def test_a_pod_keeps_its_address(tmp_path: Path) -> None:
    addresses = PodAddresses(NETWORK, tmp_path / "a")
    assert addresses.allocate("one") == addresses.allocate("one")


def test_a_node_that_starts_again_knows_the_addresses(tmp_path: Path) -> None:
    before = PodAddresses(NETWORK, tmp_path / "a").allocate("one")
    assert PodAddresses(NETWORK, tmp_path / "a").allocate("one") == before


def test_an_address_that_was_freed_is_not_given_to_the_next_pod(tmp_path: Path) -> None:
    addresses = PodAddresses(NETWORK, tmp_path / "a")
    first = addresses.allocate("one")
    addresses.release("one")
    assert addresses.allocate("two") != first


def test_a_full_network_is_said_so(tmp_path: Path) -> None:
    addresses = PodAddresses(NETWORK, tmp_path / "a")
    with pytest.raises(AddressesExhaustedError, match=r"all 13 addresses of the pod network 127\.30\.0\.0/28"):
        for number in range(20):
            addresses.allocate(str(number))


def test_every_address_is_used_before_the_network_is_full(tmp_path: Path) -> None:
    addresses = PodAddresses(NETWORK, tmp_path / "a")
    assert len({addresses.allocate(str(number)) for number in range(13)}) == 13


def test_a_load_balancer_gets_the_first_free_address() -> None:
    assert scheduling.address_for(balancer("a"), NETWORK, ["127.30.0.1"]) == "127.30.0.2"


def test_an_address_that_was_just_freed_is_not_given_again_at_once() -> None:
    assert scheduling.address_for(balancer("a"), NETWORK, [], last="127.30.0.1") == "127.30.0.2"


def test_the_last_address_of_the_network_is_followed_by_the_first_that_is_free() -> None:
    last = str(NETWORK.broadcast_address - 1)
    assert scheduling.address_for(balancer("a"), NETWORK, ["127.30.0.1"], last=last) == "127.30.0.2"


def test_a_load_balancer_gets_the_address_that_it_asks_for() -> None:
    assert scheduling.address_for(balancer("a", loadBalancerIP="127.30.0.9"), NETWORK, []) == "127.30.0.9"


@pytest.mark.parametrize("asked", ["127.30.0.1", "10.0.0.1", "nonsense"])
def test_an_address_that_is_taken_or_foreign_is_not_given(asked: str) -> None:
    assert scheduling.address_for(balancer("a", loadBalancerIP=asked), NETWORK, ["127.30.0.1"]) is None


@pytest.mark.parametrize(
    ("service", "wants"),
    [
        (balancer("a"), True),
        (balancer("a", address="127.30.0.1"), False),
        (balancer("a", type="ClusterIP"), False),
        (balancer("a", loadBalancerClass="example.com/other"), False),
        (balancer("a", address="127.30.0.1", loadBalancerIP="127.30.0.1"), False),
        (balancer("a", address="127.30.0.1", loadBalancerIP="127.30.0.9"), True),
    ],
)
def test_only_load_balancers_that_lack_what_they_ask_for_want_an_address(service: Service, wants: bool) -> None:
    assert scheduling.needs_address(service) is wants


@pytest.mark.parametrize(
    ("pod", "waits"),
    [(waiting(), True), (waiting(nodeName="x"), False), (waiting(schedulerName="other"), False)],
)
def test_pods_without_a_node_are_taken_unless_another_scheduler_is_asked_for(pod: Pod, waits: bool) -> None:
    assert scheduling.is_schedulable(pod) is waits


def verdicts(probe: Probe, results: str, passed: bool = False) -> str:
    state, verdict = ProbeState(passed=passed), ""
    for result in results:
        state = state.record(probe, result == "+")
        verdict += "+" if state.passed else "-"
    return verdict


def test_a_probe_passes_after_enough_successes_in_a_row() -> None:
    assert verdicts(Probe(success_threshold=2), "+-++") == "---+"


def test_a_probe_fails_after_enough_failures_in_a_row() -> None:
    assert verdicts(Probe(failure_threshold=3), "--+---", passed=True) == "+++++-"


def test_the_first_restart_is_immediate_and_later_ones_wait_longer() -> None:
    assert [RESTART_BACKOFF.delay(crashes - 1) for crashes in range(1, 9)] == [0, 10, 20, 40, 80, 160, 300, 300]


def test_the_owner_of_a_connection_is_read_from_the_table_of_the_kernel() -> None:
    table = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:1F90 0100007F:A0B1 01 00000000:00000000 00:00000000 00000000  1000        0 1 1\n"
    )
    assert socket_owners.owner(table, ("127.0.0.1", 0x1F90), ("127.0.0.1", 0xA0B1)) == 1000


@pytest.mark.parametrize(
    ("server", "local"),
    [
        ("https://127.0.0.1:6443", True),
        ("https://localhost:6443", True),
        ("https://[::1]:6443", True),
        ("https://10.0.0.1:6443", False),
        ("https://does-not-exist.invalid", False),
    ],
)
def test_an_api_is_on_this_machine_when_all_its_addresses_are(server: str, local: bool) -> None:
    assert is_local(server) is local


def test_two_nodes_do_not_share_a_data_folder(tmp_path: Path) -> None:
    other = ipaddress.IPv4Network("127.99.0.16/28")
    with (
        lock_node(tmp_path, ipaddress.IPv4Network("127.99.0.0/28")),
        pytest.raises(InUseError, match="is used by another running node"),
        lock_node(tmp_path, other),
    ):
        pass


def test_two_nodes_do_not_share_a_pod_network(tmp_path: Path) -> None:
    network = ipaddress.IPv4Network("127.99.1.0/28")
    with (
        lock_node(tmp_path / "a", network),
        pytest.raises(InUseError, match="choose another --pod-cidr"),
        lock_node(tmp_path / "b", network),
    ):
        pass

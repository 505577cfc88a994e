"""What is made for a Gateway on a real API: addresses that it asks for, labels of its own, names of 253 characters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from headgate.traffic import Target
from support.control_plane import ControlPlane
from support.installed import Installed
from support.kubectl import Kubectl
from support.steady_traffic import SteadyTraffic
from support.waiting import until

SPACE = "infrastructure"
#: In the range of the node's load balancer, far from those that it gives by itself first.
USABLE, OTHER, UNUSABLE = "10.245.200.1", "10.245.200.2", "192.0.2.1"
GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"


@pytest.fixture(scope="module")
def kubectl(installed: Installed, kubernetes: ControlPlane) -> Iterator[Kubectl]:
    """kubectl beside the chart's controller, in a namespace of these tests."""
    kubernetes.kubectl("create", "namespace", SPACE)
    try:
        yield kubernetes.kubectl
    finally:
        kubernetes.kubectl("delete", "namespace", SPACE, "--wait=false")


def apply(kubectl: Kubectl, name: str, **spec: Any) -> None:
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}]
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"gatewayClassName": "headgate", "listeners": listeners, **spec},
    }
    kubectl.apply(httpx.Response(200, json=gateway).text, "--server-side", "--force-conflicts")


def asking(*addresses: str) -> list[dict[str, str]]:
    return [{"type": "IPAddress", "value": address} for address in addresses]


def get(kubectl: Kubectl, *arguments: str) -> Any:
    return kubectl.json("get", f"--namespace={SPACE}", *arguments)


def condition(kubectl: Kubectl, name: str, kind: str) -> tuple[str, str]:
    """Status and reason of a condition, once it speaks of the Gateway as it is."""
    found = get(kubectl, "gateway", name)
    for each in found.get("status", {}).get("conditions", ()):
        if each["type"] == kind and each.get("observedGeneration") == found["metadata"]["generation"]:
            return each["status"], each["reason"]
    return "", ""


def comes(kubectl: Kubectl, name: str, *expected: str, kind: str = "Programmed") -> None:
    until(lambda: condition(kubectl, name, kind) == expected, what=f"{kind} {' '.join(expected)} of {name}")


def addresses(kubectl: Kubectl, name: str) -> list[tuple[str, str]]:
    return [(each["type"], each["value"]) for each in get(kubectl, "gateway", name)["status"].get("addresses", ())]


def answers(address: str) -> bool:
    """Whether an Envoy without routes listens there."""
    try:
        return httpx.get(f"http://{address}/", timeout=2, trust_env=False).status_code == 404
    except httpx.HTTPError:
        return False


def test_an_address_that_cannot_be_had_is_said_and_one_that_can_is_served(kubectl: Kubectl) -> None:
    apply(kubectl, "static", addresses=[{"type": "test/fake-invalid-type", "value": "fake"}])
    comes(kubectl, "static", "False", "UnsupportedAddress", kind="Accepted")
    apply(kubectl, "static", addresses=asking(UNUSABLE))
    comes(kubectl, "static", "False", "AddressNotUsable")
    assert condition(kubectl, "static", "Accepted") == ("True", "Accepted")
    assert addresses(kubectl, "static") == []
    apply(kubectl, "static", addresses=asking(USABLE))
    comes(kubectl, "static", "True", "Programmed")
    assert addresses(kubectl, "static") == [("IPAddress", USABLE)]
    assert answers(USABLE)
    kubectl("delete", "gateway", "static", f"--namespace={SPACE}")


def test_envoys_follow_to_another_address_without_a_restart(kubectl: Kubectl) -> None:
    def pods() -> list[str]:
        listed = get(kubectl, "pods", f"--selector={GATEWAY_NAME}=moving")["items"]
        return [each["metadata"]["uid"] for each in listed]

    apply(kubectl, "moving")
    comes(kubectl, "moving", "True", "Programmed")
    before = pods()
    apply(kubectl, "moving", addresses=asking(OTHER))
    until(lambda: addresses(kubectl, "moving") == [("IPAddress", OTHER)], what=f"the address {OTHER}")
    until(lambda: answers(OTHER), what=f"an Envoy at {OTHER}")
    assert pods() == before
    kubectl("delete", "gateway", "moving", f"--namespace={SPACE}")


def test_of_two_gateways_that_want_one_address_the_second_gets_it_when_the_first_is_gone(kubectl: Kubectl) -> None:
    wanted = "10.245.200.3"
    apply(kubectl, "first", addresses=asking(wanted))
    comes(kubectl, "first", "True", "Programmed")
    apply(kubectl, "second", addresses=asking(wanted))
    comes(kubectl, "second", "False", "AddressNotUsable")
    assert condition(kubectl, "first", "Programmed") == ("True", "Programmed")
    kubectl("delete", "gateway", "first", f"--namespace={SPACE}")
    comes(kubectl, "second", "True", "Programmed")
    assert addresses(kubectl, "second") == [("IPAddress", wanted)]
    kubectl("delete", "gateway", "second", f"--namespace={SPACE}")


def test_an_address_without_a_value_is_any(kubectl: Kubectl) -> None:
    apply(kubectl, "any", addresses=[{"type": "IPAddress"}])
    comes(kubectl, "any", "True", "Programmed")
    assert [kind for kind, _ in addresses(kubectl, "any")] == ["IPAddress"]
    kubectl("delete", "gateway", "any", f"--namespace={SPACE}")


@pytest.mark.parametrize("kind", ["serviceaccounts", "services", "pods"])
def test_labels_and_annotations_of_the_infrastructure_are_on_everything_and_change_with_it(
    kubectl: Kubectl, kind: str
) -> None:
    def carries(label: str, annotation: str) -> bool:
        listed = get(kubectl, kind, f"--selector={GATEWAY_NAME}=labelled")["items"]
        alive = [each["metadata"] for each in listed if "deletionTimestamp" not in each["metadata"]]
        return bool(alive) and all(
            about["labels"].get("team") == label and about["annotations"].get("example.com/note") == annotation
            for about in alive
        )

    for label, annotation in (("red", "one"), ("blue", "two")):
        infrastructure = {"labels": {"team": label}, "annotations": {"example.com/note": annotation}}
        apply(kubectl, "labelled", infrastructure=infrastructure)
        until(lambda: carries(label, annotation), what=f"{kind} of {label}")  # noqa: B023
    comes(kubectl, "labelled", "True", "Programmed")


def test_other_labels_replace_no_pod_and_fail_no_request(kubectl: Kubectl) -> None:
    def pods(label: str) -> list[str]:
        listed = get(kubectl, "pods", f"--selector={GATEWAY_NAME}=relabelled,team={label}")["items"]
        return [each["metadata"]["uid"] for each in listed]

    apply(kubectl, "relabelled", infrastructure={"labels": {"team": "red"}})
    comes(kubectl, "relabelled", "True", "Programmed")
    ((_, address),) = addresses(kubectl, "relabelled")
    until(lambda: answers(address), what="an Envoy")
    before = pods("red")
    with SteadyTraffic(Target(address, 80, host="any.example")) as steady:
        apply(kubectl, "relabelled", infrastructure={"labels": {"team": "blue"}})
        until(lambda: pods("blue") == before, what="the same pod with the new label")
        steady.more(200)
    assert pods("red") == []
    assert steady.answers.keys() == {"404"}, steady.answers


def test_parameters_that_nobody_reads_are_refused(kubectl: Kubectl) -> None:
    reference = {"group": "example.com", "kind": "Proxy", "name": "none"}
    apply(kubectl, "parametrized", infrastructure={"parametersRef": reference})
    comes(kubectl, "parametrized", "False", "InvalidParameters", kind="Accepted")


def test_a_gateway_that_is_refused_for_a_while_goes_on_serving(kubectl: Kubectl) -> None:
    reference = {"group": "example.com", "kind": "Proxy", "name": "none"}
    apply(kubectl, "edited")
    comes(kubectl, "edited", "True", "Programmed")
    ((_, address),) = addresses(kubectl, "edited")
    until(lambda: answers(address), what="an Envoy")
    with SteadyTraffic(Target(address, 80, host="any.example")) as steady:
        apply(kubectl, "edited", infrastructure={"parametersRef": reference})
        comes(kubectl, "edited", "False", "InvalidParameters", kind="Accepted")
        steady.more(200)
        apply(kubectl, "edited", infrastructure={"labels": {"team": "green"}})
        comes(kubectl, "edited", "True", "Programmed")
        steady.more(200)
    assert addresses(kubectl, "edited") == [("IPAddress", address)]
    assert steady.answers.keys() == {"404"}, steady.answers


def test_two_gateways_of_253_characters_that_share_252_of_them_both_serve(kubectl: Kubectl) -> None:
    names = [f"{'long-' * 50}a{end}" for end in "12"]
    assert {len(name) for name in names} == {252}
    names = [f"{name}x" for name in names]
    for name in names:
        apply(kubectl, name)
    for name in names:
        comes(kubectl, name, "True", "Programmed")
    (_, one), (_, two) = (addresses(kubectl, name)[0] for name in names)
    assert one != two
    assert answers(one)
    assert answers(two)

"""What `kubectl get` prints."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.localapi.http import tables
from headgate.localapi.resources import builtin
from headgate.localapi.resources.kinds.services import NETWORK, Addresses
from headgate.localapi.resources.served import Resource

NOW = 1_800_000_000.0
RESOURCES: dict[str, Resource] = {r.plural: r for r in builtin.resources(Addresses(NETWORK, set))}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (599, "9m59s"),
        (601, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600 + 60, "8h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (8 * 86400 + 3600, "8d"),
        (400 * 86400, "400d"),
        (800 * 86400, "2y70d"),
    ],
)
def test_an_age_is_short(seconds: float, text: str) -> None:
    assert tables.age(seconds) == text


def cells(plural: str, obj: dict[str, Any]) -> dict[str, Any]:
    """The cells of an object by their columns."""
    resource = RESOURCES[plural]
    columns = tables.columns(resource, resource.storage)
    named = {"creationTimestamp": "2027-01-15T07:59:00Z", "name": "x", **obj.get("metadata", {})}
    row = tables.row(columns, {**obj, "metadata": named}, "None", NOW)
    return {column.name: cell for column, cell in zip(columns, row["cells"], strict=True)}


def pod(*states: dict[str, Any], phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    statuses = [{"state": state, "ready": "running" in state, "restartCount": 1} for state in states]
    containers = [{"name": f"c{place}"} for place in range(len(states))]
    status = {"phase": phase, "containerStatuses": statuses}
    return {"metadata": metadata, "spec": {"containers": containers}, "status": status}


@pytest.mark.parametrize(
    ("obj", "ready", "word"),
    [
        (pod({"running": {}}), "1/1", "Running"),
        (pod({"running": {}}, {"waiting": {"reason": "CrashLoopBackOff"}}), "1/2", "CrashLoopBackOff"),
        (pod({"waiting": {"reason": "ErrImagePull"}}, phase="Pending"), "0/1", "ErrImagePull"),
        (pod({"terminated": {"exitCode": 3}}, phase="Failed"), "0/1", "ExitCode:3"),
        (pod({"terminated": {"reason": "Completed", "exitCode": 0}}, phase="Succeeded"), "0/1", "Completed"),
        (pod({"running": {}}, deletionTimestamp="2027-01-15T08:00:30Z"), "1/1", "Terminating"),
    ],
)
def test_a_pod_says_in_one_word_how_it_is(obj: dict[str, Any], ready: str, word: str) -> None:
    found = cells("pods", obj)
    assert (found["Ready"], found["Status"], found["Age"]) == (ready, word, "60s")


def test_a_pod_says_when_it_was_restarted_last() -> None:
    obj = pod({"running": {}})
    obj["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"finishedAt": "2027-01-15T07:59:50Z"}}
    assert cells("pods", obj)["Restarts"] == "1 (10s ago)"


def test_a_load_balancer_shows_its_address_and_ports() -> None:
    spec = {"type": "LoadBalancer", "clusterIP": "127.20.0.1", "ports": [{"port": 80}, {"port": 443, "nodePort": 3}]}
    status = {"loadBalancer": {"ingress": [{"ip": "127.30.0.1"}]}}
    found = cells("services", {"spec": spec, "status": status})
    assert (found["External-IP"], found["Port(s)"]) == ("127.30.0.1", "80/TCP,443:3/TCP")


def test_a_node_shows_whether_it_is_ready() -> None:
    status = {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1"}}
    found = cells("nodes", {"spec": {"unschedulable": True}, "status": status})
    assert (found["Status"], found["Version"]) == ("Ready,SchedulingDisabled", "v1")


def test_many_endpoints_are_counted() -> None:
    endpoints = [{"addresses": [f"127.0.0.{number}"]} for number in range(1, 6)]
    found = cells("endpointslices", {"addressType": "IPv4", "endpoints": endpoints, "ports": [{"port": 80}]})
    assert found["Endpoints"] == "127.0.0.1,127.0.0.2,127.0.0.3 + 2 more..."

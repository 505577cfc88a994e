"""kubectl commands that go on: watches, waits, roll-outs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.kubectl import Kubectl
from support.local_api import LocalApi
from support.processes import Program
from support.waiting import until


@pytest.fixture
def kubectl(ours: LocalApi) -> Kubectl:
    """kubectl on our API."""
    return Kubectl(ours.kubeconfig)


@pytest.fixture
def namespace(kubectl: Kubectl, request: pytest.FixtureRequest) -> str:
    """A namespace of this test's own."""
    name: str = request.node.name.replace("_", "-").strip("-")[:60].strip("-")
    kubectl("create", "namespace", name)
    return name


def started(kubectl: Kubectl, folder: Path, *arguments: str) -> Program:
    """kubectl in the background, its output in a file."""
    command = [str(kubectl.binary), f"--kubeconfig={kubectl.kubeconfig}", f"--cache-dir={folder / 'cache'}", *arguments]
    return Program(command, log=folder / "kubectl.log")


def test_get_w_shows_changes_as_they_happen(kubectl: Kubectl, namespace: str, tmp_path: Path) -> None:
    kubectl("create", "configmap", "a", "-n", namespace)
    with started(kubectl, tmp_path, "get", "configmaps", "-n", namespace, "-w", "--output-watch-events") as watching:
        until(lambda: "ADDED" in watching.output(), running=watching)
        kubectl("create", "configmap", "b", "--from-literal=x=y", "-n", namespace)
        kubectl("delete", "configmap", "a", "-n", namespace)
        until(lambda: "DELETED" in watching.output(), running=watching)
    lines = watching.output().splitlines()
    events = [line.split()[:3] for line in lines if line.split()[0] in {"ADDED", "MODIFIED", "DELETED"}]
    assert events == [["ADDED", "a", "0"], ["ADDED", "b", "1"], ["DELETED", "a", "0"]]


def test_wait_ends_when_the_condition_comes_true(kubectl: Kubectl, namespace: str, tmp_path: Path) -> None:
    kubectl("create", "deployment", "web", "--image=i:1", "-n", namespace)
    wait = ("wait", "--for=condition=Available", "deployment/web", "-n", namespace, "--timeout=30s")
    with started(kubectl, tmp_path, *wait) as waiting:
        status = {"status": {"conditions": [{"type": "Available", "status": "True"}]}}
        patch = ("patch", "deployment", "web", "--subresource=status", "--type=merge", f"-p={json.dumps(status)}")
        kubectl(*patch, "-n", namespace)
        assert waiting.wait() == 0


def test_wait_for_create_ends_when_the_object_comes(kubectl: Kubectl, namespace: str, tmp_path: Path) -> None:
    wait = ("wait", "--for=create", "configmap/late", "-n", namespace, "--timeout=30s")
    with started(kubectl, tmp_path, *wait) as waiting:
        kubectl("create", "configmap", "late", "-n", namespace)
        assert waiting.wait() == 0


def test_rollout_status_ends_when_the_status_says_so(kubectl: Kubectl, namespace: str, tmp_path: Path) -> None:
    kubectl("create", "deployment", "web", "--image=i:1", "-n", namespace)
    with started(kubectl, tmp_path, "rollout", "status", "deployment/web", "-n", namespace) as waiting:
        until(lambda: "Waiting" in waiting.output(), running=waiting)
        counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
        status = json.dumps({"status": {"observedGeneration": 1, **counts}})
        kubectl("patch", "deployment", "web", "--subresource=status", "--type=merge", f"-p={status}", "-n", namespace)
        assert waiting.wait() == 0
    assert "successfully rolled out" in waiting.output()


def test_delete_waits_for_finalizers(kubectl: Kubectl, namespace: str, tmp_path: Path) -> None:
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/wait"]}}
    kubectl("create", "-f", "-", "-n", namespace, stdin=json.dumps(held))
    with started(kubectl, tmp_path, "delete", "configmap", "held", "-n", namespace) as deleting:
        until(lambda: "deleted" in deleting.output(), running=deleting)
        kubectl("patch", "configmap", "held", "--type=merge", '-p={"metadata":{"finalizers":null}}', "-n", namespace)
        assert deleting.wait() == 0


def test_events_of_an_object_are_described_with_it(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "deployment", "web", "--image=i:1", "-n", namespace)
    uid = kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.uid}", "-n", namespace)
    about = {"kind": "Deployment", "apiVersion": "apps/v1", "name": "web", "namespace": namespace, "uid": uid}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "web.1", "namespace": namespace},
        "involvedObject": about,
        "reason": "Tested",
        "message": "somebody looked",
        "type": "Normal",
        "source": {"component": "tests"},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(event))
    assert "somebody looked" in kubectl("describe", "deployment", "web", "-n", namespace)
    assert "Tested" in kubectl("events", "--for=deployment/web", "-n", namespace)

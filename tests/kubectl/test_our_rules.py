"""The rules of our own definitions: Kubernetes takes them, and they refuse what the official ones refuse."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.api import crd
from support.control_plane import ControlPlane
from support.local_api import Http, LocalApi

HERE = Path(__file__).parent / "rules"
GATEWAY = "/apis/gateway.networking.k8s.io/v1"
CHANNEL = "gateway.networking.k8s.io/channel"

DEFINITIONS = [
    (definition, channel)
    for channel in ("standard", "experimental")
    for definition in crd.definitions(channel)
    if definition["spec"]["group"].startswith("gateway.")
]


@pytest.fixture(scope="module")
def both(kubernetes: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Http, Http]]:
    """The kube-apiserver with the official definitions and `headgate api` with ours."""
    with LocalApi(tmp_path_factory.mktemp("local")) as local:
        apis = Http(kubernetes.kubeconfig), Http(local.kubeconfig)
        yield apis
        for api in apis:
            api.close()


@pytest.mark.parametrize(
    ("definition", "channel"), DEFINITIONS, ids=lambda each: each if isinstance(each, str) else each["metadata"]["name"]
)
def test_kubernetes_takes_our_rules(kubernetes: ControlPlane, definition: dict[str, Any], channel: str) -> None:
    """It knows the types of all they speak of, and has a budget for what they cost."""
    wanted = copy.deepcopy(definition)
    wanted["metadata"]["annotations"][CHANNEL] = "standard"  # the official policy takes no others over its own
    there = kubernetes.kubectl.run("get", "crd", wanted["metadata"]["name"], "-o", "json")
    if there.returncode == 0:
        wanted["metadata"]["resourceVersion"] = json.loads(there.stdout)["metadata"]["resourceVersion"]
    verb = "create" if there.returncode else "replace"
    kubernetes.kubectl(verb, "--dry-run=server", "-f", "-", stdin=json.dumps(wanted))


MANIFESTS = list(yaml.load_all((HERE / "gateway-api.yaml").read_text(), yaml.CSafeLoader))


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["metadata"]["name"])
def test_our_rules_refuse_the_fields_that_the_official_ones_refuse(
    both: tuple[Http, Http], manifest: dict[str, Any]
) -> None:
    kind = manifest["kind"].lower()
    plural = f"{kind[:-1]}ies" if kind.endswith("policy") else f"{kind}es" if kind.endswith("ss") else f"{kind}s"
    scope = "" if kind == "gatewayclass" else "/namespaces/default"
    theirs, ours = (_refused(api.post(f"{GATEWAY}{scope}/{plural}?dryRun=All", manifest)) for api in both)
    assert ours == theirs


def _refused(answer: Any) -> set[str]:
    """The fields that are wrong."""
    if answer.status_code == 201:
        return set()
    return {cause["field"] for cause in answer.json()["details"]["causes"]}


def test_the_controller_of_a_class_cannot_be_changed(both: tuple[Http, Http]) -> None:
    said = []
    for api in both:
        path = f"{GATEWAY}/gatewayclasses"
        about = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "fixed"}}
        api.post(path, {**about, "spec": {"controllerName": "example.com/one"}})
        said.append(_refused(api.patch(f"{path}/fixed?dryRun=All", {"spec": {"controllerName": "example.com/two"}})))
    assert said == [{"spec.controllerName"}] * 2

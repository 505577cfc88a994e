"""Rules in CEL: the same objects are refused, with the same sentences, as by a kube-apiserver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import tools
from support.control_plane import ControlPlane
from support.kubectl import Kubectl
from support.local_api import Http, LocalApi

HERE = Path(__file__).parent / "rules"
GADGETS = "/apis/rules.example.com/v1/namespaces/default/gadgets"
GATEWAY = "/apis/gateway.networking.k8s.io/v1"


@pytest.fixture(scope="module")
def both(kubernetes: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Http, Http]]:
    """The kube-apiserver and `headgate api`, with the official definitions of v1.7.0 and a kind full of rules."""
    with LocalApi(tmp_path_factory.mktemp("local")) as local:
        folder = tools.crds("gateway-api-v1.7.0/standard")
        files = [f"--filename={file}" for file in sorted(folder.glob("gateway*.yaml")) if "vap_" not in file.name]
        Kubectl(local.kubeconfig)("apply", "--server-side", *files)
        apis = Http(kubernetes.kubeconfig), Http(local.kubeconfig)
        for kubeconfig in (kubernetes.kubeconfig, local.kubeconfig):
            kubectl = Kubectl(kubeconfig)
            kubectl("apply", f"--filename={HERE / 'gadgets.yaml'}")
            kubectl("wait", "--for=condition=Established", "crd/gadgets.rules.example.com", "--timeout=20s")
            kubectl.apply(json.dumps(gadget("before", BEFORE)))
        yield apis
        for api in apis:
            api.close()


def gadget(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "rules.example.com/v1",
        "kind": "Gadget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def verdict(answer: Any) -> Any:
    """What an API said of an object: its causes in any order (Kubernetes has none), or the code of success."""
    body = answer.json()
    if answer.status_code < 300:
        return answer.status_code
    causes = body.get("details", {}).get("causes", ())
    said = sorted((cause["reason"], cause.get("field", ""), cause["message"]) for cause in causes)
    return answer.status_code, body["reason"], said or body["message"]


NEW: list[dict[str, Any]] = [
    {"min": 3, "max": 2},
    {"min": 300, "max": 2},
    {"min": 1, "max": 2},
    {"min": 3, "max": 2, "needs": True, "grows": 1},
    {"needs": True},
    {"keys": {"a": 2, "b": 3}},
    {"keys": {"b": 1}},
    {"port": 11},
    {"port": "x"},
    {"port": 5},
    {"number": 4},
    {"number": 3.5},
    {"when": "2027-01-01T00:00:00Z"},
    {"when": "2025-01-01T00:00:00Z"},
    {"long": "2h"},
    {"long": "59m59s"},
    {"ip": "::1"},
    {"ip": "x"},
    {"ip": "1.2.3.4"},
    {"cidr": "10.0.0.0/8"},
    {"cidr": "11.0.0.0/8"},
    {"cidr": "x"},
    {"quantity": "2Gi"},
    {"quantity": "200Mi"},
    {"quantity": "x"},
    {"url": "http://a.example/"},
    {"url": "http://b/"},
    {"sub": "A_b"},
    {"sub": "ab.c"},
    {"find": "a12b"},
    {"find": "1"},
    {"nums": [1, 2, 3]},
    {"nums": [3, 1]},
    {"nums": [1, 9]},
    {"nested": {"namespace": "bad"}},
    {"dashed": {"dash-ed": "bad"}},
    {"name": "abc"},
    {"name": "abcd"},
    {"name": "ééé"},
    {"name": "éééé"},
    {"name": "A"},
    {"atomic": [{"v": 1}, {"v": 9}]},
    {"grows": 1, "opt": 1, "immutable": "x"},
]
"""Specs of new gadgets."""


@pytest.mark.parametrize("spec", NEW, ids=str)
def test_a_new_object_is_judged_as_by_kubernetes(both: tuple[Http, Http], spec: dict[str, Any]) -> None:
    theirs, ours = (verdict(api.post(f"{GADGETS}?dryRun=All", gadget("new", spec))) for api in both)
    assert ours == theirs


def test_rules_about_the_name_are_judged_as_by_kubernetes(both: tuple[Http, Http]) -> None:
    theirs, ours = (verdict(api.post(f"{GADGETS}?dryRun=All", gadget("forbidden", {}))) for api in both)
    assert ours == theirs


def test_after_a_wrong_type_no_rule_is_asked_as_by_kubernetes(both: tuple[Http, Http]) -> None:
    theirs, ours = (
        verdict(api.post(f"{GADGETS}?dryRun=All", gadget("new", {"min": 3, "max": 2, "name": 7}))) for api in both
    )
    assert ours[:2] == theirs[:2]
    assert ours[2][0] == theirs[2][0]


BEFORE = {
    "immutable": "a",
    "grows": 1,
    "opt": 1,
    "once": "a",
    "map": [{"k": "a", "v": 1}, {"k": "b", "v": 2}],
    "atomic": [{"v": 1}],
    "min": 2,
}
CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("", {"spec": {"immutable": "b", "grows": 2}}),
    ("", {"spec": {"grows": 1}}),
    ("", {"metadata": {"labels": {"a": "b"}}}),
    ("", {"spec": {"opt": 0, "grows": 2}}),
    ("", {"spec": {"opt": 3, "grows": 2}}),
    ("", {"spec": {"once": "b", "grows": 2}}),
    ("", {"spec": {"map": [{"k": "b", "v": 1}], "grows": 2}}),
    ("", {"spec": {"map": [{"k": "c", "v": 100}], "grows": 2}}),
    ("", {"spec": {"map": [{"k": "c", "v": 10}], "grows": 2}}),
    ("", {"spec": {"map": [{"k": "b", "v": 3}, {"k": "a", "v": 1}], "grows": 2}}),
    ("/status", {"status": {"count": 1}}),
    ("/status", {"status": {"count": 2}}),
    ("/status", {"status": {"text": "bad"}}),
]
"""Merge patches of the gadget `before` and of its status."""


@pytest.mark.parametrize(("part", "patch"), CHANGES, ids=str)
def test_a_change_is_judged_as_by_kubernetes(both: tuple[Http, Http], part: str, patch: dict[str, Any]) -> None:
    theirs, ours = (verdict(api.patch(f"{GADGETS}/before{part}?dryRun=All", patch)) for api in both)
    assert ours == theirs


MANIFESTS = list(yaml.load_all((HERE / "gateway-api.yaml").read_text(), yaml.CSafeLoader))


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["metadata"]["name"])
def test_an_object_of_the_gateway_api_is_judged_as_by_kubernetes(
    both: tuple[Http, Http], manifest: dict[str, Any]
) -> None:
    kind = manifest["kind"].lower()
    plural = f"{kind[:-1]}ies" if kind.endswith("policy") else f"{kind}es" if kind.endswith("ss") else f"{kind}s"
    scope = "" if kind == "gatewayclass" else "/namespaces/default"
    theirs, ours = (verdict(api.post(f"{GATEWAY}{scope}/{plural}?dryRun=All", manifest)) for api in both)
    assert ours == theirs
    assert (theirs == 201) is manifest["metadata"]["name"].startswith("good-")

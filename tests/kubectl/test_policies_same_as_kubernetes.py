"""Admission policies: the same writes are denied, with the same sentences, as by a kube-apiserver."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import tools
from support.control_plane import ControlPlane
from support.kubectl import Kubectl
from support.local_api import Http, LocalApi
from support.waiting import until

POLICIES = Path(__file__).parent / "rules" / "policies.yaml"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def both(kubernetes: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Http, Http]]:
    """The kube-apiserver and `headgate api` with the same policies at work."""
    with LocalApi(tmp_path_factory.mktemp("local")) as local:
        apis = Http(kubernetes.kubeconfig), Http(local.kubeconfig)
        for kubeconfig, api in zip((kubernetes.kubeconfig, local.kubeconfig), apis, strict=True):
            Kubectl(kubeconfig)("apply", f"--filename={POLICIES}")
            until(functools.partial(_at_work, api), what="the policies are at work")
        yield apis
        for api in apis:
            api.close()


def _at_work(api: Http) -> bool:
    """Whether every policy speaks: a kube-apiserver takes them up some time after they are stored."""
    denied = [create(api, f"{name}-x", {"colour": "x", "n": "x"}) for name in ("plain", "composed", "parameters")]
    denied.append(create(api, "narrow-x", {}, watched="yes"))
    return all("denied" in each.text for each in denied) and "warning" in create(api, "warning-x", None).headers


def config_map(name: str, data: dict[str, str] | None, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}} | ({} if data is None else {"data": data})


def create(api: Http, name: str, data: dict[str, str] | None, **labels: str) -> Any:
    return api.post(f"{CONFIG_MAPS}?dryRun=All", config_map(name, data, **labels))


def verdict(answer: Any) -> Any:
    """The whole Status, or the code of success; and the warnings."""
    said = answer.status_code if answer.status_code < 300 else answer.json()
    return said, answer.headers.get("warning", "")


NEW: list[tuple[str, dict[str, str] | None, dict[str, str]]] = [
    ("plain-a", {"colour": "red"}, {}),
    ("plain-a", {"colour": "green"}, {}),
    ("plain-a", {"colour": "red", "size": "1"}, {}),
    ("plain-a", None, {}),
    ("other", {"colour": "green"}, {}),
    ("composed-ok", {"colours": "red,blue"}, {}),
    ("composed-ok", {"colours": "blue"}, {}),
    ("composed-ok", {"nothing": "x"}, {}),
    ("composed-a", {"colours": "red"}, {}),
    ("lenient-a", {}, {}),
    ("warning-a", None, {}),
    ("warning-a", {"a": "b"}, {}),
    ("parameters-a", {"n": "1"}, {}),
    ("parameters-a", {"n": "2"}, {}),
    ("narrow-a", {}, {"watched": "yes"}),
    ("narrow-a", {}, {"watched": "no"}),
]
"""Name, data and labels of new ConfigMaps."""


@pytest.mark.parametrize(("name", "data", "labels"), NEW, ids=str)
def test_a_new_object_is_admitted_as_by_kubernetes(
    both: tuple[Http, Http], name: str, data: dict[str, str] | None, labels: dict[str, str]
) -> None:
    theirs, ours = (verdict(create(api, name, data, **labels)) for api in both)
    assert ours == theirs


def test_a_change_is_admitted_as_by_kubernetes(both: tuple[Http, Http]) -> None:
    said = []
    for api in both:
        api.post(CONFIG_MAPS, config_map("plain-b", {"colour": "red"}))
        said.append(verdict(api.patch(f"{CONFIG_MAPS}/plain-b?dryRun=All", {"data": {"colour": "blue"}})))
    assert said[1] == said[0]
    assert said[0][0]["reason"] == "Forbidden"


def test_an_excluded_kind_and_an_operation_that_the_binding_leaves_out_are_admitted(both: tuple[Http, Http]) -> None:
    for api in both:
        secret = {"metadata": {"name": "narrow", "labels": {"watched": "yes"}}}
        assert api.post("/api/v1/namespaces/default/secrets?dryRun=All", secret).status_code == 201
        api.post(CONFIG_MAPS, config_map("narrow-c", {}, watched="no"))
        assert api.patch(f"{CONFIG_MAPS}/narrow-c", {"metadata": {"labels": {"watched": "yes"}}}).status_code == 200
        assert api.delete(f"{CONFIG_MAPS}/narrow-c").status_code == 200


BROKEN: list[dict[str, Any]] = [
    {},
    {"matchConstraints": {"resourceRules": []}, "validations": [{"expression": "true"}]},
    {"failurePolicy": "Perhaps", "validations": [{"expression": "true"}]},
]


@pytest.mark.parametrize("spec", BROKEN, ids=str)
def test_a_policy_that_cannot_work_is_refused_as_by_kubernetes(both: tuple[Http, Http], spec: dict[str, Any]) -> None:
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["*"]}]
    policy = {"metadata": {"name": "broken"}, "spec": {"matchConstraints": {"resourceRules": rules}, **spec}}
    theirs, ours = (api.post(f"{path}?dryRun=All", policy) for api in both)
    fields = [[cause["field"] for cause in answer.json()["details"]["causes"]] for answer in (theirs, ours)]
    assert (ours.status_code, fields[1]) == (theirs.status_code, fields[0])


@pytest.mark.parametrize("version", ["v1.3.0", "v1.6.3"])
def test_the_official_policy_refuses_older_definitions_as_on_kubernetes(tmp_path: Path, version: str) -> None:
    """The bundle of v1.7.0 comes with a policy against the definitions of those before it."""
    definition = "gateway.networking.k8s.io_gatewayclasses.yaml"
    with LocalApi(tmp_path) as local:
        kubectl = Kubectl(local.kubeconfig)
        folder = tools.crds("gateway-api-v1.7.0/standard")
        kubectl("apply", "--server-side", *(f"--filename={file}" for file in sorted(folder.glob("gateway*.yaml"))))
        older = tools.crds(f"gateway-api-{version}/standard") / definition
        refused = kubectl.run("apply", "--server-side", "--force-conflicts", f"--filename={older}")
        assert refused.returncode == 1
        assert (
            "ValidatingAdmissionPolicy 'safe-upgrades.gateway.networking.k8s.io' with binding "
            "'safe-upgrades.gateway.networking.k8s.io' denied request: Installing CRDs with version before v1.7.0"
        ) in refused.stderr
        kubectl("delete", "validatingadmissionpolicy", "safe-upgrades.gateway.networking.k8s.io")
        kubectl("apply", "--server-side", "--force-conflicts", f"--filename={older}")

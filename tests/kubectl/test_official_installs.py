"""The official definitions may be installed over ours, as every guide begins with."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.api.cel import rules
from headgate.api.cel.programs import ExpressionError
from headgate.api.codec import manifests
from support import tools
from support.kubectl import Kubectl
from support.local_api import LocalApi

ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: public}]
  rules: [{backendRefs: [{name: shop, port: 80}]}]
"""


@pytest.mark.parametrize(
    ("folder", "how"),
    [
        ("gateway-api-v1.3.0/standard", ()),
        ("gateway-api-v1.7.0/standard", ("--server-side",)),
        ("gateway-api-v1.7.0/experimental", ("--server-side",)),
        ("flagger-v1.44.0", ()),
    ],
)
def test_the_official_definitions_are_applied_over_ours(tmp_path: Path, folder: str, how: tuple[str, ...]) -> None:
    with LocalApi(tmp_path) as api:
        kubectl = Kubectl(api.kubeconfig)
        files = [file for file in sorted(tools.crds(folder).glob("*.yaml")) if file.name != "kustomization.yaml"]
        kubectl("apply", *how, *(f"--filename={file}" for file in files))
        kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=20s")
        kubectl.apply(ROUTE)
        assert kubectl("get", "httproute", "shop", "-o", "jsonpath={.spec.rules[0].backendRefs[0].weight}") == "1"


@pytest.mark.parametrize("release", ["v1.3.0", "v1.6.3", "v1.7.0"])
@pytest.mark.parametrize("channel", ["standard", "experimental"])
def test_every_rule_of_the_official_definitions_is_understood(release: str, channel: str) -> None:
    unread: list[tuple[str, ExpressionError]] = []
    asked = 0
    for file in tools.crds(f"gateway-api-{release}/{channel}").glob("gateway*.yaml"):
        for document in manifests(file.read_text()):
            for version in document["spec"].get("versions", ()):
                asked += rules.read(version["schema"]["openAPIV3Schema"], unread) is not None
    assert asked > 4
    assert unread == []


def test_definitions_that_were_installed_stay_after_a_restart(tmp_path: Path) -> None:
    folder = tools.crds("gateway-api-v1.3.0/standard")
    version = r"jsonpath={.metadata.annotations.gateway\.networking\.k8s\.io/bundle-version}"
    with LocalApi(tmp_path) as api:
        kubectl = Kubectl(api.kubeconfig)
        kubectl("apply", "-f", str(folder / "gateway.networking.k8s.io_httproutes.yaml"))
    with LocalApi(tmp_path) as api:
        kubectl = Kubectl(api.kubeconfig)
        assert kubectl("get", "crd", "httproutes.gateway.networking.k8s.io", "-o", version) == "v1.3.0"

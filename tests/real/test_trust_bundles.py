"""ClusterTrustBundles on a real API that has them (v1beta1), with the chart's rights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from golden import pki
from support.control_plane import ControlPlane
from support.installed import APART, Installed
from support.waiting import until

NAMESPACE = "trusting"
MANIFESTS = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: {NAMESPACE}}}
spec:
  gatewayClassName: headgate
  tls:
    frontend:
      default:
        validation: {{caCertificateRefs: [{{group: certificates.k8s.io, kind: ClusterTrustBundle, name: clients}}]}}
  listeners:
  - {{name: https, protocol: HTTPS, port: 443, tls: {{certificateRefs: [{{name: nobody}}]}}}}
"""
BUNDLE = {
    "apiVersion": "certificates.k8s.io/v1beta1",
    "kind": "ClusterTrustBundle",
    "metadata": {"name": "clients"},
    "spec": {"trustBundle": pki.authority_pem("clients")},
}


@pytest.fixture(scope="module")
def cluster(local_networks: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane whose API has them, and Headgate on it."""
    with ControlPlane(
        tmp_path_factory.mktemp("trusting"),
        api=(
            "--feature-gates=ClusterTrustBundle=true",
            "--runtime-config=certificates.k8s.io/v1beta1/clustertrustbundles=true",
        ),
    ) as plane:
        plane.apply_crds()
        with Installed(plane, tmp_path_factory.mktemp("installed-trusting"), node=APART):
            plane.kubectl("create", "namespace", NAMESPACE)
            plane.kubectl.apply(MANIFESTS)
            yield plane


def says(cluster: ControlPlane) -> list[str]:
    """What the listener is told of its authorities."""
    found: dict[str, Any] = cluster.kubectl.json("-n", NAMESPACE, "get", "gateway", "edge")
    (listener,) = found["status"]["listeners"]
    return [each["message"] for each in listener["conditions"] if each["type"] == "ResolvedRefs"]


def test_an_api_that_has_them_has_the_feature(cluster: ControlPlane) -> None:
    def features() -> set[str]:
        found = cluster.kubectl.json("get", "gatewayclass", "headgate")
        return {each["name"] for each in found.get("status", {}).get("supportedFeatures", ())}

    until(lambda: "ClusterTrustBundle" in features(), what="ClusterTrustBundle is supported")


def test_a_deleted_bundle_is_no_longer_trusted_and_a_new_one_is(cluster: ControlPlane) -> None:
    missing = "ClusterTrustBundle clients: does not exist"
    until(lambda: missing in says(cluster)[0], what="it is missing", tolerate=(OSError, KeyError, ValueError))
    cluster.kubectl.apply(yaml.safe_dump(BUNDLE))
    until(lambda: missing not in says(cluster)[0], what="it is trusted")
    cluster.kubectl("delete", "clustertrustbundle", "clients")
    until(lambda: missing in says(cluster)[0], what="it is missing again")

"""cert-manager fills the certificates of our Gateways, as it does everybody's: by an annotation on the Gateway."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from headgate.traffic import Target
from support import scenario_manifests, tools
from support.control_plane import ControlPlane
from support.insecure_tls import insecure_context
from support.installed import Installed
from support.processes import Program
from support.steady_traffic import SteadyTraffic
from support.waiting import until

NAMESPACE, HOST, SECRET = "certified", "secure.example.com", "secure-tls"
TEAM_HOST = "team.example.com"
RENEWALS = 5

GATEWAY = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: edge
  namespace: {NAMESPACE}
  annotations:
    cert-manager.io/issuer: self-signed
spec:
  gatewayClassName: headgate
  allowedListeners:
    namespaces:
      from: Same
  listeners:
    - name: plain
      protocol: HTTP
      port: 80
    - name: secure
      protocol: HTTPS
      port: 443
      hostname: {HOST}
      tls:
        certificateRefs:
          - name: {SECRET}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: app
  namespace: {NAMESPACE}
spec:
  parentRefs:
    - name: edge
  hostnames:
    - {HOST}
  rules:
    - backendRefs:
        - name: app
          port: 8080
"""

LISTENER_SET = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata:
  name: team
  namespace: {NAMESPACE}
  annotations:
    cert-manager.io/issuer: self-signed
spec:
  parentRef:
    name: edge
  listeners:
    - name: team
      protocol: HTTPS
      port: 443
      hostname: {TEAM_HOST}
      tls:
        certificateRefs:
          - name: team-tls
"""

ISSUER = f"""
apiVersion: cert-manager.io/v1
kind: Issuer
metadata:
  name: self-signed
  namespace: {NAMESPACE}
spec:
  selfSigned: {{}}
"""


class Site:
    """A Gateway whose certificate nobody has yet, its application, and cert-manager."""

    def __init__(self, kubernetes: ControlPlane, folder: Path) -> None:
        self.kubernetes = kubernetes
        self.folder = folder
        self.cert_manager: Program
        self.programs = ExitStack()

    def kubectl(self, *arguments: str) -> str:
        return self.kubernetes.kubectl("-n", NAMESPACE, *arguments)

    def json(self, kind: str, name: str) -> Any:
        return json.loads(self.kubectl("get", kind, name, "-o", "json"))

    def start_cert_manager(self) -> None:
        command = [str(tools.path("cert-manager")), f"--kubeconfig={self.kubernetes.kubeconfig}"]
        self.cert_manager = self.programs.enter_context(Program(command, log=self.folder / "cert-manager.log"))

    def listener(self, name: str) -> dict[str, tuple[str, str]]:
        """Status and reason of a listener's conditions, by type."""
        for each in self.json("gateway", "edge").get("status", {}).get("listeners", ()):
            if each["name"] == name:
                return {found["type"]: (found["status"], found["reason"]) for found in each["conditions"]}
        return {}

    def stored(self, secret: str = SECRET) -> bytes:
        """The certificate in the Secret, as DER."""
        data = self.json("secret", secret)["data"]["tls.crt"]
        return ssl.PEM_cert_to_DER_cert(base64.b64decode(data).decode())

    def address(self) -> str:
        return str(self.json("gateway", "edge")["status"]["addresses"][0]["value"])

    def served(self, host: str = HOST) -> bytes:
        """The certificate that a new connection is shown, as DER."""
        with (
            socket.create_connection((self.address(), 443), timeout=5) as plain,
            insecure_context().wrap_socket(plain, server_hostname=host) as secure,
        ):
            return secure.getpeercert(binary_form=True) or b""

    def renew(self) -> None:
        """What `cmctl renew` writes."""
        issuing = {
            "type": "Issuing",
            "status": "True",
            "reason": "ManuallyTriggered",
            "message": "Certificate re-issuance manually triggered",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        conditions = self.json("certificate", SECRET)["status"]["conditions"]
        kept = [each for each in conditions if each["type"] != "Issuing"]
        patch = json.dumps({"status": {"conditions": [*kept, issuing]}})
        self.kubectl("patch", "certificate", SECRET, "--subresource=status", "--type=merge", f"-p={patch}")


@pytest.fixture(scope="module")
def site(installed: Installed, kubernetes: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    kubernetes.apply_crds("cert-manager-v1.21.2")
    kubernetes.kubectl("create", "namespace", NAMESPACE)
    made = Site(kubernetes, tmp_path_factory.mktemp("cert-manager"))
    kubernetes.kubectl.apply(scenario_manifests.application("app", NAMESPACE, "1"))
    kubernetes.kubectl.apply(GATEWAY)
    made.kubectl("wait", "gateway/edge", "--for=condition=Programmed", "--timeout=60s")
    with made.programs:
        yield made
    kubernetes.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_a_listener_waits_for_a_secret_that_is_not_there(site: Site) -> None:
    found = until(lambda: site.listener("secure"), what="conditions of the listener")
    assert found["ResolvedRefs"] == ("False", "InvalidCertificateRef")
    assert found["Programmed"] == ("False", "Invalid")
    assert found["Accepted"] == ("True", "Accepted")


def test_the_listener_is_programmed_once_cert_manager_has_made_the_secret(site: Site) -> None:
    site.start_cert_manager()
    site.kubernetes.kubectl.apply(ISSUER)
    until(
        lambda: site.listener("secure").get("Programmed") == ("True", "Programmed"),
        deadline=60,
        what="the listener is programmed",
        running=site.cert_manager,
    )
    assert site.served() == site.stored()


def test_cert_manager_owns_the_certificate_of_the_gateway(site: Site) -> None:
    (owner,) = site.json("certificate", SECRET)["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Gateway", "edge")


def test_renewals_under_load_lose_no_request_and_each_new_certificate_is_served(site: Site) -> None:
    target = Target(site.address(), 443, host=HOST, tls=insecure_context())
    until(site.served, what="a handshake")
    with SteadyTraffic(target) as steady:
        steady.more(100)
        for _ in range(RENEWALS):
            before = site.stored()
            site.renew()
            until(lambda before=before: site.stored() != before, what="a new Secret", running=site.cert_manager)  # type: ignore[misc]
            until(lambda: site.served() == site.stored(), what="the new certificate is served")
            steady.more(100)
    assert steady.answers.keys() == {"200"}, steady.answers
    assert steady.answers.total() > RENEWALS * 100


def test_the_certificate_of_a_listener_set_comes_the_same_way(site: Site) -> None:
    site.kubernetes.kubectl.apply(LISTENER_SET)
    site.kubectl("wait", "listenerset/team", "--for=condition=Programmed", "--timeout=60s")
    until(lambda: site.served(TEAM_HOST) == site.stored("team-tls"), what="its certificate is served")
    assert site.served() == site.stored()

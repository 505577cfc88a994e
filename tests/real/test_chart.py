"""The Helm chart on a real API: it installs under the strictest pod rules, and its account may do this and no more."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
import yaml

from support.control_plane import ControlPlane
from support.installed import CHART
from support.kubectl import Kubectl
from support.waiting import until

HOME = "charted"
ELSEWHERE = "a-team"

WATCH = {"list", "watch"}
READ = WATCH | {"get"}
OWN = READ | {"create", "patch", "delete"}

EVERYWHERE = {
    "gatewayclasses.gateway.networking.k8s.io": READ,
    "gatewayclasses.gateway.networking.k8s.io/status": {"patch"},
    "gateways.gateway.networking.k8s.io": READ,
    "gateways.gateway.networking.k8s.io/status": {"patch"},
    "gateways.gateway.networking.k8s.io/finalizers": {"update"},
    "httproutes.gateway.networking.k8s.io": READ | {"create", "patch"},
    "httproutes.gateway.networking.k8s.io/status": {"patch"},
    **{
        f"{plural}.gateway.networking.k8s.io{part}": verbs
        for plural in ("backendtlspolicies", "grpcroutes", "listenersets", "tcproutes", "tlsroutes", "udproutes")
        for part, verbs in (("", READ), ("/status", {"patch"}))
    },
    **{
        f"{plural}.gateway.networking.x-k8s.io{part}": verbs
        for plural in ("xbackends", "xbackendtrafficpolicies", "xtelemetrypolicies")
        for part, verbs in (("", READ), ("/status", {"patch"}))
    },
    "clustertrustbundles.certificates.k8s.io": WATCH,
    "customresourcedefinitions.apiextensions.k8s.io": READ,
    "referencegrants.gateway.networking.k8s.io": WATCH,
    "canaries.flagger.app": READ | {"patch"},
    "canaries.flagger.app/status": {"patch"},
    "canaries.flagger.app/finalizers": {"update"},
    "metrictemplates.flagger.app": READ,
    "alertproviders.flagger.app": READ,
    "namespaces": READ,
    "pods": WATCH | {"patch"},
    "endpointslices.discovery.k8s.io": WATCH,
    "deployments.apps": OWN,
    "configmaps": READ | {"create", "patch"},
    "secrets": OWN,
    "serviceaccounts": OWN - {"list", "watch"},
    "services": OWN,
    "events": {"create", "patch"},
}
AT_HOME = EVERYWHERE | {
    "leases.coordination.k8s.io": {"get", "create", "patch"},
    "pods": READ | {"patch"},
}
OF_EVERYBODY = {"selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"}


@pytest.fixture(scope="module")
def account(kubernetes: ControlPlane) -> Iterator[Kubectl]:
    """kubectl with the rights of the installed chart's ServiceAccount."""
    for namespace in (HOME, ELSEWHERE):
        kubernetes.kubectl("create", "namespace", namespace)
    kubernetes.kubectl("label", "namespace", HOME, "pod-security.kubernetes.io/enforce=restricted")
    # Names of its own: a release that serves Gateways may be on the same API. Its image is one that nobody can run.
    chosen = ("--set=gatewayClass.name=charted", "--set=image.repository=example.org/nobody-runs-this")
    kubernetes.helm("install", "headgate", str(CHART), f"--namespace={HOME}", *chosen)
    yield Kubectl(kubernetes.service_account_kubeconfig(HOME, "headgate"))
    kubernetes.helm("uninstall", "headgate", f"--namespace={HOME}", "--wait")
    kubernetes.kubectl("delete", "namespace", HOME, ELSEWHERE, "--wait=false")


def rights(kubectl: Kubectl, namespace: str) -> dict[str, set[str]]:
    """What the API says that this user may do: resource -> verbs (`kubectl auth can-i --list`, as JSON)."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    answer = json.loads(kubectl("create", "--validate=false", "-o", "json", "-f", "-", stdin=json.dumps(review)))
    found: dict[str, set[str]] = {}
    for rule in answer["status"]["resourceRules"]:
        assert not rule.get("resourceNames"), rule
        for group, resource in itertools.product(rule["apiGroups"], rule["resources"]):
            plural, slash, subresource = resource.partition("/")
            if plural not in OF_EVERYBODY:
                name = f"{plural}.{group}" if group else plural
                found.setdefault(f"{name}{slash}{subresource}", set()).update(rule["verbs"])
    return found


def test_the_account_may_do_exactly_this_in_any_namespace(account: Kubectl) -> None:
    assert rights(account, ELSEWHERE) == EVERYWHERE


def test_the_account_may_also_hold_its_lease_and_label_its_pod_at_home(account: Kubectl) -> None:
    assert rights(account, HOME) == AT_HOME


def test_the_account_may_not_read_nodes(account: Kubectl) -> None:
    assert "Forbidden" in account.run("get", "nodes").stderr


def test_the_pod_passes_the_restricted_pod_security_standard(account: Kubectl, kubernetes: ControlPlane) -> None:
    until(
        lambda: kubernetes.kubectl("get", "pods", f"--namespace={HOME}", "-o", "name"),
        what=f"a pod of Deployment headgate; events: {kubernetes.kubectl('get', 'events', f'--namespace={HOME}')}",
    )


def test_the_class_names_our_controller(account: Kubectl) -> None:
    spec = account.json("get", "gatewayclass", "charted")["spec"]
    assert spec["controllerName"] == "headgate.dev/gateway-controller"


def test_the_service_selects_only_the_pod_that_holds_the_lease(account: Kubectl, kubernetes: ControlPlane) -> None:
    selector = account.json("get", "service", "headgate", f"--namespace={HOME}")["spec"]["selector"]
    labels = kubernetes.kubectl.json("get", "deployment", "headgate", f"--namespace={HOME}")["spec"]["template"][
        "metadata"
    ]["labels"]
    assert selector.items() - labels.items() == {("headgate.dev/leader", "true")}


def test_two_releases_share_no_name(kubernetes: ControlPlane) -> None:
    def names(release: str, namespace: str) -> set[tuple[str, str, str]]:
        text = kubernetes.helm(
            "template", release, str(CHART), f"--namespace={namespace}", "--set=gatewayClass.create=false"
        )
        found = [document["metadata"] | {"kind": document["kind"]} for document in yaml.safe_load_all(text) if document]
        return {(meta["kind"], meta.get("namespace", ""), meta["name"]) for meta in found}

    assert not names("headgate", "one") & (names("headgate", "two") | names("other", "one"))


def test_a_misspelt_value_is_refused(kubernetes: ControlPlane) -> None:
    with pytest.raises(AssertionError, match="replica"):
        kubernetes.helm("template", "headgate", str(CHART), "--set=replica=2")

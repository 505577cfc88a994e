"""Deployments as targets: the primary has everything of its target, under its own names."""

from __future__ import annotations

import copy
from typing import Any

from headgate.rollout import revision
from headgate.rollout.names import Names
from headgate.rollout.pod_template import Primary
from headgate.rollout.settings import Settings
from headgate.rollout.targets import deployment as deployments
from support.rollout_world import canary, deployment

Plain = dict[str, Any]
NAMES = Names("test", "podinfo", "podinfo-primary", "podinfo", "podinfo-primary", "podinfo-canary")
HOW = Primary(NAMES, {}, "revision", Settings())
OWNER = canary() | {"metadata": {"name": "podinfo", "namespace": "test", "uid": "1"}}


def made(target: Plain, renames: dict[tuple[str, str], str] | None = None, **settings: Any) -> Plain:
    how = Primary(NAMES, renames or {}, "revision", Settings(**settings))
    return deployments.create_primary(target, OWNER, how).object


def test_fields_that_no_type_of_ours_knows_are_copied() -> None:
    target = deployment(tolerations=[{"key": "gpu"}], dnsConfig={"options": [{"name": "ndots"}]})
    spec = made(target)["spec"]["template"]["spec"]
    assert (spec["tolerations"], spec["dnsConfig"]) == ([{"key": "gpu"}], {"options": [{"name": "ndots"}]})


def test_the_target_itself_is_not_changed() -> None:
    target = deployment(volumes=[{"name": "c", "configMap": {"name": "settings"}}])
    before = copy.deepcopy(target)
    made(target, {("configmap", "settings"): "settings-primary"})
    assert target == before


def test_the_selector_is_one_label_of_its_own() -> None:
    target = deployment()
    target["spec"]["selector"]["matchLabels"] = {"tier": "web", "app": "podinfo"}
    spec = made(target)["spec"]
    assert spec["selector"] == {"matchLabels": {"app": "podinfo-primary"}}
    assert spec["template"]["metadata"]["labels"]["app"] == "podinfo-primary"


def test_every_use_of_a_copied_configuration_is_renamed() -> None:
    target = deployment(
        volumes=[
            {"name": "a", "configMap": {"name": "settings"}},
            {"name": "b", "secret": {"secretName": "key"}},
            {"name": "c", "projected": {"sources": [{"configMap": {"name": "settings"}}, {"secret": {"name": "key"}}]}},
        ],
        initContainers=[{"name": "init", "envFrom": [{"configMapRef": {"name": "settings"}}]}],
    )
    target["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "K", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}},
        {"name": "P", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    renames = {("configmap", "settings"): "settings-primary", ("secret", "key"): "key-primary"}
    template = made(target, renames)["spec"]["template"]
    assert {ref.name for ref in revision.config_refs(template)} == {"settings-primary", "key-primary"}


def test_pods_of_the_primary_are_spread_among_themselves() -> None:
    selector = {"matchLabels": {"app": "podinfo"}, "matchExpressions": [{"key": "app", "values": ["podinfo", "x"]}]}
    target = deployment(
        topologySpreadConstraints=[{"labelSelector": copy.deepcopy(selector)}],
        affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": selector}]}},
    )
    spec = made(target)["spec"]["template"]["spec"]
    own = {
        "matchLabels": {"app": "podinfo-primary"},
        "matchExpressions": [{"key": "app", "values": ["podinfo-primary", "x"]}],
    }
    assert spec["topologySpreadConstraints"][0]["labelSelector"] == own
    required = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required[0]["labelSelector"] == own


def test_annotations_of_other_controllers_are_not_copied() -> None:
    target = deployment()
    target["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "deployment.kubernetes.io/revision": "3",
        "kustomize.toolkit.fluxcd.io/checksum": "x",
        "team": "shop",
    }
    assert made(target)["metadata"]["annotations"] == {"team": "shop"}


def test_labels_are_copied_by_prefix() -> None:
    target = deployment()
    target["metadata"]["labels"] = {"app.kubernetes.io/part-of": "shop", "other": "x"}
    labels = made(target, include_label_prefix=("app.kubernetes.io",))["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/part-of": "shop", "app": "podinfo-primary"}


def test_a_target_at_zero_gets_a_primary_with_one_pod() -> None:
    assert made(deployment(replicas=0))["spec"]["replicas"] == 1


def test_a_primary_of_flagger_is_recognized_whatever_its_id_is() -> None:
    target = deployment()
    there = made(target)
    there["spec"]["template"]["metadata"]["annotations"]["flagger-id"] = "0b5ad0e6-4d9e-4f1c-8a6b-3f5d7c1e2a90"
    assert deployments.is_copy(target, there, HOW)
    assert not deployments.is_copy(deployment("app:2"), there, HOW)

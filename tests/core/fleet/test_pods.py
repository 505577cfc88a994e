"""Labels and annotations of a Gateway's pods: they change, the pods stay."""

import dataclasses
from typing import Any

import msgspec

from headgate.api import apps, core
from headgate.api.meta import Key, ObjectMeta
from headgate.api.patch import merge_patch
from headgate.fleet import Envoys, Settings, objects, pods

GATEWAY = Key("infra", "shared")
SETTINGS = Settings(xds_address="headgate.headgate-system.svc:18000")
RED = Envoys(
    gateway=GATEWAY,
    uid="1234",
    api_version="gateway.networking.k8s.io/v1",
    class_name="envoy",
    controller="headgate.dev/gateway-controller",
    ports=(("TCP", 80),),
    labels={"team": "red", "gone": "soon"},
    annotations={"example.com/note": "one"},
)
BLUE = dataclasses.replace(RED, labels={"team": "blue"}, annotations={})


def deployment(envoys: Envoys, standing: apps.Deployment | None = None, settings: Settings = SETTINGS) -> Any:
    return objects(envoys, settings, {}, standing).deployment


def pod(about: ObjectMeta, **more: str) -> core.Pod:
    """A pod of a template, with what the ReplicaSet adds."""
    labels = {**about.labels, "pod-template-hash": "abc", **more}
    meta = ObjectMeta(name="one", uid="u", labels=labels, annotations=about.annotations)
    return core.Pod(metadata=meta, spec=core.PodSpec())


def wanted(envoys: Envoys) -> ObjectMeta:
    return pods.metadata(envoys.gateway, envoys.labels, envoys.annotations)


def patched(found: core.Pod, envoys: Envoys) -> core.Pod:
    patch = pods.patch(found, wanted(envoys))
    assert patch is not None
    return msgspec.convert(merge_patch(msgspec.to_builtins(found), patch), core.Pod)


def test_a_new_pod_carries_everything_and_is_left_alone() -> None:
    template = deployment(RED).spec.template
    assert template.metadata.labels["team"] == "red"
    assert template.metadata.annotations["example.com/note"] == "one"
    assert pods.patch(pod(template.metadata), wanted(RED)) is None


def test_new_labels_alone_leave_the_pod_template_as_it_is() -> None:
    standing = deployment(RED)
    assert deployment(BLUE, standing).spec.template == standing.spec.template
    assert deployment(BLUE, standing).metadata.labels["team"] == "blue"


def test_a_template_that_needs_new_pods_has_the_new_labels_too() -> None:
    other_image = dataclasses.replace(SETTINGS, image="example.org/envoy:other")
    template = deployment(BLUE, deployment(RED), other_image).spec.template
    assert template.metadata.labels["team"] == "blue"
    assert "gone" not in template.metadata.labels


def test_a_running_pod_gets_new_labels_and_loses_old_ones() -> None:
    after = patched(pod(wanted(RED)), BLUE).metadata
    assert after.labels.items() >= {"team": "blue"}.items()
    assert "gone" not in after.labels
    assert "example.com/note" not in after.annotations


def test_a_pod_that_was_patched_is_not_patched_again() -> None:
    assert pods.patch(patched(pod(wanted(RED)), BLUE), wanted(BLUE)) is None


def test_without_infrastructure_nothing_of_it_is_left_on_a_pod() -> None:
    plain = dataclasses.replace(RED, labels={}, annotations={})
    after = patched(pod(wanted(RED)), plain).metadata
    assert after.annotations == wanted(plain).annotations
    assert after.labels == {**wanted(plain).labels, "pod-template-hash": "abc"}


def test_labels_of_others_on_a_pod_stay() -> None:
    assert patched(pod(wanted(RED), theirs="stays"), BLUE).metadata.labels["theirs"] == "stays"


def test_no_label_of_a_gateway_takes_the_place_of_ours() -> None:
    thief = dataclasses.replace(RED, labels={"gateway.networking.k8s.io/gateway-name": "other"})
    assert wanted(thief).labels["gateway.networking.k8s.io/gateway-name"] == "shared"

"""Objects that we own as a whole."""

from typing import Any

import pytest

from headgate.api.apps import Deployment, DeploymentSpec
from headgate.api.core import (
    Container,
    EmptyDirVolumeSource,
    EnvVar,
    PodSpec,
    PodTemplateSpec,
    Secret,
    SecretVolumeSource,
    Service,
    ServicePort,
    ServiceSpec,
    Volume,
)
from headgate.api.meta import Object, ObjectMeta, OwnerReference
from headgate.api.patch import json_patch
from headgate.kube.ownership import ANNOTATION, NotOwnedError, desired_json, desired_patch

GATEWAY = OwnerReference(
    api_version="gateway.networking.k8s.io/v1", kind="Gateway", name="g", uid="uid-1", controller=True
)


def meta(**more: Any) -> ObjectMeta:
    return ObjectMeta(name="g-envoy", namespace="n", **({"owner_references": (GATEWAY,)} | more))


def service(*ports: ServicePort, **about: Any) -> dict[str, Any]:
    spec = ServiceSpec(type="LoadBalancer", selector={"app": "g"}, ports=ports or (ServicePort(name="http", port=80),))
    return desired_json(Service(metadata=meta(**about), spec=spec))


def pods(*containers: Container, volumes: tuple[Volume, ...] = ()) -> dict[str, Any]:
    template = PodTemplateSpec(spec=PodSpec(containers=containers, volumes=volumes))
    return desired_json(Deployment(metadata=meta(), spec=DeploymentSpec(template=template)))


def stored(wanted: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": "1", "uid": "u", **metadata}}


def test_what_is_as_desired_is_not_written() -> None:
    assert desired_patch(stored(service()), service()) == []


def test_a_patch_is_guarded_by_the_version() -> None:
    operations = desired_patch(stored(service()), service(ServicePort(name="http", port=81)))
    assert operations[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "1"}


def test_only_what_differs_is_written() -> None:
    operations = desired_patch(stored(service()), service(ServicePort(name="http", port=81)))
    assert operations[1:] == [{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]


def test_what_the_api_allocated_stays_when_a_port_is_added() -> None:
    raw = stored(service())
    raw["spec"] = raw["spec"] | {"clusterIP": "10.0.0.1", "ports": [raw["spec"]["ports"][0] | {"nodePort": 30001}]}
    two = (ServicePort(name="admin", port=81), ServicePort(name="http", port=80))
    after = json_patch(raw, desired_patch(raw, service(*two)))
    assert after["spec"]["clusterIP"] == "10.0.0.1"
    assert after["spec"]["ports"] == [{"name": "admin", "port": 81}, {"name": "http", "port": 80, "nodePort": 30001}]


def test_labels_of_others_stay_and_labels_that_we_gave_up_go() -> None:
    raw = stored(service(labels={"old": "1", "kept": "1"}))
    raw["metadata"]["labels"]["theirs"] = "1"
    after = json_patch(raw, desired_patch(raw, service(labels={"kept": "2"})))
    assert after["metadata"]["labels"] == {"kept": "2", "theirs": "1"}


def test_giving_up_all_labels_leaves_those_of_others() -> None:
    raw = stored(service(labels={"old": "1"}))
    raw["metadata"]["labels"]["theirs"] = "1"
    assert json_patch(raw, desired_patch(raw, service()))["metadata"]["labels"] == {"theirs": "1"}


def test_a_field_that_we_gave_up_goes() -> None:
    raw = stored(pods(Container(name="e", image="i", command=("sleep",), env=(EnvVar(name="A", value="1"),))))
    after = json_patch(raw, desired_patch(raw, pods(Container(name="e", image="i"))))
    assert after["spec"]["template"]["spec"]["containers"] == [{"name": "e", "image": "i"}]


def test_a_volume_can_become_one_of_another_kind() -> None:
    secret = Volume(name="v", secret=SecretVolumeSource(secret_name="s"))
    raw = stored(pods(Container(name="e"), volumes=(secret,)))
    raw["spec"]["template"]["spec"]["volumes"][0]["secret"]["defaultMode"] = 420
    desired = pods(Container(name="e"), volumes=(Volume(name="v", empty_dir=EmptyDirVolumeSource()),))
    after = json_patch(raw, desired_patch(raw, desired))
    assert after["spec"]["template"]["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]


def test_the_order_of_a_list_is_ours() -> None:
    first, second = EnvVar(name="A", value="1"), EnvVar(name="B", value="$(A)")
    raw = stored(pods(Container(name="e", env=(second, first))))
    after = json_patch(raw, desired_patch(raw, pods(Container(name="e", env=(first, second)))))
    assert [each["name"] for each in after["spec"]["template"]["spec"]["containers"][0]["env"]] == ["A", "B"]


def test_equal_quantities_are_no_difference() -> None:
    desired = pods(Container(name="e", resources={"requests": {"cpu": "1000m", "memory": "1024Mi"}}))
    raw = stored(pods(Container(name="e", resources={"requests": {"cpu": "1", "memory": "1Gi"}})))
    assert desired_patch(raw, desired) == []


@pytest.mark.parametrize(
    ("stored_cpu", "desired_cpu"), [("500m", "0.5"), ("1Gi", "1024Mi"), (1, "1"), ("1e3", "1k"), ("2000000u", "2")]
)
def test_quantities_are_compared_as_numbers(stored_cpu: Any, desired_cpu: Any) -> None:
    desired = pods(Container(name="e", resources={"requests": {"cpu": desired_cpu}}))
    raw = stored(pods(Container(name="e", resources={"requests": {"cpu": stored_cpu}})))
    assert desired_patch(raw, desired) == []


def test_a_default_that_is_ours_is_written() -> None:
    replicas = Deployment(metadata=meta(), spec=DeploymentSpec(replicas=1))
    raw = stored(desired_json(replicas))
    raw["spec"] = {"replicas": 5}
    assert desired_patch(raw, desired_json(replicas)) == []
    after = json_patch(raw, desired_patch(raw, desired_json(replicas, ["/spec/replicas"])))
    assert after["spec"]["replicas"] == 1


def test_an_unknown_field_that_should_be_ours_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="DeploymentSpec has no field replica"):
        desired_json(Deployment(metadata=meta()), ["/spec/replica"])


def test_finalizers_and_owners_of_others_stay() -> None:
    theirs = {"apiVersion": "v1", "kind": "Other", "name": "o", "uid": "uid-2"}
    raw = stored(service(), finalizers=["example.com/theirs"])
    raw["metadata"]["ownerReferences"] = [theirs, *raw["metadata"]["ownerReferences"]]
    assert desired_patch(raw, service()) == []


def test_an_object_of_another_owner_is_left_alone() -> None:
    raw = stored(service())
    raw["metadata"]["ownerReferences"] = [{**raw["metadata"]["ownerReferences"][0], "kind": "Other", "uid": "uid-2"}]
    with pytest.raises(NotOwnedError, match="Service n/g-envoy is owned by Other g"):
        desired_patch(raw, service())


def test_what_is_left_of_a_deleted_owner_of_the_same_name_is_left_to_the_garbage_collector() -> None:
    raw = stored(service())
    raw["metadata"]["ownerReferences"] = [{**raw["metadata"]["ownerReferences"][0], "uid": "uid-0"}]
    with pytest.raises(NotOwnedError, match="is owned by Gateway g, which was deleted; it will be garbage-collected"):
        desired_patch(raw, service())


def test_an_object_that_a_user_created_is_not_adopted() -> None:
    raw = stored(service())
    del raw["metadata"]["ownerReferences"], raw["metadata"]["annotations"][ANNOTATION]
    with pytest.raises(NotOwnedError, match="exists and was not created by this controller"):
        desired_patch(raw, service())


def test_an_object_that_is_being_deleted_is_left_alone() -> None:
    with pytest.raises(NotOwnedError, match="is being deleted"):
        desired_patch(stored(service(), deletionTimestamp="2020-01-01T00:00:00Z"), service())


def test_the_annotation_remembers_names_and_no_values() -> None:
    secret = desired_json(Secret(metadata=meta(), data={"tls.key": "aHVudGVyMg=="}))
    remembered = secret["metadata"]["annotations"][ANNOTATION]
    assert "tls.key" in remembered
    assert "aHVudGVyMg" not in remembered


def test_a_secret_is_given_as_data_only() -> None:
    with pytest.raises(ValueError, match="string_data cannot be compared"):
        desired_json(Secret(metadata=meta(), string_data={"a": "b"}))


def test_status_and_what_the_api_sets_are_never_sent() -> None:
    typed: Object = Service(metadata=meta(uid="u", resource_version="7", generation=2))
    assert not {"uid", "resourceVersion", "generation"} & desired_json(typed)["metadata"].keys()
    assert "status" not in desired_json(typed)

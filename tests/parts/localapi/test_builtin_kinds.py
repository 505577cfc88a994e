"""Defaults and validation of the built-in kinds."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.localapi.registry.status_errors import StatusError
from headgate.localapi.resources.kinds.pods import pull_policy, quality
from support.local_api import InProcessApi

CONTAINER = {"name": "c", "image": "nginx:1"}


def deployment(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [dict(CONTAINER)]}}
    return {
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec},
    }


def refused(desk: InProcessApi, plural: str, obj: dict[str, Any]) -> set[str]:
    """The fields that a refusal names."""
    with pytest.raises(StatusError) as caught:
        desk.create(plural, obj)
    assert caught.value.code == 422
    return {cause["field"] for cause in caught.value.details["causes"]}


# --- deployments


def test_a_deployment_gets_its_defaults(desk: InProcessApi) -> None:
    spec = desk.create("deployments.apps", deployment())["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    assert spec["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_zero_replicas_stay_zero(desk: InProcessApi) -> None:
    assert desk.create("deployments.apps", deployment(replicas=0))["spec"]["replicas"] == 0


def test_a_selector_that_does_not_match_the_template_is_refused(desk: InProcessApi) -> None:
    bad = deployment(selector={"matchLabels": {"app": "other"}})
    assert refused(desk, "deployments.apps", bad) == {"spec.template.metadata.labels"}


def test_a_deployment_without_selector_is_refused(desk: InProcessApi) -> None:
    bad = deployment()
    del bad["spec"]["selector"]
    assert refused(desk, "deployments.apps", bad) == {"spec.selector"}


def test_the_selector_of_a_deployment_never_changes(desk: InProcessApi) -> None:
    there = desk.create("deployments.apps", deployment())
    there["spec"]["selector"] = {"matchLabels": {"app": "web", "more": "x"}}
    there["spec"]["template"]["metadata"]["labels"] = {"app": "web", "more": "x"}
    with pytest.raises(StatusError) as caught:
        desk.put("deployments.apps", there)
    assert [cause["field"] for cause in caught.value.details["causes"]] == ["spec.selector"]


def test_a_roll_out_that_may_do_nothing_is_refused(desk: InProcessApi) -> None:
    bad = deployment(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}})
    assert refused(desk, "deployments.apps", bad) == {"spec.strategy.rollingUpdate.maxUnavailable"}


@pytest.mark.parametrize(
    ("container", "field"),
    [
        ({"name": "c"}, "image"),
        ({"name": "C_", "image": "i"}, "name"),
        ({"image": "i"}, "name"),
        ({**CONTAINER, "ports": [{"containerPort": 0}]}, "ports[0].containerPort"),
        ({**CONTAINER, "volumeMounts": [{"name": "v", "mountPath": "/x"}]}, "volumeMounts[0].name"),
        ({**CONTAINER, "readinessProbe": {}}, "readinessProbe"),
        ({**CONTAINER, "readinessProbe": {"exec": {}, "tcpSocket": {"port": 1}}}, "readinessProbe"),
        ({**CONTAINER, "livenessProbe": {"exec": {}, "successThreshold": 2}}, "livenessProbe.successThreshold"),
        ({**CONTAINER, "imagePullPolicy": "Sometimes"}, "imagePullPolicy"),
    ],
)
def test_a_container_that_cannot_run_is_refused_with_its_path(
    desk: InProcessApi, container: dict[str, Any], field: str
) -> None:
    bad = deployment()
    bad["spec"]["template"]["spec"]["containers"] = [container]
    assert refused(desk, "deployments.apps", bad) == {f"spec.template.spec.containers[0].{field}"}


# --- pods


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [dict(CONTAINER)], **spec}}


def test_a_new_pod_is_pending(desk: InProcessApi) -> None:
    assert desk.create("pods", pod())["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


def test_a_probe_gets_its_defaults(desk: InProcessApi) -> None:
    container = {**CONTAINER, "readinessProbe": {"httpGet": {"port": 80}}}
    probe = desk.create("pods", pod(containers=[container]))["spec"]["containers"][0]["readinessProbe"]
    assert probe == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def test_a_volume_without_source_is_an_empty_folder(desk: InProcessApi) -> None:
    volumes = desk.create("pods", pod(volumes=[{"name": "v"}, {"name": "s", "secret": {"secretName": "x"}}]))["spec"][
        "volumes"
    ]
    assert volumes == [{"name": "v", "emptyDir": {}}, {"name": "s", "secret": {"secretName": "x", "defaultMode": 420}}]


def test_of_a_pod_only_the_image_changes(desk: InProcessApi) -> None:
    there = desk.create("pods", pod())
    there["spec"]["containers"][0]["image"] = "nginx:2"
    there = desk.put("pods", there)
    there["spec"]["containers"][0]["args"] = ["x"]
    with pytest.raises(StatusError) as caught:
        desk.put("pods", there)
    assert [cause["field"] for cause in caught.value.details["causes"]] == ["spec"]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
    ],
)
def test_an_image_that_may_move_is_always_pulled(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


@pytest.mark.parametrize(
    ("resources", "word"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1"}, "requests": {"cpu": "0.5", "memory": "1"}}, "Burstable"),
    ],
)
def test_the_quality_of_service_follows_from_requests_and_limits(resources: dict[str, Any], word: str) -> None:
    assert quality({"containers": [{"resources": resources}]}) == word


# --- services


def service(name: str = "s", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


def test_a_service_gets_an_address_and_its_defaults(desk: InProcessApi) -> None:
    spec = desk.create("services", service())["spec"]
    assert spec["clusterIP"].startswith("127.20.")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert (spec["type"], spec["sessionAffinity"], spec["ipFamilies"]) == ("ClusterIP", "None", ["IPv4"])
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]


def test_two_services_have_two_addresses(desk: InProcessApi) -> None:
    first, second = (desk.create("services", service(name))["spec"]["clusterIP"] for name in ("a", "b"))
    assert first != second


def test_a_headless_service_has_no_address(desk: InProcessApi) -> None:
    assert desk.create("services", service(clusterIP="None"))["spec"]["clusterIPs"] == ["None"]


def test_an_external_name_has_no_address(desk: InProcessApi) -> None:
    spec = desk.create("services", service(type="ExternalName", externalName="example.com"))["spec"]
    assert "clusterIP" not in spec


def test_the_address_of_a_service_stays_when_an_update_leaves_it_out(desk: InProcessApi) -> None:
    there = desk.create("services", service())
    address = there["spec"].pop("clusterIP")
    del there["spec"]["clusterIPs"]
    assert desk.put("services", there)["spec"]["clusterIP"] == address


def test_the_address_of_a_service_never_changes(desk: InProcessApi) -> None:
    there = desk.create("services", service())
    there["spec"]["clusterIP"] = "127.20.9.9"
    with pytest.raises(StatusError) as caught:
        desk.put("services", there)
    assert [cause["field"] for cause in caught.value.details["causes"]] == ["spec.clusterIP"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"ports": []}, "spec.ports"),
        ({"ports": [{"port": 0, "targetPort": 80}]}, "spec.ports[0].port"),
        ({"ports": [{"port": 1}, {"port": 2, "name": "b"}]}, "spec.ports[0].name"),
        ({"type": "Balancer"}, "spec.type"),
        ({"type": "ExternalName"}, "spec.externalName"),
        ({"ports": [{"port": 1, "protocol": "HTTP"}]}, "spec.ports[0].protocol"),
    ],
)
def test_a_service_that_cannot_work_is_refused_with_its_path(
    desk: InProcessApi, spec: dict[str, Any], field: str
) -> None:
    assert refused(desk, "services", service(**spec)) == {field}


def test_a_load_balancer_waits_for_its_address(desk: InProcessApi) -> None:
    assert desk.create("services", service(type="LoadBalancer"))["status"] == {"loadBalancer": {}}


# --- configuration


def test_plain_text_of_a_secret_is_stored_encoded(desk: InProcessApi) -> None:
    secret = desk.create("secrets", {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    assert (secret["data"], secret["type"], "stringData" in secret) == ({"a": "Yg=="}, "Opaque", False)


def test_a_tls_secret_needs_its_two_keys(desk: InProcessApi) -> None:
    bad = {"metadata": {"name": "s"}, "type": "kubernetes.io/tls", "data": {"tls.crt": ""}}
    assert refused(desk, "secrets", bad) == {"data[tls.key]"}


def test_a_secret_that_is_not_base64_is_refused(desk: InProcessApi) -> None:
    assert refused(desk, "secrets", {"metadata": {"name": "s"}, "data": {"a": "?"}}) == {"data.a"}


def test_an_immutable_config_map_stays_as_it_is(desk: InProcessApi) -> None:
    there = desk.create("configmaps", {"metadata": {"name": "c"}, "data": {"a": "b"}, "immutable": True})
    there["data"] = {"a": "c"}
    with pytest.raises(StatusError) as caught:
        desk.put("configmaps", there)
    assert [cause["field"] for cause in caught.value.details["causes"]] == ["data"]


def test_a_node_brings_its_status(desk: InProcessApi) -> None:
    node = {"metadata": {"name": "n"}, "status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}}
    assert desk.create("nodes", node)["status"]["addresses"][0]["address"] == "127.0.0.1"


def test_an_endpoint_slice_takes_addresses_of_its_family_only(desk: InProcessApi) -> None:
    bad = {"metadata": {"name": "e"}, "addressType": "IPv4", "endpoints": [{"addresses": ["::1"]}]}
    assert refused(desk, "endpointslices.discovery.k8s.io", bad) == {"endpoints[0].addresses[0]"}


def test_a_field_that_we_never_read_is_kept(desk: InProcessApi) -> None:
    created = desk.create("pods", pod(priorityClassName="high", tolerations=[{"key": "a", "operator": "Exists"}]))
    assert created["spec"]["tolerations"] == [{"key": "a", "operator": "Exists"}]
    assert created["spec"]["priorityClassName"] == "high"

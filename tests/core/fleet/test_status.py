"""What a fleet reports."""

from __future__ import annotations

from typing import Any

from headgate.api import codec, core
from headgate.api.meta import Key
from headgate.fleet import fleet_status
from headgate.world import EnvoyFleetSpec

FRONT = Key("default", "front")
SPEC = EnvoyFleetSpec(uid="1", class_name="headgate", ports=(("TCP", 80),))


def pod(name: str, *, ready: bool = False, reason: str = "", message: str = "") -> core.Pod:
    waiting = {"waiting": {"reason": reason, "message": message}} if reason else {}
    container = {"name": "envoy", "image": "envoy", "imageID": "", "restartCount": 0, "ready": ready, "state": waiting}
    plain = {"metadata": {"name": name, "namespace": "default"}, "status": {"containerStatuses": [container]}}
    return codec.convert(core.Pod, plain)


def service(status: dict[str, Any], cluster_ip: str = "10.0.0.1") -> core.Service:
    plain = {"metadata": {"name": "front-headgate"}, "spec": {"clusterIP": cluster_ip, "ports": []}, "status": status}
    return codec.convert(core.Service, plain)


def test_addresses_come_from_the_load_balancer() -> None:
    ingress = [{"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}]
    status = fleet_status(FRONT, SPEC, service({"loadBalancer": {"ingress": ingress}}), ())
    assert (status.service, status.addresses) == ("front-headgate", ("192.0.2.1", "lb.example.com"))
    assert status.cluster_ip == "10.0.0.1"


def test_a_fleet_without_a_service_has_no_address() -> None:
    status = fleet_status(FRONT, SPEC, None, ())
    assert (status.service, status.addresses, status.cluster_ip) == ("front-headgate", (), "")


def test_a_headless_service_has_no_address_within_the_cluster() -> None:
    assert fleet_status(FRONT, SPEC, service({}, "None"), ()).cluster_ip == ""


def test_the_first_pod_that_cannot_start_is_the_reason() -> None:
    pods = [pod("a", reason="ContainerCreating"), pod("b", reason="ErrImagePull", message="no such image")]
    assert fleet_status(FRONT, SPEC, None, pods).reason_unavailable == "Pod b: ErrImagePull: no such image"


def test_a_fleet_with_a_ready_pod_is_available() -> None:
    pods = [pod("a", ready=True), pod("b", reason="CrashLoopBackOff")]
    assert fleet_status(FRONT, SPEC, None, pods).reason_unavailable == ""

"""Laws of EndpointSlices: every pod behind a Service is in exactly one slice, in whatever order it is seen."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.api import codec
from headgate.api.core import (
    Container,
    ContainerPort,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    Service,
    ServicePort,
    ServiceSpec,
)
from headgate.api.discovery import EndpointSlice
from headgate.api.meta import ObjectMeta
from headgate.workloads import endpoints
from headgate.workloads.effects import Create, Delete, Patch

SERVICE = Service(
    metadata=ObjectMeta(name="shop", namespace="default", uid="s"),
    spec=ServiceSpec(
        selector={"app": "shop"},
        ports=(ServicePort(port=80, name="http", target_port="web"), ServicePort(port=81, name="fixed")),
    ),
)


def a_pod(number: int, app: str, port: int, ready: bool, phase: str, address: bool) -> Pod:
    return Pod(
        metadata=ObjectMeta(name=f"pod-{number}", namespace="default", uid=f"u{number}", labels={"app": app}),
        spec=PodSpec(containers=(Container(name="app", ports=(ContainerPort(container_port=port, name="web"),)),)),
        status=PodStatus(
            phase=phase,
            pod_ip=f"127.1.{number // 250}.{number % 250 + 1}" if address else "",
            conditions=(PodCondition(type="Ready", status="True" if ready else "False"),),
        ),
    )


shapes = st.tuples(
    st.sampled_from(["shop", "shop", "shop", "other"]),
    st.sampled_from([8080, 8081]),
    st.booleans(),
    st.sampled_from(["Running", "Running", "Pending", "Succeeded", "Failed"]),
    st.booleans(),
)
pods = st.lists(shapes, max_size=250).map(lambda found: [a_pod(n, *shape) for n, shape in enumerate(found)])


def settle(candidates: list[Pod], have: dict[str, EndpointSlice]) -> dict[str, EndpointSlice]:
    """The slices after the decision was carried out."""
    after = dict(have)
    for effect in endpoints.decide(SERVICE, candidates, have.values()).effects:
        match effect:
            case Create():
                piece = codec.convert(EndpointSlice, effect.object)
                after[piece.metadata.name] = piece
            case Patch():
                changed = codec.builtins(after[effect.key.name]) | {
                    name: value for name, value in effect.patch.items() if name != "metadata"
                }
                after[effect.key.name] = codec.convert(EndpointSlice, changed)
            case Delete():
                del after[effect.key.name]
    return after


def behind(pod: Pod) -> bool:
    return (
        pod.metadata.labels["app"] == "shop"
        and bool(pod.status.pod_ip)
        and pod.status.phase not in ("Succeeded", "Failed")
    )


@settings(max_examples=40, deadline=None)
@given(candidates=pods)
def test_every_pod_behind_a_service_is_in_exactly_one_slice(candidates: list[Pod]) -> None:
    slices = settle(candidates, {}).values()
    listed = [endpoint.addresses[0] for piece in slices for endpoint in piece.endpoints]
    assert sorted(listed) == sorted(pod.status.pod_ip for pod in candidates if behind(pod))
    assert all(len(piece.endpoints) <= endpoints.MAX_ENDPOINTS for piece in slices)


@settings(max_examples=40, deadline=None)
@given(candidates=pods)
def test_an_endpoint_has_the_ports_of_its_pod(candidates: list[Pod]) -> None:
    by_address = {pod.status.pod_ip: pod for pod in candidates}
    for piece in settle(candidates, {}).values():
        ports = {port.name: port.port for port in piece.ports}
        for endpoint in piece.endpoints:
            wanted = by_address[endpoint.addresses[0]].spec.containers[0].ports[0].container_port
            assert ports == {"http": wanted, "fixed": 81}


@settings(max_examples=40, deadline=None)
@given(candidates=pods, order=st.randoms())
def test_the_order_in_which_pods_are_seen_changes_nothing(candidates: list[Pod], order: object) -> None:
    shuffled = list(candidates)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert endpoints.decide(SERVICE, shuffled, ()) == endpoints.decide(SERVICE, candidates, ())


@settings(max_examples=40, deadline=None)
@given(first=pods, second=pods)
def test_from_any_slices_the_next_decision_leads_to_those_of_a_fresh_start(first: list[Pod], second: list[Pod]) -> None:
    assert settle(second, settle(first, {})) == settle(second, {})


@settings(max_examples=40, deadline=None)
@given(candidates=pods)
def test_a_decision_that_was_carried_out_leaves_nothing_to_do(candidates: list[Pod]) -> None:
    have = settle(candidates, {})
    assert endpoints.decide(SERVICE, candidates, have.values()).effects == ()

"""What a pass sends to whom."""

from __future__ import annotations

from headgate.api import gateway
from headgate.api.meta import Key, ObjectMeta
from headgate.controllers.gateways.passes import Passes
from headgate.world import Settings
from headgate.xds.desired import Update

OURS = "headgate.dev/gateway-controller"


def test_a_gateway_with_nothing_to_serve_has_something_to_answer_its_envoys() -> None:
    sent: list[tuple[Key, Update]] = []
    passes = Passes(Settings(controller_names=(OURS,)), lambda *each: sent.append(each), lambda _: None)
    a_class = gateway.GatewayClass(
        metadata=ObjectMeta(name="ours"), spec=gateway.GatewayClassSpec(controller_name=OURS)
    )
    listener = gateway.Listener(name="odd", port=1111, protocol="example.com/ODD")
    front = gateway.Gateway(
        metadata=ObjectMeta(name="front", namespace="shop"),
        spec=gateway.GatewaySpec(gateway_class_name="ours", listeners=(listener,)),
    )
    passes.world.classes.set(a_class.key, a_class)
    passes.world.gateways.set(front.key, front)
    passes.step()
    assert sent == [(front.key, Update())]

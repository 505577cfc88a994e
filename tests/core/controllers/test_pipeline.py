"""What a pass sends to the Envoys of a Gateway that is invalid for a while."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from headgate.api import core, gateway
from headgate.api.meta import Key, ObjectMeta
from headgate.controllers.gateways.pipeline import Pipeline
from headgate.envoy.names import CLUSTER, ENDPOINTS, LISTENER
from headgate.ir.routing import Binding
from headgate.world import Settings
from headgate.xds.desired import Update

FRONT = gateway.Gateway(
    metadata=ObjectMeta(name="front", namespace="default", uid="u"),
    spec=gateway.GatewaySpec(
        gateway_class_name="headgate", listeners=(gateway.Listener(name="http", port=80, protocol="HTTP"),)
    ),
)
PARAMETERS = gateway.LocalParametersReference(group="example.com", kind="Proxy", name="none")
REFUSED = msgspec.structs.replace(
    FRONT,
    spec=msgspec.structs.replace(FRONT.spec, infrastructure=gateway.GatewayInfrastructure(parameters_ref=PARAMETERS)),
)
CLASS = gateway.GatewayClass(
    metadata=ObjectMeta(name="headgate"),
    spec=gateway.GatewayClassSpec(controller_name="headgate.dev/gateway-controller"),
)


def service(name: str) -> core.Service:
    ports = core.ServiceSpec(ports=(core.ServicePort(port=80),))
    return core.Service(metadata=ObjectMeta(name=name, namespace="default"), spec=ports)


def route(*services: str) -> gateway.HTTPRoute:
    backends = tuple(gateway.HTTPBackendRef(name=name, port=80) for name in services)
    spec = gateway.HTTPRouteSpec(
        parent_refs=(gateway.ParentReference(name="front"),), rules=(gateway.HTTPRouteRule(backend_refs=backends),)
    )
    return gateway.HTTPRoute(metadata=ObjectMeta(name="shop", namespace="default", uid="r"), spec=spec)


@dataclass
class Sent:
    """A world with a Gateway and a split between two Services, and what each pass sends."""

    updates: list[Update] = field(default_factory=list)
    dropped: list[Key] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pipeline = Pipeline(Settings(), lambda _, update: self.updates.append(update), self.dropped.append)
        world = self.pipeline.world
        world.gateway_classes.set(CLASS.key, CLASS)
        world.bindings.set(FRONT.key, Binding("pod"))
        for each in (service("old"), service("new")):
            world.services.set(each.key, each)
        shop = route("old", "new")
        world.http_routes.set(shop.key, shop)
        self.step(FRONT)

    def step(self, front: gateway.Gateway) -> list[Update]:
        self.updates.clear()
        self.pipeline.world.gateways.set(front.key, front)
        self.pipeline.run_pass()
        return list(self.updates)


def test_an_invalid_gateway_is_dropped_and_gets_no_more_updates() -> None:
    sent = Sent()
    assert sent.step(REFUSED) == []
    assert sent.dropped == [FRONT.key]
    shop = route("old")
    sent.pipeline.world.http_routes.set(shop.key, shop)
    assert sent.step(REFUSED) == []


def test_a_gateway_that_is_valid_again_gets_everything() -> None:
    sent = Sent()
    sent.step(REFUSED)
    (update,) = sent.step(FRONT)
    assert {kind for kind, _ in update.resources} == {LISTENER, CLUSTER, ENDPOINTS}
    assert sorted(name for kind, name in update.resources if kind == CLUSTER) == ["default/new/80", "default/old/80"]
    assert len(update.hosts) == len(update.weights) == len(update.route_configurations) == 1


def test_a_gateway_that_is_valid_again_gets_what_changed_meanwhile() -> None:
    sent = Sent()
    sent.step(REFUSED)
    shop = route("new")
    sent.pipeline.world.http_routes.set(shop.key, shop)
    sent.step(REFUSED)
    (update,) = sent.step(FRONT)
    assert [name for kind, name in update.resources if kind == CLUSTER] == ["default/new/80"]

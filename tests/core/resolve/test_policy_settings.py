"""Where the settings of policies take effect: on listeners and backends, with kinds that exist only in tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from golden import cases
from headgate.api import gateway as api
from headgate.api.gateway import LocalPolicyTargetReferenceWithSectionName
from headgate.api.meta import Key, Object, ObjectMeta, Ref, Value
from headgate.incremental import Engine
from headgate.ir import routing as ir
from headgate.ir.limits import RetryBudget
from headgate.ir.tls import ClientValidation
from headgate.policies import BackendSettings, PolicyKind, PolicySettings, ReferenceResolver
from headgate.policies.base import GATEWAY, LISTENER_SET, XBACKEND
from headgate.program import program
from headgate.world import Settings, World
from headgate.world.facts import Facts
from headgate.world.objects import SETTINGS
from support.guard_policies import GUARD, GuardPolicy, GuardPolicySpec
from support.manifests import decode_manifest

HEAD = "gateway.networking.k8s.io/v1"
EXPERIMENTAL = "gateway.networking.x-k8s.io/v1alpha1"


def _clients(policy: GuardPolicy, _references: ReferenceResolver) -> PolicySettings[ir.ClientTraffic]:
    bundles = tuple(Key("shop", name) for name in policy.spec.demands)
    return PolicySettings(ir.ClientTraffic(ClientValidation(bundles)))


def _backends(_policy: Object, _references: ReferenceResolver) -> PolicySettings[BackendSettings]:
    return PolicySettings(BackendSettings(ir.BackendTraffic(retry_budget=RetryBudget(10, 1.0, 1))))


class LimitPolicySpec(Value):
    """A spec without targetSelectors: backends are read before there are labels."""

    target_refs: tuple[LocalPolicyTargetReferenceWithSectionName, ...] = ()


class LimitPolicy(Object, kw_only=True):
    """Limits retries to XBackends."""

    api_version: str = "limit.example.com/v1"
    kind: str = "LimitPolicy"
    spec: LimitPolicySpec = LimitPolicySpec()


LIMITS = PolicyKind(LimitPolicy, (XBACKEND,), BackendSettings, _backends, GUARD.conditions)
CLIENTS = PolicyKind(GuardPolicy, (GATEWAY, LISTENER_SET), ir.ClientTraffic, _clients, GUARD.conditions, inherited=True)
BACKENDS = PolicyKind(GuardPolicy, (XBACKEND,), BackendSettings, _backends, GUARD.conditions)


def running(kind: PolicyKind[Any], *objects: Object) -> cases.Running:
    engine = Engine()
    world, facts = World(engine), Facts(engine)
    world.sources = {**world.sources, **{each: engine.source(each.__name__) for each in (GuardPolicy, LimitPolicy)}}
    world.settings.set(SETTINGS, Settings())
    made = cases.Running(engine, world, facts, program(world, facts, (kind,)))
    for each in (cases.gateway_class(), *objects):
        made.put(each)
    return made.run()


def edge() -> Object:
    listeners = [
        {
            "name": name,
            "port": 443,
            "protocol": "HTTPS",
            "hostname": f"{name}.example.com",
            "tls": {"certificateRefs": [{"name": "cert"}]},
        }
        for name in ("one", "two")
    ]
    spec = {"gatewayClassName": cases.CLASS, "listeners": listeners}
    return decode_manifest(
        {"apiVersion": HEAD, "kind": "Gateway", "metadata": {"name": "edge", "namespace": "shop"}, "spec": spec}
    )


def policy(name: str, target: str, section: str | None = None) -> GuardPolicy:
    ref = LocalPolicyTargetReferenceWithSectionName(group=api.GROUP, kind="Gateway", name=target, section_name=section)
    return GuardPolicy(
        metadata=ObjectMeta(name=name, namespace="shop"), spec=GuardPolicySpec(target_refs=(ref,), demands=(name,))
    )


def validated_by(world: cases.Running) -> dict[str, str]:
    """The bundle with which the clients of each listener are validated; empty for none."""
    return {
        listener.name: validation.ca_certificates[0].name if validation else ""
        for _, port in world.outputs.routing.ports.items()
        for listener in port.listeners
        for validation in (listener.client_traffic.client_validation,)
    }


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ((), {"one": "", "two": ""}),
        ((policy("whole", "edge"),), {"one": "whole", "two": "whole"}),
        ((policy("whole", "edge"), policy("part", "edge", "two")), {"one": "whole", "two": "part"}),
    ],
)
def test_clients_get_what_the_most_specific_policy_of_the_listener_sets(
    policies: Iterable[Object], expected: dict[str, str]
) -> None:
    secret = cases.secret("shop/cert", ["*.example.com"])
    bundles = [cases.config_map(f"shop/{name}", "clients") for name in ("whole", "part")]
    assert validated_by(running(CLIENTS, edge(), secret, *bundles, *policies)) == expected


@pytest.mark.parametrize(("target", "limited"), [("outside", True), ("other", False)])
def test_an_xbackend_gets_what_its_policies_set_beside_its_own_settings(target: str, *, limited: bool) -> None:
    backend = {"group": "gateway.networking.x-k8s.io", "kind": "XBackend", "name": "outside", "port": 443}
    spec = {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [backend]}]}
    route = {"apiVersion": HEAD, "kind": "HTTPRoute", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}
    validation = {"hostname": "api.example.com", "wellKnownCACertificates": "System"}
    outside = {
        "apiVersion": EXPERIMENTAL,
        "kind": "XBackend",
        "metadata": {"name": "outside", "namespace": "shop"},
        "spec": {
            "type": "ExternalHostname",
            "externalHostname": {"hostname": "api.example.com"},
            "port": {"number": 443},
            "tls": {"mode": "ServerOnly", "validation": validation},
        },
    }
    ref = LocalPolicyTargetReferenceWithSectionName(group="gateway.networking.x-k8s.io", kind="XBackend", name=target)
    policy = LimitPolicy(metadata=ObjectMeta(name="limit", namespace="shop"), spec=LimitPolicySpec(target_refs=(ref,)))
    world = running(LIMITS, edge(), decode_manifest(route), decode_manifest(outside), policy)
    ((_, used),) = world.outputs.routing.backends.items()
    assert used.traffic.tls is not None
    assert (used.traffic.retry_budget is not None) == limited
    entries = world.outputs.policy_statuses.get(Ref("LimitPolicy", "shop", "limit")) or ()
    assert [entry.ancestor_ref.name for entry in entries] == (["edge"] if limited else [])


def test_a_kind_with_selectors_needs_labels_which_come_after_backends() -> None:
    with pytest.raises(TypeError, match="targetSelectors"):
        running(BACKENDS)


def test_a_kind_whose_settings_nothing_applies_is_refused() -> None:
    unknown = PolicyKind(GuardPolicy, (GATEWAY,), str, lambda _policy, _references: PolicySettings(""), ())
    with pytest.raises(TypeError, match="nothing applies str of GuardPolicy"):
        running(unknown)

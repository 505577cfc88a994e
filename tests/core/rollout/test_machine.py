"""The walk of a release through its phases: Flagger's events, statuses and weights, at Flagger's ticks."""

from __future__ import annotations

import pytest

from headgate.api.apps import Deployment
from headgate.api.core import ConfigMap, Secret, Service
from headgate.api.delivery import Canary
from headgate.api.gateway import HTTPRoute
from support.rollout_world import RolloutWorld, canary, config_map, deployment


def initialized(manifest: object = None, *others: object) -> RolloutWorld:
    world = RolloutWorld(manifest, *others)  # type: ignore[arg-type]
    world.run()
    assert world.phase == "Initialized", world.events
    world.events.clear()
    world.weights.clear()
    return world


def released(world: RolloutWorld, image: str = "app:2") -> RolloutWorld:
    world.release(image)
    world.run()
    return world


# ── initialisation ───────────────────────────────────────────────────────────


def test_a_new_canary_is_initialised_with_flaggers_objects() -> None:
    world = RolloutWorld()
    world.run()
    assert world.phase == "Initialized"
    assert world.events[-1] == "Normal: Initialization done! podinfo.test"
    assert {name for name in ("podinfo", "podinfo-primary", "podinfo-canary") if world.has(Service, name)} == {
        "podinfo",
        "podinfo-primary",
        "podinfo-canary",
    }
    assert world.raw(Service)["spec"]["selector"] == {"app": "podinfo-primary"}
    assert world.raw(Service, "podinfo-canary")["spec"]["selector"] == {"app": "podinfo"}
    assert world.raw(Deployment)["spec"]["replicas"] == 0
    assert world.raw(Deployment, "podinfo-primary")["spec"]["replicas"] == 2


def test_the_target_serves_until_the_primary_is_ready() -> None:
    world = RolloutWorld()
    world.stuck.add("podinfo-primary")
    world.run(600)
    assert world.phase == "Initializing"
    assert world.raw(Deployment)["spec"]["replicas"] == 2
    assert not world.has(Service, "podinfo")
    assert any("podinfo-primary.test not ready: waiting for rollout to finish" in event for event in world.events)


def test_while_initialising_the_primary_follows_the_target() -> None:
    world = RolloutWorld()
    world.given_up.add("podinfo-primary")
    world.run(30)
    world.release("app:fixed")
    world.given_up.clear()
    world.run(30)
    assert (world.phase, world.image("podinfo-primary")) == ("Initialized", "app:fixed")


def test_made_objects_belong_to_the_canary_and_opt_out_of_flux() -> None:
    world = initialized()
    for cls, name in ((Service, "podinfo-canary"), (Deployment, "podinfo-primary"), (HTTPRoute, "podinfo")):
        owner = world.raw(cls, name)["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["name"], owner["controller"]) == ("Canary", "podinfo", True)
    annotations = world.raw(HTTPRoute)["metadata"]["annotations"]
    assert annotations["kustomize.toolkit.fluxcd.io/reconcile"] == "disabled"
    assert annotations["helm.toolkit.fluxcd.io/driftDetection"] == "disabled"


def test_a_service_that_is_there_keeps_its_node_port_and_its_metadata() -> None:
    mine = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "podinfo", "namespace": "test", "labels": {"mine": "yes"}},
        "spec": {
            "type": "NodePort",
            "selector": {"app": "podinfo"},
            "ports": [{"name": "web", "port": 9898, "nodePort": 30080}],
        },
    }
    service = initialized(None, deployment(), mine).raw(Service)
    assert service["spec"]["selector"] == {"app": "podinfo-primary"}
    assert (service["spec"]["type"], service["spec"]["ports"][0]["nodePort"]) == ("NodePort", 30080)
    assert service["metadata"]["labels"] == {"mine": "yes"}


# ── the good way ─────────────────────────────────────────────────────────────

TICKS = [
    # seconds after the first step, phase, canary weight
    (0, "Progressing", 10),
    (10, "Progressing", 20),
    (20, "Progressing", 30),
    (30, "Progressing", 40),
    (40, "Progressing", 50),
    (50, "Finalising", 0),
    (60, "Succeeded", 0),
]


def test_a_good_revision_walks_through_the_tick_table() -> None:
    world = released(initialized())
    walked = []
    for seconds, _, _ in TICKS:
        walked.append((seconds, world.phase, world.weight))
        world.run(10)
    assert walked == TICKS


def test_a_good_revision_tells_flaggers_events_in_order() -> None:
    world = released(initialized())
    world.run(100)
    assert world.events == [
        "Normal: New revision detected! Scaling up podinfo.test",
        "Normal: Starting canary analysis for podinfo.test",
        *(f"Normal: Advance podinfo.test canary weight {weight}" for weight in (10, 20, 30, 40, 50)),
        "Normal: Copying podinfo.test template spec to podinfo-primary.test",
        "Normal: Routing all traffic to primary",
        "Normal: Promotion completed! Scaling down podinfo.test",
    ]


def test_a_promoted_revision_runs_in_the_primary_and_the_canary_rests() -> None:
    world = released(initialized())
    world.run(100)
    assert world.image("podinfo-primary") == "app:2"
    assert world.raw(Deployment)["spec"]["replicas"] == 0
    assert world.status["lastPromotedSpec"] == world.status["lastAppliedSpec"]
    assert world.status["conditions"][0] | {"lastUpdateTime": "", "lastTransitionTime": ""} == {
        "type": "Promoted",
        "status": "True",
        "reason": "Succeeded",
        "message": "Canary analysis completed successfully, promotion finished.",
        "lastUpdateTime": "",
        "lastTransitionTime": "",
    }


@pytest.mark.parametrize(
    ("analysis", "weights"),
    [
        ({"stepWeight": 20, "maxWeight": 50}, [20, 40, 50, 0]),
        ({"stepWeight": 50, "maxWeight": 100}, [50, 100, 0]),
        ({"stepWeight": 60, "maxWeight": 0}, [60, 100, 0]),
        ({"stepWeight": 0, "stepWeights": [1, 2, 10, 80]}, [1, 2, 10, 80, 0]),
        ({"stepWeight": 0, "stepWeights": [1, 2, 10, 200]}, [1, 2, 10, 100, 0]),
        ({"stepWeight": 0, "stepWeights": [10, 50, 30]}, [10, 30, 50, 0]),
        ({"stepWeight": 50, "maxWeight": 100, "stepWeightPromotion": 40}, [50, 100, 60, 20, 0]),
    ],
)
def test_weights_rise_as_the_spec_says_and_never_beyond_the_maximum(
    analysis: dict[str, object], weights: list[int]
) -> None:
    world = released(initialized(canary(analysis)))
    world.run(200)
    assert (world.phase, world.weights) == ("Succeeded", weights)


def test_promotion_in_steps_tells_the_primarys_weight() -> None:
    world = released(initialized(canary({"stepWeight": 100, "maxWeight": 100, "stepWeightPromotion": 50})))
    world.run(100)
    assert [event for event in world.events if "primary weight" in event] == [
        "Normal: Advance podinfo.test primary weight 50",
        "Normal: Advance podinfo.test primary weight 100",
    ]


def test_an_interval_of_one_second_is_honoured() -> None:
    world = released(initialized(canary({"interval": "1s", "stepWeight": 25, "maxWeight": 50})))
    world.run(3)
    assert world.phase == "Succeeded"


def test_skip_analysis_promotes_without_giving_the_canary_traffic() -> None:
    world = released(initialized(canary(skipAnalysis=True)))
    world.run(30)
    assert (world.phase, world.image("podinfo-primary"), world.weights) == ("Succeeded", "app:2", [])
    assert world.events[-1] == "Normal: Promotion completed! Canary analysis was skipped for podinfo.test"
    assert world.counts[0].analysis == "skipped"


# ── the bad way ──────────────────────────────────────────────────────────────


def test_failed_checks_roll_back_at_the_threshold() -> None:
    world = initialized()
    world.success_rate = 98.5
    released(world).run(60)
    assert (world.phase, world.weights) == ("Failed", [10, 0])
    assert world.events[3:] == [
        "Warning: Halt podinfo.test advancement success rate 98.50% < 99%",
        "Warning: Halt podinfo.test advancement success rate 98.50% < 99%",
        "Warning: Rolling back podinfo.test failed checks threshold reached 2",
        "Warning: Canary failed! Scaling down podinfo.test",
    ]
    assert world.image("podinfo-primary") == "app:1"
    assert world.raw(Deployment)["spec"]["replicas"] == 0


def test_a_failed_check_is_not_forgiven_by_a_good_one() -> None:
    world = released(initialized())
    for rate in (90.0, 100.0, 90.0):
        world.success_rate = rate
        world.run(10)
    assert world.phase == "Failed"


def test_no_traffic_is_a_failed_check() -> None:
    world = initialized()
    world.requests = 0
    released(world).run(10)
    assert world.status["failedChecks"] == 1
    assert world.events[-1] == (
        "Warning: Halt advancement no values found for gatewayapi:v1 metric request-success-rate probably podinfo.test "
        "is not receiving traffic: no values found"
    )


def test_a_hole_in_the_telemetry_is_neither_success_nor_failure() -> None:
    world = released(initialized())
    world.coverage = 0.5
    world.run(50)
    assert (world.phase, world.weight, world.status["failedChecks"]) == ("Progressing", 10, 0)
    assert any("No verdict on request-success-rate: only 50% of the last" in event for event in world.events)
    world.coverage = 1.0
    world.run(10)
    assert world.weight == 20


def test_telemetry_that_never_comes_back_ends_the_rollout() -> None:
    world = released(initialized())
    world.coverage = 0.0
    world.run(100)
    assert (world.phase, world.weight) == ("Failed", 0)


def test_a_canary_that_never_gets_ready_is_rolled_back_after_the_deadline() -> None:
    world = initialized()
    world.stuck.add("podinfo")
    released(world).run(100)
    assert (world.phase, world.weights) == ("Failed", [])
    assert any("canary deployment podinfo.test not ready: waiting for rollout" in event for event in world.events)


def test_a_canary_whose_deployment_gave_up_is_rolled_back_at_once() -> None:
    world = released(initialized())
    world.given_up.add("podinfo")
    world.run()
    assert (world.phase, world.weight) == ("Failed", 0)


def test_a_route_that_is_not_accepted_holds_the_analysis_and_then_ends_it() -> None:
    world = initialized()
    world.accepts = False
    world.edit(HTTPRoute, spec=world.raw(HTTPRoute)["spec"] | {"hostnames": ["other.example.com"]})
    released(world).run(30)
    assert world.phase == "Progressing"
    assert any("HTTPRoute podinfo.test parent gateway is not ready (status: True, observed" in e for e in world.events)
    world.run(60)
    assert world.phase == "Failed"


def test_a_promotion_that_fails_leaves_traffic_on_the_canary_that_works() -> None:
    world = released(initialized())
    world.run_to("Promoting")
    world.given_up.add("podinfo-primary")
    world.run(10)
    assert (world.phase, world.weight) == ("Failed", 100)
    assert world.raw(Deployment)["spec"]["replicas"] == 2
    assert any("Promotion of podinfo.test failed, primary not ready" in event for event in world.events)


def test_a_failed_promotion_is_completed_when_the_primary_comes_up_after_all() -> None:
    world = released(initialized())
    world.run_to("Promoting")
    world.given_up.add("podinfo-primary")
    world.run(10)
    world.given_up.clear()
    world.run(20)
    assert (world.phase, world.weight, world.raw(Deployment)["spec"]["replicas"]) == ("Succeeded", 0, 0)


def test_a_fix_after_a_failed_promotion_goes_to_the_primary_without_a_detour_over_it() -> None:
    world = released(initialized())
    world.run_to("Promoting")
    world.given_up.add("podinfo-primary")
    world.run(10)
    world.release("app:3")
    world.weights.clear()
    world.settle()
    world.step()
    world.given_up.clear()
    world.run(30)
    assert (world.phase, world.image("podinfo-primary"), world.weights) == ("Succeeded", "app:3", [0])


# ── revisions ────────────────────────────────────────────────────────────────


def test_a_new_revision_in_the_middle_starts_again_from_zero() -> None:
    world = released(initialized())
    world.run(15)
    world.release("app:3")
    world.step()
    assert (world.weight, world.status["canaryWeight"]) == (0, 0)
    assert world.events[-1] == "Normal: New revision detected! Restarting analysis for podinfo.test"
    world.run(100)
    assert (world.phase, world.image("podinfo-primary")) == ("Succeeded", "app:3")


def test_going_back_to_the_promoted_revision_ends_the_analysis() -> None:
    world = released(initialized())
    world.run(15)
    world.release("app:1")
    world.run(100)
    assert (world.phase, world.weight, world.image("podinfo-primary")) == ("Succeeded", 0, "app:1")
    assert not any("Restarting" in event for event in world.events)


def test_a_failed_revision_is_not_tried_again_by_itself() -> None:
    world = initialized()
    world.success_rate = 0.0
    released(world).run(60)
    world.events.clear()
    world.run(3600)
    assert (world.phase, world.events) == ("Failed", [])


def test_the_revision_after_a_failed_one_is_released() -> None:
    world = initialized()
    world.success_rate = 0.0
    released(world).run(60)
    world.success_rate = 100.0
    released(world, "app:3").run(100)
    assert (world.phase, world.image("podinfo-primary")) == ("Succeeded", "app:3")


def test_going_back_after_a_failure_promotes_nothing() -> None:
    world = initialized()
    world.success_rate = 0.0
    released(world).run(60)
    world.release("app:1")
    world.events.clear()
    world.run(60)
    assert (world.phase, world.events) == ("Failed", [])


def test_a_failed_revision_that_comes_back_after_the_old_one_is_tried_again() -> None:
    world = initialized()
    world.success_rate = 0.0
    released(world).run(60)
    world.release("app:1")
    world.run(60)
    world.success_rate = 100.0
    released(world).run(100)
    assert (world.phase, world.image("podinfo-primary")) == ("Succeeded", "app:2")


def test_a_revision_that_comes_during_promotion_gets_no_traffic_before_its_own_analysis() -> None:
    world = released(initialized())
    world.run_to("Promoting")
    world.stuck.add("podinfo-primary")
    world.run(5)
    assert (world.phase, world.weight) == ("Promoting", 50)
    world.release("app:3")
    world.run()
    assert (world.phase, world.weight) == ("Promoting", 0)
    world.stuck.clear()
    world.run(15)
    assert (world.phase, world.weight, world.image("podinfo-primary")) == ("Progressing", 10, "app:2")


def test_a_changed_config_map_is_a_new_revision() -> None:
    uses = deployment(volumes=[{"name": "config", "configMap": {"name": "settings"}}])
    world = initialized(None, uses, config_map("settings", mode="one"))
    volumes = world.raw(Deployment, "podinfo-primary")["spec"]["template"]["spec"]["volumes"]
    assert volumes[0]["configMap"]["name"] == "settings-primary"
    world.edit(ConfigMap, "settings", data={"mode": "two"})
    world.run(100)
    assert world.phase == "Succeeded"
    assert world.raw(ConfigMap, "settings-primary")["data"] == {"mode": "two"}


def test_the_primary_keeps_the_old_configuration_during_the_analysis() -> None:
    uses = deployment(volumes=[{"name": "config", "configMap": {"name": "settings"}}])
    world = initialized(None, uses, config_map("settings", mode="one"))
    world.edit(ConfigMap, "settings", data={"mode": "two"})
    world.run(25)
    assert world.phase == "Progressing"
    assert world.raw(ConfigMap, "settings-primary")["data"] == {"mode": "one"}


def test_a_missing_config_map_is_waited_for() -> None:
    uses = deployment(volumes=[{"name": "config", "configMap": {"name": "settings"}}])
    world = RolloutWorld(None, uses)
    world.run(5)
    assert 'configmap settings.test get query error: configmaps "settings" not found' in world.events[-1]
    world.apply(config_map("settings", mode="one"))
    world.run(30)
    assert world.phase == "Initialized"


def test_a_copy_of_a_secret_is_never_shown() -> None:
    uses = deployment(volumes=[{"name": "secret", "secret": {"secretName": "key"}}])
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": "test"},
        "type": "Opaque",
        "data": {"password": "aHVudGVyMg=="},
    }
    world = RolloutWorld(None, uses, secret)
    shown = ""
    while world.phase != "Initialized":
        world.settle()
        shown += repr(world.snapshot()) + repr(world.step())
    assert world.raw(Secret, "key-primary")["data"] == secret["data"]
    assert "aHVudGVyMg" not in shown + str(world.events)


def test_a_manual_scale_up_of_a_resting_canary_is_left_alone() -> None:
    world = initialized()
    world.edit(Deployment, spec__replicas=3)
    world.run(100)
    assert (world.phase, world.raw(Deployment)["spec"]["replicas"]) == ("Initialized", 3)


# ── refusals ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        (canary({"webhooks": [{"name": "gate", "url": "http://gate/", "type": "rollback"}]}), "webhooks[0].type"),
        (canary({"webhooks": [{"name": "gate", "url": "gate"}]}), "spec.analysis.webhooks[0].url"),
        (canary({"webhooks": [{"name": "gate", "url": "http://gate/", "timeout": "1x"}]}), "webhooks[0].timeout"),
        (canary({"iterations": 5}), "spec.analysis.iterations"),
        (canary({"mirror": True}), "spec.analysis.mirror"),
        (canary({"sessionAffinity": {"cookieName": "c"}}), "spec.analysis.sessionAffinity"),
        (canary({"stepWeight": 0}), "spec.analysis.stepWeight"),
        (canary(service={"match": [{"scheme": {"exact": "https"}}]}), "spec.service.match[0].scheme"),
        (canary(service={"match": [{"uri": {"suffix": "x"}}]}), "spec.service.match[0].uri"),
        (canary(service={"gatewayRefs": []}), "spec.service.gatewayRefs"),
        (
            canary(
                autoscalerRef={"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}
            ),
            "spec.autoscalerRef",
        ),
    ],
)
def test_a_field_that_cannot_be_followed_is_named_in_an_event_and_a_condition(
    manifest: dict[str, object], path: str
) -> None:
    world = RolloutWorld(manifest)
    world.run(60)
    conditions = {condition["type"]: condition for condition in world.status["conditions"]}
    assert conditions["Accepted"]["status"] == "False"
    assert path in conditions["Accepted"]["message"]
    assert sum(path in event for event in world.events) == 1
    assert world.raw(Deployment)["spec"]["replicas"] == 2


def test_a_refusal_is_taken_back_when_the_field_is_gone() -> None:
    world = RolloutWorld(canary({"mirror": True}))
    world.run(10)
    world.apply(canary())
    world.run(10)
    assert world.phase == "Initialized"
    assert [condition["type"] for condition in world.status["conditions"]] == ["Promoted"]


def test_a_field_that_becomes_impossible_in_the_middle_rolls_back() -> None:
    world = released(initialized())
    world.apply(canary({"mirror": True}))
    world.run()
    assert (world.phase, world.weight) == ("Failed", 0)


def test_a_canary_of_another_provider_is_left_alone() -> None:
    world = RolloutWorld(canary(provider="istio"))
    world.run(100)
    assert (world.status, world.events, world.has(Service, "podinfo-canary")) == ({}, [], False)


def test_a_suspended_canary_stays_as_it_is() -> None:
    world = released(initialized())
    world.run(15)
    world.edit(Canary, spec__suspend=True)
    world.run(100)
    assert (world.phase, world.weight) == ("Progressing", 20)
    assert "Normal: skipping canary run as object is suspended" in world.events


def test_a_missing_target_is_said_and_waited_for() -> None:
    world = RolloutWorld(canary(), config_map("unrelated"))
    world.run(30)
    assert 'deployment podinfo.test get query error: deployments.apps "podinfo" not found' in world.events[0]
    world.apply(deployment())
    world.run(30)
    assert world.phase == "Initialized"


def test_a_selector_without_a_known_label_is_refused() -> None:
    world = RolloutWorld()
    odd = deployment()
    odd["spec"]["selector"]["matchLabels"] = {"tier": "web"}
    world.apply(odd)
    world.run(10)
    assert "must contain one of [app name app.kubernetes.io/name]" in world.events[-1]


# ── taking over, leaving ─────────────────────────────────────────────────────


def test_a_canary_of_flagger_is_taken_over_without_a_release() -> None:
    world = initialized()
    world.edit(Canary, status__lastAppliedSpec="85d557f47b", status__lastPromotedSpec="85d557f47b")
    primary = world.raw(Deployment, "podinfo-primary")
    primary["spec"]["template"]["metadata"]["annotations"]["flagger-id"] = "0b5ad0e6-4d9e-4f1c-8a6b-3f5d7c1e2a90"
    world.run(100)
    assert (world.phase, world.events) == ("Initialized", [])
    assert world.status["lastAppliedSpec"].startswith("hg1:")


def test_a_release_that_flagger_did_not_see_any_more_is_made_after_taking_over() -> None:
    world = initialized()
    world.edit(Canary, status__lastAppliedSpec="85d557f47b", status__lastPromotedSpec="85d557f47b")
    released(world).run(100)
    assert (world.phase, world.image("podinfo-primary")) == ("Succeeded", "app:2")


def test_revert_on_deletion_gives_the_target_its_pods_and_its_service_back() -> None:
    mine = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": {"selector": {"app": "podinfo"}, "ports": [{"name": "http", "port": 9898}]},
    }
    world = initialized(canary(revertOnDeletion=True), deployment(), mine)
    assert world.raw(Canary)["metadata"]["finalizers"] == ["finalizer.flagger.app"]
    world.edit(Canary, metadata__deletionTimestamp="2027-01-15T08:00:00Z")
    world.run(30)
    assert world.raw(Canary)["metadata"]["finalizers"] == []
    assert world.raw(Deployment)["spec"]["replicas"] == 2
    assert world.raw(Service)["spec"]["selector"] == {"app": "podinfo"}
    assert world.events == ["Normal: Terminating canary podinfo.test", "Normal: Terminated canary podinfo.test"]

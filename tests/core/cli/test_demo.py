"""The demo's pure parts: its manifests, its release, its last words."""

from __future__ import annotations

import pytest

from headgate.api.core import Event, ObjectReference
from headgate.api.gateway import HTTPBackendRef, HTTPRoute, HTTPRouteRule, HTTPRouteSpec
from headgate.api.meta import ObjectMeta
from headgate.cli.demo import report, scenario
from headgate.cli.demo.observations import Observations, who_answered
from headgate.traffic import RequestResult, Tally
from support.manifests import decode_manifest

DEPLOYMENT = {
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "shop",
                        "image": "ghcr.io/headgate/headgate-echo:1.0.0",
                        "env": [{"name": "PORT", "value": "8080"}, {"name": "ERROR_RATE", "value": "0.9"}],
                    }
                ]
            }
        }
    }
}


def test_the_manifests_are_the_files_of_the_examples_in_order() -> None:
    kinds = [document["kind"] for document in scenario.manifests(scenario.STEADY)]
    assert kinds == ["Namespace", "GatewayClass", "Gateway", "Deployment", "Canary"]


def test_every_manifest_decodes_as_its_kind() -> None:
    for document in scenario.manifests(scenario.STEADY):
        decode_manifest(document)


def test_the_manifests_hold_nothing_local() -> None:
    text = "".join(file.read_text() for file in scenario.examples().iterdir())
    assert "127." not in text
    assert "localhost" not in text


def test_the_fast_pace_changes_the_analysis_and_nothing_else() -> None:
    steady, fast = list(scenario.manifests(scenario.STEADY)), list(scenario.manifests(scenario.FAST))
    assert steady[:-1] == fast[:-1]
    assert fast[-1]["spec"]["analysis"]["interval"] == "1s"
    assert steady[-1]["spec"]["service"] == fast[-1]["spec"]["service"]


def test_a_release_is_a_new_tag_and_nobody_elses_environment() -> None:
    test, image, environment = scenario.release_patch(DEPLOYMENT, scenario.BAD)
    assert test["op"] == "test"
    assert image["value"] == "ghcr.io/headgate/headgate-echo:1.2.0"
    assert environment["value"] == [{"name": "PORT", "value": "8080"}, {"name": "ERROR_RATE", "value": "0.3"}]


@pytest.mark.parametrize(
    ("body", "who"),
    [(b"shop-primary 1.0.0\n", "primary"), (b"shop 1.1.0\n", "canary"), (b"upstream connect error", "gateway")],
)
def test_an_answer_says_who_gave_it(body: bytes, who: str) -> None:
    assert who_answered(RequestResult(0.0, 0.0, 200, body=body)) == who


def route(primary: int, canary: int) -> HTTPRoute:
    refs = (
        HTTPBackendRef(name="shop-primary", port=80, weight=primary),
        HTTPBackendRef(name="shop-canary", port=80, weight=canary),
    )
    return HTTPRoute(spec=HTTPRouteSpec(rules=(HTTPRouteRule(backend_refs=refs),)))


def test_weights_are_said_when_they_change_and_only_then() -> None:
    observations, text = Observations(), list[str]()
    observations.listeners.append(text.append)
    for weights in ((100, 0), (100, 0), (90, 10)):
        observations.observe(route(*weights))
    assert text == ["weights 100 / 0", "weights 90 / 10"]


def test_an_event_that_happens_again_is_said_with_its_count() -> None:
    observations, text = Observations(), list[str]()
    observations.listeners.append(text.append)
    about = ObjectReference(kind="Canary", name="shop")
    for count in (1, 1, 2):
        meta = ObjectMeta(name="shop.1", namespace="shop")
        observations.observe(Event(metadata=meta, involved_object=about, message="Advance", count=count))
    assert text == ["Normal Advance", "Normal Advance (×2)"]


def tally(primary: int, canary: int, failed: int = 0) -> Tally:
    made = Tally(who_answered)
    for _ in range(primary):
        made.add(RequestResult(0.0, 0.01, 200, body=b"shop-primary 1.0.0"))
    for number in range(canary):
        made.add(RequestResult(0.0, 0.01, 500 if number < failed else 200, body=b"shop 1.1.0"))
    return made


def result(phase: str = "Succeeded", weights: tuple[int, int] = (100, 0), canary: int = 10) -> report.ReleaseResult:
    return report.ReleaseResult(scenario.GOOD, phase, weights, 20.0, tally(90, canary))


def test_a_good_ending_has_no_problems() -> None:
    assert report.problems(report.Results((result(),), tally(90, 10), 30.0)) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (result(phase="Failed"), "release 1.1.0: expected Succeeded, is Failed"),
        (result(weights=(50, 50)), "expected weights 100 / 0 at the end, are (50, 50)"),
        (result(canary=0), "release 1.1.0: the canary received no request"),
    ],
)
def test_an_unexpected_result_is_a_problem(wrong: report.ReleaseResult, says: str) -> None:
    assert says in "; ".join(report.problems(report.Results((wrong,), tally(90, 10), 30.0)))


def test_the_report_labels_the_extrapolation_as_an_estimate() -> None:
    bad = report.ReleaseResult(scenario.BAD, "Failed", (100, 0), 10.0, tally(90, 10, failed=3))
    text = report.text(report.Results((bad,), tally(90, 10, failed=3), 12.0))
    assert "100 requests sent, 3 failed in 12 s (canary: 3)." in text
    assert "failed 3 requests as a canary" in text
    assert "about 30 in the same time (estimate: measured error rate × requests sent)" in text


def test_the_report_puts_the_weight_set_beside_the_share_measured() -> None:
    good = report.ReleaseResult(
        scenario.GOOD, "Succeeded", (100, 0), 10.0, tally(90, 10), (report.WeightStep((90, 10), tally(180, 20)),)
    )
    text = report.text(report.Results((good,), tally(90, 10), 12.0))
    assert "1.1.0     10 %         10.0 %           20 of 200" in text

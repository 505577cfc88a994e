"""Thresholds and the sentences of checks that fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.api import codec
from headgate.api.delivery import Canary, MetricTemplate
from headgate.api.meta import Key
from headgate.rollout.analysis import checks, proxy_metrics
from headgate.rollout.analysis.verdict import Failed, Inconclusive, Passed, Verdict, judge
from headgate.rollout.queries import NOT_SERVED, HTTPResponse, NoResponse, ProxyQuery, QueryResult, RequestCounts
from headgate.rollout.settings import Settings
from headgate.rollout.snapshot import Objects, ref
from support.rollout_world import canary

SLOW = ((100.0, 50), (1000.0, 50))


def judged(metrics: list[dict[str, Any]], *answers: QueryResult, templates: dict[str, Any] | None = None) -> Verdict:
    """The verdict; the answers belong to the checks in order."""
    typed = codec.convert(Canary, canary({"metrics": metrics}))
    key = Key("test", "errors")
    objects = {ref(MetricTemplate, key): templates}
    asked = checks.checks(typed, sources(3600.0, objects))
    questions = [check.query for check in asked if check.query is not None]
    return judge(typed, asked, dict(zip(questions, answers, strict=False)))


def sources(age: float, objects: Objects | None = None) -> checks.Sources:
    return checks.Sources(None, objects or {}, Settings(), age, 1_800_000_000.0)


def value(number: float) -> HTTPResponse:
    result = [{"metric": {}, "value": [0, str(number)]}]
    return HTTPResponse(200, json.dumps({"data": {"resultType": "vector", "result": result}}).encode())


def template(query: str = "sum(errors)", type: str = "prometheus") -> dict[str, Any]:
    return {
        "metadata": {"name": "errors", "namespace": "test"},
        "spec": {"provider": {"type": type, "address": "http://prometheus"}, "query": query},
    }


TEMPLATED = {"name": "errors", "templateRef": {"name": "errors"}}


@pytest.mark.parametrize(
    ("limits", "rate", "passes"),
    [
        ({"thresholdRange": {"min": 99}}, 99.0, True),
        ({"thresholdRange": {"min": 99}}, 98.9, False),
        ({"thresholdRange": {"max": 99}}, 99.1, False),
        ({"threshold": 99}, 99.0, True),
        ({"threshold": 99}, 98.0, False),
        ({}, 0.0, True),
    ],
)
def test_success_rates_are_judged_with_bounds_included(limits: dict[str, Any], rate: float, passes: bool) -> None:
    counts = RequestCounts(1.0, 1000, round(10 * (100 - rate)), ())
    verdict = judged([{"name": "request-success-rate", **limits}], counts)
    assert isinstance(verdict, Passed) is passes


@pytest.mark.parametrize(
    ("limits", "passes"),
    [
        ({"thresholdRange": {"max": 1000}}, True),
        ({"thresholdRange": {"max": 500}}, False),
        ({"threshold": 500}, False),
        ({"thresholdRange": {"min": 2000}}, False),
    ],
)
def test_durations_are_judged_at_the_99th_percentile(limits: dict[str, Any], passes: bool) -> None:
    verdict = judged([{"name": "request-duration", **limits}], RequestCounts(1.0, 100, 0, SLOW))
    assert isinstance(verdict, Passed) is passes


def test_a_slow_canary_is_told_in_go_durations() -> None:
    metric = {"name": "request-duration", "thresholdRange": {"max": 500}}
    verdict = judged([metric], RequestCounts(1.0, 100, 0, SLOW))
    assert verdict == Failed("Halt podinfo.test advancement request duration 982ms > 500ms", verdict.observed)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("metric", "answer", "message"),
    [
        (
            {"name": "request-success-rate", "thresholdRange": {"min": 99.5}},
            RequestCounts(1.0, 1000, 10, ()),
            "Halt podinfo.test advancement success rate 99.00% < 99.5%",
        ),
        (
            {"name": "request-duration"},
            RequestCounts(1.0, 0, 0, ()),
            "Halt advancement no values found for gatewayapi:v1 metric request-duration probably podinfo.test is not "
            "receiving traffic",
        ),
        (
            {"name": "request-success-rate"},
            NOT_SERVED,
            "Prometheus query failed: no Gateway of the route is served by this controller; set spec.metricsServer, or "
            "--metrics-server on the controller, or use a MetricTemplate",
        ),
        (
            {"name": "anything"},
            NOT_SERVED,
            "Metric query failed for no usable metrics template and query were configured",
        ),
    ],
)
def test_a_built_in_check_that_fails_says_it_in_flaggers_words(
    metric: dict[str, Any], answer: QueryResult, message: str
) -> None:
    verdict = judged([metric], answer)
    assert isinstance(verdict, Failed)
    assert verdict.message == message


@pytest.mark.parametrize(
    ("made", "answer", "message"),
    [
        (template(), value(0.25), "Halt podinfo.test advancement errors 0.25 > 0.1"),
        (template(), NoResponse("connection refused"), "Metric query failed for errors: connection refused"),
        (
            template(),
            HTTPResponse(200, b'{"data": {"resultType": "vector", "result": []}}'),
            "Halt advancement no values found for custom metric: errors: no values found",
        ),
        (None, None, 'Metric template errors.test error: metrictemplates.flagger.app "errors" not found'),
        (
            template(type="datadog"),
            None,
            "Metric template errors.test provider datadog error: type datadog is not supported; supported: prometheus",
        ),
        (
            template("{{ variables.x }}"),
            None,
            "Metric template errors.test query render error: templateVariables has no key 'x'",
        ),
    ],
)
def test_a_templated_check_that_fails_says_it_in_flaggers_words(
    made: dict[str, Any] | None, answer: QueryResult, message: str
) -> None:
    verdict = judged([{**TEMPLATED, "thresholdRange": {"max": 0.1}}], answer, templates=made)
    assert isinstance(verdict, Failed)
    assert verdict.message == message


def test_built_ins_come_before_templates_and_the_first_failure_ends_the_tick() -> None:
    built_in = {"name": "request-success-rate", "thresholdRange": {"min": 99}}
    verdict = judged([TEMPLATED, built_in], RequestCounts(1.0, 100, 50, ()), value(0.0), templates=template())
    assert isinstance(verdict, Failed)
    assert "success rate 50.00%" in verdict.message
    assert [measured.metric for measured in verdict.observed] == ["request-success-rate"]


def test_too_little_coverage_is_no_verdict() -> None:
    verdict = judged([{"name": "request-success-rate", "interval": "30s"}], RequestCounts(0.89, 10, 10, ()))
    assert verdict == Inconclusive(
        "No verdict on request-success-rate: only 89% of the last 30s is covered by the telemetry of every proxy"
    )


def test_what_was_counted_before_the_analysis_began_does_not_count() -> None:
    typed = codec.convert(Canary, canary({"metrics": [{"name": "request-success-rate", "interval": "1m"}]}))
    (check,) = checks.checks(typed, sources(7.0))
    assert isinstance(check.query, ProxyQuery)
    assert check.query.window == 7.0


def test_a_metrics_server_is_asked_for_the_applications_own_metrics() -> None:
    metrics = [{"name": "request-success-rate"}, {"name": "request-duration", "interval": "30s"}]
    typed = codec.convert(Canary, canary({"metrics": metrics}, metricsServer="http://prometheus:9090"))
    asked = checks.checks(typed, sources(60.0))
    verdict = judge(typed, asked, {asked[0].query: value(100), asked[1].query: value(0.5)})  # type: ignore[dict-item]
    assert isinstance(verdict, Failed)
    assert verdict.message == "Halt podinfo.test advancement request duration 500ms > 0s"


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        (((10.0, 100),), 0.5, 5.0),
        (((10.0, 50), (20.0, 50)), 0.75, 15.0),
        (((10.0, 50), (float("inf"), 50)), 0.99, 10.0),
        ((), 0.5, None),
    ],
)
def test_quantiles_are_linear_within_a_bucket(
    buckets: tuple[tuple[float, int], ...], share: float, value: float | None
) -> None:
    assert proxy_metrics.quantile(buckets, share) == value

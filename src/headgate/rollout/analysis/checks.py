"""The checks of an analysis, in Flagger's order and with its sentences.

1. Built-in metrics and inline queries come first, then templates, each in the order of the list.
2. The first check that fails ends the tick; later ones are not evaluated.
3. A value within `thresholdRange` passes, bounds included. Without a range the older `threshold` is a lower bound for
   the success rate and an upper bound for everything else.
4. No value fails. Too little coverage (a restart of ours) neither passes nor fails.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping

import msgspec

from headgate.api.core import Secret
from headgate.api.delivery import Canary, CanaryMetric, MetricTemplate
from headgate.api.meta import Key

from .. import go, routes
from ..effects import Json, Measured
from ..providers import NoValuesError, QueryError, Request, Response, Unanswered, prometheus
from ..seen import Names, Objects, Ref, decoded
from ..settings import Settings
from . import http_observer, readings, template
from .readings import Answer, Counts, ProxyQuestion, Question

SUCCESS_RATE = "request-success-rate"
DURATION = "request-duration"


class Check(msgspec.Struct, frozen=True):
    """One check: what to ask, or why it cannot even be asked."""

    metric: CanaryMetric
    kind: str  # success-rate, duration, query, template
    question: Question | None = None
    failure: str = ""


class Passed(msgspec.Struct, frozen=True):
    """All checks passed."""

    measured: tuple[Measured, ...] = ()


class Halted(msgspec.Struct, frozen=True):
    """A check failed: the text of the event."""

    message: str
    measured: tuple[Measured, ...] = ()


class Blind(msgspec.Struct, frozen=True):
    """No verdict: the proxies' counts do not cover the window."""

    message: str


Verdict = Passed | Halted | Blind


def checks(canary: Canary, route: Json | None, objects: Objects, settings: Settings, age: float) -> tuple[Check, ...]:
    """The checks of a Canary.

    Args:
        age: seconds since the analysis of this revision began; what was counted before says nothing about it.
    """
    metrics = canary.spec.analysis.metrics
    return (
        *(check for metric in metrics for check in _plain(canary, metric, route, settings, age)),
        *(_templated(canary, metric, objects) for metric in metrics if metric.template_ref),
    )


def judge(canary: Canary, checks: tuple[Check, ...], answers: Mapping[Question, Answer]) -> Verdict:
    """The verdict of a tick."""
    measured: list[Measured] = []
    for check in checks:
        if check.question is None:
            return Halted(check.failure, tuple(measured))
        answer = answers[check.question]
        if isinstance(answer, Counts) and answer.coverage < readings.COVERAGE:
            return Blind(
                f"No verdict on {check.metric.name}: only {answer.coverage:.0%} of the last "
                f"{go.duration(getattr(check.question, 'window', 0.0))} is covered by the telemetry of every proxy"
            )
        try:
            value = _value(check, answer)
        except NoValuesError as error:
            return Halted(_no_values(canary, check, error), tuple(measured))
        except QueryError as error:
            return Halted(_query_failed(check, error), tuple(measured))
        measured.append(Measured(check.metric.name, value / 1000 if check.kind == "duration" else value))
        if halted := _outside(canary, check, value):
            return Halted(halted, tuple(measured))
    return Passed(tuple(measured))


def online(canary: Canary, objects: Objects, settings: Settings) -> tuple[tuple[str, Question | str], ...]:
    """For each metrics backend of a Canary the question whether it is there, or why it cannot be asked."""
    found: dict[str, Question | str] = {}
    server = canary.spec.metrics_server or settings.metrics_server
    if server and any(_is_plain(metric) for metric in canary.spec.analysis.metrics):
        found[server] = _try(lambda: prometheus.ask(server, prometheus.ONLINE))
    for metric in canary.spec.analysis.metrics:
        if metric.template_ref:
            check = _templated(canary, metric, objects, query=prometheus.ONLINE)
            found[f"{metric.name}"] = check.question or check.failure
    return tuple(found.items())


# ── what to ask ──────────────────────────────────────────────────────────────


def _is_plain(metric: CanaryMetric) -> bool:
    return bool(metric.query) or (metric.name in (SUCCESS_RATE, DURATION) and metric.template_ref is None)


def _plain(canary: Canary, metric: CanaryMetric, route: Json | None, settings: Settings, age: float) -> Iterator[Check]:
    if metric.template_ref and not metric.query:
        return
    server = canary.spec.metrics_server or settings.metrics_server
    if metric.query:
        if not server:
            failure = "set spec.metricsServer, or --metrics-server on the controller, for a metric with a query"
            yield Check(metric, "query", failure=f"Prometheus query failed for {metric.name}: {failure}")
        else:
            yield _rendered(canary, metric, "query", server, metric.query)
    elif metric.name in (SUCCESS_RATE, DURATION):
        kind = "success-rate" if metric.name == SUCCESS_RATE else "duration"
        if server:
            yield _rendered(canary, metric, kind, server, http_observer.QUERIES[metric.name])
        else:
            yield Check(metric, kind, _proxies(canary, metric, route, age))
    else:
        failure = "Metric query failed for no usable metrics template and query were configured"
        yield Check(metric, "query", failure=failure)


def _proxies(canary: Canary, metric: CanaryMetric, route: Json | None, age: float) -> ProxyQuestion:
    names = Names.of(canary)
    port = canary.spec.service.port if canary.spec.service else 0
    name = readings.stat_name(names.namespace, names.canary_service, port)
    gateways = routes.parent_gateways(route) if route else ()
    return ProxyQuestion(gateways, name, max(1.0, min(go.seconds(metric.interval or "1m"), age)))


def _rendered(canary: Canary, metric: CanaryMetric, kind: str, server: str, query: str) -> Check:
    try:
        text = template.render(query, template.words(canary, metric))
        return Check(metric, kind, prometheus.ask(server, text))
    except (template.TemplateError, QueryError) as error:
        return Check(metric, kind, failure=f"Prometheus query failed for {metric.name}: {error}")


class _TemplateFailedError(Exception):
    """Why a MetricTemplate cannot be asked."""


def _templated(canary: Canary, metric: CanaryMetric, objects: Objects, query: str | None = None) -> Check:
    try:
        return Check(metric, "template", _template_request(canary, metric, objects, query))
    except _TemplateFailedError as failure:
        return Check(metric, "template", failure=str(failure))


def _template_request(canary: Canary, metric: CanaryMetric, objects: Objects, query: str | None) -> Request:
    reference = metric.template_ref
    assert reference is not None  # noqa: S101 - callers ask first
    key = Key(reference.namespace or canary.metadata.namespace, reference.name)
    title = f"Metric template {key.name}.{key.namespace}"
    try:
        made: MetricTemplate | None = decoded(objects, Ref(MetricTemplate, key))
    except ValueError as error:
        raise _TemplateFailedError(f"{title} error: {error}") from None
    if made is None:
        missing = f'metrictemplates.flagger.app "{key.name}" not found'
        raise _TemplateFailedError(f"{title} error: {missing}")
    provider = made.spec.provider
    if provider.type != "prometheus":
        failure = f"{title} provider {provider.type} error: not supported yet; prometheus is"
        raise _TemplateFailedError(failure)
    credentials = None
    if provider.secret_ref:
        secret: Secret | None = decoded(objects, Ref(Secret, Key(key.namespace, provider.secret_ref.name)))
        if secret is None:
            missing = f'secrets "{provider.secret_ref.name}" not found'
            raise _TemplateFailedError(f"{title} secret {provider.secret_ref.name} error: {missing}")
        credentials = _plaintext(secret)
    try:
        text = query or template.render(made.spec.query, template.words(canary, metric))
    except template.TemplateError as error:
        raise _TemplateFailedError(f"{title} query render error: {error}") from None
    try:
        return prometheus.ask(
            provider.address or "",
            text,
            headers=provider.headers,
            credentials=credentials,
            verify=not provider.insecure_skip_verify,
        )
    except QueryError as error:
        raise _TemplateFailedError(f"{title} provider {provider.type} error: {error}") from None


def _plaintext(secret: Secret) -> dict[str, str]:
    try:
        return {key: base64.b64decode(value).decode() for key, value in secret.data.items()}
    except (binascii.Error, UnicodeDecodeError):
        return {}


def _try(make: "http_observer.Maker") -> Question | str:
    try:
        return make()
    except QueryError as error:
        return str(error)


# ── what the answer means ────────────────────────────────────────────────────


def _value(check: Check, answer: Answer) -> float:
    if isinstance(answer, Response | Unanswered):
        value = prometheus.read(answer)
        return float(int(value * 1000)) if check.kind == "duration" else value
    if answer is None:
        raise QueryError(
            "no Gateway of the route is served by this controller; set spec.metricsServer, or --metrics-server on the "
            "controller, or use a MetricTemplate"
        )
    if check.kind == "success-rate":
        value_or_none = readings.success_rate(answer)
    else:
        value_or_none = readings.quantile(answer.buckets, 0.99)
    if value_or_none is None:
        raise NoValuesError
    return float(int(value_or_none)) if check.kind == "duration" else value_or_none


def _outside(canary: Canary, check: Check, value: float) -> str | None:
    metric, limits = check.metric, check.metric.threshold_range
    if limits:
        lower, upper = limits.min, limits.max
    elif check.kind == "success-rate":
        lower, upper = metric.threshold or 0.0, None
    else:
        lower, upper = None, metric.threshold or 0.0
    if check.kind == "duration":
        lower, upper = (None if bound is None else float(int(bound)) for bound in (lower, upper))
    if lower is not None and value < lower:
        return _halt(canary, check, value, "<", lower)
    if upper is not None and value > upper:
        return _halt(canary, check, value, ">", upper)
    return None


def _halt(canary: Canary, check: Check, value: float, sign: str, bound: float) -> str:
    start = f"Halt {canary.metadata.name}.{canary.metadata.namespace} advancement"
    if check.kind == "success-rate":
        return f"{start} success rate {value:.2f}% {sign} {go.number(bound)}%"
    if check.kind == "duration":
        return f"{start} request duration {go.duration(value / 1000)} {sign} {go.duration(bound / 1000)}"
    return f"{start} {check.metric.name} {value:.2f} {sign} {go.number(bound)}"


def _no_values(canary: Canary, check: Check, error: NoValuesError) -> str:
    name = check.metric.name
    if check.kind in ("success-rate", "duration"):
        provider = canary.spec.provider or "gatewayapi:v1"
        target = f"{canary.spec.target_ref.name}.{canary.metadata.namespace}"
        more = f": {error}" if check.kind == "success-rate" else ""
        start = f"Halt advancement no values found for {provider} metric {name}"
        return f"{start} probably {target} is not receiving traffic{more}"
    if check.kind == "query":
        return f"Halt advancement no values found for metric: {name}"
    return f"Halt advancement no values found for custom metric: {name}: {error}"


def _query_failed(check: Check, error: QueryError) -> str:
    if check.kind == "template":
        return f"Metric query failed for {check.metric.name}: {error}"
    if check.kind == "query":
        return f"Prometheus query failed for {check.metric.name}: {error}"
    return f"Prometheus query failed: {error}"

"""The checks of an analysis: what each one queries, in Flagger's order.

1. Built-in metrics and inline queries come first, then templates, each in the order of the list.
2. With a metrics server (`spec.metricsServer` or `--metrics-server`) the built-in metrics are Flagger's PromQL; without
   one they are read from the statistics of our own Envoys.
3. A check that cannot be queried fails, with the reason.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import msgspec

from headgate.api.core import Secret
from headgate.api.delivery import Canary, CanaryMetric, MetricTemplate
from headgate.api.durations import go_seconds
from headgate.api.meta import Key

from .. import providers
from ..effects import Json
from ..providers import Provider, QueryError, Source, prometheus
from ..queries import Query, QueryResult, QueryResults
from ..settings import Settings
from ..snapshot import Objects, decoded, plaintext
from . import http_observer, proxy_metrics, query_template

SUCCESS_RATE = "request-success-rate"
DURATION = "request-duration"

#: Queries in a row for one value, before the check fails.
_MAX_QUERIES = 5

Kind = Literal["success-rate", "duration", "query", "template"]


class Check(msgspec.Struct, frozen=True):
    """One check: its query and how the result is read, or why there is no query."""

    metric: CanaryMetric
    kind: Kind
    query: Query | None = None
    read: Callable[[QueryResult], float | Query] = lambda _: 0.0
    failure: str = ""

    def value(self, results: QueryResults) -> float | Query:
        """The value, or the query whose result is missing. Raises `QueryError`."""
        query = self.query
        for _ in range(_MAX_QUERIES):
            if query is None:
                raise QueryError(self.failure)
            if query not in results:
                return query
            value = self.read(results[query])
            if isinstance(value, int | float):
                return value
            query = value
        raise QueryError(f"no value after {_MAX_QUERIES} queries")


class Sources(msgspec.Struct, frozen=True):
    """What checks are made of, beside the Canary.

    Attributes:
        age: seconds since the analysis of this revision began; our Envoys' counts from before it are left out.
        now: seconds since the epoch.
    """

    route: Json | None
    objects: Objects
    settings: Settings
    age: float
    now: float


def checks(canary: Canary, sources: Sources) -> tuple[Check, ...]:
    """The checks of a Canary."""
    metrics = canary.spec.analysis.metrics
    return (
        *(check for metric in metrics for check in _plain(canary, metric, sources)),
        *(_templated(canary, metric, sources) for metric in metrics if metric.template_ref),
    )


def missing(checks: tuple[Check, ...], results: QueryResults) -> tuple[Query, ...]:
    """The queries whose results are needed next."""
    queries: dict[Query, None] = {}
    for check in checks:
        try:
            value = check.value(results)
        except QueryError:
            continue
        if not isinstance(value, int | float):
            queries[value] = None
    return tuple(queries)


def availability(canary: Canary, sources: Sources) -> tuple[tuple[str, Check], ...]:
    """For each metrics provider of a Canary, by name, a check that passes if the provider answers."""
    found: dict[str, Check] = {}
    metrics = canary.spec.analysis.metrics
    server = _metrics_server(canary, sources.settings)
    plain = next((metric for metric in metrics if _is_plain(metric)), None)
    if server and plain:
        source = Source(server, 60.0, sources.now)
        found[server] = _check(plain, "query", prometheus, source, prometheus.online)
    for metric in metrics:
        if metric.template_ref:
            found[metric.name] = _templated(canary, metric, sources, online=True)
    return tuple(found.items())


def _metrics_server(canary: Canary, settings: Settings) -> str:
    return canary.spec.metrics_server or settings.metrics_server


def _is_plain(metric: CanaryMetric) -> bool:
    return bool(metric.query) or (metric.name in (SUCCESS_RATE, DURATION) and metric.template_ref is None)


def _check(
    metric: CanaryMetric, kind: Kind, provider: Provider, source: Source, ask: Callable[[Source], Query]
) -> Check:
    """A check, with the failure as its text if it cannot be queried."""
    try:
        return Check(metric, kind, ask(source), partial(provider.read, source))
    except QueryError as error:
        return Check(metric, kind, failure=str(error))


# ── built-in metrics and inline queries ──────────────────────────────────────


def _plain(canary: Canary, metric: CanaryMetric, sources: Sources) -> Iterator[Check]:
    if metric.template_ref and not metric.query:
        return
    server = _metrics_server(canary, sources.settings)
    if metric.query:
        if server:
            yield _rendered(canary, metric, "query", server, metric.query, sources.now)
        else:
            failure = "set spec.metricsServer, or --metrics-server on the controller, for a metric with a query"
            yield Check(metric, "query", failure=f"Prometheus query failed for {metric.name}: {failure}")
    elif metric.name in (SUCCESS_RATE, DURATION):
        kind: Kind = "success-rate" if metric.name == SUCCESS_RATE else "duration"
        if server:
            yield _rendered(canary, metric, kind, server, http_observer.QUERIES[metric.name], sources.now)
        else:
            read = proxy_metrics.read_success_rate if kind == "success-rate" else proxy_metrics.read_duration
            yield Check(metric, kind, proxy_metrics.ask(canary, metric, sources.route, sources.age), read)
    else:
        failure = "Metric query failed for no usable metrics template and query were configured"
        yield Check(metric, "query", failure=failure)


def _rendered(canary: Canary, metric: CanaryMetric, kind: Kind, server: str, query: str, now: float) -> Check:
    try:
        text = query_template.render(query, query_template.template_variables(canary, metric))
        source = Source(server, go_seconds(metric.interval or "1m"), now)
        read = _read_milliseconds if kind == "duration" else prometheus.read
        return Check(metric, kind, prometheus.ask(source, text), partial(read, source))
    except (query_template.TemplateError, QueryError) as error:
        return Check(metric, kind, failure=f"Prometheus query failed for {metric.name}: {error}")


def _read_milliseconds(source: Source, result: QueryResult) -> float:
    return float(int(prometheus.read(source, result) * 1000))


# ── MetricTemplates ──────────────────────────────────────────────────────────


class _TemplateFailedError(Exception):
    """Why a MetricTemplate cannot be queried."""


def _templated(canary: Canary, metric: CanaryMetric, sources: Sources, *, online: bool = False) -> Check:
    try:
        return _template_check(canary, metric, sources, online)
    except _TemplateFailedError as failure:
        return Check(metric, "template", failure=str(failure))


def _template_check(canary: Canary, metric: CanaryMetric, sources: Sources, online: bool) -> Check:
    reference = metric.template_ref
    assert reference is not None  # noqa: S101 - callers check
    key = Key(reference.namespace or canary.metadata.namespace, reference.name)
    title = f"Metric template {key.name}.{key.namespace}"
    template = _template(key, title, sources.objects)
    config = template.spec.provider
    try:
        provider = providers.of(config.type)
        source = Source(
            config.address or "",
            go_seconds(metric.interval or "1m"),
            sources.now,
            headers=config.headers,
            credentials=_credentials(template, key, title, sources.objects),
            region=config.region or "",
            verify=not config.insecure_skip_verify,
        )
        if online:
            query = provider.online(source)
        else:
            variables = query_template.template_variables(canary, metric)
            query = provider.ask(source, query_template.render(template.spec.query, variables))
    except query_template.TemplateError as error:
        raise _TemplateFailedError(f"{title} query render error: {error}") from None
    except QueryError as error:
        raise _TemplateFailedError(f"{title} provider {config.type} error: {error}") from None
    return Check(metric, "template", query, partial(provider.read, source))


def _template(key: Key, title: str, objects: Objects) -> MetricTemplate:
    try:
        template: MetricTemplate | None = decoded(objects, MetricTemplate, key)
    except ValueError as error:
        raise _TemplateFailedError(f"{title} error: {error}") from None
    if template is None:
        raise _TemplateFailedError(f'{title} error: metrictemplates.flagger.app "{key.name}" not found')
    return template


def _credentials(template: MetricTemplate, key: Key, title: str, objects: Objects) -> dict[str, str] | None:
    reference = template.spec.provider.secret_ref
    if reference is None:
        return None
    secret: Secret | None = decoded(objects, Secret, Key(key.namespace, reference.name))
    if secret is None:
        raise _TemplateFailedError(f'{title} secret {reference.name} error: secrets "{reference.name}" not found')
    return plaintext(secret)

"""Counters of Envoys: OpenTelemetry metrics as Envoy's stats sink writes them. Bytes in, values out.

The generated messages are of an older OpenTelemetry release that names two fields differently. The bytes are the same.
"""

from typing import Any

import msgspec

from . import protos

SERVICE = "opentelemetry.proto.collector.metrics.v1.MetricsService"
METHOD = "Export"

_CODE = "cluster.upstream_rq"
_CLASS = "cluster.upstream_rq_xx"
_TIME = "cluster.upstream_rq_time"
_CLUSTER_TAG = "envoy.cluster_name"
_CODE_TAG = "envoy.response_code"
_CLASS_TAG = "envoy.response_code_class"
_NANOSECONDS = 1_000_000_000


class Histogram(msgspec.Struct, frozen=True):
    """Request times: `counts[i]` requests took up to `bounds[i]` milliseconds, those of the last count longer."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


class Counts(msgspec.Struct, frozen=True):
    """Requests of one cluster between two reports: by status code, by class ("2", "5", …), and their times."""

    by_code: dict[str, int] = {}
    by_class: dict[str, int] = {}
    time: Histogram | None = None


class Report(msgspec.Struct, frozen=True):
    """One report of one Envoy. `seconds` is the length of the interval, 0 if the report has none."""

    seconds: float
    clusters: dict[str, Counts]


def read_report(body: bytes) -> Report:
    """Parse an export request. Raises ValueError."""
    message = protos.parse(protos.ExportMetricsServiceRequest, body)
    span = 0
    codes: dict[str, dict[str, int]] = {}
    classes: dict[str, dict[str, int]] = {}
    times: dict[str, Histogram] = {}
    for metric in _metrics(message):
        points = metric.histogram.data_points if metric.name == _TIME else metric.sum.data_points
        for point in points:
            if point.start_time_unix_nano:
                span = max(span, point.time_unix_nano - point.start_time_unix_nano)
            tags = {each.key: each.value.string_value for each in point.attributes}
            cluster = tags.get(_CLUSTER_TAG, "")
            if metric.name == _CODE:
                _add(codes.setdefault(cluster, {}), tags.get(_CODE_TAG, ""), point.as_int)
            elif metric.name == _CLASS:
                _add(classes.setdefault(cluster, {}), tags.get(_CLASS_TAG, ""), point.as_int)
            elif metric.name == _TIME:
                times[cluster] = Histogram(tuple(point.explicit_bounds), tuple(point.bucket_counts), point.sum)
    clusters = {
        name: Counts(codes.get(name, {}), classes.get(name, {}), times.get(name))
        for name in {**codes, **classes, **times}
    }
    return Report(span / _NANOSECONDS, clusters)


def _metrics(message: Any) -> Any:
    for resource in message.resource_metrics:
        for scope in resource.instrumentation_library_metrics:
            yield from scope.metrics


def _add(counts: dict[str, int], key: str, value: int) -> None:
    if value:
        counts[key] = counts.get(key, 0) + value

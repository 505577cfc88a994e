"""Reports of counters, as Envoy writes them."""

from typing import Any

import pytest

from headgate.envoy import otlp, protos


def report(**metrics: Any) -> bytes:
    """An export with one point per metric: name -> (tags, value or histogram fields)."""
    message = protos.ExportMetricsServiceRequest()
    scope = message.resource_metrics.add().instrumentation_library_metrics.add()
    for name, (tags, value) in metrics.items():
        metric = scope.metrics.add(name=f"cluster.{name}")
        points = metric.histogram.data_points if isinstance(value, dict) else metric.sum.data_points
        point = points.add(start_time_unix_nano=1_000_000_000, time_unix_nano=2_500_000_000)
        for key, tag in {"envoy.cluster_name": "shop_web_80", **tags}.items():
            point.attributes.add(key=key).value.string_value = tag
        if isinstance(value, dict):
            point.explicit_bounds.extend(value["bounds"])
            point.bucket_counts.extend(value["counts"])
        else:
            point.as_int = value
    return bytes(message.SerializeToString())


def test_requests_are_counted_by_code_and_class() -> None:
    body = report(
        upstream_rq=({"envoy.response_code": "200"}, 3), upstream_rq_xx=({"envoy.response_code_class": "2"}, 3)
    )
    counts = otlp.read_report(body).clusters["shop_web_80"]
    assert (counts.by_code, counts.by_class) == ({"200": 3}, {"2": 3})


def test_times_come_as_a_histogram() -> None:
    body = report(upstream_rq_time=({}, {"bounds": [1, 5], "counts": [1, 2, 0]}))
    time = otlp.read_report(body).clusters["shop_web_80"].time
    assert time is not None
    assert (time.bounds, time.counts) == ((1.0, 5.0), (1, 2, 0))


def test_a_report_says_how_long_a_time_it_is_about() -> None:
    assert otlp.read_report(report(upstream_rq=({"envoy.response_code": "200"}, 1))).seconds == 1.5


def test_bytes_that_are_no_report_are_an_error() -> None:
    with pytest.raises(ValueError, match="ExportMetricsServiceRequest"):
        otlp.read_report(b"\xff\xff")
